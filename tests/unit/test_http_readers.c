/* test_http_readers.c - how long a client may take to read its answer from a socket's file, where the system does not say how far
 * it is. The clock by which that goes is ours: nobody waits.
 */
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <time.h>

#include "server/http/exchange.h"
#include "tests/unit/http_serving.h"
#include "tests/unit/refusing.h"

#define TRANSFER_MS (PATIENCE_S * 1000) /* so long may nothing be read */
#define LARGE_BYTES (8u << 20)
#define BURST_BYTES 200000 /* that are read at once; less than the kernel keeps */
#define BURSTS      8
#define PAUSE_US    500

/* ---- a clock ---- */

static atomic_int ahead_ms;

int clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = TRUE_ONE(clock_gettime)(id, out);

	if (id == CLOCK_MONOTONIC_COARSE && is_ours((uintptr_t)__builtin_return_address(0)))
		out->tv_sec += atomic_load(&ahead_ms) / 1000;
	return rc;
}

/* ---- what is served ---- */

static struct http_server *server;
static struct connection *_Atomic asks;

static int give_much(struct request *rq, struct reply *rp, struct err *err)
{
	char *to = buffer_reserve(&rp->body, LARGE_BYTES);

	if (!to) return err_nomem(err);
	for (size_t i = 0; i < LARGE_BYTES; i++)
		to[i] = (char)('a' + i % 23);
	rp->body.size = LARGE_BYTES;
	atomic_store(&asks, ((struct exchange *)rq)->link);
	return 0;
}

static const struct route routes[] = {
	{ "GET", "/much", ROLE_NONE, 0, ROUTE_INLINE, NULL, NULL, NULL, give_much, NULL },
	{ 0 },
};

static char path[64];

static void set_up(void)
{
	int fd;

	snprintf(path, sizeof path, "/tmp/descentd-readers-%d", (int)getpid());
	ck_assert_msg(!http_listen_file(path, 0600, &fd, &e), "%s", e.text);
	ck_assert_msg(!serve(&server, routes, -1, fd), "%s", e.text);
}

static void wait_until(bool (*is_so)(void))
{
	for (int i = 0; !is_so(); i++) {
		ck_assert_int_lt(i, PATIENCE_S * 1000000 / PAUSE_US);
		usleep(PAUSE_US);
	}
}

static bool nothing_is_left(void)
{
	return !atomic_load(&server->under_way) && !atomic_load(&server->held_bytes);
}

static void tear_down(void)
{
	wait_until(nothing_is_left);
	http_stop(server, 1);
	unlink(path);
}

/* ---- its client ---- */

static int asking(void)
{
	static const char request[] = "GET /much HTTP/1.1\r\n" END "\r\n";
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval patience = { PATIENCE_S, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, path);
	atomic_store(&asks, NULL);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	return fd;
}

static char answer[LARGE_BYTES + 4096];
static size_t had;

/* Up to so many bytes; false: the answer has ended. */
static bool read_some(int fd, size_t n)
{
	while (n) {
		ssize_t got = recv(fd, answer + had, n, 0);

		ck_assert_msg(got >= 0 || errno == ECONNRESET, "the answer did not end");
		if (got <= 0) return false;
		had += (size_t)got;
		n -= (size_t)got;
	}
	return true;
}

/* The kernel has taken from the loop what it keeps. */
static bool is_full(void)
{
	struct connection *c = atomic_load(&asks);
	struct pollfd room = { .events = POLLOUT };
	int waiting = 0;

	if (!c) return false;
	room.fd = c->fd;
	return !ioctl(c->fd, SIOCOUTQ, &waiting) && waiting > 0 && !poll(&room, 1, 0);
}

/* Time passes, and the door looks for the overdue. */
static void pass(int ms)
{
	atomic_fetch_add(&ahead_ms, ms);
	connections_end_overdue(server->connections);
}

/* ---- tests ---- */

/* What was fetched of the kernel's was filled up again before somebody looked, to the same number of bytes: the reader of bursts
 * was taken for one who does not read. */
START_TEST(who_reads_in_bursts_gets_all)
{
	const char *body;
	int fd;

	set_up();
	fd = asking();
	for (int i = 0; i < BURSTS; i++) {
		wait_until(is_full);
		pass(0);
		ck_assert(read_some(fd, BURST_BYTES));
		wait_until(is_full);
		pass(TRANSFER_MS * 2 / 3);
	}
	ck_assert(!read_some(fd, sizeof answer - had)); /* to its end */
	ck_assert_ptr_nonnull(body = strstr(answer, "\r\n\r\n"));
	ck_assert_uint_eq(had - (size_t)(body + 4 - answer), LARGE_BYTES);
	for (size_t i = 0; i < LARGE_BYTES; i++)
		if (body[4 + i] != (char)('a' + i % 23)) ck_abort_msg("byte %zu is another", i);
	close(fd);
	tear_down();
}
END_TEST

START_TEST(who_reads_no_more_is_cut)
{
	set_up();
	for (int bursts = 0; bursts < 2; bursts++) {
		int fd = asking();

		had = 0;
		wait_until(is_full);
		for (int i = 0; i < bursts; i++)
			ck_assert(read_some(fd, BURST_BYTES));
		wait_until(is_full);
		pass(0);
		pass(TRANSFER_MS * 2 / 3);
		ck_assert_uint_eq(atomic_load(&server->under_way), 1);
		pass(TRANSFER_MS * 2 / 3);
		wait_until(nothing_is_left);
		read_some(fd, LARGE_BYTES);
		ck_assert_uint_lt(had, LARGE_BYTES);
		close(fd);
	}
	tear_down();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { who_reads_in_bursts_gets_all, who_reads_no_more_is_cut, NULL };

	return suite_main("readers of a socket's file", tests, 120);
}
