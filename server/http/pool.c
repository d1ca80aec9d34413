/* pool.c - the threads behind the handlers that may wait. See pool.h. */
#include "server/http/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define OFFERED_PART 16

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	struct pool_task *first, **last;
	unsigned queued, queue_max, running;
	bool stopping;
	int niceness;
	unsigned threads_count;
	pthread_t threads[];
};

static void *pool_thread(void *argument)
{
	struct pool *pool = argument;

	if (pool->niceness) setpriority(PRIO_PROCESS, 0, pool->niceness); /* of this thread alone, on Linux */
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct pool_task *task;

		while (!pool->first && !pool->stopping)
			pthread_cond_wait(&pool->work, &pool->lock);
		if (!(task = pool->first)) break;
		pool->first = task->next;
		if (!pool->first) pool->last = &pool->first;
		pool->queued--;
		pool->running++;
		pthread_mutex_unlock(&pool->lock);
		task->run(task);
		pthread_mutex_lock(&pool->lock);
		pool->running--;
		if (!pool->running && !pool->queued) pthread_cond_broadcast(&pool->idle);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int pool_start(struct pool **out, unsigned threads, unsigned queue_max, int niceness, struct err *e)
{
	struct pool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->threads);
	pthread_condattr_t monotonic;

	*out = NULL;
	if (!pool) return err_nomem(e);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pool->last = &pool->first;
	pool->queue_max = queue_max;
	pool->niceness = niceness;
	for (; pool->threads_count < threads; pool->threads_count++)
		if (pthread_create(&pool->threads[pool->threads_count], NULL, pool_thread, pool)) break;
	if (!pool->threads_count) {
		pool_free(pool);
		return err_set(e, ERR_IO, "no thread could be started");
	}
	*out = pool;
	return 0;
}

static bool add_below(struct pool *pool, struct pool_task *task, unsigned queue_max)
{
	bool taken;

	pthread_mutex_lock(&pool->lock);
	taken = !pool->stopping && pool->queued < queue_max;
	if (taken) {
		task->next = NULL;
		*pool->last = task;
		pool->last = &task->next;
		pool->queued++;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

bool pool_add(struct pool *pool, struct pool_task *task)
{
	return add_below(pool, task, pool->queue_max);
}

bool pool_offer(struct pool *pool, struct pool_task *task)
{
	return add_below(pool, task, pool->queue_max / OFFERED_PART);
}

unsigned pool_queued(struct pool *pool)
{
	unsigned queued;

	pthread_mutex_lock(&pool->lock);
	queued = pool->queued;
	pthread_mutex_unlock(&pool->lock);
	return queued;
}

bool pool_drain(struct pool *pool, double seconds)
{
	struct timespec until;
	bool drained;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)seconds;
	pthread_mutex_lock(&pool->lock);
	while (pool->queued || pool->running)
		if (pthread_cond_timedwait(&pool->idle, &pool->lock, &until)) break;
	drained = !pool->queued && !pool->running;
	pthread_mutex_unlock(&pool->lock);
	return drained;
}

void pool_stop(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads_count; i++)
		pthread_join(pool->threads[i], NULL);
	pool->threads_count = 0;
}

void pool_free(struct pool *pool)
{
	if (!pool) return;
	pthread_cond_destroy(&pool->work);
	pthread_cond_destroy(&pool->idle);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
