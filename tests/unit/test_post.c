/* test_post.c - the client of webhooks: which URLs it takes, and what it says of servers that do not answer as they should. Each
 * of its calls is refused once.
 *
 * The server is a process of its own, so that only the client's calls are refused, and only its descriptors are counted. The
 * path of a URL says how it is to behave.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "server/http/post.h"
#include "tests/unit/refusing.h"
#include "tests/unit/suite.h"

#define MOST_CALLS  200
#define PATIENCE_MS 30000
#define BRIEF_MS    150
#define LARGE_BYTES (32 << 20) /* more than the kernel keeps for both sides */
#define BODY        "{\"state\":\"succeeded\"}"
#define HEADERS     "Content-Type: application/json\r\n"

static struct err e;
static atomic_bool stop;

/* ---- refused calls ---- */

static int refused_with;

FALLIBLE(socket, refused_with, int, (int domain, int type, int protocol), domain, type, protocol)
FALLIBLE(connect, refused_with, int, (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)
FALLIBLE(poll, refused_with, int, (struct pollfd * fds, nfds_t count, int ms), fds, count, ms)
FALLIBLE(getsockopt, refused_with, int, (int fd, int level, int name, void *value, socklen_t *size), fd,
		level, name, value, size)
FALLIBLE(send, refused_with, ssize_t, (int fd, const void *bytes, size_t n, int flags), fd, bytes, n, flags)
FALLIBLE(recv, refused_with, ssize_t, (int fd, void *bytes, size_t n, int flags), fd, bytes, n, flags)

/* What recv is where the compiler checks the room. */
ssize_t __recv_chk(int fd, void *bytes, size_t n, size_t room, int flags);
FALLIBLE(__recv_chk, refused_with, ssize_t, (int fd, void *bytes, size_t n, size_t room, int flags), fd,
		bytes, n, room, flags)

/* ---- the server ---- */

static const struct {
	const char *path, *answer; /* NULL: none, and the connection stays */
	unsigned status;           /* 0: the client takes it for no answer */
} behaviours[] = {
	{ "/ok", "HTTP/1.1 204 No Content\r\n\r\n", 204 }, { "/old", "HTTP/1.0 500 Oh\r\n\r\n", 500 },
	{ "/bare", "HTTP/1.1 410", 410 }, { "/cut", "HTTP/1.1 2", 0 },
	{ "/other", "220 mail.example ESMTP\r\n", 0 }, { "/later-http", "HTTP/2 200\r\n", 0 },
	{ "/ends", "", 0 }, { "/silent", NULL, 0 },
	{ "/deaf", NULL, 0 }, /* reads no more than the head's beginning */
};

/* Reads a request's head and body. */
static bool read_request(int fd, char *head, size_t room)
{
	size_t n = 0;

	while (n < room - 1) {
		ssize_t got = read(fd, head + n, room - 1 - n);

		if (got <= 0) return false;
		head[n += (size_t)got] = 0;
		if (!strncmp(head, "POST /deaf ", 11)) return true;
		if (strstr(head, "\r\n\r\n" BODY)) return true;
	}
	return false;
}

static void serve(int listen_fd)
{
	char head[4096];

	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		const char *answer = "HTTP/1.1 400 Unknown path\r\n";

		if (fd < 0 || !read_request(fd, head, sizeof head)) {
			close(fd);
			continue;
		}
		for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
			size_t n = strlen(behaviours[i].path);

			if (!strncmp(head + 5, behaviours[i].path, n) && head[5 + n] == ' ')
				answer = behaviours[i].answer;
		}
		if (!answer) continue; /* it stays open */
		if (write(fd, answer, strlen(answer)) < 0) _exit(1);
		close(fd);
	}
}

static pid_t server;
static unsigned port; /* of 127.0.0.1 */

static void start_server(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(listen(fd, 100), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	port = ntohs(at.sin_port);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	close(fd);
}

static void end_server(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* ---- the client ---- */

static struct post_url url;
static unsigned status;

static void aim(const char *host, const char *path)
{
	char text[400];

	snprintf(text, sizeof text, "http://%s:%u%s", host, port, path);
	ck_assert_msg(!post_url_read(text, &url, &e), "%s: %s", text, e.text);
}

static int send_body(const char *body, size_t size, int timeout_ms)
{
	const struct post post = { &url, HEADERS, body, size, timeout_ms, &stop };

	e.text[0] = 0;
	status = 0;
	return post_send(&post, &status, &e);
}

static int send_to(const char *host, const char *path, int timeout_ms)
{
	aim(host, path);
	return send_body(BODY, strlen(BODY), timeout_ms);
}

static int next_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

/* ---- URLs ---- */

START_TEST(urls_that_are_read)
{
	static const struct {
		const char *text, *host, *place, *port, *target;
	} right[] = {
		{ "http://example.com", "example.com", "example.com", "80", "/" },
		{ "HTTP://example.com/", "example.com", "example.com", "80", "/" },
		{ "http://example.com?a=b", "example.com", "example.com", "80", "/?a=b" },
		{ "http://10.0.0.1:8080/a/b?c=:@", "10.0.0.1", "10.0.0.1:8080", "8080", "/a/b?c=:@" },
		{ "http://h:1", "h", "h:1", "1", "/" },
		{ "http://h:65535/", "h", "h:65535", "65535", "/" },
		{ "http://h:00080/", "h", "h:00080", "80", "/" },
		{ "http://[::1]/x", "::1", "[::1]", "80", "/x" },
		{ "http://[fe80::1]:99", "fe80::1", "[fe80::1]:99", "99", "/" },
	};

	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		int rc = post_url_read(right[i].text, &url, &e);

		ck_assert_msg(!rc, "%s: %s", right[i].text, e.text);
		ck_assert_str_eq(url.host, right[i].host);
		ck_assert_str_eq(url.place, right[i].place);
		ck_assert_str_eq(url.port, right[i].port);
		ck_assert_str_eq(url.target, right[i].target);
	}
}
END_TEST

START_TEST(urls_that_are_none)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{ "https://h/", "https" },
		{ "ftp://h/", "other schemes" },
		{ "h", "other schemes" },
		{ "http://h/a b", "escaped" },
		{ "http://h/\x7f", "escaped" },
		{ "http://h/\xc3\xa4", "escaped" },
		{ "http://h/#a", "fragment" },
		{ "http://", "no host" },
		{ "http:///a", "no host" },
		{ "http://:80/", "no host" },
		{ "http://a:b@h/", "password" },
		{ "http://h:/", "port" },
		{ "http://h:x/", "port" },
		{ "http://h:8x/", "port" },
		{ "http://h:0/", "port" },
		{ "http://h:65536/", "port" },
		{ "http://h:123456/", "port" },
		{ "http://[::1/", "no end" },
		{ "http://[::1]a/", "IPv6" },
		{ "http://[::1]a:80/", "IPv6" },
		{ "http://[]/", "IPv6" },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_msg(post_url_read(wrong[i].text, &url, &e) == ERR_INVALID, "%s", wrong[i].text);
		ck_assert_msg(strstr(e.text, wrong[i].why), "%s: %s", wrong[i].text, e.text);
	}
}
END_TEST

static int read_long(const char *before, size_t letters)
{
	char text[2 * POST_PATH_MAX];
	size_t n = strlen(before);

	memset(text, 'a', sizeof text);
	memcpy(text, before, n);
	text[n + letters] = 0;
	return post_url_read(text, &url, &e);
}

START_TEST(urls_that_are_too_long)
{
	ck_assert_int_eq(read_long("http://", sizeof url.host - 1), 0);
	ck_assert_uint_eq(strlen(url.host), sizeof url.host - 1);
	ck_assert_int_eq(read_long("http://", sizeof url.host), ERR_INVALID);
	ck_assert_int_eq(read_long("http://", sizeof url.place), ERR_INVALID);
	ck_assert_msg(strstr(e.text, "host is too long"), "%s", e.text);
	ck_assert_int_eq(read_long("http://h/", POST_PATH_MAX - 3), 0);
	ck_assert_uint_eq(strlen(url.target), POST_PATH_MAX - 2);
	ck_assert_int_eq(read_long("http://h/", POST_PATH_MAX - 2), ERR_INVALID);
	ck_assert_msg(strstr(e.text, "it is too long"), "%s", e.text);
}
END_TEST

/* ---- answers ---- */

START_TEST(what_a_server_answers)
{
	start_server();
	for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
		bool answers = behaviours[i].answer;
		int rc = send_to("127.0.0.1", behaviours[i].path, answers ? PATIENCE_MS : BRIEF_MS);

		ck_assert_msg(!rc == (behaviours[i].status > 0), "%s: %d %s", behaviours[i].path, rc, e.text);
		if (!rc) {
			ck_assert_uint_eq(status, behaviours[i].status);
			continue;
		}
		ck_assert_int_eq(rc, ERR_IO);
		ck_assert_msg(strstr(e.text, answers ? "does not answer as an HTTP server"
						     : "did not answer within"),
				"%s: %s", behaviours[i].path, e.text);
		ck_assert_ptr_eq(strstr(e.text, url.place), e.text);
	}
	end_server();
}
END_TEST

/* The name may have addresses at which nobody is. */
START_TEST(one_address_after_the_other)
{
	start_server();
	ck_assert_msg(!send_to("localhost", "/ok", PATIENCE_MS), "%s", e.text);
	ck_assert_uint_eq(status, 204);
	end_server();
	ck_assert_int_eq(send_to("localhost", "/ok", PATIENCE_MS), ERR_IO);
	ck_assert_msg(strstr(e.text, strerror(ECONNREFUSED)), "%s", e.text);
	ck_assert_int_eq(send_to("no.such.host.invalid", "/ok", PATIENCE_MS), ERR_IO);
	ck_assert_msg(strstr(e.text, "no.such.host.invalid is not found"), "%s", e.text);
}
END_TEST

/* The kernel takes what it has room for; the rest waits for a server that reads nothing. */
START_TEST(a_body_that_nobody_reads)
{
	char *body = calloc(1, LARGE_BYTES);
	int fd = next_fd();

	ck_assert_ptr_nonnull(body);
	start_server();
	aim("127.0.0.1", "/deaf");
	ck_assert_int_eq(send_body(body, LARGE_BYTES, BRIEF_MS), ERR_IO);
	ck_assert_msg(strstr(e.text, "did not answer within"), "%s", e.text);
	ck_assert_int_eq(next_fd(), fd);
	end_server();
	free(body);
}
END_TEST

START_TEST(a_stop_ends_it)
{
	start_server();
	atomic_store(&stop, true);
	ck_assert_int_eq(send_to("localhost", "/ok", PATIENCE_MS), ERR_STOPPED);
	atomic_store(&stop, false);
	end_server();
}
END_TEST

/* ---- walks ---- */

/* Each call is refused once: how many of them fail the delivery? Whatever comes, no descriptor stays open. */
static int count_failures(int error)
{
	int failures = 0, fd = next_fd();
	bool fired;
	long n = 0;

	refused_with = error;
	do {
		int rc;

		aim("127.0.0.1", "/ok");
		refuse(++n);
		rc = send_body(BODY, strlen(BODY), PATIENCE_MS);
		fired = was_refused();
		failures += rc != 0;
		ck_assert_msg(!rc ? status == 204 : fired && e.text[0] && (rc == ERR_IO || rc == ERR_NOMEM),
				"%s, call %ld: %d %s", strerror(error), n, rc, e.text);
		ck_assert_int_eq(next_fd(), fd);
	} while (fired && n < MOST_CALLS);
	ck_assert(!fired);
	return failures;
}

/* What is no more than interrupted, or not ready yet, is tried again: the head, the body and the answer. */
START_TEST(a_delivery_arrives_or_says_why)
{
	int failures;

	start_server();
	ck_assert_int_eq(send_to("127.0.0.1", "/ok", PATIENCE_MS),
			0); /* libc keeps what it needs to look names up */
	failures = count_failures(ECONNRESET);
	ck_assert_int_ge(failures, 6); /* socket, connect, getsockopt, and those three */
	ck_assert_int_eq(count_failures(EINTR), failures - 3);
	ck_assert_int_eq(count_failures(EAGAIN), failures - 3);
	end_server();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { urls_that_are_read, urls_that_are_none, urls_that_are_too_long,
		what_a_server_answers, one_address_after_the_other, a_body_that_nobody_reads, a_stop_ends_it,
		a_delivery_arrives_or_says_why, NULL };

	return suite_main("one POST", tests, 60);
}
