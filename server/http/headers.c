/* headers.c - what is decided by the headers of a request alone, before its body.
 *
 * Order of refusal: gate 400, host 421, origin 403, token 401/403, route 404/405, media 415/406, size 413; the
 * handlers go on from there.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/http/coding.h"
#include "server/http/exchange.h"
#include "server/http/media.h"
#include "server/http/pressure.h"

#define TIMEOUT_SECONDS_MAX 1e8          /* more is no limit */
#define STREAM_BYTES        (512u << 10) /* that the body of a stream holds at a time, at most */

uint64_t headers_length(const struct request *rq)
{
	const char *text = rq->headers[HEADER_CONTENT_LENGTH];

	return text ? strtoull(text, NULL, 10) : 0;
}

static bool has_body(const struct request *rq)
{
	return headers_length(rq) || rq->headers[HEADER_TRANSFER_ENCODING];
}

static int check_media(struct request *rq, const struct route *route, struct err *e)
{
	const char *type = rq->headers[HEADER_CONTENT_TYPE];
	const char *coding = rq->headers[HEADER_CONTENT_ENCODING];
	const char *consumes = route->consumes ? route->consumes : "application/json";
	const char *produces = route->produces ? route->produces : "application/json";
	const char *accept = rq->headers[HEADER_ACCEPT];
	enum coding said;
	bool known = coding_read(coding, &said) && (!said || route->flags & ROUTE_CODED);
	size_t n;

	if (known) rq->coding = said;
	if (route->max_body && has_body(rq)) {
		if (!known)
			return err_set(e, ERR_UNSUPPORTED,
					"Content-Encoding %.64s is not read here; send the bytes as they are%s",
					coding,
					route->flags & ROUTE_CODED ? " or packed with gzip or deflate" : "");
		if (type && !(route->flags & ROUTE_ANY_TYPE) && !media_in(type, consumes))
			return err_set(e, ERR_UNSUPPORTED,
					"%.128s is not read here; say what the body is with: curl -H 'Content-Type: %.*s'",
					type, (int)strcspn(consumes, " "), consumes);
	}
	if (accept && *produces && !media_choose(accept, produces, &n) &&
			media_quality(accept, "application/problem+json") <= 0)
		return err_set(e, ERR_NOT_ACCEPTABLE, "Accept asks for %.128s; this answers %s", accept,
				produces);
	return 0;
}

static int check_size(const struct request *rq, const struct route *route, struct err *e)
{
	if (headers_length(rq) <= route->max_body) return 0;
	if (!route->max_body) return err_set(e, ERR_TOO_LARGE, "%s takes no body here", rq->method);
	return err_set(e, ERR_TOO_LARGE, "the body has %llu bytes; at most %zu are read here",
			(unsigned long long)headers_length(rq), route->max_body);
}

static bool query_known(const char *list, const char *name)
{
	size_t n = strlen(name);

	while (list && *list) {
		size_t item = strcspn(list, " ");

		if (item == n && !memcmp(list, name, n)) return true;
		list += item + strspn(list + item, " ");
	}
	return false;
}

/* Splits and decodes the query; a name that the route does not have is a fault (an unknown field). */
static int read_query(struct exchange *x, const struct route *route, struct err *e)
{
	struct request *rq = &x->rq;
	const char *at = rq->url + rq->path_length;
	char *to;
	int rc;

	if (*at != '?' || !at[1]) return 0;
	if (!(to = rq->query_memory = malloc(strlen(at) + 2 * REQUEST_QUERY_MAX))) return err_nomem(e);
	for (at++; *at; at += *at == '&') {
		size_t n = strcspn(at, "&"), name_n = strcspn(at, "=&");
		struct query_arg *arg = &rq->query[rq->query_count];

		if (!n) continue;
		if (rq->query_count == REQUEST_QUERY_MAX)
			return err_set(e, ERR_INVALID, "the query has more than %d parameters",
					REQUEST_QUERY_MAX);
		arg->name = to;
		if ((rc = route_decode(at, name_n, true, to, name_n + 1, e))) return rc;
		arg->value = to += strlen(to) + 1;
		if (name_n < n)
			rc = route_decode(at + name_n + 1, n - name_n - 1, true, to, n - name_n, e);
		else
			*to = 0;
		if (rc) return rc;
		to += strlen(to) + 1;
		at += n;
		if (!query_known(route->query, arg->name)) {
			rq->query_unknown = arg->name;
			return err_set(e, ERR_UNKNOWN_FIELD,
					"there is no query parameter \"%.64s\" here%s%.128s", arg->name,
					route->query ? "; there are: " : "; there are none",
					route->query ? route->query : "");
		}
		if (request_query(rq, arg->name))
			return err_set(e, ERR_DUPLICATE_KEY, "the query parameter \"%.64s\" is given twice",
					arg->name);
		rq->query_count++;
	}
	return 0;
}

/* Seconds, as in "30" or "0.5", from the request's first byte on. */
static int read_timeout(struct exchange *x, struct err *e)
{
	const char *text = x->rq.headers[HEADER_REQUEST_TIMEOUT];
	size_t n = text ? strspn(text, "0123456789.") : 0;
	double seconds = text ? strtod(text, NULL) : 0;

	if (!text) return 0;
	if (!n || text[n] || strchr(text, '.') != strrchr(text, '.') || !(seconds > 0))
		return err_set(e, ERR_BAD_REQUEST,
				"Request-Timeout must be seconds above 0, as in 30 or 0.5");
	if (seconds > TIMEOUT_SECONDS_MAX) return 0;
	x->rq.deadline_ns = (uint64_t)x->started.tv_sec * 1000000000 + (uint64_t)x->started.tv_nsec +
			    (uint64_t)(seconds * 1e9);
	return 0;
}

int headers_check(struct exchange *x, struct err *e)
{
	struct request *rq = &x->rq;
	const struct route *route;
	char allow[128];
	struct err no_route;
	int rc, routed;

	x->rp.close = x->link->reserve;
	if ((rc = gate_check(x, e))) {
		x->rp.close = true;
		return rc;
	}
	/* libmicrohttpd ends a chunk's line at a lone LF too, within an extension as well, which a proxy in front may read on over: what
	 * that takes for a chunk would be our next request. So there is none behind chunks. */
	if (rq->headers[HEADER_TRANSFER_ENCODING]) x->rp.close = true;
	routed = route_find(x->server->config.routes, rq->method, rq->url, rq->path_length, &rq->match, allow,
			sizeof allow, &no_route);
	route = rq->match.route;
	if ((rc = x->server->config.admit(rq, route, e))) return rc;
	if (routed) {
		if (allow[0]) reply_header(&x->rp, "Allow", "%s", allow);
		*e = no_route;
		return routed;
	}
	if ((rc = check_media(rq, route, e)) || (rc = check_size(rq, route, e)) ||
			(rc = read_query(x, route, e)) || (rc = read_timeout(x, e)))
		return rc;
	if (atomic_load_explicit(&x->server->draining, memory_order_relaxed)) {
		x->rp.close = true;
		return err_set(e, ERR_BUSY, "the daemon is stopping");
	}
	if (x->link->reserve && !(route->flags & ROUTE_VITAL))
		return err_set(e, ERR_BUSY,
				"there are too many connections, of all clients or of this one; on this one only health and metrics are answered");
	if ((rc = pressure_enter(x, e))) return rc;
	return route->stream ? pressure_hold(x, STREAM_BYTES, e) : pressure_room(x, headers_length(rq), e);
}
