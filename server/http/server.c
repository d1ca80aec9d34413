/* server.c - the life of the HTTP server: loops, pools, and an end that loses no request. See http.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/http/door.h"
#include "server/http/exchange.h"
#include "server/http/peer.h"
#include "server/http/sleep.h"

#define POOL_QUEUE_MAX 4096
/* The loops go first: while all cores are busy more requests gather before each product, and it is larger. */
#define COMPUTING_NICENESS 5
#define REPLY_PAUSE_MS     2
#define REPLY_PAUSES       500
#define NO_LIMIT           ((unsigned)INT_MAX) /* of libmicrohttpd's connections: places are given by connection.h */
#define REFUSALS_SECONDS   60

/* Anybody can have handshakes fail, thousands a second: they are counted, and told once a minute. */
static void log_refusals(struct http_server *server)
{
	struct timespec now;
	char text[160];
	int64_t due;
	unsigned n;

	atomic_fetch_add(&server->refusals, 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	due = atomic_load(&server->refusals_due);
	if (now.tv_sec < due || !atomic_compare_exchange_strong(
						&server->refusals_due, &due, now.tv_sec + REFUSALS_SECONDS))
		return;
	n = atomic_exchange(&server->refusals, 0);
	snprintf(text, sizeof text,
			"TLS handshakes that failed: %u; those clients speak no TLS 1.2 or 1.3, do not trust the certificate, or "
			"have none that is asked for",
			n);
	server->config.log(server->config.app, false, text);
}

/* How libmicrohttpd begins what it says of a client that left, that sent no HTTP or too much of it, or that asks for another
 * version (505; another 5xx is ours); and what is said for each answer over a socket's file, which is not TCP. */
static bool is_of_client(const char *text)
{
	static const char *const begins[] = { "Socket has been disconnected", "Connection socket is closed",
		"Connection was closed", "Failed to send ",
		"Error processing request (HTTP response code is 4",
		"Error processing request (HTTP response code is 505", "Not enough memory in pool to",
		"Setting TCP_", "Failed to push the data from buffers", "Failed to parse `Content-Length'",
		"Received HTTP/1.1 request without `Host'", "Too large value of 'Content-Length'" };

	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		if (!strncmp(text, begins[i], strlen(begins[i]))) return true;
	return false;
}

static void log_sentence(void *self, const char *format, va_list args)
{
	struct http_server *server = self;
	char text[512];

	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = 0;
	if (strstr(text, "handshake")) {
		if (!atomic_load(&server->knocking)) log_refusals(server);
	} else
		server->config.log(server->config.app, is_of_client(text), text);
}

/* A connection is there, over TLS with its handshake still to come; or it ends. */
static void connection_changes(void *self, struct MHD_Connection *connection, void **context,
		enum MHD_ConnectionNotificationCode what)
{
	const struct http_server *server = self;
	const struct tls *tls = atomic_load_explicit(&server->tls, memory_order_acquire);

	if (tls && what == MHD_CONNECTION_NOTIFY_STARTED && !peer_is_owner(server, connection))
		tls_begin(tls, connection);
	connections_notice(server->connections, connection, context, what);
}

/* Nobody connects any more. MHD_quiesce_daemon is not for that: it takes the socket out of each loop's epoll set, the loop
 * may do the same at that moment, and whoever comes second ends the process. So a socket that does not listen takes the
 * place of the one that does; with it the kernel closes that, and takes it out of all sets. */
static void stop_listening(int listen_fd)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) return; /* who connects is told that the daemon stops */
	dup3(fd, listen_fd, O_CLOEXEC);
	close(fd);
}

/* fd: -1 where the door lets its connections in. */
static int start_daemon(struct MHD_Daemon **out, struct http_server *server, int fd, unsigned loops,
		const struct tls *tls, struct err *e)
{
	const struct http_config *config = &server->config;
	const struct MHD_OptionItem some[] = {
		{ fd < 0 ? MHD_OPTION_CONNECTION_LIMIT : MHD_OPTION_LISTEN_SOCKET,
				fd < 0 ? (intptr_t)NO_LIMIT : fd, NULL },
		/* a pool of one is none */
		{ loops > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, loops, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	/* The first option must be the logger: it is needed while the others are read. */
	*out = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
						(fd < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0) |
						(tls ? MHD_USE_TLS : 0),
			0, NULL, NULL, exchange_handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_sentence,
			server, MHD_OPTION_ARRAY, some, MHD_OPTION_CONNECTION_TIMEOUT, config->idle_seconds,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, config->connection_bytes,
			MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server, MHD_OPTION_NOTIFY_COMPLETED,
			exchange_end, server, MHD_OPTION_NOTIFY_CONNECTION, connection_changes, server,
			MHD_OPTION_ARRAY, tls_options(tls), MHD_OPTION_END);
	if (*out) return 0;
	return err_set(e, ERR_IO, "the HTTP server could not be started: %s", strerror(errno));
}

/* What was handed over, but for what has ended with the part that had it. */
static void drop_handed(const struct http_config *config, bool control_closed)
{
	close(config->listen_fd);
	if (config->control_fd >= 0 && !control_closed) close(config->control_fd);
	tls_free(config->tls);
}

int http_start(struct http_server **out, const struct http_config *config, struct err *e)
{
	struct http_server *server = calloc(1, sizeof *server);
	int rc;

	*out = NULL;
	if (!server) {
		drop_handed(config, false);
		return err_nomem(e);
	}
	server->config = *config;
	atomic_init(&server->tls, config->tls);
	pthread_mutex_init(&server->change_lock, NULL);
	pthread_mutex_init(&server->resume_lock, NULL);
	if ((rc = sleep_start(server))) {
		err_set(e, rc, "no thread could be started");
		goto free;
	}
	if ((rc = connections_new(&server->connections, &server->config, e)) ||
			(rc = pool_start(&server->pool, config->pool_threads, POOL_QUEUE_MAX, 0, e)) ||
			(rc = pool_start(&server->computing, config->loops, POOL_QUEUE_MAX,
					 COMPUTING_NICENESS, e)))
		goto fail;
	if ((rc = start_daemon(&server->daemon, server, -1, config->loops, config->tls, e))) goto fail;
	if (config->control_fd >= 0 &&
			(rc = start_daemon(&server->control, server, config->control_fd, 1, NULL, e)))
		goto fail;
	if ((rc = door_open(&server->door, server, e))) goto fail;
	*out = server;
	return 0;
fail:
	if (server->daemon) MHD_stop_daemon(server->daemon);
	if (server->control) MHD_stop_daemon(server->control);
	connections_free(server->connections);
	if (server->pool) pool_stop(server->pool);
	if (server->computing) pool_stop(server->computing);
	pool_free(server->pool);
	pool_free(server->computing);
	sleep_stop(server);
free:
	drop_handed(config, server->control);
	pthread_mutex_destroy(&server->change_lock);
	pthread_mutex_destroy(&server->resume_lock);
	free(server);
	return rc;
}

bool http_set_tls(struct http_server *server, struct tls *tls)
{
	if (!tls_replace(tls, atomic_load(&server->tls))) return false;
	atomic_store(&server->tls, tls);
	return true;
}

void http_drain(struct http_server *server)
{
	if (atomic_exchange(&server->draining, true)) return;
	door_close(server->door);
	if (server->control) stop_listening(server->config.control_fd);
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
	door_stop(server->door);
	MHD_stop_daemon(server->daemon);
	if (server->control) MHD_stop_daemon(server->control);
	connections_free(server->connections);
	sleep_stop(server);
	pool_free(server->pool);
	pool_free(server->computing);
	tls_free(atomic_load(&server->tls));
	pthread_mutex_destroy(&server->change_lock);
	pthread_mutex_destroy(&server->resume_lock);
	free(server);
}
