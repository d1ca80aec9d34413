/* jobs.h - /v1/jobs, and :train, :crossvalidate and :sweep that make them. */
#ifndef SERVER_API_JOBS_H
#define SERVER_API_JOBS_H

#include <jansson.h>

#include "server/api/api.h"
#include "server/codec/curve.h"
#include "server/http/route.h"

route_handler model_estimate;                                                              /* train.c */
route_handler model_train;                                                                 /* train.c */
route_handler job_list, job_get, job_patch, job_delete, job_cancel, job_pause, job_resume; /* jobs.c */
route_handler job_curve_get;                                                               /* job_curve.c */
route_handler model_crossvalidate; /* crossvalidate.c */
route_handler model_sweep;         /* sweep.c */
route_handler job_predictions;     /* job_predictions.c */
route_handler job_runs;            /* job_runs.c */

/* The document of a job, with how far it is while it runs here; new. */
json_t *job_document(const struct app *app, const struct store_job *job);
/* The answer to a request that made this job: 202. */
int job_accepted(const struct app *app, const struct store_job *job, struct reply *rp, struct err *e);

/* Which columns the job's curve is shown with (job_curve.c). */
void job_curve_view(struct app *app, const struct store_job *job, struct curve_view *view);

#endif
