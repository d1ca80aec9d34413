/* job_runs.c - jobs that are more than one run: what their documents say of their children, and GET /v1/jobs/{id}/runs, the
 * table of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/job_runs.h"
#include "server/api/jobs.h"
#include "server/codec/json.h"
#include "server/codec/sweep.h"

#define RUNS_MAX 10000

/* Epochs that a job is through, of its worker while it runs here. */
static uint64_t epoch_of(const struct app *app, const struct store_job *job)
{
	struct progress live = { 0 };

	if (job->state == JOB_RUNNING && jobs_progress(app->jobs, job->id, &live) && live.point.epoch)
		return live.point.epoch;
	return job->epoch;
}

static double done_of(const struct app *app, const struct store_job *job)
{
	if (job_state_ended(job->state)) return 1;
	return job->epochs ? (double)epoch_of(app, job) / (double)job->epochs : 0;
}

/* Of a sweep the share of its epochs, or of its seconds where those are over sooner; it makes its children as it goes. */
static double sweep_done(const struct store_job *job, uint64_t epoch)
{
	json_t *config = stored_document(job->config);
	double seconds = json_number_value(json_object_get(json_object_get(config, "sweep"), "seconds"));
	double done = (double)epoch / (double)job->epochs;

	json_decref(config);
	if (seconds > 0 && job->seconds / seconds > done) done = job->seconds / seconds;
	return done < 1 ? done : 1;
}

static json_t *counts_document(const size_t counts[JOB_STATES], size_t total)
{
	json_t *out = json_object();

	json_put(out, "total", json_integer((json_int_t)total));
	for (int state = 0; state < JOB_STATES; state++)
		json_put(out, job_state_name((enum job_state)state), json_integer((json_int_t)counts[state]));
	return out;
}

void job_put_family(json_t *out, const struct app *app, const struct store_job *job)
{
	size_t counts[JOB_STATES] = { 0 }, count = 0;
	struct store_job *children = NULL;
	uint64_t epoch = 0;
	double done = 0;

	if (app->store->job_children(app->store, job->id, 0, RUNS_MAX, &children, &count, NULL)) count = 0;
	for (size_t i = 0; i < count; i++) {
		counts[children[i].state]++;
		epoch += epoch_of(app, &children[i]);
		done += done_of(app, &children[i]);
		store_job_clear(&children[i]);
	}
	free(children);
	done = !strcmp(job->kind, "sweep") ? sweep_done(job, epoch) : count ? done / (double)count : 0;
	json_put(out, "progress", json_real(job->state == JOB_SUCCEEDED ? 1 : done));
	json_put(out, "epoch", json_integer((json_int_t)epoch));
	json_put(out, "children", counts_document(counts, count));
	json_put(out, "results", job->results ? stored_document(job->results) : json_null());
}

/* ---- the table ---- */

static void copy(json_t *out, const json_t *from, const char *name)
{
	if (json_object_get(from, name)) json_put(out, name, json_incref(json_object_get(from, name)));
}

static json_t *run_document(const struct app *app, const struct store_job *job)
{
	json_t *document = job_document(app, job), *out = json_object();
	json_t *config = json_object_get(document, "config"), *sweep = json_object_get(config, "sweep");
	static const char *const shown[] = { "state", "progress", "epoch", "epochs", "metrics", "best",
		"stop_reason", "error", "started_at", "finished_at" };
	static const char *const of_sweep[] = { "run", "bracket", "parameters" };

	json_put(out, "job", json_incref(json_object_get(document, "id")));
	if (!sweep) copy(out, json_object_get(config, "validation"), "fold");
	for (size_t i = 0; i < sizeof of_sweep / sizeof *of_sweep; i++)
		copy(out, sweep, of_sweep[i]);
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		json_put(out, shown[i], json_incref(json_object_get(document, shown[i])));
	json_decref(document);
	return out;
}

struct standing {
	double value;
	/* How far a run has come: one that is out of the race is behind all that are not, and behind those that were in it
	 * longer. */
	json_int_t reach;
};

static struct standing standing_of(const struct sweep *s, const json_t *run)
{
	const char *state = json_string_value(json_object_get(run, "state"));
	bool out = !strcmp(state, "cancelled") || !strcmp(state, "failed");

	return (struct standing){ sweep_value(s, json_object_get(run, "metrics"),
						  json_object_get(run, "best")),
		out ? json_integer_value(json_object_get(run, "epoch")) : INT64_MAX };
}

static bool is_ahead(const struct sweep *s, const struct standing *a, const struct standing *b)
{
	if (a->reach == b->reach) return sweep_better(s, a->value, b->value);
	return a->reach > b->reach && !isnan(a->value);
}

/* Adds to each row of a sweep its value of the metric, and its place among those that have one. */
static bool rank_runs(const struct sweep *s, json_t *runs)
{
	size_t count = json_array_size(runs);
	struct standing *standings = calloc(count + 1, sizeof *standings);
	bool whole = standings != NULL;

	for (size_t i = 0; i < count && whole; i++)
		standings[i] = standing_of(s, json_array_get(runs, i));
	for (size_t i = 0; i < count && whole; i++) {
		json_t *run = json_array_get(runs, i);
		json_int_t rank = 1;

		for (size_t j = 0; j < count; j++)
			rank += is_ahead(s, &standings[j], &standings[i]);
		whole &= json_put(run, "value", json_number(standings[i].value));
		whole &= json_put(run, "rank", isnan(standings[i].value) ? json_null() : json_integer(rank));
	}
	free(standings);
	return whole;
}

/* What is the sweep's of the table. */
static bool put_sweep(json_t *out, const struct store_job *job, json_t *runs)
{
	json_t *config = stored_document(job->config);
	struct faults faults = { 0 };
	struct sweep sweep;
	bool whole = true;

	sweep_read(json_object_get(config, "sweep"), true, "", &sweep, &faults);
	if (!faults.count) {
		sweep_compare_as(&sweep, config);
		whole = json_put(out, "metric", json_string(sweep.metric)) && rank_runs(&sweep, runs);
	}
	json_decref(config);
	return whole;
}

int job_runs(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_job job = { 0 }, *children = NULL;
	size_t count = 0;
	json_t *document, *runs;
	uint64_t id;
	int rc = request_number(rq, "job", "job", &id, e);

	if (rc || (rc = app->store->job_get(app->store, (int64_t)id, &job, e))) return rc;
	if (!strcmp(job.kind, "train"))
		rc = err_set(e, ERR_NOT_FOUND,
				"job %llu is one run; a :crossvalidate or a :sweep has a table of them",
				(unsigned long long)id);
	if (rc || (rc = app->store->job_children(app->store, (int64_t)id, 0, RUNS_MAX, &children, &count, e)))
		goto out;
	document = json_object();
	runs = json_array();
	for (size_t i = 0; i < count; i++) {
		json_append(runs, run_document(app, &children[i]));
		store_job_clear(&children[i]);
	}
	free(children);
	json_put(document, "job", json_id((int64_t)id));
	if (!strcmp(job.kind, "sweep") && !put_sweep(document, &job, runs)) {
		json_decref(document);
		document = NULL;
	}
	json_put(document, "runs", runs);
	rc = reply_document(rp, document, e);
out:
	store_job_clear(&job);
	return rc;
}

void jobs_tell_family(struct app *app, int64_t id)
{
	struct store_job job = { 0 };

	if (app->store->job_get(app->store, id, &job, NULL)) return;
	jobs_settle(app->jobs, job.parent ? job.parent : id);
	store_job_clear(&job);
}
