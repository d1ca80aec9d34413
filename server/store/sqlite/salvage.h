/* salvage.h - what salvage.c, salvage_tables.c and salvage_tidy.c share; nobody else includes this. */
#ifndef SERVER_STORE_SQLITE_SALVAGE_H
#define SERVER_STORE_SQLITE_SALVAGE_H

#include <stdarg.h>
#include <unistd.h>

#include "server/store/sqlite/sqlite.h"

#define SALVAGE_PREFIX "saved_" /* of a table's name, where the old file's is read */

struct salvage {
	struct db *from, *to;
	long version; /* that the old file is of, and the new one until all is copied */
	bool moved;   /* the old file's tables begin where it says, and not where ours do */
	bool (*document)(const char *text);
	void (*left_out)(void *self, const char *sentence);
	void *self;
};

void salvage_left_out(struct salvage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* *stmt is new (sqlite3_finalize). */
int salvage_prepare(struct db *db, const char *sql, sqlite3_stmt **stmt, struct err *e);
/* Commits, and begins the next transaction of the new file. */
int salvage_commit(struct salvage *s, struct err *e);

/* Finds out whether the old file's tables begin where those of the new one do, which is of its version. */
int salvage_layout(struct salvage *s, struct err *e);
/* Lets the old file's rows be read from a table SALVAGE_PREFIX name, as the new file describes it. *found is false when nobody
 * knows where it begins. */
int salvage_table(struct salvage *s, const char *name, bool *found, struct err *e);
/* Makes the copied rows, which are of the present release, a database: pieces that are not whole go, and what names what is
 * not there; what can be told from other rows is written anew. In a transaction. */
int salvage_tidy(struct salvage *s, struct err *e);

#endif
