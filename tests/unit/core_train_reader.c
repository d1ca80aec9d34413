/* core_train_reader.c - training on rows that a reader has ends in the same bits as training on the same rows in memory:
 * whatever the optimizer, in whatever order, with weights, validation and all else, at any number of threads, and
 * when one goes on from where the other was stopped. A reader's error ends the run.
 */
#include "core/schedule.h"
#include "tests/unit/suite.h"
#include "tests/unit/training.h"

#define WINDOW      ((size_t)SHUFFLE_BLOCK_ROWS * SHUFFLE_WINDOW_BLOCKS)
#define ROWS        (WINDOW + 3 * SHUFFLE_BLOCK_ROWS + 17) /* two windows, and a block that is no whole one */
#define VALIDATION  1300
#define BATCH       1000 /* some have rows of both windows */
#define BROKEN_TEXT "the disk went away"

/* Rows in memory that say they are not. */
struct shelf {
	const struct train_data *data;
	struct train_reader reader;
	size_t calls, fail_at; /* that call of read fails; 0: none does */
	size_t stop_at;        /* that call sets *stop */
	atomic_int *stop;
	size_t ahead; /* rows that were announced */
};

static int shelf_read(void *self, size_t first, size_t rows, real *x, real *y, real *weights, struct err *e)
{
	struct shelf *shelf = self;
	const struct train_data *data = shelf->data;

	shelf->calls++;
	if (shelf->calls == shelf->fail_at) return err_set(e, ERR_IO, BROKEN_TEXT);
	if (shelf->calls == shelf->stop_at) atomic_store(shelf->stop, 1);
	ck_assert_uint_gt(rows, 0);
	ck_assert_uint_le(first + rows, data->rows);
	memcpy(x, data->x + first * INPUTS, rows * INPUTS * sizeof *x);
	memcpy(y, data->y + first * CLASSES, rows * CLASSES * sizeof *y);
	ck_assert_int_eq(weights != NULL, data->weights != NULL);
	if (weights) memcpy(weights, data->weights + first, rows * sizeof *weights);
	return 0;
}

static void shelf_ahead(void *self, size_t first, size_t rows)
{
	struct shelf *shelf = self;

	ck_assert_uint_le(first + rows, shelf->data->rows);
	shelf->ahead += rows;
}

static void shelve(struct shelf *shelf, const struct train_data *data)
{
	*shelf = (struct shelf){ .data = data };
	shelf->reader = (struct train_reader){ shelf, data->weights != NULL, shelf_read, shelf_ahead };
}

struct variant {
	const char *optimizer;
	size_t rows, batch, validation;
	bool shuffle, weighted, everything;
	int threads;
};

static struct task variant_new(const struct variant *v)
{
	const struct layer_spec layers[3] = { layer_of(7, "relu"), layer_of(5, "tanh"),
		layer_of(CLASSES, "softmax") };
	struct task task = task_of(layers, v->rows, v->validation);

	task_optimizer(&task, v->optimizer);
	task.config.epochs = task.config.optimizer->iterate ? 3 : 2;
	task.config.batch_size = v->batch;
	task.config.shuffle = v->shuffle;
	task.team = team_of(v->threads);
	if (v->weighted) {
		task.data.weights = random_numbers(v->rows, 9);
		for (size_t b = 0; b < v->rows; b++)
			((real *)task.data.weights)[b] *= task.data.weights[b];
	}
	if (!v->everything) return task;
	task.config.input_noise = 0.1;
	task.config.input_dropout = 0.1;
	task.config.ema_decay = 0.9;
	task.config.patience = 2;
	task.config.restore_best = true;
	if (task.config.optimizer->iterate) return task;
	task.config.accumulate = 3;
	task.config.gradient_clip_norm = 0.5;
	return task;
}

struct outcome {
	struct train_result result;
	struct curve curve;
};

static void run_task(struct task *task, struct outcome *outcome)
{
	struct train_hooks hooks = { .self = &outcome->curve, .epoch = note };

	outcome->curve.count = 0;
	outcome->result = run_well(task, &hooks);
}

static void check_same_outcome(const struct outcome *a, const struct outcome *b)
{
	ck_assert_int_eq(a->result.stop, b->result.stop);
	ck_assert_uint_eq(a->curve.count, b->curve.count);
	for (size_t i = 0; i < a->curve.count; i++) {
		struct train_point x = a->curve.points[i], y = b->curve.points[i];

		x.seconds = y.seconds = x.elapsed = y.elapsed = 0;
		ck_assert_mem_eq(&x, &y, sizeof x);
	}
}

/* The task's rows on shelves, which must stay where they are. */
static void put_away(struct task *task, struct train_data rows[2], struct shelf shelves[2])
{
	rows[0] = task->data;
	rows[1] = task->validation;
	shelve(&shelves[0], &rows[0]);
	shelve(&shelves[1], &rows[1]);
	task->data = (struct train_data){ .rows = rows[0].rows, .reader = &shelves[0].reader };
	if (rows[1].rows)
		task->validation = (struct train_data){ .rows = rows[1].rows, .reader = &shelves[1].reader };
}

static void take_back(struct task *task, const struct train_data rows[2])
{
	task->data = rows[0];
	task->validation = rows[1];
}

static void check_variant(const struct variant *v)
{
	struct task memory = variant_new(v), streamed = variant_new(v);
	static struct outcome expected, found;
	struct train_data rows[2];
	struct shelf shelves[2];

	run_task(&memory, &expected);
	put_away(&streamed, rows, shelves);
	run_task(&streamed, &found);
	ck_assert_uint_gt(shelves[0].calls, 0);
	ck_assert_int_eq(shelves[1].calls > 0, v->validation > 0);
	ck_assert_int_eq(shelves[0].ahead > 0, v->rows > WINDOW);
	check_same_bits(&memory, &streamed);
	check_same_outcome(&expected, &found);
	take_back(&streamed, rows);
	task_free(&memory);
	task_free(&streamed);
}

START_TEST(every_optimizer_ends_in_the_same_bits)
{
	const struct optimizer *optimizer;

	for (size_t i = 0; (optimizer = optim_at(i)); i++) {
		struct variant v = { optimizer->name, 9000, optimizer->iterate ? 0 : BATCH, VALIDATION, true,
			true, true, 1 };

		check_variant(&v);
	}
}
END_TEST

START_TEST(so_do_many_windows)
{
	static const struct variant variants[] = {
		{ "adam", ROWS, BATCH, 0, true, false, false, 1 },
		{ "adam", ROWS, BATCH, VALIDATION, true, true, false, 3 },
		{ "adam", ROWS, BATCH, VALIDATION, false, true, false, 1 },
		{ "sgd", ROWS, BATCH, VALIDATION, true, false, true, 1 },
		{ "rprop", ROWS, 0, 0, true, true, false, 2 },
		{ "adam", ROWS, WINDOW + 5, 0, true, false, false, 1 }, /* a batch larger than a window */
		{ "adam", WINDOW, BATCH, 0, true, false, false, 1 },
		{ "adam", WINDOW + 1, BATCH, 0, true, false, false, 1 },
	};

	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		check_variant(&variants[i]);
}
END_TEST

START_TEST(so_do_few_rows)
{
	static const struct variant variants[] = {
		{ "adam", 1, 1, 1, true, false, false, 1 },
		{ "adam", 70, 20, 300, true, true, true, 1 },
		{ "adam", 70, 20, 300, false, false, true, 2 },
		{ "adam", 70, 0, 300, false, false, false, 1 },
		{ "lbfgs", 70, 0, 300, true, false, false, 1 },
	};

	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		check_variant(&variants[i]);
}
END_TEST

/* Only one of the two on a shelf. */
START_TEST(one_of_the_two_may_be_in_memory)
{
	const struct variant v = { "adam", 9000, 100, VALIDATION, true, false, false, 1 };
	struct task memory = variant_new(&v);
	struct train_data rows[2];
	struct shelf shelves[2];

	run_well(&memory, NULL);
	for (int which = 0; which < 2; which++) {
		struct task mixed = variant_new(&v);

		put_away(&mixed, rows, shelves);
		*(which ? &mixed.data : &mixed.validation) = rows[!which];
		run_well(&mixed, NULL);
		check_same_bits(&memory, &mixed);
		take_back(&mixed, rows);
		task_free(&mixed);
	}
	task_free(&memory);
}
END_TEST

/* Stopped while a window is read, in the middle of an epoch; saved; gone on with in memory, and from a shelf. */
START_TEST(either_goes_on_where_the_other_stopped)
{
	const struct variant v = { "adam", ROWS, BATCH, VALIDATION, true, true, true, 1 };
	struct task through = variant_new(&v), first = variant_new(&v);
	struct train_data rows[2];
	struct shelf shelves[2];
	atomic_int stop = 0;
	struct train_hooks hooks = { .stop = &stop };
	struct train_result result;
	struct trainer *trainer;
	unsigned char *bytes;
	size_t size;
	struct err e;

	run_well(&through, NULL);
	put_away(&first, rows, shelves);
	shelves[0].stop = &stop;
	shelves[0].stop_at = SHUFFLE_WINDOW_BLOCKS + 1; /* the second window */
	trainer = trainer_of(&first);
	size = trainer_state_bytes(trainer);
	bytes = malloc(size);
	OK(trainer_run(trainer, &hooks, &result, &e), e);
	ck_assert_int_eq(result.stop, TRAIN_STOPPED);
	ck_assert_uint_eq(result.last.epoch, 0);
	trainer_save(trainer, bytes);
	trainer_free(trainer);
	take_back(&first, rows);
	task_free(&first);
	for (int shelved = 0; shelved < 2; shelved++) {
		struct task second = variant_new(&v);

		if (shelved) put_away(&second, rows, shelves);
		memset(net_block(second.net), 0, net_parameters(second.net) * sizeof(real));
		trainer = trainer_of(&second);
		OK(trainer_load(trainer, bytes, size, &e), e);
		OK(trainer_run(trainer, NULL, &result, &e), e);
		check_same_bits(&second, &through);
		trainer_free(trainer);
		if (shelved) take_back(&second, rows);
		task_free(&second);
	}
	task_free(&through);
	free(bytes);
}
END_TEST

/* In the first window, in the second, in an epoch after the first, and in the validation. */
START_TEST(an_error_ends_the_run)
{
	const struct variant v = { "adam", ROWS, BATCH, VALIDATION, true, false, false, 1 };
	const size_t blocks = ROWS / SHUFFLE_BLOCK_ROWS + 1;
	const size_t fail_at[][2] = { { 1, 0 }, { SHUFFLE_WINDOW_BLOCKS + 1, 0 }, { blocks + 1, 0 }, { 0, 1 },
		{ 0, 3 } };

	for (size_t i = 0; i < sizeof fail_at / sizeof *fail_at; i++) {
		struct task task = variant_new(&v);
		struct train_data rows[2];
		struct shelf shelves[2];
		struct train_result result;
		struct err e;

		put_away(&task, rows, shelves);
		shelves[0].fail_at = fail_at[i][0];
		shelves[1].fail_at = fail_at[i][1];
		ck_assert_int_eq(run(&task, NULL, &result, &e), ERR_IO);
		ck_assert_str_eq(e.text, BROKEN_TEXT);
		ck_assert_int_eq(result.stop, TRAIN_UNREAD);
		ck_assert_uint_eq(result.last.epoch, i == 2 || i == 4);
		take_back(&task, rows);
		task_free(&task);
	}
}
END_TEST

/* One window and no more, however many rows there are. */
START_TEST(memory_does_not_grow_with_the_rows)
{
	struct task task = task_new(8, 10, 0);
	struct train_reader reader = { 0 };
	struct train_data many = { .rows = 10000000, .reader = &reader },
			  more = { .rows = 40000000, .reader = &reader };
	size_t window = WINDOW * ((INPUTS + CLASSES) * sizeof(real) + sizeof(uint32_t)), taken;

	task.config.objectives = &task.objective;
	taken = trainer_bytes(task.net, &task.config, &many, NULL);
	ck_assert_uint_ge(taken, window);
	ck_assert_uint_lt(taken, window + (1 << 20));
	ck_assert_uint_lt(trainer_bytes(task.net, &task.config, &more, NULL), taken + (1 << 20));
	reader.weighted = true;
	ck_assert_uint_ge(trainer_bytes(task.net, &task.config, &many, NULL), taken + WINDOW * sizeof(real));
	task_free(&task);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_optimizer_ends_in_the_same_bits, so_do_many_windows,
		so_do_few_rows, one_of_the_two_may_be_in_memory, either_goes_on_where_the_other_stopped,
		an_error_ends_the_run, memory_does_not_grow_with_the_rows, NULL };

	return suite_main("core_train_reader", tests, 120);
}
