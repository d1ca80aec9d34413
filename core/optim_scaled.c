/* optim_scaled.c - optimizers that divide the gradient by the root of past squared gradients, and have no velocity:
 * adagrad, adadelta, rmsprop. Design and invariants: optim.c.
 */
#include "core/optim_step.h"
#include "core/wide.h"

enum { ADAGRAD_RATE, ADAGRAD_EPSILON };

WIDE static void adagrad_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict sums = moments[0];
	const real *restrict gradient = g;
	real rate = (real)learning_rate, epsilon = (real)params[ADAGRAD_EPSILON];

	(void)step;
	for (size_t i = from; i < to; i++) {
		real s = optim_cut_square(sums[i] + gradient[i] * gradient[i]);

		sums[i] = s;
		weight[i] -= rate * gradient[i] / (optim_root(s) + epsilon);
	}
}

enum { ADADELTA_RATE, ADADELTA_DECAY, ADADELTA_EPSILON };

/* Algorithm 1 of the paper; its step, of which nothing need be said, is multiplied by the rate. */
WIDE static void adadelta_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict squares = moments[0], *restrict moved = moments[1];
	const real *restrict gradient = g;
	real rate = (real)learning_rate, epsilon = (real)params[ADADELTA_EPSILON];
	real decay = (real)params[ADADELTA_DECAY], rest = (real)(1 - params[ADADELTA_DECAY]);

	(void)step;
	for (size_t i = from; i < to; i++) {
		real v = optim_cut_square(decay * squares[i] + rest * gradient[i] * gradient[i]);
		real d = optim_root(moved[i] + epsilon) / optim_root(v + epsilon) * gradient[i];

		squares[i] = v;
		moved[i] = optim_cut_square(decay * moved[i] + rest * d * d);
		weight[i] -= rate * d;
	}
}

enum { RMSPROP_RATE, RMSPROP_DECAY, RMSPROP_EPSILON };

WIDE static void rmsprop_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict squares = moments[0];
	const real *restrict gradient = g;
	real rate = (real)learning_rate, epsilon = (real)params[RMSPROP_EPSILON];
	real decay = (real)params[RMSPROP_DECAY], rest = (real)(1 - params[RMSPROP_DECAY]);

	(void)step;
	for (size_t i = from; i < to; i++) {
		real v = optim_cut_square(decay * squares[i] + rest * gradient[i] * gradient[i]);

		squares[i] = v;
		weight[i] -= rate * gradient[i] / (optim_root(v) + epsilon);
	}
}

const struct optimizer optim_scaled_rows[] = {
	{
			.name = "adagrad",
			.formula = "s ← s + g²; w ← w - η g / (sqrt(s) + ε)",
			.source = "Duchi, Hazan, Singer: Adaptive subgradient methods for online learning and "
				  "stochastic optimization, 2011",
			.params = { [ADAGRAD_RATE] = LEARNING_RATE(0.01),
					[ADAGRAD_EPSILON] = EPSILON(1e-10) },
			.moments = 1,
			.step = adagrad_step,
	},
	{
			.name = "adadelta",
			.formula = "v ← ρ v + (1 - ρ) g²; d = g sqrt(u + ε) / sqrt(v + ε); u ← ρ u + (1 - ρ) d²; "
				   "w ← w - η d",
			.source = "Zeiler: ADADELTA: an adaptive learning rate method, 2012, algorithm 1",
			.params = { [ADADELTA_RATE] = LEARNING_RATE(1),
					[ADADELTA_DECAY] = DECAY("rho", 0.9,
							"decay of the mean squared gradient and step"),
					[ADADELTA_EPSILON] = EPSILON(1e-6) },
			.moments = 2,
			.step = adadelta_step,
	},
	{
			.name = "rmsprop",
			.formula = "v ← α v + (1 - α) g²; w ← w - η g / (sqrt(v) + ε)",
			.source = "Tieleman, Hinton: Neural networks for machine learning, lecture 6.5, 2012",
			.params = { [RMSPROP_RATE] = LEARNING_RATE(0.01),
					[RMSPROP_DECAY] = DECAY(
							"alpha", 0.99, "decay of the mean squared gradient"),
					[RMSPROP_EPSILON] = EPSILON(1e-8) },
			.moments = 1,
			.step = rmsprop_step,
	},
	{ 0 },
};
