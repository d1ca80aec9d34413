/* train.c - the training loop. See train.h.
 *
 * trainer_new takes all memory there is to take; a run then is: for each epoch shuffle, for each mini-batch gather,
 * gradient, optimizer step; then validation, the callback, and the question whether to go on. What a run knows
 * about itself lies in struct run, on the stack of trainer_run. The functions that may end a run say why in
 * result->stop and return true.
 *
 * Nothing here depends on the number of threads: sums are kept in row order by this thread, and an optimizer's
 * ranges don't touch each other.
 */
#include "core/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/block.h"
#include "core/metrics.h"
#include "core/size.h"

#define VALIDATION_ROWS   256   /* at least so many rows at a time, where there are as many */
#define PARALLEL_STEP_MIN 65536 /* parameters from which an optimizer's step is worth a team */

/* Sizes that follow from what is trained on what; counts of numbers, SIZE_MAX when too large. */
struct sizes {
	size_t batch, chunk; /* rows of a mini-batch, of a piece of the validation rows */
	size_t max_batch;    /* rows in the working memory */
	size_t parameters;
	size_t batch_x, batch_y, order; /* 0 when rows are taken as they lie */
	size_t moments;                 /* blocks of `parameters` */
	bool best;                      /* one more of them */
};

struct trainer {
	struct net *net;
	struct train_config config;
	struct objective objective;
	struct train_data train, validation;
	struct team *team;
	struct sizes sizes;
	struct net_work *work;
	real *gradient, *moments[OPTIM_MOMENTS_MAX], *best;
	real *batch_x, *batch_y; /* (batch, inputs), (batch, outputs) */
	uint32_t *order;         /* (rows) */
};

/* Sums over rows of one pass over the data. */
struct sums {
	double loss;
	double metric; /* hits, or absolute errors over all outputs */
};

struct run {
	const struct train_hooks *hooks;
	struct train_result *result;
	struct train_point point; /* of the epoch under way */
	double started;           /* on the monotonic clock, seconds */
	double reference;         /* the loss that patience measures against */
	uint64_t waited;          /* epochs since it was beaten */
};

const char *train_stop_name(enum train_stop stop)
{
	static const char *const names[] = {
		[TRAIN_EPOCHS] = "epochs",
		[TRAIN_TARGET_LOSS] = "target_loss",
		[TRAIN_EARLY_STOPPING] = "early_stopping",
		[TRAIN_MAX_SECONDS] = "max_seconds",
		[TRAIN_STOPPED] = "cancelled",
		[TRAIN_DIVERGED] = "diverged",
	};

	return names[stop];
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct sizes find_sizes(const struct net *net, const struct train_config *config, size_t train_rows,
		size_t validation_rows)
{
	struct sizes s = {
		.batch = config->batch_size ? config->batch_size : train_rows,
		.parameters = net_parameters(net),
		.moments = optim_moments(config->optimizer, config->optimizer_params),
		.best = config->patience && config->restore_best,
	};

	s.chunk = smaller(validation_rows, larger(s.batch, VALIDATION_ROWS));
	s.max_batch = larger(s.batch, s.chunk);
	if (config->shuffle &&
			s.batch < train_rows) { /* the order within a full batch would change nothing */
		s.batch_x = size_mul(s.batch, net_inputs(net));
		s.batch_y = size_mul(s.batch, net_outputs(net));
		s.order = train_rows;
	}
	return s;
}

size_t trainer_bytes(const struct net *net, const struct train_config *config, size_t train_rows,
		size_t validation_rows)
{
	struct sizes s = find_sizes(net, config, train_rows, validation_rows);
	size_t bytes = size_add(sizeof(struct trainer), net_work_bytes(net, s.max_batch, true));

	bytes = size_add(bytes, size_mul(1 + s.moments + s.best, block_bytes(s.parameters)));
	if (!s.order) return bytes;
	bytes = size_add(bytes, size_add(block_bytes(s.batch_x), block_bytes(s.batch_y)));
	return size_add(bytes, size_mul(s.order, sizeof(uint32_t)));
}

static int check_params(
		const char *name, const struct param params[PARAMS_MAX], const double *values, struct err *e)
{
	for (size_t i = 0; i < params_count(params); i++)
		if (!param_allows(&params[i], values[i]))
			return err_set(e, ERR_RANGE, "%s of %s cannot be %g", params[i].name, name,
					values[i]);
	return 0;
}

static int check_config(const struct train_config *config, const struct train_data *train,
		const struct train_data *validation, struct err *e)
{
	int rc;

	if (!train->rows) return err_set(e, ERR_RANGE, "there are no rows to train on");
	if (train->rows > UINT32_MAX || (validation && validation->rows > UINT32_MAX))
		return err_set(e, ERR_RANGE, "more than %u rows", UINT32_MAX);
	if (config->batch_size > train->rows)
		return err_set(e, ERR_RANGE, "batch_size is %zu, but there are only %zu rows to train on",
				config->batch_size, train->rows);
	rc = check_params(config->optimizer->name, config->optimizer->params, config->optimizer_params, e);
	if (!config->loss) return rc;
	return rc ? rc : check_params(config->loss->name, config->loss->params, config->loss_params, e);
}

static int take_memory(struct trainer *t, const struct gemm_engine *engine, struct err *e)
{
	const struct sizes *s = &t->sizes;
	bool complete;
	int rc;

	if ((rc = net_work_new(&t->work, t->net, s->max_batch, true, engine, t->team, e))) return rc;
	t->gradient = block_new(s->parameters);
	complete = t->gradient;
	for (size_t i = 0; i < s->moments; i++)
		complete &= !!(t->moments[i] = block_new(s->parameters));
	if (s->best) complete &= !!(t->best = block_new(s->parameters));
	if (s->order) {
		complete &= !!(t->batch_x = block_new(s->batch_x));
		complete &= !!(t->batch_y = block_new(s->batch_y));
		complete &= !!(t->order = malloc(s->order * sizeof *t->order));
	}
	return complete ? 0 : err_nomem(e);
}

int trainer_new(struct trainer **out, struct net *net, const struct train_config *config,
		const struct train_data *train, const struct train_data *validation,
		const struct gemm_engine *engine, struct team *team, struct err *e)
{
	struct trainer *t;
	int rc;

	*out = NULL;
	if ((rc = check_config(config, train, validation, e))) return rc;
	t = calloc(1, sizeof *t);
	if (!t) return err_nomem(e);
	t->net = net;
	t->config = *config;
	t->objective = (struct objective){
		.loss = config->loss, .weight = 1, .category = config->classification
	};
	memcpy(t->objective.params, config->loss_params, sizeof t->objective.params);
	t->train = *train;
	if (validation) t->validation = *validation;
	t->team = team;
	t->sizes = find_sizes(net, config, train->rows, t->validation.rows);
	if ((rc = take_memory(t, engine, e))) {
		trainer_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void trainer_free(struct trainer *t)
{
	if (!t) return;
	net_work_free(t->work);
	free(t->gradient);
	for (size_t i = 0; i < OPTIM_MOMENTS_MAX; i++)
		free(t->moments[i]);
	free(t->best);
	free(t->batch_x);
	free(t->batch_y);
	free(t->order);
	free(t);
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool end_run(struct run *run, enum train_stop stop)
{
	run->result->stop = stop;
	return true;
}

static bool diverged(struct run *run)
{
	run->result->diverged_epoch = run->point.epoch;
	run->result->diverged_step = run->point.step;
	return end_run(run, TRAIN_DIVERGED);
}

/* Does somebody want an end, or is the time up? */
static bool interrupted(const struct trainer *t, struct run *run)
{
	const atomic_int *stop = run->hooks ? run->hooks->stop : NULL;

	if (stop && atomic_load_explicit(stop, memory_order_relaxed)) return end_run(run, TRAIN_STOPPED);
	if (t->config.max_seconds > 0 && now_seconds() - run->started >= t->config.max_seconds)
		return end_run(run, TRAIN_MAX_SECONDS);
	return false;
}

/* The rows of the mini-batch that starts at `from` in the epoch's order: *x (rows, inputs), *y (rows, outputs). */
static void pick_batch(struct trainer *t, size_t from, size_t rows, const real **x, const real **y)
{
	size_t inputs = net_inputs(t->net), outputs = net_outputs(t->net);

	*x = t->train.x + from * inputs;
	*y = t->train.y + from * outputs;
	if (!t->order) return;
	for (size_t b = 0; b < rows; b++) {
		size_t row = t->order[from + b];

		memcpy(t->batch_x + b * inputs, t->train.x + row * inputs, inputs * sizeof(real));
		memcpy(t->batch_y + b * outputs, t->train.y + row * outputs, outputs * sizeof(real));
	}
	*x = t->batch_x;
	*y = t->batch_y;
}

static const struct objective *objectives_of(const struct trainer *t)
{
	return t->config.objectives ? t->config.objectives : &t->objective;
}

/* Of a (rows, outputs) against y: how many rows hit, or the sum of absolute errors in the users' units. */
static double metric_sum(const struct trainer *t, const real *a, const real *y, size_t rows)
{
	size_t outputs = net_outputs(t->net);
	const double *scale = t->config.target_scale;
	double sum = 0;

	if (t->config.classification) return (double)metrics_hits(a, y, rows, outputs);
	for (size_t b = 0; b < rows; b++)
		for (size_t o = 0; o < outputs; o++)
			sum += fabs((double)a[b * outputs + o] - (double)y[b * outputs + o]) *
			       (scale ? scale[o] : 1);
	return sum;
}

static double metric_mean(const struct trainer *t, double sum, size_t rows)
{
	return sum / (double)rows / (t->config.classification ? 1 : (double)net_outputs(t->net));
}

/* One thread's range of an optimizer's step. */
struct step_work {
	struct trainer *trainer;
	uint64_t step;
};

static void step_part(void *arg, int part, int parts)
{
	const struct step_work *work = arg;
	struct trainer *t = work->trainer;
	const double *params = t->config.optimizer_params;
	size_t n = t->sizes.parameters;
	size_t range = block_pad((n + (size_t)parts - 1) / (size_t)parts); /* no cache line of two threads */
	size_t from = smaller(n, range * (size_t)part), to = smaller(n, from + range);

	t->config.optimizer->step(
			net_block(t->net), t->gradient, t->moments, from, to, work->step, params[0], params);
}

static void optimizer_step(struct trainer *t, uint64_t step)
{
	struct step_work work = { t, step };

	if (team_threads(t->team) > 1 && t->sizes.parameters >= PARALLEL_STEP_MIN)
		t->team->run(t->team, step_part, &work);
	else
		step_part(&work, 0, 1);
}

static bool train_batch(struct trainer *t, struct run *run, size_t from, uint32_t number, struct sums *sums)
{
	size_t rows = smaller(t->sizes.batch, t->train.rows - from);
	struct net_step step = { t->config.seed, (uint32_t)run->point.epoch, number };
	const real *x, *y, *a;
	double loss;

	run->point.step++;
	pick_batch(t, from, rows, &x, &y);
	net_gradient(t->net, t->work, x, y, NULL, rows, objectives_of(t), &step, t->gradient, &loss);
	net_absorb(t->net, t->work, rows);
	if (!isfinite(loss)) return diverged(run);
	a = net_work_outputs(t->work);
	sums->loss += loss;
	sums->metric += metric_sum(t, a, y, rows);
	optimizer_step(t, run->point.step);
	net_constrain(t->net);
	return false;
}

static bool train_epoch(struct trainer *t, struct run *run)
{
	struct train_point *point = &run->point;
	size_t rows = t->train.rows;
	double started = now_seconds();
	struct sums sums = { 0 };
	uint32_t number = 0;

	point->epoch++;
	if (t->order) train_shuffle(t->order, rows, t->config.seed, (uint32_t)point->epoch);
	for (size_t from = 0; from < rows; from += t->sizes.batch)
		if (interrupted(t, run) || train_batch(t, run, from, number++, &sums)) return true;
	point->loss = sums.loss / (double)rows;
	point->metric = metric_mean(t, sums.metric, rows);
	point->seconds += now_seconds() - started;
	return false;
}

static bool validate(struct trainer *t, struct run *run)
{
	struct train_point *point = &run->point;
	const struct train_data *data = &t->validation;
	size_t inputs = net_inputs(t->net), outputs = net_outputs(t->net), rows;
	struct sums sums = { 0 };

	if (!data->rows) return false;
	for (size_t from = 0; from < data->rows; from += rows) {
		const real *y = data->y + from * outputs, *a;

		if (interrupted(t, run)) return true;
		rows = smaller(t->sizes.chunk, data->rows - from);
		net_forward(t->net, t->work, data->x + from * inputs, rows, &a);
		sums.loss += net_loss(t->net, t->work, y, NULL, rows, objectives_of(t));
		sums.metric += metric_sum(t, a, y, rows);
	}
	point->val_loss = sums.loss / (double)data->rows;
	point->val_metric = metric_mean(t, sums.metric, data->rows);
	return isfinite(point->val_loss) ? false : diverged(run);
}

/* The loss that best and patience look at. */
static double monitored(const struct trainer *t, const struct train_point *point)
{
	return t->validation.rows && !t->config.monitor_training ? point->val_loss : point->loss;
}

static void note_best(struct trainer *t, struct run *run)
{
	struct train_point *point = &run->point;
	double loss = monitored(t, point);

	if (loss < point->best_loss) {
		point->best_loss = loss;
		point->best_epoch = point->epoch;
		if (t->best) memcpy(t->best, net_block(t->net), t->sizes.parameters * sizeof(real));
	}
	run->waited++;
	if (loss < run->reference - t->config.min_delta) {
		run->reference = loss;
		run->waited = 0;
	}
}

static bool good_enough(const struct trainer *t, struct run *run)
{
	const struct train_config *config = &t->config;

	if (config->target_loss >= 0 &&
			(t->validation.rows ? run->point.val_loss : run->point.loss) <= config->target_loss)
		return end_run(run, TRAIN_TARGET_LOSS);
	if (config->patience && run->waited >= config->patience) return end_run(run, TRAIN_EARLY_STOPPING);
	return false;
}

static bool whole_epoch(struct trainer *t, struct run *run)
{
	if (train_epoch(t, run) || validate(t, run)) return true;
	note_best(t, run);
	run->result->last = run->point;
	if (run->hooks && run->hooks->epoch) run->hooks->epoch(run->hooks->self, &run->point);
	return good_enough(t, run);
}

static bool block_is_finite(const real *block, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(block[i])) return false;
	return true;
}

int trainer_run(struct trainer *t, const struct train_hooks *hooks, struct train_result *result,
		struct err *e)
{
	struct run run = {
		.hooks = hooks,
		.result = result,
		.point = { .val_loss = NAN,
				.val_metric = NAN,
				.learning_rate = t->config.optimizer_params[0],
				.best_loss = INFINITY },
		.started = now_seconds(),
		.reference = INFINITY,
	};
	size_t bytes = t->sizes.parameters * sizeof(real);

	*result = (struct train_result){ .stop = TRAIN_EPOCHS, .last = run.point };
	for (size_t i = 0; i < t->sizes.moments; i++)
		memset(t->moments[i], 0, bytes);
	while (run.point.epoch < t->config.epochs && !whole_epoch(t, &run))
		;
	if (result->stop != TRAIN_DIVERGED && !block_is_finite(net_block(t->net), t->sizes.parameters))
		diverged(&run); /* the last step did it, and no loss was taken since */
	if (t->best && run.point.best_epoch) memcpy(net_block(t->net), t->best, bytes);
	if (result->stop != TRAIN_DIVERGED) return 0;
	return err_set(e, ERR_DIVERGED,
			"the loss left the finite numbers in epoch %llu, step %llu: try a smaller learning_rate "
			"or normalized inputs",
			(unsigned long long)result->diverged_epoch,
			(unsigned long long)result->diverged_step);
}
