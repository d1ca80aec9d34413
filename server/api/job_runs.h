/* job_runs.h - what is beside a job when it is one of several. */
#ifndef SERVER_API_JOB_RUNS_H
#define SERVER_API_JOB_RUNS_H

#include <jansson.h>

#include "server/api/api.h"

/* Progress, epoch, children and results of a parent. */
void job_put_family(json_t *out, const struct app *app, const struct store_job *job);
/* After a request wanted something of a job: what follows for it, when it is a parent, or for its parent is done. */
void jobs_tell_family(struct app *app, int64_t id);

#endif
