/* salvage.h - what salvage.c and salvage_tidy.c share; nobody else includes this. */
#ifndef SERVER_STORE_SQLITE_SALVAGE_H
#define SERVER_STORE_SQLITE_SALVAGE_H

#include <stdarg.h>
#include <unistd.h>

#include "server/store/sqlite/sqlite.h"

struct salvage {
	struct db *from, *to;
	bool (*document)(const char *text);
	void (*left_out)(void *self, const char *sentence);
	void *self;
};

void salvage_left_out(struct salvage *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* *stmt is new (sqlite3_finalize). */
int salvage_prepare(struct db *db, const char *sql, sqlite3_stmt **stmt, struct err *e);
/* Commits, and begins the next transaction of the new file. */
int salvage_commit(struct salvage *s, struct err *e);

/* Makes the copied rows, which are of the present release, a database: pieces that are not whole go, and what names what is
 * not there; what can be told from other rows is written anew. In a transaction. */
int salvage_tidy(struct salvage *s, struct err *e);

#endif
