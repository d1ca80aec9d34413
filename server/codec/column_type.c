/* column_type.c - the table of types. See column_type.h. */
#include "server/codec/column_type.h"

#include <string.h>

static const char *const names[COLUMN_TYPES + 1] = {
	[TYPE_NUMBER] = "number",
	[TYPE_CATEGORY] = "category",
	[TYPE_BOOLEAN] = "boolean",
	[TYPE_DATE] = "date",
	[TYPE_IGNORE] = "ignore",
};

static const bool has_codes[COLUMN_TYPES] = {
	[TYPE_CATEGORY] = true,
	[TYPE_BOOLEAN] = true,
	[TYPE_IGNORE] = true,
};

static const enum column_kind kinds[COLUMN_TYPES] = {
	[TYPE_NUMBER] = COLUMN_NUMBER,
	[TYPE_CATEGORY] = COLUMN_CATEGORY,
	[TYPE_BOOLEAN] = COLUMN_CATEGORY,
	[TYPE_DATE] = COLUMN_DATE,
	[TYPE_IGNORE] = COLUMN_CATEGORY,
};

enum column_kind column_type_kind(enum column_type type)
{
	return kinds[type];
}

enum column_type column_type_stored(const json_t *column)
{
	const char *name = json_string_value(json_object_get(column, "type"));
	enum column_type type = TYPE_IGNORE;

	if (name) column_type_find(name, &type);
	return type;
}

const char *column_type_name(enum column_type type)
{
	return names[type];
}

bool column_type_find(const char *name, enum column_type *type)
{
	for (size_t i = 0; i < COLUMN_TYPES; i++)
		if (!strcmp(names[i], name)) {
			*type = (enum column_type)i;
			return true;
		}
	return false;
}

const char *const *column_type_names(void)
{
	return names;
}

bool column_type_has_codes(enum column_type type)
{
	return has_codes[type];
}

const char *boolean_text(bool value)
{
	return value ? "true" : "false";
}

/* ---- what a network is shown ---- */

const char *const kind_names[COLUMN_KINDS] = {
	[COLUMN_NUMBER] = "number", [COLUMN_CATEGORY] = "category", [COLUMN_DATE] = "date"
};
const char *const kind_holds[COLUMN_KINDS] = {
	[COLUMN_NUMBER] = "numbers", [COLUMN_CATEGORY] = "words", [COLUMN_DATE] = "dates"
};
const char *const normalize_names[] = { "standard", "minmax", "none", NULL };
const char *const missing_names[] = { "mean", "error", NULL };

bool kind_feeds(enum column_kind stored, enum column_kind wanted)
{
	return stored == wanted || (stored == COLUMN_NUMBER && wanted == COLUMN_CATEGORY);
}
