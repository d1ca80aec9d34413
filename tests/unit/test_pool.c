/* test_pool.c - the pool behind handlers that wait: every task runs once, the queue has an end, stopping finishes. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/http/pool.h"
#include "tests/unit/suite.h"

#define TASKS   1000
#define ADDERS  4
#define THREADS 3

struct job {
	struct pool_task task; /* first */
	atomic_int runs;
};

static struct job jobs[ADDERS][TASKS];
static struct err e;

static void count_run(struct pool_task *task)
{
	atomic_fetch_add(&((struct job *)task)->runs, 1);
}

static struct pool *start(unsigned threads, unsigned queue_max)
{
	struct pool *pool;

	ck_assert_int_eq(pool_start(&pool, threads, queue_max, 0, &e), 0);
	return pool;
}

/* A task that waits until it is let go. */
static atomic_bool entered, let_go;

static void wait_run(struct pool_task *task)
{
	atomic_store(&entered, true);
	while (!atomic_load(&let_go))
		usleep(100);
	count_run(task);
}

static void add_waiting(struct pool *pool, struct job *job)
{
	job->task.run = wait_run;
	ck_assert(pool_add(pool, &job->task));
	while (!atomic_load(&entered))
		usleep(100);
}

static struct pool *shared;

static void *add_all(void *arg)
{
	for (struct job *job = arg; job < (struct job *)arg + TASKS; job++) {
		job->task.run = count_run;
		while (!pool_add(shared, &job->task)) /* the queue is full */
			usleep(10);
	}
	return NULL;
}

START_TEST(every_task_runs_once)
{
	pthread_t adders[ADDERS];

	shared = start(THREADS, 16);
	for (int i = 0; i < ADDERS; i++)
		ck_assert_int_eq(pthread_create(&adders[i], NULL, add_all, jobs[i]), 0);
	for (int i = 0; i < ADDERS; i++)
		pthread_join(adders[i], NULL);
	ck_assert(pool_drain(shared, 60));
	for (int i = 0; i < ADDERS; i++)
		for (int j = 0; j < TASKS; j++)
			ck_assert_int_eq(jobs[i][j].runs, 1);
	pool_stop(shared);
	pool_free(shared);
}
END_TEST

START_TEST(a_full_queue_takes_nothing)
{
	struct pool *pool = start(1, 2);
	struct job *job = jobs[0];

	add_waiting(pool, &job[0]);
	for (int i = 1; i < 4; i++)
		job[i].task.run = count_run;
	ck_assert(pool_add(pool, &job[1].task));
	ck_assert(pool_add(pool, &job[2].task));
	ck_assert(!pool_add(pool, &job[3].task));
	atomic_store(&let_go, true);
	ck_assert(pool_drain(pool, 60));
	ck_assert(pool_add(pool, &job[3].task)); /* there is room again */
	pool_stop(pool);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(job[i].runs, 1);
	pool_free(pool);
}
END_TEST

/* What may be left out has a sixteenth of the queue. */
START_TEST(an_offer_leaves_room_for_others)
{
	struct pool *pool = start(1, 32);
	struct job *job = jobs[0];

	add_waiting(pool, &job[0]);
	for (int i = 1; i < 5; i++)
		job[i].task.run = count_run;
	ck_assert(pool_offer(pool, &job[1].task));
	ck_assert(pool_offer(pool, &job[2].task));
	ck_assert_uint_eq(pool_queued(pool), 2);
	ck_assert(!pool_offer(pool, &job[3].task));
	ck_assert(pool_add(pool, &job[3].task));
	ck_assert_uint_eq(pool_queued(pool), 3);
	atomic_store(&let_go, true);
	ck_assert(pool_drain(pool, 60));
	ck_assert(pool_offer(pool, &job[4].task));
	pool_stop(pool);
	ck_assert(!pool_offer(pool, &job[4].task));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(job[i].runs, 1);
	pool_free(pool);
}
END_TEST

static int niceness;

static void note_niceness(struct pool_task *task)
{
	niceness = getpriority(PRIO_PROCESS, 0);
	atomic_fetch_add(&((struct job *)task)->runs, 1);
}

START_TEST(its_threads_step_back)
{
	int own = getpriority(PRIO_PROCESS, 0), wanted = own + 3 > 19 ? 19 : own + 3;
	struct pool *pool;

	ck_assert_int_eq(pool_start(&pool, 1, 4, wanted, NULL), 0);
	jobs[0][0].task.run = note_niceness;
	ck_assert(pool_add(pool, &jobs[0][0].task));
	pool_stop(pool);
	ck_assert_int_eq(niceness, wanted);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), own); /* and nobody else */
	pool_free(pool);
}
END_TEST

static atomic_int order;

static void note_order(struct pool_task *task)
{
	atomic_store(&((struct job *)task)->runs, atomic_fetch_add(&order, 1));
}

START_TEST(first_come_first_served)
{
	struct pool *pool = start(1, TASKS);

	add_waiting(pool, &jobs[1][0]);
	for (int i = 0; i < TASKS; i++) {
		jobs[0][i].task.run = note_order;
		ck_assert(pool_add(pool, &jobs[0][i].task));
	}
	atomic_store(&let_go, true);
	pool_stop(pool); /* finishes what is queued */
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_eq(jobs[0][i].runs, i);
	pool_free(pool);
}
END_TEST

START_TEST(draining_has_an_end)
{
	struct pool *pool = start(2, 4);

	ck_assert(pool_drain(pool, 0));
	add_waiting(pool, &jobs[0][0]);
	ck_assert(!pool_drain(pool, 0)); /* one is running */
	ck_assert(!pool_drain(pool, 0.01));
	atomic_store(&let_go, true);
	ck_assert(pool_drain(pool, 60));
	pool_stop(pool);
	pool_free(pool);
}
END_TEST

START_TEST(a_stopped_pool_takes_nothing)
{
	struct pool *pool = start(2, 4);

	pool_stop(pool);
	jobs[0][0].task.run = count_run;
	ck_assert(!pool_add(pool, &jobs[0][0].task));
	ck_assert(pool_drain(pool, 0));
	pool_free(pool);
	pool_free(NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_task_runs_once, a_full_queue_takes_nothing,
		an_offer_leaves_room_for_others, its_threads_step_back, first_come_first_served,
		draining_has_an_end, a_stopped_pool_takes_nothing, NULL };

	return suite_main("pool", tests, 30);
}
