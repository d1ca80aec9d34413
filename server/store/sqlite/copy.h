/* copy.h - a whole database as a new file: consistent, synced and looked through before anybody is told of it. */
#ifndef SERVER_STORE_SQLITE_COPY_H
#define SERVER_STORE_SQLITE_COPY_H

#include "server/store/sqlite/db.h"

/* What a file is called while it is made: this behind the name it is made for, and six letters. */
#define COPY_SUFFIX "-unfinished-copy-"

struct copy {       /* zeroed is none; copy_discard */
	char *path; /* its name for now */
	int fd;     /* of it, at its beginning */
	uint64_t size;
};

/* *out is what the database at `from` holds now, under a name of its own in the folder of `beside`, for its owner only. The
 * database is only read, and may be open elsewhere. It needs no log: one file is all of it.
 * ERR_CORRUPT: it is no database, another program's, a newer descentd's, or damaged. ERR_DISK_FULL, ERR_IO, what how->go_on
 * says. On an error nothing is left. */
int copy_make(struct copy *out, const char *from, const char *beside, const struct store_backup *how,
		struct err *e);
/* ERR_CONFLICT: something has that name. */
int copy_free(const char *to, struct err *e);
/* Gives it the name `to`, on which nothing is, for good. ERR_CONFLICT: something is there. */
int copy_keep(struct copy *copy, const char *to, struct err *e);
/* Takes its name away, and closes it. */
void copy_discard(struct copy *copy);
/* Takes away what killed ones left beside the database. Nobody else makes one now. */
void copy_sweep(const char *beside);

/* The folder's entries are on the disk. ERR_IO. */
int copy_sync_folder(const char *path, struct err *e);

#endif
