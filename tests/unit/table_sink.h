/* table_sink.h - a table's sink in memory, for tests and fuzzers: what came last for each segment and dictionary, and
 * a table's cells read back from there as text.
 */
#ifndef TESTS_UNIT_TABLE_SINK_H
#define TESTS_UNIT_TABLE_SINK_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/buffer.h"
#include "server/codec/number.h"
#include "server/codec/segment.h"
#include "server/codec/table.h"

struct piece {
	unsigned char *data;
	size_t size;
};

struct memory_sink {
	struct piece *segments;     /* (groups, columns) */
	struct piece *dictionaries; /* (columns) */
	size_t groups, columns, replaced;
	size_t largest_group; /* bytes */
	int fail_group;       /* the code that group answers, 0: none */
};

static void piece_set(struct piece *piece, const void *data, size_t size)
{
	free(piece->data);
	piece->data = malloc(size ? size : 1);
	if (!piece->data) abort();
	memcpy(piece->data, data, size);
	piece->size = size;
}

static int sink_group(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
		struct err *e)
{
	struct memory_sink *sink = self;
	size_t total = 0;

	if (group != sink->groups || (group && count != sink->columns)) abort();
	sink->columns = count;
	sink->segments = realloc(sink->segments, (sink->groups + 1) * count * sizeof *sink->segments);
	if (!sink->segments) abort();
	for (size_t i = 0; i < count; i++) {
		sink->segments[group * count + i] = (struct piece){ data[i], sizes[i] };
		data[i] = NULL;
		total += sizes[i];
	}
	sink->groups++;
	if (total > sink->largest_group) sink->largest_group = total;
	return sink->fail_group ? err_set(e, (enum err_code)sink->fail_group, "the sink is full") : 0;
}

static int sink_replace(
		void *self, uint64_t group, uint64_t column, const void *data, size_t size, struct err *e)
{
	struct memory_sink *sink = self;

	(void)e;
	if (group >= sink->groups || column >= sink->columns) abort();
	sink->replaced++;
	piece_set(&sink->segments[group * sink->columns + column], data, size);
	return 0;
}

static int sink_read(void *self, uint64_t group, uint64_t column, unsigned char **data, size_t *size,
		struct err *e)
{
	struct memory_sink *sink = self;
	struct piece copy = { 0 };
	const struct piece *from;

	(void)e;
	if (group >= sink->groups || column >= sink->columns) abort();
	from = &sink->segments[group * sink->columns + column];
	piece_set(&copy, from->data, from->size);
	*data = copy.data;
	*size = copy.size;
	return 0;
}

static int sink_dictionary(void *self, uint64_t column, const void *data, size_t size, struct err *e)
{
	struct memory_sink *sink = self;

	(void)e;
	if (!sink->dictionaries) sink->dictionaries = calloc(sink->columns, sizeof *sink->dictionaries);
	if (!sink->dictionaries || column >= sink->columns || sink->dictionaries[column].data) abort();
	piece_set(&sink->dictionaries[column], data, size);
	return 0;
}

static inline struct table_sink sink_of(struct memory_sink *sink)
{
	return (struct table_sink){ sink, sink_group, sink_replace, sink_read, sink_dictionary };
}

static inline void sink_clear(struct memory_sink *sink)
{
	for (size_t i = 0; i < sink->groups * sink->columns; i++)
		free(sink->segments[i].data);
	for (size_t i = 0; sink->dictionaries && i < sink->columns; i++)
		free(sink->dictionaries[i].data);
	free(sink->segments);
	free(sink->dictionaries);
	*sink = (struct memory_sink){ 0 };
}

static inline uint64_t sink_bytes(const struct memory_sink *sink)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < sink->groups * sink->columns; i++)
		bytes += sink->segments[i].size;
	for (size_t i = 0; sink->dictionaries && i < sink->columns; i++)
		bytes += sink->dictionaries[i].size;
	return bytes;
}

static void print_codes(
		const struct piece *segment, const struct dictionary *values, size_t rows, struct buffer *out)
{
	uint32_t *codes = malloc((rows + 1) * sizeof *codes);

	if (!codes || segment_read_codes(segment->data, segment->size, (uint32_t)values->count, codes, NULL))
		abort();
	for (size_t i = 0; i < rows; i++)
		buffer_printf(out, "%s ", codes[i] == SEGMENT_CODE_MISSING ? "-" : values->values[codes[i]]);
	free(codes);
}

static void print_numbers(const struct piece *segment, size_t rows, struct buffer *out)
{
	double *x = malloc((rows + 1) * sizeof *x);
	char text[NUMBER_PRINT_MAX];

	if (!x || segment_read_numbers(segment->data, segment->size, x, NULL)) abort();
	for (size_t i = 0; i < rows; i++) {
		if (isnan(x[i]))
			buffer_text(out, "-");
		else
			buffer_add(out, text, number_print_double(x[i], text));
		buffer_text(out, " ");
	}
	free(x);
}

/* A column's cells, each followed by a space, a missing one as "-"; groups end with "|". Returns the rows. */
static inline uint64_t sink_print(const struct memory_sink *sink, size_t column, struct buffer *out)
{
	const struct piece *values = sink->dictionaries ? &sink->dictionaries[column] : NULL;
	struct dictionary dictionary = { 0 };
	uint64_t all = 0;

	if (values && values->data && dictionary_read(values->data, values->size, &dictionary, NULL)) abort();
	for (size_t group = 0; group < sink->groups; group++) {
		const struct piece *segment = &sink->segments[group * sink->columns + column];
		size_t rows;

		if (segment_rows(segment->data, segment->size, &rows, NULL)) abort();
		if (values && values->data)
			print_codes(segment, &dictionary, rows, out);
		else
			print_numbers(segment, rows, out);
		buffer_text(out, "|");
		all += rows;
	}
	dictionary_clear(&dictionary);
	return all;
}

#endif
