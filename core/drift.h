/* drift.h - how far the rows that a model is asked about lie from those it was trained on, column by column.
 *
 * What was asked is counted, never kept: for a number or a date how many rows fell into each bin of the training rows'
 * profile, below the smallest and above the largest of them, and were missing; for a category how many had each slot.
 * A count is 8 bytes in an array of them that the caller owns; one thread writes it, others may read meanwhile.
 */
#ifndef DESCENT_DRIFT_H
#define DESCENT_DRIFT_H

#include "core/encoder.h"

#define DRIFT_COUNTS_MAX 262144 /* of one model */

struct drift; /* where each column's counts lie; read-only, may be shared */

/* *out is new (drift_free), NULL without an error for an encoder that would need more than DRIFT_COUNTS_MAX counts.
 * inputs is borrowed for its life. ERR_NOMEM. */
int drift_new(struct drift **out, const struct encoder *inputs, struct err *e);
void drift_free(struct drift *drift);
size_t drift_counts(const struct drift *drift); /* numbers in an array of counts */

/* Counts n cells of column i, of its kind. */
void drift_numbers(const struct drift *drift, size_t i, const double *x, size_t n, uint64_t *counts);
void drift_slots(const struct drift *drift, size_t i, const uint32_t *slots, size_t n, uint64_t *counts);

/* Column i's own among the counts: of a number or date first its bins, of a category its slots. */
const uint64_t *drift_of(const struct drift *drift, size_t i, const uint64_t *counts);

struct drift_report {
	uint64_t rows;         /* asked */
	uint64_t missing;      /* of those */
	uint64_t unknown;      /* of a category: values that no training row had */
	uint64_t below, above; /* of a number or date: beyond the smallest and the largest of the training rows */
	/* Population stability index: sum over bins of (a - t) ln(a / t), a and t being the shares of rows asked and trained
	 * on (Siddiqi, Credit Risk Scorecards, 2006; it is the sum of both Kullback-Leibler divergences). Half a row is added
	 * to each bin, as Jeffreys would, so that an empty one has a share. NaN: nothing was asked or trained on. */
	double psi;
	/* What it would be on average if nothing had changed: (bins - 1) (1 / asked + 1 / trained) (Yurdakul, 2018). */
	double psi_by_chance;
	size_t bins;
};
void drift_column(const struct drift *drift, size_t i, const uint64_t *counts, struct drift_report *out);

#endif
