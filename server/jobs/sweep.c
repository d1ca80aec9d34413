/* sweep.c - a sweep of a space of runs: as many children at once as there are workers, those that do badly are stopped, and the
 * best becomes a version.
 *
 * Child i is run number i + 1, always: they are made in that order. A run of halving or hyperband rests at the end of each
 * rung until all of its bracket that still go on have come there; then the worst are passed over, and after them the best told to
 * go on. So what is to be done next can be told from the children alone, wherever a restart came between. When the time for the
 * whole is over, what runs ends with what it has.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/sweep.h"
#include "server/jobs/family_parts.h"
#include "server/jobs/jobs.h"
#include "server/jobs/training.h"

struct search {
	struct house *house;
	struct sweep sweep;
	double *values; /* (house->count), of the metric; NaN: none */
	bool over;      /* its seconds */
};

static struct store *store_of(const struct search *s)
{
	return s->house->family->store;
}

static bool rests(const struct search *s, size_t i)
{
	return store_job_rests(&s->house->children[i]);
}

static bool has_ended(const struct search *s, size_t i)
{
	return job_state_ended(s->house->children[i].state);
}

/* ---- what the children have come to ---- */

static int read_value(struct search *s, size_t i, struct err *e)
{
	const struct store_job *child = &s->house->children[i];
	json_t *metrics = NULL, *best = NULL;
	int rc = json_read_stored(child->metrics, &metrics, e);

	if (!rc) rc = json_read_stored(child->best, &best, e);
	if (!rc) s->values[i] = sweep_value(&s->sweep, metrics, best);
	json_decref(metrics);
	json_decref(best);
	return rc;
}

static int read_values(struct search *s, struct err *e)
{
	size_t count = s->house->count;
	int rc = 0;

	if (!(s->values = malloc((count + 1) * sizeof *s->values))) return err_nomem(e);
	for (size_t i = 0; i < count && !rc; i++)
		rc = read_value(s, i, e);
	return rc;
}

/* The best of those that this says yes to; count: there is none with a value. Of equals the first. */
static size_t best_of(const struct search *s, bool (*may)(const struct search *s, size_t i))
{
	size_t best = s->house->count;

	for (size_t i = 0; i < s->house->count; i++)
		if (may(s, i) && !isnan(s->values[i]) &&
				(best == s->house->count ||
						sweep_better(&s->sweep, s->values[i], s->values[best])))
			best = i;
	return best;
}

static bool has_model(const struct search *s, size_t i)
{
	return s->house->children[i].state == JOB_SUCCEEDED;
}

/* ---- halving ---- */

/* How many of [first, last) that have not lost yet are better than child i, of equals those before it. */
static uint64_t rank_in(const struct search *s, size_t first, size_t last, size_t i)
{
	uint64_t rank = 0;

	for (size_t j = first; j < last; j++) {
		const double *v = s->values;

		if (j == i || !(rests(s, j) || has_model(s, j))) continue;
		rank += sweep_better(&s->sweep, v[j], v[i]) ||
			(!sweep_better(&s->sweep, v[i], v[j]) && j < i);
	}
	return rank;
}

/* The rung that a child is in: it rests at the end of it, but of the last. */
static unsigned rung_of(const struct search *s, const struct sweep_bracket *b, size_t i)
{
	uint64_t rest = s->house->children[i].rest;
	unsigned rung = 0;

	if (!rest) return b->rungs - 1;
	while (rung + 1 < b->rungs && sweep_rung_epochs(&s->sweep, b, rung) < rest)
		rung++;
	return rung;
}

/* All of them in the store, and resting or at their ends? Then the lowest rung at which one rests; rungs: none does. */
static unsigned rung_to_judge(const struct search *s, const struct sweep_bracket *b)
{
	size_t first = (size_t)b->first - 1, last = first + (size_t)b->runs;
	unsigned lowest = b->rungs;

	if (last > s->house->count) return b->rungs;
	for (size_t i = first; i < last; i++) {
		if (rests(s, i) && rung_of(s, b, i) < lowest) lowest = rung_of(s, b, i);
	}
	for (size_t i = first; i < last; i++)
		if (!has_ended(s, i) && !rests(s, i) && rung_of(s, b, i) <= lowest) return b->rungs;
	return lowest;
}

static uint64_t rest_after(const struct search *s, const struct sweep_bracket *b, unsigned rung)
{
	return rung + 1 < b->rungs ? sweep_rung_epochs(&s->sweep, b, rung) : 0;
}

/* Have some been told already to go beyond this rung? Then all the worse ones were passed over before. */
static bool some_went_on(const struct search *s, const struct sweep_bracket *b, unsigned rung)
{
	for (size_t i = (size_t)b->first - 1; i < b->first - 1 + b->runs; i++)
		if (!has_ended(s, i) && rung_of(s, b, i) > rung) return true;
	return false;
}

static int judge(struct search *s, const struct sweep_bracket *b, unsigned rung, struct err *e)
{
	size_t first = (size_t)b->first - 1, last = first + (size_t)b->runs;
	uint64_t keep = sweep_rung_runs(&s->sweep, b, rung + 1);
	struct store *store = store_of(s);
	bool passed = some_went_on(s, b, rung);
	int rc = 0;

	s->house->changed = true;
	for (size_t i = first; i < last && !rc && !passed; i++)
		if (rests(s, i) && rung_of(s, b, i) == rung && rank_in(s, first, last, i) >= keep)
			rc = store->job_pass_over(store, s->house->children[i].id, "outperformed", e);
	for (size_t i = first; i < last && !rc; i++) {
		if (!rests(s, i) || rung_of(s, b, i) != rung) continue;
		if (!passed && rank_in(s, first, last, i) >= keep) continue;
		rc = store->job_rest(store, s->house->children[i].id, rest_after(s, b, rung + 1), e);
	}
	jobs_wake(s->house->family->jobs);
	return rc == ERR_CONFLICT ? 0 : rc; /* it was cancelled meanwhile: that is seen next time */
}

static int judge_all(struct search *s, struct err *e)
{
	struct sweep_bracket b = { 0 };

	while (sweep_bracket_next(&s->sweep, &b)) {
		unsigned rung = rung_to_judge(s, &b);
		int rc = rung < b.rungs ? judge(s, &b, rung, e) : 0;

		if (rc) return rc;
	}
	return 0;
}

/* ---- making them ---- */

static int read_base(const struct search *s, struct sweep_base *base, struct store_model *model,
		struct definition *d, json_t **document, struct err *e)
{
	struct store *store = store_of(s);
	struct store_revision revision = { 0 };
	struct faults faults = { 0 };
	int rc;

	if ((rc = store->model_get(store, s->house->parent.model, model, e))) return rc;
	if ((rc = json_read_stored(model->definition, document, e))) return rc;
	definition_read(*document, true, d, &faults);
	definition_finish(d, 0, &faults);
	if ((rc = faults_result(&faults, e))) return rc;
	if ((rc = store->revision_get(store, s->house->parent.revision, &revision, e))) return rc;
	*base = (struct sweep_base){ *document, revision.rows, definition_classifies(d), TRAIN_THREADS_MAX };
	store_revision_clear(&revision);
	return 0;
}

static int add_run(struct search *s, const struct sweep_base *base, uint64_t number, struct err *e)
{
	struct sweep_bracket b = { 0 };
	struct faults faults = { 0 };
	struct sweep_run run;
	int rc = sweep_run_make(&s->sweep, base, number, NULL, &run, &faults, e);

	if (!rc) rc = faults_result(&faults, e);
	while (!rc && sweep_bracket_next(&s->sweep, &b) && b.first + b.runs <= number)
		;
	if (!rc) rc = house_add(s->house, run.config, run.request.core.epochs, rest_after(s, &b, 0), e);
	sweep_run_clear(&run);
	return rc;
}

static size_t busy(const struct search *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->house->count; i++)
		count += s->house->children[i].state <=
			 JOB_RUNNING; /* what was paused by hand leaves its place */
	return count;
}

static int add_runs(struct search *s, struct err *e)
{
	size_t room = jobs_workers(s->house->family->jobs), busy_now = busy(s);
	struct store_model model = { 0 };
	struct definition d = { 0 };
	json_t *document = NULL;
	struct sweep_base base;
	int rc;

	if (!room) room = 1;
	if (s->house->count >= s->sweep.runs || busy_now >= room) return 0;
	rc = read_base(s, &base, &model, &d, &document, e);
	for (uint64_t run = s->house->count + 1; run <= s->sweep.runs && busy_now < room && !rc;
			run++, busy_now++)
		rc = add_run(s, &base, run, e);
	definition_clear(&d);
	json_decref(document);
	store_model_clear(&model);
	return rc;
}

/* ---- when the time is over ---- */

/* What has trained ends with what it has; of those that rest only the best, and only where it would be the best of all. */
static int wind_up(struct search *s, struct err *e)
{
	struct store *store = store_of(s);
	size_t best = best_of(s, rests), done = best_of(s, has_model), count = s->house->count;
	int rc = 0;

	if (best < count && done < count && !sweep_better(&s->sweep, s->values[best], s->values[done]))
		best = count;
	for (size_t i = 0; i < count && (!rc || rc == ERR_CONFLICT); i++) {
		const struct store_job *child = &s->house->children[i];
		enum job_state state;

		if (has_ended(s, i) || (child->end_requested && child->state != JOB_PAUSED)) continue;
		if (rests(s, i) && i != best) {
			rc = store->job_pass_over(store, child->id, "outperformed", e);
		} else if (child->state == JOB_QUEUED && !child->epoch) {
			rc = store->job_cancel(store, child->id, &state, e);
		} else if (!(rc = store->job_wrap_up(store, child->id, e))) {
			jobs_wrap_up(s->house->family->jobs, child->id);
			continue;
		}
		s->house->changed = true;
	}
	jobs_wake(s->house->family->jobs);
	return rc == ERR_CONFLICT ? 0 : rc;
}

/* ---- the end ---- */

/* Of the models only that of the best is kept. */
static int drop_outputs(struct search *s, struct err *e)
{
	size_t best = best_of(s, has_model);
	struct store *store = store_of(s);
	int rc = 0;

	for (size_t i = 0; i < s->house->count && !rc; i++)
		if (i != best && s->house->children[i].output)
			rc = store->job_output_drop(store, s->house->children[i].id, e);
	return rc;
}

static json_t *results_document(const struct search *s, size_t best, const json_t *config)
{
	const struct store_job *child = &s->house->children[best];
	json_t *out = json_object(), *document = json_object();
	const json_t *sweep = json_object_get(config, "sweep");
	bool whole = json_put(out, "metric", json_string(s->sweep.metric));

	whole &= json_put(document, "job", json_id(child->id));
	whole &= json_put(document, "run", json_integer((json_int_t)best + 1));
	whole &= json_put(document, "value", json_number(s->values[best]));
	whole &= json_put(document, "parameters", json_incref(json_object_get(sweep, "parameters")));
	whole &= json_put(document, "epoch", json_integer((json_int_t)child->epoch));
	whole &= json_put(document, "stop_reason", json_string(child->stop_reason));
	whole &= json_put(out, "best", document);
	whole &= json_put(out, "runs", json_integer((json_int_t)s->house->count));
	return json_whole(out, whole);
}

/* Which data it was, as versions say it. */
static int dataset_text(const struct search *s, char **out, struct err *e)
{
	struct store_revision data = { 0 }, held = { 0 };
	const struct store_job *parent = &s->house->parent;
	struct store *store = store_of(s);
	json_t *document = NULL;
	int rc = store->revision_get(store, parent->revision, &data, e);

	if (!rc && parent->validation_revision)
		rc = store->revision_get(store, parent->validation_revision, &held, e);
	if (!rc && !(*out = json_text(document = training_revisions(&data, &held), false))) rc = err_nomem(e);
	json_decref(document);
	store_revision_clear(&data);
	store_revision_clear(&held);
	return rc;
}

/* The bytes of the child's model once more, as a blob that a version can have. */
static int copy_model(const struct search *s, size_t best, struct store_version_new *version, struct err *e)
{
	struct store_bytes bytes = { 0 };
	struct store *store = store_of(s);
	int rc = store->blob_read(store, s->house->children[best].output, &bytes, e);

	if (!rc) rc = store->blob_write(store, bytes.data, bytes.size, &version->blob, e);
	version->size_bytes = bytes.size;
	store_bytes_clear(&bytes);
	return rc;
}

static int publish(struct search *s, size_t best, struct err *e)
{
	const struct store_job *child = &s->house->children[best];
	struct store_version_new version = { .metrics = child->metrics,
		.training = child->config,
		.engine = jobs_engine(s->house->family->jobs) };
	struct store_job_end end = { .state = JOB_SUCCEEDED,
		.stop_reason = s->over ? "max_seconds" : "complete",
		.metrics = child->metrics,
		.best = child->best,
		.version = &version };
	struct store *store = store_of(s);
	char *dataset = NULL, *results_text = NULL;
	json_t *config = NULL, *results = NULL;
	int rc;

	if ((rc = json_read_stored(child->config, &config, e)) || (rc = dataset_text(s, &dataset, e)))
		goto out;
	results = results_document(s, best, config);
	if (!(results_text = json_text(results, false))) {
		rc = err_nomem(e);
		goto out;
	}
	version.dataset = dataset;
	end.results = results_text;
	for (size_t i = 0; i < s->house->count; i++) {
		end.epoch += s->house->children[i].epoch;
		end.step += s->house->children[i].step;
	}
	if ((rc = copy_model(s, best, &version, e))) goto out;
	if ((rc = house_end(s->house, &end, e))) store->blob_discard(store, version.blob);
out:
	json_decref(config);
	json_decref(results);
	free(dataset);
	free(results_text);
	return rc;
}

/* Nothing came of it: as the first that failed, else as one that was cancelled. */
static int end_without(struct search *s, struct err *e)
{
	struct store_job_end end = { .state = JOB_CANCELLED, .stop_reason = "cancelled" };
	const struct house *h = s->house;
	char what[32];

	for (size_t i = 0; i < h->count; i++) {
		if (h->children[i].state != JOB_FAILED) continue;
		snprintf(what, sizeof what, "run %zu", i + 1);
		return house_end_as(h, &h->children[i], what, e);
	}
	if (!s->over) return house_end(h, &end, e);
	err_set(e, ERR_RANGE,
			"the time of the sweep was over before a run had finished an epoch: say more \"seconds\"");
	return house_fail(h, ERR_RANGE, e);
}

static int end_all(struct search *s, struct err *e)
{
	size_t best = best_of(s, has_model);
	int rc = best < s->house->count ? publish(s, best, e) : end_without(s, e);

	if (rc == ERR_CORRUPT || rc == ERR_NOT_FOUND || rc == ERR_NOMEM) /* it will not be better later */
		rc = house_fail(s->house, rc, e);
	return rc;
}

/* Will it be the same whenever it is tried again? */
static bool is_final(int rc)
{
	static const int passing[] = { 0, ERR_NOMEM, ERR_IO, ERR_DISK_FULL, ERR_BUSY, ERR_CONFLICT,
		ERR_NOT_FOUND };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (rc == passing[i]) return false;
	return true;
}

static int go_on(struct search *s, struct err *e)
{
	int rc = s->over ? wind_up(s, e) : judge_all(s, e);

	if (rc || s->house->changed) return rc;
	if (!s->over) rc = add_runs(s, e);
	if (is_final(rc)) return s->house->unfinished ? house_stop(s->house, e) : house_fail(s->house, rc, e);
	if (rc) return rc;
	if ((rc = drop_outputs(s, e))) return rc;
	if (s->house->unfinished || (!s->over && s->house->count < s->sweep.runs)) return 0;
	return end_all(s, e);
}

int sweep_settle(struct house *h, struct err *e)
{
	struct search s = { .house = h };
	struct faults faults = { 0 };
	int rc;

	sweep_read(json_object_get(h->config, "sweep"), true, "/sweep", &s.sweep, &faults);
	if ((rc = faults_result(&faults, e))) return rc;
	sweep_compare_as(&s.sweep, h->config);
	s.over = s.sweep.seconds > 0 && h->parent.seconds >= s.sweep.seconds;
	if (s.sweep.seconds > 0) family_counts_time(h->family);
	if (!(rc = read_values(&s, e))) rc = go_on(&s, e);
	free(s.values);
	return rc;
}
