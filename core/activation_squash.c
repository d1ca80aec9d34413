/* activation_squash.c - activations between two bounds: sigmoid, tanh and their relatives, softmax and the step.
 *
 * Each is two functions over (B,U) numbers and a row. softmax works row by row, the others are one loop over B*U.
 */
#include "core/activation_rows.h"

#include <string.h>

#include "core/realmath.h"
#include "core/wide.h"

WIDE static void sigmoid_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = real_sigmoid(z[i]);
}

static void sigmoid_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)z, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (a[i] * (1 - a[i]));
}

const struct activation activation_sigmoid = {
	.name = "sigmoid",
	.formula = "a = 1 / (1 + exp(-z))",
	.derivative = "a (1 - a)",
	.range = "(0, 1)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 323, 1986",
	.from_a = true,
	.low = 0,
	.high = 1,
	.forward = sigmoid_forward,
	.backward = sigmoid_backward,
};

WIDE static void tanh_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = real_tanh(z[i]);
}

static void tanh_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	size_t n = rows * units;

	(void)z, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (1 - a[i] * a[i]);
}

const struct activation activation_tanh = {
	.name = "tanh",
	.formula = "a = (exp(z) - exp(-z)) / (exp(z) + exp(-z))",
	.derivative = "1 - a²",
	.range = "(-1, 1)",
	.nonlinear = true,
	.differentiable = true,
	.source = "LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998, section 4.4",
	.from_a = true,
	.low = -1,
	.high = 1,
	.forward = tanh_forward,
	.backward = tanh_backward,
};

#define HARD_END 3 /* beyond it the hard sigmoid is 0 or 1 */

static void hard_sigmoid_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = z[i] < -HARD_END ? 0 : z[i] > HARD_END ? 1 : z[i] / (2 * HARD_END) + REAL(0.5);
}

static void hard_sigmoid_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)a, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (z[i] > -HARD_END && z[i] < HARD_END ? REAL(1.0) / (2 * HARD_END) : 0);
}

const struct activation activation_hard_sigmoid = {
	.name = "hard_sigmoid",
	.formula = "a = min(1, max(0, z/6 + 1/2))",
	.derivative = "1/6 for -3 < z < 3, else 0",
	.range = "[0, 1]",
	.nonlinear = true,
	.source = "Howard et al.: Searching for MobileNetV3, ICCV 2019",
	.low = 0,
	.high = 1,
	.forward = hard_sigmoid_forward,
	.backward = hard_sigmoid_backward,
};

static void softsign_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = z[i] / (1 + (z[i] < 0 ? -z[i] : z[i]));
}

static void softsign_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)a, (void)params;
	for (size_t i = 0; i < n; i++) {
		real factor = 1 / (1 + (z[i] < 0 ? -z[i] : z[i]));

		dz[i] = da[i] * (factor * factor);
	}
}

const struct activation activation_softsign = {
	.name = "softsign",
	.formula = "a = z / (1 + |z|)",
	.derivative = "1 / (1 + |z|)²",
	.range = "(-1, 1)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Bergstra, Desjardins, Lamblin, Bengio: Quadratic polynomials learn better image features, 2009",
	.low = -1,
	.high = 1,
	.forward = softsign_forward,
	.backward = softsign_backward,
};

/* The largest z of a row is taken off first: then no exponential overflows and the largest one is 1. */
WIDE static void softmax_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t b = 0; b < rows; b++) {
		const real *row = z + b * units;
		real largest = row[0];

		for (size_t u = 1; u < units; u++)
			largest = row[u] > largest ? row[u] : largest;
		for (size_t u = 0; u < units; u++)
			a[b * units + u] = row[u] - largest;
	}
	for (size_t i = 0; i < n; i++) /* one long loop, as rows may be short */
		a[i] = real_exp_negative(a[i]);
	for (size_t b = 0; b < rows; b++) {
		real *row = a + b * units;
		real sum = 0;

		for (size_t u = 0; u < units; u++)
			sum += row[u];
		for (size_t u = 0; u < units; u++)
			row[u] /= sum;
	}
}

/* dz_i = a_i (da_i - sum_j da_j a_j). */
static void softmax_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	(void)z, (void)params;
	for (size_t b = 0; b < rows; b++) {
		const real *ar = a + b * units, *dar = da + b * units;
		real *dzr = dz + b * units, dot = 0;

		for (size_t u = 0; u < units; u++)
			dot += ar[u] * dar[u];
		for (size_t u = 0; u < units; u++)
			dzr[u] = ar[u] * (dar[u] - dot);
	}
}

const struct activation activation_softmax = {
	.name = "softmax",
	.formula = "a_i = exp(z_i) / Σ_j exp(z_j)",
	.derivative = "∂a_i/∂z_j = a_i ([i = j] - a_j)",
	.range = "(0, 1)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Bridle: Probabilistic interpretation of feedforward classification network outputs, 1990",
	.whole_row = true,
	.from_a = true,
	.low = 0,
	.high = 1,
	.forward = softmax_forward,
	.backward = softmax_backward,
};

static void step_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = z[i] >= 0 ? 1 : z[i] < 0 ? 0 : z[i]; /* NaN stays NaN */
}

static void step_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	(void)z, (void)a, (void)da, (void)params;
	memset(dz, 0, rows * units * sizeof *dz);
}

const struct activation activation_step = {
	.name = "step",
	.formula = "a = 1 for z ≥ 0, else 0",
	.derivative = "0 for z ≠ 0, none at 0: it cannot be trained, only given weights by hand",
	.range = "{0, 1}",
	.nonlinear = true,
	.flat = true,
	.low = 0,
	.high = 1,
	.source = "McCulloch, Pitts: A logical calculus of the ideas immanent in nervous activity, 1943",
	.forward = step_forward,
	.backward = step_backward,
};
