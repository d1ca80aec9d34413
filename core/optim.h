/* optim.h - optimizers: one table of rows. Most are one loop over the n numbers of a parameter block, after each
 * mini-batch; some need the loss and the gradient over all rows and search along a line. The moments of either lie in
 * blocks of the parameters' shape, so that a checkpoint is one copy.
 */
#ifndef DESCENT_OPTIM_H
#define DESCENT_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/param.h"
#include "core/real.h"

#define OPTIM_MOMENTS_MAX 32
#define OPTIM_SCALARS_MAX 32

/* What a full-batch optimizer works on; the caller's, who may put it at the head of a struct of its own. */
struct optim_problem {
	size_t n;
	real *w, *g; /* (n) parameters and the gradient at them, borrowed */
	double loss; /* at w; what g is the gradient of */
	bool (*evaluate)(struct optim_problem *problem); /* sets loss and g for the present w; false: stop */
	bool stale;                                      /* w was left at a point that was not evaluated */
};

enum optim_progress {
	OPTIM_MOVED,
	OPTIM_CONVERGED,   /* nothing lower can be found along the line, at the precision of a real */
	OPTIM_INTERRUPTED, /* evaluate said so */
};

struct optimizer {
	const char *name;    /* sgd, momentum, adam */
	const char *formula; /* of one step */
	const char *source;
	struct param params[PARAMS_MAX]; /* params[0] is learning_rate */
	size_t moments;                  /* the most blocks of n numbers that it keeps, 0 at the start */

	/* w -= update(g). step counts from 1. learning_rate is the scheduled one. Ranges [from, to) of the
	 * blocks may be done by different threads: an element depends on its own index only. NULL: full batch. */
	void (*step)(real *w, const real *g, real *const moments[OPTIM_MOMENTS_MAX], size_t from, size_t to,
			uint64_t step, double learning_rate, const double *params);

	/* One iteration over all rows; NULL: step. On entry problem's loss and g are those at w. On return w is the
	 * new point, with its loss and g unless stale is set. After OPTIM_INTERRUPTED w is where it was and the
	 * iteration may be done again as if for the first time; loss and g are not those at w. moments and scalars
	 * start at 0, and are kept between iterations; nothing else is. step counts from 1. */
	enum optim_progress (*iterate)(struct optim_problem *problem, real *const moments[OPTIM_MOMENTS_MAX],
			double scalars[OPTIM_SCALARS_MAX], uint64_t step, double learning_rate,
			const double *params);

	size_t (*blocks)(const double *params); /* moments with these params; NULL: always all */
};

/* How many moments it keeps with these params: the first so many of its blocks. */
size_t optim_moments(const struct optimizer *optimizer, const double *params);

const struct optimizer *optim_at(size_t i); /* NULL past the end */
const struct optimizer *optim_find(const char *name);

#endif
