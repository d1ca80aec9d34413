/* metadata.c - GET …/metadata: what a version takes and gives, as TensorFlow Serving's REST API says it (model_spec and
 * signature_def). */
#include <stdlib.h>

#include "server/api/document.h"
#include "server/api/oip/oip.h"
#include "server/api/predict.h"
#include "server/codec/json.h"
#include "server/codec/rows.h"

/* -1 for any number of rows; width 0: a vector. */
static json_t *shape_document(size_t width)
{
	json_t *out = json_object(), *dims = json_array();

	json_append(dims, json_pack("{s:s,s:s}", "size", "-1", "name", ""));
	if (width) json_append(dims, json_pack("{s:o,s:s}", "size", json_id((int64_t)width), "name", ""));
	json_put(out, "dim", dims);
	json_put(out, "unknown_rank", json_false());
	return out;
}

static bool put_tensor(json_t *to, const char *name, bool texts, size_t width)
{
	json_t *out = json_object();
	bool whole = json_put(out, "dtype", json_string(texts ? "DT_STRING" : "DT_FLOAT"));

	whole &= json_put(out, "tensor_shape", shape_document(width));
	whole &= json_put(out, "name", json_string(name));
	return json_put(to, name, out) && whole;
}

static bool put_inputs(json_t *to, const struct encoder *inputs)
{
	bool whole = to != NULL;

	if (rows_take_whole(inputs)) return put_tensor(to, ROWS_WHOLE, false, encoder_columns(inputs));
	for (size_t i = 0; i < encoder_columns(inputs); i++) {
		const struct encoder_column *column = encoder_column(inputs, i);

		whole &= put_tensor(to, column->name, column->kind != COLUMN_NUMBER, 1);
	}
	return whole;
}

static bool put_outputs(json_t *to, const struct encoder *targets, struct err *e)
{
	struct oip_output *outputs;
	bool whole = to != NULL;
	size_t count;

	if (!(outputs = calloc(oip_outputs_most(targets), sizeof *outputs))) {
		err_nomem(e);
		return false;
	}
	count = oip_outputs(targets, outputs);
	for (size_t i = 0; i < count; i++)
		whole &= put_tensor(to, outputs[i].name, outputs[i].texts,
				outputs[i].texts ? 0 : outputs[i].width);
	free(outputs);
	return whole;
}

static json_t *signature_document(const struct model *model, struct err *e)
{
	json_t *out = json_object(), *inputs = json_object(), *outputs = json_object();
	bool whole = put_inputs(inputs, model->inputs);

	whole &= put_outputs(outputs, model->targets, e);
	whole &= json_put(out, "inputs", inputs);
	whole &= json_put(out, "outputs", outputs);
	whole &= json_put(out, "method_name", json_string("tensorflow/serving/predict"));
	return json_whole(out, whole);
}

int version_metadata(struct request *rq, struct reply *rp, struct err *e)
{
	struct version *version = NULL;
	json_t *out = NULL, *signature;
	int rc = predict_version(rq, &version, e);

	if (rc) return rc;
	if ((signature = signature_document(version_model(version), e)))
		out = json_pack("{s:{s:s,s:s,s:o},s:{s:{s:{s:o}}}}", "model_spec", "name",
				request_param(rq, "model"), "signature_name", "", "version",
				json_id((int64_t)version_number(version)), "metadata", "signature_def",
				"signature_def", "serving_default", signature);
	version_put(version);
	return reply_document(rp, out, e);
}
