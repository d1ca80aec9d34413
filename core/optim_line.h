/* optim_line.h - how far to go along a direction, and arithmetic on blocks for those who search. */
#ifndef DESCENT_OPTIM_LINE_H
#define DESCENT_OPTIM_LINE_H

#include "core/optim.h"

/* A decrease by less than this share of the loss is the rounding of the loss itself. A float's loss is a sum in
 * double over rows, whose errors cancel in part. */
#ifdef DESCENT_DOUBLE
#define OPTIM_RESOLUTION REAL_EPSILON
#else
#define OPTIM_RESOLUTION (REAL_EPSILON / 16)
#endif

/* All borrowed. The problem is at start, with loss and gradient there; it may overwrite neither of the three blocks. */
struct optim_line {
	struct optim_problem *problem;
	const real *start, *gradient, *direction; /* (n) */
	double slope;                             /* gradient . direction, below 0 */
	double c_1, c_2;                          /* of the conditions of Wolfe, 0 < c_1 < c_2 < 1 */
	double evaluations;                       /* the most that are made */
};

enum optim_line_end {
	OPTIM_LINE_WOLFE,       /* the strong conditions hold */
	OPTIM_LINE_LOWER,       /* they don't, but the loss is lower: the lowest that was seen */
	OPTIM_LINE_NONE,        /* nothing lower was seen: w, loss and g are those of the start */
	OPTIM_LINE_INTERRUPTED, /* w is that of the start */
};

/* Leaves the problem at start + *length * direction, evaluated. trial: where it looks first, above 0. A loss or a
 * slope that is not finite is too far. NaN never gets in. */
enum optim_line_end optim_line_search(const struct optim_line *line, double trial, double *length);

/* After a search that found a point: was it the last fall from `before` that the loss's rounding lets it see? */
bool optim_line_spent(const struct optim_line *line, enum optim_line_end end, double before);

/* Sums of products in double, in an order that depends on n alone. */
double optim_dot(const real *a, const real *b, size_t n);
void optim_add(real *y, double a, const real *x, size_t n);         /* y += a x */
void optim_scale(real *y, double a, const real *x, size_t n);       /* y = a x; y may be x */
void optim_differ(real *y, const real *a, const real *b, size_t n); /* y = a - b */

#endif
