/* incoming.c - the stages that the bytes of an upload pass. See incoming.h. */
#include "server/api/incoming.h"

#include <stdlib.h>

#include "server/api/api.h"

/* Of a row group that is read while one is written, and what is around them. */
#define READING_BYTES_MAX (24u << 20)
#define READING_BYTES_MIN (1u << 20)
#define READING_FACTOR    8 /* bytes of memory for one of the text, while that is short */
#define GROWTH_BYTES      (1u << 20)

static enum body_format format_of(const struct request *rq)
{
	for (size_t i = 0; i < BODY_FORMATS; i++)
		if (request_is(rq, body_media_type((enum body_format)i))) return (enum body_format)i;
	return BODY_CSV; /* the router refused every other type */
}

/* What it takes to read so many packed or plain bytes; 0: nobody knows how many. A cell of a few bytes is a double, or a code. */
static uint64_t reading_bytes(uint64_t length, bool packed)
{
	if (!length || packed || length > READING_BYTES_MAX / READING_FACTOR) return READING_BYTES_MAX;
	return READING_BYTES_MIN + length * READING_FACTOR;
}

/* Takes what it is to have in all. */
static int take_memory(struct incoming *in, uint64_t bytes, struct err *e)
{
	uint64_t alone = memory_alone(in->memory);

	if (bytes <= in->taken) return 0;
	if (bytes > alone)
		return err_set(e, ERR_TOO_LARGE,
				"reading the data needs %.1f MiB of memory, and there are %.1f for one upload; give the daemon more "
				"with --memory-budget, or send less: fewer rows, or ?types=COLUMN:ignore for a column of very many "
				"different words",
				(double)bytes / 1048576, (double)alone / 1048576);
	if (!memory_take(in->memory, bytes - in->taken))
		return err_set(e, ERR_BUSY,
				"reading the data needs %.1f MiB of memory, which others have just now; try again",
				(double)bytes / 1048576);
	in->taken = bytes;
	return 0;
}

/* The dictionaries have grown; in steps, so that it is asked seldom. */
static int count_growth(struct incoming *in, struct err *e)
{
	uint64_t words = table_dictionary_bytes(body_table(in->body));
	int rc;

	if (words < in->words + GROWTH_BYTES) return 0;
	if ((rc = take_memory(in, in->taken + words - in->words, e))) return rc;
	in->words = words;
	return 0;
}

/* So many plain bytes are on their way or came. */
static int ask_for_room(struct incoming *in, uint64_t bytes, struct err *e)
{
	uint64_t size = bytes + (in->base ? in->base->size_bytes : 0);

	if (size <= in->upload.most) return 0;
	return upload_room(&in->upload, in->dataset, in->replace, in->base, size, e);
}

/* Hashes and reads plain bytes. */
static int take(void *user, const char *bytes, size_t n, struct err *e)
{
	struct incoming *in = user;
	int rc;

	sha256_update(&in->hash, n, (const uint8_t *)bytes);
	in->bytes += n;
	if (!in->body) return 0;
	if ((rc = ask_for_room(in, in->bytes, e)) || (rc = body_feed(in->body, bytes, n, e))) return rc;
	return count_growth(in, e);
}

static uint64_t length_of(const struct request *rq)
{
	const char *text = rq->headers[HEADER_CONTENT_LENGTH];

	return text ? strtoull(text, NULL, 10) : 0;
}

int incoming_open(struct incoming *in, const struct request *rq, bool keep, struct faults *faults,
		struct err *e)
{
	struct app *app = rq->app;
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
	in->memory = &app->memory;
	if ((rc = take_memory(in, reading_bytes(length_of(rq), rq->coding), e))) return rc;
	return body_new(&in->body, &options, &sink, faults, e);
}

int incoming_room(struct incoming *in, const struct request *rq, const char *dataset, bool replace,
		const struct store_revision *base, struct err *e)
{
	uint64_t length = rq->coding ? 0 : length_of(rq);

	in->dataset = dataset;
	in->replace = replace;
	in->base = base;
	return ask_for_room(in, length ? length : 1, e); /* there is no table without a byte */
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
	memory_give(in->memory, in->taken);
	*in = (struct incoming){ 0 };
}
