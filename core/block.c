/* block.c - aligned blocks of numbers. See block.h.
 *
 * A block is never empty, so that NULL always means that there was no memory.
 */
#include "core/block.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"

#define PAD (REAL_ALIGN / sizeof(real)) /* numbers in one aligned unit */

size_t block_pad(size_t n)
{
	return n > SIZE_MAX - (PAD - 1) ? SIZE_MAX : (n + PAD - 1) / PAD * PAD;
}

size_t block_bytes(size_t n)
{
	return size_mul(block_pad(n ? n : 1), sizeof(real));
}

real *block_new(size_t n)
{
	size_t bytes = block_bytes(n);
	real *block;

	if (bytes > PTRDIFF_MAX) return NULL;
	block = aligned_alloc(REAL_ALIGN, bytes);
	if (block) memset(block, 0, bytes);
	return block;
}
