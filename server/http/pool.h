/* pool.h - a fixed number of threads that take tasks from one bounded queue: where handlers may wait. */
#ifndef SERVER_HTTP_POOL_H
#define SERVER_HTTP_POOL_H

#include <stdbool.h>

#include "core/err.h"

struct pool;

struct pool_task { /* lives in what it works on; on the queue once at a time */
	void (*run)(struct pool_task *task);
	struct pool_task *next;
};

/* *out is new (pool_stop, pool_free). niceness, 0 to 19, of its threads: how far they step back before others of the
 * process. ERR_NOMEM, ERR_IO. */
int pool_start(struct pool **out, unsigned threads, unsigned queue_max, int niceness, struct err *e);
/* False when the queue is full or the pool is stopping: the task was not taken. */
bool pool_add(struct pool *pool, struct pool_task *task);
/* The same for what may be left out: false also when a good part of the queue is full. */
bool pool_offer(struct pool *pool, struct pool_task *task);
/* Waits until no task is queued or running, at most seconds; true when so. */
bool pool_drain(struct pool *pool, double seconds);
/* Finishes what is queued and ends the threads; from now on pool_add takes nothing. */
void pool_stop(struct pool *pool);
unsigned pool_queued(struct pool *pool); /* tasks that wait for a thread */
void pool_free(struct pool *pool);       /* after pool_stop; NULL is fine */

#endif
