/* loss_categories.c - the losses of probabilities and of margins. See loss.h.
 *
 * Without a joint form the cross entropies keep probabilities PROBABILITY_FLOOR away from 0 (and 1). The gradient is
 * then that at the floor and not 0, so that a network which is wrong and sure of it still learns.
 * The hinges train each output to tell its class from all the others, with the one-hot targets 0 and 1 read as -1 and
 * 1 (as Keras's Hinge does, and not as its CategoricalHinge).
 */
#include <math.h>

#include "core/loss_rows.h"

#define PROBABILITY_FLOOR REAL(1e-7) /* float32 can still tell 1 - 1e-7 from 1 */

static real floored(real p)
{
	return p < PROBABILITY_FLOOR ? PROBABILITY_FLOOR : p;
}

/* A sum of log(1 + x) over rows, with one logarithm for many of them: they are multiplied until the product is large. A
 * small x is a series instead, which keeps it exact. */
struct log_sum {
	double product, sum;
};

#define SERIES_END  1e-3 /* x^6 / 6 is nothing beside x below it */
#define PRODUCT_END 1e280

static void log_sum_add(struct log_sum *l, double x)
{
	if (x < SERIES_END) {
		l->sum += x * (1 - x * (1.0 / 2 - x * (1.0 / 3 - x * (1.0 / 4 - x / 5))));
		return;
	}
	l->product *= 1 + x;
	if (l->product < PRODUCT_END) return;
	l->sum += log(l->product);
	l->product = 1;
}

/* One row of -sum y log softmax(z), y summing to 1: log sum exp(z) - sum y z. With the largest z_m taken off,
 * sum exp(z - z_m) is 1 + s, where s is the sum of the other outputs over a_m. The logarithm goes into *logs, the rest
 * is returned. smoothing takes that share of y and spreads it evenly. */
static double softmax_row_loss(const real *z, const real *a, const real *y, size_t units, double smoothing,
		struct log_sum *logs)
{
	double others = 0, expected = 0, keep = 1 - smoothing, spread = smoothing / (double)units;
	size_t m = 0;

	for (size_t u = 1; u < units; u++)
		if (z[u] > z[m]) m = u;
	for (size_t u = 0; u < units; u++) {
		if (u != m) others += (double)a[u];
		expected += (keep * (double)y[u] + spread) * ((double)z[m] - (double)z[u]);
	}
	log_sum_add(logs, others / (double)a[m]);
	return expected;
}

static double cross_entropy_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	double keep = 1 - params[0], spread = params[0] / (double)units, sum = 0;

	if (joint) {
		struct log_sum logs = { .product = 1 };

		for (size_t b = 0; b < rows; b++)
			sum += softmax_row_loss(
					z + b * units, a + b * units, y + b * units, units, params[0], &logs);
		return sum + logs.sum + log(logs.product);
	}
	for (size_t i = 0; i < rows * units; i++) {
		double target = keep * (double)y[i] + spread;

		if (target != 0) sum -= target * log((double)floored(a[i]));
	}
	return sum;
}

static void cross_entropy_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)rows);
	real keep = (real)(1 - params[0]), spread = (real)(params[0] / (double)units);

	(void)z;
	if (joint) {
		for (size_t i = 0; i < n; i++)
			out[i] = share * (a[i] - (keep * y[i] + spread));
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = -share * (keep * y[i] + spread) / floored(a[i]);
}

static real clip_probability(real p)
{
	return p > 1 - PROBABILITY_FLOOR ? 1 - PROBABILITY_FLOOR : floored(p);
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

/* sum y log(y / a) is the cross entropy less that of the targets with themselves, which no weight can change. */
static double kl_divergence_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	static const double no_smoothing[PARAMS_MAX];
	double sum = cross_entropy_value(z, a, y, rows, units, joint, no_smoothing);

	(void)params;
	for (size_t i = 0; i < rows * units; i++)
		if (y[i] != 0) sum += (double)y[i] * log((double)y[i]);
	return sum;
}

static void kl_divergence_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	static const double no_smoothing[PARAMS_MAX];

	(void)params;
	cross_entropy_gradient(z, a, y, out, rows, units, joint, no_smoothing);
}

/* By how much an output misses the margin of 1 on its side of 0; a NaN stays one. */
static real miss(real a, real y)
{
	real short_of = 1 - (2 * y - 1) * a;

	return short_of <= 0 ? 0 : short_of;
}

static double hinge_value(const real *z, const real *a, const real *y, size_t rows, size_t units, bool joint,
		const double *params)
{
	double sum = 0;

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < rows * units; i++) {
		sum += (double)miss(a[i], y[i]);
	}
	return sum / (double)units;
}

static void hinge_gradient(const real *z, const real *a, const real *y, real *out, size_t rows, size_t units,
		bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n);

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++) {
		real side = 2 * y[i] - 1;

		out[i] = side * a[i] < 1 ? -share * side : 0;
	}
}

static double squared_hinge_value(const real *z, const real *a, const real *y, size_t rows, size_t units,
		bool joint, const double *params)
{
	double sum = 0;

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < rows * units; i++) {
		double m = (double)miss(a[i], y[i]);

		sum += m * m;
	}
	return sum / (double)units;
}

static void squared_hinge_gradient(const real *z, const real *a, const real *y, real *out, size_t rows,
		size_t units, bool joint, const double *params)
{
	size_t n = rows * units;
	real share = (real)(1.0 / (double)n);

	(void)z, (void)joint, (void)params;
	for (size_t i = 0; i < n; i++) {
		out[i] = -2 * share * (2 * y[i] - 1) * miss(a[i], y[i]);
	}
}

const struct loss loss_category_rows[] = {
	{
			.name = "cross_entropy",
			.formula = "L = -Σ_b Σ_o t_bo log(a_bo) / B, t_bo = (1 - s) y_bo + s/O",
			.derivative = "∂L/∂a_bo = -t_bo / (a_bo B); with softmax ∂L/∂z_bo = (a_bo - t_bo) / B",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Bishop: Pattern Recognition and Machine Learning, 2006, equation 4.108; label smoothing: Szegedy et al.: Rethinking the Inception Architecture, 2016, section 7",
			.params = { { .name = "label_smoothing",
					.fallback = 0,
					.min = 0,
					.max = 1,
					.max_open = true,
					.meaning = "s, the share of each target that is spread evenly over the classes" } },
			.targets = LOSS_CATEGORIES,
			.target_min = 0,
			.target_max = 1,
			.outputs = { "softmax" },
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
			.outputs = { "sigmoid" },
			.joint_activation = "sigmoid",
			.value = binary_cross_entropy_value,
			.gradient = binary_cross_entropy_gradient,
	},
	{
			.name = "kl_divergence",
			.formula = "L = Σ_b Σ_o y_bo log(y_bo / a_bo) / B",
			.derivative = "∂L/∂a_bo = -y_bo / (a_bo B); with softmax ∂L/∂z_bo = (a_bo - y_bo) / B",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Kullback, Leibler: On information and sufficiency, Annals of Mathematical Statistics 22, 1951",
			.targets = LOSS_CATEGORIES,
			.target_min = 0,
			.target_max = 1,
			.outputs = { "softmax" },
			.joint_activation = "softmax",
			.value = kl_divergence_value,
			.gradient = kl_divergence_gradient,
	},
	{
			.name = "hinge",
			.formula = "L = Σ_b Σ_o max(0, 1 - t_bo a_bo) / (B·O), t_bo = 2 y_bo - 1: each class against the rest",
			.derivative = "∂L/∂a_bo = -t_bo / (B·O) for t_bo a_bo < 1, else 0",
			.range = "[0, ∞)",
			.source = "Cortes, Vapnik: Support-vector networks, Machine Learning 20, 1995; one against the rest: Rifkin, Klautau, JMLR 5, 2004",
			.targets = LOSS_CATEGORIES,
			.target_min = 0,
			.target_max = 1,
			.outputs = { "linear", "tanh" },
			.value = hinge_value,
			.gradient = hinge_gradient,
	},
	{
			.name = "squared_hinge",
			.formula = "L = Σ_b Σ_o max(0, 1 - t_bo a_bo)² / (B·O), t_bo = 2 y_bo - 1: each class against the rest",
			.derivative = "∂L/∂a_bo = -2 t_bo max(0, 1 - t_bo a_bo) / (B·O)",
			.range = "[0, ∞)",
			.differentiable = true,
			.source = "Tang: Deep learning using linear support vector machines, 2013",
			.targets = LOSS_CATEGORIES,
			.target_min = 0,
			.target_max = 1,
			.outputs = { "linear", "tanh" },
			.value = squared_hinge_value,
			.gradient = squared_hinge_gradient,
	},
};

const size_t loss_category_count = sizeof loss_category_rows / sizeof *loss_category_rows;
