/* migrate.c - see migrate.h. A migration is a file schema/sqlite/NNNN_name.sql, numbered from 1 without gaps. */
#include "server/store/sqlite/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/embedded.h"
#include "server/store/sqlite/place.h"

#define FOLDER "schema/sqlite/"

/* Page size and vacuum mode can be chosen only before the first table. */
#define NEW_FILE "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; VACUUM"

/* Its number, or 0 when the file is no migration. */
static long number_of(const struct embedded_file *file)
{
	return strncmp(file->name, FOLDER, strlen(FOLDER)) ? 0
							   : strtol(file->name + strlen(FOLDER), NULL, 10);
}

long migrate_latest(void)
{
	long latest = 0;

	for (const struct embedded_file *f = embedded_files; f->name; f++)
		if (number_of(f) > latest) latest = number_of(f);
	return latest;
}

/* The first bytes of the file told the same to place_inspect, but after a crash the truth may still be in the log. */
int migrate_identify(struct db *db, const char *path, int64_t *version, bool *new, struct err *e)
{
	int64_t application, tables = 0;
	int rc;

	if ((rc = db_pragma(db, "PRAGMA application_id", &application, e))) return rc;
	if ((rc = db_pragma(db, "PRAGMA user_version", version, e))) return rc;
	if (!application && !*version &&
			(rc = db_pragma(db, "SELECT count(*) FROM sqlite_schema", &tables, e)))
		return rc;
	*new = !application && !*version && !tables;
	if (!*new &&application != DB_APPLICATION_ID) return place_foreign(path, e);
	if (*version > migrate_latest()) return place_newer(path, (long)*version, migrate_latest(), e);
	return 0;
}

static int use_log(struct db *db, const char *path, struct err *e)
{
	int64_t wal;
	int rc;

	if ((rc = db_exec(db, "PRAGMA journal_mode = WAL", e))) return rc;
	if ((rc = db_pragma(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &wal, e))) return rc;
	return wal ? 0
		   : err_set(e, ERR_IO,
				     "the file system of %s cannot share memory, which the database needs; use a local disk",
				     path);
}

static int apply(struct db *db, const struct embedded_file *file, struct err *e)
{
	char mark[128];
	int rc;

	snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %ld",
			DB_APPLICATION_ID, number_of(file));
	if ((rc = db_begin(db, e))) return rc;
	if (!(rc = db_exec(db, file->data, e)) && !(rc = db_exec(db, mark, e))) return db_commit(db, e);
	db_rollback(db);
	return rc;
}

int migrate_to(struct db *db, const char *path, long last, struct err *e)
{
	int64_t version;
	bool new;
	int rc;

	if ((rc = migrate_identify(db, path, &version, &new, e))) {
		db_keep_log(db);
		return rc;
	}
	if (new && (rc = db_exec(db, NEW_FILE, e))) return rc;
	if ((rc = use_log(db, path, e))) return rc;
	for (const struct embedded_file *f = embedded_files; f->name; f++)
		if (number_of(f) > version && number_of(f) <= last && (rc = apply(db, f, e))) return rc;
	if (version < last) db_checkpoint(db, true); /* so that the file itself says whose it is */
	return 0;
}

int migrate(struct db *db, const char *path, struct err *e)
{
	return migrate_to(db, path, migrate_latest(), e);
}
