/* route.h - the route table: every path of the daemon is one row, and the router answers 404, 405, 406, 413 and
 * 415 from it alone.
 *
 * A path is segments; `{name}` stands for one segment and may be followed by a verb: "/v1/models/{model}:train".
 * The raw path is split before anything is decoded, so that %2F never makes a segment, and a segment that
 * decodes to a NUL, a slash or a control character is refused.
 */
#ifndef SERVER_HTTP_ROUTE_H
#define SERVER_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

#define ROUTE_PARAMS_MAX  4
#define ROUTE_PARAM_BYTES 256 /* of one decoded segment */

struct request;
struct reply;

/* NONE: open to everybody; ANY: to whoever may come in at all */
enum role { ROLE_NONE, ROLE_ANY, ROLE_READ, ROLE_PREDICT, ROLE_TRAIN, ROLE_ADMIN };

enum route_flags {
	ROUTE_INLINE = 1,   /* tried on the loop's own thread first; ERR_WOULD_BLOCK sends it to the pool */
	ROUTE_ANY_TYPE = 2, /* Content-Type is ignored (the TensorFlow Serving dialect) */
	ROUTE_DIALECT = 4,  /* answers 400 where our own routes say 422 */
	ROUTE_ANY_HOST = 8, /* no Host list: probes by address */
	ROUTE_CHANGE = 16,  /* changes a resource that a GET on the same path shows: If-Match is honoured */
	/* Bodies of Content-Encoding gzip and deflate are read too. A stream's functions get them as they come (request.coding);
	 * other handlers get them plain, and what they answer is packed as Accept-Encoding likes it. */
	ROUTE_CODED = 32,
	ROUTE_VITAL = 128,      /* answered whatever else there is to do: health, metrics */
	ROUTE_ALL_MODELS = 256, /* shows what is of all models: nothing for a token that is limited to some */
	ROUTE_PLAIN_ERRORS = 64, /* {"error": …} as application/json (the Open Inference Protocol) */
};

typedef int route_handler(struct request *rq, struct reply *rp, struct err *e);

/* A body that is not kept but handed on as it arrives; every call is on a thread that may wait. */
struct route_stream {
	route_handler *begin; /* before the first byte; an error (or a reply) ends the request here */
	int (*data)(struct request *rq, const char *bytes, size_t n, struct err *e);
	void (*abandon)(struct request *rq); /* after begin succeeded, when the handler will not be called */
};

struct route {
	const char *method;
	const char *path;
	enum role role;
	size_t max_body;      /* bytes; 0: this route reads no body */
	unsigned flags;       /* enum route_flags */
	const char *consumes; /* media types that it reads, separated by spaces; NULL: application/json */
	const char *produces; /* media types that it can answer, the default first; NULL: application/json */
	const char *query;    /* names of its query parameters, separated by spaces; NULL: none */
	route_handler *handler;
	const struct route_stream *stream; /* NULL: the body is collected */
};

struct route_match {
	const struct route *route;
	const char *names[ROUTE_PARAMS_MAX]; /* parameter names in the pattern, not NUL-terminated */
	size_t name_lengths[ROUTE_PARAMS_MAX];
	char values[ROUTE_PARAMS_MAX][ROUTE_PARAM_BYTES];
	size_t count;
};

/* Finds the row for method and raw path (up to '?'). HEAD finds GET's row. ERR_NO_ROUTE; ERR_METHOD, with *allow
 * (allow_size bytes) naming the methods the path has; ERR_BAD_REQUEST for a broken escape. routes end with a row
 * whose method is NULL. */
int route_find(const struct route *routes, const char *method, const char *path, size_t path_length,
		struct route_match *match, char *allow, size_t allow_size, struct err *e);

/* Decodes %XX in text[0..n) into out; plus_is_space for query strings. ERR_BAD_REQUEST: a broken escape, a NUL or
 * control character, or no room. */
int route_decode(const char *text, size_t n, bool plus_is_space, char *out, size_t size, struct err *e);

#endif
