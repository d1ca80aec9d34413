/* job_curve.c - /v1/jobs/{id}/curve: columns as JSON, thinned where asked, or every row as CSV. */
#include <string.h>

#include "server/api/document.h"
#include "server/api/jobs.h"
#include "server/api/models.h"
#include "server/codec/curve.h"
#include "server/codec/json.h"

#define POINTS_MIN 2
#define POINTS_MAX 1000000

struct reading {
	struct curve curve;
	uint64_t from, to;
};

static int on_block(void *self, const struct store_curve_block *block, struct err *e)
{
	struct reading *reading = self;

	return curve_decode(&reading->curve, block->data, block->size, reading->from, reading->to, e);
}

/* Which metrics the job has: its own say so once it has ended, its model does before. */
static void find_metrics(struct app *app, const struct store_job *job, struct curve_view *view)
{
	json_t *metrics = stored_document(job->metrics), *document = NULL;
	bool accuracy = json_object_get(metrics, "accuracy"), mae = json_object_get(metrics, "mae");
	struct store_model model = { 0 };
	struct definition d = { 0 };

	json_decref(metrics);
	if (!accuracy && !mae && !app->store->model_get(app->store, job->model, &model, NULL) &&
			!model_definition(&model, &d, &document, NULL))
		accuracy = definition_classifies(&d);
	definition_clear(&d);
	json_decref(document);
	store_model_clear(&model);
	view->accuracy = accuracy;
	view->mae = mae || !accuracy;
}

static bool has_validation(const struct store_job *job)
{
	json_t *config = stored_document(job->config);
	bool has = json_is_object(json_object_get(config, "validation"));

	json_decref(config);
	return has;
}

int job_curve_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct reading reading = { .from = 0, .to = INT64_MAX };
	struct store_job job = { 0 };
	struct curve_view view;
	uint64_t id, points = 0;
	bool csv = request_accepts(rq, "text/csv");
	const char *health = request_query(rq, "health");
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_number(rq, "job", "job", &id, e))) return rc;
	if ((rc = app->store->job_get(app->store, (int64_t)id, &job, e))) goto out;
	query_number(rq, "from", 0, INT64_MAX, &reading.from, faults);
	query_number(rq, "to", 0, INT64_MAX, &reading.to, faults);
	query_number(rq, "points", POINTS_MIN, POINTS_MAX, &points, faults);
	if (health && strcmp(health, "true") && strcmp(health, "false"))
		faults_add(faults, ERR_INVALID, "?health", "must be true or false");
	if ((rc = faults_result(faults, e))) goto out;
	if ((rc = app->store->curve_read(
			     app->store, job.id, reading.from, reading.to, on_block, &reading, e)))
		goto out;
	view = (struct curve_view){
		.job = job.id, .total = reading.curve.count, .validated = has_validation(&job)
	};
	find_metrics(app, &job, &view);
	view.health = health && !strcmp(health, "true");
	if (points && !csv) curve_thin(&reading.curve, points);
	if (csv) {
		rp->content_type = "text/csv";
		curve_write_csv(&reading.curve, &view, &rp->body);
	} else
		curve_write_json(&reading.curve, &view, &rp->body);
	if (!buffer_ok(&rp->body)) rc = err_nomem(e);
out:
	curve_clear(&reading.curve);
	store_job_clear(&job);
	return rc;
}
