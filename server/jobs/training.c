/* training.c - one training job: what it is made of, its run, what came of it. See training.h, and training_parts.h for
 * the files beside this one.
 *
 * A job that goes on from a version keeps that version's encoders, as its weights were learnt behind them.
 */
#include "server/jobs/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/codec/curve_health.h"
#include "server/codec/json.h"
#include "server/jobs/crew.h"
#include "server/jobs/training_parts.h"
#include "server/jobs/weights.h"

#define HEALTH_SECONDS 0.1 /* between two looks at the layers, at least */

/* ---- reading what is asked ---- */

/* *text is the definition's, new. */
static int read_documents(struct training *t, const struct store_job *job, char **text, struct err *e)
{
	struct store_model stored = { 0 };
	struct faults faults = { 0 };
	int rc;

	if ((rc = t->needs.store->model_get(t->needs.store, job->model, &stored, e))) return rc;
	if ((rc = json_read_stored(job->config, &t->config, e))) goto out;
	if ((rc = json_read_stored(stored.definition, &t->document, e))) goto out;
	train_request_read(t->config, true, &t->request, &faults);
	if (t->request.network && (rc = definition_override(t->document, t->request.network, e))) goto out;
	definition_read(t->document, true, &t->definition, &faults);
	definition_finish(&t->definition, 0, &faults);
	train_validation_resolve(&t->request.validation, definition_classifies(&t->definition), &faults);
	if (!(rc = faults_result(&faults, e))) {
		t->definition.loss = t->request.loss;
		memcpy(t->definition.loss_params, t->request.loss_params, sizeof t->definition.loss_params);
	}
	*text = stored.definition;
	stored.definition = NULL;
out:
	store_model_clear(&stored);
	return rc;
}

static int same_shape(const struct training *t, const struct net *from, struct err *e)
{
	const struct net *to = t->model.net;
	bool same = net_inputs(from) == net_inputs(to) && net_layers(from) == net_layers(to);

	for (size_t i = 0; same && i < net_layers(to); i++)
		same = net_layer(from, i)->spec.units == net_layer(to, i)->spec.units &&
		       net_layer(from, i)->spec.bias == net_layer(to, i)->spec.bias;
	return same ? 0 : err_set(e, ERR_CORRUPT, "the version to go on from has another shape");
}

/* Takes the encoders and the network of a version. */
static int go_on(struct training *t, const char *model, struct err *e)
{
	struct store *store = t->needs.store;
	struct store_version version = { 0 };
	struct store_bytes blob = { 0 };
	struct model *from = NULL;
	int rc;

	if ((rc = store->version_get(store, model, strtoull(t->request.from, NULL, 10), &version, e)))
		goto out;
	if ((rc = store->blob_read(store, version.blob, &blob, e))) goto out;
	if ((rc = model_read(&from, blob.data, blob.size, e)) || (rc = same_shape(t, from->net, e))) goto out;
	net_free(t->model.net);
	encoder_free(t->model.inputs);
	encoder_free(t->model.targets);
	t->model.net = from->net;
	t->model.inputs = from->inputs;
	t->model.targets = from->targets;
	from->net = NULL;
	from->inputs = from->targets = NULL;
	t->goes_on = true;
out:
	model_free(from);
	store_bytes_clear(&blob);
	store_version_clear(&version);
	return rc;
}

static int make_model(struct training *t, const char *model, struct err *e)
{
	int rc;

	if ((rc = definition_encoder(&t->definition, ENCODER_INPUTS, &t->model.inputs, e)) ||
			(rc = definition_encoder(&t->definition, ENCODER_TARGETS, &t->model.targets, e)) ||
			(rc = definition_net(&t->definition, &t->model.net, e)) ||
			(rc = definition_objectives(&t->definition, &t->model.objectives, e)))
		return rc;
	if (strcmp(t->request.from, "scratch")) return go_on(t, model, e);
	net_init(t->model.net, t->definition.seed);
	return 0;
}

int training_new(struct training **out, const struct training_needs *needs, const struct store_job *job,
		struct err *e)
{
	struct training *t = calloc(1, sizeof *t);
	char *definition = NULL;
	int rc;

	*out = NULL;
	if (!t) return err_nomem(e);
	t->needs = *needs;
	if ((rc = read_documents(t, job, &definition, e))) goto out;
	t->is_fold = job->parent && t->request.validation.of && !t->request.sweep;
	if ((rc = needs->store->revision_get(needs->store, job->revision, &t->data.revision, e))) goto out;
	if (job->validation_revision && (rc = needs->store->revision_get(needs->store,
							 job->validation_revision, &t->held.revision, e)))
		goto out;
	checkpoint_identify(&t->of, needs->engine->name, job->config, definition, &t->data.revision,
			&t->held.revision);
	t->size = training_bytes(&t->definition, &t->request, t->data.revision.rows + t->held.revision.rows,
			needs->memory_bytes);
	rc = make_model(t, job->model, e);
out:
	free(definition);
	if (rc)
		training_free(t);
	else
		*out = t;
	return rc;
}

void training_free(struct training *t)
{
	if (!t) return;
	trainer_free(t->trainer);
	crew_free(t->crew);
	encoder_free(t->model.inputs);
	encoder_free(t->model.targets);
	net_free(t->model.net);
	free(t->model.objectives);
	definition_clear(&t->definition);
	store_revision_clear(&t->data.revision);
	store_revision_clear(&t->held.revision);
	json_decref(t->config);
	json_decref(t->document);
	spill_free(t->spill);
	fold_rows_clear(&t->output);
	free(t->data.use);
	free(t->held.use);
	free(t->x);
	free(t->y);
	free(t->w);
	free(t->weight_sums);
	free(t->target_scale);
	free(t);
}

/* ---- training ---- */

static void on_epoch(void *self, const struct train_point *point)
{
	struct training *t = self;
	bool restores = t->request.core.patience && t->request.core.restore_best;

	if (!restores || point->best_epoch == point->epoch) t->point = *point;
	t->watch.epoch(t->watch.self, point);
}

static void on_step(void *self, const struct train_point *point)
{
	struct training *t = self;

	t->watch.step(t->watch.self, point);
}

/* By the clock, as measuring is no part of a run's bits; the last epoch that was asked for always. */
static bool wants_health(void *self, uint64_t epoch)
{
	struct training *t = self;
	struct timespec time;
	double now;

	if (epoch == t->request.core.epochs) return true;
	if (!curve_health_wanted(t->request.record, epoch)) return false;
	clock_gettime(CLOCK_MONOTONIC, &time);
	now = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
	if (t->measured && now - t->measured_seconds < HEALTH_SECONDS) return false;
	t->measured = true;
	t->measured_seconds = now;
	return true;
}

static void on_checkpoint(void *self, const struct trainer *trainer)
{
	struct training *t = self;

	(void)trainer; /* it is t->trainer */
	t->watch.checkpoint(t->watch.self);
}

static void on_health(void *self, const struct train_point *point, const struct train_health *rows)
{
	struct training *t = self;

	t->watch.health(t->watch.self, point->epoch, rows, net_layers(t->model.net));
}

static int shelf_read(void *self, size_t first, size_t rows, real *x, real *y, real *w, struct err *e)
{
	const struct shelf *shelf = self;
	const struct training *t = shelf->training;
	int rc = spill_read(t->spill, shelf->first + first, rows, x, y, w, e);

	if (!rc && w)
		weights_level(w, rows, encoder_columns(t->model.targets), t->weight_sums, t->train_rows);
	return rc;
}

static void shelf_ahead(void *self, size_t first, size_t rows)
{
	const struct shelf *shelf = self;

	spill_ahead(shelf->training->spill, shelf->first + first, rows);
}

/* Rows [first, first + rows) of all that were loaded. */
static struct train_data data_of(struct training *t, size_t first, size_t rows, struct shelf *shelf)
{
	size_t inputs = encoder_width(t->model.inputs), outputs = encoder_width(t->model.targets);
	size_t cells = encoder_columns(t->model.targets);

	if (!t->spill)
		return (struct train_data){ .x = t->x + first * inputs,
			.y = t->y + first * outputs,
			.rows = rows,
			.weights = t->w ? t->w + first * cells : NULL };
	*shelf = (struct shelf){ t, first, { shelf, t->weighted, shelf_read, shelf_ahead } };
	return (struct train_data){ .rows = rows, .reader = &shelf->reader };
}

int training_start(struct training *t, struct err *e)
{
	struct train_config config = t->request.core;
	struct train_data data = data_of(t, 0, t->train_rows, &t->shelves[0]);
	struct train_data validation = data_of(t, t->train_rows, t->validation_rows, &t->shelves[1]);
	int rc;

	config.objectives = t->model.objectives;
	config.target_scale = t->target_scale;
	config.input_dropout = t->definition.input_dropout;
	if ((rc = crew_new(&t->crew, (unsigned)t->request.threads, e))) return rc;
	return trainer_new(&t->trainer, t->model.net, &config, &data, &validation, t->needs.engine,
			crew_team(t->crew), e);
}

int training_run(struct training *t, const struct training_watch *watch, struct train_result *result,
		struct err *e)
{
	struct train_hooks hooks = { .self = t,
		.epoch = on_epoch,
		.step = watch->step ? on_step : NULL,
		.steps = watch->steps,
		.stop = t->needs.stop,
		.time_up = watch->time_up,
		.health = watch->health ? on_health : NULL,
		.healthy = wants_health,
		.checkpoint = watch->checkpoint ? on_checkpoint : NULL,
		.save = watch->save };
	int rc;

	t->watch = *watch;
	rc = trainer_run(t->trainer, &hooks, result, e);
	if (!rc && t->is_fold && result->stop != TRAIN_STOPPED) rc = training_predict(t, e);
	return rc;
}

/* ---- checkpoints ---- */

const struct checkpoint_of *training_identity(const struct training *t)
{
	return &t->of;
}

size_t training_state_bytes(const struct training *t)
{
	return trainer_state_bytes(t->trainer);
}

void training_save(const struct training *t, unsigned char *out)
{
	trainer_save(t->trainer, out);
}

int training_resume(struct training *t, const struct checkpoint_parts *parts, struct err *e)
{
	int rc = trainer_load(t->trainer, parts->state, parts->state_bytes, e);

	if (!rc) t->point = parts->left;
	return rc;
}

/* ---- what came of it ---- */

const struct train_request *training_request(const struct training *t)
{
	return &t->request;
}

const struct definition *training_definition(const struct training *t)
{
	return &t->definition;
}

const struct training_size *training_size(const struct training *t)
{
	return &t->size;
}

uint64_t training_rows(const struct training *t)
{
	return t->train_rows;
}

bool training_validates(const struct training *t)
{
	return t->validation_rows > 0;
}

const struct train_point *training_point(const struct training *t)
{
	return &t->point;
}

int training_write(const struct training *t, unsigned char **bytes, size_t *size, struct err *e)
{
	return model_write(&t->model, bytes, size, e);
}

static json_t *revision_document(const struct store_revision *revision)
{
	json_t *out = json_object();
	bool whole = json_put(out, "name", revision->dataset ? json_string(revision->dataset) : json_null());

	whole &= json_put(out, "revision", json_id((int64_t)revision->number));
	whole &= json_put(out, "sha256", json_string(revision->sha256));
	whole &= json_put(out, "rows", json_integer((json_int_t)revision->rows));
	return json_whole(out, whole);
}

json_t *training_revisions(const struct store_revision *data, const struct store_revision *held)
{
	json_t *out = revision_document(data);

	if (!out || !held->id) return out;
	return json_whole(out, json_put(out, "validation", revision_document(held)));
}

json_t *training_dataset(const struct training *t)
{
	return training_revisions(&t->data.revision, &t->held.revision);
}

/* One of the two is NaN unless categories and numbers are predicted together. */
json_t *training_metrics(const struct train_point *point, bool validates)
{
	json_t *out = json_object();
	bool whole = out != NULL;

	if (!point->epoch) return out;
	whole &= json_put(out, "loss", json_number(point->loss));
	if (validates) whole &= json_put(out, "val_loss", json_number(point->val_loss));
	if (!isnan(point->accuracy)) whole &= json_put(out, "accuracy", json_number(point->accuracy));
	if (!isnan(point->mae)) whole &= json_put(out, "mae", json_number(point->mae));
	if (validates && !isnan(point->accuracy))
		whole &= json_put(out, "val_accuracy", json_number(point->val_accuracy));
	if (validates && !isnan(point->mae)) whole &= json_put(out, "val_mae", json_number(point->val_mae));
	return json_whole(out, whole);
}

json_t *training_best(const struct train_point *point, const struct train_request *request)
{
	bool of_validation = train_validation_wanted(&request->validation) && !request->core.monitor_training;
	json_t *out;
	bool whole;

	if (!point->best_epoch) return json_null();
	out = json_object();
	whole = json_put(out, "epoch", json_integer((json_int_t)point->best_epoch));
	whole &= json_put(out, of_validation ? "val_loss" : "loss", json_number(point->best_loss));
	return json_whole(out, whole);
}
