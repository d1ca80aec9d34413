/* curve.h - loss curves: the points of a job, how they lie in a block of the store, and how they are shown.
 *
 * Every epoch to CURVE_EVERY_MAX is kept. Of later ones neighbours are merged: of each bucket the points with the
 * lowest and the highest loss and val_loss stay, and buckets grow with the epochs, so that a doubling of the
 * epochs adds at most 2 * CURVE_EVERY_MAX points and no spike is lost.
 */
#ifndef SERVER_CODEC_CURVE_H
#define SERVER_CODEC_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/train.h"
#include "server/buffer.h"
#include "server/codec/curve_health.h"

#define CURVE_EVERY_MAX   10000
#define CURVE_HEAD_BYTES  8  /* of a block: a mark and how long a point is */
#define CURVE_POINT_BYTES 80 /* epoch, step, then eight float64; everything is little-endian */

/* ---- keeping ---- */

/* Points of training that wait to be written. */
struct curve_recorder {             /* zeroed is empty; new: curve_recorder_free */
	struct train_point *points; /* (count), ready to be written, in the order of epochs */
	size_t count, capacity;
	struct train_point low, high, val_low, val_high; /* of the open bucket */
	uint64_t bucket_end;                             /* the open bucket's last epoch; 0: none is open */
	struct train_point latest;
	uint64_t ready;             /* the epoch of the last point that was ready */
	struct curve_health health; /* rows that wait beside the points */
};
/* Epochs of a bucket that begins at `epoch`: 1 to CURVE_EVERY_MAX, then doubling as the epochs double. */
uint64_t curve_bucket_epochs(uint64_t epoch);
/* False: no memory. */
bool curve_record(struct curve_recorder *recorder, const struct train_point *point);
/* At the end: the open bucket and the very last point join the points that are ready. */
bool curve_record_end(struct curve_recorder *recorder);
void curve_recorder_free(struct curve_recorder *recorder);

/* *data is new (free): rows [from, to) of the health (NULL: none), then CURVE_HEAD_BYTES + count * CURVE_POINT_BYTES. */
int curve_encode(const struct train_point *points, size_t count, const struct curve_health *health,
		size_t from, size_t to, unsigned char **data, size_t *size, struct err *e);

/* ---- showing ---- */

struct curve { /* zeroed is empty; new: curve_clear */
	struct train_point *points;
	size_t count, capacity;
	struct curve_health health;
};
void curve_clear(struct curve *curve);
/* Appends the points, and the health where there is some, of a block whose epoch lies in [from, to]. Blocks of the first releases have no head and one metric
 * a point, which is taken for both accuracy and mae. ERR_CORRUPT, ERR_NOMEM. */
int curve_decode(struct curve *curve, const unsigned char *data, size_t size, uint64_t from, uint64_t to,
		struct err *e);
/* Leaves at most max points (at least 2): the first, the last, and of each bucket those with the lowest and highest
 * loss and val_loss. */
void curve_thin(struct curve *curve, size_t max);

struct curve_view {
	int64_t job;
	uint64_t total;     /* points before thinning */
	bool accuracy, mae; /* which metrics are there? */
	bool validated;     /* are there val_ columns? */
	bool health;        /* is it to be shown? */
};
/* Columns, ready to plot; what is not finite is null and named in "nonfinite". */
void curve_write_json(const struct curve *curve, const struct curve_view *view, struct buffer *out);
/* A header line and a row a point; what is not finite is an empty cell. */
void curve_write_csv(const struct curve *curve, const struct curve_view *view, struct buffer *out);

#endif
