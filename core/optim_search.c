/* optim_search.c - full-batch optimizers that choose a direction and search along it: lbfgs and conjugate_gradient.
 * The book is Nocedal, Wright: Numerical Optimization, 2nd edition 2006.
 *
 * A direction that does not lead down, or along which nothing lower is found, gives way to the steepest one within
 * the same iteration, and one that was hardly worth it in the next; when that leads nowhere either, the search has
 * converged. What an iteration remembers it writes down at its end, so that one that was interrupted has changed
 * nothing. A gradient that is not finite goes into the weights, so that it is noticed.
 */
#include <string.h>

#include "core/optim_line.h"
#include "core/optim_step.h"

/* Blocks of both: where the iteration started, the gradient there, the direction. */
enum { START, GRADIENT, DIRECTION, SEARCH_MOMENTS };

/* The line from where the problem is, along what will be in its block; slope and bounds are still to be set. */
static struct optim_line line_from_here(struct optim_problem *problem, real *const *moments)
{
	memcpy(moments[START], problem->w, problem->n * sizeof(real));
	memcpy(moments[GRADIENT], problem->g, problem->n * sizeof(real));
	return (struct optim_line){
		.problem = problem,
		.start = moments[START],
		.gradient = moments[GRADIENT],
		.direction = moments[DIRECTION],
	};
}

/* Along the direction; OPTIM_LINE_NONE also when it does not lead down. */
static enum optim_line_end search(struct optim_line *line, double trial, double *length)
{
	line->slope = optim_dot(line->gradient, line->direction, line->problem->n);
	if (!(line->slope < 0) || !isfinite(line->slope)) return OPTIM_LINE_NONE;
	return optim_line_search(line, trial, length);
}

/* Against the gradient; the first trial moves w by `distance`. */
static enum optim_line_end search_steepest(
		struct optim_line *line, real *direction, double distance, double *length)
{
	size_t n = line->problem->n;

	optim_scale(direction, -1, line->gradient, n);
	return search(line, distance / sqrt(optim_dot(line->gradient, line->gradient, n)), length);
}

static enum optim_progress let_through(struct optim_problem *problem, double learning_rate)
{
	optim_add(problem->w, -learning_rate, problem->g, problem->n);
	problem->stale = true;
	return OPTIM_MOVED;
}

/* ---- lbfgs ---- */

enum { LBFGS_RATE, LBFGS_HISTORY, LBFGS_C_1, LBFGS_C_2, LBFGS_EVALUATIONS };
enum {
	LBFGS_COUNT,
	LBFGS_NEXT,
	LBFGS_PRODUCTS
}; /* scalars: pairs kept, slot of the next, y . s of each slot */

#define LBFGS_HISTORY_MAX 12

_Static_assert(SEARCH_MOMENTS + 2 * LBFGS_HISTORY_MAX <= OPTIM_MOMENTS_MAX, "the pairs find room");
_Static_assert(LBFGS_PRODUCTS + LBFGS_HISTORY_MAX <= OPTIM_SCALARS_MAX, "the products find room");

/* The last pairs of a step s and the change y of the gradient along it, in a ring of slots. */
struct pairs {
	size_t slots, count, next;
	real *const *blocks;    /* s and y of slot 0, of slot 1, … */
	const double *products; /* (slots) y . s */
};

static size_t lbfgs_blocks(const double *params)
{
	return SEARCH_MOMENTS + 2 * (size_t)params[LBFGS_HISTORY];
}

static struct pairs pairs_of(real *const *moments, const double *scalars, const double *params)
{
	return (struct pairs){
		.slots = (size_t)params[LBFGS_HISTORY],
		.count = (size_t)scalars[LBFGS_COUNT],
		.next = (size_t)scalars[LBFGS_NEXT],
		.blocks = moments + SEARCH_MOMENTS,
		.products = scalars + LBFGS_PRODUCTS,
	};
}

/* The slot of the pair that is `age` iterations old, from 1. */
static size_t slot(const struct pairs *p, size_t age)
{
	return (p->next + p->slots - age) % p->slots;
}

/* Algorithm 7.4, from H⁰ of equation 7.20; needs a pair. */
static void two_loops(const struct pairs *p, const real *gradient, real *direction, size_t n)
{
	double alpha[LBFGS_HISTORY_MAX + 1];
	size_t last = slot(p, 1);

	optim_scale(direction, -1, gradient, n);
	for (size_t age = 1; age <= p->count; age++) {
		size_t i = slot(p, age);

		alpha[age] = optim_dot(p->blocks[2 * i], direction, n) / p->products[i];
		optim_add(direction, -alpha[age], p->blocks[2 * i + 1], n);
	}
	optim_scale(direction,
			p->products[last] / optim_dot(p->blocks[2 * last + 1], p->blocks[2 * last + 1], n),
			direction, n);
	for (size_t age = p->count; age > 0; age--) {
		size_t i = slot(p, age);
		double beta = optim_dot(p->blocks[2 * i + 1], direction, n) / p->products[i];

		/* cppcheck-suppress uninitvar ; the loop above has set as many */
		optim_add(direction, alpha[age] - beta, p->blocks[2 * i], n);
	}
}

/* Takes in the step that was made, unless its curvature is too small to divide by. */
static void remember(const struct pairs *p, const struct optim_line *line, double *scalars)
{
	const struct optim_problem *problem = line->problem;
	real *s = p->blocks[2 * p->next], *y = p->blocks[2 * p->next + 1];
	double product;

	optim_differ(s, problem->w, line->start, problem->n);
	optim_differ(y, problem->g, line->gradient, problem->n);
	product = optim_dot(s, y, problem->n);
	scalars[LBFGS_COUNT] = (double)p->count;
	if (!(product > REAL_EPSILON * sqrt(optim_dot(s, s, problem->n) * optim_dot(y, y, problem->n)))) {
		if (p->count == p->slots) scalars[LBFGS_COUNT]--; /* the oldest was in its place */
		return;
	}
	scalars[LBFGS_PRODUCTS + p->next] = product;
	scalars[LBFGS_NEXT] = (double)((p->next + 1) % p->slots);
	if (p->count < p->slots) scalars[LBFGS_COUNT]++;
}

/* Algorithm 7.5. */
static enum optim_progress lbfgs_iterate(struct optim_problem *problem,
		real *const moments[OPTIM_MOMENTS_MAX], double scalars[OPTIM_SCALARS_MAX], uint64_t step,
		double learning_rate, const double *params)
{
	struct pairs pairs = pairs_of(moments, scalars, params);
	struct optim_line line = line_from_here(problem, moments);
	enum optim_line_end end = OPTIM_LINE_NONE;
	double before = problem->loss, length;

	(void)step;
	if (!isfinite(optim_dot(problem->g, problem->g, problem->n)))
		return let_through(problem, learning_rate);
	line.c_1 = params[LBFGS_C_1];
	line.c_2 = params[LBFGS_C_2];
	line.evaluations = params[LBFGS_EVALUATIONS];
	if (pairs.count) {
		two_loops(&pairs, line.gradient, moments[DIRECTION], problem->n);
		end = search(&line, learning_rate, &length);
	}
	if (end == OPTIM_LINE_NONE) {
		pairs.count = 0;
		end = search_steepest(&line, moments[DIRECTION], learning_rate, &length);
	}
	if (end == OPTIM_LINE_INTERRUPTED) return OPTIM_INTERRUPTED;
	if (end == OPTIM_LINE_NONE) return OPTIM_CONVERGED;
	remember(&pairs, &line, scalars);
	if (!optim_line_spent(&line, end, before)) return OPTIM_MOVED;
	scalars[LBFGS_COUNT] = 0;
	return pairs.count ? OPTIM_MOVED : OPTIM_CONVERGED;
}

/* ---- conjugate_gradient ---- */

enum { CG_RATE, CG_C_1, CG_C_2, CG_EVALUATIONS };
enum { CG_NEXT = SEARCH_MOMENTS, CG_MOMENTS }; /* block: the direction of the next iteration */
enum { CG_KNOWN, CG_LENGTH, CG_SLOPE };        /* scalars: is there one; length and slope of the last line */

#define CG_ORTHOGONAL 0.1 /* equation 5.52: share of |g|² from which two gradients are far from orthogonal */
#define CG_GROW       10  /* the first trial is at most so many times the last length */

/* Equation 5.45 of the gradients after and before the line; 0: restart. */
static double polak_ribiere(const struct optim_line *line)
{
	const struct optim_problem *problem = line->problem;
	double after = optim_dot(problem->g, problem->g, problem->n);
	double mixed = optim_dot(problem->g, line->gradient, problem->n);
	double before = optim_dot(line->gradient, line->gradient, problem->n);

	if (fabs(mixed) >= CG_ORTHOGONAL * after) return 0;
	return fmax(0, (after - mixed) / before);
}

/* Algorithm 5.4 with β⁺ of equation 5.45. The first trial expects the fall of the last line (page 59). */
static enum optim_progress cg_iterate(struct optim_problem *problem, real *const moments[OPTIM_MOMENTS_MAX],
		double scalars[OPTIM_SCALARS_MAX], uint64_t step, double learning_rate, const double *params)
{
	struct optim_line line = line_from_here(problem, moments);
	enum optim_line_end end = OPTIM_LINE_NONE;
	real *direction = moments[DIRECTION], *next = moments[CG_NEXT];
	double before = problem->loss, length;
	size_t n = problem->n;
	bool steepest;

	(void)step;
	if (!isfinite(optim_dot(problem->g, problem->g, n))) return let_through(problem, learning_rate);
	line.c_1 = params[CG_C_1];
	line.c_2 = params[CG_C_2];
	line.evaluations = params[CG_EVALUATIONS];
	if (scalars[CG_KNOWN] > 0) {
		double ratio = scalars[CG_SLOPE] / optim_dot(line.gradient, next, n);

		memcpy(direction, next, n * sizeof(real));
		end = search(&line, scalars[CG_LENGTH] * fmin(ratio, CG_GROW), &length);
	}
	steepest = end == OPTIM_LINE_NONE;
	if (steepest) end = search_steepest(&line, direction, learning_rate, &length);
	if (end == OPTIM_LINE_INTERRUPTED) return OPTIM_INTERRUPTED;
	if (end == OPTIM_LINE_NONE) return OPTIM_CONVERGED;
	optim_scale(next, polak_ribiere(&line), direction, n);
	optim_add(next, -1, problem->g, n);
	scalars[CG_KNOWN] = 1;
	scalars[CG_LENGTH] = length;
	scalars[CG_SLOPE] = line.slope;
	if (!optim_line_spent(&line, end, before)) return OPTIM_MOVED;
	scalars[CG_KNOWN] = 0;
	return steepest ? OPTIM_CONVERGED : OPTIM_MOVED;
}

/* ---- rows ---- */

#define FIRST_TRIAL(what)                                                                       \
	{                                                                                       \
		.name = "learning_rate", .fallback = 1, .min = 0, .max = 1e3, .min_open = true, \
		.meaning = (what)                                                               \
	}
#define C_1                                                                                 \
	{                                                                                   \
		.name = "c_1", .fallback = 1e-4, .min = 0, .max = 0.05, .min_open = true,   \
		.meaning = "share of the fall promised by the slope that a step must bring" \
	}
#define C_2(standard, most)                                                                          \
	{                                                                                            \
		.name = "c_2", .fallback = (standard), .min = 0.05, .max = (most), .min_open = true, \
		.max_open = true, .meaning = "share of the slope that may be left after a step"      \
	}
#define EVALUATIONS                                                               \
	{                                                                         \
		.name = "max_evaluations", .fallback = 25, .min = 2, .max = 1000, \
		.meaning = "most passes over all rows in one iteration's search"  \
	}

const struct optimizer optim_search_rows[] = {
	{
			.name = "lbfgs",
			.formula = "d = -H g, H from the last pairs s = Δw, y = Δg by two loops, H⁰ = (sᵀy / yᵀy) I; "
				   "w ← w + α d, α by the strong Wolfe conditions",
			.source = "Nocedal: Updating quasi-Newton matrices with limited storage, 1980; "
				  "Nocedal, Wright: Numerical optimization, 2nd edition 2006, algorithms 7.4, 7.5, "
				  "3.5, 3.6",
			.params = { [LBFGS_RATE] = FIRST_TRIAL("the length of a step that is tried first"),
					[LBFGS_HISTORY] = { .name = "history",
							.fallback = 10,
							.min = 1,
							.max = LBFGS_HISTORY_MAX,
							.meaning = "pairs that are kept; a fraction is cut off" },
					[LBFGS_C_1] = C_1,
					[LBFGS_C_2] = C_2(0.9, 1),
					[LBFGS_EVALUATIONS] = EVALUATIONS },
			.moments = SEARCH_MOMENTS + 2 * LBFGS_HISTORY_MAX,
			.blocks = lbfgs_blocks,
			.iterate = lbfgs_iterate,
	},
	{
			.name = "conjugate_gradient",
			.formula = "β = max(0, gᵀ(g - g₋) / g₋ᵀg₋), 0 if |gᵀg₋| ≥ 0.1 gᵀg; d ← -g + β d; "
				   "w ← w + α d, α by the strong Wolfe conditions",
			.source = "Polak, Ribière: Note sur la convergence de méthodes de directions conjuguées, 1969; "
				  "Nocedal, Wright: Numerical optimization, 2nd edition 2006, algorithms 5.4, 3.5, 3.6",
			.params = { [CG_RATE] = FIRST_TRIAL(
						    "how far the first trial along the gradient moves "
						    "the weights"),
					[CG_C_1] = C_1,
					[CG_C_2] = C_2(0.1, 0.5),
					[CG_EVALUATIONS] = EVALUATIONS },
			.moments = CG_MOMENTS,
			.iterate = cg_iterate,
	},
	{ 0 },
};
