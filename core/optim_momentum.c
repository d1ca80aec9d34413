/* optim_momentum.c - plain gradient descent and what adds a velocity to it: sgd, momentum, nesterov, and lion, which
 * takes the velocity's sign. Design and invariants: optim.c.
 */
#include "core/optim_step.h"
#include "core/wide.h"

WIDE static void sgd_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w;
	const real *restrict gradient = g;
	real rate = (real)learning_rate;

	(void)moments, (void)step, (void)params;
	for (size_t i = from; i < to; i++)
		weight[i] -= rate * gradient[i];
}

enum { MOMENTUM_RATE, MOMENTUM_DECAY };

WIDE static void momentum_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict velocity = moments[0];
	const real *restrict gradient = g;
	real rate = (real)learning_rate, decay = (real)params[MOMENTUM_DECAY];

	(void)step;
	for (size_t i = from; i < to; i++) {
		real v = optim_cut(decay * velocity[i] + gradient[i]);

		velocity[i] = v;
		weight[i] -= rate * v;
	}
}

/* The form that needs the gradient at w alone: the velocity is looked at one step ahead. */
WIDE static void nesterov_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict velocity = moments[0];
	const real *restrict gradient = g;
	real rate = (real)learning_rate, decay = (real)params[MOMENTUM_DECAY];

	(void)step;
	for (size_t i = from; i < to; i++) {
		real v = optim_cut(decay * velocity[i] + gradient[i]);

		velocity[i] = v;
		weight[i] -= rate * (gradient[i] + decay * v);
	}
}

enum { LION_RATE, LION_BETA_1, LION_BETA_2, LION_WEIGHT_DECAY };

/* The sign is that of a sharper mean than the one that is kept. */
WIDE static void lion_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict mean = moments[0];
	const real *restrict gradient = g;
	real rate = (real)learning_rate, keep = (real)(1 - learning_rate * params[LION_WEIGHT_DECAY]);
	real beta_1 = (real)params[LION_BETA_1], rest_1 = (real)(1 - params[LION_BETA_1]);
	real beta_2 = (real)params[LION_BETA_2], rest_2 = (real)(1 - params[LION_BETA_2]);

	(void)step;
	for (size_t i = from; i < to; i++) {
		real c = beta_1 * mean[i] + rest_1 * gradient[i];
		real not_positive = c < 0 ? -1 : c; /* 0 and NaN are what they are */
		real sign = c > 0 ? 1 : not_positive;

		mean[i] = optim_cut(beta_2 * mean[i] + rest_2 * gradient[i]);
		weight[i] = weight[i] * keep - rate * sign;
	}
}

const struct optimizer optim_momentum_rows[] = {
	{
			.name = "sgd",
			.formula = "w ← w - η g",
			.source = "Robbins, Monro: A stochastic approximation method, 1951",
			.params = { LEARNING_RATE(0.01) },
			.step = sgd_step,
	},
	{
			.name = "momentum",
			.formula = "v ← μ v + g; w ← w - η v",
			.source = "Polyak: Some methods of speeding up the convergence of iteration methods, 1964; "
				  "Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum, 2013",
			.params = { [MOMENTUM_RATE] = LEARNING_RATE(0.01), [MOMENTUM_DECAY] = MOMENTUM },
			.moments = 1,
			.step = momentum_step,
	},
	{
			.name = "nesterov",
			.formula = "v ← μ v + g; w ← w - η (g + μ v)",
			.source = "Nesterov: A method of solving a convex programming problem with convergence rate "
				  "O(1/k²), 1983; Sutskever, Martens, Dahl, Hinton: On the importance of "
				  "initialization and momentum, 2013",
			.params = { [MOMENTUM_RATE] = LEARNING_RATE(0.01), [MOMENTUM_DECAY] = MOMENTUM },
			.moments = 1,
			.step = nesterov_step,
	},
	{
			.name = "lion",
			.formula = "c = β₁ m + (1 - β₁) g; w ← w - η (sign(c) + λ w); m ← β₂ m + (1 - β₂) g",
			.source = "Chen et al.: Symbolic discovery of optimization algorithms, 2023, algorithm 2",
			.params = { [LION_RATE] = LEARNING_RATE(0.0001),
					[LION_BETA_1] = DECAY("beta_1", 0.9,
							"decay of the mean gradient whose sign is taken"),
					[LION_BETA_2] = DECAY("beta_2", 0.99,
							"decay of the mean gradient that is kept"),
					[LION_WEIGHT_DECAY] = WEIGHT_DECAY(0) },
			.moments = 1,
			.step = lion_step,
	},
	{ 0 },
};
