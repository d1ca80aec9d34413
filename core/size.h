/* size.h - sums and products of sizes that stick at SIZE_MAX instead of wrapping around, so that a whole formula
 * is written as one and checked once at its end: a size of SIZE_MAX cannot be had.
 */
#ifndef DESCENT_SIZE_H
#define DESCENT_SIZE_H

#include <stddef.h>
#include <stdint.h>

static inline size_t size_add(size_t a, size_t b)
{
	return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static inline size_t size_mul(size_t a, size_t b)
{
	size_t product;

	return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

#endif
