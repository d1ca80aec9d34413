/* request.h - a request as a handler sees it, and the reply it fills.
 *
 * Both are borrowed for the handler's call (a stream's state may be kept in rq->state between calls). Nothing of
 * libmicrohttpd shows here.
 */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/buffer.h"
#include "server/http/route.h"
#include "server/http/unpack.h"

#define REQUEST_QUERY_MAX 16
#define REPLY_HEADERS_MAX 8

/* The headers that are looked at, found in one pass over a request's. Names: request.c. */
enum header {
	HEADER_ACCEPT,
	HEADER_ACCEPT_ENCODING,
	HEADER_AUTHORIZATION,
	HEADER_CONTENT_ENCODING,
	HEADER_CONTENT_LENGTH,
	HEADER_CONTENT_TYPE,
	HEADER_COOKIE,
	HEADER_CORS_METHOD,
	HEADER_CORS_PRIVATE,
	HEADER_EXPECT,
	HEADER_HOST,
	HEADER_IDEMPOTENCY_KEY,
	HEADER_IF_MATCH,
	HEADER_IF_NONE_MATCH,
	HEADER_INFERENCE_LENGTH,
	HEADER_LAST_EVENT_ID,
	HEADER_ORIGIN,
	HEADER_PREFER,
	HEADER_REQUEST_TIMEOUT,
	HEADER_ROUTING_KEY,
	HEADER_TRACEPARENT,
	HEADER_TRANSFER_ENCODING,
	HEADERS
};

struct request {
	void *app;          /* what the routes were registered with */
	const char *method; /* as sent; a HEAD runs GET's handler */
	char *url;          /* raw, with the query */
	size_t path_length; /* of url, up to '?' */
	struct route_match match;
	struct buffer body;
	enum coding coding; /* of body, and of what comes to a stream */
	bool may_hold; /* false where a change asks only what is there: the reply is not sent, so nothing may wait for more */
	bool may_wait; /* false on a loop's thread: answer ERR_WOULD_BLOCK instead of touching the store */
	bool settled;  /* what it asks for was done before: nothing will change, whatever If-Match says */
	void *state;   /* a stream's; of a reply with a source or a hold, what it waits with */
	void (*state_free)(
			void *state); /* called once, at the end of the request, if set; until it returns http_wake may be called */
	/* Set by a handler that returns ERR_LATER, on a loop's thread: called once the connection waits. Whoever it hands the
	 * request to calls http_again, and the handler runs once more, with rq->state as it was left. */
	void (*later)(struct request *rq);
	/* Set by a handler that has more to do once its answer has left: called then on the pool, without headers, or with
	 * `skipped` on a loop's thread where the pool has enough to do. Not of a stream's route. */
	void (*after)(struct request *rq, bool skipped);
	void *notes; /* what the handlers keep with the request: the faults found in it */
	void (*notes_free)(void *notes);

	struct query_arg {
		char *name, *value; /* decoded, in query_memory */
	} query[REQUEST_QUERY_MAX];
	size_t query_count;
	const char *query_unknown; /* a parameter that the route does not have, for which it was refused; NULL: none */
	char *query_memory;

	/* When its client wants no answer any more, on the monotonic clock; 0: it did not say. */
	uint64_t deadline_ns;
	/* NULL: absent; the first where one is given twice; borrowed for the request. */
	const char *headers[HEADERS];
	/* Set by admit, for the handlers: which token asks (0: none that has a number), and whether it is for some models only. */
	int64_t token;
	unsigned roles; /* bits that only they read */
	bool limited;
	bool secure; /* it came over TLS */
	/* Set by admit: asked on the pool before the handler, and before a stream begins; its code is the answer. NULL: nothing is. */
	int (*guard)(struct request *rq, struct err *e);
	/* Set by admit: told with the answer (RateLimit headers of draft-ietf-httpapi-ratelimit-headers-07); limit 0: nothing is. */
	struct request_rate {
		unsigned limit, remaining; /* requests */
		unsigned reset_seconds;    /* until all may be had again; of a 429: until one may */
	} rate;
	unsigned wait_seconds; /* set by admit: of a refusal, after how long it may be tried again */
	bool local;            /* from the socket beside the database: its owner asks */
	const char *reader; /* set by admit: the origin of a page that may read the answer; NULL: none (CORS) */
	void *connection;   /* http's own */
};

#define HTTP_BEAT_SECONDS 15
#define REPLY_END         (-1)
#define REPLY_BROKEN      (-2)

/* A body that comes in pieces, for as long as there are some. Nothing is kept of it: memory does not grow with a slow client. */
struct reply_source {
	void *self;
	/* Copies up to size bytes to `to`, and returns how many; 0: none yet; REPLY_END: that was all; REPLY_BROKEN: the rest
	 * cannot be had, and the connection is cut so that the client sees it. On a loop's thread: it must not wait. */
	ssize_t (*next)(void *self, char *to, size_t size);
	/* Makes more after a 0, on the pool, where it may wait. NULL: whoever has more calls http_wake. */
	void (*fill)(void *self);
	uint64_t size;    /* of the whole, where that is known: then the answer says it. 0: it is not */
	const char *beat; /* static text, sent every HTTP_BEAT_SECONDS in a moment without others: finds clients that left. Not with fill */
};

struct reply {
	unsigned status;          /* 0 becomes 200 */
	const char *content_type; /* static text; NULL: application/json */
	struct buffer body;
	struct reply_header {
		const char *name; /* static text */
		char value[256];
	} headers[REPLY_HEADERS_MAX];
	size_t headers_count;
	bool close;                 /* end the connection after it */
	struct reply_source source; /* next not NULL: the body, in place of the one above */
	/* Not 0: a reply of 304 is held back for so long. After http_wake the handler runs again, with rq->state as it left
	 * it. Not of a stream's route, nor on a loop's thread. */
	unsigned hold_seconds;
};

/* As new, but for body, which keeps its memory. */
void request_reset(struct request *rq);
void reply_reset(struct reply *rp);

/* The decoded path parameter of that name; every name in the route's path is there. */
const char *request_param(const struct request *rq, const char *name);
/* The decoded query parameter, NULL when absent. */
const char *request_query(const struct request *rq, const char *name);
/* Keeps a header if it is one of those, and tells which (HEADERS: none); names are compared without case. */
enum header request_header(struct request *rq, const char *name, size_t name_length, const char *value);
/* Does the Accept header prefer this media type to the route's default? */
bool request_accepts(const struct request *rq, const char *media_type);
/* ERR_DEADLINE: its client waits no more (Request-Timeout). Cheap; for work in pieces to ask between two of them. */
int request_in_time(const struct request *rq, struct err *e);
/* The address of who sent it, of IPv4 as ::ffff:a.b.c.d; zeros: it has none. */
#define REQUEST_PEER_BYTES 16
void request_peer(const struct request *rq, unsigned char peer[REQUEST_PEER_BYTES]);
/* Is this the body's media type (parameters left out)? */
bool request_is(const struct request *rq, const char *media_type);

/* Does a browser ask whether a page of another origin may send a request? */
bool cors_asks(const struct request *rq);

/* If-Match and If-None-Match of a change on a path that no GET shows, by what a GET of the resource that is changed
 * would answer (ROUTE_CHANGE does it where the path is the same). ERR_PRECONDITION. */
int request_guard(const struct request *rq, const struct reply *now, struct err *e);

/* There is news for a reply that has a source or is held back. On any thread, cheap; many calls may come to one. */
void http_wake(struct request *rq);

/* See request.later. */
void http_again(struct request *rq);
/* Calls run, once, on a thread that may be busy for long and steps back before the loops; the request may be gone before it
 * returns. False: too many wait. */
bool http_compute(struct request *rq, void (*run)(struct request *rq));

void reply_header(struct reply *rp, const char *name, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

#endif
