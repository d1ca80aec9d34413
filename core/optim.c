/* optim.c - the table of optimizers, put together of families of rows. See optim.h; the rows and their loops are in
 * optim_momentum.c, optim_scaled.c and optim_adam.c, those of a full batch in optim_rprop.c and optim_search.c.
 *
 * A step is one loop over contiguous blocks, with everything that does not depend on the element worked out in
 * double before it. The loops vectorise; for a root gcc wants -fno-math-errno, which no bit of the result depends
 * on. A NaN of the gradient reaches the weight in every one of them, so that it is noticed.
 */
#include <string.h>

#include "core/optim_step.h"

static const struct optimizer *const families[] = { optim_momentum_rows, optim_scaled_rows, optim_adam_rows,
	optim_rprop_rows, optim_search_rows };

#define COUNT (sizeof families / sizeof families[0])

const struct optimizer *optim_at(size_t i)
{
	for (size_t f = 0; f < COUNT; f++)
		for (const struct optimizer *row = families[f]; row->name; row++)
			if (i-- == 0) return row;
	return NULL;
}

const struct optimizer *optim_find(const char *name)
{
	const struct optimizer *row;

	for (size_t i = 0; (row = optim_at(i)); i++)
		if (!strcmp(row->name, name)) return row;
	return NULL;
}

size_t optim_moments(const struct optimizer *optimizer, const double *params)
{
	return optimizer->blocks ? optimizer->blocks(params) : optimizer->moments;
}
