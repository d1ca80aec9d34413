/* metrics.h - how good predictions are. Everything is accumulated batch by batch in double, so that no more
 * than a batch is in memory; the sums of batches may come from different calls in one fixed order.
 */
#ifndef DESCENT_METRICS_H
#define DESCENT_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/real.h"

/* Classification: rows of scores against rows of one-hot targets, both (B,K). */
struct confusion; /* (K,K) counts: [true][predicted] */

/* *out is new (confusion_free), all 0. ERR_RANGE: no classes, or more than memory has room for; ERR_NOMEM. */
int confusion_new(struct confusion **out, size_t classes, struct err *e);
void confusion_free(struct confusion *c);
void confusion_add(struct confusion *c, const real *scores, const real *targets, size_t rows);
uint64_t confusion_count(const struct confusion *c, size_t truth, size_t predicted);
uint64_t confusion_rows(const struct confusion *c);
double confusion_accuracy(const struct confusion *c);
/* Of class k: right ones / predicted, right ones / true, 2 * right ones / (true + predicted). NaN where there are
 * no rows to divide by; accuracy likewise. */
double confusion_precision(const struct confusion *c, size_t k);
double confusion_recall(const struct confusion *c, size_t k);
double confusion_f1(const struct confusion *c, size_t k);

/* How many rows have their largest score where the target has its 1 (the first of equals counts). */
size_t metrics_hits(const real *scores, const real *targets, size_t rows, size_t classes);

/* Regression of one output, in whatever units the two have; zeroed is empty. Means of no rows are NaN. */
struct regression {
	uint64_t rows;
	double error_sum, error_abs_sum, error_square_sum; /* error = prediction - target */
	double target_mean, target_m2;                     /* Welford, 1962 */
};
void regression_add(struct regression *r, double prediction, double target);
double regression_mse(const struct regression *r);
double regression_rmse(const struct regression *r);
double regression_mae(const struct regression *r);
double regression_r2(const struct regression *r); /* NaN when the targets do not vary */

#endif
