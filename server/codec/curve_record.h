/* curve_record.h - what is kept of a running job's curve, as its points come.
 *
 * To a number of points (CURVE_EVERY_MAX, or CURVE_KEPT_MAX where each is asked for) each is kept. Of later ones
 * neighbours are merged: of each bucket the points with the lowest and the highest loss and val_loss stay, and buckets
 * grow with the curve, so that a doubling adds at most 2 * CURVE_EVERY_MAX points (or CURVE_KEPT_MAX) and no spike is lost.
 *
 * Beside the points grow summaries, so that a thinned answer need not read them all: level 1 has a span for each
 * CURVE_FAN points that were kept, level 2 one for each CURVE_FAN of those, and so on. They are written by the block of
 * CURVE_FAN spans; whoever reads takes what no summary covers yet from the level below.
 */
#ifndef SERVER_CODEC_CURVE_RECORD_H
#define SERVER_CODEC_CURVE_RECORD_H

#include "core/err.h"
#include "server/codec/curve_health.h"
#include "server/codec/curve_span.h"

#define CURVE_EVERY_MAX 10000
#define CURVE_KEPT_MAX  10000000
#define CURVE_FAN       32
#define CURVE_LEVELS    4 /* above the points */

struct curve_level {
	struct curve_span open;   /* not full yet */
	struct curve_span *spans; /* (count), to be written */
	size_t count, capacity;
};

/* Points of training that wait to be written. */
struct curve_recorder {             /* zeroed is empty and CURVE_AUTO; new: curve_recorder_free */
	enum curve_keep keep;       /* set before the first point */
	uint64_t given;             /* points so far */
	struct train_point *points; /* (count), ready to be written, in order */
	size_t count, capacity;
	struct curve_span bucket; /* the open one; empty: none is */
	uint64_t bucket_end;      /* its last point, as `given` counts */
	struct train_point latest;
	uint64_t ready;             /* the key of the last point that was ready; 0: none was */
	struct curve_health health; /* rows that wait beside the points */
	struct curve_level levels[CURVE_LEVELS];
};
/* Points of a bucket that begins with this one, from 1. */
uint64_t curve_bucket_points(enum curve_keep keep, uint64_t number);
/* False: no memory. */
bool curve_record(struct curve_recorder *recorder, const struct train_point *point);
/* At the end: the open bucket and the very last point join the points that are ready. */
bool curve_record_end(struct curve_recorder *recorder);
void curve_recorder_free(struct curve_recorder *recorder);

/* What a recorder knows once the points that are ready (and the health) are in the store: for a checkpoint of this program
 * on this machine. Whoever goes on takes the curve back to its `ready`, the key of the last point that it keeps. */
size_t curve_recorder_bytes(const struct curve_recorder *recorder);
void curve_recorder_save(const struct curve_recorder *recorder, unsigned char *out);
/* *recorder is new. ERR_CORRUPT, ERR_NOMEM: then it is empty. */
int curve_recorder_load(
		struct curve_recorder *recorder, const unsigned char *bytes, size_t size, struct err *e);

#endif
