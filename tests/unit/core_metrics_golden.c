/* core_metrics_golden.c - every metric of the table against scikit-learn's (tests/golden/metrics.py). */
#include <math.h>
#include <string.h>

#include "core/metrics.h"
#include "tests/golden/metrics.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define TOLERATE 1e-9
#define BATCH    7 /* rows at a time */

static void same(const char *golden, const char *what, double got, double want)
{
	if (isnan(want))
		ck_assert_msg(isnan(got), "%s: %s is %.17g and should not be defined", golden, what, got);
	else
		ck_assert_msg(fabs(got - want) <= TOLERATE * fmax(1, fabs(want)),
				"%s: %s is %.17g, not %.17g", golden, what, got, want);
}

static struct classification *counted(const struct golden_classes *g)
{
	real *scores = calloc(g->rows * g->classes, sizeof *scores);
	real *targets = calloc(g->rows * g->classes, sizeof *targets);
	struct classification *c;
	struct err e;

	for (size_t i = 0; i < g->rows * g->classes; i++)
		scores[i] = (real)g->scores[i];
	for (size_t i = 0; i < g->rows; i++)
		targets[i * g->classes + g->truth[i]] = 1;
	OK(classification_new(&c, g->classes, g->k, g->probabilities, RANKING_SCORES_MAX, &e), e);
	for (size_t i = 0; i < g->rows; i += BATCH)
		OK(classification_add(c, scores + i * g->classes, targets + i * g->classes,
				   g->rows - i < BATCH ? g->rows - i : BATCH, &e),
				e);
	OK(classification_end(c, &e), e);
	free(scores);
	free(targets);
	return c;
}

static void overall_same(const struct golden_classes *g, const struct classification *c)
{
	static const char *const plain[] = { "accuracy", "top_k", "roc_auc", "pr_auc", "log_loss",
		"matthews" };
	static const size_t plain_at[] = { 0, 1, 8, 9, 10, 11 };
	static const char *const averaged[] = { "precision", "recall", "f1" };

	for (size_t i = 0; i < 6; i++)
		same(g->name, plain[i], metric_find(plain[i])->classes(c), g->overall[plain_at[i]]);
	for (size_t i = 0; i < 3; i++) {
		same(g->name, averaged[i], metric_macro(metric_find(averaged[i]), c), g->overall[2 + i]);
		same(g->name, averaged[i], metric_micro(metric_find(averaged[i]), c), g->overall[5 + i]);
	}
}

START_TEST(classes_are_scikit_learns)
{
	static const char *const of_class[GOLDEN_OF_CLASS] = { "precision", "recall", "f1", "roc_auc",
		"pr_auc" };

	for (size_t n = 0; n < sizeof golden_classes / sizeof *golden_classes; n++) {
		const struct golden_classes *g = &golden_classes[n];
		struct classification *c = counted(g);

		overall_same(g, c);
		for (size_t k = 0; k < g->classes; k++) {
			for (size_t i = 0; i < GOLDEN_OF_CLASS; i++)
				same(g->name, of_class[i], metric_one_class(metric_find(of_class[i]), c, k),
						g->of_classes[k * GOLDEN_OF_CLASS + i]);
			for (size_t j = 0; j < g->classes; j++)
				ck_assert_uint_eq(confusion_count(classification_confusion(c), k, j),
						g->counts[k * g->classes + j]);
		}
		classification_free(c);
	}
}
END_TEST

START_TEST(numbers_are_scikit_learns)
{
	static const char *const names[GOLDEN_OF_NUMBERS] = { "mse", "rmse", "mae", "mape", "r2",
		"explained_variance" };

	for (size_t n = 0; n < sizeof golden_numbers / sizeof *golden_numbers; n++) {
		const struct golden_numbers *g = &golden_numbers[n];
		struct regression *r = calloc(g->outputs, sizeof *r);

		for (size_t i = 0; i < g->rows * g->outputs; i++)
			regression_add(&r[i % g->outputs], g->predictions[i], g->targets[i]);
		for (size_t i = 0; i < GOLDEN_OF_NUMBERS; i++)
			same(g->name, names[i], metric_find(names[i])->numbers(r, g->outputs),
					g->together[i]);
		free(r);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { classes_are_scikit_learns, numbers_are_scikit_learns, NULL };

	return suite_main("metrics_golden", tests, 20);
}
