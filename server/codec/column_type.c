/* column_type.c - the table of types, and the words for true and false. See column_type.h. */
#include "server/codec/column_type.h"

#include <string.h>
#include <strings.h>

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

/* ---- booleans ---- */

#define WORDS   6
#define LONGEST 5 /* bytes, "false" */

static const char *const words[2][WORDS] = {
	{ "false", "0", "no", "f", "n", "off" },
	{ "true", "1", "yes", "t", "y", "on" },
};

bool boolean_read(const char *text, size_t n, bool *value)
{
	if (!n || n > LONGEST) return false;
	for (size_t i = 0; i < WORDS; i++)
		for (int says = 0; says < 2; says++)
			if (strlen(words[says][i]) == n && !strncasecmp(words[says][i], text, n)) {
				*value = says;
				return true;
			}
	return false;
}

const char *boolean_text(bool value)
{
	return words[value][0];
}
