/* core_encoder_mean.c - encoder_mean is the mean of what the same encoder makes of the rows that it was fitted on. */
#include <math.h>

#include "core/encoder.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define ROWS 5

static const char *const colours[] = { "black", "brown", "red" };
static const struct column_spec columns[] = { { .name = "height", .kind = COLUMN_NUMBER },
	{ .name = "hair", .kind = COLUMN_CATEGORY, .values = colours, .values_count = 3 } };
static const double heights[ROWS] = { 150, 187, NAN, 161, 170 };
static const uint32_t hair[ROWS] = { 0, 2, SLOT_MISSING, 0, SLOT_OTHER };

static void check(enum normalize normalize)
{
	struct encoder *encoder;
	real mean[6], x[ROWS * 6];
	size_t row;
	struct err e;

	OK(encoder_new(&encoder, columns, 2, ENCODER_INPUTS, normalize, MISSING_MEAN, &e), e);
	ck_assert_uint_eq(encoder_width(encoder), 6);
	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, heights, NULL, ROWS);
	encoder_fit_slots(encoder, 1, hair, NULL, ROWS);
	encoder_fit_end(encoder);
	OK(encoder_put_numbers(encoder, 0, heights, ROWS, x, 6, &row, &e), e);
	OK(encoder_put_slots(encoder, 1, hair, ROWS, x, 6, &row, &e), e);
	encoder_mean(encoder, mean);
	for (size_t i = 0; i < 6; i++) {
		double sum = 0;

		for (size_t r = 0; r < ROWS; r++)
			sum += (double)x[r * 6 + i];
		ck_assert_double_eq_tol((double)mean[i], sum / ROWS, 1e-6 * fmax(1, fabs(sum)));
	}
	encoder_free(encoder);
}

START_TEST(it_is_the_mean_of_the_rows)
{
	check(NORMALIZE_STANDARD);
	check(NORMALIZE_MINMAX);
	check(NORMALIZE_NONE);
}
END_TEST

START_TEST(without_rows_slots_count_alike)
{
	struct encoder *encoder;
	struct err e;
	real mean[6];

	OK(encoder_new(&encoder, columns, 2, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	encoder_mean(encoder, mean);
	ck_assert(mean[0] == 0);
	for (size_t i = 1; i < 6; i++)
		ck_assert_double_eq_tol((double)mean[i], 1.0 / 5, 1e-6);
	encoder_free(encoder);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { it_is_the_mean_of_the_rows, without_rows_slots_count_alike, NULL };

	return suite_main("core_encoder_mean", tests, 20);
}
