/* stream.c - replies that take their time: those that come in pieces, and those that are held back until there is news
 * (request.h says what a handler gives). Both wait with their connection suspended, see sleep.h.
 *
 * A suspended connection does not see its client leave, and never times out. A stream finds out by its beats: what is sent
 * to a client that has gone ends the connection. A held reply waits for a minute at most.
 */
#include <string.h>

#include "server/http/exchange.h"
#include "server/http/sleep.h"

#define PIECE_BYTES 4096 /* that a reply to HTTP/1.0, which knows no chunks, is sent in */

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

struct MHD_Response *stream_response(struct exchange *x)
{
	x->sent_bytes = 0;
	x->beat_ms = sleep_now_ms() + HTTP_BEAT_SECONDS * 1000;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_source, x, NULL);
}

/* ---- held back ---- */

enum stream_held stream_hold(struct exchange *x)
{
	uint64_t now_ms = sleep_now_ms();

	if (!x->rp.hold_seconds || is_draining(x) || !conditional_same(&x->rq, &x->rp)) return HELD_NOT;
	if (!x->held_until_ms) x->held_until_ms = now_ms + (uint64_t)x->rp.hold_seconds * 1000;
	if (now_ms >= x->held_until_ms) return HELD_NOT;
	if (sleep_held(x, x->held_until_ms)) return HELD;
	return is_draining(x) ? HELD_NOT : HELD_AGAIN;
}
