/* gemm.c - how fast each matrix engine is on this machine: GFLOP/s of one thread, for the products that training
 * and prediction are made of.
 *
 * Build and run it with `make bench-gemm`; an argument names one engine to measure instead of all. Each figure
 * is the median of RUNS runs of about RUN_SECONDS each; the best run stands beside it, as the machine may be
 * shared. NN is the forward pass, TN (A lies as (K, M)) the gradient of the weights. A product with one row is
 * bound by the memory that B is read from: its GB/s are given too, and what share they are of those of a sum over the
 * same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/gemm.h"

#define RUNS        9
#define RUN_SECONDS 0.01
#define MAX_SECONDS 0.3 /* for all runs of one figure: an engine too slow for RUNS runs gets fewer */

static const struct shape {
	size_t m, n, k;
} shapes[] = {
	{ 32, 16, 4 },
	{ 32, 3, 16 },
	{ 64, 128, 784 },
	{ 64, 10, 128 },
	{ 128, 256, 64 },
	{ 128, 256, 256 },
	{ 256, 1024, 512 },
	{ 256, 1024, 1024 },
	{ 512, 512, 512 },
	{ 1024, 1024, 1024 },
	{ 16, 3, 32 },
	{ 784, 128, 64 },
	{ 1, 16, 4 },
	{ 1, 3, 16 },
	{ 1, 32, 32 },
	{ 1, 128, 784 },
	{ 1, 1024, 1024 },
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static real *numbers(size_t count)
{
	size_t bytes = (count * sizeof(real) + REAL_ALIGN - 1) / REAL_ALIGN * REAL_ALIGN;
	real *p = aligned_alloc(REAL_ALIGN, bytes);

	if (!p) {
		fprintf(stderr, "bench-gemm: out of memory\n");
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < count; i++)
		p[i] = (real)(i % 17) / 17 - REAL(0.5);
	return p;
}

/* Seconds that one of `calls` products takes. */
static double seconds_a_call(const struct gemm_engine *engine, const struct gemm_args *g, size_t calls)
{
	double start = now();

	for (size_t i = 0; i < calls; i++)
		gemm(engine, NULL, g);
	return (now() - start) / (double)calls;
}

/* ---- how fast B could be read ---- */

#define READ_LANES \
	((size_t)16) /* numbers of a vector, where the CPU has such; the compiler splits it elsewhere */
#define READ_SUMS ((size_t)16) /* vectors added to at once: more than an addition takes cycles */

typedef real wide __attribute__((vector_size(READ_LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

static volatile real kept;

/* A sum of `count` numbers, in which order does not matter; the last few that fill no round are left out. */
#ifdef __x86_64__
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static void
sum_of(const real *p, size_t count)
{
	wide sums[READ_SUMS] = { { 0 } };

	for (size_t i = 0; i + READ_SUMS * READ_LANES <= count; i += READ_SUMS * READ_LANES)
#pragma GCC unroll 16
		for (size_t j = 0; j < READ_SUMS; j++)
			sums[j] += *(const wide *)(p + i + j * READ_LANES);
	for (size_t j = 1; j < READ_SUMS; j++)
		sums[0] += sums[j];
	kept = sums[0][0];
}

/* Bytes a second, the best of RUNS. */
static double read_speed(const real *p, size_t count)
{
	double best = 0;
	size_t calls = 1 + ((size_t)1 << 27) / (count * sizeof(real));

	for (int run = 0; run < RUNS; run++) {
		double start = now(), speed;

		for (size_t i = 0; i < calls; i++)
			sum_of(p, count);
		speed = (double)(calls * count * sizeof(real)) / (now() - start);
		if (speed > best) best = speed;
	}
	return best;
}

/* ---- the products ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct gemm_engine *engine, const struct shape *s, const char *form,
		const struct gemm_args *g)
{
	double runs[RUNS], flop = 2.0 * (double)s->m * (double)s->n * (double)s->k;
	double b_bytes = (double)s->k * (double)s->n * sizeof(real), start;
	size_t calls = 1, done = 0;

	while (seconds_a_call(engine, g, calls) * (double)calls < RUN_SECONDS && calls < 1u << 24)
		calls *= 2;
	start = now();
	do
		runs[done++] = seconds_a_call(engine, g, calls);
	while (done < RUNS && now() - start < MAX_SECONDS);
	qsort(runs, done, sizeof runs[0], ascending);
	printf("%5zu %5zu %5zu  %s  %-9s %8.1f %8.1f %12.3f", s->m, s->n, s->k, form, engine->name,
			flop / runs[done / 2] * 1e-9, flop / runs[0] * 1e-9, runs[done / 2] * 1e6);
	if (s->m == 1)
		printf(" %7.1f  %3.0f %%", b_bytes / runs[done / 2] * 1e-9,
				100 * b_bytes / runs[0] / read_speed(g->b, s->k * s->n));
	printf("\n");
	fflush(stdout);
}

static void measure_shape(const struct shape *s, const char *only)
{
	real *a = numbers(s->m * s->k), *b = numbers(s->k * s->n), *c = numbers(s->m * s->n);
	struct gemm_args nn = { s->m, s->n, s->k, a, s->k, 1, b, s->n, 1, c, s->n, false }, tn = nn, nt = nn;

	tn.a_row = 1;
	tn.a_col = s->m;
	nt.b_row = 1;
	nt.b_col = s->k;
	for (size_t i = 0; gemm_engine_at(i); i++) {
		const struct gemm_engine *engine = gemm_engine_at(i);

		if (!engine->usable() || (only && strcmp(engine->name, only) != 0)) continue;
		measure(engine, s, "NN", &nn);
		if (s->m > 1) measure(engine, s, "TN", &tn);
		measure(engine, s, "NT", &nt);
	}
	free(a);
	free(b);
	free(c);
}

int main(int argc, char **argv)
{
	printf("    M     N     K  form engine    GFLOP/s     best      us/call  B GB/s  of a read\n");
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		measure_shape(&shapes[i], argc > 1 ? argv[1] : NULL);
	return EXIT_SUCCESS;
}
