/* init.h - initializers of weights: one table of rows. Biases start at 0. */
#ifndef DESCENT_INIT_H
#define DESCENT_INIT_H

#include <stddef.h>
#include <stdint.h>

#include "core/activation.h"
#include "core/param.h"
#include "core/real.h"

struct initializer {
	const char *name;    /* zeros, constant, uniform, normal, glorot_…, he_…, lecun_…, orthogonal */
	const char *formula; /* inputs and units are the layer's */
	const char *source;
	struct param params[PARAMS_MAX];
	/* Fills weights (inputs, units), drawn from (seed, RNG_WEIGHTS, layer). Neither may be 0. */
	void (*fill)(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer,
			const double *params);
};

const struct initializer *init_at(size_t i); /* NULL past the end */
const struct initializer *init_find(const char *name);
/* What suits the activation: he_normal for the relu family, lecun_normal for selu, glorot_uniform for the rest. */
const struct initializer *init_for(const struct activation *activation);

#endif
