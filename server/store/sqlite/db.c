/* db.c - opening a connection, transactions and what SQLite's result codes mean. See db.h.
 *
 * The log is copied into the file by the writer alone (db_checkpoint): SQLite from 3.7.0 to 3.51.2 may damage a file
 * when two connections write or checkpoint at once. So no connection checkpoints by itself, and none maps the
 * file into memory, where a failing disk would be a signal.
 */
#include "server/store/sqlite/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS   5000 /* for another program that locks the file */
#define RESET_MS  500  /* for our own readers, none of which reads for longer than a chunk */
#define PAGES_KIB 512  /* a reader's cache, which is the block of its pages too */
#define PRIVATE   0600

struct db {
	sqlite3 *handle;
	sqlite3_stmt *stmts[SQL_COUNT]; /* prepared at first use */
	int wal_pages;
	bool garbage;
	int64_t event, event_committed;
	struct err unsynced; /* the sentence of a sync that failed; else "" */
};

static const char *const pragmas[] = {
	[DB_WRITER] = "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL;"
		      "PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
		      "PRAGMA cache_size = -2048; PRAGMA journal_size_limit = 16777216",
	[DB_READER] = "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0;"
		      "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512",
	/* Where nobody else is, the index of a log may lie in our own memory, and not beside the file. With writable_schema
	 * SQLite reads on where a file is shorter than it says, or a table is described in a way that it does not know. */
	[DB_LOOKER] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA writable_schema = ON; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;"
		      "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192",
	[DB_COPY] = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA mmap_size = 0; PRAGMA cache_size = -2048",
};

static const int open_flags[] = {
	[DB_WRITER] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		      SQLITE_OPEN_EXRESCODE,
	[DB_READER] = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	[DB_LOOKER] = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	[DB_COPY] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
};

static bool is_full(int system)
{
	return system == ENOSPC || system == EDQUOT || system == EFBIG;
}

/* A full disk is not always SQLITE_FULL, nor is a quota ever: the system's own error says it where SQLite has only "I/O error",
 * and where that was a COMMIT only the file that could not be written remembers it. */
static bool disk_full(sqlite3 *handle, int code)
{
	sqlite3_file *log = NULL;
	int system = 0;

	if ((code & 0xff) == SQLITE_FULL) return true;
	if ((code & 0xff) != SQLITE_IOERR) return false;
	if (is_full(sqlite3_system_errno(handle))) return true;
	if (!sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &system) && is_full(system))
		return true;
	if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) || !log ||
			!log->pMethods)
		return false;
	return !log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &system) && is_full(system);
}

static int fail_sync(struct db *db, const char *file, struct err *e)
{
	int rc = err_set(&db->unsynced, ERR_IO,
			"the disk did not confirm what was written to the database %s, so nothing more is written and the "
			"daemon ends; look at the disk, then start it again",
			file);

	if (e) *e = db->unsynced;
	return rc;
}

int db_fail(struct db *db, int code, struct err *e)
{
	const char *file = sqlite3_db_filename(db->handle, "main");
	const char *text = sqlite3_errmsg(db->handle);

	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) return fail_sync(db, file, e);
	if (disk_full(db->handle, code))
		return err_set(e, ERR_DISK_FULL,
				"there is no room left on the disk of %s; free some and try again", file);
	switch (code & 0xff) {
	case SQLITE_NOMEM: return err_nomem(e);
	case SQLITE_NOTADB:
		return err_set(e, ERR_CORRUPT, "%s is not a SQLite database; name another file", file);
	case SQLITE_CORRUPT:
		return err_set(e, ERR_CORRUPT,
				"the database %s is damaged (%s); restore it from a backup, or save what is whole with descentd repair",
				file, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_BUSY, "the database %s is in use by another program; try again", file);
	case SQLITE_TOOBIG: return err_set(e, ERR_TOO_LARGE, "a value is larger than the database can keep");
	default:
		return err_set(e, ERR_IO,
				"the database %s cannot be read or written (%s); look at its disk and permissions",
				file, text);
	}
}

/* The result of a statement of ours, which is sound: where SQLite finds a fault in it, what the file says of its tables is damaged. */
static int ours(int code)
{
	return code == SQLITE_ERROR ? SQLITE_CORRUPT : code;
}

static int note_wal(void *self, sqlite3 *handle, const char *name, int pages)
{
	struct db *db = self;

	(void)handle;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

/* The pages of a connection come as one block. One at a time they lie among what requests allocate and free, stay for as long
 * as the connection does, and the heap that they are scattered over cannot shrink. */
static void configure(void)
{
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, -PAGES_KIB);
}

/* A database that is not there yet is made for its owner alone, whatever the umask says; its log gets the same mode from SQLite.
 * Where it cannot be made SQLite says why. */
static void make_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, PRIVATE);

	if (fd >= 0) close(fd);
}

int db_open(struct db **out, const char *path, enum db_role role, struct err *e)
{
	static pthread_once_t configured = PTHREAD_ONCE_INIT;
	struct db *db = calloc(1, sizeof *db);
	int rc;

	*out = NULL;
	if (!db) return err_nomem(e);
	pthread_once(&configured, configure);
	if (open_flags[role] & SQLITE_OPEN_CREATE) make_private(path);
	if (sqlite3_open_v2(path, &db->handle, open_flags[role], NULL)) {
		rc = db->handle ? err_set(e, ERR_IO, "cannot open the database %s: %s", path,
						  sqlite3_errmsg(db->handle))
				: err_nomem(e);
		goto out;
	}
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, role != DB_LOOKER, NULL);
	if (role != DB_WRITER) sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	if ((rc = db_exec(db, pragmas[role], e))) goto out;
	sqlite3_wal_hook(db->handle, note_wal, db); /* after wal_autocheckpoint, which is a hook too */
	*out = db;
	db = NULL;
out:
	db_close(db);
	return rc;
}

void db_close(struct db *db)
{
	if (!db) return;
	if (db_unsynced(db)) db_keep_log(db); /* it has all that was ever confirmed */
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(db->stmts[i]);
	sqlite3_close(db->handle);
	free(db);
}

sqlite3 *db_handle(struct db *db)
{
	return db->handle;
}

void db_keep_log(struct db *db)
{
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

int db_exec(struct db *db, const char *sql, struct err *e)
{
	int code = ours(sqlite3_exec(db->handle, sql, NULL, NULL, NULL));

	return code ? db_fail(db, code, e) : 0;
}

int db_pragma(struct db *db, const char *sql, int64_t *value, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int code = ours(sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL)), rc = 0;

	*value = 0;
	if (!code && (code = sqlite3_step(stmt)) == SQLITE_ROW) *value = sqlite3_column_int64(stmt, 0);
	if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) rc = db_fail(db, code, e);
	sqlite3_finalize(stmt);
	return rc;
}

int db_each_text(struct db *db, const char *sql, void (*each)(void *self, const char *text), void *self,
		struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL), rc;

	while (!code && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		each(self, text ? text : "");
		code = SQLITE_OK;
	}
	rc = code && code != SQLITE_DONE ? db_fail(db, code, e) : 0;
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- transactions ---- */

static void reset_statements(struct db *db)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		if (!db->stmts[i]) continue;
		sqlite3_reset(db->stmts[i]);
		sqlite3_clear_bindings(db->stmts[i]);
	}
}

/* A transaction that there was no memory to roll back is still open. */
int db_begin(struct db *db, struct err *e)
{
	if (db_inside(db)) db_rollback(db);
	return db_run(db, sqlite3_db_readonly(db->handle, "main") ? SQL_BEGIN_READ : SQL_BEGIN, DB_NO_VALUES,
			NULL, e);
}

int db_commit(struct db *db, struct err *e)
{
	int rc;

	reset_statements(db);
	if ((rc = db_run(db, SQL_COMMIT, DB_NO_VALUES, NULL, e)))
		db_rollback(db);
	else
		db->event_committed = db->event;
	return rc;
}

void db_rollback(struct db *db)
{
	reset_statements(db);
	db->event = db->event_committed;
	if (db_inside(db)) db_run(db, SQL_ROLLBACK, DB_NO_VALUES, NULL, NULL);
}

bool db_inside(const struct db *db)
{
	return !sqlite3_get_autocommit(db->handle);
}

/* ---- statements ---- */

static int bind(sqlite3_stmt *stmt, int at, const struct db_value *v)
{
	switch (v->type) {
	case DB_INT: return sqlite3_bind_int64(stmt, at, v->number);
	case DB_REAL: return sqlite3_bind_double(stmt, at, v->real);
	case DB_TEXT: return sqlite3_bind_text(stmt, at, v->data, -1, SQLITE_STATIC);
	default: return sqlite3_bind_blob64(stmt, at, v->size ? v->data : "", v->size, SQLITE_STATIC);
	}
}

int db_start(struct db *db, enum sql id, const struct db_value *values, sqlite3_stmt **stmt, struct err *e)
{
	int code = SQLITE_OK;

	if (!db->stmts[id])
		code = ours(sqlite3_prepare_v3(db->handle, sql_texts[id], -1, SQLITE_PREPARE_PERSISTENT,
				&db->stmts[id], NULL));
	else
		sqlite3_reset(db->stmts[id]);
	for (int i = 0; !code && values[i].type != DB_END; i++)
		code = bind(db->stmts[id], i + 1, &values[i]);
	*stmt = db->stmts[id];
	return code ? db_fail(db, code, e) : 0;
}

int db_next(struct db *db, sqlite3_stmt *stmt, bool *row, struct err *e)
{
	int code = sqlite3_step(stmt), rc = 0;

	*row = code == SQLITE_ROW;
	if (*row) return 0;
	if (code != SQLITE_DONE) rc = db_fail(db, code, e);
	sqlite3_reset(stmt);
	return rc;
}

int db_run(struct db *db, enum sql id, const struct db_value *values, int *changed, struct err *e)
{
	sqlite3_stmt *stmt;
	bool row;
	int rc;

	if ((rc = db_start(db, id, values, &stmt, e)) || (rc = db_next(db, stmt, &row, e))) return rc;
	if (changed) *changed = sqlite3_changes(db->handle);
	return 0;
}

int db_number(struct db *db, enum sql id, const struct db_value *values, int64_t *value, bool *found,
		struct err *e)
{
	sqlite3_stmt *stmt;
	bool row;
	int rc;

	*value = 0;
	if ((rc = db_start(db, id, values, &stmt, e)) || (rc = db_next(db, stmt, &row, e))) return rc;
	if (found) *found = row;
	if (!row) return 0;
	*value = sqlite3_column_int64(stmt, 0);
	return db_next(db, stmt, &row, e); /* an INSERT with RETURNING ends here */
}

int db_blob_head(struct db *db, const char *table, const char *column, int64_t row, void *to, size_t size,
		size_t *whole, struct err *e)
{
	sqlite3_blob *blob = NULL;
	int code = sqlite3_blob_open(db->handle, "main", table, column, row, 0, &blob), rc = 0;

	*whole = code ? 0 : (size_t)sqlite3_blob_bytes(blob);
	if (code)
		rc = db_fail(db, code, e);
	else if (*whole < size)
		rc = err_set(e, ERR_CORRUPT, "a stored %s is damaged; restore the database from a backup",
				table);
	else if ((code = sqlite3_blob_read(blob, to, (int)size, 0)))
		rc = db_fail(db, code, e);
	sqlite3_blob_close(blob);
	return rc;
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

/* ---- rows ---- */

int64_t row_int(struct db_row *row)
{
	return sqlite3_column_int64(row->stmt, row->column++);
}

bool row_is_null(const struct db_row *row)
{
	return sqlite3_column_type(row->stmt, row->column) == SQLITE_NULL;
}

double row_real(struct db_row *row)
{
	return sqlite3_column_double(row->stmt, row->column++);
}

char *row_text(struct db_row *row)
{
	const void *text = sqlite3_column_text(row->stmt, row->column);
	bool null = sqlite3_column_type(row->stmt, row->column++) == SQLITE_NULL;
	char *copy = text ? strdup(text) : NULL;

	if (!copy && !null) row->failed = true;
	return copy;
}

void row_fixed(struct db_row *row, char *text, size_t size)
{
	const unsigned char *from = sqlite3_column_text(row->stmt, row->column++);
	size_t n = from ? strnlen((const char *)from, size - 1) : 0;

	if (n) memcpy(text, from, n);
	text[n] = 0;
}

void row_bytes(struct db_row *row, struct store_bytes *bytes, size_t *used)
{
	const void *from = sqlite3_column_blob(row->stmt, row->column);
	size_t n = (size_t)sqlite3_column_bytes(row->stmt, row->column++), wanted = *used + n;

	if (n && !from) goto nomem;
	if (wanted > bytes->size || !bytes->data) {
		unsigned char *data = realloc(bytes->data, wanted ? wanted : 1);

		if (!data) goto nomem;
		bytes->data = data;
		bytes->size = wanted;
	}
	if (n) memcpy(bytes->data + *used, from, n);
	*used = wanted;
	return;
nomem:
	row->failed = true;
}

static int read_item(const struct db_kind *kind, sqlite3_stmt *stmt, void *item, struct err *e)
{
	struct db_row row = { .stmt = stmt };

	memset(item, 0, kind->size);
	kind->read(&row, item);
	if (!row.failed) return 0;
	kind->clear(item);
	return err_nomem(e);
}

int db_one(struct db *db, const struct db_kind *kind, enum sql id, const struct db_value *values, void *item,
		bool *found, struct err *e)
{
	sqlite3_stmt *stmt;
	int rc;

	*found = false;
	if ((rc = db_start(db, id, values, &stmt, e)) || (rc = db_next(db, stmt, found, e)) || !*found)
		return rc;
	rc = read_item(kind, stmt, item, e);
	sqlite3_reset(stmt);
	return rc;
}

/* Room for one more of kind in *items, of which there are count and *room fit. */
static int grow(const struct db_kind *kind, void **items, size_t count, size_t *room, struct err *e)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *bigger;

	if (count < *room) return 0;
	if (!(bigger = reallocarray(*items, wanted, kind->size))) return err_nomem(e);
	*items = bigger;
	*room = wanted;
	return 0;
}

int db_list(struct db *db, const struct db_kind *kind, enum sql id, const struct db_value *values,
		void **items, size_t *count, struct err *e)
{
	sqlite3_stmt *stmt;
	size_t room = 0;
	bool row;
	int rc;

	*items = NULL;
	*count = 0;
	if ((rc = db_start(db, id, values, &stmt, e))) return rc;
	while (!(rc = db_next(db, stmt, &row, e)) && row) {
		if ((rc = grow(kind, items, *count, &room, e))) break;
		if ((rc = read_item(kind, stmt, (char *)*items + *count * kind->size, e))) break;
		(*count)++;
	}
	if (rc) db_list_clear(kind, items, count);
	return rc;
}

void db_list_clear(const struct db_kind *kind, void **items, size_t *count)
{
	for (size_t i = 0; i < *count && kind->clear; i++)
		kind->clear((char *)*items + i * kind->size);
	free(*items);
	*items = NULL;
	*count = 0;
}

/* ---- for the writer ---- */

void db_mark_garbage(struct db *db)
{
	db->garbage = true;
}

const struct err *db_unsynced(const struct db *db)
{
	return db->unsynced.text[0] ? &db->unsynced : NULL;
}

bool db_take_garbage(struct db *db)
{
	bool garbage = db->garbage;

	db->garbage = false;
	return garbage;
}

void db_mark_event(struct db *db, int64_t id)
{
	db->event = id;
	if (!db_inside(db)) db->event_committed = id;
}

int64_t db_event(const struct db *db)
{
	return db->event;
}

int64_t db_event_committed(const struct db *db)
{
	return db->event_committed;
}

int db_wal_pages(const struct db *db)
{
	return db->wal_pages;
}

void db_checkpoint(struct db *db, bool reset)
{
	int mode = reset ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, left = 0, done = 0;
	int code;

	sqlite3_busy_timeout(db->handle, RESET_MS);
	code = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &left, &done);
	if (code)
		db_fail(db, code, NULL);
	else if (left == done)
		db->wal_pages = 0;
	sqlite3_busy_timeout(db->handle, BUSY_MS);
}

/* ---- the whole file ---- */

int db_copy(struct db *from, struct db *to, int (*each)(void *self, size_t bytes, struct err *e), void *self,
		struct err *e)
{
	sqlite3_backup *backup = NULL;
	int64_t page;
	int code = SQLITE_OK, rc;

	if ((rc = db_pragma(from, "PRAGMA page_size", &page, e))) return rc;
	if (!(backup = sqlite3_backup_init(to->handle, "main", from->handle, "main")))
		return db_fail(to, sqlite3_errcode(to->handle), e);
	do {
		/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): SQLite has no page of 0 bytes */
		code = sqlite3_backup_step(backup, DB_COPY_BYTES / (int)page);
		if (code == SQLITE_OK || code == SQLITE_DONE) rc = each(self, DB_COPY_BYTES, e);
	} while (code == SQLITE_OK && !rc);
	if (sqlite3_backup_finish(backup) && !rc) rc = db_fail(to, code, e);
	return rc;
}

int db_quick_check(struct db *db, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL), rc = 0;

	if (!code) code = sqlite3_step(stmt);
	if (code != SQLITE_ROW)
		rc = db_fail(db, code, e);
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok"))
		rc = err_set(e, ERR_CORRUPT, "%s is damaged (%.200s)",
				sqlite3_db_filename(db->handle, "main"),
				(const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return rc;
}
