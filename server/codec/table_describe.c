/* table_describe.c - what there is to say about each column, as api.md section 2 has it.
 *
 * Values are listed to TABLE_LISTED_MAX a column. Where that would make a document with more than about
 * LISTED_BYTES_MAX of categories' values, or of numbers, because there are hundreds of such columns or the values are
 * whole texts, every column of that kind lists fewer: the limit is halved until it fits.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/date.h"
#include "server/codec/json.h"
#include "server/codec/number.h"
#include "server/codec/table_parts.h"

#define LISTED_BYTES_MAX (1u << 20)
#define ENTRY_BYTES      32 /* of {"value":"","count":n} */
#define SHOWN            64 /* bytes of a name in a sentence */
#define HINT             "all values are dates; upload with ?types=%.*s:date to make it one"

/* One value of a column: a number, or a text that lies in the dictionary. */
struct entry {
	uint64_t count;
	double number;
	const char *text;
	size_t size;
};

static int by_text(const void *one, const void *other)
{
	const struct entry *a = one, *b = other;
	int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);

	if (a->count != b->count) return a->count < b->count ? 1 : -1;
	return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int by_number(const void *one, const void *other)
{
	const struct entry *a = one, *b = other;

	if (a->count != b->count) return a->count < b->count ? 1 : -1;
	return (a->number > b->number) - (a->number < b->number);
}

static json_t *list_entries(const struct entry *entries, size_t count)
{
	json_t *list = json_array();
	bool ok = list;

	for (size_t i = 0; i < count && ok; i++) {
		const struct entry *from = &entries[i];
		char printed[NUMBER_PRINT_MAX];
		const char *text = from->text ? from->text : printed;
		size_t size = from->text ? from->size : number_print_double(from->number, printed);
		json_t *entry = json_object();

		ok = !json_array_append_new(list, entry) &&
		     json_put(entry, "value", json_stringn(text, size)) &&
		     json_put(entry, "count", json_integer((json_int_t)from->count));
	}
	if (ok) return list;
	json_decref(list);
	return NULL;
}

/* The most frequent values of a category, new; NULL: no memory. */
static json_t *list_values(const struct values *values, size_t limit)
{
	struct entry *entries = calloc(values->count + 1, sizeof *entries);
	json_t *list = NULL;
	size_t count = 0;

	if (!entries) return NULL;
	for (size_t i = 0; i < values->count; i++) {
		if (!values->items[i].count) continue;
		entries[count].count = values->items[i].count;
		entries[count].text = values_text(values, i, &entries[count].size);
		count++;
	}
	qsort(entries, count, sizeof *entries, by_text);
	list = list_entries(entries, count < limit ? count : limit);
	free(entries);
	return list;
}

/* All the numbers of a column, new; NULL: no memory. */
static json_t *list_numbers(const struct tally *tally)
{
	struct entry *entries = calloc(tally->count + 1, sizeof *entries);
	json_t *list = NULL;
	size_t count = 0;

	if (!entries) return NULL;
	for (size_t i = 0; i < tally->cells_count; i++)
		if (tally->cells[i].count)
			entries[count++] = (struct entry){ .count = tally->cells[i].count,
				.number = tally->cells[i].number };
	qsort(entries, count, sizeof *entries, by_number);
	list = list_entries(entries, count);
	free(entries);
	return list;
}

/* ---- how many values a column may list ---- */

/* About how many bytes the values of a column take under that limit. */
static size_t listed_bytes(const struct column *column, size_t limit)
{
	const struct values *values = &column->values;
	size_t count = values->count;

	if (!column_type_has_codes(column->type))
		return column->tally.count <= limit ? column->tally.count * ENTRY_BYTES : 0;
	if (!count) return 0;
	return (count < limit ? count : limit) * (ENTRY_BYTES + values->items[count - 1].end / count);
}

static size_t listed_limit(const struct table *table, bool codes)
{
	size_t limit = 2 * TABLE_LISTED_MAX, bytes;

	do {
		limit /= 2;
		bytes = 0;
		for (size_t i = 0; i < table->count; i++)
			if (column_type_has_codes(table->columns[i].type) == codes)
				bytes += listed_bytes(&table->columns[i], limit);
	} while (limit && bytes > LISTED_BYTES_MAX);
	return limit;
}

/* ---- columns ---- */

/* Are all values of a category dates? */
static bool all_dates(const struct values *values)
{
	double seconds;
	size_t n;

	for (size_t i = 0; i < values->count; i++) {
		const char *text = values_text(values, i, &n);

		if (!date_read(text, n, &seconds)) return false;
	}
	return values->count;
}

static bool describe_category(json_t *out, const struct column *column, size_t limit)
{
	bool ok = json_put(out, "distinct", json_integer((json_int_t)values_present(&column->values))) &&
		  json_put(out, "values", list_values(&column->values, limit));

	if (!ok || column->declared || column->type != TYPE_CATEGORY || !all_dates(&column->values))
		return ok;
	return json_put(out, "hint",
			json_sprintf(HINT, table_excerpt(column->name, strlen(column->name), SHOWN),
					column->name));
}

static bool describe_number(json_t *out, const struct column *column, size_t limit)
{
	const struct stats *stats = &column->stats;
	const struct tally *tally = &column->tally;
	double std = stats->count > 1 ? (double)sqrtl(stats->squares / (long double)(stats->count - 1)) : NAN;
	bool ok = json_put(out, "min", json_number(stats->count ? stats->min : NAN)) &&
		  json_put(out, "max", json_number(stats->count ? stats->max : NAN)) &&
		  json_put(out, "mean", json_number(stats->count ? (double)stats->mean : NAN)) &&
		  json_put(out, "std", json_number(std)) &&
		  json_put(out, "integers", json_boolean(stats->count && column->integers)) &&
		  json_put(out, "distinct",
				  tally->given_up ? json_null() : json_integer((json_int_t)tally->count));

	if (!ok || tally->given_up || tally->count > limit) return ok;
	return json_put(out, "values", list_numbers(tally));
}

/* The member that says more about a column than its name and type; false: no memory. */
static bool describe(json_t *out, const struct column *column, const size_t limits[2])
{
	bool codes = column_type_has_codes(column->type);

	if (column->type == TYPE_IGNORE) return true;
	if (column->type == TYPE_CATEGORY && column->declared && !json_put(out, "declared", json_true()))
		return false;
	return json_put(out, "missing", json_integer((json_int_t)column->missing)) &&
	       (codes ? describe_category(out, column, limits[codes])
		      : describe_number(out, column, limits[codes]));
}

json_t *table_describe(const struct table *table)
{
	const size_t limits[2] = { listed_limit(table, false), listed_limit(table, true) };
	json_t *list = json_array();
	bool ok = list;

	for (size_t i = 0; i < table->count && ok; i++) {
		const struct column *column = &table->columns[i];
		json_t *out = json_object();

		ok = !json_array_append_new(list, out) && json_put(out, "name", json_string(column->name)) &&
		     json_put(out, "type", json_string(column_type_name(column->type))) &&
		     describe(out, column, limits);
	}
	if (ok) return list;
	json_decref(list);
	return NULL;
}
