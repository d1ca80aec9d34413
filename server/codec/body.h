/* body.h - the body of an upload, in any of the formats that data sets are read from, becomes the rows of a table.
 *
 * Bytes go in as they arrive, cut anywhere; what comes of them is the same wherever the cuts were. Memory does not
 * grow with the body: each format says what it keeps (csv.h, json_table.c, npy.c). Faults are collected with the line
 * of the body where the record starts and the place of the cell in it, as far as reading can go on; a table with
 * faults never ends well.
 */
#ifndef SERVER_CODEC_BODY_H
#define SERVER_CODEC_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/codec/table.h"

enum body_format {
	BODY_CSV, /* what a body is that does not say */
	BODY_JSON,
	BODY_NDJSON,
	BODY_NPY,
	BODY_FORMATS,
};

/* The media type of a format, static. All of them are in BODY_MEDIA_TYPES. */
const char *body_media_type(enum body_format format);
#define BODY_MEDIA_TYPES "text/csv application/json application/x-ndjson application/x-npy"

struct body_options {
	enum body_format format;
	const char *types;    /* ?types, NULL for none */
	const char *decimal;  /* ?decimal, NULL for none */
	uint64_t bytes_max;   /* of the body; what says of itself that it is larger is refused at once */
	const char *database; /* scratch files lie beside it; borrowed for the body's life */
};

struct body; /* one reading of one body, by one thread at a time */

/* *out is new (body_free). sink and faults as in table_new_csv. Faults at "?types" and "?decimal" are refused at once,
 * with the fault's code. ERR_NOMEM. On error *out is NULL. */
int body_new(struct body **out, const struct body_options *options, const struct table_sink *sink,
		struct faults *faults, struct err *e);
void body_free(struct body *body); /* NULL is fine */

/* The next bytes, borrowed for the call. As table_feed. */
int body_feed(struct body *body, const char *bytes, size_t n, struct err *e);
/* The body is complete. As table_end. */
int body_end(struct body *body, struct err *e);

struct table *body_table(const struct body *body); /* borrowed; complete after body_end */

#endif
