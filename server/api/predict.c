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

/* ---- counting ---- */

uint64_t predict_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void predict_count(const struct version *version, int rc, uint64_t begun, struct usage_counts *counts)
{
	uint64_t ns = predict_clock() - begun;
	struct timespec now;

	if (!version || rc == ERR_WOULD_BLOCK) return;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	counts->last_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (rc) {
		*counts = (struct usage_counts){
			.failures = 1, .failure_ns = ns, .last_ms = counts->last_ms
		};
	} else {
		counts->requests = 1;
		counts->ns = ns;
	}
	usage_add(version_usage(version), counts);
}

/* ---- the request ---- */

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

static int answer(struct scratch *scratch, struct version *version, const struct asked *asked,
		struct buffer *out, struct usage_counts *counts, struct err *e)
{
	const struct model *model = version_model(version);
	const struct version_work *work;
	const float *scores; /* (n, outputs), borrowed from work */
	size_t n;
	int rc;

	if ((rc = version_work(version, &work, e))) return rc;
	if ((rc = rows_begin(scratch->rows, model->inputs, asked->rows, asked->pointer, &scratch->faults, e)))
		return rc;
	rows_tally(scratch->rows, version_drift(version), work->asked);
	answers_begin(scratch->answers, asked->form, model->targets, out);
	for (;;) {
		if ((rc = rows_next(scratch->rows, work->rows, work->x, &n, e))) return rc;
		if (!n) break;
		if (scratch->faults.count) continue;
		net_forward(model->net, work->net, work->x, n, &scores);
		answers_add(scratch->answers, scores, n);
		counts->rows += n;
	}
	if ((rc = faults_result(&scratch->faults, e))) return rc;
	answers_end(scratch->answers, version_number(version), scratch->rows);
	return buffer_ok(out) ? 0 : err_nomem(e);
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

static int respond(struct request *rq, struct reply *rp, const struct verb *verb, struct scratch *scratch,
		struct err *e)
{
	struct usage_counts counts = { 0 };
	uint64_t begun = predict_clock();
	struct asked asked;
	struct version *version = NULL;
	struct scan_value body;
	int rc;

	if ((rc = scan_check(rq->body.data, rq->body.size, &body, e))) return rc;
	if ((rc = predict_version(rq, &version, e))) return rc;
	find_rows(verb, body, &asked, &scratch->faults);
	if ((rc = faults_result(&scratch->faults, e)) || (rc = check_verb(verb, version_model(version), e)))
		goto out;
	if (!rq->may_wait && worth_a_thread(version_model(version), &asked))
		rc = ERR_WOULD_BLOCK;
	else
		rc = answer(scratch, version, &asked, &rp->body, &counts, e);
out:
	predict_count(version, rc, begun, &counts);
	version_put(version);
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
