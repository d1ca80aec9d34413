/* core_metrics.c - metrics against numbers worked out by hand. */
#include <math.h>

#include "core/metrics.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

/* Six rows of three classes: true 0 0 0 1 1 2, predicted 0 0 1 1 0 1; the third class is never predicted. */
static const real scores[18] = { 0.7f, 0.2f, 0.1f, 0.5f, 0.4f, 0.1f, 0.3f, 0.6f, 0.1f, 0, 1, 0, 0.5f, 0.5f, 0,
	0.1f, 0.5f, 0.4f };
static const real targets[18] = { 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1 };

START_TEST(confusion_by_hand)
{
	struct confusion *c;
	struct err e;

	OK(confusion_new(&c, 3, &e), e);
	ck_assert(isnan(confusion_accuracy(c)));
	confusion_add(c, scores, targets, 2);
	confusion_add(c, scores + 6, targets + 6, 4);
	ck_assert_uint_eq(confusion_rows(c), 6);
	ck_assert_uint_eq(confusion_count(c, 0, 0), 2);
	ck_assert_uint_eq(confusion_count(c, 0, 1), 1);
	ck_assert_uint_eq(confusion_count(c, 1, 1), 1);
	ck_assert_uint_eq(confusion_count(c, 1, 0), 1); /* of equals the first counts */
	ck_assert_uint_eq(confusion_count(c, 2, 1), 1);
	ck_assert_double_eq_tol(confusion_accuracy(c), 3.0 / 6, 1e-15);
	ck_assert_double_eq_tol(confusion_precision(c, 0), 2.0 / 3, 1e-15);
	ck_assert_double_eq_tol(confusion_recall(c, 0), 2.0 / 3, 1e-15);
	ck_assert_double_eq_tol(confusion_precision(c, 1), 1.0 / 3, 1e-15);
	ck_assert_double_eq_tol(confusion_recall(c, 1), 1.0 / 2, 1e-15);
	ck_assert_double_eq_tol(confusion_f1(c, 1), 0.4, 1e-15);
	ck_assert(isnan(confusion_precision(c, 2)));
	ck_assert_double_eq_tol(confusion_recall(c, 2), 0, 1e-15);
	ck_assert_double_eq_tol(confusion_f1(c, 2), 0, 1e-15);
	ck_assert_uint_eq(metrics_hits(scores, targets, 6, 3), 3);
	confusion_free(c);
}
END_TEST

START_TEST(confusion_has_limits)
{
	struct confusion *c;
	struct err e;

	ck_assert_int_eq(confusion_new(&c, 0, &e), ERR_RANGE);
	ck_assert_int_eq(confusion_new(&c, SIZE_MAX / 2, &e), ERR_RANGE);
	ck_assert_ptr_null(c);
}
END_TEST

/* Predictions 2 4 5 9 of 1 4 7 8: errors 1 0 -2 1. */
START_TEST(regression_by_hand)
{
	static const double predicted[4] = { 2, 4, 5, 9 }, target[4] = { 1, 4, 7, 8 };
	struct regression r = { 0 };

	ck_assert(isnan(regression_mae(&r)));
	for (size_t i = 0; i < 4; i++)
		regression_add(&r, predicted[i], target[i]);
	ck_assert_double_eq_tol(r.error_sum, 0, 1e-15);
	ck_assert_double_eq_tol(regression_mse(&r), 1.5, 1e-15);
	ck_assert_double_eq_tol(regression_rmse(&r), 1.224744871391589, 1e-15);
	ck_assert_double_eq_tol(regression_mae(&r), 1, 1e-15);
	ck_assert_double_eq_tol(regression_r2(&r), 1 - 6.0 / 30, 1e-14); /* mean 5: 16 + 1 + 4 + 9 */
}
END_TEST

START_TEST(r2_needs_targets_that_vary)
{
	struct regression r = { 0 };

	for (int i = 0; i < 5; i++)
		regression_add(&r, i, 0.1);
	ck_assert(isnan(regression_r2(&r)));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { confusion_by_hand, confusion_has_limits, regression_by_hand,
		r2_needs_targets_that_vary, NULL };

	return suite_main("core_metrics", tests, 20);
}
