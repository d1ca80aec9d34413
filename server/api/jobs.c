/* jobs.c - /v1/jobs: list, get, change, cancel, pause, resume, delete. A running job's figures come from its worker, without a lock;
 * those of an ended one from the store.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/events.h"
#include "server/api/job_runs.h"
#include "server/api/jobs.h"
#include "server/codec/curve_health.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/codec/train_request.h"
#include "server/jobs/pace.h"
#include "server/jobs/training.h"

#define LOOKED_MAX (2 * PAGE_LIMIT_MAX) /* jobs, for a page of those that one may see */

/* ---- the document ---- */

static json_t *optional_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* How the layers fare, as far as the worker has looked. */
static json_t *layers_document(const struct app *app, const struct store_job *job)
{
	struct layers layers = { 0 };

	if (!jobs_layers(app->jobs, job->id, &layers) || !layers.epoch) return json_null();
	return curve_health_document(layers.rows, layers.count);
}

/* What only the worker knows while the job runs. */
static void put_live(
		json_t *out, const struct progress *live, const struct store_job *job, const json_t *config)
{
	struct train_request request;
	struct faults faults = { 0 };
	const struct train_point *point = &live->point;

	train_request_read(config, true, &request, &faults);
	json_put(out, "progress", json_real(pace_done(live, job->epochs)));
	json_put(out, "epoch", json_integer((json_int_t)point->epoch));
	json_put(out, "epochs", json_integer((json_int_t)job->epochs));
	json_put(out, "step", json_integer((json_int_t)live->steps));
	json_put(out, "metrics", training_metrics(point, live->validates));
	json_put(out, "best", training_best(point, &request));
	json_put(out, "eta_seconds", json_number(pace_left(live, job->epochs, request.core.max_seconds)));
	json_put(out, "samples_per_second",
			live->training_seconds > 0 ? json_number((double)live->rows / live->training_seconds)
						   : json_null());
}

static void put_stored(json_t *out, const struct store_job *job)
{
	double done = job->epochs ? (double)job->epoch / (double)job->epochs : 0;

	json_put(out, "progress", json_real(job->state == JOB_SUCCEEDED ? 1 : done));
	json_put(out, "epoch", json_integer((json_int_t)job->epoch));
	json_put(out, "epochs", json_integer((json_int_t)job->epochs));
	json_put(out, "step", json_integer((json_int_t)job->step));
	json_put(out, "metrics", stored_document(job->metrics));
	json_put(out, "best", stored_document(job->best));
	json_put(out, "eta_seconds", job_state_ended(job->state) ? json_integer(0) : json_null());
	json_put(out, "samples_per_second",
			job->samples_per_second > 0 ? json_number(job->samples_per_second) : json_null());
}

/* What was to be warned of lies in the stored config; what is wrong just now, the worker knows. */
static json_t *take_warnings(const struct app *app, const struct store_job *job, json_t *config)
{
	json_t *warnings = json_incref(json_object_get(config, "warnings"));
	struct err trouble;

	json_object_del(config, "warnings");
	if (!warnings) warnings = json_array();
	if (job->state == JOB_RUNNING && jobs_trouble(app->jobs, job->id, &trouble))
		json_array_append_new(warnings, json_string(trouble.text));
	return warnings;
}

json_t *job_document(const struct app *app, const struct store_job *job)
{
	json_t *out = json_object(), *config = stored_document(job->config);
	struct progress live;

	json_put(out, "id", json_id(job->id));
	json_put(out, "model", json_string(job->model));
	json_put(out, "kind", json_string(job->kind));
	json_put(out, "state", json_string(job_state_name(job->state)));
	if (job->state == JOB_RUNNING && jobs_progress(app->jobs, job->id, &live) && live.noted > 0)
		put_live(out, &live, job, config);
	else
		put_stored(out, job); /* as of its end, or of where it goes on from */
	json_put(out, "layers", job->state == JOB_RUNNING ? layers_document(app, job) : json_null());
	json_put(out, "parent", job->parent ? json_id(job->parent) : json_null());
	json_put(out, "children", json_null());
	json_put(out, "results", json_null());
	if (strcmp(job->kind, "train")) job_put_family(out, app, job);
	json_put(out, "created_at", json_time(job->created_ms));
	json_put(out, "started_at", json_time(job->started_ms));
	json_put(out, "finished_at", json_time(job->finished_ms));
	json_put(out, "stop_reason", optional_text(job->stop_reason));
	json_put(out, "version", job->version ? json_id((int64_t)job->version) : json_null());
	json_put(out, "error", job->error ? stored_document(job->error) : json_null());
	json_put(out, "resumed", json_integer(job->resumed));
	json_put(out, "note", json_string(job->note));
	json_put(out, "priority", json_integer(job->priority));
	json_put(out, "warnings", take_warnings(app, job, config));
	json_put(out, "config", config);
	return out;
}

int job_accepted(const struct app *app, const struct store_job *job, struct reply *rp, struct err *e)
{
	rp->status = 202;
	reply_header(rp, "Location", "/v1/jobs/%lld", (long long)job->id);
	reply_header(rp, "Retry-After", "1");
	return reply_document(rp, job_document(app, job), e);
}

static int reply_job(struct app *app, struct reply *rp, uint64_t id, struct err *e)
{
	struct store_job job = { 0 };
	int rc = app->store->job_get(app->store, (int64_t)id, &job, e);

	if (!rc) rc = reply_document(rp, job_document(app, &job), e);
	store_job_clear(&job);
	return rc;
}

/* ---- the handlers ---- */

int job_get(struct request *rq, struct reply *rp, struct err *e)
{
	uint64_t id;
	int rc = request_number(rq, "job", "job", &id, e);

	if (rc || (rc = hold_reply(rq, rp, (int64_t)id, e))) return rc;
	return reply_job(rq->app, rp, id, e);
}

/* A page of the jobs that the caller may see; *next: behind which id it goes on, 0: nowhere. A page that only hid those of others would
 * tell how many there are, and its cursor would name one of them; so more are looked through, but not without bound, as a list
 * that is held (Prefer: wait) is made again with each event. */
static int list_seen(struct request *rq, struct store_job_filter *filter, size_t most, struct store_job *seen,
		size_t *count, int64_t *next, struct err *e)
{
	struct app *app = rq->app;
	struct store_job *found = NULL;
	size_t got = 0;
	int rc;

	*count = 0;
	*next = 0;
	filter->limit = rq->limited ? LOOKED_MAX : most + 1;
	if ((rc = app->store->job_list(app->store, filter, &found, &got, e))) return rc;
	if (got == filter->limit) *next = found[got - 1].id;
	for (size_t i = 0; i < got; i++) {
		bool own = !rq->limited || !auth_may_see(app->auth, rq->token, found[i].model, NULL);

		if (own && *count < most) {
			seen[(*count)++] = found[i];
			continue;
		}
		if (own) *next = seen[most - 1].id; /* there is one more */
		store_job_clear(&found[i]);
	}
	free(found);
	return 0;
}

int job_list(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct store_job_filter filter = { request_query(rq, "model"), JOB_STATES, 0, 0 };
	const char *state = request_query(rq, "state");
	struct store_job *seen = NULL;
	json_t *items;
	struct page page;
	uint64_t before = 0;
	int64_t behind;
	char next[24];
	size_t count = 0;
	int rc;

	if (!faults) return err_nomem(e);
	if (rq->limited && filter.model && (rc = auth_may_see(app->auth, rq->token, filter.model, e)))
		return rc;
	if (state && (filter.state = job_state_find(state)) == JOB_STATES)
		faults_add(faults, ERR_INVALID, "?state",
				"must be queued, running, paused, succeeded, failed or cancelled, not \"%.64s\"",
				state);
	if ((rc = page_read(rq, &page, &before, e)) || (rc = hold_reply(rq, rp, 0, e))) return rc;
	filter.before = (int64_t)before;
	if (!(seen = calloc(page.limit, sizeof *seen))) return err_nomem(e);
	if ((rc = list_seen(rq, &filter, page.limit, seen, &count, &behind, e))) goto out;
	items = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, job_document(app, &seen[i]));
	snprintf(next, sizeof next, "%lld", (long long)behind);
	rc = reply_page(rq, rp, "jobs", items, &page, behind ? next : NULL, e);
out:
	for (size_t i = 0; i < count; i++)
		store_job_clear(&seen[i]);
	free(seen);
	return rc;
}

struct job_patch_said {
	const char *note;
	const json_t *priority;
};

static void read_patch(
		const json_t *document, struct job_patch_said *said, int *priority, struct faults *faults)
{
	static const struct field rows[] = {
		{ "note", FIELD_STRING, offsetof(struct job_patch_said, note), 0, 0, false, false },
		{ "priority", FIELD_ANY, offsetof(struct job_patch_said, priority), 0, 0, false, false },
		{ 0 },
	};
	static const struct field range = { "", FIELD_REAL, 0, -PRIORITY_MAX, PRIORITY_MAX, false, false };
	double value;

	fields_read(document, rows, said, "", faults);
	if (!said->priority || !field_value(said->priority, &range, &value, "/priority", faults)) return;
	if (value != floor(value))
		faults_add(faults, ERR_INVALID, "/priority", "must be a whole number, not %.9g", value);
	*priority = (int)value;
}

int job_patch(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct job_patch_said said = { 0 };
	struct store_job job = { 0 };
	json_t *document = NULL;
	int priority = 0, rc;
	uint64_t id;

	if (!faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) return rc;
	if ((rc = request_number(rq, "job", "job", &id, e))) goto out;
	if ((rc = app->store->job_get(app->store, (int64_t)id, &job, e))) goto out;
	read_patch(document, &said, &priority, faults);
	if ((rc = faults_result(faults, e))) goto out;
	rc = app->store->job_update(app->store, (int64_t)id, said.note, said.priority ? &priority : NULL, e);
	if (!rc) rc = reply_job(app, rp, id, e);
out:
	store_job_clear(&job);
	json_decref(document);
	return rc;
}

int job_delete(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	uint64_t id;
	int rc = request_number(rq, "job", "job", &id, e);

	rp->status = 204;
	return rc ? rc : app->store->job_delete(app->store, (int64_t)id, e);
}

int job_cancel(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	enum job_state state;
	uint64_t id;
	int rc = request_number(rq, "job", "job", &id, e);

	if (rc || (rc = app->store->job_cancel(app->store, (int64_t)id, &state, e))) return rc;
	jobs_cancel(app->jobs, (int64_t)id);
	jobs_tell_family(app, (int64_t)id);
	return reply_job(app, rp, id, e);
}

int job_pause(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	enum job_state state;
	uint64_t id;
	int rc = request_number(rq, "job", "job", &id, e);

	if (rc || (rc = app->store->job_pause(app->store, (int64_t)id, &state, e))) return rc;
	jobs_pause(app->jobs, (int64_t)id);
	return reply_job(app, rp, id, e);
}

int job_resume(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	uint64_t id;
	int rc = request_number(rq, "job", "job", &id, e);

	if (rc || (rc = app->store->job_resume(app->store, (int64_t)id, e))) return rc;
	jobs_wake(app->jobs);
	jobs_tell_family(app, (int64_t)id);
	return reply_job(app, rp, id, e);
}
