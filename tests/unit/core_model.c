/* core_model.c - model files: the round trip, and every damage that one byte or one cut can do. */
#include <math.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/model.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define CRC_BYTES 4

/* A fitted model of two number columns and a category to three classes, 2 layers. */
static struct model *small_model(void)
{
	static const char *const colors[] = { "brown", "blue", "h\xC3\xA4zel" }, *const kinds[] = { "x", "y",
		"" };
	static const struct column_spec in[] = { { "a", COLUMN_NUMBER, NULL, 0 },
		{ "eyes", COLUMN_CATEGORY, colors, 3 }, { "b", COLUMN_NUMBER, NULL, 0 } };
	static const struct column_spec out[] = { { "kind", COLUMN_CATEGORY, kinds, 3 } };
	static const double numbers[] = { 1.5, -2, NAN, 1e-3 };
	static const uint32_t slots[] = { 0, 1, SLOT_MISSING, SLOT_OTHER };
	struct layer_spec layers[2] = { layer_of(4, "leaky_relu"), layer_of(3, "softmax") };
	struct model *model = calloc(1, sizeof *model);
	struct err e;

	ck_assert_ptr_nonnull(model);
	OK(encoder_new(&model->inputs, in, 3, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	OK(encoder_new(&model->targets, out, 1, ENCODER_TARGETS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	encoder_fit_begin(model->inputs);
	encoder_fit_numbers(model->inputs, 0, numbers, NULL, 4);
	encoder_fit_slots(model->inputs, 1, slots, NULL, 4);
	encoder_fit_end(model->inputs);
	layers[0].dropout = 0.1;
	layers[0].l2 = 1e-4;
	layers[0].init = init_find("he_uniform");
	layers[0].activation_params[0] = 0.2;
	layers[1].bias = false;
	OK(net_new(&model->net, encoder_width(model->inputs), layers, 2, &e), e);
	net_init(model->net, 1);
	model->objectives = calloc(1, sizeof *model->objectives);
	ck_assert_ptr_nonnull(model->objectives);
	*model->objectives = objective_of("cross_entropy");
	model->objectives->category = true;
	return model;
}

static unsigned char *bytes_of(const struct model *model, size_t *size)
{
	unsigned char *bytes;
	struct err e;

	OK(model_write(model, &bytes, size, &e), e);
	return bytes;
}

static int reads(const unsigned char *bytes, size_t size, struct err *e)
{
	struct model *model;
	int rc = model_read(&model, bytes, size, e);

	ck_assert((rc == 0) == (model != NULL));
	model_free(model);
	return rc;
}

/* A change that the CRC does not see, as whoever makes up a file would do it. */
static void seal(unsigned char *bytes, size_t size)
{
	uint32_t crc = crc32c(bytes, size - CRC_BYTES);

	for (size_t i = 0; i < CRC_BYTES; i++)
		bytes[size - CRC_BYTES + i] = (unsigned char)(crc >> (8 * i));
}

START_TEST(crc_of_the_standard)
{
	unsigned char ramp[32];

	for (unsigned char i = 0; i < 32; i++)
		ramp[i] = i;
	ck_assert_uint_eq(crc32c("123456789", 9), 0xE3069283); /* Williams' check value */
	ck_assert_uint_eq(crc32c(ramp, 32), 0x46DD794E);       /* RFC 3720, B.4 */
	ck_assert_uint_eq(crc32c("", 0), 0);
	ck_assert_uint_eq(crc32c_more(crc32c("12345", 5), "6789", 4), 0xE3069283);
	ck_assert_uint_eq(crc32c_portable(0, "123456789", 9), 0xE3069283);
}
END_TEST

/* The CPU's instruction, the tables and the plain loop, from every start and to every end. */
START_TEST(crc_in_every_way)
{
	unsigned char bytes[1024];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * i * 31 >> 3);
	for (size_t from = 0; from < 9; from++)
		for (size_t size = 0; size < sizeof bytes - from; size += 1 + size / 40)
			ck_assert_uint_eq(crc32c_more(7, bytes + from, size),
					crc32c_portable(7, bytes + from, size));
}
END_TEST

START_TEST(what_is_written_is_read)
{
	struct model *model = small_model(), *back;
	const struct encoder_column *a, *b;
	unsigned char *bytes, *again;
	size_t size, size_again;
	struct err e;

	bytes = bytes_of(model, &size);
	OK(model_read(&back, bytes, size, &e), e);
	again = bytes_of(back, &size_again);
	ck_assert_uint_eq(size, size_again);
	ck_assert_mem_eq(bytes, again, size);
	ck_assert_uint_eq(net_parameters(model->net), net_parameters(back->net));
	ck_assert_mem_eq(net_block(model->net), net_block(back->net),
			net_parameters(back->net) * sizeof(real));
	ck_assert_str_eq(net_layer(back->net, 0)->spec.activation->name, "leaky_relu");
	ck_assert_ptr_eq(net_layer(back->net, 0)->spec.init, init_find("he_uniform"));
	ck_assert_ptr_null(net_layer(back->net, 1)->spec.init);
	ck_assert(net_layer(back->net, 0)->spec.activation_params[0] == 0.2);
	ck_assert_ptr_null(net_layer(back->net, 1)->biases);
	ck_assert_ptr_eq(back->objectives->loss, model->objectives->loss);
	ck_assert(back->objectives->category && back->objectives->weight == 1);
	a = encoder_column(model->inputs, 0);
	b = encoder_column(back->inputs, 0);
	ck_assert(a->mean == b->mean && a->scale == b->scale && a->missing_rows == b->missing_rows);
	a = encoder_column(model->inputs, 1);
	b = encoder_column(back->inputs, 1);
	ck_assert_mem_eq(a->slot_counts, b->slot_counts, a->width * sizeof *a->slot_counts);
	ck_assert_uint_eq(encoder_slot(back->inputs, 1, "h\xC3\xA4zel", 6), 2);
	free(bytes);
	free(again);
	model_free(model);
	model_free(back);
}
END_TEST

static const unsigned char version_1[] = {
#include "tests/golden/model_v1.h"
};

/* A file that was written before there were heads, masks and statistics is still the same model. */
START_TEST(a_file_of_format_1_is_read)
{
	struct model *model = small_model(), *back;
	struct err e;

	OK(model_read(&back, version_1, sizeof version_1, &e), e);
	ck_assert_uint_eq(net_parameters(back->net), net_parameters(model->net));
	ck_assert_mem_eq(net_block(back->net), net_block(model->net),
			net_parameters(model->net) * sizeof(real));
	ck_assert(back->objectives->loss == loss_find("cross_entropy") && back->objectives->weight == 1);
	ck_assert(back->objectives->category);
	ck_assert(net_layer(back->net, 0)->spec.l2 == 1e-4 && net_layer(back->net, 0)->spec.dropout == 0.1);
	ck_assert_uint_eq(encoder_slot(back->inputs, 1, "h\xC3\xA4zel", 6), 2);
	model_free(model);
	model_free(back);
}
END_TEST

/* Two numbers and a category, predicted by heads of their own from layers of every kind. */
static struct model *rich_model(void)
{
	static const char *const kinds[] = { "x", "y", "z" };
	static const struct column_spec in[] = { { "a", COLUMN_NUMBER, NULL, 0 },
		{ "b", COLUMN_NUMBER, NULL, 0 }, { "c", COLUMN_NUMBER, NULL, 0 } };
	static const struct column_spec out[] = { { "size", COLUMN_NUMBER, NULL, 0 },
		{ "kind", COLUMN_CATEGORY, kinds, 3 } };
	static const uint8_t mask[4 * 3] = { 1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0 };
	struct layer_spec layers[5] = { layer_of(4, "maxout"), layer_of(3, "prelu"), layer_of(2, "tanh"),
		layer_of(1, "linear"), layer_of(3, "softmax") };
	struct model *model = calloc(1, sizeof *model);
	struct err e;

	ck_assert_ptr_nonnull(model);
	OK(encoder_new(&model->inputs, in, 3, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	OK(encoder_new(&model->targets, out, 2, ENCODER_TARGETS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	layers[0].density = 0.6;
	layers[0].normalization = NORMALIZATION_BATCH;
	layers[1].mask = mask;
	layers[1].max_norm = 2;
	layers[2].normalization = NORMALIZATION_LAYER;
	layers[2].from[0] = NET_INPUTS;
	layers[2].from[1] = 1;
	layers[2].from_count = 2;
	layers[3].head = true;
	OK(net_new(&model->net, 3, layers, 5, &e), e);
	net_init(model->net, 5);
	for (size_t i = 0; i < net_statistics(model->net); i++)
		net_statistics_block(model->net)[i] = REAL(0.25) * (real)(i + 1);
	model->objectives = calloc(2, sizeof *model->objectives);
	ck_assert_ptr_nonnull(model->objectives);
	model->objectives[0] = objective_of("huber");
	model->objectives[0].weight = 0.5;
	model->objectives[1] = objective_of("cross_entropy");
	model->objectives[1].category = true;
	return model;
}

static void predictions(const struct net *net, real out[2 * 4])
{
	const real x[6] = { 1, -2, 0.5, 0, 3, -1 };
	struct net_work *work;
	const real *y;
	struct err e;

	OK(net_work_new(&work, net, 2, false, test_engine(), NULL, &e), e);
	net_forward(net, work, x, 2, &y);
	memcpy(out, y, 2 * 4 * sizeof *y);
	net_work_free(work);
}

START_TEST(every_kind_of_layer_is_kept)
{
	struct model *model = rich_model(), *back;
	unsigned char *bytes, *again;
	size_t size, size_again;
	real before[8], after[8];
	struct net *copy;
	struct err e;

	bytes = bytes_of(model, &size);
	OK(model_read(&back, bytes, size, &e), e);
	again = bytes_of(back, &size_again);
	ck_assert_uint_eq(size, size_again);
	ck_assert_mem_eq(bytes, again, size);
	predictions(model->net, before);
	predictions(back->net, after);
	ck_assert_mem_eq(before, after, sizeof before);
	ck_assert_mem_eq(net_layer(back->net, 0)->mask, net_layer(model->net, 0)->mask, 3 * 8);
	ck_assert_mem_eq(net_layer(back->net, 1)->mask, net_layer(model->net, 1)->mask, 4 * 3);
	ck_assert(net_layer(back->net, 1)->spec.max_norm == 2 &&
			net_layer(back->net, 0)->spec.density == 0.6);
	ck_assert(back->objectives[0].weight == 0.5 && back->objectives[0].loss == loss_find("huber"));
	ck_assert(!back->objectives[0].category && back->objectives[1].category);
	OK(net_copy(&copy, model->net, &e), e);
	predictions(copy, after);
	ck_assert_mem_eq(before, after, sizeof before);
	net_free(copy);
	free(bytes);
	free(again);
	model_free(model);
	model_free(back);
}
END_TEST

static const unsigned char version_2[] = {
#include "tests/golden/model_v2.h"
};

/* A file that was written before columns could be dates or hashed, and inputs had profiles. */
START_TEST(a_file_of_format_2_is_read)
{
	struct model *model = rich_model(), *back;
	real before[8], after[8];
	struct err e;

	OK(model_read(&back, version_2, sizeof version_2, &e), e);
	predictions(model->net, before);
	predictions(back->net, after);
	ck_assert_mem_eq(before, after, sizeof before);
	ck_assert_mem_eq(net_layer(back->net, 1)->mask, net_layer(model->net, 1)->mask, 4 * 3);
	ck_assert_uint_eq(encoder_column(back->inputs, 0)->profile->edges_count, 0);
	model_free(model);
	model_free(back);
}
END_TEST

/* A number, a date and a hashed category, fitted on three rows. */
static struct model *dated_model(enum missing missing)
{
	static const struct column_spec in[] = { { "a", COLUMN_NUMBER, NULL, 0 },
		{ "day", COLUMN_DATE, NULL, 0 }, { "city", COLUMN_CATEGORY, NULL, 7 } };
	static const struct column_spec out[] = { { "y", COLUMN_NUMBER, NULL, 0 } };
	static const double a[] = { 1, 2, 4 }, days[] = { 0, 86400, 951782400 };
	struct layer_spec layer = layer_of(1, "linear");
	struct model *model = calloc(1, sizeof *model);
	uint32_t slots[3];
	struct err e;

	ck_assert_ptr_nonnull(model);
	OK(encoder_new(&model->inputs, in, 3, ENCODER_INPUTS, NORMALIZE_STANDARD, missing, &e), e);
	OK(encoder_new(&model->targets, out, 1, ENCODER_TARGETS, NORMALIZE_STANDARD, MISSING_ERROR, &e), e);
	for (size_t i = 0; i < 3; i++)
		slots[i] = encoder_slot(model->inputs, 2, &"Basel"[i], 5 - i);
	encoder_fit_begin(model->inputs);
	encoder_fit_numbers(model->inputs, 0, a, NULL, 3);
	encoder_fit_numbers(model->inputs, 1, days, NULL, 3);
	encoder_fit_slots(model->inputs, 2, slots, NULL, 3);
	encoder_fit_end(model->inputs);
	encoder_profile(model->inputs, 0, a, NULL, 3);
	encoder_profile(model->inputs, 1, days, NULL, 3);
	OK(net_new(&model->net, encoder_width(model->inputs), &layer, 1, &e), e);
	model->objectives = calloc(1, sizeof *model->objectives);
	ck_assert_ptr_nonnull(model->objectives);
	*model->objectives = objective_of("mse");
	return model;
}

START_TEST(dates_buckets_and_profiles_are_kept)
{
	for (enum missing missing = MISSING_MEAN; missing <= MISSING_ERROR; missing++) {
		struct model *model = dated_model(missing), *back;
		const struct encoder_column *day, *city;
		unsigned char *bytes, *again;
		size_t size, size_again, row;
		real before[17] = { 0 }, after[17] = { 0 };
		double x = 951868800;
		struct err e;

		bytes = bytes_of(model, &size);
		OK(model_read(&back, bytes, size, &e), e);
		again = bytes_of(back, &size_again);
		ck_assert_uint_eq(size, size_again);
		ck_assert_mem_eq(bytes, again, size);
		day = encoder_column(back->inputs, 1);
		city = encoder_column(back->inputs, 2);
		ck_assert(day->kind == COLUMN_DATE && day->profile->counts[0] > 0);
		ck_assert(city->slots == 7 && !city->values && city->values_count == 0);
		ck_assert(encoder_slot(back->inputs, 2, "Basel", 5) ==
				encoder_slot(model->inputs, 2, "Basel", 5));
		OK(encoder_put_numbers(model->inputs, 1, &x, 1, before, 17, &row, &e), e);
		OK(encoder_put_numbers(back->inputs, 1, &x, 1, after, 17, &row, &e), e);
		ck_assert_mem_eq(before, after, sizeof before);
		free(bytes);
		free(again);
		model_free(model);
		model_free(back);
	}
}
END_TEST

/* Any machine writes these bytes: the head by hand. */
START_TEST(the_head_is_little_endian)
{
	static const unsigned char head[] = { 'D', 'S', 'C', 'M', 3, 0, 0, 0 };
	struct model *model = small_model();
	unsigned char *bytes;
	size_t size;

	bytes = bytes_of(model, &size);
	ck_assert_mem_eq(bytes, head, sizeof head);
	ck_assert_uint_eq(bytes[8] | bytes[9] << 8, size);
	free(bytes);
	model_free(model);
}
END_TEST

START_TEST(every_flipped_bit_is_noticed)
{
	struct model *model = small_model();
	unsigned char *bytes;
	size_t size;
	struct err e;

	bytes = bytes_of(model, &size);
	for (size_t i = 0; i < size; i++)
		for (int mask = 1; mask < 256; mask = mask < 128 ? 2 * mask : mask < 255 ? 255 : 256) {
			bytes[i] ^= (unsigned char)mask;
			ck_assert_int_eq(reads(bytes, size, &e), ERR_CORRUPT);
			bytes[i] ^= (unsigned char)mask;
		}
	OK(reads(bytes, size, &e), e);
	free(bytes);
	model_free(model);
}
END_TEST

START_TEST(every_cut_is_noticed)
{
	struct model *model = small_model();
	unsigned char *bytes, *longer;
	size_t size;
	struct err e;

	bytes = bytes_of(model, &size);
	for (size_t cut = 0; cut < size; cut++) {
		unsigned char *part =
				malloc(cut ? cut : 1); /* so that a read beyond it is seen by a sanitizer */

		ck_assert_ptr_nonnull(part);
		memcpy(part, bytes, cut);
		ck_assert_int_eq(reads(part, cut, &e), ERR_CORRUPT);
		free(part);
	}
	longer = calloc(1, size + 1);
	ck_assert_ptr_nonnull(longer);
	memcpy(longer, bytes, size);
	ck_assert_int_eq(reads(longer, size + 1, &e), ERR_CORRUPT);
	free(longer);
	free(bytes);
	model_free(model);
}
END_TEST

/* Every byte set to ends of its range with a CRC that fits: whatever comes of it, it is a model or a refusal. A few
 * (a digit of a weight, a letter of a name) are models; a count is never believed. */
static void make_up_bytes(struct model *model)
{
	static const unsigned char values[] = { 0, 1, 2, 0x7F, 0x80, 0xFF };
	size_t size, refused = 0, read = 0;
	unsigned char *bytes;
	struct err e;

	bytes = bytes_of(model, &size);
	for (size_t i = 0; i < size - CRC_BYTES; i++)
		for (size_t v = 0; v < sizeof values; v++) {
			unsigned char before = bytes[i];
			int rc;

			bytes[i] = values[v];
			seal(bytes, size);
			rc = reads(bytes, size, &e);
			ck_assert_msg(rc == 0 || rc == ERR_CORRUPT, "byte %zu: %d", i, rc);
			refused += rc != 0;
			read += rc == 0;
			bytes[i] = before;
		}
	ck_assert_uint_gt(refused, 100);
	ck_assert_uint_gt(read, 100);
	free(bytes);
	model_free(model);
}

START_TEST(made_up_bytes_are_models_or_refused)
{
	make_up_bytes(small_model());
	make_up_bytes(rich_model());
}
END_TEST

START_TEST(a_newer_format_is_named)
{
	struct model *model = small_model();
	unsigned char *bytes;
	size_t size;
	struct err e;

	bytes = bytes_of(model, &size);
	bytes[4] = 4;
	seal(bytes, size);
	ck_assert_int_eq(reads(bytes, size, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.text, "newer"));
	ck_assert_int_eq(reads((const unsigned char *)"{\"a\":1}", 7, &e), ERR_CORRUPT);
	ck_assert_str_eq(e.text, "not a model file");
	free(bytes);
	model_free(model);
}
END_TEST

START_TEST(weights_that_are_no_numbers_are_not_written)
{
	struct model *model = small_model();
	unsigned char *bytes;
	size_t size;
	struct err e;

	net_block(model->net)[3] = NAN;
	ck_assert_int_eq(model_write(model, &bytes, &size, &e), ERR_RANGE);
	ck_assert_ptr_null(bytes);
	model_free(model);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { crc_of_the_standard, crc_in_every_way, what_is_written_is_read,
		the_head_is_little_endian, every_flipped_bit_is_noticed, every_cut_is_noticed,
		a_file_of_format_1_is_read, a_file_of_format_2_is_read, dates_buckets_and_profiles_are_kept,
		every_kind_of_layer_is_kept, made_up_bytes_are_models_or_refused, a_newer_format_is_named,
		weights_that_are_no_numbers_are_not_written, NULL };

	return suite_main("core_model", tests, 60);
}
