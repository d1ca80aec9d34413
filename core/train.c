/* train.c - the training loop. See train.h, and train_parts.h for the files beside this one.
 *
 * A run is: for each epoch shuffle, for each mini-batch pick its rows, gradient, step; then validation, the
 * callbacks, and the question whether to go on. What a run knows about itself lies in struct train_state, which is
 * whole at every boundary between mini-batches; a run that goes on from one repeats nothing but the shuffling and a
 * validation that was cut short. The functions that may end a run say why in result->stop and return true.
 */
#include "core/train.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "core/train_parts.h"

const char *train_stop_name(enum train_stop stop)
{
	static const char *const names[] = {
		[TRAIN_EPOCHS] = "epochs",
		[TRAIN_TARGET_LOSS] = "target_loss",
		[TRAIN_EARLY_STOPPING] = "early_stopping",
		[TRAIN_MAX_SECONDS] = "max_seconds",
		[TRAIN_STOPPED] = "cancelled",
		[TRAIN_DIVERGED] = "diverged",
		[TRAIN_CONVERGED] = "converged",
		[TRAIN_UNREAD] = "error",
	};

	return names[stop];
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Brings the clocks of the state up to now. */
static void note_time(struct train_run *run)
{
	struct train_state *s = &run->trainer->state;
	double now = now_seconds(), passed = now - run->noted;

	run->noted = now;
	s->point.elapsed += passed;
	if (run->training) s->point.seconds += passed;
}

static bool end_run(struct train_run *run, enum train_stop stop)
{
	run->result->stop = stop;
	return true;
}

bool train_interrupted(struct train_run *run)
{
	const struct trainer *t = run->trainer;
	const atomic_int *stop = run->hooks->stop, *time_up = run->hooks->time_up;

	if (stop && atomic_load_explicit(stop, memory_order_relaxed)) return end_run(run, TRAIN_STOPPED);
	if (time_up && atomic_load_explicit(time_up, memory_order_relaxed))
		return end_run(run, TRAIN_MAX_SECONDS);
	if (t->config.max_seconds > 0 &&
			t->state.point.elapsed + now_seconds() - run->noted >= t->config.max_seconds)
		return end_run(run, TRAIN_MAX_SECONDS);
	return false;
}

bool train_boundary(struct train_run *run)
{
	const struct train_hooks *hooks = run->hooks;
	bool ends = train_interrupted(run), wanted = ends && run->result->stop == TRAIN_STOPPED;

	if (hooks->save && atomic_load_explicit(hooks->save, memory_order_relaxed)) {
		atomic_store(hooks->save, 0);
		wanted = true;
	}
	if (wanted && hooks->checkpoint) {
		note_time(run);
		hooks->checkpoint(hooks->self, run->trainer);
	}
	return ends;
}

static bool block_is_finite(const real *block, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(block[i])) return false;
	return true;
}

/* The first layer with a number in block (parameters) that is not finite; false: there is none. */
static bool find_nonfinite(const struct trainer *t, const real *block, size_t *layer)
{
	for (*layer = 0; *layer < t->sizes.layers; ++*layer) {
		size_t from, to;

		net_layer_range(t->net, *layer, &from, &to);
		if (!block_is_finite(block + from, to - from)) return true;
	}
	return false;
}

bool train_diverged(struct train_run *run, size_t batch)
{
	struct trainer *t = run->trainer;
	struct train_result *result = run->result;

	result->diverged_epoch = t->state.point.epoch;
	result->diverged_step = t->state.point.step;
	if (!batch && find_nonfinite(t, t->gradient, &result->fault_layer))
		result->fault = TRAIN_GRADIENT;
	else if (find_nonfinite(t, net_block(t->net), &result->fault_layer))
		result->fault = TRAIN_WEIGHTS;
	else if (batch && net_nonfinite(t->net, t->work, batch, &result->fault_layer))
		result->fault = TRAIN_ACTIVATIONS;
	else
		result->fault = TRAIN_LOSS;
	return end_run(run, TRAIN_DIVERGED);
}

bool train_measures(const struct train_run *run)
{
	const struct train_hooks *hooks = run->hooks;

	return hooks->health &&
	       (!hooks->healthy || hooks->healthy(hooks->self, run->trainer->state.point.epoch));
}

bool train_unread(struct train_run *run, int rc)
{
	run->rc = rc;
	return rc && end_run(run, TRAIN_UNREAD);
}

void train_stepped(struct train_run *run, const struct train_sums *sums)
{
	struct trainer *t = run->trainer;
	const struct train_point *point = &t->state.point;
	struct train_point *stepped = &t->state.stepped;

	if (run->hooks->steps) atomic_store_explicit(run->hooks->steps, point->step, memory_order_relaxed);
	if (!run->hooks->step) return;
	*stepped = *point;
	stepped->loss = train_loss(sums);
	stepped->accuracy = train_accuracy(t, sums);
	stepped->mae = train_mae(t, sums);
	stepped->seconds += now_seconds() - run->noted;
	stepped->validated = 0;
	if (t->state.batches < t->sizes.batches) run->hooks->step(run->hooks->self, stepped);
}

/* The last mini-batch of an epoch, now that it is validated. */
static void step_ends_epoch(struct train_run *run)
{
	struct train_state *s = &run->trainer->state;

	if (!run->hooks->step) return;
	s->stepped.validated = s->point.validated;
	s->stepped.val_loss = s->point.val_loss;
	s->stepped.val_accuracy = s->point.val_accuracy;
	s->stepped.val_mae = s->point.val_mae;
	run->hooks->step(run->hooks->self, &s->stepped);
}

static bool train_batch(struct train_run *run)
{
	struct trainer *t = run->trainer;
	struct train_state *s = &t->state;
	struct net_step step = { t->config.seed, (uint32_t)s->point.epoch, (uint32_t)s->batches };
	struct train_batch batch;
	struct train_sums sums;
	double loss;

	if (train_unread(run, train_pick(t, s->batches, &batch, &run->e))) return true;
	s->point.step++;
	net_gradient(t->net, t->work, batch.x, batch.y, batch.weights, batch.rows, t->config.objectives,
			&step, t->gradient, &loss);
	if (!isfinite(loss)) return train_diverged(run, batch.rows);
	train_count(t, &batch, loss, &sums, &s->sums);
	if (t->sizes.statistics) net_absorb(t->net, t->work, batch.rows);
	t->measured = s->batches + 1 == t->sizes.batches && train_measures(run);
	if (!train_step(t, s->batches, batch.rows)) return train_diverged(run, 0);
	if (t->measured) train_health_close(t, batch.rows);
	s->batches++;
	train_stepped(run, &sums);
	return false;
}

static bool train_batches(struct train_run *run)
{
	struct trainer *t = run->trainer;

	while (t->state.batches < t->sizes.batches)
		if (train_boundary(run) || train_batch(run)) return true;
	return false;
}

static bool train_epoch(struct train_run *run)
{
	struct trainer *t = run->trainer;
	struct train_state *s = &t->state;
	struct train_point *point = &s->point;
	bool ended;

	if (!s->under_way) {
		s->under_way = 1;
		s->batches = s->absorbed = 0;
		s->sums = (struct train_sums){ 0 };
		point->epoch++;
	}
	note_time(run);
	run->training = true;
	if (t->train.reader)
		train_window_start(t);
	else if (t->order)
		train_shuffle(t->order, t->train.rows, t->sizes.block, t->config.seed,
				(uint32_t)point->epoch);
	ended = t->config.optimizer->iterate ? train_full(run) : train_batches(run);
	note_time(run);
	run->training = false;
	if (ended) return true;
	point->loss = train_loss(&s->sums);
	point->accuracy = train_accuracy(t, &s->sums);
	point->mae = train_mae(t, &s->sums);
	return false;
}

static bool validate_rows(struct train_run *run, struct train_sums *sums)
{
	struct trainer *t = run->trainer;
	struct train_batch batch;
	struct train_sums piece;

	for (size_t from = 0; from < t->validation.rows; from += batch.rows) {
		size_t left = t->validation.rows - from;
		const real *a;
		double loss;

		if (train_boundary(run)) return true;
		batch.rows = left < t->sizes.chunk ? left : t->sizes.chunk;
		if (train_unread(run, train_pick_validation(t, from, &batch, &run->e))) return true;
		net_forward(t->net, t->work, batch.x, batch.rows, &a);
		loss = net_loss(t->net, t->work, batch.y, batch.weights, batch.rows, t->config.objectives);
		if (!isfinite(loss)) return train_diverged(run, batch.rows);
		train_count(t, &batch, loss, &piece, sums);
	}
	return false;
}

/* Is it this epoch's turn? */
static bool evaluates(const struct trainer *t)
{
	const struct train_config *config = &t->config;
	uint64_t epoch = t->state.point.epoch;

	if (!t->validation.rows) return false;
	return config->evaluate_every <= 1 || epoch % config->evaluate_every == 0 || epoch == config->epochs;
}

static bool validate(struct train_run *run)
{
	struct trainer *t = run->trainer;
	struct train_point *point = &t->state.point;
	struct train_sums sums = { 0 };
	bool ended;

	point->validated = 0;
	if (!evaluates(t)) return false;
	train_average_swap(t);
	ended = validate_rows(run, &sums);
	train_average_swap(t);
	if (ended) return true;
	point->val_loss = train_loss(&sums);
	point->val_accuracy = train_accuracy(t, &sums);
	point->val_mae = train_mae(t, &sums);
	point->validated = 1;
	return false;
}

/* What best weights, patience and the schedule look at. */
static void note_loss(struct trainer *t)
{
	const struct train_config *config = &t->config;
	struct train_state *s = &t->state;
	struct train_point *point = &s->point;
	bool of_validation = t->validation.rows && !config->monitor_training;
	double loss = of_validation ? point->val_loss : point->loss;

	if (of_validation && !point->validated) return;
	if (loss < point->best_loss) {
		point->best_loss = loss;
		point->best_epoch = point->epoch;
		train_keep_best(t);
	}
	s->waited++;
	if (loss < s->reference - config->min_delta) {
		s->reference = loss;
		s->waited = 0;
	}
	schedule_observe(config->schedule, loss, config->schedule_params, s->schedule);
}

static bool good_enough(struct train_run *run)
{
	const struct trainer *t = run->trainer;
	const struct train_config *config = &t->config;
	const struct train_state *s = &t->state;

	if (!s->last.epoch) return false;
	if (config->target_loss >= 0 &&
			(t->validation.rows ? s->last.val_loss : s->last.loss) <= config->target_loss)
		return end_run(run, TRAIN_TARGET_LOSS);
	if (s->converged) return end_run(run, TRAIN_CONVERGED);
	if (config->patience && s->waited >= config->patience) return end_run(run, TRAIN_EARLY_STOPPING);
	return false;
}

static bool whole_epoch(struct train_run *run)
{
	struct trainer *t = run->trainer;
	const struct train_hooks *hooks = run->hooks;

	if (train_epoch(run) || validate(run)) return true;
	note_loss(t);
	t->state.under_way = 0;
	t->state.last = t->state.point;
	step_ends_epoch(run);
	if (t->measured) hooks->health(hooks->self, &t->state.last, t->health);
	t->measured = false;
	if (hooks->epoch) hooks->epoch(hooks->self, &t->state.last);
	return good_enough(run);
}

/* From the network's present weights, whichever these are. */
static void start_over(struct trainer *t)
{
	t->state = (struct train_state){
		.point = { .val_loss = NAN, .val_accuracy = NAN, .val_mae = NAN, .best_loss = INFINITY },
		.reference = INFINITY,
	};
	t->state.point.learning_rate = train_rate(t, 0);
	t->state.last = t->state.stepped = t->state.point;
	train_settle(t);
	for (size_t i = 0; i < t->sizes.moments; i++)
		memset(t->moments[i], 0, t->sizes.parameters * sizeof(real));
	train_average_start(t);
}

static int say_diverged(const struct train_result *result, struct err *e)
{
	static const char *const faults[] = {
		[TRAIN_WEIGHTS] = "the weights",
		[TRAIN_ACTIVATIONS] = "the activations",
		[TRAIN_LOSS] = "the loss",
		[TRAIN_GRADIENT] = "the gradient",
	};
	unsigned long long epoch = result->diverged_epoch, step = result->diverged_step;

	if (result->fault == TRAIN_LOSS)
		return err_set(e, ERR_DIVERGED,
				"the loss left the finite numbers in epoch %llu, step %llu: try a smaller "
				"learning_rate or normalized inputs",
				epoch, step);
	return err_set(e, ERR_DIVERGED,
			"%s of layer %zu left the finite numbers in epoch %llu, step %llu: try a smaller "
			"learning_rate or normalized inputs",
			faults[result->fault], result->fault_layer, epoch, step);
}

int trainer_run(struct trainer *t, const struct train_hooks *hooks, struct train_result *result,
		struct err *e)
{
	static const struct train_hooks none;
	struct train_run run = { t, hooks ? hooks : &none, result, .noted = now_seconds() };
	size_t layer;

	if (!t->loaded) start_over(t);
	t->loaded = t->measured = t->fresh = false;
	*result = (struct train_result){ .stop = TRAIN_EPOCHS };
	if (t->state.under_way || !good_enough(&run))
		while ((t->state.under_way || t->state.point.epoch < t->config.epochs) && !whole_epoch(&run))
			;
	note_time(&run);
	if (result->stop != TRAIN_DIVERGED && result->stop != TRAIN_UNREAD &&
			find_nonfinite(t, net_block(t->net), &layer))
		train_diverged(&run, 0); /* the last step did it, and no loss was taken since */
	result->last = t->state.last;
	train_show(t);
	if (result->stop == TRAIN_UNREAD) return err_set(e, run.rc, "%s", run.e.text);
	return result->stop == TRAIN_DIVERGED ? say_diverged(result, e) : 0;
}
