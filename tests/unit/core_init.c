/* core_init.c - the first weights: their moments, what they depend on, and that orthogonal ones are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/block.h"
#include "core/init.h"
#include "tests/unit/suite.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* With the default parameters, or with this first one; new (free). */
static real *drawn(const char *name, const double *param, size_t inputs, size_t units, uint64_t seed)
{
	const struct initializer *init = init_find(name);
	real *w = block_new(inputs * units);
	double params[PARAMS_MAX];

	ck_assert_msg(init != NULL, "%s", name);
	ck_assert_ptr_nonnull(w);
	params_fallback(init->params, params);
	if (param) params[0] = *param;
	init->fill(w, inputs, units, seed, 1, params);
	return w;
}

/* What the papers ask for, in a layer of 200 inputs and 300 units. kurtosis: 3 of a normal, 9/5 of a uniform draw. */
START_TEST(draws_have_their_moments)
{
	static const struct {
		const char *name;
		double param, variance, limit, kurtosis;
	} rows[] = {
		{ "glorot_uniform", 0, 2.0 / 500, 0.10954451150103323, 1.8 },
		{ "glorot_normal", 0, 2.0 / 500, INFINITY, 3 },
		{ "he_uniform", 0, 2.0 / 200, 0.17320508075688773, 1.8 },
		{ "he_normal", 0, 2.0 / 200, INFINITY, 3 },
		{ "lecun_uniform", 0, 1.0 / 200, 0.1224744871391589, 1.8 },
		{ "lecun_normal", 0, 1.0 / 200, INFINITY, 3 },
		{ "uniform", 0.3, 0.03, 0.3, 1.8 },
		{ "normal", 0.02, 0.0004, INFINITY, 3 },
		{ "orthogonal", 2, 4.0 / 300, 2, 3 },
	};
	double n = 200 * 300;

	for (size_t i = 0; i < COUNT(rows); i++) {
		double sum = 0, squares = 0, fourth = 0, largest = 0;
		real *w = drawn(rows[i].name, &rows[i].param, 200, 300, 5);

		for (size_t j = 0; j < 200 * 300; j++) {
			double x = (double)w[j];

			sum += x;
			squares += x * x;
			fourth += x * x * x * x;
			largest = fmax(largest, fabs(x));
		}
		ck_assert_msg(fabs(sum / n) < 4 * sqrt(rows[i].variance / n), "%s: mean %g", rows[i].name,
				sum / n);
		ck_assert_msg(fabs(squares / n / rows[i].variance - 1) < 0.03, "%s: variance %g",
				rows[i].name, squares / n);
		ck_assert_msg(fabs(fourth / n / rows[i].variance / rows[i].variance - rows[i].kurtosis) <
						0.12,
				"%s: kurtosis %g", rows[i].name,
				fourth / n / rows[i].variance / rows[i].variance);
		ck_assert_msg(largest <= rows[i].limit * (1 + 1e-6), "%s: %g", rows[i].name, largest);
		free(w);
	}
}
END_TEST

START_TEST(constants_are_exact)
{
	real *zeros = drawn("zeros", NULL, 7, 9, 5), *same = drawn("constant", &(double){ -0.25 }, 7, 9, 5);

	for (size_t i = 0; i < 7 * 9; i++)
		ck_assert(zeros[i] == 0 && same[i] == REAL(-0.25));
	free(zeros);
	free(same);
}
END_TEST

/* (the longer side, the shorter): the largest error of the products of any two columns, gain 1. */
static double worst_product(const real *w, size_t inputs, size_t units)
{
	bool tall = inputs >= units;
	size_t count = tall ? units : inputs, length = tall ? inputs : units;
	double worst = 0;

	for (size_t a = 0; a < count; a++)
		for (size_t b = 0; b <= a; b++) {
			double sum = 0;

			for (size_t k = 0; k < length; k++)
				sum += (double)(tall ? w[k * units + a] * w[k * units + b]
						     : w[a * units + k] * w[b * units + k]);
			worst = fmax(worst, fabs(sum - (a == b)));
		}
	return worst;
}

START_TEST(orthogonal_matrices_are)
{
	static const size_t shapes[][2] = { { 1, 1 }, { 1, 5 }, { 5, 1 }, { 2, 2 }, { 3, 3 }, { 7, 4 },
		{ 4, 7 }, { 64, 64 }, { 101, 67 }, { 67, 101 }, { 600, 40 }, { 40, 1100 }, { 300, 300 } };

	for (size_t i = 0; i < COUNT(shapes); i++) {
		size_t inputs = shapes[i][0], units = shapes[i][1];
		real *w = drawn("orthogonal", NULL, inputs, units, 3);
		double worst = worst_product(w, inputs, units);

		ck_assert_msg(worst < 20 * REAL_EPSILON, "(%zu, %zu): %g", inputs, units, worst);
		free(w);
	}
}
END_TEST

/* Every place of a matrix has the same distribution: over many seeds the mean of its square is 1 / side, of its
 * fourth power 3 / (side (side + 2)), as of a point spread evenly over the sphere. */
START_TEST(orthogonal_matrices_are_spread_evenly)
{
	enum { SIDE = 6, SEEDS = 20000 };
	double squares[SIDE * SIDE] = { 0 }, fourths[SIDE * SIDE] = { 0 }, mean[SIDE * SIDE] = { 0 };

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		real *w = drawn("orthogonal", NULL, SIDE, SIDE, seed);

		for (size_t i = 0; i < SIDE * SIDE; i++) {
			double square = (double)w[i] * (double)w[i];

			mean[i] += (double)w[i] / SEEDS;
			squares[i] += square / SEEDS;
			fourths[i] += square * square / SEEDS;
		}
		free(w);
	}
	for (size_t i = 0; i < SIDE * SIDE; i++) {
		ck_assert_msg(fabs(mean[i]) < 0.013, "%zu: mean %g", i, mean[i]);
		ck_assert_msg(fabs(squares[i] * SIDE - 1) < 0.05, "%zu: %g", i, squares[i]);
		ck_assert_msg(fabs(fourths[i] * SIDE * (SIDE + 2) / 3 - 1) < 0.1, "%zu: %g", i, fourths[i]);
	}
}
END_TEST

START_TEST(half_of_the_orthogonal_matrices_mirror)
{
	size_t mirrors = 0;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		real *w = drawn("orthogonal", NULL, 3, 3, seed);
		double determinant = 0;

		for (size_t i = 0; i < 3; i++) {
			size_t j = (i + 1) % 3, k = (i + 2) % 3;

			determinant += (double)(w[i] * (w[3 + j] * w[6 + k] - w[3 + k] * w[6 + j]));
		}
		ck_assert_double_eq_tol(fabs(determinant), 1, 1e-5);
		mirrors += determinant < 0;
		free(w);
	}
	ck_assert(mirrors > 400 && mirrors < 600);
}
END_TEST

/* With a QR decomposition such a layer once took minutes; now it is a fraction of a second. */
START_TEST(large_layers_are_quick)
{
	static const size_t shapes[][2] = { { 2048, 2048 }, { 1024, 4096 } };

	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct timespec from, to;
		real *w;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		w = drawn("orthogonal", NULL, shapes[i][0], shapes[i][1], 1);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
		free(w);
		ck_assert_int_lt(to.tv_sec - from.tv_sec, 10); /* sanitizers are slow */
	}
}
END_TEST

START_TEST(a_seed_and_a_layer_say_it_all)
{
	for (size_t i = 0; init_at(i); i++) {
		const struct initializer *init = init_at(i);
		bool random = strcmp(init->name, "zeros") != 0 && strcmp(init->name, "constant") != 0;
		real *one = drawn(init->name, NULL, 33, 20, 5), *two = drawn(init->name, NULL, 33, 20, 5);
		real *other = drawn(init->name, NULL, 33, 20, 6), *layer = drawn(init->name, NULL, 33, 20, 5);
		double params[PARAMS_MAX];

		params_fallback(init->params, params);
		init->fill(layer, 33, 20, 5, 2, params);
		ck_assert(!memcmp(one, two, 33 * 20 * sizeof *one));
		ck_assert_msg(random == !!memcmp(one, other, 33 * 20 * sizeof *one), "%s", init->name);
		ck_assert_msg(random == !!memcmp(one, layer, 33 * 20 * sizeof *one), "%s", init->name);
		free(one);
		free(two);
		free(other);
		free(layer);
	}
}
END_TEST

START_TEST(the_table_is_complete)
{
	static const char *const names[] = { "zeros", "constant", "uniform", "normal", "glorot_uniform",
		"glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal" };

	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_msg(init_find(names[i]) != NULL, "%s", names[i]);
	ck_assert_ptr_null(init_find("ones"));
	for (size_t i = 0; init_at(i); i++) {
		double params[PARAMS_MAX], value;

		ck_assert_ptr_eq(init_find(init_at(i)->name), init_at(i));
		ck_assert(init_at(i)->formula && init_at(i)->source && init_at(i)->fill);
		params_fallback(init_at(i)->params, params);
		ck_assert_uint_eq(params_refused(init_at(i)->params, params, &value),
				params_count(init_at(i)->params));
	}
}
END_TEST

START_TEST(what_suits_an_activation)
{
	ck_assert_str_eq(init_for(activation_find("relu"))->name, "he_normal");
	ck_assert_str_eq(init_for(activation_find("leaky_relu"))->name, "he_normal");
	ck_assert_str_eq(init_for(&(struct activation){ .name = "prelu" })->name, "he_normal");
	ck_assert_str_eq(init_for(activation_find("selu"))->name, "lecun_normal");
	ck_assert_str_eq(init_for(activation_find("tanh"))->name, "glorot_uniform");
	ck_assert_str_eq(init_for(activation_find("elu"))->name, "glorot_uniform");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { draws_have_their_moments, constants_are_exact, orthogonal_matrices_are,
		orthogonal_matrices_are_spread_evenly, half_of_the_orthogonal_matrices_mirror,
		large_layers_are_quick, a_seed_and_a_layer_say_it_all, the_table_is_complete,
		what_suits_an_activation, NULL };

	return suite_main("core_init", tests, 60);
}
