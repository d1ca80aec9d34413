/* body.c - the table of formats, and the one way through each of them. See body.h.
 *
 * CSV has no reader of its own here: the table reads it (table_new_csv). The first bytes are held back until they can be
 * told from those of files that are often sent by mistake, so that these are named, wherever the body is cut.
 */
#include "server/codec/body.h"

#include <stdlib.h>
#include <string.h>

#include "server/codec/body_parts.h"

#define HEAD_BYTES 4

struct body {
	const struct format *format;
	struct body_options options;
	struct body_reading reading;
	void *reader;
	char head[HEAD_BYTES]; /* the first bytes, before they go to the reader */
	size_t head_size;
	int ended; /* the code that ended the reading */
	struct err why;
};

/* ---- CSV ---- */

static int csv_open(void **reader, const struct body_reading *reading, struct err *e)
{
	(void)e;
	*reader = reading->table;
	return 0;
}

static int csv_pass(void *reader, const char *bytes, size_t n, struct err *e)
{
	return table_feed(reader, bytes, n, e);
}

static int csv_nothing(void *reader, struct err *e)
{
	(void)reader, (void)e;
	return 0;
}

static void csv_close(void *reader)
{
	(void)reader;
}

static const struct format csv_format = { "text/csv", csv_open, csv_pass, csv_nothing, csv_close };

/* ---- all of them ---- */

static const struct format *const formats[BODY_FORMATS] = {
	[BODY_CSV] = &csv_format,
	[BODY_JSON] = &json_format,
	[BODY_NDJSON] = &ndjson_format,
	[BODY_NPY] = &npy_format,
};

const char *body_media_type(enum body_format format)
{
	return formats[format]->media_type;
}

/* Whether numbers have a decimal comma. */
static bool read_decimal(const struct body_options *options, struct faults *faults)
{
	const char *decimal = options->decimal;

	if (!decimal || !strcmp(decimal, ".")) return false;
	if (strcmp(decimal, ","))
		faults_add(faults, ERR_INVALID, "?decimal",
				"the decimal mark is a point or a comma: ?decimal=. or ?decimal=,");
	else if (options->format != BODY_CSV)
		faults_add(faults, ERR_INVALID, "?decimal",
				"only numbers in CSV have a decimal comma; leave it out");
	return true;
}

static int make_table(struct body *body, const struct table_sink *sink, struct faults *faults, struct err *e)
{
	const struct body_options *options = &body->options;
	bool comma = read_decimal(options, faults);
	int rc;

	if (options->format != BODY_CSV)
		return table_new_rows(&body->reading.table, options->types, sink, faults, e);
	rc = table_new_csv(&body->reading.table, options->types, sink, faults, e);
	if (!rc && comma) table_decimal_comma(body->reading.table);
	return rc;
}

int body_new(struct body **out, const struct body_options *options, const struct table_sink *sink,
		struct faults *faults, struct err *e)
{
	struct body *body = calloc(1, sizeof *body);
	int rc;

	*out = NULL;
	if (!body) return err_nomem(e);
	body->format = formats[options->format];
	body->options = *options;
	body->reading = (struct body_reading){ .options = &body->options, .faults = faults };
	if ((rc = make_table(body, sink, faults, e))) goto out;
	if ((rc = body->format->open(&body->reader, &body->reading, e))) goto out;
	*out = body;
	body = NULL;
out:
	body_free(body);
	return rc;
}

void body_free(struct body *body)
{
	if (!body) return;
	if (body->reader) body->format->close(body->reader);
	table_free(body->reading.table);
	free(body);
}

/* Remembers what ended the reading, and says it to the caller. */
static int conclude(struct body *body, int rc, struct err *e)
{
	body->ended = rc;
	if (rc && e) *e = body->why;
	return rc;
}

/* Files that begin like this are none of ours. */
static const struct {
	const char *magic, *sentence;
} strangers[] = {
	{ "\x1f\x8b", "the body is packed with gzip; pack it once and say so: curl -H 'Content-Encoding: gzip'" },
	{ "PK\x03\x04", "the body is a ZIP archive, as .xlsx and .npz files are; save the table as CSV, or the array as "
			"NPY, and send that" },
	{ "PAR1", "the body is a Parquet file, which is not read here; save the table as CSV and send that" },
	{ "\xff\xfe", "the body is UTF-16; save it as UTF-8 and send it again" },
	{ "\xfe\xff", "the body is UTF-16; save it as UTF-8 and send it again" },
};

/* The head is whole, or all there is: it goes to the reader. */
static int pass_head(struct body *body)
{
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		size_t n = strlen(strangers[i].magic);

		if (body->head_size >= n && !memcmp(body->head, strangers[i].magic, n))
			return err_set(&body->why, ERR_SYNTAX, "%s", strangers[i].sentence);
	}
	return body->format->feed(body->reader, body->head, body->head_size, &body->why);
}

int body_feed(struct body *body, const char *bytes, size_t n, struct err *e)
{
	size_t head = HEAD_BYTES - body->head_size;
	int rc = 0;

	if (body->ended) return conclude(body, body->ended, e);
	if (head > n) head = n;
	memcpy(body->head + body->head_size, bytes, head);
	body->head_size += head;
	if (head && body->head_size == HEAD_BYTES) rc = pass_head(body);
	if (!rc && head < n) rc = body->format->feed(body->reader, bytes + head, n - head, &body->why);
	return conclude(body, rc, e);
}

int body_end(struct body *body, struct err *e)
{
	int rc = body->ended;

	if (rc) return conclude(body, rc, e);
	if (body->head_size && body->head_size < HEAD_BYTES) rc = pass_head(body);
	if (!rc && !(rc = body->format->end(body->reader, &body->why)))
		rc = table_end(body->reading.table, &body->why);
	return conclude(body, rc, e);
}

struct table *body_table(const struct body *body)
{
	return body->reading.table;
}
