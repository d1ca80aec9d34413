/* place.h - where the database lies: its real path, whether we may write there, and that nobody else does. */
#ifndef SERVER_STORE_SQLITE_PLACE_H
#define SERVER_STORE_SQLITE_PLACE_H

#include <stdbool.h>

#include "core/err.h"

#define DB_APPLICATION_ID 0x44534364 /* "DSCd" */

struct place {           /* zeroed is nowhere; place_leave */
	char *path;      /* absolute, links followed */
	char *lock_path; /* path with "-lock" behind it */
	int lock_fd;     /* held as long as the place is */
};

/* ERR_IO: no such folder, or not a file. ERR_FORBIDDEN: read-only. ERR_CONFLICT: another process (or another store
 * of this one) is there. */
int place_take(struct place *place, const char *path, struct err *e);
void place_leave(struct place *place);
/* Makes sure of the names in the folder, once database and log are there: SQLite asks for that too, and ignores the answer. */
int place_sync(const struct place *place, struct err *e);
/* Of a file that is to be looked at only; nothing is locked, and nothing made. *taken: a daemon uses it. ERR_NOT_FOUND: no
 * such file; ERR_IO: not a file, or it cannot be read. */
int place_look(struct place *place, const char *path, bool *taken, struct err *e);

/* Looks at the first bytes of the file without opening it as a database, which might change it. ERR_CORRUPT: a
 * SQLite database of another program, or of a version of ours after schema. A file that is empty or no SQLite
 * database passes: SQLite says what it thinks of it. */
int place_inspect(const struct place *place, long schema, struct err *e);

/* The two refusals of place_inspect, for whoever reads the same numbers through SQL. */
int place_foreign(const char *path, struct err *e);
int place_newer(const char *path, long found, long known, struct err *e);

#endif
