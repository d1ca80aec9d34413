/* core_train_health.c - what is said of each layer after an epoch, against networks whose answer is known. */
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

#define LAYERS 3

struct told {
	unsigned count, asked;
	uint64_t from; /* the first epoch that is wanted */
	struct train_point point;
	struct train_health layers[LAYERS];
};

static void tell(void *self, const struct train_point *point, const struct train_health *layers)
{
	struct told *told = self;

	told->count++;
	told->point = *point;
	memcpy(told->layers, layers, sizeof told->layers);
}

static bool is_wanted(void *self, uint64_t epoch)
{
	struct told *told = self;

	told->asked++;
	return epoch >= told->from;
}

static double length(const real *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	return sqrt(sum);
}

/* sgd changes the weights by rate * gradient. 256 units: pieces and slices; 3 threads. */
static void check_norms(size_t hidden, int threads)
{
	struct task task = task_new(hidden, 60, 0);
	size_t n = net_parameters(task.net);
	real *before = malloc(n * sizeof *before);
	struct told told = { 0 };
	struct train_hooks hooks = { .self = &told, .health = tell };

	task_optimizer(&task, "sgd");
	task.config.optimizer_params[0] = 0.25;
	task.config.batch_size = 0;
	task.config.epochs = 1;
	task.team = team_of(threads);
	memcpy(before, net_block(task.net), n * sizeof *before);
	run_well(&task, &hooks);
	ck_assert_uint_eq(told.count, 1);
	ck_assert_uint_eq(told.point.epoch, 1);
	for (size_t i = 0; i < LAYERS; i++) {
		const struct train_health *health = &told.layers[i];
		size_t from, to;
		double change, weights;

		net_layer_range(task.net, i, &from, &to);
		weights = length(net_block(task.net) + from, to - from);
		for (size_t w = from; w < to; w++)
			before[w] -= net_block(task.net)[w];
		change = length(before + from, to - from);
		ck_assert_double_gt(change, 0);
		ck_assert_double_eq_tol((double)health->weight_norm / weights, 1, 1e-5);
		ck_assert_double_eq_tol((double)health->update_ratio * weights / change, 1, 1e-4);
		ck_assert_double_eq_tol((double)health->gradient_norm * 0.25 / change, 1, 1e-4);
	}
	free(before);
	task_free(&task);
}

START_TEST(norms_are_those_of_the_step)
{
	check_norms(8, 1);
	check_norms(256, 1);
	check_norms(256, 3);
}
END_TEST

/* Measuring changes nothing, whatever the optimizer keeps. */
START_TEST(a_measured_step_is_the_same_step)
{
	struct task plain = task_new(256, 100, 0), measured = task_new(256, 100, 0);
	struct told told = { 0 };
	struct train_hooks hooks = { .self = &told, .health = tell };

	run_well(&plain, NULL);
	run_well(&measured, &hooks);
	check_same_bits(&plain, &measured);
	ck_assert_uint_eq(told.count, 5);
	task_free(&plain);
	task_free(&measured);
}
END_TEST

START_TEST(only_wanted_epochs_are_measured)
{
	struct task task = task_new(8, 100, 0);
	struct told told = { .from = 4 };
	struct train_hooks hooks = { .self = &told, .health = tell, .healthy = is_wanted };

	run_well(&task, &hooks);
	ck_assert_uint_eq(told.asked, 5);
	ck_assert_uint_eq(told.count, 2);
	ck_assert_uint_eq(told.point.epoch, 5);
	task_free(&task);
}
END_TEST

/* Of 8 relu units 3 are far below 0 for every row; of 4 tanh units one is at its bound for every row; a softmax has
 * neither. Biases say so, and the rate is too small to change that. */
START_TEST(dead_and_saturated_units_are_counted)
{
	const struct layer_spec layers[3] = { layer_of(8, "relu"), layer_of(4, "tanh"),
		layer_of(CLASSES, "softmax") };
	struct task task = task_of(layers, 60, 0);
	struct told told = { 0 };
	struct train_hooks hooks = { .self = &told, .health = tell };

	for (size_t i = 0; i < 2; i++) {
		const struct layer *layer = net_layer(task.net, i);

		for (size_t w = 0; w < layer->inputs * layer->columns; w++)
			layer->weights[w] *= 0.01f;
	}
	for (size_t u = 0; u < 8; u++)
		net_layer(task.net, 0)->biases[u] = u < 3 ? -10 : 0.5;
	net_layer(task.net, 1)->biases[2] = -9;
	task_optimizer(&task, "sgd");
	task.config.optimizer_params[0] = 1e-6;
	run_well(&task, &hooks);
	ck_assert_float_eq_tol(told.layers[0].dead, 3.0f / 8, 1e-6f);
	ck_assert(isnan(told.layers[0].saturated));
	ck_assert_float_eq_tol(told.layers[1].saturated, 0.25f, 1e-6f);
	ck_assert(isnan(told.layers[1].dead));
	ck_assert(isnan(told.layers[2].dead) && isnan(told.layers[2].saturated));
	task_free(&task);
}
END_TEST

/* ---- what left the finite numbers, and where ---- */

static struct train_result diverge(struct task *task)
{
	struct train_result result;
	struct err e;

	ck_assert_int_eq(run(task, NULL, &result, &e), ERR_DIVERGED);
	ck_assert_int_eq(result.stop, TRAIN_DIVERGED);
	return result;
}

START_TEST(the_fault_is_named)
{
	struct task task = task_new(8, 60, 0);
	struct train_result result;
	real kept = task.data.x[0];

	((real *)task.data.x)[0] = NAN;
	result = diverge(&task);
	ck_assert_int_eq(result.fault, TRAIN_ACTIVATIONS);
	ck_assert_uint_eq(result.fault_layer, 0);
	ck_assert_uint_eq(result.diverged_epoch, 1);

	((real *)task.data.x)[0] = kept;
	net_init(task.net, 1);
	net_layer(task.net, 1)->weights[3] = INFINITY;
	result = diverge(&task);
	ck_assert_int_eq(result.fault, TRAIN_WEIGHTS);
	ck_assert_uint_eq(result.fault_layer, 1);
	ck_assert_uint_eq(result.diverged_step, 1);

	net_init(task.net, 1);
	((real *)task.data.y)[0] = NAN;
	result = diverge(&task);
	ck_assert_int_eq(result.fault, TRAIN_LOSS);
	task_free(&task);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { norms_are_those_of_the_step, a_measured_step_is_the_same_step,
		only_wanted_epochs_are_measured, dead_and_saturated_units_are_counted, the_fault_is_named,
		NULL };

	return suite_main("core_train_health", tests, 60);
}
