/* http.h - the HTTP server: libmicrohttpd behind a route table.
 *
 * Two kinds of threads serve. A loop (one a core, epoll) reads requests and writes replies for many connections
 * and answers by itself what needs no waiting (ROUTE_INLINE). Everything that may wait for the disk runs on the
 * pool, while its connection is suspended, so that a slow commit never holds up a prediction. A request is
 * touched by one thread at a time.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include <stdint.h>

#include "core/err.h"
#include "server/http/request.h"
#include "server/http/route.h"
#include "server/http/trace.h"

/* What the access log gets of a finished request; borrowed for the call, which must not wait. */
struct tls;

struct http_access {
	const char *method, *url;
	const struct route *route; /* of http_config.routes; NULL: none */
	unsigned status;           /* 0: the client left before an answer */
	uint64_t sent_bytes;
	const struct trace *trace; /* span_id empty: none */
	double seconds;
};

struct http_config {
	int listen_fd; /* from http_listen; the server closes it, also where it cannot start */
	int control_fd; /* from http_listen_file, likewise; whoever comes there is the owner (request.local). -1: none */
	struct tls *tls; /* from tls_read (server/http/tls.h), likewise freed; NULL: plain HTTP */
	unsigned loops, pool_threads;
	unsigned connections_max, address_connections_max; /* in all, of one address */
	unsigned requests_max;                             /* at work at a time; one more gets 503 */
	uint64_t held_bytes_max;                           /* that bodies and answers may hold together */
	struct memory *memory;                             /* of which they are a part; NULL: of none */
	size_t connection_bytes; /* of each connection, open or idle: a request's headers must find room in it */
	unsigned idle_seconds; /* a connection without traffic for this long is closed */
	/* A request's headers must be there within so long; its body, and the reading of its answer, may take so long, and
	 * a second more for every rate_min bytes that move. */
	unsigned header_ms, transfer_ms;
	uint64_t rate_min;
	const struct route *routes; /* ended by a row without a method */
	void *app;                  /* request.app */
	/* May this request come in: host, origin, token, role. route is NULL when there is none for it. Called on a
	 * loop's thread, before the body. */
	int (*admit)(struct request *rq, const struct route *route, struct err *e);
	/* Turns a code into a status and a problem document. */
	void (*problem)(struct request *rq, struct reply *rp, int code, const struct err *e);
	/* A handler, or the beginning of a stream, has made this answer; on the pool, before it is sent. NULL: none. */
	void (*answered)(struct request *rq, const struct reply *rp);
	void (*access)(void *app, const struct http_access *access); /* NULL: none */
	void (*log)(void *app, bool of_client,
			const char *sentence); /* of_client: of one that came and went, which is no fault */
};

struct http_server;

/* What it has taken on, now. */
struct http_state {
	unsigned under_way;  /* requests, from their first byte to their answer's last */
	unsigned at_work;    /* of them, without those whose answer is on its way or that wait for news */
	uint64_t held_bytes; /* by their bodies and answers */
	unsigned queued;     /* those that wait for a thread */
};
/* Of the server that has this request. */
void http_state(const struct request *rq, struct http_state *out);

/* A listening socket on HOST:PORT ("127.0.0.1:8420", "[::1]:0", "localhost:8420"). ERR_INVALID: not an address;
 * ERR_IO: it cannot be bound (the sentence says why). *port is the one bound. *public tells whether others than
 * this machine can reach it. */
int http_listen(const char *address, int *fd, unsigned *port, bool *public, struct err *e);
/* The same on a file of this mode; whoever listens takes it away at the end. ERR_INVALID: something is there, or somebody
 * listens on it. */
int http_listen_file(const char *path, unsigned mode, int *fd, struct err *e);

/* *out is new (http_stop). config is copied, what it points to is borrowed. ERR_IO, ERR_NOMEM. */
int http_start(struct http_server **out, const struct http_config *config, struct err *e);
/* Does a loop take a connection and end it again, within seconds? Waits for it. True too where that cannot be asked: all
 * connections that there may be are open, or the system has no socket left. Not after http_drain. */
bool http_moves(struct http_server *server, double seconds);
/* New connections go by this from now on, and the server frees it. False: it is what they go by already, and still the
 * caller's. Only for a server that began with one; one thread at a time. */
bool http_set_tls(struct http_server *server, struct tls *tls);
/* No new connections; requests from now on get 503, those at work are finished. */
void http_drain(struct http_server *server);
/* Waits up to seconds for the requests at work, then closes everything. */
void http_stop(struct http_server *server, double seconds);

#endif
