/* curve_record.c - the points of a running job. See curve_record.h. */
#include "server/codec/curve_record.h"

#include <stdlib.h>
#include <string.h>

#include "core/size.h"

#define LEAST 64 /* that a list has room for */

/* items (capacity) has room for one more afterwards; NULL: no memory, and items is as it was. */
static void *grown(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
	size_t wanted = *capacity ? *capacity * 2 : LEAST;
	void *more;

	if (count < *capacity) return items;
	if ((more = reallocarray(items, wanted, item_bytes))) *capacity = wanted;
	return more;
}

uint64_t curve_bucket_points(enum curve_keep keep, uint64_t number)
{
	uint64_t size = 1;

	for (uint64_t end = keep == CURVE_AUTO ? CURVE_EVERY_MAX : CURVE_KEPT_MAX; number > end; end *= 2)
		size = size == 1 ? 4 : size * 2;
	return size;
}

/* A point joins the first level; each span of a level that is full joins the next one. */
static bool climb(struct curve_recorder *r, const struct train_point *point)
{
	uint64_t full = 1;

	curve_span_add_point(&r->levels[0].open, r->keep, point);
	for (size_t i = 0; i < CURVE_LEVELS; i++) {
		struct curve_level *level = &r->levels[i];
		struct curve_span *spans;

		full *= CURVE_FAN;
		if (level->open.points < full) return true;
		if (!(spans = grown(level->spans, level->count, &level->capacity, sizeof *spans)))
			return false;
		level->spans = spans;
		level->spans[level->count++] = level->open;
		if (i + 1 < CURVE_LEVELS) curve_span_add(&level[1].open, &level->open);
		level->open.points = 0;
	}
	return true;
}

static bool make_ready(struct curve_recorder *r, const struct train_point *point)
{
	struct train_point *points = grown(r->points, r->count, &r->capacity, sizeof *points), *kept;

	if (!points) return false;
	r->points = points;
	kept = &r->points[r->count++];
	*kept = *point;
	curve_point_tidy(kept);
	r->ready = curve_key(r->keep, kept);
	return climb(r, kept);
}

static bool close_bucket(struct curve_recorder *r)
{
	struct train_point kept[CURVE_SPAN_KEEPS];
	size_t count = curve_span_points(&r->bucket, kept);

	r->bucket.points = 0;
	for (size_t i = 0; i < count; i++)
		if (!make_ready(r, &kept[i])) return false;
	return true;
}

bool curve_record(struct curve_recorder *r, const struct train_point *point)
{
	struct curve_span span;
	uint64_t bucket;

	r->latest = *point;
	r->given++;
	if (!r->bucket.points) {
		bucket = curve_bucket_points(r->keep, r->given);
		if (bucket == 1) return make_ready(r, point);
		r->bucket_end = r->given + bucket - 1;
	}
	span = curve_span_of(r->keep, point);
	curve_span_add(&r->bucket, &span);
	return r->given < r->bucket_end || close_bucket(r);
}

bool curve_record_end(struct curve_recorder *r)
{
	return close_bucket(r) &&
	       (!r->given || curve_key(r->keep, &r->latest) == r->ready || make_ready(r, &r->latest));
}

void curve_recorder_free(struct curve_recorder *r)
{
	free(r->points);
	curve_health_clear(&r->health);
	for (size_t i = 0; i < CURVE_LEVELS; i++)
		free(r->levels[i].spans);
	*r = (struct curve_recorder){ 0 };
}

/* ---- a checkpoint's part ---- */

struct saved {
	uint64_t bytes, keep, given, bucket_end, ready;
	struct curve_span bucket;
	struct train_point latest;
	struct curve_span open[CURVE_LEVELS];
	uint64_t spans[CURVE_LEVELS]; /* how many follow */
};

static size_t saved_bytes(const uint64_t spans[CURVE_LEVELS])
{
	size_t bytes = sizeof(struct saved);

	for (size_t i = 0; i < CURVE_LEVELS; i++)
		bytes = size_add(bytes, size_mul(spans[i], sizeof(struct curve_span)));
	return bytes;
}

size_t curve_recorder_bytes(const struct curve_recorder *r)
{
	uint64_t spans[CURVE_LEVELS];

	for (size_t i = 0; i < CURVE_LEVELS; i++)
		spans[i] = r->levels[i].count;
	return saved_bytes(spans);
}

void curve_recorder_save(const struct curve_recorder *r, unsigned char *out)
{
	struct saved saved;

	memset(&saved, 0, sizeof saved);
	saved.bytes = curve_recorder_bytes(r);
	saved.keep = r->keep;
	saved.given = r->given;
	saved.bucket_end = r->bucket_end;
	saved.ready = r->ready;
	saved.bucket = r->bucket;
	saved.latest = r->latest;
	for (size_t i = 0; i < CURVE_LEVELS; i++) {
		saved.open[i] = r->levels[i].open;
		saved.spans[i] = r->levels[i].count;
	}
	memcpy(out, &saved, sizeof saved);
	out += sizeof saved;
	for (size_t i = 0; i < CURVE_LEVELS; i++) {
		size_t bytes = r->levels[i].count * sizeof(struct curve_span);

		if (bytes) memcpy(out, r->levels[i].spans, bytes);
		out += bytes;
	}
}

static bool load_level(struct curve_level *level, const struct curve_span *open, const unsigned char *spans,
		size_t count)
{
	level->open = *open;
	if (!count) return true;
	level->spans = reallocarray(NULL, count, sizeof *level->spans);
	if (!level->spans) return false;
	memcpy(level->spans, spans, count * sizeof *level->spans);
	level->count = level->capacity = count;
	return true;
}

int curve_recorder_load(struct curve_recorder *r, const unsigned char *bytes, size_t size, struct err *e)
{
	struct saved saved = { 0 };

	*r = (struct curve_recorder){ 0 };
	if (size >= sizeof saved) memcpy(&saved, bytes, sizeof saved);
	if (size < sizeof saved || saved.bytes != size || saved_bytes(saved.spans) != size ||
			saved.keep >= CURVE_KEEPS)
		return err_set(e, ERR_CORRUPT, "what a checkpoint says of its curve is damaged");
	r->keep = (enum curve_keep)saved.keep;
	r->given = saved.given;
	r->bucket_end = saved.bucket_end;
	r->ready = saved.ready;
	r->bucket = saved.bucket;
	r->latest = saved.latest;
	bytes += sizeof saved;
	for (size_t i = 0; i < CURVE_LEVELS; i++) {
		if (!load_level(&r->levels[i], &saved.open[i], bytes, saved.spans[i])) {
			curve_recorder_free(r);
			return err_nomem(e);
		}
		bytes += saved.spans[i] * sizeof(struct curve_span);
	}
	return 0;
}
