/* job_predictions.c - GET /v1/jobs/{id}/predictions: what the networks of a cross-validation said of the rows that they had not
 * seen, in the order of the data set: a page at a time as JSON, in the form of :predict, or as CSV. */
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/jobs.h"
#include "server/codec/answers.h"
#include "server/codec/definition.h"
#include "server/codec/fold_rows.h"
#include "server/codec/json.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000

struct predictions_page {
	struct fold_rows all;
	struct encoder *targets; /* unfitted: numbers are in the users' units already */
	uint64_t offset, limit, end;
	struct buffer *out;
};

/* ---- reading ---- */

/* The encoder of what was predicted. */
static int find_targets(struct predictions_page *p, struct err *e)
{
	struct definition d = { 0 };
	struct faults faults = { 0 };
	json_t *document = NULL;
	int rc = json_read_stored(p->all.definition, &document, e);

	if (rc) return rc;
	definition_read(document, true, &d, &faults);
	definition_finish(&d, 0, &faults);
	if (!(rc = faults_result(&faults, e))) rc = definition_encoder(&d, ENCODER_TARGETS, &p->targets, e);
	if (!rc && encoder_width(p->targets) != p->all.outputs)
		rc = err_set(e, ERR_CORRUPT, "the predictions of this job are of another model");
	definition_clear(&d);
	json_decref(document);
	return rc;
}

/* The bytes, and the arrays that are made of them. */
static int charge_for(struct request *rq, const struct store_job *job, struct err *e)
{
	json_t *results = stored_document(job->results ? job->results : "null");
	json_int_t bytes = json_integer_value(json_object_get(results, "predictions_bytes"));

	json_decref(results);
	return request_charge(rq, 2 * (uint64_t)bytes, "reading the predictions", e);
}

static int read_predictions(struct request *rq, uint64_t id, struct predictions_page *p, struct err *e)
{
	struct app *app = rq->app;
	struct store_job job = { 0 };
	struct store_bytes bytes = { 0 };
	int rc = app->store->job_get(app->store, (int64_t)id, &job, e);

	if (rc) return rc;
	if (strcmp(job.kind, "crossvalidate"))
		rc = err_set(e, ERR_NOT_FOUND, "job %llu (%s) has no predictions; a :crossvalidate has",
				(unsigned long long)id, job.kind);
	else if (!job_state_ended(job.state))
		rc = err_set(e, ERR_CONFLICT,
				"job %llu is %s; its predictions are there once it has succeeded",
				(unsigned long long)id, job_state_name(job.state));
	else if (!job.output)
		rc = err_set(e, ERR_NOT_FOUND, "job %llu has no predictions: it ended as %s",
				(unsigned long long)id, job_state_name(job.state));
	else if (!(rc = charge_for(rq, &job, e)) &&
			!(rc = app->store->blob_read(app->store, job.output, &bytes, e)) &&
			!(rc = fold_rows_read(&p->all, bytes.data, bytes.size, e)))
		rc = find_targets(p, e);
	store_bytes_clear(&bytes);
	store_job_clear(&job);
	return rc;
}

/* ---- JSON ---- */

static void write_whole(struct buffer *out, uint64_t number, bool first)
{
	buffer_printf(out, "%s%llu", first ? "" : ",", (unsigned long long)number);
}

static int write_json(const struct predictions_page *p, uint64_t job, struct err *e)
{
	struct answers *answers;
	int rc = answers_new(&answers, e);

	if (rc) return rc;
	buffer_printf(p->out,
			"{\"job\":\"%llu\",\"total\":%zu,\"offset\":%llu,\"next\":", (unsigned long long)job,
			p->all.count, (unsigned long long)p->offset);
	if (p->end < p->all.count)
		write_whole(p->out, p->end, true);
	else
		buffer_text(p->out, "null");
	buffer_text(p->out, ",\"rows\":[");
	for (uint64_t i = p->offset; i < p->end; i++)
		write_whole(p->out, p->all.rows[i], i == p->offset);
	buffer_text(p->out, "],\"folds\":[");
	for (uint64_t i = p->offset; i < p->end; i++)
		write_whole(p->out, p->all.folds[i], i == p->offset);
	buffer_text(p->out, "]");
	answers_begin(answers, ANSWER_MEMBERS, p->targets, p->out);
	if (p->offset < p->end)
		answers_add(answers, p->all.scores + p->offset * p->all.outputs, p->end - p->offset);
	answers_end(answers, 0, NULL);
	answers_free(answers);
	return 0;
}

/* ---- CSV: row, fold, then the outputs ---- */

static void write_csv(const struct predictions_page *p)
{
	buffer_text(p->out, "row,fold");
	answers_csv_head(p->out, p->targets, true);
	for (uint64_t i = p->offset; i < p->end; i++) {
		write_whole(p->out, p->all.rows[i], true);
		write_whole(p->out, p->all.folds[i], false);
		answers_csv_row(p->out, p->targets, p->all.scores + i * p->all.outputs, true);
	}
}

int job_predictions(struct request *rq, struct reply *rp, struct err *e)
{
	struct faults *faults = request_faults(rq);
	struct predictions_page p = { .limit = LIMIT_DEFAULT, .out = &rp->body };
	bool csv = request_accepts(rq, "text/csv");
	uint64_t id;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_number(rq, "job", "job", &id, e))) return rc;
	query_number(rq, "offset", 0, INT64_MAX, &p.offset, faults);
	query_number(rq, "limit", 1, LIMIT_MAX, &p.limit, faults);
	if ((rc = read_predictions(rq, id, &p, e)) || (rc = faults_result(faults, e))) goto out;
	if (p.offset > p.all.count) p.offset = p.all.count;
	p.end = p.all.count - p.offset < p.limit ? p.all.count : p.offset + p.limit;
	if (csv)
		write_csv(&p);
	else
		rc = write_json(&p, id, e);
	if (p.end < p.all.count)
		reply_header(rp, "Link", "<%.*s?offset=%llu&limit=%llu>; rel=\"next\"", (int)rq->path_length,
				rq->url, (unsigned long long)p.end, (unsigned long long)p.limit);
	if (csv) rp->content_type = "text/csv";
	if (!rc && !buffer_ok(&rp->body)) rc = err_nomem(e);
out:
	encoder_free(p.targets);
	fold_rows_clear(&p.all);
	return rc;
}
