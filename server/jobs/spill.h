/* spill.h - encoded rows in a scratch file, for training on more than memory holds.
 *
 * The file lies in the folder of the database and has no name: it goes with the process, however that ends. It has
 * three parts, inputs, targets and weights, each with its rows in order, so that a run of rows is one read of each.
 */
#ifndef SERVER_JOBS_SPILL_H
#define SERVER_JOBS_SPILL_H

#include <stddef.h>

#include "core/err.h"
#include "core/real.h"

struct spill;

struct spill_shape {                   /* numbers of a row */
	size_t inputs, outputs, cells; /* cells 0: no weights */
};

/* *out is new (spill_free). database: the file that it lies beside. All of its room is taken at once where the file
 * system can. ERR_DISK_FULL, ERR_IO, ERR_NOMEM. */
int spill_new(struct spill **out, const char *database, const struct spill_shape *shape, size_t rows,
		struct err *e);
void spill_free(struct spill *spill);
/* Writes rows [first, first + rows): x (rows, inputs), y (rows, outputs), w (rows, cells). ERR_DISK_FULL, ERR_IO. */
int spill_write(struct spill *spill, size_t first, size_t rows, const real *x, const real *y, const real *w,
		struct err *e);
/* Reads them. ERR_IO. Any thread, and several at once. */
int spill_read(const struct spill *spill, size_t first, size_t rows, real *x, real *y, real *w,
		struct err *e);
/* These will be read soon: asks the disk for what is not in memory. */
void spill_ahead(const struct spill *spill, size_t first, size_t rows);

#endif
