/* request.c - what handlers ask of a request. See request.h. */
#include "server/http/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "server/http/media.h"

void request_reset(struct request *rq)
{
	rq->method = NULL;
	rq->url = NULL;
	rq->path_length = 0;
	rq->match.route = NULL;
	rq->match.count = 0;
	rq->coding = CODING_NONE;
	rq->may_hold = rq->may_wait = rq->settled = false;
	rq->state = rq->notes = NULL;
	rq->state_free = NULL;
	rq->later = NULL;
	rq->after = NULL;
	rq->query_count = 0;
	rq->query_unknown = NULL;
	rq->query_memory = NULL;
	rq->deadline_ns = 0;
	memset(rq->headers, 0, sizeof rq->headers);
	rq->token = 0;
	rq->roles = 0;
	rq->limited = rq->local = rq->secure = false;
	rq->guard = NULL;
	rq->rate = (struct request_rate){ 0 };
	rq->wait_seconds = 0;
	rq->reader = NULL;
	rq->connection = NULL;
}

void reply_reset(struct reply *rp)
{
	rp->status = 0;
	rp->content_type = NULL;
	rp->headers_count = 0;
	rp->close = false;
	rp->source = (struct reply_source){ 0 };
	rp->hold_seconds = 0;
}

const char *request_param(const struct request *rq, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < rq->match.count; i++)
		if (rq->match.name_lengths[i] == n && !memcmp(rq->match.names[i], name, n))
			return rq->match.values[i];
	return NULL;
}

const char *request_query(const struct request *rq, const char *name)
{
	for (size_t i = 0; i < rq->query_count; i++)
		if (!strcmp(rq->query[i].name, name)) return rq->query[i].value;
	return NULL;
}

enum header request_header(struct request *rq, const char *name, size_t n, const char *value)
{
#define NAMED(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}
	static const struct {
		const char *name;
		size_t length;
	} names[HEADERS] = {
		[HEADER_ACCEPT] = NAMED("Accept"),
		[HEADER_ACCEPT_ENCODING] = NAMED("Accept-Encoding"),
		[HEADER_AUTHORIZATION] = NAMED("Authorization"),
		[HEADER_CONTENT_ENCODING] = NAMED("Content-Encoding"),
		[HEADER_CONTENT_LENGTH] = NAMED("Content-Length"),
		[HEADER_CONTENT_TYPE] = NAMED("Content-Type"),
		[HEADER_COOKIE] = NAMED("Cookie"),
		[HEADER_CORS_METHOD] = NAMED("Access-Control-Request-Method"),
		[HEADER_CORS_PRIVATE] = NAMED("Access-Control-Request-Private-Network"),
		[HEADER_EXPECT] = NAMED("Expect"),
		[HEADER_HOST] = NAMED("Host"),
		[HEADER_IDEMPOTENCY_KEY] = NAMED("Idempotency-Key"),
		[HEADER_IF_MATCH] = NAMED("If-Match"),
		[HEADER_IF_NONE_MATCH] = NAMED("If-None-Match"),
		[HEADER_INFERENCE_LENGTH] = NAMED("Inference-Header-Content-Length"),
		[HEADER_LAST_EVENT_ID] = NAMED("Last-Event-ID"),
		[HEADER_ORIGIN] = NAMED("Origin"),
		[HEADER_PREFER] = NAMED("Prefer"),
		[HEADER_REQUEST_TIMEOUT] = NAMED("Request-Timeout"),
		[HEADER_ROUTING_KEY] = NAMED("Routing-Key"),
		[HEADER_TRACEPARENT] = NAMED("traceparent"),
		[HEADER_TRANSFER_ENCODING] = NAMED("Transfer-Encoding"),
	};
#undef NAMED

	for (size_t i = 0; i < HEADERS; i++)
		if (names[i].length == n && !strncasecmp(names[i].name, name, n)) {
			if (!rq->headers[i]) rq->headers[i] = value;
			return (enum header)i;
		}
	return HEADERS;
}

bool request_accepts(const struct request *rq, const char *media_type)
{
	const char *accept = rq->headers[HEADER_ACCEPT];
	const struct route *route = rq->match.route;
	const char *best;
	size_t n;

	if (!accept || !route->produces) return false;
	best = media_choose(accept, route->produces, &n);
	return best && n == strlen(media_type) && !memcmp(best, media_type, n);
}

int request_in_time(const struct request *rq, struct err *e)
{
	struct timespec now;

	if (!rq->deadline_ns) return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec < rq->deadline_ns) return 0;
	return err_set(e, ERR_DEADLINE,
			"the time that the header Request-Timeout gives was over before the answer");
}

bool request_is(const struct request *rq, const char *media_type)
{
	return media_is(rq->headers[HEADER_CONTENT_TYPE], media_type);
}

void reply_header(struct reply *rp, const char *name, const char *format, ...)
{
	struct reply_header *header;
	va_list args;

	if (rp->headers_count == REPLY_HEADERS_MAX) return;
	header = &rp->headers[rp->headers_count++];
	header->name = name;
	va_start(args, format);
	vsnprintf(header->value, sizeof header->value, format, args);
	va_end(args);
}
