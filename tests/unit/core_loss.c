/* core_loss.c - loss values and gradients against numbers worked out by hand, and at the ends of float32. */
#include <math.h>
#include <string.h>

#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

static const double none[PARAMS_MAX]; /* no smoothing either */

static double value(const char *name, const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint)
{
	double params[PARAMS_MAX];

	params_fallback(loss_find(name)->params, params);
	return loss_find(name)->value(z, a, y, rows, units, joint, params);
}

START_TEST(mse_by_hand)
{
	const real a[4] = { 1, 2, 3, 4 }, y[4] = { 0, 2, 5, 3 };
	real g[4];

	/* rows' means: (1 + 0)/2 and (4 + 1)/2 */
	ck_assert_double_eq_tol(value("mse", a, a, y, 2, 2, false), 3.0, 1e-12);
	loss_find("mse")->gradient(a, a, y, g, 2, 2, false, none);
	ck_assert(g[0] == 0.5f && g[1] == 0 && g[2] == -1 && g[3] == 0.5f);
}
END_TEST

START_TEST(cross_entropy_by_hand)
{
	const real a[6] = { 0.5f, 0.25f, 0.25f, 0.125f, 0.125f, 0.75f }, y[6] = { 1, 0, 0, 0, 1, 0 };
	real g[6];

	/* log 2 + log 8 */
	ck_assert_double_eq_tol(
			value("cross_entropy", NULL, a, y, 2, 3, false), 4 * 0.6931471805599453, 1e-7);
	loss_find("cross_entropy")->gradient(NULL, a, y, g, 2, 3, false, none);
	ck_assert(g[0] == -1 && g[1] == 0 && g[4] == -4 && g[5] == 0);
	loss_find("cross_entropy")->gradient(NULL, a, y, g, 2, 3, true, none);
	ck_assert(g[0] == -0.25f && g[1] == 0.125f && g[4] == -0.4375f);
}
END_TEST

START_TEST(binary_cross_entropy_by_hand)
{
	const real a[2] = { 0.25f, 0.5f }, y[2] = { 1, 0.25f };
	real g[2];

	/* (log 4 + log 2) / 2 */
	ck_assert_double_eq_tol(value("binary_cross_entropy", NULL, a, y, 1, 2, false),
			1.5 * 0.6931471805599453, 1e-7);
	loss_find("binary_cross_entropy")->gradient(NULL, a, y, g, 1, 2, false, none);
	ck_assert_double_eq_tol((double)g[0], -2, 1e-6);  /* (0.25 - 1) / (0.25 * 0.75) / 2 */
	ck_assert_double_eq_tol((double)g[1], 0.5, 1e-6); /* (0.5 - 0.25) / 0.25 / 2 */
}
END_TEST

/* The joint forms take z and stay exact where a rounded probability says 0 or 1. */
START_TEST(joint_forms_at_large_inputs)
{
	const real z[3] = { 1e4f, 0, -1e4f }, y_right[3] = { 1, 0, 0 }, y_wrong[3] = { 0, 0, 1 };
	const real close[2] = { 20, 0 }, first[2] = { 1, 0 };
	const struct activation *softmax = activation_find("softmax"), *sigmoid = activation_find("sigmoid");
	real a[3];

	softmax->forward(z, a, 1, 3, NULL);
	ck_assert_double_eq_tol(value("cross_entropy", z, a, y_right, 1, 3, true), 0, 1e-12);
	ck_assert_double_eq_tol(value("cross_entropy", z, a, y_wrong, 1, 3, true), 2e4, 1e-3);
	softmax->forward(close, a, 1, 2, NULL);
	ck_assert_double_eq_tol(value("cross_entropy", close, a, first, 1, 2, true) * 1e9,
			log1p(exp(-20)) * 1e9, 1e-5); /* 2.06e-9: 1 - a is 0 in float32 */
	sigmoid->forward(z, a, 1, 3, NULL);
	ck_assert_double_eq_tol(value("binary_cross_entropy", z, a, y_wrong, 1, 3, true),
			(1e4 + log(2) + 1e4) / 3, 1e-3);
}
END_TEST

START_TEST(joint_and_plain_forms_agree)
{
	static const char *const pairs[][2] = { { "cross_entropy", "softmax" },
		{ "binary_cross_entropy", "sigmoid" } };
	real *z = random_numbers(40, 2), *y = random_classes(10, 4, 3), a[40], plain[40], joint[40];

	for (size_t p = 0; p < 2; p++) {
		const struct loss *loss = loss_find(pairs[p][0]);
		const struct activation *f = activation_find(pairs[p][1]);

		ck_assert(loss_is_joint(loss, f));
		ck_assert(!loss_is_joint(loss, activation_find("relu")));
		f->forward(z, a, 10, 4, NULL);
		ck_assert_double_eq_tol(loss->value(z, a, y, 10, 4, true, none),
				loss->value(z, a, y, 10, 4, false, none), 1e-4);
		loss->gradient(z, a, y, joint, 10, 4, true, none);
		loss->gradient(z, a, y, plain, 10, 4, false, none);
		f->backward(z, a, plain, plain, 10, 4, NULL);
		for (size_t i = 0; i < 40; i++)
			ck_assert_double_eq_tol((double)joint[i], (double)plain[i], 1e-6);
	}
	ck_assert(!loss_is_joint(loss_find("mse"), activation_find("softmax")));
	free(z);
	free(y);
}
END_TEST

/* The plain cross entropies meet probabilities of 0 and 1 and stay finite. */
START_TEST(plain_forms_are_clipped)
{
	const real a[2] = { 0, 1 }, y[2] = { 1, 0 };
	real g[2];

	for (size_t l = 0; l < 2; l++) {
		const struct loss *loss = loss_find(l ? "binary_cross_entropy" : "cross_entropy");
		double v = loss->value(NULL, a, y, 1, 2, false, none);

		ck_assert(v > 10 && v < 20); /* about -log 1e-7 */
		loss->gradient(NULL, a, y, g, 1, 2, false, none);
		ck_assert(isfinite(g[0]) && isfinite(g[1]) && g[0] < -1e6f);
	}
}
END_TEST

/* Finite at outputs of 1e4 and at 0, and a NaN is not lost in a comparison. */
START_TEST(every_loss_stays_finite)
{
	const real far[4] = { 1e4f, -1e4f, 0, 1 }, shares[4] = { 1, 0, 1e-38f, 0.5f }, y[4] = { 0, 1, 1, 0 };
	const struct loss *loss;

	for (size_t i = 0; (loss = loss_at(i)); i++) {
		bool log_of_a = loss->outputs[0] && strcmp(loss->outputs[0], "linear") != 0;
		const real *a = log_of_a ? shares : far, nan[4] = { NAN, NAN, NAN, NAN };
		double params[PARAMS_MAX];
		real g[4];

		params_fallback(loss->params, params);
		ck_assert_msg(isfinite(loss->value(a, a, y, 2, 2, false, params)), "%s", loss->name);
		loss->gradient(a, a, y, g, 2, 2, false, params);
		for (size_t j = 0; j < 4; j++)
			ck_assert_msg(isfinite(g[j]), "%s: gradient %zu", loss->name, j);
		ck_assert_msg(isnan(loss->value(nan, nan, y, 2, 2, false, params)), "%s of NaN", loss->name);
	}
}
END_TEST

START_TEST(the_table_says_what_it_is_for)
{
	ck_assert_uint_eq(loss_find("mse")->targets, LOSS_NUMBERS | LOSS_CATEGORIES);
	ck_assert_uint_eq(loss_find("cross_entropy")->targets, LOSS_CATEGORIES);
	ck_assert_uint_eq(loss_find("binary_cross_entropy")->targets, LOSS_NUMBERS | LOSS_CATEGORIES);
	ck_assert(loss_find("binary_cross_entropy")->target_min == 0);
	ck_assert(loss_find("binary_cross_entropy")->target_max == 1);
	ck_assert_uint_eq(loss_find("quantile")->targets, LOSS_NUMBERS);
	ck_assert(loss_find("poisson")->target_min == 0 && isinf(loss_find("poisson")->target_max));
	ck_assert(loss_takes(loss_find("hinge"), "tanh") && !loss_takes(loss_find("hinge"), "softmax"));
	ck_assert(loss_takes(loss_find("mae"), "tanh"));
	ck_assert_ptr_null(loss_find("hinges"));
	for (size_t i = 0; loss_at(i); i++)
		ck_assert_ptr_eq(loss_find(loss_at(i)->name), loss_at(i));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { mse_by_hand, cross_entropy_by_hand, binary_cross_entropy_by_hand,
		joint_forms_at_large_inputs, joint_and_plain_forms_agree, plain_forms_are_clipped,
		every_loss_stays_finite, the_table_says_what_it_is_for, NULL };

	return suite_main("core_loss", tests, 20);
}
