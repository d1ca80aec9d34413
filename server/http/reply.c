/* reply.c - an exchange's reply goes to libmicrohttpd. See exchange.h. */
#include <string.h>

#include "server/http/exchange.h"
#include "server/http/pressure.h"

#define LOCAL_PIECE_BYTES (64u << 10)

/* On the loop's thread: a piece of a body that is there. What came before has been taken by the kernel. */
static ssize_t read_body(void *self, uint64_t position, char *to, size_t size)
{
	struct exchange *x = self;
	size_t left = x->rp.body.size - (size_t)position, n = size < left ? size : left;

	memcpy(to, x->rp.body.data + position, n);
	atomic_store_explicit(&x->link->written, position + n, memory_order_relaxed);
	return (ssize_t)n;
}

/* Of a body that is there, it stays in the exchange, which outlives the sending. Where the system does not say how far the
 * reader is (connection.c), a large one goes in pieces, which do. */
static struct MHD_Response *new_response(struct exchange *x)
{
	if (x->rp.source.next) return stream_response(x);
	if (x->link->local && x->rp.body.size > LOCAL_PIECE_BYTES)
		return MHD_create_response_from_callback(
				x->rp.body.size, LOCAL_PIECE_BYTES, read_body, x, NULL);
	return MHD_create_response_from_buffer(x->rp.body.size, x->rp.body.data, MHD_RESPMEM_PERSISTENT);
}

/* An event stream: its client has nothing to do but to stay. */
static bool waits_for_news(const struct reply *rp)
{
	return rp->source.next && !rp->source.fill;
}

static bool add_headers(struct exchange *x, struct MHD_Response *response)
{
	const struct reply *rp = &x->rp;
	enum MHD_Result added = MHD_YES;
	char trace[TRACE_TEXT_BYTES];

	if (rp->status != 204 && rp->status != 304)
		added &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				rp->content_type ? rp->content_type : "application/json");
	for (size_t i = 0; i < rp->headers_count; i++)
		added &= MHD_add_response_header(response, rp->headers[i].name, rp->headers[i].value);
	cors_headers(x, response);
	if (!guard_headers(&x->rq, response)) return false;
	if (*x->trace.span_id) {
		trace_text(&x->trace, trace);
		added &= MHD_add_response_header(response, "traceresponse", trace);
	}
	if (rp->close || atomic_load_explicit(&x->server->draining, memory_order_relaxed))
		added &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return added == MHD_YES;
}

enum MHD_Result exchange_reply(struct exchange *x)
{
	struct reply *rp = &x->rp;
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (!rp->status) rp->status = 200;
	if (!buffer_ok(&rp->body)) {
		struct err e;

		exchange_problem(x, pressure_short(x, &rp->body, "the answer", &e), &e);
	}
	conditional_finish(&x->rq, rp);
	pressure_leave(x);
	pressure_keep(x, rp->body.size);
	x->sent_bytes = strcmp(x->rq.method, "HEAD") && rp->status != 304 ? rp->body.size : 0;
	if (!connection_answers(x->link) || (waits_for_news(rp) && !connection_works(x->link))) return MHD_NO;
	response = new_response(x);
	if (!response) return MHD_NO;
	if (!add_headers(x, response)) { /* no answer rather than a part of one */
		MHD_destroy_response(response);
		return MHD_NO;
	}
	x->sent_status = rp->status;
	queued = MHD_queue_response(x->connection, rp->status, response);
	MHD_destroy_response(response);
	return queued;
}
