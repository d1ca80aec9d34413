/* core_train_record.c - what a run tells while it goes: mini-batches one by one, and epochs that are not validated. */
#include "core/schedule.h"
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

#define ROWS            70 /* three mini-batches of 20 and one of 10 */
#define BATCH           20
#define BATCHES         4
#define VALIDATION_ROWS 50

struct told {
	struct curve steps, epochs;
	_Atomic uint64_t done;
	uint64_t behind; /* how often `done` was not the step of the point */
};

static void note_step(void *self, const struct train_point *point)
{
	struct told *told = self;

	note(&told->steps, point);
	told->behind += atomic_load(&told->done) != point->step;
}

static void note_epoch(void *self, const struct train_point *point)
{
	note(&((struct told *)self)->epochs, point);
}

static struct task task_small(void)
{
	struct task task = task_new(8, ROWS, VALIDATION_ROWS);

	task.config.batch_size = BATCH;
	return task;
}

static struct train_result told_by(struct told *told, struct task *task)
{
	struct train_hooks hooks = {
		.self = told, .epoch = note_epoch, .step = note_step, .steps = &told->done
	};

	memset(told, 0, sizeof *told);
	return run_well(task, &hooks);
}

static void check_epoch(const struct train_point *steps, const struct train_point *epoch)
{
	static const double rows[BATCHES] = { BATCH, BATCH, BATCH, 10 };
	double loss = 0, accuracy = 0;

	for (size_t i = 0; i < BATCHES; i++) {
		ck_assert_uint_eq(steps[i].epoch, epoch->epoch);
		ck_assert_uint_eq(steps[i].step, (epoch->epoch - 1) * BATCHES + i + 1);
		ck_assert_uint_eq(steps[i].validated, i + 1 == BATCHES);
		loss += steps[i].loss * rows[i] / ROWS;
		accuracy += steps[i].accuracy * rows[i] / ROWS;
		ck_assert_double_le(steps[i].seconds, epoch->seconds);
	}
	ck_assert_double_eq_tol(loss, epoch->loss, 1e-12);
	ck_assert_double_eq_tol(accuracy, epoch->accuracy, 1e-12);
	ck_assert_double_eq(steps[BATCHES - 1].val_loss, epoch->val_loss);
	ck_assert_double_eq(steps[BATCHES - 1].val_accuracy, epoch->val_accuracy);
	ck_assert_double_eq(steps[BATCHES - 1].learning_rate, epoch->learning_rate);
}

/* Their means, weighed by their rows, are those of the epoch. */
START_TEST(mini_batches_one_by_one)
{
	struct task task = task_small(), silent = task_small();
	static struct told told;

	told_by(&told, &task);
	ck_assert_uint_eq(told.steps.count, 5 * BATCHES);
	ck_assert_uint_eq(told.epochs.count, 5);
	ck_assert_uint_eq(told.behind, 0);
	for (size_t i = 0; i < 5; i++)
		check_epoch(told.steps.points + i * BATCHES, &told.epochs.points[i]);
	run_well(&silent, NULL);
	check_same_bits(&task, &silent); /* telling is no part of the run */
	task_free(&task);
	task_free(&silent);
}
END_TEST

START_TEST(a_full_batch_is_one_step)
{
	struct task task = task_small();
	static struct told told;

	task_optimizer(&task, "lbfgs");
	task.config.batch_size = 0;
	told_by(&told, &task);
	ck_assert_uint_eq(told.steps.count, told.epochs.count);
	for (size_t i = 0; i < told.steps.count; i++) {
		ck_assert_uint_eq(told.steps.points[i].step, told.epochs.points[i].step);
		ck_assert_double_eq(told.steps.points[i].loss, told.epochs.points[i].loss);
		ck_assert_double_eq(told.steps.points[i].val_loss, told.epochs.points[i].val_loss);
	}
	task_free(&task);
}
END_TEST

/* The validation between is left out and nothing else: the same weights, and the same numbers where it is not. */
START_TEST(validation_every_so_many_epochs)
{
	struct task task = task_small(), each = task_small();
	static struct told told, all;

	task.config.epochs = each.config.epochs = 11;
	task.config.evaluate_every = 4;
	told_by(&told, &task);
	told_by(&all, &each);
	check_same_bits(&task, &each);
	ck_assert(isnan(told.epochs.points[2].val_loss)); /* there was none yet */
	for (size_t i = 0; i < 11; i++) {
		const struct train_point *point = &told.epochs.points[i];
		bool now = i + 1 == 4 || i + 1 == 8 || i + 1 == 11; /* and the last */

		ck_assert_uint_eq(point->validated, now);
		ck_assert_double_eq(point->loss, all.epochs.points[i].loss);
		if (now) ck_assert_double_eq(point->val_loss, all.epochs.points[i].val_loss);
		if (i >= 4 && i < 7) ck_assert_double_eq(point->val_loss, all.epochs.points[3].val_loss);
		ck_assert_uint_eq(all.epochs.points[i].validated, 1);
	}
	task_free(&task);
	task_free(&each);
}
END_TEST

/* Nothing is ever an improvement: patience is counted in epochs that were looked at, the first of which has nothing
 * before it. */
START_TEST(patience_counts_what_was_validated)
{
	struct task task = task_small();
	static struct told told;
	struct train_result result;

	task.config.epochs = 100;
	task.config.evaluate_every = 3;
	task.config.patience = 4;
	task.config.min_delta = 10;
	result = told_by(&told, &task);
	ck_assert_int_eq(result.stop, TRAIN_EARLY_STOPPING);
	ck_assert_uint_eq(result.last.epoch, 15); /* 3, then 6, 9, 12, 15 */
	ck_assert_uint_eq(result.last.best_epoch % 3, 0);
	task.config.monitor_training = true; /* there is a loss after each */
	net_init(task.net, 1);
	result = told_by(&told, &task);
	ck_assert_uint_eq(result.last.epoch, 5);
	task_free(&task);
}
END_TEST

START_TEST(a_target_is_met_where_it_is_looked_for)
{
	struct task task = task_small(), each = task_small();
	static struct told told;
	struct train_result result;
	uint64_t met;

	task.config.epochs = each.config.epochs = 100;
	task.config.target_loss = each.config.target_loss = 0.7;
	met = told_by(&told, &each).last.epoch;
	ck_assert_uint_lt(met, 90);
	ck_assert_uint_ne(met % 5, 0);
	task.config.evaluate_every = 5;
	result = told_by(&told, &task);
	ck_assert_int_eq(result.stop, TRAIN_TARGET_LOSS);
	ck_assert_uint_eq(result.last.epoch, (met / 5 + 1) * 5);
	ck_assert_double_le(result.last.val_loss, 0.7);
	task_free(&task);
	task_free(&each);
}
END_TEST

/* A schedule that waits for better losses sees those that there are. */
START_TEST(a_plateau_is_seen_where_it_is_looked_at)
{
	struct task task = task_small();
	static struct told told;
	double rate;

	task.config.schedule = schedule_find("reduce_on_plateau");
	params_fallback(task.config.schedule->params, task.config.schedule_params);
	task.config.epochs = 30;
	task.config.evaluate_every = 10;
	task.config.optimizer_params[0] = 1e-9; /* nothing gets better */
	told_by(&told, &task);
	rate = told.epochs.points[0].learning_rate;
	ck_assert_double_eq(told.epochs.points[29].learning_rate,
			rate); /* three looks are less than its patience */
	task.config.evaluate_every = 1;
	told_by(&told, &task);
	ck_assert_double_lt(told.epochs.points[29].learning_rate, rate);
	task_free(&task);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { mini_batches_one_by_one, a_full_batch_is_one_step,
		validation_every_so_many_epochs, patience_counts_what_was_validated,
		a_target_is_met_where_it_is_looked_for, a_plateau_is_seen_where_it_is_looked_at, NULL };

	return suite_main("core_train_record", tests, 60);
}
