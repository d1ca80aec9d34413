/* init.c - the table of initializers. See init.h.
 *
 * Weight number i of layer l is a function of (seed, l, i) and of nothing else; orthogonal alone looks at the
 * whole matrix. It works in place, sums in double and sweeps twice: one sweep of modified Gram-Schmidt leaves an
 * error of rounding × condition number (thousands for a square Gaussian matrix), the second starts from a
 * matrix whose condition is 1 and leaves rounding alone. Every vector is divided by its positive length, so
 * that R's diagonal is positive, the factorisation unique and the matrix uniformly distributed.
 */
#include "core/init.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

static void fill_uniform(real *weights, size_t n, double limit, uint64_t seed, uint32_t layer)
{
	struct rng_key key = { .seed = seed, .stream = RNG_WEIGHTS, .epoch = layer };

	for (size_t i = 0; i < n; i++)
		weights[i] = (real)(limit * (2 * rng_uniform(&key, i) - 1));
}

static void fill_normal(real *weights, size_t n, double deviation, uint64_t seed, uint32_t layer)
{
	struct rng_key key = { .seed = seed, .stream = RNG_WEIGHTS, .epoch = layer };

	for (size_t i = 0; i < n; i++)
		weights[i] = (real)(deviation * rng_normal(&key, i));
}

static void glorot_uniform(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	fill_uniform(weights, inputs * units, sqrt(6.0 / (double)(inputs + units)), seed, layer);
}

static void glorot_normal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	fill_normal(weights, inputs * units, sqrt(2.0 / (double)(inputs + units)), seed, layer);
}

static void he_uniform(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	fill_uniform(weights, inputs * units, sqrt(6.0 / (double)inputs), seed, layer);
}

static void he_normal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	fill_normal(weights, inputs * units, sqrt(2.0 / (double)inputs), seed, layer);
}

static void lecun_uniform(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	fill_uniform(weights, inputs * units, sqrt(3.0 / (double)inputs), seed, layer);
}

static void lecun_normal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	fill_normal(weights, inputs * units, sqrt(1.0 / (double)inputs), seed, layer);
}

/* x (n), its elements stride apart, gets length 1. */
static void normalize(real *x, size_t n, size_t stride)
{
	double squares = 0;

	for (size_t i = 0; i < n; i++)
		squares += (double)x[i * stride] * (double)x[i * stride];
	double length = sqrt(squares);
	for (size_t i = 0; i < n; i++)
		x[i * stride] = (real)((double)x[i * stride] / length);
}

/* One sweep over the rows of w (rows, columns), rows <= columns. */
static void orthonormal_rows(real *w, size_t rows, size_t columns)
{
	for (size_t r = 0; r < rows; r++) {
		const real *unit = w + r * columns;

		normalize(w + r * columns, columns, 1);
		for (size_t later = r + 1; later < rows; later++) {
			real *x = w + later * columns;
			double along = 0;

			for (size_t i = 0; i < columns; i++)
				along += (double)unit[i] * (double)x[i];
			for (size_t i = 0; i < columns; i++)
				x[i] = (real)((double)x[i] - along * (double)unit[i]);
		}
	}
}

#define TILE 64 /* columns at a time: memory is read along the rows, and the sums fit on the stack */

/* One sweep over the columns of w (rows, columns), columns <= rows. */
static void orthonormal_columns(real *w, size_t rows, size_t columns)
{
	for (size_t c = 0; c < columns; c++) {
		normalize(w + c, rows, columns);
		for (size_t first = c + 1; first < columns; first += TILE) {
			size_t n = columns - first < TILE ? columns - first : TILE;
			double along[TILE] = { 0 };

			for (size_t r = 0; r < rows; r++)
				for (size_t i = 0; i < n; i++)
					along[i] += (double)w[r * columns + c] *
						    (double)w[r * columns + first + i];
			for (size_t r = 0; r < rows; r++)
				for (size_t i = 0; i < n; i++) {
					real *x = &w[r * columns + first + i];

					*x = (real)((double)*x - along[i] * (double)w[r * columns + c]);
				}
		}
	}
}

static void orthogonal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	void (*sweep)(real *, size_t, size_t) = inputs <= units ? orthonormal_rows : orthonormal_columns;

	fill_normal(weights, inputs * units, 1, seed, layer);
	sweep(weights, inputs, units);
	sweep(weights, inputs, units);
}

static void zeros(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	(void)seed, (void)layer;
	memset(weights, 0, inputs * units * sizeof *weights);
}

#define GLOROT \
	"Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010"
#define HE    "He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015"
#define LECUN "LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998"
#define SAXE                                                                                               \
	"Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in deep linear " \
	"neural networks, ICLR 2014"

static const struct initializer initializers[] = {
	{
			.name = "glorot_uniform",
			.formula = "w ~ U(-r, r), r = sqrt(6 / (inputs + units))",
			.source = GLOROT ", equation 16",
			.fill = glorot_uniform,
	},
	{
			.name = "glorot_normal",
			.formula = "w ~ N(0, σ²), σ² = 2 / (inputs + units)",
			.source = GLOROT ", equation 12",
			.fill = glorot_normal,
	},
	{
			.name = "he_uniform",
			.formula = "w ~ U(-r, r), r = sqrt(6 / inputs)",
			.source = HE ", equation 10",
			.fill = he_uniform,
	},
	{
			.name = "he_normal",
			.formula = "w ~ N(0, σ²), σ² = 2 / inputs",
			.source = HE ", equation 10",
			.fill = he_normal,
	},
	{
			.name = "lecun_uniform",
			.formula = "w ~ U(-r, r), r = sqrt(3 / inputs)",
			.source = LECUN ", equation 16",
			.fill = lecun_uniform,
	},
	{
			.name = "lecun_normal",
			.formula = "w ~ N(0, σ²), σ² = 1 / inputs",
			.source = LECUN ", equation 16",
			.fill = lecun_normal,
	},
	{
			.name = "orthogonal",
			.formula = "w = Q of G = QR, G ~ N(0, 1), diagonal of R > 0 (of the transposed if inputs < units)",
			.source = SAXE,
			.fill = orthogonal,
	},
	{
			.name = "zeros",
			.formula = "w = 0",
			.source = "for a single layer: hidden units that start equal stay equal",
			.fill = zeros,
	},
};

#define COUNT (sizeof initializers / sizeof initializers[0])

const struct initializer *init_at(size_t i)
{
	return i < COUNT ? &initializers[i] : NULL;
}

const struct initializer *init_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(initializers[i].name, name)) return &initializers[i];
	return NULL;
}

const struct initializer *init_for(const struct activation *activation)
{
	static const char *const relu_family[] = { "relu", "leaky_relu" };

	for (size_t i = 0; i < sizeof relu_family / sizeof relu_family[0]; i++)
		if (!strcmp(activation->name, relu_family[i])) return init_find("he_normal");
	return init_find("glorot_uniform");
}
