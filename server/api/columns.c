/* columns.c - a data set's columns as people see them. See columns.h. */
#include "server/api/columns.h"

#include <string.h>

#include "core/date.h"
#include "server/api/document.h"
#include "server/codec/column_type.h"
#include "server/codec/json.h"

/* A time in seconds becomes a text; what is null stays so. */
static void write_date(json_t *column, const char *name)
{
	const json_t *seconds = json_object_get(column, name);
	char text[DATE_PRINT_MAX];

	if (!json_is_number(seconds)) return;
	date_print(json_number_value(seconds), text);
	json_object_set_new(column, name, json_string(text));
}

static void tell_date(json_t *column)
{
	static const char *const times[] = { "min", "max", "mean" };

	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		write_date(column, times[i]);
	json_object_del(column, "integers");
}

json_t *columns_document(const char *stored)
{
	json_t *columns = stored_document(stored), *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		const char *type = json_string_value(json_object_get(column, "type"));

		if (json_object_get(column, "integers"))
			json_object_del(column, "values"); /* a number's are our own */
		if (json_is_null(json_object_get(column, "distinct"))) json_object_del(column, "distinct");
		json_object_del(column, "declared");
		json_object_del(column, "was");
		if (type && !strcmp(type, column_type_name(TYPE_DATE))) tell_date(column);
	}
	return columns;
}

/* ---- ignored columns that kept their cells ---- */

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
