/* test_http_refused.c - the HTTP server where memory, descriptors or threads run out: each call that it makes is refused
 * once.
 *
 * A start either fails, with a sentence, and can be tried again, or there is a server that answers. A request gets its whole
 * answer, or a problem of our own, or its connection ends; and the next one is answered as ever.
 */
#include <zlib.h>

#include "tests/unit/http_serving.h"
#include "tests/unit/refusing_mhd.h"

#define MOST_CALLS 2000
#define BODY       "0123456789abcdefghijklmnopqrstuvwxyz"

/* ---- calls of one thread ---- */

/* The call of this name that this thread makes next is refused. */
static _Thread_local const char *unwilling;
static _Thread_local int unwilling_with;

static bool is_unwilling(const char *name)
{
	if (!unwilling || strcmp(unwilling, name) != 0) return false;
	unwilling = NULL;
	errno = unwilling_with;
	return true;
}

int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	return is_unwilling("connect") ? -1 : TRUE_ONE(connect)(fd, to, size);
}

int shutdown(int fd, int how)
{
	return is_unwilling("shutdown") ? -1 : TRUE_ONE(shutdown)(fd, how);
}

ssize_t recv(int fd, void *bytes, size_t n, int flags)
{
	return is_unwilling("recv") ? -1 : TRUE_ONE(recv)(fd, bytes, n, flags);
}

/* Descriptors that were closed already, or by somebody else. */
static atomic_int closed_twice;

int close(int fd)
{
	int rc = TRUE_ONE(close)(fd);

	if (rc && errno == EBADF) atomic_fetch_add(&closed_twice, 1);
	return rc;
}

/* ---- what is served besides ---- */

static int echo(struct request *rq, struct reply *rp, struct err *err)
{
	(void)err;
	for (int i = 0; i < 40; i++)
		buffer_add(&rp->body, rq->body.data, rq->body.size);
	return 0;
}

struct counted {
	size_t bytes;
};

static int count_begin(struct request *rq, struct reply *rp, struct err *err)
{
	(void)rp;
	rq->state_free = free;
	return (rq->state = calloc(1, sizeof(struct counted))) ? 0 : err_nomem(err);
}

static int count_data(struct request *rq, const char *bytes, size_t n, struct err *err)
{
	(void)bytes, (void)err;
	((struct counted *)rq->state)->bytes += n;
	return 0;
}

static void count_abandon(struct request *rq)
{
	((struct counted *)rq->state)->bytes = 0;
}

static int count_end(struct request *rq, struct reply *rp, struct err *err)
{
	char text[64];

	(void)err;
	snprintf(text, sizeof text, "%zu", ((struct counted *)rq->state)->bytes);
	buffer_add(&rp->body, text, strlen(text));
	return 0;
}

static const struct route_stream counting = { count_begin, count_data, count_abandon };

static int nothing(struct request *rq, struct reply *rp, struct err *err)
{
	(void)rq, (void)rp, (void)err;
	return 0;
}

static int not_there(struct request *rq, struct reply *rp, struct err *err)
{
	(void)rq, (void)rp;
	return err_set(err, ERR_NOT_FOUND, "it is not there");
}

static int unreadable(struct request *rq, struct reply *rp, struct err *err)
{
	(void)rq, (void)rp;
	return err_set(err, ERR_PRECONDITION, "it cannot be read");
}

static const struct route routes[] = {
	{ "GET", "/inline", ROLE_NONE, 0, ROUTE_INLINE, NULL, NULL, "a b", hello, NULL },
	{ "GET", "/later", ROLE_NONE, 0, ROUTE_INLINE, NULL, NULL, NULL, later, NULL },
	{ "GET", "/things/{name}", ROLE_NONE, 0, 0, NULL, NULL, NULL, hello, NULL },
	{ "PUT", "/things/{name}", ROLE_NONE, 4096, ROUTE_CHANGE, NULL, NULL, NULL, echo, NULL },
	{ "PUT", "/unseen", ROLE_NONE, 4096, ROUTE_CHANGE, NULL, NULL, NULL, echo, NULL },
	{ "GET", "/empty", ROLE_NONE, 0, 0, NULL, NULL, NULL, nothing, NULL },
	{ "PUT", "/empty", ROLE_NONE, 4096, ROUTE_CHANGE, NULL, NULL, NULL, echo, NULL },
	{ "GET", "/new", ROLE_NONE, 0, 0, NULL, NULL, NULL, not_there, NULL },
	{ "PUT", "/new", ROLE_NONE, 4096, ROUTE_CHANGE, NULL, NULL, NULL, echo, NULL },
	{ "GET", "/unreadable", ROLE_NONE, 0, 0, NULL, NULL, NULL, unreadable, NULL },
	{ "PUT", "/unreadable", ROLE_NONE, 4096, ROUTE_CHANGE, NULL, NULL, NULL, echo, NULL },
	{ "POST", "/echo", ROLE_NONE, 4096, ROUTE_CODED, NULL, NULL, NULL, echo, NULL },
	{ "POST", "/count", ROLE_NONE, 4096, 0, NULL, NULL, NULL, count_end, &counting },
	{ "GET", "/pieces", ROLE_NONE, 0, 0, NULL, "text/plain", NULL, give_pieces, NULL },
	{ 0 },
};

/* Sends a request, with its nth call refused (0: none), and takes what comes until the connection ends. */
static bool ask(int fd, const char *text, size_t size, char *answer, size_t room, long n)
{
	size_t had = 0;
	ssize_t got;
	bool fired;

	refuse(n); /* no check before it is over: Check allocates */
	send(fd, text, size, MSG_NOSIGNAL);
	while ((got = recv(fd, answer + had, room - 1 - had, 0)) > 0)
		had += (size_t)got;
	fired = was_refused();
	ck_assert_msg(got == 0 || errno == ECONNRESET, "the answer did not end");
	answer[had] = 0;
	close(fd);
	return fired;
}

static const struct {
	const char *head, *body; /* without the lengths */
	bool packed;             /* the body is to be, with gzip */
	unsigned status;
	const char *has;   /* in the answer */
	const char *other; /* or that; NULL: nothing else */
} asked[] = {
	{ "GET /inline?a=1&b=%41 HTTP/1.1\r\n" END "Origin: http://x\r\ntraceparent: "
	  "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n",
			NULL, false, 200, "hello", NULL },
	{ "GET /things/%41b HTTP/1.1\r\n" END, NULL, false, 200, "hello", NULL },
	{ "GET /later HTTP/1.1\r\n" END, NULL, false, 200, "hello", NULL },
	{ "GET /nothing HTTP/1.1\r\n" END, NULL, false, 404, "{}", NULL },
	{ "PUT /things/a HTTP/1.1\r\nIf-Match: *\r\n" END, BODY, false, 200, BODY BODY, NULL },
	{ "PUT /things/a HTTP/1.1\r\nIf-Match: \"a\", W/\"b\"\r\n" END, BODY, false, 412, "{}", NULL },
	{ "PUT /things/a HTTP/1.1\r\nIf-None-Match: \"a\"\r\n" END, BODY, false, 200, BODY BODY, NULL },
	{ "PUT /things/a HTTP/1.1\r\nIf-None-Match: *\r\n" END, BODY, false, 412, "{}", NULL },
	{ "PUT /things/a HTTP/1.1\r\n" END, BODY, false, 200, BODY BODY, NULL },
	{ "PUT /unseen HTTP/1.1\r\nIf-Match: *\r\n" END, BODY, false, 412, "{}", NULL },
	{ "PUT /empty HTTP/1.1\r\nIf-Match: *\r\n" END, BODY, false, 412, "{}", NULL },
	{ "PUT /new HTTP/1.1\r\nIf-None-Match: *\r\n" END, BODY, false, 200, BODY BODY, NULL },
	{ "PUT /unreadable HTTP/1.1\r\nIf-None-Match: *\r\n" END, BODY, false, 412, "{}", NULL },
	{ "POST /echo HTTP/1.1\r\n" END, BODY, false, 200, BODY BODY, NULL },
	{ "POST /echo HTTP/1.1\r\nContent-Encoding: gzip\r\n" END, BODY, true, 200, BODY BODY, NULL },
	{ "POST /echo HTTP/1.1\r\nAccept-Encoding: gzip\r\n" END, BODY, false, 200, "Encoding: gzip",
			BODY BODY },
	{ "POST /count HTTP/1.1\r\n" END, BODY, false, 200, "36", NULL },
	{ "GET /pieces HTTP/1.1\r\n" END, NULL, false, 200, "piece", NULL },
};

static size_t pack(const char *text, char *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)text,
		.avail_in = (uInt)strlen(text),
		.next_out = (Bytef *)out,
		.avail_out = (uInt)room };

	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

/* The whole request. */
static size_t write_request(size_t i, char *out, size_t room)
{
	char body[256];
	size_t size = 0, n;

	if (asked[i].packed)
		size = pack(asked[i].body, body, sizeof body);
	else if (asked[i].body)
		memcpy(body, asked[i].body, size = strlen(asked[i].body));
	n = (size_t)snprintf(out, room, "%s", asked[i].head);
	if (size)
		n += (size_t)snprintf(out + n, room - n,
				"Content-Type: application/json\r\nContent-Length: %zu\r\n", size);
	n += (size_t)snprintf(out + n, room - n, "\r\n");
	ck_assert_uint_lt(n + size, room);
	memcpy(out + n, body, size);
	return n + size;
}

/* ---- listening ---- */

START_TEST(addresses_that_are_none)
{
	static const char *const wrong[] = { "", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:x",
		"127.0.0.1:123456", "127.0.0.1:65536", "127.0.0.1:-1", "[]:80", "no.such.host.invalid:80" };
	char long_host[400];
	bool public;
	int fd;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_int_eq(http_listen(wrong[i], &fd, &port, &public, &e), ERR_INVALID);
		ck_assert_int_eq(fd, -1);
	}
	memset(long_host, 'a', sizeof long_host);
	strcpy(long_host + sizeof long_host - 4, ":80");
	ck_assert_int_eq(http_listen(long_host, &fd, &port, &public, &e), ERR_INVALID);
	ck_assert_int_eq(http_listen_file(long_host, 0600, &fd, &e), ERR_INVALID);
}
END_TEST

static char listen_path[64];

static int listen_on_file(int *fd)
{
	return http_listen_file(listen_path, 0600, fd, &e);
}

static int listen_on_port(int *fd)
{
	bool public;
	int rc = http_listen("127.0.0.1:0", fd, &port, &public, &e);

	if (!rc && public) ck_abort_msg("loopback is not public");
	return rc;
}

static void check_listening(int (*listens)(int *fd))
{
	bool fired;
	int fd, rc;
	long n = 0;

	do {
		refuse(++n);
		rc = listens(&fd);
		fired = was_refused();
		ck_assert_msg(!rc == (fd >= 0) && (!rc || fired), "call %ld: %s", n, e.text);
		if (!rc) close(fd);
		unlink(listen_path);
	} while (fired && n < MOST_CALLS);
	ck_assert_int_ge(n, 3);
}

START_TEST(listening_works_or_says_why)
{
	int fd, other;

	snprintf(listen_path, sizeof listen_path, "/tmp/descentd-listen-%d", (int)getpid());
	check_listening(listen_on_port);
	check_listening(listen_on_file);
	ck_assert_int_eq(listen_on_file(&fd), 0);
	ck_assert_int_eq(listen_on_file(&other), ERR_INVALID); /* somebody is there */
	close(fd);
	ck_assert_int_eq(listen_on_file(&fd), 0); /* whose daemon was killed */
	close(fd);
	unlink(listen_path);
	ck_assert_int_eq(close(creat(listen_path, 0600)), 0);
	ck_assert_int_eq(listen_on_file(&fd), ERR_INVALID); /* no socket */
	unlink(listen_path);
}
END_TEST

/* ---- walks ---- */

START_TEST(a_start_fails_or_serves)
{
	struct http_server *server;
	char request[1024], answer[4096];
	int failures = 0, control, fd;
	bool fired;
	long n = 0;

	snprintf(listen_path, sizeof listen_path, "/tmp/descentd-control-%d", (int)getpid());
	atomic_store(&closed_twice, 0);
	do {
		int rc;

		e.text[0] = 0;
		ck_assert_int_eq(listen_on_file(&control), 0);
		refuse(++n);
		rc = start(&server, routes, control, &fd);
		fired = was_refused();
		unlink(listen_path);
		if (rc) {
			ck_assert_msg(fired && e.text[0], "call %ld: %d %s", n, rc, e.text);
			ck_assert_ptr_null(server);
			failures++;
			continue;
		}
		ask(connected(), request, write_request(1, request, sizeof request), answer, sizeof answer,
				0);
		ck_assert_uint_eq(status_of(answer), 200);
		ck_assert(http_moves(server, PATIENCE_S));
		http_stop(server, 1);
	} while (fired && n < MOST_CALLS);
	ck_assert(!fired);
	ck_assert_int_ge(failures, 10);
	ck_assert_int_eq(atomic_load(&closed_twice), 0);
}
END_TEST

/* The second daemon cannot start, and the first was stopped twice. */
START_TEST(a_control_socket_that_is_none)
{
	struct http_server *server;
	int control = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;

	ck_assert_int_ge(control, 0);
	ck_assert_int_eq(start(&server, routes, control, &fd), ERR_IO);
	ck_assert_ptr_null(server);
	ck_assert_int_eq(fcntl(control, F_GETFD), -1);
}
END_TEST

START_TEST(a_request_fails_alone)
{
	struct http_server *server;
	char request[1024], answer[8192];
	size_t size;
	int fd, failures = 0;
	bool fired;

	ck_assert_int_eq(start(&server, routes, -1, &fd), 0);
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		long n = 0;

		size = write_request(i, request, sizeof request);
		do {
			unsigned status;

			fired = ask(connected(), request, size, answer, sizeof answer, ++n);
			status = status_of(answer);
			if (status != asked[i].status) {
				ck_assert_msg(fired && (!status || status == 500 || status == 503),
						"%s, call %ld: %u", asked[i].head, n, status);
				failures++;
				ask(connected(), request, size, answer, sizeof answer, 0);
				status = status_of(answer);
			}
			ck_assert_msg(status == asked[i].status, "%s, behind call %ld: %u %s", asked[i].head,
					n, status, told);
			ck_assert_msg(strstr(answer, asked[i].has) ||
							(asked[i].other && strstr(answer, asked[i].other)),
					"%s, call %ld: %s", asked[i].head, n, answer);
		} while (fired && n < MOST_CALLS);
		ck_assert(!fired);
	}
	ck_assert_int_ge(failures, 50);
	http_stop(server, 1);
}
END_TEST

/* The exchanges that there are belong to clients who go on later: each request needs a new one. Where there is no memory for it
 * nothing can be said. */
START_TEST(an_exchange_that_cannot_be_had)
{
	enum { WAITING = 8 };
	static const char begun[] = "GET /inline HTTP/1.1\r\n";
	struct http_server *server;
	char request[1024], answer[8192];
	size_t size;
	int fd, waiting[WAITING], unanswered = 0;

	ck_assert_int_eq(start(&server, routes, -1, &fd), 0);
	size = write_request(1, request, sizeof request);
	for (int i = 0; i < WAITING; i++) {
		unsigned status;

		waiting[i] = connected();
		ck_assert_int_eq(
				send(waiting[i], begun, strlen(begun), MSG_NOSIGNAL), (ssize_t)strlen(begun));
		ck_assert(http_moves(server, PATIENCE_S)); /* the one loop has read it */
		ck_assert(ask(connected(), request, size, answer, sizeof answer, i + 1));
		status = status_of(answer);
		ck_assert_msg(!status || status == 200 || status == 500 || status == 503, "%u", status);
		unanswered += !status;
	}
	ck_assert_int_ge(unanswered, 2);
	for (int i = 0; i < WAITING; i++) {
		ck_assert_int_eq(send(waiting[i], END "\r\n", strlen(END) + 2, MSG_NOSIGNAL),
				(ssize_t)strlen(END) + 2);
		ask(waiting[i], "", 0, answer, sizeof answer, 0);
		ck_assert_uint_eq(status_of(answer), 200);
	}
	http_stop(server, 1);
}
END_TEST

/* Only what is seen to stand still does: where it cannot be asked, nothing is wrong. */
START_TEST(a_look_at_the_loops)
{
	static const struct {
		const char *call;
		int error;
		bool moves;
	} looks[] = { { "connect", ECONNREFUSED, false }, { "shutdown", ENOTCONN, false },
		{ "recv", EINTR, true }, { "recv", ECONNRESET, true }, { "recv", EAGAIN, false } };
	struct http_server *server;
	int fd;

	ck_assert_int_eq(start(&server, routes, -1, &fd), 0);
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		unwilling = looks[i].call;
		unwilling_with = looks[i].error;
		ck_assert_msg(http_moves(server, PATIENCE_S) == looks[i].moves, "%s: %s", looks[i].call,
				strerror(looks[i].error));
		ck_assert_ptr_null(unwilling);
	}
	for (long n = 1; n <= 2; n++) { /* getsockname and socket, before anybody else is asked */
		bool moves;

		refuse(n);
		moves = http_moves(server, PATIENCE_S);
		ck_assert(was_refused() && moves);
	}
	http_stop(server, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { addresses_that_are_none, listening_works_or_says_why,
		a_start_fails_or_serves, a_control_socket_that_is_none, a_request_fails_alone,
		an_exchange_that_cannot_be_had, a_look_at_the_loops, NULL };

	return suite_main("HTTP where things run out", tests, 120);
}
