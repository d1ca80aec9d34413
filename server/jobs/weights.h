/* weights.h - what each cell of a training row counts: its class's weight, its row's weight, and nothing where its
 * target is missing. A cell is one target column of one row, as net_cells counts them.
 */
#ifndef SERVER_JOBS_WEIGHTS_H
#define SERVER_JOBS_WEIGHTS_H

#include <stdbool.h>

#include "core/encoder.h"
#include "server/codec/train_request.h"
#include "server/jobs/source.h"

struct weights;

/* Does the request, or do several targets that may be missing one by one, ask for weights at all? */
bool weights_wanted(const struct train_request *request, const struct encoder *targets);
/* *out is new (weights_free). targets are fitted and borrowed. ERR_INVALID: a class that no target has; ERR_NOMEM. */
int weights_new(struct weights **out, const struct train_request *request, const struct encoder *targets,
		struct err *e);
void weights_free(struct weights *weights);

/* Of rows [from, from + n) of the group that the source has read: out (n, columns of targets). ERR_RANGE: a row whose
 * weight is missing or below 0. */
int weights_put(const struct weights *weights, const struct source *source, size_t from, size_t n, real *out,
		struct err *e);
/* Adds w (rows, columns) of training rows to sums (columns), in the order of the rows. */
void weights_add(double *sums, const real *w, size_t rows, size_t columns);
/* ERR_RANGE: the training rows have no weight at all for a target. */
int weights_check(const double *sums, size_t columns, struct err *e);
/* Divides each column of w (rows, columns) by its mean over the training rows. */
void weights_level(real *w, size_t rows, size_t columns, const double *sums, size_t training_rows);

#endif
