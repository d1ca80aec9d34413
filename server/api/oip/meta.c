/* meta.c - what is here, as the Open Inference Protocol asks for it. See oip.h. */
#include <stdlib.h>

#include "server/api/document.h"
#include "server/api/oip/oip.h"
#include "server/api/predict.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/codec/rows.h"

#define PLATFORM "descentd_network"
#define PAGE     100

int oip_server(struct request *rq, struct reply *rp, struct err *e)
{
	static const char *const extensions[] = { "binary_tensor_data", "classification", "statistics",
		"model_repository" };
	json_t *out = json_object(), *list = json_array();

	(void)rq;
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
		json_append(list, json_string(extensions[i]));
	json_put(out, "name", json_string("descentd"));
	json_put(out, "version", json_string(DESCENTD_VERSION));
	json_put(out, "extensions", list);
	return reply_document(rp, out, e);
}

int oip_live(struct request *rq, struct reply *rp, struct err *e)
{
	(void)rq;
	(void)e;
	buffer_text(&rp->body, "{\"live\":true}");
	return 0;
}

int oip_ready(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	int rc;

	if (atomic_load(&app->stopping)) return err_set(e, ERR_BUSY, "the daemon is stopping");
	if ((rc = app->store->check(app->store, e))) return rc;
	buffer_text(&rp->body, "{\"ready\":true}");
	return 0;
}

/* ---- a model ---- */

static json_t *tensor_document(const char *name, const char *type, json_t *shape)
{
	json_t *out = json_object();

	json_put(out, "name", json_string(name));
	json_put(out, "datatype", json_string(type));
	json_put(out, "shape", shape);
	return out;
}

static json_t *inputs_document(const struct encoder *inputs)
{
	json_t *out = json_array();

	if (rows_take_whole(inputs)) {
		json_append(out,
				tensor_document(ROWS_WHOLE, "FP32",
						json_pack("[i,I]", -1, (json_int_t)encoder_columns(inputs))));
		return out;
	}
	for (size_t i = 0; i < encoder_columns(inputs); i++) {
		const struct encoder_column *column = encoder_column(inputs, i);

		json_append(out, tensor_document(column->name,
						 column->kind == COLUMN_NUMBER ? "FP32" : "BYTES",
						 json_pack("[i,i]", -1, 1)));
	}
	return out;
}

static json_t *outputs_document(const struct encoder *targets, struct err *e)
{
	struct oip_output *outputs;
	json_t *out = NULL;
	size_t count;

	if (!(outputs = calloc(oip_outputs_most(targets), sizeof *outputs))) {
		err_nomem(e);
		return NULL;
	}
	count = oip_outputs(targets, outputs);
	out = json_array();
	for (size_t i = 0; i < count; i++)
		json_append(out, tensor_document(outputs[i].name, outputs[i].texts ? "BYTES" : "FP32",
						 outputs[i].texts ? json_pack("[i]", -1)
								  : json_pack("[i,I]", -1,
										    (json_int_t)outputs[i]
												    .width)));
	free(outputs);
	return out;
}

/* All numbers of the model's versions, or that which the path names. */
static int versions_document(struct request *rq, json_t **out, struct err *e)
{
	struct app *app = rq->app;
	struct store_version *found;
	uint64_t before = 0;
	size_t count;
	int rc;

	*out = json_array();
	if (request_param(rq, "version"))
		return json_append(*out, json_string(request_param(rq, "version"))) ? 0 : err_nomem(e);
	do {
		rc = app->store->version_list(
				app->store, request_param(rq, "model"), before, PAGE, &found, &count, e);
		if (rc) return rc;
		for (size_t i = 0; i < count; i++) {
			json_append(*out, json_id((int64_t)found[i].number));
			before = found[i].number;
			store_version_clear(&found[i]);
		}
		free(found);
	} while (count == PAGE);
	return 0;
}

int oip_model(struct request *rq, struct reply *rp, struct err *e)
{
	struct version *version = NULL;
	json_t *out = NULL, *versions = NULL;
	int rc;

	if ((rc = predict_version(rq, &version, e))) return rc;
	if ((rc = versions_document(rq, &versions, e))) {
		json_decref(versions);
	} else {
		const struct model *model = version_model(version);

		out = json_object();
		json_put(out, "name", json_string(request_param(rq, "model")));
		json_put(out, "versions", versions);
		json_put(out, "platform", json_string(PLATFORM));
		json_put(out, "inputs", inputs_document(model->inputs));
		out = json_whole(out, json_put(out, "outputs", outputs_document(model->targets, e)));
		rc = reply_document(rp, out, e);
	}
	version_put(version);
	return rc;
}

int oip_model_ready(struct request *rq, struct reply *rp, struct err *e)
{
	struct version *version = NULL;
	json_t *out;
	int rc = predict_version(rq, &version, e);

	version_put(version);
	if (rc) return rc;
	out = json_object();
	json_put(out, "name", json_string(request_param(rq, "model")));
	json_put(out, "ready", json_true());
	return reply_document(rp, out, e);
}

/* ---- the repository ---- */

static void add_entry(json_t *list, const char *name, uint64_t version)
{
	json_t *out = json_object();

	json_put(out, "name", json_string(name));
	json_put(out, "version", version ? json_id((int64_t)version) : json_string(""));
	json_put(out, "state", json_string(version ? "READY" : "UNAVAILABLE"));
	json_put(out, "reason", json_string(version ? "" : "it has no version yet; train it first"));
	json_append(list, out);
}

static int add_versions(
		struct app *app, const struct store_model *model, bool ready, json_t *list, struct err *e)
{
	struct store_version *found;
	uint64_t before = 0;
	size_t count;
	int rc;

	if (!model->latest_version && !ready) add_entry(list, model->name, 0);
	do {
		if ((rc = app->store->version_list(app->store, model->name, before, PAGE, &found, &count, e)))
			return rc == ERR_NOT_FOUND ? 0 : rc;
		for (size_t i = 0; i < count; i++) {
			add_entry(list, model->name, found[i].number);
			before = found[i].number;
			store_version_clear(&found[i]);
		}
		free(found);
	} while (count == PAGE);
	return 0;
}

static int add_models(struct app *app, bool ready, json_t *list, struct err *e)
{
	struct store_model *found;
	char after[72] = "";
	size_t count;
	int rc;

	do {
		if ((rc = app->store->model_list(app->store, after, PAGE, &found, &count, e))) return rc;
		for (size_t i = 0; i < count; i++) {
			if (!rc) rc = add_versions(app, &found[i], ready, list, e);
			snprintf(after, sizeof after, "%s", found[i].name);
			store_model_clear(&found[i]);
		}
		free(found);
	} while (!rc && count == PAGE);
	return rc;
}

int oip_index(struct request *rq, struct reply *rp, struct err *e)
{
	static const struct field fields[] = { { "ready", FIELD_BOOL, 0, 0, 0, false, false }, { 0 } };
	json_t *document = NULL, *list;
	bool ready = false;
	int rc = 0;

	if (rq->body.size) {
		struct faults *faults = request_faults(rq);

		if (!faults) return err_nomem(e);
		if ((rc = request_document(rq, &document, e))) return rc;
		fields_read(document, fields, &ready, "", faults);
		json_decref(document);
		if ((rc = faults_result(faults, e))) return rc;
	}
	list = json_array();
	if ((rc = add_models(rq->app, ready, list, e))) {
		json_decref(list);
		return rc;
	}
	return reply_document(rp, list, e);
}
