/* gemm_kernel.h - the vector engine, written once and compiled for each instruction set.
 *
 * C is cut into tiles of a few rows by a few vectors. One tile's sums live in registers while k runs; each
 * step loads a row of B's vectors, broadcasts one element of A a row, and does rows x vectors multiply-adds
 * that do not wait for each other. The tile shapes are a fixed list, each a function with its numbers of rows
 * and vectors known to the compiler. The last vector of a row of C may be partial: its lanes are masked, so
 * nothing outside the operands is ever touched.
 *
 * A transposed B, and a large one, is packed block by block into panels on the stack: gemm_pack.h.
 *
 * Invariant: an element's sum is one chain over k = 0, 1, 2, … whatever tile it falls in. Where k is cut into
 * blocks, C is stored and loaded again between them, which loses nothing.
 *
 * The including file defines, before the include:
 *   vec, VEC_LANES         a vector of real, and how many
 *   vec_load(p), vec_store(p, v), vec_set(x), vec_fma(a, b, c)
 *                          any alignment; x in every lane; a b + c in every lane
 *   vec_mask, vec_mask_of(lanes), vec_load_part(p, mask), vec_store_part(p, v, mask)
 *                          the first 1..VEC_LANES lanes; the others load as 0 and are not stored
 *   TILE_ROWS, TILE_VECS   most rows of a tile, most vectors in a row of one
 *   WIDE_TILE_ROWS         most rows of a tile of a C wider than NARROW numbers; see band_rows
 *   TILE_LIST(X)           X(rows, vecs) for every tile shape: for each number of rows from 1 to TILE_ROWS,
 *                          every number of vectors from 1 to some limit
 */
#ifndef DESCENT_GEMM_KERNEL_H
#define DESCENT_GEMM_KERNEL_H

#include "core/gemm_engines.h"
#include "core/gemm_pack.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* One tile's work; what the letters mean is in gemm.h. */
struct tile {
	size_t k;
	const real *a;
	size_t a_row, a_col;
	const real *b;
	size_t b_row;
	real *c;
	size_t c_row;
	vec_mask mask; /* of the last vector of a row */
	bool accumulate;
};

typedef void tile_fn(const struct tile *t);

/* A column of a transposed A lies a row of the whole further on, often on another page, where the CPU does not look
 * ahead by itself. It is asked for so many steps of k before its use, and past the end too, which does no harm. Low
 * tiles use too little of a line for it: it then costs more than it gains. */
#define AHEAD ((size_t)8)
#define HIGH  8

/* part: the last vector is partial. dense: a_row is 1, which saves the addresses of the rows. */
static ALWAYS_INLINE void tile_run(const struct tile *t, int rows, int vecs, bool part, bool dense)
{
	const size_t a_row = dense ? 1 : t->a_row, a_col = t->a_col, b_row = t->b_row;
	const int last = part ? vecs - 1 : vecs;
	const vec_mask mask = t->mask;
	const real *a = t->a, *b = t->b;
	vec sum[TILE_ROWS][TILE_VECS];

#pragma GCC unroll 16
	for (int i = 0; i < rows; i++) {
#pragma GCC unroll 16
		for (int j = 0; j < vecs; j++) {
			const real *c = t->c + (size_t)i * t->c_row + (size_t)j * VEC_LANES;

			if (!t->accumulate)
				sum[i][j] = vec_set(0);
			else
				sum[i][j] = j < last ? vec_load(c) : vec_load_part(c, mask);
		}
	}
	for (size_t k = 0; k < t->k; k++, a += a_col, b += b_row) {
		vec right[TILE_VECS];

		if (dense && rows >= HIGH) __builtin_prefetch(a + AHEAD * a_col);

#pragma GCC unroll 16
		for (int j = 0; j < vecs; j++) {
			const real *p = b + (size_t)j * VEC_LANES;

			right[j] = j < last ? vec_load(p) : vec_load_part(p, mask);
		}
#pragma GCC unroll 16
		for (int i = 0; i < rows; i++) {
			const vec left = vec_set(a[(size_t)i * a_row]);

#pragma GCC unroll 16
			for (int j = 0; j < vecs; j++)
				sum[i][j] = vec_fma(left, right[j], sum[i][j]);
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < rows; i++) {
#pragma GCC unroll 16
		for (int j = 0; j < vecs; j++) {
			real *c = t->c + (size_t)i * t->c_row + (size_t)j * VEC_LANES;

			if (j < last)
				vec_store(c, sum[i][j]);
			else
				vec_store_part(c, sum[i][j], mask);
		}
	}
}

#define TILE_FUNCTIONS(rows, vecs)                                          \
	static void tile_##rows##x##vecs(const struct tile *t)              \
	{                                                                   \
		tile_run(t, rows, vecs, false, false);                      \
	}                                                                   \
	static void tile_##rows##x##vecs##_part(const struct tile *t)       \
	{                                                                   \
		tile_run(t, rows, vecs, true, false);                       \
	}                                                                   \
	static void tile_##rows##x##vecs##_dense(const struct tile *t)      \
	{                                                                   \
		tile_run(t, rows, vecs, false, true);                       \
	}                                                                   \
	static void tile_##rows##x##vecs##_dense_part(const struct tile *t) \
	{                                                                   \
		tile_run(t, rows, vecs, true, true);                        \
	}
TILE_LIST(TILE_FUNCTIONS)

/* [dense][part][rows][vecs]; NULL where a shape does not exist, always so at 0 rows or vectors. */
#define TILE_ROW(rows, vecs)            [rows][vecs] = tile_##rows##x##vecs,
#define TILE_ROW_PART(rows, vecs)       [rows][vecs] = tile_##rows##x##vecs##_part,
#define TILE_ROW_DENSE(rows, vecs)      [rows][vecs] = tile_##rows##x##vecs##_dense,
#define TILE_ROW_DENSE_PART(rows, vecs) [rows][vecs] = tile_##rows##x##vecs##_dense_part,
static tile_fn *const tiles[2][2][TILE_ROWS + 1][TILE_VECS + 2] = {
	{ { TILE_LIST(TILE_ROW) }, { TILE_LIST(TILE_ROW_PART) } },
	{ { TILE_LIST(TILE_ROW_DENSE) }, { TILE_LIST(TILE_ROW_DENSE_PART) } },
};

/* Most vectors in a tile of so many rows. */
static inline size_t widest_tile(size_t rows)
{
	size_t vecs = 1;

	while (tiles[0][0][rows][vecs + 1])
		vecs++;
	return vecs;
}

/* How B, or a packed block of it, lies. */
struct panels {
	const real *first;
	size_t row;  /* between two rows of a panel */
	size_t next; /* between two panels; 0: as many numbers as a tile is wide */
	size_t vecs; /* of a panel, where a tile is not narrower */
};

/* One band of `rows` rows of C, t filled in but for what changes along the band. */
static ALWAYS_INLINE void run_band(struct tile *t, size_t rows, size_t n, size_t most_vecs, size_t next)
{
	const bool dense = t->a_row == 1;
	const size_t widest = widest_tile(rows), vecs = widest < most_vecs ? widest : most_vecs;
	const size_t columns = vecs * VEC_LANES;

	for (; n > columns; n -= columns) {
		tiles[dense][false][rows][vecs](t);
		t->b += next ? next : columns;
		t->c += columns;
	}
	if (n > 0) {
		const size_t last = (n + VEC_LANES - 1) / VEC_LANES;
		const bool part = n < last * VEC_LANES;

		if (part) t->mask = vec_mask_of(n - (last - 1) * VEC_LANES);
		tiles[dense][part][rows][last](t);
	}
}

/* Most rows of a band. A broadcast from each of many rows of A, which may lie a power of two apart, needs a line of
 * the cache a row; where the columns of A are contiguous, and where C is narrow, high tiles have more in flight. */
static inline size_t band_rows(const struct gemm_args *g)
{
	return g->a_row == 1 || g->n <= NARROW ? TILE_ROWS : WIDE_TILE_ROWS;
}

/* The product but for B, which is read through panels. Rows are dealt out evenly over the fewest bands, so that no
 * band is much lower than the others. */
static ALWAYS_INLINE void run_bands(const struct gemm_args *g, const struct panels *b, size_t most_rows)
{
	size_t bands = (g->m + most_rows - 1) / most_rows;

	for (size_t m = 0; bands > 0; bands--) {
		size_t rows = (g->m - m + bands - 1) / bands;
		struct tile t = {
			.k = g->k,
			.a = g->a + m * g->a_row,
			.a_row = g->a_row,
			.a_col = g->a_col,
			.b = b->first,
			.b_row = b->row,
			.c = g->c + m * g->c_row,
			.c_row = g->c_row,
			.accumulate = g->accumulate,
		};

		run_band(&t, rows, g->n, b->vecs, b->next);
		m += rows;
	}
}

/* Most of B that is packed at once, on the stack, and most rows of it. */
#define PACKED_NUMBERS ((size_t)65536 / sizeof(real))
#define PACKED_DEPTH   ((size_t)256)

/* The size of the parts of n things, as even as can be, none larger than most. */
static size_t even_part(size_t n, size_t most)
{
	size_t parts = (n + most - 1) / most;

	return (n + parts - 1) / parts;
}

/* B is packed block by block, and each block used for all rows of A. A tile as high as the highest band sets the
 * width of a panel. */
static __attribute__((noinline)) void run_packed(const struct gemm_args *g)
{
	_Alignas(REAL_ALIGN) real packed[PACKED_NUMBERS];
	const size_t most_rows = band_rows(g);
	const size_t vecs = widest_tile(even_part(g->m, most_rows)), panel = vecs * VEC_LANES;
	const size_t deepest = PACKED_NUMBERS / panel < PACKED_DEPTH ? PACKED_NUMBERS / panel : PACKED_DEPTH;
	const size_t depth = even_part(g->k, deepest), width = PACKED_NUMBERS / depth / panel * panel;
	struct gemm_args block = *g;

	for (size_t n = 0; n < g->n; n += width) {
		block.n = g->n - n < width ? g->n - n : width;
		block.c = g->c + n;
		for (size_t k = 0; k < g->k; k += depth) {
			block.k = g->k - k < depth ? g->k - k : depth;
			block.a = g->a + k * g->a_col;
			block.b = g->b + k * g->b_row + n * g->b_col;
			block.accumulate = g->accumulate || k > 0;
			pack_block(&block, packed, panel);
			run_bands(&block, &(struct panels){ packed, panel, block.k * panel, vecs },
					most_rows);
		}
	}
}

static void run_direct(const struct gemm_args *g)
{
	run_bands(g, &(struct panels){ g->b, g->b_row, 0, TILE_VECS }, band_rows(g));
}

/* A B whose rows are neighbours is packed where it is large, its rows lie far apart and many rows of A use it: a tile
 * then read a few lines of each of many pages. Measured on Zen 4, where it gains 5 % to 60 % from there on. */
#define FAR_BYTES   ((size_t)2048)
#define LARGE_BYTES ((size_t)1 << 20)
#define MANY_ROWS   ((size_t)48)

static bool gains_by_packing(const struct gemm_args *g)
{
	return g->m >= MANY_ROWS && g->b_row >= FAR_BYTES / sizeof(real) &&
	       g->k * g->n >= LARGE_BYTES / sizeof(real);
}

static void vec_run(const struct gemm_args *g)
{
	if (g->k > 0 && (g->b_col != 1 || gains_by_packing(g)))
		run_packed(g);
	else
		run_direct(g);
}

#endif
