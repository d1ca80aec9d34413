/* optim_rprop.c - iRprop+: a step size for each weight, which grows while the sign of its gradient stays and shrinks
 * when it changes; a change of sign takes the weight's last step back if that made the loss rise.
 */
#include "core/optim_step.h"
#include "core/wide.h"

enum { RPROP_FIRST, RPROP_GROW, RPROP_SHRINK, RPROP_MOST, RPROP_LEAST };
enum { RPROP_SIZE, RPROP_GRADIENT, RPROP_MOVED, RPROP_MOMENTS };

struct numbers {
	real grow, shrink, most, least;
	real back; /* 1: the loss has risen; 0 */
};

/* 0 and NaN are their own sign, so that NaN is noticed. */
static inline real sign(real x)
{
	real not_positive = x < 0 ? -1 : x;

	return x > 0 ? 1 : not_positive;
}

/* Signs are compared, not the product, which may be too small for a float. */
WIDE static void move(struct optim_problem *problem, real *const moments[OPTIM_MOMENTS_MAX],
		const struct numbers *numbers)
{
	const struct numbers a = *numbers;
	real *restrict weight = problem->w, *restrict size = moments[RPROP_SIZE];
	real *restrict last = moments[RPROP_GRADIENT], *restrict moved = moments[RPROP_MOVED];
	const real *restrict gradient = problem->g;

	for (size_t i = 0; i < problem->n; i++) {
		real now = sign(gradient[i]), turn = now * sign(last[i]);
		real grown = size[i] * a.grow, shrunk = size[i] * a.shrink;
		real step;

		grown = grown < a.most ? grown : a.most;
		shrunk = shrunk > a.least ? shrunk : a.least;
		size[i] = turn > 0 ? grown : turn < 0 ? shrunk : size[i];
		step = turn < 0 ? -a.back * moved[i] : -now * size[i];
		last[i] = turn < 0 ? 0 : gradient[i];
		moved[i] = step;
		weight[i] += step;
	}
}

static enum optim_progress rprop_iterate(struct optim_problem *problem,
		real *const moments[OPTIM_MOMENTS_MAX], double scalars[OPTIM_SCALARS_MAX], uint64_t step,
		double learning_rate, const double *params)
{
	const struct numbers numbers = {
		.grow = (real)params[RPROP_GROW],
		.shrink = (real)params[RPROP_SHRINK],
		.most = (real)params[RPROP_MOST],
		.least = (real)params[RPROP_LEAST],
		.back = step > 1 && problem->loss > scalars[0],
	};

	if (step == 1)
		for (size_t i = 0; i < problem->n; i++)
			moments[RPROP_SIZE][i] = (real)learning_rate;
	move(problem, moments, &numbers);
	scalars[0] = problem->loss;
	problem->stale = true;
	return OPTIM_MOVED;
}

const struct optimizer optim_rprop_rows[] = {
	{
			.name = "rprop",
			.formula = "g₋g > 0: Δ ← min(η⁺ Δ, Δmax); g₋g < 0: Δ ← max(η⁻ Δ, Δmin), g ← 0, and the last step "
				   "is taken back if the loss rose; else w ← w - sign(g) Δ",
			.source = "Igel, Hüsken: Empirical evaluation of the improved Rprop learning algorithms, 2003 "
				  "(iRprop+); Riedmiller, Braun: A direct adaptive method for faster backpropagation "
				  "learning: the RPROP algorithm, 1993",
			.params = { [RPROP_FIRST] = { .name = "learning_rate",
						    .fallback = 0.0125,
						    .min = 0,
						    .max = 1e3,
						    .min_open = true,
						    .meaning = "the first step size of every weight" },
					[RPROP_GROW] = { .name = "eta_plus",
							.fallback = 1.2,
							.min = 1,
							.max = 10,
							.min_open = true,
							.meaning = "factor on a step size while the sign stays" },
					[RPROP_SHRINK] = { .name = "eta_minus",
							.fallback = 0.5,
							.min = 0,
							.max = 1,
							.min_open = true,
							.max_open = true,
							.meaning = "factor on it when the sign changes" },
					[RPROP_MOST] = { .name = "step_max",
							.fallback = 50,
							.min = 1e-3,
							.max = 1e6,
							.meaning = "largest step size" },
					[RPROP_LEAST] = { .name = "step_min",
							.fallback = 1e-6,
							.min = 0,
							.max = 1e-3,
							.meaning = "smallest step size" } },
			.moments = RPROP_MOMENTS,
			.iterate = rprop_iterate,
	},
	{ 0 },
};
