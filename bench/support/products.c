/* products.c - the matrix products of one training step and nothing else, by each library of libraries.c.
 *
 * usage: products SIZES BATCH     as in: products 784-128-10 64
 *
 * A layer of I inputs and U units has the forward product (B,I)(I,U), the gradient of the weights (I,B)(B,U), and,
 * but for the first layer, the gradient of its inputs (B,U)(U,I): 4 operations a parameter and row, and 6. A line
 * says the product, M, N, K and, for each library, "name=microseconds" of CPU time: the best of RUNS runs, taken turn about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/support/libraries.h"
#include "core/block.h"

#define LIBRARIES_MAX 4
#define SIZES_MAX     8
#define RUN_SECONDS   0.002
#define RUNS          25

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The libraries that are there. */
static size_t open_all(const struct library *opened[LIBRARIES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; library_at(i) && count < LIBRARIES_MAX; i++)
		if (library_at(i)->open()) opened[count++] = library_at(i);
	return count;
}

static float *numbers(size_t count)
{
	float *p = block_new(count);

	if (!p) abort();
	for (size_t i = 0; i < count; i++)
		p[i] = (float)(i % 17) / 17 - 0.5f;
	return p;
}

/* Seconds of one call, over as many as RUN_SECONDS hold; the first call counts them. */
static double seconds_a_call(const struct library *library, const struct product *p, size_t *calls)
{
	double start = now(), seconds;

	if (*calls == 0) {
		if (!library->run(p)) return 0;
		start = now();
		do
			library->run(p), ++*calls;
		while (now() - start < RUN_SECONDS);
	}
	start = now();
	for (size_t i = 0; i < *calls; i++)
		library->run(p);
	seconds = (now() - start) / (double)*calls;
	return seconds;
}

static void measure(const char *name, struct product p)
{
	const struct library *library[LIBRARIES_MAX];
	size_t count = open_all(library), calls[LIBRARIES_MAX] = { 0 };
	double best[LIBRARIES_MAX] = { 0 };
	float *a = numbers(p.m * p.k), *b = numbers(p.k * p.n), *c = numbers(p.m * p.n);

	p.a = a;
	p.b = b;
	p.c = c;
	for (int run = 0; run < RUNS; run++)
		for (size_t i = 0; i < count; i++) {
			double seconds = seconds_a_call(library[i], &p, &calls[i]);

			if (best[i] == 0 || seconds < best[i]) best[i] = seconds;
		}
	printf("%-8s %zu %zu %zu", name, p.m, p.n, p.k);
	for (size_t i = 0; i < count; i++)
		if (best[i] > 0) printf(" %s=%.3f", library[i]->name, best[i] * 1e6);
	printf("\n");
	free(a);
	free(b);
	free(c);
}

int main(int argc, char **argv)
{
	size_t sizes[SIZES_MAX], count = 0, batch = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	for (char *at = argc == 3 ? strtok(argv[1], "-") : NULL; at && count < SIZES_MAX;
			at = strtok(NULL, "-"))
		sizes[count++] = strtoul(at, NULL, 10);
	if (count < 2 || batch == 0) {
		fprintf(stderr, "usage: products SIZES BATCH\n");
		return 2;
	}
	for (size_t i = 0; i + 1 < count; i++) {
		size_t inputs = sizes[i], units = sizes[i + 1];

		measure("forward", (struct product){ batch, units, inputs, false, false, NULL, NULL, NULL });
		measure("weights", (struct product){ inputs, units, batch, true, false, NULL, NULL, NULL });
		if (i)
			measure("inputs", (struct product){ batch, inputs, units, false, true, NULL, NULL,
							  NULL });
	}
	return 0;
}
