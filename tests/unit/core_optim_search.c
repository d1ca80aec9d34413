/* core_optim_search.c - optimizers of a full batch in float: a run is a function of its weights, moments and
 * scalars; no search ends higher than it began, whatever the function does; and every optimizer goes on from a copy
 * of its state as if nothing had been.
 */
#include "tests/unit/optim_run.h"
#include "tests/unit/suite.h"

#define N 37 /* no multiple of the lanes of a sum */

static const char *const searches[] = { "lbfgs", "conjugate_gradient" };

static void start_at(real w[N])
{
	for (size_t i = 0; i < N; i++)
		w[i] = (real)(1.5 * cos((double)(i * i)));
}

/* Everything that a checkpoint has. */
static void copy_state(struct optim_run *to, const struct optim_run *from)
{
	size_t kept = optim_moments(from->optimizer, from->params);

	memcpy(to->problem.w, from->problem.w, N * sizeof(real));
	for (size_t i = 0; i < kept; i++)
		memcpy(to->moments[i], from->moments[i], N * sizeof(real));
	memcpy(to->scalars, from->scalars, sizeof to->scalars);
	memcpy(to->params, from->params, sizeof to->params);
	to->steps = from->steps;
}

static void check_same(const struct optim_run *a, const struct optim_run *b, const char *what, unsigned when)
{
	size_t kept = optim_moments(a->optimizer, a->params);

	ck_assert_msg(!memcmp(a->problem.w, b->problem.w, N * sizeof(real)), "%s of %s, %u", what,
			a->optimizer->name, when);
	ck_assert_msg(!memcmp(a->scalars, b->scalars, sizeof a->scalars), "%s of %s, %u: scalars", what,
			a->optimizer->name, when);
	for (size_t i = 0; i < kept; i++)
		ck_assert_msg(!memcmp(a->moments[i], b->moments[i], N * sizeof(real)),
				"%s of %s, %u: moment %zu", what, a->optimizer->name, when, i);
}

START_TEST(every_optimizer_resumes)
{
	for (size_t o = 0; optim_at(o); o++)
		for (unsigned k = 1; k <= 16; k += 5) {
			const char *name = optim_at(o)->name;
			struct optim_run whole, half, rest;
			real w[N];

			start_at(w);
			run_new(&whole, name, rosenbrock, w, N);
			run_new(&half, name, rosenbrock, w, N);
			run_for(&whole, 2 * k);
			run_for(&half, k);
			memset(w, 0, sizeof w);
			run_new(&rest, name, rosenbrock, w, N);
			copy_state(&rest, &half);
			run_for(&rest, k);
			check_same(&whole, &rest, "the second half", k);
			run_free(&whole);
			run_free(&half);
			run_free(&rest);
		}
}
END_TEST

/* ---- functions that make it hard ---- */

/* Finite between 0 and 3 only, with its minimum 1 - 2 log 2 at 2, and not a number beyond. */
static double walled(const real *w, real *g, size_t n)
{
	double f = 0;

	for (size_t i = 0; i < n; i++) {
		double x = (double)w[i];

		f += x - 2 * log(x) + (x > 3 ? NAN : 0);
		g[i] = (real)(1 - 2 / x);
	}
	return f;
}

/* A finite loss whose slope is not there beyond 1. */
static double slopeless(const real *w, real *g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g[i] = w[i] > 1 ? NAN : w[i] - 2;
	return -(double)w[0];
}

/* A kink at 0, where no point is flat enough. */
static double kinked(const real *w, real *g, size_t n)
{
	double f = 0;

	for (size_t i = 0; i < n; i++) {
		f += fabs((double)w[i]) * (1 + (double)i);
		g[i] = (real)(w[i] > 0 ? 1 + (double)i : -1 - (double)i);
	}
	return f;
}

/* The gradient lies: downhill is up. */
static double lying(const real *w, real *g, size_t n)
{
	double f = 0;

	for (size_t i = 0; i < n; i++) {
		f += (double)w[i] * (double)w[i];
		g[i] = -2 * w[i];
	}
	return f;
}

static double endless(const real *w, real *g, size_t n)
{
	double f = 0;

	for (size_t i = 0; i < n; i++) {
		f -= (double)w[i];
		g[i] = -1;
	}
	return f;
}

/* A loss whose rounding is coarser than what a step could gain. */
static double coarse(const real *w, real *g, size_t n)
{
	return (double)(float)(1e6 + coupled(w, g, n));
}

static double level(const real *w, real *g, size_t n)
{
	(void)w;
	memset(g, 0, n * sizeof *g);
	return 7;
}

static void check_finite(const struct optim_run *run)
{
	ck_assert(isfinite(run->problem.loss));
	for (size_t i = 0; i < run->problem.n; i++)
		ck_assert_msg(isfinite(run->problem.w[i]) && isfinite(run->problem.g[i]), "%s",
				run->optimizer->name);
}

/* 12 iterations, an interrupted one again; converged or not. */
static void run_some(struct optim_run *run)
{
	while (run->steps < 12) {
		real before[N];

		memcpy(before, run->problem.w, sizeof before);
		if (run_once(run) != OPTIM_INTERRUPTED) continue;
		ck_assert_msg(!memcmp(before, run->problem.w, sizeof before), "%s, %u", run->optimizer->name,
				run->stop_at);
		run->stop_at = 0;
	}
}

/* A run that is stopped at any evaluation, and goes on from there, ends where one does that was left alone. */
static void check_interruptions(const char *name, optim_function *function)
{
	struct optim_run whole, run;
	real w[N];

	start_at(w);
	run_new(&whole, name, function, w, N);
	run_some(&whole);
	for (unsigned stop = 1; stop <= whole.looks; stop++) {
		run_new(&run, name, function, w, N);
		run.stop_at = stop;
		run_some(&run);
		ck_assert(run.looks > whole.looks);
		check_same(&whole, &run, "stopped", stop);
		run_free(&run);
	}
	run_free(&whole);
}

START_TEST(interrupted_iterations_have_not_happened)
{
	for (size_t o = 0; optim_at(o); o++) {
		if (!optim_at(o)->iterate) continue;
		check_interruptions(optim_at(o)->name, rosenbrock);
		check_interruptions(optim_at(o)->name, kinked);
	}
}
END_TEST

START_TEST(no_search_ends_higher_than_it_began)
{
	static optim_function *const functions[] = { walled, slopeless, kinked, lying, endless, coarse, level,
		rosenbrock, coupled };

	for (size_t s = 0; s < 2; s++)
		for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
			const real start[3] = { 0.5f, 0.25f, 0.125f };
			struct optim_run run;
			double last;

			run_new(&run, searches[s], functions[f], start, 3);
			last = functions[f](start, run.problem.g, 3);
			for (unsigned i = 0; i < 40; i++) {
				enum optim_progress progress = run_once(&run);
				real again[3];

				check_finite(&run);
				ck_assert_msg(run.problem.loss <= last, "%s, function %zu: %.17g after %.17g",
						searches[s], f, run.problem.loss, last);
				last = run.problem.loss;
				ck_assert_msg(functions[f](run.problem.w, again, 3) == last,
						"%s, function %zu: not the loss at w", searches[s], f);
				ck_assert_mem_eq(again, run.problem.g, sizeof again);
				if (progress == OPTIM_CONVERGED) break;
			}
			run_free(&run);
		}
}
END_TEST

START_TEST(a_wall_is_kept_away_from)
{
	for (size_t s = 0; s < 2; s++) {
		struct optim_run run;

		run_new(&run, searches[s], walled, (real[]){ 0.01f, 2.9f, 1 }, 3);
		run.params[0] = 1000; /* the first trials are far outside */
		run_for(&run, 60);
		for (size_t i = 0; i < 3; i++)
			ck_assert_msg(fabs((double)run.problem.w[i] - 2) < 2e-3, "%s: %g", searches[s],
					(double)run.problem.w[i]);
		run_free(&run);
	}
}
END_TEST

/* They know when they are done, and nothing is wasted on it. */
START_TEST(searches_converge)
{
	static optim_function *const functions[] = { coupled, coarse, rosenbrock, level, lying };

	for (size_t s = 0; s < 2; s++)
		for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
			struct optim_run run;
			unsigned made, looks;

			run_new(&run, searches[s], functions[f], (real[]){ -1.2f, 1, 0.5f }, 3);
			made = run_for(&run, 400);
			ck_assert_msg(made < 400, "%s, function %zu", searches[s], f);
			ck_assert_int_eq(run_once(&run), OPTIM_CONVERGED); /* it stays so */
			looks = run.looks;
			ck_assert_int_eq(run_once(&run), OPTIM_CONVERGED);
			ck_assert_uint_le(run.looks - looks, 52);
			if (functions[f] == coupled || functions[f] == rosenbrock)
				for (size_t i = 0; i < 3; i++)
					ck_assert_msg(fabs((double)run.problem.w[i] -
								      (functions[f] == coupled ? (double)i
											       : 1)) < 2e-3,
							"%s: %g", searches[s], (double)run.problem.w[i]);
			run_free(&run);
		}
}
END_TEST

static void set_evaluations(struct optim_run *run, unsigned most)
{
	for (size_t p = 0; p < params_count(run->optimizer->params); p++)
		if (!strcmp(run->optimizer->params[p].name, "max_evaluations")) run->params[p] = most;
}

START_TEST(evaluations_are_bounded)
{
	for (size_t s = 0; s < 2; s++)
		for (unsigned most = 2; most <= 25; most += 23) {
			struct optim_run run;
			unsigned looks;

			run_new(&run, searches[s], endless, (real[]){ 0 }, 1);
			set_evaluations(&run, most);
			run_once(&run);
			looks = run.looks - 1; /* one before the first iteration */
			ck_assert_msg(looks == most, "%s: %u of %u", searches[s], looks, most);
			ck_assert(run.problem.w[0] > 0);
			run_free(&run);
		}
}
END_TEST

/* Falls to 1.5 and is high beyond. */
static double cliff(const real *w, real *g, size_t n)
{
	memset(g, 0, n * sizeof *g);
	g[0] = w[0] > 1.5f ? 3 : -1;
	return w[0] > 1.5f ? 100 : -(double)w[0];
}

/* The first look is at 1, the second beyond the cliff, and there is no third. */
START_TEST(the_lowest_point_stands_when_time_is_up)
{
	for (size_t s = 0; s < 2; s++) {
		struct optim_run run;

		run_new(&run, searches[s], cliff, (real[]){ 0 }, 1);
		set_evaluations(&run, 2);
		ck_assert_int_eq(run_once(&run), OPTIM_MOVED);
		ck_assert_double_eq((double)run.problem.w[0], 1);
		ck_assert_double_eq((double)run.problem.g[0], -1);
		ck_assert_double_eq(run.problem.loss, -1);
		run_free(&run);
	}
}
END_TEST

static double nowhere(const real *w, real *g, size_t n)
{
	memset(g, 0, n * sizeof *g);
	g[0] = NAN;
	return (double)w[0];
}

/* Training ends with a reason when a number is no longer finite: no optimizer may swallow it. */
START_TEST(nan_gradients_reach_the_weight)
{
	for (size_t o = 0; optim_at(o); o++) {
		struct optim_run run;

		run_new(&run, optim_at(o)->name, nowhere, (real[]){ 1, 1 }, 2);
		ck_assert_int_eq(run_once(&run), OPTIM_MOVED);
		ck_assert_msg(isnan(run.problem.w[0]) && isfinite(run.problem.w[1]), "%s", optim_at(o)->name);
		ck_assert(run.problem.stale);
		run_free(&run);
	}
}
END_TEST

/* ---- rprop by hand ---- */

/* f = w², from 1 with steps of 0.5: 0.5, then with 0.6 beyond the minimum to -0.1. There the sign changes, but the
 * loss has fallen from 0.25 to 0.01: the weight stays. The next step of 0.3 leads to 0.2, where the sign changes and
 * the loss has risen: back to -0.1, and from there 0.15 on. */
static double square(const real *w, real *g, size_t n)
{
	(void)n;
	g[0] = 2 * w[0];
	return (double)w[0] * (double)w[0];
}

START_TEST(rprop_by_hand)
{
	static const double ways[2][6] = {
		{ 0.5, -0.1, -0.1, 0.2, -0.1, 0.05 },
		{ 0.2, -0.76, 0.2, -0.28, 0.2, -0.04 }, /* from 1, steps of 0.8: the loss rises twice */
	};

	for (size_t c = 0; c < 2; c++) {
		struct optim_run run;

		run_new(&run, "rprop", square, (real[]){ 1 }, 1);
		run.params[0] = c ? 0.8 : 0.5;
		for (size_t i = 0; i < 6; i++) {
			run_once(&run);
			ck_assert_msg(fabs((double)run.problem.w[0] - ways[c][i]) < 1e-6,
					"case %zu, iteration %zu: %g, not %g", c, i + 1,
					(double)run.problem.w[0], ways[c][i]);
		}
		run_free(&run);
	}
}
END_TEST

START_TEST(moments_follow_the_history)
{
	double params[PARAMS_MAX];
	const struct optimizer *lbfgs = optim_find("lbfgs");

	params_fallback(lbfgs->params, params);
	for (unsigned history = 1; history <= 12; history++) {
		params[1] = history + 0.9;
		if (param_allows(&lbfgs->params[1], params[1]))
			ck_assert_uint_eq(optim_moments(lbfgs, params), 3 + 2 * history);
	}
	params[1] = lbfgs->params[1].max;
	ck_assert_uint_eq(optim_moments(lbfgs, params), lbfgs->moments);
	for (size_t o = 0; optim_at(o); o++) {
		params_fallback(optim_at(o)->params, params);
		ck_assert_uint_le(optim_moments(optim_at(o), params), optim_at(o)->moments);
		ck_assert_uint_le(optim_at(o)->moments, OPTIM_MOMENTS_MAX);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_optimizer_resumes, interrupted_iterations_have_not_happened,
		no_search_ends_higher_than_it_began, a_wall_is_kept_away_from, searches_converge,
		evaluations_are_bounded, the_lowest_point_stands_when_time_is_up,
		nan_gradients_reach_the_weight, rprop_by_hand, moments_follow_the_history, NULL };

	return suite_main("core_optim_search", tests, 20);
}
