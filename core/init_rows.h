/* init_rows.h - what a row of the table of initializers has in a file of its own. */
#ifndef DESCENT_INIT_ROWS_H
#define DESCENT_INIT_ROWS_H

#include "core/init.h"

/* The columns of weights (inputs, units), or the rows where there are fewer of them, become orthogonal to one another,
 * each of length gain. */
void init_orthogonal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer, double gain);

#endif
