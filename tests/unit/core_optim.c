/* core_optim.c - the first steps of each optimizer against numbers worked out by hand. */
#include <math.h>
#include <string.h>

#include "core/optim.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define N 1003

struct state {
	real w[N], moments[OPTIM_MOMENTS_MAX][N];
};

static void step(struct state *s, const char *name, const real *g, size_t from, size_t to, uint64_t number,
		double rate)
{
	const struct optimizer *optimizer = optim_find(name);
	real *moments[OPTIM_MOMENTS_MAX];
	double params[PARAMS_MAX];

	ck_assert_ptr_nonnull(optimizer);
	params_fallback(optimizer->params, params);
	for (size_t i = 0; i < OPTIM_MOMENTS_MAX; i++)
		moments[i] = i < optimizer->moments ? s->moments[i] : NULL;
	optimizer->step(s->w, g, moments, from, to, number, rate, params);
}

START_TEST(sgd_by_hand)
{
	struct state s = { .w = { 1, -2 } };

	step(&s, "sgd", (real[]){ 0.5f, -4 }, 0, 2, 1, 0.1);
	ck_assert_double_eq_tol((double)s.w[0], 0.95, 1e-7);
	ck_assert_double_eq_tol((double)s.w[1], -1.6, 1e-7);
}
END_TEST

START_TEST(momentum_by_hand)
{
	struct state s = { .w = { 1 } };

	step(&s, "momentum", (real[]){ 2 }, 0, 1, 1, 0.1); /* v = 2 */
	ck_assert_double_eq_tol((double)s.w[0], 0.8, 1e-7);
	step(&s, "momentum", (real[]){ 1 }, 0, 1, 2, 0.1); /* v = 0.9 * 2 + 1 = 2.8 */
	ck_assert_double_eq_tol((double)s.w[0], 0.52, 1e-7);
	step(&s, "momentum", (real[]){ 0 }, 0, 1, 3, 0.1); /* v = 2.52 */
	ck_assert_double_eq_tol((double)s.w[0], 0.268, 1e-6);
}
END_TEST

/* Step 1: m_hat = g, v_hat = g^2, so the weight moves by the rate. Step 2 with g = 1 after g = 2:
 * m_hat = (0.9 * 0.2 + 0.1) / (1 - 0.81) = 1.473684, v_hat = (0.999 * 0.004 + 0.001) / (1 - 0.998001) = 2.499250,
 * so it moves by 0.1 * 1.473684 / 1.580901. */
START_TEST(adam_by_hand)
{
	struct state s = { .w = { 1 } };

	step(&s, "adam", (real[]){ 2 }, 0, 1, 1, 0.1);
	ck_assert_double_eq_tol((double)s.w[0], 0.9, 1e-6);
	ck_assert_double_eq_tol((double)s.moments[0][0], 0.2, 1e-7);
	ck_assert_double_eq_tol((double)s.moments[1][0], 0.004, 1e-8);
	step(&s, "adam", (real[]){ 1 }, 0, 1, 2, 0.1);
	ck_assert_double_eq_tol((double)s.w[0], 0.9 - 0.1 * 1.4736842 / 1.5809014, 1e-6);
}
END_TEST

/* epsilon is added to the corrected root: with g = 1e-8 a first step is half the rate. */
START_TEST(adam_epsilon_is_outside_the_root)
{
	struct state s = { .w = { 1 } };

	step(&s, "adam", (real[]){ 1e-8f }, 0, 1, 1, 0.1);
	ck_assert_double_eq_tol((double)s.w[0], 0.95, 1e-4);
}
END_TEST

/* Ranges of one block may be done by different threads. */
START_TEST(ranges_give_the_same_bits)
{
	real *g = random_numbers(N, 4);

	for (size_t o = 0; optim_at(o); o++) {
		static struct state whole, parts;
		const char *name = optim_at(o)->name;

		memset(&whole, 0, sizeof whole);
		memset(&parts, 0, sizeof parts);
		for (uint64_t number = 1; number <= 3; number++) {
			step(&whole, name, g, 0, N, number, 0.01);
			step(&parts, name, g, 500, N, number, 0.01);
			step(&parts, name, g, 0, 17, number, 0.01);
			step(&parts, name, g, 17, 500, number, 0.01);
		}
		ck_assert_msg(!memcmp(&whole, &parts, sizeof whole), "%s", name);
	}
	free(g);
}
END_TEST

/* A dead unit's moments used to stay denormal for ever, which made every later step many times slower. */
START_TEST(moments_of_dead_units_reach_zero)
{
	for (size_t o = 0; optim_at(o); o++) {
		static struct state s;

		memset(&s, 0, sizeof s);
		step(&s, optim_at(o)->name, (real[]){ 1e-3f }, 0, 1, 1, 0.01);
		for (uint64_t number = 2; number < 3000; number++)
			step(&s, optim_at(o)->name, (real[]){ 0 }, 0, 1, number, 0.01);
		ck_assert_msg(s.moments[0][0] == 0, "%s", optim_at(o)->name);
		ck_assert(isfinite(s.w[0]));
	}
}
END_TEST

START_TEST(ranges_of_the_parameters)
{
	for (size_t o = 0; optim_at(o); o++) {
		const struct param *rate = &optim_at(o)->params[0];

		ck_assert_ptr_eq(optim_find(optim_at(o)->name), optim_at(o));
		ck_assert_str_eq(rate->name, "learning_rate");
		ck_assert(!param_allows(rate, 0) && !param_allows(rate, -1) && !param_allows(rate, NAN));
		ck_assert(param_allows(rate, 1e3) && !param_allows(rate, 1001));
		for (size_t p = 0; p < params_count(optim_at(o)->params); p++)
			ck_assert(param_allows(&optim_at(o)->params[p], optim_at(o)->params[p].fallback));
	}
	ck_assert(!param_allows(&optim_find("adam")->params[1], 1));
	ck_assert(!param_allows(&optim_find("momentum")->params[1], 1));
	ck_assert_ptr_null(optim_find("adamw"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { sgd_by_hand, momentum_by_hand, adam_by_hand,
		adam_epsilon_is_outside_the_root, ranges_give_the_same_bits, moments_of_dead_units_reach_zero,
		ranges_of_the_parameters, NULL };

	return suite_main("core_optim", tests, 20);
}
