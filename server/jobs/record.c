/* record.c - a running job's curve on its way to the store. See record.h. */
#include "server/jobs/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/curve.h"

_Static_assert(CURVE_STEP_BITS == STORE_KEY_STEP_BITS, "both speak of the same keys");

#define WAITING_MAX (1u << 20) /* points that a disk may keep waiting: some 120 MB */

void record_init(struct record *r, enum curve_keep keep)
{
	*r = (struct record){ .recorder.keep = keep };
	pthread_mutex_init(&r->lock, NULL);
}

void record_clear(struct record *r)
{
	curve_recorder_free(&r->recorder);
	curve_recorder_free(&r->sealed);
	curve_recorder_free(&r->writing);
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

/* Takes the points that are ready, and the health up to the last of them, out of the recorder. Under the lock. */
static void take_points(struct record *r, struct curve_recorder *ready)
{
	struct curve_health later = { 0 };
	uint64_t last;

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
}

/* Summaries, where there is a block of them. They are of points that were taken. Under the lock. */
static void take_levels(struct record *r, struct curve_recorder *ready)
{
	for (size_t i = 0; i < CURVE_LEVELS; i++)
		if (r->recorder.levels[i].count >= CURVE_FAN) {
			ready->levels[i] = r->recorder.levels[i];
			r->recorder.levels[i].spans = NULL;
			r->recorder.levels[i].count = r->recorder.levels[i].capacity = 0;
		}
}

/* Puts what is in `more` behind what is in `to`; more is empty afterwards. False: no memory. */
static bool append(struct curve_recorder *to, struct curve_recorder *more)
{
	bool whole = true;

	if (!to->count) {
		curve_recorder_free(to);
		*to = *more;
		*more = (struct curve_recorder){ 0 };
		return true;
	}
	if (more->count) {
		size_t count = to->count + more->count;
		struct train_point *points = reallocarray(to->points, count, sizeof *points);

		if ((whole = points != NULL)) {
			memcpy(points + to->count, more->points, more->count * sizeof *points);
			to->points = points;
			to->count = to->capacity = count;
		}
		/* cppcheck-suppress memleak ; `to` has them */
	}
	for (size_t i = 0; i < more->health.count; i++)
		whole &= curve_health_add(&to->health, more->health.epochs[i],
				more->health.rows + i * more->health.layers, more->health.layers);
	curve_recorder_free(more);
	return whole;
}

unsigned char *record_seal(struct record *r, size_t *size)
{
	struct curve_recorder ready;
	unsigned char *bytes;

	pthread_mutex_lock(&r->lock);
	*size = curve_recorder_bytes(&r->recorder);
	if ((bytes = malloc(*size))) {
		curve_recorder_save(&r->recorder, bytes);
		take_points(r, &ready);
		r->lost |= !append(&r->sealed, &ready);
	}
	pthread_mutex_unlock(&r->lock);
	return bytes;
}

void record_resume(struct record *r, struct curve_recorder *recorder)
{
	r->recorder = *recorder;
	*recorder = (struct curve_recorder){ 0 };
}

/* What was sealed first. */
static void take(struct record *r)
{
	curve_recorder_free(&r->writing);
	r->written = r->healthy = 0;
	pthread_mutex_lock(&r->lock);
	if (r->sealed.count) {
		r->writing = r->sealed;
		r->sealed = (struct curve_recorder){ 0 };
	} else {
		take_points(r, &r->writing);
		take_levels(r, &r->writing);
	}
	pthread_mutex_unlock(&r->lock);
}

/* The next block of what is on its way. */
static int write_block(struct record *r, struct store *store, const struct store_job *job, struct err *e)
{
	const struct curve_recorder *from = &r->writing;
	size_t most = (STORE_CHUNK_BYTES - CURVE_HEAD_BYTES) /
		      (CURVE_POINT_BYTES + curve_health_bytes(&from->health, 0, 1));
	size_t left = from->count - r->written, n = left < most ? left : most, healthy = r->healthy;
	const struct train_point *points = from->points + r->written;
	struct store_curve_block block = { 0 };
	unsigned char *data;
	int rc;

	while (healthy < from->health.count && from->health.epochs[healthy] <= points[n - 1].epoch)
		healthy++;
	if ((rc = curve_encode(points, n, &from->health, r->healthy, healthy, &data, &block.size, e)))
		return rc;
	block.first = curve_key(from->keep, &points[0]);
	block.last = curve_key(from->keep, &points[n - 1]);
	block.points = n;
	block.data = data;
	rc = store->curve_append(store, job->id, job->attempt, &block, e);
	free(data);
	if (rc) return rc;
	r->written += n;
	r->healthy = healthy;
	return 0;
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

static int write_all(struct record *r, struct store *store, const struct store_job *job, struct err *e)
{
	int rc = 0;

	while (!rc && r->written < r->writing.count)
		rc = write_block(r, store, job, e);
	for (unsigned i = 0; i < CURVE_LEVELS && !rc; i++) {
		rc = write_level(&r->writing.levels[i], i + 1, store, job, e);
		if (!rc) r->writing.levels[i].count = 0;
	}
	return rc;
}

/* The trainer goes on while nothing can be written, but not for ever. */
static int refuse(struct record *r, int rc, struct err *e)
{
	struct err why = *e;
	size_t waiting;

	pthread_mutex_lock(&r->lock);
	waiting = r->recorder.count;
	pthread_mutex_unlock(&r->lock);
	if (waiting < WAITING_MAX) return rc;
	return err_set(e, ERR_NOMEM, "%zu points of the curve wait to be written: %.400s", waiting, why.text);
}

static int whole(struct record *r, struct err *e)
{
	bool lost;

	pthread_mutex_lock(&r->lock);
	lost = r->lost;
	pthread_mutex_unlock(&r->lock);
	return lost ? err_nomem(e) : 0;
}

int record_flush(struct record *r, struct store *store, const struct store_job *job, struct err *e)
{
	int rc = write_all(r, store, job, e);

	for (int taken = 0; taken < 2 && !rc; taken++) { /* what was sealed, and what is ready */
		take(r);
		rc = write_all(r, store, job, e);
	}
	return rc ? refuse(r, rc, e) : whole(r, e);
}
