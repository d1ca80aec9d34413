/* activation.h - activation functions: one table of rows that training, validation, the catalogue and the
 * docs read. z is the weighted input of a layer, a its activation; both (B,U): rows × units, row-major.
 */
#ifndef DESCENT_ACTIVATION_H
#define DESCENT_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "core/param.h"
#include "core/real.h"

struct activation {
	const char *name;
	const char *formula, *derivative; /* for people, in ASCII with unicode Greek where it helps */
	const char *range;                /* of the output, as an interval: "(0, 1)" */
	bool nonlinear;
	bool differentiable; /* continuously, everywhere, with the parameters' defaults */
	const char *source;
	struct param params[PARAMS_MAX];
	bool whole_row; /* a unit's activation depends on its whole row (softmax) */
	bool flat;      /* f' is 0 wherever it exists (step): nothing can be learnt through it */

	/* a = f(z). z and a may be the same memory. */
	void (*forward)(const real *z, real *a, size_t rows, size_t units, const double *params);
	/* dz = da * f'(z), given the activations a of the forward pass. da and dz may be the same memory. */
	void (*backward)(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
			const double *params);
};

const struct activation *activation_at(size_t i); /* NULL past the end */
const struct activation *activation_find(const char *name);

#endif
