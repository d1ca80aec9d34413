/* optim.h - optimizers: one table of rows. An optimizer is one loop over the n numbers of a parameter block,
 * with its moments in blocks of the same shape, so that a checkpoint of it is one copy.
 */
#ifndef DESCENT_OPTIM_H
#define DESCENT_OPTIM_H

#include <stddef.h>
#include <stdint.h>

#include "core/param.h"
#include "core/real.h"

#define OPTIM_MOMENTS_MAX 3

struct optimizer {
	const char *name;    /* sgd, momentum, adam */
	const char *formula; /* of one step */
	const char *source;
	struct param params[PARAMS_MAX]; /* params[0] is learning_rate */
	size_t moments;                  /* blocks of n numbers that it keeps, 0 at the start */

	/* w -= update(g). step counts from 1. learning_rate is the scheduled one. Ranges [from, to) of the
	 * blocks may be done by different threads: an element depends on its own index only. */
	void (*step)(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from, size_t to,
			uint64_t step, double learning_rate, const double *params);
};

const struct optimizer *optim_at(size_t i); /* NULL past the end */
const struct optimizer *optim_find(const char *name);

#endif
