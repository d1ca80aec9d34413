/* fit.h - do the columns of a stored data set fit a model? Asked before the work begins. */
#ifndef SERVER_API_FIT_H
#define SERVER_API_FIT_H

#include "core/encoder.h"
#include "core/loss.h"
#include "server/codec/faults.h"
#include "server/store/store.h"

/* Faults at `pointer`: a column that is not there, words where the model needs numbers, missing cells where it says
 * "missing":"error", a target without any value, a target's value that is none of the classes (of the values that
 * the data set's description lists), a number target outside what the loss can take (losses: of each target; NULL: not asked). ERR_CORRUPT, ERR_NOMEM. */
int fit_columns(const struct store_revision *revision, const struct encoder *inputs,
		const struct encoder *targets, const struct loss *const *losses, const char *pointer,
		struct faults *faults, struct err *e);

#endif
