/* curve_span.h - points of a curve that lie together, shown by their extremes: what is kept of a bucket, of the summaries
 * beside a long curve, and of a thinned answer.
 */
#ifndef SERVER_CODEC_CURVE_SPAN_H
#define SERVER_CODEC_CURVE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/train.h"

/* What a job's curve keeps: "record" of api.md. */
enum curve_keep {
	CURVE_AUTO,  /* each epoch to CURVE_EVERY_MAX, then neighbours are merged */
	CURVE_EPOCH, /* each epoch, to CURVE_KEPT_MAX of them */
	CURVE_STEP,  /* each mini-batch likewise */
	CURVE_KEEPS
};
const char *curve_keep_name(enum curve_keep keep);
enum curve_keep curve_keep_find(const char *name); /* CURVE_KEEPS: there is none */

/* Where points lie in their curve: numbers that ascend, and by which the store keeps them. Epochs, but where each
 * mini-batch is a point CURVE_STEP_BITS of its step below the epoch. */
#define CURVE_STEP_BITS \
	39 /* as store.h has it; 24 are left for the epochs of a job, and steps for a month of the smallest network */
uint64_t curve_key(enum curve_keep keep, const struct train_point *point);
/* The first and the last key that a point of this epoch may have; the last of UINT64_MAX is INT64_MAX. */
uint64_t curve_key_first(enum curve_keep keep, uint64_t epoch);
uint64_t curve_key_last(enum curve_keep keep, uint64_t epoch);
/* The epoch of a key of either kind. */
uint64_t curve_key_epoch(uint64_t key);

#define CURVE_SPAN_KEEPS 4
struct curve_span {
	/* Those with the lowest and the highest loss and val_loss. Without a validated one the last two are none, and are
	 * not `validated`. */
	struct train_point kept[CURVE_SPAN_KEEPS];
	uint64_t first, last; /* keys */
	uint64_t points;      /* of the curve; 0: empty */
};

/* val_ numbers of an epoch that was not validated become NaN. */
void curve_point_tidy(struct train_point *point);
/* Of one point, tidied. */
struct curve_span curve_span_of(enum curve_keep keep, const struct train_point *point);
/* The same for one point that comes right after it; its val_ numbers are NaN unless it is validated. */
void curve_span_add_point(struct curve_span *span, enum curve_keep keep, const struct train_point *point);
/* `more` comes right after it. */
void curve_span_add(struct curve_span *span, const struct curve_span *more);
/* Its points without doubles and in order; how many there are, at most CURVE_SPAN_KEEPS. */
size_t curve_span_points(const struct curve_span *span, struct train_point out[CURVE_SPAN_KEEPS]);

#endif
