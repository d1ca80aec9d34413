/* restore.c - a backup in the place of the database.
 *
 * A copy of the backup (copy.h) is made beside the database. When it lies ready there as FILE-restoring the restore is done,
 * whatever ends the process from then on. What remains is to move the old database out of the way, together with the log
 * beside it, which must never be replayed into the new one, and to give the new one its name. restore_finish does that, now
 * or at the next start, for each step can be seen from what lies there. The old one becomes FILE.before-restore-N.
 */
#include "server/store/sqlite/restore.h"
#include "server/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/sqlite/copy.h"
#include "server/store/sqlite/place.h"

#define READY   "-restoring"
#define LOG     "-wal"
#define JOURNAL "-journal"
#define SHARED  "-shm" /* an index of the log, which SQLite makes anew */
#define KEPT    ".before-restore-"
#define PRIVATE 0600

/* Is there anything of that name? Who cannot tell must not take it for a no: what is there would be written over. */
static int look_for(bool *there, const char *path, struct err *e)
{
	*there = !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
	if (*there || errno == ENOENT) return 0;
	return err_set(e, ERR_IO, "cannot tell whether %s is there: %s", path, strerror(errno));
}

static int join(char **out, const char *path, const char *suffix, struct err *e)
{
	if (asprintf(out, "%s%s", path, suffix) >= 0) return 0;
	*out = NULL;
	return err_nomem(e);
}

int restore_pending(const char *path, struct err *e)
{
	bool pending;
	char *ready;
	int rc = join(&ready, path, READY, e);

	if (!rc && !(rc = look_for(&pending, ready, e)) && pending)
		rc = err_set(e, ERR_CONFLICT,
				"a restore of %s was cut off; start the daemon on it, which finishes that",
				path);
	free(ready);
	return rc;
}

/* Is there a database of that name, or what was left of one? */
static int look_for_either(bool *there, const char *name, struct err *e)
{
	char *log = NULL;
	int rc = look_for(there, name, e);

	if (!rc && !*there && !(rc = join(&log, name, LOG, e))) rc = look_for(there, log, e);
	free(log);
	return rc;
}

static int number_name(char **out, const char *path, int n, struct err *e)
{
	if (asprintf(out, "%s" KEPT "%d", path, n) >= 0) return 0;
	*out = NULL;
	return err_nomem(e);
}

/* The name that the old database is kept by: the first that is free, or, once the database itself has it (and its log may
 * not), the one before that. New. */
static int kept_name(char **out, const char *path, bool moved, struct err *e)
{
	bool taken;
	int n = 1, rc;

	while (!(rc = number_name(out, path, n, e)) && !(rc = look_for_either(&taken, *out, e)) && taken) {
		free(*out);
		*out = NULL;
		n++;
	}
	if (!rc && moved && n > 1) {
		free(*out);
		rc = number_name(out, path, n - 1, e);
	}
	return rc;
}

/* What is not there is moved already. */
static int move(const char *path, const char *kept, const char *suffix, struct err *e)
{
	char *from = NULL, *to = NULL;
	int rc;

	if ((rc = join(&from, path, suffix, e)) || (rc = join(&to, kept, suffix, e))) goto out;
	if (rename(from, to) && errno != ENOENT)
		rc = err_set(e, ERR_IO, "cannot move %s out of the way: %s", from, strerror(errno));
out:
	free(from);
	free(to);
	return rc;
}

/* The order matters: where the database is tells restore_finish which name its log is to have. */
static int move_old(const char *path, const char *kept, struct err *e)
{
	char *shared = NULL;
	int rc;

	if ((rc = move(path, kept, "", e)) || (rc = move(path, kept, LOG, e)) ||
			(rc = move(path, kept, JOURNAL, e)) || (rc = join(&shared, path, SHARED, e)))
		return rc;
	unlink(shared);
	free(shared);
	return copy_sync_folder(path, e);
}

/* A log whose database is gone: it is out of the way before a new one comes. */
static int move_orphan(const char *path, struct err *e)
{
	char *kept = NULL;
	bool there;
	int rc;

	if ((rc = look_for(&there, path, e)) || there) return rc;
	if (!(rc = kept_name(&kept, path, false, e))) rc = move_old(path, kept, e);
	free(kept);
	return rc;
}

int restore_finish(const char *path, char **kept, struct err *e)
{
	char *ready = NULL, *name = NULL;
	bool there;
	int rc;

	if (kept) *kept = NULL;
	if ((rc = join(&ready, path, READY, e)) || (rc = look_for(&there, ready, e)) || !there) goto out;
	if ((rc = look_for(&there, path, e)) || (rc = kept_name(&name, path, !there, e)) ||
			(rc = move_old(path, name, e)))
		goto out;
	if (rename(ready, path))
		rc = err_set(e, ERR_IO, "cannot give %s its name: %s", path, strerror(errno));
	else
		rc = copy_sync_folder(path, e);
	if (!rc && kept && !look_for(&there, name, NULL) && there) {
		*kept = name;
		name = NULL;
	}
out:
	free(name);
	free(ready);
	return rc;
}

/* Something is there: the database, or a log that would be replayed into a new one. */
static int check_free(const char *path, struct err *e)
{
	bool there;
	int rc;

	if ((rc = look_for_either(&there, path, e)) || !there) return rc;
	if ((rc = look_for(&there, path, e))) return rc;
	return err_set(e, ERR_CONFLICT, "%s%s is there already; with --force it is kept beside and gives way",
			path, there ? "" : LOG);
}

/* Those who could use the old database can use the new one. */
static int adopt(const struct copy *copy, const char *path, struct err *e)
{
	struct stat old;
	bool there = !stat(path, &old);

	if (!there && errno == ENOENT) {
		char *slash = strrchr(path, '/'); /* the path is absolute */

		*slash = 0;
		there = !stat(*path ? path : "/", &old);
		*slash = '/';
		old.st_mode = PRIVATE;
	}
	if (there && !fchmod(copy->fd, old.st_mode & 0777) &&
			(geteuid() || !fchown(copy->fd, old.st_uid, old.st_gid)))
		return 0;
	return err_set(e, ERR_IO, "cannot hand %s to the owner of what it is for: %s", copy->path,
			strerror(errno));
}

int store_restore_sqlite(const char *from, const char *path, bool force, const struct store_backup *how,
		char **kept, struct err *e)
{
	struct copy copy = { .fd = -1 };
	struct place place;
	char *ready = NULL;
	int rc;

	*kept = NULL;
	if ((rc = place_take(&place, path, e))) return rc;
	copy_sweep(place.path);
	if ((rc = restore_finish(place.path, NULL, e))) goto out;
	if (!force && (rc = check_free(place.path, e))) goto out;
	if ((rc = join(&ready, place.path, READY, e))) goto out;
	if ((rc = copy_make(&copy, from, place.path, how, e))) goto out;
	if ((rc = move_orphan(place.path, e))) goto out;
	if ((rc = adopt(&copy, place.path, e)) || (rc = copy_keep(&copy, ready, e))) goto out;
	rc = restore_finish(place.path, kept, e);
out:
	copy_discard(&copy);
	free(ready);
	place_leave(&place);
	return rc;
}
