/* activation_rectify.c - activations that are about 0 below 0 and about z above: relu and its relatives.
 *
 * Each is two functions over (B,U) numbers that lie without gaps, so that it is one loop over B*U of them, and a row.
 * A comparison is written so that NaN stays NaN.
 */
#include "core/activation_rows.h"

#include "core/realmath.h"
#include "core/wide.h"

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

	(void)z, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (a[i] > 0 ? 1 : 0);
}

const struct activation activation_relu = {
	.name = "relu",
	.formula = "a = max(0, z)",
	.derivative = "1 for z > 0, else 0",
	.range = "[0, ∞)",
	.nonlinear = true,
	.source = "Nair, Hinton: Rectified linear units improve restricted Boltzmann machines, ICML 2010",
	.from_a = true,
	.dies = true,
	.forward = relu_forward,
	.backward = relu_backward,
};

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

	(void)z; /* has the sign of a, and where slope is 0 what is below 0 is at 0 */
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * (a[i] > 0 ? 1 : slope);
}

const struct activation activation_leaky_relu = {
	.name = "leaky_relu",
	.formula = "a = z for z > 0, else slope·z",
	.derivative = "1 for z > 0, else slope",
	.range = "(-∞, ∞)",
	.nonlinear = true,
	.source = "Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, ICML 2013",
	.params = { { .name = "slope", .fallback = 0.01, .min = 0, .max = 1, .meaning = "factor below 0" } },
	.from_a = true,
	.forward = leaky_relu_forward,
	.backward = leaky_relu_backward,
};

static void prelu_forward(const real *z, real *a, size_t rows, size_t units, const real *slopes)
{
	for (size_t b = 0; b < rows; b++)
		for (size_t u = 0; u < units; u++) {
			real x = z[b * units + u];

			a[b * units + u] = x * (x < 0 ? slopes[u] : 1);
		}
}

/* A slope may become negative or 0, so that a does not tell the sign of z. */
static void prelu_backward(const real *z, const real *da, real *dz, size_t rows, size_t units,
		const real *slopes, real *gradient)
{
	for (size_t b = 0; b < rows; b++)
		for (size_t u = 0; u < units; u++) {
			real x = z[b * units + u], d = da[b * units + u];

			if (gradient) gradient[u] += d * (x > 0 ? 0 : x);
			dz[b * units + u] = d * (x > 0 ? 1 : slopes[u]);
		}
}

const struct activation activation_prelu = {
	.name = "prelu",
	.formula = "a = z for z > 0, else slope·z; each unit learns its slope",
	.derivative = "1 for z > 0, else slope; for the slope: 0 for z > 0, else z",
	.range = "(-∞, ∞)",
	.nonlinear = true,
	.source = "He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015, section 2.1",
	.params = { { .name = "slope",
			.fallback = 0.25,
			.min = 0,
			.max = 1,
			.meaning = "factor below 0 that every unit starts with" } },
	.forward = leaky_relu_forward,
	.backward = leaky_relu_backward,
	.forward_learned = prelu_forward,
	.backward_learned = prelu_backward,
};

WIDE static void elu_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;
	real alpha = (real)params[0];

	for (size_t i = 0; i < n; i++)
		a[i] = z[i] > 0 ? z[i] : alpha * real_expm1_negative(z[i] > 0 ? 0 : z[i]);
}

static void elu_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	size_t n = rows * units;
	real alpha = (real)params[0];

	(void)z; /* has the sign of a */
	for (size_t i = 0; i < n; i++) {
		real below = a[i] + alpha; /* read in any case: a read under a condition is no vector code */

		dz[i] = da[i] * (a[i] > 0 ? 1 : below);
	}
}

const struct activation activation_elu = {
	.name = "elu",
	.formula = "a = z for z > 0, else α (exp(z) - 1)",
	.derivative = "1 for z > 0, else a + α; continuous for α = 1",
	.range = "(-α, ∞)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Clevert, Unterthiner, Hochreiter: Fast and accurate deep network learning by exponential linear units, ICLR 2016",
	.params = { { .name = "alpha",
			.fallback = 1,
			.min = 0,
			.max = 1000,
			.min_open = true,
			.meaning = "-alpha is the limit far below 0" } },
	.from_a = true,
	.forward = elu_forward,
	.backward = elu_backward,
};

/* The constants that make mean 0 and variance 1 the fixed point of a layer (section 2, equation 14). */
#define SELU_SCALE REAL(1.0507009873554804934)
#define SELU_ALPHA REAL(1.6732632423543772848)

WIDE static void selu_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = SELU_SCALE * (z[i] > 0 ? z[i] : SELU_ALPHA * real_expm1_negative(z[i] > 0 ? 0 : z[i]));
}

static void selu_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	size_t n = rows * units;

	(void)z, (void)params;
	for (size_t i = 0; i < n; i++) {
		real below = a[i] + SELU_SCALE * SELU_ALPHA;

		dz[i] = da[i] * (a[i] > 0 ? SELU_SCALE : below);
	}
}

const struct activation activation_selu = {
	.name = "selu",
	.formula = "a = λ z for z > 0, else λ α (exp(z) - 1); λ = 1.0507009873554805, α = 1.6732632423543773",
	.derivative = "λ for z > 0, else a + λ α",
	.range = "(-λ α, ∞)",
	.nonlinear = true,
	.source = "Klambauer, Unterthiner, Mayr, Hochreiter: Self-normalizing neural networks, NeurIPS 2017",
	.from_a = true,
	.forward = selu_forward,
	.backward = selu_backward,
};

#define NORMAL_PEAK REAL(0.39894228040143267794) /* 1 / sqrt(2 π) */

WIDE static void gelu_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = z[i] * real_normal_below(z[i]);
}

WIDE static void gelu_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)a, (void)params;
	for (size_t i = 0; i < n; i++) {
		real density = NORMAL_PEAK * real_exp_negative(z[i] * z[i] / -2);

		dz[i] = da[i] * (real_normal_below(z[i]) + z[i] * density);
	}
}

const struct activation activation_gelu = {
	.name = "gelu",
	.formula = "a = z Φ(z), Φ(z) = (1 + erf(z / √2)) / 2",
	.derivative = "Φ(z) + z φ(z), φ(z) = exp(-z²/2) / √(2π)",
	.range = "[-0.16997…, ∞)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Hendrycks, Gimpel: Gaussian error linear units, 2016 (arXiv 1606.08415)",
	.forward = gelu_forward,
	.backward = gelu_backward,
};

WIDE static void silu_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = z[i] * real_sigmoid(z[i]);
}

WIDE static void silu_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)a, (void)params;
	for (size_t i = 0; i < n; i++) {
		real s = real_sigmoid(z[i]);

		dz[i] = da[i] * (s + s * (z[i] * (1 - s)));
	}
}

const struct activation activation_silu = {
	.name = "silu",
	.formula = "a = z σ(z), σ(z) = 1 / (1 + exp(-z))",
	.derivative = "σ(z) (1 + z (1 - σ(z)))",
	.range = "[-0.27847…, ∞)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Elfwing, Uchibe, Doya: Sigmoid-weighted linear units for neural network function approximation in reinforcement learning, 2017",
	.forward = silu_forward,
	.backward = silu_backward,
};

/* ln(1 + e^z) = max(0, z) + ln(1 + e^-|z|), which never overflows. */
WIDE static void softplus_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t n = rows * units;

	(void)params;
	for (size_t i = 0; i < n; i++)
		a[i] = (z[i] < 0 ? 0 : z[i]) + real_log1p_unit(real_exp_negative(z[i] < 0 ? z[i] : -z[i]));
}

WIDE static void softplus_backward(const real *z, const real *a, const real *da, real *dz, size_t rows,
		size_t units, const double *params)
{
	size_t n = rows * units;

	(void)a, (void)params;
	for (size_t i = 0; i < n; i++)
		dz[i] = da[i] * real_sigmoid(z[i]);
}

const struct activation activation_softplus = {
	.name = "softplus",
	.formula = "a = ln(1 + exp(z))",
	.derivative = "1 / (1 + exp(-z))",
	.range = "(0, ∞)",
	.nonlinear = true,
	.differentiable = true,
	.source = "Dugas, Bengio, Bélisle, Nadeau, Garcia: Incorporating second-order functional knowledge for better option pricing, NIPS 2000",
	.forward = softplus_forward,
	.backward = softplus_backward,
};
