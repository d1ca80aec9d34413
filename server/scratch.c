/* scratch.c - O_TMPFILE, or a file whose name is taken away at once where the filesystem has no such thing. See
 * scratch.h.
 */
#include "server/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWNER_ONLY 0600
#define NAME       "/.descentd-XXXXXX"

struct scratch {
	int fd;
	uint64_t size;
};

static int fail(struct err *e, const char *what)
{
	int code = errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO;

	return err_set(e, (enum err_code)code, "cannot %s a scratch file beside the database: %s", what,
			strerror(errno));
}

/* The folder of a path with room for NAME behind it, new. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	char *folder = malloc(n + sizeof NAME + 1);

	if (!folder) return NULL;
	memcpy(folder, path, n);
	folder[n] = 0;
	if (!n) strcpy(folder, slash ? "/" : ".");
	return folder;
}

int scratch_new(struct scratch **out, const char *beside, struct err *e)
{
	struct scratch *scratch = calloc(1, sizeof *scratch);
	char *folder = folder_of(beside);
	int rc = 0;

	*out = NULL;
	if (!scratch || !folder) {
		rc = err_nomem(e);
		goto out;
	}
	scratch->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, OWNER_ONLY);
	if (scratch->fd < 0) {
		strcat(folder, NAME);
		scratch->fd = mkostemp(folder, O_CLOEXEC);
		if (scratch->fd >= 0) unlink(folder);
	}
	if (scratch->fd < 0) {
		rc = fail(e, "make");
		goto out;
	}
	*out = scratch;
	scratch = NULL;
out:
	free(scratch);
	free(folder);
	return rc;
}

void scratch_free(struct scratch *scratch)
{
	if (!scratch) return;
	close(scratch->fd);
	free(scratch);
}

int scratch_write(struct scratch *scratch, const void *bytes, size_t n, struct err *e)
{
	const char *from = bytes;

	while (n) {
		ssize_t done = pwrite(scratch->fd, from, n, (off_t)scratch->size);

		if (done < 0 && errno == EINTR) continue;
		if (done < 0) return fail(e, "write");
		from += done;
		n -= (size_t)done;
		scratch->size += (uint64_t)done;
	}
	return 0;
}

int scratch_read(const struct scratch *scratch, uint64_t at, void *bytes, size_t n, struct err *e)
{
	char *to = bytes;

	while (n) {
		ssize_t done = pread(scratch->fd, to, n, (off_t)at);

		if (done < 0 && errno == EINTR) continue;
		if (done < 0) return fail(e, "read");
		if (!done)
			return err_set(e, ERR_IO,
					"a scratch file beside the database is shorter than was written");
		to += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}
