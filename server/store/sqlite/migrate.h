/* migrate.h - from an empty file, or from an older one, to the tables that this program knows. */
#ifndef SERVER_STORE_SQLITE_MIGRATE_H
#define SERVER_STORE_SQLITE_MIGRATE_H

#include "server/store/sqlite/db.h"

/* The user_version of a file that has all migrations of schema/sqlite. */
long migrate_latest(void);
/* *version is the file's user_version, *new whether it has no tables. ERR_CORRUPT: it is another program's or of a newer
 * version of this one. */
int migrate_identify(struct db *db, const char *path, int64_t *version, bool *new, struct err *e);
/* Runs the missing ones, each in one transaction. ERR_CORRUPT, before anything is changed: the file is another
 * program's or of a newer version of this one. */
int migrate(struct db *db, const char *path, struct err *e);
/* The same up to this version. */
int migrate_to(struct db *db, const char *path, long last, struct err *e);

#endif
