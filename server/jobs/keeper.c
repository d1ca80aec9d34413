/* keeper.c - retention. See keeper.h.
 *
 * Every TICK_MS the thread compares the newest id of the store's log with the one it saw; that takes no SQL. Only when
 * something was logged does it ask the store. What goes is swept by the writer when it has nothing else to do, so free
 * pages come later: for SHRINK_TICKS after the last thing that went, or page that was freed, they are asked for.
 */
#include "server/jobs/keeper.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS      500
#define SHRINK_TICKS 4
#define HOUR_TICKS   (3600 * 1000 / TICK_MS)
#define EVENTS_MAX   256 /* that are read at a time */

struct keeper {
	struct keeper_config config; /* jobs and versions under the lock */
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool stopping, changed;
	pthread_t thread;
	/* of the thread alone */
	int64_t seen;    /* event */
	unsigned shrink; /* ticks to go */
	unsigned hour;   /* ticks to go until answers are looked at */
	bool troubled;   /* and told */
};

static bool is_stopping(struct keeper *k)
{
	bool stopping;

	pthread_mutex_lock(&k->lock);
	stopping = k->stopping;
	pthread_mutex_unlock(&k->lock);
	return stopping;
}

/* ---- what goes ---- */

/* The registry forgets models that lost versions since event `from`. */
static int forget_unpublished(struct keeper *k, int64_t from, struct err *e)
{
	struct store *store = k->config.store;
	struct store_event *events;
	size_t count;
	int rc;

	do {
		if ((rc = store->events_after(store, from, 0, EVENTS_MAX, &events, &count, e))) return rc;
		for (size_t i = 0; i < count; i++) {
			if (!strcmp(events[i].kind, "unpublished"))
				registry_forget(k->config.registry, events[i].name);
			from = events[i].id;
			store_event_clear(&events[i]);
		}
		free(events);
	} while (count == EVENTS_MAX);
	return 0;
}

static int prune_jobs(struct keeper *k, uint32_t keep, struct err *e)
{
	struct store *store = k->config.store;
	size_t count = 1;
	int rc = 0;

	while (keep != KEEP_ALL && count && !rc && !is_stopping(k)) {
		rc = store->jobs_prune(store, keep, &count, e);
		if (!rc && count) k->shrink = SHRINK_TICKS;
	}
	return rc;
}

static int prune_versions(struct keeper *k, uint32_t keep, struct err *e)
{
	struct store *store = k->config.store;
	size_t count = 1;
	int rc = 0;

	while (keep != KEEP_ALL && count && !rc && !is_stopping(k)) {
		int64_t from = store->last_event(store);

		rc = store->versions_prune(store, keep, &count, e);
		if (rc || !count) continue;
		k->shrink = SHRINK_TICKS;
		rc = forget_unpublished(k, from, e);
	}
	return rc;
}

/* A tick without a page that was freed counts down. */
static int shrink(struct keeper *k, struct err *e)
{
	struct store *store = k->config.store;
	uint64_t freed = 1;
	int rc = 0;

	if (k->shrink)
		k->shrink--;
	else
		freed = 0;
	while (freed && !rc && !is_stopping(k)) {
		rc = store->shrink(store, &freed, e);
		if (!rc && freed) k->shrink = SHRINK_TICKS;
	}
	return rc;
}

static int prune_answers(struct keeper *k, struct err *e)
{
	struct timespec now;

	if (k->hour--) return 0;
	k->hour = HOUR_TICKS;
	clock_gettime(CLOCK_REALTIME, &now);
	return k->config.store->answers_prune(
			k->config.store, now.tv_sec * INT64_C(1000) - k->config.answers_ms, e);
}

/* ---- the thread ---- */

static void tick(struct keeper *k, bool changed)
{
	int64_t last = k->config.store->last_event(k->config.store);
	uint32_t jobs, versions;
	struct err e;
	int rc = 0;

	keeper_wants(k, &jobs, &versions);
	if (changed || last != k->seen)
		if (!(rc = prune_jobs(k, jobs, &e))) rc = prune_versions(k, versions, &e);
	if (!rc) k->seen = last;
	if (!rc) rc = shrink(k, &e);
	if (!rc) rc = prune_answers(k, &e);
	if (rc && !k->troubled) {
		char text[ERR_TEXT_BYTES + 64];

		snprintf(text, sizeof text,
				"what is beyond --keep-jobs and --keep-versions stays for now: %s", e.text);
		k->config.log(k->config.log_self, text);
	}
	k->troubled = rc;
}

static void *keeper_main(void *self)
{
	struct keeper *k = self;
	bool changed = true; /* at start */

	k->shrink = SHRINK_TICKS;
	for (;;) {
		struct timespec until;

		tick(k, changed);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_lock(&k->lock);
		while (!k->stopping && !k->changed && !pthread_cond_timedwait(&k->change, &k->lock, &until))
			;
		changed = k->changed;
		k->changed = false;
		pthread_mutex_unlock(&k->lock);
		if (is_stopping(k)) return NULL;
	}
}

/* ---- what others call ---- */

int keeper_start(struct keeper **out, const struct keeper_config *config, struct err *e)
{
	struct keeper *k = calloc(1, sizeof *k);
	pthread_condattr_t attr;

	*out = NULL;
	if (!k) return err_nomem(e);
	k->config = *config;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->change, &attr);
	pthread_condattr_destroy(&attr);
	if (!pthread_create(&k->thread, NULL, keeper_main, k)) {
		*out = k;
		return 0;
	}
	pthread_cond_destroy(&k->change);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return err_set(e, ERR_NOMEM, "no thread could be had that looks after what is kept");
}

void keeper_set(struct keeper *k, uint32_t jobs, uint32_t versions)
{
	pthread_mutex_lock(&k->lock);
	k->config.jobs = jobs;
	k->config.versions = versions;
	k->changed = true;
	pthread_cond_signal(&k->change);
	pthread_mutex_unlock(&k->lock);
}

void keeper_wake(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	k->changed = true;
	pthread_cond_signal(&k->change);
	pthread_mutex_unlock(&k->lock);
}

void keeper_wants(struct keeper *k, uint32_t *jobs, uint32_t *versions)
{
	pthread_mutex_lock(&k->lock);
	*jobs = k->config.jobs;
	*versions = k->config.versions;
	pthread_mutex_unlock(&k->lock);
}

void keeper_stop(struct keeper *k)
{
	if (!k) return;
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_signal(&k->change);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	pthread_cond_destroy(&k->change);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
