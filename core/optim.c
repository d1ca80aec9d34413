/* optim.c - the table of optimizers. See optim.h.
 *
 * A step is one loop over contiguous blocks, with everything that does not depend on the element worked out in
 * double before it. The loops vectorise; for adam's root gcc wants -fno-math-errno, which no bit of the result
 * depends on.
 *
 * Moments decay towards 0 where a unit is dead. Before they become denormal, which would make each later step many
 * times slower, they are cut to 0.
 */
#include "core/optim.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/wide.h"

/* The first moment is compared with epsilon times a step, so that 1e-30 is nothing; the second one is a square
 * and is cut no earlier than where float32 itself gives up. */
#ifdef DESCENT_DOUBLE
#define MOMENT_FLOOR 1e-290
#define SQUARE_FLOOR DBL_MIN
#else
#define MOMENT_FLOOR 1e-30f
#define SQUARE_FLOOR FLT_MIN
#endif

static real cut(real moment)
{
	return moment < MOMENT_FLOOR && moment > -MOMENT_FLOOR ? 0 : moment;
}

static real root(real x)
{
#ifdef DESCENT_DOUBLE
	return sqrt(x);
#else
	return sqrtf(x);
#endif
}

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
		real v = cut(decay * velocity[i] + gradient[i]);

		velocity[i] = v;
		weight[i] -= rate * v;
	}
}

enum { ADAM_RATE, ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON };

/* Algorithm 1 of the paper, with the bias corrections pulled out of the loop: the first into the rate, the second
 * into the root, so that epsilon is added to sqrt(v_hat) as the paper has it. */
WIDE static void adam_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict second = moments[1];
	const real *restrict gradient = g;
	double correction_1 = 1 - pow(params[ADAM_BETA_1], (double)step);
	double correction_2 = 1 - pow(params[ADAM_BETA_2], (double)step);
	real rate = (real)(learning_rate / correction_1);
	real scale = (real)(1 / sqrt(correction_2));
	real beta_1 = (real)params[ADAM_BETA_1], rest_1 = (real)(1 - params[ADAM_BETA_1]);
	real beta_2 = (real)params[ADAM_BETA_2], rest_2 = (real)(1 - params[ADAM_BETA_2]);
	real epsilon = (real)params[ADAM_EPSILON];

	for (size_t i = from; i < to; i++) {
		real m = cut(beta_1 * first[i] + rest_1 * gradient[i]);
		real sum = beta_2 * second[i] + rest_2 * gradient[i] * gradient[i];
		real v = sum < SQUARE_FLOOR ? 0 : sum;

		first[i] = m;
		second[i] = v;
		weight[i] -= rate * m / (root(v) * scale + epsilon);
	}
}

#define LEARNING_RATE(standard)                                                                          \
	{                                                                                                \
		.name = "learning_rate", .fallback = (standard), .min = 0, .max = 1e3, .min_open = true, \
		.meaning = "length of a step"                                                            \
	}

static const struct optimizer optimizers[] = {
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
			.params = { LEARNING_RATE(0.01),
					{ .name = "momentum",
							.fallback = 0.9,
							.min = 0,
							.max = 1,
							.max_open = true,
							.meaning = "share of the last step's velocity that is kept" } },
			.moments = 1,
			.step = momentum_step,
	},
	{
			.name = "adam",
			.formula = "m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²; "
				   "w ← w - η (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + ε)",
			.source = "Kingma, Ba: Adam: a method for stochastic optimization, ICLR 2015, algorithm 1",
			.params = { LEARNING_RATE(0.001),
					{ .name = "beta_1",
							.fallback = 0.9,
							.min = 0,
							.max = 1,
							.max_open = true,
							.meaning = "decay of the mean gradient" },
					{ .name = "beta_2",
							.fallback = 0.999,
							.min = 0,
							.max = 1,
							.max_open = true,
							.meaning = "decay of the mean squared gradient" },
					{ .name = "epsilon",
							.fallback = 1e-8,
							.min = 1e-12,
							.max = 1,
							.meaning = "keeps the division away from 0" } },
			.moments = 2,
			.step = adam_step,
	},
};

#define COUNT (sizeof optimizers / sizeof optimizers[0])

const struct optimizer *optim_at(size_t i)
{
	return i < COUNT ? &optimizers[i] : NULL;
}

const struct optimizer *optim_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(optimizers[i].name, name)) return &optimizers[i];
	return NULL;
}
