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
	params[0] = NAN; /* a step takes the rate it is given, which a schedule may have changed */
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

		if (!optim_at(o)->step) continue;
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

/* A dead unit's moments used to stay denormal for ever, which made every later step many times slower. Sums and
 * maxima stay; what decays reaches 0. */
START_TEST(moments_of_dead_units_reach_zero)
{
	for (size_t o = 0; optim_at(o); o++) {
		static struct state s;
		const char *name = optim_at(o)->name;

		if (!optim_at(o)->step) continue;
		memset(&s, 0, sizeof s);
		step(&s, name, (real[]){ 1e-3f }, 0, 1, 1, 0.01);
		for (uint64_t number = 2; number < 100000; number++) {
			step(&s, name, (real[]){ 0 }, 0, 1, number, 0.01);
			for (size_t i = 0; i < optim_at(o)->moments; i++)
				ck_assert_msg(fpclassify(s.moments[i][0]) != FP_SUBNORMAL, "%s", name);
		}
		if (strcmp(name, "adagrad") != 0) ck_assert_msg(s.moments[0][0] == 0, "%s", name);
		ck_assert(isfinite(s.w[0]));
	}
}
END_TEST

/* A gradient whose square is denormal, and one that is not there at all, leave nothing denormal and move nothing
 * to where it is not finite. */
START_TEST(small_gradients)
{
	static const real gradients[] = { 0, 1e-42f, 1e-25f, 1e-20f, -1e-20f, 1e-15f };

	for (size_t o = 0; optim_at(o); o++)
		for (size_t i = 0; i < sizeof gradients / sizeof gradients[0]; i++) {
			static struct state s;

			if (!optim_at(o)->step) continue;
			memset(&s, 0, sizeof s);
			for (uint64_t number = 1; number <= 10; number++)
				step(&s, optim_at(o)->name, &gradients[i], 0, 1, number, 0.01);
			ck_assert(isfinite(s.w[0]));
			for (size_t m = 0; m < optim_at(o)->moments; m++)
				ck_assert_msg(fpclassify(s.moments[m][0]) != FP_SUBNORMAL, "%s: %g",
						optim_at(o)->name, (double)gradients[i]);
		}
}
END_TEST

/* Training ends with a reason when a number is no longer finite: no optimizer may swallow it. */
START_TEST(nan_reaches_the_weight)
{
	for (size_t o = 0; optim_at(o); o++) {
		static struct state s;

		if (!optim_at(o)->step) continue;
		memset(&s, 0, sizeof s);
		step(&s, optim_at(o)->name, (real[]){ NAN, 1 }, 0, 2, 1, 0.01);
		ck_assert_msg(isnan(s.w[0]) && isfinite(s.w[1]) && s.w[1] < 0, "%s", optim_at(o)->name);
	}
}
END_TEST

START_TEST(nesterov_by_hand)
{
	struct state s = { .w = { 1 } };

	step(&s, "nesterov", (real[]){ 2 }, 0, 1, 1, 0.1); /* v = 2, step 2 + 0.9 * 2 = 3.8 */
	ck_assert_double_eq_tol((double)s.w[0], 0.62, 1e-7);
	step(&s, "nesterov", (real[]){ 1 }, 0, 1, 2, 0.1); /* v = 2.8, step 1 + 0.9 * 2.8 = 3.52 */
	ck_assert_double_eq_tol((double)s.w[0], 0.268, 1e-6);
}
END_TEST

/* The sign of 0.9 m + 0.1 g: after g = 2 the mean 0.02 outweighs g = -0.1, and g = -1 outweighs it. */
START_TEST(lion_by_hand)
{
	struct state s = { .w = { 1, 1 } };

	step(&s, "lion", (real[]){ 2, 0 }, 0, 2, 1, 0.25);
	ck_assert_double_eq((double)s.w[0], 0.75);
	ck_assert_double_eq((double)s.w[1], 1);
	step(&s, "lion", (real[]){ -0.1f, 0 }, 0, 2, 2, 0.25);
	ck_assert_double_eq((double)s.w[0], 0.5);
	step(&s, "lion", (real[]){ -1, 0 }, 0, 2, 3, 0.25);
	ck_assert_double_eq((double)s.w[0], 0.75);
}
END_TEST

/* A first step is the rate in whatever divides by the root of what it has just seen; rmsprop has seen a
 * hundredth of it, radam waits for a variance it can trust. */
START_TEST(first_steps_by_hand)
{
	static const struct {
		const char *name;
		double moved;
	} cases[] = { { "adagrad", 0.1 }, { "rmsprop", 1 }, { "adam", 0.1 }, { "adamw", 0.1 },
		{ "amsgrad", 0.1 }, { "adamax", 0.1 }, { "radam", 0.1 * 4 } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct state s = { 0 };

		step(&s, cases[i].name, (real[]){ 4 }, 0, 1, 1, 0.1);
		ck_assert_msg(fabs((double)s.w[0] + cases[i].moved) < 1e-6, "%s: %g", cases[i].name,
				(double)s.w[0]);
	}
}
END_TEST

START_TEST(ranges_of_the_parameters)
{
	for (size_t o = 0; optim_at(o); o++) {
		const struct param *rate = &optim_at(o)->params[0];

		ck_assert_ptr_eq(optim_find(optim_at(o)->name), optim_at(o));
		ck_assert(!optim_at(o)->step != !optim_at(o)->iterate); /* one of the two */
		ck_assert_str_eq(rate->name, "learning_rate");
		ck_assert(!param_allows(rate, 0) && !param_allows(rate, -1) && !param_allows(rate, NAN));
		ck_assert(param_allows(rate, 1e3) && !param_allows(rate, 1001));
		for (size_t p = 0; p < params_count(optim_at(o)->params); p++)
			ck_assert(param_allows(&optim_at(o)->params[p], optim_at(o)->params[p].fallback));
	}
	ck_assert(!param_allows(&optim_find("adam")->params[1], 1));
	ck_assert(!param_allows(&optim_find("momentum")->params[1], 1));
	ck_assert_ptr_null(optim_find("adamq"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { sgd_by_hand, momentum_by_hand, adam_by_hand, nesterov_by_hand,
		lion_by_hand, first_steps_by_hand, adam_epsilon_is_outside_the_root, small_gradients,
		nan_reaches_the_weight, ranges_give_the_same_bits, moments_of_dead_units_reach_zero,
		ranges_of_the_parameters, NULL };

	return suite_main("core_optim", tests, 20);
}
