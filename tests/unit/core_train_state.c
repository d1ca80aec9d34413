/* core_train_state.c - a run that was stopped anywhere and goes on from its saved state ends in the same bits as one
 * that was not stopped.
 *
 * A loss that counts its calls sets the stop flag: after any forward pass of training, of a line search, and of
 * validation.
 */
#include "core/schedule.h"
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

#define ROWS            70 /* three mini-batches of 20 and one of 10 */
#define BATCH           20
#define VALIDATION_ROWS 300 /* two pieces */
#define EPOCHS          4

static atomic_int stop;
static unsigned passes, stop_after; /* 0: never */

static double counting_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	if (++passes == stop_after) atomic_store(&stop, 1);
	return loss_find("cross_entropy")->value(z, a, y, rows, units, joint, params);
}

struct variant {
	const char *optimizer;
	bool everything; /* all that a configuration may ask for, else the plainest run */
};

static struct loss counting;

static struct task variant_new(const struct variant *variant)
{
	struct layer_spec layers[3] = { layer_of(7, "relu"), layer_of(5, "tanh"),
		layer_of(CLASSES, "softmax") };
	struct task task;

	if (variant->everything) {
		layers[0].normalization = NORMALIZATION_BATCH;
		layers[0].dropout = 0.2;
		layers[1].density = 0.7;
		layers[1].max_norm = 1;
		layers[1].l2 = 1e-3;
	}
	task = task_of(layers, ROWS, VALIDATION_ROWS);
	counting = *loss_find("cross_entropy");
	counting.value = counting_value;
	task.objective.loss = &counting;
	task_optimizer(&task, variant->optimizer);
	task.config.epochs = EPOCHS;
	task.config.batch_size = task.config.optimizer->iterate ? 0 : BATCH;
	if (!variant->everything) return task;
	task.data.weights = random_numbers(ROWS, 9);
	for (size_t b = 0; b < ROWS; b++)
		((real *)task.data.weights)[b] *= task.data.weights[b];
	task.config.input_noise = 0.1;
	task.config.input_dropout = 0.1;
	task.config.ema_decay = 0.9;
	task.config.evaluate_every = 3;
	task.config.patience = 2;
	task.config.restore_best = true;
	task.config.schedule = schedule_find("reduce_on_plateau");
	params_fallback(task.config.schedule->params, task.config.schedule_params);
	if (task.config.optimizer->iterate) return task;
	task.config.accumulate = 3;
	task.config.gradient_clip_value = 0.5;
	task.config.gradient_clip_norm = 0.5;
	task.config.gradient_noise = 0.01;
	return task;
}

static void check_same_points(const struct curve *a, const struct curve *b)
{
	ck_assert_uint_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		struct train_point x = a->points[i], y = b->points[i];

		x.seconds = y.seconds = x.elapsed = y.elapsed = 0;
		ck_assert_mem_eq(&x, &y, sizeof x);
	}
}

struct outcome {
	struct curve curve;
	struct train_result result;
	unsigned passes;
};

/* To the end without a stop. */
static void run_through(struct task *task, struct outcome *outcome)
{
	struct train_hooks hooks = { .self = &outcome->curve, .epoch = note, .step = note, .stop = &stop };

	passes = stop_after = 0;
	outcome->curve.count = 0;
	outcome->result = run_well(task, &hooks);
	outcome->passes = passes;
}

/* Stopped after `after` passes, saved, and gone on with on a network that has no weights. */
static void run_in_two(const struct variant *variant, unsigned after, const struct task *through,
		const struct outcome *expected)
{
	struct task first = variant_new(variant), second;
	struct trainer *trainer = trainer_of(&first);
	static struct outcome outcome;
	struct train_hooks hooks = { .self = &outcome.curve, .epoch = note, .step = note, .stop = &stop };
	size_t size = trainer_state_bytes(trainer);
	unsigned char *bytes = malloc(size);
	struct err e;

	outcome.curve.count = 0;
	passes = 0;
	stop_after = after;
	OK(trainer_run(trainer, &hooks, &outcome.result, &e), e);
	trainer_save(trainer, bytes);
	trainer_free(trainer);
	task_free(&first);
	atomic_store(&stop, 0);
	stop_after = 0;

	second = variant_new(variant);
	memset(net_block(second.net), 0, net_parameters(second.net) * sizeof(real));
	trainer = trainer_of(&second);
	OK(trainer_load(trainer, bytes, size, &e), e);
	OK(trainer_run(trainer, &hooks, &outcome.result, &e), e);
	check_same_bits(&second, through);
	check_same_points(&outcome.curve, &expected->curve);
	ck_assert_int_eq(outcome.result.stop, expected->result.stop);
	ck_assert_uint_eq(outcome.result.last.epoch, expected->result.last.epoch);
	trainer_free(trainer);
	task_free(&second);
	free(bytes);
}

static void check_variant(const struct variant *variant)
{
	struct task through = variant_new(variant);
	static struct outcome outcome;

	run_through(&through, &outcome);
	ck_assert_uint_gt(outcome.passes, EPOCHS);
	for (unsigned after = 1; after <= outcome.passes; after++)
		run_in_two(variant, after, &through, &outcome);
	task_free(&through);
}

START_TEST(every_optimizer_goes_on_from_anywhere)
{
	const struct optimizer *optimizer;

	for (size_t i = 0; (optimizer = optim_at(i)); i++)
		check_variant(&(struct variant){ optimizer->name, false });
}
END_TEST

START_TEST(whatever_else_is_at_work)
{
	const struct optimizer *optimizer;

	for (size_t i = 0; (optimizer = optim_at(i)); i++)
		check_variant(&(struct variant){ optimizer->name, true });
}
END_TEST

/* ---- checkpoints of a run that is not stopped ---- */

struct keeper {
	atomic_int save;
	unsigned seen, keep; /* boundaries, and the one whose state is kept */
	unsigned char *bytes;
};

static void keep_state(void *self, const struct trainer *trainer)
{
	struct keeper *keeper = self;

	ck_assert_int_eq(atomic_load(&keeper->save), 0);
	if (keeper->seen++ == keeper->keep) trainer_save(trainer, keeper->bytes);
	atomic_store(&keeper->save, 1);
}

START_TEST(a_checkpoint_changes_nothing_and_is_a_start)
{
	const struct variant variant = { "adam", true };
	struct task through = variant_new(&variant), one = variant_new(&variant), two = variant_new(&variant);
	struct trainer *trainer = trainer_of(&one);
	size_t size = trainer_state_bytes(trainer);
	struct keeper keeper = { .save = 1, .keep = 7, .bytes = malloc(size) };
	struct train_hooks hooks = { .self = &keeper, .checkpoint = keep_state, .save = &keeper.save };
	struct train_result result;
	struct err e;

	stop_after = 0;
	run_well(&through, NULL);
	OK(trainer_run(trainer, &hooks, &result, &e), e);
	check_same_bits(&one, &through);
	ck_assert_uint_gt(keeper.seen, 7);
	trainer_free(trainer);
	trainer = trainer_of(&two);
	OK(trainer_load(trainer, keeper.bytes, size, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	check_same_bits(&two, &through);
	trainer_free(trainer);
	task_free(&through);
	task_free(&one);
	task_free(&two);
	free(keeper.bytes);
}
END_TEST

static void remember(void *self, const struct trainer *trainer)
{
	trainer_save(trainer, self);
}

/* The state given to the hook when *stop ends the run is that after trainer_run, but for the clock. */
START_TEST(a_stop_makes_a_checkpoint)
{
	const struct variant variant = { "adam", true };
	struct task one = variant_new(&variant), two = variant_new(&variant), through = variant_new(&variant);
	struct trainer *trainer = trainer_of(&one);
	size_t size = trainer_state_bytes(trainer);
	unsigned char *bytes = malloc(size);
	struct train_hooks hooks = { .self = bytes, .checkpoint = remember, .stop = &stop };
	struct train_result result;
	struct err e;

	stop_after = 0;
	run_well(&through, NULL);
	passes = 0;
	stop_after = 9;
	OK(trainer_run(trainer, &hooks, &result, &e), e);
	ck_assert_int_eq(result.stop, TRAIN_STOPPED);
	atomic_store(&stop, 0);
	trainer_free(trainer);
	trainer = trainer_of(&two);
	OK(trainer_load(trainer, bytes, size, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	check_same_bits(&two, &through);
	trainer_free(trainer);
	task_free(&one);
	task_free(&two);
	task_free(&through);
	free(bytes);
}
END_TEST

/* ---- what is no state of this run ---- */

static void check_refused(
		struct trainer *trainer, const struct task *task, const unsigned char *bytes, size_t size)
{
	size_t n = net_parameters(task->net) * sizeof(real);
	real *before = malloc(n);
	struct err e;

	memcpy(before, net_block(task->net), n);
	ck_assert_int_eq(trainer_load(trainer, bytes, size, &e), ERR_CORRUPT);
	ck_assert_mem_eq(net_block(task->net), before, n);
	free(before);
}

START_TEST(damage_is_noticed)
{
	const struct variant variant = { "adam", true };
	struct task task = variant_new(&variant);
	struct trainer *trainer = trainer_of(&task);
	size_t size = trainer_state_bytes(trainer);
	unsigned char *bytes = malloc(size);
	struct train_result result;
	struct err e;

	stop_after = 0;
	OK(trainer_run(trainer, NULL, &result, &e), e);
	trainer_save(trainer, bytes);
	for (size_t i = 0; i < size; i += i < 400 ? 1 : 97) {
		bytes[i] ^= 0x10;
		check_refused(trainer, &task, bytes, size);
		bytes[i] ^= 0x10;
	}
	for (size_t cut = 0; cut < size; cut += 101)
		check_refused(trainer, &task, bytes, cut);
	OK(trainer_load(trainer, bytes, size, &e), e);
	trainer_free(trainer);
	task_free(&task);
	free(bytes);
}
END_TEST

START_TEST(a_state_of_another_run_is_refused)
{
	const struct variant variant = { "adam", false };
	struct task task = variant_new(&variant), other = variant_new(&variant);
	struct trainer *trainer = trainer_of(&task);
	size_t size = trainer_state_bytes(trainer);
	unsigned char *bytes = malloc(size);

	trainer_save(trainer, bytes);
	trainer_free(trainer);
	task_optimizer(&other, "adamw"); /* as many moments */
	trainer = trainer_of(&other);
	check_refused(trainer, &other, bytes, size);
	trainer_free(trainer);
	task_optimizer(&other, "adam");
	other.config.optimizer_params[0] = 0.5;
	trainer = trainer_of(&other);
	check_refused(trainer, &other, bytes, size);
	trainer_free(trainer);
	other.config.optimizer_params[0] = task.config.optimizer_params[0];
	other.config.batch_size++;
	trainer = trainer_of(&other);
	check_refused(trainer, &other, bytes, size);
	trainer_free(trainer);
	task_free(&task);
	task_free(&other);
	free(bytes);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_optimizer_goes_on_from_anywhere, whatever_else_is_at_work,
		a_checkpoint_changes_nothing_and_is_a_start, a_stop_makes_a_checkpoint, damage_is_noticed,
		a_state_of_another_run_is_refused, NULL };

	return suite_main("core_train_state", tests, 120);
}
