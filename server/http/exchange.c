/* exchange.c - the course of one request.
 *
 * libmicrohttpd calls exchange_handle once when the headers are there, then for every piece of the body, then until
 * it has a reply. Each call looks at the phase and does one thing. What may wait is given to the pool with the
 * connection suspended; the pool writes the phase, which is atomic, as the last thing before it resumes, and a call that
 * comes meanwhile touches nothing: so no two threads work on an exchange at once.
 *
 * A streamed body is the exception: while the pool works on a piece of it the loop goes on receiving the next one, up to
 * AHEAD_BYTES; only then is the connection suspended. What both look at meanwhile is under resume_lock.
 */
#include "server/http/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "server/http/coding.h"
#include "server/http/peer.h"
#include "server/http/pressure.h"
#include "server/http/sleep.h"

#define SWALLOW_BYTES \
	(1u << 20) /* a refused body up to this size is read, so that the connection can go on */
#define INLINE_BODY_BYTES (64u << 10) /* a larger body is worth a thread that may be busy for a while */
#define INLINE_PACK_BYTES (4u << 10)  /* so is that of a smaller one whose answer is to be packed */
#define AHEAD_BYTES       (256u << 10)

void exchange_problem(struct exchange *x, int code, const struct err *e)
{
	buffer_reset(&x->rp.body, BUFFER_FREE_BYTES); /* it may have found no room */
	x->server->config.problem(&x->rq, &x->rp, code, e);
}

/* The path of a request target: one in absolute form ("http://host/path", RFC 9112, section 3.2.2) is served as its
 * path; whose host it is, the Host header says, and which scheme, the connection. */
static char *target_path(char *target)
{
	static char root[] = "/";
	size_t scheme = !strncasecmp(target, "http://", 7) ? 7 : !strncasecmp(target, "https://", 8) ? 8 : 0;
	char *path;

	if (!scheme) return target;
	path = strpbrk(target + scheme, "/?");
	if (!path) return root;
	return *path == '/' ? path : target;
}

void *exchange_begin(void *server, const char *url, struct MHD_Connection *connection)
{
	struct connection *link = connection_of(connection);
	struct exchange *x = link && connection_heads(link) ? exchange_new(url) : NULL;

	if (!x) return NULL;
	x->server = server;
	x->link = link;
	x->connection = connection;
	x->rq.app = x->server->config.app;
	x->rq.url = target_path(x->url.data);
	x->rq.path_length = strcspn(x->rq.url, "?");
	x->rq.connection = connection;
	x->rq.local = peer_is_owner(x->server, connection);
	x->rq.secure = x->server->config.tls && !x->rq.local;
	x->rq.body.memory = x->rp.body.memory = x->ahead.memory = x->server->config.memory;
	x->raw_end = url + strlen(url);
	clock_gettime(CLOCK_MONOTONIC, &x->started);
	atomic_fetch_add_explicit(&x->server->under_way, 1, memory_order_relaxed);
	return x;
}

static void run_abandon(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);

	x->rq.match.route->stream->abandon(&x->rq);
	exchange_free(x);
}

static void run_after(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);

	x->rq.may_wait = true;
	x->rq.after(&x->rq, false);
	exchange_free(x);
}

/* The answer has left. What its headers were is gone with it, and nobody waits any more. */
static void go_after(struct exchange *x)
{
	x->rq.connection = NULL;
	x->rq.deadline_ns = 0;
	memset(x->rq.headers, 0, sizeof x->rq.headers);
	x->task.run = run_after;
	if (pool_offer(x->server->pool, &x->task)) return;
	x->rq.after(&x->rq, true);
	exchange_free(x);
}

static bool is_stream(const struct exchange *x)
{
	return x->rq.match.route && x->rq.match.route->stream;
}

void exchange_end(void *server, struct MHD_Connection *connection, void **state,
		enum MHD_RequestTerminationCode why)
{
	struct http_server *http = server;
	struct exchange *x = *state;
	struct http_access access;
	struct timespec now;

	(void)connection;
	if (!x) return;
	*state = NULL;
	connection_idle(x->link);
	atomic_fetch_sub_explicit(&x->server->under_way, 1, memory_order_relaxed);
	pressure_leave(x);
	clock_gettime(CLOCK_MONOTONIC, &now);
	access = (struct http_access){
		.method = x->rq.method ? x->rq.method : "-",
		.url = x->rq.url,
		.route = x->rq.match.route,
		.status = why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? x->sent_status
								     : connection_told(x->link),
		.sent_bytes = x->sent_bytes,
		.trace = &x->trace,
		.seconds = (double)(now.tv_sec - x->started.tv_sec) +
			   (double)(now.tv_nsec - x->started.tv_nsec) * 1e-9,
	};
	if (x->server->config.access) x->server->config.access(x->rq.app, &access);
	if (is_stream(x)) {
		bool left;

		pthread_mutex_lock(&http->resume_lock);
		left = x->gone = x->at_work;
		pthread_mutex_unlock(&http->resume_lock);
		if (left) return; /* the pool ends it, and may have by now */
	}
	if (x->rq.after && why == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
		go_after(x);
		return;
	}
	if (!x->streaming) {
		exchange_free(x);
		return;
	}
	x->rq.connection = NULL;
	x->task.run = run_abandon;
	if (!pool_add(x->server->pool, &x->task)) run_abandon(&x->task);
}

/* ---- work on the pool ---- */

/* Both under the lock: a loop that saw the phase before the resumption would suspend a connection that is suspended
 * still, the resumption would then end that, and a client that leaves would free what the pool works on. Once it is
 * resumed, x is the loop's, which frees it without the lock when its client has left. */
void exchange_give_back(struct exchange *x, enum phase phase)
{
	pthread_mutex_t *lock = &x->server->resume_lock;

	pthread_mutex_lock(lock);
	x->phase = phase;
	exchange_resume(x);
	pthread_mutex_unlock(lock);
}

/* Suspends first: the pool may be done, and resume, before this returns. */
static enum MHD_Result hand_over(struct exchange *x, enum phase phase, void (*run)(struct pool_task *))
{
	bool vital = x->rq.match.route->flags & ROUTE_VITAL;
	struct err e;

	x->phase = phase;
	x->task.run = run;
	exchange_suspend(x);
	if (pool_add(vital ? x->server->computing : x->server->pool, &x->task)) return MHD_YES;
	exchange_problem(x, err_set(&e, ERR_BUSY, "too many requests are waiting"), &e);
	exchange_give_back(x, phase == PHASE_WORKING ? PHASE_READY : PHASE_REFUSED);
	return MHD_YES;
}

static void run_given(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);

	x->run(&x->rq);
}

bool http_compute(struct request *rq, void (*run)(struct request *rq))
{
	struct exchange *x = (struct exchange *)rq;

	x->run = run;
	x->task.run = run_given;
	return pool_add(x->server->computing, &x->task);
}

void http_state(const struct request *rq, struct http_state *out)
{
	struct http_server *server = ((const struct exchange *)rq)->server;

	*out = (struct http_state){
		.under_way = atomic_load_explicit(&server->under_way, memory_order_relaxed),
		.at_work = atomic_load_explicit(&server->at_work, memory_order_relaxed),
		.held_bytes = atomic_load_explicit(&server->held_bytes, memory_order_relaxed),
		.queued = pool_queued(server->pool),
	};
}

void http_again(struct request *rq)
{
	exchange_give_back((struct exchange *)rq, PHASE_AGAIN);
}

static enum MHD_Result wait_for_others(struct exchange *x)
{
	x->phase = PHASE_WORKING;
	exchange_suspend(x);
	x->rq.later(&x->rq);
	return MHD_YES;
}

static int run_handler(struct exchange *x, struct err *e)
{
	const struct route *route = x->rq.match.route;
	bool change;
	int rc = 0;

	if (x->rq.guard) {
		if (!x->rq.may_wait) return ERR_WOULD_BLOCK;
		rc = x->rq.guard(&x->rq, e);
	}
	change = !rc && x->rq.may_wait && (route->flags & ROUTE_CHANGE) && !x->rq.settled;
	if (change) {
		pthread_mutex_lock(&x->server->change_lock);
		rc = conditional_guard(x->server, &x->rq, e);
	}
	if (rc && x->streaming) /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what streams has a route that does */
		route->stream->abandon(&x->rq); /* before the answer: who has it may come again */
	x->streaming = false;
	if (!rc && x->rq.coding && !route->stream && !(rc = coding_unpack(&x->rq, e)))
		rc = pressure_hold(x, x->rq.body.size, e);
	if (rc == ERR_NOMEM && !buffer_ok(&x->rq.body)) rc = pressure_short(x, &x->rq.body, "the body", e);
	if (!rc && !x->held_until_ms) rc = request_in_time(&x->rq, e); /* who was held has an answer */
	if (!rc) rc = route->handler(&x->rq, &x->rp, e);
	if (rc == ERR_NOMEM && !buffer_ok(&x->rp.body)) rc = pressure_short(x, &x->rp.body, "the answer", e);
	if (change) pthread_mutex_unlock(&x->server->change_lock);
	if (!rc) coding_pack(&x->rq, &x->rp);
	return rc;
}

static void run_work(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);
	enum stream_held held;

	x->rq.may_wait = x->rq.may_hold = true;
	do {
		struct err e;
		int rc;

		if (x->held_until_ms) {
			sleep_begin(x);
			x->rp.body.size = 0;
			reply_reset(&x->rp);
		}
		if ((rc = run_handler(x, &e))) exchange_problem(x, rc, &e);
		if (x->server->config.answered) x->server->config.answered(&x->rq, &x->rp);
		held = stream_hold(x);
	} while (held == HELD_AGAIN);
	if (held == HELD_NOT) exchange_give_back(x, PHASE_READY);
}

static void run_begin(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);
	struct err e;
	int rc;

	x->rq.may_wait = true;
	rc = x->rq.guard ? x->rq.guard(&x->rq, &e) : 0;
	if (!rc) rc = x->rq.match.route->stream->begin(&x->rq, &x->rp, &e);
	if (rc) exchange_problem(x, rc, &e);
	x->streaming = !rc && !x->rp.status;
	if (!x->streaming && x->server->config.answered) x->server->config.answered(&x->rq, &x->rp);
	exchange_give_back(x, x->streaming ? PHASE_OPENED : PHASE_REFUSED);
}

/* What came meanwhile becomes the present piece. The lock is held. */
static void take_ahead(struct exchange *x)
{
	struct buffer done = x->rq.body;

	x->rq.body = x->ahead;
	x->ahead = done;
	x->ahead.size = 0;
}

/* The pool is done with a piece; true: there is another one. The lock is held. */
static bool go_on(struct exchange *x, int rc, const struct err *e)
{
	x->rq.body.size = 0;
	if (rc && x->phase == PHASE_STREAM && !x->gone) { /* else the loop has refused the rest itself */
		exchange_problem(x, rc, e);
		x->phase = PHASE_REFUSED;
	}
	if (x->held) exchange_resume(x);
	x->held = false;
	x->at_work = x->ahead.size && x->phase == PHASE_STREAM && !x->gone;
	if (x->at_work) take_ahead(x);
	return x->at_work;
}

static void run_pieces(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);
	const struct route_stream *stream = x->rq.match.route->stream;
	pthread_mutex_t *lock = &x->server->resume_lock;
	bool more, gone;
	struct err e;

	do {
		int rc = stream->data(&x->rq, x->rq.body.data, x->rq.body.size, &e);

		if (rc) {
			stream->abandon(&x->rq);
			x->streaming = false;
		}
		pthread_mutex_lock(lock);
		more = go_on(x, rc, &e);
		gone = x->gone; /* if not, x is the loop's as soon as the lock is free */
		pthread_mutex_unlock(lock);
	} while (more && !pool_add(x->server->pool, task)); /* others have their turn in between */
	if (more || !gone) return;
	if (x->streaming) stream->abandon(&x->rq);
	exchange_free(x);
}

/* ---- the phases ---- */

/* The reply is known before the body. A small body is swallowed, so that the connection can go on; with a large one,
 * one of unknown length, or one that waits for 100 (Continue), the reply goes out now and ends the connection. */
static enum MHD_Result settle(struct exchange *x)
{
	const struct request *rq = &x->rq;

	x->phase = PHASE_REFUSED;
	if (!x->rp.close && headers_length(rq) <= SWALLOW_BYTES && !rq->headers[HEADER_TRANSFER_ENCODING] &&
			!rq->headers[HEADER_EXPECT])
		return MHD_YES;
	x->rp.close = true;
	return exchange_reply(x);
}

static bool asks_options(const struct request *rq, int rc)
{
	return !strcmp(rq->method, "OPTIONS") &&
	       (rc == ERR_METHOD || (rc == ERR_NO_ROUTE && !strcmp(rq->url, "*")));
}

/* Nothing comes behind the headers of a request that asks for leave to send no body. libmicrohttpd would give leave, take what
 * the client sends next for a part of this, and take no answer any more. */
static bool ends_here(const struct request *rq)
{
	return rq->headers[HEADER_EXPECT] && !headers_length(rq) && !rq->headers[HEADER_TRANSFER_ENCODING];
}

static enum MHD_Result on_headers(struct exchange *x)
{
	const struct route *route;
	struct err e;
	int rc;

	if (!connection_body(x->link)) return MHD_NO;
	if (!gate_room(x)) {
		connection_refuse_headers(x->link);
		return MHD_NO;
	}
	rc = headers_check(x, &e);
	trace_begin(x->rq.headers[HEADER_TRACEPARENT], &x->trace);
	if (rc) {
		if (asks_options(&x->rq, rc))
			x->rp.status = 204;
		else
			exchange_problem(x, rc, &e);
		return settle(x);
	}
	route = x->rq.match.route;
	if (route->stream) {
		buffer_reset(&x->rq.body, AHEAD_BYTES); /* it may have had a large one */
		return hand_over(x, PHASE_OPENING, run_begin);
	}
	x->phase = PHASE_BODY;
	return MHD_YES;
}

/* In the middle of a body. A stream that was opened is abandoned at the end of the exchange, on the pool. */
static void refuse_rest(struct exchange *x, int code, const struct err *e)
{
	if (x->phase == PHASE_BODY) { /* or all that are on their way would be refused, each for the others' halves */
		buffer_free(&x->rq.body);
		pressure_give(x);
	}
	exchange_problem(x, code, e);
	x->rp.close = true;
	x->phase = PHASE_REFUSED;
}

/* A body without a length (chunked) meets its limit here. Too far beyond it the connection is cut. */
static bool within_limit(struct exchange *x, size_t n)
{
	size_t limit = x->rq.match.route ? x->rq.match.route->max_body : 0;
	struct err e;

	x->received += n;
	if (x->received <= limit) return true;
	if (x->phase == PHASE_BODY || x->phase == PHASE_STREAM)
		refuse_rest(x, err_set(&e, ERR_TOO_LARGE, "the body has more than %zu bytes", limit), &e);
	return false;
}

/* A piece of a streamed body goes to the pool, or waits for it. The lock is held. */
static void stream_data(struct exchange *x, const char *data, size_t size)
{
	struct err e;

	buffer_add(&x->ahead, data, size);
	if (!buffer_ok(&x->ahead)) {
		refuse_rest(x, err_nomem(&e), &e);
		return;
	}
	if (x->at_work) {
		if (x->ahead.size < AHEAD_BYTES || x->held) return;
		x->held = true;
		exchange_suspend(x);
		return;
	}
	take_ahead(x);
	x->task.run = run_pieces;
	x->at_work = pool_add(x->server->pool, &x->task);
	if (!x->at_work) refuse_rest(x, err_set(&e, ERR_BUSY, "too many requests are waiting"), &e);
}

/* The body of a stream goes on; the pool may refuse it at any time. */
static enum MHD_Result on_stream(struct exchange *x, const char *data, size_t *size)
{
	pthread_mutex_lock(&x->server->resume_lock);
	if (x->phase == PHASE_STREAM && within_limit(x, *size)) stream_data(x, data, *size);
	pthread_mutex_unlock(&x->server->resume_lock);
	*size = 0;
	return MHD_YES;
}

/* libmicrohttpd takes a read that does not fill its buffer for all that there was. Where the client left right behind its
 * last bytes, the one edge for both is used up then, and the end would be seen when the connection has idled for too long.
 * So who has not sent all of a body is looked at; to shut the side that is at its end tells the poller of it again. Over TLS
 * it reads on until there is no more. */
static void look_for_end(const struct exchange *x)
{
	const union MHD_ConnectionInfo *info;
	char byte;

	if (x->received == headers_length(&x->rq)) return;
	info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info && !recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT))
		shutdown(info->connect_fd, SHUT_RD);
}

/* Did this piece end where libmicrohttpd's buffer does? Then it reads on by itself. The buffer is the first half of the
 * connection's memory, which begins with the request's method; were it elsewhere, no piece would be taken for full. */
static bool fills_buffer(const struct exchange *x, const char *data, size_t size)
{
	return (uintptr_t)data + size == (uintptr_t)x->rq.method + x->server->config.connection_bytes / 2;
}

/* All of the body is there; false: the pool still works on it. */
static bool stream_done(struct exchange *x)
{
	bool done;

	pthread_mutex_lock(&x->server->resume_lock);
	done = !x->at_work;
	if (!done && !x->held) {
		x->held = true;
		exchange_suspend(x);
	}
	pthread_mutex_unlock(&x->server->resume_lock);
	return done;
}

static enum MHD_Result on_data(struct exchange *x, const char *data, size_t *size)
{
	struct err e;
	int rc;

	if (!connection_received(x->link, *size)) return MHD_NO;
	if (x->phase == PHASE_STREAM) return on_stream(x, data, size);
	if (!within_limit(x, *size)) {
		size_t limit = x->rq.match.route ? x->rq.match.route->max_body : 0;

		if (x->received > limit + (uint64_t)64 * SWALLOW_BYTES && x->rp.close) return MHD_NO;
		*size = 0;
		return MHD_YES;
	}
	/* A copy: libmicrohttpd moves its buffer as soon as this returns, suspended or not. */
	if (x->phase == PHASE_BODY) {
		if (!(rc = pressure_hold(x, *size, &e))) buffer_add(&x->rq.body, data, *size);
		if (!rc && !buffer_ok(&x->rq.body)) rc = pressure_short(x, &x->rq.body, "the body", &e);
		if (rc) refuse_rest(x, rc, &e);
	}
	*size = 0;
	return MHD_YES;
}

/* The largest body that the loop's own thread looks at. */
static size_t inline_bytes(const struct request *rq)
{
	if (rq->coding) return 0;
	return rq->body.size > INLINE_PACK_BYTES && coding_wanted(rq) ? INLINE_PACK_BYTES : INLINE_BODY_BYTES;
}

static enum MHD_Result on_complete(struct exchange *x)
{
	struct err e;
	int rc;

	if (x->phase == PHASE_STREAM && !stream_done(x)) return MHD_YES;
	if (!connection_works(x->link)) return MHD_NO;
	if (x->phase == PHASE_STREAM) return hand_over(x, PHASE_WORKING, run_work);
	if (x->phase != PHASE_BODY && x->phase != PHASE_AGAIN) return exchange_reply(x);
	if (!(x->rq.match.route->flags & ROUTE_INLINE) || x->rq.body.size > inline_bytes(&x->rq))
		return hand_over(x, PHASE_WORKING, run_work);
	rc = run_handler(x, &e);
	if (rc == ERR_WOULD_BLOCK) return hand_over(x, PHASE_WORKING, run_work);
	if (rc == ERR_LATER) return wait_for_others(x);
	if (rc) exchange_problem(x, rc, &e);
	return exchange_reply(x);
}

/* libmicrohttpd goes on calling while it has chunks in its buffer, although the connection is suspended. */
static bool on_pool(const struct exchange *x)
{
	enum phase phase = x->phase;

	if (phase == PHASE_BODY) return false; /* never was on the pool */
	pthread_mutex_lock(&x->server->resume_lock);
	phase = x->phase;
	pthread_mutex_unlock(&x->server->resume_lock);
	return phase == PHASE_OPENING || phase == PHASE_WORKING;
}

enum MHD_Result exchange_handle(void *server, struct MHD_Connection *connection, const char *url,
		const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct exchange *x = *state;
	enum MHD_Result taken;
	bool full;

	(void)server;
	(void)connection;
	(void)url;
	if (!x) return MHD_NO; /* no memory for it */
	if (x->phase == PHASE_NEW) {
		x->rq.method = method;
		x->version = version;
		taken = on_headers(x);
		return x->phase == PHASE_BODY && ends_here(&x->rq) ? on_complete(x) : taken;
	}
	if (on_pool(x)) return MHD_YES; /* nothing is taken: it is shown again after the resumption */
	if (x->phase == PHASE_OPENED) {
		x->phase = PHASE_STREAM;
		if (!*size && !ends_here(&x->rq)) return MHD_YES;
	}
	if (!*size) return on_complete(x);
	full = fills_buffer(x, data, *size);
	taken = on_data(x, data, size);
	if (!full && !x->rq.secure) look_for_end(x);
	return taken;
}
