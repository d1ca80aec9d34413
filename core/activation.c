/* activation.c - the table of activation functions. See activation.h.
 *
 * A row is a name, what people want to know about it, and two functions over (B,U) numbers that lie without
 * gaps, so that an activation of single units is one loop over B*U of them. To add one: write its two functions
 * and a row; validation, the catalogue and the gradient tests take it from the table.
 */
#include "core/activation.h"

#include <math.h>
#include <string.h>

#include "core/realmath.h"
#include "core/wide.h"

static void linear_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	(void)params;
	if (z != a) memcpy(a, z, rows * units * sizeof *a);
}

static void linear_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	(void)z, (void)a, (void)params;
	if (da != dz) memcpy(dz, da, rows * units * sizeof *dz);
}

static void relu_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = z[i] < 0 ? 0 : z[i]; /* NaN stays NaN, so that divergence is seen */
}

static void relu_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	size_t n = rows * units;

	(void)a, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (z[i] > 0 ? 1 : 0);
}

static void leaky_relu_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;
	real slope = (real)params[0];

	for (size_t i = 0; i < n; i++)
		a[i] = z[i] * (z[i] < 0 ? slope : 1);
}

static void leaky_relu_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;
	real slope = (real)params[0];

	(void)a;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (z[i] > 0 ? 1 : slope);
}

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

static const struct activation activations[] = {
	{
			.name = "linear",
			.formula = "a = z",
			.derivative = "1",
			.range = "(-∞, ∞)",
			.differentiable = true,
			.source = "the identity: the output of a regression",
			.forward = linear_forward,
			.backward = linear_backward,
	},
	{
			.name = "relu",
			.formula = "a = max(0, z)",
			.derivative = "1 for z > 0, else 0",
			.range = "[0, ∞)",
			.nonlinear = true,
			.source = "Nair, Hinton: Rectified linear units improve restricted Boltzmann machines, ICML 2010",
			.forward = relu_forward,
			.backward = relu_backward,
	},
	{
			.name = "leaky_relu",
			.formula = "a = z for z > 0, else slope·z",
			.derivative = "1 for z > 0, else slope",
			.range = "(-∞, ∞)",
			.nonlinear = true,
			.source = "Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, ICML 2013",
			.params = { { .name = "slope",
					.fallback = 0.01,
					.min = 0,
					.max = 1,
					.meaning = "factor below 0" } },
			.forward = leaky_relu_forward,
			.backward = leaky_relu_backward,
	},
	{
			.name = "sigmoid",
			.formula = "a = 1 / (1 + exp(-z))",
			.derivative = "a (1 - a)",
			.range = "(0, 1)",
			.nonlinear = true,
			.differentiable = true,
			.source = "Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 323, 1986",
			.forward = sigmoid_forward,
			.backward = sigmoid_backward,
	},
	{
			.name = "tanh",
			.formula = "a = (exp(z) - exp(-z)) / (exp(z) + exp(-z))",
			.derivative = "1 - a²",
			.range = "(-1, 1)",
			.nonlinear = true,
			.differentiable = true,
			.source = "LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998, section 4.4",
			.forward = tanh_forward,
			.backward = tanh_backward,
	},
	{
			.name = "softmax",
			.formula = "a_i = exp(z_i) / Σ_j exp(z_j)",
			.derivative = "∂a_i/∂z_j = a_i ([i = j] - a_j)",
			.range = "(0, 1)",
			.nonlinear = true,
			.differentiable = true,
			.source = "Bridle: Probabilistic interpretation of feedforward classification network outputs, 1990",
			.whole_row = true,
			.forward = softmax_forward,
			.backward = softmax_backward,
	},
};

#define COUNT (sizeof activations / sizeof activations[0])

const struct activation *activation_at(size_t i)
{
	return i < COUNT ? &activations[i] : NULL;
}

const struct activation *activation_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(activations[i].name, name)) return &activations[i];
	return NULL;
}
