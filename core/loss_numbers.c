/* loss_numbers.c - the losses of a difference between output and target, each a mean over rows and outputs. See loss.h.
 *
 * Number targets of linear outputs are normalized, and so is the unit of a loss's parameters (delta of huber).
 * Where a loss has a kink, its gradient there is 0. A NaN goes into the value, so that training sees it.
 */
#include <math.h>

#include "core/loss_rows.h"
#include "core/realmath.h"
#include "core/wide.h"

static double mse_value(const real *z, const real *a, const real *y, size_t rows, size_t units, bool joint,
		const double *params)
{
	size_t n = rows * units;
	double sum = 0;

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++) {
		double error = (double)a[i] - (double)y[i];

		sum += error * error;
	}
	return sum / (double)units;
}

static void mse_gradient(const real *z, const real *a, const real *y, real *out, size_t rows, size_t units,
		bool joint, const double *params)
{
	size_t n = rows * units;
	real factor = (real)(2.0 / (double)n);

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++)
		out[i] = factor * (a[i] - y[i]);
}

static double mae_value(const real *z, const real *a, const real *y, size_t rows, size_t units, bool joint,
		const double *params)
{
	double sum = 0;

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < rows * units; i++) {
		sum += fabs((double)a[i] - (double)y[i]);
	}
	return sum / (double)units;
}

static void mae_gradient(const real *z, const real *a, const real *y, real *out, size_t rows, size_t units,
		bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n);

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++) {
		out[i] = share * (real)((a[i] > y[i]) - (a[i] < y[i]));
	}
}

/* Huber's function of the error, e²/2 up to delta and a line beyond it; its derivative is the error, clipped. */
static double huber_value(const real *z, const real *a, const real *y, size_t rows, size_t units, bool joint,
		const double *params)
{
	double delta = params[0];
	double sum = 0;

	(void)z, (void)joint;
	for (size_t i = 0; i < rows * units; i++) {
		double size = fabs((double)a[i] - (double)y[i]);

		sum += size <= delta ? size * size / 2 : delta * (size - delta / 2);
	}
	return sum / (double)units;
}

static void huber_gradient(const real *z, const real *a, const real *y, real *out, size_t rows, size_t units,
		bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n), delta = (real)params[0];

	(void)z, (void)joint;
	for (size_t i = 0; i < n; i++) {
		real error = a[i] - y[i];

		error = error > delta ? delta : error;
		out[i] = share * (error < -delta ? -delta : error);
	}
}

/* log cosh e: log(1 + 2 sinh²(e/2)) keeps a small error exact, |e| + log(1 + exp(-2|e|)) - log 2 overflows nowhere. */
static double log_cosh_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	double sum = 0;

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < rows * units; i++) {
		double size = fabs((double)a[i] - (double)y[i]), half = sinh(fmin(size, 1) / 2);

		sum += size < 1 ? log1p(2 * half * half) : size + log1p(exp(-2 * size)) - M_LN2;
	}
	return sum / (double)units;
}

WIDE static void log_cosh_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n);

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++) {
		out[i] = share * real_tanh(a[i] - y[i]);
	}
}

static double quantile_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	double quantile = params[0];
	double sum = 0;

	(void)z, (void)joint;
	for (size_t i = 0; i < rows * units; i++) {
		double under = (double)y[i] - (double)a[i];

		sum += under >= 0 ? quantile * under : (quantile - 1) * under;
	}
	return sum / (double)units;
}

static void quantile_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n), quantile = (real)params[0];

	(void)z, (void)joint;
	for (size_t i = 0; i < n; i++) {
		real above = a[i] > y[i] ? 1 - quantile : 0;

		out[i] = share * (a[i] < y[i] ? -quantile : above);
	}
}

/* An output that rounding made 0 counts as this much; the same number as in PyTorch's PoissonNLLLoss. */
#define RATE_FLOOR REAL(1e-8)

static real rate(real a)
{
	return (a < 0 ? 0 : a) + RATE_FLOOR;
}

static double poisson_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	double sum = 0;

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < rows * units; i++) {
		sum += (double)a[i] - (double)y[i] * log((double)rate(a[i]));
	}
	return sum / (double)units;
}

static void poisson_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n);

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++) {
		out[i] = share * (1 - y[i] / rate(a[i]));
	}
}

const struct loss loss_number_rows[] = {
	{
			.name = "mse",
			.formula = "L = Σ_b Σ_o (a_bo - y_bo)² / (B·O)",
			.derivative = "∂L/∂a_bo = 2 (a_bo - y_bo) / (B·O)",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Legendre: Nouvelles méthodes pour la détermination des orbites des comètes, 1805",
			.targets = LOSS_NUMBERS | LOSS_CATEGORIES,
			.target_min = -INFINITY,
			.target_max = INFINITY,
			.value = mse_value,
			.gradient = mse_gradient,
	},
	{
			.name = "mae",
			.formula = "L = Σ_b Σ_o |a_bo - y_bo| / (B·O)",
			.derivative = "∂L/∂a_bo = sign(a_bo - y_bo) / (B·O), 0 at a_bo = y_bo",
			.range = "[0, ∞)",
			.source = "Boscovich, 1757; Bloomfield, Steiger: Least Absolute Deviations, 1983",
			.targets = LOSS_NUMBERS | LOSS_CATEGORIES,
			.target_min = -INFINITY,
			.target_max = INFINITY,
			.value = mae_value,
			.gradient = mae_gradient,
	},
	{
			.name = "huber",
			.formula = "L = Σ_b Σ_o h(a_bo - y_bo) / (B·O), h(e) = e²/2 for |e| ≤ δ, else δ (|e| - δ/2)",
			.derivative = "∂L/∂a_bo = max(-δ, min(δ, a_bo - y_bo)) / (B·O)",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Huber: Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964",
			.params = { { .name = "delta",
					.fallback = 1,
					.min = 0,
					.min_open = true,
					.max = 1e6,
					.meaning = "δ, the error from which on the loss is a line; in standard deviations where targets are normalized" } },
			.targets = LOSS_NUMBERS | LOSS_CATEGORIES,
			.target_min = -INFINITY,
			.target_max = INFINITY,
			.value = huber_value,
			.gradient = huber_gradient,
	},
	{
			.name = "log_cosh",
			.formula = "L = Σ_b Σ_o log(cosh(a_bo - y_bo)) / (B·O)",
			.derivative = "∂L/∂a_bo = tanh(a_bo - y_bo) / (B·O)",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Green: Bayesian reconstructions from emission tomography data using a modified EM algorithm, IEEE TMI 9, 1990",
			.targets = LOSS_NUMBERS | LOSS_CATEGORIES,
			.target_min = -INFINITY,
			.target_max = INFINITY,
			.value = log_cosh_value,
			.gradient = log_cosh_gradient,
	},
	{
			.name = "quantile",
			.formula = "L = Σ_b Σ_o max(q (y_bo - a_bo), (q - 1) (y_bo - a_bo)) / (B·O)",
			.derivative = "∂L/∂a_bo = -q / (B·O) for a_bo < y_bo, (1 - q) / (B·O) for a_bo > y_bo, 0 at a_bo = y_bo",
			.range = "[0, ∞)",
			.source = "Koenker, Bassett: Regression quantiles, Econometrica 46, 1978",
			.params = { { .name = "quantile",
					.fallback = 0.5,
					.min = 0,
					.min_open = true,
					.max = 1,
					.max_open = true,
					.meaning = "q, the share of the targets that shall lie below the output" } },
			.targets = LOSS_NUMBERS,
			.target_min = -INFINITY,
			.target_max = INFINITY,
			.value = quantile_value,
			.gradient = quantile_gradient,
	},
	{
			.name = "poisson",
			.formula = "L = Σ_b Σ_o (a_bo - y_bo log(a_bo + 1e-8)) / (B·O)",
			.derivative = "∂L/∂a_bo = (1 - y_bo / (a_bo + 1e-8)) / (B·O)",
			.range = "(-∞, ∞)",
			.differentiable = true,
			.source = "Nelder, Wedderburn: Generalized linear models, Journal of the Royal Statistical Society A 135, 1972",
			.targets = LOSS_NUMBERS,
			.target_min = 0,
			.target_max = INFINITY,
			.outputs = { "exponential", "softplus" },
			.value = poisson_value,
			.gradient = poisson_gradient,
	},
};

const size_t loss_number_count = sizeof loss_number_rows / sizeof *loss_number_rows;
