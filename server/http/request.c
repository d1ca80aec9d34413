/* request.c - what handlers ask of a request. See request.h. */
#include "server/http/request.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
	rq->query_count = 0;
	rq->query_memory = NULL;
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

const char *request_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

bool request_accepts(const struct request *rq, const char *media_type)
{
	const char *accept = request_header(rq, MHD_HTTP_HEADER_ACCEPT);
	const struct route *route = rq->match.route;
	const char *best;
	size_t n;

	if (!accept || !route->produces) return false;
	best = media_choose(accept, route->produces, &n);
	return best && n == strlen(media_type) && !memcmp(best, media_type, n);
}

bool request_is(const struct request *rq, const char *media_type)
{
	return media_is(request_header(rq, MHD_HTTP_HEADER_CONTENT_TYPE), media_type);
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
