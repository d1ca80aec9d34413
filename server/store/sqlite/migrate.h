/* migrate.h - from an empty file, or from an older one, to the tables that this program knows. */
#ifndef SERVER_STORE_SQLITE_MIGRATE_H
#define SERVER_STORE_SQLITE_MIGRATE_H

#include "server/store/sqlite/db.h"

/* The user_version of a file that has all migrations of schema/sqlite. */
long migrate_latest(void);
/* Runs the missing ones, each in one transaction. ERR_CORRUPT, before anything is changed: the file is another
 * program's or of a newer version of this one. */
int migrate(struct db *db, const char *path, struct err *e);

#endif
