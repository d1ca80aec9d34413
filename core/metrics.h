/* metrics.h - how good predictions are: a table of metrics, and what they are worked out from. Everything is
 * accumulated batch by batch in double, so that no more than a batch is in memory (scores for the areas under curves
 * are the exception: see metrics_rank.h); the sums of batches may come from different calls in one fixed order.
 *
 * NaN is the answer where a metric is not defined: a ratio of no rows, a curve without both kinds of rows.
 */
#ifndef DESCENT_METRICS_H
#define DESCENT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/metrics_rank.h"
#include "core/param.h"
#include "core/real.h"

/* ---- counts of classes: rows of scores against rows of one-hot targets, both (B,K) ---- */

/* (K,K) counts: [true][predicted]. Predicted is the class with the largest score, the first of equals; a NaN is no
 * score, and a row of nothing but NaN counts as the first class. */
struct confusion;

/* *out is new (confusion_free), all 0. ERR_RANGE: no classes, or more than memory has room for; ERR_NOMEM. */
int confusion_new(struct confusion **out, size_t classes, struct err *e);
void confusion_free(struct confusion *c);
void confusion_add(struct confusion *c, const real *scores, const real *targets, size_t rows);
uint64_t confusion_count(const struct confusion *c, size_t truth, size_t predicted);
uint64_t confusion_rows(const struct confusion *c);
size_t confusion_classes(const struct confusion *c);
double confusion_accuracy(const struct confusion *c);
/* Of class k: right ones / predicted, right ones / true, 2 * right ones / (true + predicted). NaN where there are
 * no rows to divide by; accuracy likewise. */
double confusion_precision(const struct confusion *c, size_t k);
double confusion_recall(const struct confusion *c, size_t k);
double confusion_f1(const struct confusion *c, size_t k);
/* The correlation of true and predicted classes, R_K; NaN when either is one class only. Gorodkin: Comparing two
 * K-category assignments by a K-category correlation coefficient, 2004, equation 8; of two classes it is Matthews'. */
double confusion_matthews(const struct confusion *c);

/* What precision, recall and f1 are ratios of: of one class, or summed over all of them. */
struct class_counts {
	double right, truth,
			predicted; /* rows that are both; that are truly of the class; that were taken for it */
};
struct class_counts confusion_counts(const struct confusion *c, size_t k);

/* How many rows have their largest score where the target has its 1 (the first of equals counts). */
size_t metrics_hits(const real *scores, const real *targets, size_t rows, size_t classes);

/* ---- is it as often right as it says? ---- */

#define CALIBRATION_BINS 15

/* Rows by the confidence of the class that was taken: bin i has those in (i/15, (i+1)/15]. Zeroed is empty. Guo, Pleiss,
 * Sun, Weinberger: On calibration of modern neural networks, ICML 2017, section 2. */
struct calibration {
	struct calibration_bin {
		uint64_t rows, right;
		double confidence_sum;
	} bins[CALIBRATION_BINS];
	uint64_t rows;
};
void calibration_add(struct calibration *c, double confidence, bool right); /* a NaN is passed over */
/* The expected calibration error: sum over bins of rows / all rows * |share of right ones - mean confidence|. */
double calibration_error(const struct calibration *c);

/* ---- everything about one category ---- */

struct classification;

/* *out is new (classification_free), empty. top_k: in [1, classes]. probabilities: the scores are, so that a log loss
 * can be had. scores_max: see metrics_rank.h. Errors: those of confusion_new; ERR_RANGE: top_k. */
int classification_new(struct classification **out, size_t classes, size_t top_k, bool probabilities,
		size_t scores_max, struct err *e);
void classification_free(struct classification *c);
/* At most how much memory `rows` rows of `classes` classes take, in bytes; SIZE_MAX when it would overflow. */
size_t classification_bytes(size_t classes, size_t scores_max, uint64_t rows);
/* scores, targets (B,K). ERR_NOMEM. */
int classification_add(struct classification *c, const real *scores, const real *targets, size_t rows,
		struct err *e);
/* After the last batch, before the table's functions are asked. ERR_NOMEM. */
int classification_end(struct classification *c, struct err *e);
const struct confusion *classification_confusion(const struct classification *c); /* borrowed */
size_t classification_top_k(const struct classification *c);
/* Of the scores as confidences; NULL where they are no probabilities. Borrowed. */
const struct calibration *classification_calibration(const struct classification *c);
/* After classification_end: see ranking_curves. */
bool classification_curves(
		struct classification *c, size_t k, struct ranking_curve *roc, struct ranking_curve *pr);
/* By how much roc_auc and pr_auc of any class may be off at most; 0 while they are exact (metrics_rank.h). */
void classification_slack(const struct classification *c, double *roc, double *pr);

/* ---- everything about one number ---- */

/* In whatever units the two have; zeroed is empty. Means of no rows are NaN. */
struct regression {
	uint64_t rows, rows_not_zero;                        /* whose target is not 0 */
	double error_sum, error_abs_sum, error_square_sum;   /* error = prediction - target */
	double error_mean, error_m2, target_mean, target_m2; /* Welford, 1962 */
	double error_share_sum; /* of |error / target|, where the target is not 0 */
};
void regression_add(struct regression *r, double prediction, double target);
double regression_mse(const struct regression *r);
double regression_rmse(const struct regression *r);
double regression_mae(const struct regression *r);
/* A share, not a percentage; rows whose target is 0 are left out, NaN when there are no others. */
double regression_mape(const struct regression *r);
double regression_r2(const struct regression *r);                 /* NaN when the targets do not vary */
double regression_explained_variance(const struct regression *r); /* likewise */

/* ---- the table ---- */

enum metric_of { METRIC_CLASSES, METRIC_NUMBERS };

struct metric {
	const char *name, *formula, *range, *source;
	enum metric_of of;
	struct param params[PARAMS_MAX];

	/* Of `count` numbers together, all of which have as many rows. NULL unless `of` is METRIC_NUMBERS. */
	double (*numbers)(const struct regression *outputs, size_t count);
	/* Of all classes together, of class k alone, and what is a ratio of counts; each may be NULL. */
	double (*classes)(const struct classification *c);
	double (*one_class)(const struct classification *c, size_t k);
	double (*ratio)(struct class_counts counts);
};

const struct metric *metric_at(size_t i); /* NULL past the end */
const struct metric *metric_find(const char *name);

/* Of a metric with `ratio`. macro: the mean over the classes that some row is of or was taken for, where a ratio that
 * is not defined counts as 0. micro: the ratio of the sums over all classes. Sokolova and Lapalme, 2009, table 3. */
double metric_macro(const struct metric *m, const struct classification *c);
double metric_micro(const struct metric *m, const struct classification *c);
/* Of a metric with `one_class` or `ratio`. */
double metric_one_class(const struct metric *m, const struct classification *c, size_t k);

#endif
