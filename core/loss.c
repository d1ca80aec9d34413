/* loss.c - the table of loss functions. See loss.h.
 *
 * Values are summed in double: a sum of many float32 losses would lose the last rows of a large data set.
 * Without a joint form the cross entropies keep probabilities PROBABILITY_FLOOR away from 0 (and 1). The gradient is
 * then that at the floor and not 0, so that a network which is wrong and sure of it still learns.
 */
#include "core/loss.h"

#include <math.h>
#include <string.h>

#define PROBABILITY_FLOOR REAL(1e-7) /* float32 can still tell 1 - 1e-7 from 1 */

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

/* One row of -sum y log softmax(z), y summing to 1: log sum exp(z) - sum y z. With the largest z_m taken off,
 * sum exp(z - z_m) is 1 + s, where s is the sum of the other outputs over a_m; log1p keeps a small s exact. */
static double softmax_row_loss(const real *z, const real *a, const real *y, size_t units)
{
	size_t m = 0;
	double others = 0, expected = 0;

	for (size_t u = 1; u < units; u++)
		if (z[u] > z[m]) m = u;
	for (size_t u = 0; u < units; u++) {
		if (u != m) others += (double)a[u];
		expected += (double)y[u] * ((double)z[m] - (double)z[u]);
	}
	return expected + log1p(others / (double)a[m]);
}

static double cross_entropy_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	double sum = 0;

	(void)params;
	if (joint) {
		for (size_t b = 0; b < rows; b++)
			sum += softmax_row_loss(z + b * units, a + b * units, y + b * units, units);
		return sum;
	}
	for (size_t i = 0; i < rows * units; i++) {
		real p = a[i] < PROBABILITY_FLOOR ? PROBABILITY_FLOOR : a[i];

		if (y[i] != 0) sum -= (double)y[i] * log((double)p);
	}
	return sum;
}

static void cross_entropy_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)rows);

	(void)z, (void)params;
	if (joint) {
		for (size_t i = 0; i < n; i++)
			out[i] = share * (a[i] - y[i]);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		real p = a[i] < PROBABILITY_FLOOR ? PROBABILITY_FLOOR : a[i];

		out[i] = -share * y[i] / p;
	}
}

static real clip_probability(real p)
{
	p = p < PROBABILITY_FLOOR ? PROBABILITY_FLOOR : p;
	return p > 1 - PROBABILITY_FLOOR ? 1 - PROBABILITY_FLOOR : p;
}

/* Joint with sigmoid: max(z, 0) - z y + log(1 + exp(-|z|)), which overflows nowhere. */
static double binary_cross_entropy_value(const real *z, const real *a, const real *y, size_t rows,
		size_t units, bool joint, const double *params)
{
	double sum = 0;

	(void)params;
	for (size_t i = 0; i < rows * units; i++) {
		double target = (double)y[i];

		if (joint) {
			double x = (double)z[i];

			sum += fmax(x, 0) - x * target + log1p(exp(-fabs(x)));
		} else {
			double p = (double)clip_probability(a[i]);

			sum -= target * log(p) + (1 - target) * log(1 - p);
		}
	}
	return sum / (double)units;
}

static void binary_cross_entropy_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n);

	(void)z, (void)params;
	if (joint) {
		for (size_t i = 0; i < n; i++)
			out[i] = share * (a[i] - y[i]);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		real p = clip_probability(a[i]);

		out[i] = share * (p - y[i]) / (p * (1 - p));
	}
}

static const struct loss losses[] = {
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
			.name = "cross_entropy",
			.formula = "L = -Σ_b Σ_o y_bo log(a_bo) / B",
			.derivative = "∂L/∂a_bo = -y_bo / (a_bo B); with softmax ∂L/∂z_bo = (a_bo - y_bo) / B",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Bishop: Pattern Recognition and Machine Learning, 2006, equation 4.108",
			.targets = LOSS_CATEGORIES,
			.target_min = 0,
			.target_max = 1,
			.joint_activation = "softmax",
			.value = cross_entropy_value,
			.gradient = cross_entropy_gradient,
	},
	{
			.name = "binary_cross_entropy",
			.formula = "L = -Σ_b Σ_o (y_bo log(a_bo) + (1 - y_bo) log(1 - a_bo)) / (B·O)",
			.derivative = "∂L/∂a_bo = (a_bo - y_bo) / (a_bo (1 - a_bo) B·O); "
				      "with sigmoid ∂L/∂z_bo = (a_bo - y_bo) / (B·O)",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Bishop: Pattern Recognition and Machine Learning, 2006, equation 4.90",
			.targets = LOSS_NUMBERS | LOSS_CATEGORIES,
			.target_min = 0,
			.target_max = 1,
			.joint_activation = "sigmoid",
			.value = binary_cross_entropy_value,
			.gradient = binary_cross_entropy_gradient,
	},
};

#define COUNT (sizeof losses / sizeof losses[0])

const struct loss *loss_at(size_t i)
{
	return i < COUNT ? &losses[i] : NULL;
}

const struct loss *loss_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(losses[i].name, name)) return &losses[i];
	return NULL;
}

bool loss_is_joint(const struct loss *loss, const struct activation *output)
{
	return loss->joint_activation && !strcmp(loss->joint_activation, output->name);
}
