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
/* Makes the mean of each column of w (rows, columns) over the first training_rows of them 1. ERR_RANGE: one has no
 * weight at all. */
int weights_level(real *w, size_t rows, size_t columns, size_t training_rows, struct err *e);

#endif
