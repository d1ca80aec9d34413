/* jobs.c - the workers. See jobs.h.
 *
 * Two threads work on a job: the worker waits for the disk, the trainer computes at idle priority and never
 * touches the store. Between them lie the record of curve points (record.h), the run under its lock, which no request
 * takes, and the progress cell. A job that is told to stop either was cancelled (`cancelled`) or the daemon ends: then it
 * goes back to the queue.
 */
#include "server/jobs/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/codec/json.h"
#include "server/codec/problem.h"
#include "server/jobs/crew.h"
#include "server/jobs/record.h"
#include "server/jobs/training.h"

#define OWNER           "descentd"
#define LEASE_MS        (60 * 60 * 1000)
#define TROUBLE_SECONDS 1 /* before the store is asked again after it failed */

struct worker {
	struct jobs *jobs;
	pthread_t thread;
	_Atomic int64_t job; /* stays until the next one: who read that it runs still finds how far it came */
	atomic_int stop;     /* not 0: end the job */
	struct progress_cell progress;
};

struct jobs {
	struct jobs_config config;
	pthread_mutex_t lock; /* of the next four, and of a worker's change of job; no request takes it for long */
	pthread_cond_t wake;
	uint64_t wakes;
	size_t memory_taken;
	atomic_bool ending;
	unsigned started;
	struct worker workers[];
};

/* One claimed job under way. */
struct run {
	struct worker *worker;
	struct store_job job;
	struct training *training;
	size_t memory;
	struct record record;
	pthread_mutex_t lock; /* of the rest, which the trainer's thread writes */
	pthread_cond_t changed;
	struct train_point last;
	bool done;
	struct train_result result;
	int rc;
	struct err e;
};

static void say(const struct jobs *jobs, int64_t id, const char *what, const char *why)
{
	char text[ERR_TEXT_BYTES + 64];

	snprintf(text, sizeof text, "job %lld %s%s%s", (long long)id, what, *why ? ": " : "", why);
	jobs->config.log(jobs->config.log_self, text);
}

static struct timespec after_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static int cond_new(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int rc;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return rc;
}

/* ---- memory: a share for each running job ---- */

static int take_memory(struct run *run, struct err *e)
{
	struct jobs *jobs = run->worker->jobs;
	size_t need = training_size(run->training)->bytes, budget = jobs->config.memory_bytes;
	int rc;

	if ((rc = training_fits(training_size(run->training), budget, e))) return rc;
	pthread_mutex_lock(&jobs->lock);
	while (jobs->memory_taken + need > budget && !atomic_load(&run->worker->stop)) {
		struct timespec until = after_ms(JOBS_FLUSH_MS);

		pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until);
	}
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
	pthread_cond_broadcast(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
}

/* ---- training, and the curve beside it ---- */

static void on_epoch(void *self, const struct train_point *point)
{
	struct run *run = self;
	struct progress progress = { *point, training_rows(run->training),
		training_validates(run->training) };

	progress_write(&run->worker->progress, &progress);
	pthread_mutex_lock(&run->lock);
	run->last = *point;
	pthread_mutex_unlock(&run->lock);
	if (run->record.recorder.keep != CURVE_STEP) record_point(&run->record, point);
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
}

static void *train_main(void *arg)
{
	struct run *run = arg;
	struct training_watch watch = { .self = run, .epoch = on_epoch, .health = on_health };
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

static int train(struct run *run, struct err *e)
{
	struct store *store = run->worker->jobs->config.store;
	pthread_t thread;
	bool done = false;
	int rc = 0, flushed;

	if (pthread_create(&thread, NULL, train_main, run))
		return err_set(e, ERR_NOMEM, "no thread could be had");
	while (!done) {
		struct timespec until = after_ms(JOBS_FLUSH_MS);

		pthread_mutex_lock(&run->lock);
		if (!run->done) pthread_cond_timedwait(&run->changed, &run->lock, &until);
		done = run->done;
		pthread_mutex_unlock(&run->lock);
		if (done && run->rc == ERR_DIVERGED)
			record_divergence(&run->record, &run->result, training_validates(run->training));
		if (done) record_end(&run->record);
		if ((flushed = record_flush(&run->record, store, &run->job, e)) &&
				!rc) { /* the job is no longer ours, or the disk failed */
			rc = flushed;
			atomic_store(&run->worker->stop, 1);
		}
	}
	pthread_join(thread, NULL);
	if (rc) return rc;
	*e = run->e;
	return run->rc;
}

/* ---- the end of a job ---- */

/* Writes the end, as often as it takes: a full disk may get room. ERR_CONFLICT: it is not ours any more;
 * ERR_NOT_FOUND: what was to be published is gone. */
static int finish(struct run *run, const struct store_job_end *end, struct err *e)
{
	struct jobs *jobs = run->worker->jobs;
	struct store *store = jobs->config.store;
	struct timespec pause = { TROUBLE_SECONDS, 0 };
	uint64_t version;
	int rc;

	while ((rc = store->job_finish(store, end, &version, e)) && rc != ERR_CONFLICT &&
			rc != ERR_NOT_FOUND) {
		say(jobs, run->job.id, "could not be ended", e->text);
		if (atomic_load(&jobs->ending)) return rc;
		nanosleep(&pause, NULL);
	}
	if (rc)
		say(jobs, run->job.id, "could not be ended", e->text);
	else
		registry_forget(jobs->config.registry, run->job.model);
	return rc;
}

/* An error: the job has not ended yet. */
static int publish(struct run *run, struct store_job_end end, struct err *e)
{
	struct store *store = run->worker->jobs->config.store;
	struct store_version_new version = { .training = run->job.config,
		.engine = run->worker->jobs->config.engine->name };
	json_t *metrics, *dataset = training_dataset(run->training);
	char *metrics_text = NULL, *dataset_text = NULL;
	unsigned char *bytes = NULL;
	size_t size;
	int rc;

	metrics = training_metrics(training_point(run->training), training_validates(run->training));
	version.metrics = metrics_text = json_text(metrics, false);
	version.dataset = dataset_text = json_text(dataset, false);
	if (!metrics_text || !dataset_text) {
		rc = err_nomem(e);
		goto out;
	}
	if ((rc = training_write(run->training, &bytes, &size, e))) goto out;
	if ((rc = store->blob_write(store, bytes, size, &version.blob, e))) goto out;
	version.size_bytes = size;
	end.version = &version;
	end.metrics = metrics_text;
	if ((rc = finish(run, &end, e))) store->blob_discard(store, version.blob);
	if (rc != ERR_NOT_FOUND)
		rc = 0; /* else it is not ours any more, or is found again at the next start */
out:
	json_decref(metrics);
	json_decref(dataset);
	free(metrics_text);
	free(dataset_text);
	free(bytes);
	return rc;
}

static char *error_text(int rc, const struct err *e)
{
	struct problem problem = problem_of(rc, false);
	json_t *document = problem_document(&problem, e, NULL);
	char *text = document ? json_text(document, false) : NULL;

	json_decref(document);
	return text;
}

static void end_badly(struct run *run, struct store_job_end *end, int rc, const struct err *e)
{
	char *error = error_text(rc, e);
	struct err why;

	end->state = JOB_FAILED;
	end->stop_reason = rc == ERR_DIVERGED ? "diverged" : "error";
	end->error = error;
	say(run->worker->jobs, run->job.id, "failed", e->text);
	finish(run, end, &why);
	free(error);
}

static double samples_per_second(const struct run *run)
{
	if (!run->training || run->last.seconds <= 0) return 0;
	return (double)training_rows(run->training) * (double)run->last.epoch / run->last.seconds;
}

static void end_run(struct run *run, int rc, struct err *e)
{
	struct jobs *jobs = run->worker->jobs;
	bool stopped = atomic_load(&run->worker->stop) && (!rc || rc == ERR_STOPPED);
	struct store_job_end end = { .id = run->job.id,
		.attempt = run->job.attempt,
		.state = JOB_SUCCEEDED,
		.epoch = run->last.epoch,
		.step = run->last.step,
		.samples_per_second = samples_per_second(run) };
	json_t *metrics = json_object(), *best = json_null();
	char *metrics_text, *best_text;

	if (run->training) {
		json_decref(metrics);
		metrics = training_metrics(&run->last, training_validates(run->training));
		best = training_best(&run->last, training_request(run->training));
	}
	metrics_text = json_text(metrics, false);
	best_text = json_text(best, false);
	end.metrics = metrics_text ? metrics_text
				   : "{}"; /* the end of a job is worth more than its figures */
	end.best = best_text ? best_text : "null";
	stopped = stopped && (rc || run->result.stop == TRAIN_STOPPED);
	if (stopped && atomic_load(&jobs->ending)) {
		if (jobs->config.store->job_requeue(jobs->config.store, run->job.id, run->job.attempt, e))
			say(jobs, run->job.id, "could not be queued again", e->text);
	} else if (stopped) {
		end.state = JOB_CANCELLED;
		end.stop_reason = "cancelled";
		finish(run, &end, e);
	} else {
		end.stop_reason = train_stop_name(run->result.stop);
		if (!rc) rc = publish(run, end, e);
		if (rc) end_badly(run, &end, rc, e);
	}
	json_decref(metrics);
	json_decref(best);
	free(metrics_text);
	free(best_text);
}

/* ---- workers ---- */

static void say_scratch(const struct run *run)
{
	size_t bytes = training_size(run->training)->scratch_bytes;
	char text[48];

	snprintf(text, sizeof text, "%.0f MiB", (double)bytes / 1048576);
	if (bytes) say(run->worker->jobs, run->job.id, "reads its rows from a scratch file", text);
}

static int prepare(struct run *run, struct err *e)
{
	struct worker *worker = run->worker;
	const struct jobs_config *config = &worker->jobs->config;
	struct training_needs needs = { config->store, config->engine, &worker->stop, config->memory_bytes,
		config->database };
	int rc;

	if ((rc = config->store->curve_rewind(config->store, run->job.id, run->job.attempt, 0, e))) return rc;
	if ((rc = training_new(&run->training, &needs, &run->job, e))) return rc;
	run->record.recorder.keep = training_request(run->training)->record;
	if ((rc = take_memory(run, e))) return rc;
	say_scratch(run);
	return training_load(run->training, e);
}

/* A wish to cancel that came after the claim and before the worker had the job's number in `job` was seen by nobody. */
static bool was_cancelled(struct run *run)
{
	struct store *store = run->worker->jobs->config.store;
	struct store_job now = { 0 };
	bool cancelled = !store->job_get(store, run->job.id, &now, NULL) && now.cancel_requested;

	store_job_clear(&now);
	return cancelled;
}

static void take_up(struct worker *worker, int64_t job)
{
	const struct progress nothing = { 0 };

	pthread_mutex_lock(&worker->jobs->lock);
	atomic_store(&worker->job, 0); /* while its progress changes */
	progress_write(&worker->progress, &nothing);
	atomic_store(&worker->stop, 0);
	atomic_store(&worker->job, job);
	pthread_mutex_unlock(&worker->jobs->lock);
}

static void run_job(struct run *run)
{
	struct worker *worker = run->worker;
	struct err e = { "" };
	int rc;

	take_up(worker, run->job.id);
	if (was_cancelled(run) || atomic_load(&worker->jobs->ending)) atomic_store(&worker->stop, 1);
	pthread_mutex_init(&run->lock, NULL);
	cond_new(&run->changed);
	record_init(&run->record, CURVE_AUTO);
	if (!(rc = prepare(run, &e))) rc = train(run, &e);
	end_run(run, rc, &e);
	give_memory(run);
	training_free(run->training);
	record_clear(&run->record);
	pthread_cond_destroy(&run->changed);
	pthread_mutex_destroy(&run->lock);
}

/* Waits for a wake-up beyond the ones seen, or for trouble to pass; false when the daemon ends. */
static bool await_work(struct jobs *jobs, uint64_t *seen, bool trouble)
{
	struct timespec until = after_ms(TROUBLE_SECONDS * 1000L);

	pthread_mutex_lock(&jobs->lock);
	while (!atomic_load(&jobs->ending) && jobs->wakes == *seen)
		if (!trouble)
			pthread_cond_wait(&jobs->wake, &jobs->lock);
		else if (pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until))
			break;
	*seen = jobs->wakes;
	pthread_mutex_unlock(&jobs->lock);
	return !atomic_load(&jobs->ending);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct jobs *jobs = worker->jobs;
	struct store *store = jobs->config.store;
	uint64_t seen = 0;

	while (!atomic_load(&jobs->ending)) {
		struct run run = { .worker = worker };
		struct err e;
		int rc = store->job_claim(store, OWNER, LEASE_MS, &run.job, &e);

		if (!rc) run_job(&run);
		store_job_clear(&run.job);
		if (rc && rc != ERR_NOT_FOUND) say(jobs, 0, "could not be claimed", e.text);
		if (rc && !await_work(jobs, &seen, rc != ERR_NOT_FOUND)) break;
	}
	return NULL;
}

/* ---- what others call ---- */

void jobs_wake(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->wakes++;
	pthread_cond_broadcast(&jobs->wake);
	pthread_mutex_unlock(&jobs->lock);
}

/* Under the lock, as a worker may be taking its next job: that one must not be stopped for the last one's sake. */
void jobs_cancel(struct jobs *jobs, int64_t id)
{
	pthread_mutex_lock(&jobs->lock);
	for (unsigned i = 0; i < jobs->started; i++)
		if (atomic_load(&jobs->workers[i].job) == id) atomic_store(&jobs->workers[i].stop, 1);
	pthread_mutex_unlock(&jobs->lock);
}

bool jobs_progress(const struct jobs *jobs, int64_t id, struct progress *out)
{
	for (unsigned i = 0; i < jobs->started; i++) {
		const struct worker *worker = &jobs->workers[i];

		if (atomic_load(&worker->job) != id) continue;
		progress_read(&worker->progress, out);
		if (atomic_load(&worker->job) == id) return true;
	}
	return false;
}

int jobs_start(struct jobs **out, const struct jobs_config *config, struct err *e)
{
	struct jobs *jobs = calloc(1, sizeof *jobs + config->workers * sizeof *jobs->workers);
	char text[80];
	size_t again;
	int rc;

	*out = NULL;
	if (!jobs) return err_nomem(e);
	jobs->config = *config;
	pthread_mutex_init(&jobs->lock, NULL);
	cond_new(&jobs->wake);
	if ((rc = config->store->job_recover(config->store, NULL, &again, e))) goto fail;
	if (again) {
		snprintf(text, sizeof text, "%zu unfinished jobs were found and queued again", again);
		config->log(config->log_self, text);
	}
	for (; jobs->started < config->workers; jobs->started++) {
		struct worker *worker = &jobs->workers[jobs->started];

		worker->jobs = jobs;
		if (!pthread_create(&worker->thread, NULL, worker_main, worker)) continue;
		rc = err_set(e, ERR_NOMEM, "no thread could be had for a worker");
		goto fail;
	}
	*out = jobs;
	return 0;
fail:
	jobs_stop(jobs);
	return rc;
}

void jobs_stop(struct jobs *jobs)
{
	if (!jobs) return;
	atomic_store(&jobs->ending, true);
	for (unsigned i = 0; i < jobs->started; i++)
		atomic_store(&jobs->workers[i].stop, 1);
	jobs_wake(jobs);
	for (unsigned i = 0; i < jobs->started; i++)
		pthread_join(jobs->workers[i].thread, NULL);
	pthread_cond_destroy(&jobs->wake);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}
