/* backup.c - the database as a file to keep elsewhere: for a request, and for a command beside the daemon. The work is
 * copy.c's.
 */
#include <stdlib.h>
#include <unistd.h>

#include "server/store/file.h"
#include "server/store/sqlite/copy.h"
#include "server/store/sqlite/restore.h"
#include "server/store/sqlite/sqlite.h"

static int backup(struct store *s, const struct store_backup *how, int *fd, uint64_t *size, struct err *e)
{
	struct sqlite_store *sq = sqlite_of(s);
	struct copy copy;
	int rc;

	*fd = -1;
	*size = 0;
	if (atomic_exchange(&sq->backing_up, true))
		return err_set(e, ERR_CONFLICT, "another backup is under way; try again when it is over");
	if (!(rc = copy_make(&copy, sq->place.path, sq->place.path, how, e))) {
		*fd = copy.fd;
		*size = copy.size;
		copy.fd = -1;
		copy_discard(&copy);
	}
	atomic_store(&sq->backing_up, false);
	return rc;
}

void backup_fill(struct store *s)
{
	s->backup = backup;
}

int store_backup_sqlite(const char *path, const char *to, const struct store_backup *how, struct err *e)
{
	char *real = realpath(path, NULL); /* NULL: it is not there, which copy_make says well */
	struct copy copy = { .fd = -1 };
	int rc;

	if ((rc = copy_free(to, e)) || (rc = restore_pending(real ? real : path, e))) goto out;
	if (!(rc = copy_make(&copy, path, to, how, e))) rc = copy_keep(&copy, to, e);
out:
	copy_discard(&copy);
	free(real);
	return rc;
}
