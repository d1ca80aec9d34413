/* pressure.h - how much the server takes on at a time: requests at work, and the bytes that their bodies and answers hold. What
 * is beyond it is refused at once (503), so that those at work get their answers. Shared inside server/http.
 *
 * A request is at work from its headers until its answer begins to leave, but not while it waits for news. Routes that
 * are vital (ROUTE_VITAL: health, metrics) are not counted.
 */
#ifndef SERVER_HTTP_PRESSURE_H
#define SERVER_HTTP_PRESSURE_H

#include "server/http/exchange.h"

/* After the headers. ERR_BUSY. */
int pressure_enter(struct exchange *x, struct err *e);
/* Its answer begins to leave, or it waits. Twice is fine. */
void pressure_leave(struct exchange *x);
/* So many bytes more are held until the end. ERR_BUSY: they are too many, and not counted. A request that is alone may hold
 * what it likes. */
int pressure_hold(struct exchange *x, uint64_t bytes, struct err *e);
/* Would a body of so many be too many? Nothing is counted yet: a client that says much may send little. ERR_BUSY;
 * ERR_TOO_LARGE: it takes more than there is of the memory budget for one. */
int pressure_room(const struct exchange *x, uint64_t bytes, struct err *e);
/* The same of what cannot be refused any more. */
void pressure_keep(struct exchange *x, uint64_t bytes);
/* Its body is not read on: others have what it held. */
void pressure_give(struct exchange *x);
/* One of its buffers found no room. ERR_TOO_LARGE: nor would it if the request were alone; ERR_NOMEM: it might. what: "the
 * body". */
int pressure_short(const struct exchange *x, const struct buffer *buffer, const char *what, struct err *e);
/* Everything that it held. */
void pressure_end(struct exchange *x);

#endif
