/* table_describe.c - what there is to say about each column, as api.md section 2 has it.
 *
 * Values are listed to TABLE_LISTED_MAX a column. Where that would make a document with more than about
 * TEXTS_BYTES_MAX of categories' values, or NUMBERS_BYTES_MAX of numbers, because there are hundreds of such columns or
 * the values are whole texts, every column of that kind lists fewer: the limit is halved until it fits. Histograms and
 * quartiles take some 400 bytes a column, of PROFILE_COLUMNS_MAX at most.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/date.h"
#include "server/codec/json.h"
#include "server/codec/number.h"
#include "server/codec/table_parts.h"

#define NUMBERS_BYTES_MAX (256u << 10)
#define TEXTS_BYTES_MAX   (1u << 20)
#define ENTRY_BYTES       32 /* of {"value":"","count":n} */
#define SHOWN             64 /* bytes of a name in a sentence */
#define HINT \
	"all values are dates; ?types=%.*s:date&replace=true with the upload, or a PUT of {\"type\":\"date\"} to the column, makes it one"

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
		if (!(entries[count].count = values_counted(values, i))) continue;
		entries[count].text = values_text(values, i, &entries[count].size);
		count++;
	}
	qsort(entries, count, sizeof *entries, by_text);
	list = list_entries(entries, count < limit ? count : limit);
	free(entries);
	return list;
}

/* All the numbers of a column, new; NULL: no memory. */
static json_t *list_numbers(const struct tally_cell *cells, size_t count)
{
	struct entry *entries = calloc(count + 1, sizeof *entries);
	json_t *list;

	if (!entries) return NULL;
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct entry){ .count = cells[i].count, .number = cells[i].number };
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
	return (count < limit ? count : limit) * (ENTRY_BYTES + values->ends[count - 1] / count);
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
	} while (limit && bytes > (codes ? TEXTS_BYTES_MAX : NUMBERS_BYTES_MAX));
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

/* An array of numbers, new; NULL: no memory. */
static json_t *list_doubles(const double *x, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, json_number(x[i]))) goto fail;
	return list;
fail:
	json_decref(list);
	return NULL;
}

static json_t *list_counts(const uint64_t *counts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, json_integer((json_int_t)counts[i]))) goto fail;
	return list;
fail:
	json_decref(list);
	return NULL;
}

static bool describe_spread(json_t *out, const struct table_profile *profile, const struct stats *stats,
		const double quartiles[3])
{
	struct profile_histogram histogram;
	json_t *bins;

	profile_histogram(profile, stats->min, stats->max, &histogram);
	return json_put(out, "quartiles", list_doubles(quartiles, 3)) &&
	       json_put(out, "histogram", bins = json_object()) &&
	       json_put(bins, "edges", list_doubles(histogram.edges, histogram.bins + 1)) &&
	       json_put(bins, "counts", list_counts(histogram.counts, histogram.bins));
}

/* The spread of few distinct numbers, all of which are known. */
static bool describe_tallied(
		json_t *out, const struct stats *stats, const struct tally_cell *cells, size_t count)
{
	struct table_profile profile;
	double quartiles[3];
	bool ok;

	if (!profile_begin_grid(&profile)) return false;
	tally_quartiles(cells, count, quartiles);
	for (size_t i = 0; i < count; i++)
		profile_take(&profile, &cells[i].number, 1, cells[i].count, stats->min, stats->max);
	ok = describe_spread(out, &profile, stats, quartiles);
	profile_free(&profile);
	return ok;
}

static bool describe_few(json_t *out, const struct column *column, size_t limit, bool profiled)
{
	const struct tally *tally = &column->tally;
	size_t count;
	struct tally_cell *cells = tally_list(tally, &count);
	bool ok = cells && json_put(out, "distinct", json_integer((json_int_t)count));

	if (ok && count && profiled) ok = describe_tallied(out, &column->stats, cells, count);
	if (ok && count <= limit) ok = json_put(out, "values", list_numbers(cells, count));
	free(cells);
	return ok;
}

static bool describe_many(json_t *out, const struct column *column)
{
	double quartiles[3];

	if (!json_put(out, "distinct", json_null())) return false;
	if (!column->profile) return true;
	return profile_quartiles(column->profile, quartiles) &&
	       describe_spread(out, column->profile, &column->stats, quartiles);
}

static bool describe_number(json_t *out, const struct column *column, size_t limit, bool profiled)
{
	const struct stats *stats = &column->stats;
	double std = stats->count > 1 ? (double)sqrtl(stats->squares / (long double)(stats->count - 1)) : NAN;
	bool ok = json_put(out, "min", json_number(stats->count ? stats->min : NAN)) &&
		  json_put(out, "max", json_number(stats->count ? stats->max : NAN)) &&
		  json_put(out, "mean", json_number(stats->count ? (double)stats->mean : NAN)) &&
		  json_put(out, "std", json_number(std)) &&
		  json_put(out, "integers", json_boolean(stats->count && column->integers));

	if (!ok) return false;
	return column->tally.given_up ? describe_many(out, column)
				      : describe_few(out, column, limit, profiled);
}

/* The member that says more about a column than its name and type; false: no memory. */
static bool describe(
		json_t *out, const struct table *table, const struct column *column, const size_t limits[2])
{
	bool codes = column_type_has_codes(column->type);

	if (column->type == TYPE_IGNORE) return true;
	if (column->type == TYPE_CATEGORY && column->declared && !json_put(out, "declared", json_true()))
		return false;
	return json_put(out, "missing", json_integer((json_int_t)column->missing)) &&
	       (codes ? describe_category(out, column, limits[codes])
		      : describe_number(out, column, limits[codes], table->count <= PROFILE_COLUMNS_MAX));
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
		     describe(out, table, column, limits);
	}
	if (ok) return list;
	json_decref(list);
	return NULL;
}
