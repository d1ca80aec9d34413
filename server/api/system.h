/* system.h - the daemon about itself. */
#ifndef SERVER_API_SYSTEM_H
#define SERVER_API_SYSTEM_H

#include "server/api/api.h"
#include "server/http/route.h"

int64_t system_clock(void); /* what started_seconds is on */

route_handler livez, readyz, system_get, openapi_get; /* system.c */
route_handler backup_post;                            /* backup.c */
route_handler metrics_get;                            /* metrics.c */
route_handler token_post, token_list, token_get, token_delete, session_post, session_get,
		session_delete; /* tokens.c */

#endif
