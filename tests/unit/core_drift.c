/* core_drift.c - counting what is asked, and the index of it, against sums by hand. */
#include <math.h>

#include "core/drift.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

static const char *const colors[] = { "brown", "blue" };
static const struct column_spec specs[] = { { "x", COLUMN_NUMBER, NULL, 0 },
	{ "eyes", COLUMN_CATEGORY, colors, 2 }, { "day", COLUMN_DATE, NULL, 0 } };

/* x is 1 to 20, eyes are 15 times brown and 5 times blue, days are x days. */
static struct encoder *trained(void)
{
	struct encoder *encoder;
	double x[20], days[20];
	uint32_t eyes[20];
	struct err e;

	for (int i = 0; i < 20; i++) {
		x[i] = i + 1;
		days[i] = (i + 1) * 86400.0;
		eyes[i] = i % 4 == 0;
	}
	OK(encoder_new(&encoder, specs, 3, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	encoder_fit_begin(encoder);
	encoder_fit_numbers(encoder, 0, x, NULL, 20);
	encoder_fit_slots(encoder, 1, eyes, NULL, 20);
	encoder_fit_numbers(encoder, 2, days, NULL, 20);
	encoder_fit_end(encoder);
	encoder_profile(encoder, 0, x, NULL, 20);
	encoder_profile(encoder, 2, days, NULL, 20);
	return encoder;
}

START_TEST(the_index_is_the_sum_by_hand)
{
	struct encoder *encoder = trained();
	const double x[] = { 0, 1, 25, NAN, 7, 7 };
	const uint32_t eyes[] = { 1, 1, SLOT_OTHER, SLOT_MISSING, 0, 1 };
	/* brown blue other missing: trained 15 5 0 0, asked 1 3 1 1, half a row more in each of the four */
	const double t[] = { 15.5 / 22, 5.5 / 22, 0.5 / 22, 0.5 / 22 },
		     a[] = { 1.5 / 8, 3.5 / 8, 1.5 / 8, 1.5 / 8 };
	struct drift_report report;
	double psi = 0;
	uint64_t *counts;
	struct drift *drift;
	struct err e;

	OK(drift_new(&drift, encoder, &e), e);
	counts = calloc(drift_counts(drift), sizeof *counts);
	ck_assert_ptr_nonnull(counts);
	drift_numbers(drift, 0, x, 6, counts);
	drift_slots(drift, 1, eyes, 6, counts);
	drift_column(drift, 0, counts, &report);
	ck_assert_uint_eq(report.rows, 6);
	ck_assert_uint_eq(report.missing, 1);
	ck_assert_uint_eq(report.below, 1);
	ck_assert_uint_eq(report.above, 1);
	ck_assert(report.psi > 0.5);
	drift_column(drift, 1, counts, &report);
	for (int i = 0; i < 4; i++)
		psi += (a[i] - t[i]) * log(a[i] / t[i]);
	ck_assert_double_eq_tol(report.psi, psi, 1e-12);
	ck_assert_double_eq_tol(report.psi_by_chance, 3 * (1 / 6.0 + 1 / 20.0), 1e-12);
	ck_assert_uint_eq(report.unknown, 1);
	ck_assert_uint_eq(report.missing, 1);
	drift_column(drift, 2, counts, &report);
	ck_assert(report.rows == 0 && isnan(report.psi));
	free(counts);
	drift_free(drift);
	encoder_free(encoder);
}
END_TEST

/* The training rows themselves have not drifted; those times ten all lie above. */
START_TEST(the_same_rows_have_not_drifted)
{
	struct encoder *encoder = trained();
	struct drift_report report;
	uint64_t *counts;
	struct drift *drift;
	double x[20];
	struct err e;

	OK(drift_new(&drift, encoder, &e), e);
	for (int times = 1; times <= 10; times += 9) {
		for (int i = 0; i < 20; i++)
			x[i] = times * (i + 1);
		counts = calloc(drift_counts(drift), sizeof *counts);
		ck_assert_ptr_nonnull(counts);
		drift_numbers(drift, 0, x, 20, counts);
		drift_column(drift, 0, counts, &report);
		if (times == 1)
			ck_assert_double_eq_tol(report.psi, 0, 1e-12);
		else
			ck_assert(report.psi > 1 && report.above == 18);
		free(counts);
	}
	drift_free(drift);
	encoder_free(encoder);
}
END_TEST

/* A thousand buckets with two rows each: by single slots a hundred rows asked would look drifted, by groups they do not. */
START_TEST(many_slots_are_judged_in_groups)
{
	enum { BUCKETS = 1000 };
	const struct column_spec city = { "city", COLUMN_CATEGORY, NULL, BUCKETS };
	struct encoder *encoder;
	struct drift_report report;
	uint64_t *counts;
	struct drift *drift;
	struct err e;

	OK(encoder_new(&encoder, &city, 1, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	encoder_fit_begin(encoder);
	for (uint32_t i = 0; i < 2 * BUCKETS; i++)
		encoder_fit_slots(encoder, 0, &(uint32_t){ i % BUCKETS }, NULL, 1);
	encoder_fit_end(encoder);
	OK(drift_new(&drift, encoder, &e), e);
	counts = calloc(drift_counts(drift), sizeof *counts);
	ck_assert_ptr_nonnull(counts);
	for (uint32_t i = 0; i < 100; i++)
		drift_slots(drift, 0, &(uint32_t){ i * 10 }, 1, counts);
	drift_column(drift, 0, counts, &report);
	ck_assert_uint_eq(report.bins, 20 + 2);
	ck_assert_double_lt(report.psi, report.psi_by_chance);
	for (uint32_t i = 0; i < 100; i++)
		drift_slots(drift, 0, &(uint32_t){ 3 }, 1, counts);
	drift_column(drift, 0, counts, &report);
	ck_assert_double_gt(report.psi, 0.5);
	free(counts);
	drift_free(drift);
	encoder_free(encoder);
}
END_TEST

START_TEST(too_many_inputs_are_not_counted)
{
	const struct column_spec city = { "city", COLUMN_CATEGORY, NULL, DRIFT_COUNTS_MAX };
	struct encoder *encoder;
	struct drift *drift;
	struct err e;

	OK(encoder_new(&encoder, &city, 1, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, &e), e);
	OK(drift_new(&drift, encoder, &e), e);
	ck_assert_ptr_null(drift);
	encoder_free(encoder);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { the_index_is_the_sum_by_hand, the_same_rows_have_not_drifted,
		many_slots_are_judged_in_groups, too_many_inputs_are_not_counted, NULL };

	return suite_main("core_drift", tests, 20);
}
