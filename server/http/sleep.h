/* sleep.h - exchanges that wait with their connection suspended: for the next piece of a reply that streams, or for a
 * change that a held reply is to tell of. Shared inside server/http. */
#ifndef SERVER_HTTP_SLEEP_H
#define SERVER_HTTP_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct http_server;

uint64_t sleep_now_ms(void); /* monotonic */

/* The exchange's connection is suspended, by this or before, until due_ms at the latest; false when it was woken in the
 * meantime or the server drains: then it goes on, and nothing is suspended. On a loop's thread, of a stream; on the pool's,
 * of a held reply, whose exchange is then nobody's until the clock or http_wake gives it on. */
bool sleep_stream(struct exchange *x, uint64_t due_ms);
bool sleep_held(struct exchange *x, uint64_t due_ms);
/* From now on http_wake is remembered by sleep_stream and sleep_held. */
void sleep_begin(struct exchange *x);

/* The thread that wakes those whose time has come; ERR_IO. */
int sleep_start(struct http_server *server);
/* Everybody is woken, for good: the server drains. */
void sleep_drain(struct http_server *server);
void sleep_stop(struct http_server *server);

#endif
