/* door.c - the thread at the door. See door.h.
 *
 * libmicrohttpd could accept by itself. But a loop of it that finds no descriptor left, and has no connection, tries again
 * at once and for ever; one that has some tries no more until one of its own ends. So connections are accepted here, and
 * given to the loops in turn.
 *
 * A few descriptors are set aside. Where there are no others, who comes gets one of them, which is enough for health;
 * without any, the door waits a moment before it tries again.
 */
#include "server/http/door.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/exchange.h"
#include "server/http/sleep.h"

#define SPARES       8
#define TICK_MS      500  /* so long may somebody overdue stay */
#define WAIT_MS      100  /* for a descriptor */
#define SCARCE_MS    1000 /* so long, at least, there are none: the log gets no more than a line a second */
#define UNSENT_BYTES (256 << 10)
#define SERIES       64 /* connections that are let in before the overdue are looked for again */

struct door {
	struct http_server *server;
	int listen_fd; /* -1: closed */
	int wake_fd;
	int spares[SPARES];
	unsigned spares_count;
	bool scarce;        /* there are no descriptors */
	uint64_t scarce_ms; /* when that was seen last */
	atomic_bool closes, stops;
	pthread_t thread;
};

static void say(const struct door *door, const char *sentence)
{
	door->server->config.log(door->server->config.app, false, sentence);
}

/* ---- descriptors set aside ---- */

static void fill_spares(struct door *door)
{
	while (door->spares_count < SPARES) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (fd < 0) return;
		door->spares[door->spares_count++] = fd;
	}
}

static void drop_spares(struct door *door)
{
	while (door->spares_count)
		close(door->spares[--door->spares_count]);
}

static void set_scarce(struct door *door, bool scarce)
{
	uint64_t now_ms = sleep_now_ms();

	if (scarce) door->scarce_ms = now_ms;
	if (scarce == door->scarce || (!scarce && now_ms - door->scarce_ms < SCARCE_MS)) return;
	door->scarce = scarce;
	connections_set_scarce(door->server->connections, scarce);
	say(door, scarce ? "there are no file descriptors left: until there are, only health is answered on new connections"
			 : "there are file descriptors again");
}

/* ---- those who come ---- */

static int accept_one(const struct door *door, struct sockaddr_storage *from, socklen_t *size)
{
	*size = sizeof *from;
	return accept4(door->listen_fd, (struct sockaddr *)from, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static bool is_out_of_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

/* The kernel keeps no more than this of what it cannot send yet. Else it would keep megabytes for a client that does not read,
 * and take more only when a third of them has gone, which looks like idling. */
static void keep_little(int fd)
{
	const int bytes = UNSENT_BYTES;

	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes); /* a socket's file has none */
}

/* False: nobody is there, or nobody can be let in. */
static bool let_in(struct door *door)
{
	struct sockaddr_storage from;
	socklen_t size;
	int fd = accept_one(door, &from, &size);

	if (fd < 0 && is_out_of_descriptors(errno)) {
		set_scarce(door, true);
		if (!door->spares_count) return false;
		close(door->spares[--door->spares_count]);
		fd = accept_one(door, &from, &size);
	}
	if (fd < 0) return errno == ECONNABORTED || errno == EINTR;
	if (connections_full(door->server->connections)) {
		close(fd);
		return true;
	}
	keep_little(fd);
	/* It closes what it does not take. */
	MHD_add_connection(door->server->daemon, fd, (struct sockaddr *)&from, size);
	return true;
}

static void let_many_in(struct door *door)
{
	for (int i = 0; i < SERIES && let_in(door); i++)
		;
	fill_spares(door);
	if (door->spares_count == SPARES) set_scarce(door, false);
}

/* ---- the thread ---- */

static void shut(struct door *door)
{
	if (door->listen_fd >= 0) close(door->listen_fd);
	door->listen_fd = -1;
}

/* Until there is something to do; true: somebody wants to come in. */
static bool await(struct door *door)
{
	bool waits = door->listen_fd < 0 || (door->scarce && !door->spares_count);
	struct pollfd ready[] = { { .fd = door->wake_fd, .events = POLLIN },
		{ .fd = waits ? -1 : door->listen_fd, .events = POLLIN } };

	int n = poll(ready, 2, door->scarce ? WAIT_MS : TICK_MS);
	eventfd_t ignored;

	if (n > 0 && ready[0].revents) eventfd_read(door->wake_fd, &ignored);
	return n > 0 && ready[1].revents;
}

static void *run_door(void *argument)
{
	struct door *door = argument;
	uint64_t looked_ms = sleep_now_ms();

	while (!atomic_load(&door->stops)) {
		bool comes = await(door);

		if (atomic_load(&door->closes)) shut(door);
		if (door->listen_fd >= 0 && (comes || door->scarce)) let_many_in(door);
		if (sleep_now_ms() - looked_ms < TICK_MS) continue;
		connections_end_overdue(door->server->connections);
		looked_ms = sleep_now_ms();
	}
	return NULL;
}

int door_open(struct door **out, struct http_server *server, struct err *e)
{
	struct door *door = calloc(1, sizeof *door);

	*out = NULL;
	if (!door) return err_nomem(e);
	door->server = server;
	door->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (door->wake_fd < 0) {
		free(door);
		return err_set(e, ERR_IO, "the HTTP server could not be started: %s", strerror(errno));
	}
	door->listen_fd = server->config.listen_fd;
	fill_spares(door);
	if (pthread_create(&door->thread, NULL, run_door, door)) {
		drop_spares(door);
		close(door->wake_fd);
		free(door);
		return err_set(e, ERR_IO, "no thread could be started");
	}
	*out = door;
	return 0;
}

static void wake(struct door *door)
{
	eventfd_write(door->wake_fd, 1);
}

void door_close(struct door *door)
{
	atomic_store(&door->closes, true);
	wake(door);
}

void door_stop(struct door *door)
{
	if (!door) return;
	atomic_store(&door->stops, true);
	wake(door);
	pthread_join(door->thread, NULL);
	shut(door);
	drop_spares(door);
	close(door->wake_fd);
	free(door);
}
