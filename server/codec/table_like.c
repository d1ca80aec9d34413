/* table_like.c - a table that goes on from an earlier revision: its columns, dictionaries and cells. See table.h.
 *
 * A column keeps its type: it counts as declared. Only a category that nobody had declared stays so, because its
 * numbers stand in their shortest form and must go on to ("1.50" is the value "1.5").
 */
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "server/codec/segment.h"
#include "server/codec/table_parts.h"

#define SHOWN 64 /* bytes of a name in a sentence */

static int damaged(struct err *e)
{
	return err_set(e, ERR_CORRUPT,
			"the stored description of the columns is damaged; send the data set again");
}

static int take_column(struct table *table, size_t i, const json_t *from, struct err *e)
{
	struct column *column = &table->columns[i];
	const char *name = json_string_value(json_object_get(from, "name"));
	const char *type = json_string_value(json_object_get(from, "type"));

	if (!name || !type || !column_type_find(type, &column->type)) return damaged(e);
	column->declared = column->type != TYPE_CATEGORY || json_is_true(json_object_get(from, "declared"));
	return table_name_column(table, i, name, strlen(name), e);
}

int table_like(struct table *table, const json_t *columns, struct err *e)
{
	size_t count = json_array_size(columns);
	int rc;

	if (!count || count > CSV_COLUMNS_MAX) return damaged(e);
	if ((rc = table_make_columns(table, count, e))) return rc;
	for (size_t i = 0; i < count && !rc; i++)
		rc = take_column(table, i, json_array_get(columns, i), e);
	return rc;
}

int table_like_dictionary(
		struct table *table, size_t column, const unsigned char *bytes, size_t size, struct err *e)
{
	struct values *values = &table->columns[column].values;
	struct dictionary from;
	uint32_t code;
	int rc = dictionary_read(bytes, size, &from, e);

	if (rc) return rc;
	for (size_t i = 0; i < from.count && !rc; i++) {
		rc = values_code(values, &table->values, from.values[i], from.lengths[i], &code);
		if (rc == ERR_TOO_LARGE)
			err_set(e, rc, "the stored categories have more than %zu MiB of distinct values",
					table->values.max >> 20);
		else if (rc)
			err_nomem(e);
		else if (code != i)
			rc = damaged(e); /* a value twice */
	}
	dictionary_clear(&from);
	return rc;
}

int table_like_group(
		struct table *table, const unsigned char *const *segments, const size_t *sizes, struct err *e)
{
	size_t rows = 0, found;
	int rc;

	for (size_t i = 0; i < table->count; i++) {
		if ((rc = column_take(table, &table->columns[i], segments[i], sizes[i], &found, e)))
			return rc;
		if (i && found != rows)
			return err_set(e, ERR_CORRUPT, "the columns of a stored row group differ in length");
		rows = found;
		table->bytes += sizes[i];
	}
	table->rows += rows;
	table->groups++;
	return 0;
}

/* ---- the header line of what is added ---- */

static void name_fault(struct table *table, size_t at, const char *name, size_t n)
{
	char *whole = strndup(name, n);
	const char *meant = whole ? types_meant(table, whole) : NULL;
	struct fault *fault = faults_add(table->faults, ERR_INVALID, "",
			"\"%.*s\" is not a column of the data set%s%s%s", table_excerpt(name, n, SHOWN), name,
			meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");

	free(whole);
	if (!fault) return;
	fault->line = 1;
	fault->column = at + 1;
}

static void absent_fault(struct table *table, const char *name)
{
	struct fault *fault = faults_add(table->faults, ERR_INVALID, "",
			"the column \"%.*s\" is not there; rows are added with the columns that the data set has",
			table_excerpt(name, strlen(name), SHOWN), name);

	if (fault) fault->line = 1;
}

int like_match(struct table *table, const struct csv_cell *names, size_t count, struct err *e)
{
	struct names *own = NULL;
	size_t duplicate;

	if (!(table->places = malloc(table->count * sizeof *table->places)) ||
			names_new(&own, table->names, table->count, &duplicate))
		return err_nomem(e); /* they are distinct */
	memset(table->places, 0xFF, table->count * sizeof *table->places);
	for (size_t i = 0; i < count; i++) {
		size_t place = names_find(own, names[i].text, names[i].size);

		if (place == NAMES_NONE)
			name_fault(table, i, names[i].text, names[i].size);
		else
			table->places[place] = i;
	}
	names_free(own);
	for (size_t i = 0; i < table->count; i++)
		if (table->places[i] == SIZE_MAX) absent_fault(table, table->names[i]);
	return faults_result(table->faults, e);
}
