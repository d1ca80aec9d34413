/* cors.c - what a browser is told with every answer: what it may be used for, and whether a page of another origin may call
 * here and read it (the Fetch standard, section 3.2). Whether it may is the gate's to say (request.reader). See exchange.h.
 */
#include <stdio.h>
#include <string.h>

#include "server/http/exchange.h"

/* Headers that pages may send, and see, besides those that they always may. */
#define SENT                                                                                        \
	"Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, " \
	"Inference-Header-Content-Length, Last-Event-ID, Prefer, Request-Timeout, Routing-Key, "    \
	"traceparent, tracestate"
#define SEEN                                                                                                        \
	"Content-Encoding, ETag, Inference-Header-Content-Length, Link, Location, Model-Nonfinite, Model-Version, " \
	"Model-Warnings, Preference-Applied, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, "  \
	"traceresponse"
#define KEPT_SECONDS "600" /* how long a browser asks no more */

bool cors_asks(const struct request *rq)
{
	return !strcmp(rq->method, "OPTIONS") && rq->headers[HEADER_CORS_METHOD];
}

void cors_headers(const struct exchange *x, struct MHD_Response *response)
{
	const struct request *rq = &x->rq;

	if (!rq->reader) return;
	MHD_add_response_header(response, "Access-Control-Allow-Origin", rq->reader);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
	if (!cors_asks(rq)) {
		MHD_add_response_header(response, "Access-Control-Expose-Headers", SEEN);
		return;
	}
	for (size_t i = 0; i < x->rp.headers_count; i++)
		if (!strcmp(x->rp.headers[i].name, MHD_HTTP_HEADER_ALLOW))
			MHD_add_response_header(
					response, "Access-Control-Allow-Methods", x->rp.headers[i].value);
	MHD_add_response_header(response, "Access-Control-Allow-Headers", SENT);
	MHD_add_response_header(response, "Access-Control-Max-Age", KEPT_SECONDS);
	if (rq->headers[HEADER_CORS_PRIVATE])
		MHD_add_response_header(response, "Access-Control-Allow-Private-Network", "true");
}

/* An answer is what its type says, runs nothing, and is in no frame. And how many requests a
 * token has left. */
bool guard_headers(const struct request *rq, struct MHD_Response *response)
{
	const struct {
		const char *name;
		unsigned value;
	} rates[] = { { "RateLimit-Limit", rq->rate.limit }, { "RateLimit-Remaining", rq->rate.remaining },
		{ "RateLimit-Reset", rq->rate.reset_seconds } };
	enum MHD_Result added = MHD_add_response_header(
			response, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
	char text[16];

	added &= MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	for (size_t i = 0; rq->rate.limit && i < sizeof rates / sizeof *rates; i++) {
		snprintf(text, sizeof text, "%u", rates[i].value);
		added &= MHD_add_response_header(response, rates[i].name, text);
	}
	return added == MHD_YES;
}
