/* core_metrics_curve.c - curves, reliability bins and quantiles against scikit-learn's and NumPy's
 * (tests/golden/curves.py), and what is left of curves with more points than are kept, and of numbers in bins.
 */
#include <math.h>
#include <string.h>

#include "core/metrics.h"
#include "tests/golden/curves.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define TOLERATE 1e-12
#define SHARES   (sizeof golden_shares / sizeof *golden_shares)

/* Two classes; `own` are the scores of class 1. New. */
static struct ranking *ranked(const float *own, const uint32_t *truth, size_t rows, size_t scores_max)
{
	struct ranking *r;
	struct err e;

	OK(ranking_new(&r, 2, scores_max, &e), e);
	for (size_t i = 0; i < rows; i++) {
		real scores[2] = { -(real)own[i], (real)own[i] };

		OK(ranking_add(r, scores, &truth[i], 1, &e), e);
	}
	OK(ranking_end(r, &e), e);
	return r;
}

static void same_points(const char *name, const struct ranking_curve *got, size_t from, const double *want,
		size_t points)
{
	ck_assert_msg(got->count == points + from, "%s: %zu points, not %zu", name, got->count,
			points + from);
	for (size_t i = 0; i < points; i++) {
		ck_assert_msg(got->threshold[from + i] == want[3 * i],
				"%s: threshold %zu is %.17g, not %.17g", name, i, got->threshold[from + i],
				want[3 * i]);
		ck_assert_msg(fabs(got->x[from + i] - want[3 * i + 1]) <= TOLERATE &&
						fabs(got->y[from + i] - want[3 * i + 2]) <= TOLERATE,
				"%s: point %zu is (%.17g, %.17g), not (%.17g, %.17g)", name, i,
				got->x[from + i], got->y[from + i], want[3 * i + 1], want[3 * i + 2]);
	}
}

START_TEST(every_point_is_scikit_learns)
{
	for (size_t n = 0; n < sizeof golden_curves / sizeof *golden_curves; n++) {
		const struct golden_curves *g = &golden_curves[n];
		struct ranking *r = ranked(g->scores, g->truth, g->rows, RANKING_SCORES_MAX);
		struct ranking_curve roc, pr;

		ck_assert(ranking_curves(r, 1, &roc, &pr));
		ck_assert(isinf(roc.threshold[0]) && roc.x[0] == 0 && roc.y[0] == 0);
		same_points(g->name, &roc, 1, g->roc, g->roc_points);
		same_points(g->name, &pr, 0, g->pr, g->pr_points);
		ranking_free(r);
	}
}
END_TEST

START_TEST(there_may_be_none)
{
	static const float scores[] = { 0.5f, 0.25f, NAN };
	static const uint32_t one_class[] = { 1, 1, 1 }, both[] = { 0, 1, 1 };
	struct ranking *r = ranked(scores, one_class, 2, RANKING_SCORES_MAX);
	struct ranking_curve roc, pr;

	ck_assert(!ranking_curves(r, 1, &roc, &pr) && !ranking_curves(r, 0, &roc, &pr));
	ranking_free(r);
	r = ranked(scores, both, 3, RANKING_SCORES_MAX);
	ck_assert(!ranking_curves(r, 1, &roc, &pr));
	ranking_free(r);
}
END_TEST

static double trapezoids(const struct ranking_curve *curve)
{
	double area = 0;

	for (size_t i = 1; i < curve->count; i++)
		area += (curve->x[i] - curve->x[i - 1]) * (curve->y[i] + curve->y[i - 1]) / 2;
	return area;
}

/* The share of class 1, and how many scores are kept before they are put into bins. */
static void check_thinned(double share, size_t scores_max)
{
	enum { ROWS = 100000 };
	struct rng_key key = { .seed = 3, .stream = RNG_TEST };
	float *own = malloc(ROWS * sizeof *own);
	uint32_t *truth = malloc(ROWS * sizeof *truth);
	struct ranking_curve roc, pr;
	double best = 0;
	struct ranking *r;

	for (size_t i = 0; i < ROWS; i++) {
		truth[i] = rng_uniform(&key, i) < share;
		own[i] = (float)(rng_normal(&key, ROWS + i) + 1.5 * truth[i]);
	}
	r = ranked(own, truth, ROWS, scores_max);
	ck_assert(ranking_curves(r, 1, &roc, &pr));
	ck_assert_uint_le(roc.count, RANKING_CURVE_MAX);
	ck_assert_uint_le(pr.count, RANKING_CURVE_MAX);
	ck_assert_uint_gt(roc.count, RANKING_CURVE_MAX / 2);
	ck_assert_uint_gt(pr.count, RANKING_CURVE_MAX / 2);
	ck_assert_double_eq_tol(trapezoids(&roc), ranking_area(r, 1).roc, 5e-4);
	ck_assert_double_eq_tol(trapezoids(&pr), ranking_area(r, 1).pr, 1e-2);
	ck_assert_double_eq(roc.x[roc.count - 1], 1);
	ck_assert_double_eq(roc.y[roc.count - 1], 1);
	ck_assert_double_eq(pr.x[pr.count - 1], 1);
	for (size_t i = 1; i < roc.count; i++)
		ck_assert(roc.threshold[i] < roc.threshold[i - 1] && roc.x[i] >= roc.x[i - 1] &&
				roc.y[i] >= roc.y[i - 1]);
	for (size_t i = 1; i < pr.count; i++)
		ck_assert(pr.threshold[i] < pr.threshold[i - 1] && pr.x[i] >= pr.x[i - 1]);
	for (size_t i = 0; i < pr.count; i++)
		best = fmax(best, pr.y[i]);
	ck_assert_double_gt(best, 0.9);
	ranking_free(r);
	free(own);
	free(truth);
}

START_TEST(a_thinned_curve_has_the_same_area)
{
	check_thinned(0.5, RANKING_SCORES_MAX);
	check_thinned(0.1, RANKING_SCORES_MAX);
	check_thinned(0.5, 20000);
	check_thinned(0.1, 20000);
}
END_TEST

START_TEST(bins_are_scikit_learns)
{
	for (size_t n = 0; n < sizeof golden_calibration / sizeof *golden_calibration; n++) {
		const struct golden_calibration *g = &golden_calibration[n];
		struct calibration c = { 0 };

		for (size_t i = 0; i < g->rows; i++)
			calibration_add(&c, (double)g->confidence[i], g->right[i]);
		calibration_add(&c, NAN, true);
		ck_assert_double_eq_tol(calibration_error(&c), g->error, TOLERATE);
		for (size_t i = 0; i < CALIBRATION_BINS; i++) {
			double rows = (double)c.bins[i].rows;

			ck_assert_double_eq(rows, g->bins[3 * i]);
			if (!c.bins[i].rows) continue;
			ck_assert_double_eq_tol((double)c.bins[i].right / rows, g->bins[3 * i + 1], TOLERATE);
			ck_assert_double_eq_tol(
					c.bins[i].confidence_sum / rows, g->bins[3 * i + 2], TOLERATE);
		}
	}
	ck_assert(isnan(calibration_error(&(struct calibration){ 0 })));
}
END_TEST

/* One class: a mere collection. New. */
static struct ranking *collected(const float *numbers, size_t count, size_t scores_max)
{
	struct ranking *r;
	uint32_t none = 0;
	struct err e;

	OK(ranking_new(&r, 1, scores_max, &e), e);
	for (size_t i = 0; i < count; i++) {
		real number = (real)numbers[i];

		OK(ranking_add(r, &number, &none, 1, &e), e);
	}
	OK(ranking_end(r, &e), e);
	return r;
}

START_TEST(quantiles_are_numpys)
{
	double found[SHARES];
	struct ranking *r;

	for (size_t n = 0; n < sizeof golden_quantiles / sizeof *golden_quantiles; n++) {
		const struct golden_quantiles *g = &golden_quantiles[n];

		r = collected(g->numbers, g->count, RANKING_SCORES_MAX);
		ranking_quantiles(r, golden_shares, SHARES, found);
		for (size_t i = 0; i < SHARES; i++)
			ck_assert_msg(fabs(found[i] - g->quantiles[i]) <= TOLERATE, "%s: %.17g, not %.17g",
					g->name, found[i], g->quantiles[i]);
		ranking_free(r);
	}
	r = collected(NULL, 0, RANKING_SCORES_MAX);
	ranking_quantiles(r, golden_shares, SHARES, found);
	ck_assert(isnan(found[0]) && isnan(found[SHARES - 1]));
	ranking_free(r);
}
END_TEST

/* 0.5, 1.5, …, in an order that has nothing to do with them: 200,000 numbers, of which 10,000 are kept. */
START_TEST(quantiles_of_more_numbers_than_are_kept)
{
	enum { COUNT = 200000, STRIDE = 77777 };
	float *numbers = malloc(COUNT * sizeof *numbers);
	double found[SHARES];
	struct ranking *r;

	for (size_t i = 0; i < COUNT; i++)
		numbers[i] = (float)(i * STRIDE % COUNT) + 0.5f;
	r = collected(numbers, COUNT, 10000);
	ranking_quantiles(r, golden_shares, SHARES, found);
	for (size_t i = 0; i < SHARES; i++)
		ck_assert_double_eq_tol(found[i], 0.5 + golden_shares[i] * (COUNT - 1), COUNT * 2e-3);
	ck_assert_double_eq(found[0], 0.5);
	ck_assert_double_eq(found[SHARES - 1], COUNT - 0.5);
	ranking_free(r);
	free(numbers);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_point_is_scikit_learns, there_may_be_none,
		a_thinned_curve_has_the_same_area, bins_are_scikit_learns, quantiles_are_numpys,
		quantiles_of_more_numbers_than_are_kept, NULL };

	return suite_main("core_metrics_curve", tests, 60);
}
