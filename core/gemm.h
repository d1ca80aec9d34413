/* gemm.h - matrix products, and the engines behind them.
 *
 * C (M,N) = A (M,K) B (K,N), or C += A B. A and B may have any strides, so that a transposed one needs no
 * copy of the caller's; the rows of C are contiguous. Every element of C is one chain over k = 0, 1, 2, … of fused
 * multiply-adds, rounded once each, in every engine but `portable` on a machine without FMA: so a row's
 * result has the same bits alone and in a batch, at any number of threads, and in any engine with FMA.
 *
 * The naive engine is the reference for ever; the tests hold the others against it.
 */
#ifndef DESCENT_GEMM_H
#define DESCENT_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "core/real.h"
#include "core/team.h"

/* One product. Strides are in elements. a(m,k) is a[m*a_row + k*a_col]; b(k,n) is
 * b[k*b_row + n*b_col]; c(m,n) is c[m*c_row + n]. accumulate: C += A B, the chain starting from what C holds. */
struct gemm_args {
	size_t m, n, k;
	const real *a;
	size_t a_row, a_col;
	const real *b;
	size_t b_row, b_col;
	real *c;
	size_t c_row;
	bool accumulate;
};

struct gemm_engine {
	const char *name;        /* "naive", "portable", "avx2", "avx512" */
	const char *description; /* for the log and /v1/system */
	bool (*usable)(void);    /* does this CPU have what it needs? */
	void (*run)(const struct gemm_args *args);
};

/* The engine called name, or the fastest usable one when name is NULL or "auto". *out lives for ever.
 * ERR_INVALID: no engine has that name (the sentence lists them) or this CPU cannot run it. */
int gemm_choose(const struct gemm_engine **out, const char *name, struct err *e);
/* The i-th engine of the table, NULL past its end. */
const struct gemm_engine *gemm_engine_at(size_t i);

/* Runs the product, over the team's threads when it is large enough to gain by it; same bits either way.
 * m, n or k may be 0: with k == 0 C becomes 0 (or stays, when accumulating). Cannot fail, allocates nothing. */
void gemm(const struct gemm_engine *engine, struct team *team, const struct gemm_args *args);

/* to (cols, rows) = from (rows, cols), both with contiguous rows. They may not overlap. */
void gemm_transpose(const real *from, size_t rows, size_t cols, real *to);

#endif
