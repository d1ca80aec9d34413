/* activation.c - the table of activation functions, and those without a bound. See activation.h.
 *
 * A row is a name, what people want to know about it, and two functions over (B,U) numbers that lie without
 * gaps. To add one: write its two functions and a row in one of the files activation_*.c, declare the row in
 * activation_rows.h and list it here; validation, the catalogue and the gradient tests take it from the table.
 */
#include "core/activation_rows.h"

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

const struct activation activation_linear = {
	.name = "linear",
	.formula = "a = z",
	.derivative = "1",
	.range = "(-∞, ∞)",
	.differentiable = true,
	.source = "the identity: the output of a regression",
	.from_a = true,
	.forward = linear_forward,
	.backward = linear_backward,
};

WIDE static void exponential_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = real_exp(z[i]);
}

static void exponential_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)z, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * a[i];
}

const struct activation activation_exponential = {
	.name = "exponential",
	.formula = "a = exp(z)",
	.derivative = "a",
	.range = "(0, ∞)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Nelder, Wedderburn: Generalized linear models, 1972: the log link, for outputs above 0",
	.from_a = true,
	.forward = exponential_forward,
	.backward = exponential_backward,
};

static const struct activation *const activations[] = {
	&activation_linear,
	&activation_relu,
	&activation_leaky_relu,
	&activation_prelu,
	&activation_elu,
	&activation_selu,
	&activation_gelu,
	&activation_silu,
	&activation_softplus,
	&activation_sigmoid,
	&activation_hard_sigmoid,
	&activation_tanh,
	&activation_softsign,
	&activation_softmax,
	&activation_maxout,
	&activation_exponential,
	&activation_step,
};

size_t activation_pieces(const struct activation *activation, const double *params)
{
	return activation->pieces ? (size_t)params[0] : 1;
}

#define COUNT (sizeof activations / sizeof activations[0])

const struct activation *activation_at(size_t i)
{
	return i < COUNT ? activations[i] : NULL;
}

const struct activation *activation_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(activations[i]->name, name)) return activations[i];
	return NULL;
}
