/* worker.c - a worker's life: claim a job, run it, and when there is none wait to be woken. Claims that nobody renewed
 * are looked for meanwhile, once those of this daemon are renewed, whatever their workers wait for; and then and now
 * whether a parent of jobs has something to do that was missed. */
#include "server/jobs/crew.h"
#include "server/jobs/jobs_parts.h"

static void take_up(struct worker *worker, const struct store_job *job)
{
	const struct progress nothing = { 0 };
	static const struct layers none;

	pthread_mutex_lock(&worker->jobs->lock);
	atomic_store(&worker->job, 0); /* while its progress changes */
	progress_write(&worker->progress, &nothing);
	layers_write(&worker->layers, &none);
	atomic_store(&worker->steps, 0);
	atomic_store(&worker->stop, STOP_NOT);
	atomic_store(&worker->time_up, job->end_requested);
	atomic_store(&worker->parent, job->parent);
	atomic_store(&worker->job, job->id);
	worker->attempt = job->attempt;
	pthread_mutex_unlock(&worker->jobs->lock);
}

static void put_down(struct worker *worker)
{
	pthread_mutex_lock(&worker->jobs->lock);
	worker->attempt = 0;
	worker->trouble.text[0] = 0;
	pthread_mutex_unlock(&worker->jobs->lock);
}

/* A wish that came after the claim and before the worker had the job's number in `job` was seen by nobody. */
static void look_for_wishes(struct worker *worker, int64_t id)
{
	struct store *store = worker->jobs->config.store;
	struct store_job now = { 0 };

	if (!store->job_get(store, id, &now, NULL)) {
		if (now.cancel_requested)
			atomic_store(&worker->stop, STOP_CANCEL);
		else if (now.pause_requested)
			atomic_store(&worker->stop, STOP_PAUSE);
		if (now.end_requested) atomic_store(&worker->time_up, 1);
	}
	store_job_clear(&now);
	if (atomic_load(&worker->jobs->ending)) atomic_store(&worker->stop, STOP_END);
}

/* False: it could not be written. */
static bool renew_own(struct jobs *jobs)
{
	struct store *store = jobs->config.store;
	const unsigned started = atomic_load(&jobs->started);

	for (unsigned i = 0; i < started; i++) {
		const struct worker *worker = &jobs->workers[i];
		int64_t id, attempt;
		int rc;

		pthread_mutex_lock(&jobs->lock);
		id = atomic_load(&worker->job);
		attempt = worker->attempt;
		pthread_mutex_unlock(&jobs->lock);
		if (!attempt) continue;
		rc = store->job_renew(store, id, attempt, JOBS_LEASE_MS, NULL);
		if (rc && rc != ERR_CONFLICT && rc != ERR_NOT_FOUND) return false;
	}
	return true;
}

static bool expiry_is_due(struct jobs *jobs)
{
	const int64_t now_ms = jobs_clock_ms();
	bool due;

	pthread_mutex_lock(&jobs->lock);
	if ((due = now_ms >= jobs->expire_ms)) jobs->expire_ms = now_ms + JOBS_RENEW_MS;
	pthread_mutex_unlock(&jobs->lock);
	return due;
}

static void expire(struct jobs *jobs)
{
	struct store *store = jobs->config.store;
	size_t count;
	struct err e;

	if (!expiry_is_due(jobs) || !renew_own(jobs)) return;
	if (store->job_expire(store, jobs->crashed, &count, &e))
		jobs_say(jobs, 0, "could not be looked at", e.text);
}

/* Waits for a wake-up beyond the ones seen, at most until the clock is at until_ms; false when the daemon ends. */
static bool await_work(struct jobs *jobs, uint64_t *seen, int64_t until_ms)
{
	const struct timespec until = jobs_at(until_ms);

	pthread_mutex_lock(&jobs->lock);
	while (!atomic_load(&jobs->ending) && jobs->wakes == *seen)
		if (pthread_cond_timedwait(&jobs->wake, &jobs->lock, &until)) break;
	*seen = jobs->wakes;
	pthread_mutex_unlock(&jobs->lock);
	return !atomic_load(&jobs->ending);
}

/* False when the worker is one too many, or the daemon ends; it is not alive any more then. */
static bool is_wanted(struct worker *worker)
{
	struct jobs *jobs = worker->jobs;

	bool wanted;

	pthread_mutex_lock(&jobs->lock);
	worker->alive = wanted = !atomic_load(&jobs->ending) && worker < jobs->workers + jobs->wanted;
	pthread_mutex_unlock(&jobs->lock);
	return wanted;
}

/* Is something to be tried again soon? */
static bool troubled(struct jobs *jobs, int rc)
{
	return rc != ERR_NOT_FOUND || atomic_load(&jobs->family.behind);
}

void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct jobs *jobs = worker->jobs;
	struct store *store = jobs->config.store;
	uint64_t seen = 0;

	crew_low_priority();
	while (is_wanted(worker)) {
		struct run run = { .worker = worker };
		struct err e;
		int64_t until_ms, tick_ms;
		int rc = store->job_claim(store, jobs->owner, JOBS_LEASE_MS, &run.job, &e);

		if (!rc) {
			take_up(worker, &run.job);
			look_for_wishes(worker, run.job.id);
			run_job(&run);
			put_down(worker);
			store_job_clear(&run.job);
			continue;
		}
		if (rc != ERR_NOT_FOUND) jobs_say(jobs, 0, "could not be claimed", e.text);
		until_ms = jobs_clock_ms() +
			   (troubled(jobs, rc) ? JOBS_TROUBLE_SECONDS * 1000 : JOBS_RENEW_MS);
		tick_ms = jobs_clock_ms() + FAMILY_TICK_MS;
		if (!atomic_load(&jobs->family.timed) || tick_ms > until_ms) tick_ms = until_ms;
		if (!await_work(jobs, &seen, tick_ms)) continue;
		expire(jobs);
		family_tick(&jobs->family);
		if (jobs_clock_ms() >= until_ms || atomic_load(&jobs->family.behind))
			family_settle_all(&jobs->family);
	}
	return NULL;
}
