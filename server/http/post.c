/* post.c - one POST. See post.h.
 *
 * The socket never blocks: every wait is a poll of at most SLICE_MS, after which the deadline and the wish to stop are
 * looked at.
 */
#include "server/http/post.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/buffer.h"

#define SCHEME       "http://"
#define SLICE_MS     100
#define STATUS_BYTES 512 /* of the answer, in which its first line must end */

/* ---- the URL ---- */

static int wrong(struct err *e, const char *why)
{
	return err_set(e, ERR_INVALID, "must be a URL as http://host/path or http://host:port/path; %s", why);
}

/* HOST[:PORT], n bytes. */
static int read_place(const char *text, size_t n, struct post_url *out, struct err *e)
{
	const char *end = text + n, *colon;
	size_t host = n;

	if (!n || n >= sizeof out->place) return wrong(e, n ? "its host is too long" : "it has no host");
	if (memchr(text, '@', n)) return wrong(e, "a user's name or password does not belong into it");
	memcpy(out->place, text, n);
	out->place[n] = 0;
	strcpy(out->port, "80");
	colon = *text == '[' ? memchr(text, ']', n) : text;
	if (!colon) return wrong(e, "its IPv6 address has no end");
	colon = memchr(colon, ':', (size_t)(end - colon));
	if (colon) {
		size_t digits = (size_t)(end - colon - 1);
		long port = digits && digits < sizeof out->port ? strtol(colon + 1, NULL, 10) : 0;

		if (strspn(colon + 1, "0123456789") < digits || port < 1 || port > 65535)
			return wrong(e, "its port is none");
		snprintf(out->port, sizeof out->port, "%ld", port);
		host = (size_t)(colon - text);
	}
	if (*text == '[') {
		if (text[host - 1] != ']' || host < 3) return wrong(e, "its IPv6 address is none");
		text++;
		host -= 2;
	}
	if (!host || host >= sizeof out->host) return wrong(e, "it has no host");
	memcpy(out->host, text, host);
	out->host[host] = 0;
	return 0;
}

int post_url_read(const char *text, struct post_url *out, struct err *e)
{
	const char *rest;
	size_t n;
	int rc;

	*out = (struct post_url){ 0 };
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return wrong(e, "other characters than visible ASCII must be escaped");
	if (strncasecmp(text, SCHEME, strlen(SCHEME)))
		return wrong(e, "https and other schemes are not spoken here");
	if (strchr(text, '#')) return wrong(e, "it can have no fragment");
	rest = text + strlen(SCHEME);
	n = strcspn(rest, "/?");
	if ((rc = read_place(rest, n, out, e))) return rc;
	rest += n;
	if (strlen(rest) + 2 > sizeof out->target) return wrong(e, "it is too long");
	snprintf(out->target, sizeof out->target, "%s%s", *rest == '/' ? "" : "/", rest);
	return 0;
}

/* ---- the request ---- */

struct talk {
	const struct post *post;
	int64_t until_ms;
	int fd;
};

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Until the socket is ready for events. */
static int await(const struct talk *t, short events, struct err *e)
{
	struct pollfd ready = { .fd = t->fd, .events = events };

	for (;;) {
		if (atomic_load(t->post->stop)) return err_set(e, ERR_STOPPED, "the daemon is stopping");
		if (clock_ms() >= t->until_ms)
			return err_set(e, ERR_IO, "%s did not answer within %d s", t->post->url->place,
					t->post->timeout_ms / 1000);
		if (poll(&ready, 1, SLICE_MS) > 0) return 0;
	}
}

static int broken(const struct talk *t, int error, struct err *e)
{
	return err_set(e, ERR_IO, "%s: %s", t->post->url->place, strerror(error));
}

/* One of the addresses that the name has. */
static int connect_to(struct talk *t, const struct addrinfo *address, struct err *e)
{
	int error = 0, rc = 0;
	socklen_t size = sizeof error;

	t->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0) return broken(t, errno, e);
	if (connect(t->fd, address->ai_addr, address->ai_addrlen) && errno != EINPROGRESS) error = errno;
	if (!error && !(rc = await(t, POLLOUT, e)) && getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (error) rc = broken(t, error, e);
	if (!rc) return 0;
	close(t->fd);
	t->fd = -1;
	return rc;
}

static int open_talk(struct talk *t, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	int failed = getaddrinfo(t->post->url->host, t->post->url->port, &hints, &found);
	int rc = ERR_IO;

	if (failed)
		return err_set(e, ERR_IO, "%s is not found: %s", t->post->url->host, gai_strerror(failed));
	t->until_ms = clock_ms() + t->post->timeout_ms;
	for (const struct addrinfo *at = found; at && rc == ERR_IO; at = at->ai_next)
		rc = connect_to(t, at, e);
	freeaddrinfo(found);
	return rc;
}

static int say(const struct talk *t, const char *text, size_t n, struct err *e)
{
	while (n) {
		ssize_t sent = send(t->fd, text, n, MSG_NOSIGNAL);
		int rc;

		if (sent < 0 && errno != EAGAIN && errno != EINTR) return broken(t, errno, e);
		if (sent < 0) {
			if ((rc = await(t, POLLOUT, e))) return rc;
			continue;
		}
		text += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* The first line of the answer: HTTP/1.1 200 OK. */
static int hear(const struct talk *t, unsigned *status, struct err *e)
{
	char text[STATUS_BYTES];
	size_t n = 0;
	int rc;

	/* cppcheck-suppress uninitvar ; the first n bytes are set */
	while (n < sizeof text - 1 && !memchr(text, '\n', n)) {
		ssize_t got;

		if ((rc = await(t, POLLIN, e))) return rc;
		got = recv(t->fd, text + n, sizeof text - 1 - n, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
		if (got < 0) return broken(t, errno, e);
		if (!got) break;
		n += (size_t)got;
	}
	text[n] = 0;
	if (sscanf(text, "HTTP/1.%*1[0-9] %3u", status) == 1 && *status >= 100) return 0;
	return err_set(e, ERR_IO, "%s does not answer as an HTTP server", t->post->url->place);
}

int post_send(const struct post *post, unsigned *status, struct err *e)
{
	struct talk t = { .post = post, .fd = -1 };
	struct buffer head = { 0 };
	int rc;

	buffer_printf(&head,
			"POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
			post->url->target, post->url->place, post->headers, post->size);
	rc = buffer_ok(&head) ? open_talk(&t, e) : err_nomem(e);
	if (!rc && !(rc = say(&t, head.data, head.size, e)) && !(rc = say(&t, post->body, post->size, e)))
		rc = hear(&t, status, e);
	if (t.fd >= 0) close(t.fd);
	buffer_free(&head);
	return rc;
}
