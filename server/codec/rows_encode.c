/* rows_encode.c - a block of cells into a network's numbers, and what is counted of it for drift. See rows_parts.h. */
#include "server/codec/rows_parts.h"

/* One column of a block of n rows into x; what cannot be encoded is a fault, and the rows behind it go on. */
static void encode_column(struct rows *rows, size_t column, size_t n, float *x, size_t width)
{
	size_t start = 0, row = 0;
	struct err why;

	while (start < n) {
		int rc = encoder_is_numeric(rows->kinds[column])
					 ? encoder_put_numbers(rows->encoder, column,
							   rows_numbers(rows, column) + start, n - start,
							   x + start * width, width, &row, &why)
					 : encoder_put_slots(rows->encoder, column,
							   rows_slots(rows, column) + start, n - start,
							   x + start * width, width, &row, &why);

		if (!rc) return;
		rows_fault_cell(rows, column, start + row, rc, "%s", why.text);
		start += row + 1;
	}
}

bool rows_is_tallied(const struct rows *rows, uint64_t row)
{
	return row * rows->columns < TALLY_CELLS || row % TALLY_STEP == 0;
}

static void tally_cells(struct rows *rows, size_t column, size_t row, size_t n)
{
	if (encoder_is_numeric(rows->kinds[column]))
		drift_numbers(rows->drift, column, rows_numbers(rows, column) + row, n, rows->counts);
	else
		drift_slots(rows->drift, column, rows_slots(rows, column) + row, n, rows->counts);
}

/* A block of n rows without a fault so far. */
static void tally(struct rows *rows, size_t n)
{
	bool all = rows_is_tallied(rows, rows->count) && rows_is_tallied(rows, rows->count + 1) &&
		   rows_is_tallied(rows, rows->count + n - 1);

	for (size_t column = 0; column < rows->columns; column++) {
		if (all) tally_cells(rows, column, 0, n);
		for (size_t row = 0; row < n && !all; row++)
			if (rows_is_tallied(rows, rows->count + row)) tally_cells(rows, column, row, 1);
	}
}

void rows_encode(struct rows *rows, size_t n, float *x)
{
	for (size_t column = 0; column < rows->columns; column++)
		encode_column(rows, column, n, x, encoder_width(rows->encoder));
	if (rows->drift && !rows->faults->count) tally(rows, n);
}
