/* trained.h - a training job of the workshop from its stored rows to a model. */
#ifndef TESTS_UNIT_TRAINED_H
#define TESTS_UNIT_TRAINED_H

#include "server/jobs/training_parts.h"
#include "tests/unit/workshop.h"

#define CURVE_KEPT 30

static struct store *store;
static atomic_int stop;
static bool streams; /* trainings have their rows in a scratch file, however few they are */

/* A training under way and what came of it. */
struct trained {
	struct training *training;
	struct train_result result;
	uint64_t epochs;
	struct train_point curve[CURVE_KEPT]; /* of the first epochs */
	unsigned char *bytes;                 /* of its model */
	size_t size;
	struct model *model;
};

static inline void count_epoch(void *self, const struct train_point *point)
{
	struct trained *t = self;

	ck_assert_uint_eq(point->epoch, ++t->epochs);
	if (t->epochs <= CURVE_KEPT) t->curve[t->epochs - 1] = *point;
}

static inline int make(struct trained *t, const char *model, const char *dataset, const char *fields)
{
	const struct training_needs needs = { store, any_engine(), &stop, SIZE_MAX, workshop_database() };
	struct store_job job;
	int rc;

	*t = (struct trained){ 0 };
	OK(store->job_get(store, put_job(store, model, dataset, fields, 0), &job, &e));
	rc = training_new(&t->training, &needs, &job, &e);
	store_job_clear(&job);
	if (!rc && streams) t->training->size.scratch_bytes = 1;
	return rc;
}

static inline struct trained train(const char *model, const char *dataset, const char *fields)
{
	struct trained t;
	struct training_watch watch = { .self = &t, .epoch = count_epoch };

	OK(make(&t, model, dataset, fields));
	OK(training_load(t.training, &e));
	OK(training_start(t.training, &e));
	OK(training_run(t.training, &watch, &t.result, &e));
	OK(training_write(t.training, &t.bytes, &t.size, &e));
	OK(model_read(&t.model, t.bytes, t.size, &e));
	return t;
}

static inline void clear(struct trained *t)
{
	training_free(t->training);
	model_free(t->model);
	free(t->bytes);
}

static inline bool same_model(const struct trained *a, const struct trained *b)
{
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

/* But for the time it took. */
static inline bool same_curve(const struct trained *a, const struct trained *b)
{
	bool same = a->epochs == b->epochs;

	for (uint64_t i = 0; same && i < a->epochs && i < CURVE_KEPT; i++) {
		struct train_point x = a->curve[i], y = b->curve[i];

		x.seconds = y.seconds = x.elapsed = y.elapsed = 0;
		same = !memcmp(&x, &y, sizeof x);
	}
	return same;
}

#endif
