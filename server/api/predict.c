/* predict.c - :predict, :classify and :regress.
 *
 * This is the hot path, run on the loop that read the request. One version is held throughout, so that a retrain
 * or a delete beside us cannot change or free the weights. Rows go from the body's text through the encoder into the
 * thread's working memory, a batch at a time, and their scores into the reply: once a thread has answered for a
 * version, nothing is allocated here but the reply's growth, and no lock is taken.
 */
#include "server/api/predict.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/api/document.h"
#include "server/codec/answers.h"
#include "server/codec/members.h"
#include "server/codec/rows.h"
#include "server/codec/scan.h"

/* What a verb reads: members of the body, of which one asks, and the form of the answer to each. */
struct verb {
	const char *members[4]; /* ended by NULL; the last is signature_name */
	enum answer_form forms[2];
};
static const struct verb verb_predict = { { "instances", "inputs", "signature_name", NULL },
	{ ANSWER_PREDICTIONS, ANSWER_OUTPUTS } };
static const struct verb verb_classify = { { "examples", "signature_name", NULL }, { ANSWER_CLASSES } };
static const struct verb verb_regress = { { "examples", "signature_name", NULL }, { ANSWER_NUMBERS } };

/* ---- a thread's own ---- */

struct scratch {
	struct rows *rows;
	struct answers *answers;
	struct faults faults;
};

static pthread_key_t scratch_key;

static void scratch_free(void *self)
{
	struct scratch *scratch = self;

	rows_free(scratch->rows);
	answers_free(scratch->answers);
	free(scratch);
}

static void make_key(void)
{
	pthread_key_create(&scratch_key, scratch_free);
}

static int own_scratch(struct scratch **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct scratch *scratch;
	int rc;

	pthread_once(&once, make_key);
	if ((*out = pthread_getspecific(scratch_key))) return 0;
	if (!(scratch = calloc(1, sizeof *scratch))) return err_nomem(e);
	if ((rc = rows_new(&scratch->rows, e)) || (rc = answers_new(&scratch->answers, e)) ||
			(rc = pthread_setspecific(scratch_key, scratch) ? err_nomem(e) : 0)) {
		scratch_free(scratch);
		return rc;
	}
	*out = scratch;
	return 0;
}

/* ---- a request and its version ---- */

uint64_t predict_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int prediction_begin(struct request *rq, struct prediction *out, struct err *e)
{
	const struct app *app = rq->app;
	struct registry_routed routed = { 0 };
	int rc;

	out->version = NULL;
	if (request_param(rq, "version") || request_param(rq, "label"))
		rc = predict_version(rq, &routed.version, e);
	else
		rc = registry_route(app->registry, request_param(rq, "model"),
				rq->headers[HEADER_ROUTING_KEY], rq->may_wait, &routed, e);
	if (rc) return rc;
	out->version = routed.version;
	out->model = version_model(routed.version);
	out->shadow = routed.shadow == version_number(routed.version) ? 0 : routed.shadow;
	out->counts.given = routed.given;
	return 0;
}

void prediction_end(struct prediction *p, int rc)
{
	uint64_t ns = predict_clock() - p->begun;
	struct usage_counts *counts = &p->counts;
	struct timespec now;

	if (!p->version) return;
	if (rc != ERR_WOULD_BLOCK) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		counts->last_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
		if (rc) {
			*counts = (struct usage_counts){ .failures = 1,
				.failure_ns = ns,
				.given = counts->given,
				.last_ms = counts->last_ms };
		} else {
			counts->requests = 1;
			counts->ns = ns;
		}
		usage_add(version_usage(p->version), counts);
	}
	version_put(p->version);
}

int predict_version(struct request *rq, struct version **out, struct err *e)
{
	struct app *app = rq->app;
	const char *version = request_param(rq, "version"), *label = request_param(rq, "label");
	uint64_t number;
	int rc;

	if (version && (rc = request_number(rq, "version", "version", &number, e))) return rc;
	return registry_get(app->registry, request_param(rq, "model"),
			version ? PICK_NUMBER
			: label ? PICK_LABEL
				: PICK_DEFAULT,
			version ? version
			: label ? label
				: "",
			rq->may_wait, out, e);
}

/* ---- the request ---- */

struct asked {
	struct scan_value rows;
	char pointer[24];
	enum answer_form form;
};

/* Which of its members the verb is asked with. */
static void find_rows(
		const struct verb *verb, struct scan_value body, struct asked *asked, struct faults *faults)
{
	struct scan_value found[sizeof verb->members / sizeof *verb->members];
	size_t asks = 0;

	*asked = (struct asked){ 0 };
	members_read(body, verb->members, found, "", faults);
	for (size_t i = 0; verb->members[i] && scan_kind(body) == '{'; i++) {
		if (!found[i].at) continue;
		if (verb->members[i + 1]) { /* not signature_name */
			asks++;
			asked->rows = found[i];
			asked->form = verb->forms[i];
			snprintf(asked->pointer, sizeof asked->pointer, "/%s", verb->members[i]);
		} else if (scan_kind(found[i]) != '"')
			faults_add(faults, ERR_INVALID, "/signature_name", "must be a string");
	}
	if (asks > 1)
		faults_add(faults, ERR_INVALID, asked->pointer, "goes without \"%s\"; send one of them",
				verb->members[0]);
	if (!asks && !faults->count)
		faults_add(faults, ERR_MISSING_FIELD, "", "needs \"%s\", as in {\"%s\":[…]}",
				verb->members[0], verb->members[0]);
}

/* A classification has one category output, a regression numbers only. */
static int check_verb(const struct verb *verb, const struct model *model, struct err *e)
{
	bool classifies = encoder_column(model->targets, 0)->kind == COLUMN_CATEGORY;

	if (verb != &verb_classify && verb != &verb_regress) return 0;
	if (encoder_columns(model->targets) > 1)
		return err_set(e, ERR_INVALID, "this model predicts %zu outputs; ask it with :predict",
				encoder_columns(model->targets));
	if (verb == &verb_classify && !classifies)
		return err_set(e, ERR_INVALID,
				"this model predicts a number; ask it with :regress or :predict");
	if (verb == &verb_regress && classifies)
		return err_set(e, ERR_INVALID,
				"this model predicts a category; ask it with :classify or :predict");
	return 0;
}

/* ---- the answer ---- */

/* What becomes of the scores (n, outputs) of a block of rows. */
typedef void sink(void *self, const float *scores, size_t n);

/* Row after row through the network. tally: what is asked is counted. */
static int each_block(const struct request *rq, struct scratch *scratch, struct version *version,
		const struct asked *asked, bool tally, sink *take, void *self, struct err *e)
{
	const struct model *model = version_model(version);
	const struct version_work *work;
	const float *scores; /* borrowed from work */
	size_t n;
	int rc;

	if ((rc = version_work(version, &work, e))) return rc;
	if ((rc = rows_begin(scratch->rows, model->inputs, asked->rows, asked->pointer, &scratch->faults, e)))
		return rc;
	if (tally) rows_tally(scratch->rows, version_drift(version), work->asked);
	for (;;) {
		if ((rc = rows_next(scratch->rows, work->rows, work->x, &n, e))) return rc;
		if (!n) break;
		if (scratch->faults.count) continue;
		if ((rc = request_in_time(rq, e))) return rc;
		net_forward(model->net, work->net, work->x, n, &scores);
		take(self, scores, n);
	}
	return faults_result(&scratch->faults, e);
}

struct answering {
	struct answers *answers;
	uint64_t rows;
};

static void add_answers(void *self, const float *scores, size_t n)
{
	struct answering *to = self;

	answers_add(to->answers, scores, n);
	to->rows += n;
}

static int answer(const struct request *rq, struct scratch *scratch, struct prediction *p,
		const struct asked *asked, struct buffer *out, struct err *e)
{
	struct answering to = { scratch->answers, 0 };
	int rc;

	answers_begin(scratch->answers, asked->form, p->model->targets, out);
	rc = each_block(rq, scratch, p->version, asked, true, add_answers, &to, e);
	p->counts.rows = to.rows;
	if (rc) return rc;
	answers_end(scratch->answers, version_number(p->version), scratch->rows);
	return buffer_ok(out) ? 0 : err_nomem(e);
}

/* Of rows that have joined others. rows: whose warnings are told; NULL: there are none. */
static int answer_share(struct scratch *scratch, struct prediction *p, const struct asked *asked,
		const struct share *share, const struct rows *rows, struct buffer *out, struct err *e)
{
	const float *scores;
	size_t n;
	int rc = batch_scores(share, &scores, &n, e);

	if (rc) return rc;
	answers_begin(scratch->answers, asked->form, p->model->targets, out);
	answers_add(scratch->answers, scores, n);
	answers_end(scratch->answers, version_number(p->version), rows);
	p->counts.rows = n;
	return buffer_ok(out) ? 0 : err_nomem(e);
}

/* ERR_LATER: they wait for others. 0: with a share, they are scored. */
static int join(struct request *rq, struct scratch *scratch, struct prediction *p, const struct asked *asked,
		size_t rows, struct share **share, struct err *e)
{
	const struct version_work *work;
	int rc = version_work(p->version, &work, e);

	if (rc || (rc = rows_begin(scratch->rows, p->model->inputs, asked->rows, asked->pointer,
				   &scratch->faults, e)))
		return rc;
	rows_tally(scratch->rows, version_drift(p->version), work->asked);
	return batch_read(rq, p, scratch->rows, &scratch->faults, rows, share, e);
}

/* Of an array of rows, but no more than can join others, and one. 0: it is no such array. */
static size_t count_rows(const struct asked *asked)
{
	struct scan_iter i = scan_begin(asked->rows);
	size_t n = 0;

	while (scan_kind(asked->rows) == '[' && n <= BATCH_ROWS_MAX && scan_next(&i))
		n++;
	return n;
}

struct valuing {
	const struct encoder *targets;
	struct buffer *values;
};

static void add_values(void *self, const float *scores, size_t n)
{
	const struct valuing *to = self;
	size_t bytes = n * encoder_width(to->targets) * sizeof *scores;
	char *at = buffer_reserve(to->values, bytes);

	if (!at) return;
	answers_values(to->targets, scores, n, (float *)(void *)at);
	to->values->size += bytes;
}

/* A scorer; how is the verb. */
static int score(struct request *rq, struct version *version, uintptr_t how, struct buffer *values,
		struct err *e)
{
	struct valuing to = { version_model(version)->targets, values };
	struct scratch *scratch;
	struct scan_value body;
	struct asked asked;
	int rc;

	if ((rc = own_scratch(&scratch, e)) || (rc = scan_check(rq->body.data, rq->body.size, &body, e)))
		return rc;
	scratch->faults.count = scratch->faults.more = 0;
	find_rows((const struct verb *)how, body, &asked, &scratch->faults);
	if ((rc = faults_result(&scratch->faults, e))) return rc;
	return each_block(rq, scratch, version, &asked, false, add_values, &to, e);
}

/* A number takes two bytes at least, so the body's size bounds its rows; a record may leave all of them out. */
static bool worth_a_thread(const struct model *model, const struct asked *asked)
{
	struct scan_iter i = scan_begin(asked->rows);
	bool arrays = scan_kind(asked->rows) == '[' && scan_next(&i) && scan_kind(i.value) == '[';
	size_t columns = arrays ? encoder_columns(model->inputs) : 1;
	double rows = (double)(asked->rows.end - asked->rows.at) / (2.0 * (double)columns) + 1;

	return rows * (double)net_parameters(model->net) > PREDICT_INLINE_WORK;
}

/* With p's version found, and the body's rows. */
static int respond_with(struct request *rq, struct reply *rp, struct scratch *scratch, struct prediction *p,
		const struct asked *asked, struct share *joined, struct err *e)
{
	struct share *share = NULL;
	size_t rows;
	int rc;

	if (joined) return answer_share(scratch, p, asked, joined, NULL, &rp->body, e);
	if (version_batch(p->version) && (rows = count_rows(asked)) && batch_wanted(rq, p, rows)) {
		if ((rc = join(rq, scratch, p, asked, rows, &share, e))) return rc;
		if (share) rc = answer_share(scratch, p, asked, share, scratch->rows, &rp->body, e);
		batch_end(share);
		return share ? rc : ERR_WOULD_BLOCK;
	}
	if (!rq->may_wait && worth_a_thread(p->model, asked)) return ERR_WOULD_BLOCK;
	return answer(rq, scratch, p, asked, &rp->body, e);
}

static int respond(struct request *rq, struct reply *rp, const struct verb *verb, struct scratch *scratch,
		struct err *e)
{
	struct prediction p = { .begun = predict_clock() };
	struct share *joined;
	struct asked asked;
	int rc;

	if (!batch_joined(rq, &p, &joined) && ((rc = scan_check(rq->body.data, rq->body.size, &p.body, e)) ||
							      (rc = prediction_begin(rq, &p, e))))
		return rc;
	find_rows(verb, p.body, &asked, &scratch->faults);
	if (!(rc = faults_result(&scratch->faults, e))) rc = check_verb(verb, p.model, e);
	if (!rc) rc = respond_with(rq, rp, scratch, &p, &asked, joined, e);
	if (!rc) shadow_ask(rq, &p, score, (uintptr_t)verb);
	batch_end(joined);
	prediction_end(&p, rc);
	return rc;
}

static int run_verb(struct request *rq, struct reply *rp, const struct verb *verb, struct err *e)
{
	struct scratch *scratch;
	struct faults *kept;
	int rc;

	if ((rc = own_scratch(&scratch, e))) return rc;
	scratch->faults.count = scratch->faults.more = 0;
	rc = respond(rq, rp, verb, scratch, e);
	if (rc && scratch->faults.count && (kept = request_faults(rq))) *kept = scratch->faults;
	return rc;
}

int predict(struct request *rq, struct reply *rp, struct err *e)
{
	return bulk_wanted(rq) ? bulk_predict(rq, rp, e) : run_verb(rq, rp, &verb_predict, e);
}

int classify(struct request *rq, struct reply *rp, struct err *e)
{
	return run_verb(rq, rp, &verb_classify, e);
}

int regress(struct request *rq, struct reply *rp, struct err *e)
{
	return run_verb(rq, rp, &verb_regress, e);
}
