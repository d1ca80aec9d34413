/* sqlite_file.h - a SQLite store's file looked at, and changed, behind the store's back. Included once by a test that
 * has store_suite.h. */
#ifndef TESTS_UNIT_SQLITE_FILE_H
#define TESTS_UNIT_SQLITE_FILE_H

#include <check.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Runs sql on the file behind the store's back. */
static inline void sql_on(const char *path, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static inline int64_t number_on(const char *path, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t number;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	number = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return number;
}

/* The file says that it has the migrations up to this one. */
static inline void mark_schema(const char *path, long version)
{
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA user_version = %ld", version);
	sql_on(path, sql);
}

/* Waits until the sweep has emptied the tables of pieces; the test's own limit ends it when it does not. */
static inline void wait_for_sweep(const char *path)
{
	while (number_on(path, "SELECT count(*) FROM garbage"))
		usleep(5000);
}

#endif
