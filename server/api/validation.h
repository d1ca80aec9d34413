/* validation.h - does the "validation" of a :train fit its data? Asked before the work begins. */
#ifndef SERVER_API_VALIDATION_H
#define SERVER_API_VALIDATION_H

#include "server/codec/faults.h"
#include "server/codec/train_validation.h"
#include "server/store/store.h"

/* Faults at /validation/order_by, /column and /value, as far as the description of the data tells: a column that is not
 * there, that has no order or misses cells, a value that no row has or all rows have. Sets validation->rows where the
 * description says how many rows have the value. ERR_CORRUPT, ERR_NOMEM. */
int validation_check(const struct store_revision *revision, struct train_validation *validation,
		struct faults *faults, struct err *e);

#endif
