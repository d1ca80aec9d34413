/* core_train_step.c - what happens to inputs, gradients and weights on their way: noise, dropout, accumulation,
 * limits, averages, schedules, weights of rows. Each against numbers worked out here.
 */
#include "core/metrics.h"
#include "core/schedule.h"
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

/* Plain steps of rate 1 along the gradient, over all rows, one epoch: the weights change by the gradient. */
static struct task plain_task(size_t hidden, size_t rows)
{
	struct task task = task_new(hidden, rows, 0);

	task_optimizer(&task, "sgd");
	task.config.optimizer_params[0] = 1;
	task.config.shuffle = false;
	task.config.batch_size = 0;
	task.config.epochs = 1;
	return task;
}

/* d loss / dw of rows [from, to) at the present weights, new (free). */
static real *gradient_of(const struct task *task, size_t from, size_t to)
{
	real *gradient = malloc(net_parameters(task->net) * sizeof *gradient);
	struct net_work *work;
	double loss;
	struct err e;

	ck_assert_ptr_nonnull(gradient);
	OK(net_work_new(&work, task->net, to - from, true, test_engine(), NULL, &e), e);
	net_gradient(task->net, work, task->data.x + from * INPUTS, task->data.y + from * CLASSES, NULL,
			to - from, &task->objective, NULL, gradient, &loss);
	net_work_free(work);
	return gradient;
}

static real *weights_of(const struct task *task)
{
	size_t bytes = net_parameters(task->net) * sizeof(real);
	real *weights = malloc(bytes);

	ck_assert_ptr_nonnull(weights);
	memcpy(weights, net_block(task->net), bytes);
	return weights;
}

static double length(const real *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	return sqrt(sum);
}

/* The weights are before - factor * gradient, within what float32 rounds away. */
static void check_step(const struct task *task, const real *before, const real *gradient, double factor)
{
	for (size_t i = 0; i < net_parameters(task->net); i++)
		ck_assert_double_eq_tol((double)net_block(task->net)[i],
				(double)before[i] - factor * (double)gradient[i], 2e-6);
}

START_TEST(a_limit_of_numbers)
{
	struct task task = plain_task(8, 50);
	real *before = weights_of(&task), *gradient = gradient_of(&task, 0, 50);
	size_t limited = 0, n = net_parameters(task.net);

	task.config.gradient_clip_value = 0.01;
	run_well(&task, NULL);
	for (size_t i = 0; i < n; i++) {
		limited += fabsf(gradient[i]) > 0.01f;
		gradient[i] = fminf(fmaxf(gradient[i], -0.01f), 0.01f);
	}
	ck_assert(limited > 0 && limited < n);
	check_step(&task, before, gradient, 1);
	free(before);
	free(gradient);
	task_free(&task);
}
END_TEST

START_TEST(a_limit_of_the_length)
{
	for (int i = 0; i < 2; i++) { /* 70,000 parameters are summed up in slices */
		struct task task = plain_task(i ? 256 : 8, 50);
		real *before = weights_of(&task), *gradient = gradient_of(&task, 0, 50);
		double long_one = length(gradient, net_parameters(task.net));

		task.config.gradient_clip_norm = long_one / 3;
		run_well(&task, NULL);
		check_step(&task, before, gradient, 1.0 / 3);
		memcpy(net_block(task.net), before, net_parameters(task.net) * sizeof(real));
		task.config.gradient_clip_norm = long_one * 2;
		run_well(&task, NULL);
		check_step(&task, before, gradient, 1);
		free(before);
		free(gradient);
		task_free(&task);
	}
}
END_TEST

/* Numbers first, then the length of what they have become. */
START_TEST(both_limits_act_in_order)
{
	struct task task = plain_task(8, 50);
	real *before = weights_of(&task), *gradient = gradient_of(&task, 0, 50);
	size_t n = net_parameters(task.net);
	double left;

	task.config.gradient_clip_value = 0.01;
	task.config.gradient_clip_norm = 0.02;
	run_well(&task, NULL);
	for (size_t i = 0; i < n; i++)
		gradient[i] = fminf(fmaxf(gradient[i], -0.01f), 0.01f);
	left = length(gradient, n);
	ck_assert_double_gt(left, 0.02);
	check_step(&task, before, gradient, 0.02 / left);
	free(before);
	free(gradient);
	task_free(&task);
}
END_TEST

/* 70 rows in mini-batches of 20, two a step: steps over rows 0 to 39 and 40 to 69, the last mini-batch being short. */
START_TEST(accumulated_mini_batches_are_one)
{
	struct task task = plain_task(8, 70), expected = plain_task(8, 70);
	size_t bounds[] = { 0, 40, 70 };
	struct train_result result;

	task.config.batch_size = 20;
	task.config.accumulate = 2;
	task.config.optimizer_params[0] = 0.1;
	result = run_well(&task, NULL);
	ck_assert_uint_eq(result.last.step, 4); /* mini-batches */
	for (int i = 0; i < 2; i++) {
		real *gradient = gradient_of(&expected, bounds[i], bounds[i + 1]);

		for (size_t w = 0; w < net_parameters(expected.net); w++)
			net_block(expected.net)[w] -= 0.1f * gradient[w];
		free(gradient);
	}
	for (size_t i = 0; i < net_parameters(task.net); i++)
		ck_assert_double_eq_tol(
				(double)net_block(task.net)[i], (double)net_block(expected.net)[i], 1e-6);
	task_free(&task);
	task_free(&expected);
}
END_TEST

/* Deviation and mean of what n numbers differ by. */
static void spread(const real *a, const real *b, size_t n, double *mean, double *deviation)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		double d = (double)a[i] - (double)b[i];

		sum += d;
		squares += d * d;
	}
	*mean = sum / (double)n;
	*deviation = sqrt(squares / (double)n - *mean * *mean);
}

/* sqrt(0.01 / (1 + t)^0.55) in steps 0 and 1; what is not connected gets none. */
START_TEST(noise_of_the_gradient)
{
	struct layer_spec layers[3] = { layer_of(200, "relu"), layer_of(200, "tanh"),
		layer_of(CLASSES, "softmax") };
	const double deviations[] = { 0.1, sqrt(0.01 / pow(2, 0.55)) };
	size_t from, to, masked = 0;
	const struct layer *sparse;
	struct task tasks[2];
	double mean, deviation;

	layers[0].density = 0.5;
	for (int i = 0; i < 2; i++) {
		tasks[i] = task_of(layers, 50, 0);
		task_optimizer(&tasks[i], "sgd");
		tasks[i].config.optimizer_params[0] = 1e-3;
		tasks[i].config.epochs = 1;
		tasks[i].config.batch_size = 0;
	}
	tasks[1].config.gradient_noise = 0.01;
	net_layer_range(tasks[0].net, 1, &from, &to);
	for (int step = 0; step < 2; step++) {
		for (int i = 0; i < 2; i++) {
			net_init(tasks[i].net, 1);
			tasks[i].config.epochs = (uint64_t)step + 1;
			run_well(&tasks[i], NULL);
		}
		spread(net_block(tasks[1].net) + from, net_block(tasks[0].net) + from, to - from, &mean,
				&deviation);
		ck_assert_double_eq_tol(mean, 0, 4e-6);
		ck_assert_double_eq_tol(deviation * 1e3,
				step ? hypot(deviations[0], deviations[1]) : deviations[0], 2e-3);
	}
	sparse = net_layer(tasks[1].net, 0);
	for (size_t i = 0; i < sparse->inputs * sparse->columns; i++) {
		if (sparse->mask[i]) continue;
		masked++;
		ck_assert(sparse->weights[i] == 0);
	}
	ck_assert_uint_gt(masked, 100);
	task_free(&tasks[0]);
	task_free(&tasks[1]);
}
END_TEST

#define WIDE_INPUTS 4000

/* One linear unit without weights, one row: dL/dw = -2 x, so that a step of rate 1/2 makes w the x that it saw. */
static void see(const struct train_config *inputs, uint64_t epochs, real x[WIDE_INPUTS],
		real seen[WIDE_INPUTS])
{
	static const real y[1] = { 1 };
	const struct train_data data = { .x = x, .y = y, .rows = 1 };
	const struct objective mse = objective_of("mse");
	struct layer_spec layer = layer_of(1, "linear");
	struct train_config config = *inputs;
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	layer.bias = false;
	config.epochs = epochs;
	config.target_loss = -1;
	config.optimizer = optim_find("sgd");
	config.optimizer_params[0] = epochs > 1 ? 1e-6 : 0.5;
	config.objectives = &mse;
	OK(net_new(&net, WIDE_INPUTS, &layer, 1, &e), e);
	OK(trainer_new(&trainer, net, &config, &data, NULL, test_engine(), NULL, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	memcpy(seen, net_block(net), WIDE_INPUTS * sizeof *seen);
	trainer_free(trainer);
	net_free(net);
}

START_TEST(noise_of_the_inputs)
{
	static real x[WIDE_INPUTS], seen[WIDE_INPUTS], kept[WIDE_INPUTS];
	struct train_config config = { .input_noise = 0.3 };
	double mean, deviation;

	for (size_t i = 0; i < WIDE_INPUTS; i++)
		kept[i] = x[i] = (real)i / WIDE_INPUTS;
	see(&config, 1, x, seen);
	spread(seen, x, WIDE_INPUTS, &mean, &deviation);
	ck_assert_double_eq_tol(mean, 0, 0.02);
	ck_assert_double_eq_tol(deviation, 0.3, 0.01);
	ck_assert_mem_eq(x, kept, sizeof x); /* the data stay as they are */
	config.input_noise = 0;
	see(&config, 1, x, seen);
	ck_assert_mem_eq(x, seen, sizeof x);
}
END_TEST

START_TEST(dropout_of_the_inputs)
{
	static real x[WIDE_INPUTS], seen[WIDE_INPUTS];
	const struct train_config config = { .input_dropout = 0.25 };
	size_t dropped = 0;

	for (size_t i = 0; i < WIDE_INPUTS; i++)
		x[i] = 1 + (real)i / WIDE_INPUTS;
	see(&config, 1, x, seen);
	for (size_t i = 0; i < WIDE_INPUTS; i++) {
		dropped += seen[i] == 0;
		ck_assert(seen[i] == 0 || fabsf(seen[i] - x[i] / 0.75f) < 1e-6f);
	}
	ck_assert_double_eq_tol((double)dropped / WIDE_INPUTS, 0.25, 0.03);
}
END_TEST

/* Averages of the weights after each epoch's only step, which runs of 1 to 12 epochs leave behind. */
START_TEST(averaged_weights)
{
	struct task task = plain_task(8, 50);
	size_t n = net_parameters(task.net);
	double *average = malloc(n * sizeof *average);

	task.config.optimizer_params[0] = 0.1;
	for (size_t i = 0; i < n; i++)
		average[i] = (double)net_block(task.net)[i];
	for (unsigned t = 1; t <= 12; t++) {
		double decay = fmin(0.5, (1.0 + t) / (10.0 + t));

		net_init(task.net, 1);
		task.config.epochs = t;
		run_well(&task, NULL);
		for (size_t i = 0; i < n; i++)
			average[i] = decay * average[i] + (1 - decay) * (double)net_block(task.net)[i];
	}
	net_init(task.net, 1);
	task.config.ema_decay = 0.5;
	run_well(&task, NULL);
	for (size_t i = 0; i < n; i++)
		ck_assert_double_eq_tol((double)net_block(task.net)[i], average[i], 1e-6);
	free(average);
	task_free(&task);
}
END_TEST

/* val_loss and the best weights are those of the averages. */
START_TEST(averaged_weights_are_validated_and_kept)
{
	struct task task = task_new(16, 200, 100);
	struct train_result result;
	const real *y;
	struct net_work *work;
	struct err e;
	double loss;

	task.config.ema_decay = 0.9;
	task.config.epochs = 40;
	task.config.patience = 40;
	task.config.restore_best = true;
	task.config.optimizer_params[0] = 0.05;
	result = run_well(&task, NULL);
	OK(net_work_new(&work, task.net, 100, false, test_engine(), NULL, &e), e);
	net_forward(task.net, work, task.validation.x, 100, &y);
	loss = net_loss(task.net, work, task.validation.y, NULL, 100, &task.objective) / 100;
	ck_assert_double_eq_tol(loss, result.last.best_loss, 1e-6);
	net_work_free(work);
	task_free(&task);
}
END_TEST

/* Each epoch's point has the rate of its last step, and that is what the step took. */
START_TEST(the_schedule_gives_the_rate)
{
	struct task task = plain_task(8, 50);
	static struct curve curve;
	struct train_hooks hooks = { .self = &curve, .epoch = note };
	real *before, *gradient;

	task.config.schedule = schedule_find("cosine");
	ck_assert_ptr_nonnull(task.config.schedule);
	params_fallback(task.config.schedule->params, task.config.schedule_params);
	task.config.epochs = 8;
	task.config.batch_size = 20;
	run_well(&task, &hooks);
	for (size_t i = 0; i < 8; i++) {
		struct schedule_at at = { .epoch = (double)i + 2.0 / 3, .epochs = 8, .share = 1.0 / 3 };

		ck_assert_double_eq_tol(curve.points[i].learning_rate,
				schedule_rate(task.config.schedule, 1, &at, task.config.schedule_params,
						(const double[SCHEDULE_STATE]){ 0 }),
				1e-12);
	}
	ck_assert_double_lt(curve.points[7].learning_rate, curve.points[0].learning_rate / 2);
	net_init(task.net, 1);
	before = weights_of(&task);
	gradient = gradient_of(&task, 0, 50);
	task.config.batch_size = 0;
	task.config.epochs = 1;
	task.config.optimizer_params[0] = 0.5;
	task.config.schedule_params[0] = 4; /* warm-up: the first epoch's step is at a quarter */
	run_well(&task, NULL);
	check_step(&task, before, gradient, 0.5 / 4);
	free(before);
	free(gradient);
	task_free(&task);
}
END_TEST

/* The loss cannot fall at so small a rate: the plateau is seen, the rate cut. */
START_TEST(a_plateau_is_observed)
{
	struct task task = plain_task(8, 50);
	struct train_result result;

	task.config.schedule = schedule_find("reduce_on_plateau");
	params_fallback(task.config.schedule->params, task.config.schedule_params);
	task.config.optimizer_params[0] = 1e-12;
	task.config.epochs = 100;
	result = run_well(&task, NULL);
	ck_assert_double_lt(result.last.learning_rate, 0.5e-12);
	task_free(&task);
}
END_TEST

/* ---- weights of rows, missing targets, several heads ---- */

/* Rows of weight 0 are not there, and a weight of 3 is three rows: loss, accuracy and step. */
START_TEST(weights_count)
{
	struct task task = plain_task(8, 50), expected = plain_task(8, 60);
	real *weights = malloc(50 * sizeof *weights);
	real *x = (real *)expected.data.x, *y = (real *)expected.data.y;
	struct train_result weighed, repeated;
	size_t rows = 0;

	for (size_t b = 0; b < 50; b++) {
		weights[b] = b % 5 == 0 ? 0 : b % 5 == 1 ? 3 : 1;
		for (int i = 0; i < (int)weights[b]; i++, rows++) {
			memcpy(x + rows * INPUTS, task.data.x + b * INPUTS, INPUTS * sizeof *x);
			memcpy(y + rows * CLASSES, task.data.y + b * CLASSES, CLASSES * sizeof *y);
		}
	}
	ck_assert_uint_eq(rows, 60);
	task.data.weights = weights;
	task.config.optimizer_params[0] = 1;
	expected.config.optimizer_params[0] = 1.2; /* the mean is over 50 rows there, over 60 here */
	weighed = run_well(&task, NULL);
	repeated = run_well(&expected, NULL);
	ck_assert_double_eq_tol(weighed.last.loss, repeated.last.loss, 1e-6);
	for (size_t i = 0; i < net_parameters(task.net); i++)
		ck_assert_double_eq_tol(
				(double)net_block(task.net)[i], (double)net_block(expected.net)[i], 2e-6);
	task_free(&task);
	task_free(&expected);
}
END_TEST

#define HEAD_ROWS 4

/* A category of three classes and two numbers. Weights are 0, so that the category's answer is its first class, and
 * the numbers' is 0; cells are (category, number, number). */
START_TEST(each_head_is_counted_by_its_kind)
{
	static const real x[HEAD_ROWS] = { 1, 2, 3, 4 };
	static const real y[HEAD_ROWS * 5] = { 1, 0, 0, 1, -2, 0, 1, 0, 3, 4, 1, 0, 0, -5, 6, 0, 0, 1, 7, 8 };
	static const real weights[HEAD_ROWS * 3] = { 1, 1, 1, 1, 0, 1, 0, 1, 0, 2, 1, 1 };
	static const double scale[5] = { 1, 1, 1, 10, 100 };
	struct train_data data = { .x = x, .y = y, .rows = HEAD_ROWS };
	struct objective objectives[2] = { objective_of("cross_entropy"), objective_of("mse") };
	struct layer_spec layers[2] = { layer_of(3, "softmax"), layer_of(2, "linear") };
	struct train_config config = { .epochs = 1, .target_loss = -1, .target_scale = scale };
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	layers[0].head = layers[1].head = true;
	objectives[0].category = true;
	config.optimizer = optim_find("sgd");
	config.optimizer_params[0] = 1e-9;
	config.objectives = objectives;
	OK(net_new(&net, 1, layers, 2, &e), e);
	for (int weighted = 0; weighted < 2; weighted++) {
		data.weights = weighted ? weights : NULL;
		OK(trainer_new(&trainer, net, &config, &data, &data, test_engine(), NULL, &e), e);
		OK(trainer_run(trainer, NULL, &result, &e), e);
		trainer_free(trainer);
		ck_assert_double_eq_tol(result.last.accuracy, weighted ? 1.0 / 3 : 2.0 / 4, 1e-9);
		ck_assert_double_eq_tol(result.last.mae,
				weighted ? (10 * (1 + 5 + 7) + 100 * (2 + 4 + 8)) / 6.0
					 : (10 * (1 + 3 + 5 + 7) + 100 * (2 + 4 + 6 + 8)) / 8.0,
				1e-3);
		ck_assert_double_eq_tol(result.last.val_accuracy, result.last.accuracy, 1e-9);
		ck_assert_double_eq_tol(result.last.val_mae, result.last.mae, 1e-3);
	}
	net_free(net);
}
END_TEST

/* ---- what makes no sense ---- */

static void check_refused(struct task *task, const char *said)
{
	struct trainer *trainer;
	struct err e;

	task->config.objectives = &task->objective;
	ck_assert_int_eq(trainer_new(&trainer, task->net, &task->config, &task->data, NULL, test_engine(),
					 NULL, &e),
			ERR_RANGE);
	ck_assert_ptr_null(trainer);
	ck_assert_msg(strstr(e.text, said) != NULL, "%s", e.text);
}

START_TEST(numbers_outside_their_range_are_refused)
{
	struct task task = task_new(8, 50, 0);
	double *const numbers[] = { &task.config.gradient_clip_value, &task.config.gradient_clip_norm,
		&task.config.gradient_noise, &task.config.input_noise, &task.config.input_dropout,
		&task.config.ema_decay };
	const char *const names[] = { "gradient_clip_value", "gradient_clip_norm", "gradient_noise",
		"input_noise", "input_dropout", "ema_decay" };

	for (size_t i = 0; i < 6; i++) {
		*numbers[i] = -1;
		check_refused(&task, names[i]);
		*numbers[i] = NAN;
		check_refused(&task, names[i]);
		*numbers[i] = i < 4 ? INFINITY : 1;
		check_refused(&task, names[i]);
		*numbers[i] = 0;
	}
	task.objective.weight = -1;
	check_refused(&task, "weight");
	task_free(&task);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { a_limit_of_numbers, a_limit_of_the_length, both_limits_act_in_order,
		accumulated_mini_batches_are_one, noise_of_the_gradient, noise_of_the_inputs,
		dropout_of_the_inputs, averaged_weights, averaged_weights_are_validated_and_kept,
		the_schedule_gives_the_rate, a_plateau_is_observed, weights_count,
		each_head_is_counted_by_its_kind, numbers_outside_their_range_are_refused, NULL };

	return suite_main("core_train_step", tests, 60);
}
