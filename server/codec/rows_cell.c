/* rows_cell.c - one cell of JSON as its column needs it: a number, a slot, or nothing. See rows.h for what is taken
 * for what, and rows_parts.h for where cells go.
 *
 * Whatever a cell is, its place in the block is filled; a cell that makes a fault is left out there.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/date.h"
#include "server/codec/number.h"
#include "server/codec/rows_parts.h"

#define TOO_LARGE "is too large for a number"

/* ---- places ---- */

/* A decoded text that is kept is not written over by the next. */
static void keep(struct rows *rows, size_t column, struct table_cell cell)
{
	if (!rows->keeping) return;
	rows->kept[column] = cell;
	if (rows->text && cell.text == rows->text + rows->text_used) rows->text_used += cell.size;
}

void rows_leave_out(struct rows *rows, size_t column, size_t row)
{
	bool refused = rows->refuse_missing;

	if (encoder_is_numeric(rows->kinds[column]))
		rows_numbers(rows, column)[row] = refused ? 0 : (double)NAN;
	else
		rows_slots(rows, column)[row] = refused ? 0 : SLOT_MISSING;
	keep(rows, column, (struct table_cell){ .kind = TABLE_MISSING });
}

void rows_missing(struct rows *rows, size_t column, size_t row)
{
	rows_leave_out(rows, column, row);
	if (rows->refuse_missing)
		rows_fault_cell(rows, column, row, ERR_INVALID,
				"has no value, and this model needs one in every column");
}

static void put_number(struct rows *rows, size_t column, size_t row, struct table_cell cell)
{
	rows_numbers(rows, column)[row] = cell.number;
	keep(rows, column, cell);
}

void rows_round_once(struct rows *rows, size_t column, const char *text, const char *end, double *number)
{
	const struct encoder_column *shown = encoder_column(rows->encoder, column);
	float nearest;

	if (shown->shift != 0 || shown->scale != 1) return;
	if (number_read_cell_float(text, (size_t)(end - text), &nearest) != CELL_NUMBER) return;
	if ((float)*number != nearest) *number = nextafter(*number, (double)nearest);
}

static void put_text(
		struct rows *rows, size_t column, size_t row, uint32_t slot, const char *text, size_t size)
{
	const struct encoder_column *shown = encoder_column(rows->encoder, column);
	struct table_cell cell = { .kind = TABLE_TEXT, .text = text, .size = size };

	/* A bucket that no training row fell into: the value was not among them. */
	if (!shown->values && shown->rows && !encoder_has_seen(rows->encoder, column, slot))
		slot = SLOT_OTHER;
	if (slot == SLOT_OTHER && encoder_role(rows->encoder) == ENCODER_TARGETS) {
		rows_leave_out(rows, column, row);
		rows_fault_class(rows, column, row, text, size);
		return;
	}
	if (slot == SLOT_OTHER) {
		rows_warn_unknown(rows, column, text, size);
	} else if (rows->keeping && shown->values) {
		cell.text = shown->values[slot];
		cell.size = strlen(cell.text);
	}
	rows_slots(rows, column)[row] = slot;
	keep(rows, column, cell);
}

/* ---- texts ---- */

/* No strings of a value are longer together than the value: one allocation of that size does for all, and only what
 * is written to becomes resident. */
static bool reserve_text(struct rows *rows)
{
	if (rows->value_bytes <= rows->text_capacity) return true;
	free(rows->text);
	rows->text = malloc(rows->value_bytes);
	rows->text_capacity = rows->text ? rows->value_bytes : 0;
	return rows->text;
}

const char *rows_text(struct rows *rows, struct scan_value string, size_t *size)
{
	size_t bytes = (size_t)(string.end - string.at);
	const char *text;

	if (memchr(string.at, '\\', bytes) && !reserve_text(rows)) {
		rows->no_memory = true;
		return NULL;
	}
	*size = scan_string(string, &text, rows->text ? rows->text + rows->text_used : NULL);
	return text;
}

/* ---- a cell of each kind of column ---- */

static void number_cell(struct rows *rows, size_t column, size_t row, struct scan_value value)
{
	struct table_cell cell = { .kind = TABLE_NUMBER, .text = value.at };

	cell.size = (size_t)(value.end - value.at);
	switch (scan_kind(value)) {
	case 't':
	case 'f':
		cell.number = *value.at == 't';
		cell.text = cell.number != 0 ? "1" : "0";
		cell.size = 1;
		put_number(rows, column, row, cell);
		return;
	case 'n': rows_missing(rows, column, row); return;
	case '"':
		if (!(cell.text = rows_text(rows, value, &cell.size))) return;
		if (table_says_missing(cell.text, cell.size)) {
			rows_missing(rows, column, row);
			return;
		}
		break;
	default: break;
	}
	if (number_read_cell(cell.text, cell.size, &cell.number) != CELL_NUMBER) {
		rows_leave_out(rows, column, row);
		rows_fault_value(rows, column, row, value, cell.text, cell.size);
	} else if (!isfinite(cell.number)) {
		rows_leave_out(rows, column, row);
		rows_fault_cell(rows, column, row, ERR_RANGE, TOO_LARGE);
	} else {
		if (rows_between_floats(cell.number) && !rows->keeping)
			rows_round_once(rows, column, cell.text, cell.text + cell.size, &cell.number);
		put_number(rows, column, row, cell);
	}
}

/* The slot of a number as a category's value: as it is written, else in its shortest form. */
static uint32_t slot_of_number(const struct rows *rows, size_t column, const char *text, size_t size)
{
	uint32_t slot = encoder_slot(rows->encoder, column, text, size);
	char shortest[NUMBER_PRINT_MAX];
	double number;

	if (slot != SLOT_OTHER || !number_parse_double(text, size, &number) || !isfinite(number)) return slot;
	return encoder_slot(rows->encoder, column, shortest, number_print_double(number, shortest));
}

/* A word for a missing cell was none of the values of a data set, but may be one of a definition's. */
static bool category_missing(const struct rows *rows, size_t column, const char *text, size_t size)
{
	if (!table_says_missing(text, size)) return false;
	return !size || !encoder_column(rows->encoder, column)->values ||
	       encoder_slot(rows->encoder, column, text, size) == SLOT_OTHER;
}

static void category_cell(struct rows *rows, size_t column, size_t row, struct scan_value value)
{
	const char *text = value.at;
	size_t size = (size_t)(value.end - value.at);

	switch (scan_kind(value)) {
	case '0': put_text(rows, column, row, slot_of_number(rows, column, text, size), text, size); return;
	case '"':
		if (!(text = rows_text(rows, value, &size))) return;
		if (!category_missing(rows, column, text, size)) break;
		rows_missing(rows, column, row);
		return;
	case 'n': rows_missing(rows, column, row); return;
	case '{':
	case '[':
		rows_leave_out(rows, column, row);
		rows_fault_value(rows, column, row, value, text, size);
		return;
	default: break; /* true, false */
	}
	put_text(rows, column, row, encoder_slot(rows->encoder, column, text, size), text, size);
}

static void date_cell(struct rows *rows, size_t column, size_t row, struct scan_value value)
{
	struct table_cell cell = { .kind = TABLE_NUMBER };
	const char *text = NULL;
	size_t size = 0;

	if (scan_kind(value) == '"' && !(text = rows_text(rows, value, &size))) return;
	if (scan_kind(value) == 'n' || (text && table_says_missing(text, size))) {
		rows_missing(rows, column, row);
	} else if (text && date_read(text, size, &cell.number)) {
		put_number(rows, column, row, cell);
	} else {
		rows_leave_out(rows, column, row);
		rows_fault_value(rows, column, row, value, text ? text : value.at,
				text ? size : (size_t)(value.end - value.at));
	}
}

static bool read_text(const struct rows *rows, size_t column, const char *text, size_t size, double *number)
{
	if (rows->kinds[column] == COLUMN_DATE) return date_read(text, size, number);
	return number_read_cell(text, size, number) == CELL_NUMBER;
}

void rows_cell_text(struct rows *rows, size_t column, size_t row, const char *text, size_t size)
{
	double number;

	if (rows->kinds[column] == COLUMN_CATEGORY) {
		if (category_missing(rows, column, text, size))
			rows_missing(rows, column, row);
		else
			put_text(rows, column, row, encoder_slot(rows->encoder, column, text, size), text,
					size);
	} else if (table_says_missing(text, size)) {
		rows_missing(rows, column, row);
	} else if (!read_text(rows, column, text, size, &number)) {
		rows_leave_out(rows, column, row);
		rows_fault_text(rows, column, row, text, size);
	} else if (!isfinite(number)) {
		rows_leave_out(rows, column, row);
		rows_fault_cell(rows, column, row, ERR_RANGE, TOO_LARGE);
	} else {
		if (rows_between_floats(number)) rows_round_once(rows, column, text, text + size, &number);
		rows_numbers(rows, column)[row] = number;
	}
}

void rows_cell_number(struct rows *rows, size_t column, size_t row, double number)
{
	char text[NUMBER_PRINT_MAX];
	size_t size;

	if (isnan(number)) {
		rows_missing(rows, column, row);
	} else if (isinf(number)) {
		rows_leave_out(rows, column, row);
		rows_fault_cell(rows, column, row, ERR_RANGE, "is infinite");
	} else if (encoder_is_numeric(rows->kinds[column])) {
		rows_numbers(rows, column)[row] = number;
	} else {
		size = number_print_double(number, text);
		put_text(rows, column, row, encoder_slot(rows->encoder, column, text, size), text, size);
	}
}

/* The item of an array of one; the array itself when it has none or more. */
static struct scan_value only_item(struct scan_value array)
{
	struct scan_iter i = scan_begin(array);
	struct scan_value item = array;

	if (scan_next(&i)) item = i.value;
	return scan_next(&i) ? array : item;
}

static void (*const cells[COLUMN_KINDS])(
		struct rows *rows, size_t column, size_t row, struct scan_value value) = {
	[COLUMN_NUMBER] = number_cell,
	[COLUMN_CATEGORY] = category_cell,
	[COLUMN_DATE] = date_cell,
};

const char *rows_cell(struct rows *rows, size_t column, size_t row, const char *p)
{
	struct scan_value value = { p, scan_skip(p, rows->end) }, inner = value;

	if (scan_kind(value) == '[') inner = only_item(value);
	cells[rows->kinds[column]](rows, column, row, inner);
	return value.end;
}
