/* scratch.h - a file without a name, for what is too large for memory and needed for a while only.
 *
 * It lies in the folder of the database, where the disk is that the user chose for data. It has no name from the
 * start or loses it at once: whatever ends the process also frees its blocks.
 */
#ifndef SERVER_SCRATCH_H
#define SERVER_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* A new, empty one for reading and writing, in the folder of the file named `beside`: its descriptor, or -1 with errno. */
int scratch_open(const char *beside);

struct scratch; /* by one thread at a time, but reading may be shared */

/* *out is new (scratch_free), empty, in the folder of the file named `beside`. ERR_IO, ERR_DISK_FULL, ERR_NOMEM. */
int scratch_new(struct scratch **out, const char *beside, struct err *e);
void scratch_free(struct scratch *scratch); /* NULL is fine */

/* Adds n bytes at the end. ERR_DISK_FULL, ERR_IO. */
int scratch_write(struct scratch *scratch, const void *bytes, size_t n, struct err *e);
/* Reads n bytes at `at`, all of which were written. ERR_IO. */
int scratch_read(const struct scratch *scratch, uint64_t at, void *bytes, size_t n, struct err *e);

#endif
