/* activation.h - activation functions: one table of rows that training, validation, the catalogue and the
 * docs read. z is the weighted input of a layer, a its activation; both (B,U): rows × units, row-major. A unit of
 * maxout has several weighted inputs: z is (B,P·U) then, piece after piece.
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
	bool whole_row;   /* a unit's activation depends on its whole row (softmax) */
	bool flat;        /* f' is 0 wherever it exists (step): nothing can be learnt through it */
	bool from_a;      /* backward looks at a alone, so that z need not be kept */
	bool pieces;      /* params[0] says how many weighted inputs a unit takes its largest of (maxout) */
	bool dies;        /* a unit whose z is below 0 for every row is 0 and learns nothing (relu) */
	double low, high; /* the bounds of a; both 0 where it has none on one side */

	/* a = f(z). z and a may be the same memory. */
	void (*forward)(const real *z, real *a, size_t rows, size_t units, const double *params);
	/* dz = da * f'(z), given the activations a of the forward pass. da and dz may be the same memory, but for
	 * pieces. */
	void (*backward)(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
			const double *params);

	/* Where every unit learns a parameter of its own (prelu: the slope, which starts at params[0]), else NULL:
	 * the same two, of learned (U). backward adds to gradient (U), unless that is NULL, and is called for all rows of a
	 * batch at once. */
	void (*forward_learned)(const real *z, real *a, size_t rows, size_t units, const real *learned);
	void (*backward_learned)(const real *z, const real *da, real *dz, size_t rows, size_t units,
			const real *learned, real *gradient);
};

#define ACTIVATION_PIECES_MAX 64

/* Weighted inputs of one unit: 1, or those of maxout. */
size_t activation_pieces(const struct activation *activation, const double *params);

const struct activation *activation_at(size_t i); /* NULL past the end */
const struct activation *activation_find(const char *name);

#endif
