/* metrics_curve.c - the ROC and the precision-recall curve as points, and quantiles. See metrics_rank.h.
 *
 * A walk down the sorted scores passes every threshold there is; what lies between two points that are kept is left out.
 * Where scores are in bins a bin is one step, and its threshold the lowest score in it.
 */
#include <math.h>

#include "core/metrics_walk.h"

#define ROC_GAP (2.0 / (RANKING_CURVE_MAX - 2)) /* the way from (0, 0) to (1, 1), along the axes, is 2 */

enum { PR_BUCKETS = RANKING_CURVE_MAX / 2 - 1 };

/* One class's curves while they are drawn. */
struct drawing {
	struct ranking_curve *roc, *pr;
	double own, other;             /* rows in all */
	double own_ahead, other_ahead; /* rows at the threshold and above */
	bool all;                      /* every point is kept */
	struct point {
		double threshold, x, y;
	} low, high, last; /* of precision, in this bucket; of pr */
	bool low_first;
	size_t bucket;
};

static void keep(struct ranking_curve *curve, struct point point)
{
	size_t i = curve->count;

	if (i == RANKING_CURVE_MAX) return;
	if (i && curve->threshold[i - 1] == point.threshold && curve->x[i - 1] == point.x &&
			curve->y[i - 1] == point.y)
		return; /* is there already */
	curve->threshold[i] = point.threshold;
	curve->x[i] = point.x;
	curve->y[i] = point.y;
	curve->count++;
}

static void draw_roc(struct drawing *d, double threshold, bool last)
{
	struct ranking_curve *roc = d->roc;
	struct point point = { threshold, d->other_ahead / d->other, d->own_ahead / d->own };
	size_t before = roc->count - 1;

	if (d->all || last || point.x - roc->x[before] + point.y - roc->y[before] >= ROC_GAP)
		keep(roc, point);
}

static void end_bucket(struct drawing *d)
{
	keep(d->pr, d->low_first ? d->low : d->high);
	keep(d->pr, d->low_first ? d->high : d->low);
}

static void draw_pr(struct drawing *d, double threshold)
{
	struct point point = { threshold, d->own_ahead / d->own,
		d->own_ahead / (d->own_ahead + d->other_ahead) };
	size_t bucket = (size_t)(point.x * PR_BUCKETS);
	bool first = !d->pr->count;

	d->last = point;
	if (d->all || first) keep(d->pr, point);
	if (d->all) return;
	if (first || bucket != d->bucket) {
		if (!first) end_bucket(d);
		d->bucket = bucket;
		d->low = d->high = point;
	}
	if (point.y < d->low.y) {
		d->low = point;
		d->low_first = false;
	}
	if (point.y > d->high.y) {
		d->high = point;
		d->low_first = true;
	}
}

bool ranking_curves(struct ranking *r, size_t k, struct ranking_curve *roc, struct ranking_curve *pr)
{
	const struct bins *bins = &r->bins[k];
	struct walk walk = walk_begin(r, k), ahead = walk;
	struct drawing d = { .roc = roc, .pr = pr };
	size_t steps = 0;
	struct step step;

	d.own = (double)(bins->own + walk.owns);
	d.other = (double)(bins->other + walk.others);
	roc->count = pr->count = 0;
	if (bins->nan || !(d.own > 0) || !(d.other > 0)) return false;
	while (walk_next(&ahead, &step))
		steps++;
	d.all = steps < RANKING_CURVE_MAX;
	keep(roc, (struct point){ (double)INFINITY, 0, 0 });
	for (size_t i = 1; walk_next(&walk, &step); i++) {
		d.own_ahead += (double)step.own;
		d.other_ahead += (double)step.other;
		draw_roc(&d, (double)ranking_score(step.low), i == steps);
		draw_pr(&d, (double)ranking_score(step.low));
	}
	if (!d.all) end_bucket(&d);
	keep(pr, d.last);
	return true;
}

/* ---- quantiles ---- */

/* Number `rank` of the `count` in a step, from the highest: those in a bin lie at even distances. */
static double within(const struct step *step, double rank)
{
	double high = (double)ranking_score(step->high), low = (double)ranking_score(step->low);

	if (step->low == step->high || step->own < 2) return step->low == step->high ? low : (high + low) / 2;
	return high + (low - high) * rank / (double)(step->own - 1);
}

void ranking_quantiles(struct ranking *r, const double *shares, size_t n, double *out)
{
	struct walk walk = walk_begin(r, 0);
	double count = (double)(r->bins[0].own + walk.owns), seen = 0;
	double below[RANKING_QUANTILES_MAX], above[RANKING_QUANTILES_MAX]; /* the neighbours of each */
	struct step step;

	for (size_t i = 0; i < n; i++)
		below[i] = above[i] = NAN;
	for (; walk_next(&walk, &step); seen += (double)step.own)
		for (size_t i = 0; i < n; i++) {
			double place = (count - 1) * shares[i];
			double low = count - 1 - floor(place) - seen, high = count - 1 - ceil(place) - seen;

			if (low >= 0 && low < (double)step.own) below[i] = within(&step, low);
			if (high >= 0 && high < (double)step.own) above[i] = within(&step, high);
		}
	for (size_t i = 0; i < n; i++) {
		double place = (count - 1) * shares[i], part = place - floor(place);

		out[i] = part > 0 ? below[i] + part * (above[i] - below[i]) : below[i];
	}
}
