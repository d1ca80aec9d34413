/* training.c - one training job. See training.h.
 *
 * The rows lie in one block, training rows first, in the order of the data set: which rows are held out and how
 * they are shuffled follows from the seed alone. Rows without a target are left out. Encoders are fitted on the
 * training rows; a job that goes on from a version keeps that version's encoders, as its weights were learnt
 * behind them.
 */
#include "server/jobs/training.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "core/model.h"
#include "core/size.h"
#include "server/codec/curve_health.h"
#include "server/codec/json.h"
#include "server/jobs/crew.h"
#include "server/jobs/source.h"
#include "server/jobs/weights.h"

#define PIECE_ROWS 256 /* encoded at a time */

enum use { USE_VALIDATION, USE_TRAINING, USE_NOT };

struct training {
	struct training_needs needs;
	json_t *config, *document;
	struct train_request request;
	struct definition definition;
	struct store_revision revision;
	struct model model;
	bool goes_on;    /* from a version's weights */
	uint8_t *use;    /* (revision.rows), enum use */
	real *x, *y, *w; /* w (rows, target columns), NULL: every cell counts the same */
	size_t train_rows, validation_rows;
	double *target_scale;
	struct train_point point; /* of the weights as they are left */
	struct training_watch watch;
};

/* ---- sizes ---- */

/* Inputs, targets and what each target counts. */
static size_t matrix_bytes(const struct definition *d, uint64_t rows)
{
	size_t width = size_add(definition_input_width(d), definition_output_width(d));

	width = size_add(width, d->outputs_count);

	return rows > UINT32_MAX ? SIZE_MAX : size_mul(size_mul(width, sizeof(real)), rows);
}

/* Blocks as large as the network's parameters: its own and their gradient, the optimizer's, those of what is asked for,
 * and the file that is written at the end. */
static size_t parameter_blocks(const struct train_config *c)
{
	size_t blocks = 3 + optim_moments(c->optimizer, c->optimizer_params);

	blocks += c->patience && c->restore_best;
	blocks += c->ema_decay > 0;
	return blocks + (c->accumulate > 1);
}

size_t training_bytes(const struct definition *d, const struct train_request *request, uint64_t rows)
{
	size_t parameters, bytes = matrix_bytes(d, rows), batch = request->core.batch_size, widest = 0;

	if (net_count_parameters(definition_input_width(d), d->layers, d->layers_count, &parameters, NULL))
		return SIZE_MAX;
	if (!batch || batch > rows) batch = rows;
	for (size_t i = 0; i < d->layers_count; i++)
		widest = size_add(widest, d->layers[i].units);
	bytes = size_add(bytes, size_mul(parameters, parameter_blocks(&request->core) * sizeof(real)));
	bytes = size_add(bytes, size_mul(size_mul(batch, widest), 4 * sizeof(real)));
	return size_add(bytes, size_mul(rows, sizeof(uint8_t) + 2 * sizeof(uint32_t)));
}

size_t training_size(const struct training *t)
{
	return training_bytes(&t->definition, &t->request, t->revision.rows);
}

/* ---- reading what is asked ---- */

static int read_documents(struct training *t, const struct store_job *job, struct err *e)
{
	struct store_model stored = { 0 };
	struct faults faults = { 0 };
	int rc;

	if ((rc = t->needs.store->model_get(t->needs.store, job->model, &stored, e))) return rc;
	if ((rc = json_read_stored(job->config, &t->config, e))) goto out;
	if ((rc = json_read_stored(stored.definition, &t->document, e))) goto out;
	train_request_read(t->config, true, &t->request, &faults);
	definition_read(t->document, true, &t->definition, &faults);
	definition_finish(&t->definition, 0, &faults);
	if (!(rc = faults_result(&faults, e))) {
		t->definition.loss = t->request.loss;
		memcpy(t->definition.loss_params, t->request.loss_params, sizeof t->definition.loss_params);
	}
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
	int rc;

	*out = NULL;
	if (!t) return err_nomem(e);
	t->needs = *needs;
	if ((rc = read_documents(t, job, e))) goto out;
	if ((rc = needs->store->revision_get(needs->store, job->revision, &t->revision, e))) goto out;
	rc = make_model(t, job->model, e);
out:
	if (rc)
		training_free(t);
	else
		*out = t;
	return rc;
}

void training_free(struct training *t)
{
	if (!t) return;
	encoder_free(t->model.inputs);
	encoder_free(t->model.targets);
	net_free(t->model.net);
	free(t->model.objectives);
	definition_clear(&t->definition);
	store_revision_clear(&t->revision);
	json_decref(t->config);
	json_decref(t->document);
	free(t->use);
	free(t->x);
	free(t->y);
	free(t->w);
	free(t->target_scale);
	free(t);
}

/* ---- loading ---- */

/* Calls each for every group of the source, in order. */
static int each_group(struct training *t, struct source *source,
		int (*each)(struct training *t, struct source *source, uint64_t first, size_t rows, void *arg,
				struct err *e),
		void *arg, struct err *e)
{
	for (uint64_t group = 0; group < source_groups(source); group++) {
		uint64_t first;
		size_t rows;
		int rc;

		if (atomic_load(t->needs.stop)) return err_set(e, ERR_STOPPED, "stopped while loading");
		if ((rc = source_read(source, group, &first, &rows, e))) return rc;
		if (first + rows > t->revision.rows)
			return err_set(e, ERR_CORRUPT, "the data have more rows than they say");
		if ((rc = each(t, source, first, rows, arg, e))) return rc;
	}
	return 0;
}

/* Which rows have all their targets, and their classes, closed up. */
struct usable {
	uint32_t *classes; /* NULL: no classification */
	size_t class_count, count;
};

static int find_usable(struct training *t, struct source *source, uint64_t first, size_t rows, void *arg,
		struct err *e)
{
	struct usable *usable = arg;

	source_usable(source, t->use + first);
	for (size_t i = 0; i < rows; i++) {
		if (!t->use[first + i]) continue;
		if (usable->classes && source_target_slots(source, 0)[i] >= usable->class_count)
			return err_set(e, ERR_INVALID,
					"row %" PRIu64 ": its target is none of the model's classes",
					first + i + 1);
		if (usable->classes) usable->classes[usable->count] = source_target_slots(source, 0)[i];
		usable->count++;
	}
	return 0;
}

static int hold_out(struct training *t, const struct usable *usable, struct err *e)
{
	uint8_t *split = malloc(usable->count);
	size_t at = 0;
	int rc;

	if (!split) return err_nomem(e);
	rc = train_split(split, usable->count, t->request.split, usable->classes, usable->class_count,
			t->request.core.seed, e);
	for (uint64_t i = 0; !rc && i < t->revision.rows; i++)
		if (t->use[i] != USE_NOT) t->use[i] = split[at++] ? USE_TRAINING : USE_VALIDATION;
	free(split);
	return rc;
}

static int split_rows(struct training *t, struct source *source, struct err *e)
{
	struct usable usable = { 0 };
	int rc = 0;

	if (!(t->use = malloc(t->revision.rows))) return err_nomem(e);
	if (definition_classifies(&t->definition)) {
		usable.class_count = encoder_width(t->model.targets);
		if (!(usable.classes = calloc(t->revision.rows, sizeof *usable.classes))) return err_nomem(e);
	}
	if ((rc = each_group(t, source, find_usable, &usable, e))) goto out;
	for (uint64_t i = 0; i < t->revision.rows; i++)
		t->use[i] = t->use[i] ? USE_TRAINING : USE_NOT;
	if (!usable.count)
		rc = err_set(e, ERR_INVALID, "no row has a target");
	else if (t->request.split > 0)
		rc = hold_out(t, &usable, e);
	if (rc) goto out;
	for (uint64_t i = 0; i < t->revision.rows; i++)
		t->train_rows += t->use[i] == USE_TRAINING;
	t->validation_rows = usable.count - t->train_rows;
	if (t->request.core.batch_size > t->train_rows) t->request.core.batch_size = t->train_rows;
out:
	free(usable.classes);
	return rc;
}

static int fit_group(struct training *t, struct source *source, uint64_t first, size_t rows, void *arg,
		struct err *e)
{
	uint8_t *mask = arg;

	(void)e;
	for (size_t i = 0; i < rows; i++)
		mask[first + i] = t->use[first + i] == USE_TRAINING;
	source_fit(source, t->model.inputs, t->model.targets, mask + first);
	return 0;
}

static int fit(struct training *t, struct source *source, struct err *e)
{
	uint8_t *mask;
	int rc;

	if (t->goes_on) return 0;
	if (!(mask = malloc(t->revision.rows))) return err_nomem(e);
	encoder_fit_begin(t->model.inputs);
	encoder_fit_begin(t->model.targets);
	rc = each_group(t, source, fit_group, mask, e);
	encoder_fit_end(t->model.inputs);
	encoder_fit_end(t->model.targets);
	free(mask);
	return rc;
}

/* Where the next training and the next validation row go. */
struct encoding {
	size_t training, validation;
	real *x, *y, *w; /* (PIECE_ROWS, inputs), (PIECE_ROWS, outputs), (PIECE_ROWS, target columns) */
	struct weights *weights; /* NULL: none are asked for */
};

static int encode_group(struct training *t, struct source *source, uint64_t first, size_t rows, void *arg,
		struct err *e)
{
	struct encoding *to = arg;
	size_t inputs = encoder_width(t->model.inputs), outputs = encoder_width(t->model.targets);
	size_t cells = encoder_columns(t->model.targets);

	for (size_t i = 0, n; i < rows; i += n) {
		const uint8_t *use = t->use + first + i;
		int rc;

		for (n = 0; i + n < rows && n < PIECE_ROWS && use[n] != USE_NOT; n++)
			;
		if (n && (rc = source_encode(source, i, n, to->x, to->y, e))) return rc;
		if (n && to->weights && (rc = weights_put(to->weights, source, i, n, to->w, e))) return rc;
		for (size_t j = 0; j < n; j++) {
			size_t row = use[j] == USE_TRAINING ? to->training++
							    : t->train_rows + to->validation++;

			memcpy(t->x + row * inputs, to->x + j * inputs, inputs * sizeof(real));
			memcpy(t->y + row * outputs, to->y + j * outputs, outputs * sizeof(real));
			if (t->w) memcpy(t->w + row * cells, to->w + j * cells, cells * sizeof(real));
		}
		n += !n; /* a row that is left out */
	}
	return 0;
}

static int encode(struct training *t, struct source *source, struct err *e)
{
	size_t inputs = encoder_width(t->model.inputs), outputs = encoder_width(t->model.targets);
	size_t rows = t->train_rows + t->validation_rows;
	size_t cells = encoder_columns(t->model.targets);
	bool weighs = weights_wanted(&t->request, t->model.targets);
	struct encoding to = { .x = block_new(PIECE_ROWS * inputs),
		.y = block_new(PIECE_ROWS * outputs),
		.w = block_new(PIECE_ROWS * cells) };
	int rc = 0;

	t->x = block_new(size_mul(rows, inputs));
	t->y = block_new(size_mul(rows, outputs));
	if (weighs) t->w = block_new(size_mul(rows, cells));
	if (!to.x || !to.y || !to.w || !t->x || !t->y || (weighs && !t->w)) rc = err_nomem(e);
	if (!rc && weighs) rc = weights_new(&to.weights, &t->request, t->model.targets, e);
	if (!rc) rc = each_group(t, source, encode_group, &to, e);
	if (!rc && weighs) rc = weights_level(t->w, rows, cells, t->train_rows, e);
	weights_free(to.weights);
	free(to.x);
	free(to.y);
	free(to.w);
	return rc;
}

/* What no training row had must not say anything: neither a value never seen nor the slots for such. */
static void silence_unseen(struct training *t)
{
	for (size_t i = 0; i < encoder_columns(t->model.inputs); i++) {
		const struct encoder_column *column = encoder_column(t->model.inputs, i);

		for (size_t j = 0; column->slot_counts && j < column->width; j++)
			if (!column->slot_counts[j]) net_zero_input(t->model.net, column->first + j);
	}
}

static int scale_targets(struct training *t, struct err *e)
{
	size_t outputs = encoder_width(t->model.targets);

	if (definition_classifies(&t->definition)) return 0;
	if (!(t->target_scale = calloc(outputs, sizeof *t->target_scale))) return err_nomem(e);
	for (size_t i = 0; i < outputs; i++)
		t->target_scale[i] = 1;
	for (size_t i = 0; i < encoder_columns(t->model.targets); i++) {
		const struct encoder_column *column = encoder_column(t->model.targets, i);

		if (column->kind == COLUMN_NUMBER) t->target_scale[column->first] = column->scale;
	}
	return 0;
}

int training_load(struct training *t, struct err *e)
{
	struct source *source = NULL;
	int rc;

	if ((rc = source_new(&source, t->needs.store, &t->revision, t->model.inputs, t->model.targets, e)))
		return rc;
	if (encoder_columns(t->model.targets) > 1) source_allow_gaps(source);
	if (t->request.sample_weight_column)
		rc = source_read_weights(source, t->request.sample_weight_column, e);
	if (!rc && !(rc = split_rows(t, source, e)) && !(rc = fit(t, source, e)) &&
			!(rc = encode(t, source, e)) && !(rc = scale_targets(t, e)) && !t->goes_on)
		silence_unseen(t);
	source_free(source);
	return rc;
}

/* ---- training ---- */

static void on_epoch(void *self, const struct train_point *point)
{
	struct training *t = self;
	bool restores = t->request.core.patience && t->request.core.restore_best;

	if (!restores || point->best_epoch == point->epoch) t->point = *point;
	t->watch.epoch(t->watch.self, point);
}

static bool wants_health(void *self, uint64_t epoch)
{
	(void)self;
	return curve_health_wanted(epoch);
}

static void on_health(void *self, const struct train_point *point, const struct train_health *rows)
{
	struct training *t = self;

	t->watch.health(t->watch.self, point->epoch, rows, net_layers(t->model.net));
}

int training_run(struct training *t, const struct training_watch *watch, struct train_result *result,
		struct err *e)
{
	struct train_config config = t->request.core;
	size_t inputs = encoder_width(t->model.inputs), outputs = encoder_width(t->model.targets);
	size_t cells = encoder_columns(t->model.targets);
	struct train_data data = { .x = t->x, .y = t->y, .rows = t->train_rows, .weights = t->w };
	struct train_data validation = { .x = t->x + t->train_rows * inputs,
		.y = t->y + t->train_rows * outputs,
		.rows = t->validation_rows,
		.weights = t->w ? t->w + t->train_rows * cells : NULL };
	struct train_hooks hooks = { .self = t,
		.epoch = on_epoch,
		.stop = t->needs.stop,
		.health = watch->health ? on_health : NULL,
		.healthy = wants_health };
	struct trainer *trainer = NULL;
	struct crew *crew = NULL;
	int rc;

	config.objectives = t->model.objectives;
	config.target_scale = t->target_scale;
	config.input_dropout = t->definition.input_dropout;
	t->watch = *watch;
	if ((rc = crew_new(&crew, (unsigned)t->request.threads, e))) return rc;
	if ((rc = trainer_new(&trainer, t->model.net, &config, &data, &validation, t->needs.engine,
			     crew_team(crew), e)))
		goto out;
	rc = trainer_run(trainer, &hooks, result, e);
out:
	trainer_free(trainer);
	crew_free(crew);
	return rc;
}

/* ---- what came of it ---- */

const struct train_request *training_request(const struct training *t)
{
	return &t->request;
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

json_t *training_dataset(const struct training *t)
{
	const struct store_revision *revision = &t->revision;
	json_t *out = json_object();
	bool whole = json_put(out, "name", revision->dataset ? json_string(revision->dataset) : json_null());

	whole &= json_put(out, "revision", json_id((int64_t)revision->number));
	whole &= json_put(out, "sha256", json_string(revision->sha256));
	whole &= json_put(out, "rows", json_integer((json_int_t)revision->rows));
	return json_whole(out, whole);
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
	bool of_validation = request->split > 0 && !request->core.monitor_training;
	json_t *out;
	bool whole;

	if (!point->best_epoch) return json_null();
	out = json_object();
	whole = json_put(out, "epoch", json_integer((json_int_t)point->best_epoch));
	whole &= json_put(out, of_validation ? "val_loss" : "loss", json_number(point->best_loss));
	return json_whole(out, whole);
}
