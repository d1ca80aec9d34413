/* cells.c - stored segments and dictionaries become cells again. See cells.h. */
#include "server/api/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/date.h"
#include "server/codec/segment.h"

_Static_assert(DATE_PRINT_MAX <= CELL_TEXT_MAX, "a date fits the room for a text");

struct stored {
	enum column_type type;
	struct dictionary dictionary; /* of codes, once a segment was read */
	bool has_dictionary;
	double *numbers; /* (room): one of the two */
	uint32_t *codes;
};

struct cells {
	struct store *store;
	int64_t revision, dictionaries;
	struct stored *columns; /* (count) */
	size_t count, rows, room;
	struct store_bytes bytes;
};

static int read_dictionary(struct cells *cells, size_t column, struct err *e)
{
	struct stored *to = &cells->columns[column];
	int rc;

	if (to->has_dictionary || !column_type_has_codes(to->type)) return 0;
	rc = cells->store->dictionary_read(cells->store, cells->dictionaries, column, &cells->bytes, e);
	if (!rc) rc = dictionary_read(cells->bytes.data, cells->bytes.size, &to->dictionary, e);
	to->has_dictionary = !rc;
	return rc;
}

int cells_new(struct cells **out, struct store *store, int64_t revision, int64_t dictionaries,
		const json_t *columns, struct err *e)
{
	struct cells *cells = calloc(1, sizeof *cells);
	size_t count = json_array_size(columns);
	int rc = 0;

	*out = NULL;
	if (!cells || !(cells->columns = calloc(count + 1, sizeof *cells->columns))) {
		free(cells);
		return err_nomem(e);
	}
	cells->store = store;
	cells->revision = revision;
	cells->dictionaries = dictionaries;
	cells->count = count;
	for (size_t i = 0; i < count && !rc; i++) {
		const char *type = json_string_value(json_object_get(json_array_get(columns, i), "type"));

		if (!type || !column_type_find(type, &cells->columns[i].type))
			rc = err_set(e, ERR_CORRUPT,
					"the stored description of the columns is damaged; send the data set again");
	}
	if (rc)
		cells_free(cells);
	else
		*out = cells;
	return rc;
}

static void free_room(struct cells *cells)
{
	for (size_t i = 0; i < cells->count; i++) {
		free(cells->columns[i].numbers);
		free(cells->columns[i].codes);
		cells->columns[i].numbers = NULL;
		cells->columns[i].codes = NULL;
	}
	cells->room = 0;
}

void cells_free(struct cells *cells)
{
	if (!cells) return;
	free_room(cells);
	for (size_t i = 0; i < cells->count; i++)
		dictionary_clear(&cells->columns[i].dictionary);
	free(cells->columns);
	store_bytes_clear(&cells->bytes);
	free(cells);
}

/* ---- reading ---- */

static int make_room(struct cells *cells, struct stored *column, size_t rows, struct err *e)
{
	if (rows > cells->room) {
		free_room(cells);
		cells->room = rows;
	}
	if (column->numbers || column->codes) return 0;
	if (column_type_has_codes(column->type))
		column->codes = calloc(cells->room + 1, sizeof *column->codes);
	else
		column->numbers = calloc(cells->room + 1, sizeof *column->numbers);
	return column->numbers || column->codes ? 0 : err_nomem(e);
}

int cells_read_column(struct cells *cells, uint64_t group, size_t column, struct err *e)
{
	struct store_bytes *bytes = &cells->bytes;
	struct stored *to = &cells->columns[column];
	int rc = read_dictionary(cells, column, e);

	if (!rc) rc = cells->store->segment_read(cells->store, cells->revision, group, column, bytes, e);
	if (rc || (rc = segment_rows(bytes->data, bytes->size, &cells->rows, e))) return rc;
	if ((rc = make_room(cells, to, cells->rows, e))) return rc;
	if (!to->codes) return segment_read_numbers(bytes->data, bytes->size, to->numbers, e);
	return segment_read_codes(bytes->data, bytes->size, (uint32_t)to->dictionary.count, to->codes, e);
}

int cells_read(struct cells *cells, uint64_t group, struct err *e)
{
	size_t rows = 0;
	int rc;

	for (size_t i = 0; i < cells->count; i++) {
		if ((rc = cells_read_column(cells, group, i, e))) return rc;
		if (i && cells->rows != rows)
			return err_set(e, ERR_CORRUPT, "the columns of a stored row group differ in length");
		rows = cells->rows;
	}
	return 0;
}

size_t cells_rows(const struct cells *cells)
{
	return cells->rows;
}

/* ---- cells ---- */

void cells_get(const struct cells *cells, size_t column, size_t row, struct table_cell *out)
{
	const struct stored *from = &cells->columns[column];
	uint32_t code;

	*out = (struct table_cell){ .kind = TABLE_MISSING };
	if (from->numbers) {
		out->number = from->numbers[row];
		if (!isnan(out->number)) out->kind = TABLE_NUMBER;
		return;
	}
	if ((code = from->codes[row]) == SEGMENT_CODE_MISSING) return;
	out->kind = from->type == TYPE_BOOLEAN ? TABLE_BOOLEAN : TABLE_TEXT;
	out->number = code;
	out->text = from->dictionary.values[code];
	out->size = from->dictionary.lengths[code];
}

const char *cells_text(
		const struct cells *cells, size_t column, size_t row, char room[CELL_TEXT_MAX], size_t *n)
{
	struct table_cell cell;

	cells_get(cells, column, row, &cell);
	*n = cell.size;
	if (cell.kind == TABLE_MISSING) return NULL;
	if (cell.text) return cell.text;
	*n = cells->columns[column].type == TYPE_DATE
			     ? date_print(cell.number, room)
			     : number_print_double(cell.number + 0.0, room); /* -0 is 0 */
	return room;
}

enum column_type cells_type(const struct cells *cells, size_t column)
{
	return cells->columns[column].type;
}
