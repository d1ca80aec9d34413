/* curve.c - loss curves. See curve.h. Which columns a curve has is one table, read by both writers. */
#include "server/codec/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/little.h"
#include "server/codec/number.h"

/* ---- growing lists of points ---- */

static bool add_point(
		struct train_point **points, size_t *count, size_t *capacity, const struct train_point *point)
{
	if (*count == *capacity) {
		size_t wanted = *capacity ? *capacity * 2 : 64;
		struct train_point *grown = reallocarray(*points, wanted, sizeof *grown);

		if (!grown) return false;
		*points = grown;
		*capacity = wanted;
	}
	(*points)[(*count)++] = *point;
	return true;
}

/* ---- keeping ---- */

uint64_t curve_bucket_epochs(uint64_t epoch)
{
	uint64_t size = 1;

	for (uint64_t end = CURVE_EVERY_MAX; epoch > end; end *= 2)
		size = size == 1 ? 4 : size * 2;
	return size;
}

/* NaN is above everything, so that it is never merged away and hides no minimum. */
static bool above(double a, double b)
{
	return isnan(a) ? !isnan(b) : a > b;
}

static bool below(double a, double b)
{
	return isnan(b) ? !isnan(a) : a < b;
}

static void open_bucket(struct curve_recorder *r, const struct train_point *point)
{
	r->low = r->high = r->val_low = r->val_high = *point;
	r->bucket_end = point->epoch + curve_bucket_epochs(point->epoch) - 1;
}

static void widen_bucket(struct curve_recorder *r, const struct train_point *point)
{
	if (below(point->loss, r->low.loss)) r->low = *point;
	if (above(point->loss, r->high.loss)) r->high = *point;
	if (below(point->val_loss, r->val_low.val_loss)) r->val_low = *point;
	if (above(point->val_loss, r->val_high.val_loss)) r->val_high = *point;
}

static int by_epoch(const void *a, const void *b)
{
	const struct train_point *x = a, *y = b;

	return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

static bool make_ready(struct curve_recorder *r, const struct train_point *point)
{
	r->ready = point->epoch;
	return add_point(&r->points, &r->count, &r->capacity, point);
}

static bool close_bucket(struct curve_recorder *r)
{
	struct train_point kept[] = { r->low, r->high, r->val_low, r->val_high };
	const size_t count = sizeof kept / sizeof *kept;

	if (!r->bucket_end) return true;
	r->bucket_end = 0;
	qsort(kept, count, sizeof *kept, by_epoch);
	for (size_t i = 0; i < count; i++)
		if (!i || kept[i].epoch != kept[i - 1].epoch)
			if (!make_ready(r, &kept[i])) return false;
	return true;
}

bool curve_record(struct curve_recorder *r, const struct train_point *point)
{
	r->latest = *point;
	if (r->bucket_end)
		widen_bucket(r, point);
	else
		open_bucket(r, point);
	return point->epoch < r->bucket_end || close_bucket(r);
}

bool curve_record_end(struct curve_recorder *r)
{
	return close_bucket(r) && (r->latest.epoch == r->ready || make_ready(r, &r->latest));
}

void curve_recorder_free(struct curve_recorder *r)
{
	free(r->points);
	curve_health_clear(&r->health);
	*r = (struct curve_recorder){ 0 };
}

/* ---- blocks ---- */

/* A head is this mark and the bytes of a point; what was written without one begins with an epoch, which is less. */
#define BLOCK_MARK      0xDE5CE47C0001u
#define MARK_SHIFT      16
#define OLD_POINT_BYTES 64

#define REALS_FROM 16 /* bytes of epoch and step */

/* The float64 of a point, in order; a release only ever adds some at the end. */
static const size_t stored[] = {
	offsetof(struct train_point, loss),
	offsetof(struct train_point, val_loss),
	offsetof(struct train_point, accuracy),
	offsetof(struct train_point, val_accuracy),
	offsetof(struct train_point, learning_rate),
	offsetof(struct train_point, seconds),
	offsetof(struct train_point, mae),
	offsetof(struct train_point, val_mae),
};
#define STORED     (sizeof stored / sizeof *stored)
#define OLD_STORED 6

_Static_assert(CURVE_POINT_BYTES == REALS_FROM + 8 * STORED, "a point is as long as curve.h says");

int curve_encode(const struct train_point *points, size_t count, const struct curve_health *health,
		size_t from, size_t until, unsigned char **data, size_t *size, struct err *e)
{
	size_t section = health ? curve_health_bytes(health, from, until) : 0;
	unsigned char *to;

	*size = section + CURVE_HEAD_BYTES + count * CURVE_POINT_BYTES;
	*data = to = malloc(*size);
	if (!to) return err_nomem(e);
	if (section) curve_health_encode(health, from, until, to);
	to += section;
	put64(to, (uint64_t)BLOCK_MARK << MARK_SHIFT | CURVE_POINT_BYTES);
	to += CURVE_HEAD_BYTES;
	for (size_t i = 0; i < count; i++, to += CURVE_POINT_BYTES) {
		put64(to, points[i].epoch);
		put64(to + 8, points[i].step);
		for (size_t j = 0; j < STORED; j++) {
			uint64_t bits;

			memcpy(&bits, (const char *)&points[i] + stored[j], sizeof bits);
			put64(to + REALS_FROM + 8 * j, bits);
		}
	}
	return 0;
}

static struct train_point decode_point(const unsigned char *data, size_t reals)
{
	struct train_point point = { .epoch = get64(data), .step = get64(data + 8) };

	for (size_t j = 0; j < reals; j++) {
		uint64_t bits = get64(data + REALS_FROM + 8 * j);

		memcpy((char *)&point + stored[j], &bits, sizeof bits);
	}
	if (reals == OLD_STORED) {
		point.mae = point.accuracy;
		point.val_mae = point.val_accuracy;
	}
	return point;
}

int curve_decode(struct curve *curve, const unsigned char *data, size_t size, uint64_t from, uint64_t to,
		struct err *e)
{
	size_t bytes = OLD_POINT_BYTES, reals = OLD_STORED, section = curve_health_section(data, size);
	int rc;

	if ((rc = curve_health_decode(&curve->health, data, size, from, to, e))) return rc;
	data += section;
	size -= section;
	if (size >= CURVE_HEAD_BYTES && get64(data) >> MARK_SHIFT == BLOCK_MARK) {
		bytes = get64(data) & ((1u << MARK_SHIFT) - 1);
		reals = STORED;
		data += CURVE_HEAD_BYTES;
		size -= CURVE_HEAD_BYTES;
	}
	if (bytes < REALS_FROM + 8 * reals || size % bytes)
		return err_set(e, ERR_CORRUPT, "a block of a stored curve is damaged");
	for (; size; data += bytes, size -= bytes) {
		struct train_point point = decode_point(data, reals);

		if (point.epoch < from || point.epoch > to) continue;
		if (!add_point(&curve->points, &curve->count, &curve->capacity, &point)) return err_nomem(e);
	}
	return 0;
}

void curve_clear(struct curve *curve)
{
	free(curve->points);
	curve_health_clear(&curve->health);
	*curve = (struct curve){ 0 };
}

/* ---- thinning ---- */

#define BUCKET_KEEPS \
	4 /* lowest and highest of loss and of val_loss; half of them where there is no validation */

static int by_index(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Moves the points of [from, to) that stay to place `at`; returns the place after them. */
static size_t keep_extremes(struct train_point *points, size_t from, size_t to, size_t at)
{
	size_t keep[BUCKET_KEEPS] = { from, from, from, from };

	for (size_t i = from; i < to; i++) {
		if (below(points[i].loss, points[keep[0]].loss)) keep[0] = i;
		if (above(points[i].loss, points[keep[1]].loss)) keep[1] = i;
		if (below(points[i].val_loss, points[keep[2]].val_loss)) keep[2] = i;
		if (above(points[i].val_loss, points[keep[3]].val_loss)) keep[3] = i;
	}
	for (size_t i = 2; i < BUCKET_KEEPS; i++)
		if (isnan(points[keep[i]].val_loss)) keep[i] = keep[0]; /* there is no validation */
	qsort(keep, BUCKET_KEEPS, sizeof *keep, by_index);
	for (size_t i = 0; i < BUCKET_KEEPS; i++)
		if (!i || keep[i] != keep[i - 1]) points[at++] = points[keep[i]];
	return at;
}

void curve_thin(struct curve *curve, size_t max)
{
	size_t inner = curve->count - 2, buckets, at = 1;
	struct train_point last;

	curve_health_thin(&curve->health, max);
	if (curve->count <= max || max < 2) return;
	last = curve->points[curve->count - 1];
	buckets = (max - 2) / (isnan(curve->points[0].val_loss) ? BUCKET_KEEPS / 2 : BUCKET_KEEPS);
	for (size_t i = 0; i < buckets; i++)
		at = keep_extremes(curve->points, 1 + inner * i / buckets, 1 + inner * (i + 1) / buckets, at);
	curve->points[at++] = last;
	curve->count = at;
}

/* ---- writing ---- */

enum column_kind { COLUMN_WHOLE, COLUMN_REAL, COLUMN_ACCURACY, COLUMN_MAE };

struct column {
	const char *name;
	size_t offset;
	enum column_kind kind;
	bool validation;
};
static const struct column columns[] = {
	{ "epoch", offsetof(struct train_point, epoch), COLUMN_WHOLE, false },
	{ "step", offsetof(struct train_point, step), COLUMN_WHOLE, false },
	{ "loss", offsetof(struct train_point, loss), COLUMN_REAL, false },
	{ "val_loss", offsetof(struct train_point, val_loss), COLUMN_REAL, true },
	{ "accuracy", offsetof(struct train_point, accuracy), COLUMN_ACCURACY, false },
	{ "val_accuracy", offsetof(struct train_point, val_accuracy), COLUMN_ACCURACY, true },
	{ "mae", offsetof(struct train_point, mae), COLUMN_MAE, false },
	{ "val_mae", offsetof(struct train_point, val_mae), COLUMN_MAE, true },
	{ "learning_rate", offsetof(struct train_point, learning_rate), COLUMN_REAL, false },
	{ "seconds", offsetof(struct train_point, seconds), COLUMN_REAL, false },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static bool is_shown(const struct column *column, const struct curve_view *view)
{
	if (column->kind == COLUMN_ACCURACY && !view->accuracy) return false;
	if (column->kind == COLUMN_MAE && !view->mae) return false;
	return view->validated || !column->validation;
}

static double real_at(const struct column *column, const struct train_point *point)
{
	return *(const double *)((const char *)point + column->offset);
}

/* Writes a cell, `missing` in the place of what is not finite. */
static void write_cell(const struct column *column, const struct train_point *point, const char *missing,
		struct buffer *out)
{
	char *to = buffer_reserve(out, NUMBER_PRINT_MAX);

	if (!to) return;
	if (column->kind == COLUMN_WHOLE)
		buffer_printf(out, "%llu",
				(unsigned long long)*(
						const uint64_t *)((const char *)point + column->offset));
	else if (isfinite(real_at(column, point)))
		out->size += number_print_double(real_at(column, point), to);
	else
		buffer_text(out, missing);
}

static const char *nonfinite_kind(double value)
{
	if (isnan(value)) return "nan";
	return value > 0 ? "inf" : "-inf";
}

static void write_nonfinite(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	bool some = false;

	buffer_text(out, ",\"nonfinite\":[");
	for (size_t i = 0; i < curve->count; i++)
		for (size_t j = 0; j < COLUMNS; j++) {
			if (columns[j].kind == COLUMN_WHOLE || !is_shown(&columns[j], view)) continue;
			if (isfinite(real_at(&columns[j], &curve->points[i]))) continue;
			buffer_printf(out, "%s{\"epoch\":%llu,\"metric\":\"", some ? "," : "",
					(unsigned long long)curve->points[i].epoch);
			buffer_text(out, columns[j].name);
			buffer_printf(out, "\",\"kind\":\"%s\"}",
					nonfinite_kind(real_at(&columns[j], &curve->points[i])));
			some = true;
		}
	buffer_text(out, "]");
}

void curve_write_json(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	buffer_printf(out, "{\"job\":\"%lld\",\"total\":%llu,\"returned\":%zu", (long long)view->job,
			(unsigned long long)view->total, curve->count);
	for (size_t j = 0; j < COLUMNS; j++) {
		if (!is_shown(&columns[j], view)) continue;
		buffer_text(out, ",\"");
		buffer_text(out, columns[j].name);
		buffer_text(out, "\":[");
		for (size_t i = 0; i < curve->count; i++) {
			if (i) buffer_text(out, ",");
			write_cell(&columns[j], &curve->points[i], "null", out);
		}
		buffer_text(out, "]");
	}
	write_nonfinite(curve, view, out);
	if (view->health) {
		buffer_text(out, ",\"health\":");
		curve_health_write(&curve->health, out);
	}
	buffer_text(out, "}");
}

void curve_write_csv(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	for (size_t i = 0; i <= curve->count; i++) {
		for (size_t j = 0; j < COLUMNS; j++) {
			if (!is_shown(&columns[j], view)) continue;
			if (j) buffer_text(out, ",");
			if (i)
				write_cell(&columns[j], &curve->points[i - 1], "", out);
			else
				buffer_text(out, columns[j].name);
		}
		buffer_text(out, "\r\n");
	}
}
