/* table_reading.h - one reading of one CSV body by a table, into a sink in memory, for tests. Row groups can be small, so
 * that few rows have many of them.
 */
#ifndef TESTS_UNIT_TABLE_READING_H
#define TESTS_UNIT_TABLE_READING_H

#include <jansson.h>

#include "server/codec/table_parts.h"
#include "tests/unit/suite.h"
#include "tests/unit/table_sink.h"

/* One reading of one body and everything that came of it. */
struct reading {
	struct memory_sink sink;
	struct table_sink to;
	struct faults faults;
	struct table *table;
	struct err e;
	int rc;
	json_t *columns; /* when rc is 0 */
};

struct how {
	const char *types;
	size_t step;       /* bytes a chunk; 0: all at once */
	size_t group_rows; /* 0: as large as they are */
	size_t columns;    /* that group_rows is meant for */
	size_t values_bytes_max;
};

static inline void feed(struct reading *r, const char *text, size_t n, size_t step)
{
	for (size_t i = 0, piece; i < n && !r->rc; i += piece) {
		char *copy;

		piece = step && step < n - i ? step : n - i;
		copy = malloc(piece); /* a block of its own, so that a look outside of it is seen */
		memcpy(copy, text + i, piece);
		r->rc = table_feed(r->table, copy, piece, &r->e);
		free(copy);
	}
}

static inline void finish(struct reading *r)
{
	struct err again;

	if (!r->rc) r->rc = table_end(r->table, &r->e);
	if (!r->rc) ck_assert_ptr_nonnull(r->columns = table_describe(r->table));
	if (!r->rc) ck_assert_uint_eq(table_bytes(r->table), sink_bytes(&r->sink));
	if (r->rc) { /* and so it stays */
		ck_assert_int_eq(table_feed(r->table, "x", 1, &again), r->rc);
		ck_assert_str_eq(again.text, r->e.text);
		ck_assert_int_eq(table_end(r->table, &again), r->rc);
		ck_assert_str_eq(again.text, r->e.text);
	}
}

static inline void read_csv(struct reading *r, const char *text, const struct how *how)
{
	memset(r, 0, sizeof *r);
	r->to = sink_of(&r->sink);
	r->rc = table_new_csv(&r->table, how->types, &r->to, &r->faults, &r->e);
	if (r->rc) return;
	if (how->group_rows) r->table->group_bytes = how->columns * (8 + 8 * how->group_rows);
	if (how->values_bytes_max) r->table->values.max = how->values_bytes_max;
	feed(r, text, strlen(text), how->step);
	finish(r);
}

static inline void clear(struct reading *r)
{
	json_decref(r->columns);
	table_free(r->table);
	sink_clear(&r->sink);
}

/* What the description says of a column. */
static inline const json_t *at(const struct reading *r, size_t column, const char *key)
{
	return json_object_get(json_array_get(r->columns, column), key);
}

/* A table as text: for each column its name, N or C for how it is stored, and its cells as sink_print has them. New (free). */
static inline char *print_table(const struct reading *r)
{
	struct buffer out = { 0 };

	if (r->rc) buffer_printf(&out, "%d %s", r->rc, r->e.text);
	for (size_t i = 0; !r->rc && i < table_columns(r->table); i++) {
		buffer_printf(&out, "%s%s %c: ", i ? "\n" : "", r->table->columns[i].name,
				column_type_has_codes(r->table->columns[i].type) ? 'C' : 'N');
		ck_assert_uint_eq(sink_print(&r->sink, i, &out), table_rows(r->table));
	}
	buffer_add(&out, "", 1);
	ck_assert(buffer_ok(&out));
	return out.data;
}

static inline void check(const char *text, struct how how, const char *expected)
{
	for (size_t step = 0; step < 5; step++) { /* however the body is cut */
		struct reading r;
		char *found;

		how.step = step;
		read_csv(&r, text, &how);
		found = print_table(&r);
		ck_assert_str_eq(found, expected);
		free(found);
		clear(&r);
	}
}

struct expected_fault {
	int code;
	const char *pointer;
	uint64_t line, column;
	const char *part; /* of its sentence */
};

static inline void check_faults(const char *text, const char *types, const struct expected_fault *expected)
{
	for (size_t step = 0; step < 4; step++) {
		struct how how = { .types = types, .step = step, .group_rows = 1, .columns = 2 };
		struct reading r;
		size_t n = 0;

		read_csv(&r, text, &how);
		ck_assert_int_eq(r.rc, expected[0].code);
		ck_assert_ptr_nonnull(strstr(r.e.text, expected[0].part));
		for (; expected[n].code; n++) {
			const struct fault *fault = &r.faults.items[n];

			ck_assert_uint_gt(r.faults.count, n);
			ck_assert_int_eq(fault->code, expected[n].code);
			ck_assert_str_eq(fault->pointer, expected[n].pointer);
			ck_assert_uint_eq(fault->line, expected[n].line);
			ck_assert_uint_eq(fault->column, expected[n].column);
			if (!strstr(fault->detail, expected[n].part)) ck_abort_msg("%s", fault->detail);
		}
		ck_assert_uint_eq(r.faults.count, n);
		clear(&r);
	}
}

/* A header line of c0, c1, ... and rows of one cell text with the row's number behind it. New (free). */
static inline char *wide_text(size_t columns, size_t rows, const char *cell)
{
	struct buffer text = { 0 };

	for (size_t i = 0; i < columns; i++)
		buffer_printf(&text, "%sc%zu", i ? "," : "", i);
	for (size_t row = 0; row < rows; row++) {
		buffer_text(&text, "\n");
		for (size_t i = 0; i < columns; i++)
			buffer_printf(&text, "%s%s%zu", i ? "," : "", cell, row);
	}
	buffer_add(&text, "\n", 2);
	ck_assert(buffer_ok(&text));
	return text.data;
}

#endif
