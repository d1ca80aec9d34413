/* exchange.h - the course of one request, from its first header to its last byte. Shared inside server/http. */
#ifndef SERVER_HTTP_EXCHANGE_H
#define SERVER_HTTP_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "server/http/connection.h"
#include "server/http/http.h"
#include "server/http/pool.h"
#include "server/http/tls.h"

struct http_server {
	struct http_config config;
	_Atomic(struct tls *) tls;    /* what new connections go by; NULL: plain HTTP */
	atomic_uint refusals;         /* handshakes that failed and were not told of, */
	_Atomic int64_t refusals_due; /* which they are when this second has come */
	struct connections *connections;
	struct door *door;
	atomic_bool knocking; /* knock.c leaves a handshake unfinished */
	struct MHD_Daemon *daemon;
	struct MHD_Daemon *control; /* on the socket beside the database; NULL: there is none */
	struct pool *pool;
	struct pool *computing;      /* of http_compute */
	pthread_mutex_t change_lock; /* a conditional change is checked and made under it */
	pthread_mutex_t resume_lock; /* an exchange comes back from the pool */
	atomic_bool draining;
	/* Under resume_lock: who sleeps (sleep.h), when the first of them is due, the thread that wakes them. */
	struct exchange *asleep;
	uint64_t next_due_ms;
	bool clock_stops;
	pthread_cond_t clock_wake;
	pthread_t clock;
	atomic_uint under_way; /* requests whose reply has not left yet */
	atomic_uint at_work;   /* those of pressure.h, and what they hold */
	_Atomic uint64_t held_bytes;
};

enum phase {
	PHASE_NEW,     /* headers not seen yet */
	PHASE_REFUSED, /* the reply is ready; what is left of the body is swallowed */
	PHASE_BODY,    /* the body is collected */
	PHASE_OPENING, /* the pool runs stream->begin */
	PHASE_OPENED,  /* it has: libmicrohttpd shows the headers once more after a suspension */
	PHASE_STREAM,  /* the body is handed on, piece by piece */
	PHASE_WORKING, /* the pool runs the handler */
	PHASE_AGAIN,   /* the handler is to run again, on the loop */
	PHASE_READY,   /* the reply is ready */
};

struct exchange {
	struct request rq; /* first: a handler's rq is the exchange */
	struct reply rp;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct connection *link; /* ours beside it; it may end as soon as the exchange has */
	struct pool_task task;
	void (*run)(struct request *rq); /* of http_compute */
	_Atomic enum phase phase;
	bool streaming; /* stream->begin succeeded and neither handler nor abandon was called since */
	/* Of a stream, under resume_lock: the pool has a piece, rq.body; the connection waits until it is done; the
	 * connection is gone. ahead is what came meanwhile. */
	bool at_work, held, gone;
	struct buffer ahead;
	/* Of a reply that waits, under resume_lock: it is on the server's list until due_ms; somebody called http_wake. */
	bool asleep, woken;
	struct exchange *next_asleep, *previous_asleep;
	uint64_t due_ms;
	uint64_t beat_ms;       /* when a stream's next beat is due */
	uint64_t held_until_ms; /* 0: not held */
	uint64_t received;
	bool entered;        /* it counts as at work (pressure.h) */
	uint64_t held_bytes; /* likewise */
	unsigned sent_status;
	uint64_t sent_bytes;
	struct timespec started;
	struct trace trace; /* span_id empty: none */
	struct buffer url;  /* with its NUL */
	const char *raw_end,
			*version; /* in libmicrohttpd's buffer: where the raw URL ended, what came after it */
};

/* *out is new (exchange_free); both on any thread. NULL: no memory. */
struct exchange *exchange_new(const char *url);
void exchange_free(struct exchange *x);

static inline struct exchange *exchange_of(struct pool_task *task)
{
	return (struct exchange *)((char *)task - offsetof(struct exchange, task));
}
/* Its connection waits, or goes on: what the client takes is not its time meanwhile. */
static inline void exchange_suspend(struct exchange *x)
{
	connection_pause(x->link);
	MHD_suspend_connection(x->connection);
}
static inline void exchange_resume(struct exchange *x)
{
	connection_resume(x->link);
	MHD_resume_connection(x->connection);
}
/* The pool is done with it: its connection goes on. */
void exchange_give_back(struct exchange *x, enum phase phase);

/* The reply becomes a problem; the reply leaves. */
void exchange_problem(struct exchange *x, int code, const struct err *e);
enum MHD_Result exchange_reply(struct exchange *x);

/* Did the headers leave memory for an answer's? Where they did not, libmicrohttpd would end the connection without one. */
bool gate_room(const struct exchange *x);
/* The gate: ERR_BAD_REQUEST for headers that two readers could read in two ways (RFC 9112, section 6.3);
 * ERR_EXPECT. Fills rq.headers, whatever it says of them. */
int gate_check(struct exchange *x, struct err *e);

/* Is this request for a handler? 0, with the route, its arguments and the query in x->rq; else the code of the refusal. */
int headers_check(struct exchange *x, struct err *e);
/* Content-Length; 0 if there is none. */
uint64_t headers_length(const struct request *rq);

/* ETag, If-None-Match, If-Match. conditional_guard runs before a change, conditional_finish on every reply. */
int conditional_guard(struct http_server *server, struct request *rq, struct err *e);
void conditional_finish(const struct request *rq, struct reply *rp);
/* Would conditional_finish make this a 304? */
bool conditional_same(const struct request *rq, const struct reply *rp);

/* The headers that all answers have, and those of a token's rate. False: no memory. */
bool guard_headers(const struct request *rq, struct MHD_Response *response);
/* The headers for rq.reader. */
void cors_headers(const struct exchange *x, struct MHD_Response *response);

/* The reply of a source; NULL: no memory. */
struct MHD_Response *stream_response(struct exchange *x);
/* After the handler, on the pool: is the reply to be held back? HELD: it is, and x is nobody's for now; HELD_AGAIN: there
 * was news meanwhile, the handler must run again. */
enum stream_held { HELD_NOT, HELD, HELD_AGAIN } stream_hold(struct exchange *x);

/* libmicrohttpd's callbacks. */
void *exchange_begin(void *server, const char *url, struct MHD_Connection *connection);
enum MHD_Result exchange_handle(void *server, struct MHD_Connection *connection, const char *url,
		const char *method, const char *version, const char *data, size_t *size, void **state);
void exchange_end(void *server, struct MHD_Connection *connection, void **state,
		enum MHD_RequestTerminationCode why);

#endif
