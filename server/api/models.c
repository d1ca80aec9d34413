/* models.c - /v1/models: create, list, get, change, delete.
 *
 * What the store keeps of a definition is its text as sent, for "the same again", and the resolved document, which
 * every later reader uses. The document of an answer is made from the resolved one.
 */
#include "server/api/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/api/document.h"
#include "server/api/job_runs.h"
#include "server/codec/column_type.h"
#include "server/codec/json.h"

#define NAME_BYTES    256  /* of where a list goes on; names are shorter */
#define COLUMN_BYTES  2048 /* of a column, while a definition is stored and answered with */
#define FORCE_WAIT_MS 10
#define FORCE_WAITS   500 /* for jobs that were told to stop */

/* ---- documents ---- */

static int read_resolved(const json_t *document, struct definition *out, struct err *e)
{
	struct faults faults = { 0 };

	definition_read(document, true, out, &faults);
	definition_finish(out, 0, &faults);
	if (!faults.count) return 0;
	return faults_result(&faults, e) == ERR_NOMEM ? ERR_NOMEM : ERR_CORRUPT;
}

int model_definition(
		const struct store_model *stored, struct definition *out, json_t **document, struct err *e)
{
	int rc;

	*out = (struct definition){ 0 };
	if ((rc = json_read_stored(stored->definition, document, e))) return rc;
	return read_resolved(*document, out, e);
}

int model_definition_with(json_t *document, const json_t *network, struct definition *out, struct err *e)
{
	int rc = definition_override(document, network, e);

	if (rc) return rc;
	definition_clear(out);
	return read_resolved(document, out, e);
}

static json_t *sources_summary(const struct layer_spec *layer)
{
	json_t *out = json_array();

	for (size_t i = 0; i < layer->from_count; i++)
		json_array_append_new(out,
				layer->from[i] < 0 ? json_string("inputs") : json_integer(layer->from[i]));
	return out;
}

json_t *layer_summary(const struct layer_spec *layer, size_t index, size_t inputs, size_t columns)
{
	static const char *const normalizations[NORMALIZATIONS] = { NULL, "batch_norm", "layer_norm" };
	const struct initializer *init = layer->init ? layer->init : init_for(layer->activation);
	size_t vectors = layer->bias + 2 * (layer->normalization != NORMALIZATION_NONE);
	size_t parameters = columns * (inputs + vectors);
	json_t *out = json_object(), *params;
	size_t count = params_count(layer->activation->params);

	if (layer->activation->forward_learned) parameters += layer->units;

	json_put(out, "index", json_integer((json_int_t)index));
	json_put(out, "units", json_integer((json_int_t)layer->units));
	json_put(out, "activation", json_string(layer->activation->name));
	if (count) {
		params = json_object();
		for (size_t i = 0; i < count; i++)
			json_put(params, layer->activation->params[i].name,
					json_real(layer->activation_params[i]));
		json_put(out, "activation_parameters", params);
	}
	json_put(out, "bias", json_boolean(layer->bias));
	json_put(out, "dropout", json_real(layer->dropout));
	json_put(out, "l1", json_real(layer->l1));
	json_put(out, "l2", json_real(layer->l2));
	json_put(out, "init", json_string(init->name));
	if (layer->init && params_count(init->params)) {
		params = json_object();
		for (size_t i = 0; i < params_count(init->params); i++)
			json_put(params, init->params[i].name, json_real(layer->init_params[i]));
		json_put(out, "init_parameters", params);
	}
	if (layer->max_norm > 0) json_put(out, "max_norm", json_real(layer->max_norm));
	if (layer->density > 0 && layer->density < 1) json_put(out, "density", json_real(layer->density));
	if (normalizations[layer->normalization])
		json_put(out, normalizations[layer->normalization], json_true());
	if (layer->from_count) json_put(out, "from", sources_summary(layer));
	json_put(out, "parameters", json_integer((json_int_t)parameters));
	return out;
}

json_t *version_status(uint64_t number)
{
	return json_pack("{s:o,s:s,s:{s:s,s:s}}", "version", json_id((int64_t)number), "state", "AVAILABLE",
			"status", "error_code", "OK", "error_message", "");
}

/* The latest version and those that labels point to, the newest first. */
static json_t *status_list(const struct store_model *model)
{
	json_t *out = json_array();
	uint64_t below = UINT64_MAX;

	for (;;) {
		uint64_t next = model->latest_version < below ? model->latest_version : 0;

		for (size_t i = 0; i < model->labels_count; i++)
			if (model->labels[i].version < below && model->labels[i].version > next)
				next = model->labels[i].version;
		if (!next) return out;
		json_array_append_new(out, version_status(next));
		below = next;
	}
}

/* A loss by its name alone where its parameters are the defaults. */
static json_t *short_named(json_t *named)
{
	const char *name = json_string_value(json_object_get(named, "name"));
	const struct loss *loss = loss_find(name);

	for (size_t i = 0; loss && i < params_count(loss->params); i++)
		if (json_number_value(json_object_get(named, loss->params[i].name)) !=
				loss->params[i].fallback)
			return json_incref(named);
	return json_string(name);
}

static void put_layers(json_t *out, const struct definition *d)
{
	json_t *layers = json_array();
	size_t inputs = definition_input_width(d), parameters = 0;

	net_count_parameters(inputs, d->layers, d->layers_count, &parameters, NULL);

	for (size_t i = 0; i < d->layers_count; i++) {
		size_t reads, columns;

		net_shape(inputs, d->layers, i, &reads, &columns);
		json_array_append_new(layers, layer_summary(&d->layers[i], i, reads, columns));
	}
	json_put(out, "layers", layers);
	json_put(out, "parameters", json_integer((json_int_t)parameters));
	json_put(out, "size_bytes", json_integer((json_int_t)(parameters * sizeof(real))));
}

static int model_document(const struct store_model *model, json_t **out, struct err *e)
{
	static const char *const copied[] = { "dataset", "target", "inputs", "outputs", "normalize",
		"missing", "seed", "input_dropout" };
	struct definition d;
	json_t *resolved = NULL, *labels, *warnings;
	int rc = model_definition(model, &d, &resolved, e);

	if (rc) goto out;
	*out = json_object();
	json_put(*out, "name", json_string(model->name));
	json_put(*out, "description", json_string(model->description));
	json_put(*out, "metadata", stored_document(model->metadata));
	for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
		if (json_object_get(resolved, copied[i]))
			json_put(*out, copied[i], json_incref(json_object_get(resolved, copied[i])));
	if (json_object_get(resolved, "loss"))
		json_put(*out, "loss", short_named(json_object_get(resolved, "loss")));
	put_layers(*out, &d);
	json_put(*out, "latest_version",
			model->latest_version ? json_id((int64_t)model->latest_version) : json_null());
	labels = json_object();
	for (size_t i = 0; i < model->labels_count; i++)
		json_put(labels, model->labels[i].label, json_id((int64_t)model->labels[i].version));
	json_put(*out, "labels", labels);
	json_put(*out, "traffic", traffic_document(model));
	json_put(*out, "created_at", json_time(model->created_ms));
	warnings = json_object_get(resolved, "warnings");
	json_put(*out, "warnings", warnings ? json_incref(warnings) : json_array());
	json_put(*out, "model_version_status", status_list(model));
out:
	definition_clear(&d);
	json_decref(resolved);
	return rc;
}

/* The model of the path as it is now. */
static int reply_model(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_model model = { 0 };
	json_t *document = NULL;
	int rc = app->store->model_get(app->store, request_param(rq, "model"), &model, e);

	if (!rc && !(rc = model_document(&model, &document, e))) rc = reply_document(rp, document, e);
	store_model_clear(&model);
	return rc;
}

/* ---- PUT ---- */

int sources_read(const json_t *columns, struct definition_source **out, size_t *count, struct err *e)
{
	struct definition_source *sources = calloc(json_array_size(columns) + 1, sizeof *sources);
	json_t *column, *values, *value;
	size_t i, j;

	*out = sources;
	*count = 0;
	if (!sources) return err_nomem(e);
	json_array_foreach((json_t *)columns, i, column)
	{
		struct definition_source *to = &sources[i];

		enum column_type type = column_type_stored(column);

		values = json_object_get(column, "values");
		*to = (struct definition_source){
			.name = json_string_value(json_object_get(column, "name")),
			.kind = column_type_kind(type),
			.boolean = type == TYPE_BOOLEAN,
			.ignored = type == TYPE_IGNORE,
			.missing = (uint64_t)json_integer_value(json_object_get(column, "missing")),
			.distinct = (uint64_t)json_integer_value(json_object_get(column, "distinct")),
			.min = json_number_value(json_object_get(column, "min")),
			.max = json_number_value(json_object_get(column, "max")),
			.integers = json_is_true(json_object_get(column, "integers")),
			.values_listed = values && json_array_size(values) ==
								   (size_t)json_integer_value(json_object_get(
										   column, "distinct")),
		};
		*count = i + 1;
		to->empty = encoder_is_numeric(to->kind) ? json_is_null(json_object_get(column, "min"))
							 : !json_array_size(values);
		if (!json_array_size(values)) continue;
		if (!(to->values = calloc(json_array_size(values), sizeof *to->values))) return err_nomem(e);
		json_array_foreach(values, j, value) to->values[j] =
				(char *)json_string_value(json_object_get(value, "value"));
		to->values_count = json_array_size(values);
	}
	return 0;
}

void sources_free(struct definition_source *sources, size_t count)
{
	for (size_t i = 0; sources && i < count; i++)
		free(sources[i].values);
	free(sources);
}

/* Inputs, outputs and layers from the data set that the definition names. */
static int resolve_from_dataset(
		struct app *app, struct definition *d, json_t *warnings, struct faults *faults, struct err *e)
{
	struct store_revision revision = { 0 };
	struct definition_source *sources = NULL;
	json_t *columns = NULL;
	size_t count = 0;
	int rc;

	if ((rc = app->store->dataset_get(app->store, d->dataset, &revision, e))) goto out;
	if (faults->count) goto out;
	if ((rc = json_read_stored(revision.columns, &columns, e))) goto out;
	if ((rc = sources_read(columns, &sources, &count, e))) goto out;
	definition_from_columns(d, sources, count, revision.rows, warnings, faults);
out:
	sources_free(sources, count);
	json_decref(columns);
	store_revision_clear(&revision);
	return rc;
}

/* Weights, gradient and two moments must find room. */
static void check_memory(const struct app *app, const struct definition *d, struct faults *faults)
{
	size_t parameters;

	if (net_count_parameters(definition_input_width(d), d->layers, d->layers_count, &parameters, NULL))
		return;
	if (parameters <= app->memory_bytes / (4 * sizeof(real))) return;
	faults_add(faults, ERR_RANGE, "/layers",
			"%zu parameters need %.0f MiB of memory to be trained, and the daemon may take %.0f; see --memory-budget",
			parameters, (double)parameters * 4 * sizeof(real) / 1048576,
			(double)app->memory_bytes / 1048576);
}

/* 200 or 409 when the name is taken, with *done set. */
static int check_taken(struct app *app, const char *name, const char *sent, bool *done, struct err *e)
{
	struct store_model model = { 0 };
	int rc = app->store->model_get(app->store, name, &model, e);

	*done = !rc;
	if (rc == ERR_NOT_FOUND) return 0;
	if (!rc && strcmp(model.sent, sent))
		rc = err_set(e, ERR_CONFLICT,
				"the model %s is there with another definition; delete it first, or take another "
				"name",
				name);
	store_model_clear(&model);
	return rc;
}

static int create(struct request *rq, const char *sent, struct definition *d, json_t *warnings,
		enum store_outcome *outcome, struct err *e)
{
	struct app *app = rq->app;
	json_t *resolved = definition_document(d);
	char *text, *metadata = json_text(d->metadata, false);
	int rc;

	text = resolved && json_put(resolved, "warnings", json_incref(warnings)) ? json_text(resolved, false)
										 : NULL;
	if (text && metadata)
		rc = app->store->model_create(app->store, request_param(rq, "model"), sent, text,
				d->description, metadata, rq->token, outcome, e);
	else
		rc = err_nomem(e);
	json_decref(resolved);
	free(text);
	free(metadata);
	return rc;
}

/* How many columns a definition says it has; a number stands for so many without a name. */
static uint64_t columns_said(const json_t *document, const char *name)
{
	const json_t *said = json_object_get(document, name);
	json_int_t n = json_is_integer(said) ? json_integer_value(said) : (json_int_t)json_array_size(said);

	return n < 0 || n > DEFINITION_COLUMNS_MAX ? 0 : (uint64_t)n; /* which is a fault of its own */
}

/* Before any of them is made. */
static int charge_columns(struct request *rq, const json_t *document, struct err *e)
{
	uint64_t columns = columns_said(document, "inputs") + columns_said(document, "outputs");
	char what[64];

	snprintf(what, sizeof what, "a network of %llu inputs and outputs", (unsigned long long)columns);
	return request_charge(rq, columns * COLUMN_BYTES, what, e);
}

int model_put(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	const char *name = request_param(rq, "model");
	struct definition d = { 0 };
	json_t *document = NULL, *warnings = json_array();
	enum store_outcome outcome = STORE_SAME;
	char *sent = NULL;
	bool done = false;
	int rc;

	if ((rc = request_document(rq, &document, e))) goto out;
	if ((rc = name_check(name, "a model's name", e))) goto out;
	if (!faults || !(sent = json_text(document, true))) {
		rc = err_nomem(e);
		goto out;
	}
	if ((rc = check_taken(app, name, sent, &done, e))) goto out;
	if ((rc = charge_columns(rq, document, e))) goto out;
	if (!done) {
		definition_read(document, false, &d, faults);
		if (d.dataset && !d.inputs && !d.outputs && d.targets_count)
			rc = resolve_from_dataset(app, &d, warnings, faults, e);
		else
			definition_finish(&d, 0, faults);
		if (!rc && !faults->count) check_memory(app, &d, faults);
		if (rc || (rc = faults_result(faults, e))) goto out;
		if ((rc = create(rq, sent, &d, warnings, &outcome, e))) goto out;
	}
	if ((rc = reply_model(rq, rp, e)) || outcome != STORE_CREATED) goto out;
	rp->status = 201;
	reply_header(rp, "Location", "/v1/models/%s", name);
out:
	definition_clear(&d);
	json_decref(document);
	json_decref(warnings);
	free(sent);
	return rc;
}

/* ---- the others ---- */

int model_get(struct request *rq, struct reply *rp, struct err *e)
{
	return reply_model(rq, rp, e);
}

/* Up to limit + 1 models after `after` that the caller may see. A page that hid the others would be short, and its cursor would
 * name one of them. */
static int list_seen(struct request *rq, const struct page *page, struct store_model *seen, size_t *count,
		struct err *e)
{
	struct app *app = rq->app;
	size_t limit = page->limit + 1, got = limit;
	char after[NAME_BYTES];

	*count = 0;
	snprintf(after, sizeof after, "%s", page->after);
	while (got == limit && *count < limit) {
		struct store_model *found;
		int rc = app->store->model_list(app->store, after, limit, &found, &got, e);

		if (rc) return rc;
		if (got) snprintf(after, sizeof after, "%s", found[got - 1].name);
		for (size_t i = 0; i < got; i++)
			if (*count == limit || (rq->limited && auth_may_see(app->auth, rq->token,
									       found[i].name, NULL)))
				store_model_clear(&found[i]);
			else
				seen[(*count)++] = found[i];
		free(found);
	}
	return 0;
}

int model_list(struct request *rq, struct reply *rp, struct err *e)
{
	struct store_model *seen = NULL;
	json_t *items = NULL, *item;
	struct page page;
	size_t count = 0;
	int rc;

	if ((rc = page_read(rq, &page, NULL, e))) return rc;
	if (!(seen = calloc(page.limit + 1, sizeof *seen))) return err_nomem(e);
	if ((rc = list_seen(rq, &page, seen, &count, e))) goto out;
	items = json_array();
	for (size_t i = 0; i < count && i < page.limit && !rc; i++)
		if (!(rc = model_document(&seen[i], &item, e))) json_array_append_new(items, item);
	if (rc)
		json_decref(items);
	else
		rc = reply_page(rq, rp, "models", items, &page,
				count > page.limit ? seen[page.limit - 1].name : NULL, e);
out:
	for (size_t i = 0; i < count; i++)
		store_model_clear(&seen[i]);
	free(seen);
	return rc;
}

int model_patch(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	json_t *document = NULL;
	struct definition_patch patch = { 0 };
	char *metadata = NULL;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) return rc;
	definition_read_patch(document, &patch, faults);
	/* Is it there at all? That goes before what is wrong with the body. */
	if ((rc = reply_model(rq, rp, e)) || (rc = faults_result(faults, e))) goto out;
	rp->body.size = 0;
	if (patch.metadata && !(metadata = json_text(patch.metadata, false))) {
		rc = err_nomem(e);
		goto out;
	}
	if (!(rc = app->store->model_update(
			      app->store, request_param(rq, "model"), patch.description, metadata, e)))
		rc = reply_model(rq, rp, e);
out:
	free(metadata);
	json_decref(document);
	return rc;
}

/* Cancels every unfinished job of a model and waits until they have ended. */
static int cancel_jobs(struct app *app, const char *model, struct err *e)
{
	static const enum job_state unfinished[] = { JOB_QUEUED, JOB_PAUSED, JOB_RUNNING };
	const struct timespec pause = { 0, FORCE_WAIT_MS * 1000000L };
	size_t left = 1;

	for (int i = 0; i < FORCE_WAITS && left; i++) {
		if (i) nanosleep(&pause, NULL);
		left = 0;
		for (size_t j = 0; j < sizeof unfinished / sizeof *unfinished; j++) {
			struct store_job_filter filter = { model, unfinished[j], 0, PAGE_LIMIT_MAX };
			struct store_job *found = NULL;
			size_t count = 0;
			int rc = app->store->job_list(app->store, &filter, &found, &count, e);

			for (size_t k = 0; k < count; k++) {
				enum job_state state;

				if (!found[k].cancel_requested)
					app->store->job_cancel(app->store, found[k].id, &state, NULL);
				jobs_cancel(app->jobs, found[k].id);
				if (!found[k].attempt) jobs_tell_family(app, found[k].id);
				store_job_clear(&found[k]);
			}
			free(found);
			if (rc) return rc;
			left += count;
		}
	}
	return left ? err_set(e, ERR_CONFLICT, "a job on %s was cancelled and is still stopping; try again",
				      model)
		    : 0;
}

int model_delete(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	const char *name = request_param(rq, "model");
	struct store_model model = { 0 };
	bool force;
	int rc;

	if (!faults) return err_nomem(e);
	force = query_flag(rq, "force", faults);
	rc = app->store->model_get(app->store, name, &model, e);
	store_model_clear(&model);
	if (rc || (rc = faults_result(faults, e))) return rc;
	if (force && (rc = cancel_jobs(app, name, e))) return rc;
	if ((rc = app->store->model_delete(app->store, name, e))) return rc;
	registry_forget(app->registry, name);
	rp->status = 204;
	return 0;
}
