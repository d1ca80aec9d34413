/* salvage.c - what can be read of a damaged file, in a new one. See store_salvage_sqlite in store.h.
 *
 * Rows are copied table by table, into tables of the release that the old file is of; the migrations to this one follow, as
 * they would in the old file. Nothing that the old file says of its tables is needed (salvage_tables.c), and no index of it
 * is read. Where a page of a table cannot be read, the next row behind it is looked for by its id; a table without ids
 * is read from both ends. Then pieces are held against their checksums, and rows that name what is not there any more go
 * (salvage_tidy.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/file.h"
#include "server/store/sqlite/copy.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/salvage.h"

#define NAME_BYTES  64
#define SQL_BYTES   4096
#define COMMIT_ROWS 10000
#define FIRST_ID    1 /* no table has ids below */
#define STEP_PART   64

/* ---- statements ---- */

int salvage_prepare(struct db *db, const char *sql, sqlite3_stmt **stmt, struct err *e)
{
	int code = sqlite3_prepare_v2(db_handle(db), sql, -1, stmt, NULL);

	return code ? db_fail(db, code, e) : 0;
}

void salvage_left_out(struct salvage *s, const char *format, ...)
{
	struct err sentence;
	va_list args;
	char text[sizeof sentence.text];

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	err_set(&sentence, 0, "%s", text);
	s->left_out(s->self, sentence.text);
}

/* ---- one table ---- */

struct table {
	char name[NAME_BYTES];
	bool rowid;
	char columns[SQL_BYTES / 4], backwards[SQL_BYTES / 8]; /* how its rows are ordered from the last */
};

struct copying {
	struct salvage *s;
	const struct table *table;
	sqlite3_stmt *read, *seek, *put;
	uint64_t rows, refused;
};

/* The row that read is at. `first` columns of it are not to be put. */
static int put_row(struct copying *c, int first, struct err *e)
{
	int code = SQLITE_OK;

	for (int i = first; i < sqlite3_column_count(c->read) && !code; i++)
		code = sqlite3_bind_value(c->put, i - first + 1, sqlite3_column_value(c->read, i));
	if (!code) code = sqlite3_step(c->put);
	sqlite3_reset(c->put);
	if ((code & 0xff) == SQLITE_CONSTRAINT)
		c->refused++; /* a value that no such row has */
	else if (code != SQLITE_DONE)
		return db_fail(c->s->to, code, e);
	return ++c->rows % COMMIT_ROWS ? 0 : salvage_commit(c->s, e);
}

/* Puts the rows that read gives until it has no more, or one that cannot be read: *whole says which. *last is the id of
 * the last one, where the first column is one; the ids ascend, and a damaged page may give one that does not. */
static int put_rows(struct copying *c, bool *whole, int64_t *last, struct err *e)
{
	int code, rc = 0;

	while (!rc && (code = sqlite3_step(c->read)) == SQLITE_ROW) {
		if (c->table->rowid && sqlite3_column_int64(c->read, 0) <= *last) break;
		if (c->table->rowid) *last = sqlite3_column_int64(c->read, 0);
		rc = put_row(c, c->table->rowid, e);
	}
	if (!rc && code == SQLITE_NOMEM) rc = err_nomem(e);
	*whole = !rc && code == SQLITE_DONE;
	sqlite3_reset(c->read);
	return rc;
}

/* Can the first row from this id on be found, or that there is none? *found is its id, which may be far behind; else it
 * stays. */
static bool can_seek(struct copying *c, int64_t id, int64_t *found)
{
	int64_t first = INT64_MAX;
	int code;

	sqlite3_bind_int64(c->seek, 1, id);
	code = sqlite3_step(c->seek);
	if (code == SQLITE_ROW) first = sqlite3_column_int64(c->seek, 0);
	sqlite3_reset(c->seek);
	if (first < id || (code != SQLITE_ROW && code != SQLITE_DONE)) return false;
	if (code == SQLITE_ROW) *found = first;
	return true;
}

/* An id behind one that cannot be read from which on reading works; false: nothing behind it can be read. The steps grow slowly:
 * of a file that was cut off the last ids are gone for good, and only what lies before them may still be there. */
static bool find_behind(struct copying *c, int64_t bad, int64_t *good)
{
	uint64_t step = 1, from = 0; /* what fails */
	int64_t found;

	while (!can_seek(c, bad + (int64_t)step, &found)) {
		from = step;
		if (step > (uint64_t)(INT64_MAX - bad) / 2) return false;
		step += 1 + step / STEP_PART;
	}
	while (step - from > 1) {
		uint64_t middle = from + (step - from) / 2;

		if (can_seek(c, bad + (int64_t)middle, &found))
			step = middle;
		else
			from = middle;
	}
	*good = bad + (int64_t)step;
	return true;
}

/* A stretch of rows that cannot be read, from behind one id to before another; the first 0: there is none. */
struct gap {
	int64_t behind, before;
};

static void say_gap(struct copying *c, struct gap *gap)
{
	if (gap->before)
		salvage_left_out(c->s, "the table %s cannot be read between rows %lld and %lld",
				c->table->name, (long long)gap->behind, (long long)gap->before);
	gap->before = 0;
}

static int copy_by_id(struct copying *c, struct err *e)
{
	struct gap gap = { 0, 0 };
	int64_t next = FIRST_ID, last, bad;
	bool whole;
	int rc;

	for (;;) {
		last = next - 1;
		sqlite3_bind_int64(c->read, 1, next);
		if ((rc = put_rows(c, &whole, &last, e)) || whole) break;
		if (last >= next) say_gap(c, &gap); /* there were rows behind it */
		if (!gap.before) gap.behind = last;
		bad = last < INT64_MAX ? last + 1 : last;
		can_seek(c, bad, &bad); /* a row that is found and cannot be read, perhaps */
		if (bad == INT64_MAX || !find_behind(c, bad, &next)) {
			salvage_left_out(c->s, "the table %s cannot be read behind row %lld", c->table->name,
					(long long)gap.behind);
			return 0;
		}
		gap.before = next;
	}
	say_gap(c, &gap);
	return rc;
}

static int copy_from_both_ends(struct copying *c, struct err *e)
{
	char sql[SQL_BYTES];
	int64_t last;
	bool whole;
	int rc = put_rows(c, &whole, &last, e);

	if (rc || whole) return rc;
	salvage_left_out(c->s, "the table %s cannot be read in the middle", c->table->name);
	sqlite3_finalize(c->read);
	snprintf(sql, sizeof sql, "SELECT %s FROM " SALVAGE_PREFIX "%s ORDER BY %s", c->table->columns,
			c->table->name, c->table->backwards);
	rc = salvage_prepare(c->s->from, sql, &c->read, e);
	return rc ? rc : put_rows(c, &whole, &last, e);
}

static int prepare(struct copying *c, struct err *e)
{
	const struct table *t = c->table;
	char sql[SQL_BYTES], places[SQL_BYTES / 8] = "?";
	int rc;

	for (const char *comma = t->columns; (comma = strchr(comma, ',')); comma++)
		strncat(places, ",?", sizeof places - strlen(places) - 1);
	snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO %s (%s) VALUES (%s)", t->name, t->columns, places);
	if ((rc = salvage_prepare(c->s->to, sql, &c->put, e))) return rc;
	if (!t->rowid) {
		snprintf(sql, sizeof sql, "SELECT %s FROM " SALVAGE_PREFIX "%s", t->columns, t->name);
		return salvage_prepare(c->s->from, sql, &c->read, e);
	}
	snprintf(sql, sizeof sql,
			"SELECT rowid, %s FROM " SALVAGE_PREFIX
			"%s NOT INDEXED WHERE rowid >= ?1 ORDER BY rowid",
			t->columns, t->name);
	if ((rc = salvage_prepare(c->s->from, sql, &c->read, e))) return rc;
	snprintf(sql, sizeof sql,
			"SELECT rowid FROM " SALVAGE_PREFIX
			"%s NOT INDEXED WHERE rowid >= ?1 ORDER BY rowid LIMIT 1",
			t->name);
	return salvage_prepare(c->s->from, sql, &c->seek, e);
}

static int copy_table(struct salvage *s, const struct table *table, struct err *e)
{
	struct copying c = { .s = s, .table = table };
	bool found;
	int rc = salvage_table(s, table->name, &found, e);

	if (!rc && !found) salvage_left_out(s, "the table %s cannot be found", table->name);
	if (rc || !found) return rc;
	if (!(rc = prepare(&c, e))) rc = table->rowid ? copy_by_id(&c, e) : copy_from_both_ends(&c, e);
	if (!rc && c.refused)
		salvage_left_out(s, "the table %s has %llu rows that no such table has", table->name,
				(unsigned long long)c.refused);
	sqlite3_finalize(c.put);
	sqlite3_finalize(c.seek);
	sqlite3_finalize(c.read);
	return rc;
}

/* ---- all tables ---- */

/* As the new file has them, which is sound. */
static const char tables_sql[] =
		"SELECT name, NOT wr, (SELECT group_concat(name, ', ') FROM pragma_table_info(t.name)),"
		" (SELECT group_concat(name, ' DESC, ') || ' DESC' FROM"
		" (SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk))"
		" FROM pragma_table_list t WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'";

static int copy_tables(struct salvage *s, struct err *e)
{
	sqlite3_stmt *list = NULL;
	struct table table;
	int rc = salvage_prepare(s->to, tables_sql, &list, e), code = SQLITE_DONE;

	while (!rc && (code = sqlite3_step(list)) == SQLITE_ROW) {
		struct db_row row = { list, 0, false };

		row_fixed(&row, table.name, sizeof table.name);
		table.rowid = row_int(&row) != 0;
		row_fixed(&row, table.columns, sizeof table.columns);
		row_fixed(&row, table.backwards, sizeof table.backwards);
		rc = copy_table(s, &table, e);
	}
	if (!rc && code != SQLITE_DONE) rc = db_fail(s->to, code, e);
	sqlite3_finalize(list);
	return rc;
}

int salvage_commit(struct salvage *s, struct err *e)
{
	int rc = db_commit(s->to, e);

	if (rc) return rc;
	db_checkpoint(s->to, false);
	return db_begin(s->to, e);
}

/* The ids that were given stay given. */
static int copy_sequences(struct salvage *s, struct err *e)
{
	static const char put[] = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS"
				  " (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
			  raise[] = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
	sqlite3_stmt *read = NULL, *write[2] = { NULL, NULL };
	bool found;
	int code, rc;

	if ((rc = salvage_table(s, "sqlite_sequence", &found, e)) || !found)
		return rc; /* they follow from the rows */
	if ((rc = salvage_prepare(s->to, put, &write[0], e)) ||
			(rc = salvage_prepare(s->to, raise, &write[1], e)) ||
			(rc = salvage_prepare(s->from,
					 "SELECT name, seq FROM " SALVAGE_PREFIX "sqlite_sequence", &read,
					 e)))
		goto out;
	while (!rc && (code = sqlite3_step(read)) == SQLITE_ROW)
		for (int i = 0; i < 2 && !rc; i++) {
			sqlite3_bind_value(write[i], 1, sqlite3_column_value(read, 0));
			if (i) sqlite3_bind_value(write[i], 2, sqlite3_column_value(read, 1));
			code = sqlite3_step(write[i]);
			if (code != SQLITE_DONE) rc = db_fail(s->to, code, e);
			sqlite3_reset(write[i]);
		}
	if (!rc && code == SQLITE_NOMEM) rc = err_nomem(e);
out:
	sqlite3_finalize(read);
	sqlite3_finalize(write[0]);
	sqlite3_finalize(write[1]);
	return rc;
}

static int copy(struct salvage *s, const char *from, const char *to, struct err *e)
{
	int64_t version;
	bool new;
	int rc;

	if ((rc = migrate_identify(s->from, from, &version, &new, e))) return rc;
	if (new) return err_set(e, ERR_CORRUPT, "there is nothing in %s", from);
	s->version = (long)version;
	if ((rc = migrate_to(s->to, to, s->version, e)) || (rc = salvage_layout(s, e))) return rc;
	if ((rc = db_exec(s->to, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF", e))) return rc;
	if ((rc = db_begin(s->to, e)) || (rc = copy_tables(s, e)) || (rc = copy_sequences(s, e)) ||
			(rc = db_commit(s->to, e)))
		return rc;
	if ((rc = migrate(s->to, to, e))) return rc;
	if ((rc = db_begin(s->to, e)) || (rc = salvage_tidy(s, e)) || (rc = db_commit(s->to, e))) return rc;
	if ((rc = db_exec(s->to, "PRAGMA synchronous = FULL", e))) return rc;
	db_checkpoint(s->to, true);
	return 0;
}

/* ---- the files ---- */

static int open_old(struct salvage *s, struct place *place, const char *path, struct err *e)
{
	bool taken;
	char *uri;
	int rc = place_look(place, path, &taken, e);

	if (rc) return rc;
	if (taken) return err_set(e, ERR_CONFLICT, "a daemon is using the database %s; stop it first", path);
	if ((rc = place_inspect(place, migrate_latest(), e))) return rc;
	if ((rc = look_uri(&uri, place->path, e))) return rc;
	rc = db_open(&s->from, uri, DB_LOOKER, e);
	free(uri);
	return rc;
}

static int open_new(struct salvage *s, struct place *place, const char *path, struct err *e)
{
	int rc = place_take(place, path, e);

	if (rc) return rc;
	if (!access(place->path, F_OK))
		rc = err_set(e, ERR_CONFLICT, "%s is there already; name a file that is not", path);
	else if (errno != ENOENT)
		rc = err_set(e, ERR_IO, "cannot tell whether %s is there: %s", path, strerror(errno));
	if (rc) {
		place_leave(place);
		return rc;
	}
	return db_open(&s->to, place->path, DB_WRITER, e);
}

/* What was begun of the new file, which is ours. */
static void remove_new(const char *path)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char *name;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (asprintf(&name, "%s%s", path, ends[i]) < 0) continue;
		unlink(name);
		free(name);
	}
}

int store_salvage_sqlite(const char *from, const char *to, bool (*document)(const char *text),
		void (*left_out)(void *self, const char *sentence), void *self, struct err *e)
{
	struct salvage s = { .document = document, .left_out = left_out, .self = self };
	struct place old = { .lock_fd = -1 }, new = { .lock_fd = -1 };
	int rc;

	if ((rc = open_old(&s, &old, from, e)) || (rc = open_new(&s, &new, to, e))) goto out;
	rc = copy(&s, old.path, new.path, e);
	if (rc) db_rollback(s.to);
out:
	db_close(s.from);
	db_close(s.to);
	if (rc && new.path) remove_new(new.path);
	place_leave(&new);
	place_leave(&old);
	return rc;
}
