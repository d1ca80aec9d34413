/* body_reading.h - what becomes of a body in some format, as text, for tests and fuzzers: the columns with their types and
 * cells, or the faults.
 */
#ifndef TESTS_UNIT_BODY_READING_H
#define TESTS_UNIT_BODY_READING_H

#include <stdio.h>

#include "server/codec/body.h"
#include "server/codec/table_parts.h"
#include "tests/unit/table_sink.h"

#define SCRATCH_BESIDE "/tmp/descentd-scratch"

struct body_how {
	enum body_format format;
	const char *types, *decimal;
	uint64_t bytes_max; /* 0: no limit */
	size_t group_bytes; /* 0: as large as they are */
	size_t first, step; /* bytes of the first piece, then of the others; 0: the rest */
};

static inline int feed_body(
		struct body *body, const char *bytes, size_t n, const struct body_how *how, struct err *e)
{
	size_t step = how->first ? how->first : how->step;
	int rc = 0;

	for (size_t i = 0, piece; i < n && !rc; i += piece, step = how->step) {
		char *copy;

		piece = step && step < n - i ? step : n - i;
		if (!(copy = malloc(piece)))
			abort(); /* a block of its own, so that a look outside of it is seen */
		memcpy(copy, bytes + i, piece);
		rc = body_feed(body, copy, piece, e);
		free(copy);
	}
	return rc ? rc : body_end(body, e);
}

static inline void print_columns(
		const struct table *table, const struct memory_sink *sink, struct buffer *out)
{
	json_t *columns = table_describe(table), *type;

	for (size_t i = 0; i < table_columns(table); i++) {
		type = json_object_get(json_array_get(columns, i), "type");
		buffer_printf(out, "%s%s %s: ", i ? "\n" : "", table->columns[i].name,
				json_string_value(type));
		if (sink_print(sink, i, out) != table_rows(table)) abort();
	}
	json_decref(columns);
}

/* "name type: cells|" a column, or "code sentence" and "line:column code detail" (or pointer code detail) a fault. */
static inline void print_body(const char *bytes, size_t n, const struct body_how *how, struct buffer *out)
{
	struct body_options options = { how->format, how->types, how->decimal,
		how->bytes_max ? how->bytes_max : UINT64_MAX, SCRATCH_BESIDE };
	struct memory_sink memory = { 0 };
	struct table_sink sink = sink_of(&memory);
	struct faults faults = { 0 };
	struct err e = { "" }, again;
	struct body *body;
	int rc = body_new(&body, &options, &sink, &faults, &e);

	if (!rc && how->group_bytes) body_table(body)->group_bytes = how->group_bytes;
	if (!rc && !(rc = feed_body(body, bytes, n, how, &e))) print_columns(body_table(body), &memory, out);
	if (rc && body && (body_feed(body, "x", 1, &again) != rc || strcmp(again.text, e.text)))
		abort(); /* so it stays */
	if (rc) buffer_printf(out, "%d %s", rc, e.text);
	for (size_t i = 0; i < faults.count; i++) {
		const struct fault *fault = &faults.items[i];

		buffer_printf(out, "\n%s%llu:%llu %d %s", fault->pointer, (unsigned long long)fault->line,
				(unsigned long long)fault->column, fault->code, fault->detail);
	}
	if (faults.more) buffer_printf(out, "\nand %zu more", faults.more);
	buffer_add(out, "", 1);
	if (!buffer_ok(out)) abort();
	body_free(body);
	sink_clear(&memory);
}

#endif
