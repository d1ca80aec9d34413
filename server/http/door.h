/* door.h - the thread at the door: lets connections in, and has those ended whose client takes too long. Shared inside
 * server/http. */
#ifndef SERVER_HTTP_DOOR_H
#define SERVER_HTTP_DOOR_H

#include "core/err.h"

struct door;
struct http_server;

/* *out is new (door_stop). It has server's listening socket from now on. ERR_IO, ERR_NOMEM. */
int door_open(struct door **out, struct http_server *server, struct err *e);
/* Nobody comes in any more. */
void door_close(struct door *door);
/* Before the loops stop; NULL is fine. */
void door_stop(struct door *door);

#endif
