/* failure.h - why a job failed, as a problem document that says where and what to try. */
#ifndef SERVER_JOBS_FAILURE_H
#define SERVER_JOBS_FAILURE_H

#include <jansson.h>

#include "core/err.h"
#include "core/train.h"
#include "server/codec/definition.h"
#include "server/codec/train_request.h"

struct failure {
	int rc; /* not 0 */
	const struct err *e;
	const struct train_result *result; /* of a run that diverged; else not looked at */
	uint64_t epoch, step;              /* the last whole ones */
	/* What was asked, for advice that fits; NULL: it could not be read. */
	const struct train_request *request;
	const struct definition *definition;
};

/* The problem document with "cause", "epoch", "step" (both but of ERR_CRASHED), "layer" (null unless the cause is in one) and "try", an array of
 * sentences. New; NULL: no memory. */
json_t *failure_document(const struct failure *failure);
/* What a job is to say that failed when there was no memory for that document: no job fails without a reason. */
extern const char failure_unsaid[];

#endif
