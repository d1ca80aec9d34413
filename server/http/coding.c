/* coding.c - gzip and deflate, of whole bodies. See coding.h. */
#include "server/http/coding.h"

#include <limits.h>
#include <microhttpd.h>
#include <strings.h>
#include <zlib.h>

#include "server/http/media.h"

#define LEVEL        1 /* numbers pack hardly better with more, and take several times as long */
#define MEMORY_LEVEL 8 /* zlib's default */

bool coding_read(const char *said, enum coding *out)
{
	static const struct {
		const char *name;
		enum coding coding;
	} others[] = { { "identity", CODING_NONE },
		{ "x-gzip", CODING_GZIP } }; /* RFC 9110, section 8.4.1.3 */

	*out = CODING_NONE;
	if (!said) return true;
	for (enum coding coding = CODING_GZIP; coding < CODINGS; coding++) {
		*out = coding;
		if (!strcasecmp(said, coding_forms[coding].name)) return true;
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		*out = others[i].coding;
		if (!strcasecmp(said, others[i].name)) return true;
	}
	*out = CODING_NONE;
	return false;
}

enum coding coding_wanted(const struct request *rq)
{
	const struct route *route = rq->match.route;
	const char *accept;
	enum coding best = CODING_NONE;
	double most = 0;

	if (!route || !(route->flags & ROUTE_CODED) || route->stream) return CODING_NONE;
	accept = rq->headers[HEADER_ACCEPT_ENCODING];
	if (!accept || !*accept) return CODING_NONE;
	for (enum coding coding = CODING_GZIP; coding < CODINGS; coding++) {
		double quality = media_quality(accept, coding_forms[coding].name);

		if (quality > most) {
			most = quality;
			best = coding;
		}
	}
	return best;
}

static int take(void *user, const char *bytes, size_t n, struct err *e)
{
	struct buffer *plain = user;

	buffer_add(plain, bytes, n);
	return buffer_ok(plain) ? 0 : err_nomem(e);
}

int coding_unpack(struct request *rq, struct err *e)
{
	struct buffer plain = { .memory = rq->body.memory };
	struct unpack *unpack;
	int rc = unpack_new(&unpack, rq->coding, rq->match.route->max_body, take, &plain, e);

	if (!rc) rc = unpack_feed(unpack, rq->body.data, rq->body.size, e);
	if (!rc) rc = unpack_end(unpack, e);
	unpack_free(unpack);
	buffer_free(&rq->body);
	rq->body = plain;
	rq->coding = CODING_NONE;
	return rc;
}

void coding_pack(const struct request *rq, struct reply *rp)
{
	enum coding coding = rp->body.size < CODING_BYTES_MIN ? CODING_NONE : coding_wanted(rq);
	struct buffer packed = { .memory = rp->body.memory };
	z_stream z = { 0 };
	size_t n = rp->body.size;

	if (!coding || rp->source.next || !buffer_ok(&rp->body) || n > UINT_MAX) return;
	if (deflateInit2(&z, LEVEL, Z_DEFLATED, coding_forms[coding].window_bits, MEMORY_LEVEL,
			    Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	z.next_in = (Bytef *)rp->body.data;
	z.avail_in = (uInt)n;
	z.avail_out = (uInt)(n - 1); /* what does not become smaller stays */
	z.next_out = (Bytef *)buffer_reserve(&packed, n - 1);
	if (z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END) {
		packed.size = z.total_out;
		buffer_free(&rp->body);
		rp->body = packed;
		packed = (struct buffer){ 0 };
		reply_header(rp, MHD_HTTP_HEADER_CONTENT_ENCODING, "%s", coding_forms[coding].name);
		reply_header(rp, MHD_HTTP_HEADER_VARY, "%s", MHD_HTTP_HEADER_ACCEPT_ENCODING);
	}
	deflateEnd(&z);
	buffer_free(&packed);
}
