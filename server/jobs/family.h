/* family.h - jobs that are more than one run: a parent whose children do the work.
 *
 * A parent has no worker. What it is to do next follows from what the store says of its children, so that there is nothing
 * to keep, and a restart in the middle of anything is made good by asking again: whoever ended a child, or wants something
 * of the parent, calls family_settle. It makes children that are missing, cancels those that are of no more use, and ends
 * the parent once all of them have ended. Kinds of parents are rows of a table in family.c.
 */
#ifndef SERVER_JOBS_FAMILY_H
#define SERVER_JOBS_FAMILY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/store/store.h"

struct jobs;

struct family {
	struct store *store;
	struct jobs *jobs;         /* whose workers are told */
	pthread_mutex_t lock;      /* one is settled at a time, as they make children */
	atomic_bool timed;         /* seconds of parents are counted */
	_Atomic int64_t ticked_ms; /* up to when, on the monotonic clock */
	atomic_bool behind;        /* something could not be settled: family_settle_all is to try again */
	void (*log)(void *self, const char *sentence);
	void *log_self;
};

/* Everything is borrowed for its life. */
void family_init(struct family *family, struct store *store, struct jobs *jobs,
		void (*log)(void *self, const char *sentence), void *log_self);
void family_destroy(struct family *family);

/* Nothing when the job is no parent, or has ended, or is paused. What fails is logged, and family->behind. */
void family_settle(struct family *family, int64_t parent);
#define FAMILY_TICK_MS 500
/* Whoever comes by counts the time of parents that have only so much, twice a second, and settles those whose time is over. */
void family_tick(struct family *family);
/* What is left to count. */
void family_stop(struct family *family);
/* Every unfinished parent: at start, and when something failed. */
void family_settle_all(struct family *family);

#endif
