/* metrics_rank.c - areas under the ROC and the precision-recall curve. See metrics_rank.h; the curves themselves are
 * metrics_curve.c's.
 *
 * A score is kept as a key: a whole number in the order of the floats. At the end, for each class, the keys of its own
 * rows and those of the others are sorted apart and walked together from the highest down; equal keys are one step of
 * the curve. When there is no more room the same walk packs its steps into bins, whole intervals of keys, which then
 * take part in the next walk like a step of their own: a key that falls into one joins it.
 */
#include "core/metrics_rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/metrics_walk.h"
#include "core/size.h"

#define ROWS_FIRST   1024 /* room for so many rows at first */
#define SCORES_A_BIN 4    /* scores kept for each bin there may be */
#define BINS_FEWEST  64
#define DIGIT_BITS   11 /* of a pass of sorting */
#define DIGITS       (1u << DIGIT_BITS)

/* ---- keys ---- */

static uint32_t key_of(real score)
{
	float value = (float)score + 0.0f; /* -0 becomes 0 */
	uint32_t bits;

	if (isnan(value)) return KEY_NAN;
	memcpy(&bits, &value, sizeof bits);
	return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

real ranking_score(uint32_t key)
{
	uint32_t bits = key & SIGN_BIT ? key & ~SIGN_BIT : ~key;
	float value;

	memcpy(&value, &bits, sizeof value);
	return (real)value;
}

/* Radix sort, the lowest digit first (Knuth, The Art of Computer Programming 3, 5.2.5). The three passes end in
 * `other`, which is copied back. */
static void sort_keys(uint32_t *keys, uint32_t *other, size_t n)
{
	uint32_t *from = keys, *to = other;

	for (unsigned shift = 0; shift < 32; shift += DIGIT_BITS) {
		size_t starts[DIGITS] = { 0 }, sum = 0;
		uint32_t *turn = from;

		for (size_t i = 0; i < n; i++)
			starts[from[i] >> shift & (DIGITS - 1)]++;
		for (size_t d = 0; d < DIGITS; d++) {
			size_t count = starts[d];

			starts[d] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[starts[from[i] >> shift & (DIGITS - 1)]++] = from[i];
		from = to;
		to = turn;
	}
	if (n) memcpy(keys, from, n * sizeof *keys);
}

/* ---- walking ---- */

struct walk walk_begin(struct ranking *r, size_t k)
{
	const struct bins *bins = &r->bins[k];
	uint32_t *own = r->scratch, *other, *spare = r->scratch + r->room;
	size_t owns = 0, others = 0;

	for (size_t i = 0; i < r->rows; i++)
		if (r->truth[i] == k && r->keys[i * r->classes + k] != KEY_NAN)
			own[owns++] = r->keys[i * r->classes + k];
	other = own + owns;
	for (size_t i = 0; i < r->rows; i++)
		if (r->truth[i] != k && r->keys[i * r->classes + k] != KEY_NAN)
			other[others++] = r->keys[i * r->classes + k];
	sort_keys(own, spare, owns);
	sort_keys(other, spare, others);
	return (struct walk){ own, other, owns, others, bins->steps,
		bins->count ? bins->steps + bins->count : bins->steps };
}

bool walk_next(struct walk *w, struct step *step)
{
	bool bin = w->bin < w->bins_end;
	uint32_t top = 0;

	if (!w->owns && !w->others && !bin) return false;
	if (w->owns) top = w->own[w->owns - 1];
	if (w->others && w->other[w->others - 1] > top) top = w->other[w->others - 1];
	if (bin && (w->bin->high >= top || (!w->owns && !w->others)))
		*step = *w->bin++;
	else
		*step = (struct step){ .low = top, .high = top };
	for (; w->owns && w->own[w->owns - 1] >= step->low; w->owns--)
		step->own++;
	for (; w->others && w->other[w->others - 1] >= step->low; w->others--)
		step->other++;
	return true;
}

/* ---- packing ---- */

/* Takes class k's kept scores into its bins. Two neighbours become one while their share of the class's rows and
 * their share of the others together stay below `most`; the shares sum up to 2 and of any two neighbours that are
 * left the sum is above `most`, so that there are at most 4 / most of them. */
static void pack(struct ranking *r, size_t k)
{
	struct bins *bins = &r->bins[k];
	struct walk walk = walk_begin(r, k);
	double own = (double)(bins->own += walk.owns), other = (double)(bins->other += walk.others);
	double most = 4.0 / (double)(r->bins_max - 1);
	struct step step, *last = NULL, *old = bins->steps;
	size_t count = 0;

	while (walk_next(&walk, &step)) {
		double share = 0;

		if (last && own > 0) share += (double)(last->own + step.own) / own;
		if (last && other > 0) share += (double)(last->other + step.other) / other;
		if (last && (share <= most || count == r->bins_max)) {
			last->low = step.low;
			last->own += step.own;
			last->other += step.other;
		} else {
			last = &r->spare[count++];
			*last = step;
		}
	}
	bins->steps = r->spare;
	bins->count = count;
	r->spare = old;
}

static int scratch_room(struct ranking *r, struct err *e)
{
	free(r->scratch);
	r->scratch = malloc(2 * r->room * sizeof *r->scratch);
	return r->scratch || !r->room ? 0 : err_nomem(e);
}

static int pack_all(struct ranking *r, struct err *e)
{
	int rc;

	if (!r->spare)
		for (size_t k = 0; k < r->classes; k++)
			if (!(r->bins[k].steps = calloc(r->bins_max, sizeof *r->spare))) return err_nomem(e);
	if (!r->spare && !(r->spare = calloc(r->bins_max, sizeof *r->spare))) return err_nomem(e);
	if ((rc = scratch_room(r, e))) return rc;
	for (size_t k = 0; k < r->classes; k++)
		pack(r, k);
	r->rows = 0;
	return 0;
}

/* ---- the areas ---- */

/* `ahead` rows of each kind lie above the step. What a bin's own rows add lies between its others all coming last and
 * all coming first: the middle is taken, and the way to either end is slack. */
static void area_add(struct ranking_area *area, const struct step *step, double own_ahead, double other_ahead)
{
	double own = (double)step->own, other = (double)step->other, best, worst;

	area->roc += other * (own_ahead + own / 2);
	if (!step->own) return;
	worst = best = (own_ahead + own) / (own_ahead + own + other_ahead + other);
	if (step->low < step->high && step->other) {
		best = (own_ahead + own) / (own_ahead + own + other_ahead);
		worst = (own_ahead + 1) / (own_ahead + 1 + other_ahead + other);
		area->roc_slack += other * own / 2;
	}
	area->pr += own * (best + worst) / 2;
	area->pr_slack += own * (best - worst) / 2;
}

static struct ranking_area area_of(struct ranking *r, size_t k)
{
	const struct bins *bins = &r->bins[k];
	struct walk walk = walk_begin(r, k);
	double own = (double)(bins->own + walk.owns), other = (double)(bins->other + walk.others);
	double own_ahead = 0, other_ahead = 0;
	struct ranking_area area = { 0 };
	struct step step;

	if (bins->nan || !(own > 0) || !(other > 0)) return (struct ranking_area){ NAN, NAN, 0, 0 };
	while (walk_next(&walk, &step)) {
		area_add(&area, &step, own_ahead, other_ahead);
		own_ahead += (double)step.own;
		other_ahead += (double)step.other;
	}
	area.roc /= own * other;
	area.roc_slack /= own * other;
	area.pr /= own;
	area.pr_slack /= own;
	return area;
}

/* ---- what metrics_rank.h promises ---- */

static size_t bins_for(size_t classes, size_t scores_max)
{
	size_t share = scores_max / SCORES_A_BIN / classes;

	if (share < BINS_FEWEST) return BINS_FEWEST;
	return share < RANKING_BINS_MAX ? share : RANKING_BINS_MAX;
}

static size_t rows_for(size_t classes, size_t scores_max)
{
	return scores_max > classes ? scores_max / classes : 1;
}

int ranking_new(struct ranking **out, size_t classes, size_t scores_max, struct err *e)
{
	struct ranking *r;

	*out = NULL;
	if (!classes) return err_set(e, ERR_RANGE, "a ranking needs at least one class");
	if (!(r = calloc(1, sizeof *r))) return err_nomem(e);
	r->classes = classes;
	r->rows_max = rows_for(classes, scores_max);
	r->bins_max = bins_for(classes, scores_max);
	r->bins = calloc(classes, sizeof *r->bins);
	r->areas = calloc(classes, sizeof *r->areas);
	if (!r->bins || !r->areas) {
		ranking_free(r);
		return err_nomem(e);
	}
	*out = r;
	return 0;
}

void ranking_free(struct ranking *r)
{
	if (!r) return;
	for (size_t k = 0; r->bins && k < r->classes; k++)
		free(r->bins[k].steps);
	free(r->bins);
	free(r->areas);
	free(r->spare);
	free(r->scratch);
	free(r->keys);
	free(r->truth);
	free(r);
}

size_t ranking_bytes(size_t classes, size_t scores_max, uint64_t rows)
{
	size_t most = rows_for(classes, scores_max);
	size_t kept = rows < most ? (size_t)rows : most;
	size_t bytes = size_mul(kept, size_mul(size_add(classes, 3), sizeof(uint32_t)));

	if (rows > most)
		bytes = size_add(bytes, size_mul(size_mul(classes + 1, bins_for(classes, scores_max)),
							sizeof(struct step)));
	return bytes;
}

static int grow(struct ranking *r, struct err *e)
{
	size_t room = r->room ? 2 * r->room : ROWS_FIRST;
	uint32_t *keys, *truth;

	if (room > r->rows_max) room = r->rows_max;
	if (!(keys = realloc(r->keys, size_mul(room, r->classes * sizeof *keys)))) return err_nomem(e);
	r->keys = keys;
	if (!(truth = realloc(r->truth, room * sizeof *truth))) return err_nomem(e);
	r->truth = truth;
	r->room = room;
	return 0;
}

int ranking_add(struct ranking *r, const real *scores, const uint32_t *truth, size_t rows, struct err *e)
{
	int rc;

	for (size_t i = 0; i < rows; i++) {
		uint32_t *keys;

		if (r->rows == r->rows_max && (rc = pack_all(r, e))) return rc;
		if (r->rows == r->room && (rc = grow(r, e))) return rc;
		keys = r->keys + r->rows * r->classes;
		for (size_t k = 0; k < r->classes; k++) {
			keys[k] = key_of(scores[i * r->classes + k]);
			r->bins[k].nan |= keys[k] == KEY_NAN;
		}
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): rows_max is never 0, so there was room */
		r->truth[r->rows++] = truth[i];
	}
	return 0;
}

int ranking_end(struct ranking *r, struct err *e)
{
	int rc = scratch_room(r, e);

	for (size_t k = 0; k < r->classes && !rc; k++)
		r->areas[k] = area_of(r, k);
	return rc;
}

struct ranking_area ranking_area(const struct ranking *r, size_t k)
{
	return r->areas[k];
}
