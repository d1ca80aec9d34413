/* jobs.c - the pool of workers as others see it. See jobs.h, and jobs_parts.h for the files beside this one. */
#include "server/jobs/jobs_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/codec/json.h"
#include "server/jobs/failure.h"

void jobs_say(const struct jobs *jobs, int64_t id, const char *what, const char *why)
{
	char text[ERR_TEXT_BYTES + 128];

	snprintf(text, sizeof text, "job %lld %s%s%s", (long long)id, what, *why ? ": " : "", why);
	jobs->config.log(jobs->config.log_self, text);
}

/* ---- the clock that nobody sets ---- */

int64_t jobs_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec jobs_at(int64_t clock_ms)
{
	return (struct timespec){ clock_ms / 1000, clock_ms % 1000 * 1000000 };
}

int jobs_cond_new(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int rc;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	rc = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return rc;
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
static void stop_job(struct jobs *jobs, int64_t id, enum stop why)
{
	pthread_mutex_lock(&jobs->lock);
	for (unsigned i = 0; i < jobs->started; i++) {
		struct worker *worker = &jobs->workers[i];

		if (atomic_load(&worker->job) == id || atomic_load(&worker->parent) == id)
			atomic_store(&worker->stop, why);
	}
	pthread_mutex_unlock(&jobs->lock);
}

void jobs_cancel(struct jobs *jobs, int64_t id)
{
	stop_job(jobs, id, STOP_CANCEL);
}

void jobs_pause(struct jobs *jobs, int64_t id)
{
	stop_job(jobs, id, STOP_PAUSE);
}

void jobs_wrap_up(struct jobs *jobs, int64_t id)
{
	pthread_mutex_lock(&jobs->lock);
	for (unsigned i = 0; i < jobs->started; i++)
		if (atomic_load(&jobs->workers[i].job) == id) atomic_store(&jobs->workers[i].time_up, 1);
	pthread_mutex_unlock(&jobs->lock);
}

unsigned jobs_workers(struct jobs *jobs)
{
	unsigned workers;

	pthread_mutex_lock(&jobs->lock);
	workers = jobs->wanted;
	pthread_mutex_unlock(&jobs->lock);
	return workers;
}

uint64_t jobs_samples(const struct jobs *jobs)
{
	return atomic_load(&jobs->samples);
}

const char *jobs_engine(const struct jobs *jobs)
{
	return jobs->config.engine->name;
}

void jobs_published(struct jobs *jobs, const char *model)
{
	registry_forget(jobs->config.registry, model);
}

void jobs_settle(struct jobs *jobs, int64_t parent)
{
	family_settle(&jobs->family, parent);
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

bool jobs_layers(const struct jobs *jobs, int64_t id, struct layers *out)
{
	for (unsigned i = 0; i < jobs->started; i++) {
		const struct worker *worker = &jobs->workers[i];

		if (atomic_load(&worker->job) != id) continue;
		layers_read(&worker->layers, out);
		if (atomic_load(&worker->job) == id) return true;
	}
	return false;
}

bool jobs_trouble(struct jobs *jobs, int64_t id, struct err *out)
{
	bool found = false;

	pthread_mutex_lock(&jobs->lock);
	for (unsigned i = 0; i < jobs->started && !found; i++) {
		const struct worker *worker = &jobs->workers[i];

		found = worker->trouble.text[0] && atomic_load(&worker->job) == id;
		if (found) *out = worker->trouble;
	}
	pthread_mutex_unlock(&jobs->lock);
	return found;
}

/* ---- start and stop ---- */

/* What a job says that was cut off too often; new. */
static char *crashed_document(void)
{
	struct err e;
	const struct failure failure = { .rc = ERR_CRASHED, .e = &e };
	json_t *document;
	char *text;

	err_set(&e, ERR_CRASHED,
			"the daemon ended %d times while it trained this, without a new checkpoint: look in its log and "
			"the system's for why (was it killed for want of memory?); try fewer threads, smaller batches or "
			"layers, a lower --memory-budget, or a shorter checkpoint_every_seconds",
			STORE_CRASHES_MAX);
	document = failure_document(&failure);
	text = json_text(document, false);
	json_decref(document);
	return text;
}

static int name_owner(struct jobs *jobs, struct err *e)
{
	char host[64] = "here";

	gethostname(host, sizeof host - 1);
	snprintf(jobs->owner, sizeof jobs->owner, "%s/%ld", host, (long)getpid());
	jobs->crashed = crashed_document();
	return jobs->crashed ? 0 : err_nomem(e);
}

static int recover(struct jobs *jobs, struct err *e)
{
	const struct jobs_config *config = &jobs->config;
	char text[80];
	size_t again;
	int rc;

	if ((rc = config->store->job_recover(config->store, jobs->crashed, &again, e)) || !again) return rc;
	snprintf(text, sizeof text, "%zu unfinished jobs were found and queued again", again);
	config->log(config->log_self, text);
	return 0;
}

/* The lock is held. A thread that is not alive any more has let go of the lock for good. */
static int start_worker(struct jobs *jobs, struct worker *worker, struct err *e)
{
	if (worker->alive) return 0;
	if (worker->joinable) pthread_join(worker->thread, NULL);
	worker->jobs = jobs;
	worker->joinable = worker->alive = !pthread_create(&worker->thread, NULL, worker_main, worker);
	return worker->alive ? 0 : err_set(e, ERR_NOMEM, "no thread could be had for a worker");
}

int jobs_set_workers(struct jobs *jobs, unsigned workers, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&jobs->lock);
	jobs->wanted = workers;
	for (unsigned i = 0; i < workers && !rc; i++) {
		rc = start_worker(jobs, &jobs->workers[i], e);
		if (!rc && i == atomic_load(&jobs->started)) atomic_store(&jobs->started, i + 1);
	}
	pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs);                  /* who is too many may be waiting */
	family_settle_all(&jobs->family); /* sweeps have as many runs as there are workers */
	return rc;
}

int jobs_start(struct jobs **out, const struct jobs_config *config, struct err *e)
{
	struct jobs *jobs = calloc(1, sizeof *jobs);
	int rc;

	*out = NULL;
	if (!jobs) return err_nomem(e);
	jobs->config = *config;
	pthread_mutex_init(&jobs->lock, NULL);
	jobs_cond_new(&jobs->wake);
	family_init(&jobs->family, config->store, jobs, config->log, config->log_self);
	if (!(rc = name_owner(jobs, e)) && !(rc = recover(jobs, e)))
		rc = jobs_set_workers(jobs, config->workers, e);
	if (rc)
		jobs_stop(jobs);
	else
		*out = jobs;
	return rc;
}

void jobs_stop(struct jobs *jobs)
{
	if (!jobs) return;
	atomic_store(&jobs->ending, true);
	for (unsigned i = 0; i < jobs->started; i++)
		atomic_store(&jobs->workers[i].stop, STOP_END);
	jobs_wake(jobs);
	for (unsigned i = 0; i < jobs->started; i++)
		if (jobs->workers[i].joinable) pthread_join(jobs->workers[i].thread, NULL);
	family_stop(&jobs->family);
	family_destroy(&jobs->family);
	pthread_cond_destroy(&jobs->wake);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs->crashed);
	free(jobs);
}
