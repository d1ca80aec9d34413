/* init.c - the table of initializers. See init.h; the orthogonal one is in init_orthogonal.c.
 *
 * Weight number i of layer l is a function of (seed, l, i) and of nothing else; where the matrix is orthogonal, of the
 * layer's shape too.
 */
#include "core/init.h"

#include <math.h>
#include <string.h>

#include "core/init_rows.h"
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

#define FILL(called)                                                                                  \
	static void called(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer, \
			const double *params)

FILL(zeros)
{
	(void)seed, (void)layer, (void)params;
	memset(weights, 0, inputs * units * sizeof *weights);
}

FILL(constant)
{
	(void)seed, (void)layer;
	for (size_t i = 0; i < inputs * units; i++)
		weights[i] = (real)params[0];
}

FILL(uniform)
{
	fill_uniform(weights, inputs * units, params[0], seed, layer);
}

FILL(normal)
{
	fill_normal(weights, inputs * units, params[0], seed, layer);
}

FILL(glorot_uniform)
{
	(void)params;
	fill_uniform(weights, inputs * units, sqrt(6.0 / (double)(inputs + units)), seed, layer);
}

FILL(glorot_normal)
{
	(void)params;
	fill_normal(weights, inputs * units, sqrt(2.0 / (double)(inputs + units)), seed, layer);
}

FILL(he_uniform)
{
	(void)params;
	fill_uniform(weights, inputs * units, sqrt(6.0 / (double)inputs), seed, layer);
}

FILL(he_normal)
{
	(void)params;
	fill_normal(weights, inputs * units, sqrt(2.0 / (double)inputs), seed, layer);
}

FILL(lecun_uniform)
{
	(void)params;
	fill_uniform(weights, inputs * units, sqrt(3.0 / (double)inputs), seed, layer);
}

FILL(lecun_normal)
{
	(void)params;
	fill_normal(weights, inputs * units, sqrt(1.0 / (double)inputs), seed, layer);
}

FILL(orthogonal)
{
	init_orthogonal(weights, inputs, units, seed, layer, params[0]);
}

#define GLOROT \
	"Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010"
#define HE    "He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015"
#define LECUN "LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998"

#define POSITIVE(called, standard, what)                                                          \
	{                                                                                         \
		.name = (called), .fallback = (standard), .min = 0, .max = 1e3, .min_open = true, \
		.meaning = (what)                                                                 \
	}

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
			.formula = "W'W = gain² I, W (inputs, units); WW' = gain² I where units > inputs",
			.source = "Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in "
				  "deep linear neural networks, 2014; drawn as in Pillai, Smith: Kac's walk, 2017",
			.params = { POSITIVE("gain", 1, "length of each column, or row") },
			.fill = orthogonal,
	},
	{
			.name = "uniform",
			.formula = "w ~ U(-limit, limit)",
			.source = "Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, "
				  "1986",
			.params = { POSITIVE("limit", 0.05, "the largest weight") },
			.fill = uniform,
	},
	{
			.name = "normal",
			.formula = "w ~ N(0, deviation²)",
			.source = "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional "
				  "neural networks, 2012, section 5",
			.params = { POSITIVE("deviation", 0.05, "standard deviation of the weights") },
			.fill = normal,
	},
	{
			.name = "constant",
			.formula = "w = value",
			.source = "for layers that are set by hand: hidden units that start equal stay equal",
			.params = { { .name = "value",
					.fallback = 0.1,
					.min = -1e3,
					.max = 1e3,
					.meaning = "every weight" } },
			.fill = constant,
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
	static const char *const suited[][2] = {
		/* activation, initializer */
		{ "relu", "he_normal" }, { "leaky_relu", "he_normal" }, { "prelu", "he_normal" },
		{ "selu", "lecun_normal" }, /* Klambauer, Unterthiner, Mayr, Hochreiter, 2017 */
	};

	for (size_t i = 0; i < sizeof suited / sizeof suited[0]; i++)
		if (!strcmp(activation->name, suited[i][0])) return init_find(suited[i][1]);
	return init_find("glorot_uniform");
}
