/* columns.c - a data set's columns as people see them. See columns.h. */
#include "server/api/columns.h"

#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/codec/column_type.h"
#include "server/codec/json.h"

#define COMMONEST 10 /* numbers that are shown; definitions look at more of them */

/* A time in seconds, or an array of them; what is null stays so. The edges of a histogram may lie outside of the years
 * that have a text. */
static void write_dates(json_t *of, const char *name)
{
	json_t *times = json_object_get(of, name), *time;
	size_t i;

	if (json_is_number(times)) {
		json_object_set_new(of, name, json_date(json_number_value(times))); /* times is gone */
		return;
	}
	json_array_foreach(times, i, time) json_array_set_new(times, i, json_date(json_number_value(time)));
}

static void tell_date(json_t *column)
{
	static const char *const times[] = { "min", "max", "mean", "quartiles" };
	json_t *values = json_object_get(column, "values"), *value;
	size_t i;

	for (size_t k = 0; k < sizeof times / sizeof *times; k++)
		write_dates(column, times[k]);
	write_dates(json_object_get(column, "histogram"), "edges");
	json_array_foreach(values, i, value) json_object_set_new(value, "value",
			json_date(strtod(json_string_value(json_object_get(value, "value")), NULL)));
	json_object_del(column, "integers");
}

static void tell_number(json_t *column)
{
	json_t *values = json_object_get(column, "values");

	while (json_array_size(values) > COMMONEST)
		json_array_remove(values, json_array_size(values) - 1);
	if (!json_array_size(values)) json_object_del(column, "values");
	if (json_is_null(json_object_get(column, "distinct"))) json_object_del(column, "distinct");
}

json_t *columns_document(const char *stored)
{
	json_t *columns = stored_document(stored), *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		const char *type = json_string_value(json_object_get(column, "type"));

		if (json_object_get(column, "integers")) tell_number(column);
		json_object_del(column, "declared");
		json_object_del(column, "was");
		if (type && !strcmp(type, column_type_name(TYPE_DATE))) tell_date(column);
	}
	return columns;
}

/* ---- ignored columns that kept their cells ---- */

bool columns_alike(const json_t *a, const json_t *b)
{
	static const char *const what[] = { "name", "type" };
	bool alike = json_array_size(a) == json_array_size(b);

	for (size_t i = 0; alike && i < json_array_size(a); i++)
		for (size_t k = 0; alike && k < sizeof what / sizeof *what; k++)
			alike = json_equal(json_object_get(json_array_get(a, i), what[k]),
					json_object_get(json_array_get(b, i), what[k]));
	return alike;
}

json_t *columns_kept(const json_t *columns)
{
	json_t *out = json_array();
	bool whole = out;
	const json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		json_t *was = json_object_get(column, "was");

		whole = whole && json_append(out, json_deep_copy(was ? was : column));
	}
	return json_whole(out, whole);
}

json_t *column_ignored(const json_t *column)
{
	json_t *out = json_object();
	bool whole = json_put(out, "name", json_deep_copy(json_object_get(column, "name"))) &&
		     json_put(out, "type", json_string(column_type_name(TYPE_IGNORE))) &&
		     json_put(out, "was", json_deep_copy(column));

	return json_whole(out, whole);
}

json_t *columns_ignore_again(json_t *described, const json_t *before)
{
	bool whole = described;

	for (size_t i = 0; whole && i < json_array_size(described); i++)
		if (json_object_get(json_array_get(before, i), "was"))
			whole = !json_array_set_new(
					described, i, column_ignored(json_array_get(described, i)));
	return json_whole(described, whole);
}
