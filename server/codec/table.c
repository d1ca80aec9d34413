/* table.c - a table's life: rows come in, row groups go out, the end settles what is left. See table.h.
 *
 * A group has as many rows as TABLE_GROUP_BYTES hold when every cell takes 8 bytes, at least one; so the cells of a
 * group take no more memory than that either, whatever the columns are, and groups are cut at the same rows however
 * the body was cut into chunks.
 *
 * A fault is something to read on after: from then on cells are only looked at. What ends the reading is kept in
 * `ended` and `why`, and is the answer to every later call.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/number_short.h"
#include "server/codec/segment.h"
#include "server/codec/table_parts.h"

_Static_assert(TABLE_GROUP_BYTES / sizeof(double) <= SEGMENT_ROWS_MAX,
		"no group has more rows than a segment may");
_Static_assert(CSV_COLUMNS_MAX *(SEGMENT_HEADER_BYTES + sizeof(double)) <= TABLE_GROUP_BYTES,
		"a row fits a group");

bool table_spoiled(const struct table *table)
{
	size_t count = 0, more;

	if (table->csv) csv_faults(table->csv, &count, &more);
	return count || table->faults->count;
}

/* Whatever rc is, it is the last word. No group is on its way any more. */
static int end_with(struct table *table, int rc, struct err *e)
{
	group_wait(table, NULL);
	table->over = true;
	table->ended = rc;
	if (rc && e) table->why = *e;
	return rc;
}

static int ended_before(const struct table *table, struct err *e)
{
	if (!table->ended) return err_set(e, ERR_INVALID, "the table has ended; nothing can be added to it");
	return err_set(e, (enum err_code)table->ended, "%s", table->why.text);
}

/* ---- columns ---- */

static size_t rows_of_group(size_t group_bytes, size_t columns)
{
	size_t each = group_bytes / columns;

	return each >= SEGMENT_HEADER_BYTES + sizeof(double) ? (each - SEGMENT_HEADER_BYTES) / sizeof(double)
							     : 1;
}

int table_make_columns(struct table *table, size_t count, struct err *e)
{
	size_t rows = rows_of_group(table->group_bytes, count);

	table->columns = calloc(count, sizeof *table->columns);
	table->names = calloc(count + 1, sizeof *table->names);
	table->data = calloc(count, sizeof *table->data);
	table->sizes = calloc(count, sizeof *table->sizes);
	table->cells = malloc(count * rows * sizeof *table->cells);
	table->codes = malloc(rows * sizeof *table->codes);
	table->dense = malloc(rows * sizeof *table->dense);
	if (!table->columns || !table->names || !table->data || !table->sizes || !table->cells ||
			!table->codes || !table->dense)
		return err_nomem(e);
	table->group_rows = rows;
	table->count = count;
	for (size_t i = 0; i < count; i++) {
		struct column *column = &table->columns[i];

		column->cells = table->cells + i * rows;
		column->integers = true;
		column->stats.min = INFINITY;
		column->stats.max = -INFINITY;
	}
	return 0;
}

int table_name_column(struct table *table, size_t i, const char *name, size_t n, struct err *e)
{
	if (!(table->columns[i].name = strndup(name, n))) return err_nomem(e);
	table->names[i] = table->columns[i].name;
	return 0;
}

/* ---- row groups ---- */

static int end_row(struct table *table, struct err *e)
{
	table->rows++;
	return ++table->row < table->group_rows ? 0 : group_flush(table, e);
}

/* ---- rows of other formats ---- */

int table_header(struct table *table, const struct csv_cell *names, size_t count, struct err *e)
{
	struct err why = { 0 };
	int rc = table_take_names(table, names, count, &why);

	if (!rc) return 0;
	end_with(table, rc, &why);
	return err_set(e, (enum err_code)rc, "%s", why.text);
}

int table_row(struct table *table, struct table_cell *cells, uint64_t line, struct err *e)
{
	struct err why = { 0 };
	bool keep = !table->faults->count;
	int rc = 0;

	if (table->over) return ended_before(table, e);
	for (size_t i = 0; i < table->count && !rc; i++) {
		struct table_cell *cell = &cells[table->places ? table->places[i] : i];
		struct column *column = &table->columns[i];

		if (column->type == TYPE_NUMBER && cell->kind == TABLE_NUMBER && keep &&
				isfinite(cell->number))
			column->cells[table->row] = cell->number; /* most cells */
		else if (!column_receive(table, column, cell, line))
			keep = false;
		else if (keep)
			rc = column_put(table, column, cell, &why);
	}
	if (!rc && keep) rc = end_row(table, &why);
	if (!rc) return 0;
	end_with(table, rc, &why);
	return err_set(e, (enum err_code)rc, "%s", why.text);
}

/* ---- CSV ---- */

int table_take_names(struct table *table, const struct csv_cell *names, size_t count, struct err *e)
{
	int rc;

	if (table->columns) return like_match(table, names, count, e);
	rc = table_make_columns(table, count, e);
	for (size_t i = 0; i < count && !rc; i++)
		rc = table_name_column(table, i, names[i].text, names[i].size, e);
	return rc ? rc : types_apply(table, e);
}

static int take_header(void *user, const struct csv_cell *names, size_t count, struct err *e)
{
	struct table *table = user;
	int rc = table_take_names(table, names, count, e);

	return rc ? end_with(table, rc, e) : 0;
}

static int take_record(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	struct table *table = user;
	bool keep = !table_spoiled(table);
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		struct column *column = &table->columns[i];
		const struct csv_cell *from = &cells[table->places ? table->places[i] : i];
		struct table_cell cell;

		if (column->type == TYPE_NUMBER && keep && !table->decimal_comma &&
				number_read_short(from->text, from->size, &column->cells[table->row]))
			continue;
		if (!column_judge(table, column, from->text, from->size, line, &cell))
			keep = false;
		else if (keep)
			rc = column_put(table, column, &cell, e);
	}
	if (!rc && keep) rc = end_row(table, e);
	return rc ? end_with(table, rc, e) : 0;
}

static bool comes_before(const struct fault *a, const struct fault *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* What the CSV reader found, as faults. code is that of the last one. */
static void take_csv_faults(const struct table *table, int code, struct faults *out)
{
	size_t count, more;
	const struct csv_fault *found = csv_faults(table->csv, &count, &more);

	for (size_t i = 0; i < count; i++) {
		bool last = i + 1 == count && !more && code == ERR_TOO_LARGE;
		struct fault *fault =
				faults_add(out, last ? ERR_TOO_LARGE : ERR_CSV, "", "%s", found[i].text);

		if (!fault) continue;
		fault->line = found[i].line;
		fault->column = found[i].column;
	}
	out->more += more;
}

/* The faults that the CSV reader found join those of the cells, in the order of the body. Both have their first ones, so
 * that the first of all are there. */
static void join_faults(struct table *table, int code)
{
	struct faults *faults = table->faults, cells = *faults, csv = { 0 };
	size_t i = 0, k = 0;

	take_csv_faults(table, code, &csv);
	faults->count = 0;
	faults->more = cells.more + csv.more;
	while (i < cells.count || k < csv.count) {
		bool first = i < cells.count &&
			     (k == csv.count || !comes_before(&csv.items[k], &cells.items[i]));

		if (faults->count == FAULTS_MAX) {
			faults->more += cells.count - i + csv.count - k;
			return;
		}
		faults->items[faults->count++] = first ? cells.items[i++] : csv.items[k++];
	}
}

/* What the CSV reader ended with. */
static int end_csv(struct table *table, int rc, struct err *e)
{
	if (table->over) return rc; /* a callback of ours ended it */
	join_faults(table, rc);
	if ((!rc || rc == ERR_CSV) && table->faults->count) rc = faults_result(table->faults, e);
	return rc ? end_with(table, rc, e) : 0;
}

/* ---- what table.h promises ---- */

static int make(struct table **out, const struct table_sink *sink, struct faults *faults, struct err *e)
{
	struct table *table = calloc(1, sizeof *table);

	*out = table;
	if (!table) return err_nomem(e);
	table->sink = *sink;
	table->faults = faults;
	table->group_bytes = TABLE_GROUP_BYTES;
	table->values.max = TABLE_VALUES_BYTES_MAX;
	table->tallies.max = TABLE_TALLY_BYTES_MAX;
	return 0;
}

int table_new_rows(struct table **out, const char *types, const struct table_sink *sink,
		struct faults *faults, struct err *e)
{
	struct table *table;
	int rc;

	*out = NULL;
	if ((rc = make(&table, sink, faults, e))) return rc;
	if (types) rc = types_read(table, types, e);
	if (!rc) rc = faults_result(faults, e);
	if (rc)
		table_free(table);
	else
		*out = table;
	return rc;
}

int table_new_csv(struct table **out, const char *types, const struct table_sink *sink, struct faults *faults,
		struct err *e)
{
	const struct csv_options options = { 0 };
	struct csv_callbacks callbacks = { .header = take_header, .record = take_record };
	struct table *table;
	int rc;

	*out = NULL;
	if ((rc = table_new_rows(&table, types, sink, faults, e))) return rc;
	callbacks.user = table;
	if ((rc = csv_new(&table->csv, &options, &callbacks, e)))
		table_free(table);
	else
		*out = table;
	return rc;
}

void table_decimal_comma(struct table *table)
{
	table->decimal_comma = true;
	csv_decimal_comma(table->csv);
}

int table_new(struct table **out, const char *const *names, const enum column_type *types, size_t count,
		const struct table_sink *sink, struct faults *faults, struct err *e)
{
	struct table *table;
	int rc;

	*out = NULL;
	if (!count || count > CSV_COLUMNS_MAX)
		return err_set(e, ERR_RANGE, "a data set has 1 to %d columns, not %zu", CSV_COLUMNS_MAX,
				count);
	if ((rc = make(&table, sink, faults, e))) return rc;
	if ((rc = table_make_columns(table, count, e))) goto out;
	for (size_t i = 0; i < count; i++) {
		if ((rc = table_name_column(table, i, names[i], strlen(names[i]), e))) goto out;
		if ((rc = column_declare(table, &table->columns[i], types[i], e))) goto out;
	}
	*out = table;
out:
	if (rc) table_free(table);
	return rc;
}

void table_free(struct table *table)
{
	if (!table) return;
	group_stop(table);
	for (size_t i = 0; i < table->count; i++)
		column_free(table, &table->columns[i]);
	csv_free(table->csv);
	free(table->types_text);
	free(table->types);
	free(table->columns);
	free(table->names);
	free(table->places);
	free(table->cells);
	free(table->spare);
	free(table->codes);
	free(table->dense);
	free(table->data);
	free(table->sizes);
	free(table);
}

int table_feed(struct table *table, const void *bytes, size_t n, struct err *e)
{
	struct err why = { 0 };
	int rc;

	if (table->over) return ended_before(table, e);
	if (!(rc = csv_feed(table->csv, bytes, n, &why))) return 0;
	rc = end_csv(table, rc, &why);
	return err_set(e, (enum err_code)rc, "%s", why.text);
}

int table_add(struct table *table, const struct table_cell *cells, struct err *e)
{
	struct err why = { 0 };
	int rc = 0;

	if (table->over) return ended_before(table, e);
	for (size_t i = 0; i < table->count && !rc; i++)
		rc = column_put(table, &table->columns[i], &cells[i], &why);
	if (!rc) rc = end_row(table, &why);
	if (!rc) return 0;
	end_with(table, rc, &why);
	return err_set(e, (enum err_code)rc, "%s", why.text);
}

int table_add_texts(struct table *table, const struct csv_cell *cells, uint64_t line, struct err *e)
{
	if (table->over) return ended_before(table, e);
	return take_record(table, cells, table->count, line, e);
}

int table_cut(struct table *table, struct err *e)
{
	struct err why = { 0 };
	int rc;

	if (table->over) return ended_before(table, e);
	if (table_spoiled(table) || !(rc = group_flush(table, &why))) return 0;
	end_with(table, rc, &why);
	return err_set(e, (enum err_code)rc, "%s", why.text);
}

static int write_dictionary(struct table *table, size_t i, struct err *e)
{
	unsigned char *bytes = NULL;
	size_t size;
	int rc = values_write(&table->columns[i].values, &bytes, &size, e);

	if (!rc) rc = table->sink.dictionary(table->sink.self, i, bytes, size, e);
	if (!rc) table->bytes += size;
	free(bytes);
	return rc;
}

static int settle(struct table *table, struct err *e)
{
	int rc;

	if ((rc = faults_result(table->faults, e))) return rc;
	if (!table->rows)
		return err_set(e, ERR_INVALID,
				table->csv ? "there are no rows; a data set needs at least one below its header line"
					   : "there are no rows; a data set needs at least one");
	if ((rc = group_flush(table, e)) || (rc = group_wait(table, e))) return rc;
	for (size_t i = 0; i < table->count; i++) {
		if (!column_type_has_codes(table->columns[i].type)) continue;
		if ((rc = column_rewrite(table, &table->columns[i], e))) return rc;
		if ((rc = write_dictionary(table, i, e))) return rc;
	}
	return 0;
}

int table_end(struct table *table, struct err *e)
{
	struct err why = { 0 };
	int rc = 0;

	if (table->over) return ended_before(table, e);
	if (table->csv) rc = end_csv(table, csv_end(table->csv, &why), &why);
	for (size_t i = 0; i < table->count && !rc; i++)
		column_look_for_infinity(table, &table->columns[i]);
	if (!rc) rc = faults_result(table->faults, &why);
	if (!rc) rc = settle(table, &why);
	end_with(table, rc, &why);
	return rc ? err_set(e, (enum err_code)rc, "%s", why.text) : 0;
}

size_t table_group_rows(const struct table *table)
{
	return table->group_rows;
}

size_t table_dictionary_bytes(const struct table *table)
{
	return table ? table->values.used : 0;
}

uint64_t table_rows(const struct table *table)
{
	return table->rows;
}

size_t table_columns(const struct table *table)
{
	return table->count;
}

uint64_t table_groups(const struct table *table)
{
	return table->groups;
}

uint64_t table_bytes(const struct table *table)
{
	return table->bytes;
}
