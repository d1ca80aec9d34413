/* writer.h - the one thread that writes to the SQLite file.
 *
 * It runs write operations from two queues: what a request waits for goes before bulk (uploads, blobs), and what
 * nobody waits for (sweep.h) only when both are empty.
 */
#ifndef SERVER_STORE_SQLITE_WRITER_H
#define SERVER_STORE_SQLITE_WRITER_H

#include "core/err.h"
#include "server/store/sqlite/db.h"

struct writer;

/* Runs inside a write transaction, for some milliseconds at most. Not 0: what it wrote is taken back. */
typedef int write_fn(struct db *db, void *arg, struct err *e);

enum write_class { WRITE_REQUEST, WRITE_BULK, WRITE_CLASSES };

/* *out is new (writer_stop; NULL is fine) and takes over db, on success only. */
int writer_start(struct writer **out, struct db *db, struct err *e);
/* Ends after what was posted; closes the connection. No call is under way. */
void writer_stop(struct writer *w);

/* Runs run(arg) and returns its result, once committed and synced. ERR_FORBIDDEN: there is no writer (w is NULL). What run left in arg counts
 * only when the result is 0. */
int writer_run(struct writer *w, enum write_class class, write_fn *run, void *arg, struct err *e);
/* The same; committed(arg) is called by the writer's thread as soon as it is. */
int writer_run_then(struct writer *w, enum write_class class, write_fn *run, void (*committed)(void *arg),
		void *arg, struct err *e);
/* Queues run(arg) as bulk without waiting; done is called by the writer's thread when it is over. On an error
 * nothing was queued and done is not called. */
int writer_post(struct writer *w, write_fn *run, void (*done)(void *arg, int rc, const struct err *e),
		void *arg, struct err *e);

/* Transactions that were written since the start, and the seconds that they took. */
void writer_commits(const struct writer *w, uint64_t *count, double *seconds);
/* See last_event, on_commit and on_failure in store.h. */
int64_t writer_last_event(const struct writer *w);
void writer_on_commit(struct writer *w, void (*told)(void *self), void *self);
void writer_on_failure(struct writer *w, void (*told)(void *self, const struct err *e), void *self);

#endif
