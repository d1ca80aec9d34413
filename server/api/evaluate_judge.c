/* evaluate_judge.c - what is found out about a batch of answers, a target column at a time. See evaluate_parts.h.
 *
 * Metrics are in the users' units, the loss is that of training, in the network's.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/api/document.h"
#include "server/api/evaluate_parts.h"

#define EVALUATE_CLASSES_MAX 2000 /* of a confusion matrix in an answer */

/* Of two curves of three columns, as text. */
#define CURVES_BYTES (2 * 3 * RANKING_CURVE_MAX * 14)

/* Output activations whose scores are probabilities. */
static const char *const probable[] = { "softmax", "sigmoid" };

/* The head that a target column is answered by: a category has one, numbers may share one. */
static size_t head_of(const struct net *net, const struct encoder_column *column)
{
	size_t h = net_heads(net) - 1;

	while (h && net_head_first(net, h) > column->first)
		h--;
	return h;
}

static bool has_probabilities(const struct net *net, size_t head)
{
	const char *name = net_layer(net, net_head_layer(net, head))->spec.activation->name;

	for (size_t i = 0; i < sizeof probable / sizeof *probable; i++)
		if (!strcmp(probable[i], name)) return true;
	return false;
}

static size_t default_top_k(size_t classes)
{
	size_t most = (size_t)metric_find("top_k")->params[0].fallback;

	if (classes <= most) most = classes - 1;
	return most ? most : 1;
}

/* Each target's part of the memory. */
static size_t scores_for(uint64_t memory_bytes, size_t targets)
{
	uint64_t scores = memory_bytes / targets / RANKING_SCORE_BYTES;

	return scores < RANKING_SCORES_MAX ? (size_t)scores : RANKING_SCORES_MAX;
}

static int judge_begin(struct judge *judge, const struct evaluation *v, size_t at, struct err *e)
{
	const struct model *model = v->model;
	size_t classes, top_k = v->wanted.top_k;

	judge->at = at;
	judge->column = encoder_column(model->targets, at);
	judge->head = head_of(model->net, judge->column);
	classes = judge->column->width;
	if (encoder_is_numeric(judge->column->kind))
		return ranking_new(&judge->residuals, 1, v->scores_max, e);
	if (classes > EVALUATE_CLASSES_MAX)
		return err_set(e, ERR_RANGE,
				"a confusion matrix of %zu classes is more than an answer holds; %d are possible",
				classes, EVALUATE_CLASSES_MAX);
	if (!top_k) top_k = default_top_k(classes);
	return classification_new(&judge->classes, classes, top_k < classes ? top_k : classes,
			has_probabilities(model->net, judge->head), v->scores_max, e);
}

int evaluation_begin(struct evaluation *v, struct version *version, const struct evaluation_wanted *wanted,
		uint64_t memory_bytes, const struct request *rq, struct err *e)
{
	const struct model *model = version_model(version);
	size_t outputs = encoder_width(model->targets),
	       cut = encoder_columns(model->targets) > 1 ? outputs : 1;
	int rc;

	*v = (struct evaluation){
		.model = model, .wanted = *wanted, .rq = rq, .count = encoder_columns(model->targets)
	};
	v->scores_max = scores_for(memory_bytes, v->count);
	if ((rc = version_work(version, &v->work, e))) return rc;
	v->y = calloc(v->work->rows, outputs * sizeof *v->y);
	v->own_scores = calloc(v->work->rows, cut * sizeof *v->own_scores);
	v->own_y = calloc(v->work->rows, cut * sizeof *v->own_y);
	v->judges = calloc(v->count, sizeof *v->judges);
	v->numbers = calloc(v->count, sizeof *v->numbers);
	v->head_losses = calloc(net_heads(model->net), sizeof *v->head_losses);
	if (!v->head_losses || !v->y || !v->own_scores || !v->own_y || !v->judges || !v->numbers)
		return err_nomem(e);
	for (size_t i = 0; i < v->count && !rc; i++)
		rc = judge_begin(&v->judges[i], v, i, e);
	if (!rc && wanted->importance) rc = importance_new(&v->importance, v, memory_bytes, e);
	return rc;
}

void evaluation_end(struct evaluation *v)
{
	for (size_t i = 0; v->judges && i < v->count; i++) {
		classification_free(v->judges[i].classes);
		ranking_free(v->judges[i].residuals);
	}
	importance_free(v->importance);
	free(v->judges);
	free(v->numbers);
	free(v->y);
	free(v->own_scores);
	free(v->own_y);
	free(v->head_losses);
}

size_t evaluation_bytes(const struct evaluation *v, uint64_t rows)
{
	size_t bytes = v->importance ? importance_bytes(v->importance, v->model, rows) : 0;

	for (size_t i = 0; i < v->count; i++) {
		size_t classes = v->judges[i].column->width;

		if (!v->judges[i].classes) {
			bytes = size_add(bytes, ranking_bytes(1, v->scores_max, rows));
			continue;
		}
		bytes = size_add(bytes, classification_bytes(classes, v->scores_max, rows));
		if (v->wanted.curves) bytes = size_add(bytes, size_mul(classes, CURVES_BYTES));
	}
	return bytes;
}

/* ---- a batch ---- */

/* Columns [first, first + width) of (rows, stride) as a matrix of their own. */
static const float *cut_out(
		const float *from, size_t stride, size_t first, size_t width, size_t rows, float *to)
{
	if (width == stride) return from;
	for (size_t i = 0; i < rows; i++)
		memcpy(to + i * width, from + i * stride + first, width * sizeof *to);
	return to;
}

/* A target in the users' units. It went through float32 as (y - shift) / scale, so that a 0 comes back as something of
 * the order of shift's last place: that is 0 again, as relative errors must not be taken of it. */
static double number_target(const struct encoder *targets, const struct judge *judge, float encoded)
{
	double y = encoder_number(targets, judge->at, (double)encoded);

	return fabs(y) <= fabs(judge->column->shift) * (double)FLT_EPSILON ? 0 : y;
}

static int judge_add(struct evaluation *v, const struct judge *judge, const float *scores, size_t rows,
		struct err *e)
{
	const struct encoder *targets = v->model->targets;
	size_t stride = encoder_width(targets), at = judge->column->first, width = judge->column->width;
	int rc = 0;

	if (judge->classes)
		return classification_add(judge->classes,
				cut_out(scores, stride, at, width, rows, v->own_scores),
				cut_out(v->y, stride, at, width, rows, v->own_y), rows, e);
	for (size_t i = 0; i < rows; i++, at += stride) {
		double said = encoder_number(targets, judge->at, (double)scores[at]);
		double truth = number_target(targets, judge, v->y[at]);
		float residual = (float)(truth - said);

		regression_add(&v->numbers[judge->at], said, truth);
		if ((rc = ranking_add(judge->residuals, &residual, &(uint32_t){ 0 }, 1, e))) break;
	}
	return rc;
}

/* The loss of one head among several, without its weight: a sum over rows. */
static double head_loss(struct evaluation *v, size_t head, size_t rows)
{
	const struct net *net = v->model->net;
	const struct objective *objective = &v->model->objectives[head];
	size_t at = net_head_layer(net, head);
	const struct layer_spec *layer = &net_layer(net, at)->spec;
	const float *y = cut_out(
			v->y, net_outputs(net), net_head_first(net, head), layer->units, rows, v->own_y);

	return objective->loss->value(net_work_weighted_inputs(v->work->net, at),
			net_work_activations(v->work->net, at), y, rows, layer->units,
			loss_is_joint(objective->loss, layer->activation), objective->params);
}

static bool row_is_finite(const float *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(row[i])) return false;
	return true;
}

int evaluation_add(struct evaluation *v, size_t rows, struct err *e)
{
	const struct model *model = v->model;
	size_t outputs = encoder_width(model->targets);
	const float *scores;
	int rc = request_goes_on(v->rq, e);

	if (rc) return rc;
	net_forward(model->net, v->work->net, v->work->x, rows, &scores);
	v->loss_sum += net_loss(model->net, v->work->net, v->y, NULL, rows, model->objectives);
	for (size_t h = 0; net_heads(model->net) > 1 && h < net_heads(model->net); h++)
		v->head_losses[h] += head_loss(v, h, rows);
	v->rows += rows;
	for (size_t i = 0; i < rows; i++)
		v->nonfinite_rows += !row_is_finite(scores + i * outputs, outputs);
	for (size_t i = 0; i < v->count && !rc; i++)
		rc = judge_add(v, &v->judges[i], scores, rows, e);
	if (!rc && v->importance) rc = importance_add(v, rows, e);
	return rc;
}
