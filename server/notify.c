/* notify.c - datagrams to $NOTIFY_SOCKET, a path or (@...) a name in the abstract space. See notify.h.
 *
 * A manager whose queue is full makes us wait SEND_SECONDS and no longer.
 */
#include "server/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEND_SECONDS 2

struct notify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_bytes;
};

static int set_address(struct notify *n, const char *name, struct err *e)
{
	size_t length = strlen(name);

	if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof n->to.sun_path)
		return err_set(e, ERR_INVALID,
				"NOTIFY_SOCKET is neither a path nor an abstract name; unset it, or let systemd set it");
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, name, length);
	if (*name == '@') n->to.sun_path[0] = 0;
	n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return 0;
}

int notify_open(struct notify **out, struct err *e)
{
	const struct timeval wait = { .tv_sec = SEND_SECONDS };
	const char *name = getenv("NOTIFY_SOCKET");
	struct notify *n;
	int rc;

	*out = NULL;
	if (!name || !*name) return 0;
	if (!(n = calloc(1, sizeof *n))) return err_nomem(e);
	n->fd = -1;
	if ((rc = set_address(n, name, e))) goto out;
	if ((n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0) {
		rc = err_set(e, ERR_IO, "no socket for NOTIFY_SOCKET: %s", strerror(errno));
		goto out;
	}
	setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	*out = n;
	n = NULL;
out:
	notify_close(n);
	return rc;
}

void notify_close(struct notify *notify)
{
	if (!notify) return;
	if (notify->fd >= 0) close(notify->fd);
	free(notify);
}

static void say(struct notify *n, const char *text)
{
	if (!n) return;
	while (sendto(n->fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->to_bytes) <
					0 &&
			errno == EINTR)
		;
}

void notify_ready(struct notify *notify)
{
	say(notify, "READY=1");
}

/* The time tells the manager which of its own reloads this one belongs to. */
void notify_reloading(struct notify *notify)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	say(notify, text);
}

void notify_stopping(struct notify *notify)
{
	say(notify, "STOPPING=1");
}

void notify_alive(struct notify *notify)
{
	say(notify, "WATCHDOG=1");
}

/* A whole number, or 0. */
static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long value;

	if (!text || *text < '0' || *text > '9') return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return *end || errno ? 0 : value;
}

/* The variables may have come from a manager of another process, whose child we are. */
uint64_t notify_alive_us(const struct notify *notify)
{
	if (!notify || (getenv("WATCHDOG_PID") && number_of("WATCHDOG_PID") != (uint64_t)getpid())) return 0;
	return number_of("WATCHDOG_USEC");
}
