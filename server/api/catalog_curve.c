/* catalog_curve.c - samples of activations and losses, taken from the functions that train.
 *
 * An activation of a whole row (softmax) is shown as its first output beside a weighted input of 0. A loss of numbers
 * is shown over the output a, the target being 0; one whose targets have a least value (of categories, of counts) with a target of 1, over
 * the weighted input z where the loss is joint with its output activation, beside 0 where there are others.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/activation.h"
#include "core/loss.h"
#include "server/api/catalog.h"
#include "server/api/document.h"
#include "server/codec/json.h"
#include "server/codec/number.h"

#define POINTS_DEFAULT 201
#define POINTS_MAX     10000
#define FROM_DEFAULT   -5.0
#define TO_DEFAULT     5.0

struct sample {
	double value, derivative;
};

static struct sample sample_activation(const struct activation *f, double x)
{
	double params[PARAMS_MAX];
	real z[2] = { (real)x, 0 }, a[2], da[2] = { 1, 0 }, dz[2];
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

static void query_real(const struct request *rq, const char *name, const char *pointer, double *out,
		struct faults *faults)
{
	const char *text = request_query(rq, name);

	if (text && !number_parse_double(text, strlen(text), out))
		faults_add(faults, ERR_INVALID, pointer, "must be a number, not \"%.64s\"", text);
	else if (!(fabs(*out) <= 1e6))
		faults_add(faults, ERR_RANGE, pointer, "must be at least -1e6 and at most 1e6");
}

int catalog_curve(struct request *rq, struct reply *rp, struct err *e)
{
	const char *kind = request_param(rq, "kind"), *name = request_param(rq, "name");
	const struct activation *activation = strcmp(kind, "activations") ? NULL : activation_find(name);
	const struct loss *loss = strcmp(kind, "losses") ? NULL : loss_find(name);
	struct faults *faults = request_faults(rq);
	double from = FROM_DEFAULT, to = TO_DEFAULT;
	uint64_t points = POINTS_DEFAULT;
	json_t *x = json_array(), *value = json_array(), *derivative = json_array();
	int rc = 0;

	if (!faults)
		rc = err_nomem(e);
	else if (!activation && !loss)
		rc = err_set(e, ERR_NOT_FOUND,
				"there is no curve of \"%.64s\" among the %.64s; activations and losses have one",
				name, kind);
	if (rc) goto out;
	query_real(rq, "from", "?from", &from, faults);
	query_real(rq, "to", "?to", &to, faults);
	query_number(rq, "points", 2, POINTS_MAX, &points, faults);
	if (from >= to) faults_add(faults, ERR_RANGE, "?to", "must be above from");
	if ((rc = faults_result(faults, e))) goto out;
	for (uint64_t i = 0; i < points; i++) {
		double at = from + (to - from) * (double)i / (double)(points - 1);
		struct sample sample = activation ? sample_activation(activation, at) : sample_loss(loss, at);

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
