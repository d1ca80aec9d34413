/* table_column.c - one column: what a cell is, where it is kept, and the segments that become of it.
 *
 * A column that was not declared starts as a number. Its first word makes it a category: the numbers of the present
 * group become values in their shortest form, as every number that comes later does, and the groups before are
 * written again at the end. So the values do not depend on where among the rows the word was.
 *
 * Mean and squared distances are taken over each group in two passes, then joined with those before (Chan, Golub and
 * LeVeque, 1979, "Updating formulae and a pairwise algorithm for computing sample variances").
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/number.h"
#include "server/codec/segment.h"
#include "server/codec/table_parts.h"
#include "server/utf8.h"

#define SHOWN 64 /* bytes of a name or a cell in a sentence */

/* ---- what a cell is ---- */

int table_excerpt(const char *text, size_t n, size_t max)
{
	return (int)utf8_valid(text, n < max ? n : max);
}

static bool says_missing(const char *text, size_t n)
{
	static const char *const words[] = { "", "?", "NA", "N/A", "NaN", "null" };

	if (n > 4) return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && !memcmp(words[i], text, n)) return true;
	return false;
}

static void place_fault(
		const struct table *table, const struct column *column, uint64_t line, struct fault *fault)
{
	if (!fault) return;
	fault->line = line;
	fault->column = (uint64_t)(column - table->columns) + 1;
}

bool column_judge(struct table *table, const struct column *column, const char *text, size_t n, uint64_t line,
		struct table_cell *cell)
{
	cell->text = text;
	cell->size = n;
	cell->kind = TABLE_TEXT;
	if (column->kind == COLUMN_CATEGORY && column->declared) {
		if (says_missing(text, n)) cell->kind = TABLE_MISSING;
	} else if (number_read_cell(text, n, &cell->number, &cell->digits) == CELL_NUMBER) {
		cell->kind = TABLE_NUMBER;
		if (isfinite(cell->number)) return true;
		place_fault(table, column, line,
				faults_add(table->faults, ERR_RANGE, "",
						"\"%.*s\" in the column \"%.*s\" cannot be stored; numbers end at 1.7e308",
						table_excerpt(text, n, SHOWN), text,
						table_excerpt(column->name, strlen(column->name), SHOWN),
						column->name));
		return false;
	} else if (says_missing(text, n)) {
		cell->kind = TABLE_MISSING;
	} else if (column->declared) {
		place_fault(table, column, line,
				faults_add(table->faults, ERR_INVALID, "",
						"\"%.*s\" is in the column \"%.*s\", which ?types makes a number; correct "
						"the cell or the type",
						table_excerpt(text, n, SHOWN), text,
						table_excerpt(column->name, strlen(column->name), SHOWN),
						column->name));
		return false;
	}
	return true;
}

/* ---- cells in ---- */

static int put_value(struct table *table, struct column *column, size_t row, const char *text, size_t n,
		struct err *e)
{
	uint32_t code;
	int rc = values_count(&column->values, &table->values, text, n, &code);

	if (!rc) column->cells[row] = code;
	if (rc == ERR_TOO_LARGE)
		return err_set(e, rc,
				"the categories have more than %zu MiB of distinct values; the one that was too much is "
				"of the column \"%.*s\": leave the column out or make it a number",
				table->values.max >> 20,
				table_excerpt(column->name, strlen(column->name), SHOWN), column->name);
	return rc ? err_nomem(e) : 0;
}

static int put_number_as_value(
		struct table *table, struct column *column, size_t row, double number, struct err *e)
{
	char text[NUMBER_PRINT_MAX];

	return put_value(table, column, row, text, number_print_double(number + 0.0, text), e); /* -0 is 0 */
}

/* Turns the first rows cells from numbers to codes. */
static int recode(struct table *table, struct column *column, size_t rows, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < rows && !rc; i++)
		if (!isnan(column->cells[i])) rc = put_number_as_value(table, column, i, column->cells[i], e);
	return rc;
}

static int become_category(struct table *table, struct column *column, struct err *e)
{
	column->kind = COLUMN_CATEGORY;
	column->late_groups = table->groups;
	tally_free(&column->tally, &table->tallies);
	return recode(table, column, table->row, e);
}

static int put_text(struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	int rc;

	if (column->kind == COLUMN_NUMBER) {
		if (column->declared)
			return err_set(e, ERR_INVALID,
					"the column \"%.*s\" takes numbers, but here is \"%.*s\"",
					table_excerpt(column->name, strlen(column->name), SHOWN),
					column->name, table_excerpt(cell->text, cell->size, SHOWN),
					cell->text);
		if ((rc = become_category(table, column, e))) return rc;
	}
	return put_value(table, column, table->row, cell->text, cell->size, e);
}

int column_put(struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	if (cell->kind == TABLE_MISSING) {
		column->cells[table->row] = NAN;
		return 0;
	}
	if (cell->kind == TABLE_TEXT) return put_text(table, column, cell, e);
	if (!isfinite(cell->number))
		return err_set(e, ERR_RANGE, "the column \"%.*s\" has a number that cannot be stored",
				table_excerpt(column->name, strlen(column->name), SHOWN), column->name);
	if (column->kind == COLUMN_NUMBER) {
		column->cells[table->row] = cell->number;
		if (column->fits_float) column->fits_float = number_fits_float(cell->number, cell->digits);
		return 0;
	}
	if (column->declared && cell->text) return put_text(table, column, cell, e);
	return put_number_as_value(table, column, table->row, cell->number, e);
}

/* ---- segments out ---- */

static int write_codes(struct table *table, struct column *column, size_t rows, unsigned char **bytes,
		size_t *size, struct err *e)
{
	for (size_t i = 0; i < rows; i++)
		table->codes[i] = isnan(column->cells[i]) ? SEGMENT_CODE_MISSING : (uint32_t)column->cells[i];
	return segment_write_codes(table->codes, rows, (uint32_t)column->values.count, bytes, size, e);
}

/* Takes the numbers of a group, count of rows being present, into the column's statistics. */
static void take_stats(struct column *column, size_t rows, size_t count)
{
	struct stats *all = &column->stats;
	const double *x = column->cells;
	long double sum = 0, squares = 0, mean, apart, total = (long double)(all->count + count);

	for (size_t i = 0; i < rows; i++) {
		if (isnan(x[i])) continue;
		sum += x[i];
		if (x[i] < all->min) all->min = x[i];
		if (x[i] > all->max) all->max = x[i];
		if (column->integers) column->integers = x[i] == rint(x[i]);
	}
	if (!count) return;
	mean = sum / (long double)count;
	for (size_t i = 0; i < rows; i++)
		if (!isnan(x[i])) squares += (x[i] - mean) * (x[i] - mean);
	apart = mean - all->mean;
	all->mean += apart * ((long double)count / total);
	all->squares += squares + apart * apart * ((long double)all->count * (long double)count / total);
	all->count += count;
}

int column_write(struct table *table, struct column *column, unsigned char **bytes, size_t *size,
		struct err *e)
{
	size_t rows = table->row, missing = 0;
	bool fits_float = column->fits_float;

	for (size_t i = 0; i < rows; i++)
		missing += isnan(column->cells[i]) != 0;
	column->missing += missing;
	column->fits_float = true;
	if (column->kind == COLUMN_CATEGORY) return write_codes(table, column, rows, bytes, size, e);
	take_stats(column, rows, rows - missing);
	tally_count(&column->tally, &table->tallies, column->cells, rows);
	return segment_write_numbers(column->cells, rows, fits_float, bytes, size, e);
}

static int rewrite_group(struct table *table, struct column *column, uint64_t group, struct err *e)
{
	const struct table_sink *sink = &table->sink;
	uint64_t place = (uint64_t)(column - table->columns);
	unsigned char *old = NULL, *bytes = NULL;
	size_t old_size, size, rows;
	int rc;

	if ((rc = sink->read(sink->self, group, place, &old, &old_size, e))) goto out;
	if ((rc = segment_rows(old, old_size, &rows, e))) goto out;
	if (rows != table->group_rows) { /* only the last group has fewer, and it came after the word */
		rc = err_set(e, ERR_CORRUPT, "a stored column is damaged; send the data set again");
		goto out;
	}
	if ((rc = segment_read_numbers(old, old_size, column->cells, e))) goto out;
	if ((rc = recode(table, column, rows, e))) goto out;
	if ((rc = write_codes(table, column, rows, &bytes, &size, e))) goto out;
	if ((rc = sink->replace(sink->self, group, place, bytes, size, e))) goto out;
	table->bytes += size;
	table->bytes -= old_size;
out:
	free(old);
	free(bytes);
	return rc;
}

int column_rewrite(struct table *table, struct column *column, struct err *e)
{
	int rc = 0;

	for (uint64_t group = 0; group < column->late_groups && !rc; group++)
		rc = rewrite_group(table, column, group, e);
	return rc;
}

void column_free(struct table *table, struct column *column)
{
	free(column->name);
	tally_free(&column->tally, &table->tallies);
	values_free(&column->values, &table->values);
}
