/* rows_reading.h - rows are read and written down as text, so that a test is a table of texts and what must come of
 * them: a line for each row with its encoded numbers, "!pointer: sentence" for each fault and "?sentence" for each
 * warning. Texts lie in blocks of exactly their size.
 */
#ifndef TESTS_UNIT_ROWS_READING_H
#define TESTS_UNIT_ROWS_READING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/rows.h"
#include "tests/unit/suite.h"

#define LOG_BYTES (1u << 16)
#define ROWS_MAX  1000
#define FILL      (-7.0) /* what stands for a missing number */

/* ---- encoders ---- */

enum model { IRIS, MIXED, STRICT, SPECIES, ONE, HOUSE, MODELS };

static const char *const hair[] = { "black", "brown", "3", "true" };
static const char *const species[] = { "setosa", "versicolor", "virginica" };

static const struct column_spec iris_columns[] = { { "sepal_length", COLUMN_NUMBER, NULL, 0 },
	{ "sepal_width", COLUMN_NUMBER, NULL, 0 }, { "petal_length", COLUMN_NUMBER, NULL, 0 },
	{ "petal_width", COLUMN_NUMBER, NULL, 0 } };
static const struct column_spec mixed_columns[] = { { "height", COLUMN_NUMBER, NULL, 0 },
	{ "hair", COLUMN_CATEGORY, hair, 4 } };
static const struct column_spec species_columns[] = { { "species", COLUMN_CATEGORY, species, 3 } };
static const struct column_spec one_columns[] = { { "x0", COLUMN_NUMBER, NULL, 0 } };
static const struct column_spec house_columns[] = { { "a/b", COLUMN_NUMBER, NULL, 0 },
	{ "k\xc3\xbc"
	  "che",
			COLUMN_NUMBER, NULL, 0 } };

static const struct {
	const struct column_spec *columns;
	size_t count;
	enum encoder_role role;
	enum missing missing;
} models[MODELS] = {
	[IRIS] = { iris_columns, 4, ENCODER_INPUTS, MISSING_MEAN },
	[MIXED] = { mixed_columns, 2, ENCODER_INPUTS, MISSING_MEAN },
	[STRICT] = { mixed_columns, 2, ENCODER_INPUTS, MISSING_ERROR },
	[SPECIES] = { species_columns, 1, ENCODER_TARGETS, MISSING_MEAN },
	[ONE] = { one_columns, 1, ENCODER_INPUTS, MISSING_MEAN },
	[HOUSE] = { house_columns, 2, ENCODER_INPUTS, MISSING_MEAN },
};

static inline struct encoder *make_encoder(enum model model)
{
	struct encoder *encoder;

	ck_assert_int_eq(encoder_new(&encoder, models[model].columns, models[model].count, models[model].role,
					 NORMALIZE_NONE, models[model].missing, NULL),
			0);
	for (size_t i = 0; i < encoder_columns(encoder); i++) {
		struct encoder_column learnt = *encoder_column(encoder, i);

		learnt.fill = FILL;
		encoder_restore(encoder, i, &learnt);
	}
	return encoder;
}

/* ---- reading, written down ---- */

struct log {
	char text[LOG_BYTES];
	size_t used;
};

static inline __attribute__((format(printf, 2, 3))) void note(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log->used += (size_t)vsnprintf(log->text + log->used, sizeof log->text - log->used, format, args);
	va_end(args);
	if (log->used >= sizeof log->text) ck_abort_msg("LOG_BYTES are too few");
}

static inline void note_end(struct log *log, const struct rows *rows, const struct faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		note(log, "!%s: %s\n", faults->items[i].pointer, faults->items[i].detail);
	if (faults->more) note(log, "!and %zu more\n", faults->more);
	for (size_t i = 0; i < rows_warnings(rows); i++)
		note(log, "?%s\n", rows_warning(rows, i));
}

static inline struct scan_value checked(const char *text, size_t n)
{
	struct scan_value value;
	struct err e;

	ck_assert_msg(!scan_check(text, n, &value, &e), "%.*s: %s", (int)n, text, e.text);
	return value;
}

/* Reads text in steps of `step` rows; rows are noted unless there are faults, when they mean nothing. */
static inline void read_rows(
		struct log *log, struct rows *rows, enum model model, const char *text, size_t step)
{
	static float x[ROWS_MAX * 16];
	static struct faults faults;
	struct encoder *encoder = make_encoder(model);
	size_t size = strlen(text), width = encoder_width(encoder), n = 1;
	char *block = malloc(size);
	uint64_t count = 0;
	struct err e;
	int rc;

	memcpy(block, text, size);
	memset(&faults, 0, sizeof faults);
	log->used = 0;
	rc = rows_begin(rows, encoder, checked(block, size), "/instances", &faults, &e);
	ck_assert(!rc || faults.count);
	while (n) {
		ck_assert_int_eq(rows_next(rows, step, x, &n, &e), 0);
		ck_assert(n <= step && (!rc || !n));
		count += n;
		for (size_t r = 0; r < n && !faults.count; r++)
			for (size_t i = 0; i < width; i++)
				note(log, "%g%s", (double)x[r * width + i], i + 1 < width ? " " : "\n");
	}
	ck_assert_uint_eq(rows_count(rows), count);
	if (faults.count) log->used = 0;
	note_end(log, rows, &faults);
	free(block);
	encoder_free(encoder);
}

/* The same as cells: a number as it is printed, a text in quotes, "-" for a missing one. */
static inline void read_cells(struct log *log, struct rows *rows, enum model model, const char *text)
{
	static struct faults faults;
	struct encoder *encoder = make_encoder(model);
	const struct table_cell *cells;
	size_t size = strlen(text), columns = encoder_columns(encoder);
	char *block = malloc(size);
	struct err e;

	memcpy(block, text, size);
	memset(&faults, 0, sizeof faults);
	log->used = 0;
	rows_begin(rows, encoder, checked(block, size), "/instances", &faults, &e);
	while (rows_next_cells(rows, &cells)) {
		for (size_t i = 0; i < columns && !faults.count; i++) {
			if (cells[i].kind == TABLE_NUMBER)
				note(log, "%g", cells[i].number);
			else if (cells[i].kind == TABLE_TEXT)
				note(log, "\"%.*s\"", (int)cells[i].size, cells[i].text);
			else
				note(log, "-");
			note(log, i + 1 < columns ? " " : "\n");
		}
	}
	if (faults.count) log->used = 0;
	note_end(log, rows, &faults);
	free(block);
	encoder_free(encoder);
}

struct reading {
	enum model model;
	const char *text, *wanted;
};

/* Does every step read the same, with a reader that has read other things before? */
static inline void check_readings(const struct reading *readings, size_t count, bool cells_too)
{
	static struct log log;
	struct rows *rows;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		const struct reading *r = &readings[i];

		for (size_t step = 1; step <= ROWS_MAX; step = step == 1 ? 3 : step * ROWS_MAX / 3) {
			log.text[0] = 0;
			read_rows(&log, rows, r->model, r->text, step);
			ck_assert_msg(!strcmp(log.text, r->wanted), "%s in steps of %zu:\n%swanted:\n%s",
					r->text, step, log.text, r->wanted);
		}
		if (!cells_too) continue;
		log.text[0] = 0;
		read_cells(&log, rows, r->model, r->text);
		ck_assert_msg(!strcmp(log.text, r->wanted), "%s as cells:\n%swanted:\n%s", r->text, log.text,
				r->wanted);
	}
	rows_free(rows);
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

#endif
