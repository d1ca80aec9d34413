/* block.h - aligned blocks of numbers: parameters, gradients, moments, working memory. */
#ifndef DESCENT_BLOCK_H
#define DESCENT_BLOCK_H

#include <stddef.h>

#include "core/real.h"

/* n numbers, REAL_ALIGN-aligned and 0, new (free). NULL: no memory, or a size that nothing has. */
real *block_new(size_t n);

/* What block_new takes, in bytes; SIZE_MAX when it would overflow. */
size_t block_bytes(size_t n);

/* n rounded up so that what follows in the same block is aligned again; SIZE_MAX when it would overflow. */
size_t block_pad(size_t n);

#endif
