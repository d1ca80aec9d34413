/* jobs_running.h - workers on a real store, for tests of one process each: jobs are queued, looked at and waited for.
 *
 * Jobs that are to be caught running have epochs for hours; every wait looks at the store again and again and gives up
 * after WAIT_SECONDS, which only a hung worker needs.
 */
#ifndef TESTS_UNIT_JOBS_RUNNING_H
#define TESTS_UNIT_JOBS_RUNNING_H

#include <math.h>
#include <pthread.h>
#include <time.h>

#include "server/codec/curve.h"
#include "server/jobs/jobs.h"
#include "tests/unit/workshop.h"

#define WAIT_SECONDS 60
#define LONG         "\"epochs\":10000000,\"batch_size\":1,\"early_stopping\":null"
#define ENOUGH       (256u << 20)

static struct store *store;
static struct registry *registry;
static struct jobs *jobs;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_text;

static inline void keep_line(void *self, const char *sentence)
{
	(void)self;
	pthread_mutex_lock(&log_lock);
	add_text(&log_text, "%s\n", sentence);
	pthread_mutex_unlock(&log_lock);
}

static inline void start(unsigned workers, size_t memory_bytes)
{
	const struct jobs_config config = { store, registry, any_engine(), workers, memory_bytes,
		workshop_database(), keep_line, NULL, NULL };

	OK(jobs_start(&jobs, &config, &e));
}

/* 40 rows of y = 2x + 1, and the model "m" of it. */
static inline void begin(void)
{
	char *text = NULL;

	store = fresh_store();
	OK(registry_new(&registry, &(struct registry_config){ store, any_engine(), 1 << 24, false, 0, NULL },
			&e));
	add_text(&text, "x,y\n");
	for (int i = 0; i < 40; i++)
		add_text(&text, "%d,%d\n", i, 2 * i + 1);
	put_csv(store, "d", text);
	free(text);
	put_model(store, "m", "{\"dataset\":\"d\",\"target\":\"y\",\"layers\":[4]}");
	add_text(&log_text, "%s", "");
}

static inline void finish(void)
{
	jobs_stop(jobs);
	registry_free(registry);
	store->close(store);
	free(log_text);
	jobs_stop(NULL);
}

static inline int64_t queue(const char *fields, int priority)
{
	int64_t id = put_job(store, "m", "d", fields, priority);

	if (jobs) jobs_wake(jobs);
	return id;
}

/* The job as it stands; the caller clears it. */
static inline struct store_job look(int64_t id)
{
	struct store_job job;

	OK(store->job_get(store, id, &job, &e));
	return job;
}

static inline enum job_state state_of(int64_t id)
{
	struct store_job job = look(id);
	enum job_state state = job.state;

	store_job_clear(&job);
	return state;
}

/* Between two looks. False when it has taken too long. */
static inline bool patience(int *looks)
{
	const struct timespec pause = { 0, 5000000 };

	nanosleep(&pause, NULL);
	return ++*looks < WAIT_SECONDS * 200;
}

static inline struct store_job wait_for_end(int64_t id)
{
	int looks = 0;

	while (!job_state_ended(state_of(id)))
		ck_assert_msg(patience(&looks), "job %lld does not end", (long long)id);
	return look(id);
}

/* Until so many epochs are done. */
static inline void wait_for_epoch(int64_t id, uint64_t epoch)
{
	struct progress progress;
	int looks = 0;

	while (!jobs_progress(jobs, id, &progress) || progress.point.epoch < epoch)
		ck_assert_msg(patience(&looks), "job %lld does not run", (long long)id);
	ck_assert_uint_eq(progress.rows, 40);
	ck_assert_uint_eq(progress.validates, 0);
}

static inline int add_block(void *self, const struct store_curve_block *block, struct err *why)
{
	return curve_decode(self, block->data, block->size, 0, UINT64_MAX, why);
}

static inline struct curve curve_of(int64_t id)
{
	struct curve curve = { 0 };

	OK(store->curve_read(store, id, 0, UINT64_MAX, add_block, &curve, &e));
	return curve;
}

static inline void is(const char *text, const char *wanted)
{
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, wanted);
}

#endif
