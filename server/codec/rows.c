/* rows.c - walks the forms that rows come in and encodes them block by block. See rows.h and rows_parts.h.
 *
 * The text was checked, so that a walker looks only for what may be there: behind a cell comes a comma or the
 * bracket that ends its row. A number in a number column, which is what most bodies are made of, is read where it
 * stands; everything else goes through rows_cell. Columns are read in lockstep: each has its own place in the text,
 * and every block takes as many cells from each.
 */
#include "server/codec/rows.h"

#include <math.h>
#include <stdlib.h>

#include "server/codec/number.h"
#include "server/codec/rows_parts.h"

#define TEXT_KEEP_BYTES (1u << 20) /* of decoded strings; more is given back before the next reading */

int rows_new(struct rows **out, struct err *e)
{
	*out = calloc(1, sizeof **out);
	return *out ? 0 : err_nomem(e);
}

static void free_columns(struct rows *rows)
{
	free(rows->cells);
	free(rows->kinds);
	free(rows->shifts);
	free(rows->scales);
	free(rows->marks);
	free(rows->places);
	free(rows->starts);
	free(rows->cursors);
	rows->cells = NULL;
	rows->kinds = NULL;
	rows->shifts = NULL;
	rows->scales = NULL;
	rows->marks = NULL;
	rows->places = NULL;
	rows->starts = NULL;
	rows->cursors = NULL;
	rows->capacity = 0;
}

void rows_free(struct rows *rows)
{
	if (!rows) return;
	free_columns(rows);
	free(rows->kept);
	free(rows->raws);
	free(rows->text);
	free(rows);
}

/* What is kept need not survive: it belongs to one reading, and marks are only compared with later ones. */
static int reserve_columns(struct rows *rows, size_t columns, struct err *e)
{
	size_t cells = columns > ROWS_BLOCK_CELLS ? columns : ROWS_BLOCK_CELLS;

	if (columns <= rows->capacity) return 0;
	free_columns(rows); /* columns is at most NET_UNITS_MAX: no product below overflows */
	rows->cells = malloc(cells * sizeof *rows->cells);
	rows->kinds = malloc(columns * sizeof *rows->kinds);
	rows->shifts = malloc(columns * sizeof *rows->shifts);
	rows->scales = malloc(columns * sizeof *rows->scales);
	rows->marks = calloc(columns, sizeof *rows->marks);
	rows->places = calloc(columns, sizeof *rows->places);
	rows->starts = calloc(columns, sizeof *rows->starts);
	rows->cursors = calloc(columns, sizeof *rows->cursors);
	if (!rows->cells || !rows->kinds || !rows->shifts || !rows->scales || !rows->marks || !rows->places ||
			!rows->starts || !rows->cursors) {
		free_columns(rows);
		return err_nomem(e);
	}
	rows->capacity = columns;
	return 0;
}

/* ---- cells ---- */

static inline const char *take_cell(struct rows *rows, size_t column, size_t row, const char *p)
{
	double *number = rows_numbers(rows, column) + row;

	if (rows->kinds[column] == COLUMN_NUMBER && *p >= '-' && *p <= '9' && !rows->keeping) {
		const char *end = number_scan_double(p, rows->end, number);

		if (end && isfinite(*number)) {
			if (rows_between_floats(*number)) rows_round_once(rows, column, p, end, number);
			return end;
		}
	}
	return rows_cell(rows, column, row, p);
}

/* Behind a value in a container: to the next value, or onto the bracket. */
static inline const char *to_next(const char *p)
{
	p = scan_space(p);
	return *p == ',' ? scan_space(p + 1) : p;
}

/* The column that a key names, or SIZE_MAX. Keys mostly come in the order of columns: `guess` is tried first. */
static size_t find_column(struct rows *rows, struct scan_value key, size_t guess)
{
	const char *text;
	size_t size;

	if (guess < rows->columns && scan_equals(key, encoder_column(rows->encoder, guess)->name))
		return guess;
	text = rows_text(rows, key, &size);
	return text ? encoder_find(rows->encoder, text, size) : SIZE_MAX;
}

/* ---- rows ---- */

static const char *read_array(struct rows *rows, size_t row, const char *p)
{
	size_t column = 0;

	for (p = scan_space(p + 1); *p != ']'; p = to_next(p), column++)
		p = column < rows->columns ? take_cell(rows, column, row, p) : scan_skip(p, rows->end);
	if (column != rows->columns) rows_fault_width(rows, row, column);
	for (; column < rows->columns; column++)
		rows_leave_out(rows, column, row);
	return p + 1;
}

/* Is the key, which is no column's, the name of all inputs together? */
static bool names_whole(const struct rows *rows, struct scan_value key, const char *value)
{
	return *value == '[' && encoder_role(rows->encoder) == ENCODER_INPUTS &&
	       scan_equals(key, ROWS_WHOLE) && rows_take_whole(rows->encoder);
}

/* The row is the array at p; what comes behind it in the record is too much. */
static const char *read_whole(struct rows *rows, size_t row, const char *p)
{
	rows->shapes[row] = ROW_WHOLE;
	p = to_next(read_array(rows, row, p));
	rows->shapes[row] = ROW_RECORD;
	while (*p != '}') {
		struct scan_value key = { p, scan_skip(p, rows->end) };

		rows_fault_key(rows, row, key, scan_equals(key, ROWS_WHOLE));
		p = to_next(scan_skip(scan_space(scan_space(key.end) + 1), rows->end));
	}
	rows->shapes[row] = ROW_WHOLE;
	return p + 1;
}

static const char *read_record(struct rows *rows, size_t row, const char *p)
{
	uint64_t mark = ++rows->mark;
	size_t column = SIZE_MAX, found = 0;

	for (p = scan_space(p + 1); *p != '}'; p = to_next(p)) {
		struct scan_value key = { p, scan_skip(p, rows->end) };

		column = find_column(rows, key, column + 1);
		p = scan_space(scan_space(key.end) + 1);
		if (column == SIZE_MAX && !found && names_whole(rows, key, p))
			return read_whole(rows, row, p);
		if (column == SIZE_MAX || rows->marks[column] == mark) {
			rows_fault_key(rows, row, key, column != SIZE_MAX);
			p = scan_skip(p, rows->end);
			continue;
		}
		rows->marks[column] = mark;
		found++;
		p = take_cell(rows, column, row, p);
	}
	for (column = 0; found < rows->columns && column < rows->columns; column++)
		if (rows->marks[column] != mark) rows_missing(rows, column, row);
	return p + 1;
}

static const char *read_bare(struct rows *rows, size_t row, const char *p)
{
	struct scan_value value;

	if (rows->columns == 1) return take_cell(rows, 0, row, p);
	value = (struct scan_value){ p, scan_skip(p, rows->end) };
	rows_fault_row(rows, row, value);
	for (size_t column = 0; column < rows->columns; column++)
		rows_leave_out(rows, column, row);
	return value.end;
}

/* Returns where the row ends. */
static const char *read_row(struct rows *rows, size_t row, const char *p)
{
	enum row_shape shape = *p == '[' ? ROW_ARRAY : *p == '{' ? ROW_RECORD : ROW_BARE;

	rows->shapes[row] = (uint8_t)shape;
	if (shape == ROW_ARRAY) return read_array(rows, row, p);
	return shape == ROW_RECORD ? read_record(rows, row, p) : read_bare(rows, row, p);
}

/* Up to max rows of the array; returns how many. */
static size_t read_rows(struct rows *rows, size_t max)
{
	const char *p = rows->at;
	size_t row = 0;

	for (; row < max && *p != ']'; row++)
		p = to_next(read_row(rows, row, p));
	rows->at = p;
	return row;
}

/* The value that is one row, behind which there may be nothing. */
static size_t read_single(struct rows *rows)
{
	read_row(rows, 0, rows->at);
	rows->at = NULL;
	return 1;
}

/* Up to max rows of the array of all cells; returns how many. */
static size_t read_flat(struct rows *rows, size_t max)
{
	const char *p = rows->at;
	size_t row = 0;

	for (; row < max && *p != ']'; row++) {
		rows->shapes[row] = ROW_ARRAY;
		for (size_t column = 0; column < rows->columns; column++, p = to_next(p)) {
			if (*p == ']') {
				rows_fault_width(rows, row, column);
				rows->at = p;
				return row;
			}
			p = take_cell(rows, column, row, p);
		}
	}
	rows->at = p;
	return row;
}

/* ---- columns ---- */

/* Up to max cells of one column; returns how many. */
static size_t read_column(struct rows *rows, size_t column, size_t max)
{
	const char *p = rows->cursors[column];
	size_t row = 0;

	for (; row < max && *p != ']'; row++, p = to_next(p))
		p = take_cell(rows, column, row, p);
	rows->cursors[column] = p;
	return row;
}

static bool is_raw(const struct rows *rows, size_t column)
{
	return rows->tensors && rows->raws[column].tensor;
}

static unsigned long long column_length(const struct rows *rows, size_t column)
{
	unsigned long long length = 0;

	if (is_raw(rows, column)) return rows->raws[column].tensor->shape[0];
	for (const char *p = rows->starts[column]; *p != ']'; p = to_next(scan_skip(p, rows->end)))
		length++;
	return length;
}

/* Every column whose length is not that of the first one is a fault. */
static void fault_lengths(struct rows *rows, size_t first)
{
	unsigned long long wanted = column_length(rows, first);

	for (size_t column = first + 1; column < rows->columns; column++) {
		unsigned long long length = rows->starts[column] ? column_length(rows, column) : wanted;

		if (length != wanted) rows_fault_length(rows, column, length, first, wanted);
	}
}

/* Up to max rows of the object of columns; returns how many, 0 when the columns end differently. */
size_t rows_read_columns(struct rows *rows, size_t max)
{
	size_t first = SIZE_MAX, n = 0;

	for (size_t row = 0; row < max; row++)
		rows->shapes[row] = ROW_OF_COLUMNS;
	for (size_t column = 0; column < rows->columns; column++) {
		size_t read;

		if (!rows->starts[column]) continue;
		read = is_raw(rows, column) ? rows_read_raw(rows, column, max)
					    : read_column(rows, column, max);
		if (first == SIZE_MAX) {
			first = column;
			n = read;
		} else if (read != n) {
			fault_lengths(rows, first);
			return 0;
		}
	}
	for (size_t column = 0; column < rows->columns; column++)
		for (size_t row = 0; row < n && !rows->starts[column]; row++)
			rows_leave_out(rows, column, row);
	return n;
}

/* Is the object's only member all columns together? */
static bool begin_whole(struct rows *rows, struct scan_value value)
{
	struct scan_iter i = scan_begin(value);
	struct scan_value rest;

	if (!scan_next(&i) || !names_whole(rows, i.key, i.value.at)) return false;
	if (encoder_find(rows->encoder, ROWS_WHOLE, strlen(ROWS_WHOLE)) != SIZE_MAX) return false;
	rest = i.value;
	if (scan_next(&i)) return false;
	rows->by_columns = false;
	rows->whole = true;
	rows->at = scan_space(rest.at + 1);
	return true;
}

/* Finds where each column is. */
static int begin_columns(struct rows *rows, struct scan_value value, struct err *e)
{
	struct scan_iter i = scan_begin(value);
	size_t column = SIZE_MAX, found = 0, before = rows->faults->count;

	if (begin_whole(rows, value)) return 0;
	rows->mark++;
	for (size_t c = 0; c < rows->columns; c++)
		rows->starts[c] = NULL;
	while (scan_next(&i)) {
		column = find_column(rows, i.key, column + 1);
		if (rows->no_memory) return err_nomem(e);
		if (column == SIZE_MAX || rows->marks[column] == rows->mark) {
			rows_fault_key(rows, ROWS_NO_ROW, i.key, column != SIZE_MAX);
			continue;
		}
		rows->marks[column] = rows->mark;
		if (scan_kind(i.value) == '[') {
			rows->starts[column] = rows->cursors[column] = scan_space(i.value.at + 1);
			found++;
		} else {
			rows_fault_column(rows, column, "must be an array of values, not %s",
					rows_kind(i.value));
		}
	}
	for (size_t c = 0; c < rows->columns && rows->refuse_missing; c++)
		if (rows->marks[c] != rows->mark)
			rows_fault_column(rows, c,
					"is not there, and this model needs a value in every column");
	if (found) {
		rows->at = value.at;
		return 0;
	}
	if (rows->faults->count == before)
		rows_fault_whole(rows, "has no columns with values; an array of rows would do as well");
	return faults_result(rows->faults, e);
}

/* ---- what rows.h promises ---- */

/* Everything but where to begin. */
int rows_prepare(struct rows *rows, const struct encoder *encoder, struct scan_value value,
		const char *pointer, struct faults *faults, struct err *e)
{
	size_t columns = encoder_columns(encoder), room = ROWS_BLOCK_CELLS / columns;
	int rc;

	rows->encoder = encoder;
	rows->at = NULL;
	rows->count = 0;
	rows->text_used = 0;
	rows->unknown_count = 0;
	if ((rc = reserve_columns(rows, columns, e))) return rc;
	if (rows->text_capacity > TEXT_KEEP_BYTES) {
		free(rows->text);
		rows->text = NULL;
		rows->text_capacity = 0;
	}
	rows->faults = faults;
	rows->pointer = pointer;
	rows->end = value.end;
	rows->value_bytes = (size_t)(value.end - value.at);
	rows->by_columns = rows->single = rows->whole = rows->flat = rows->tensors = false;
	rows->refuse_missing =
			encoder_role(encoder) == ENCODER_TARGETS || encoder_missing(encoder) == MISSING_ERROR;
	rows->no_memory = false;
	rows->floats = NULL;
	rows->drift = NULL;
	rows->columns = columns;
	rows->room = room < 1 ? 1 : room > ROWS_BLOCK_ROWS ? ROWS_BLOCK_ROWS : room;
	for (size_t c = 0; c < columns; c++)
		rows->kinds[c] = (uint8_t)encoder_column(encoder, c)->kind;
	return 0;
}

int rows_begin(struct rows *rows, const struct encoder *encoder, struct scan_value value, const char *pointer,
		struct faults *faults, struct err *e)
{
	int rc = rows_prepare(rows, encoder, value, pointer, faults, e);

	if (rc) return rc;
	rows->by_columns = scan_kind(value) == '{';
	if (rows->by_columns) return begin_columns(rows, value, e);
	if (scan_kind(value) == '[') {
		rows->at = scan_space(value.at + 1);
		return 0;
	}
	rows_fault_whole(rows, "must be an array of rows or an object of columns, not %s", rows_kind(value));
	return faults_result(faults, e);
}

int rows_begin_one(struct rows *rows, const struct encoder *encoder, struct scan_value value,
		const char *pointer, struct faults *faults, struct err *e)
{
	int rc = rows_prepare(rows, encoder, value, pointer, faults, e);

	if (rc) return rc;
	rows->single = true;
	rows->at = value.at;
	return 0;
}

/* The next block of at most max rows; returns how many, 0 at the end of the reading. */
static size_t read_block(struct rows *rows, size_t max)
{
	size_t n = 0;

	if (rows->at && rows->single)
		n = read_single(rows);
	else if (rows->at)
		n = rows->by_columns ? rows_read_columns(rows, max)
		    : rows->flat     ? read_flat(rows, max)
				     : read_rows(rows, max);
	if (rows->no_memory) n = 0;
	if (!n) rows->at = NULL;
	return n;
}

void rows_tally(struct rows *rows, const struct drift *drift, uint64_t *counts)
{
	rows->drift = counts ? drift : NULL;
	rows->counts = counts;
}

int rows_begin_cells(struct rows *rows, const struct encoder *encoder, size_t max, struct faults *faults,
		struct err *e)
{
	static const char nothing[] = "";
	int rc = rows_prepare(rows, encoder, (struct scan_value){ nothing, nothing }, "", faults, e);

	if (rc) return rc;
	if (max < rows->room) rows->room = max;
	rows->put = 0;
	for (size_t column = 0; column < rows->columns; column++)
		rows->places[column] = 0;
	return 0;
}

void rows_place(struct rows *rows, size_t column, size_t place)
{
	rows->places[column] = place;
}

bool rows_placed(const struct rows *rows, size_t column)
{
	return rows->places[column] != 0;
}

void rows_begin_line(struct rows *rows, uint64_t line)
{
	rows->shapes[rows->put] = ROW_LINE;
	rows->lines[rows->put] = line;
	rows->mark++;
}

void rows_put_text(struct rows *rows, size_t column, const char *text, size_t size)
{
	rows->marks[column] = rows->mark;
	rows_cell_text(rows, column, rows->put, text, size);
}

bool rows_end_row(struct rows *rows)
{
	for (size_t column = 0; column < rows->columns; column++)
		if (rows->marks[column] != rows->mark) rows_missing(rows, column, rows->put);
	return ++rows->put == rows->room;
}

size_t rows_take(struct rows *rows, float *x)
{
	size_t n = rows->put;

	rows_encode(rows, n, x);
	rows->count += n;
	rows->put = 0;
	return n;
}

int rows_next(struct rows *rows, size_t max, float *x, size_t *n, struct err *e)
{
	size_t width = encoder_width(rows->encoder);

	for (*n = 0; *n < max;) {
		size_t want = max - *n < rows->room ? max - *n : rows->room;
		size_t got = rows->floats ? rows_put_floats(rows, max - *n, x + *n * width) : 0;

		rows->count += got;
		*n += got;
		if (got) continue;
		if (rows->floats) return 0; /* that were all */
		got = read_block(rows, want);
		if (rows->no_memory) return err_nomem(e);
		if (!got) return 0;
		rows_encode(rows, got, x + *n * width);
		rows->count += got;
		*n += got;
	}
	return 0;
}

static bool reserve_kept(struct rows *rows)
{
	if (rows->columns <= rows->kept_capacity) return true;
	free(rows->kept);
	rows->kept = malloc(rows->columns * sizeof *rows->kept);
	rows->kept_capacity = rows->kept ? rows->columns : 0;
	return rows->kept;
}

bool rows_next_cells(struct rows *rows, const struct table_cell **cells)
{
	size_t n = 0;

	if (!rows->at) return false;
	if (reserve_kept(rows)) {
		rows->keeping = true;
		rows->text_used = 0;
		n = read_block(rows, 1);
		rows->keeping = false;
	} else {
		rows->no_memory = true;
		rows->at = NULL;
	}
	if (rows->no_memory) faults_add(rows->faults, ERR_NOMEM, rows->pointer, "out of memory");
	rows->count += n;
	*cells = rows->kept;
	return n;
}

uint64_t rows_count(const struct rows *rows)
{
	return rows->count;
}

size_t rows_warnings(const struct rows *rows)
{
	return rows->unknown_count;
}

const char *rows_warning(const struct rows *rows, size_t i)
{
	return rows->unknown[i].sentence;
}
