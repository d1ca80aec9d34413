/* core_activation.c - the tables of activations and initializers, and float32's exp, tanh and logistic function
 * against libm's in double.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/realmath.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define ULPS             2.0
#define ULPS_SIGMOID     3.0
#define ULPS_EXPM1       4.0
#define ULPS_EXP         7.0 /* a square, which doubles what is wrong with the root */
#define ULPS_NORMAL      10.0
#define ULPS_NORMAL_TAIL 100.0 /* x^2/2 itself is rounded: an error of 36 * 6e-8 of e^(-x^2/2) at x = -12 */

/* How many units in the last place `got` is away from `want`. */
static double ulps(float got, double want)
{
	double unit = ldexp(1, ilogb(want) - 23);

	return fabs((double)got - want) / unit;
}

static double worst(float (*f)(float), double (*reference)(double), float from, float to, int points)
{
	double most = 0;

	for (int i = 0; i <= points; i++) {
		float x = from + (to - from) * (float)i / (float)points;

		if (x != 0) most = fmax(most, ulps(f(x), reference((double)x)));
	}
	return most;
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double normal_below(double x)
{
	return 0.5 * erfc(-x / sqrt(2));
}

START_TEST(transcendentals_are_exact_to_a_few_ulps)
{
	ck_assert_double_le(worst(real_exp_negative, exp, -86.9f, 0, 2000000), ULPS);
	ck_assert_double_le(worst(real_tanh, tanh, -12, 12, 2000000), ULPS);
	ck_assert_double_le(worst(real_tanh, tanh, -1e-3f, 1e-3f, 100000), ULPS);
	ck_assert_double_le(worst(real_sigmoid, sigmoid, -86, 30, 2000000), ULPS_SIGMOID);
	ck_assert_double_le(worst(real_log1p_unit, log1p, 0, 1, 1000000), ULPS);
	ck_assert_double_le(worst(real_log1p_unit, log1p, 0, 1e-6f, 100000), ULPS);
	ck_assert_double_le(worst(real_expm1_negative, expm1, -86, 0, 2000000), ULPS_EXPM1);
	ck_assert_double_le(worst(real_expm1_negative, expm1, -1e-3f, 0, 100000), ULPS_EXPM1);
	ck_assert_double_le(worst(real_exp, exp, -86.9f, 88.7f, 2000000), ULPS_EXP);
	ck_assert_double_le(worst(real_normal_below, normal_below, -4, 12, 2000000), ULPS_NORMAL);
	ck_assert_double_le(worst(real_normal_below, normal_below, -12, -4, 1000000), ULPS_NORMAL_TAIL);
}
END_TEST

START_TEST(transcendentals_at_the_ends)
{
	ck_assert(real_exp_negative(0) == 1);
	ck_assert(real_exp_negative(-1000) == 0);
	ck_assert(real_exp_negative(-INFINITY) == 0);
	ck_assert(isnan(real_exp_negative(NAN)));
	ck_assert(real_tanh(0) == 0);
	ck_assert(real_tanh(FLT_MAX) == 1);
	ck_assert(real_tanh(-INFINITY) == -1);
	ck_assert(isnan(real_tanh(NAN)));
	ck_assert(real_sigmoid(0) == 0.5f);
	ck_assert(real_sigmoid(1e30f) == 1);
	ck_assert(real_sigmoid(-1e30f) == 0);
	ck_assert(isnan(real_sigmoid(NAN)));
	ck_assert(real_exp(0) == 1 && real_exp(-1000) == 0);
	ck_assert(isfinite(real_exp(88.72f)) && isinf(real_exp(88.73f)) && isinf(real_exp(1e4f)));
	ck_assert(isnan(real_exp(NAN)));
	ck_assert(real_expm1_negative(0) == 0 && real_expm1_negative(-1e30f) == -1);
	ck_assert(isnan(real_expm1_negative(NAN)));
	ck_assert(real_log1p_unit(0) == 0 && isnan(real_log1p_unit(NAN)));
	ck_assert(real_normal_below(1e30f) == 1 && real_normal_below(-1e30f) == 0);
	ck_assert(isnan(real_normal_below(NAN)));
}
END_TEST

static void apply(const char *name, const real *z, real *a, size_t rows, size_t units)
{
	const struct activation *f = activation_find(name);
	double params[PARAMS_MAX];

	ck_assert_ptr_nonnull(f);
	params_fallback(f->params, params);
	f->forward(z, a, rows, units, params);
}

START_TEST(softmax_rows_sum_to_one)
{
	real *z = random_numbers(50 * 7, 1), *a = malloc(50 * 7 * sizeof *a);

	ck_assert_ptr_nonnull(a);
	apply("softmax", z, a, 50, 7);
	for (size_t b = 0; b < 50; b++) {
		double sum = 0;

		for (size_t u = 0; u < 7; u++) {
			ck_assert(a[b * 7 + u] > 0);
			sum += (double)a[b * 7 + u];
		}
		ck_assert_double_eq_tol(sum, 1, 1e-6);
	}
	free(z);
	free(a);
}
END_TEST

START_TEST(softmax_survives_large_inputs)
{
	const real z[9] = { 1e4f, -1e4f, 0, -1e4f, -1e4f, -1e4f, 1e4f, 1e4f, -1e4f };
	real a[9];

	apply("softmax", z, a, 3, 3);
	ck_assert(a[0] == 1 && a[1] == 0 && a[2] == 0);
	for (size_t u = 3; u < 6; u++)
		ck_assert_double_eq_tol((double)a[u], 1.0 / 3, 1e-7);
	ck_assert(a[6] == 0.5f && a[7] == 0.5f && a[8] == 0);
}
END_TEST

START_TEST(forward_by_hand)
{
	const real z[3] = { -2, 0, 3 };
	real a[3];

	apply("linear", z, a, 1, 3);
	ck_assert(a[0] == -2 && a[1] == 0 && a[2] == 3);
	apply("relu", z, a, 1, 3);
	ck_assert(a[0] == 0 && a[1] == 0 && a[2] == 3);
	apply("leaky_relu", z, a, 1, 3);
	ck_assert(a[0] == -2 * 0.01f && a[1] == 0 && a[2] == 3);
	memcpy(a, z, sizeof a); /* in place */
	apply("sigmoid", a, a, 1, 3);
	ck_assert_double_eq_tol((double)a[0], 0.11920292202211755, 1e-7);
	ck_assert_double_eq_tol((double)a[2], 0.9525741268224334, 1e-7);
	apply("tanh", z, a, 1, 3);
	ck_assert_double_eq_tol((double)a[0], -0.9640275800758169, 1e-7);
	ck_assert_double_eq_tol((double)a[2], 0.9950547536867305, 1e-7);
}
END_TEST

/* A weighted input that is not a number has to reach the loss, or divergence would go unseen. */
START_TEST(every_activation_passes_nan_on)
{
	const struct activation *f;

	for (size_t i = 0; (f = activation_at(i)); i++) {
		const real z[4] = { NAN, 1, 2, 3 }; /* maxout has two pieces a unit */
		real a[2];

		apply(f->name, z, a, 1, 2);
		ck_assert_msg(isnan(a[0]), "%s", f->name);
	}
}
END_TEST

START_TEST(tables_are_complete)
{
	static const char *const names[] = { "linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu",
		"softplus", "sigmoid", "hard_sigmoid", "tanh", "softsign", "softmax", "exponential", "step",
		"prelu", "maxout" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		ck_assert_ptr_nonnull(activation_find(names[i]));
	ck_assert_ptr_null(activation_find("gelly"));
	ck_assert_ptr_null(activation_find(""));
	for (size_t i = 0; activation_at(i); i++) {
		const struct activation *f = activation_at(i);

		ck_assert_ptr_eq(activation_find(f->name), f);
		ck_assert(f->formula && f->derivative && f->range && f->source && f->forward && f->backward);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { transcendentals_are_exact_to_a_few_ulps, transcendentals_at_the_ends,
		softmax_rows_sum_to_one, softmax_survives_large_inputs, forward_by_hand,
		every_activation_passes_nan_on, tables_are_complete, NULL };

	return suite_main("core_activation", tests, 60);
}
