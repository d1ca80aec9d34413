/* table_column.c - one column: where its cells are kept, and the segments that become of them.
 *
 * A column that was not declared starts as a number. Its first word makes it a category: the numbers of the present
 * group become values in their shortest form, as every number that comes later does, and the groups before are
 * written again at the end. So the values do not depend on where among the rows the word was.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/number.h"
#include "server/codec/segment.h"
#include "server/codec/table_parts.h"

#define SHOWN 64 /* bytes of a name in a sentence */

/* ---- cells in ---- */

/* What values_code answered, as a sentence. */
static int no_room(const struct table *table, const struct column *column, int rc, struct err *e)
{
	if (rc == ERR_TOO_LARGE)
		return err_set(e, rc,
				"the categories have more than %zu MiB of distinct values; the one that was too much is "
				"of the column \"%.*s\": leave it out with ?types=%.*s:ignore or make it a number",
				table->values.max >> 20,
				table_excerpt(column->name, strlen(column->name), SHOWN), column->name,
				table_excerpt(column->name, strlen(column->name), SHOWN), column->name);
	return err_nomem(e);
}

static int put_value(struct table *table, struct column *column, size_t row, const char *text, size_t n,
		struct err *e)
{
	uint32_t code;
	int rc = values_code(&column->values, &table->values, text, n, &code);

	if (rc) return no_room(table, column, rc, e);
	column->cells[row] = code;
	return 0;
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

/* Turns a column of numbers, present and past, to codes of a type. */
static int become(struct table *table, struct column *column, enum column_type type, struct err *e)
{
	int rc = group_wait(table, e);

	if (rc) return rc;
	column->type = type;
	column->late_groups = table->groups;
	tally_free(&column->tally, &table->tallies);
	stats_drop_profile(column);
	return recode(table, column, table->row, e);
}

/* The dictionary of a boolean has both values from the start, at their codes. */
static int list_booleans(struct table *table, struct column *column, struct err *e)
{
	uint32_t code;
	int rc = 0;

	for (int value = 0; value < 2 && !rc; value++) {
		const char *text = boolean_text(value);

		rc = values_code(&column->values, &table->values, text, strlen(text), &code);
	}
	return rc ? no_room(table, column, rc, e) : 0;
}

int column_declare(struct table *table, struct column *column, enum column_type type, struct err *e)
{
	column->type = type;
	column->declared = true;
	return type == TYPE_BOOLEAN ? list_booleans(table, column, e) : 0;
}

static bool is_empty(const struct table *table, const struct column *column)
{
	for (size_t i = 0; i < table->row; i++)
		if (!isnan(column->cells[i])) return false;
	return !column->stats.count;
}

/* ---- a cell into a column of each type ---- */

static int put_in_category(
		struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	const char *text = cell->kind == TABLE_BOOLEAN ? boolean_text(cell->number != 0) : cell->text;

	if (cell->kind == TABLE_BOOLEAN) return put_value(table, column, table->row, text, strlen(text), e);
	if (cell->kind == TABLE_NUMBER && !(column->declared && text))
		return put_number_as_value(table, column, table->row, cell->number, e);
	return put_value(table, column, table->row, text, cell->size, e);
}

static int put_in_boolean(
		struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	bool value;

	if (!column->declared && cell->kind != TABLE_BOOLEAN) {
		column->type = TYPE_CATEGORY;
		return put_in_category(table, column, cell, e);
	}
	if (!cell_as_boolean(cell, &value)) return cell_refuse(column, cell, e);
	column->cells[table->row] = value;
	return 0;
}

static int put_in_number(
		struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	bool boolean = cell->kind == TABLE_BOOLEAN;
	int rc;

	if (cell->kind == TABLE_NUMBER) {
		column->cells[table->row] = cell->number;
		return 0;
	}
	if (column->declared) return cell_refuse(column, cell, e);
	if ((rc = group_wait(table, e))) return rc;
	if (boolean && is_empty(table, column)) {
		if ((rc = become(table, column, TYPE_BOOLEAN, e))) return rc;
		if ((rc = list_booleans(table, column, e))) return rc;
		return put_in_boolean(table, column, cell, e);
	}
	if ((rc = become(table, column, TYPE_CATEGORY, e))) return rc;
	return put_in_category(table, column, cell, e);
}

static int put_in_date(
		struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	double seconds;

	if (!cell_as_date(cell, &seconds)) return cell_refuse(column, cell, e);
	column->cells[table->row] = seconds;
	return 0;
}

static int (*const put_in[COLUMN_TYPES])(
		struct table *table, struct column *column, const struct table_cell *cell, struct err *e) = {
	[TYPE_NUMBER] = put_in_number,
	[TYPE_CATEGORY] = put_in_category,
	[TYPE_BOOLEAN] = put_in_boolean,
	[TYPE_DATE] = put_in_date,
};

int column_put(struct table *table, struct column *column, const struct table_cell *cell, struct err *e)
{
	if (cell->kind == TABLE_MISSING || column->type == TYPE_IGNORE) {
		column->cells[table->row] = NAN;
		return 0;
	}
	if (cell->kind == TABLE_NUMBER && !isfinite(cell->number))
		return err_set(e, ERR_RANGE, "the column \"%.*s\" has a number that cannot be stored",
				table_excerpt(column->name, strlen(column->name), SHOWN), column->name);
	return put_in[column->type](table, column, cell, e);
}

void column_look_for_infinity(struct table *table, const struct column *column)
{
	int name = table_excerpt(column->name, strlen(column->name), SHOWN), shown = 0;
	const char *infinity = NULL;
	bool numbers = false;
	struct fault *fault;

	if (!column->infinite_line || column->declared) return;
	for (size_t i = 0; i < column->values.count; i++) {
		size_t n;
		const char *text = values_text(&column->values, i, &n);
		double number;

		if (number_read_cell(text, n, &number) == CELL_NUMBER)
			numbers = true;
		else if (!cell_is_infinite(text, n))
			return;
		else if (!infinity)
			infinity = text, shown = (int)n;
	}
	if (!numbers || !infinity) return;
	fault = faults_add(table->faults, ERR_RANGE, "",
			"\"%.*s\" in the column \"%.*s\" is infinite, which cannot be stored; leave the cell empty, or say "
			"?types=%.*s:category if it is a word",
			shown, infinity, name, column->name, name, column->name);
	if (!fault) return;
	fault->line = column->infinite_line;
	fault->column = (uint64_t)(column - table->columns) + 1;
}

/* ---- segments out ---- */

static int write_codes(struct table *table, struct column *column, const struct leaving *leaving, size_t rows,
		unsigned char **bytes, size_t *size, struct err *e)
{
	const double *cells = leaving->cells;

	for (size_t i = 0; i < rows; i++)
		table->codes[i] = isnan(cells[i]) ? SEGMENT_CODE_MISSING : (uint32_t)cells[i];
	if (values_count(&column->values, leaving->values_count, table->codes, rows)) return err_nomem(e);
	return segment_write_codes(table->codes, rows, (uint32_t)leaving->values_count, bytes, size, e);
}

int column_write(struct table *table, struct column *column, size_t rows, unsigned char **bytes, size_t *size,
		struct err *e)
{
	const struct leaving *leaving = &column->leaving;
	int rc;

	if (leaving->codes) {
		for (size_t i = 0; i < rows; i++)
			column->missing += isnan(leaving->cells[i]) != 0;
		return write_codes(table, column, leaving, rows, bytes, size, e);
	}
	if ((rc = stats_take(table, column, leaving->cells, rows, table->dense, e))) return rc;
	return segment_write_numbers(leaving->cells, rows, bytes, size, e);
}

static int take_codes(struct column *column, const unsigned char *bytes, size_t size, uint32_t *codes,
		struct err *e)
{
	size_t rows;
	int rc = segment_read_codes(bytes, size, (uint32_t)column->values.count, codes, e);

	if (rc || (rc = segment_rows(bytes, size, &rows, e))) return rc;
	for (size_t i = 0; i < rows; i++)
		column->missing += codes[i] == SEGMENT_CODE_MISSING;
	return values_count(&column->values, column->values.count, codes, rows) ? err_nomem(e) : 0;
}

int column_take(struct table *table, struct column *column, const unsigned char *bytes, size_t size,
		size_t *rows, struct err *e)
{
	double *cells;
	int rc = segment_rows(bytes, size, rows, e);

	if (rc) return rc;
	if (!(cells = malloc((2 * *rows + 1) * sizeof *cells))) return err_nomem(e);
	if (column_type_has_codes(column->type))
		rc = take_codes(column, bytes, size, (uint32_t *)cells, e);
	else if (!(rc = segment_read_numbers(bytes, size, cells, e)))
		rc = stats_take(table, column, cells, *rows, cells + *rows, e);
	free(cells);
	return rc;
}

static int rewrite_group(struct table *table, struct column *column, uint64_t group, struct err *e)
{
	const struct table_sink *sink = &table->sink;
	uint64_t place = (uint64_t)(column - table->columns);
	struct leaving leaving;
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
	leaving = (struct leaving){ column->cells, true, column->values.count };
	if ((rc = write_codes(table, column, &leaving, rows, &bytes, &size, e))) goto out;
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
	stats_drop_profile(column);
	values_free(&column->values, &table->values);
}
