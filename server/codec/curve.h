/* curve.h - loss curves: how the points of a job lie in blocks of the store, and how they are shown. Which of them are kept
 * is curve_record.h.
 *
 * A block has the health of some epochs (curve_health.h), if any, then its points column by column. A column whose
 * differences are mostly the same (epochs, steps, a constant rate, what is not there) takes next to nothing, so a point
 * costs 8 bytes for each of loss, accuracy or mae, seconds, and a rate that moves: 25 to 50 in all.
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
#include "server/codec/curve_span.h"

/* ---- blocks (curve_block.c) ---- */

/* No block of points has more than this, nor one of spans. */
#define CURVE_HEAD_BYTES  256
#define CURVE_POINT_BYTES 96
#define CURVE_SPAN_BYTES  (CURVE_SPAN_KEEPS * CURVE_POINT_BYTES + 24)

/* *data is new (free): rows [from, to) of the health (NULL: none), then at most CURVE_HEAD_BYTES + count *
 * CURVE_POINT_BYTES. */
int curve_encode(const struct train_point *points, size_t count, const struct curve_health *health,
		size_t from, size_t to, unsigned char **data, size_t *size, struct err *e);
int curve_encode_spans(const struct curve_span *spans, size_t count, unsigned char **data, size_t *size,
		struct err *e);

struct curve { /* zeroed is empty; new: curve_clear */
	struct train_point *points;
	size_t count, capacity;
	struct curve_health health;
};
void curve_clear(struct curve *curve);
/* Appends the points, and the health where there is some, of a block whose epoch lies in [from, to]. Blocks of the first
 * releases have rows of points, the very first one metric a point, which is taken for both accuracy and mae.
 * ERR_CORRUPT, ERR_NOMEM. */
int curve_decode(struct curve *curve, const unsigned char *data, size_t size, uint64_t from, uint64_t to,
		struct err *e);

struct curve_spans { /* zeroed is empty; new: curve_spans_clear */
	struct curve_span *spans;
	size_t count, capacity;
};
void curve_spans_clear(struct curve_spans *spans);
/* False: no memory. */
bool curve_spans_add(struct curve_spans *spans, const struct curve_span *span);
/* Appends the spans of a block that lie wholly in keys [from, to]. As curve_decode. */
int curve_decode_spans(struct curve_spans *spans, const unsigned char *data, size_t size, uint64_t from,
		uint64_t to, struct err *e);

/* ---- thinning (curve_thin.c) ---- */

/* *out (empty) gets at most max points (at least 2): first and last, and of each bucket of the others those with the lowest
 * and the highest loss and val_loss. spans are in order, without gaps, and a point alone is a span; first and last are
 * the very first and last of their points; the one is the other when there is one point only. */
int curve_thin(const struct curve_spans *spans, const struct train_point *first,
		const struct train_point *last, size_t max, struct curve *out, struct err *e);
/* Into how many buckets that is at most: fewer spans than these are too coarse. */
size_t curve_thin_buckets(size_t max, bool validated);

/* ---- showing ---- */

struct curve_view {
	int64_t job;
	uint64_t total;     /* points before thinning */
	bool accuracy, mae; /* which metrics are there? */
	bool validated;     /* are there val_ columns? */
	bool health;        /* is it to be shown? */
};
/* Columns, ready to plot; what is not finite is null and named in "nonfinite". val_ numbers of an epoch that was not
 * validated are null and no more. */
void curve_write_json(const struct curve *curve, const struct curve_view *view, struct buffer *out);
/* The members alone: ,"epoch":[…] and so on, with nonfinite. */
void curve_write_columns(const struct curve *curve, const struct curve_view *view, struct buffer *out);
/* The members of one point: "epoch":1,"loss":0.5 and so on; with nonfinite where there is something to name. */
void curve_write_point(const struct train_point *point, const struct curve_view *view, struct buffer *out);
/* A header line, and a row a point; what is not finite is an empty cell. */
void curve_write_csv_head(const struct curve_view *view, struct buffer *out);
void curve_write_csv(const struct curve *curve, const struct curve_view *view, struct buffer *out);

#endif
