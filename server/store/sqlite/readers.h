/* readers.h - a pool of connections that only read.
 *
 * A reading is one short transaction: what it hands on is copied, and nothing of it outlives a chunk, so that the
 * writer can always start its log anew.
 */
#ifndef SERVER_STORE_SQLITE_READERS_H
#define SERVER_STORE_SQLITE_READERS_H

#include "core/err.h"
#include "server/store/sqlite/db.h"

struct readers;

typedef int read_fn(struct db *db, void *arg, struct err *e);

/* *out is new (readers_stop). path is copied, that of connections of the role. One connection is opened, to see that it can be. */
int readers_start(struct readers **out, const char *path, enum db_role role, struct err *e);
/* No reading is under way. NULL is fine. */
void readers_stop(struct readers *r);
/* run(arg) sees one state of the database throughout. */
int readers_run(struct readers *r, read_fn *run, void *arg, struct err *e);

#endif
