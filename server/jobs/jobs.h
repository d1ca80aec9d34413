/* jobs.h - the pool of workers that run training jobs from the store's queue.
 *
 * A worker claims a job, loads it, and lets a thread at idle priority train while it writes the curve to the store
 * every JOBS_FLUSH_MS, and now and then a checkpoint. It ends the job with one commit: version, metrics and state
 * together. A job that was cut off, or paused, goes on from its checkpoint and ends in the same bits. Requests never
 * wait for a worker: progress is read without a lock.
 */
#ifndef SERVER_JOBS_JOBS_H
#define SERVER_JOBS_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/gemm.h"
#include "server/jobs/progress.h"
#include "server/memory.h"
#include "server/registry/registry.h"
#include "server/store/store.h"

#define JOBS_FLUSH_MS    100
#define JOBS_WORKERS_MAX 256

struct jobs;

struct jobs_config { /* borrowed for the life of the jobs */
	struct store *store;
	struct registry *registry;
	const struct gemm_engine *engine;
	unsigned workers;    /* at most JOBS_WORKERS_MAX */
	size_t memory_bytes; /* of all running jobs together; one that needs more is failed */
	const char *database; /* the file beside which data larger than that may lie while they are trained on */
	void (*log)(void *self, const char *sentence);
	void *log_self;
	struct memory *memory; /* of which memory_bytes are a part; NULL: of none */
};

/* Queues again what was cut off, then starts the workers. *out is new (jobs_stop). */
int jobs_start(struct jobs **out, const struct jobs_config *config, struct err *e);
/* Running jobs are stopped within a mini-batch and go back to the queue; frees jobs. NULL is fine. */
void jobs_stop(struct jobs *jobs);

/* So many workers from now on. Running jobs are not touched: a worker too many ends after its job. ERR_NOMEM: there are fewer
 * than that, as the system has no more threads. One caller at a time. */
int jobs_set_workers(struct jobs *jobs, unsigned workers, struct err *e);

unsigned jobs_workers(struct jobs *jobs);
uint64_t jobs_samples(
		const struct jobs *jobs); /* rows that were trained on since the start, those of each epoch */
const char *jobs_engine(const struct jobs *jobs); /* its name */

/* A job was queued. */
void jobs_wake(struct jobs *jobs);
/* A model has a new version. */
void jobs_published(struct jobs *jobs, const char *model);
/* Stops a running job and its children, after the store noted the wish. Nothing when they do not run here. */
void jobs_cancel(struct jobs *jobs, int64_t id);
/* A running job and its children free their workers within a mini-batch and are paused, after the store noted the wish.
 * Likewise. */
void jobs_pause(struct jobs *jobs, int64_t id);
/* A running job ends with what it has, after the store noted the wish. Likewise. */
void jobs_wrap_up(struct jobs *jobs, int64_t id);
/* A part of `parent` was cancelled or paused by a request, or it was itself: does what follows. */
void jobs_settle(struct jobs *jobs, int64_t parent);
/* How the layers of job `id` fared when they were last looked at. As jobs_progress. */
bool jobs_layers(const struct jobs *jobs, int64_t id, struct layers *out);
/* How far job `id` is, or was at its end until its worker takes another; false when no worker has it. Takes no lock. */
bool jobs_progress(const struct jobs *jobs, int64_t id, struct progress *out);
/* What job `id`, which runs here, cannot write just now; false when all is well. */
bool jobs_trouble(struct jobs *jobs, int64_t id, struct err *out);

#endif
