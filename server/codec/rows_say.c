/* rows_say.c - what the reader of rows has to say: faults with their pointers, and values never seen. See rows.h and
 * rows_parts.h.
 *
 * A body may have a fault in every cell. Once FAULTS_MAX are kept, or memory has failed and what is found means
 * nothing, no sentence is made any more.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/rows_parts.h"

#define QUOTE_BYTES 64                    /* of a user's text in a sentence, with the NUL */
#define LIST_BYTES  160                   /* of names in a sentence, with the NUL */
#define HASH_START  14695981039346656037u /* FNV-1a, 64 bits */
#define HASH_PRIME  1099511628211u

/* ---- pieces of sentences ---- */

/* The text, or as many of its whole characters as fit and "...". */
static const char *cut(char out[QUOTE_BYTES], const char *text, size_t size)
{
	const char *more = "";

	if (size >= QUOTE_BYTES) {
		more = "...";
		size = QUOTE_BYTES - sizeof "...";
		while (size && ((unsigned char)text[size] & 0xC0) == 0x80)
			size--;
	}
	memcpy(out, text, size);
	strcpy(out + size, more);
	return out;
}

/* Appends name i to "a, b, c"; false: it does not fit, and the list ends with "...". */
static bool list(char out[LIST_BYTES], const char *name, size_t i)
{
	size_t used = i ? strlen(out) : 0;
	char piece[QUOTE_BYTES];

	cut(piece, name, strlen(name));
	if (used + strlen(piece) + sizeof ", , ..." > LIST_BYTES) {
		strcpy(out + used, ", ...");
		return false;
	}
	sprintf(out + used, "%s%s", i ? ", " : "", piece);
	return true;
}

static const char *list_columns(const struct rows *rows, char out[LIST_BYTES])
{
	size_t i = 0;

	while (i < rows->columns && list(out, encoder_column(rows->encoder, i)->name, i))
		i++;
	return out;
}

static const char *list_classes(const struct encoder_column *target, char out[LIST_BYTES])
{
	size_t i = 0;

	while (i < target->values_count && list(out, target->values[i], i))
		i++;
	return out;
}

const char *rows_kind(struct scan_value value)
{
	switch (scan_kind(value)) {
	case '{': return "an object";
	case '[': return "an array";
	case '"': return "a string";
	case 't': return "true";
	case 'f': return "false";
	case 'n': return "null";
	default: return "a number";
	}
}

static const char *side(const struct rows *rows)
{
	return encoder_role(rows->encoder) == ENCODER_TARGETS ? "output" : "input";
}

/* ---- pointers ---- */

static const char *row_pointer(const struct rows *rows, size_t row, char out[FAULT_POINTER_BYTES])
{
	if (rows->single)
		strcpy(out, rows->pointer);
	else
		pointer_index(out, rows->whole ? pointer_join(out, rows->pointer, ROWS_WHOLE) : rows->pointer,
				(size_t)rows->count + row);
	return rows->shapes[row] == ROW_WHOLE ? pointer_join(out, out, ROWS_WHOLE) : out;
}

static const char *cell_pointer(
		const struct rows *rows, size_t column, size_t row, char out[FAULT_POINTER_BYTES])
{
	const char *name = encoder_column(rows->encoder, column)->name;

	if (rows->shapes[row] == ROW_OF_COLUMNS)
		return pointer_index(out, pointer_join(out, rows->pointer, name), (size_t)rows->count + row);
	row_pointer(rows, row, out);
	if (rows->shapes[row] == ROW_ARRAY || rows->shapes[row] == ROW_WHOLE)
		return pointer_index(out, out, column);
	return rows->shapes[row] == ROW_RECORD ? pointer_join(out, out, name) : out;
}

/* ---- faults ---- */

/* Need no sentence be made? Then the fault is counted. */
static bool enough(struct rows *rows)
{
	if (rows->no_memory) return true;
	if (rows->faults->count < FAULTS_MAX) return false;
	rows->faults->more++;
	return true;
}

static struct fault *add(
		struct rows *rows, enum err_code code, const char *pointer, const char *format, va_list args)
{
	char detail[FAULT_DETAIL_BYTES];

	vsnprintf(detail, sizeof detail, format, args);
	return faults_add(rows->faults, code, pointer, "%s", detail);
}

void rows_fault_cell(
		struct rows *rows, size_t column, size_t row, enum err_code code, const char *format, ...)
{
	bool line = rows->shapes[row] == ROW_LINE;
	char pointer[FAULT_POINTER_BYTES];
	struct fault *fault;
	va_list args;

	if (enough(rows)) return;
	va_start(args, format);
	fault = add(rows, code, line ? "" : cell_pointer(rows, column, row, pointer), format, args);
	va_end(args);
	if (!line || !fault) return;
	fault->line = rows->lines[row];
	fault->column = rows->places[column];
}

void rows_fault_column(struct rows *rows, size_t column, const char *format, ...)
{
	char pointer[FAULT_POINTER_BYTES];
	va_list args;

	if (enough(rows)) return;
	pointer_join(pointer, rows->pointer, encoder_column(rows->encoder, column)->name);
	va_start(args, format);
	add(rows, ERR_INVALID, pointer, format, args);
	va_end(args);
}

void rows_fault_length(struct rows *rows, size_t column, unsigned long long length, size_t other,
		unsigned long long wanted)
{
	const char *full = encoder_column(rows->encoder, other)->name;
	char name[QUOTE_BYTES];

	if (enough(rows)) return;
	rows_fault_column(rows, column,
			"has %llu value%s, but \"%s\" has %llu; all columns must be of one length", length,
			length == 1 ? "" : "s", cut(name, full, strlen(full)), wanted);
}

void rows_fault_whole(struct rows *rows, const char *format, ...)
{
	va_list args;

	if (enough(rows)) return;
	va_start(args, format);
	add(rows, ERR_INVALID, rows->pointer, format, args);
	va_end(args);
}

static const char *const wanted[COLUMN_KINDS] = {
	[COLUMN_NUMBER] = "a number",
	[COLUMN_CATEGORY] = "a string or a number",
	[COLUMN_DATE] = "a date, as \"2024-02-29\" or \"2024-02-29T13:05:00Z\"",
};

void rows_fault_text(struct rows *rows, size_t column, size_t row, const char *text, size_t size)
{
	char quoted[QUOTE_BYTES];

	if (enough(rows)) return;
	rows_fault_cell(rows, column, row, ERR_INVALID, "must be %s, not \"%s\"", wanted[rows->kinds[column]],
			cut(quoted, text, size));
}

void rows_fault_value(struct rows *rows, size_t column, size_t row, struct scan_value value, const char *text,
		size_t size)
{
	if (scan_kind(value) == '"')
		rows_fault_text(rows, column, row, text, size);
	else
		rows_fault_cell(rows, column, row, ERR_INVALID, "must be %s, not %s",
				wanted[rows->kinds[column]], rows_kind(value));
}

void rows_fault_class(struct rows *rows, size_t column, size_t row, const char *text, size_t size)
{
	const struct encoder_column *target = encoder_column(rows->encoder, column);
	char value[QUOTE_BYTES], name[QUOTE_BYTES], classes[LIST_BYTES];

	if (enough(rows)) return;
	rows_fault_cell(rows, column, row, ERR_INVALID, "\"%s\" is none of the %zu classes of %s: %s",
			cut(value, text, size), target->values_count,
			cut(name, target->name, strlen(target->name)), list_classes(target, classes));
}

void rows_fault_row(struct rows *rows, size_t row, struct scan_value value)
{
	char pointer[FAULT_POINTER_BYTES];

	if (enough(rows)) return;
	faults_add(rows->faults, ERR_INVALID, row_pointer(rows, row, pointer),
			"must be an array of %zu value%s or an object of values by name, not %s",
			rows->columns, rows->columns == 1 ? "" : "s", rows_kind(value));
}

void rows_fault_width(struct rows *rows, size_t row, size_t count)
{
	char pointer[FAULT_POINTER_BYTES], names[LIST_BYTES];

	if (enough(rows)) return;
	faults_add(rows->faults, ERR_INVALID, row_pointer(rows, row, pointer),
			"has %zu value%s; the model has %zu %s%s: %s", count, count == 1 ? "" : "s",
			rows->columns, side(rows), rows->columns == 1 ? "" : "s", list_columns(rows, names));
}

/* The column that was probably meant by a name, or NULL. */
static const char *meant(const struct rows *rows, const char *name)
{
	const char **names = malloc((rows->columns + 1) * sizeof *names), *found;

	if (!names) return NULL;
	for (size_t i = 0; i < rows->columns; i++)
		names[i] = encoder_column(rows->encoder, i)->name;
	names[rows->columns] = NULL;
	found = did_you_mean(name, names);
	free(names);
	return found;
}

void rows_fault_key(struct rows *rows, size_t row, struct scan_value key, bool twice)
{
	char pointer[FAULT_POINTER_BYTES], name[QUOTE_BYTES];
	const char *text, *guess;
	size_t size;

	if (enough(rows) || !(text = rows_text(rows, key, &size))) return;
	cut(name, text, size);
	pointer_join(pointer, row == ROWS_NO_ROW ? rows->pointer : row_pointer(rows, row, pointer), name);
	if (twice)
		faults_add(rows->faults, ERR_DUPLICATE_KEY, pointer, "is there twice");
	else if ((guess = meant(rows, name)))
		faults_add(rows->faults, ERR_UNKNOWN_FIELD, pointer,
				"the model has no %s of that name; did you mean \"%s\"?", side(rows), guess);
	else
		faults_add(rows->faults, ERR_UNKNOWN_FIELD, pointer, "the model has no %s of that name",
				side(rows));
}

void rows_fault_beside(struct rows *rows, struct scan_value key)
{
	char pointer[FAULT_POINTER_BYTES], name[QUOTE_BYTES];
	const char *text;
	size_t size;

	if (enough(rows) || !(text = rows_text(rows, key, &size))) return;
	pointer_join(pointer, rows->pointer, cut(name, text, size));
	if (encoder_find(rows->encoder, text, size) != SIZE_MAX)
		faults_add(rows->faults, ERR_INVALID, pointer,
				"goes without \"" ROWS_WHOLE "\", which has all inputs");
	else
		faults_add(rows->faults, ERR_UNKNOWN_FIELD, pointer,
				"the model has no input of that name; all of them are one tensor, \"" ROWS_WHOLE
				"\"");
}

void rows_fault_parted(struct rows *rows)
{
	char pointer[FAULT_POINTER_BYTES], names[LIST_BYTES];

	if (enough(rows)) return;
	faults_add(rows->faults, ERR_UNKNOWN_FIELD, pointer_join(pointer, rows->pointer, ROWS_WHOLE),
			"the model has a tensor for each input, as not all are numbers: %s",
			list_columns(rows, names));
}

/* ---- values never seen ---- */

static uint64_t hash_text(const char *text, size_t size)
{
	uint64_t hash = HASH_START;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * HASH_PRIME;
	return hash;
}

void rows_warn_unknown(struct rows *rows, size_t column, const char *text, size_t size)
{
	struct rows_unknown *unknown = &rows->unknown[rows->unknown_count];
	char name[QUOTE_BYTES], value[QUOTE_BYTES];
	const char *full;
	uint64_t hash;

	if (rows->unknown_count == ROWS_UNKNOWN_MAX) return;
	hash = hash_text(text, size);
	for (size_t i = 0; i < rows->unknown_count; i++)
		if (rows->unknown[i].hash == hash && rows->unknown[i].column == column) return;
	full = encoder_column(rows->encoder, column)->name;
	unknown->column = column;
	unknown->hash = hash;
	snprintf(unknown->sentence, sizeof unknown->sentence,
			"%s \"%s\" was not in the training data and is read as \"other\"",
			cut(name, full, strlen(full)), cut(value, text, size));
	rows->unknown_count++;
}
