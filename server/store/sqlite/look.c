/* look.c - a file that is only looked at, and what SQLite itself finds wrong in one.
 *
 * Beside a daemon we are one reader more, through the index of the log that it keeps. Where nobody uses the file,
 * SQLite may make none of the files that it has beside a database in use: a file that has no log is opened as one that nobody
 * changes (immutable), and one whose daemon was killed is read through its log, whose index lies in our own memory (the
 * file is locked in no way, and "unix-none" needs no shared memory). A daemon that starts meanwhile is found out
 * by looking at the file again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/file.h"
#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/sqlite.h"

#define ALONE    "?immutable=1"
#define WITH_LOG "?vfs=unix-none"

/* ---- opening ---- */

/* The path as a URI; new, NULL: no memory. */
static char *uri_with(const char *path, const char *parameters)
{
	size_t room = strlen("file:") + 3 * strlen(path) + strlen(parameters) + 1;
	char *uri = malloc(room), *to = uri;

	if (!uri) return NULL;
	to += sprintf(to, "file:");
	for (; *path; path++)
		to += sprintf(to, strchr("?#%", *path) ? "%%%02X" : "%c", (unsigned char)*path);
	strcpy(to, parameters);
	return uri;
}

int look_uri(char **out, const char *path, struct err *e)
{
	struct stat st = { 0 };
	char *log = NULL;
	int rc = 0;

	*out = NULL;
	if (asprintf(&log, "%s-wal", path) < 0) return err_nomem(e);
	if (stat(log, &st) && errno != ENOENT)
		rc = err_set(e, ERR_IO, "cannot see whether there is %s: %s", log, strerror(errno));
	else if (!(*out = uri_with(path, st.st_size ? WITH_LOG : ALONE)))
		rc = err_nomem(e);
	free(log);
	return rc;
}

static int open_readers(struct sqlite_store *sq, bool taken, struct err *e)
{
	char *uri;
	int rc;

	if (taken) return readers_start(&sq->readers, sq->place.path, DB_READER, e);
	if ((rc = look_uri(&uri, sq->place.path, e))) return rc;
	rc = readers_start(&sq->readers, uri, DB_LOOKER, e);
	free(uri);
	return rc;
}

static int identify_tx(struct db *db, void *arg, struct err *e)
{
	const char *path = arg;
	int64_t version;
	bool new;
	int rc = migrate_identify(db, path, &version, &new, e);

	if (rc) return rc;
	if (new) return err_set(e, ERR_CORRUPT, "there is nothing in %s yet", path);
	if (version == migrate_latest()) return 0;
	return err_set(e, ERR_CORRUPT,
			"the database %s was written by an older descentd (schema %lld, this one has %ld); start this one on it, or look at it with that one",
			path, (long long)version, migrate_latest());
}

/* Was the file left alone? A daemon that runs beside us is no news. */
static int look_check(struct store *s, struct err *e)
{
	struct sqlite_store *sq = sqlite_of(s);
	const struct stat *then = &sq->looked;
	struct stat now;

	if (!then->st_ino) return 0;
	if (!stat(sq->place.path, &now) && now.st_ino == then->st_ino && now.st_size == then->st_size &&
			now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
			now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
		return 0;
	return err_set(e, ERR_CONFLICT, "the database %s was changed while it was looked at; look again",
			sq->place.path);
}

int store_look_sqlite(struct store **out, const char *path, struct err *e)
{
	struct sqlite_store *sq = calloc(1, sizeof *sq);
	bool taken = false;
	int rc;

	*out = NULL;
	if (!sq) return err_nomem(e);
	store_fill(&sq->ops);
	sq->ops.check = look_check;
	snprintf(sq->engine, sizeof sq->engine, "sqlite %s", sqlite3_libversion());
	pthread_mutex_init(&sq->uploads_lock, NULL);
	pthread_cond_init(&sq->uploads_change, NULL);
	if ((rc = place_look(&sq->place, path, &taken, e))) goto out;
	if (!taken) stat(sq->place.path, &sq->looked);
	if ((rc = place_inspect(&sq->place, migrate_latest(), e))) goto out;
	if ((rc = open_readers(sq, taken, e))) goto out;
	rc = readers_run(sq->readers, identify_tx, sq->place.path, e);
out:
	if (rc)
		sq->ops.close(&sq->ops);
	else
		*out = &sq->ops;
	return rc;
}

/* ---- what SQLite finds ---- */

/* A list of what is wrong; a first column that says "ok" is none. */
static const char *const questions[] = {
	"PRAGMA integrity_check",
	"SELECT 'row ' || coalesce(rowid, '?') || ' of the table ' || \"table\" || ' names one of the table ' || parent"
	" || ' that is not there' FROM pragma_foreign_key_check",
};

/* That a table cannot be read was said before. */
static uint64_t unchecked_pieces(struct db *db)
{
	uint64_t sum = 0;
	int64_t count;
	char sql[96];

	for (const struct piece_table *t = piece_tables; t->name; t++) {
		snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE crc IS NULL", t->name);
		if (!db_pragma(db, sql, &count, NULL)) sum += (uint64_t)count;
	}
	return sum;
}

struct verifying {
	void (*fault)(void *self, const char *sentence);
	void *self;
	uint64_t *unchecked;
};

/* One fault a line, below the name of the file; or "ok". */
static void on_text(void *self, const char *text)
{
	const struct verifying *v = self;
	char line[256];

	for (size_t n; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		snprintf(line, sizeof line, "%.*s", (int)n, text);
		if (strcmp(line, "ok") && strncmp(line, "***", 3)) v->fault(v->self, line);
	}
}

static int verify_tx(struct db *db, void *arg, struct err *e)
{
	const struct verifying *v = arg;
	struct err why;
	int rc;

	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		if (!(rc = db_each_text(db, questions[i], on_text, arg, &why))) continue;
		if (rc == ERR_NOMEM) return err_nomem(e);
		why.text[strcspn(why.text, ";")] = 0; /* what to do about it is told at the end */
		v->fault(v->self, why.text);
	}
	*v->unchecked = unchecked_pieces(db);
	return 0;
}

int store_verify_sqlite(struct store *s, void (*fault)(void *self, const char *sentence), void *self,
		uint64_t *unchecked, struct err *e)
{
	struct verifying v = { fault, self, unchecked };

	*unchecked = 0;
	return store_read(s, verify_tx, &v, e);
}
