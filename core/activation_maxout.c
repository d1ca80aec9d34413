/* activation_maxout.c - maxout: a unit is the largest of several weighted inputs, and so learns its own piecewise
 * linear activation.
 *
 * z is (B,P·U): in each row the first piece of every unit, then the second one of every unit, …, so that the loops
 * run along units. Of equal pieces the first one is taken. A NaN in a row's piece stays, so that divergence is seen.
 */
#include "core/activation_rows.h"

static void maxout_forward(const real *z, real *a, size_t rows, size_t units, const double *params)
{
	size_t pieces = (size_t)params[0];

	for (size_t b = 0; b < rows; b++) {
		const real *row = z + b * pieces * units;
		real *out = a + b * units;

		for (size_t u = 0; u < units; u++)
			out[u] = row[u];
		for (size_t p = 1; p < pieces; p++)
			for (size_t u = 0; u < units; u++) {
				real x = row[p * units + u];

				out[u] = x > out[u] || x != x ? x : out[u];
			}
	}
}

static void maxout_backward(const real *z, const real *a, const real *da, real *dz, size_t rows, size_t units,
		const double *params)
{
	size_t pieces = (size_t)params[0];

	for (size_t b = 0; b < rows; b++)
		for (size_t u = 0; u < units; u++) {
			const real *row = z + b * pieces * units + u;
			real *out = dz + b * pieces * units + u, left = da[b * units + u];

			for (size_t p = 0; p < pieces; p++) {
				bool largest = row[p * units] == a[b * units + u];

				out[p * units] = largest ? left : 0;
				left = largest ? 0 : left;
			}
		}
}

const struct activation activation_maxout = {
	.name = "maxout",
	.formula = "a = max(z_1, …, z_P) over the P pieces of a unit",
	.derivative = "1 for the largest piece, 0 for the others",
	.range = "(-∞, ∞)",
	.nonlinear = true,
	.source = "Goodfellow, Warde-Farley, Mirza, Courville, Bengio: Maxout networks, ICML 2013",
	.params = { { .name = "pieces",
			.fallback = 2,
			.min = 2,
			.max = ACTIVATION_PIECES_MAX,
			.meaning = "weighted inputs of a unit, a whole number" } },
	.pieces = true,
	.forward = maxout_forward,
	.backward = maxout_backward,
};
