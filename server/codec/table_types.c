/* table_types.c - the query parameter that says what columns are: `zip:category,day:date`.
 *
 * An entry ends at a comma and splits at its last colon, so that a column's name may have colons; one with a comma
 * cannot be named.
 */
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "server/codec/table_parts.h"

#define POINTER     "?types"
#define SHOWN       64   /* bytes of a name in a sentence */
#define MEANT_AMONG 1000 /* columns that a wrong name is compared with */

static void read_entry(struct table *table, char *entry)
{
	char *colon = strrchr(entry, ':');
	enum column_type type;
	const char *meant;

	if (!colon || colon == entry) {
		faults_add(table->faults, ERR_INVALID, POINTER,
				"\"%.*s\" is not a column's type; write the column and its type, as in day:date",
				table_excerpt(entry, strlen(entry), SHOWN), entry);
		return;
	}
	*colon++ = 0;
	if (column_type_find(colon, &type)) {
		table->types[table->types_count++] = (struct type){ entry, type };
		return;
	}
	meant = did_you_mean(colon, column_type_names());
	faults_add(table->faults, ERR_INVALID, POINTER, "\"%.*s\" is not a type; %s%s%s",
			table_excerpt(colon, strlen(colon), SHOWN), colon,
			meant ? "did you mean \""
			      : "the types are number, category, boolean, date and ignore",
			meant ? meant : "", meant ? "\"?" : "");
}

int types_read(struct table *table, const char *text, struct err *e)
{
	size_t entries = 1;
	char *next;

	for (const char *p = text; *p; p++)
		entries += *p == ',';
	table->types_text = strdup(text);
	table->types = calloc(entries, sizeof *table->types);
	if (!table->types_text || !table->types) return err_nomem(e);
	next = table->types_text;
	for (char *entry; (entry = strsep(&next, ","));)
		read_entry(table, entry);
	return 0;
}

const char *types_meant(struct table *table, const char *name)
{
	const char *cut = NULL, *meant;

	if (table->faults->count >= FAULTS_MAX) return NULL; /* nobody will read it */
	if (table->count > MEANT_AMONG) {
		cut = table->names[MEANT_AMONG];
		table->names[MEANT_AMONG] = NULL;
	}
	meant = did_you_mean(name, table->names);
	if (cut) table->names[MEANT_AMONG] = cut;
	return meant;
}

static void unknown_name(struct table *table, const char *name)
{
	const char *meant = types_meant(table, name);

	faults_add(table->faults, ERR_INVALID, POINTER, "\"%.*s\" is not a column%s%s%s",
			table_excerpt(name, strlen(name), SHOWN), name, meant ? "; did you mean \"" : "",
			meant ? meant : "", meant ? "\"?" : "");
}

int types_apply(struct table *table, struct err *e)
{
	struct names *names = NULL;
	size_t duplicate;
	int rc = 0;

	if (!table->types_count) return 0;
	if (names_new(&names, table->names, table->count, &duplicate))
		return err_nomem(e); /* csv.h: distinct */
	for (size_t i = 0; i < table->types_count && !rc; i++) {
		const struct type *type = &table->types[i];
		size_t place = names_find(names, type->name, strlen(type->name));

		if (place == NAMES_NONE) {
			unknown_name(table, type->name);
		} else if (table->columns[place].declared) {
			faults_add(table->faults, ERR_INVALID, POINTER,
					"\"%.*s\" is there twice; name a column once",
					table_excerpt(type->name, strlen(type->name), SHOWN), type->name);
		} else {
			rc = column_declare(table, &table->columns[place], type->type, e);
		}
	}
	names_free(names);
	return rc;
}
