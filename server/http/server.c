/* server.c - the life of the HTTP server: socket, loops, pool, and an end that loses no request. See http.h. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/http/exchange.h"
#include "server/http/sleep.h"

#define LISTEN_BACKLOG 1024
#define POOL_QUEUE_MAX 4096
/* The loops go first: while all cores are busy more requests gather before each product, and it is larger. */
#define COMPUTING_NICENESS 5
#define REPLY_PAUSE_MS     2
#define REPLY_PAUSES       500

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

static unsigned bound_port(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &size)) return 0;
	if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int http_listen(const char *address, int *fd, unsigned *port, bool *public, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
	char host[256], service[8];
	int on = 1, rc;

	*fd = -1;
	if (!split_address(address, host, service))
		return err_set(e, ERR_INVALID, "--listen %s is not HOST:PORT, as in 127.0.0.1:8420", address);
	if ((rc = getaddrinfo(host, service, &hints, &found)))
		return err_set(e, ERR_INVALID, "--listen %s: %s", address, gai_strerror(rc));
	*fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
			bind(*fd, found->ai_addr, found->ai_addrlen) || listen(*fd, LISTEN_BACKLOG)) {
		rc = err_set(e, ERR_IO, "cannot listen on %s: %s", address, strerror(errno));
		if (*fd >= 0) close(*fd);
		*fd = -1;
		goto out;
	}
	*port = bound_port(*fd);
	*public = !is_loopback(found->ai_addr);
out:
	freeaddrinfo(found);
	return rc;
}

static void log_sentence(void *self, const char *format, va_list args)
{
	struct http_server *server = self;
	char text[512];

	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = 0;
	server->config.log(server->config.app, text);
}

int http_start(struct http_server **out, const struct http_config *config, struct err *e)
{
	struct http_server *server = calloc(1, sizeof *server);
	int rc;

	*out = NULL;
	if (!server) return err_nomem(e);
	server->config = *config;
	pthread_mutex_init(&server->change_lock, NULL);
	pthread_mutex_init(&server->resume_lock, NULL);
	if ((rc = sleep_start(server))) {
		err_set(e, rc, "no thread could be started");
		goto free;
	}
	if ((rc = pool_start(&server->pool, config->pool_threads, POOL_QUEUE_MAX, 0, e)) ||
			(rc = pool_start(&server->computing, config->loops, POOL_QUEUE_MAX,
					 COMPUTING_NICENESS, e)))
		goto fail;
	/* The first option must be the logger: it is needed while the others are read. */
	server->daemon = MHD_start_daemon(
			MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
			NULL, exchange_handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_sentence, server,
			MHD_OPTION_LISTEN_SOCKET, config->listen_fd, MHD_OPTION_THREAD_POOL_SIZE,
			config->loops, MHD_OPTION_CONNECTION_LIMIT, config->connections_max,
			MHD_OPTION_CONNECTION_TIMEOUT, config->idle_seconds,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, config->connection_bytes,
			MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server, MHD_OPTION_NOTIFY_COMPLETED,
			exchange_end, server, MHD_OPTION_END);
	if (!server->daemon) {
		rc = err_set(e, ERR_IO, "the HTTP server could not be started: %s", strerror(errno));
		goto fail;
	}
	*out = server;
	return 0;
fail:
	if (server->pool) pool_stop(server->pool);
	if (server->computing) pool_stop(server->computing);
	pool_free(server->pool);
	pool_free(server->computing);
	sleep_stop(server);
free:
	pthread_mutex_destroy(&server->change_lock);
	pthread_mutex_destroy(&server->resume_lock);
	free(server);
	return rc;
}

void http_drain(struct http_server *server)
{
	int fd;

	if (atomic_exchange(&server->draining, true)) return;
	fd = MHD_quiesce_daemon(server->daemon);
	if (fd >= 0) close(fd);
	sleep_drain(server);
}

/* The pool's last replies are still to be sent by their loops: a change that was made is told. */
static void await_replies(const struct http_server *server)
{
	const struct timespec pause = { 0, REPLY_PAUSE_MS * 1000000L };

	for (int i = 0; i < REPLY_PAUSES && atomic_load(&server->under_way); i++)
		nanosleep(&pause, NULL);
}

void http_stop(struct http_server *server, double seconds)
{
	if (!server) return;
	http_drain(server);
	pool_drain(server->pool, seconds);
	pool_drain(server->computing, seconds);
	await_replies(server);
	/* No connection may be suspended when the daemon stops: every task resumes its own. */
	pool_stop(server->pool);
	pool_stop(server->computing);
	MHD_stop_daemon(server->daemon);
	sleep_stop(server);
	pool_free(server->pool);
	pool_free(server->computing);
	pthread_mutex_destroy(&server->change_lock);
	pthread_mutex_destroy(&server->resume_lock);
	free(server);
}
