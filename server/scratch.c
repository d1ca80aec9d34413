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
#define HERE       "./"
#define NAME       ".descentd-XXXXXX"

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

int scratch_open(const char *beside)
{
	const char *slash = strrchr(beside, '/');
	size_t n = slash ? (size_t)(slash - beside) + 1 : strlen(HERE);
	char *path = malloc(n + sizeof NAME);
	int fd;

	if (!path) return -1;
	memcpy(path, slash ? beside : HERE, n);
	path[n] = 0;
	fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, OWNER_ONLY);
	if (fd < 0) {
		strcpy(path + n, NAME);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0) unlink(path);
	}
	free(path);
	return fd;
}

int scratch_new(struct scratch **out, const char *beside, struct err *e)
{
	struct scratch *scratch = calloc(1, sizeof *scratch);

	*out = NULL;
	if (!scratch) return err_nomem(e);
	if ((scratch->fd = scratch_open(beside)) < 0) {
		free(scratch);
		return fail(e, "make");
	}
	*out = scratch;
	return 0;
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
