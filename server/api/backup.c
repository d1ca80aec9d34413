/* backup.c - POST /v1/backup: the whole database as an answer. It is made first, in a file without a name beside the
 * database, so that what goes wrong is still told by a status; then it is sent with its length, so that an answer that
 * is cut off is known for one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/api/system.h"
#include "server/http/request.h"

#define PIECE_BYTES (256u << 10)

struct download {
	int fd;
	uint64_t left;  /* to be read */
	size_t at, end; /* what is to be sent of piece */
	bool broken;
	char piece[PIECE_BYTES];
};

static void download_free(void *self)
{
	struct download *d = self;

	close(d->fd);
	free(d);
}

static ssize_t next(void *self, char *to, size_t size)
{
	struct download *d = self;

	if (d->broken) return REPLY_BROKEN;
	if (d->at == d->end) return d->left ? 0 : REPLY_END;
	if (size > d->end - d->at) size = d->end - d->at;
	memcpy(to, d->piece + d->at, size);
	d->at += size;
	return (ssize_t)size;
}

static void fill(void *self)
{
	struct download *d = self;
	ssize_t n = read(d->fd, d->piece, PIECE_BYTES);

	if (n < 0 && errno == EINTR) return;
	if (n <= 0 || (uint64_t)n > d->left) {
		d->broken = true;
		return;
	}
	d->left -= (uint64_t)n;
	d->at = 0;
	d->end = (size_t)n;
}

/* A backup may take long: it ends with the daemon, and with its client's patience. */
static int go_on(void *self, struct err *e)
{
	const struct request *rq = self;
	const struct app *app = rq->app;

	if (atomic_load(&app->stopping)) return err_set(e, ERR_BUSY, "the daemon is stopping");
	return request_in_time(rq, e);
}

int backup_post(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	const struct store_backup how = { app->backup_rate, go_on, rq };
	struct download *d = malloc(sizeof *d);
	uint64_t size;
	int rc;

	if (!d) return err_nomem(e);
	d->at = d->end = 0;
	d->broken = false;
	if ((rc = app->store->backup(app->store, &how, &d->fd, &size, e))) {
		free(d);
		return rc;
	}
	d->left = size;
	rq->state = d;
	rq->state_free = download_free;
	rp->source = (struct reply_source){ .self = d, .next = next, .fill = fill, .size = size };
	rp->content_type = "application/vnd.sqlite3";
	reply_header(rp, "Content-Disposition", "attachment; filename=\"descentd-backup.db\"");
	reply_header(rp, "Cache-Control", "no-store");
	return 0;
}
