/* gemm_naive.c - the product as it is written in a textbook, and what the other engines are held against.
 *
 * One chain of fused multiply-adds over k for each element: this is the definition of the bits that every
 * engine with FMA gives. Slow on purpose; it stays this simple for ever.
 */
#include <math.h>

#include "core/gemm_engines.h"
#include "core/wide.h"

#ifdef DESCENT_DOUBLE
#define REAL_FMA fma
#else
#define REAL_FMA fmaf
#endif

FUSED static void naive_run(const struct gemm_args *g)
{
	for (size_t m = 0; m < g->m; m++) {
		for (size_t n = 0; n < g->n; n++) {
			real *c = &g->c[m * g->c_row + n];
			real sum = g->accumulate ? *c : REAL(0.0);

			for (size_t k = 0; k < g->k; k++)
				sum = REAL_FMA(g->a[m * g->a_row + k * g->a_col],
						g->b[k * g->b_row + n * g->b_col], sum);
			*c = sum;
		}
	}
}

static bool naive_usable(void)
{
	return true;
}

const struct gemm_engine gemm_naive = {
	.name = "naive",
	.description = "plain loops, the reference",
	.usable = naive_usable,
	.run = naive_run,
};
