/* forward.c - rows through a network: one, as a single prediction does it, and the memory that its weights come from; and
 * many at once.
 *
 * `make bench-forward`. A row through a large network is bound by reading the weights once, so its reading rate stands
 * beside the rate at which this core can read a block of the same size over and over: from the cache that such a
 * block fits into. Many rows share one reading, and are bound by arithmetic. Each figure is the best of RUNS runs of CPU
 * time of one thread, those of one row taken turn about, as noise only ever adds. bench/serve.py reads the rows a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/block.h"
#include "core/net.h"

#define RUNS        15
#define RUN_SECONDS 0.01
#define ROWS_CHECK  1024 /* rows between two looks at the clock, which takes longer than a small network */
#define ROWS_MANY   1000

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

typedef unsigned vector __attribute__((vector_size(REAL_ALIGN)));
#define CHAINS 4 /* loads that do not wait for one another */

struct subject {
	struct net *net;
	struct net_work *work;
	real *x; /* (rows,I) */
	size_t rows;
	unsigned sink;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Reads every byte of the block, CHAINS cache lines at a time. */
WIDEST static unsigned read_all(const real *block, size_t bytes)
{
	const vector *at = (const vector *)block, *end = at + bytes / sizeof(vector) / CHAINS * CHAINS;
	vector a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	for (; at < end; at += CHAINS) {
		a |= at[0];
		b |= at[1];
		c |= at[2];
		d |= at[3];
	}
	return ((a | b) | (c | d))[0];
}

static void forward_once(struct subject *s)
{
	const real *y;

	net_forward(s->net, s->work, s->x, s->rows, &y);
}

static void read_once(struct subject *s)
{
	s->sink |= read_all(net_block_const(s->net), net_parameters(s->net) * sizeof(real));
}

/* Seconds that one call takes, over a run of RUN_SECONDS. */
static double seconds_a_call(void (*once)(struct subject *), struct subject *s)
{
	double start = now(), end;
	size_t calls = 0, check = ROWS_CHECK / s->rows;

	do {
		for (size_t i = 0; i < check; i++)
			once(s);
		calls += check;
	} while ((end = now()) - start < RUN_SECONDS);
	return (end - start) / (double)calls;
}

/* Its network has random weights; the caller ends it with subject_end. */
static void subject_begin(
		struct subject *s, const struct gemm_engine *engine, const size_t sizes[3], size_t rows)
{
	struct layer_spec layers[2] = {
		{ .units = sizes[1], .activation = activation_find("relu"), .bias = true },
		{ .units = sizes[2], .activation = activation_find("softmax"), .bias = true },
	};
	struct err e;

	*s = (struct subject){ .rows = rows, .x = block_new(rows * sizes[0]) };
	if (!s->x || net_new(&s->net, sizes[0], layers, 2, &e) ||
			net_work_new(&s->work, s->net, rows, false, engine, NULL, &e))
		abort();
	net_init(s->net, 1);
	for (size_t i = 0; i < rows * sizes[0]; i++)
		s->x[i] = (real)(i % 17) / 17;
}

static void subject_end(struct subject *s)
{
	net_work_free(s->work);
	net_free(s->net);
	free(s->x);
}

static void measure_one(const char *name, const struct gemm_engine *engine, const size_t sizes[3])
{
	struct subject s;
	double forward = 1, read = 1, bytes;

	subject_begin(&s, engine, sizes, 1);
	for (int run = 0; run < RUNS; run++) {
		double f = seconds_a_call(forward_once, &s), r = seconds_a_call(read_once, &s);

		if (f < forward) forward = f;
		if (r < read) read = r;
	}
	bytes = (double)(net_parameters(s.net) * sizeof(real));
	printf("%-12s %10.1f %12.1f %10.1f %9.0f %%\n", name, forward * 1e9, bytes / forward * 1e-9,
			bytes / read * 1e-9, 100 * read / forward);
	subject_end(&s);
}

static void measure_many(const char *name, const struct gemm_engine *engine, const size_t sizes[3])
{
	struct subject s;
	double best = 1;

	subject_begin(&s, engine, sizes, ROWS_MANY);
	for (int run = 0; run < RUNS; run++) {
		double seconds = seconds_a_call(forward_once, &s);

		if (seconds < best) best = seconds;
	}
	printf("%-12s %10.0f %12.1f\n", name, ROWS_MANY / best,
			2 * (double)(net_parameters(s.net) * ROWS_MANY) / best * 1e-9);
	subject_end(&s);
}

int main(void)
{
	static const struct {
		const char *name;
		size_t sizes[3];
	} nets[] = { { "4-16-3", { 4, 16, 3 } }, { "784-128-10", { 784, 128, 10 } } };
	const size_t count = sizeof nets / sizeof *nets;
	const struct gemm_engine *engine;
	struct err e;

	if (gemm_choose(&engine, NULL, &e)) abort();
	printf("engine %s: %s\n", engine->name, engine->description);
	printf("one row      ns forward weights GB/s  read GB/s      share\n");
	for (size_t i = 0; i < count; i++)
		measure_one(nets[i].name, engine, nets[i].sizes);
	printf("%d rows       rows/s      GFLOP/s\n", ROWS_MANY);
	for (size_t i = 0; i < count; i++)
		measure_many(nets[i].name, engine, nets[i].sizes);
	return 0;
}
