/* metrics_rank.h - areas under the curves that a moving threshold draws: each class against the rest.
 *
 * Both areas need all scores in order. Up to a number of scores they are kept (4 bytes each) and the areas are exact,
 * ties and all. Past that the scores of each class are put into bins, at most RANKING_BINS_MAX, whose borders follow
 * the scores themselves: of n bins one holds about 1/n of the class's rows and of the others. Only the order
 * within a bin is then unknown, and what that can make at most is worked out beside the area (the slack): of the ROC
 * about 1/n, of the precision more where the class has few rows, and more of both when later scores
 * are distributed wholly unlike the first ones.
 */
#ifndef DESCENT_METRICS_RANK_H
#define DESCENT_METRICS_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/real.h"

#define RANKING_SCORES_MAX (1u << 22) /* kept as they are: 2 million rows of two classes, 400,000 of ten */
#define RANKING_BINS_MAX   65536      /* of one class, and at most 1 for 4 scores that are kept */
#define RANKING_SCORE_BYTES \
	32 /* memory for a score that may be kept, at most: itself, sorting, its share of the bins */

struct ranking;

/* Of one class; NaN where it has no rows, where the others have none, or where one of its scores is NaN. */
struct ranking_area {
	double roc; /* the share of pairs (row of the class, other row) in the right order, half for equals */
	double pr;  /* average precision: sum over thresholds of precision times the step in recall */
	double roc_slack,
			pr_slack; /* the true area is no further away than that; 0: exact, but for rounding */
};

/* *out is new (ranking_free). scores_max: how many scores may be kept; RANKING_SCORES_MAX is enough. ERR_RANGE: no classes;
 * ERR_NOMEM. */
int ranking_new(struct ranking **out, size_t classes, size_t scores_max, struct err *e);
void ranking_free(struct ranking *r);
/* At most how much memory `rows` rows take, in bytes; SIZE_MAX when it would overflow. */
size_t ranking_bytes(size_t classes, size_t scores_max, uint64_t rows);
/* scores (B,K); truth (B): each row's class. ERR_NOMEM. */
int ranking_add(struct ranking *r, const real *scores, const uint32_t *truth, size_t rows, struct err *e);
/* After the last batch: works the areas out. ERR_NOMEM. */
int ranking_end(struct ranking *r, struct err *e);
/* After ranking_end. */
struct ranking_area ranking_area(const struct ranking *r, size_t k);

/* ---- metrics_curve.c; after ranking_end ---- */

#define RANKING_CURVE_MAX 200 /* points of a curve */

/* What a threshold gives that goes down: rows with a score of at least that are taken for the class. */
struct ranking_curve {
	size_t count;
	double threshold[RANKING_CURVE_MAX], x[RANKING_CURVE_MAX], y[RANKING_CURVE_MAX];
};

/* Of class k. roc: x is the share of the others that is taken for it, y that of its own; it begins at (0, 0) with an
 * infinite threshold. pr: x is the recall (y of roc), y the precision. Every threshold is a point where there are few
 * enough; else roc has points at even distances along itself, pr the first, the last, and the highest and lowest
 * precision in each of even steps of the recall. False: there is none, as for ranking_area. */
bool ranking_curves(struct ranking *r, size_t k, struct ranking_curve *roc, struct ranking_curve *pr);

/* Of a ranking with one class, which is a mere collection of numbers: out[i] is what a share shares[i] of them lies below,
 * between two neighbours in proportion (Hyndman, Fan: Sample quantiles in statistical packages, 1996, definition 7). NaN
 * without numbers. n <= RANKING_QUANTILES_MAX. */
#define RANKING_QUANTILES_MAX 16
void ranking_quantiles(struct ranking *r, const double *shares, size_t n, double *out);

#endif
