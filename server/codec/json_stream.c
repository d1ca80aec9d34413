/* json_stream.c - a state for each place in the body's outermost brackets; what lies within them is framed and checked
 * whole. See json_stream.h.
 *
 * A step looks at the byte behind the white space and moves the cursor; it says whether a piece is there. What it finds
 * depends on the bytes alone: a value is looked at once all of it is there, and a size is a fault before anything else.
 */
#include "server/codec/json_stream.h"

#include <stdio.h>
#include <string.h>

#include "server/codec/csv.h"

static const char bom[] = "\xef\xbb\xbf";

void json_stream_start(struct json_stream *stream, bool lines)
{
	*stream = (struct json_stream){ .lines = lines };
	stream->cursor = (struct json_cursor){ .state = lines ? JSON_AT_LINE : JSON_AT_START, .line = 1 };
}

void json_stream_free(struct json_stream *stream)
{
	buffer_free(&stream->bytes);
}

int json_stream_add(struct json_stream *stream, const char *bytes, size_t n, struct err *e)
{
	buffer_add(&stream->bytes, bytes, n);
	return buffer_ok(&stream->bytes) ? 0 : err_nomem(e);
}

void json_stream_drop(struct json_stream *stream)
{
	size_t pos = stream->cursor.pos;

	if (!pos) return;
	stream->bytes.size -= pos;
	memmove(stream->bytes.data, stream->bytes.data + pos, stream->bytes.size);
	stream->dropped += pos;
	stream->cursor.pos = 0;
}

void json_stream_close(struct json_stream *stream)
{
	stream->closed = true;
}

static const char *here(const struct json_stream *stream)
{
	return stream->bytes.data ? stream->bytes.data + stream->cursor.pos : "";
}

static size_t left(const struct json_stream *stream)
{
	return stream->bytes.size - stream->cursor.pos;
}

static uint64_t count_lines(const char *from, const char *to)
{
	uint64_t lines = 0;

	while (from < to && (from = memchr(from, '\n', (size_t)(to - from)))) {
		lines++;
		from++;
	}
	return lines;
}

/* ---- what goes wrong ---- */

/* At a byte not before the cursor. */
static bool broken_at(struct json_stream *stream, struct json_piece *piece, enum err_code code,
		const char *at, const char *why)
{
	uint64_t byte = stream->dropped + stream->cursor.pos + (uint64_t)(at - here(stream));

	piece->kind = JSON_BROKEN;
	piece->code = code;
	piece->line = stream->cursor.line + count_lines(here(stream), at);
	snprintf(piece->why, sizeof piece->why, "byte %llu of the body: %s", (unsigned long long)byte, why);
	return true;
}

static bool broken(struct json_stream *stream, struct json_piece *piece, enum err_code code, const char *why)
{
	return broken_at(stream, piece, code, here(stream), why);
}

static bool too_large(struct json_stream *stream, struct json_piece *piece)
{
	piece->kind = JSON_BROKEN;
	piece->code = ERR_TOO_LARGE;
	piece->line = stream->cursor.line;
	snprintf(piece->why, sizeof piece->why, "the record is longer than %u bytes; is a quote left open?",
			CSV_RECORD_BYTES_MAX);
	return true;
}

/* ---- whole values ---- */

/* Checks n bytes at the cursor that should be one value; false: *piece says why not. */
static bool look(struct json_stream *stream, size_t n, struct json_piece *piece)
{
	const char *at, *why;

	if (n > CSV_RECORD_BYTES_MAX) return !too_large(stream, piece);
	if (scan_look(here(stream), n, &piece->value, &at, &why)) return true;
	return !broken_at(stream, piece, ERR_JSON, at, why);
}

static void pass(struct json_stream *stream, size_t n)
{
	struct json_cursor *cursor = &stream->cursor;

	cursor->line += count_lines(here(stream), here(stream) + n);
	cursor->pos += n;
	cursor->frame = (struct scan_frame){ 0 };
}

/* Is the value at the cursor there and sound? *n is its length, *piece has it. Else *piece says what is to be done. */
static bool whole_value(struct json_stream *stream, size_t *n, struct json_piece *piece)
{
	struct scan_frame *frame = &stream->cursor.frame;

	if (!scan_frame_next(frame, here(stream), left(stream))) {
		if (frame->at > CSV_RECORD_BYTES_MAX) return !too_large(stream, piece);
		piece->kind = JSON_MORE;
		if (stream->closed && look(stream, left(stream), piece)) /* a number, and nothing behind it */
			broken_at(stream, piece, ERR_JSON, here(stream) + left(stream),
					"the JSON ends here, before it is complete");
		return false;
	}
	*n = frame->at;
	return look(stream, *n, piece);
}

/* The value at the cursor becomes a piece. */
static bool take_value(struct json_stream *stream, enum json_piece_kind kind, enum json_state next,
		struct json_piece *piece)
{
	size_t n;

	if (!whole_value(stream, &n, piece)) return true;
	piece->kind = kind;
	piece->line = stream->cursor.line;
	piece->at = stream->dropped + stream->cursor.pos;
	if (kind == JSON_RECORD) piece->number = ++stream->cursor.records;
	pass(stream, n);
	stream->cursor.state = next;
	return true;
}

/* Passes a byte that was looked at. */
static bool go(struct json_stream *stream, enum json_state next)
{
	stream->cursor.pos++;
	stream->cursor.state = next;
	return false;
}

/* ---- the states; each returns whether *piece is to be handed out ---- */

static bool at_start(struct json_stream *stream, struct json_piece *piece)
{
	char c = *here(stream);

	if (c == '[') return go(stream, JSON_AT_FIRST_ITEM);
	stream->cursor.object = true;
	if (c == '{') return go(stream, JSON_AT_FIRST_KEY);
	return broken(stream, piece, ERR_JSON,
			"a data set in JSON is an array of objects, or {\"columns\":[...],\"rows\":[[...]]}");
}

static bool at_item(struct json_stream *stream, struct json_piece *piece)
{
	return take_value(stream, JSON_RECORD, JSON_AT_ITEM_COMMA, piece);
}

static bool end_items(struct json_stream *stream)
{
	return go(stream, stream->cursor.object ? JSON_AT_KEY_COMMA : JSON_AT_TAIL);
}

static bool at_first_item(struct json_stream *stream, struct json_piece *piece)
{
	return *here(stream) == ']' ? end_items(stream) : at_item(stream, piece);
}

static bool at_item_comma(struct json_stream *stream, struct json_piece *piece)
{
	char c = *here(stream);

	if (c == ',') return go(stream, JSON_AT_ITEM);
	return c == ']' ? end_items(stream)
			: broken(stream, piece, ERR_JSON, "a comma or a ] is needed here");
}

/* "columns" or "rows", each once, the first one first. */
static bool at_key(struct json_stream *stream, struct json_piece *piece)
{
	struct json_cursor *cursor = &stream->cursor;
	bool columns;
	size_t n;

	if (*here(stream) != '"')
		return broken(stream, piece, ERR_JSON, "a key in double quotes is needed here");
	if (!whole_value(stream, &n, piece)) return true;
	columns = scan_equals(piece->value, "columns");
	if (!columns && !scan_equals(piece->value, "rows"))
		return broken(stream, piece, ERR_UNKNOWN_FIELD,
				"a data set is an object of \"columns\" and \"rows\" alone; records are sent as an array");
	if (columns ? cursor->has_columns : cursor->has_rows)
		return broken(stream, piece, ERR_DUPLICATE_KEY, "this key is there twice");
	if (!columns && !cursor->has_columns)
		return broken(stream, piece, ERR_INVALID, "\"columns\" must stand before \"rows\"");
	if (columns)
		cursor->has_columns = true;
	else
		cursor->has_rows = true;
	pass(stream, n);
	cursor->next = columns ? JSON_AT_COLUMNS : JSON_AT_ROWS;
	cursor->state = JSON_AT_COLON;
	return false;
}

static bool end_object(struct json_stream *stream, struct json_piece *piece)
{
	if (!stream->cursor.has_columns || !stream->cursor.has_rows)
		return broken(stream, piece, ERR_MISSING_FIELD,
				stream->cursor.has_columns ? "\"rows\" is missing"
							   : "\"columns\" and \"rows\" are missing");
	return go(stream, JSON_AT_TAIL);
}

static bool at_first_key(struct json_stream *stream, struct json_piece *piece)
{
	return *here(stream) == '}' ? end_object(stream, piece) : at_key(stream, piece);
}

static bool at_colon(struct json_stream *stream, struct json_piece *piece)
{
	if (*here(stream) == ':') return go(stream, stream->cursor.next);
	return broken(stream, piece, ERR_JSON, "a colon is needed here, between key and value");
}

static bool at_columns(struct json_stream *stream, struct json_piece *piece)
{
	return take_value(stream, JSON_COLUMNS, JSON_AT_KEY_COMMA, piece);
}

static bool at_rows(struct json_stream *stream, struct json_piece *piece)
{
	if (*here(stream) == '[') return go(stream, JSON_AT_FIRST_ITEM);
	return broken(stream, piece, ERR_INVALID, "\"rows\" is an array of arrays");
}

static bool at_key_comma(struct json_stream *stream, struct json_piece *piece)
{
	char c = *here(stream);

	if (c == ',') return go(stream, JSON_AT_KEY);
	return c == '}' ? end_object(stream, piece)
			: broken(stream, piece, ERR_JSON, "a comma or a } is needed here");
}

static bool at_tail(struct json_stream *stream, struct json_piece *piece)
{
	return broken(stream, piece, ERR_JSON, "nothing may follow the JSON value");
}

/* A line ends with LF, wherever it is: within a string it must be written as an escape. */
static bool at_line(struct json_stream *stream, struct json_piece *piece)
{
	struct json_cursor *cursor = &stream->cursor;
	size_t all = left(stream), n;
	const char *found = memchr(here(stream) + cursor->frame.at, '\n', all - cursor->frame.at);

	n = found ? (size_t)(found - here(stream)) : all;
	cursor->frame.at = n;
	if (n > CSV_RECORD_BYTES_MAX) return too_large(stream, piece);
	piece->kind = JSON_MORE;
	if (!found && !stream->closed) return true;
	if (!look(stream, n, piece))
		piece->goes_on = true;
	else if (!cursor->records && !cursor->has_columns && scan_kind(piece->value) == '[')
		piece->kind = JSON_COLUMNS;
	else
		piece->kind = JSON_RECORD;
	if (piece->kind == JSON_COLUMNS)
		cursor->has_columns = true;
	else
		piece->number = ++cursor->records;
	piece->line = cursor->line;
	piece->at = stream->dropped + cursor->pos;
	pass(stream, n);
	return true;
}

static bool (*const steps[JSON_STATES])(struct json_stream *stream, struct json_piece *piece) = {
	[JSON_AT_START] = at_start,
	[JSON_AT_FIRST_ITEM] = at_first_item,
	[JSON_AT_ITEM] = at_item,
	[JSON_AT_ITEM_COMMA] = at_item_comma,
	[JSON_AT_FIRST_KEY] = at_first_key,
	[JSON_AT_KEY] = at_key,
	[JSON_AT_COLON] = at_colon,
	[JSON_AT_COLUMNS] = at_columns,
	[JSON_AT_ROWS] = at_rows,
	[JSON_AT_KEY_COMMA] = at_key_comma,
	[JSON_AT_TAIL] = at_tail,
	[JSON_AT_LINE] = at_line,
};

/* ---- between them ---- */

/* Passes a byte order mark; false: it may still become one. */
static bool pass_bom(struct json_stream *stream)
{
	size_t n = left(stream);

	if (stream->dropped || stream->cursor.pos) return true;
	if (n >= sizeof bom - 1) {
		if (!memcmp(here(stream), bom, sizeof bom - 1)) stream->cursor.pos += sizeof bom - 1;
		return true;
	}
	return stream->closed || !n || memcmp(here(stream), bom, n);
}

static void pass_space(struct json_stream *stream)
{
	struct json_cursor *cursor = &stream->cursor;
	const char *bytes = stream->bytes.data;

	for (; cursor->pos < stream->bytes.size; cursor->pos++) {
		char c = bytes[cursor->pos]; /* NOLINT(clang-analyzer-core.NullDereference): NULL has the size 0 */

		if (c == '\n')
			cursor->line++;
		else if (c != ' ' && c != '\r' && c != '\t')
			return;
	}
}

static void at_end(struct json_stream *stream, struct json_piece *piece)
{
	enum json_state state = stream->cursor.state;

	if (!stream->closed)
		piece->kind = JSON_MORE;
	else if (state == JSON_AT_TAIL || state == JSON_AT_LINE)
		piece->kind = JSON_END;
	else
		broken(stream, piece, ERR_JSON,
				state == JSON_AT_START ? "the body is empty; JSON is needed"
						       : "the JSON ends here, before it is complete");
}

void json_stream_next(struct json_stream *stream, struct json_piece *piece)
{
	*piece = (struct json_piece){ .kind = JSON_MORE };
	if (!stream->bytes.data && !stream->closed) return;
	if (!pass_bom(stream)) return;
	for (;;) {
		if (!stream->cursor.frame.at) pass_space(stream);
		if (!left(stream)) {
			at_end(stream, piece);
			return;
		}
		if (steps[stream->cursor.state](stream, piece)) return;
	}
}
