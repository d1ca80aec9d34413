/* libraries.c - OpenBLAS and oneDNN by dlopen, libxsmm (which Debian has as a static library) where the build finds
 * it. Types and numbers of their interfaces are written down here, so that their headers need not be installed.
 */
#include "bench/support/libraries.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

/* ---- OpenBLAS: cblas_sgemm, by the conventions of the reference CBLAS ---- */

enum { CBLAS_ROW_MAJOR = 101, CBLAS_AS_IT_LIES = 111, CBLAS_TURNED = 112 };

static void (*openblas_sgemm)(int order, int turn_a, int turn_b, int m, int n, int k, float alpha,
		const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

static bool openblas_open(void)
{
	void *lib = (setenv("OPENBLAS_NUM_THREADS", "1", 1), dlopen("libopenblas.so.0", RTLD_NOW));

	*(void **)&openblas_sgemm = lib ? dlsym(lib, "cblas_sgemm") : NULL;
	return openblas_sgemm;
}

static bool openblas_run(const struct product *p)
{
	openblas_sgemm(CBLAS_ROW_MAJOR, p->a_turned ? CBLAS_TURNED : CBLAS_AS_IT_LIES,
			p->b_turned ? CBLAS_TURNED : CBLAS_AS_IT_LIES, (int)p->m, (int)p->n, (int)p->k, 1,
			p->a, (int)(p->a_turned ? p->m : p->k), p->b, (int)(p->b_turned ? p->k : p->n), 0,
			p->c, (int)p->n);
	return true;
}

/* ---- oneDNN: dnnl_sgemm, row-major ---- */

static int (*onednn_sgemm)(char turn_a, char turn_b, int64_t m, int64_t n, int64_t k, float alpha,
		const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

static bool onednn_open(void)
{
	void *lib = (setenv("OMP_NUM_THREADS", "1", 1), dlopen("libdnnl.so.2", RTLD_NOW));

	if (!lib) lib = dlopen("libdnnl.so.3", RTLD_NOW);
	*(void **)&onednn_sgemm = lib ? dlsym(lib, "dnnl_sgemm") : NULL;
	return onednn_sgemm;
}

static bool onednn_run(const struct product *p)
{
	return onednn_sgemm(p->a_turned ? 'T' : 'N', p->b_turned ? 'T' : 'N', (int64_t)p->m, (int64_t)p->n,
			       (int64_t)p->k, 1, p->a, (int64_t)(p->a_turned ? p->m : p->k), p->b,
			       (int64_t)(p->b_turned ? p->k : p->n), 0, p->c, (int64_t)p->n) == 0;
}

/* ---- libxsmm: a kernel for each shape, made at its first use; columns first, so that it sees c' = b' a' ---- */

#ifdef HAVE_LIBXSMM

#define XSMM_TURN_SECOND 2 /* LIBXSMM_GEMM_FLAG_TRANS_B: of its second factor, our a */

typedef void (*xsmm_kernel)(const float *first, const float *second, float *c, ...);
xsmm_kernel libxsmm_smmdispatch(int m, int n, int k, const int *first_column, const int *second_column,
		const int *c_column, const float *alpha, const float *beta, const int *flags,
		const int *prefetch);

static bool xsmm_open(void)
{
	return true;
}

/* Its kernels read our b only as it lies. Where that is turned, the time is that of the same product had it lain
 * the other way: a little less than a user of libxsmm would need. */
static bool xsmm_run(const struct product *p)
{
	int m = (int)p->m, n = (int)p->n, k = (int)p->k, flags = p->a_turned ? XSMM_TURN_SECOND : 0, none = 0;
	int a_row = p->a_turned ? m : k;
	float alpha = 1, beta = 0;
	xsmm_kernel kernel = libxsmm_smmdispatch(n, m, k, &n, &a_row, &n, &alpha, &beta, &flags, &none);

	if (kernel) kernel(p->b, p->a, p->c);
	return kernel;
}

#endif

static const struct library libraries[] = {
	{ "OpenBLAS", openblas_open, openblas_run },
	{ "oneDNN", onednn_open, onednn_run },
#ifdef HAVE_LIBXSMM
	{ "libxsmm", xsmm_open, xsmm_run },
#endif
};

const struct library *library_at(size_t i)
{
	return i < sizeof libraries / sizeof *libraries ? &libraries[i] : NULL;
}
