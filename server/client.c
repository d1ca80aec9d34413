/* client.c - a small HTTP client: one connection a request, `Connection: close`, read to the end. See client.h.
 *
 * Every wait also watches stop_fd, so that Ctrl-C never waits for an answer. The daemon sends a Content-Length with
 * everything asked of it here; it tells a whole answer from one that was cut.
 */
#include "server/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES   (16 << 10)
#define ANSWER_BYTES (4 << 20) /* more is no answer to questions of ours */

struct call {
	const struct client *client;
	int fd;
	int64_t deadline_ms; /* on the monotonic clock */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int failed(const char *what, struct err *e)
{
	return err_set(e, ERR_IO, "the daemon %s: %s", what, strerror(errno));
}

/* Until the socket can do what events says. */
static int await(const struct call *call, short events, struct err *e)
{
	struct pollfd fds[] = { { call->fd, events, 0 }, { call->client->stop_fd, POLLIN, 0 } };
	int64_t left;
	int n;

	do {
		left = call->deadline_ms - now_ms();
		n = poll(fds, 2, left < 0 ? 0 : (int)left);
	} while (n < 0 && errno == EINTR);
	if (n < 0) return failed("cannot be waited for", e);
	if (fds[1].revents) return err_set(e, ERR_STOPPED, "stopped");
	if (!n) return err_set(e, ERR_IO, "the daemon did not answer within %d s", CLIENT_SECONDS);
	return 0;
}

/* Where everybody may make files, another user may have put a socket there before the daemon did. */
static int check_peer(const struct call *call, struct err *e)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	struct stat file;

	if (getsockopt(call->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || stat(call->client->file, &file))
		return failed("cannot be told from others", e);
	if (!peer.uid || peer.uid == geteuid() || peer.uid == file.st_uid) return 0;
	return err_set(e, ERR_IO,
			"user %u listens on %s, who owns no database here: remove that file, and start the daemon again",
			(unsigned)peer.uid, call->client->socket);
}

/* Both connect at once or not at all; afterwards the socket never blocks. */
static int connect_to(struct call *call, struct err *e)
{
	struct sockaddr_in port = { .sin_family = AF_INET, .sin_port = htons((uint16_t)call->client->port) };
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	bool local = call->client->socket;
	const struct sockaddr *to = local ? (struct sockaddr *)&path : (struct sockaddr *)&port;

	port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (local) snprintf(path.sun_path, sizeof path.sun_path, "%s", call->client->socket);
	call->fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (call->fd < 0) return failed("cannot be reached", e);
	if (!connect(call->fd, to, local ? sizeof path : sizeof port)) return local ? check_peer(call, e) : 0;
	return errno == EINPROGRESS ? await(call, POLLOUT, e) : failed("cannot be reached", e);
}

static int send_all(const struct call *call, const char *data, size_t size, struct err *e)
{
	int rc = 0;

	while (size && !rc) {
		ssize_t n = send(call->fd, data, size, MSG_NOSIGNAL);

		if (n >= 0) {
			data += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			rc = await(call, POLLOUT, e);
		} else if (errno != EINTR) {
			rc = failed("did not take the request", e);
		}
	}
	return rc;
}

static int send_request(const struct call *call, const struct client_request *rq, struct err *e)
{
	struct buffer out = { 0 };
	int rc;

	buffer_printf(&out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n", rq->method,
			rq->path, call->client->port);
	if (rq->type) buffer_printf(&out, "Content-Type: %s\r\n", rq->type);
	if (rq->body) buffer_printf(&out, "Content-Length: %zu\r\n", rq->size);
	buffer_text(&out, "\r\n");
	if (rq->body) buffer_add(&out, rq->body, rq->size);
	rc = buffer_ok(&out) ? send_all(call, out.data, out.size, e) : err_nomem(e);
	buffer_free(&out);
	return rc;
}

/* Everything to the end of the connection, and a NUL that size does not count. */
static int read_all(const struct call *call, struct buffer *in, struct err *e)
{
	ssize_t n = 1;
	int rc = 0;

	while (n && !rc) {
		char *to = buffer_reserve(in, READ_BYTES + 1);

		if (!to) return err_nomem(e);
		n = recv(call->fd, to, READ_BYTES, 0);
		if (n >= 0) {
			in->size += (size_t)n;
			to[n] = 0;
		} else if (errno == EAGAIN) {
			rc = await(call, POLLIN, e);
		} else if (errno != EINTR) {
			rc = failed("broke off its answer", e);
		}
		if (in->size > ANSWER_BYTES) rc = err_set(e, ERR_IO, "the daemon answers without end");
	}
	return rc;
}

static int take_apart(struct client_answer *answer, struct err *e)
{
	static const char length_name[] = "\r\nContent-Length:";
	char *head = answer->raw.data, *end = strstr(head, "\r\n\r\n"), *length;

	if (!end || sscanf(head, "HTTP/1.1 %3u ", &answer->status) != 1)
		return err_set(e, ERR_IO, "what came from the daemon is no HTTP answer");
	answer->body = end + strlen("\r\n\r\n");
	answer->body_size = answer->raw.size - (size_t)(answer->body - head);
	if (answer->status == 204) return 0;
	length = strcasestr(head, length_name);
	if (!length || length > end || strtoull(length + strlen(length_name), NULL, 10) != answer->body_size)
		return err_set(e, ERR_IO, "the answer of the daemon is cut short");
	return 0;
}

int client_call(const struct client *client, const struct client_request *request, struct client_answer *out,
		struct err *e)
{
	struct call call = { client, -1, now_ms() + CLIENT_SECONDS * 1000 };
	struct client_answer answer = { 0 };
	int rc;

	if ((rc = connect_to(&call, e))) goto out;
	if ((rc = send_request(&call, request, e))) goto out;
	if ((rc = read_all(&call, &answer.raw, e))) goto out;
	rc = take_apart(&answer, e);
out:
	if (call.fd >= 0) close(call.fd);
	if (rc)
		client_answer_clear(&answer);
	else
		*out = answer;
	return rc;
}

void client_answer_clear(struct client_answer *answer)
{
	buffer_free(&answer->raw);
	*answer = (struct client_answer){ 0 };
}
