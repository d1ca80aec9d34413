/* job_curve.h - what the two forms of a job's curve share. */
#ifndef SERVER_API_JOB_CURVE_H
#define SERVER_API_JOB_CURVE_H

#include "server/codec/curve.h"
#include "server/http/request.h"
#include "server/store/store.h"

/* Which part of which curve. */
struct curve_range {
	struct store *store;
	int64_t job;
	enum curve_keep keep;
	uint64_t from, to; /* epochs */
	struct curve_view view;
};

/* Its rows as CSV. */
int curve_reply_csv(struct request *rq, struct reply *rp, const struct curve_range *range, struct err *e);

#endif
