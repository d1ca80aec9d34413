/* explain.h - which inputs made an output: integrated gradients (Sundararajan, Taly, Yan: Axiomatic attribution for deep
 * networks, ICML 2017, equation 1).
 *
 * On the straight line from a baseline x' to x the output F changes by the sum over inputs of
 *
 *	(x_i - x'_i) times the integral from 0 to 1 of dF/dx_i (x' + t (x - x')) dt
 *
 * and each of these is the contribution of one input. The integrals are worked out numerically, and what that leaves of
 * F(x) - F(x') unexplained is told. Letters: net.h.
 */
#ifndef DESCENT_EXPLAIN_H
#define DESCENT_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "core/gemm.h"
#include "core/net.h"

#define EXPLAIN_POINTS_MAX 4096 /* on a line whose gradient is asked for */

struct explainer; /* one caller's working memory for one network */

/* *out is new (explainer_free). net and engine are borrowed for its life. ERR_RANGE, ERR_NOMEM. */
int explainer_new(struct explainer **out, const struct net *net, const struct gemm_engine *engine,
		struct err *e);
void explainer_free(struct explainer *explainer); /* NULL is fine */
/* What explainer_new takes, in bytes; SIZE_MAX when it would overflow. */
size_t explainer_bytes(const struct net *net);

struct explanation {
	const double *contributions; /* (I), borrowed until the next call */
	double baseline, output;     /* F at both ends, as net_forward answers */
	double residual;             /* output - baseline - the sum of the contributions */
	bool complete; /* the residual is within twice what explain aims at, or rounding: not so where F jumps */
	size_t points; /* that it took */
};

/* baseline, x (I) -> what each input contributed to the output of that number. The contributions sum up to the
 * difference within 0.5 % of it, or within what the rounding of F makes, unless that would take more than
 * EXPLAIN_POINTS_MAX points or F jumps (step). What is not finite makes contributions that are not. Allocates nothing. */
void explain(struct explainer *explainer, const real *baseline, const real *x, size_t output,
		struct explanation *out);

#endif
