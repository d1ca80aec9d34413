/* run.c - a claimed job under way.
 *
 * Two threads work on it: the worker's waits for the disk, the trainer's computes at idle priority and never touches
 * the store. Between them lie the record of curve points (record.h), the snapshot, the run under its lock, which no
 * request takes, and the progress cell. While the trainer trains, the worker writes the curve every JOBS_FLUSH_MS and a
 * checkpoint when it is time, and renews its claim. A disk that fails meanwhile is waited for; a claim that is lost ends
 * the run, and nothing more is written.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "server/jobs/crew.h"
#include "server/jobs/jobs_parts.h"

#define SAVE_AGAIN_MS 5000 /* at most, until a checkpoint that failed is tried again */

/* ---- memory: a share for each running job ---- */

static int take_memory(struct run *run, struct err *e)
{
	struct jobs *jobs = run->worker->jobs;
	size_t need = training_size(run->training)->bytes, budget = jobs->config.memory_bytes;
	bool taken = false;
	int rc;

	if ((rc = training_fits(training_size(run->training), budget, e))) return rc;
	pthread_mutex_lock(&jobs->lock);
	while (!atomic_load(&run->worker->stop) &&
			(jobs->memory_taken + need > budget ||
					!(taken = memory_take(jobs->config.memory, need)))) {
		struct timespec until = jobs_at(jobs_clock_ms() + JOBS_FLUSH_MS);

		pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until);
	}
	if (!taken) memory_add(jobs->config.memory, need); /* it was stopped, and ends before it needs it */
	jobs->memory_taken += need;
	pthread_mutex_unlock(&jobs->lock);
	run->memory = need;
	return 0;
}

static void give_memory(struct run *run)
{
	struct jobs *jobs = run->worker->jobs;

	pthread_mutex_lock(&jobs->lock);
	jobs->memory_taken -= run->memory;
	memory_give(jobs->config.memory, run->memory);
	pthread_cond_broadcast(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
}

/* ---- how far it is, as others see it ---- */

/* Training begins, or goes on after what was last. */
static void begin_progress(struct run *run)
{
	const struct train_config *config = &training_request(run->training)->core;
	struct progress *progress = &run->progress;
	uint64_t rows = training_rows(run->training);

	progress->rows = rows;
	progress->validates = training_validates(run->training);
	progress->batches = config->batch_size ? (rows + config->batch_size - 1) / config->batch_size : 1;
	pace_begin(&run->pace, &run->last, config->evaluate_every, pace_clock(), progress);
	atomic_store(&run->worker->steps, run->last.step);
	progress_write(&run->worker->progress, progress);
}

/* What has changed since it was last shown. Here and not where it happens: thousands of changes a second would be no news,
 * and who asks again gets the same answer until there is some. */
static void show_progress(struct run *run)
{
	uint64_t steps = atomic_load_explicit(&run->worker->steps, memory_order_relaxed), shown = run->shown;
	struct progress progress;

	if (steps == shown) return;
	pthread_mutex_lock(&run->lock);
	progress = run->progress;
	pthread_mutex_unlock(&run->lock);
	run->shown = steps;
	progress.steps = steps > progress.point.step ? steps : progress.point.step;
	progress.at = pace_clock();
	progress_write(&run->worker->progress, &progress);
}

/* ---- the trainer's thread ---- */

/* A run that has come to its rest is paused, unless it is to stop for another reason or to end. */
static void look_for_rest(struct run *run, uint64_t epoch)
{
	int none = STOP_NOT;

	if (!run->job.rest || epoch < run->job.rest || epoch >= run->job.epochs) return;
	if (atomic_load(&run->worker->time_up)) return;
	atomic_compare_exchange_strong(&run->worker->stop, &none, STOP_PAUSE);
}

static void on_epoch(void *self, const struct train_point *point)
{
	struct run *run = self;
	double now = pace_clock();

	pthread_mutex_lock(&run->lock);
	run->last = *point;
	pace_note(&run->pace, point, now, &run->progress);
	pthread_mutex_unlock(&run->lock);
	atomic_fetch_add_explicit(&run->worker->jobs->samples, run->progress.rows, memory_order_relaxed);
	if (run->record.recorder.keep != CURVE_STEP) record_point(&run->record, point);
	look_for_rest(run, point->epoch);
}

static void on_step(void *self, const struct train_point *point)
{
	struct run *run = self;

	record_point(&run->record, point);
}

static void on_health(void *self, uint64_t epoch, const struct train_health *rows, size_t layers)
{
	struct run *run = self;

	record_health(&run->record, epoch, rows, layers);
	run->layers.epoch = epoch;
	run->layers.count = layers;
	memcpy(run->layers.rows, rows, layers * sizeof *rows);
	layers_write(&run->worker->layers, &run->layers);
}

static void *train_main(void *arg)
{
	struct run *run = arg;
	struct training_watch watch = { .self = run,
		.epoch = on_epoch,
		.health = on_health,
		.steps = &run->worker->steps,
		.time_up = &run->worker->time_up,
		.checkpoint = snapshot_take,
		.save = &run->save };
	int rc;

	if (run->record.recorder.keep == CURVE_STEP) watch.step = on_step;
	crew_idle_priority();
	rc = training_run(run->training, &watch, &run->result, &run->e);
	pthread_mutex_lock(&run->lock);
	run->rc = rc;
	run->done = true;
	pthread_cond_signal(&run->changed);
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

/* ---- what the worker does beside it ---- */

/* May it pass? */
static bool passes(int rc)
{
	return rc == ERR_DISK_FULL || rc == ERR_IO || rc == ERR_BUSY;
}

int run_trouble(struct run *run, enum trouble what, int rc, const struct err *e)
{
	struct jobs *jobs = run->worker->jobs;
	unsigned before = run->trouble;

	if (rc && !passes(rc)) return rc;
	run->trouble = rc ? before | what : before & ~(unsigned)what;
	if (!run->trouble == !before) return 0;
	pthread_mutex_lock(&jobs->lock);
	if (rc)
		snprintf(run->worker->trouble.text, sizeof run->worker->trouble.text,
				"the job goes on, but nothing of it can be kept: %.400s", e->text);
	else
		run->worker->trouble.text[0] = 0;
	pthread_mutex_unlock(&jobs->lock);
	jobs_say(jobs, run->job.id, rc ? "goes on, but cannot be written" : "can be written again",
			rc ? e->text : "");
	return 0;
}

bool run_pauses(const struct run *run)
{
	int stop = atomic_load(&run->worker->stop);

	if (run->rc || run->result.stop != TRAIN_STOPPED) return false;
	return stop == STOP_PAUSE || atomic_load(&run->worker->jobs->ending);
}

static void plan_save(struct run *run, bool failed)
{
	double seconds = training_request(run->training)->checkpoint_seconds;
	int64_t ms = seconds > 0 ? (int64_t)(seconds * 1000 + 0.5) : INT64_MAX;

	if (failed && ms > SAVE_AGAIN_MS && ms < INT64_MAX) ms = SAVE_AGAIN_MS;
	run->save_ms = ms < INT64_MAX ? jobs_clock_ms() + ms : INT64_MAX;
}

/* The points first; a snapshot that cannot be written now is dropped, as the trainer may have to wait for it, but kept
 * when it is the last. */
static int write_curve_and_snapshot(struct run *run, bool done, struct err *e)
{
	bool full = snapshot_full(run); /* before the points: those of before it are among them then */
	int rc = record_flush(&run->record, run_store(run), &run->job, e), refused;

	refused = run_trouble(run, TROUBLE_CURVE, rc, e);
	if (full && !rc) {
		rc = snapshot_write(run, e);
		refused = run_trouble(run, TROUBLE_CHECKPOINT, rc == ERR_NOMEM ? 0 : rc, e);
	}
	if (!full && done) /* nobody waits for one that was dropped */
		run_trouble(run, TROUBLE_CHECKPOINT, 0, e);
	if (!full || (rc && done)) return refused;
	snapshot_drop(run);
	plan_save(run, rc != 0);
	return refused;
}

static int renew(struct run *run, struct err *e)
{
	struct store *store = run_store(run);
	int rc;

	if (jobs_clock_ms() < run->renew_ms) return 0;
	run->renew_ms = jobs_clock_ms() + JOBS_RENEW_MS;
	rc = store->job_renew(store, run->job.id, run->job.attempt, JOBS_LEASE_MS, e);
	if (rc && passes(rc)) run->renew_ms = jobs_clock_ms() + JOBS_TROUBLE_SECONDS * 1000;
	return run_trouble(run, TROUBLE_LEASE, rc, e);
}

/* Until the trainer is done, a flush is due, or a snapshot is there or due. */
static bool await_change(struct run *run)
{
	int64_t until_ms = jobs_clock_ms() + JOBS_FLUSH_MS;
	struct timespec until;
	bool done;

	if (run->save_ms < until_ms) until_ms = run->save_ms;
	until = jobs_at(until_ms);
	pthread_mutex_lock(&run->lock);
	if (run->trouble || (!run->done && !run->snapshot.full))
		pthread_cond_timedwait(&run->changed, &run->lock, &until);
	done = run->done;
	pthread_mutex_unlock(&run->lock);
	if (jobs_clock_ms() >= run->save_ms) {
		atomic_store(&run->save, 1);
		run->save_ms = INT64_MAX; /* until it was written */
	}
	return done;
}

static void end_curve(struct run *run)
{
	if (run_pauses(run)) return; /* what is open goes on with the job */
	if (run->rc == ERR_DIVERGED)
		record_divergence(&run->record, &run->result, training_validates(run->training));
	record_end(&run->record);
}

/* A disk that fails is waited for at the end too, unless nobody wants what is to be written. */
static bool is_over(const struct run *run, bool done)
{
	if (!done || !run->trouble) return done;
	return atomic_load(&run->worker->stop) == STOP_CANCEL || atomic_load(&run->worker->jobs->ending);
}

/* One round; why the job cannot go on, or 0. */
static int work_along(struct run *run, bool done, struct err *e)
{
	int rc = write_curve_and_snapshot(run, done, e);

	family_tick(&run->worker->jobs->family);
	return rc ? rc : renew(run, e);
}

static int train(struct run *run, struct err *e)
{
	bool done = false, ended = false;
	pthread_t thread;
	int rc = 0;

	run->renew_ms = jobs_clock_ms() + JOBS_RENEW_MS;
	plan_save(run, false);
	begin_progress(run);
	look_for_rest(run, run->last.epoch);
	if (pthread_create(&thread, NULL, train_main, run))
		return err_set(e, ERR_NOMEM, "no thread could be had");
	while (!rc && !is_over(run, done)) {
		done = await_change(run);
		if (done && !ended) end_curve(run);
		ended = done;
		show_progress(run);
		rc = work_along(run, done, e);
	}
	if (rc) { /* the trainer may wait for room in the snapshot */
		atomic_store(&run->worker->stop, rc == ERR_CONFLICT ? STOP_LOST : STOP_CANCEL);
		while (!done) {
			snapshot_drop(run);
			done = await_change(run);
		}
	}
	pthread_join(thread, NULL);
	if (rc) return rc;
	*e = run->e;
	return run->rc;
}

/* ---- from the claim to the end ---- */

static void say_scratch(const struct run *run)
{
	size_t bytes = training_size(run->training)->scratch_bytes;
	char text[48];

	snprintf(text, sizeof text, "%.0f MiB", (double)bytes / 1048576);
	if (bytes) jobs_say(run->worker->jobs, run->job.id, "reads its rows from a scratch file", text);
}

static int prepare(struct run *run, struct err *e)
{
	struct worker *worker = run->worker;
	const struct jobs_config *config = &worker->jobs->config;
	struct training_needs needs = { config->store, config->engine, &worker->stop, config->memory_bytes,
		config->database };
	int rc;

	if ((rc = training_new(&run->training, &needs, &run->job, e))) return rc;
	run->record.recorder.keep = training_request(run->training)->record;
	if ((rc = take_memory(run, e))) return rc;
	say_scratch(run);
	if ((rc = training_load(run->training, e))) return rc;
	if ((rc = training_start(run->training, e))) return rc;
	if ((rc = snapshot_resume(run, e))) return rc;
	return snapshot_new(run, e);
}

void run_job(struct run *run)
{
	struct err e = { "" };
	int rc;

	pthread_mutex_init(&run->lock, NULL);
	jobs_cond_new(&run->changed);
	pthread_cond_init(&run->snapshot.emptied, NULL);
	record_init(&run->record, CURVE_AUTO);
	if (!(rc = prepare(run, &e))) rc = train(run, &e);
	run_end(run, rc, &e);
	if (run->trouble) run_trouble(run, (enum trouble)run->trouble, 0, NULL);
	give_memory(run);
	snapshot_clear(run);
	training_free(run->training);
	record_clear(&run->record);
	pthread_cond_destroy(&run->snapshot.emptied);
	pthread_cond_destroy(&run->changed);
	pthread_mutex_destroy(&run->lock);
}
