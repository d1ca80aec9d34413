/* optim_run.h - runs of an optimizer on functions of a few numbers, whatever kind of optimizer it is. */
#ifndef TESTS_UNIT_OPTIM_RUN_H
#define TESTS_UNIT_OPTIM_RUN_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/optim.h"

/* f at w (n), and its gradient. */
typedef double optim_function(const real *w, real *g, size_t n);

struct optim_run {
	struct optim_problem problem; /* first, so that evaluate finds the run */
	const struct optimizer *optimizer;
	double params[PARAMS_MAX];
	optim_function *function;
	real *moments[OPTIM_MOMENTS_MAX];
	double scalars[OPTIM_SCALARS_MAX];
	uint64_t steps;
	unsigned looks, stop_at; /* evaluations made; the one that is refused, 0: none */
};

static inline bool run_look(struct optim_problem *problem)
{
	struct optim_run *run = (struct optim_run *)problem;

	if (++run->looks == run->stop_at) return false;
	problem->loss = run->function(problem->w, problem->g, problem->n);
	return true;
}

/* With the optimizer's defaults, at w (n). */
static inline void run_new(
		struct optim_run *run, const char *name, optim_function *function, const real *w, size_t n)
{
	*run = (struct optim_run){ .optimizer = optim_find(name), .function = function };
	ck_assert_msg(run->optimizer != NULL, "%s", name);
	params_fallback(run->optimizer->params, run->params);
	run->problem = (struct optim_problem){ .n = n, .evaluate = run_look, .stale = true };
	run->problem.w = malloc(n * sizeof(real));
	run->problem.g = calloc(n, sizeof(real));
	for (size_t i = 0; i < run->optimizer->moments; i++)
		run->moments[i] = calloc(n, sizeof(real));
	memcpy(run->problem.w, w, n * sizeof(real));
}

static inline void run_free(struct optim_run *run)
{
	free(run->problem.w);
	free(run->problem.g);
	for (size_t i = 0; i < OPTIM_MOMENTS_MAX; i++)
		free(run->moments[i]);
}

/* A step or an iteration. OPTIM_INTERRUPTED: it has not been made. */
static inline enum optim_progress run_once(struct optim_run *run)
{
	const struct optimizer *o = run->optimizer;
	struct optim_problem *problem = &run->problem;
	enum optim_progress progress;

	if (problem->stale && !run_look(problem)) return OPTIM_INTERRUPTED;
	problem->stale = o->step;
	run->steps++;
	if (o->step) {
		o->step(problem->w, problem->g, run->moments, 0, problem->n, run->steps, run->params[0],
				run->params);
		return OPTIM_MOVED;
	}
	progress = o->iterate(problem, run->moments, run->scalars, run->steps, run->params[0], run->params);
	if (progress != OPTIM_INTERRUPTED) return progress;
	run->steps--;
	problem->stale = true;
	return progress;
}

/* At most so many; how many were made until it converged. */
static inline unsigned run_for(struct optim_run *run, unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		enum optim_progress progress = run_once(run);

		ck_assert_msg(progress != OPTIM_INTERRUPTED, "%s", run->optimizer->name);
		if (progress == OPTIM_CONVERGED) return i + 1;
	}
	return most;
}

/* Rosenbrock's valley, extended to n numbers; its minimum is 0 at (1, 1, …). */
static inline double rosenbrock(const real *w, real *g, size_t n)
{
	double f = 0;

	memset(g, 0, n * sizeof *g);
	for (size_t i = 0; i + 1 < n; i++) {
		double a = (double)w[i + 1] - (double)w[i] * (double)w[i], b = 1 - (double)w[i];

		f += 100 * a * a + b * b;
		g[i] += (real)(-400 * (double)w[i] * a - 2 * b);
		g[i + 1] += (real)(200 * a);
	}
	return f;
}

/* A quadratic whose numbers depend on each other; its minimum is 1 at (0, 1, 2, …). */
static inline double coupled(const real *w, real *g, size_t n)
{
	double f = 1, sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)w[i] - (double)i;
	for (size_t i = 0; i < n; i++) {
		double off = (double)w[i] - (double)i, curvature = 1 + 7 * (double)i;

		f += curvature * off * off / 2;
		g[i] = (real)(curvature * off + sum);
	}
	return f + sum * sum / 2;
}

#endif
