/* json_stream.h - cuts a body of JSON, as it arrives, into the pieces that a table is made of: the list of columns and
 * the records. Each piece is checked whole; what they mean is json_table.c's business.
 *
 * Read are an array of records, {"columns":[...],"rows":[...]} with the columns first, and lines of which each is a
 * record, or the first one an array: the columns. A byte order mark is passed over. No piece is larger than
 * CSV_RECORD_BYTES_MAX.
 *
 * Memory: the bytes that were not dropped yet, so one record and one chunk when every record is dropped.
 */
#ifndef SERVER_CODEC_JSON_STREAM_H
#define SERVER_CODEC_JSON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/buffer.h"
#include "server/codec/scan.h"

#define JSON_WHY_BYTES 200

enum json_piece_kind {
	JSON_MORE,    /* the next piece needs more bytes */
	JSON_COLUMNS, /* an array of names, if the writer keeps to the rules; before all records */
	JSON_RECORD,
	JSON_END,    /* of the body, which is whole */
	JSON_BROKEN, /* code, line and why; the rest cannot be read, unless goes_on */
};

struct json_piece {
	enum json_piece_kind kind;
	struct scan_value value; /* borrowed until bytes are added or dropped */
	uint64_t line;           /* where it starts, or where the body is broken; from 1 */
	uint64_t at;             /* the byte where it starts, from 0 */
	uint64_t number;         /* of the record, from 1 */
	bool goes_on;            /* a broken line is none of the next one's business */
	enum err_code code;
	char why[JSON_WHY_BYTES];
};

enum json_state {
	JSON_AT_START,
	JSON_AT_FIRST_ITEM, /* of an array of records: one, or its end */
	JSON_AT_ITEM,
	JSON_AT_ITEM_COMMA, /* or the array's end */
	JSON_AT_FIRST_KEY,  /* of the object: one, or its end */
	JSON_AT_KEY,
	JSON_AT_COLON,
	JSON_AT_COLUMNS,
	JSON_AT_ROWS,
	JSON_AT_KEY_COMMA, /* or the object's end */
	JSON_AT_TAIL,      /* nothing more may come */
	JSON_AT_LINE,      /* of records a line */
	JSON_STATES,
};

/* Where reading stands; a copy leads back, as long as nothing behind it was dropped. */
struct json_cursor {
	enum json_state state, next; /* next: behind a colon */
	size_t pos;                  /* of the bytes kept */
	uint64_t line, records;
	struct scan_frame frame; /* of the value that begins at pos */
	bool object;             /* the body is one */
	bool has_columns, has_rows;
};

struct json_stream { /* json_stream_start; json_stream_free */
	struct buffer bytes;
	uint64_t dropped; /* bytes of the body before those */
	bool lines, closed;
	struct json_cursor cursor;
};

void json_stream_start(struct json_stream *stream, bool lines);
void json_stream_free(struct json_stream *stream);
/* Adds bytes. ERR_NOMEM. */
int json_stream_add(struct json_stream *stream, const char *bytes, size_t n, struct err *e);
/* Drops what lies behind the cursor; pieces and copies of the cursor are invalid then. */
void json_stream_drop(struct json_stream *stream);
/* No bytes will follow. */
void json_stream_close(struct json_stream *stream);
void json_stream_next(struct json_stream *stream, struct json_piece *piece);

#endif
