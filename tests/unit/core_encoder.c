/* core_encoder.c - columns to inputs and back: widths, fitting, missing and unknown values, names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/encoder.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

static const char *const colors[] = { "brown", "blue", "green" };
static const struct column_spec columns[] = {
	{ "age", COLUMN_NUMBER, NULL, 0 },
	{ "eyes", COLUMN_CATEGORY, colors, 3 },
	{ "income", COLUMN_NUMBER, NULL, 0 },
};

static struct encoder *encoder_of(enum encoder_role role, enum normalize normalize, enum missing missing)
{
	struct encoder *encoder;
	struct err e;

	OK(encoder_new(&encoder, columns, 3, role, normalize, missing, &e), e);
	return encoder;
}

/* age is fitted on 1 3 (missing) 5 with the last row left out. */
static struct encoder *fitted(enum normalize normalize, enum missing missing)
{
	static const double age[] = { 1, 3, NAN, 5, 1000 }, income[] = { 7, 7, 7, 7, 8 };
	static const uint32_t eyes[] = { 0, 2, SLOT_MISSING, SLOT_OTHER, 1 };
	static const uint8_t use[] = { 1, 1, 1, 1, 0 };
	struct encoder *encoder = encoder_of(ENCODER_INPUTS, normalize, missing);

	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, age, use, 3); /* in two pieces */
	encoder_fit_numbers(encoder, 0, age + 3, use + 3, 2);
	encoder_fit_slots(encoder, 1, eyes, use, 5);
	encoder_fit_numbers(encoder, 2, income, use, 5);
	encoder_fit_end(encoder);
	return encoder;
}

START_TEST(widths_and_places)
{
	struct encoder *mean = encoder_of(ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN);
	struct encoder *refuse = encoder_of(ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_ERROR);
	struct encoder *targets = encoder_of(ENCODER_TARGETS, NORMALIZE_STANDARD, MISSING_MEAN);

	ck_assert_uint_eq(encoder_width(mean), 1 + 5 + 1);
	ck_assert_uint_eq(encoder_width(refuse), 1 + 4 + 1);
	ck_assert_uint_eq(encoder_width(targets), 1 + 3 + 1);
	ck_assert_uint_eq(encoder_column(mean, 1)->first, 1);
	ck_assert_uint_eq(encoder_column(mean, 2)->first, 6);
	ck_assert_uint_eq(encoder_columns(mean), 3);
	ck_assert_int_eq(encoder_role(targets), ENCODER_TARGETS);
	encoder_free(mean);
	encoder_free(refuse);
	encoder_free(targets);
}
END_TEST

START_TEST(names_and_values_are_found)
{
	struct encoder *encoder = encoder_of(ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN);
	static const char *const names[] = { "age", "eyes=brown", "eyes=blue", "eyes=green", "eyes=(other)",
		"eyes=(missing)", "income" };
	char name[32];

	ck_assert_uint_eq(encoder_find(encoder, "eyes", 4), 1);
	ck_assert_uint_eq(encoder_find(encoder, "income,", 6), 2);
	ck_assert_uint_eq(encoder_find(encoder, "eye", 3), SIZE_MAX);
	ck_assert_uint_eq(encoder_find(encoder, "eyes\0x", 6), SIZE_MAX);
	ck_assert_uint_eq(encoder_find(encoder, "", 0), SIZE_MAX);
	ck_assert_uint_eq(encoder_slot(encoder, 1, "green!", 5), 2);
	ck_assert_uint_eq(encoder_slot(encoder, 1, "red", 3), SLOT_OTHER);
	for (size_t j = 0; j < 7; j++) {
		encoder_input_name(encoder, j, name, sizeof name);
		ck_assert_str_eq(name, names[j]);
	}
	encoder_input_name(encoder, 1, name, 7);
	ck_assert_str_eq(name, "eyes=b");
	encoder_free(encoder);
}
END_TEST

START_TEST(fitting_sees_the_marked_rows_only)
{
	struct encoder *encoder = fitted(NORMALIZE_STANDARD, MISSING_MEAN);
	const struct encoder_column *age = encoder_column(encoder, 0), *eyes = encoder_column(encoder, 1);
	static const uint64_t counts[5] = { 1, 0, 1, 1, 1 };

	ck_assert_double_eq_tol(age->mean, 3, 1e-15);
	ck_assert_double_eq_tol(age->std, sqrt(8.0 / 3), 1e-15);
	ck_assert_double_eq_tol(age->min, 1, 1e-15);
	ck_assert_double_eq_tol(age->max, 5, 1e-15);
	ck_assert_uint_eq(age->rows, 4);
	ck_assert_uint_eq(age->missing_rows, 1);
	ck_assert_mem_eq(eyes->slot_counts, counts, sizeof counts);
	ck_assert_uint_eq(eyes->missing_rows, 1);
	encoder_free(encoder);
}
END_TEST

START_TEST(numbers_are_normalized)
{
	static const double age[3] = { 5, NAN, 1 }, income[2] = { 7, 9 };
	struct encoder *encoder = fitted(NORMALIZE_STANDARD, MISSING_MEAN);
	real out[3 * 7] = { 0 };
	size_t row;
	struct err e;

	OK(encoder_put_numbers(encoder, 0, age, 3, out, 7, &row, &e), e);
	ck_assert_double_eq_tol((double)out[0], 2 / sqrt(8.0 / 3), 1e-6);
	ck_assert(out[7] == 0); /* missing: the mean */
	ck_assert(out[1] == 0 && out[8] == 0);
	OK(encoder_put_numbers(encoder, 2, income, 2, out, 7, &row, &e), e);
	ck_assert(out[6] == 0 && out[13] == 2); /* a constant column: scale 1 */
	ck_assert_double_eq_tol(encoder_number(encoder, 0, (double)out[14]), 1, 1e-6);
	encoder_free(encoder);

	encoder = fitted(NORMALIZE_MINMAX, MISSING_MEAN);
	OK(encoder_put_numbers(encoder, 0, age, 3, out, 7, &row, &e), e);
	ck_assert(out[0] == 1 && out[7] == 0.5f && out[14] == 0);
	encoder_free(encoder);

	encoder = fitted(NORMALIZE_NONE, MISSING_MEAN);
	OK(encoder_put_numbers(encoder, 0, age, 3, out, 7, &row, &e), e);
	ck_assert(out[0] == 5 && out[7] == 3 && out[14] == 1);
	encoder_free(encoder);
}
END_TEST

START_TEST(categories_are_one_hot)
{
	static const uint32_t slots[5] = { 1, SLOT_OTHER, SLOT_MISSING, 0, 77 };
	static const size_t places[5] = { 1, 3, 4, 0, 3 };
	struct encoder *encoder = fitted(NORMALIZE_STANDARD, MISSING_MEAN);
	real out[5 * 7];
	size_t row;
	struct err e;

	memset(out, 0xFF, sizeof out);
	OK(encoder_put_slots(encoder, 1, slots, 5, out, 7, &row, &e), e);
	for (size_t r = 0; r < 5; r++)
		for (size_t j = 0; j < 5; j++)
			ck_assert(out[r * 7 + 1 + j] == (j == places[r]));
	encoder_free(encoder);
}
END_TEST

/* A fault names its row, whatever was written before it. */
START_TEST(what_cannot_be_encoded_is_refused)
{
	static const double missing[3] = { 1, 2, NAN }, large[2] = { 0, 1e300 }, infinite[1] = { -INFINITY };
	static const uint32_t unknown[2] = { 2, SLOT_OTHER }, none[1] = { SLOT_MISSING };
	struct encoder *refuse = encoder_of(ENCODER_INPUTS, NORMALIZE_NONE, MISSING_ERROR);
	struct encoder *targets = encoder_of(ENCODER_TARGETS, NORMALIZE_NONE, MISSING_MEAN);
	real out[3 * 7];
	size_t row = 99;
	struct err e;

	ck_assert_int_eq(encoder_put_numbers(refuse, 0, missing, 3, out, 7, &row, &e), ERR_RANGE);
	ck_assert_uint_eq(row, 2);
	ck_assert_int_eq(encoder_put_numbers(targets, 0, missing, 3, out, 7, &row, &e), ERR_RANGE);
	ck_assert_int_eq(encoder_put_slots(refuse, 1, none, 1, out, 7, &row, &e), ERR_RANGE);
	ck_assert_uint_eq(row, 0);
	OK(encoder_put_slots(refuse, 1, unknown, 2, out, 7, &row, &e), e);
	ck_assert_int_eq(encoder_put_slots(targets, 1, unknown, 2, out, 7, &row, &e), ERR_RANGE);
	ck_assert_uint_eq(row, 1);
	ck_assert_int_eq(encoder_put_slots(targets, 1, none, 1, out, 7, &row, &e), ERR_RANGE);
	ck_assert_int_eq(encoder_put_numbers(refuse, 0, large, 2, out, 7, &row, &e), ERR_RANGE);
	ck_assert_uint_eq(row, 1);
	ck_assert_int_eq(encoder_put_numbers(refuse, 0, infinite, 1, out, 7, &row, &e), ERR_RANGE);
	encoder_free(refuse);
	encoder_free(targets);
}
END_TEST

START_TEST(a_column_without_values)
{
	static const double nothing[3] = { NAN, NAN, NAN };
	struct encoder *encoder = encoder_of(ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN);
	const struct encoder_column *age = encoder_column(encoder, 0);
	real out[7] = { 1 };
	size_t row;
	struct err e;

	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, nothing, NULL, 3);
	encoder_fit_end(encoder);
	ck_assert(age->mean == 0 && age->std == 0 && age->scale == 1);
	OK(encoder_put_numbers(encoder, 0, nothing, 1, out, 7, &row, &e), e);
	ck_assert(out[0] == 0);
	encoder_free(encoder);
}
END_TEST

START_TEST(targets_come_back)
{
	static const double price[4] = { 100, 250, 175, 900 };
	struct column_spec target = { "price", COLUMN_NUMBER, NULL, 0 };
	struct encoder *encoder;
	real out[4];
	size_t row;
	struct err e;

	OK(encoder_new(&encoder, &target, 1, ENCODER_TARGETS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, price, NULL, 4);
	encoder_fit_end(encoder);
	OK(encoder_put_numbers(encoder, 0, price, 4, out, 1, &row, &e), e);
	for (size_t r = 0; r < 4; r++)
		ck_assert_double_eq_tol(encoder_number(encoder, 0, (double)out[r]), price[r], 1e-4);
	encoder_free(encoder);
}
END_TEST

/* 1e9 + {0, 1, 2}: the naive sum of squares would lose the variance altogether. */
START_TEST(fitting_is_exact_far_from_zero)
{
	static const double x[3] = { 1e9, 1e9 + 1, 1e9 + 2 };
	struct encoder *encoder = encoder_of(ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN);

	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, x, NULL, 3);
	encoder_fit_end(encoder);
	ck_assert_double_eq_tol(encoder_column(encoder, 0)->std, sqrt(2.0 / 3), 1e-9);
	encoder_free(encoder);
}
END_TEST

START_TEST(a_copy_is_the_same)
{
	struct encoder *encoder = fitted(NORMALIZE_STANDARD, MISSING_MEAN), *copy;
	struct err e;

	OK(encoder_copy(&copy, encoder, &e), e);
	for (size_t i = 0; i < 3; i++) {
		const struct encoder_column *a = encoder_column(encoder, i), *b = encoder_column(copy, i);

		ck_assert_str_eq(a->name, b->name);
		ck_assert_ptr_ne(a->name, b->name);
		ck_assert(a->shift == b->shift && a->scale == b->scale && a->fill == b->fill);
		ck_assert(a->rows == b->rows && a->missing_rows == b->missing_rows);
		if (a->slot_counts) ck_assert_mem_eq(a->slot_counts, b->slot_counts, a->width * 8);
	}
	encoder_free(encoder);
	ck_assert_uint_eq(encoder_slot(copy, 1, "blue", 4), 1);
	encoder_free(copy);
}
END_TEST

START_TEST(columns_that_make_no_sense_are_refused)
{
	static const char *const twice[] = { "a", "b", "a" };
	struct column_spec same[2] = { { "x", COLUMN_NUMBER, NULL, 0 }, { "x", COLUMN_NUMBER, NULL, 0 } };
	struct column_spec values = { "x", COLUMN_CATEGORY, twice, 3 },
			   none = { "x", COLUMN_CATEGORY, twice, 0 };
	struct column_spec wide = { "x", COLUMN_CATEGORY, twice, SIZE_MAX };
	struct encoder *out = (struct encoder *)&out;
	struct err e;

	ck_assert_int_eq(encoder_new(&out, same, 2, ENCODER_INPUTS, 0, 0, &e), ERR_INVALID);
	ck_assert_ptr_null(out);
	ck_assert_int_eq(encoder_new(&out, &values, 1, ENCODER_INPUTS, 0, 0, &e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "\"a\""));
	ck_assert_int_eq(encoder_new(&out, &none, 1, ENCODER_INPUTS, 0, 0, &e), ERR_RANGE);
	ck_assert_int_eq(encoder_new(&out, &wide, 1, ENCODER_INPUTS, 0, 0, &e), ERR_RANGE);
	ck_assert_int_eq(encoder_new(&out, same, 0, ENCODER_INPUTS, 0, 0, &e), ERR_RANGE);
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(a_hundred_thousand_values)
{
	enum { COUNT = 100000, LENGTH = 16 };
	char(*text)[LENGTH] = malloc(sizeof(char[COUNT][LENGTH]));
	const char **values = malloc(COUNT * sizeof *values);
	struct column_spec column = { "word", COLUMN_CATEGORY, values, COUNT };
	struct encoder *encoder;
	struct err e;

	ck_assert(text && values);
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(text[i], LENGTH, "value %zu", i);
		values[i] = text[i];
	}
	OK(encoder_new(&encoder, &column, 1, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	for (uint32_t i = 0; i < COUNT; i++)
		ck_assert_uint_eq(encoder_slot(encoder, 0, text[i], strlen(text[i])), i);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "value 100000", 12), SLOT_OTHER);
	encoder_free(encoder);
	free(values);
	free(text);
}
END_TEST

/* Seconds of some days, by hand. */
#define DAY_1970 0.0
#define DAY_2000 951782400.0 /* 2000-02-29, a Tuesday */

START_TEST(dates_become_eight_inputs)
{
	static const struct column_spec spec = { "day", COLUMN_DATE, NULL, 0 };
	static const double days[] = { DAY_1970, DAY_2000, NAN };
	const double turn = 2 * acos(-1), noon = DAY_2000 + 43200;
	struct encoder *encoder;
	const struct encoder_column *c;
	real x[ENCODER_DATE_WIDTH];
	char name[64];
	size_t row;
	struct err e;

	OK(encoder_new(&encoder, &spec, 1, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	ck_assert_uint_eq(encoder_width(encoder), ENCODER_DATE_WIDTH);
	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, days, NULL, 3);
	encoder_fit_end(encoder);
	c = encoder_column(encoder, 0);
	ck_assert_double_eq(c->mean, DAY_2000 / 2);
	ck_assert_double_eq(c->year_shift, 1985);
	ck_assert_double_eq(c->year_scale, 15);
	OK(encoder_put_numbers(encoder, 0, &noon, 1, x, ENCODER_DATE_WIDTH, &row, &e), e);
	ck_assert_double_eq_tol(x[0], 1, 1e-6);
	ck_assert_double_eq_tol(x[1], (noon - DAY_2000 / 2) / (DAY_2000 / 2), 1e-6);
	ck_assert_double_eq_tol(x[2], sin(turn * 1 / 12), 1e-6); /* February */
	ck_assert_double_eq_tol(x[3], cos(turn * 1 / 12), 1e-6);
	ck_assert_double_eq_tol(x[4], sin(turn * 1 / 7), 1e-6); /* Tuesday */
	ck_assert_double_eq_tol(x[5], cos(turn * 1 / 7), 1e-6);
	ck_assert_double_eq_tol(x[6], 0, 1e-6); /* noon */
	ck_assert_double_eq_tol(x[7], -1, 1e-6);
	OK(encoder_put_numbers(encoder, 0, &days[2], 1, x, ENCODER_DATE_WIDTH, &row, &e), e);
	for (size_t i = 0; i < ENCODER_DATE_WIDTH; i++)
		ck_assert_double_eq_tol(x[i], 0, 1e-6);
	encoder_input_name(encoder, 2, name, sizeof name);
	ck_assert_str_eq(name, "day.month.sin");
	encoder_free(encoder);
}
END_TEST

/* Raw dates are days since the first and years as they are. */
START_TEST(raw_dates_count_from_the_first)
{
	static const struct column_spec spec = { "day", COLUMN_DATE, NULL, 0 };
	static const double days[] = { DAY_2000, DAY_2000 + 10 * 86400 };
	struct encoder *encoder;
	real x[2 * ENCODER_DATE_WIDTH];
	size_t row;
	struct err e;

	OK(encoder_new(&encoder, &spec, 1, ENCODER_INPUTS, NORMALIZE_NONE, MISSING_MEAN, &e), e);
	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, days, NULL, 2);
	encoder_fit_end(encoder);
	OK(encoder_put_numbers(encoder, 0, days, 2, x, ENCODER_DATE_WIDTH, &row, &e), e);
	ck_assert_double_eq(x[0], 2000);
	ck_assert_double_eq(x[1], 0);
	ck_assert_double_eq(x[ENCODER_DATE_WIDTH + 1], 10);
	encoder_free(encoder);
}
END_TEST

START_TEST(many_values_are_hashed)
{
	enum { BUCKETS = 64, VALUES = 6400 };
	static const struct column_spec spec = { "city", COLUMN_CATEGORY, NULL, BUCKETS };
	uint32_t slots[VALUES];
	struct encoder *encoder;
	const struct encoder_column *c;
	char text[32];
	size_t fewest = VALUES, most = 0;
	struct err e;

	OK(encoder_new(&encoder, &spec, 1, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	ck_assert_uint_eq(encoder_width(encoder), BUCKETS + 2);
	for (size_t i = 0; i < VALUES; i++) {
		int n = snprintf(text, sizeof text, "city %zu", i);

		slots[i] = encoder_slot(encoder, 0, text, (size_t)n);
		ck_assert_uint_lt(slots[i], BUCKETS);
		ck_assert_uint_eq(slots[i], encoder_slot(encoder, 0, text, (size_t)n));
	}
	encoder_fit_begin(encoder);
	encoder_fit_slots(encoder, 0, slots, NULL, VALUES - 1);
	encoder_fit_slots(encoder, 0, &(uint32_t){ SLOT_MISSING }, NULL, 1);
	encoder_fit_end(encoder);
	c = encoder_column(encoder, 0);
	for (size_t i = 0; i < BUCKETS; i++) { /* about a hundred each: within six deviations */
		fewest = c->slot_counts[i] < fewest ? c->slot_counts[i] : fewest;
		most = c->slot_counts[i] > most ? c->slot_counts[i] : most;
	}
	ck_assert(fewest > 40 && most < 160);
	ck_assert_uint_eq(c->slot_counts[BUCKETS + 1], 1);
	encoder_input_name(encoder, 17, text, sizeof text);
	ck_assert_str_eq(text, "city=#17");
	encoder_input_name(encoder, BUCKETS, text, sizeof text);
	ck_assert_str_eq(text, "city=(other)");
	encoder_free(encoder);
	/* What lies in weights never changes: these two by the definition of FNV-1a. */
	OK(encoder_new(&encoder, &(struct column_spec){ "c", COLUMN_CATEGORY, NULL, 1000 }, 1, ENCODER_INPUTS,
			   NORMALIZE_STANDARD, MISSING_MEAN, &e),
			e);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "", 0),
			(0xcbf29ce484222325u ^ 0xcbf29ce484222325u >> 32) % 1000);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "a", 1),
			(0xaf63dc4c8601ec8cu ^ 0xaf63dc4c8601ec8cu >> 32) % 1000);
	encoder_free(encoder);
}
END_TEST

START_TEST(truths_are_spelled_in_many_ways)
{
	static const char *const values[] = { "false", "true" }, *const others[] = { "no", "yes" };
	static const struct column_spec specs[] = { { "smoker", COLUMN_CATEGORY, values, 2 },
		{ "answer", COLUMN_CATEGORY, others, 2 } };
	struct encoder *encoder;
	struct err e;

	OK(encoder_new(&encoder, specs, 2, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "true", 4), 1);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "Yes", 3), 1);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "0", 1), 0);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "OFF", 3), 0);
	ck_assert_uint_eq(encoder_slot(encoder, 0, "maybe", 5), SLOT_OTHER);
	ck_assert_uint_eq(encoder_slot(encoder, 1, "true", 4), SLOT_OTHER);
	encoder_free(encoder);
}
END_TEST

/* A tenth of the rows in each bin, as near as a sample can tell, and every row in one. */
START_TEST(profiles_cut_a_column_into_tenths)
{
	enum { ROWS = 100000 };
	static const struct column_spec specs[] = { { "x", COLUMN_NUMBER, NULL, 0 },
		{ "flag", COLUMN_NUMBER, NULL, 0 } };
	double *x = malloc(ROWS * sizeof *x), flags[4] = { 0, 0, 0, 1 };
	const struct encoder_profile *profile;
	struct encoder *encoder;
	uint64_t sum = 0;
	struct err e;

	ck_assert_ptr_nonnull(x);
	for (size_t i = 0; i < ROWS; i++) /* exponential, in a scattered order */
		x[i] = -log((double)(i * 7919 % ROWS + 1) / (ROWS + 1));
	OK(encoder_new(&encoder, specs, 2, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, x, NULL, ROWS);
	encoder_fit_numbers(encoder, 1, flags, NULL, 4);
	encoder_fit_end(encoder);
	encoder_profile(encoder, 0, x, NULL, ROWS / 2);
	encoder_profile(encoder, 0, x + ROWS / 2, NULL, ROWS / 2);
	encoder_profile(encoder, 1, flags, NULL, 4);
	profile = encoder_column(encoder, 0)->profile;
	ck_assert_uint_eq(profile->edges_count, ENCODER_BINS - 1);
	for (size_t b = 0; b < ENCODER_BINS; b++) {
		ck_assert_double_eq_tol((double)profile->counts[b] / ROWS, 0.1, 0.04);
		sum += profile->counts[b];
	}
	ck_assert_uint_eq(sum, ROWS);
	profile = encoder_column(encoder, 1)->profile;
	ck_assert_uint_eq(profile->edges_count, 1);
	ck_assert_uint_eq(profile->counts[0], 3);
	ck_assert_uint_eq(profile->counts[1], 1);
	encoder_free(encoder);
	free(x);
}
END_TEST

START_TEST(the_mean_row)
{
	struct encoder *encoder = fitted(NORMALIZE_STANDARD, MISSING_MEAN);
	real mean[7];

	encoder_mean(encoder, mean);
	ck_assert_double_eq_tol(mean[0], 0, 1e-6);
	for (size_t i = 0; i < 5; i++) /* brown, blue, green, other, missing of four rows: 1 0 1 1 1 */
		ck_assert_double_eq_tol(mean[1 + i], i == 1 ? 0 : 0.25, 1e-6);
	ck_assert_double_eq_tol(mean[6], 0, 1e-6);
	encoder_free(encoder);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { widths_and_places, names_and_values_are_found,
		fitting_sees_the_marked_rows_only, numbers_are_normalized, categories_are_one_hot,
		what_cannot_be_encoded_is_refused, a_column_without_values, targets_come_back,
		fitting_is_exact_far_from_zero, a_copy_is_the_same, columns_that_make_no_sense_are_refused,
		a_hundred_thousand_values, dates_become_eight_inputs, raw_dates_count_from_the_first,
		many_values_are_hashed, truths_are_spelled_in_many_ways, profiles_cut_a_column_into_tenths,
		the_mean_row, NULL };

	return suite_main("core_encoder", tests, 20);
}
