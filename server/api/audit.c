/* audit.c - see audit.h. Lines that cannot be written are counted, and the log says so once for each row of failures: a change
 * that is done cannot be taken back for the want of a line.
 */
#include "server/api/audit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/api/api.h"
#include "server/codec/json.h"
#include "server/utf8.h"

#define FILE_MODE 0600

struct audit {
	const char *path;
	struct log *log;
	pthread_mutex_t lock; /* of what follows: lines do not mix */
	int fd;
	bool failing;
};

static int open_file(const char *path, int *fd, struct err *e)
{
	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);
	return *fd >= 0 ? 0
			: err_set(e, ERR_IO, "--audit-log: cannot write to %s: %s", path, strerror(errno));
}

int audit_open(struct audit **out, const char *path, struct log *log, struct err *e)
{
	struct audit *audit;
	int rc;

	*out = NULL;
	if (!path) return 0;
	if (!(audit = calloc(1, sizeof *audit))) return err_nomem(e);
	if ((rc = open_file(path, &audit->fd, e))) {
		free(audit);
		return rc;
	}
	audit->path = path;
	audit->log = log;
	pthread_mutex_init(&audit->lock, NULL);
	*out = audit;
	return 0;
}

void audit_close(struct audit *audit)
{
	if (!audit) return;
	close(audit->fd);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

int audit_reopen(struct audit *audit, struct err *e)
{
	int fd, rc = audit ? open_file(audit->path, &fd, e) : 0;

	if (rc || !audit) return rc;
	pthread_mutex_lock(&audit->lock);
	close(audit->fd);
	audit->fd = fd;
	pthread_mutex_unlock(&audit->lock);
	return 0;
}

/* ---- a line ---- */

static void put_text(struct buffer *out, const char *name, const char *text, size_t n)
{
	buffer_printf(out, ",\"%s\":", name);
	json_escape(out, text, n);
}

static void put_address(struct buffer *out, const struct request *rq)
{
	static const unsigned char nowhere[REQUEST_PEER_BYTES], mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char peer[REQUEST_PEER_BYTES];
	char text[INET6_ADDRSTRLEN] = "";
	bool four;

	request_peer(rq, peer);
	if (!memcmp(peer, nowhere, sizeof peer)) {
		buffer_text(out, ",\"address\":null");
		return;
	}
	four = !memcmp(peer, mapped, sizeof mapped);
	inet_ntop(four ? AF_INET : AF_INET6, four ? peer + sizeof mapped : peer, text, sizeof text);
	put_text(out, "address", text, strlen(text));
}

static void put_caller(struct buffer *out, const struct request *rq)
{
	const struct app *app = rq->app;
	char name[TOKEN_NAME_MAX + 1];

	if (!rq->token) {
		buffer_text(out, ",\"token\":null");
	} else {
		buffer_printf(out, ",\"token\":\"%lld\"", (long long)rq->token);
		if (auth_token_name(app->auth, rq->token, name)) put_text(out, "name", name, strlen(name));
	}
	if (rq->local) buffer_text(out, ",\"owner\":true");
}

static void write_line(const struct request *rq, const struct reply *rp, struct buffer *out)
{
	struct timespec now;
	struct tm utc;
	char time[40];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &utc);
	buffer_printf(out, "{\"time\":\"%s.%03ldZ\"", time, now.tv_nsec / 1000000);
	put_caller(out, rq);
	put_address(out, rq);
	put_text(out, "method", rq->method, strlen(rq->method));
	put_text(out, "path", rq->url, rq->path_length);
	for (size_t i = 0; i < rp->headers_count; i++)
		if (!strcmp(rp->headers[i].name, "Location"))
			put_text(out, "location", rp->headers[i].value, strlen(rp->headers[i].value));
	buffer_printf(out, ",\"status\":%u}\n", rp->status ? rp->status : 200);
}

/* The lock is held. */
static bool write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

static bool is_change(const struct request *rq)
{
	const struct route *route = rq->match.route;

	return route && route->role != ROLE_NONE && route->role != ROLE_READ && route->role != ROLE_PREDICT &&
	       strcmp(rq->method, "GET") && strcmp(rq->method, "HEAD");
}

void audit_note(struct request *rq, const struct reply *rp)
{
	struct audit *audit = ((struct app *)rq->app)->audit;
	struct buffer line = { 0 };
	bool written, tell;

	if (!audit || !is_change(rq)) return;
	write_line(rq, rp, &line);
	buffer_add(&line, "", 1);
	if (buffer_ok(&line)) {
		utf8_mend(line.data); /* a path may hold any bytes */
		line.size--;
	}
	pthread_mutex_lock(&audit->lock);
	errno = ENOMEM;
	written = buffer_ok(&line) && write_all(audit->fd, line.data, line.size);
	tell = !written && !audit->failing;
	audit->failing = !written;
	if (tell)
		log_error(audit->log, "--audit-log: changes go on without lines in %s: %s", audit->path,
				strerror(errno));
	pthread_mutex_unlock(&audit->lock);
	buffer_free(&line);
}
