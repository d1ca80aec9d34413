/* core_train_full.c - epochs of full-batch optimizers: what they are given, what is not asked twice, how they end.
 *
 * The optimizer is one of the test's own, so that what it sees can be looked at: down the gradient, half as far
 * until the loss falls.
 */
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

#define ROWS     50
#define HALVINGS 30

static unsigned passes, first_passes; /* forward passes; those before the first iteration asked for one */
static double first_loss;             /* that the last iteration was given */
static unsigned stop_after;
static atomic_int stop;

static double counting_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	if (++passes == stop_after) atomic_store(&stop, 1);
	return loss_find("cross_entropy")->value(z, a, y, rows, units, joint, params);
}

static enum optim_progress halve(struct optim_problem *problem, real *const moments[OPTIM_MOMENTS_MAX],
		double scalars[OPTIM_SCALARS_MAX], uint64_t step, double learning_rate, const double *params)
{
	size_t bytes = problem->n * sizeof(real);
	double loss = problem->loss;

	(void)params, (void)scalars;
	if (step == 1) first_passes = passes;
	first_loss = loss;
	memcpy(moments[0], problem->w, bytes);
	memcpy(moments[1], problem->g, bytes);
	for (int i = 0; i < HALVINGS; i++, learning_rate /= 2) {
		for (size_t w = 0; w < problem->n; w++)
			problem->w[w] = moments[0][w] - (real)learning_rate * moments[1][w];
		if (!problem->evaluate(problem)) {
			memcpy(problem->w, moments[0], bytes);
			return OPTIM_INTERRUPTED;
		}
		if (problem->loss < loss) return OPTIM_MOVED;
	}
	memcpy(problem->w, moments[0], bytes);
	problem->stale = true;
	return OPTIM_CONVERGED;
}

static const struct optimizer halving = {
	.name = "halving",
	.params = { { .name = "learning_rate", .fallback = 1, .min = 0, .max = 1000 } },
	.moments = 2,
	.iterate = halve,
};

static struct task halving_task(double dropout)
{
	static struct loss counting;
	struct layer_spec layers[3] = { layer_of(8, "relu"), layer_of(8, "tanh"),
		layer_of(CLASSES, "softmax") };
	struct task task;

	layers[0].dropout = dropout;
	layers[1].l1 = 1e-3;
	layers[2].l2 = 1e-2;
	task = task_of(layers, ROWS, 30);
	counting = *loss_find("cross_entropy");
	counting.value = counting_value;
	task.objective.loss = &counting;
	task.config.optimizer = &halving;
	task.config.optimizer_params[0] = 0.1;
	task.config.batch_size = 0;
	passes = stop_after = 0;
	return task;
}

/* The loss goes down from epoch to epoch, and what was found at an epoch's end is not asked again. */
START_TEST(it_goes_down)
{
	struct task task = halving_task(0);
	static struct curve curve;
	struct train_hooks hooks = { .self = &curve, .epoch = note };
	struct train_result result;

	curve.count = 0;
	task.config.epochs = 20;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_EPOCHS);
	ck_assert_uint_eq(result.last.step, 20);
	for (size_t i = 1; i < 20; i++)
		ck_assert_double_lt(curve.points[i].loss, curve.points[i - 1].loss + 1e-3);
	ck_assert_double_lt(curve.points[19].loss, curve.points[0].loss / 2);
	ck_assert_uint_eq(first_passes, 1);
	ck_assert_uint_eq(passes, 1 + 20 + 20); /* the start, a step and a validation an epoch */
	task_free(&task);
}
END_TEST

/* Another mask each epoch is another question. */
START_TEST(dropout_is_asked_again)
{
	struct task task = halving_task(0.3);

	task.config.epochs = 20;
	run_well(&task, NULL);
	ck_assert_uint_ge(passes, 3 * 20);
	task_free(&task);
}
END_TEST

/* The loss that the optimizer sees has the penalties in it, the point's has not. */
START_TEST(penalties_are_part_of_the_problem)
{
	struct task task = halving_task(0);
	double penalties = 0;
	struct train_result result;

	for (size_t i = 1; i < 3; i++) {
		const struct layer *layer = net_layer(task.net, i);

		for (size_t w = 0; w < layer->inputs * layer->columns; w++)
			penalties += layer->spec.l1 * fabs((double)layer->weights[w]) +
				     layer->spec.l2 / 2 * pow((double)layer->weights[w], 2);
	}
	task.config.epochs = 1;
	result = run_well(&task, NULL);
	ck_assert_double_gt(penalties, 0.01);
	ck_assert_double_eq_tol(first_loss, result.last.loss + penalties, 1e-9);
	task_free(&task);
}
END_TEST

START_TEST(it_ends_when_there_is_no_way_down)
{
	struct task task = halving_task(0);
	struct train_result result;

	task.config.epochs = 100000;
	result = run_well(&task, NULL);
	ck_assert_int_eq(result.stop, TRAIN_CONVERGED);
	ck_assert_uint_lt(result.last.epoch, 100000);
	task_free(&task);
}
END_TEST

/* Stopped in the third epoch's search: the weights are those of two epochs. */
START_TEST(an_interrupted_search_has_not_happened)
{
	struct task task = halving_task(0), two = halving_task(0);
	struct train_hooks hooks = { .stop = &stop };
	struct train_result result;

	task.config.epochs = two.config.epochs = 2;
	run_well(&two, NULL);
	stop_after = passes; /* by the second epoch's validation */
	passes = 0;
	task.config.epochs = 10;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_STOPPED);
	ck_assert_uint_eq(result.last.epoch, 2);
	check_same_bits(&task, &two);
	net_init(task.net, 1);
	atomic_store(&stop, 0);
	task.config.optimizer_params[0] = two.config.optimizer_params[0] = 100; /* many tries an epoch */
	net_init(two.net, 1);
	two.config.epochs = 1;
	passes = stop_after = 0;
	run_well(&two, NULL);
	ck_assert_uint_gt(passes, 4);
	stop_after = passes + 2; /* a try of the second epoch, not its last */
	passes = 0;
	result = run_well(&task, &hooks);
	ck_assert_int_eq(result.stop, TRAIN_STOPPED);
	ck_assert_uint_eq(result.last.epoch, 1);
	check_same_bits(&task, &two);
	task_free(&task);
	task_free(&two);
}
END_TEST

static void check_refused(struct task *task, const char *said)
{
	struct trainer *trainer;
	struct err e;

	task->config.objectives = &task->objective;
	ck_assert_int_eq(trainer_new(&trainer, task->net, &task->config, &task->data, NULL, test_engine(),
					 NULL, &e),
			ERR_RANGE);
	ck_assert_msg(strstr(e.text, said) != NULL, "%s", e.text);
}

START_TEST(what_would_mislead_it_is_refused)
{
	struct task task = halving_task(0);

	task.config.batch_size = 10;
	check_refused(&task, "batch_size");
	task.config.batch_size = ROWS; /* all of them after all */
	task.config.accumulate = 2;
	check_refused(&task, "accumulate");
	task.config.accumulate = 1;
	task.config.gradient_clip_norm = 1;
	check_refused(&task, "clipped");
	task.config.gradient_clip_norm = 0;
	task.config.gradient_noise = 1;
	check_refused(&task, "noisy");
	task.config.gradient_noise = 0;
	task.config.epochs = 1;
	run_well(&task, NULL);
	task_free(&task);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { it_goes_down, dropout_is_asked_again,
		penalties_are_part_of_the_problem, it_ends_when_there_is_no_way_down,
		an_interrupted_search_has_not_happened, what_would_mislead_it_is_refused, NULL };

	return suite_main("core_train_full", tests, 60);
}
