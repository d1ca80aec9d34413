/* curve_thin.c - a long curve as few points, with every spike. See curve.h. */
#include "server/codec/curve.h"

#include <stdlib.h>

size_t curve_thin_buckets(size_t max, bool validated)
{
	return max < 2 ? 0 : (max - 2) / (validated ? CURVE_SPAN_KEEPS : CURVE_SPAN_KEEPS / 2);
}

static bool same_place(const struct train_point *a, const struct train_point *b)
{
	return a->epoch == b->epoch && a->step == b->step;
}

/* What a bucket leaves, but for the first and the last point of all. */
static void put_bucket(const struct curve_span *bucket, const struct train_point *last, struct curve *out)
{
	struct train_point kept[CURVE_SPAN_KEEPS];
	size_t count = curve_span_points(bucket, kept);

	for (size_t i = 0; i < count; i++)
		if (!same_place(&kept[i], &out->points[0]) && !same_place(&kept[i], last))
			out->points[out->count++] = kept[i];
}

struct counted {
	uint64_t points; /* but for the first and the last one */
	bool validated;
};

static struct counted count_points(const struct curve_spans *s)
{
	struct counted c = { 0, false };

	for (size_t i = 0; i < s->count; i++) {
		c.points += s->spans[i].points;
		c.validated |= s->spans[i].kept[2].validated;
	}
	c.points = c.points > 2 ? c.points - 2 : 0;
	return c;
}

/* Bucket b of n has the spans that begin at inner points [b * inner / n, (b + 1) * inner / n). */
static void put_inner(const struct curve_spans *s, uint64_t inner, size_t buckets,
		const struct train_point *last, struct curve *out)
{
	struct curve_span bucket = { .points = 0 };
	uint64_t at = 0; /* points before this span */
	size_t number = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct curve_span *span = &s->spans[i];
		uint64_t begins = at ? at - 1 : 0;
		bool alone = span->points == 1 && (at == 0 || at > inner);

		at += span->points;
		if (alone) continue; /* the first or the last point */
		while (number + 1 < buckets && begins >= inner * (number + 1) / buckets) {
			number++;
			put_bucket(&bucket, last, out);
			bucket.points = 0;
		}
		curve_span_add(&bucket, span);
	}
	put_bucket(&bucket, last, out);
}

int curve_thin(const struct curve_spans *spans, const struct train_point *first,
		const struct train_point *last, size_t max, struct curve *out, struct err *e)
{
	struct counted c = count_points(spans);
	size_t buckets = curve_thin_buckets(max, c.validated);

	if (!spans->count) return 0;
	if (c.points + 2 <= max) buckets = c.points;
	out->points = reallocarray(NULL, 2 + buckets * CURVE_SPAN_KEEPS, sizeof *out->points);
	if (!out->points) return err_nomem(e);
	out->capacity = 2 + buckets * CURVE_SPAN_KEEPS;
	out->points[out->count++] = *first;
	if (buckets) put_inner(spans, c.points, buckets, last, out);
	if (!same_place(first, last)) out->points[out->count++] = *last;
	return 0;
}
