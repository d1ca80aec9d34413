/* fuzz_table.c - libFuzzer on the table (server/codec/table.h) and on what it stores (segment.h).
 *
 * The first byte says how the body is cut into chunks, the second the size of row groups, whether the first column's
 * type is said, and how large dictionaries may become; the rest is CSV. It is read whole and in chunks: both readings
 * must end the same way, with the same faults, the same cells and the same description, whose counts must add up.
 * Then the same bytes are taken for a segment and for a dictionary. The seeds lie in tests/fuzz/corpus/table.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/table_parts.h"
#include "tests/unit/table_sink.h"

#define SMALL_BYTES 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static void feed_piece(struct table *table, const uint8_t *data, size_t n, int *rc)
{
	uint8_t *piece = malloc(n ? n : 1);

	if (!piece) abort();
	memcpy(piece, data, n);
	*rc = table_feed(table, piece, n, NULL);
	free(piece);
}

/* Every row is missing or counted once, unless a list was cut. */
static void check_counts(const struct table *table, json_t *columns)
{
	json_t *column, *value;
	size_t i, k;

	json_array_foreach(columns, i, column)
	{
		json_t *values = json_object_get(column, "values");
		json_int_t sum = json_integer_value(json_object_get(column, "missing"));

		if (!values || (json_int_t)json_array_size(values) !=
						json_integer_value(json_object_get(column, "distinct")))
			continue;
		json_array_foreach(values, k, value) sum +=
				json_integer_value(json_object_get(value, "count"));
		require((uint64_t)sum == table_rows(table));
	}
}

static void write_down(const struct table *table, const struct memory_sink *sink, struct buffer *out)
{
	json_t *columns = table_describe(table);
	char *text;

	if (!columns || !(text = json_dumps(columns, JSON_COMPACT))) abort();
	require(table_bytes(table) == sink_bytes(sink) && table_groups(table) == sink->groups);
	check_counts(table, columns);
	buffer_text(out, text);
	for (size_t i = 0; i < table_columns(table); i++)
		require(sink_print(sink, i, out) == table_rows(table));
	free(text);
	json_decref(columns);
}

/* Reads the body in chunks of 1 to `longest` bytes, 0: in one; writes down what it came to. */
static void read_body(const uint8_t *data, size_t size, size_t longest, uint8_t how, struct buffer *out)
{
	struct memory_sink memory = { 0 };
	struct table_sink sink = sink_of(&memory);
	struct faults faults = { 0 };
	struct table *table;
	size_t seed = longest;
	int rc = 0;

	require(!table_new_csv(&table,
			how & 1   ? "a:number"
			: how & 2 ? "a:category"
				  : NULL,
			&sink, &faults, NULL));
	table->group_bytes = 16 * (1 + how / 16);
	if (how & 4) table->values.max = SMALL_BYTES;
	if (how & 8) table->tallies.max = SMALL_BYTES;
	for (size_t i = 0, n; i < size && !rc; i += n) {
		seed = seed * 31 + 7;
		n = longest ? seed % longest + 1 : size;
		if (n > size - i) n = size - i;
		feed_piece(table, data + i, n, &rc);
	}
	if (!rc) rc = table_end(table, NULL);
	require(rc || !faults.count);
	require(table->values.used <= table->values.max && table->tallies.used <= table->tallies.max);
	buffer_printf(out, "%d ", rc);
	if (!rc) write_down(table, &memory, out);
	for (size_t i = 0; i < faults.count; i++)
		buffer_printf(out, "%d %s %llu %llu %s\n", faults.items[i].code, faults.items[i].pointer,
				(unsigned long long)faults.items[i].line,
				(unsigned long long)faults.items[i].column, faults.items[i].detail);
	table_free(table);
	sink_clear(&memory);
}

static void read_stored(const uint8_t *data, size_t size)
{
	struct dictionary dictionary;
	size_t rows;

	if (!dictionary_read(data, size, &dictionary, NULL)) {
		for (size_t i = 0; i < dictionary.count; i++)
			require(strlen(dictionary.values[i]) == dictionary.lengths[i]);
		dictionary_clear(&dictionary);
	}
	if (!segment_rows(data, size, &rows, NULL)) {
		double *x = malloc((rows + 1) * sizeof *x);

		if (!x) abort();
		if (segment_read_numbers(data, size, x, NULL))
			segment_read_codes(data, size, 100, (uint32_t *)x, NULL);
		free(x);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole = { 0 }, cut = { 0 };

	if (size < 2) return 0;
	read_body(data + 2, size - 2, 0, data[1], &whole);
	read_body(data + 2, size - 2, (size_t)data[0] + 1, data[1], &cut);
	require(whole.size == cut.size && !memcmp(whole.data, cut.data, cut.size));
	buffer_free(&whole);
	buffer_free(&cut);
	read_stored(data, size);
	return 0;
}
