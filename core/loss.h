/* loss.h - loss functions: one table of rows. y are the targets, a the outputs, z their weighted inputs; all
 * (B,O). A loss is a mean over rows, as value = sum over rows / rows; over outputs too, unless they are one
 * distribution (cross_entropy, kl_divergence).
 *
 * Where a loss and an output activation have a stable joint form (softmax or sigmoid with cross entropy), the
 * row names that activation and its functions take z: no logarithm of a rounded probability, and
 * dz = (a - y) / B without a division by a small a.
 */
#ifndef DESCENT_LOSS_H
#define DESCENT_LOSS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/activation.h"
#include "core/param.h"
#include "core/real.h"

enum loss_targets { LOSS_NUMBERS = 1, LOSS_CATEGORIES = 2 }; /* a set of bits */

#define LOSS_OUTPUTS_MAX 2

struct loss {
	const char *name;
	const char *formula, *derivative, *range;
	bool differentiable;
	const char *source;
	struct param params[PARAMS_MAX];
	unsigned targets; /* enum loss_targets that it can be used for */
	double target_min,
			target_max; /* number targets outside are refused: [0,1] for binary_cross_entropy */
	const char *outputs
			[LOSS_OUTPUTS_MAX]; /* output activations it goes with, the first by default; none: all */
	const char *joint_activation; /* NULL, or the activation that value and gradient are joint with */

	/* The sum over the rows of each row's loss, in double. Where joint_activation is set and is the
	 * output's activation, joint is true and z is used; else a is. */
	double (*value)(const real *z, const real *a, const real *y, size_t rows, size_t units, bool joint,
			const double *params);
	/* joint: out = dL/dz. Else out = dL/da. L is the mean over `rows`: the factor 1/rows is applied here. */
	void (*gradient)(const real *z, const real *a, const real *y, real *out, size_t rows, size_t units,
			bool joint, const double *params);
};

const struct loss *loss_at(size_t i); /* NULL past the end */
const struct loss *loss_find(const char *name);
/* Does the loss go with outputs of this activation? */
bool loss_takes(const struct loss *loss, const char *output);
/* True when loss has a joint form with this output activation. */
bool loss_is_joint(const struct loss *loss, const struct activation *output);

#endif
