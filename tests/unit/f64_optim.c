/* f64_optim.c - every optimizer for 100 steps on a quadratic with waves, against the weights that PyTorch or a
 * reference written from the paper reaches (tests/golden/optim.py), and for as long as it takes to its minimum.
 */
#include <math.h>
#include <string.h>

#include "core/optim.h"
#include "tests/golden/optim.h"
#include "tests/unit/optim_run.h"
#include "tests/unit/suite.h"

#define N        GOLDEN_WEIGHTS
#define TOLERATE 1e-9
#define GOLDENS  (sizeof goldens / sizeof goldens[0])
#define SEARCHES (sizeof golden_searches / sizeof golden_searches[0])

/* Of f(w) = sum_i a_i (w_i - c_i)^2 / 2 + cos(w_i w_i+1) / 2. */
static void wavy(const real w[N], real g[N])
{
	for (size_t i = 0; i < N; i++) {
		real after = w[(i + 1) % N], before = w[(i + N - 1) % N];

		g[i] = golden_curvature[i] * (w[i] - golden_centre[i]) - 0.5 * sin(w[i] * after) * after -
		       0.5 * sin(before * w[i]) * before;
	}
}

static double wavy_function(const real *w, real *g, size_t n)
{
	double f = 0;

	wavy(w, g);
	for (size_t i = 0; i < n; i++) {
		double off = w[i] - golden_centre[i];

		f += golden_curvature[i] * off * off / 2 + cos(w[i] * w[(i + 1) % n]) / 2;
	}
	return f;
}

static void quadratic(const real w[N], real g[N])
{
	for (size_t i = 0; i < N; i++)
		g[i] = golden_curvature[i] * (w[i] - golden_centre[i]);
}

/* `steps` steps from golden_start; the rate fades as 1 / (1 + fade step). */
static void descend(const struct optimizer *optimizer, const double *params, uint64_t steps, double fade,
		void (*gradient)(const real w[N], real g[N]), real w[N])
{
	real block[OPTIM_MOMENTS_MAX][N] = { 0 }, *moments[OPTIM_MOMENTS_MAX] = { 0 }, g[N];

	ck_assert_uint_le(optimizer->moments, OPTIM_MOMENTS_MAX);
	for (size_t i = 0; i < optimizer->moments; i++)
		moments[i] = block[i];
	memcpy(w, golden_start, sizeof golden_start);
	for (uint64_t step = 1; step <= steps; step++) {
		double rate = params[0] / (1 + fade * (double)step);

		gradient(w, g);
		optimizer->step(w, g, moments, 0, N, step, rate, params);
	}
}

START_TEST(goldens_agree)
{
	for (size_t r = 0; r < GOLDENS; r++) {
		const struct golden *row = &goldens[r];
		const struct optimizer *optimizer = optim_find(row->name);
		double fallbacks[PARAMS_MAX];
		real w[N];

		ck_assert_msg(optimizer != NULL, "%s", row->name);
		params_fallback(optimizer->params, fallbacks);
		if (row->standard)
			ck_assert_msg(!memcmp(fallbacks, row->params, sizeof fallbacks), "%s: defaults",
					row->name);
		descend(optimizer, row->params, GOLDEN_STEPS, 0, wavy, w);
		for (size_t i = 0; i < N; i++)
			ck_assert_msg(fabs(w[i] - row->weights[i]) <= TOLERATE,
					"%s, row %zu: weight %zu is %.15g, not %.15g", row->name, r, i, w[i],
					row->weights[i]);
	}
}
END_TEST

/* The references look as often, and at the same places. */
START_TEST(searches_agree)
{
	for (size_t r = 0; r < SEARCHES; r++) {
		const struct golden_search *row = &golden_searches[r];
		struct optim_run run;

		run_new(&run, row->name, strcmp(row->function, "wavy") ? rosenbrock : wavy_function,
				golden_start, N);
		if (row->standard)
			ck_assert_msg(!memcmp(run.params, row->params, sizeof run.params), "%s: defaults",
					row->name);
		memcpy(run.params, row->params, sizeof run.params);
		ck_assert_uint_eq(run_for(&run, row->iterations), row->iterations);
		ck_assert_msg(run.looks == row->looks, "%s, row %zu: %u evaluations, not %u", row->name, r,
				run.looks, row->looks);
		for (size_t i = 0; i < N; i++)
			ck_assert_msg(fabs(run.problem.w[i] - row->weights[i]) <= TOLERATE,
					"%s, row %zu: weight %zu is %.15g, not %.15g", row->name, r, i,
					run.problem.w[i], row->weights[i]);
		run_free(&run);
	}
}
END_TEST

static void differs_everywhere(const struct optimizer *optimizer, const double *params)
{
	for (size_t p = 0; p < params_count(optimizer->params); p++)
		ck_assert_double_ne(params[p], optimizer->params[p].fallback);
}

/* Each has the row of its defaults and one in which every parameter differs from them. */
START_TEST(every_parameter_has_a_golden)
{
	for (size_t o = 0; optim_at(o); o++) {
		const struct optimizer *optimizer = optim_at(o);
		bool standard = false, others = false;

		for (size_t r = 0; r < GOLDENS; r++) {
			if (strcmp(goldens[r].name, optimizer->name) != 0) continue;
			standard |= goldens[r].standard;
			others |= !goldens[r].standard;
			if (!goldens[r].standard) differs_everywhere(optimizer, goldens[r].params);
		}
		for (size_t r = 0; r < SEARCHES; r++) {
			if (strcmp(golden_searches[r].name, optimizer->name) != 0) continue;
			standard |= golden_searches[r].standard;
			others |= !golden_searches[r].standard;
			if (!golden_searches[r].standard)
				differs_everywhere(optimizer, golden_searches[r].params);
		}
		ck_assert_msg(standard && others, "%s has no goldens", optimizer->name);
	}
}
END_TEST

/* A rate that fades makes each reach the one minimum, which is known: golden_centre. */
START_TEST(quadratics_are_solved)
{
	for (size_t o = 0; optim_at(o); o++) {
		const struct optimizer *optimizer = optim_at(o);
		double params[PARAMS_MAX];
		real w[N];

		if (!optimizer->step) continue;
		params_fallback(optimizer->params, params);
		params[0] = fmax(0.3, params[0]);
		for (size_t p = 1; p < params_count(optimizer->params); p++)
			if (!strcmp(optimizer->params[p].name, "weight_decay")) params[p] = 0;
		descend(optimizer, params, 50000, 0.001, quadratic, w);
		for (size_t i = 0; i < N; i++)
			ck_assert_msg(fabs(w[i] - golden_centre[i]) < 0.02, "%s: weight %zu is %g, not %g",
					optimizer->name, i, w[i], golden_centre[i]);
	}
}
END_TEST

/* The product of nadam's momenta is worked out anew at each step; it must not be slow or lose itself far from
 * the start, whatever the parameters. */
START_TEST(late_steps_are_finite)
{
	static const double betas[] = { 0, 0.5, 0.9, 0.9999999 };

	for (size_t o = 0; optim_at(o); o++)
		for (size_t b = 0; b < sizeof betas / sizeof betas[0]; b++) {
			const struct optimizer *optimizer = optim_at(o);
			real w[N] = { 0 }, g[N] = { 1, -1, 1e-3, 1e3, 1e-30, 0 };
			real block[OPTIM_MOMENTS_MAX][N] = { 0 };
			real *moments[OPTIM_MOMENTS_MAX] = { block[0], block[1], block[2] };
			double params[PARAMS_MAX];

			if (!optimizer->step) continue;
			params_fallback(optimizer->params, params);
			for (size_t p = 1; p < params_count(optimizer->params); p++)
				if (optimizer->params[p].max_open) params[p] = betas[b];
			for (uint64_t step = 1; step < 1ull << 52; step *= 2)
				optimizer->step(w, g, moments, 0, N, step, 1e-3, params);
			for (size_t i = 0; i < N; i++)
				ck_assert_msg(isfinite(w[i]), "%s with %g: %g", optimizer->name, betas[b],
						w[i]);
			ck_assert_msg(w[5] == 0 && w[0] < 0 && w[1] > 0, "%s with %g", optimizer->name,
					betas[b]);
		}
}
END_TEST

/* Along exact enough lines conjugate gradients need about n iterations, and so do quasi-Newton steps. */
START_TEST(coupled_quadratics_are_solved)
{
	static const struct {
		const char *name;
		double c_2;
		unsigned iterations;
	} cases[] = { { "conjugate_gradient", 0.0500001, 16 }, { "lbfgs", 0.0500001, 16 },
		{ "conjugate_gradient", 0.1, 24 }, { "lbfgs", 0.9, 28 }, { "rprop", 0, 200 } };

	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		real start[12] = { 3, -1, 4, -1, 5, -9, 2, -6, 5, -3, 5, -8 };
		struct optim_run run;

		run_new(&run, cases[c].name, coupled, start, 12);
		for (size_t p = 0; p < params_count(run.optimizer->params); p++)
			if (!strcmp(run.optimizer->params[p].name, "c_2")) run.params[p] = cases[c].c_2;
		run_for(&run, cases[c].iterations);
		for (size_t i = 0; i < 12; i++)
			ck_assert_msg(fabs(run.problem.w[i] - (double)i) < 1e-5, "%s, %g: weight %zu is %.9g",
					cases[c].name, cases[c].c_2, i, run.problem.w[i]);
		run_free(&run);
	}
}
END_TEST

START_TEST(rosenbrock_is_solved)
{
	static const struct {
		const char *name;
		size_t n;
		unsigned looks;
	} cases[] = { { "lbfgs", 2, 60 }, { "lbfgs", 20, 300 }, { "conjugate_gradient", 2, 200 },
		{ "conjugate_gradient", 20, 900 } };

	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		real start[20] = { -1.2, 1, -1.2, 1, -1.2, 1 };
		struct optim_run run;

		run_new(&run, cases[c].name, rosenbrock, start, cases[c].n);
		while (run.looks < cases[c].looks && run_once(&run) == OPTIM_MOVED)
			;
		for (size_t i = 0; i < cases[c].n; i++)
			ck_assert_msg(fabs(run.problem.w[i] - 1) < 1e-8, "%s of %zu: weight %zu is %.12g",
					cases[c].name, cases[c].n, i, run.problem.w[i]);
		run_free(&run);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { goldens_agree, searches_agree, every_parameter_has_a_golden,
		quadratics_are_solved, late_steps_are_finite, coupled_quadratics_are_solved,
		rosenbrock_is_solved, NULL };

	return suite_main("f64_optim", tests, 20);
}
