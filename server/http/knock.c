/* knock.c - whether the loops still turn. See http_moves in http.h.
 *
 * We connect to the socket that we listen on, say at once that nothing will be sent, and wait for the other side to close
 * as well: a loop must have taken the connection, read and closed it. No request is made, so nothing stands in the log or
 * in any count; under TLS the handshake that does not come is not told of. While as many connections are open as there may be, nobody is let in and
 * this cannot be asked.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/http/exchange.h"

static struct timeval time_of(double seconds)
{
	return (struct timeval){ .tv_sec = (time_t)seconds,
		.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6) };
}

/* True once the other side has closed, or reset, the connection. */
static bool is_closed(int fd)
{
	char said[256];
	ssize_t n;

	while ((n = recv(fd, said, sizeof said, 0)) > 0 || (n < 0 && errno == EINTR))
		;
	return n == 0 || errno == ECONNRESET;
}

bool http_moves(struct http_server *server, double seconds)
{
	const struct timeval wait = time_of(seconds);
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof address;
	bool moves;
	int fd;

	if (connections_full(server->connections) ||
			getsockname(server->config.listen_fd, (struct sockaddr *)&address, &size))
		return true;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return true; /* no descriptor left says nothing of the loops */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait); /* of connect too */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	atomic_store(&server->knocking, true);
	moves = !connect(fd, (struct sockaddr *)&address, size) && !shutdown(fd, SHUT_WR) && is_closed(fd);
	atomic_store(&server->knocking, false);
	close(fd);
	return moves;
}
