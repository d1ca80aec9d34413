/* record.c - a running job's curve on its way to the store. See record.h. */
#include "server/jobs/record.h"

#include <math.h>
#include <stdlib.h>

#include "server/codec/curve.h"

_Static_assert(CURVE_STEP_BITS == STORE_KEY_STEP_BITS, "both speak of the same keys");

void record_init(struct record *r, enum curve_keep keep)
{
	*r = (struct record){ .recorder.keep = keep };
	pthread_mutex_init(&r->lock, NULL);
}

void record_clear(struct record *r)
{
	curve_recorder_free(&r->recorder);
	pthread_mutex_destroy(&r->lock);
}

void record_point(struct record *r, const struct train_point *point)
{
	pthread_mutex_lock(&r->lock);
	r->lost |= !curve_record(&r->recorder, point);
	pthread_mutex_unlock(&r->lock);
}

void record_health(struct record *r, uint64_t epoch, const struct train_health *rows, size_t layers)
{
	pthread_mutex_lock(&r->lock);
	r->lost |= !curve_health_add(&r->recorder.health, epoch, rows, layers);
	pthread_mutex_unlock(&r->lock);
}

void record_divergence(struct record *r, const struct train_result *result, bool validates)
{
	struct train_point point;

	pthread_mutex_lock(&r->lock);
	point = r->recorder.latest;
	point.epoch = result->diverged_epoch;
	point.step = result->diverged_step;
	point.validated = validates;
	point.loss = point.val_loss = point.accuracy = point.val_accuracy = point.mae = point.val_mae = NAN;
	if (curve_key(r->recorder.keep, &point) > curve_key(r->recorder.keep, &r->recorder.latest))
		r->lost |= !curve_record(&r->recorder, &point);
	pthread_mutex_unlock(&r->lock);
}

void record_end(struct record *r)
{
	pthread_mutex_lock(&r->lock);
	r->lost |= !curve_record_end(&r->recorder);
	pthread_mutex_unlock(&r->lock);
}

/* ---- to the store ---- */

/* Takes the points that are ready, the health up to the last of them, and summaries where there is a block of them,
 * out of the recorder. */
static void take_ready(struct record *r, struct curve_recorder *ready)
{
	struct curve_health later = { 0 };
	uint64_t last;

	pthread_mutex_lock(&r->lock);
	*ready = (struct curve_recorder){
		.keep = r->recorder.keep, .points = r->recorder.points, .count = r->recorder.count
	};
	last = ready->count ? ready->points[ready->count - 1].epoch : 0;
	if (ready->count) ready->health = r->recorder.health;
	for (size_t i = 0; i < ready->health.count; i++)
		if (ready->health.epochs[i] > last &&
				!curve_health_add(&later, ready->health.epochs[i],
						ready->health.rows + i * ready->health.layers,
						ready->health.layers))
			r->lost = true;
	ready->health.count -= later.count;
	if (ready->count) r->recorder.health = later;
	r->recorder.points = NULL;
	r->recorder.count = r->recorder.capacity = 0;
	for (size_t i = 0; i < CURVE_LEVELS; i++)
		if (r->recorder.levels[i].count >= CURVE_FAN) {
			ready->levels[i] = r->recorder.levels[i];
			r->recorder.levels[i].spans = NULL;
			r->recorder.levels[i].count = r->recorder.levels[i].capacity = 0;
		}
	pthread_mutex_unlock(&r->lock);
}

static int write_points(const struct curve_recorder *ready, struct store *store, const struct store_job *job,
		struct err *e)
{
	size_t most = (STORE_CHUNK_BYTES - CURVE_HEAD_BYTES) /
		      (CURVE_POINT_BYTES + curve_health_bytes(&ready->health, 0, 1));
	size_t healthy = 0;
	int rc = 0;

	for (size_t i = 0, n; i < ready->count && !rc; i += n) {
		struct store_curve_block block = { 0 };
		size_t from = healthy;
		unsigned char *data;

		n = ready->count - i < most ? ready->count - i : most;
		while (healthy < ready->health.count &&
				ready->health.epochs[healthy] <= ready->points[i + n - 1].epoch)
			healthy++;
		if ((rc = curve_encode(ready->points + i, n, &ready->health, from, healthy, &data,
				     &block.size, e)))
			break;
		block.first = curve_key(ready->keep, &ready->points[i]);
		block.last = curve_key(ready->keep, &ready->points[i + n - 1]);
		block.points = n;
		block.data = data;
		rc = store->curve_append(store, job->id, job->attempt, &block, e);
		free(data);
	}
	return rc;
}

static int write_level(const struct curve_level *spans, unsigned level, struct store *store,
		const struct store_job *job, struct err *e)
{
	const size_t most = (STORE_CHUNK_BYTES - CURVE_HEAD_BYTES) / CURVE_SPAN_BYTES;
	int rc = 0;

	for (size_t i = 0, n; i < spans->count && !rc; i += n) {
		struct store_curve_block block = { 0 };
		unsigned char *data;

		n = spans->count - i < most ? spans->count - i : most;
		if ((rc = curve_encode_spans(spans->spans + i, n, &data, &block.size, e))) break;
		block.first = spans->spans[i].first;
		block.last = spans->spans[i + n - 1].last;
		block.points = n;
		block.data = data;
		rc = store->level_append(store, job->id, job->attempt, level, &block, e);
		free(data);
	}
	return rc;
}

int record_flush(struct record *r, struct store *store, const struct store_job *job, struct err *e)
{
	struct curve_recorder ready;
	int rc;

	take_ready(r, &ready);
	rc = write_points(&ready, store, job, e);
	for (unsigned i = 0; i < CURVE_LEVELS && !rc; i++)
		rc = write_level(&ready.levels[i], i + 1, store, job, e);
	curve_recorder_free(&ready);
	if (rc) return rc;
	return r->lost ? err_nomem(e) : 0;
}
