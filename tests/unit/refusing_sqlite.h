/* refusing_sqlite.h - our calls of SQLite that can be refused (refusing.h). A disk that is full takes the transaction back, as
 * SQLite does then.
 */
#ifndef TESTS_UNIT_REFUSING_SQLITE_H
#define TESTS_UNIT_REFUSING_SQLITE_H

#include <sqlite3.h>

#include "tests/unit/refusing.h"

/* What a call says that is refused, by turns. */
static const struct {
	int code;
	bool rolls_back;
} refusals[] = { { SQLITE_NOMEM, false }, { SQLITE_FULL, true }, { SQLITE_IOERR_READ, false } };

static int refusal_of(sqlite3 *db)
{
	const size_t turn = refusing_turn % (sizeof refusals / sizeof *refusals);

	if (refusals[turn].rolls_back && db && !sqlite3_get_autocommit(db))
		TRUE_ONE(sqlite3_exec)(db, "ROLLBACK", NULL, NULL, NULL);
	return refusals[turn].code;
}

/* A call that is refused with a code. db: its connection. */
#define REFUSABLE(name, db, parameters, ...)              \
	int name parameters                               \
	{                                                 \
		if (REFUSE_THIS()) return refusal_of(db); \
		return TRUE_ONE(name)(__VA_ARGS__);       \
	}

REFUSABLE(sqlite3_step, sqlite3_db_handle(stmt), (sqlite3_stmt * stmt), stmt)
REFUSABLE(sqlite3_prepare_v2, db,
		(sqlite3 * db, const char *sql, int size, sqlite3_stmt **out, const char **tail), db, sql,
		size, out, tail)
REFUSABLE(sqlite3_prepare_v3, db,
		(sqlite3 * db, const char *sql, int size, unsigned flags, sqlite3_stmt **out,
				const char **tail),
		db, sql, size, flags, out, tail)
REFUSABLE(sqlite3_exec, db,
		(sqlite3 * db, const char *sql, int (*each)(void *, int, char **, char **), void *self,
				char **says),
		db, sql, each, self, says)
REFUSABLE(sqlite3_bind_text, NULL,
		(sqlite3_stmt * stmt, int at, const char *text, int size, void (*done)(void *)), stmt, at,
		text, size, done)
REFUSABLE(sqlite3_blob_open, db,
		(sqlite3 * db, const char *name, const char *table, const char *column, sqlite3_int64 row,
				int flags, sqlite3_blob **out),
		db, name, table, column, row, flags, out)
REFUSABLE(sqlite3_blob_read, NULL, (sqlite3_blob * blob, void *to, int size, int from), blob, to, size, from)
REFUSABLE(sqlite3_backup_step, NULL, (sqlite3_backup * backup, int pages), backup, pages)
REFUSABLE(sqlite3_wal_checkpoint_v2, NULL, (sqlite3 * db, const char *name, int mode, int *all, int *done),
		db, name, mode, all, done)

#endif
