/* structures.h - networks with every kind of layer, for tests that hold gradients against finite differences:
 * normalizations, learned slopes, pieces, masks and densities, layers that read several others, several heads.
 */
#ifndef TESTS_UNIT_STRUCTURES_H
#define TESTS_UNIT_STRUCTURES_H

#include "tests/unit/engine.h"

#define LAYERS 6

struct structure {
	const char *what;
	struct layer_spec layers[LAYERS];
	size_t count;
	struct objective objectives[3];
	bool weights, dropout;
};

/* Two hidden layers of 5 and an output layer of 3. */
static inline struct structure chain(const char *what, const char *hidden)
{
	struct structure s = { .what = what,
		.layers = { layer_of(5, hidden), layer_of(5, hidden), layer_of(3, "softmax") },
		.count = 3,
		.objectives = { objective_of("cross_entropy") } };

	s.objectives[0].category = true;
	return s;
}

static inline struct structure normalized(
		const char *what, const char *hidden, enum normalization normalization)
{
	struct structure s = chain(what, hidden);

	s.layers[0].normalization = s.layers[1].normalization = normalization;
	s.layers[1].bias = false;
	return s;
}

/* Layer 2 reads the inputs and both layers before it, the output layer reads 0 and 2. */
static inline struct structure shortcut(const char *what)
{
	struct structure s = { .what = what,
		.layers = { layer_of(5, "tanh"), layer_of(4, "sigmoid"), layer_of(3, "softplus"),
				layer_of(2, "linear") },
		.count = 4,
		.objectives = { objective_of("mse") } };

	s.layers[2].from[0] = NET_INPUTS;
	s.layers[2].from[1] = 1;
	s.layers[2].from[2] = 0;
	s.layers[2].from_count = 3;
	s.layers[3].from[0] = 2;
	s.layers[3].from[1] = 0;
	s.layers[3].from_count = 2;
	s.layers[0].l2 = 0.01;
	return s;
}

/* A category of 3 classes, two numbers and one number behind a layer of its own. */
static inline struct structure many_heads(const char *what)
{
	struct structure s = { .what = what,
		.layers = { layer_of(5, "tanh"), layer_of(3, "softmax"), layer_of(2, "linear"),
				layer_of(4, "softplus"), layer_of(1, "exponential") },
		.count = 5,
		.objectives = { objective_of("cross_entropy"), objective_of("log_cosh"),
				objective_of("poisson") } };

	s.layers[1].head = s.layers[2].head = true;
	s.layers[4].from[0] = 3;
	s.layers[4].from_count = 1;
	s.objectives[0].category = true;
	s.objectives[0].weight = 0.5;
	s.objectives[2].weight = 3;
	return s;
}

/* A density, and a mask with an l1. */
static inline struct structure sparse(const char *what)
{
	static const uint8_t mask[5 * 5] = { 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0,
		1, 0, 1 };
	struct structure s = chain(what, "tanh");

	s.layers[0].density = 0.5;
	s.layers[1].mask = mask;
	s.layers[1].l1 = 0.01;
	return s;
}

#endif
