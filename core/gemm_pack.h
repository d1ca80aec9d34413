/* gemm_pack.h - copies a block of B into panels that a tile reads from beginning to end; only gemm_kernel.h
 * includes this, after its vectors are defined.
 *
 * A panel is as wide as a tile and as deep as the block: row k of it follows row k - 1 at once, whatever the strides
 * of B. So a transposed B becomes rows of neighbours, and one whose rows lie a power of two apart no longer fights
 * for the same few lines of the cache.
 */
#ifndef DESCENT_GEMM_PACK_H
#define DESCENT_GEMM_PACK_H

#include "core/gemm.h"

/* A square of QUAD x QUAD numbers is turned at once, in vectors of 16 bytes. */
#define QUAD ((size_t)(16 / sizeof(real)))
#define LINE ((size_t)(REAL_ALIGN / sizeof(real)))

typedef real quad __attribute__((vector_size(16)));
typedef real quad_loose __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));

static inline quad quad_load(const real *p)
{
	return *(const quad_loose *)p;
}

static inline void quad_store(real *p, quad v)
{
	*(quad_loose *)p = v;
}

/* to[i * to_row + j] = from[j * from_row + i] for i and j below QUAD. */
static inline void quad_turn(const real *from, size_t from_row, real *to, size_t to_row)
{
	const quad a = quad_load(from), b = quad_load(from + from_row);
#ifdef DESCENT_DOUBLE
	quad_store(to, __builtin_shufflevector(a, b, 0, 2));
	quad_store(to + to_row, __builtin_shufflevector(a, b, 1, 3));
#else
	const quad c = quad_load(from + 2 * from_row), d = quad_load(from + 3 * from_row);
	const quad ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
	const quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
	const quad cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
	const quad cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);

	quad_store(to, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
	quad_store(to + to_row, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
	quad_store(to + 2 * to_row, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
	quad_store(to + 3 * to_row, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
#endif
}

/* to[k * to_row + n] = from[k * row + n * col] for `depth` k and `columns` n: any strides, one number at a time. */
static inline void pack_numbers(const real *from, size_t row, size_t col, size_t depth, size_t columns,
		real *to, size_t to_row)
{
	for (size_t k = 0; k < depth; k++)
		for (size_t n = 0; n < columns; n++)
			to[k * to_row + n] = from[k * row + n * col];
}

/* The same where row is 1. A whole line of each column is read before the next column's, as many columns that lie a
 * power of two apart would push each other out of the cache. */
static inline void pack_turned(
		const real *from, size_t col, size_t depth, size_t columns, real *to, size_t to_row)
{
	const size_t squares = columns / QUAD * QUAD;

	for (size_t line = 0; line < depth; line += LINE) {
		const size_t end = depth - line < LINE ? depth : line + LINE;

		for (size_t n = 0; n < squares; n += QUAD) {
			size_t k = line;

			for (; k + QUAD <= end; k += QUAD)
				quad_turn(from + n * col + k, col, to + k * to_row + n, to_row);
			pack_numbers(from + n * col + k, 1, col, end - k, QUAD, to + k * to_row + n, to_row);
		}
	}
	pack_numbers(from + squares * col, 1, col, depth, columns - squares, to + squares, to_row);
}

/* The same where col is 1. */
static inline void pack_rows(
		const real *from, size_t row, size_t depth, size_t columns, real *to, size_t to_row)
{
	const size_t whole = columns / VEC_LANES * VEC_LANES;
	const vec_mask mask = vec_mask_of(columns - whole);

	for (size_t k = 0; k < depth; k++, from += row, to += to_row) {
		for (size_t n = 0; n < whole; n += VEC_LANES)
			vec_store(to + n, vec_load(from + n));
		if (whole < columns) vec_store(to + whole, vec_load_part(from + whole, mask));
	}
}

/* One panel: to (depth, panel) from the first `columns` <= panel columns at `from`, whose strides are row and col. */
static inline void pack_panel(const real *from, size_t row, size_t col, size_t depth, size_t columns,
		real *to, size_t panel)
{
	if (col == 1)
		pack_rows(from, row, depth, columns, to, panel);
	else if (row == 1)
		pack_turned(from, col, depth, columns, to, panel);
	else
		pack_numbers(from, row, col, depth, columns, to, panel);
}

/* All of B: its panels one after the other, each of g->k rows. */
static inline void pack_block(const struct gemm_args *g, real *to, size_t panel)
{
	for (size_t n = 0; n < g->n; n += panel)
		pack_panel(g->b + n * g->b_col, g->b_row, g->b_col, g->k, g->n - n < panel ? g->n - n : panel,
				to + n * g->k, panel);
}

#endif
