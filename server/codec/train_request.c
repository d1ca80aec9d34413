/* train_request.c - reads and completes what :train is asked. See train_request.h.
 *
 * What is chosen when nothing is said, from the number of rows: Adam at a constant rate, and epochs for about
 * DEFAULT_STEPS steps, as it is steps that bring a network to its minimum: 30 rows need many more epochs than
 * 10,000. Up to MANY_ROWS all rows are trained on and the penalty of the default layers (definition_resolve.c)
 * guards against overfitting: a tenth held out would cost more than it tells. Above, a tenth is plenty to see
 * when to stop. docs/engine.md has the reasons.
 */
#include "server/codec/train_request.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/fields.h"
#include "server/codec/json.h"

#define SEED_MAX           9007199254740992.0 /* 2^53: every JSON reader keeps it exactly */
#define SECONDS_MAX        1e9
#define CLIP_MAX           1e30
#define ACCUMULATE_MAX     1e6
#define EMA_MAX            0.9999999
#define NOISE_MAX          1e6
#define CLASS_WEIGHT_MAX   1e9
#define CHECKPOINT_LEAST   0.05
#define CHECKPOINT_MOST    86400
#define DEFAULT_CHECKPOINT 30
#define DEFAULT_RATE       0.003
#define DEFAULT_STEPS      4000
#define DEFAULT_BATCH      32
#define EPOCHS_LEAST       50 /* each row is seen so often at least */
#define EPOCHS_MOST        1000
#define MANY_ROWS          20000 /* above: a part held out, larger batches */
#define MANY_BATCH         128
#define MANY_EPOCHS        200 /* early stopping ends most runs before */
#define FULL_EPOCHS        200 /* of an optimizer that takes all rows at once: one iteration each */
#define DEFAULT_SPLIT      0.1
#define DEFAULT_PATIENCE   20

struct said {
	const char *dataset, *from, *note, *notify, *record;
	const char *sample_weight_column;
	const json_t *warnings, *network, *sweep, *data, *batch_size, *optimizer, *schedule, *loss,
			*validation, *early_stopping, *noise, *class_weights, *checkpoint_every_seconds,
			*priority;
	uint64_t epochs, seed, threads, accumulate, evaluate_every;
	double max_seconds, target_loss, gradient_clip_norm, gradient_clip_value, ema_decay;
	bool shuffle;
};

#define ROW(name, type, low, high, null)                                         \
	{                                                                        \
#name, type, offsetof(struct said, name), low, high, false, null \
	}
static const struct field fields[] = {
	ROW(warnings, FIELD_ANY, 0, 0, false), /* of a config of ours alone, as the next STORED_ONLY - 1 */
	ROW(network, FIELD_ANY, 0, 0, false),
	ROW(sweep, FIELD_ANY, 0, 0, false),
	ROW(dataset, FIELD_STRING, 0, 0, true),
	ROW(data, FIELD_ANY, 0, 0, false),
	ROW(epochs, FIELD_UINT, 1, TRAIN_EPOCHS_MAX, false),
	ROW(batch_size, FIELD_ANY, 0, 0, false),
	ROW(shuffle, FIELD_BOOL, 0, 0, false),
	ROW(seed, FIELD_UINT, 0, SEED_MAX, false),
	ROW(threads, FIELD_UINT, 1, TRAIN_THREADS_MAX, false),
	{ "max_seconds", FIELD_REAL, offsetof(struct said, max_seconds), 0, SECONDS_MAX, true, true },
	ROW(target_loss, FIELD_REAL, 0, 1e30, true),
	ROW(optimizer, FIELD_ANY, 0, 0, false),
	ROW(schedule, FIELD_ANY, 0, 0, true),
	ROW(loss, FIELD_ANY, 0, 0, false),
	{ "gradient_clip_norm", FIELD_REAL, offsetof(struct said, gradient_clip_norm), 0, CLIP_MAX, true,
			true },
	{ "gradient_clip_value", FIELD_REAL, offsetof(struct said, gradient_clip_value), 0, CLIP_MAX, true,
			true },
	ROW(accumulate, FIELD_UINT, 1, ACCUMULATE_MAX, false),
	ROW(noise, FIELD_ANY, 0, 0, false),
	ROW(ema_decay, FIELD_REAL, 0, EMA_MAX, true),
	ROW(class_weights, FIELD_ANY, 0, 0, false),
	ROW(sample_weight_column, FIELD_STRING, 0, 0, true),
	ROW(validation, FIELD_ANY, 0, 0, false),
	ROW(early_stopping, FIELD_ANY, 0, 0, false),
	ROW(evaluate_every, FIELD_UINT, 1, TRAIN_EPOCHS_MAX, false),
	ROW(record, FIELD_STRING, 0, 0, false),
	ROW(checkpoint_every_seconds, FIELD_ANY, 0, 0, false),
	ROW(from, FIELD_STRING, 0, 0, false),
	ROW(note, FIELD_STRING, 0, 0, false),
	ROW(notify, FIELD_STRING, 0, 0, true),
	ROW(priority, FIELD_ANY, 0, 0, false),
	{ 0 },
};
#undef ROW
#define STORED_ONLY 3

/* ---- reading ---- */

static void read_batch(const json_t *value, struct train_request *r, struct faults *faults)
{
	static const struct field batch = { "", FIELD_UINT, 0, 1, 4294967295.0, false, false };
	uint64_t size = 0;

	if (!value) return;
	r->batch_said = true;
	if (json_is_string(value) && !strcmp(json_string_value(value), "full"))
		r->batch_full = true;
	else if (json_is_string(value))
		faults_add(faults, ERR_INVALID, "/batch_size", "must be a number of rows, or \"full\"");
	else if (field_value(value, &batch, &size, "/batch_size", faults))
		r->core.batch_size = size;
}

#define ROWS_MAX 64
typedef const char *name_at(size_t i);

static const char *optimizer_name_at(size_t i)
{
	const struct optimizer *row = optim_at(i);

	return row ? row->name : NULL;
}

static const char *schedule_name_at(size_t i)
{
	const struct schedule *row = schedule_at(i);

	return row ? row->name : NULL;
}

static const char *loss_name_at(size_t i)
{
	const struct loss *row = loss_at(i);

	return row ? row->name : NULL;
}

static void unknown_name(
		const char *kind, const char *name, name_at *at, const char *pointer, struct faults *faults)
{
	const char *known[ROWS_MAX + 1] = { 0 }, *meant;

	for (size_t i = 0; i < ROWS_MAX && at(i); i++)
		known[i] = at(i);
	meant = did_you_mean(name, known);
	faults_add(faults, ERR_INVALID, pointer, "there is no %s \"%.64s\"; %s%s%s", kind, name,
			meant ? "did you mean \"" : "/v1/catalog lists what there is", meant ? meant : "",
			meant ? "\"?" : "");
}

static void read_optimizer(const json_t *value, struct train_request *r, struct faults *faults)
{
	const char *name = "adam";

	r->core.optimizer = optim_find("adam");
	params_fallback(r->core.optimizer->params, r->core.optimizer_params);
	if (!value || !named_read(value, &name, "/optimizer", faults)) return;
	if (!optim_find(name)) {
		unknown_name("optimizer", name, optimizer_name_at, "/optimizer", faults);
		return;
	}
	r->optimizer_said = json_is_object(value) ? json_object_get(value, "learning_rate") != NULL : false;
	r->core.optimizer = optim_find(name);
	if (strcmp(name, "adam")) r->optimizer_said = true;
	named_params(value, r->core.optimizer->params, r->core.optimizer_params, "/optimizer", "optimizer",
			faults);
}

/* The rate itself, without a warm-up, is no schedule. */
static void read_schedule(const json_t *value, struct train_request *r, struct faults *faults)
{
	const struct schedule *schedule;
	const char *name;

	if (!value || !named_read(value, &name, "/schedule", faults)) return;
	if (!(schedule = schedule_find(name))) {
		unknown_name("schedule", name, schedule_name_at, "/schedule", faults);
		return;
	}
	named_params(value, schedule->params, r->core.schedule_params, "/schedule", "schedule", faults);
	if (strcmp(name, "constant") || r->core.schedule_params[0] > 0) r->core.schedule = schedule;
}

static void read_loss(const json_t *value, struct train_request *r, struct faults *faults)
{
	const char *name;

	if (!value || !named_read(value, &name, "/loss", faults)) return;
	if (!(r->loss = loss_find(name))) {
		unknown_name("loss", name, loss_name_at, "/loss", faults);
		return;
	}
	named_params(value, r->loss->params, r->loss_params, "/loss", "loss", faults);
}

static void read_validation(const json_t *value, struct train_request *r, struct faults *faults)
{
	if (!value) return;
	r->validation_said = true;
	if (!json_is_null(value)) train_validation_read(value, &r->validation, faults);
}

struct stopping_said {
	const char *monitor;
	uint64_t patience;
	double min_delta;
	bool restore_best;
};

static void read_stopping(const json_t *value, struct train_request *r, struct faults *faults)
{
	struct stopping_said said = { .monitor = NULL, .patience = DEFAULT_PATIENCE, .restore_best = true };
	static const struct field rows[] = {
		{ "monitor", FIELD_STRING, offsetof(struct stopping_said, monitor), 0, 0, false, false },
		{ "patience", FIELD_UINT, offsetof(struct stopping_said, patience), 1, TRAIN_EPOCHS_MAX,
				false, false },
		{ "min_delta", FIELD_REAL, offsetof(struct stopping_said, min_delta), 0, 1e30, false, false },
		{ "restore_best", FIELD_BOOL, offsetof(struct stopping_said, restore_best), 0, 0, false,
				false },
		{ 0 },
	};

	if (!value) return;
	r->stopping_said = true;
	if (json_is_null(value)) return;
	fields_read(value, rows, &said, "/early_stopping", faults);
	r->stopping = true;
	r->monitor = said.monitor;
	r->core.monitor_training = said.monitor && !strcmp(said.monitor, "loss");
	r->core.patience = said.patience;
	r->core.min_delta = said.min_delta;
	r->core.restore_best = said.restore_best;
	if (said.monitor && strcmp(said.monitor, "val_loss") && strcmp(said.monitor, "loss"))
		faults_add(faults, ERR_INVALID, "/early_stopping/monitor",
				"must be \"val_loss\" or \"loss\"");
}

struct noise_said {
	double input, gradient;
};

/* A number is that of the inputs. */
static void read_noise(const json_t *value, struct train_request *r, struct faults *faults)
{
	static const struct field rows[] = {
		{ "input", FIELD_REAL, offsetof(struct noise_said, input), 0, NOISE_MAX, false, false },
		{ "gradient", FIELD_REAL, offsetof(struct noise_said, gradient), 0, NOISE_MAX, false, false },
		{ 0 },
	};
	struct noise_said said = { 0 };

	if (!value || json_is_null(value)) return;
	if (json_is_number(value))
		field_value(value, &rows[0], &said.input, "/noise", faults);
	else if (json_is_object(value))
		fields_read(value, rows, &said, "/noise", faults);
	else
		faults_add(faults, ERR_INVALID, "/noise",
				"must be a number, of the inputs, or an object with \"input\" and \"gradient\"");
	r->core.input_noise = said.input;
	r->core.gradient_noise = said.gradient;
}

/* Which classes there are is the model's to say. */
static void read_class_weights(const json_t *value, struct train_request *r, struct faults *faults)
{
	static const struct field weight = { "", FIELD_REAL, 0, 0, CLASS_WEIGHT_MAX, false, false };
	char at[FAULT_POINTER_BYTES];
	const char *key;
	json_t *item;
	double number;

	if (!value || json_is_null(value)) return;
	r->balanced = json_is_string(value) && !strcmp(json_string_value(value), "balanced");
	if (r->balanced) return;
	if (!json_is_object(value)) {
		faults_add(faults, ERR_INVALID, "/class_weights",
				"must be \"balanced\", or an object of classes and their weights");
		return;
	}
	r->class_weights = value;
	json_object_foreach((json_t *)value, key, item)
			field_value(item, &weight, &number, pointer_join(at, "/class_weights", key), faults);
}

static void read_record(const char *name, struct train_request *r, struct faults *faults)
{
	r->record = curve_keep_find(name);
	if (r->record < CURVE_KEEPS) return;
	faults_add(faults, ERR_INVALID, "/record",
			"must be \"auto\", \"epoch\" (each epoch is a point) or \"step\" (each mini-batch is), not "
			"\"%.64s\"",
			name);
	r->record = CURVE_AUTO;
}

static void read_checkpoint(const json_t *value, struct train_request *r, struct faults *faults)
{
	static const struct field range = { "", FIELD_REAL, 0, CHECKPOINT_LEAST, CHECKPOINT_MOST, false,
		false };

	r->checkpoint_seconds = DEFAULT_CHECKPOINT;
	if (!value) return;
	r->checkpoint_seconds = 0;
	if (json_is_null(value) || (json_is_number(value) && json_number_value(value) == 0)) return;
	field_value(value, &range, &r->checkpoint_seconds, "/checkpoint_every_seconds", faults);
}

static void check_from(const char *from, struct faults *faults)
{
	if (!strcmp(from, "scratch") || !strcmp(from, "latest")) return;
	if (*from && strlen(from) < 19 && strspn(from, "0123456789") == strlen(from)) return;
	faults_add(faults, ERR_INVALID, "/from", "must be \"scratch\", \"latest\" or a version, as in \"3\"");
}

static void read_priority(const json_t *value, struct train_request *r, struct faults *faults)
{
	static const struct field range = { "", FIELD_REAL, 0, -PRIORITY_MAX, PRIORITY_MAX, false, false };
	double priority;

	if (!value || !field_value(value, &range, &priority, "/priority", faults)) return;
	if (priority != floor(priority))
		faults_add(faults, ERR_INVALID, "/priority", "must be a whole number, not %.9g", priority);
	r->priority = (int)priority;
}

/* As it is shown: what follows the path may be a secret. */
static json_t *notify_document(const struct train_request *r)
{
	size_t n = r->notify ? strcspn(r->notify, "?") : 0;

	if (!r->notify) return json_null();
	return json_sprintf("%.*s%s", (int)n, r->notify, r->notify[n] ? "?…" : "");
}

void train_request_read(const json_t *document, bool stored, struct train_request *r, struct faults *faults)
{
	struct said said = { .accumulate = 1,
		.evaluate_every = 1,
		.shuffle = true,
		.target_loss = -1,
		.record = "auto",
		.from = "scratch",
		.note = "" };
	const json_t *dataset = json_object_get(document, "dataset");

	*r = (struct train_request){ 0 };
	fields_read(document, stored ? fields : fields + STORED_ONLY, &said, "", faults);
	r->dataset = said.dataset;
	r->core.epochs = said.epochs;
	r->epochs_said = said.epochs;
	r->core.shuffle = said.shuffle;
	r->core.seed = said.seed;
	r->core.max_seconds = said.max_seconds;
	r->core.target_loss = said.target_loss;
	r->core.gradient_clip_norm = said.gradient_clip_norm;
	r->core.gradient_clip_value = said.gradient_clip_value;
	r->core.accumulate = said.accumulate;
	r->core.ema_decay = said.ema_decay;
	r->core.evaluate_every = said.evaluate_every;
	r->sample_weight_column = said.sample_weight_column;
	r->threads = said.threads;
	r->from = said.from;
	r->note = said.note;
	r->notify = said.notify;
	r->network = said.network;
	r->sweep = said.sweep;
	if (!json_is_object(document)) return;
	read_priority(said.priority, r, faults);
	read_batch(said.batch_size, r, faults);
	read_optimizer(said.optimizer, r, faults);
	read_schedule(said.schedule, r, faults);
	read_loss(said.loss, r, faults);
	read_validation(said.validation, r, faults);
	read_stopping(said.early_stopping, r, faults);
	read_noise(said.noise, r, faults);
	read_class_weights(said.class_weights, r, faults);
	read_record(said.record, r, faults);
	read_checkpoint(said.checkpoint_every_seconds, r, faults);
	check_from(r->from, faults);
	if (stored) return;
	if (said.dataset && said.data)
		faults_add(faults, ERR_INVALID, "/data",
				"goes without \"dataset\": name one or send the other");
	else if (!said.data && (!dataset || json_is_null(dataset)))
		faults_add(faults, ERR_MISSING_FIELD, "",
				"needs \"dataset\", or \"data\" with \"inputs\" and \"targets\"");
}

/* ---- completing ---- */

uint64_t train_request_rows(const struct train_request *r, uint64_t rows)
{
	return train_validation_rest(&r->validation, rows);
}

static void resolve_stopping(struct train_request *r, bool chosen, struct faults *faults)
{
	bool validates = train_validation_wanted(&r->validation);

	if (!r->stopping_said && chosen) {
		r->stopping = true;
		r->core.patience = DEFAULT_PATIENCE;
		r->core.restore_best = true;
	}
	if (!r->stopping) return;
	if (!r->monitor) r->monitor = validates ? "val_loss" : "loss";
	r->core.monitor_training = !strcmp(r->monitor, "loss");
	if (!validates && !strcmp(r->monitor, "val_loss"))
		faults_add(faults, ERR_INVALID, "/early_stopping/monitor",
				"needs validation, as in \"validation\": {\"split\": 0.2}");
}

/* An optimizer that takes all rows at once; what else the trainer would refuse is refused here. */
static void resolve_full_batch(struct train_request *r, struct faults *faults)
{
	const struct train_config *c = &r->core;
	const struct {
		const char *pointer;
		bool said;
	} refused[] = {
		{ "/batch_size", r->batch_said && !r->batch_full },
		{ "/accumulate", c->accumulate > 1 },
		{ "/gradient_clip_norm", c->gradient_clip_norm > 0 },
		{ "/gradient_clip_value", c->gradient_clip_value > 0 },
		{ "/noise/gradient", c->gradient_noise > 0 },
	};

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (refused[i].said)
			faults_add(faults, ERR_INVALID, refused[i].pointer,
					"does not go with %s, which takes all rows at once and steps where their "
					"gradient leads; leave it out",
					c->optimizer->name);
	r->batch_said = r->batch_full = true;
}

/* With batches of so many rows; no rows count as one. */
static uint64_t default_epochs(uint64_t rows, size_t batch)
{
	uint64_t steps = rows ? (rows + batch - 1) / batch : 1;
	uint64_t epochs = (DEFAULT_STEPS + steps - 1) / steps;

	return epochs < EPOCHS_LEAST ? EPOCHS_LEAST : epochs > EPOCHS_MOST ? EPOCHS_MOST : epochs;
}

void train_request_resolve(struct train_request *r, uint64_t rows, bool classifies, unsigned threads_max,
		struct faults *faults)
{
	bool many = rows > MANY_ROWS;
	size_t usual = many ? MANY_BATCH : DEFAULT_BATCH;
	uint64_t training;

	if (!r->validation_said && many) r->validation.split = DEFAULT_SPLIT;
	train_validation_resolve(&r->validation, classifies, faults);
	if (r->validation.split > 0 && rows < 2)
		faults_add(faults, ERR_RANGE, "/validation/split",
				"there is only one row; a split needs two");
	if (r->validation.of > rows)
		faults_add(faults, ERR_RANGE, "/validation/of",
				"%llu folds need at least %llu rows, and there are %llu",
				(unsigned long long)r->validation.of, (unsigned long long)r->validation.of,
				(unsigned long long)rows);
	resolve_stopping(r, !r->validation_said && many, faults);
	if (r->core.evaluate_every > 1 && !train_validation_wanted(&r->validation))
		faults_add(faults, ERR_INVALID, "/evaluate_every",
				"needs validation, as in \"validation\": {\"split\": 0.2}");
	if (!r->optimizer_said) r->core.optimizer_params[0] = DEFAULT_RATE;
	training = train_request_rows(r, rows);
	if (r->core.optimizer->iterate) resolve_full_batch(r, faults);
	if (training < usual) usual = training ? training : 1;
	if (!r->batch_said) r->core.batch_size = usual;
	/* Epochs are those of the usual batches, whatever batch was said: a larger one makes no run shorter. */
	if (!r->epochs_said) r->core.epochs = many ? MANY_EPOCHS : default_epochs(training, usual);
	if (!r->epochs_said && r->core.optimizer->iterate) r->core.epochs = FULL_EPOCHS;
	if (r->batch_full) r->core.batch_size = 0;
	if (r->core.batch_size > training)
		faults_add(faults, ERR_RANGE, "/batch_size",
				"%zu is more than the %llu training rows; \"full\" takes them all",
				r->core.batch_size, (unsigned long long)training);
	if (!r->threads || r->threads > threads_max) r->threads = threads_max;
}

/* ---- writing ---- */

static json_t *stopping_document(const struct train_request *r)
{
	json_t *out;
	bool whole;

	if (!r->stopping) return json_null();
	out = json_object();
	whole = json_put(out, "monitor", json_string(r->monitor));
	whole &= json_put(out, "patience", json_integer((json_int_t)r->core.patience));
	whole &= json_put(out, "min_delta", json_real(r->core.min_delta));
	whole &= json_put(out, "restore_best", json_boolean(r->core.restore_best));
	return json_whole(out, whole);
}

static json_t *noise_document(const struct train_config *c)
{
	if (c->input_noise <= 0 && c->gradient_noise <= 0) return json_null();
	return json_pack("{s:f,s:f}", "input", c->input_noise, "gradient", c->gradient_noise);
}

static json_t *class_weights_document(const struct train_request *r)
{
	if (r->balanced) return json_string("balanced");
	return r->class_weights ? json_deep_copy(r->class_weights) : json_null();
}

json_t *train_request_document(const struct train_request *r)
{
	const struct train_config *c = &r->core;
	json_t *out = json_object();
	bool whole = json_put(out, "dataset", r->dataset ? json_string(r->dataset) : json_null());

	whole &= json_put(out, "epochs", json_integer((json_int_t)c->epochs));
	whole &= json_put(out, "batch_size",
			r->batch_full ? json_string("full") : json_integer((json_int_t)c->batch_size));
	whole &= json_put(out, "shuffle", json_boolean(c->shuffle));
	whole &= json_put(out, "seed", json_integer((json_int_t)c->seed));
	whole &= json_put(out, "threads", json_integer((json_int_t)r->threads));
	whole &= json_put(out, "max_seconds", c->max_seconds > 0 ? json_real(c->max_seconds) : json_null());
	whole &= json_put(out, "target_loss", c->target_loss >= 0 ? json_real(c->target_loss) : json_null());
	whole &= json_put(out, "optimizer",
			named_document(c->optimizer->name, c->optimizer->params, c->optimizer_params));
	whole &= json_put(out, "schedule",
			c->schedule ? named_document(c->schedule->name, c->schedule->params,
						      c->schedule_params)
				    : json_null());
	if (r->loss)
		whole &= json_put(
				out, "loss", named_document(r->loss->name, r->loss->params, r->loss_params));
	whole &= json_put(out, "validation", train_validation_document(&r->validation));
	whole &= json_put(out, "early_stopping", stopping_document(r));
	whole &= json_put(out, "gradient_clip_norm",
			c->gradient_clip_norm > 0 ? json_real(c->gradient_clip_norm) : json_null());
	whole &= json_put(out, "gradient_clip_value",
			c->gradient_clip_value > 0 ? json_real(c->gradient_clip_value) : json_null());
	whole &= json_put(out, "accumulate", json_integer((json_int_t)c->accumulate));
	whole &= json_put(out, "noise", noise_document(c));
	whole &= json_put(out, "ema_decay", c->ema_decay > 0 ? json_real(c->ema_decay) : json_null());
	whole &= json_put(out, "class_weights", class_weights_document(r));
	whole &= json_put(out, "sample_weight_column",
			r->sample_weight_column ? json_string(r->sample_weight_column) : json_null());
	whole &= json_put(out, "evaluate_every", json_integer((json_int_t)c->evaluate_every));
	whole &= json_put(out, "record", json_string(curve_keep_name(r->record)));
	whole &= json_put(out, "checkpoint_every_seconds",
			r->checkpoint_seconds > 0 ? json_real(r->checkpoint_seconds) : json_null());
	whole &= json_put(out, "from", json_string(r->from));
	whole &= json_put(out, "notify", notify_document(r));
	if (r->network) whole &= json_put(out, "network", json_incref((json_t *)r->network));
	if (r->sweep) whole &= json_put(out, "sweep", json_incref((json_t *)r->sweep));
	return json_whole(out, whole);
}
