/* metrics_walk.h - what a ranking keeps, and the walk down its scores, for metrics_rank.c and metrics_curve.c alone. */
#ifndef DESCENT_METRICS_WALK_H
#define DESCENT_METRICS_WALK_H

#include <stdbool.h>

#include "core/metrics_rank.h"

#define KEY_NAN  UINT32_MAX /* above that of infinity */
#define SIGN_BIT (1u << 31)

/* A step of the curve: rows with keys in [low, high]. */
struct step {
	uint32_t low, high;
	uint64_t own, other; /* rows of the class, and not */
};

struct bins {
	struct step *steps; /* from the highest down; NULL while scores are kept as they are */
	size_t count;
	uint64_t own, other; /* rows in all of them */
	bool nan;            /* a score was one */
};

struct ranking {
	size_t classes, rows_max, bins_max;
	size_t rows, room;
	uint32_t *keys;             /* (room, K) */
	uint32_t *truth;            /* (room) */
	uint32_t *scratch;          /* (2, room), while a class is walked */
	struct step *spare;         /* (bins_max), while steps are packed */
	struct bins *bins;          /* (K) */
	struct ranking_area *areas; /* (K) */
};

struct walk {
	const uint32_t *own, *other; /* ascending; the last of `owns` and `others` comes next */
	size_t owns, others;         /* still to come */
	const struct step *bin, *bins_end;
};

/* Sorts class k's keys and sets out. A copy of the walk goes the same way again, until the next one begins. After
 * ranking_end. */
struct walk walk_begin(struct ranking *r, size_t k);
/* The next step down; false at the end. */
bool walk_next(struct walk *w, struct step *step);
/* The score that a key stands for. */
real ranking_score(uint32_t key);

#endif
