/* gemm.c - chooses an engine, deals a product out to a team, and transposes. The arithmetic is in the engines.
 *
 * A team's parts are rectangles of C and never ranges of k: each element is summed by one thread, in the order
 * that gemm.h promises.
 */
#include "core/gemm.h"

#include <string.h>

#include "core/gemm_engines.h"

/* Slowest first; what "auto" takes is the last that is usable. */
static const struct gemm_engine *const engines[] = { &gemm_naive, &gemm_portable, &gemm_avx2, &gemm_avx512 };

#define ENGINES (sizeof engines / sizeof engines[0])

const struct gemm_engine *gemm_engine_at(size_t i)
{
	return i < ENGINES ? engines[i] : NULL;
}

static const struct gemm_engine *fastest(void)
{
	size_t i = ENGINES - 1;

	while (!engines[i]->usable())
		i--;
	return engines[i];
}

int gemm_choose(const struct gemm_engine **out, const char *name, struct err *e)
{
	*out = NULL;
	if (!name || strcmp(name, "auto") == 0) {
		*out = fastest();
		return ERR_OK;
	}
	for (size_t i = 0; i < ENGINES; i++) {
		if (strcmp(engines[i]->name, name) != 0) continue;
		if (!engines[i]->usable())
			return err_set(e, ERR_INVALID,
					"this CPU cannot run the matrix engine \"%s\"; use \"auto\" to have the "
					"fastest that it can",
					name);
		*out = engines[i];
		return ERR_OK;
	}
	return err_set(e, ERR_INVALID,
			"no matrix engine is called \"%.40s\"; there are auto, naive, portable, avx2 and avx512",
			name);
}

/* Below this many multiply-adds a part costs more to hand over than it saves. */
#define PART_WORK 262144

/* Parts are cut at multiples of this many rows or columns, so that no two threads write to one cache line of a
 * C whose rows are aligned, and tiles stay whole. */
#define CUT_ROWS    12 /* whole bands of 6 */
#define CUT_COLUMNS (2 * REAL_ALIGN / sizeof(real))

struct job {
	const struct gemm_engine *engine;
	const struct gemm_args *args;
	bool by_rows;
};

/* The start of a part of n things that are cut at multiples of `cut`. */
static size_t part_start(size_t n, size_t cut, size_t part, size_t parts)
{
	size_t pieces = (n + cut - 1) / cut;
	size_t start = (pieces / parts * part + pieces % parts * part / parts) * cut;

	return start < n ? start : n;
}

static void run_part(void *arg, int part, int parts)
{
	const struct job *job = arg;
	struct gemm_args g = *job->args;
	size_t n = job->by_rows ? g.m : g.n, cut = job->by_rows ? CUT_ROWS : CUT_COLUMNS;
	size_t start = part_start(n, cut, (size_t)part, (size_t)parts);
	size_t count = part_start(n, cut, (size_t)part + 1, (size_t)parts) - start;

	if (job->by_rows) {
		g.m = count;
		g.a += start * g.a_row;
		g.c += start * g.c_row;
	} else {
		g.n = count;
		g.b += start * g.b_col;
		g.c += start;
	}
	if (count > 0) job->engine->run(&g);
}

/* The share of its time that the busiest of `threads` parts leaves to the others, from 0: all are as busy. */
static double idle_share(size_t n, size_t cut, size_t threads)
{
	size_t pieces = (n + cut - 1) / cut, most = (pieces + threads - 1) / threads;

	return 1 - (double)pieces / (double)(most * threads);
}

/* By columns where that deals out as evenly: then each part packs the columns of B that it uses, and no other does. A
 * part of few columns, though, reads A more often than its work is worth. */
#define EVEN_ENOUGH 0.05

static bool better_by_rows(const struct gemm_args *args, size_t threads)
{
	double rows = idle_share(args->m, CUT_ROWS, threads),
	       columns = idle_share(args->n, CUT_COLUMNS, threads);

	return columns > rows + EVEN_ENOUGH || (args->n / threads < 2 * CUT_COLUMNS && args->n < args->m);
}

void gemm(const struct gemm_engine *engine, struct team *team, const struct gemm_args *args)
{
	size_t threads = (size_t)team_threads(team);
	double work = (double)args->m * (double)args->n * (double)args->k;

	if (args->m == 0 || args->n == 0) return;
	if (threads == 1 || work < (double)PART_WORK * (double)threads)
		engine->run(args);
	else
		team->run(team, run_part, &(struct job){ engine, args, better_by_rows(args, threads) });
}

/* A block of so many rows and columns: both its sides are whole cache lines. */
#define BLOCK (REAL_ALIGN / sizeof(real))

static void transpose_block(
		const real *from, size_t from_row, size_t rows, size_t cols, real *to, size_t to_row)
{
	for (size_t c = 0; c < cols; c++)
		for (size_t r = 0; r < rows; r++)
			to[c * to_row + r] = from[r * from_row + c];
}

void gemm_transpose(const real *from, size_t rows, size_t cols, real *to)
{
	for (size_t r = 0; r < rows; r += BLOCK) {
		size_t high = rows - r < BLOCK ? rows - r : BLOCK;

		for (size_t c = 0; c < cols; c += BLOCK) {
			size_t wide = cols - c < BLOCK ? cols - c : BLOCK;

			transpose_block(from + r * cols + c, cols, high, wide, to + c * rows + r, rows);
		}
	}
}
