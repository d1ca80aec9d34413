/* jobs_parts.h - what the files of the worker pool share; nobody else includes it.
 *
 *	jobs.c       the pool as others see it: start, stop, wake, cancel, pause, progress
 *	worker.c     a worker's life: claim a job, run it, wait for the next
 *	run.c        a claimed job under way: load, train, and beside it the curve, checkpoints, the lease
 *	snapshot.c   checkpoints: from the trainer's thread to the store, and back at the next claim
 *	ending.c     how a run ends: published, failed, cancelled, parked, queued again
 */
#ifndef SERVER_JOBS_JOBS_PARTS_H
#define SERVER_JOBS_JOBS_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "server/jobs/family.h"
#include "server/jobs/jobs.h"
#include "server/jobs/pace.h"
#include "server/jobs/record.h"
#include "server/jobs/training.h"

#define JOBS_OWNER_BYTES     96
#define JOBS_LEASE_MS        60000
#define JOBS_RENEW_MS        15000
#define JOBS_TROUBLE_SECONDS 1 /* before the store is asked again after it failed */

/* Why a worker's job is to stop. When the daemon ends, jobs->ending says so. */
enum stop { STOP_NOT, STOP_CANCEL, STOP_PAUSE, STOP_END, STOP_LOST };

struct worker {
	struct jobs *jobs;
	pthread_t thread;
	_Atomic int64_t job; /* stays until the next one: who read that it runs still finds how far it came */
	_Atomic int64_t parent; /* of it; 0: none */
	atomic_int stop;        /* enum stop; not 0: end the job */
	atomic_int time_up;     /* not 0: end it as if its time were over */
	_Atomic uint64_t steps; /* mini-batches that it has done */
	int64_t attempt;        /* under jobs->lock: of the claim it has; 0: none */
	struct progress_cell progress;
	struct layers_cell layers;
	struct err trouble;   /* under jobs->lock: what cannot be written just now, "" */
	bool alive, joinable; /* likewise: its thread takes jobs; it was started, and nobody joined it yet */
};

struct jobs {
	struct jobs_config config;
	struct family family;
	char owner[JOBS_OWNER_BYTES]; /* who claims */
	char *crashed;                /* the problem document of a job that was cut off too often */
	pthread_mutex_t lock; /* of the next five, and of a worker's change of job; no request takes it for long */
	pthread_cond_t wake;
	uint64_t wakes;
	size_t memory_taken;
	int64_t expire_ms;        /* when to look for claims that nobody renewed */
	unsigned wanted;          /* workers; those from there on end after their job */
	_Atomic uint64_t samples; /* rows of the epochs that were trained */
	atomic_bool ending;
	atomic_uint started; /* the first so many of workers were, and may have ended */
	struct worker workers[JOBS_WORKERS_MAX];
};

/* A checkpoint on its way from the trainer's thread, which fills it, to the worker's, which writes it. */
struct snapshot {
	struct checkpoint_room room;
	unsigned char *curve; /* (curve_bytes), what the recorder knows */
	size_t curve_bytes;
	struct train_point last, left;
	bool full;              /* under the run's lock */
	pthread_cond_t emptied; /* likewise */
};

/* What is being tried again. */
enum trouble { TROUBLE_CURVE = 1, TROUBLE_CHECKPOINT = 2, TROUBLE_LEASE = 4 };

/* One claimed job under way. */
struct run {
	struct worker *worker;
	struct store_job job;
	struct training *training;
	size_t memory;
	struct record record;
	struct layers layers; /* of the trainer's thread */
	uint64_t shown;       /* the steps that were last shown */
	struct snapshot snapshot;
	atomic_int save; /* not 0: the trainer's thread is to fill the snapshot */
	unsigned trouble;
	int64_t renew_ms, save_ms; /* when, on the monotonic clock; save: INT64_MAX: never */
	pthread_mutex_t lock;      /* of the rest, which the trainer's thread writes */
	pthread_cond_t changed;
	struct train_point last;
	struct pace pace;
	struct progress progress; /* as of the last epoch */
	bool done;
	struct train_result result;
	int rc;
	struct err e;
};

static inline struct store *run_store(const struct run *run)
{
	return run->worker->jobs->config.store;
}

/* ---- jobs.c ---- */

void jobs_say(const struct jobs *jobs, int64_t id, const char *what, const char *why);
int64_t jobs_clock_ms(void); /* monotonic */
struct timespec jobs_at(int64_t clock_ms);
int jobs_cond_new(pthread_cond_t *cond); /* that waits on that clock */

/* ---- worker.c ---- */

void *worker_main(void *worker);

/* ---- run.c ---- */

/* From the claim to the end of a job. */
void run_job(struct run *run);
/* rc, what was tried, failed for what may pass: it is told once, and that it is over too. Returns rc when the job cannot
 * go on, else 0. */
int run_trouble(struct run *run, enum trouble what, int rc, const struct err *e);
/* Was the run stopped, to go on later? */
bool run_pauses(const struct run *run);

/* ---- snapshot.c ---- */

int snapshot_new(struct run *run, struct err *e);
void snapshot_clear(struct run *run);
void snapshot_take(void *run); /* the hook of the trainer's thread */
bool snapshot_full(struct run *run);
/* Writes what is full. ERR_CONFLICT: the job is not ours any more. */
int snapshot_write(struct run *run, struct err *e);
/* It is empty again, written or not. */
void snapshot_drop(struct run *run);
/* After training_start: goes on from the newest checkpoint that is good; the curve is that of the checkpoint then. */
int snapshot_resume(struct run *run, struct err *e);

/* ---- ending.c ---- */

void run_end(struct run *run, int rc, struct err *e);

#endif
