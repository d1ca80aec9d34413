/* f64_least_squares.c - one linear neuron trained to the end is linear regression: its weights are those of the
 * normal equations (X^T X) w = X^T y, solved here by elimination.
 */
#include <math.h>
#include <string.h>

#include "core/train.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define ROWS     442 /* the shape of examples/data/diabetes.csv */
#define FEATURES 10
#define UNKNOWNS (FEATURES + 1) /* the bias is the last */

struct sample {
	real x[ROWS * FEATURES], y[ROWS];
};

/* Features that depend on each other a little, and a target of them with noise. */
static struct sample *sample_new(void)
{
	struct sample *s = malloc(sizeof *s);
	real *drawn = random_numbers(ROWS * (FEATURES + 1), 21);

	ck_assert_ptr_nonnull(s);
	for (size_t b = 0; b < ROWS; b++) {
		const real *from = drawn + b * (FEATURES + 1);
		real *x = s->x + b * FEATURES;

		s->y[b] = 3 + from[FEATURES];
		for (size_t i = 0; i < FEATURES; i++) {
			x[i] = from[i] + (i ? 0.5 * from[i - 1] : 0);
			s->y[b] += ((double)i - 4.2) * x[i];
		}
	}
	free(drawn);
	return s;
}

/* Gaussian elimination with pivots on the largest; a (UNKNOWNS, UNKNOWNS + 1) is used up. */
static void solve(double a[UNKNOWNS][UNKNOWNS + 1], double w[UNKNOWNS])
{
	for (size_t c = 0; c < UNKNOWNS; c++) {
		size_t pivot = c;

		for (size_t r = c; r < UNKNOWNS; r++)
			if (fabs(a[r][c]) > fabs(a[pivot][c])) pivot = r;
		for (size_t k = 0; k <= UNKNOWNS; k++) {
			double swap = a[c][k];

			a[c][k] = a[pivot][k];
			a[pivot][k] = swap;
		}
		for (size_t r = c + 1; r < UNKNOWNS; r++) {
			double factor = a[r][c] / a[c][c];

			for (size_t k = c; k <= UNKNOWNS; k++)
				a[r][k] -= factor * a[c][k];
		}
	}
	for (size_t c = UNKNOWNS; c-- > 0;) {
		w[c] = a[c][UNKNOWNS];
		for (size_t k = c + 1; k < UNKNOWNS; k++)
			w[c] -= a[c][k] * w[k];
		w[c] /= a[c][c];
	}
}

static void normal_equations(const struct sample *s, double w[UNKNOWNS])
{
	double a[UNKNOWNS][UNKNOWNS + 1] = { 0 };

	for (size_t b = 0; b < ROWS; b++) {
		double row[UNKNOWNS + 1];

		for (size_t i = 0; i < FEATURES; i++)
			row[i] = s->x[b * FEATURES + i];
		row[FEATURES] = 1;
		row[UNKNOWNS] = s->y[b];
		for (size_t i = 0; i < UNKNOWNS; i++)
			for (size_t j = 0; j <= UNKNOWNS; j++)
				a[i][j] += row[i] * row[j];
	}
	solve(a, w);
}

static void train(
		const struct sample *s, const char *optimizer, double rate, uint64_t epochs, real w[UNKNOWNS])
{
	struct train_data data = { .x = s->x, .y = s->y, .rows = ROWS };
	struct objective objective = objective_of("mse");
	struct layer_spec layer = layer_of(1, "linear");
	struct train_config config = { .epochs = epochs,
		.target_loss = -1,
		.optimizer = optim_find(optimizer),
		.objectives = &objective };
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	params_fallback(config.optimizer->params, config.optimizer_params);
	config.optimizer_params[0] = rate;
	OK(net_new(&net, FEATURES, &layer, 1, &e), e);
	OK(trainer_new(&trainer, net, &config, &data, NULL, test_engine(), NULL, &e), e);
	OK(trainer_run(trainer, NULL, &result, &e), e);
	net_get_layer(net, 0, w, w + FEATURES);
	trainer_free(trainer);
	net_free(net);
}

static void check(const char *optimizer, double rate, uint64_t epochs, double tolerance)
{
	struct sample *s = sample_new();
	double expected[UNKNOWNS];
	real w[UNKNOWNS];

	normal_equations(s, expected);
	train(s, optimizer, rate, epochs, w);
	for (size_t i = 0; i < UNKNOWNS; i++)
		ck_assert_msg(fabs(w[i] - expected[i]) < tolerance, "%s: weight %zu is %.12g, not %.12g",
				optimizer, i, w[i], expected[i]);
	free(s);
}

START_TEST(sgd_finds_the_least_squares)
{
	check("sgd", 0.1, 1500, 1e-9);
}
END_TEST

START_TEST(momentum_finds_the_least_squares)
{
	check("momentum", 0.05, 500, 1e-9);
}
END_TEST

START_TEST(adam_finds_the_least_squares)
{
	check("adam", 0.05, 6000, 1e-6);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { sgd_finds_the_least_squares, momentum_finds_the_least_squares,
		adam_finds_the_least_squares, NULL };

	return suite_main("f64_least_squares", tests, 60);
}
