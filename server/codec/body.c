/* body.c - the table of formats, and the one way through each of them. See body.h.
 *
 * CSV has no reader of its own here: the table reads it (table_new_csv).
 */
#include "server/codec/body.h"

#include <stdlib.h>
#include <string.h>

#include "server/codec/body_parts.h"

struct body {
	const struct format *format;
	struct body_options options;
	struct body_reading reading;
	void *reader;
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

int body_feed(struct body *body, const char *bytes, size_t n, struct err *e)
{
	if (body->ended) return conclude(body, body->ended, e);
	return conclude(body, body->format->feed(body->reader, bytes, n, &body->why), e);
}

int body_end(struct body *body, struct err *e)
{
	int rc = body->ended;

	if (rc) return conclude(body, rc, e);
	if (!(rc = body->format->end(body->reader, &body->why)))
		rc = table_end(body->reading.table, &body->why);
	return conclude(body, rc, e);
}

struct table *body_table(const struct body *body)
{
	return body->reading.table;
}
