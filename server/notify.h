/* notify.h - what the daemon tells the service manager that started it: one datagram each, as sd_notify(3) has them. */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

#include "core/err.h"

struct notify;

/* *out is new (notify_close), or NULL where nobody waits for news: $NOTIFY_SOCKET is not set. All others take NULL, and do
 * nothing. ERR_INVALID: what it names is no socket that can be written to; ERR_IO, ERR_NOMEM. */
int notify_open(struct notify **out, struct err *e);
void notify_close(struct notify *notify);

/* Any thread. What cannot be sent is dropped: the manager has its own idea of what silence means. */
void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify); /* until the next notify_ready */
void notify_stopping(struct notify *notify);
void notify_alive(struct notify *notify);

/* How often the manager wants to hear that this process is alive; 0: it does not ask. */
uint64_t notify_alive_us(const struct notify *notify);

#endif
