/* incoming.c - the stages that the bytes of an upload pass. See incoming.h. */
#include "server/api/incoming.h"

#include "server/api/api.h"

/* Hashes and reads plain bytes. */
static int take(void *user, const char *bytes, size_t n, struct err *e)
{
	struct incoming *in = user;

	sha256_update(&in->hash, n, (const uint8_t *)bytes);
	in->bytes += n;
	return in->body ? body_feed(in->body, bytes, n, e) : 0;
}

static enum body_format format_of(const struct request *rq)
{
	for (size_t i = 0; i < BODY_FORMATS; i++)
		if (request_is(rq, body_media_type((enum body_format)i))) return (enum body_format)i;
	return BODY_CSV; /* the router refused every other type */
}

int incoming_open(struct incoming *in, const struct request *rq, bool keep, struct faults *faults,
		struct err *e)
{
	const struct app *app = rq->app;
	struct body_options options = {
		.format = format_of(rq),
		.types = request_query(rq, "types"),
		.decimal = request_query(rq, "decimal"),
		.bytes_max = app->upload_bytes,
		.database = app->database,
	};
	struct table_sink sink = upload_sink(&in->upload);
	int rc;

	sha256_init(&in->hash);
	if (rq->coding && (rc = unpack_new(&in->unpack, rq->coding, app->upload_bytes, take, in, e)))
		return rc;
	if (!keep) return 0;
	return body_new(&in->body, &options, &sink, faults, e);
}

int incoming_data(struct incoming *in, const char *bytes, size_t n, struct err *e)
{
	return in->unpack ? unpack_feed(in->unpack, bytes, n, e) : take(in, bytes, n, e);
}

int incoming_end(struct incoming *in, char sha256[2 * SHA256_DIGEST_SIZE + 1], struct err *e)
{
	int rc = in->unpack ? unpack_end(in->unpack, e) : 0;

	if (rc) return rc;
	upload_digest(&in->hash, sha256);
	return in->body ? body_end(in->body, e) : 0;
}

void incoming_note(struct incoming *in, const struct idempotency *key, const char *location)
{
	in->upload.answer_key = idempotency_key(key);
	in->upload.answer_request = key->request;
	in->upload.answer_location = location;
}

void incoming_clear(struct incoming *in)
{
	unpack_free(in->unpack);
	body_free(in->body);
	upload_abort(&in->upload);
	*in = (struct incoming){ 0 };
}
