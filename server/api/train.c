/* train.c - POST /v1/models/{m}:train and :estimate: everything that can be checked before the work starts is checked
 * here, so that a 202 means the job can run, and that what it would take is asked of what would run.
 *
 * Inline data are taken out of the body before it becomes a document, as a tree of them would be many times their
 * size; they go through the readers of rows into a revision without a name, which the job pins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/fit.h"
#include "server/api/idempotency.h"
#include "server/api/inline.h"
#include "server/api/jobs.h"
#include "server/api/models.h"
#include "server/api/order.h"
#include "server/api/upload.h"
#include "server/api/validation.h"
#include "server/api/webhook.h"
#include "server/codec/curve_record.h"
#include "server/codec/json.h"
#include "server/codec/rows.h"
#include "server/codec/scan.h"
#include "server/codec/train_request.h"
#include "server/jobs/estimate.h"
#include "server/jobs/training.h"

/* ---- the body ---- */

/* {"epochs":5,"data":{…}} becomes {"epochs":5,"data":true}. */
static int read_body(struct order *o, struct request *rq, struct err *e)
{
	struct buffer rest = { 0 };
	int rc = scan_check(rq->body.data, rq->body.size, &o->body, e);

	if (rc) return rc;
	if (scan_kind(o->body) != '{') return request_document(rq, &o->document, e);
	buffer_text(&rest, "{");
	for (struct scan_iter i = scan_begin(o->body); scan_next(&i);) {
		if (rest.size > 1) buffer_text(&rest, ",");
		buffer_add(&rest, i.key.at, (size_t)(i.key.end - i.key.at));
		buffer_text(&rest, ":");
		if (scan_equals(i.key, "data")) {
			o->data = i.value;
			buffer_text(&rest, "true");
		} else
			buffer_add(&rest, i.value.at, (size_t)(i.value.end - i.value.at));
	}
	buffer_text(&rest, "}");
	rc = buffer_ok(&rest) ? request_json(rq, rest.data, rest.size, &o->document, e) : err_nomem(e);
	buffer_free(&rest);
	return rc;
}

/* ---- inline data ---- */

/* A table of the inputs' columns, then the targets'. */
static int make_table(struct order *o, const struct encoder *const encoders[2], struct upload *upload,
		struct table **table, struct err *e)
{
	size_t count = encoder_columns(encoders[0]) + encoder_columns(encoders[1]), at = 0;
	const char **names = calloc(count, sizeof *names);
	static const enum column_type of_kind[COLUMN_KINDS] = {
		[COLUMN_NUMBER] = TYPE_NUMBER, [COLUMN_CATEGORY] = TYPE_CATEGORY, [COLUMN_DATE] = TYPE_DATE
	};
	enum column_type *types = calloc(count, sizeof *types);
	struct table_sink sink = upload_sink(upload);
	int rc;

	for (int h = 0; names && types && h < 2; h++)
		for (size_t i = 0; i < encoder_columns(encoders[h]); i++, at++) {
			names[at] = encoder_column(encoders[h], i)->name;
			types[at] = of_kind[encoder_column(encoders[h], i)->kind];
		}
	rc = names && types ? table_new(table, names, types, count, &sink, o->faults, e) : err_nomem(e);
	free(names);
	free(types);
	return rc;
}

/* Both readers in step, row by row. */
static int add_rows(struct order *o, struct rows *const readers[2], const struct encoder *const encoders[2],
		struct table *table, struct err *e)
{
	size_t inputs = encoder_columns(encoders[0]), targets = encoder_columns(encoders[1]);
	struct table_cell *row = calloc(inputs + targets, sizeof *row);
	const struct table_cell *x, *y;
	bool more_x = true, more_y = true;
	int rc = row ? 0 : err_nomem(e);

	while (!rc) {
		more_x = rows_next_cells(readers[0], &x);
		more_y = rows_next_cells(readers[1], &y);
		if (!more_x || !more_y) break;
		memcpy(row, x, inputs * sizeof *row);
		memcpy(row + inputs, y, targets * sizeof *row);
		if (!o->faults->count) rc = table_add(table, row, e);
	}
	free(row);
	if (rc || o->faults->count) return rc;
	if (more_x != more_y)
		faults_add(o->faults, ERR_INVALID, "/data", "has more rows of %s than of %s",
				inline_names[more_y], inline_names[!more_y]);
	return 0;
}

static int store_rows(struct order *o, const struct scan_value half[2],
		const struct encoder *const encoders[2], struct err *e)
{
	struct rows *readers[2] = { NULL, NULL };
	struct upload upload = { 0 };
	struct table *table = NULL;
	struct sha256_ctx hash;
	char sha256[65];
	enum store_outcome outcome;
	size_t size = (size_t)(o->data.end - o->data.at);
	int rc;

	if ((rc = upload_begin(&upload, o->app->store, e)) ||
			(rc = make_table(o, encoders, &upload, &table, e)))
		goto out;
	for (int h = 0; h < 2; h++)
		if ((rc = rows_new(&readers[h], e)) || (rc = rows_begin(readers[h], encoders[h], half[h],
									inline_pointers[h], o->faults, e)))
			goto out;
	if ((rc = add_rows(o, readers, encoders, table, e)) || (rc = faults_result(o->faults, e))) goto out;
	if ((rc = table_end(table, e))) goto out;
	sha256_init(&hash);
	sha256_update(&hash, size, (const uint8_t *)o->data.at);
	upload_digest(&hash, sha256);
	rc = upload_commit(&upload, table, NULL, false, sha256, size, &outcome, &o->revision, e);
out:
	upload_abort(&upload);
	table_free(table);
	rows_free(readers[0]);
	rows_free(readers[1]);
	return rc;
}

static int take_inline(struct order *o, struct err *e)
{
	struct scan_value half[2];
	int rc;

	inline_halves(o->data, half, o->faults);
	if ((rc = faults_result(o->faults, e))) return rc;
	return store_rows(o, half, (const struct encoder *const[]){ o->inputs, o->targets }, e);
}

/* ---- what the job is ---- */

/* A version of a sweep may have other layers than its model: what goes on from it has them too. */
static int take_network(struct order *o, const struct store_version *version, struct err *e)
{
	json_t *training = NULL;
	int rc = json_read_stored(version->training, &training, e);

	o->network = json_incref(json_object_get(training, "network"));
	o->request.network = o->network;
	json_decref(training);
	return rc;
}

static int choose_version(struct order *o, char from[24], struct err *e)
{
	struct store_version version = { 0 };
	int rc;

	if (!strcmp(o->request.from, "scratch")) return 0;
	if (!strcmp(o->request.from, "latest")) {
		if (!o->stored.latest_version)
			return err_set(e, ERR_NO_VERSION,
					"model %s has no version to go on from; leave \"from\" out",
					o->model);
		snprintf(from, 24, "%llu", (unsigned long long)o->stored.latest_version);
		o->request.from = from;
	}
	rc = o->app->store->version_get(
			o->app->store, o->model, strtoull(o->request.from, NULL, 10), &version, e);
	if (!rc) rc = take_network(o, &version, e);
	store_version_clear(&version);
	return rc;
}

static int check_memory(struct order *o, struct err *e)
{
	size_t budget = o->app->jobs_memory_bytes;

	o->size = training_bytes(&o->definition, &o->request, o->revision.rows + o->held.rows, budget);
	return training_fits(&o->size, budget, e);
}

static int check_columns(
		struct order *o, const struct store_revision *revision, const char *pointer, struct err *e)
{
	size_t outputs = o->definition.outputs_count;
	const struct loss **losses = calloc(outputs, sizeof *losses);
	int rc;

	if (!losses) return err_nomem(e);
	for (size_t i = 0; i < outputs; i++)
		losses[i] = definition_heads(&o->definition) > 1 ? definition_output_loss(&o->definition, i)
								 : o->request.loss;
	rc = fit_columns(revision, o->inputs, o->targets, losses, pointer, o->faults, e);
	free(losses);
	return rc;
}

static bool is_class(const struct definition *d, const char *name)
{
	for (size_t i = 0; i < d->outputs_count; i++)
		for (size_t j = 0; j < d->outputs[i].values_count; j++)
			if (!strcmp(d->outputs[i].values[j], name)) return true;
	return false;
}

static void check_class_weights(struct order *o)
{
	char at[FAULT_POINTER_BYTES];
	const char *key;
	json_t *value;
	size_t classes = 0;

	if (!o->request.balanced && !o->request.class_weights) return;
	for (size_t i = 0; i < o->definition.outputs_count; i++)
		classes += o->definition.outputs[i].values_count;
	if (!classes)
		faults_add(o->faults, ERR_INVALID, "/class_weights",
				"the model predicts numbers, which have no classes");
	json_object_foreach((json_t *)o->request.class_weights, key,
			value) if (classes && !is_class(&o->definition, key))
			faults_add(o->faults, ERR_INVALID, pointer_join(at, "/class_weights", key),
					"is none of the model's classes");
}

/* The column of weights, as far as the data set's description tells. */
static int check_weight_column(struct order *o, const struct store_revision *revision, struct err *e)
{
	const char *dataset = revision->dataset ? revision->dataset : "the data";
	const char *name = o->request.sample_weight_column;
	const struct definition_source *column = NULL;
	struct definition_source *sources = NULL;
	json_t *columns = NULL;
	size_t count = 0;
	int rc;

	if (!name) return 0;
	if ((rc = json_read_stored(revision->columns, &columns, e)) ||
			(rc = sources_read(columns, &sources, &count, e)))
		goto out;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(sources[i].name, name)) column = &sources[i];
	if (!column)
		faults_add(o->faults, ERR_INVALID, "/sample_weight_column", "%s has no column \"%.64s\"",
				dataset, name);
	else if (column->kind != COLUMN_NUMBER)
		faults_add(o->faults, ERR_INVALID, "/sample_weight_column",
				"the column \"%.64s\" of %s does not hold numbers, and weights are numbers",
				name, dataset);
	else if (column->missing || column->min < 0)
		faults_add(o->faults, ERR_INVALID, "/sample_weight_column",
				"the column \"%.64s\" of %s has %s; every row needs a weight of at least 0",
				name, dataset, column->missing ? "missing cells" : "numbers below 0");
out:
	sources_free(sources, count);
	json_decref(columns);
	return rc;
}

/* The data set to validate on. That of the training itself would validate on what was learnt. */
static int find_held(struct order *o, struct err *e)
{
	const char *name = o->request.validation.dataset;

	if (!name) return 0;
	if (o->request.dataset && !strcmp(name, o->request.dataset))
		faults_add(o->faults, ERR_INVALID, "/validation/dataset",
				"is what the model is trained on; \"split\" holds a part of it out");
	return o->app->store->dataset_get(o->app->store, name, &o->held, e);
}

/* Completes the request for the data that there are, and asks whether they fit. */
static int check_data(struct order *o, struct err *e)
{
	struct train_request *request = &o->request;
	int rc;

	if (o->verb->check) o->verb->check(o);
	if ((rc = validation_check(&o->revision, &request->validation, o->faults, e))) return rc;
	train_request_resolve(request, o->revision.rows, definition_classifies(&o->definition),
			o->app->threads, o->faults);
	if ((rc = check_columns(o, &o->revision, o->inline_data ? "/data" : "/dataset", e)) ||
			(rc = check_weight_column(o, &o->revision, e)))
		return rc;
	if (!o->held.id) return 0;
	if ((rc = check_columns(o, &o->held, "/validation/dataset", e))) return rc;
	return check_weight_column(o, &o->held, e);
}

static int prepare(struct order *o, char from[24], struct err *e)
{
	struct store *store = o->app->store;
	int rc;

	if (o->verb->read) o->verb->read(o);
	if (json_was_short()) return err_nomem(e); /* what was said may be lost, or a default */
	train_request_read(o->document, false, &o->request, o->faults);
	if (o->request.notify) webhook_check(o->app->webhook, o->request.notify, "/notify", o->faults);
	if ((rc = store->model_get(store, o->model, &o->stored, e))) return rc;
	if ((rc = model_definition(&o->stored, &o->definition, &o->resolved, e))) return rc;
	if (o->request.dataset && (rc = store->dataset_get(store, o->request.dataset, &o->revision, e)))
		return rc;
	if ((rc = find_held(o, e))) return rc;
	if (!o->faults->count && (rc = choose_version(o, from, e))) return rc;
	if (o->network && (rc = model_definition_with(o->resolved, o->network, &o->definition, e))) return rc;
	if (o->request.loss)
		definition_check_loss(&o->definition, o->request.loss, o->faults);
	else {
		o->request.loss = o->definition.loss;
		memcpy(o->request.loss_params, o->definition.loss_params, sizeof o->definition.loss_params);
	}
	check_class_weights(o);
	definition_check_trainable(&o->definition, o->faults);
	if ((rc = definition_encoder(&o->definition, ENCODER_INPUTS, &o->inputs, e)) ||
			(rc = definition_encoder(&o->definition, ENCODER_TARGETS, &o->targets, e)))
		return rc;
	if (o->data.at && !o->request.dataset && !o->faults->count) {
		if ((rc = take_inline(o, e))) return rc;
		o->inline_data = true;
	}
	if (o->revision.columns && (rc = check_data(o, e))) return rc;
	if ((rc = faults_result(o->faults, e))) return rc;
	return check_memory(o, e);
}

static bool warn(
		json_t *warnings, const struct order *o, const char *column, const char *does, const char *so)
{
	if (!column || encoder_find(o->inputs, column, strlen(column)) == SIZE_MAX) return true;
	return !json_array_append_new(
			warnings, json_sprintf("the column \"%s\" %s and is an input of the model as "
					       "well: %s; \"features\" leaves it out",
						  column, does, so));
}

/* More points than are kept one by one? */
static bool warn_of_points(json_t *warnings, const struct order *o)
{
	const struct train_request *r = &o->request;
	uint64_t rows = train_request_rows(r, o->revision.rows), batch = r->core.batch_size,
		 points = r->core.epochs;

	if (r->record == CURVE_STEP && batch && rows > batch) points *= (rows + batch - 1) / batch;
	if (r->record == CURVE_AUTO || points <= CURVE_KEPT_MAX) return true;
	return !json_array_append_new(warnings,
			json_sprintf("\"record\": \"%s\" makes %lld points of this job; each is kept to %d, of later ones "
				     "neighbours are merged to their lowest and highest",
					curve_keep_name(r->record), (long long)points, CURVE_KEPT_MAX));
}

bool order_config(const struct order *o, json_t **config, json_t **warnings)
{
	const struct train_request *r = &o->request;

	*config = train_request_document(r);
	*warnings = json_array();
	if (*config && *warnings &&
			warn(*warnings, o, r->validation.column, "says which rows are validated on",
					"it learns nothing of the value that is held out") &&
			warn(*warnings, o, r->sample_weight_column, "says what each row counts",
					"predictions will need it too") &&
			warn_of_points(*warnings, o))
		return true;
	json_decref(*config);
	json_decref(*warnings);
	*config = *warnings = NULL;
	return false;
}

/* As text, new, with what there is to warn of; NULL: no memory. */
static char *config_text(json_t *config, json_t *warnings)
{
	bool whole = config && warnings;

	if (json_array_size(warnings)) whole = json_put(config, "warnings", json_incref(warnings)) && whole;
	return whole ? json_text(config, false) : NULL;
}

int order_submit(struct order *o, const char *kind, bool family, uint64_t epochs, json_t *config,
		json_t *warnings, struct reply *rp, struct err *e)
{
	struct store *store = o->app->store;
	char *text = config_text(config, warnings);
	struct store_job_new job = { .model = o->model,
		.kind = kind,
		.dataset = o->request.dataset,
		.config = text,
		.note = o->request.note,
		.notify = o->request.notify,
		.priority = o->request.priority,
		.revision = o->revision.id,
		.validation_revision = o->held.id,
		.epochs = epochs,
		.token = o->token,
		.family = family,
		.answer_key = idempotency_key(o->key),
		.answer_request = o->key->request };
	struct store_job made = { 0 };
	int64_t id;
	int rc;

	if (!family) job.made = &made; /* a family is looked at again once it has its first parts */
	rc = text ? store->job_create(store, &job, &id, e) : err_nomem(e);

	if (rc) goto out;
	if (family)
		jobs_settle(o->app->jobs, id);
	else
		jobs_wake(o->app->jobs);
	if (family && (rc = store->job_get(store, id, &made, e))) goto out;
	if ((rc = job_accepted(o->app, &made, rp, e))) goto out;
	idempotency_keep(o->key, rp, id);
out:
	store_job_clear(&made);
	json_decref(config);
	json_decref(warnings);
	free(text);
	return rc;
}

/* Reads and checks all, leaves what is done with it to the verb, and gives everything back. */
static int with_order(struct request *rq, struct reply *rp, struct idempotency *key,
		const struct order_verb *verb, void *own, struct err *e)
{
	struct order o = { .app = rq->app,
		.token = rq->token,
		.verb = verb,
		.faults = request_faults(rq),
		.model = request_param(rq, "model"),
		.key = key,
		.own = own };
	char from[24];
	int rc;

	if (!o.faults) return err_nomem(e);
	if (!(rc = read_body(&o, rq, e)) && !(rc = prepare(&o, from, e))) rc = verb->act(&o, rp, e);
	/* Inline data that no job pins. */
	if ((rc || !verb->keeps_data) && o.inline_data)
		o.app->store->upload_abort(o.app->store, o.revision.id);
	encoder_free(o.inputs);
	encoder_free(o.targets);
	definition_clear(&o.definition);
	store_revision_clear(&o.revision);
	store_revision_clear(&o.held);
	store_model_clear(&o.stored);
	json_decref(o.resolved);
	json_decref(o.document);
	json_decref(o.network);
	return rc;
}

int order_take(struct request *rq, struct reply *rp, const struct order_verb *verb, void *own, struct err *e)
{
	struct idempotency key = { 0 };
	int rc;

	if (!verb->keeps_data) return with_order(rq, rp, &key, verb, own, e);
	if ((rc = idempotency_begin(&key, rq, rp, e))) return rc;
	idempotency_request_body(&key, rq);
	rc = key.answered ? idempotency_repeat(&key, rq, rp, e) : with_order(rq, rp, &key, verb, own, e);
	idempotency_end(&key);
	return rc;
}

static int submit(struct order *o, struct reply *rp, struct err *e)
{
	json_t *config, *warnings;

	if (!order_config(o, &config, &warnings)) return err_nomem(e);
	return order_submit(o, "train", false, o->request.core.epochs, config, warnings, rp, e);
}

int model_train(struct request *rq, struct reply *rp, struct err *e)
{
	static const struct order_verb train = { .act = submit, .keeps_data = true };

	return order_take(rq, rp, &train, NULL, e);
}

/* ---- what it would take ---- */

static int estimate(struct order *o, struct reply *rp, struct err *e)
{
	uint64_t rows = train_request_rows(&o->request, o->revision.rows);
	json_t *out, *config;
	size_t parameters;
	double seconds;
	int rc;

	if ((rc = net_count_parameters(definition_input_width(&o->definition), o->definition.layers,
			     o->definition.layers_count, &parameters, e)) ||
			(rc = estimate_epoch(&o->definition, &o->request, rows, o->app->engine, &seconds, e)))
		return rc;
	config = train_request_document(&o->request);
	out = json_object();
	json_put(out, "parameters", json_integer((json_int_t)parameters));
	json_put(out, "size_bytes", json_integer((json_int_t)(parameters * sizeof(real))));
	json_put(out, "training_bytes", json_integer((json_int_t)o->size.bytes));
	json_put(out, "streamed", json_boolean(o->size.scratch_bytes > 0));
	json_put(out, "scratch_bytes", json_integer((json_int_t)o->size.scratch_bytes));
	json_put(out, "rows", json_integer((json_int_t)rows));
	json_put(out, "epoch_seconds", json_number(seconds));
	json_put(out, "expected_seconds", json_number(seconds * (double)o->request.core.epochs));
	json_put(out, "config", config);
	return reply_document(rp, out, e);
}

int model_estimate(struct request *rq, struct reply *rp, struct err *e)
{
	static const struct order_verb verb = { .act = estimate };

	return order_take(rq, rp, &verb, NULL, e);
}
