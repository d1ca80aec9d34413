/* salvage_tables.c - the tables of a damaged file, described by what we know of them. See salvage.h.
 *
 * What a file says of its own tables (sqlite_schema) may be damaged like anything else, and SQLite then knows nothing of a
 * table whose rows are whole. But we made it: the new file, made by the same migrations, has the same descriptions, and with
 * auto_vacuum the same first pages too, since roots lie in the order in which they were made. Only somebody's VACUUM
 * changes that; so the file's own rows are asked first where most of them begin: as ours, or elsewhere.
 *
 * A table of ours is then put over its pages as an "imposter", under a name of its own: a CREATE TABLE that tells the
 * connection alone, and writes nothing. It is how SQLite's own tools look into damaged files; a SQLite that was built
 * without it (SQLITE_UNTESTABLE) refuses to make the table, and nothing is repaired. Imposters have no indexes, so none is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/salvage.h"

#define CREATE         "CREATE TABLE " /* how SQLite begins each description, whatever was sent */
#define ROOT_OF_SCHEMA 1

/* What the rows of the old file's sqlite_schema that can be read say, beside those of the new one. */
struct layout {
	int64_t same, elsewhere, unknown;
};

static int count_row(
		struct salvage *s, sqlite3_stmt *row, sqlite3_stmt *ours, struct layout *l, struct err *e)
{
	int code;

	sqlite3_bind_value(ours, 1, sqlite3_column_value(row, 0));
	code = sqlite3_step(ours);
	if (code == SQLITE_DONE)
		l->unknown++;
	else if (code == SQLITE_ROW && sqlite3_column_int64(ours, 0) == sqlite3_column_int64(row, 1))
		l->same++;
	else if (code == SQLITE_ROW)
		l->elsewhere++;
	sqlite3_reset(ours);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : db_fail(s->to, code, e);
}

/* Rows behind one that cannot be read are not counted. */
static int compare(struct salvage *s, struct layout *l, struct err *e)
{
	sqlite3_stmt *row = NULL, *ours = NULL;
	int rc, code = SQLITE_DONE;

	if ((rc = salvage_prepare(s->to, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", &ours, e)) ||
			(rc = salvage_prepare(s->from, "SELECT name, rootpage FROM sqlite_schema", &row, e)))
		goto out;
	while (!rc && (code = sqlite3_step(row)) == SQLITE_ROW)
		rc = count_row(s, row, ours, l, e);
	if (!rc && code == SQLITE_NOMEM) rc = err_nomem(e);
out:
	sqlite3_finalize(row);
	sqlite3_finalize(ours);
	return rc;
}

/* A name that was changed is no table too many. Of a release before this one there is no more than it had: its number is wrong, and
 * with another one's tables and migrations nothing would come out right. */
int salvage_layout(struct salvage *s, struct err *e)
{
	struct layout l = { 0 };
	int64_t ours;
	int rc;

	if ((rc = compare(s, &l, e))) return rc;
	if ((rc = db_pragma(s->to, "SELECT count(*) FROM sqlite_schema", &ours, e))) return rc;
	s->moved = l.elsewhere > l.same;
	if (!l.unknown || l.same + l.elsewhere + l.unknown <= ours) return 0;
	if (s->version < migrate_latest())
		return err_set(e, ERR_CORRUPT,
				"the database says that its schema is %ld, and has %lld tables and indexes that schema %ld does not have; restore it from a backup",
				s->version, (long long)l.unknown, s->version);
	salvage_left_out(s, "%lld tables and indexes that are not ours", (long long)l.unknown);
	return 0;
}

/* A rollback takes back tables that were made since the last commit, and a page that cannot be read is one. So there is a commit
 * first: the end of a statement that reads what can be read. */
static int put_over(struct salvage *s, const char *description, int64_t root, struct err *e)
{
	int64_t ignored;
	char *sql;
	int rc;

	if (asprintf(&sql, CREATE SALVAGE_PREFIX "%s", description + strlen(CREATE)) < 0) return err_nomem(e);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, db_handle(s->from), "main", 1, (int)root);
	rc = db_exec(s->from, sql, e);
	sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, db_handle(s->from), "main", 0, 0);
	free(sql);
	return rc ? rc : db_pragma(s->from, "PRAGMA user_version", &ignored, e);
}

/* Where the old file says that the table begins; 0: it does not say. */
static int find_root(struct salvage *s, const char *name, int64_t *root, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	int code, rc = salvage_prepare(s->from,
				  "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?1",
				  &stmt, e);

	*root = 0;
	if (rc) return rc;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) *root = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return code == SQLITE_NOMEM ? err_nomem(e) : 0;
}

int salvage_table(struct salvage *s, const char *name, bool *found, struct err *e)
{
	sqlite3_stmt *ours = NULL;
	const char *description;
	int64_t root;
	int code, rc = salvage_prepare(s->to,
				  "SELECT sql, rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?1",
				  &ours, e);

	*found = false;
	if (rc) return rc;
	sqlite3_bind_text(ours, 1, name, -1, SQLITE_STATIC);
	if ((code = sqlite3_step(ours)) != SQLITE_ROW) {
		rc = db_fail(s->to, code, e);
		goto out;
	}
	description = (const char *)sqlite3_column_text(ours, 0);
	root = sqlite3_column_int64(ours, 1);
	if (s->moved && (rc = find_root(s, name, &root, e))) goto out;
	if (root <= ROOT_OF_SCHEMA) goto out;
	rc = description ? put_over(s, description, root, e) : err_nomem(e);
	*found = !rc;
out:
	sqlite3_finalize(ours);
	return rc;
}
