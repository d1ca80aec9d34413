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

int main(void)
{
	const TTest *const tests[] = { widths_and_places, names_and_values_are_found,
		fitting_sees_the_marked_rows_only, numbers_are_normalized, categories_are_one_hot,
		what_cannot_be_encoded_is_refused, a_column_without_values, targets_come_back,
		fitting_is_exact_far_from_zero, a_copy_is_the_same, columns_that_make_no_sense_are_refused,
		a_hundred_thousand_values, NULL };

	return suite_main("core_encoder", tests, 20);
}
