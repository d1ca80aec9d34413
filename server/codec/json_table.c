/* json_table.c - records of JSON become rows: an array of objects, an object a line, or arrays below a list of columns.
 *
 * Objects name their columns themselves. These are the keys of all records that begin in the first LOOK_AHEAD_BYTES of the
 * body, in the order in which they appear; so many bytes are kept before the first row goes to the table, and are then
 * read once more. A key that an object lacks is a missing cell; one that comes later is a fault. Most records have their
 * keys in the order of the one before, which is tried first.
 *
 * A number, a string, true and false stay what they are (table_row); null is missing. Whatever lies deeper is a fault.
 * Names keep to the rules of CSV's header line. Faults name the record beside its line, as all records may be on one.
 *
 * Memory: what json_stream.h keeps, the keys, and a cell for each column. The dictionary of keys is one of the table's
 * (table_parts.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/buffer.h"
#include "server/codec/body_parts.h"
#include "server/codec/json_stream.h"
#include "server/codec/number.h"
#include "server/codec/number_short.h"
#include "server/codec/table_parts.h"

#define LOOK_AHEAD_BYTES (1u << 20)
#define KEYS_BYTES_MAX   (64u << 20)
#define SHOWN            48 /* bytes of a name in a sentence */
#define NO_COLUMN        SIZE_MAX

struct json_table {
	struct body_reading to;
	struct json_stream stream;
	struct json_cursor records; /* where the look-ahead began */
	struct json_piece piece;

	bool named;         /* the columns are known */
	bool spoiled;       /* but their names are not right: rows are looked at and not given on */
	bool arrays;        /* records are arrays, in the order of the columns */
	struct values keys; /* of the columns, each in its place */
	struct budget budget;
	size_t count;             /* of columns */
	struct table_cell *cells; /* (count) */
	uint64_t *seen;           /* (count), the record that a column was in last */
	uint32_t *order; /* (count), the column of a record's first key, second key, ... in the one before */
	bool *plain;     /* (count): the name has no escapes in JSON, so that its bytes can be compared */
	struct buffer text; /* of the record's strings that have escapes */
};

static struct fault *record_fault(struct json_table *t, enum err_code code, size_t place, const char *format,
		...) __attribute__((format(printf, 4, 5)));

/* At the present record, and at a column unless place is NO_COLUMN. */
static struct fault *record_fault(
		struct json_table *t, enum err_code code, size_t place, const char *format, ...)
{
	char text[FAULT_DETAIL_BYTES];
	struct fault *fault;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fault = faults_add(
			t->to.faults, code, "", "record %llu: %s", (unsigned long long)t->piece.number, text);
	if (!fault) return NULL;
	fault->line = t->piece.line;
	fault->column = place == NO_COLUMN ? 0 : place + 1;
	return fault;
}

/* ---- the columns ---- */

/* Whether a name may be a column's; if not, there is a fault at its place. before: the column that has it already. */
static bool check_name(struct json_table *t, size_t place, const char *name, size_t n, size_t before)
{
	struct fault *fault;

	if (n && n <= CSV_NAME_BYTES_MAX && before == NO_COLUMN) return true;
	t->spoiled = true;
	if (!n)
		fault = faults_add(t->to.faults, ERR_INVALID, "", "the column has no name");
	else if (n > CSV_NAME_BYTES_MAX)
		fault = faults_add(t->to.faults, ERR_INVALID, "",
				"the column name is %zu bytes long; at most %d are allowed", n,
				CSV_NAME_BYTES_MAX);
	else
		fault = faults_add(t->to.faults, ERR_INVALID, "",
				"the name \"%.*s\" is that of column %zu already",
				table_excerpt(name, n, SHOWN), name, before + 1);
	if (!fault) return false;
	fault->line = t->piece.line;
	fault->column = place + 1;
	return false;
}

static int too_many(struct json_table *t, struct err *e)
{
	struct fault *fault = faults_add(
			t->to.faults, ERR_TOO_LARGE, "", "there are more than %d columns", CSV_COLUMNS_MAX);

	if (fault) fault->line = t->piece.line;
	return faults_result(t->to.faults, e);
}

/* The text of a string, borrowed until the next record. */
static int read_string(
		struct json_table *t, struct scan_value string, const char **text, size_t *n, struct err *e)
{
	size_t bytes = (size_t)(string.end - string.at);
	char *room = NULL;

	if (memchr(string.at, '\\', bytes)) {
		/* reserved for the record as a whole (begin_record): no string moves another */
		if (!(room = buffer_reserve(&t->text, bytes))) return err_nomem(e);
	}
	*n = scan_string(string, text, room);
	if (room) t->text.size += *n;
	return 0;
}

static int begin_record(struct json_table *t, struct err *e)
{
	t->text.size = 0;
	if (buffer_reserve(&t->text, (size_t)(t->piece.value.end - t->piece.value.at))) return 0;
	return err_nomem(e);
}

/* A name joins the columns. */
static int add_key(struct json_table *t, const char *name, size_t n, uint32_t *place, struct err *e)
{
	int rc;

	if ((rc = values_code(&t->keys, &t->budget, name, n, place)) == ERR_TOO_LARGE)
		return err_set(e, ERR_TOO_LARGE, "the names of the columns have more than %u MiB",
				KEYS_BYTES_MAX >> 20);
	if (rc) return err_nomem(e);
	return t->keys.count > CSV_COLUMNS_MAX ? too_many(t, e) : 0;
}

/* The list of columns, as it stands in the body. */
static int take_columns(struct json_table *t, struct err *e)
{
	struct scan_value list = t->piece.value;
	size_t place = 0;
	int rc;

	t->arrays = t->named = true;
	if ((rc = begin_record(t, e))) return rc;
	if (scan_kind(list) != '[') {
		faults_add(t->to.faults, ERR_INVALID, "", "\"columns\" is an array of names");
		return faults_result(t->to.faults, e);
	}
	for (struct scan_iter i = scan_begin(list); scan_next(&i); place++) {
		size_t known = t->keys.count, n;
		const char *name;
		uint32_t code;

		if (scan_kind(i.value) != '"') {
			struct fault *fault = faults_add(t->to.faults, ERR_INVALID, "",
					"the name of a column is a string; records of a line each are objects, or arrays "
					"below an array of names");

			if (fault) fault->line = t->piece.line, fault->column = place + 1;
			return faults_result(t->to.faults, e);
		}
		if ((rc = read_string(t, i.value, &name, &n, e)) || (rc = add_key(t, name, n, &code, e)))
			return rc;
		check_name(t, place, name, n, code < known ? code : NO_COLUMN);
	}
	t->count = place; /* which are more than the keys when a name is there twice */
	if (place) return 0;
	faults_add(t->to.faults, ERR_INVALID, "", "there are no columns; name at least one");
	return faults_result(t->to.faults, e);
}

/* The keys of the present record join the columns. */
static int collect_keys(struct json_table *t, struct err *e)
{
	int rc;

	if (scan_kind(t->piece.value) != '{') return 0;
	if ((rc = begin_record(t, e))) return rc;
	for (struct scan_iter i = scan_begin(t->piece.value); scan_next(&i);) {
		size_t known = t->keys.count, n;
		const char *name;
		uint32_t code;

		if ((rc = read_string(t, i.key, &name, &n, e)) || (rc = add_key(t, name, n, &code, e)))
			return rc;
		if (code == known) check_name(t, code, name, n, NO_COLUMN);
	}
	return 0;
}

static int name_columns(struct json_table *t, struct err *e)
{
	struct csv_cell *names = calloc(t->count, sizeof *names);
	int rc;

	if (!names) return err_nomem(e);
	for (size_t i = 0; i < t->count; i++)
		names[i].text = values_text(&t->keys, i, &names[i].size);
	rc = table_header(t->to.table, names, t->count, e);
	free(names);
	return rc;
}

/* What finds the columns of objects. */
static int prepare_search(struct json_table *t, struct err *e)
{
	t->budget.max = t->budget.used; /* the dictionary of keys grows no more */
	t->seen = calloc(t->count, sizeof *t->seen);
	t->order = malloc(t->count * sizeof *t->order);
	t->plain = malloc(t->count * sizeof *t->plain);
	if (!t->seen || !t->order || !t->plain) return err_nomem(e);
	for (size_t i = 0; i < t->count; i++) {
		size_t n;
		const char *name = values_text(&t->keys, i, &n);

		t->order[i] = (uint32_t)i;
		t->plain[i] = !memchr(name, '\\', n);
	}
	return 0;
}

/* All columns are known: makes room for their cells. */
static int settle_columns(struct json_table *t, struct err *e)
{
	int rc;

	t->named = true;
	if (!t->arrays) t->count = t->keys.count;
	if (!t->count) return 0;
	if (!(t->cells = calloc(t->count, sizeof *t->cells))) return err_nomem(e);
	if (!t->arrays && (rc = prepare_search(t, e))) return rc;
	return t->spoiled ? 0 : name_columns(t, e);
}

/* ---- cells ---- */

static const char *kind_of(struct scan_value value)
{
	switch (scan_kind(value)) {
	case '{': return "an object";
	case '[': return "an array";
	case '"': return "a string";
	case '0': return "a number";
	case 'n': return "null";
	default: return "true or false";
	}
}

/* *cell is what the value is; a value with others in it is a fault. */
static int read_cell(struct json_table *t, size_t place, struct scan_value value, struct table_cell *cell,
		struct err *e)
{
	cell->text = value.at;
	cell->size = (size_t)(value.end - value.at);
	switch (scan_kind(value)) {
	case '"': cell->kind = TABLE_TEXT; return read_string(t, value, &cell->text, &cell->size, e);
	case '0':
		cell->kind = TABLE_NUMBER;
		if (!number_read_short(cell->text, cell->size, &cell->number))
			number_read_cell(cell->text, cell->size, &cell->number);
		return 0;
	case 't':
	case 'f':
		cell->kind = TABLE_BOOLEAN;
		cell->number = *value.at == 't';
		return 0;
	case 'n': cell->kind = TABLE_MISSING; return 0;
	default: break;
	}
	cell->kind = TABLE_MISSING;
	record_fault(t, ERR_INVALID, place,
			"the value is %s; a cell is a number, a string, true, false or null", kind_of(value));
	return 0;
}

/* The column of a record's key, the at-th one; NO_COLUMN: it is none. */
static int find_column(struct json_table *t, size_t at, struct scan_value key, size_t *place, struct err *e)
{
	const char *name;
	uint32_t code;
	size_t n;
	int rc;

	if (at < t->count && t->plain[t->order[at]]) {
		name = values_text(&t->keys, t->order[at], &n);
		if ((size_t)(key.end - key.at) == n + 2 && !memcmp(key.at + 1, name, n)) {
			*place = t->order[at];
			return 0;
		}
	}
	if ((rc = read_string(t, key, &name, &n, e))) return rc;
	/* A key that is new joins the dictionary behind the columns, as far as it has room already. */
	rc = values_code(&t->keys, &t->budget, name, n, &code);
	if (rc == ERR_NOMEM) return err_nomem(e);
	*place = rc || code >= t->count ? NO_COLUMN : code;
	if (*place != NO_COLUMN && at < t->count) t->order[at] = code;
	if (*place == NO_COLUMN)
		record_fault(t, ERR_UNKNOWN_FIELD, NO_COLUMN,
				"\"%.*s\" is no column: these are the keys of the first %u MiB of records; begin with a "
				"record that has all keys, or name the columns as in {\"columns\":[...],\"rows\":[[...]]}",
				table_excerpt(name, n, SHOWN), name, LOOK_AHEAD_BYTES >> 20);
	return 0;
}

static int read_object(struct json_table *t, struct err *e)
{
	size_t at = 0, found = 0, place = NO_COLUMN;
	int rc;

	for (struct scan_iter i = scan_begin(t->piece.value); scan_next(&i); at++) {
		if ((rc = find_column(t, at, i.key, &place, e))) return rc;
		if (place == NO_COLUMN) continue;
		if (t->seen[place] == t->piece.number) {
			record_fault(t, ERR_DUPLICATE_KEY, place,
					"a key is there twice; each stands once in a record");
			continue;
		}
		t->seen[place] = t->piece.number;
		found++;
		if ((rc = read_cell(t, place, i.value, &t->cells[place], e))) return rc;
	}
	if (!at && !t->count)
		record_fault(t, ERR_INVALID, NO_COLUMN, "it has no keys, so there are no columns");
	for (size_t i = 0; found < t->count && i < t->count; i++)
		if (t->seen[i] != t->piece.number) t->cells[i].kind = TABLE_MISSING;
	return 0;
}

static int read_array(struct json_table *t, struct err *e)
{
	size_t at = 0;
	int rc;

	for (struct scan_iter i = scan_begin(t->piece.value); scan_next(&i); at++) {
		if (at < t->count && (rc = read_cell(t, at, i.value, &t->cells[at], e))) return rc;
	}
	if (at != t->count)
		record_fault(t, ERR_INVALID, at < t->count ? at : t->count,
				"it has %zu %s, but there are %zu columns", at, at == 1 ? "cell" : "cells",
				t->count);
	return 0;
}

/* The faults that the table found in the present record name it, as ours do. */
static void name_record(struct json_table *t, size_t from)
{
	for (size_t i = from; i < t->to.faults->count; i++) {
		struct fault *fault = &t->to.faults->items[i];
		char text[FAULT_DETAIL_BYTES];

		memcpy(text, fault->detail, sizeof text);
		snprintf(fault->detail, sizeof fault->detail, "record %llu: %.*s",
				(unsigned long long)t->piece.number,
				table_excerpt(text, strlen(text), sizeof text - 32), text);
	}
}

static int take_record(struct json_table *t, struct err *e)
{
	const struct faults *faults = t->to.faults;
	size_t before = faults->count, all = before + faults->more;
	char wanted = t->arrays ? '[' : '{';
	int rc;

	if (scan_kind(t->piece.value) != wanted) {
		record_fault(t, ERR_INVALID, NO_COLUMN, "it is %s; a record is %s", kind_of(t->piece.value),
				t->arrays ? "an array here" : "an object");
		return 0;
	}
	if ((rc = begin_record(t, e))) return rc;
	if ((rc = t->arrays ? read_array(t, e) : read_object(t, e))) return rc;
	/* A row whose shape is wrong has cells of the row before. */
	if (t->spoiled || !t->count || faults->count + faults->more > all) return 0;
	rc = table_row(t->to.table, t->cells, t->piece.line, e);
	name_record(t, before);
	return rc;
}

/* ---- the course of a body ---- */

static int take_fault(struct json_table *t, struct err *e)
{
	struct fault *fault = faults_add(t->to.faults, t->piece.code, "", "%s", t->piece.why);

	if (fault) fault->line = t->piece.line;
	return t->piece.goes_on ? 0 : faults_result(t->to.faults, e);
}

/* Reads on until the columns are known, or more bytes are needed for that. */
static int look_ahead(struct json_table *t, struct err *e)
{
	int rc = 0;

	while (!rc && !t->named) {
		json_stream_next(&t->stream, &t->piece);
		switch (t->piece.kind) {
		case JSON_MORE: return 0;
		case JSON_COLUMNS:
			if (!(rc = take_columns(t, e))) rc = settle_columns(t, e);
			return rc;
		case JSON_RECORD:
			if (t->piece.at < LOOK_AHEAD_BYTES) {
				rc = collect_keys(t, e);
				break;
			}
			/* fall through */
		default:
			if (t->piece.goes_on) break;
			t->stream.cursor = t->records;
			rc = settle_columns(t, e);
		}
	}
	return rc;
}

static int pump(struct json_table *t, struct err *e)
{
	int rc;

	if (!t->named && (rc = look_ahead(t, e))) return rc;
	while (t->named) {
		json_stream_next(&t->stream, &t->piece);
		if (t->piece.kind == JSON_MORE || t->piece.kind == JSON_END) break;
		if ((rc = t->piece.kind == JSON_RECORD ? take_record(t, e) : take_fault(t, e))) return rc;
	}
	if (t->named) json_stream_drop(&t->stream);
	return 0;
}

/* ---- the format ---- */

static void json_close(void *reader)
{
	struct json_table *t = reader;

	json_stream_free(&t->stream);
	values_free(&t->keys, &t->budget);
	buffer_free(&t->text);
	free(t->cells);
	free(t->seen);
	free(t->order);
	free(t->plain);
	free(t);
}

static int open_stream(void **reader, const struct body_reading *reading, bool lines, struct err *e)
{
	struct json_table *t = calloc(1, sizeof *t);

	/* cppcheck-suppress memleak ; *reader has it */
	if (!(*reader = t)) return err_nomem(e);
	t->to = *reading;
	t->budget.max = KEYS_BYTES_MAX;
	json_stream_start(&t->stream, lines);
	t->records = t->stream.cursor;
	return 0;
}

static int json_open(void **reader, const struct body_reading *reading, struct err *e)
{
	return open_stream(reader, reading, false, e);
}

static int ndjson_open(void **reader, const struct body_reading *reading, struct err *e)
{
	return open_stream(reader, reading, true, e);
}

static int json_feed(void *reader, const char *bytes, size_t n, struct err *e)
{
	struct json_table *t = reader;
	int rc = json_stream_add(&t->stream, bytes, n, e);

	return rc ? rc : pump(t, e);
}

static int json_end(void *reader, struct err *e)
{
	struct json_table *t = reader;

	json_stream_close(&t->stream);
	return pump(t, e);
}

const struct format json_format = { "application/json", json_open, json_feed, json_end, json_close };
const struct format ndjson_format = { "application/x-ndjson", ndjson_open, json_feed, json_end, json_close };
