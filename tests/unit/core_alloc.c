/* core_alloc.c - training and predicting allocate nothing once they are under way.
 *
 * The test brings its own malloc and relatives, which count and hand on to glibc's. A sanitizer has its own as
 * well, so under one there is nothing to count and the test says so by its exit status.
 */
#include <errno.h>
#include <stdatomic.h>

#include "core/explain.h"
#include "core/train.h"
#include "tests/unit/engine.h"
#include "tests/unit/own_malloc.h"
#include "tests/unit/suite.h"

#ifndef SANITIZED

static atomic_ulong allocations, bytes_taken;

static void note_bytes(size_t size)
{
	atomic_fetch_add(&allocations, 1);
	atomic_fetch_add(&bytes_taken, size);
}

void *malloc(size_t size)
{
	note_bytes(size);
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	note_bytes(count * size);
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	note_bytes(size);
	return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	note_bytes(size);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	note_bytes(size);
	*out = __libc_memalign(alignment, size);
	return *out ? 0 : ENOMEM;
}

#define EPOCHS 6

/* How many allocations there had been at the end of each epoch. */
struct counts {
	unsigned long at[EPOCHS];
};

static void note(void *self, const struct train_point *point)
{
	struct counts *counts = self;

	counts->at[point->epoch - 1] = atomic_load(&allocations);
}

START_TEST(the_counter_counts)
{
	unsigned long before = atomic_load(&allocations), after;
	void *volatile kept = malloc(10), *volatile aligned = aligned_alloc(64, 64);

	after = atomic_load(&allocations);
	ck_assert_uint_eq(after, before + 2);
	free(kept);
	free(aligned);
}
END_TEST

static void note_health(void *self, const struct train_point *point, const struct train_health *layers)
{
	(void)self, (void)point, (void)layers;
}

/* Everything that a run may use: shuffling, dropout, noise, penalties, limits, averages, validation, early stopping, a
 * general loss, normalizations, health. */
static void check_epochs(const char *optimizer)
{
	struct layer_spec layers[2] = { layer_of(20, "relu"), layer_of(3, "softmax") };
	real *x = random_numbers(200 * 7, 1), *y = random_classes(200, 3, 2);
	struct train_data data = { .x = x, .y = y, .rows = 150, .weights = y };
	struct train_data validation = { .x = x + 150 * 7, .y = y + 150 * 3, .rows = 50 };
	struct objective objective = objective_of("binary_cross_entropy");
	struct train_config config = { .epochs = EPOCHS,
		.shuffle = true,
		.target_loss = 0,
		.max_seconds = 100,
		.patience = EPOCHS,
		.restore_best = true,
		.input_noise = 0.01,
		.input_dropout = 0.01,
		.ema_decay = 0.9,
		.schedule = schedule_find("reduce_on_plateau"),
		.optimizer = optim_find(optimizer),
		.objectives = &objective };
	struct counts counts = { 0 };
	struct train_hooks hooks = { .self = &counts, .epoch = note, .health = note_health };
	struct train_result result;
	struct trainer *trainer;
	unsigned long before, after;
	struct net *net;
	struct err e;
	int rc;

	objective.category = true;
	params_fallback(config.schedule->params, config.schedule_params);
	params_fallback(config.optimizer->params, config.optimizer_params);
	if (!config.optimizer->iterate) {
		config.batch_size = 32;
		config.accumulate = 2;
		config.gradient_clip_value = config.gradient_clip_norm = 1;
		config.gradient_noise = 1e-4;
	}
	layers[0].dropout = 0.2;
	layers[0].l1 = layers[0].l2 = 1e-4;
	layers[0].normalization = NORMALIZATION_BATCH;
	layers[0].max_norm = 3;
	OK(net_new(&net, 7, layers, 2, &e), e);
	net_init(net, 1);
	OK(trainer_new(&trainer, net, &config, &data, &validation, test_engine(), NULL, &e), e);
	before = atomic_load(&allocations);
	rc = trainer_run(trainer, &hooks, &result, &e); /* no check in between: Check allocates */
	after = atomic_load(&allocations);
	OK(rc, e);
	ck_assert_uint_eq(after, before);
	ck_assert_uint_gt(result.last.epoch, 0);
	for (size_t i = 0; i < result.last.epoch; i++)
		ck_assert_uint_eq(counts.at[i], before);
	trainer_free(trainer);
	net_free(net);
	free(x);
	free(y);
}

START_TEST(an_epoch_allocates_nothing)
{
	const struct optimizer *optimizer;

	for (size_t i = 0; (optimizer = optim_at(i)); i++)
		check_epochs(optimizer->name);
}
END_TEST

/* What trainer_bytes says is what trainer_new takes. */
START_TEST(the_memory_of_a_trainer_is_what_it_says)
{
	struct layer_spec layers[2] = { layer_of(50, "relu"), layer_of(3, "softmax") };
	real *x = random_numbers(200 * 7, 1), *y = random_classes(200, 3, 2);
	const struct train_reader reader = { .weighted = true };
	const struct train_data kinds[] = { { .x = x, .y = y, .rows = 200, .weights = y },
		{ .rows = 9000, .reader = &reader } };
	struct objective objective = objective_of("cross_entropy");
	const struct gemm_engine *engine = test_engine();
	const struct optimizer *optimizer;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	objective.category = true;
	OK(net_new(&net, 7, layers, 2, &e), e);
	for (size_t i = 0; (optimizer = optim_at(i)); i++) {
		struct train_config config = { .epochs = 1,
			.shuffle = true,
			.batch_size = optimizer->iterate ? 0 : 10,
			.accumulate = optimizer->iterate ? 0 : 2,
			.ema_decay = 0.5,
			.patience = i % 2,
			.restore_best = true,
			.optimizer = optimizer,
			.objectives = &objective };
		size_t before, taken;
		int rc;

		params_fallback(optimizer->params, config.optimizer_params);
		for (size_t t = 0; t < 4; t++) { /* either of the two, also to validate on */
			const struct train_data *data = &kinds[t % 2], *validation = t < 2 ? NULL : &kinds[1];

			before = atomic_load(&bytes_taken);
			rc = trainer_new(&trainer, net, &config, data, validation, engine, NULL, &e);
			taken = atomic_load(&bytes_taken) - before;
			OK(rc, e);
			ck_assert_uint_eq(taken, trainer_bytes(net, &config, data, validation));
			trainer_free(trainer);
		}
	}
	net_free(net);
	free(x);
	free(y);
}
END_TEST

START_TEST(a_prediction_allocates_nothing)
{
	struct layer_spec layers[2] = { layer_of(20, "tanh"), layer_of(3, "softmax") };
	real *x = random_numbers(64 * 7, 1);
	struct net_work *work;
	unsigned long before, after;
	struct net *net;
	const real *y;
	struct err e;

	OK(net_new(&net, 7, layers, 2, &e), e);
	OK(net_work_new(&work, net, 64, false, test_engine(), NULL, &e), e);
	before = atomic_load(&allocations);
	for (size_t batch = 1; batch <= 64; batch++)
		net_forward(net, work, x, batch, &y);
	after = atomic_load(&allocations);
	ck_assert_uint_eq(after, before);
	net_work_free(work);
	net_free(net);
	free(x);
}
END_TEST

START_TEST(an_explanation_allocates_nothing)
{
	struct layer_spec layers[2] = { layer_of(20, "relu"), layer_of(3, "softmax") };
	real *x = random_numbers(9 * 7, 1);
	unsigned long before, after;
	struct explainer *explainer;
	struct explanation found;
	struct net *net;
	size_t bytes;
	struct err e;

	OK(net_new(&net, 7, layers, 2, &e), e);
	net_init(net, 1);
	bytes = atomic_load(&bytes_taken);
	OK(explainer_new(&explainer, net, test_engine(), &e), e);
	bytes = atomic_load(&bytes_taken) - bytes;
	ck_assert_uint_le(bytes, explainer_bytes(net) * 101 / 100);
	ck_assert_uint_ge(bytes, explainer_bytes(net) * 9 / 10);
	before = atomic_load(&allocations);
	for (size_t row = 1; row < 9; row++)
		explain(explainer, x, x + row * 7, 1, &found);
	after = atomic_load(&allocations);
	ck_assert_uint_eq(after, before);
	explainer_free(explainer);
	net_free(net);
	free(x);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { the_counter_counts, an_epoch_allocates_nothing,
		the_memory_of_a_trainer_is_what_it_says, a_prediction_allocates_nothing,
		an_explanation_allocates_nothing, NULL };

	return suite_main("core_alloc", tests, 20);
}

#endif
