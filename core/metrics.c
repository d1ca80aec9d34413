/* metrics.c - counts of classes. See metrics.h; metrics_classes.c, metrics_numbers.c and metrics_table.c are the rest.
 *
 * Ratios are worked out when asked for; while batches come in there are only sums.
 */
#include <math.h>
#include <stdlib.h>

#include "core/metrics_classes.h"

#include "core/size.h"

struct confusion {
	size_t classes;
	uint64_t rows;
	uint64_t counts[]; /* (K,K), then their sums: true of a class (K), taken for it (K) */
};

size_t metrics_largest(const real *row, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (row[i] > row[best] || isnan(row[best])) best = i;
	return isnan(row[best]) ? 0 : best;
}

int confusion_new(struct confusion **out, size_t classes, struct err *e)
{
	size_t counts = size_mul(classes, size_add(classes, 2));
	size_t bytes = size_add(size_mul(counts, sizeof(uint64_t)), sizeof **out);

	*out = NULL;
	if (!classes) return err_set(e, ERR_RANGE, "a confusion matrix needs at least one class");
	if (bytes > PTRDIFF_MAX) return err_set(e, ERR_RANGE, "%zu classes are too many", classes);
	*out = calloc(1, bytes);
	if (!*out) return err_nomem(e);
	(*out)->classes = classes;
	return 0;
}

void confusion_free(struct confusion *c)
{
	free(c);
}

void confusion_add(struct confusion *c, const real *scores, const real *targets, size_t rows)
{
	size_t k = c->classes;

	for (size_t b = 0; b < rows; b++) {
		size_t truth = metrics_largest(targets + b * k, k),
		       predicted = metrics_largest(scores + b * k, k);

		c->counts[truth * k + predicted]++;
		c->counts[k * k + truth]++;
		c->counts[k * k + k + predicted]++;
	}
	c->rows += rows;
}

uint64_t confusion_count(const struct confusion *c, size_t truth, size_t predicted)
{
	return c->counts[truth * c->classes + predicted];
}

uint64_t confusion_rows(const struct confusion *c)
{
	return c->rows;
}

size_t confusion_classes(const struct confusion *c)
{
	return c->classes;
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

/* Rows that truly are of class k. */
static uint64_t truly(const struct confusion *c, size_t k)
{
	return c->counts[c->classes * c->classes + k];
}

/* Rows that were taken for class k. */
static uint64_t predicted_as(const struct confusion *c, size_t k)
{
	return c->counts[c->classes * c->classes + c->classes + k];
}

double confusion_accuracy(const struct confusion *c)
{
	uint64_t hits = 0;

	for (size_t k = 0; k < c->classes; k++)
		hits += confusion_count(c, k, k);
	return ratio((double)hits, (double)c->rows);
}

double confusion_precision(const struct confusion *c, size_t k)
{
	return ratio((double)confusion_count(c, k, k), (double)predicted_as(c, k));
}

double confusion_recall(const struct confusion *c, size_t k)
{
	return ratio((double)confusion_count(c, k, k), (double)truly(c, k));
}

double confusion_f1(const struct confusion *c, size_t k)
{
	return ratio(2 * (double)confusion_count(c, k, k), (double)truly(c, k) + (double)predicted_as(c, k));
}

struct class_counts confusion_counts(const struct confusion *c, size_t k)
{
	return (struct class_counts){ (double)confusion_count(c, k, k), (double)truly(c, k),
		(double)predicted_as(c, k) };
}

double confusion_matthews(const struct confusion *c)
{
	double rows = (double)c->rows, right = 0, both = 0, truth = 0, predicted = 0;

	for (size_t k = 0; k < c->classes; k++) {
		struct class_counts of = confusion_counts(c, k);

		right += of.right;
		both += of.truth * of.predicted;
		truth += of.truth * of.truth;
		predicted += of.predicted * of.predicted;
	}
	return ratio(right * rows - both, sqrt(rows * rows - truth) * sqrt(rows * rows - predicted));
}

size_t metrics_hits(const real *scores, const real *targets, size_t rows, size_t classes)
{
	size_t hits = 0;

	for (size_t b = 0; b < rows; b++)
		hits += metrics_largest(scores + b * classes, classes) ==
			metrics_largest(targets + b * classes, classes);
	return hits;
}
