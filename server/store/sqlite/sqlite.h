/* sqlite.h - what the files of this folder share: the store itself, and how a call of store.h reaches SQLite.
 *
 * A call fills a struct of arguments and hands it, with a function of one transaction (named ..._tx), to the writer
 * or to the readers.
 */
#ifndef SERVER_STORE_SQLITE_SQLITE_H
#define SERVER_STORE_SQLITE_SQLITE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "server/store/sqlite/place.h"
#include "server/store/sqlite/readers.h"
#include "server/store/sqlite/writer.h"
#include "server/store/store.h"

#define PIECE_BYTES (1u << 20) /* of a blob or a dictionary: one transaction of the writer or of a reader */

struct upload; /* upload.c */

struct sqlite_store {
	struct store ops; /* first: a struct store * is a struct sqlite_store * */
	char engine[32];  /* "sqlite 3.40.1" */
	struct place place;
	struct writer *writer;
	struct readers *readers;
	pthread_mutex_t uploads_lock; /* of the list and of what is in it */
	pthread_cond_t uploads_change;
	struct upload *uploads;
	struct stat looked; /* of look.c: the file as it was */
	atomic_bool backing_up;
};

static inline struct sqlite_store *sqlite_of(struct store *s)
{
	return (struct sqlite_store *)s;
}

static inline int store_write(struct store *s, write_fn *run, void *arg, struct err *e)
{
	return writer_run(sqlite_of(s)->writer, WRITE_REQUEST, run, arg, e);
}

static inline int store_write_bulk(struct store *s, write_fn *run, void *arg, struct err *e)
{
	return writer_run(sqlite_of(s)->writer, WRITE_BULK, run, arg, e);
}

static inline int store_read(struct store *s, read_fn *run, void *arg, struct err *e)
{
	return readers_run(sqlite_of(s)->readers, run, arg, e);
}

/* Milliseconds since 1970 UTC. */
int64_t store_now_ms(void);
/* Milliseconds on the clock of leases and delays, which nobody sets. */
int64_t store_clock_ms(void);

/* The whole contract, of what open.c has and of each file that puts its functions into it. */
void store_fill(struct store *s);
void upload_fill(struct store *s);
void share_fill(struct store *s);
void dataset_fill(struct store *s);
void blob_fill(struct store *s);
void model_fill(struct store *s);
void version_fill(struct store *s);
void traffic_fill(struct store *s);
void drift_fill(struct store *s);
void job_fill(struct store *s);
void claim_fill(struct store *s);
void finish_fill(struct store *s);
void wish_fill(struct store *s);
void part_fill(struct store *s);
void checkpoint_fill(struct store *s);
void event_fill(struct store *s);
void keep_fill(struct store *s);
void answer_fill(struct store *s);
void notify_fill(struct store *s);
void token_fill(struct store *s);
void curve_fill(struct store *s);
void backup_fill(struct store *s);

/* What a DB_LOOKER opens a file by that nobody uses; new. ERR_NOMEM, ERR_IO. */
int look_uri(char **out, const char *path, struct err *e);

/* Whether the upload is under way, and its fault. ERR_NOT_FOUND: it is over. */
int upload_ready(struct store *s, int64_t id, struct err *e);
/* Waits until the groups of this upload that are under way are written (segments are read while uploading). */
void upload_settle(struct store *s, int64_t revision);
/* Frees the uploads that nobody ended. The writer is stopped. */
void uploads_forget(struct sqlite_store *sq);

/* Before a revision becomes visible: its shared groups are whole, and hidden ones forgotten. ERR_INVALID. */
int share_settle(struct db *db, int64_t revision, struct err *e);
/* A segment of this revision's own in the place of a shared one; *there: such a one is shared. */
int share_change(struct db *db, int64_t revision, uint64_t group, uint64_t column, const void *data,
		size_t size, bool *there, struct err *e);

extern const struct db_kind revision_kind; /* struct store_revision, REVISION_COLUMNS */
/* Takes away a revision that was replaced, or came inline, unless an unfinished job needs it. */
int revision_release(struct db *db, int64_t revision, struct err *e);

/* Publishes a version: makes its blob belong to it and gives it the model's next number. ERR_NOT_FOUND: no such
 * model, or no such blob that is free. */
int version_publish(struct db *db, const char *model, int64_t job, const struct store_version_new *version,
		uint64_t *number, struct err *e);
int model_must_exist(struct db *db, const char *model, struct err *e);
/* *blob is its blob. ERR_NOT_FOUND names what is not there. */
int version_must_exist(struct db *db, const char *model, uint64_t number, int64_t *blob, struct err *e);

/* The shares of a model that has its name. */
int traffic_load(struct db *db, struct store_model *model, struct err *e);
/* ERR_CONFLICT: the version has a part of the traffic. */
int traffic_free_of(struct db *db, const char *model, uint64_t number, struct err *e);

/* Drops a version of the model, whose blob is this one. */
int version_drop(struct db *db, const char *model, uint64_t number, int64_t blob, struct err *e);

/* A blob that something named goes, in steps; nothing for 0. */
int blob_drop(struct db *db, int64_t blob, struct err *e);

extern const struct db_kind job_kind;  /* struct store_job, JOB_COLUMNS */
int no_job(int64_t id, struct err *e); /* ERR_NOT_FOUND */
/* *job is new (store_job_clear). ERR_NOT_FOUND. */
int job_load(struct db *db, int64_t id, struct store_job *job, struct err *e);
/* ERR_NOT_FOUND; ERR_CONFLICT when the job is not running under this attempt. *job as job_load. */
int job_fence(struct db *db, int64_t id, int64_t attempt, struct store_job *job, struct err *e);
/* A job has ended, which its row says already: what only an unfinished job needs goes, and it is logged. */
int job_ended(struct db *db, const struct store_job *job, enum job_state state, struct err *e);
/* A job that did not run to its own end becomes cancelled. */
int job_end_cancelled(struct db *db, const struct store_job *job, const char *stop_reason, struct err *e);
/* A blob of one piece. */
int blob_put(struct db *db, const void *data, size_t size, int64_t *blob, struct err *e);
/* The blob that it left goes, if there is one. */
int job_output_forget(struct db *db, int64_t id, struct err *e);
/* Deletes an ended job, with its children. ERR_CONFLICT: one of them has not ended. */
int job_drop(struct db *db, int64_t id, struct err *e);
/* The owner of a job's curve blocks, 0 for none. */
int job_curve(struct db *db, int64_t id, int64_t *curve, struct err *e);
/* Of a job, all but the newest `keep`. */
int checkpoints_drop(struct db *db, int64_t job, int keep, struct err *e);

/* After a token (0: none) made something, in the same transaction. ERR_QUOTA: it has more than it may keep now. */
int quota_hold(struct db *db, int64_t token, enum store_quota quota, struct err *e);
/* Before: has it room for a data set of this name, of so many bytes, in the place of one of its own that has the name?
 * ERR_QUOTA. *most_bytes: that all of its data sets may have, or STORE_NO_QUOTA. */
int quota_room(struct db *db, int64_t token, const char *dataset, uint64_t size_bytes, int64_t *most_bytes,
		struct err *e);

/* Notes that a change was made, in its transaction: request, job and location are read. ERR_CONFLICT: there is an
 * answer under this key. */
int answer_new(struct db *db, const char *key, const struct store_answer *answer, struct err *e);

#endif
