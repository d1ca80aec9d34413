/* listen.c - the socket that the server listens on: a port, or a file of this machine. See http.h.
 *
 * A socket's file outlives its daemon when that is killed. So one that nobody answers behind is taken away, and one that
 * somebody does is left alone.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/http/http.h"

#define LISTEN_BACKLOG 1024

/* ---- a port ---- */

/* "HOST:PORT" or "[HOST]:PORT" into its two halves. */
static bool split_address(const char *address, char host[256], char port[8])
{
	const char *colon = strrchr(address, ':');
	size_t n;

	if (!colon || !colon[1] || strlen(colon + 1) > 5 ||
			strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	if (strtoul(colon + 1, NULL, 10) > 65535) return false;
	n = (size_t)(colon - address);
	if (n >= 2 && address[0] == '[' && colon[-1] == ']') {
		address++;
		n -= 2;
	}
	if (!n || n > 255) return false;
	memcpy(host, address, n);
	host[n] = 0;
	strcpy(port, colon + 1);
	return true;
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->sa_family == AF_INET) return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* 0: with errno. */
static unsigned bound_port(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &size)) return 0;
	if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): zeroed above */
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int http_listen(const char *address, int *fd, unsigned *port, bool *public, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
	char host[256], service[8];
	int on = 1, rc;

	*fd = -1;
	if (!split_address(address, host, service))
		return err_set(e, ERR_INVALID,
				"--listen %s is neither HOST:PORT, as in 127.0.0.1:8420, nor unix:/PATH",
				address);
	if ((rc = getaddrinfo(host, service, &hints, &found)))
		return err_set(e, ERR_INVALID, "--listen %s: %s", address, gai_strerror(rc));
	*fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
			bind(*fd, found->ai_addr, found->ai_addrlen) || listen(*fd, LISTEN_BACKLOG) ||
			!(*port = bound_port(*fd))) {
		rc = err_set(e, ERR_IO, "cannot listen on %s: %s", address, strerror(errno));
		if (*fd >= 0) close(*fd);
		*fd = -1;
		goto out;
	}
	*public = !is_loopback(found->ai_addr);
out:
	freeaddrinfo(found);
	return rc;
}

/* ---- a file ---- */

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Is somebody behind it? */
static bool is_answered(const struct sockaddr_un *address)
{
	int fd = new_socket();
	bool answered = fd >= 0 &&
			(!connect(fd, (const struct sockaddr *)address, sizeof *address) || errno == EAGAIN);

	if (fd >= 0) close(fd);
	return answered;
}

/* Makes room for the socket. */
static int clear_path(const struct sockaddr_un *address, struct err *e)
{
	struct stat found;

	if (lstat(address->sun_path, &found)) return 0; /* bind says what is wrong with the folder */
	if (!S_ISSOCK(found.st_mode))
		return err_set(e, ERR_INVALID, "--listen: %s is there and is no socket", address->sun_path);
	if (is_answered(address))
		return err_set(e, ERR_INVALID, "--listen: somebody listens on %s already", address->sun_path);
	unlink(address->sun_path);
	return 0;
}

/* The mode holds from the first moment on: nobody connects in between. */
static int bind_with_mode(int fd, const struct sockaddr_un *address, unsigned mode)
{
	mode_t before = umask(0777 & ~mode);
	int failed = bind(fd, (const struct sockaddr *)address, sizeof *address);

	umask(before);
	return failed;
}

int http_listen_file(const char *path, unsigned mode, int *fd, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int rc;

	*fd = -1;
	if (strlen(path) >= sizeof address.sun_path)
		return err_set(e, ERR_INVALID, "--listen: the path of a socket has at most %zu bytes",
				sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	if ((rc = clear_path(&address, e))) return rc;
	*fd = new_socket();
	if (*fd >= 0 && !bind_with_mode(*fd, &address, mode) && !listen(*fd, LISTEN_BACKLOG)) return 0;
	rc = err_set(e, ERR_IO, "cannot listen on %s: %s", path, strerror(errno));
	if (*fd >= 0) close(*fd);
	*fd = -1;
	return rc;
}
