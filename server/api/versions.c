/* versions.c - versions of a model and the labels that point to them. A version's weights are in layers.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "server/api/document.h"
#include "server/api/models.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"

static json_t *version_document(const struct store_version *version)
{
	json_t *out = json_object(), *status = json_array(), *training = stored_document(version->training);

	json_object_del(training, "warnings"); /* of the job */
	json_put(out, "version", json_id((int64_t)version->number));
	json_put(out, "job", version->job ? json_id(version->job) : json_null());
	json_put(out, "created_at", json_time(version->created_ms));
	json_put(out, "metrics", stored_document(version->metrics));
	json_put(out, "training", training);
	json_put(out, "dataset", stored_document(version->dataset));
	json_put(out, "engine", json_string(version->engine));
	json_put(out, "size_bytes", json_integer((json_int_t)version->size_bytes));
	json_array_append_new(status, version_status(version->number));
	json_put(out, "model_version_status", status);
	return out;
}

/* The document with what a list leaves out: the encoders. */
static int reply_version(struct app *app, struct reply *rp, const char *model, uint64_t number, struct err *e)
{
	struct store_version stored = { 0 };
	struct version *version = NULL;
	json_t *document;
	char text[24];
	int rc;

	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	if ((rc = app->store->version_get(app->store, model, number, &stored, e)) ||
			(rc = registry_get(app->registry, model, PICK_NUMBER, text, true, &version, e)))
		goto out;
	document = version_document(&stored);
	if (!json_put(document, "encoders", encoders_document(version_model(version)))) {
		json_decref(document);
		document = NULL;
	}
	rc = reply_document(rp, document, e);
out:
	version_put(version);
	store_version_clear(&stored);
	return rc;
}

int version_get(struct request *rq, struct reply *rp, struct err *e)
{
	uint64_t number;
	int rc = request_number(rq, "version", "version", &number, e);

	return rc ? rc : reply_version(rq->app, rp, request_param(rq, "model"), number, e);
}

int version_list(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_version *found = NULL;
	struct store_model model = { 0 };
	const char *name = request_param(rq, "model");
	char next[24];
	json_t *items;
	struct page page;
	uint64_t before = 0;
	size_t count = 0;
	int rc;

	if ((rc = page_read(rq, &page, &before, e))) return rc;
	rc = app->store->model_get(app->store, name, &model, e);
	store_model_clear(&model);
	if (rc) return rc;
	if ((rc = app->store->version_list(app->store, name, before, page.limit + 1, &found, &count, e)))
		return rc;
	items = json_array();
	for (size_t i = 0; i < count && i < page.limit; i++)
		json_array_append_new(items, version_document(&found[i]));
	if (count > page.limit)
		snprintf(next, sizeof next, "%llu", (unsigned long long)found[page.limit - 1].number);
	rc = reply_page(rq, rp, "versions", items, &page, count > page.limit ? next : NULL, e);
	for (size_t i = 0; i < count; i++)
		store_version_clear(&found[i]);
	free(found);
	return rc;
}

int version_delete(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	const char *model = request_param(rq, "model");
	uint64_t number;
	int rc = request_number(rq, "version", "version", &number, e);

	if (rc || (rc = app->store->version_delete(app->store, model, number, e))) return rc;
	registry_forget(app->registry, model);
	rp->status = 204;
	return 0;
}

/* ---- made by hand ---- */

/* An array of n numbers into out. */
static void read_numbers(const json_t *list, size_t n, real *out, const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) != n) {
		faults_add(faults, ERR_INVALID, pointer, "must be an array of %zu numbers", n);
		return;
	}
	json_array_foreach((json_t *)list, i, item)
	{
		if (!json_is_number(item))
			faults_add(faults, ERR_INVALID, pointer_index(at, pointer, i),
					"must be a number, not %s", json_kind(item));
		else if (!isfinite((float)json_number_value(item)))
			faults_add(faults, ERR_RANGE, pointer_index(at, pointer, i),
					"is too large for a float32");
		else
			out[i] = (real)json_number_value(item);
	}
}

struct layer_weights {
	const json_t *weights, *biases, *scale, *shift, *mean, *variance, *slopes;
};
static const struct field layer_fields[] = {
	{ "weights", FIELD_ANY, offsetof(struct layer_weights, weights), 0, 0, false, false },
	{ "biases", FIELD_ANY, offsetof(struct layer_weights, biases), 0, 0, false, false },
	{ "scale", FIELD_ANY, offsetof(struct layer_weights, scale), 0, 0, false, false },
	{ "shift", FIELD_ANY, offsetof(struct layer_weights, shift), 0, 0, false, false },
	{ "mean", FIELD_ANY, offsetof(struct layer_weights, mean), 0, 0, false, false },
	{ "variance", FIELD_ANY, offsetof(struct layer_weights, variance), 0, 0, false, false },
	{ "slopes", FIELD_ANY, offsetof(struct layer_weights, slopes), 0, 0, false, false },
	{ 0 },
};

/* A vector of a layer that it may have or not; what is not said stays as a new network has it. */
static void read_vector(const json_t *said, const char *name, real *to, size_t n, const char *pointer,
		struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	if (!said) return;
	pointer_join(at, pointer, name);
	if (to)
		read_numbers(said, n, to, at, faults);
	else
		faults_add(faults, ERR_INVALID, at, "this layer has no %s", name);
}

static void check_variances(const struct layer *layer, const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	for (size_t c = 0; layer->variance && c < layer->columns; c++)
		if (layer->variance[c] < 0) {
			faults_add(faults, ERR_RANGE, pointer_join(at, pointer, "variance"),
					"has a number below 0");
			return;
		}
}

/* One layer's weights [units][inputs] and its vectors into the network. */
static void read_layer(
		const json_t *document, struct net *net, size_t i, const char *pointer, struct faults *faults)
{
	const struct layer *layer = net_layer(net, i);
	struct layer_weights said = { 0 };
	char weights_at[FAULT_POINTER_BYTES], at[FAULT_POINTER_BYTES];
	real *weights = calloc(layer->columns, layer->inputs * sizeof *weights);

	fields_read(document, layer_fields, &said, pointer, faults);
	pointer_join(weights_at, pointer, "weights");
	if (!weights)
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
	else if (!json_is_array(said.weights) || json_array_size(said.weights) != layer->columns)
		faults_add(faults, ERR_INVALID, weights_at,
				"must be [units][inputs], %zu arrays of %zu numbers", layer->columns,
				layer->inputs);
	else
		for (size_t j = 0; j < layer->columns; j++)
			read_numbers(json_array_get(said.weights, j), layer->inputs,
					weights + j * layer->inputs, pointer_index(at, weights_at, j),
					faults);
	if (weights) net_set_layer(net, i, weights, NULL);
	read_vector(said.biases, "biases", layer->biases, layer->columns, pointer, faults);
	read_vector(said.scale, "scale", layer->scale, layer->columns, pointer, faults);
	read_vector(said.shift, "shift", layer->shift, layer->columns, pointer, faults);
	read_vector(said.mean, "mean", layer->mean, layer->columns, pointer, faults);
	read_vector(said.variance, "variance", layer->variance, layer->columns, pointer, faults);
	read_vector(said.slopes, "slopes", layer->slopes, layer->spec.units, pointer, faults);
	check_variances(layer, pointer, faults);
	free(weights);
}

struct version_said {
	const json_t *layers;
};
static const struct field version_fields[] = {
	{ "layers", FIELD_ANY, offsetof(struct version_said, layers), 0, 0, false, false },
	{ 0 },
};

static void read_weights(const json_t *document, struct net *net, struct faults *faults)
{
	struct version_said said = { 0 };
	char at[FAULT_POINTER_BYTES];

	fields_read(document, version_fields, &said, "", faults);
	if (!said.layers) {
		faults_add(faults, ERR_MISSING_FIELD, "",
				"needs \"layers\", as in {\"layers\":[{\"weights\":[[…]],\"biases\":[…]}]}");
		return;
	}
	if (!json_is_array(said.layers) || json_array_size(said.layers) != net_layers(net)) {
		faults_add(faults, ERR_INVALID, "/layers",
				"must be an array of %zu layers, the output layer included", net_layers(net));
		return;
	}
	for (size_t i = 0; i < net_layers(net); i++)
		read_layer(json_array_get(said.layers, i), net, i, pointer_index(at, "/layers", i), faults);
}

static int keep(struct app *app, const char *name, const struct model *model, uint64_t *number, struct err *e)
{
	struct store_version_new version = { "{}", "null", "null", app->engine->name, 0, 0 };
	unsigned char *bytes = NULL;
	size_t size;
	int rc;

	if ((rc = model_write(model, &bytes, &size, e))) return rc;
	version.size_bytes = size;
	if (!(rc = app->store->blob_write(app->store, bytes, size, &version.blob, e)) &&
			(rc = app->store->version_create(app->store, name, &version, number, e)))
		app->store->blob_discard(app->store, version.blob);
	free(bytes);
	return rc;
}

int version_post(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	const char *name = request_param(rq, "model");
	struct store_model stored = { 0 };
	struct definition d = { 0 };
	struct model model = { 0 };
	json_t *document = NULL, *resolved = NULL;
	uint64_t number;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) goto out;
	if ((rc = app->store->model_get(app->store, name, &stored, e))) goto out;
	if ((rc = model_definition(&stored, &d, &resolved, e))) goto out;
	d.normalize = NORMALIZE_NONE; /* nothing was fitted: numbers go in and come out as they are */
	if ((rc = definition_encoder(&d, ENCODER_INPUTS, &model.inputs, e)) ||
			(rc = definition_encoder(&d, ENCODER_TARGETS, &model.targets, e)) ||
			(rc = definition_net(&d, &model.net, e)) ||
			(rc = definition_objectives(&d, &model.objectives, e)))
		goto out;
	read_weights(document, model.net, faults);
	if ((rc = faults_result(faults, e)) || (rc = keep(app, name, &model, &number, e))) goto out;
	registry_forget(app->registry, name);
	if ((rc = reply_version(app, rp, name, number, e))) goto out;
	rp->status = 201;
	reply_header(rp, "Location", "/v1/models/%s/versions/%llu", name, (unsigned long long)number);
out:
	encoder_free(model.inputs);
	encoder_free(model.targets);
	net_free(model.net);
	free(model.objectives);
	definition_clear(&d);
	store_model_clear(&stored);
	json_decref(resolved);
	json_decref(document);
	return rc;
}

/* ---- labels ---- */

struct label_said {
	const char *version;
};
static const struct field label_fields[] = {
	{ "version", FIELD_STRING, offsetof(struct label_said, version), 0, 0, false, false },
	{ 0 },
};

static void read_label(const json_t *document, uint64_t *number, struct faults *faults)
{
	struct label_said said = { 0 };

	fields_read(document, label_fields, &said, "", faults);
	if (faults->count) return;
	if (!said.version)
		faults_add(faults, ERR_MISSING_FIELD, "", "needs \"version\", as in {\"version\":\"2\"}");
	else if (!*said.version || strlen(said.version) > 18 ||
			strspn(said.version, "0123456789") != strlen(said.version))
		faults_add(faults, ERR_INVALID, "/version", "must be a version's digits, as in \"2\"");
	else
		*number = strtoull(said.version, NULL, 10);
}

int label_put(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	const char *model = request_param(rq, "model"), *label = request_param(rq, "label");
	struct store_model stored = { 0 };
	json_t *document = NULL;
	uint64_t number = 0;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) return rc;
	if ((rc = name_check(label, "a label", e)) ||
			(rc = app->store->model_get(app->store, model, &stored, e)))
		goto out;
	read_label(document, &number, faults);
	if ((rc = faults_result(faults, e)) ||
			(rc = app->store->label_set(app->store, model, label, number, e)))
		goto out;
	registry_forget(app->registry, model);
	rc = reply_document(
			rp, json_pack("{s:s,s:o}", "label", label, "version", json_id((int64_t)number)), e);
out:
	store_model_clear(&stored);
	json_decref(document);
	return rc;
}

int label_delete(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	const char *model = request_param(rq, "model");
	int rc = app->store->label_delete(app->store, model, request_param(rq, "label"), e);

	if (rc) return rc;
	registry_forget(app->registry, model);
	rp->status = 204;
	return 0;
}
