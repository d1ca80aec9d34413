/* fuzz_rows.c - libFuzzer on the reader of rows (server/codec/rows.h).
 *
 * The first byte chooses the columns, the second how many rows are read at a time; the rest is the text. It is read in
 * those steps and all at once, with a reader that has read all inputs before: numbers and warnings must be the same,
 * and if one reading has faults so must the other. Then it is read as cells, and as one row. Build with clang
 * -fsanitize=fuzzer,address,undefined; the seeds lie in tests/fuzz/corpus/rows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/rows.h"

#define WIDTH_MAX  16
#define ROWS_MAX   2048
#define HASH_START 14695981039346656037u /* FNV-1a, 64 bits */
#define HASH_PRIME 1099511628211u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const values[] = { "a", "3", "true" };
static const struct column_spec specs[] = { { "x", COLUMN_NUMBER, NULL, 0 }, { "y", COLUMN_NUMBER, NULL, 0 },
	{ "c", COLUMN_CATEGORY, values, 3 }, { "d/\xc3\xa9", COLUMN_CATEGORY, values, 2 } };

static const struct {
	size_t first, count;
	enum encoder_role role;
	enum missing missing;
} models[] = {
	{ 0, 1, ENCODER_INPUTS, MISSING_MEAN },
	{ 0, 2, ENCODER_INPUTS, MISSING_MEAN },
	{ 1, 3, ENCODER_INPUTS, MISSING_MEAN },
	{ 0, 4, ENCODER_INPUTS, MISSING_ERROR },
	{ 2, 1, ENCODER_TARGETS, MISSING_MEAN },
	{ 1, 2, ENCODER_TARGETS, MISSING_MEAN },
};
#define MODELS (sizeof models / sizeof *models)

struct reading {
	uint64_t hash; /* of every number and warning */
	uint64_t count;
	struct faults faults;
};

static void require(bool condition)
{
	if (!condition) abort();
}

static void mix(struct reading *reading, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		reading->hash = (reading->hash ^ ((const unsigned char *)bytes)[i]) * HASH_PRIME;
}

static void read_steps(struct rows *rows, const struct encoder *encoder, struct scan_value value, size_t step,
		struct reading *reading)
{
	static float x[ROWS_MAX * WIDTH_MAX];
	size_t n = 1, width = encoder_width(encoder);
	struct err e;

	memset(reading, 0, sizeof *reading);
	reading->hash = HASH_START;
	if (rows_begin(rows, encoder, value, "/instances", &reading->faults, &e))
		require(reading->faults.count);
	while (n) {
		memset(x, 0, step * width * sizeof *x); /* what stands there for a row with faults means nothing */
		require(!rows_next(rows, step, x, &n, &e) && n <= step);
		mix(reading, x, n * width * sizeof *x);
	}
	reading->count = rows_count(rows);
	for (size_t i = 0; i < rows_warnings(rows); i++)
		mix(reading, rows_warning(rows, i), strlen(rows_warning(rows, i)));
}

static void read_cells(struct rows *rows, const struct encoder *encoder, struct scan_value value, bool faulty,
		uint64_t count)
{
	static struct faults faults;
	const struct table_cell *cells;
	struct reading reading = { .hash = HASH_START };

	memset(&faults, 0, sizeof faults);
	rows_begin(rows, encoder, value, "/instances", &faults, NULL);
	while (rows_next_cells(rows, &cells))
		for (size_t i = 0; i < encoder_columns(encoder); i++)
			if (cells[i].text) mix(&reading, cells[i].text, cells[i].size);
	require(faulty || (!faults.count && rows_count(rows) == count));
}

/* As one row: there is one, whatever it is, unless memory ran out. */
static void read_single(struct rows *rows, const struct encoder *encoder, struct scan_value value)
{
	static struct faults faults;
	float x[WIDTH_MAX];
	size_t n;

	memset(&faults, 0, sizeof faults);
	require(!rows_begin_one(rows, encoder, value, "/baseline", &faults, NULL));
	require(!rows_next(rows, 1, x, &n, NULL) && n == 1);
	require(!rows_next(rows, 1, x, &n, NULL) && n == 0);
}

static void read_text(const char *text, size_t size, size_t model, size_t step)
{
	static struct encoder *encoders[MODELS];
	static struct rows *rows;
	static struct reading small, whole;
	struct scan_value value;

	if (!rows) require(!rows_new(&rows, NULL));
	if (!encoders[model])
		require(!encoder_new(&encoders[model], specs + models[model].first, models[model].count,
				models[model].role, NORMALIZE_NONE, models[model].missing, NULL));
	if (scan_check(text, size, &value, NULL)) return;
	read_steps(rows, encoders[model], value, step, &small);
	read_steps(rows, encoders[model], value, ROWS_MAX, &whole);
	require(!small.faults.count == !whole.faults.count);
	if (!small.faults.count) require(small.hash == whole.hash && small.count == whole.count);
	read_cells(rows, encoders[model], value, small.faults.count, small.count);
	read_single(rows, encoders[model], value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 2 || !(text = malloc(size - 2 ? size - 2 : 1))) return 0;
	memcpy(text, data + 2, size - 2);
	read_text(text, size - 2, data[0] % MODELS, data[1] % 7 + 1);
	free(text);
	return 0;
}
