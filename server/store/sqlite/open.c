/* open.c - the SQLite store as a whole: opening, looking at it, closing.
 *
 * Order of opening: the place is taken, so that nobody else is there; a restore that was cut off is finished; the first
 * bytes are looked at; the one write connection checks again and migrates; what a crash left loose becomes garbage;
 * readers and writer start.
 * Nothing of this grows with the size of the file. Closing goes the other way round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/store/sqlite/copy.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/restore.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

int64_t store_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t store_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- looking at it ---- */

static int check_tx(struct db *db, void *arg, struct err *e)
{
	(void)db;
	(void)arg;
	(void)e;
	return 0;
}

static int check(struct store *s, struct err *e)
{
	return store_write(s, check_tx, NULL, e);
}

/* What lies where, as far as small tables say. */
static int look_inside(struct db *db, struct store_info *out, struct err *e)
{
	int64_t bytes[3], jobs;
	int rc;

	for (int i = 0; i < 3; i++)
		if ((rc = db_number(db, SQL_BYTES_DATASETS + i, DB_NO_VALUES, &bytes[i], NULL, e))) return rc;
	for (int state = 0; state < JOB_STATES; state++) {
		if ((rc = db_number(db, SQL_COUNT_JOBS_IN, DB_VALUES(V_INT(state)), &jobs, NULL, e)))
			return rc;
		out->jobs_by_state[state] = (uint64_t)jobs;
	}
	out->dataset_bytes = (uint64_t)bytes[0];
	out->version_bytes = (uint64_t)(bytes[1] - bytes[2]);
	out->checkpoint_bytes = (uint64_t)bytes[2];
	return 0;
}

static int info_tx(struct db *db, void *arg, struct err *e)
{
	struct store_info *out = arg;
	int64_t page, pages, free_pages, schema, counts[4];
	int rc;

	if ((rc = db_pragma(db, "PRAGMA page_size", &page, e))) return rc;
	if ((rc = db_pragma(db, "PRAGMA page_count", &pages, e))) return rc;
	if ((rc = db_pragma(db, "PRAGMA freelist_count", &free_pages, e))) return rc;
	if ((rc = db_pragma(db, "PRAGMA user_version", &schema, e))) return rc;
	for (int i = 0; i < 4; i++)
		if ((rc = db_number(db, SQL_COUNT_DATASETS + i, DB_NO_VALUES, &counts[i], NULL, e)))
			return rc;
	out->schema = (uint64_t)schema;
	out->file_bytes = (uint64_t)(page * pages);
	out->free_bytes = (uint64_t)(page * free_pages);
	out->datasets = (uint64_t)counts[0];
	out->models = (uint64_t)counts[1];
	out->versions = (uint64_t)counts[2];
	out->jobs = (uint64_t)counts[3];
	return look_inside(db, out, e);
}

static int info(struct store *s, struct store_info *out, struct err *e)
{
	int rc;

	*out = (struct store_info){ .engine = sqlite_of(s)->engine };
	if (!(out->path = strdup(sqlite_of(s)->place.path))) return err_nomem(e);
	writer_commits(sqlite_of(s)->writer, &out->commits, &out->commit_seconds);
	if ((rc = store_read(s, info_tx, out, e))) store_info_clear(out);
	return rc;
}

/* ---- opening and closing ---- */

/* What was not started is NULL. */
static void close_store(struct store *s)
{
	struct sqlite_store *sq = sqlite_of(s);

	readers_stop(sq->readers);
	writer_stop(sq->writer);
	uploads_forget(sq);
	place_leave(&sq->place);
	pthread_cond_destroy(&sq->uploads_change);
	pthread_mutex_destroy(&sq->uploads_lock);
	free(sq);
}

void store_fill(struct store *s)
{
	static void (*const parts[])(struct store *) = { upload_fill, share_fill, dataset_fill, blob_fill,
		model_fill, version_fill, traffic_fill, drift_fill, job_fill, claim_fill, finish_fill,
		wish_fill, part_fill, checkpoint_fill, curve_fill, event_fill, keep_fill, answer_fill,
		notify_fill, token_fill, backup_fill };

	*s = (struct store){ .close = close_store, .check = check, .info = info };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		parts[i](s);
}

int store_open_sqlite(struct store **out, const char *path, struct err *e)
{
	struct sqlite_store *sq = calloc(1, sizeof *sq);
	struct db *db = NULL;
	int rc;

	*out = NULL;
	if (!sq) return err_nomem(e);
	store_fill(&sq->ops);
	snprintf(sq->engine, sizeof sq->engine, "sqlite %s", sqlite3_libversion());
	pthread_mutex_init(&sq->uploads_lock, NULL);
	pthread_cond_init(&sq->uploads_change, NULL);
	if ((rc = place_take(&sq->place, path, e))) goto fail;
	copy_sweep(sq->place.path);
	if ((rc = restore_finish(sq->place.path, NULL, e))) goto fail;
	if ((rc = place_inspect(&sq->place, migrate_latest(), e))) goto fail;
	if ((rc = db_open(&db, sq->place.path, DB_WRITER, e))) goto fail;
	if ((rc = migrate(db, sq->place.path, e))) goto fail;
	if ((rc = sweep_loose(db, e))) goto fail;
	if ((rc = place_sync(&sq->place, e))) goto fail;
	if ((rc = readers_start(&sq->readers, sq->place.path, DB_READER, e))) goto fail;
	if ((rc = writer_start(&sq->writer, db, e))) goto fail;
	*out = &sq->ops;
	return 0;
fail:
	readers_stop(sq->readers);
	sq->readers = NULL;
	db_close(db);
	close_store(&sq->ops);
	return rc;
}
