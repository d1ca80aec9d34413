/* copy.c - see copy.h.
 *
 * SQLite's backup copies pages, in pieces, from a reading connection whose transaction stays open: so the copy is one
 * state of the database, and whoever writes goes on. Until the end of it the log cannot start anew and grows by what
 * is written (writer.c bound_log). Pieces are synced as they come, so that the commits of others never wait behind a
 * mountain of them, and there is a pause between two as long as --backup-rate wants.
 */
#include "server/store/sqlite/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/sqlite.h"

#define SYNC_BYTES (16u << 20)
#define NAP_MS     100 /* the most between two looks at go_on */

/* Which journal a file is written and read with: sqlite.org/fileformat.html, section 1.3. */
#define HEADER_VERSIONS 18
#define ROLLBACK        "\1\1" /* none is left beside it, so it can be read in a place where nobody writes */

static int cannot(struct err *e, const char *what, const char *path)
{
	int code = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_DISK_FULL : ERR_IO;

	if (errno == EACCES || errno == EPERM || errno == EROFS) code = ERR_FORBIDDEN;
	return err_set(e, (enum err_code)code, "cannot %s %s: %s", what, path, strerror(errno));
}

/* ---- pace ---- */

struct pace {
	const struct store_backup *how;
	int fd;
	int64_t begun_ms;
	uint64_t done, unsynced;
};

static int rest(const struct pace *p, int64_t until_ms, struct err *e)
{
	for (;;) {
		int64_t left = until_ms - store_clock_ms();
		struct timespec nap;
		int rc = p->how->go_on ? p->how->go_on(p->how->self, e) : 0;

		if (rc || left <= 0) return rc;
		if (left > NAP_MS) left = NAP_MS;
		nap = (struct timespec){ .tv_nsec = left * 1000000 };
		nanosleep(&nap, NULL);
	}
}

static int after_piece(void *self, size_t bytes, struct err *e)
{
	struct pace *p = self;
	double seconds;

	p->done += bytes;
	p->unsynced += bytes;
	if (p->unsynced >= SYNC_BYTES) {
		if (fdatasync(p->fd)) return cannot(e, "write", "the copy of the database");
		p->unsynced = 0;
	}
	seconds = p->how->rate ? (double)p->done / (double)p->how->rate : 0;
	return rest(p, p->begun_ms + (int64_t)(seconds * 1000), e);
}

/* ---- the copy ---- */

/* `from` in its transaction is a database that we could open. */
static int check_ours(struct db *from, const char *path, struct err *e)
{
	int64_t version;
	bool new;
	int rc = migrate_identify(from, path, &version, &new, e);

	if (!rc && new) return err_set(e, ERR_CORRUPT, "%s is empty; name a database of descentd", path);
	return rc;
}

static int copy_pages(struct copy *copy, const char *path, const struct store_backup *how, struct err *e)
{
	struct pace pace = { .how = how, .fd = copy->fd, .begun_ms = store_clock_ms() };
	struct db *from = NULL, *to = NULL;
	int rc;

	if (access(path, R_OK)) return cannot(e, "read the database", path);
	if ((rc = db_open(&from, path, DB_READER, e))) return rc;
	db_keep_log(from); /* it is the writer's to copy */
	if ((rc = db_begin(from, e)) || (rc = check_ours(from, path, e))) goto out;
	if ((rc = db_open(&to, copy->path, DB_COPY, e))) goto out;
	rc = db_copy(from, to, after_piece, &pace, e);
out:
	db_close(to);
	db_close(from);
	return rc;
}

static int settle(struct copy *copy, struct err *e)
{
	struct db *db = NULL;
	struct stat st;
	int rc;

	if (pwrite(copy->fd, ROLLBACK, strlen(ROLLBACK), HEADER_VERSIONS) != (ssize_t)strlen(ROLLBACK) ||
			fsync(copy->fd) || fstat(copy->fd, &st))
		return cannot(e, "write", copy->path);
	copy->size = (uint64_t)st.st_size;
	if ((rc = db_open(&db, copy->path, DB_READER, e))) return rc;
	rc = db_quick_check(db, e);
	db_close(db);
	return rc;
}

int copy_make(struct copy *out, const char *from, const char *beside, const struct store_backup *how,
		struct err *e)
{
	int rc;

	*out = (struct copy){ .fd = -1 };
	if (asprintf(&out->path, "%s" COPY_SUFFIX "XXXXXX", beside) < 0) {
		out->path = NULL;
		return err_nomem(e);
	}
	if ((out->fd = mkostemp(out->path, O_CLOEXEC)) < 0) {
		rc = cannot(e, "make a file for the copy,", out->path);
		free(out->path);
		*out = (struct copy){ .fd = -1 };
		return rc;
	}
	if ((rc = copy_pages(out, from, how, e)) || (rc = settle(out, e))) copy_discard(out);
	return rc;
}

void copy_discard(struct copy *copy)
{
	if (copy->path) unlink(copy->path);
	if (copy->fd >= 0) close(copy->fd);
	free(copy->path);
	*copy = (struct copy){ .fd = -1 };
}

int copy_sync_folder(const char *path, struct err *e)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (!copy) return err_nomem(e);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd)) rc = cannot(e, "sync the folder of", path);
	if (fd >= 0) close(fd);
	free(copy);
	return rc;
}

static int is_taken(const char *to, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "%s is there already; name another file", to);
}

int copy_free(const char *to, struct err *e)
{
	if (faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : cannot(e, "make", to);
	return is_taken(to, e);
}

/* A file system that cannot refuse to replace by itself is asked first. */
static int rename_to_nothing(const char *from, const char *to)
{
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) return 0;
	if (errno != EINVAL && errno != ENOSYS) return -1;
	if (!faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW)) errno = EEXIST;
	return errno == ENOENT ? rename(from, to) : -1;
}

int copy_keep(struct copy *copy, const char *to, struct err *e)
{
	if (rename_to_nothing(copy->path, to))
		return errno == EEXIST ? is_taken(to, e) : cannot(e, "make", to);
	free(copy->path);
	copy->path = NULL;
	return copy_sync_folder(to, e);
}

void copy_sweep(const char *beside)
{
	char *pattern = malloc(2 * strlen(beside) + sizeof COPY_SUFFIX "??????"), *at = pattern;
	glob_t found;

	if (!pattern) return;
	for (; *beside; beside++) {
		if (strchr("*?[\\", *beside)) *at++ = '\\';
		*at++ = *beside;
	}
	strcpy(at, COPY_SUFFIX "??????");
	if (!glob(pattern, GLOB_NOSORT, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	free(pattern);
}
