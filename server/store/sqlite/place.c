/* place.c - see place.h.
 *
 * The lock is flock() on a file beside the database: the system gives it back when a process dies, however it
 * dies. (A lock on the database itself would be taken away from SQLite's own by the next close() of that file.)
 * Whoever holds the lock removes the file when leaving; who waited for it finds that the name means another file by
 * then, and tries again.
 */
#include "server/store/sqlite/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file format of SQLite: sqlite.org/fileformat.html, sections 1.3 and 1.6. */
#define HEADER_BYTES          112
#define HEADER_MAGIC          "SQLite format 3" /* with its NUL */
#define HEADER_USER_VERSION   60
#define HEADER_APPLICATION_ID 68
#define HEADER_PAGE_TYPE      100 /* of the root of sqlite_schema */
#define HEADER_PAGE_CELLS     103
#define PAGE_LEAF             0x0d

static int cannot(struct err *e, const char *what, const char *path)
{
	int code = errno == EACCES || errno == EPERM || errno == EROFS ? ERR_FORBIDDEN : ERR_IO;

	if (errno == ENOSPC || errno == EDQUOT) code = ERR_DISK_FULL;
	return err_set(e, code, "cannot %s %s: %s", what, path, strerror(errno));
}

/* The real path of a file that need not exist in a folder that must; new. */
static int resolve(char **out, const char *path, struct err *e)
{
	char *copy = NULL, *folder = NULL;
	const char *name = strrchr(path, '/');
	int rc = 0;

	if ((*out = realpath(path, NULL))) return 0;
	if (errno != ENOENT) return cannot(e, "reach the database", path);
	name = name ? name + 1 : path;
	if (!*name) return err_set(e, ERR_IO, "\"%s\" does not name a file for the database", path);
	if (!(copy = strdup(path))) return err_nomem(e);
	if (!(folder = realpath(dirname(copy), NULL)))
		rc = cannot(e, "reach the folder of the database", path);
	if (!rc && asprintf(out, "%s/%s", strcmp(folder, "/") ? folder : "", name) < 0) {
		*out = NULL;
		rc = err_nomem(e);
	}
	free(folder);
	free(copy);
	return rc;
}

static int check_writable(const char *path, struct err *e)
{
	char *copy = strdup(path);
	const char *folder;
	struct stat st;
	int rc = 0;

	if (!copy) return err_nomem(e);
	folder = dirname(copy);
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		rc = err_set(e, ERR_IO, "%s is not a file; name a file for the database", path);
	else if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS))
		rc = cannot(e, "write to the folder of the database,", folder);
	else if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) && errno != ENOENT)
		rc = cannot(e, "write to the database", path);
	free(copy);
	return rc;
}

/* Opens and locks the file at path; -1 with errno. */
static int lock_file(const char *path)
{
	struct stat held, named;
	int fd;

	for (;;) {
		if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0) return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &held)) break;
		if (!stat(path, &named) && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return fd;
		close(fd); /* its holder removed it as we came */
	}
	close(fd);
	return -1;
}

int place_take(struct place *place, const char *path, struct err *e)
{
	int rc;

	*place = (struct place){ .lock_fd = -1 };
	if ((rc = resolve(&place->path, path, e)) || (rc = check_writable(place->path, e))) goto fail;
	if (asprintf(&place->lock_path, "%s-lock", place->path) < 0) {
		place->lock_path = NULL;
		rc = err_nomem(e);
		goto fail;
	}
	if ((place->lock_fd = lock_file(place->lock_path)) >= 0) return 0;
	rc = errno == EWOULDBLOCK
			     ? err_set(e, ERR_CONFLICT,
					       "another daemon is using the database %s; stop it or name another file",
					       path)
			     : cannot(e, "lock the database by", place->lock_path);
fail:
	place_leave(place);
	return rc;
}

void place_leave(struct place *place)
{
	if (place->lock_path && place->lock_fd >= 0) {
		unlink(place->lock_path);
		close(place->lock_fd);
	}
	free(place->lock_path);
	free(place->path);
	*place = (struct place){ .lock_fd = -1 };
}

int place_sync(const struct place *place, struct err *e)
{
	char *copy = strdup(place->path);
	const char *folder;
	int fd, rc = 0;

	if (!copy) return err_nomem(e);
	folder = dirname(copy);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fsync(fd) && errno != EINVAL)) /* EINVAL: its file system has no such thing */
		rc = cannot(e, "be sure of the names in the folder of the database,", folder);
	if (fd >= 0) close(fd);
	free(copy);
	return rc;
}

/* ---- looking only ---- */

/* A lock file that we may not even open is another user's, whose daemon may run. */
static bool is_locked(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool locked = fd < 0 ? errno != ENOENT : flock(fd, LOCK_SH | LOCK_NB) != 0;

	if (fd >= 0) close(fd);
	return locked;
}

int place_look(struct place *place, const char *path, bool *taken, struct err *e)
{
	struct stat st;
	int rc = 0;

	*place = (struct place){ .lock_fd = -1 };
	if (!(place->path = realpath(path, NULL)))
		rc = errno == ENOENT ? err_set(e, ERR_NOT_FOUND,
						       "there is no database %s; name one with --db", path)
				     : cannot(e, "reach the database", path);
	else if (stat(place->path, &st) || !S_ISREG(st.st_mode))
		rc = err_set(e, ERR_IO, "%s is not a file; name the file of a database", path);
	else if (faccessat(AT_FDCWD, place->path, R_OK, AT_EACCESS))
		rc = cannot(e, "read the database", path);
	else if (asprintf(&place->lock_path, "%s-lock", place->path) < 0) {
		place->lock_path = NULL;
		rc = err_nomem(e);
	} else
		*taken = is_locked(place->lock_path);
	if (rc) place_leave(place);
	return rc;
}

/* ---- the first bytes ---- */

static uint32_t big_endian(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

int place_foreign(const char *path, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s is a SQLite database of another program; name another file", path);
}

int place_newer(const char *path, long found, long known, struct err *e)
{
	return err_set(e, ERR_CORRUPT,
			"the database %s was written by a newer descentd (schema %ld, this one knows %ld); start that one",
			path, found, known);
}

int place_inspect(const struct place *place, long schema, struct err *e)
{
	unsigned char header[HEADER_BYTES];
	int fd = open(place->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : pread(fd, header, sizeof header, 0);
	uint32_t application, version;
	bool tables;

	if (fd >= 0) close(fd);
	if (n < (ssize_t)sizeof header || memcmp(header, HEADER_MAGIC, sizeof HEADER_MAGIC)) return 0;
	application = big_endian(header + HEADER_APPLICATION_ID);
	version = big_endian(header + HEADER_USER_VERSION);
	tables = header[HEADER_PAGE_TYPE] != PAGE_LEAF || header[HEADER_PAGE_CELLS] ||
		 header[HEADER_PAGE_CELLS + 1];
	if (application != DB_APPLICATION_ID && (application || version || tables))
		return place_foreign(place->path, e);
	if (application == DB_APPLICATION_ID && version > schema)
		return place_newer(place->path, (long)version, schema, e);
	return 0;
}
