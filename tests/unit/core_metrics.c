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

/* Trained elsewhere, a network by hand may overflow: its NaN must not be taken for the best score. */
START_TEST(a_nan_is_no_score)
{
	static const real odd[6] = { NAN, 1, 2, 0, NAN, -1 }, hot[6] = { 0, 0, 1, 1, 0, 0 };

	ck_assert_uint_eq(metrics_hits(odd, hot, 2, 3), 2);
}
END_TEST

/* Two classes, 4 3 / 1 2: (4*2 - 3*1) / sqrt(5 * 5 * 7 * 3). */
START_TEST(matthews_by_hand)
{
	static const size_t counts[2][2] = { { 4, 3 }, { 1, 2 } };
	static const real hot[2][2] = { { 1, 0 }, { 0, 1 } };
	struct confusion *c;
	struct err e;

	OK(confusion_new(&c, 2, &e), e);
	ck_assert(isnan(confusion_matthews(c)));
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 2; j++)
			for (size_t n = 0; n < counts[i][j]; n++)
				confusion_add(c, hot[j], hot[i], 1);
	ck_assert_double_eq_tol(confusion_matthews(c), 5 / sqrt(5.0 * 5 * 7 * 3), 1e-15);
	confusion_free(c);
}
END_TEST

START_TEST(classification_has_limits)
{
	struct classification *c;
	struct err e;

	ck_assert_int_eq(classification_new(&c, 3, 0, true, RANKING_SCORES_MAX, &e), ERR_RANGE);
	ck_assert_int_eq(classification_new(&c, 3, 4, true, RANKING_SCORES_MAX, &e), ERR_RANGE);
	ck_assert_int_eq(classification_new(&c, 0, 1, true, RANKING_SCORES_MAX, &e), ERR_RANGE);
	ck_assert_ptr_null(c);
	ck_assert_uint_eq(classification_bytes(SIZE_MAX / 2, RANKING_SCORES_MAX, 5), SIZE_MAX);
}
END_TEST

/* In each of the six rows at the top the class is among the first two: the fifth has 0.5 0.5 0 and the second class. */
START_TEST(of_equal_scores_the_first_counts)
{
	struct classification *c;
	struct err e;

	for (size_t k = 1; k <= 3; k++) {
		OK(classification_new(&c, 3, k, true, RANKING_SCORES_MAX, &e), e);
		OK(classification_add(c, scores, targets, 6, &e), e);
		OK(classification_end(c, &e), e);
		ck_assert_uint_eq(classification_top_k(c), k);
		ck_assert_double_eq_tol(metric_find("top_k")->classes(c), k == 1 ? 0.5 : 1, 1e-15);
		ck_assert_double_eq(metric_find("accuracy")->classes(c), 0.5);
		classification_free(c);
	}
}
END_TEST

START_TEST(an_empty_classification_is_not_defined)
{
	struct classification *c;
	const struct metric *m;
	struct err e;

	OK(classification_new(&c, 3, 2, true, RANKING_SCORES_MAX, &e), e);
	OK(classification_end(c, &e), e);
	for (size_t i = 0; (m = metric_at(i)); i++)
		if (m->classes) ck_assert_msg(isnan(m->classes(c)), "%s", m->name);
	classification_free(c);
}
END_TEST

START_TEST(margins_have_no_log_loss)
{
	struct classification *c;
	struct err e;

	OK(classification_new(&c, 3, 2, false, RANKING_SCORES_MAX, &e), e);
	OK(classification_add(c, scores, targets, 6, &e), e);
	OK(classification_end(c, &e), e);
	ck_assert(isnan(metric_find("log_loss")->classes(c)));
	classification_free(c);
}
END_TEST

START_TEST(the_table_is_whole)
{
	const struct metric *m;

	for (size_t i = 0; (m = metric_at(i)); i++) {
		ck_assert_ptr_eq(metric_find(m->name), m);
		ck_assert_msg(*m->formula && *m->range && *m->source, "%s", m->name);
		ck_assert_msg((m->of == METRIC_NUMBERS) == (m->numbers != NULL), "%s", m->name);
	}
	ck_assert_ptr_null(metric_find("luck"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { confusion_by_hand, confusion_has_limits, regression_by_hand,
		r2_needs_targets_that_vary, a_nan_is_no_score, matthews_by_hand, classification_has_limits,
		of_equal_scores_the_first_counts, an_empty_classification_is_not_defined,
		margins_have_no_log_loss, the_table_is_whole, NULL };

	return suite_main("core_metrics", tests, 20);
}
