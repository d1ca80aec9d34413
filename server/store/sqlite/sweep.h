/* sweep.h - deleting what is not visible any more, in small steps while nobody waits for the writer.
 *
 * Whoever takes an owner away deletes its row and calls garbage_add in the same transaction: that is all a request
 * waits for, however large the data are.
 */
#ifndef SERVER_STORE_SQLITE_SWEEP_H
#define SERVER_STORE_SQLITE_SWEEP_H

#include "server/store/sqlite/db.h"

/* What an owner's pieces are. The numbers are in the file: only add at the end. */
enum garbage {
	GARBAGE_SEGMENTS,
	GARBAGE_DICTIONARIES,
	GARBAGE_BLOB,
	GARBAGE_CURVE,
	GARBAGE_LEVELS,
	GARBAGE_KINDS
};

/* Owner 0 is nobody. */
int garbage_add(struct db *db, enum garbage kind, int64_t owner, struct err *e);
/* The blocks and the summaries of a curve. */
int garbage_add_curve(struct db *db, int64_t curve, struct err *e);
/* The dictionaries of a revision whose row is gone, its parts, and its cells unless others share them; and the cells
 * that it was the last to share. */
int garbage_add_revision(struct db *db, int64_t revision, struct err *e);

/* At start: uploads and blobs that nobody finished become garbage. */
int sweep_loose(struct db *db, struct err *e);
/* One step, in a transaction of its own; true when there is more to do. *failed: it could not be done, and is to be tried again
 * when something else was written. */
bool sweep_step(struct db *db, bool *failed);

/* Gives some free pages back to the file system, in a transaction or as one; *freed is in bytes, 0: there are none. */
int sweep_vacuum(struct db *db, uint64_t *freed, struct err *e);

#endif
