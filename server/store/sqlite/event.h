/* event.h - the log of what was committed: each change writes its line in its own transaction. */
#ifndef SERVER_STORE_SQLITE_EVENT_H
#define SERVER_STORE_SQLITE_EVENT_H

#include "server/store/sqlite/db.h"

/* The next n ids of the log; *first is the first of them. Points of curves take theirs so. */
int event_take(struct db *db, uint64_t n, int64_t *first, struct err *e);
/* *newest is the last id that was taken, and db_event from now on. Outside of a transaction, at start. */
int event_newest(struct db *db, int64_t *newest, struct err *e);

/* Of a job whose row is as it will be: "state", "created" or "updated". */
int event_job(struct db *db, int64_t job, const char *kind, enum job_state state, struct err *e);
int event_rewind(struct db *db, int64_t job, uint64_t epoch, struct err *e);
/* A job is gone, and what it logged. */
int event_job_deleted(struct db *db, int64_t job, const char *model, struct err *e);
/* version 0: none; label NULL: none. */
int event_model(struct db *db, const char *kind, const char *model, uint64_t version, const char *label,
		struct err *e);
/* revision is its number, 0: none. */
int event_dataset(struct db *db, const char *kind, const char *name, uint64_t revision, struct err *e);

#endif
