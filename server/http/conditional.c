/* conditional.c - entity tags (RFC 9110, section 13): every GET of a resource carries a strong ETag, If-None-Match
 * spares the body, If-Match guards a change.
 *
 * The tag is a hash of the document, so that a handler need not know of it. A guarded change asks the GET row of
 * the same path for the present document, under the lock that all changes of documents take.
 */
#include <stdio.h>
#include <string.h>

#include "server/http/exchange.h"

#define ETAG_BYTES 24

/* FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv), two lanes mixed for the length. */
static void make_etag(const struct reply *rp, char out[ETAG_BYTES])
{
	uint64_t hash = 0xcbf29ce484222325u;
	const char *type = rp->content_type ? rp->content_type : "";

	for (; *type; type++)
		hash = (hash ^ (unsigned char)*type) * 0x100000001b3u;
	for (size_t i = 0; i < rp->body.size; i++)
		hash = (hash ^ (unsigned char)rp->body.data[i]) * 0x100000001b3u;
	snprintf(out, ETAG_BYTES, "\"%016llx\"", (unsigned long long)hash);
}

/* Is the tag in a list such as `"a", W/"b"`, or is the list `*`? A weak tag is none that If-Match could trust
 * (section 13.1.1), ours being strong. */
static bool list_has(const char *list, const char *etag, bool weak_counts)
{
	size_t n = strlen(etag);

	while (*list) {
		list += strspn(list, " \t,");
		if (*list == '*') return true;
		if (weak_counts && !strncmp(list, "W/", 2)) list += 2;
		if (!strncmp(list, etag, n)) return true;
		list += strcspn(list, ",");
	}
	return false;
}

static bool is_document(const struct request *rq, const struct reply *rp)
{
	return (!rp->status || rp->status == 200) && !rp->source.next &&
	       (!strcmp(rq->method, "GET") || !strcmp(rq->method, "HEAD"));
}

static bool is_known(const struct request *rq, const char *etag)
{
	const char *none_match = rq->headers[HEADER_IF_NONE_MATCH];

	return none_match && list_has(none_match, etag, true);
}

void conditional_finish(const struct request *rq, struct reply *rp)
{
	char etag[ETAG_BYTES];

	if (!is_document(rq, rp)) return;
	make_etag(rp, etag);
	reply_header(rp, "ETag", "%s", etag);
	if (is_known(rq, etag))
		rp->status = 304; /* the body stays for its length, which is that of the 200; it is not sent */
}

bool conditional_same(const struct request *rq, const struct reply *rp)
{
	char etag[ETAG_BYTES];

	if (!is_document(rq, rp)) return false;
	make_etag(rp, etag);
	return is_known(rq, etag);
}

static const struct route *get_row(
		const struct http_server *server, const struct request *rq, struct route_match *match)
{
	char allow[128];

	if (route_find(server->config.routes, "GET", rq->url, rq->path_length, match, allow, sizeof allow,
			    NULL))
		return NULL;
	return match->route;
}

/* The tag of what the path shows now; "" when there is nothing. A GET that fails otherwise fails the change. */
static int present_etag(struct http_server *server, struct request *rq, char etag[ETAG_BYTES], struct err *e)
{
	struct request get = { .app = rq->app,
		.method = "GET",
		.url = rq->url,
		.path_length = rq->path_length,
		.may_wait = true,
		.connection = rq->connection };
	struct reply now = { 0 };
	int rc = 0;

	etag[0] = 0;
	if (get_row(server, rq, &get.match)) rc = get.match.route->handler(&get, &now, e);
	if (!rc && !buffer_ok(&now.body)) rc = err_nomem(e); /* else it would look as if nothing were there */
	if (!rc && now.body.size) make_etag(&now, etag);
	buffer_free(&now.body);
	if (get.notes) get.notes_free(get.notes);
	return rc == ERR_NOT_FOUND || rc == ERR_NO_VERSION ? 0 : rc;
}

/* Do the preconditions hold of a resource with that tag, "" for none? */
static int check(const struct request *rq, const char *etag, struct err *e)
{
	const char *match = rq->headers[HEADER_IF_MATCH], *none_match = rq->headers[HEADER_IF_NONE_MATCH];

	if (match && !etag[0])
		return err_set(e, ERR_PRECONDITION, "the resource that If-Match guards is not there");
	if ((match && !list_has(match, etag, false)) ||
			(none_match && etag[0] && list_has(none_match, etag, true)))
		return err_set(e, ERR_PRECONDITION, "the resource has changed: its ETag is %s now", etag);
	return 0;
}

static bool has_preconditions(const struct request *rq)
{
	return rq->headers[HEADER_IF_MATCH] || rq->headers[HEADER_IF_NONE_MATCH];
}

int conditional_guard(struct http_server *server, struct request *rq, struct err *e)
{
	char etag[ETAG_BYTES];
	int rc;

	if (!has_preconditions(rq)) return 0;
	return (rc = present_etag(server, rq, etag, e)) ? rc : check(rq, etag, e);
}

int request_guard(const struct request *rq, const struct reply *now, struct err *e)
{
	char etag[ETAG_BYTES];

	make_etag(now, etag);
	return check(rq, etag, e);
}
