/* metrics_classes.c - everything that is asked about one category, from one pass over its scores. See metrics.h. */
#include <math.h>
#include <stdlib.h>

#include "core/metrics_classes.h"
#include "core/size.h"

#define CHUNK_ROWS 256 /* whose classes are on the stack */
#define PROBABILITY_FLOOR \
	2.2204460492503131e-16 /* as scikit-learn's log_loss: what is nearer to 0 or 1 counts as that */

int classification_new(struct classification **out, size_t classes, size_t top_k, bool probabilities,
		size_t scores_max, struct err *e)
{
	struct classification *c = calloc(1, sizeof *c);
	int rc;

	*out = NULL;
	if (!c) return err_nomem(e);
	if ((rc = confusion_new(&c->confusion, classes, e)) ||
			(rc = ranking_new(&c->ranking, classes, scores_max, e)))
		goto out;
	if (!top_k || top_k > classes) {
		rc = err_set(e, ERR_RANGE, "the best %zu of %zu classes cannot be had", top_k, classes);
		goto out;
	}
	c->classes = classes;
	c->top_k = top_k;
	c->probabilities = probabilities;
	*out = c;
	return 0;
out:
	classification_free(c);
	return rc;
}

void classification_free(struct classification *c)
{
	if (!c) return;
	confusion_free(c->confusion);
	ranking_free(c->ranking);
	free(c);
}

size_t classification_bytes(size_t classes, size_t scores_max, uint64_t rows)
{
	size_t counts = size_mul(size_mul(classes, size_add(classes, 2)), sizeof(uint64_t));

	return size_add(size_add(counts, size_mul(classes, sizeof(struct ranking_area))),
			ranking_bytes(classes, scores_max, rows));
}

static size_t class_of(const real *target, size_t classes)
{
	size_t best = 0;

	for (size_t k = 1; k < classes; k++)
		if (target[k] > target[best]) best = k;
	return best;
}

/* Is the true class among the first k, when of equals the first comes first? */
static bool among_first(const struct classification *c, const real *scores, size_t truth)
{
	size_t before = 0;

	if (isnan(scores[truth])) return false;
	for (size_t j = 0; j < c->classes; j++)
		before += scores[j] > scores[truth] || (scores[j] == scores[truth] && j < truth);
	return before < c->top_k;
}

static double probability(real score)
{
	double p = (double)score;

	if (p < PROBABILITY_FLOOR) return PROBABILITY_FLOOR;
	return p > 1 - PROBABILITY_FLOOR ? 1 - PROBABILITY_FLOOR : p;
}

/* Of probabilities that need not sum up to 1. */
static double row_log_loss(const real *scores, size_t classes, size_t truth)
{
	double sum = 0;

	for (size_t k = 0; k < classes; k++)
		sum += probability(scores[k]);
	/* cppcheck-suppress invalidFunctionArg ; there is a class at least, and none has the probability 0 */
	return log(sum) - log(probability(scores[truth]));
}

static void judge_probabilities(struct classification *c, const real *row, size_t truth)
{
	size_t taken = metrics_largest(row, c->classes);

	c->log_loss_sum += row_log_loss(row, c->classes, truth);
	calibration_add(&c->calibration, (double)row[taken], taken == truth);
}

int classification_add(
		struct classification *c, const real *scores, const real *targets, size_t rows, struct err *e)
{
	uint32_t truth[CHUNK_ROWS];
	int rc = 0;

	confusion_add(c->confusion, scores, targets, rows);
	for (size_t from = 0, n; from < rows && !rc; from += n) {
		const real *chunk = scores + from * c->classes;

		n = rows - from < CHUNK_ROWS ? rows - from : CHUNK_ROWS;
		for (size_t i = 0; i < n; i++) {
			const real *row = chunk + i * c->classes;

			truth[i] = (uint32_t)class_of(targets + (from + i) * c->classes, c->classes);
			c->top_hits += among_first(c, row, truth[i]);
			if (c->probabilities) judge_probabilities(c, row, truth[i]);
		}
		rc = ranking_add(c->ranking, chunk, truth, n, e);
	}
	return rc;
}

int classification_end(struct classification *c, struct err *e)
{
	return ranking_end(c->ranking, e);
}

const struct confusion *classification_confusion(const struct classification *c)
{
	return c->confusion;
}

size_t classification_top_k(const struct classification *c)
{
	return c->top_k;
}

const struct calibration *classification_calibration(const struct classification *c)
{
	return c->probabilities ? &c->calibration : NULL;
}

bool classification_curves(
		struct classification *c, size_t k, struct ranking_curve *roc, struct ranking_curve *pr)
{
	return ranking_curves(c->ranking, k, roc, pr);
}

void classification_slack(const struct classification *c, double *roc, double *pr)
{
	*roc = *pr = 0;
	for (size_t k = 0; k < c->classes; k++) {
		struct ranking_area area = ranking_area(c->ranking, k);

		*roc = fmax(*roc, area.roc_slack);
		*pr = fmax(*pr, area.pr_slack);
	}
}
