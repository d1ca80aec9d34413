/* core_alloc.c - training and predicting allocate nothing once they are under way.
 *
 * The test brings its own malloc and relatives, which count and hand on to glibc's. A sanitizer has its own as
 * well, so under one there is nothing to count and the test says so by its exit status.
 */
#include <errno.h>
#include <stdatomic.h>

#include "core/train.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define SANITIZED
#endif

#ifdef SANITIZED

#define SKIPPED 77 /* as tests/run.sh knows it */

int main(void)
{
	return SKIPPED;
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations;

void *malloc(size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	atomic_fetch_add(&allocations, 1);
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

/* Everything that a run may use: shuffling, dropout, penalties, validation, early stopping, a general loss. */
START_TEST(an_epoch_allocates_nothing)
{
	struct layer_spec layers[2] = { layer_of(20, "relu"), layer_of(3, "softmax") };
	real *x = random_numbers(200 * 7, 1), *y = random_classes(200, 3, 2);
	struct train_data data = { x, y, 150 }, validation = { x + 150 * 7, y + 150 * 3, 50 };
	struct train_config config = { .epochs = EPOCHS,
		.batch_size = 32,
		.shuffle = true,
		.target_loss = 0,
		.max_seconds = 100,
		.patience = EPOCHS,
		.restore_best = true,
		.classification = true };
	struct counts counts = { 0 };
	struct train_hooks hooks = { .self = &counts, .epoch = note };
	struct train_result result;
	struct trainer *trainer;
	unsigned long before, after;
	struct net *net;
	struct err e;
	int rc;

	config.optimizer = optim_find("adam");
	config.loss = loss_find("binary_cross_entropy");
	params_fallback(config.optimizer->params, config.optimizer_params);
	layers[0].dropout = 0.2;
	layers[0].l1 = layers[0].l2 = 1e-4;
	OK(net_new(&net, 7, layers, 2, &e), e);
	net_init(net, 1);
	OK(trainer_new(&trainer, net, &config, &data, &validation, test_engine(), NULL, &e), e);
	before = atomic_load(&allocations);
	rc = trainer_run(trainer, &hooks, &result, &e); /* no check in between: Check allocates */
	after = atomic_load(&allocations);
	OK(rc, e);
	ck_assert_uint_eq(after, before);
	ck_assert_uint_eq(result.last.epoch, EPOCHS);
	for (size_t i = 1; i < EPOCHS; i++)
		ck_assert_uint_eq(counts.at[i], counts.at[0]);
	ck_assert_uint_eq(counts.at[0], before);
	trainer_free(trainer);
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

int main(void)
{
	const TTest *const tests[] = { the_counter_counts, an_epoch_allocates_nothing,
		a_prediction_allocates_nothing, NULL };

	return suite_main("core_alloc", tests, 20);
}

#endif
