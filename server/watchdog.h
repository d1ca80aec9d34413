/* watchdog.h - tells the service manager that the daemon is alive, as long as it really is. */
#ifndef SERVER_WATCHDOG_H
#define SERVER_WATCHDOG_H

#include "server/http/http.h"
#include "server/notify.h"
#include "server/store/store.h"

struct watchdog;

/* All borrowed until watchdog_stop. *out is new, or NULL where the manager does not ask. ERR_IO, ERR_NOMEM. */
int watchdog_start(struct watchdog **out, struct notify *notify, struct http_server *http,
		struct store *store, struct err *e);
void watchdog_stop(struct watchdog *watchdog); /* NULL is fine */

#endif
