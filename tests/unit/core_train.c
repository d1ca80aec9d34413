/* core_train.c - the training loop: does it learn, does it end when and how it should, are its bits its own.
 *
 * A task here is a network, its data and a configuration; the data are three clouds of points, one a class.
 */
#include <time.h>

#include "core/metrics.h"
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

/* The loss and the hits of the network as it is, over data. */
static double loss_of(const struct task *task, const struct train_data *data, size_t *hits)
{
	struct net_work *work;
	const real *y;
	struct err e;
	double loss;

	OK(net_work_new(&work, task->net, data->rows, false, test_engine(), NULL, &e), e);
	net_forward(task->net, work, data->x, data->rows, &y);
	loss = net_loss(task->net, work, data->y, NULL, data->rows, &task->objective) / (double)data->rows;
	*hits = metrics_hits(y, data->y, data->rows, CLASSES);
	net_work_free(work);
	return loss;
}

START_TEST(it_learns)
{
	struct task task = task_new(16, 1000, 300);
	static struct curve curve;
	struct train_hooks hooks = { .self = &curve, .epoch = note };
	struct train_result result;
	size_t hits;

	task.config.epochs = 20;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_EPOCHS);
	ck_assert_uint_eq(curve.count, 20);
	ck_assert_uint_eq(result.last.epoch, 20);
	ck_assert_uint_eq(result.last.step, 20 * 32); /* 31 whole mini-batches and one of 8 rows */
	ck_assert_double_lt(curve.points[19].loss, 0.7 * curve.points[0].loss);
	ck_assert_double_gt(result.last.val_accuracy, 0.8);
	ck_assert_double_eq_tol(result.last.val_loss, loss_of(&task, &task.validation, &hits), 1e-6);
	ck_assert_double_eq_tol(result.last.val_accuracy, (double)hits / 300, 1e-9);
	ck_assert(result.last.learning_rate == 0.001 && result.last.seconds > 0);
	for (size_t i = 0; i < 20; i++)
		ck_assert_double_ge(curve.points[i].val_loss, result.last.best_loss);
	ck_assert(curve.points[result.last.best_epoch - 1].val_loss == result.last.best_loss);
	task_free(&task);
}
END_TEST

/* With one mini-batch the loss of the epoch is that of the weights before its only step. */
START_TEST(the_loss_is_of_the_batches_as_trained)
{
	struct task task = task_new(8, 100, 0);
	struct train_result result;
	size_t hits;
	double before = loss_of(&task, &task.data, &hits);

	task.config.epochs = 1;
	task.config.batch_size = 0;
	result = run_well(&task, NULL);
	ck_assert_double_eq_tol(result.last.loss, before, 1e-6);
	ck_assert_double_eq_tol(result.last.accuracy, (double)hits / 100, 1e-9);
	ck_assert(isnan(result.last.val_loss) && isnan(result.last.val_accuracy) && isnan(result.last.mae));
	ck_assert_uint_eq(result.last.step, 1);
	task_free(&task);
}
END_TEST

/* 256 hidden units make 69,000 parameters, so that products and the optimizer's steps are really shared. */
START_TEST(the_bits_do_not_depend_on_the_threads)
{
	struct task tasks[4];

	for (int i = 0; i < 4; i++) {
		tasks[i] = task_new(256, 300, 50);
		tasks[i].config.batch_size = 128;
		tasks[i].config.epochs = 2;
		tasks[i].team = team_of(i ? i : 1); /* 1 twice */
		run_well(&tasks[i], NULL);
	}
	for (int i = 1; i < 4; i++)
		check_same_bits(&tasks[0], &tasks[i]);
	for (int i = 0; i < 4; i++)
		task_free(&tasks[i]);
}
END_TEST

START_TEST(the_bits_depend_on_the_seed)
{
	struct task one = task_new(8, 200, 0), two = task_new(8, 200, 0);

	two.config.seed = 2;
	run_well(&one, NULL);
	run_well(&two, NULL);
	ck_assert_mem_ne(net_block(one.net), net_block(two.net), net_parameters(one.net) * sizeof(real));
	task_free(&one);
	task_free(&two);
}
END_TEST

START_TEST(a_trainer_can_run_again)
{
	struct task one = task_new(8, 200, 0), two = task_new(8, 200, 0);
	struct train_result result;
	struct trainer *trainer;
	struct err e;

	run_well(&one, NULL);
	two.config.objectives = &two.objective;
	OK(trainer_new(&trainer, two.net, &two.config, &two.data, NULL, test_engine(), NULL, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	net_init(two.net, 1);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	check_same_bits(&one, &two);
	ck_assert_uint_eq(result.last.epoch, 5);
	trainer_free(trainer);
	task_free(&one);
	task_free(&two);
}
END_TEST

/* Too large a rate on few rows: the validation loss turns around soon. */
static struct task overfitting_task(void)
{
	struct task task = task_new(64, 60, 200);

	task.config.epochs = 500;
	task.config.batch_size = 10;
	task.config.optimizer_params[0] = 0.02;
	task.config.patience = 7;
	return task;
}

START_TEST(early_stopping_restores_the_best_epoch)
{
	struct task task = overfitting_task();
	static struct curve curve;
	struct train_hooks hooks = { .self = &curve, .epoch = note };
	struct train_result result;
	size_t hits;
	double loss;

	task.config.restore_best = true;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_EARLY_STOPPING);
	ck_assert_uint_eq(result.last.epoch, result.last.best_epoch + 7);
	loss = loss_of(&task, &task.validation, &hits);
	ck_assert_double_eq_tol(loss, result.last.best_loss, 1e-6);
	ck_assert_double_gt(result.last.val_loss, loss + 1e-3);
	ck_assert_double_eq_tol(
			curve.points[result.last.best_epoch - 1].val_accuracy, (double)hits / 200, 1e-9);
	task_free(&task);
}
END_TEST

START_TEST(early_stopping_leaves_the_last_epoch_unless_asked)
{
	struct task task = overfitting_task();
	struct train_result result = run_well(&task, NULL);
	size_t hits;

	ck_assert_int_eq(result.stop, TRAIN_EARLY_STOPPING);
	ck_assert_double_eq_tol(loss_of(&task, &task.validation, &hits), result.last.val_loss, 1e-6);
	task_free(&task);
}
END_TEST

/* No improvement is ever large enough: patience epochs after the first. */
START_TEST(min_delta_counts)
{
	struct task task = task_new(8, 200, 50);
	struct train_result result;

	task.config.epochs = 100;
	task.config.patience = 4;
	task.config.min_delta = 10;
	result = run_well(&task, NULL);
	ck_assert_int_eq(result.stop, TRAIN_EARLY_STOPPING);
	ck_assert_uint_eq(result.last.epoch, 5);
	ck_assert_uint_eq(result.last.best_epoch, 5);
	task_free(&task);
}
END_TEST

START_TEST(target_loss_ends_it)
{
	struct task task = task_new(16, 500, 0);
	static struct curve curve;
	struct train_hooks hooks = { .self = &curve, .epoch = note };
	struct train_result result;

	task.config.epochs = 500;
	task.config.target_loss = 0.5;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_TARGET_LOSS);
	ck_assert_double_le(result.last.loss, 0.5);
	ck_assert_double_gt(curve.points[curve.count - 2].loss, 0.5);
	task_free(&task);
}
END_TEST

#define LIMIT_SECONDS 0.05
#define LONGER_NS     60000000 /* what a callback takes: more than the limit */

static void wait_longer(void *self, const struct train_point *point)
{
	(void)self, (void)point;
	nanosleep(&(struct timespec){ .tv_nsec = LONGER_NS }, NULL);
}

/* Callbacks count: after the first one the time is up, however fast the machine is; no second epoch is begun. */
START_TEST(max_seconds_ends_it)
{
	struct task task = task_new(64, 2000, 0);
	struct train_hooks hooks = { .epoch = wait_longer };
	struct train_result result;

	task.config.epochs = 5;
	task.config.max_seconds = LIMIT_SECONDS;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_MAX_SECONDS);
	ck_assert_uint_le(result.last.epoch, 1);
	task.config.max_seconds = 0; /* no limit */
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_EPOCHS);
	ck_assert_uint_eq(result.last.epoch, 5);
	task_free(&task);
}
END_TEST

struct stopper {
	atomic_int stop;
	uint64_t at;
};

static void stop_at(void *self, const struct train_point *point)
{
	struct stopper *stopper = self;

	if (point->epoch == stopper->at) atomic_store(&stopper->stop, 1);
}

/* The flag is up after epoch 3: not one more mini-batch changes the weights. */
START_TEST(the_stop_flag_acts_before_the_next_batch)
{
	struct task task = task_new(8, 200, 50), three = task_new(8, 200, 50);
	struct stopper stopper = { .at = 3 };
	struct train_hooks hooks = { .self = &stopper, .epoch = stop_at, .stop = &stopper.stop };
	struct train_result result;

	task.config.epochs = 100;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_STOPPED);
	ck_assert_uint_eq(result.last.epoch, 3);
	three.config.epochs = 3;
	run_well(&three, NULL);
	check_same_bits(&task, &three);
	task_free(&task);
	task_free(&three);
}
END_TEST

START_TEST(stopped_before_it_began)
{
	struct task task = task_new(8, 200, 0);
	atomic_int stop = 1;
	struct train_hooks hooks = { .stop = &stop };
	struct train_result result = run_well(&task, &hooks);

	ck_assert_int_eq(result.stop, TRAIN_STOPPED);
	ck_assert_uint_eq(result.last.epoch, 0);
	task_free(&task);
}
END_TEST

START_TEST(divergence_is_reported_where_it_happens)
{
	struct task task = task_new(8, 200, 0);
	struct train_result result;
	struct err e;

	((real *)task.data.x)[150 * INPUTS] = NAN; /* in the fifth mini-batch of 32 */
	task.config.shuffle = false;
	ck_assert_int_eq(run(&task, NULL, &result, &e), ERR_DIVERGED);
	ck_assert_int_eq(result.stop, TRAIN_DIVERGED);
	ck_assert_uint_eq(result.diverged_epoch, 1);
	ck_assert_uint_eq(result.diverged_step, 5);
	ck_assert_uint_eq(result.last.epoch, 0);
	ck_assert_ptr_nonnull(strstr(e.text, "epoch 1, step 5"));
	task_free(&task);
}
END_TEST

/* One linear unit with a rate that doubles its error at each step, until a number leaves float32. */
static int explode(uint64_t epochs, struct train_result *result)
{
	static const real x[2] = { 1e4f, -1e4f }, y[2] = { 1, -1 };
	const struct train_data data = { .x = x, .y = y, .rows = 2 };
	struct layer_spec layer = layer_of(1, "linear");
	struct train_config config = { .epochs = epochs, .target_loss = -1, .optimizer = optim_find("sgd") };
	const struct objective mse = objective_of("mse");
	struct trainer *trainer;
	struct net *net;
	struct err e;
	int rc;

	config.objectives = &mse;
	config.optimizer_params[0] = 1000;
	OK(net_new(&net, 1, &layer, 1, &e), e);
	OK(trainer_new(&trainer, net, &config, &data, NULL, test_engine(), NULL, &e), e);
	rc = trainer_run(trainer, NULL, result, &e);
	trainer_free(trainer);
	net_free(net);
	return rc;
}

/* The weights after the last step count too, though no loss is taken of them. */
START_TEST(divergence_in_the_last_step_is_noticed)
{
	struct train_result result;
	uint64_t epochs;

	ck_assert_int_eq(explode(100, &result), ERR_DIVERGED);
	epochs = result.diverged_epoch;
	ck_assert_uint_gt(epochs, 1);
	ck_assert_int_eq(explode(epochs - 1, &result), ERR_DIVERGED);
	ck_assert_uint_eq(result.diverged_epoch, epochs - 1);
	ck_assert_uint_eq(result.last.epoch, epochs - 1);
	ck_assert_int_eq(explode(epochs - 2, &result), 0);
}
END_TEST

START_TEST(the_error_is_in_the_users_units)
{
	static const real x[4] = { 0, 0, 0, 0 }, y[4] = { 1, -1, 2, -2 };
	static const double scale[2] = { 10, 100 };
	const struct train_data data = { .x = x, .y = y, .rows = 2 };
	struct layer_spec layer = layer_of(2, "linear");
	struct train_config config = { .epochs = 1, .target_loss = -1, .optimizer = optim_find("sgd") };
	const struct objective mse = objective_of("mse");
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	config.objectives = &mse;
	config.optimizer_params[0] = 1e-6;
	config.target_scale = scale;
	OK(net_new(&net, 2, &layer, 1, &e), e);
	OK(trainer_new(&trainer, net, &config, &data, &data, test_engine(), NULL, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	ck_assert_double_eq_tol(result.last.loss, (1 + 1 + 4 + 4) / 4.0, 1e-9);
	ck_assert_double_eq_tol(result.last.mae, (10 + 100 + 20 + 200) / 4.0, 1e-9);
	ck_assert_double_eq_tol(result.last.val_mae, result.last.mae, 1e-2);
	ck_assert(isnan(result.last.accuracy) && isnan(result.last.val_accuracy));
	trainer_free(trainer);
	net_free(net);
}
END_TEST

/* 2-4-1, tanh and linear, all four rows a step: the mean squared error after at most 2000 epochs. */
static double xor_loss(uint64_t seed)
{
	static const real x[8] = { 0, 0, 0, 1, 1, 0, 1, 1 }, y[4] = { 0, 1, 1, 0 };
	const struct train_data data = { .x = x, .y = y, .rows = 4 };
	struct layer_spec layers[2] = { layer_of(4, "tanh"), layer_of(1, "linear") };
	struct train_config config = { .epochs = 2000, .shuffle = true, .target_loss = 0.001 };
	const struct objective mse = objective_of("mse");
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	config.optimizer = optim_find("adam");
	config.objectives = &mse;
	params_fallback(config.optimizer->params, config.optimizer_params);
	config.optimizer_params[0] = 0.05;
	OK(net_new(&net, 2, layers, 2, &e), e);
	net_init(net, seed);
	OK(trainer_new(&trainer, net, &config, &data, NULL, test_engine(), NULL, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	trainer_free(trainer);
	net_free(net);
	return result.last.loss;
}

START_TEST(xor_is_learnt)
{
	int good = 0;

	for (uint64_t seed = 1; seed <= 20; seed++)
		good += xor_loss(seed) < 0.01;
	ck_assert_int_ge(good, 19);
}
END_TEST

START_TEST(what_cannot_be_trained_is_refused)
{
	struct task task = task_new(8, 20, 0);
	struct train_data none = { .x = task.data.x, .y = task.data.y };
	struct trainer *trainer = (struct trainer *)&trainer;
	struct train_config config = task.config;
	struct err e;

	config.objectives = &task.objective;
	ck_assert_int_eq(trainer_new(&trainer, task.net, &config, &none, NULL, test_engine(), NULL, &e),
			ERR_RANGE);
	ck_assert_ptr_null(trainer);
	config.batch_size = 21;
	ck_assert_int_eq(trainer_new(&trainer, task.net, &config, &task.data, NULL, test_engine(), NULL, &e),
			ERR_RANGE);
	config.batch_size = 20;
	config.optimizer_params[0] = 0;
	ck_assert_int_eq(trainer_new(&trainer, task.net, &config, &task.data, NULL, test_engine(), NULL, &e),
			ERR_RANGE);
	ck_assert_ptr_null(trainer);
	task_free(&task);
}
END_TEST

/* What it says it takes: blocks for the gradient, two moments and the best weights, and the mini-batches. */
START_TEST(memory_is_counted)
{
	struct task task = task_new(64, 10000, 0);
	size_t block = net_parameters(task.net) * sizeof(real), plain, best;
	const struct train_data endless = { .rows = SIZE_MAX / 16 };

	task.config.objectives = &task.objective;
	plain = trainer_bytes(task.net, &task.config, &task.data, NULL);
	ck_assert_uint_ge(
			plain, 3 * block + 10000 * sizeof(uint32_t) + 32 * (INPUTS + CLASSES) * sizeof(real));
	task.config.patience = 1;
	task.config.restore_best = true;
	best = trainer_bytes(task.net, &task.config, &task.data, NULL);
	ck_assert_uint_ge(best, plain + block);
	ck_assert_uint_lt(best, plain + block + REAL_ALIGN);
	task.config.batch_size = SIZE_MAX / 16;
	ck_assert_uint_eq(trainer_bytes(task.net, &task.config, &endless, NULL), SIZE_MAX);
	task_free(&task);
}
END_TEST

START_TEST(reasons_have_the_names_of_the_contract)
{
	ck_assert_str_eq(train_stop_name(TRAIN_EPOCHS), "epochs");
	ck_assert_str_eq(train_stop_name(TRAIN_TARGET_LOSS), "target_loss");
	ck_assert_str_eq(train_stop_name(TRAIN_EARLY_STOPPING), "early_stopping");
	ck_assert_str_eq(train_stop_name(TRAIN_MAX_SECONDS), "max_seconds");
	ck_assert_str_eq(train_stop_name(TRAIN_STOPPED), "cancelled");
	ck_assert_str_eq(train_stop_name(TRAIN_DIVERGED), "diverged");
	ck_assert_str_eq(train_stop_name(TRAIN_CONVERGED), "converged");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { it_learns, the_loss_is_of_the_batches_as_trained,
		the_bits_do_not_depend_on_the_threads, the_bits_depend_on_the_seed, a_trainer_can_run_again,
		early_stopping_restores_the_best_epoch, early_stopping_leaves_the_last_epoch_unless_asked,
		min_delta_counts, target_loss_ends_it, max_seconds_ends_it,
		the_stop_flag_acts_before_the_next_batch, stopped_before_it_began,
		divergence_is_reported_where_it_happens, divergence_in_the_last_step_is_noticed,
		the_error_is_in_the_users_units, xor_is_learnt, what_cannot_be_trained_is_refused,
		memory_is_counted, reasons_have_the_names_of_the_contract, NULL };

	return suite_main("core_train", tests, 60);
}
