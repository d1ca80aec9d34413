/* writer.c - the queues of the writer, its transactions, and what it does when idle. See writer.h.
 *
 * A call waits with its operation on its own stack; a posted one lies in memory of its own. All requests that wait
 * at one moment (BATCH_MAX at most) share one commit, so that many small changes pay for one sync: each runs in a
 * savepoint and can fail alone. A bulk operation has a transaction of its own, of STORE_CHUNK_BYTES at most.
 * After a transaction the log is copied into the file when it has grown past WAL_PAGES, which bounds the log and
 * keeps each copying short. Readers can keep a log from starting anew: past WAL_PAGES_RESET the writer waits for
 * them, and as none reads for longer than a chunk, that ends soon. A backup does (as does a program of the user's that
 * looks into the file): then the log grows, and the writer waits once in WAL_PAGES_RESET.
 * A sync that failed is the end: a second try would succeed without having written what the first one lost. From then on
 * every operation gets that error, and whoever asked to be told of it ends the process.
 */
#include "server/store/sqlite/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sweep.h"

#define BATCH_MAX       32
#define WAL_PAGES       512  /* of DB_PAGE_BYTES: 4 MiB */
#define WAL_PAGES_RESET 8192 /* 64 MiB */

struct operation {
	write_fn *run;
	void *arg;
	void (*done)(void *arg, int rc, const struct err *e); /* NULL: a call waits on over */
	void (*committed)(void *arg); /* NULL: nobody must know before others see it */
	int rc;
	struct err e;
	bool finished;
	pthread_cond_t over;
	struct operation *next;
};

struct queue { /* first in, first out */
	struct operation *first, **last;
};

struct writer {
	struct db *db;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;  /* something was queued, or stopping */
	struct queue queues[WRITE_CLASSES];
	bool stopping;
	_Atomic uint64_t commits, commit_ns;
	_Atomic int64_t event;     /* the newest that was committed */
	pthread_mutex_t told_lock; /* of all below, held while told and lost are called */
	void (*told)(void *self);
	void *told_self;
	bool failed; /* for good; set by the writer's thread, which reads it without the lock */
	void (*lost)(void *self, const struct err *e);
	void *lost_self;
};

static void queue_put(struct queue *q, struct operation *op)
{
	op->next = NULL;
	*q->last = op;
	q->last = &op->next;
}

/* Up to max operations from the front, linked. */
static struct operation *queue_take(struct queue *q, int max)
{
	struct operation *first = q->first, *op = first;

	if (!first) return NULL;
	for (int n = 1; n < max && op->next; n++)
		op = op->next;
	q->first = op->next;
	if (!q->first) q->last = &q->first;
	op->next = NULL;
	return first;
}

/* ---- the writer's thread ---- */

/* Runs op so that it can be taken back alone. Not 0: the whole transaction is lost. */
static int run_among_others(struct db *db, struct operation *op, struct err *e)
{
	const int64_t event = db_event(db);
	int rc;

	if ((rc = db_run(db, SQL_SAVEPOINT, DB_NO_VALUES, NULL, e))) return rc;
	op->rc = op->run(db, op->arg, &op->e);
	if (!db_inside(db)) {
		*e = op->e;
		return op->rc;
	}
	if (op->rc) {
		db_mark_event(db, event);
		if ((rc = db_run(db, SQL_SAVEPOINT_UNDO, DB_NO_VALUES, NULL, e))) return rc;
	}
	return db_run(db, SQL_SAVEPOINT_RELEASE, DB_NO_VALUES, NULL, e);
}

static int run_batch(struct db *db, struct operation *batch, struct err *e)
{
	int rc;

	if ((rc = db_begin(db, e))) return rc;
	if (!batch->next) {
		batch->rc = batch->run(db, batch->arg, &batch->e);
		if (batch->rc) {
			db_rollback(db);
			return 0;
		}
	} else {
		for (struct operation *op = batch; op && !rc; op = op->next)
			rc = run_among_others(db, op, e);
	}
	if (!rc) return db_commit(db, e);
	db_rollback(db);
	return rc;
}

/* Readers see a commit at once, and a thread that waits for it may take a while to come to. */
static void tell_committed(struct operation *batch)
{
	for (struct operation *op = batch; op; op = op->next)
		if (!op->rc && op->committed) op->committed(op->arg);
}

static void finish(struct writer *w, struct operation *batch, int rc, const struct err *e)
{
	for (struct operation *op = batch, *next; op; op = next) {
		next = op->next; /* op is gone once its call wakes up */
		if (rc && !op->rc) {
			op->rc = rc;
			op->e = *e;
		}
		if (op->done) {
			op->done(op->arg, op->rc, &op->e);
			free(op);
			continue;
		}
		pthread_mutex_lock(&w->lock);
		op->finished = true;
		pthread_cond_signal(&op->over);
		pthread_mutex_unlock(&w->lock);
	}
}

/* Who is told that something was logged finds it in last_event; so does who waits for the batch. */
static bool publish_event(struct writer *w)
{
	int64_t event = db_event_committed(w->db);

	if (event == atomic_load(&w->event)) return false;
	atomic_store(&w->event, event);
	return true;
}

static void tell(struct writer *w)
{
	pthread_mutex_lock(&w->told_lock);
	if (w->told) w->told(w->told_self);
	pthread_mutex_unlock(&w->told_lock);
}

/* Whether a sync has failed; whoever wants to know is told once. */
static bool lost(struct writer *w)
{
	if (w->failed || !db_unsynced(w->db)) return w->failed;
	pthread_mutex_lock(&w->told_lock);
	w->failed = true;
	if (w->lost) w->lost(w->lost_self, db_unsynced(w->db));
	pthread_mutex_unlock(&w->told_lock);
	return true;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void writer_commits(const struct writer *w, uint64_t *count, double *seconds)
{
	*count = atomic_load(&w->commits);
	*seconds = (double)atomic_load(&w->commit_ns) * 1e-9;
}

static void do_batch(struct writer *w, struct operation *batch)
{
	uint64_t begun = clock_ns();
	struct err e;
	int rc = run_batch(w->db, batch, &e);
	bool logged;

	if (!rc) tell_committed(batch);
	logged = publish_event(w);
	atomic_fetch_add(&w->commits, 1);
	atomic_fetch_add(&w->commit_ns, clock_ns() - begun);

	lost(w); /* first: who gets the error finds the store as it is */
	finish(w, batch, rc, &e);
	if (logged) tell(w);
}

/* The next batch; NULL with *stop false: nobody waits, and the sweep may go on. */
static struct operation *next_batch(struct writer *w, bool sweeping, bool *stop)
{
	struct operation *batch = NULL;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		if ((batch = queue_take(&w->queues[WRITE_REQUEST], BATCH_MAX))) break;
		if ((batch = queue_take(&w->queues[WRITE_BULK], 1))) break;
		*stop = w->stopping;
		if (*stop || sweeping) break;
		pthread_cond_wait(&w->work, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return batch;
}

/* *waited: how long the log was when a reader kept it from starting anew; 0: none did. */
static void bound_log(struct db *db, int *waited)
{
	int pages = db_wal_pages(db);
	bool reset = pages >= *waited + WAL_PAGES_RESET;

	if (pages < *waited) *waited = 0;
	if (pages < WAL_PAGES) return;
	db_checkpoint(db, reset);
	if (reset) *waited = db_wal_pages(db);
}

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	int waited = 0;
	bool sweeping = true, stop = false; /* at start: what a crash left */
	bool owed = false; /* a step failed: the next write shows whether there is room again */

	for (;;) {
		struct operation *batch = next_batch(w, sweeping, &stop);

		if (stop && !batch) break;
		if (batch && w->failed)
			finish(w, batch, ERR_IO, db_unsynced(w->db));
		else if (batch) {
			do_batch(w, batch);
			sweeping |= owed;
			owed = false;
		} else
			sweeping = sweep_step(w->db, &owed);
		if (db_take_garbage(w->db)) sweeping = true;
		if (lost(w))
			sweeping = false;
		else
			bound_log(w->db, &waited);
	}
	return NULL;
}

/* ---- calls ---- */

int writer_start(struct writer **out, struct db *db, struct err *e)
{
	struct writer *w = calloc(1, sizeof *w);

	int64_t event;
	int rc;

	*out = NULL;
	if (!w) return err_nomem(e);
	if ((rc = event_newest(db, &event, e))) {
		free(w);
		return rc;
	}
	w->db = db;
	atomic_store(&w->event, event);
	pthread_mutex_init(&w->told_lock, NULL);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	for (int i = 0; i < WRITE_CLASSES; i++)
		w->queues[i].last = &w->queues[i].first;
	if (pthread_create(&w->thread, NULL, writer_thread, w)) {
		free(w);
		return err_set(e, ERR_IO,
				"cannot start the thread that writes to the database; raise the limit of threads");
	}
	*out = w;
	return 0;
}

void writer_stop(struct writer *w)
{
	if (!w) return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	pthread_mutex_destroy(&w->told_lock);
	db_close(w->db);
	free(w);
}

int writer_run_then(struct writer *w, enum write_class class, write_fn *run, void (*committed)(void *arg),
		void *arg, struct err *e)
{
	struct operation op = {
		.run = run, .arg = arg, .committed = committed, .over = PTHREAD_COND_INITIALIZER
	};

	if (!w) return err_set(e, ERR_FORBIDDEN, "this database is only looked at");
	pthread_mutex_lock(&w->lock);
	queue_put(&w->queues[class], &op);
	pthread_cond_signal(&w->work);
	while (!op.finished)
		pthread_cond_wait(&op.over, &w->lock);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&op.over);
	if (op.rc && e) *e = op.e;
	return op.rc;
}

int writer_run(struct writer *w, enum write_class class, write_fn *run, void *arg, struct err *e)
{
	return writer_run_then(w, class, run, NULL, arg, e);
}

int writer_post(struct writer *w, write_fn *run, void (*done)(void *arg, int rc, const struct err *e),
		void *arg, struct err *e)
{
	struct operation *op = calloc(1, sizeof *op);

	if (!op) return err_nomem(e);
	*op = (struct operation){ .run = run, .arg = arg, .done = done };
	pthread_mutex_lock(&w->lock);
	queue_put(&w->queues[WRITE_BULK], op);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

int64_t writer_last_event(const struct writer *w)
{
	return atomic_load(&w->event);
}

void writer_on_commit(struct writer *w, void (*told)(void *self), void *self)
{
	pthread_mutex_lock(&w->told_lock);
	w->told = told;
	w->told_self = self;
	pthread_mutex_unlock(&w->told_lock);
}

void writer_on_failure(struct writer *w, void (*told)(void *self, const struct err *e), void *self)
{
	pthread_mutex_lock(&w->told_lock);
	w->lost = told;
	w->lost_self = self;
	if (w->failed && told) told(self, db_unsynced(w->db));
	pthread_mutex_unlock(&w->told_lock);
}
