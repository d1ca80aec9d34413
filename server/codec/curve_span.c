/* curve_span.c - the extremes of points that lie together. See curve_span.h. */
#include "server/codec/curve_span.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const keeps[] = { [CURVE_AUTO] = "auto", [CURVE_EPOCH] = "epoch", [CURVE_STEP] = "step" };

const char *curve_keep_name(enum curve_keep keep)
{
	return keeps[keep];
}

enum curve_keep curve_keep_find(const char *name)
{
	size_t i = 0;

	while (i < CURVE_KEEPS && strcmp(keeps[i], name) != 0)
		i++;
	return (enum curve_keep)i;
}

/* ---- keys ---- */

uint64_t curve_key(enum curve_keep keep, const struct train_point *point)
{
	return keep == CURVE_STEP ? point->epoch << CURVE_STEP_BITS | point->step : point->epoch;
}

uint64_t curve_key_first(enum curve_keep keep, uint64_t epoch)
{
	uint64_t most = (uint64_t)INT64_MAX >> CURVE_STEP_BITS;

	if (keep != CURVE_STEP) return epoch < INT64_MAX ? epoch : INT64_MAX;
	return epoch <= most ? epoch << CURVE_STEP_BITS : INT64_MAX;
}

uint64_t curve_key_last(enum curve_keep keep, uint64_t epoch)
{
	uint64_t next = curve_key_first(keep, epoch < INT64_MAX ? epoch + 1 : INT64_MAX);

	return next < INT64_MAX ? next - 1 : INT64_MAX;
}

uint64_t curve_key_epoch(uint64_t key)
{
	return key >> CURVE_STEP_BITS ? key >> CURVE_STEP_BITS : key;
}

/* ---- spans ---- */

/* NaN is above everything, so that it is never merged away and hides no minimum. */
static bool above(double a, double b)
{
	return isnan(a) ? !isnan(b) : a > b;
}

static bool below(double a, double b)
{
	return isnan(b) ? !isnan(a) : a < b;
}

void curve_point_tidy(struct train_point *point)
{
	if (!point->validated) point->val_loss = point->val_accuracy = point->val_mae = NAN;
}

struct curve_span curve_span_of(enum curve_keep keep, const struct train_point *point)
{
	uint64_t key = curve_key(keep, point);
	struct curve_span span = { { *point }, key, key, 1 };

	curve_point_tidy(&span.kept[0]);
	span.kept[1] = span.kept[2] = span.kept[3] = span.kept[0];
	return span;
}

void curve_span_add_point(struct curve_span *span, enum curve_keep keep, const struct train_point *point)
{
	struct train_point *kept = span->kept;

	if (!span->points) {
		*span = curve_span_of(keep, point);
		return;
	}
	if (below(point->loss, kept[0].loss)) kept[0] = *point;
	if (above(point->loss, kept[1].loss)) kept[1] = *point;
	if (point->validated) {
		if (!kept[2].validated || below(point->val_loss, kept[2].val_loss)) kept[2] = *point;
		if (!kept[3].validated || above(point->val_loss, kept[3].val_loss)) kept[3] = *point;
	}
	span->last = curve_key(keep, point);
	span->points++;
}

void curve_span_add(struct curve_span *span, const struct curve_span *more)
{
	struct train_point *kept = span->kept;
	const struct train_point *other = more->kept;

	if (!span->points) {
		*span = *more;
		return;
	}
	if (below(other[0].loss, kept[0].loss)) kept[0] = other[0];
	if (above(other[1].loss, kept[1].loss)) kept[1] = other[1];
	if (other[2].validated && (!kept[2].validated || below(other[2].val_loss, kept[2].val_loss)))
		kept[2] = other[2];
	if (other[3].validated && (!kept[3].validated || above(other[3].val_loss, kept[3].val_loss)))
		kept[3] = other[3];
	span->last = more->last;
	span->points += more->points;
}

static int in_order(const void *a, const void *b)
{
	const struct train_point *x = a, *y = b;

	if (x->epoch != y->epoch) return x->epoch > y->epoch ? 1 : -1;
	return (x->step > y->step) - (x->step < y->step);
}

size_t curve_span_points(const struct curve_span *span, struct train_point out[CURVE_SPAN_KEEPS])
{
	size_t given = span->kept[2].validated ? CURVE_SPAN_KEEPS : CURVE_SPAN_KEEPS / 2, count = 1;

	if (!span->points) return 0;
	memcpy(out, span->kept, sizeof span->kept);
	qsort(out, given, sizeof *out, in_order);
	for (size_t i = 1; i < given; i++)
		if (in_order(&out[i], &out[count - 1])) out[count++] = out[i];
	return count;
}
