/* db.h - one connection to the SQLite file, its prepared statements, and rows read from it.
 *
 * A connection is used by one thread at a time. A statement that was started stays open until it has no more
 * rows, is started again, or the transaction ends: db_commit and db_rollback reset all, so that a function that
 * fails in the middle cleans up nothing.
 * Errors are those of store.h: ERR_DISK_FULL, ERR_IO, ERR_CORRUPT, ERR_NOMEM, ERR_BUSY.
 */
#ifndef SERVER_STORE_SQLITE_DB_H
#define SERVER_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/store/sqlite/sql.h"
#include "server/store/store.h"

struct db;

enum db_role {
	DB_WRITER,
	DB_READER,
	DB_LOOKER, /* alone with a file that it may not change: its path is a URI that look.c makes */
	DB_COPY,   /* a new file, filled by db_copy; nothing of it is synced */
};

/* *out is new (db_close). A writer creates the file; it writes nothing yet. path is absolute. */
int db_open(struct db **out, const char *path, enum db_role role, struct err *e);
void db_close(struct db *db);
/* Closing will leave the log beside the file as it is: the file is not ours. */
void db_keep_log(struct db *db);
/* For statements that are made as one goes; and what their result codes mean. */
sqlite3 *db_handle(struct db *db);
int db_fail(struct db *db, int code, struct err *e);
/* Statements without values or rows, outside of the table of sql.h. */
int db_exec(struct db *db, const char *sql, struct err *e);
/* The first number of the first row. */
int db_pragma(struct db *db, const char *sql, int64_t *value, struct err *e);

/* Calls each for the first column of every row. */
int db_each_text(struct db *db, const char *sql, void (*each)(void *self, const char *text), void *self,
		struct err *e);

/* A writer's transaction is IMMEDIATE, a reader's sees one state of the file. */
int db_begin(struct db *db, struct err *e);
int db_commit(struct db *db, struct err *e); /* an error rolled it back */
void db_rollback(struct db *db);
/* Whether a transaction is open; a full disk may have ended it. */
bool db_inside(const struct db *db);

/* A value for a ? of a statement; text and bytes are borrowed until the statement is reset. */
struct db_value {
	enum { DB_END, DB_INT, DB_REAL, DB_TEXT, DB_BYTES } type;
	int64_t number;
	double real;
	const void *data;
	size_t size;
};
#define V_INT(v)                                       \
	{                                              \
		.type = DB_INT, .number = (int64_t)(v) \
	}
#define V_REAL(v)                            \
	{                                    \
		.type = DB_REAL, .real = (v) \
	}
#define V_TEXT(v)                            \
	{                                    \
		.type = DB_TEXT, .data = (v) \
	} /* NULL is NULL */
#define V_BYTES(v, n)                                      \
	{                                                  \
		.type = DB_BYTES, .data = (v), .size = (n) \
	}
#define DB_VALUES(...) ((const struct db_value[]){ __VA_ARGS__, { .type = DB_END } })
#define DB_NO_VALUES   ((const struct db_value[]){ { .type = DB_END } })

/* *stmt is borrowed, before its first row. */
int db_start(struct db *db, enum sql id, const struct db_value *values, sqlite3_stmt **stmt, struct err *e);
/* *row tells whether there is a (next) row. */
int db_next(struct db *db, sqlite3_stmt *stmt, bool *row, struct err *e);
/* A statement without rows. *changed (may be NULL) is the number of rows it changed. */
int db_run(struct db *db, enum sql id, const struct db_value *values, int *changed, struct err *e);
/* First column of the first row; *found (may be NULL) is false and *value 0 when there is none. */
int db_number(struct db *db, enum sql id, const struct db_value *values, int64_t *value, bool *found,
		struct err *e);
/* The first size bytes of a BLOB of *whole bytes, of which no more than their pages are read. ERR_CORRUPT: it has
 * fewer. */
int db_blob_head(struct db *db, const char *table, const char *column, int64_t row, void *to, size_t size,
		size_t *whole, struct err *e);
int64_t db_last_id(const struct db *db);

/* The columns of a row, one after another from 0. Copies are new; when memory runs out the row has failed and
 * the rest reads as empty. */
struct db_row {
	sqlite3_stmt *stmt;
	int column;
	bool failed;
};
int64_t row_int(struct db_row *row);
bool row_is_null(const struct db_row *row); /* the next column; it stays the next */
double row_real(struct db_row *row);
char *row_text(struct db_row *row); /* NULL for NULL */
void row_fixed(struct db_row *row, char *text, size_t size);
/* Behind the first *used bytes, and adds to *used. bytes->size is the room there is; it grows when it must. */
void row_bytes(struct db_row *row, struct store_bytes *bytes, size_t *used);

/* Reads one row into a struct of the store; ERR_NOMEM. */
typedef void db_read_fn(struct db_row *row, void *item);
typedef void db_clear_fn(void *item);

/* How a kind of result is read. */
struct db_kind {
	size_t size; /* of one item */
	db_read_fn *read;
	db_clear_fn *clear; /* NULL: an item owns nothing */
};
/* The first row; *found is false when there is none. On an error item is cleared. */
int db_one(struct db *db, const struct db_kind *kind, enum sql id, const struct db_value *values, void *item,
		bool *found, struct err *e);
/* All rows: *items is new (clear each, then free), NULL when there are none. */
int db_list(struct db *db, const struct db_kind *kind, enum sql id, const struct db_value *values,
		void **items, size_t *count, struct err *e);
void db_list_clear(const struct db_kind *kind, void **items, size_t *count);

/* Set by whoever made garbage (sweep.h), taken by the writer. */
void db_mark_garbage(struct db *db);
bool db_take_garbage(struct db *db);

/* Set by whoever logs (event.h): the newest id of the log in the transaction under way; at start, outside of
 * one, the newest that there is. */
void db_mark_event(struct db *db, int64_t id);
/* What was marked, to be marked again where a part of the transaction is taken back. */
int64_t db_event(const struct db *db);
/* The newest id that was committed by this connection. */
int64_t db_event_committed(const struct db *db);

/* Pages of the write-ahead log after the last commit of this connection. */
int db_wal_pages(const struct db *db);
/* Copies the log into the file; with reset, waits some time for readers so that the next commit starts a new log. */
void db_checkpoint(struct db *db, bool reset);
/* Why no commit of this connection can be believed any more: a sync failed, and the kernel may have dropped what it could
 * not write and say nothing of it at the next sync. Borrowed; NULL: all is well. */
const struct err *db_unsynced(const struct db *db);

/* Fills `to`, a DB_COPY, with what `from` sees in the transaction that is open. each is called after every piece of
 * DB_COPY_BYTES or less; not 0 ends it with that. */
#define DB_COPY_BYTES (1 << 20)
int db_copy(struct db *from, struct db *to, int (*each)(void *self, size_t bytes, struct err *e), void *self,
		struct err *e);
/* Is the file sound, as far as its structure goes? ERR_CORRUPT. Reads all of it. */
int db_quick_check(struct db *db, struct err *e);

#endif
