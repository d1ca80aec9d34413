/* optim_adam.c - adam and its relatives: a decaying mean of the gradient over the root of a decaying mean of its
 * square, both corrected for their start at 0. Design and invariants: optim.c.
 *
 * The bias corrections are pulled out of the loops: the first into the rate, the second into the root, so that
 * epsilon is added to sqrt(v_hat) as the paper of adam has it.
 */
#include "core/optim_step.h"
#include "core/wide.h"

enum { ADAM_RATE, ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, ADAM_MORE };

/* What does not depend on the element, in its place in the loops. */
struct numbers {
	real rate;  /* η / (1 - β₁ᵗ) */
	real scale; /* 1 / sqrt(1 - β₂ᵗ) */
	real beta_1, rest_1, beta_2, rest_2, epsilon;
};

static struct numbers numbers_of(uint64_t step, double learning_rate, const double *params)
{
	double beta_1 = params[ADAM_BETA_1], beta_2 = params[ADAM_BETA_2];

	return (struct numbers){
		.rate = (real)(learning_rate / (1 - pow(beta_1, (double)step))),
		.scale = (real)(1 / sqrt(1 - pow(beta_2, (double)step))),
		.beta_1 = (real)beta_1,
		.rest_1 = (real)(1 - beta_1),
		.beta_2 = (real)beta_2,
		.rest_2 = (real)(1 - beta_2),
		.epsilon = (real)params[ADAM_EPSILON],
	};
}

static inline real mean(const struct numbers *a, real last, real gradient)
{
	return optim_cut(a->beta_1 * last + a->rest_1 * gradient);
}

static inline real mean_square(const struct numbers *a, real last, real gradient)
{
	return optim_cut_square(a->beta_2 * last + a->rest_2 * gradient * gradient);
}

WIDE static void adam_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict second = moments[1];
	const real *restrict gradient = g;
	const struct numbers a = numbers_of(step, learning_rate, params);

	for (size_t i = from; i < to; i++) {
		real m = mean(&a, first[i], gradient[i]);
		real v = mean_square(&a, second[i], gradient[i]);

		first[i] = m;
		second[i] = v;
		weight[i] -= a.rate * m / (optim_root(v) * a.scale + a.epsilon);
	}
}

WIDE static void adamw_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict second = moments[1];
	const real *restrict gradient = g;
	const struct numbers a = numbers_of(step, learning_rate, params);
	real keep = (real)(1 - learning_rate * params[ADAM_MORE]);

	for (size_t i = from; i < to; i++) {
		real m = mean(&a, first[i], gradient[i]);
		real v = mean_square(&a, second[i], gradient[i]);

		first[i] = m;
		second[i] = v;
		weight[i] = weight[i] * keep - a.rate * m / (optim_root(v) * a.scale + a.epsilon);
	}
}

/* With the bias corrections of adam, which the paper leaves out. */
WIDE static void amsgrad_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict second = moments[1];
	real *restrict largest = moments[2];
	const real *restrict gradient = g;
	const struct numbers a = numbers_of(step, learning_rate, params);

	for (size_t i = from; i < to; i++) {
		real m = mean(&a, first[i], gradient[i]);
		real v = mean_square(&a, second[i], gradient[i]);
		real most = v > largest[i] ? v : largest[i];

		first[i] = m;
		second[i] = v;
		largest[i] = most;
		weight[i] -= a.rate * m / (optim_root(most) * a.scale + a.epsilon);
	}
}

/* Algorithm 2 of adam's paper; epsilon keeps the largest gradient away from 0. */
WIDE static void adamax_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict largest = moments[1];
	const real *restrict gradient = g;
	const struct numbers a = numbers_of(step, learning_rate, params);

	for (size_t i = from; i < to; i++) {
		real m = mean(&a, first[i], gradient[i]);
		real size = (gradient[i] < 0 ? -gradient[i] : gradient[i]) + a.epsilon;
		real faded = a.beta_2 * largest[i];
		real most = faded > size ? faded : size;

		first[i] = m;
		largest[i] = most;
		weight[i] -= a.rate * m / most;
	}
}

#define NADAM_BASE 0.96 /* of the schedule, the paper's */

static double nadam_momentum(double step, const double *params)
{
	return params[ADAM_BETA_1] * (1 - 0.5 * pow(NADAM_BASE, step * params[ADAM_MORE]));
}

/* The product of the momenta of steps 1 to step, without a memory of the last one. Apart from the power of beta_1 its
 * factors are 1 - q^t / 2 with q < 1: it is nothing, or a factor no longer differs from 1, after a few of them. */
static double nadam_product(uint64_t step, const double *params)
{
	double q = pow(NADAM_BASE, params[ADAM_MORE]), power = 1, product = 1;

	for (uint64_t t = 1; t <= step && power > DBL_EPSILON / 4 && product > DBL_EPSILON / 4; t++) {
		power *= q;
		product *= 1 - 0.5 * power;
	}
	return product * pow(params[ADAM_BETA_1], (double)step);
}

WIDE static void nadam_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict second = moments[1];
	const real *restrict gradient = g;
	const struct numbers a = numbers_of(step, learning_rate, params);
	double now = nadam_momentum((double)step, params), next = nadam_momentum((double)step + 1, params);
	double product = nadam_product(step, params);
	real rate_g = (real)(learning_rate * (1 - now) / (1 - product));
	real rate_m = (real)(learning_rate * next / (1 - product * next));

	for (size_t i = from; i < to; i++) {
		real m = mean(&a, first[i], gradient[i]);
		real v = mean_square(&a, second[i], gradient[i]);

		first[i] = m;
		second[i] = v;
		weight[i] -= (rate_g * gradient[i] + rate_m * m) / (optim_root(v) * a.scale + a.epsilon);
	}
}

/* Length of the average from which its variance is known well enough; the paper has 4, where r is 0. */
#define RADAM_TRACTABLE 5

/* The length of the average of squares, equations 2 and 3 of the paper; 0 while the variance is intractable, else the
 * rectification of the rate. */
static double radam_rectification(uint64_t step, double beta_2)
{
	double last = 2 / (1 - beta_2) - 1, power = pow(beta_2, (double)step);
	double length = last - 2 * (double)step * power / (1 - power);

	if (!(length > RADAM_TRACTABLE)) return 0;
	return sqrt((length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length));
}

/* Before it is rectified the divisor is 1: the mean gradient alone. Epsilon is added to the root before its
 * correction, as others have it. */
WIDE static void radam_step(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from,
		size_t to, uint64_t step, double learning_rate, const double *params)
{
	real *restrict weight = w, *restrict first = moments[0], *restrict second = moments[1];
	const real *restrict gradient = g;
	const struct numbers a = numbers_of(step, learning_rate, params);
	double rectified = radam_rectification(step, params[ADAM_BETA_2]);
	real rate = rectified > 0 ? a.rate * (real)rectified : a.rate;
	real scale = rectified > 0 ? a.scale : 0, floor = rectified > 0 ? a.scale * a.epsilon : 1;

	for (size_t i = from; i < to; i++) {
		real m = mean(&a, first[i], gradient[i]);
		real v = mean_square(&a, second[i], gradient[i]);

		first[i] = m;
		second[i] = v;
		weight[i] -= rate * m / (optim_root(v) * scale + floor);
	}
}

#define BETA_1   [ADAM_BETA_1] = DECAY("beta_1", 0.9, "decay of the mean gradient")
#define BETA_2   [ADAM_BETA_2] = DECAY("beta_2", 0.999, "decay of the mean squared gradient")
#define BETA_MAX [ADAM_BETA_2] = DECAY("beta_2", 0.999, "decay of the largest gradient")
#define MEANS    "m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²; "

const struct optimizer optim_adam_rows[] = {
	{
			.name = "adam",
			.formula = MEANS "w ← w - η (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + ε)",
			.source = "Kingma, Ba: Adam: a method for stochastic optimization, ICLR 2015, algorithm 1",
			.params = { [ADAM_RATE] = LEARNING_RATE(0.001),
					BETA_1,
					BETA_2,
					[ADAM_EPSILON] = EPSILON(1e-8) },
			.moments = 2,
			.step = adam_step,
	},
	{
			.name = "adamw",
			.formula = MEANS "w ← w - η λ w - η (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + ε)",
			.source = "Loshchilov, Hutter: Decoupled weight decay regularization, ICLR 2019, algorithm 2",
			.params = { [ADAM_RATE] = LEARNING_RATE(0.001),
					BETA_1,
					BETA_2,
					[ADAM_EPSILON] = EPSILON(1e-8),
					[ADAM_MORE] = WEIGHT_DECAY(0.01) },
			.moments = 2,
			.step = adamw_step,
	},
	{
			.name = "amsgrad",
			.formula = MEANS
			"u ← max(u, v); w ← w - η (m / (1 - β₁ᵗ)) / (sqrt(u / (1 - β₂ᵗ)) + ε)",
			.source = "Reddi, Kale, Kumar: On the convergence of Adam and beyond, ICLR 2018, algorithm 2",
			.params = { [ADAM_RATE] = LEARNING_RATE(0.001),
					BETA_1,
					BETA_2,
					[ADAM_EPSILON] = EPSILON(1e-8) },
			.moments = 3,
			.step = amsgrad_step,
	},
	{
			.name = "adamax",
			.formula = "m ← β₁ m + (1 - β₁) g; u ← max(β₂ u, |g| + ε); w ← w - η (m / (1 - β₁ᵗ)) / u",
			.source = "Kingma, Ba: Adam: a method for stochastic optimization, ICLR 2015, algorithm 2",
			.params = { [ADAM_RATE] = LEARNING_RATE(0.002),
					BETA_1,
					BETA_MAX,
					[ADAM_EPSILON] = EPSILON(1e-8) },
			.moments = 2,
			.step = adamax_step,
	},
	{
			.name = "nadam",
			.formula = MEANS
			"μₜ = β₁ (1 - 0.96^(t ψ) / 2); w ← w - η ((1 - μₜ) g / (1 - Πᵢ₌₁..ₜ μᵢ) + "
			"μₜ₊₁ m / (1 - Πᵢ₌₁..ₜ₊₁ μᵢ)) / (sqrt(v / (1 - β₂ᵗ)) + ε)",
			.source = "Dozat: Incorporating Nesterov momentum into Adam, ICLR workshop 2016",
			.params = { [ADAM_RATE] = LEARNING_RATE(0.002),
					BETA_1,
					BETA_2,
					[ADAM_EPSILON] = EPSILON(1e-8),
					[ADAM_MORE] = { .name = "momentum_decay",
							.fallback = 0.004,
							.min = 0,
							.max = 1,
							.meaning = "how soon the momentum grows to beta_1" } },
			.moments = 2,
			.step = nadam_step,
	},
	{
			.name = "radam",
			.formula = MEANS
			"ρ∞ = 2 / (1 - β₂) - 1; ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ); "
			"r = sqrt((ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ)); "
			"w ← w - η (m / (1 - β₁ᵗ)) (ρ > 5: r sqrt(1 - β₂ᵗ) / (sqrt(v) + ε), else 1)",
			.source = "Liu et al.: On the variance of the adaptive learning rate and beyond, ICLR 2020, "
				  "algorithm 2",
			.params = { [ADAM_RATE] = LEARNING_RATE(0.001),
					BETA_1,
					BETA_2,
					[ADAM_EPSILON] = EPSILON(1e-8) },
			.moments = 2,
			.step = radam_step,
	},
	{ 0 },
};
