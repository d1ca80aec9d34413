/* init.c - the table of initializers. See init.h.
 *
 * Weight number i of layer l is a function of (seed, l, i) and of nothing else.
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

static void zeros(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer)
{
	(void)seed, (void)layer;
	memset(weights, 0, inputs * units * sizeof *weights);
}

#define GLOROT \
	"Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010"
#define HE "He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015"

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
