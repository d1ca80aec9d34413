/* evaluate.c - :evaluate: a version against rows whose targets are known, stored or sent along.
 *
 * Rows come in batches from either source, already encoded; everything is summed batch by batch. The loss is that of
 * training, in the network's units; errors of numbers are in the users' units.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/metrics.h"
#include "server/api/document.h"
#include "server/api/fit.h"
#include "server/api/inline.h"
#include "server/api/predict.h"
#include "server/codec/json.h"
#include "server/codec/members.h"
#include "server/codec/rows.h"
#include "server/jobs/source.h"

#define EVALUATE_CLASSES_MAX 2000 /* of a confusion matrix in an answer */

struct evaluation {
	const struct model *model;
	const struct version_work *work;
	float *y; /* (work->rows, outputs): the targets of a batch */
	uint64_t rows;
	double loss_sum;
	struct confusion *confusion;   /* of a classification */
	struct regression *regression; /* (outputs), of numbers */
};

/* ---- summing ---- */

static int evaluation_begin(struct evaluation *v, struct version *version, struct err *e)
{
	const struct model *model = version_model(version);
	size_t outputs = encoder_width(model->targets);
	int rc;

	*v = (struct evaluation){ .model = model };
	if ((rc = version_work(version, &v->work, e))) return rc;
	if (!(v->y = calloc(v->work->rows, outputs * sizeof *v->y))) return err_nomem(e);
	if (encoder_column(model->targets, 0)->kind == COLUMN_CATEGORY) {
		if (outputs > EVALUATE_CLASSES_MAX)
			return err_set(e, ERR_RANGE,
					"a confusion matrix of %zu classes is more than an answer holds; %d are possible",
					outputs, EVALUATE_CLASSES_MAX);
		return confusion_new(&v->confusion, outputs, e);
	}
	v->regression = calloc(outputs, sizeof *v->regression);
	return v->regression ? 0 : err_nomem(e);
}

static void evaluation_end(struct evaluation *v)
{
	free(v->y);
	confusion_free(v->confusion);
	free(v->regression);
}

/* The batch that lies in work->x and y. */
static void evaluate_batch(struct evaluation *v, size_t n)
{
	const struct model *model = v->model;
	size_t outputs = encoder_width(model->targets);
	const float *scores;

	net_forward(model->net, v->work->net, v->work->x, n, &scores);
	v->loss_sum += net_loss(model->net, v->work->net, v->y, n, model->loss, model->loss_params);
	v->rows += n;
	if (v->confusion) confusion_add(v->confusion, scores, v->y, n);
	for (size_t i = 0; v->regression && i < n; i++)
		for (size_t j = 0; j < outputs; j++)
			regression_add(&v->regression[j],
					encoder_number(model->targets, j, scores[i * outputs + j]),
					encoder_number(model->targets, j, v->y[i * outputs + j]));
}

/* ---- rows that are stored ---- */

static int evaluate_group(struct evaluation *v, const struct source *source, size_t rows, const uint8_t *use,
		struct err *e)
{
	int rc;

	for (size_t i = 0, n; i < rows; i += n) {
		for (n = 0; i + n < rows && n < v->work->rows && use[i + n]; n++)
			;
		if (n && (rc = source_encode(source, i, n, v->work->x, v->y, e))) return rc;
		if (n) evaluate_batch(v, n);
		n += !n; /* without a target */
	}
	return 0;
}

static int evaluate_dataset(struct evaluation *v, struct store *store, const char *name,
		struct faults *faults, struct err *e)
{
	struct store_revision revision = { 0 };
	struct source *source = NULL;
	uint8_t *use = NULL;
	int rc;

	if ((rc = store->dataset_get(store, name, &revision, e))) goto out;
	if ((rc = fit_columns(&revision, v->model->inputs, v->model->targets, NULL, "/dataset", faults, e)) ||
			(rc = faults_result(faults, e)))
		goto out;
	if ((rc = source_new(&source, store, &revision, v->model->inputs, v->model->targets, e))) goto out;
	if (!(use = malloc(revision.rows))) {
		rc = err_nomem(e);
		goto out;
	}
	for (uint64_t group = 0; group < source_groups(source) && !rc; group++) {
		uint64_t first;
		size_t rows;

		if ((rc = source_read(source, group, &first, &rows, e))) break;
		source_usable(source, use);
		rc = evaluate_group(v, source, rows, use, e);
	}
out:
	free(use);
	source_free(source);
	store_revision_clear(&revision);
	return rc;
}

/* ---- rows that were sent ---- */

static int evaluate_pairs(
		struct evaluation *v, struct rows *const readers[2], struct faults *faults, struct err *e)
{
	for (;;) {
		size_t inputs, targets;
		int rc;

		if ((rc = rows_next(readers[0], v->work->rows, v->work->x, &inputs, e)) ||
				(rc = rows_next(readers[1], v->work->rows, v->y, &targets, e)))
			return rc;
		if (inputs != targets && !faults->count)
			faults_add(faults, ERR_INVALID, "/data", "has more rows of %s than of %s",
					inline_names[inputs < targets], inline_names[inputs > targets]);
		if (!inputs || !targets) return faults_result(faults, e);
		if (!faults->count) evaluate_batch(v, inputs);
	}
}

static int evaluate_inline(struct evaluation *v, struct scan_value data, struct faults *faults, struct err *e)
{
	const struct encoder *encoders[2] = { v->model->inputs, v->model->targets };
	struct rows *readers[2] = { NULL, NULL };
	struct scan_value half[2];
	int rc = 0;

	inline_halves(data, half, faults);
	if ((rc = faults_result(faults, e))) return rc;
	for (int i = 0; i < 2 && !rc; i++)
		if (!(rc = rows_new(&readers[i], e)))
			rc = rows_begin(readers[i], encoders[i], half[i], inline_pointers[i], faults, e);
	if (!rc) rc = evaluate_pairs(v, readers, faults, e);
	rows_free(readers[0]);
	rows_free(readers[1]);
	return rc;
}

/* ---- the answer ---- */

static json_t *class_document(const struct evaluation *v, size_t k)
{
	const struct encoder_column *target = encoder_column(v->model->targets, 0);
	json_t *out = json_object();
	uint64_t rows = 0;

	for (size_t j = 0; j < target->values_count; j++)
		rows += confusion_count(v->confusion, k, j);
	json_put(out, "label", json_string(target->values[k]));
	json_put(out, "rows", json_integer((json_int_t)rows));
	json_put(out, "precision", json_number(confusion_precision(v->confusion, k)));
	json_put(out, "recall", json_number(confusion_recall(v->confusion, k)));
	json_put(out, "f1", json_number(confusion_f1(v->confusion, k)));
	return out;
}

static void put_classes(json_t *out, const struct evaluation *v)
{
	const struct encoder_column *target = encoder_column(v->model->targets, 0);
	json_t *classes = json_array(), *labels = json_array(), *counts = json_array();

	for (size_t i = 0; i < target->values_count; i++) {
		json_t *row = json_array();

		json_array_append_new(classes, class_document(v, i));
		json_array_append_new(labels, json_string(target->values[i]));
		for (size_t j = 0; j < target->values_count; j++)
			json_array_append_new(
					row, json_integer((json_int_t)confusion_count(v->confusion, i, j)));
		json_array_append_new(counts, row);
	}
	json_put(out, "per_class", classes);
	json_put(out, "confusion_matrix", json_pack("{s:o,s:o}", "labels", labels, "counts", counts));
}

/* Of several outputs the means; rmse is the root of the mean mse. */
static void put_errors(json_t *metrics, const struct evaluation *v)
{
	size_t outputs = encoder_width(v->model->targets);
	double mse = 0, mae = 0, r2 = 0;

	for (size_t i = 0; i < outputs; i++) {
		mse += regression_mse(&v->regression[i]) / (double)outputs;
		mae += regression_mae(&v->regression[i]) / (double)outputs;
		r2 += regression_r2(&v->regression[i]) / (double)outputs;
	}
	json_put(metrics, "mse", json_number(mse));
	json_put(metrics, "rmse", json_number(sqrt(mse)));
	json_put(metrics, "mae", json_number(mae));
	json_put(metrics, "r2", json_number(r2));
}

static int reply_evaluation(struct reply *rp, const struct evaluation *v, uint64_t version, struct err *e)
{
	json_t *out = json_object(), *metrics = json_object();

	if (!v->rows) {
		json_decref(out);
		json_decref(metrics);
		return err_set(e, ERR_INVALID, "there are no rows with a target to evaluate");
	}
	json_put(metrics, "loss", json_number(v->loss_sum / (double)v->rows));
	if (v->confusion)
		json_put(metrics, "accuracy", json_number(confusion_accuracy(v->confusion)));
	else
		put_errors(metrics, v);
	json_put(out, "metrics", metrics);
	json_put(out, "rows", json_integer((json_int_t)v->rows));
	if (v->confusion) put_classes(out, v);
	json_put(out, "model_version", json_id((int64_t)version));
	return reply_document(rp, out, e);
}

/* ---- the request ---- */

enum { MEMBER_DATASET, MEMBER_DATA, MEMBERS };
static const char *const members[] = { "dataset", "data", NULL };

static void read_body(struct scan_value body, struct scan_value said[MEMBERS], struct faults *faults)
{
	members_read(body, members, said, "", faults);
	if (said[MEMBER_DATASET].at && said[MEMBER_DATA].at)
		faults_add(faults, ERR_INVALID, "/data",
				"goes without \"dataset\": name one or send the other");
	if (!said[MEMBER_DATASET].at && !said[MEMBER_DATA].at && !faults->count)
		faults_add(faults, ERR_MISSING_FIELD, "",
				"needs \"dataset\", or \"data\" with \"inputs\" and \"targets\"");
	if (said[MEMBER_DATASET].at && scan_kind(said[MEMBER_DATASET]) != '"')
		faults_add(faults, ERR_INVALID, "/dataset", "must be a data set's name");
}

static int evaluate_rows(struct evaluation *v, struct app *app, const struct scan_value said[MEMBERS],
		struct faults *faults, struct err *e)
{
	char room[512], name[512];
	const char *text;
	size_t n;

	if (said[MEMBER_DATA].at) return evaluate_inline(v, said[MEMBER_DATA], faults, e);
	if ((size_t)(said[MEMBER_DATASET].end - said[MEMBER_DATASET].at) > sizeof room)
		return err_set(e, ERR_NOT_FOUND, "there is no data set with so long a name");
	n = scan_string(said[MEMBER_DATASET], &text, room);
	snprintf(name, sizeof name, "%.*s", (int)n, text);
	return evaluate_dataset(v, app->store, name, faults, e);
}

int evaluate(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct scan_value said[MEMBERS];
	struct evaluation v = { 0 };
	struct version *version = NULL;
	struct scan_value body;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = scan_check(rq->body.data, rq->body.size, &body, e))) return rc;
	if ((rc = predict_version(rq, &version, e))) return rc;
	read_body(body, said, faults);
	if ((rc = faults_result(faults, e))) goto out;
	if ((rc = evaluation_begin(&v, version, e))) goto out;
	if ((rc = evaluate_rows(&v, app, said, faults, e))) goto out;
	rc = reply_evaluation(rp, &v, version_number(version), e);
out:
	evaluation_end(&v);
	version_put(version);
	return rc;
}
