/* shadow.c - a version that is asked what others answer: once the answer has left, both are asked again on the pool, and what they
 * say is compared, row by row, and counted. See predict.h.
 *
 * A row differs when one of its outputs does: a category by its likeliest class, a number by more than DIFFERS of the larger
 * of both.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/api/predict.h"

#define DIFFERS 0.01

struct shadow {
	struct version *answered; /* held */
	char digits[24];          /* of the one that is asked too */
	scorer *score;
	uintptr_t how;
};

static void shadow_free(void *self)
{
	struct shadow *shadow = self;

	version_put(shadow->answered);
	free(shadow);
}

static size_t best_of(const float *scores, size_t n)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < n; i++)
		if (!isnan(scores[i]) && (best == SIZE_MAX || scores[i] > scores[best])) best = i;
	return best;
}

static bool number_differs(float a, float b)
{
	if (isnan(a) || isnan(b)) return isnan(a) != isnan(b);
	return a != b && !(fabsf(a - b) <= (float)DIFFERS * fmaxf(fabsf(a), fabsf(b)));
}

static bool row_differs(const struct encoder *targets, const float *a, const float *b)
{
	for (size_t i = 0; i < encoder_columns(targets); i++) {
		const struct encoder_column *column = encoder_column(targets, i);
		const float *x = a + column->first, *y = b + column->first;

		if (column->kind == COLUMN_CATEGORY ? best_of(x, column->width) != best_of(y, column->width)
						    : number_differs(*x, *y))
			return true;
	}
	return false;
}

/* What the versions say, (rows, outputs) each. */
static void compare(const struct version *answered, const struct version *other, const struct buffer *a,
		const struct buffer *b, struct usage_counts *counts)
{
	const struct encoder *targets = version_model(answered)->targets;
	size_t width = encoder_width(targets), rows = a->size / (width * sizeof(float));
	const float *x = (const void *)a->data, *y = (const void *)b->data;
	bool alike = encoder_width(version_model(other)->targets) == width && a->size == b->size;

	counts->shadow_rows = rows;
	for (size_t r = 0; r < rows; r++)
		counts->shadow_differing += !alike || row_differs(targets, x + r * width, y + r * width);
}

static int ask_both(struct request *rq, const struct shadow *shadow, struct version *other,
		struct usage_counts *counts, struct err *e)
{
	struct buffer a = { 0 }, b = { 0 };
	int rc;

	if (!(rc = shadow->score(rq, shadow->answered, shadow->how, &a, e)) &&
			!(rc = shadow->score(rq, other, shadow->how, &b, e)) &&
			!(rc = buffer_ok(&a) && buffer_ok(&b) ? 0 : err_nomem(e)))
		compare(shadow->answered, other, &a, &b, counts);
	buffer_free(&a);
	buffer_free(&b);
	return rc;
}

static void after(struct request *rq, bool skipped)
{
	const struct app *app = rq->app;
	const struct shadow *shadow = rq->state;
	struct usage_counts counts = { .shadow_requests = 1 };
	struct version *other;
	struct err e;

	if (registry_get(app->registry, request_param(rq, "model"), PICK_NUMBER, shadow->digits, !skipped,
			    &other, &e))
		return; /* it went meanwhile */
	if (skipped)
		counts = (struct usage_counts){ .shadow_skipped = 1 };
	else if (ask_both(rq, shadow, other, &counts, &e))
		counts.shadow_failures = 1;
	usage_add(version_usage(other), &counts);
	version_put(other);
}

void shadow_ask(struct request *rq, const struct prediction *p, scorer *score, uintptr_t how)
{
	struct shadow *shadow;

	if (!p->shadow || !(shadow = calloc(1, sizeof *shadow))) return;
	*shadow = (struct shadow){ .answered = version_share(p->version), .score = score, .how = how };
	snprintf(shadow->digits, sizeof shadow->digits, "%llu", (unsigned long long)p->shadow);
	rq->state = shadow;
	rq->state_free = shadow_free;
	rq->after = after;
}
