/* engine.h - what the tests of core share: small networks, random numbers, a team of threads. */
#ifndef TESTS_UNIT_ENGINE_H
#define TESTS_UNIT_ENGINE_H

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/gemm.h"
#include "core/net.h"
#include "core/rng.h"

/* Fails the test with the sentence in e when rc is not 0. */
#define OK(rc, e) ck_assert_msg((rc) == 0, "%s", (e).text)

/* The engine that the environment variable DESCENTD_GEMM names, which must be had; without it the fastest. */
static inline const struct gemm_engine *test_engine(void)
{
	const struct gemm_engine *engine;
	struct err e;

	OK(gemm_choose(&engine, getenv("DESCENTD_GEMM"), &e), e);
	return engine;
}

/* A layer with a bias and the activation's own defaults. */
static inline struct layer_spec layer_of(size_t units, const char *activation)
{
	struct layer_spec spec = { .units = units, .activation = activation_find(activation), .bias = true };

	ck_assert_ptr_nonnull(spec.activation);
	params_fallback(spec.activation->params, spec.activation_params);
	return spec;
}

/* The only head's loss, with its own defaults. */
static inline struct objective objective_of(const char *loss)
{
	struct objective objective = { .loss = loss_find(loss), .weight = 1 };

	ck_assert_ptr_nonnull(objective.loss);
	params_fallback(objective.loss->params, objective.params);
	return objective;
}

/* n normal numbers, new (free). */
static inline real *random_numbers(size_t n, uint64_t seed)
{
	struct rng_key key = { .seed = seed, .stream = RNG_TEST };
	real *numbers = malloc((n ? n : 1) * sizeof *numbers);

	ck_assert_ptr_nonnull(numbers);
	for (size_t i = 0; i < n; i++)
		numbers[i] = (real)rng_normal(&key, i);
	return numbers;
}

/* rows one-hot targets of `classes` classes, drawn at random; new (free). */
static inline real *random_classes(size_t rows, size_t classes, uint64_t seed)
{
	struct rng_key key = { .seed = seed, .stream = RNG_TEST, .epoch = 1 };
	real *targets = calloc(rows * classes, sizeof *targets);

	ck_assert_ptr_nonnull(targets);
	for (size_t b = 0; b < rows; b++)
		targets[b * classes + rng_below(&key, b, classes)] = 1;
	return targets;
}

/* A team that starts its threads anew at each call: slow, and enough for a test. */
#define TEAM_MAX 8

struct team_call {
	void (*work)(void *arg, int part, int parts);
	void *arg;
	int part, parts;
};

static inline void *team_thread(void *arg)
{
	struct team_call *call = arg;

	call->work(call->arg, call->part, call->parts);
	return NULL;
}

static inline void team_run(struct team *team, void (*work)(void *arg, int part, int parts), void *arg)
{
	struct team_call calls[TEAM_MAX];
	pthread_t threads[TEAM_MAX];

	for (int i = 1; i < team->threads; i++) {
		calls[i] = (struct team_call){ work, arg, i, team->threads };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, team_thread, &calls[i]), 0);
	}
	work(arg, 0, team->threads);
	for (int i = 1; i < team->threads; i++)
		pthread_join(threads[i], NULL);
}

static inline struct team team_of(int threads)
{
	return (struct team){ .threads = threads, .run = team_run };
}

#endif
