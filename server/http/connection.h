/* connection.h - what we keep beside each of libmicrohttpd's connections: whether there is a place for it, and how much
 * patience with its client. Shared inside server/http.
 *
 * There are --max-connections places, of which one address may have --max-connections-per-address. Who finds none gets one of
 * a small reserve, for one request, which must be vital (health, metrics) and brief; where that is full too, it is closed.
 *
 * A descriptor is libmicrohttpd's. It closes it after it has said that the connection ends, so whoever holds the lock may
 * use those of the connections on the list.
 */
#ifndef SERVER_HTTP_CONNECTION_H
#define SERVER_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/http/http.h"
#include "server/http/patience.h"

struct connection {
	struct connections *all;
	int fd;
	bool reserve;      /* it has no place of its own */
	bool local;        /* it came by a socket's file */
	bool plain;        /* bytes may be written past libmicrohttpd: no TLS */
	unsigned told;     /* under the lock: the status that was written past libmicrohttpd; 0: none */
	uint64_t received; /* bytes of a body, too few for a millisecond */
	uint64_t read; /* under the lock: what its client's system has taken, when it was last looked at */
	_Atomic uint64_t
			written; /* of an answer that is given in pieces, up to where its loop has asked for it */
	struct address *address;
	struct patience patience;
	struct connection *next, *previous;
};

/* *out is new (connections_free). config is borrowed. ERR_NOMEM. */
int connections_new(struct connections **out, const struct http_config *config, struct err *e);
void connections_free(struct connections *all); /* when libmicrohttpd has stopped; NULL is fine */

/* libmicrohttpd's callback: its connection's socket context becomes a struct connection. */
void connections_notice(void *all, struct MHD_Connection *connection, void **context,
		enum MHD_ConnectionNotificationCode what);
struct connection *connection_of(struct MHD_Connection *connection); /* NULL: it is being ended */

/* Is there neither a place nor a reserve for one more? As of now: several may come at a time. */
bool connections_full(const struct connections *all);
/* While there are no descriptors, who comes gets a place of the reserve. */
void connections_set_scarce(struct connections *all, bool scarce);
/* Ends those whose client took too long. On any thread. */
void connections_end_overdue(struct connections *all);

/* What goes on. False: its time was over, and nothing may be said to its client any more. */
bool connection_heads(struct connection *c); /* a request's first line is there */
bool connection_body(struct connection *c);  /* its headers are */
bool connection_received(struct connection *c, size_t bytes);
bool connection_works(struct connection *c); /* the body is there, or nothing is asked of the client */
bool connection_answers(struct connection *c);
bool connection_idle(struct connection *c); /* the answer has left */
void connection_pause(struct connection *c);
void connection_resume(struct connection *c);
/* Answers past libmicrohttpd that the headers are too large, as that has no memory left for an answer. */
void connection_refuse_headers(struct connection *c);
/* The status of what was answered past libmicrohttpd; 0: nothing. */
unsigned connection_told(struct connection *c);

#endif
