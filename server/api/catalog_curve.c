/* catalog_curve.c - samples of activations, losses and schedules, taken from the functions that train.
 *
 * An activation of a whole row (softmax) is shown as its first output beside a weighted input of 0, one of pieces
 * (maxout) over its first piece, the others being 0. A loss of numbers
 * is shown over the output a, the target being 0; one whose targets have a least value (of categories, of counts) with a target of 1, over
 * the weighted input z where the loss is joint with its output activation, beside 0 where there are others. A schedule's factor is shown over the epochs; the loss that it looks
 * at, if it does, is one that never improves.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/activation.h"
#include "core/loss.h"
#include "core/schedule.h"
#include "server/api/catalog.h"
#include "server/api/document.h"
#include "server/codec/json.h"
#include "server/codec/number.h"

#define POINTS_DEFAULT 201
#define POINTS_MAX     10000
#define FROM_DEFAULT   (-5.0)
#define TO_DEFAULT     5.0
#define EPOCHS_DEFAULT 100
#define EPOCHS_MAX     1000000

struct sample {
	double value, derivative;
};

static struct sample sample_activation(const struct activation *f, double x)
{
	double params[PARAMS_MAX];
	real z[ACTIVATION_PIECES_MAX] = { (real)x }, a[2], da[2] = { 1, 0 }, dz[ACTIVATION_PIECES_MAX];
	size_t units = f->whole_row ? 2 : 1;

	params_fallback(f->params, params);
	f->forward(z, a, 1, units, params);
	f->backward(z, a, da, dz, 1, units, params);
	return (struct sample){ (double)a[0], (double)dz[0] };
}

static struct sample sample_loss(const struct loss *loss, double x)
{
	const struct activation *output =
			loss->joint_activation ? activation_find(loss->joint_activation) : NULL;
	double params[PARAMS_MAX], output_params[PARAMS_MAX];
	real z[2] = { (real)x, 0 }, a[2] = { (real)x, 0 }, y[2] = { isfinite(loss->target_min) ? 1 : 0, 0 },
	     dz[2];
	size_t units = output && output->whole_row ? 2 : 1;
	struct sample sample;

	params_fallback(loss->params, params);
	if (output) {
		params_fallback(output->params, output_params);
		output->forward(z, a, 1, units, output_params);
	}
	sample.value = loss->value(z, a, y, 1, units, output != NULL, params);
	loss->gradient(z, a, y, dz, 1, units, output != NULL, params);
	sample.derivative = (double)dz[0];
	return sample;
}

/* A schedule on its way through the epochs; x must not fall. */
struct schedule_walk {
	const struct schedule *schedule;
	double params[PARAMS_MAX], state[SCHEDULE_STATE];
	double epochs;
	double seen; /* epochs that the state knows of */
};

static double factor_at(const struct schedule_walk *walk, double x)
{
	struct schedule_at at = { .epoch = x, .epochs = walk->epochs };

	return schedule_rate(walk->schedule, 1, &at, walk->params, walk->state);
}

/* The derivative is taken towards later epochs, where a cut at x is over; at the very end from before it. */
static struct sample sample_schedule(struct schedule_walk *walk, double x)
{
	double h = walk->epochs * 1e-6, left = x;

	for (; walk->seen < floor(x); walk->seen++)
		schedule_observe(walk->schedule, 1, walk->params, walk->state);
	if (x <= walk->epochs && x + 3 * h > walk->epochs) left = walk->epochs - 3 * h;
	return (struct sample){ factor_at(walk, x),
		(4 * factor_at(walk, left + h) - 3 * factor_at(walk, left) - factor_at(walk, left + 2 * h)) /
				(2 * h) };
}

static void query_real(const struct request *rq, const char *name, const char *pointer, double *out,
		struct faults *faults)
{
	const char *text = request_query(rq, name);

	if (text && !number_parse_double(text, strlen(text), out))
		faults_add(faults, ERR_INVALID, pointer, "must be a number, not \"%.64s\"", text);
	else if (!(fabs(*out) <= 1e6))
		faults_add(faults, ERR_RANGE, pointer, "must be at least -1e6 and at most 1e6");
}

/* Of which of the three is the curve? */
struct curve {
	const struct activation *activation;
	const struct loss *loss;
	struct schedule_walk walk;
	double from, to;
	uint64_t points;
};

static int find_curve(const char *kind, const char *name, struct curve *curve, struct err *e)
{
	if (!strcmp(kind, "activations"))
		curve->activation = activation_find(name);
	else if (!strcmp(kind, "losses"))
		curve->loss = loss_find(name);
	else if (!strcmp(kind, "schedules"))
		curve->walk.schedule = schedule_find(name);
	if (curve->activation || curve->loss || curve->walk.schedule) return 0;
	return err_set(e, ERR_NOT_FOUND,
			"there is no curve of \"%.64s\" among the %.64s; activations, losses and schedules have one",
			name, kind);
}

static void query_range(const struct request *rq, struct curve *curve, struct faults *faults)
{
	uint64_t epochs = EPOCHS_DEFAULT;

	if (curve->walk.schedule)
		query_number(rq, "epochs", 1, EPOCHS_MAX, &epochs, faults);
	else if (request_query(rq, "epochs"))
		faults_add(faults, ERR_INVALID, "?epochs", "is for schedules");
	curve->walk.epochs = (double)epochs;
	if (curve->walk.schedule) {
		params_fallback(curve->walk.schedule->params, curve->walk.params);
		curve->from = 0;
		curve->to = curve->walk.epochs;
	}
	query_real(rq, "from", "?from", &curve->from, faults);
	query_real(rq, "to", "?to", &curve->to, faults);
	query_number(rq, "points", 2, POINTS_MAX, &curve->points, faults);
	if (curve->from >= curve->to) faults_add(faults, ERR_RANGE, "?to", "must be above from");
	if (curve->walk.schedule && curve->from < 0)
		faults_add(faults, ERR_RANGE, "?from", "is an epoch, at least 0");
}

static struct sample sample_curve(struct curve *curve, double x)
{
	if (curve->activation) return sample_activation(curve->activation, x);
	return curve->loss ? sample_loss(curve->loss, x) : sample_schedule(&curve->walk, x);
}

int catalog_curve(struct request *rq, struct reply *rp, struct err *e)
{
	const char *kind = request_param(rq, "kind"), *name = request_param(rq, "name");
	struct curve curve = { .from = FROM_DEFAULT, .to = TO_DEFAULT, .points = POINTS_DEFAULT };
	struct faults *faults = request_faults(rq);
	json_t *x = json_array(), *value = json_array(), *derivative = json_array();
	int rc;

	if ((rc = faults ? find_curve(kind, name, &curve, e) : err_nomem(e))) goto out;
	query_range(rq, &curve, faults);
	if ((rc = faults_result(faults, e))) goto out;
	for (uint64_t i = 0; i < curve.points; i++) {
		double at = curve.from + (curve.to - curve.from) * (double)i / (double)(curve.points - 1);
		struct sample sample = sample_curve(&curve, at);

		json_array_append_new(x, json_real(at));
		json_array_append_new(value, json_number(sample.value));
		json_array_append_new(derivative, json_number(sample.derivative));
	}
	rc = reply_document(rp,
			json_pack("{s:s,s:s,s:O,s:O,s:O}", "kind", kind, "name", name, "x", x, "value", value,
					"derivative", derivative),
			e);
out:
	json_decref(x);
	json_decref(value);
	json_decref(derivative);
	return rc;
}
