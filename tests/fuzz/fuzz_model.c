/* fuzz_model.c - libFuzzer on model files (core/model.h).
 *
 * The input is a file. It is read as it is, and again with the length and the checksum that it should have, as whoever makes
 * up a file would set them. What is refused has a sentence, and reading holds no more memory than a multiple of the file.
 * What is read and written reads to the same again, and a network that is not large answers a row. The seeds lie in
 * tests/fuzz/corpus/model.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/model.h"
#include "tests/fuzz/held.h"

#define SIZE_AT        8 /* of the file's length, behind magic and format */
#define HEAD_BYTES     16
#define CRC_BYTES      4
#define HELD_FIXED     (1u << 18)
#define HELD_A_BYTE    64
#define PARAMETERS_MAX 100000
#define WIDTH_MAX      4096
#define NAME_BYTES     80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static void put_little(unsigned char *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)(value >> (8 * i));
}

static void seal(unsigned char *bytes, size_t size)
{
	if (size < HEAD_BYTES + CRC_BYTES) return;
	put_little(bytes + SIZE_AT, size, HEAD_BYTES - SIZE_AT);
	put_little(bytes + size - CRC_BYTES, crc32c(bytes, size - CRC_BYTES), CRC_BYTES);
}

static struct model *read_bytes(const unsigned char *bytes, size_t size)
{
	struct model *model;
	struct err e = { "" };
	int rc;

	held_begin();
	rc = model_read(&model, bytes, size, &e);
	require(held_most() <= HELD_FIXED + HELD_A_BYTE * size);
	require(!rc == !!model && (!rc || (rc == ERR_CORRUPT && *e.text)));
	return model;
}

static void check_round_trip(const struct model *model)
{
	unsigned char *once, *twice;
	size_t once_size, twice_size;
	struct model *again;

	require(!model_write(model, &once, &once_size, NULL));
	require((again = read_bytes(once, once_size)) != NULL);
	require(!model_write(again, &twice, &twice_size, NULL));
	require(once_size == twice_size && !memcmp(once, twice, once_size));
	model_free(again);
	free(once);
	free(twice);
}

/* The mean of the training rows, and what its inputs are called. */
static void check_forward(const struct model *model)
{
	static real x[WIDTH_MAX];
	size_t width = encoder_width(model->inputs);
	struct net_work *work;
	const real *y;
	char name[NAME_BYTES];

	require(width == net_inputs(model->net) && encoder_width(model->targets) == net_outputs(model->net));
	if (width > WIDTH_MAX || net_parameters(model->net) > PARAMETERS_MAX) return;
	for (size_t j = 0; j < width; j++)
		encoder_input_name(model->inputs, j, name, sizeof name);
	encoder_mean(model->inputs, x);
	require(!net_work_new(&work, model->net, 1, false, gemm_engine_at(0), NULL, NULL));
	net_forward(model->net, work, x, 1, &y);
	net_work_free(work);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *bytes = malloc(size ? size : 1);
	struct model *model;

	if (!bytes) return 0;
	memcpy(bytes, data, size);
	model_free(read_bytes(bytes, size));
	seal(bytes, size);
	if ((model = read_bytes(bytes, size))) {
		check_round_trip(model);
		check_forward(model);
	}
	model_free(model);
	free(bytes);
	return 0;
}
