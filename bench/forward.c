/* forward.c - one row through a network, as a single prediction does it, and the memory that its weights come from.
 *
 * `make bench-forward`. A row through a large network is bound by reading the weights once, so its reading rate stands
 * beside the rate at which this core can read a block of the same size over and over: from the cache that such a
 * block fits into. Each figure is the best of RUNS runs of CPU time, taken turn about, as noise only ever adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/block.h"
#include "core/net.h"

#define RUNS        15
#define RUN_SECONDS 0.01
#define CALLS_CHECK 1024 /* calls between two looks at the clock, which takes longer than a small network */

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
	const real *x;
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

	net_forward(s->net, s->work, s->x, 1, &y);
}

static void read_once(struct subject *s)
{
	s->sink |= read_all(net_block_const(s->net), net_parameters(s->net) * sizeof(real));
}

/* Seconds that one call takes, over a run of RUN_SECONDS. */
static double seconds_a_call(void (*once)(struct subject *), struct subject *s)
{
	double start = now(), end;
	size_t calls = 0;

	do {
		for (int i = 0; i < CALLS_CHECK; i++)
			once(s);
		calls += CALLS_CHECK;
	} while ((end = now()) - start < RUN_SECONDS);
	return (end - start) / (double)calls;
}

static void measure(const char *name, const struct gemm_engine *engine, const size_t sizes[3])
{
	struct layer_spec layers[2] = {
		{ .units = sizes[1], .activation = activation_find("relu"), .bias = true },
		{ .units = sizes[2], .activation = activation_find("softmax"), .bias = true },
	};
	struct subject s = { 0 };
	double forward = 1, read = 1, bytes;
	real *x = block_new(sizes[0]);
	struct err e;

	if (!x || net_new(&s.net, sizes[0], layers, 2, &e) ||
			net_work_new(&s.work, s.net, 1, false, engine, NULL, &e))
		abort();
	net_init(s.net, 1);
	for (size_t i = 0; i < sizes[0]; i++)
		x[i] = (real)(i % 17) / 17;
	s.x = x;
	for (int run = 0; run < RUNS; run++) {
		double f = seconds_a_call(forward_once, &s), r = seconds_a_call(read_once, &s);

		if (f < forward) forward = f;
		if (r < read) read = r;
	}
	bytes = (double)(net_parameters(s.net) * sizeof(real));
	printf("%-12s %10.1f %12.1f %10.1f %9.0f %%\n", name, forward * 1e9, bytes / forward * 1e-9,
			bytes / read * 1e-9, 100 * read / forward);
	net_work_free(s.work);
	net_free(s.net);
	free(x);
}

int main(void)
{
	const struct gemm_engine *engine;
	struct err e;

	if (gemm_choose(&engine, NULL, &e)) abort();
	printf("engine %s: %s\n", engine->name, engine->description);
	printf("one row      ns forward weights GB/s  read GB/s      share\n");
	measure("4-16-3", engine, (const size_t[]){ 4, 16, 3 });
	measure("784-128-10", engine, (const size_t[]){ 784, 128, 10 });
	return 0;
}
