/* sweep.c - POST /v1/models/{m}:sweep: a :train for each of many points of a space of networks and trainings. All of them are
 * made and checked here, as :train would, so that a 202 means that each can run; the job that is answered with has no worker, and
 * makes them again one after the other (server/jobs/sweep.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/jobs.h"
#include "server/api/order.h"
#include "server/codec/json.h"
#include "server/codec/sweep.h"

#define DEFAULT_SPLIT 0.2
#define SAID_BYTES    160 /* of a run's values in a sentence */

struct search {
	json_t *said, *request;
	struct sweep sweep;
};

static unsigned threads_each(const struct app *app)
{
	unsigned workers = jobs_workers(app->jobs), each = workers ? app->threads / workers : app->threads;

	return each ? each : 1;
}

static void read_sweep(struct order *o)
{
	const json_t *from = json_object_get(o->document, "from");
	struct search *s = o->own;

	if (!(s->said = sweep_take(o->document))) {
		faults_add(o->faults, ERR_NOMEM, "", "out of memory");
		return;
	}
	sweep_read(s->said, false, "", &s->sweep, o->faults);
	if (json_is_string(from) && strcmp(json_string_value(from), "scratch"))
		faults_add(o->faults, ERR_INVALID, "/from",
				"each run starts from scratch, as the runs may have other layers");
	json_object_del(o->document, "from");
	if (!json_object_get(o->document, "validation"))
		json_object_set_new(o->document, "validation", json_pack("{s:f}", "split", DEFAULT_SPLIT));
	/* What is compared, and becomes a version, is a run at its best. */
	if (!json_object_get(o->document, "early_stopping") &&
			json_is_object(json_object_get(o->document, "validation")))
		json_object_set_new(o->document, "early_stopping", json_object());
	if (!json_object_get(o->document, "threads")) /* as many run at once as there are workers */
		json_object_set_new(o->document, "threads", json_integer(threads_each(o->app)));
}

/* What the runs will have to be compared by. */
static struct sweep_metrics metrics_of(const struct order *o)
{
	struct sweep_metrics out = { .validation = train_validation_wanted(&o->request.validation),
		.every = o->request.core.evaluate_every };

	for (size_t i = 0; i < o->definition.outputs_count; i++)
		if (o->definition.outputs[i].kind == COLUMN_CATEGORY)
			out.accuracy = true;
		else
			out.mae = true;
	return out;
}

/* What each run's :train is told: as this one, but for what is of the whole. */
static int make_request(struct order *o, struct err *e)
{
	static const char *const of_the_whole[] = { "notify", "note", "priority" };
	struct search *s = o->own;
	bool whole;

	s->request = json_twin(o->document);
	for (size_t i = 0; i < sizeof of_the_whole / sizeof *of_the_whole; i++)
		json_object_del(s->request, of_the_whole[i]);
	whole = json_put(s->request, "threads", json_integer((json_int_t)o->request.threads));
	if (s->sweep.reduction) /* it deals out epochs */
		whole &= json_put(s->request, "epochs", json_integer((json_int_t)s->sweep.epochs));
	s->sweep.request = s->request;
	s->sweep.seed = o->request.core.seed;
	if (o->request.validation.column) s->sweep.held_rows = o->request.validation.rows;
	return whole ? 0 : err_nomem(e);
}

/* ---- can each of them run? ---- */

struct trial {
	struct order *o;
	struct sweep_base base;
};

static int try_run(struct trial *t, uint64_t number, json_t *parameters, struct faults *faults, json_t **said,
		struct err *e)
{
	const struct search *s = t->o->own;
	size_t budget = t->o->app->jobs_memory_bytes;
	struct sweep_run run;
	struct training_size size;
	struct err why;
	int rc = sweep_run_make(&s->sweep, &t->base, number, parameters, &run, faults, e);

	if (!rc && !faults->count) {
		size = training_bytes(
				&run.definition, &run.request, t->o->revision.rows + t->o->held.rows, budget);
		if (training_fits(&size, budget, &why)) faults_add(faults, ERR_RANGE, "", "%s", why.text);
	}
	*said = json_incref(run.parameters);
	sweep_run_clear(&run);
	return rc;
}

/* Where in the run it is, for what the values that are tried make of it. */
static void pass_on(struct faults *to, const char *at, const struct faults *from, const char *before)
{
	const char *pointer = from->items[0].pointer;

	faults_add(to, from->items[0].code, at, "%s%s%s%s", before, *pointer ? pointer + 1 : "",
			*pointer ? ": " : "", from->items[0].detail);
}

static int try_value(void *self, json_t *parameters, const char *at, struct err *e)
{
	struct trial *t = self;
	struct faults faults = { 0 };
	json_t *said;
	int rc = try_run(t, 1, parameters, &faults, &said, e);

	json_decref(said);
	if (faults.count) pass_on(t->o->faults, at, &faults, "");
	return rc;
}

static int try_number(struct trial *t, uint64_t number, struct err *e)
{
	struct faults faults = { 0 };
	json_t *said;
	int rc = try_run(t, number, NULL, &faults, &said, e);
	char *text = json_text(said, false), before[SAID_BYTES + 64];

	if (faults.count) {
		snprintf(before, sizeof before, "run %llu, %.*s, cannot be: ", (unsigned long long)number,
				SAID_BYTES, text ? text : "");
		pass_on(t->o->faults, "/space", &faults, before);
	}
	json_decref(said);
	free(text);
	return rc;
}

static int try_all(struct order *o, struct err *e)
{
	const struct search *s = o->own;
	struct trial t = { o,
		{ o->resolved, o->revision.rows, definition_classifies(&o->definition), TRAIN_THREADS_MAX } };
	int rc = sweep_each_value(&s->sweep, try_value, &t, e);

	for (uint64_t run = 1; run <= s->sweep.runs && !rc && !o->faults->count; run++)
		rc = try_number(&t, run, e);
	return rc ? rc : faults_result(o->faults, e);
}

static int submit_sweep(struct order *o, struct reply *rp, struct err *e)
{
	struct search *s = o->own;
	struct sweep_metrics metrics = metrics_of(o);
	json_t *config, *warnings;
	int rc;

	sweep_resolve(&s->sweep, o->request.core.epochs, &metrics, o->faults);
	if ((rc = faults_result(o->faults, e)) || (rc = make_request(o, e)) || (rc = try_all(o, e)))
		return rc;
	if (!order_config(o, &config, &warnings)) return err_nomem(e);
	if (!json_put(config, "sweep", sweep_document(&s->sweep))) {
		json_decref(config);
		config = NULL;
	}
	return order_submit(o, "sweep", true, sweep_total_epochs(&s->sweep), config, warnings, rp, e);
}

int model_sweep(struct request *rq, struct reply *rp, struct err *e)
{
	static const struct order_verb verb = { .read = read_sweep, .act = submit_sweep, .keeps_data = true };
	struct search search = { 0 };
	int rc = order_take(rq, rp, &verb, &search, e);

	json_decref(search.said);
	json_decref(search.request);
	return rc;
}
