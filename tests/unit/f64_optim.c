/* f64_optim.c - every optimizer for 100 steps on a quadratic with waves, against the weights that PyTorch or a
 * reference written from the paper reaches (tests/golden/optim.py), and for as long as it takes to its minimum.
 */
#include <math.h>
#include <string.h>

#include "core/optim.h"
#include "tests/golden/optim.h"
#include "tests/unit/suite.h"

#define N        GOLDEN_WEIGHTS
#define TOLERATE 1e-9
#define GOLDENS  (sizeof goldens / sizeof goldens[0])

/* Of f(w) = sum_i a_i (w_i - c_i)^2 / 2 + cos(w_i w_i+1) / 2. */
static void wavy(const real w[N], real g[N])
{
	for (size_t i = 0; i < N; i++) {
		real after = w[(i + 1) % N], before = w[(i + N - 1) % N];

		g[i] = golden_curvature[i] * (w[i] - golden_centre[i]) - 0.5 * sin(w[i] * after) * after -
		       0.5 * sin(before * w[i]) * before;
	}
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
			for (size_t p = 0; p < params_count(optimizer->params) && !goldens[r].standard; p++)
				ck_assert_double_ne(goldens[r].params[p], optimizer->params[p].fallback);
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

int main(void)
{
	const TTest *const tests[] = { goldens_agree, every_parameter_has_a_golden, quadratics_are_solved,
		late_steps_are_finite, NULL };

	return suite_main("f64_optim", tests, 20);
}
