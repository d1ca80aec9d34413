/* fuzz_tensor.c - libFuzzer on tensors of the Open Inference Protocol (server/codec/tensor.h), and on rows read from them.
 *
 * The first byte chooses the columns, the second how many rows are read at a time, the next two how much of the rest is
 * JSON: an array of tensors. What is behind it are their binary data. They are read in those steps and all at once: the
 * numbers must be the same, and if one reading has faults so must the other. A binary tensor without a fault is as large as
 * its shape says. The seeds lie in tests/fuzz/corpus/tensor.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/rows.h"
#include "server/codec/tensor.h"

#define WIDTH_MAX   16
#define ROWS_MAX    2048
#define TENSORS_MAX 4
#define HEAD_BYTES  4
#define HASH_START  14695981039346656037u /* FNV-1a, 64 bits */
#define HASH_PRIME  1099511628211u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const values[] = { "a", "3", "true" };
static const struct column_spec specs[] = { { "x", COLUMN_NUMBER, NULL, 0 }, { "y", COLUMN_NUMBER, NULL, 0 },
	{ "c", COLUMN_CATEGORY, values, 3 } };

static const struct {
	size_t first, count;
	enum missing missing;
} models[] = { { 0, 1, MISSING_MEAN }, { 0, 2, MISSING_ERROR }, { 0, 3, MISSING_MEAN },
	{ 2, 1, MISSING_ERROR } };
#define MODELS (sizeof models / sizeof *models)

struct inputs {
	struct tensor tensors[TENSORS_MAX];
	size_t count;
	struct scan_value text;
	struct faults faults;
};

struct reading {
	uint64_t hash, count;
	struct faults faults;
};

static void require(bool condition)
{
	if (!condition) abort();
}

static void check_tensor(const struct tensor *tensor)
{
	uint64_t elements = 1, bytes = 0;
	const unsigned char *at = tensor->raw;

	for (size_t i = 0; i < tensor->dims; i++)
		elements *= tensor->shape[i];
	require(tensor->dims <= TENSOR_DIMS_MAX && elements == tensor->elements);
	if (tensor->data.at) return;
	for (uint64_t i = 0; i < elements && tensor->type == TENSOR_BYTES; i++) {
		size_t n;

		tensor_text(&at, &n);
		bytes += n + sizeof(uint32_t);
	}
	require(tensor->raw_bytes ==
			(tensor->type == TENSOR_BYTES ? bytes : elements * tensor_type_bytes(tensor->type)));
}

static bool read_inputs(const char *text, size_t json, size_t size, struct inputs *in)
{
	struct tensor_bytes bytes = { (const unsigned char *)text + json, size - json };

	in->count = 0;
	memset(&in->faults, 0, sizeof in->faults);
	if (scan_check(text, json, &in->text, NULL) || scan_kind(in->text) != '[') return false;
	for (struct scan_iter i = scan_begin(in->text); scan_next(&i); in->count++) {
		if (in->count == TENSORS_MAX) return false;
		tensor_read(i.value, &bytes, "/inputs/0", &in->tensors[in->count], &in->faults);
		if (in->faults.count) return false;
		check_tensor(&in->tensors[in->count]);
	}
	return in->count;
}

static void read_steps(struct rows *rows, const struct encoder *encoder, const struct inputs *in, size_t step,
		struct reading *reading)
{
	static float x[ROWS_MAX * WIDTH_MAX];
	size_t n = 1, width = encoder_width(encoder);
	struct err e;

	memset(reading, 0, sizeof *reading);
	reading->hash = HASH_START;
	if (rows_begin_tensors(rows, encoder, in->tensors, in->count, in->text, "/inputs", &reading->faults,
			    &e)) {
		require(reading->faults.count);
		return;
	}
	while (n) {
		memset(x, 0, step * width * sizeof *x); /* what stands there for a row with faults means nothing */
		require(!rows_next(rows, step, x, &n, &e) && n <= step);
		for (size_t i = 0; i < n * width * sizeof *x; i++)
			reading->hash = (reading->hash ^ ((const unsigned char *)x)[i]) * HASH_PRIME;
	}
	reading->count = rows_count(rows);
}

static void read_body(const char *text, size_t json, size_t size, size_t model, size_t step)
{
	static struct encoder *encoders[MODELS];
	static struct rows *rows;
	static struct reading small, whole;
	static struct inputs in;

	if (!rows) require(!rows_new(&rows, NULL));
	if (!encoders[model])
		require(!encoder_new(&encoders[model], specs + models[model].first, models[model].count,
				ENCODER_INPUTS, NORMALIZE_NONE, models[model].missing, NULL));
	if (!read_inputs(text, json, size, &in)) return;
	read_steps(rows, encoders[model], &in, step, &small);
	read_steps(rows, encoders[model], &in, ROWS_MAX, &whole);
	require(!small.faults.count == !whole.faults.count);
	if (!small.faults.count) require(small.hash == whole.hash && small.count == whole.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t json, n;
	char *text;

	if (size < HEAD_BYTES) return 0;
	n = size - HEAD_BYTES;
	json = (size_t)(data[2] | data[3] << 8);
	if (!(text = malloc(n ? n : 1))) return 0;
	memcpy(text, data + HEAD_BYTES, n);
	read_body(text, json < n ? json : n, n, data[0] % MODELS, data[1] % 7 + 1);
	free(text);
	return 0;
}
