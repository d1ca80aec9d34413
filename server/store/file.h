/* file.h - what an operator does with a SQLite file as a whole, besides serving it (store_open_sqlite): looks whether it is
 * sound, saves what is whole of it, copies it, puts a copy in its place. The commands of server/admin are these.
 */
#ifndef SERVER_STORE_FILE_H
#define SERVER_STORE_FILE_H

#include "server/store/store.h"

/* Opens a SQLite file to look at it, also one that is damaged, on a medium that cannot be written to, or beside the daemon
 * that uses it: only what reads works, and no byte of the file or beside it changes. check says ERR_CONFLICT when somebody
 * else changed the file since. Refuses as store_open_sqlite, and ERR_NOT_FOUND: there is no such file; ERR_CORRUPT: it is of an
 * older release, which a daemon of this one has to bring up to date first. */
int store_look_sqlite(struct store **out, const char *path, struct err *e);
/* Writes what can be read of the SQLite file `from`, whatever release it is of, into a new file: rows that cannot be read, or
 * whose checksum is wrong, are left out, and so is what names them and what is no document for `document`, where one must
 * be; each time left_out is called. What is there has checksums afterwards. ERR_CONFLICT: `to` is there already, or a daemon
 * uses `from`; else as store_look_sqlite. On an error there is no file `to`. */
int store_salvage_sqlite(const char *from, const char *to, bool (*document)(const char *text),
		void (*left_out)(void *self, const char *sentence), void *self, struct err *e);
/* What SQLite finds wrong in the file and among its rows, fault by fault, of a store of either kind; *unchecked is how many
 * pieces have no checksum. ERR_NOMEM. */
int store_verify_sqlite(struct store *s, void (*fault)(void *self, const char *sentence), void *self,
		uint64_t *unchecked, struct err *e);
/* Copies the database in the file at path, which a daemon may have open, to a new file `to`, which appears whole.
 * ERR_CONFLICT: `to` is there. ERR_CORRUPT: path is no database of ours, or it is damaged. */
int store_backup_sqlite(const char *path, const char *to, const struct store_backup *how, struct err *e);
/* Puts a copy of the database in the file `from` in the place of path, which no daemon holds (ERR_CONFLICT). Is something
 * there it is ERR_CONFLICT, or with force it is kept, and *kept is its new name (new; else NULL). Whatever ends the process,
 * the next store_open_sqlite finds the one or the other. ERR_CORRUPT: `from` is none of ours, newer, or damaged. */
int store_restore_sqlite(const char *from, const char *path, bool force, const struct store_backup *how,
		char **kept, struct err *e);

#endif
