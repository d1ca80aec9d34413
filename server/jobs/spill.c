/* spill.c - encoded rows in a scratch file. See spill.h. */
#include "server/jobs/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/size.h"
#include "server/scratch.h"

#define PARTS 3

/* One of inputs, targets and weights. */
struct spill_part {
	size_t offset, row_bytes;
};

struct spill {
	int fd;
	char *folder;
	size_t bytes;
	struct spill_part parts[PARTS];
};

/* The folder of a file, new. */
static char *folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	if (!slash) return strdup(".");
	return strndup(file, slash == file ? 1 : (size_t)(slash - file));
}

static int say_errno(const struct spill *spill, const char *what, struct err *e)
{
	int number = errno;
	char text[128];
	const char *why = strerror_r(number, text, sizeof text);

	if (number == ENOSPC || number == EDQUOT || number == EFBIG)
		return err_set(e, ERR_DISK_FULL,
				"the data do not fit into memory, and %s has no room for the scratch file of %.0f MiB "
				"that they would be read from (%s): make room there, or see --memory-budget",
				spill->folder, (double)spill->bytes / 1048576, why);
	return err_set(e, ERR_IO, "the scratch file in %s could not be %s: %s", spill->folder, what, why);
}

static int make_file(struct spill *spill, const char *database, struct err *e)
{
	spill->fd = scratch_open(database);
	if (spill->fd < 0) return say_errno(spill, "made", e);
	if (fallocate(spill->fd, 0, 0, (off_t)spill->bytes) && errno != EOPNOTSUPP && errno != ENOSYS)
		return say_errno(spill, "made", e);
	return 0;
}

int spill_new(struct spill **out, const char *database, const struct spill_shape *shape, size_t rows,
		struct err *e)
{
	const size_t numbers[PARTS] = { shape->inputs, shape->outputs, shape->cells };
	struct spill *spill = calloc(1, sizeof *spill);
	int rc = ERR_NOMEM;

	*out = NULL;
	if (!spill) return err_nomem(e);
	spill->fd = -1;
	for (size_t i = 0; i < PARTS; i++) {
		spill->parts[i] = (struct spill_part){ spill->bytes, size_mul(numbers[i], sizeof(real)) };
		spill->bytes = size_add(spill->bytes, size_mul(rows, spill->parts[i].row_bytes));
	}
	if (!(spill->folder = folder_of(database)))
		rc = err_nomem(e);
	else if (!spill->bytes || spill->bytes > INT64_MAX)
		rc = err_set(e, ERR_RANGE, "no file holds %zu rows", rows);
	else
		rc = make_file(spill, database, e);
	if (rc)
		spill_free(spill);
	else
		*out = spill;
	return rc;
}

void spill_free(struct spill *spill)
{
	if (!spill) return;
	if (spill->fd >= 0) close(spill->fd);
	free(spill->folder);
	free(spill);
}

static int write_part(const struct spill *spill, const struct spill_part *part, size_t first, size_t rows,
		const real *numbers, struct err *e)
{
	const char *from = (const char *)numbers;
	size_t at = part->offset + first * part->row_bytes, left = rows * part->row_bytes;

	while (left) {
		ssize_t n = pwrite(spill->fd, from, left, (off_t)at);

		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return say_errno(spill, "written", e);
		from += n;
		at += (size_t)n;
		left -= (size_t)n;
	}
	return 0;
}

static int read_part(const struct spill *spill, const struct spill_part *part, size_t first, size_t rows,
		real *numbers, struct err *e)
{
	char *to = (char *)numbers;
	size_t at = part->offset + first * part->row_bytes, left = rows * part->row_bytes;

	while (left) {
		ssize_t n = pread(spill->fd, to, left, (off_t)at);

		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return say_errno(spill, "read", e);
		if (!n)
			return err_set(e, ERR_IO, "the scratch file in %s is shorter than it was",
					spill->folder);
		to += n;
		at += (size_t)n;
		left -= (size_t)n;
	}
	return 0;
}

int spill_write(struct spill *spill, size_t first, size_t rows, const real *x, const real *y, const real *w,
		struct err *e)
{
	const real *const from[PARTS] = { x, y, w };

	for (size_t i = 0; i < PARTS; i++) {
		int rc = write_part(spill, &spill->parts[i], first, rows, from[i], e);

		if (rc) return rc;
	}
	return 0;
}

int spill_read(const struct spill *spill, size_t first, size_t rows, real *x, real *y, real *w, struct err *e)
{
	real *const to[PARTS] = { x, y, w };

	for (size_t i = 0; i < PARTS; i++) {
		int rc = read_part(spill, &spill->parts[i], first, rows, to[i], e);

		if (rc) return rc;
	}
	return 0;
}

void spill_ahead(const struct spill *spill, size_t first, size_t rows)
{
	for (size_t i = 0; i < PARTS; i++) {
		const struct spill_part *part = &spill->parts[i];

		if (part->row_bytes)
			posix_fadvise(spill->fd, (off_t)(part->offset + first * part->row_bytes),
					(off_t)(rows * part->row_bytes), POSIX_FADV_WILLNEED);
	}
}
