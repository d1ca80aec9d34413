/* restore.h - a restore that was cut off, see backup.c. */
#ifndef SERVER_STORE_SQLITE_RESTORE_H
#define SERVER_STORE_SQLITE_RESTORE_H

#include "core/err.h"

/* Finishes one, if there is one, of the database at this absolute path, whose place is held. *kept (may be NULL) is new: the
 * name that the old database has now, NULL when there was none. ERR_IO. */
int restore_finish(const char *path, char **kept, struct err *e);
/* ERR_CONFLICT: there is one to finish. */
int restore_pending(const char *path, struct err *e);

#endif
