/* family.c - see family.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/codec/json.h"
#include "server/codec/problem.h"
#include "server/jobs/family_parts.h"
#include "server/jobs/jobs.h"

#define PAGE 100 /* parents looked at in one go */

static const struct kind {
	const char *name;
	int (*settle)(struct house *house, struct err *e);
} kinds[] = {
	{ "crossvalidate", folds_settle },
	{ "sweep", sweep_settle },
};

static const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name)) return &kinds[i];
	return NULL;
}

void family_init(struct family *f, struct store *store, struct jobs *jobs,
		void (*log)(void *self, const char *sentence), void *log_self)
{
	*f = (struct family){ .store = store, .jobs = jobs, .log = log, .log_self = log_self };
	pthread_mutex_init(&f->lock, NULL);
}

void family_destroy(struct family *f)
{
	pthread_mutex_destroy(&f->lock);
}

/* ---- what a kind may do ---- */

int house_stop(struct house *h, struct err *e)
{
	struct store *store = h->family->store;

	for (size_t i = 0; i < h->count; i++) {
		const struct store_job *child = &h->children[i];
		enum job_state state;
		int rc = 0;

		if (job_state_ended(child->state)) continue;
		if (!child->cancel_requested && (rc = store->job_cancel(store, child->id, &state, e)) &&
				rc != ERR_CONFLICT) /* it has ended meanwhile */
			return rc;
		h->changed |= !child->cancel_requested && (rc || job_state_ended(state));
		jobs_cancel(h->family->jobs, child->id);
	}
	return 0;
}

int house_add(const struct house *h, const json_t *config, uint64_t epochs, uint64_t rest, struct err *e)
{
	const struct store_job *parent = &h->parent;
	char *text = json_text(config, false);
	struct store_job_new job = { .model = parent->model,
		.kind = "train",
		.dataset = parent->dataset,
		.config = text,
		.note = "",
		.priority = parent->priority,
		.revision = parent->revision,
		.validation_revision = parent->validation_revision,
		.epochs = epochs,
		.rest = rest,
		.parent = parent->id };
	int64_t id;
	int rc = text ? h->family->store->job_create(h->family->store, &job, &id, e) : err_nomem(e);

	free(text);
	if (!rc) jobs_wake(h->family->jobs);
	return rc;
}

static void published(void *self)
{
	const struct house *h = self;

	jobs_published(h->family->jobs, h->parent.model);
}

int house_end(const struct house *h, struct store_job_end *end, struct err *e)
{
	struct store *store = h->family->store;
	uint64_t version;

	end->id = h->parent.id;
	end->attempt = h->parent.attempt;
	end->committed = published;
	end->self = (void *)h;
	return store->job_finish(store, end, &version, e);
}

/* *text is new, NULL without one: the child's problem, whose sentences say whose it is. */
static int problem_text(char **text, const struct store_job *child, const char *what, struct err *e)
{
	static const char *const sentences[] = { "detail", "error" };
	json_t *problem;
	int rc;

	*text = NULL;
	if (!child->error) return 0;
	if ((rc = json_read_stored(child->error, &problem, e))) return rc;
	for (size_t i = 0; i < 2; i++) {
		const char *says = json_string_value(json_object_get(problem, sentences[i]));

		if (says)
			json_object_set_new(problem, sentences[i],
					json_sprintf("%s (job %" PRId64 "): %s", what, child->id, says));
	}
	*text = json_text(problem, false);
	json_decref(problem);
	return *text ? 0 : err_nomem(e);
}

int house_end_as(const struct house *h, const struct store_job *child, const char *what, struct err *e)
{
	struct store_job_end end = {
		.state = child->state,
		.stop_reason = child->stop_reason ? child->stop_reason : "error",
	};
	char *problem;
	int rc = problem_text(&problem, child, what, e);

	end.error = problem;
	if (!rc) rc = house_end(h, &end, e);
	free(problem);
	return rc;
}

int house_fail(const struct house *h, int rc, struct err *e)
{
	struct problem problem = problem_of(rc, false);
	json_t *document = problem_document(&problem, e, NULL);
	char *text = json_text(document, false);
	struct store_job_end end = { .state = JOB_FAILED, .stop_reason = "error", .error = text };

	json_decref(document);
	rc = text ? house_end(h, &end, e) : err_nomem(e);
	free(text);
	return rc;
}

/* ---- settling ---- */

static int house_open(struct house *h, int64_t parent, struct err *e)
{
	struct store *store = h->family->store;
	int rc = store->job_get(store, parent, &h->parent, e);

	if (rc || h->parent.state != JOB_RUNNING || h->parent.attempt) return rc;
	if ((rc = json_read_stored(h->parent.config, &h->config, e))) return rc;
	rc = store->job_children(store, parent, 0, FAMILY_CHILDREN_MAX, &h->children, &h->count, e);
	for (size_t i = 0; i < h->count; i++)
		h->unfinished += !job_state_ended(h->children[i].state);
	return rc;
}

static void house_close(struct house *h)
{
	for (size_t i = 0; i < h->count; i++)
		store_job_clear(&h->children[i]);
	free(h->children);
	json_decref(h->config);
	store_job_clear(&h->parent);
}

static int settle(struct house *h, struct err *e)
{
	const struct kind *kind = kind_find(h->parent.kind);
	struct store_job_end end = { .state = JOB_CANCELLED, .stop_reason = "cancelled" };

	if (!kind) return 0;
	if (!h->parent.cancel_requested) return kind->settle(h, e);
	return h->unfinished ? house_stop(h, e) : house_end(h, &end, e);
}

/* False: it is left behind. */
static bool settle_one(struct family *f, int64_t parent)
{
	struct err e = { "" };
	char text[ERR_TEXT_BYTES + 64];
	bool changed;
	int rc;

	pthread_mutex_lock(&f->lock);
	do {
		struct house house = { .family = f };

		if (!(rc = house_open(&house, parent, &e)) && house.config) rc = settle(&house, &e);
		changed = house.changed;
		house_close(&house);
	} while (!rc && changed);
	pthread_mutex_unlock(&f->lock);
	/* It has ended, or was deleted, meanwhile. */
	if (!rc || rc == ERR_CONFLICT || rc == ERR_NOT_FOUND) return true;
	snprintf(text, sizeof text, "job %" PRId64 " could not go on: %s", parent, e.text);
	f->log(f->log_self, text);
	atomic_store(&f->behind, true);
	return false;
}

void family_settle(struct family *f, int64_t parent)
{
	if (!settle_one(f, parent)) jobs_wake(f->jobs); /* an idle worker would look in some time only */
}

void family_settle_all(struct family *f)
{
	struct store_job_filter filter = { NULL, JOB_RUNNING, 0, PAGE };
	struct store_job *found;
	size_t count;

	atomic_store(&f->behind, false);
	do {
		if (f->store->job_list(f->store, &filter, &found, &count, NULL)) {
			atomic_store(&f->behind, true);
			return;
		}
		for (size_t i = 0; i < count; i++) {
			if (!found[i].attempt) settle_one(f, found[i].id);
			filter.before = found[i].id;
			store_job_clear(&found[i]);
		}
		free(found);
	} while (count == PAGE);
}

/* ---- time ---- */

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void family_counts_time(struct family *f)
{
	if (atomic_load(&f->timed)) return;
	atomic_store(&f->ticked_ms, clock_ms());
	atomic_store(&f->timed, true);
}

/* Of a running parent that has only so many seconds; 0: of another. */
static double budget_of(const struct store_job *job)
{
	json_t *config = NULL;
	double seconds = 0;

	if (!job->attempt && !json_read_stored(job->config, &config, NULL))
		seconds = json_number_value(json_object_get(json_object_get(config, "sweep"), "seconds"));
	json_decref(config);
	return seconds;
}

/* What could not be written is not counted. */
static void spend(struct family *f, const struct store_job *job, double budget, double seconds)
{
	if (f->store->job_spend(f->store, job->id, seconds, NULL)) return;
	if (job->seconds + seconds >= budget) family_settle(f, job->id);
}

static void count_time(struct family *f, int64_t least_ms)
{
	struct store_job_filter filter = { NULL, JOB_RUNNING, 0, PAGE };
	int64_t now = clock_ms(), last = atomic_load(&f->ticked_ms);
	struct store_job *found;
	bool any = false;
	size_t count;

	if (!atomic_load(&f->timed) || now - last < least_ms) return;
	if (!atomic_compare_exchange_strong(&f->ticked_ms, &last, now)) return;
	atomic_store(&f->timed, false); /* before the look: who comes after it says so itself */
	do {
		if ((any |= f->store->job_list(f->store, &filter, &found, &count, NULL))) break;
		for (size_t i = 0; i < count; i++) {
			double budget = budget_of(&found[i]);

			any |= budget > 0;
			if (budget > 0) spend(f, &found[i], budget, (double)(now - last) / 1000);
			filter.before = found[i].id;
			store_job_clear(&found[i]);
		}
		free(found);
	} while (count == PAGE);
	if (any) atomic_store(&f->timed, true);
}

void family_tick(struct family *f)
{
	count_time(f, FAMILY_TICK_MS);
}

void family_stop(struct family *f)
{
	count_time(f, 0);
}
