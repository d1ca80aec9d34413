/* estimate.h - how long a training would take, found out by doing a little of it. */
#ifndef SERVER_JOBS_ESTIMATE_H
#define SERVER_JOBS_ESTIMATE_H

#include <stdint.h>

#include "core/gemm.h"
#include "server/codec/definition.h"
#include "server/codec/train_request.h"

/* *seconds is what an epoch over train_rows rows takes, measured on random rows: ESTIMATE_SECONDS of training at the
 * most, but one epoch over two batches at the least. definition and request are resolved. ERR_NOMEM, ERR_RANGE. */
#define ESTIMATE_SECONDS 0.05
int estimate_epoch(const struct definition *definition, const struct train_request *request,
		uint64_t train_rows, const struct gemm_engine *engine, double *seconds, struct err *e);

#endif
