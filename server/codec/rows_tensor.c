/* rows_tensor.c - tensors as rows: one with a row of numbers for each row, or one for each column. See rows.h. */
#include <stdlib.h>
#include <string.h>

#include "server/codec/rows_parts.h"
#include "server/utf8.h"

/* ---- raw cells ---- */

static void raw_text(struct rows *rows, size_t column, size_t row, struct rows_raw *raw)
{
	const char *text;
	size_t size;

	text = tensor_text(&raw->at, &size);
	if (utf8_valid(text, size) == size) {
		rows_cell_text(rows, column, row, text, size);
		return;
	}
	rows_leave_out(rows, column, row);
	rows_fault_cell(rows, column, row, ERR_INVALID, "is not UTF-8");
}

static void raw_truth(struct rows *rows, size_t column, size_t row, bool truth)
{
	if (rows->kinds[column] == COLUMN_CATEGORY)
		rows_cell_text(rows, column, row, truth ? "true" : "false", truth ? 4 : 5);
	else
		rows_cell_number(rows, column, row, truth);
}

size_t rows_read_raw(struct rows *rows, size_t column, size_t max)
{
	struct rows_raw *raw = &rows->raws[column];
	const struct tensor *t = raw->tensor;
	size_t row = 0;

	for (; row < max && raw->next < raw->end; row++, raw->next += raw->stride)
		if (t->type == TENSOR_BYTES)
			raw_text(rows, column, row, raw);
		else if (t->type == TENSOR_BOOL)
			raw_truth(rows, column, row, tensor_number(t, raw->next) != 0);
		else
			rows_cell_number(rows, column, row, tensor_number(t, raw->next));
	return row;
}

/* ---- which tensor is which column ---- */

static bool reserve_raws(struct rows *rows)
{
	if (rows->raws_capacity >= rows->columns) return true;
	free(rows->raws);
	rows->raws = calloc(rows->columns, sizeof *rows->raws);
	rows->raws_capacity = rows->raws ? rows->columns : 0;
	return rows->raws;
}

/* Numbers are no texts, and the other way round. A category takes both: a value may be written as a number. */
static bool type_suits(enum column_kind kind, enum tensor_type type)
{
	if (kind == COLUMN_NUMBER) return type != TENSOR_BYTES;
	return kind == COLUMN_CATEGORY || type != TENSOR_BOOL;
}

static void begin_floats(struct rows *rows, const struct tensor *t)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	rows->floats = t->raw;
	rows->floats_next = 0;
	rows->floats_rows = t->elements / rows->columns;
	for (size_t c = 0; c < rows->columns; c++) {
		rows->shifts[c] = encoder_column(rows->encoder, c)->shift;
		rows->scales[c] = encoder_column(rows->encoder, c)->scale;
	}
#else
	(void)rows;
	(void)t;
#endif
}

/* From now on cell by cell. */
static void end_floats(struct rows *rows)
{
	for (size_t c = 0; c < rows->columns; c++)
		rows->raws[c].next = rows->floats_next * rows->columns + c;
	rows->floats = NULL;
}

static void tally_floats(struct rows *rows, size_t n)
{
	for (uint64_t row = rows->floats_next; row < rows->floats_next + n; row++) {
		const unsigned char *cell = rows->floats + row * rows->columns * sizeof(float);

		if (!rows_is_tallied(rows, row)) continue;
		for (size_t c = 0; c < rows->columns; c++, cell += sizeof(float)) {
			double number;
			float x;

			memcpy(&x, cell, sizeof x);
			number = x;
			drift_numbers(rows->drift, c, &number, 1, rows->counts);
		}
	}
}

size_t rows_put_floats(struct rows *rows, size_t max, float *x)
{
	size_t columns = rows->columns, n = max;
	uint64_t left = rows->floats_rows - rows->floats_next;

	if (left < n) n = (size_t)left;
	if (!n) return 0;
	if (!encoder_put_rows(rows->shifts, rows->scales, columns,
			    rows->floats + rows->floats_next * columns * sizeof *x, n, x)) {
		end_floats(rows);
		return 0;
	}
	if (rows->drift && !rows->faults->count) tally_floats(rows, n);
	rows->floats_next += n;
	return n;
}

/* All numbers in one tensor of [rows, columns], or of [columns] for one row. */
static int begin_whole(struct rows *rows, const struct tensor *t, struct err *e)
{
	uint64_t columns = t->shape[t->dims - 1];

	if (t->dims > 2 || columns != rows->columns)
		rows_fault_whole(rows, "must have the shape [rows, %zu]", rows->columns);
	else if (t->type == TENSOR_BYTES)
		rows_fault_whole(rows, "has numbers as inputs, and its datatype is BYTES");
	if (rows->faults->count) return faults_result(rows->faults, e);
	rows->tensors = rows->by_columns = t->raw != NULL;
	if (t->raw && t->type == TENSOR_FP32 && !t->by_columns) begin_floats(rows, t);
	if (t->raw) {
		rows->at = (const char *)t->raw;
		for (size_t c = 0; c < rows->columns; c++) {
			rows->raws[c] = t->by_columns ? (struct rows_raw){ t, c * t->shape[0], 1,
				(c + 1) * t->shape[0], NULL }
						      : (struct rows_raw){ t, c, columns, t->elements, NULL };
			rows->starts[c] = (const char *)t->raw;
		}
		return 0;
	}
	rows->at = scan_space(t->data.at + 1);
	rows->flat = *rows->at != '[';
	return 0;
}

/* The array whose items are the cells: of [[1],[2]] as of [1,2]. */
static void begin_column(struct rows *rows, size_t column, const struct tensor *t)
{
	rows->raws[column] = (struct rows_raw){ t->raw ? t : NULL, 0, 1, t->elements, t->raw };
	if (t->raw)
		rows->starts[column] = (const char *)t->raw;
	else
		rows->starts[column] = rows->cursors[column] = scan_space(t->data.at + 1);
}

static bool check_column(struct rows *rows, size_t column, const struct tensor *t, uint64_t n)
{
	enum column_kind kind = rows->kinds[column];

	if (t->dims > 2 || (t->dims == 2 && t->shape[1] != 1))
		rows_fault_column(rows, column, "must have the shape [rows, 1]");
	else if (t->shape[0] != n)
		rows_fault_column(rows, column, "has %llu row%s, and the first tensor has %llu",
				(unsigned long long)t->shape[0], t->shape[0] == 1 ? "" : "s",
				(unsigned long long)n);
	else if (!type_suits(kind, t->type))
		rows_fault_column(rows, column,
				kind == COLUMN_NUMBER ? "is of numbers, and its datatype is %s"
						      : "is of texts, and its datatype is %s",
				tensor_type_name(t->type));
	else
		return true;
	return false;
}

static bool is_column(struct rows *rows, const struct tensor *t)
{
	size_t size;
	const char *name = rows_text(rows, t->name, &size);

	return name && encoder_find(rows->encoder, name, size) != SIZE_MAX;
}

/* One of the names is no column's. Says so once where the tensors are meant as all columns in one, or where they should be:
 * every column would be found missing besides. False: nothing is said. */
static bool fault_names(struct rows *rows, const struct tensor *tensors, size_t count)
{
	bool whole = rows_take_whole(rows->encoder), columns = false, called = false, seen = false;

	for (size_t i = 0; i < count; i++)
		if (is_column(rows, &tensors[i]))
			columns = true;
		else
			called |= scan_equals(tensors[i].name, ROWS_WHOLE);
	if (!called && (!whole || columns)) return false;
	for (size_t i = 0; i < count && whole; i++)
		if (!scan_equals(tensors[i].name, ROWS_WHOLE))
			rows_fault_beside(rows, tensors[i].name);
		else if (seen)
			rows_fault_key(rows, ROWS_NO_ROW, tensors[i].name, true);
		else
			seen = true;
	if (!whole) rows_fault_parted(rows);
	return true;
}

static int begin_columns(struct rows *rows, const struct tensor *tensors, size_t count, struct err *e)
{
	size_t found = 0;
	bool told = false;

	rows->mark++;
	for (size_t i = 0; i < count; i++) {
		size_t size, column;
		const char *name = rows_text(rows, tensors[i].name, &size);

		if (!name) return err_nomem(e);
		column = encoder_find(rows->encoder, name, size);
		told = column == SIZE_MAX && fault_names(rows, tensors, count);
		if (told) break;
		if (column == SIZE_MAX || rows->marks[column] == rows->mark) {
			rows_fault_key(rows, ROWS_NO_ROW, tensors[i].name, column != SIZE_MAX);
			continue;
		}
		rows->marks[column] = rows->mark;
		found++;
		if (check_column(rows, column, &tensors[i], tensors[0].shape[0]))
			begin_column(rows, column, &tensors[i]);
	}
	for (size_t c = 0; c < rows->columns && found < rows->columns && !told; c++)
		if (rows->marks[c] != rows->mark) rows_fault_column(rows, c, "is not among the inputs");
	if (rows->no_memory) return err_nomem(e);
	if (rows->faults->count) return faults_result(rows->faults, e);
	rows->at = tensors[0].raw ? (const char *)tensors[0].raw : tensors[0].data.at;
	rows->tensors = rows->by_columns = true;
	return 0;
}

bool rows_take_whole(const struct encoder *encoder)
{
	for (size_t i = 0; i < encoder_columns(encoder); i++)
		if (encoder_column(encoder, i)->kind != COLUMN_NUMBER) return false;
	return true;
}

int rows_begin_tensors(struct rows *rows, const struct encoder *encoder, const struct tensor *tensors,
		size_t count, struct scan_value body, const char *pointer, struct faults *faults,
		struct err *e)
{
	int rc = rows_prepare(rows, encoder, body, pointer, faults, e);

	if (rc) return rc;
	if (!reserve_raws(rows)) return err_nomem(e);
	if (count == 1 && rows_take_whole(encoder) && scan_equals(tensors[0].name, ROWS_WHOLE))
		return begin_whole(rows, &tensors[0], e);
	return begin_columns(rows, tensors, count, e);
}
