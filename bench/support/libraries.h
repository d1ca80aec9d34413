/* libraries.h - the matrix products of other libraries, where they are installed: what ours are held against.
 *
 * All run on the calling thread. OpenBLAS takes its kernels by OPENBLAS_CORETYPE, which the caller of the program sets.
 */
#ifndef BENCH_LIBRARIES_H
#define BENCH_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>

/* c (M,N) = a b, row-major without gaps. a is (M,K), or (K,M) when it lies turned; b is (K,N), or (N,K). */
struct product {
	size_t m, n, k;
	bool a_turned, b_turned;
	const float *a, *b;
	float *c;
};

struct library {
	const char *name;
	bool (*open)(void);                   /* false: it is not installed */
	bool (*run)(const struct product *p); /* false: it has no kernel for this one */
};

/* The i-th of the table, NULL past its end. */
const struct library *library_at(size_t i);

#endif
