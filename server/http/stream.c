/* stream.c - replies that take their time: those that come in pieces, and those that are held back until there is news
 * (request.h says what a handler gives). Both wait with their connection suspended, see sleep.h.
 *
 * A suspended connection does not see its client leave, and never times out. A stream finds out by its beats: what is sent
 * to a client that has gone ends the connection. A held reply waits for a minute at most.
 */
#include <string.h>

#include "server/http/exchange.h"
#include "server/http/pressure.h"
#include "server/http/sleep.h"

#define PIECE_BYTES 4096 /* that a reply to HTTP/1.0, which knows no chunks, is sent in */
#define RETRY_MS    100  /* the pool's queue was full */

static bool is_draining(const struct exchange *x)
{
	return atomic_load_explicit(&x->server->draining, memory_order_relaxed);
}

/* ---- in pieces ---- */

static size_t put_beat(struct exchange *x, uint64_t now_ms, char *to, size_t size)
{
	size_t n = strlen(x->rp.source.beat);

	if (n > size) return 0;
	memcpy(to, x->rp.source.beat, n);
	x->beat_ms = now_ms + HTTP_BEAT_SECONDS * 1000;
	return n;
}

/* On the loop's thread. Nothing yet: the connection is suspended before 0 is returned, or a core would spin. */
static ssize_t read_source(void *self, uint64_t position, char *to, size_t size)
{
	struct exchange *x = self;
	const struct reply_source *source = &x->rp.source;

	(void)position;
	while (!is_draining(x)) {
		uint64_t now_ms;
		ssize_t n;

		sleep_begin(x);
		n = source->next(source->self, to, size);
		if (n < 0) break;
		now_ms = sleep_now_ms();
		if (!n && now_ms >= x->beat_ms) n = (ssize_t)put_beat(x, now_ms, to, size);
		if (n) {
			x->sent_bytes += (uint64_t)n;
			return n;
		}
		if (sleep_stream(x, x->beat_ms)) return 0;
	}
	return MHD_CONTENT_READER_END_OF_STREAM;
}

static void run_fill(struct pool_task *task)
{
	struct exchange *x = exchange_of(task);

	x->rp.source.fill(x->rp.source.self);
	exchange_give_back(x, PHASE_READY);
}

/* The pool makes more while the connection is suspended. Under the lock: else it could be done before that. */
static bool hand_to_pool(struct exchange *x)
{
	bool added;

	x->task.run = run_fill;
	pthread_mutex_lock(&x->server->resume_lock);
	added = pool_add(x->server->pool, &x->task);
	if (added) exchange_suspend(x);
	pthread_mutex_unlock(&x->server->resume_lock);
	return added;
}

/* On the loop's thread. A reply that cannot be ended well is cut, so that nobody takes it for the whole. */
static ssize_t read_filled(void *self, uint64_t position, char *to, size_t size)
{
	struct exchange *x = self;
	ssize_t n = x->rp.source.next(x->rp.source.self, to, size);

	(void)position;
	if (n == REPLY_END) return MHD_CONTENT_READER_END_OF_STREAM;
	if (n > 0) {
		x->sent_bytes += (uint64_t)n;
		atomic_store_explicit(&x->link->written, x->sent_bytes, memory_order_relaxed);
		return n;
	}
	sleep_begin(x);
	if (!n && (hand_to_pool(x) || sleep_stream(x, sleep_now_ms() + RETRY_MS))) return 0;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

struct MHD_Response *stream_response(struct exchange *x)
{
	MHD_ContentReaderCallback read = x->rp.source.fill ? read_filled : read_source;

	x->sent_bytes = 0;
	x->beat_ms = sleep_now_ms() + HTTP_BEAT_SECONDS * 1000;
	return MHD_create_response_from_callback(
			x->rp.source.size ? x->rp.source.size : MHD_SIZE_UNKNOWN, PIECE_BYTES, read, x, NULL);
}

/* ---- held back ---- */

/* No longer than its client waits. */
static uint64_t hold_until(const struct exchange *x, uint64_t now_ms)
{
	uint64_t until = now_ms + (uint64_t)x->rp.hold_seconds * 1000, deadline = x->rq.deadline_ns / 1000000;

	return deadline && deadline < until ? deadline : until;
}

enum stream_held stream_hold(struct exchange *x)
{
	uint64_t now_ms = sleep_now_ms();

	if (!x->rp.hold_seconds || is_draining(x) || !conditional_same(&x->rq, &x->rp)) return HELD_NOT;
	if (!x->held_until_ms) x->held_until_ms = hold_until(x, now_ms);
	if (now_ms >= x->held_until_ms) return HELD_NOT;
	pressure_leave(x); /* while it waits, and from then on: who wakes it does not refuse it */
	if (sleep_held(x, x->held_until_ms)) return HELD;
	return is_draining(x) ? HELD_NOT : HELD_AGAIN;
}
