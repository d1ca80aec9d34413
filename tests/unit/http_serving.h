/* http_serving.h - a small HTTP server in the process of a unit test, and a client of it. Included once by a test program, which
 * has the table of routes.
 */
#ifndef TESTS_UNIT_HTTP_SERVING_H
#define TESTS_UNIT_HTTP_SERVING_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/http.h"
#include "tests/unit/suite.h"

#define PATIENCE_S    30 /* with an answer */
#define SOURCE_PIECES 3
#define END           "Host: localhost\r\nConnection: close\r\n"

static struct err e;
static unsigned port;
static char told[sizeof e.text]; /* the last problem */

/* ---- what is served ---- */

static inline int hello(struct request *rq, struct reply *rp, struct err *err)
{
	(void)rq, (void)err;
	buffer_add(&rp->body, "{\"hello\":1}", 11);
	return 0;
}

struct pieces {
	int made, sent;
};

static ssize_t next_piece(void *self, char *to, size_t size)
{
	struct pieces *p = self;

	if (p->sent == SOURCE_PIECES) return REPLY_END;
	if (p->sent == p->made || size < 6) return 0;
	memcpy(to, "piece ", 6);
	p->sent++;
	return 6;
}

static void make_piece(void *self)
{
	((struct pieces *)self)->made++;
}

static inline int give_pieces(struct request *rq, struct reply *rp, struct err *err)
{
	if (!(rq->state = calloc(1, sizeof(struct pieces)))) return err_nomem(err);
	rq->state_free = free;
	rp->source = (struct reply_source){ .self = rq->state, .next = next_piece, .fill = make_piece };
	return 0;
}

/* Handed to a thread for much work, and back. */
static void compute(struct request *rq)
{
	++*(int *)rq->state;
	http_again(rq);
}

static void compute_later(struct request *rq)
{
	if (!http_compute(rq, compute)) compute(rq);
}

static inline int later(struct request *rq, struct reply *rp, struct err *err)
{
	if (rq->state) return hello(rq, rp, err);
	if (!(rq->state = calloc(1, sizeof(int)))) return err_nomem(err);
	rq->state_free = free;
	rq->later = compute_later;
	return ERR_LATER;
}

static int admit(struct request *rq, const struct route *route, struct err *err)
{
	(void)route, (void)err;
	rq->reader = rq->headers[HEADER_ORIGIN];
	rq->rate = (struct request_rate){ 9, 8, 1 };
	return 0;
}

static void problem(struct request *rq, struct reply *rp, int code, const struct err *why)
{
	(void)rq;
	snprintf(told, sizeof told, "%s", why ? why->text : "");
	rp->status = code == ERR_NOMEM || code == ERR_BUSY ? 503
		     : code == ERR_NO_ROUTE                ? 404
		     : code == ERR_PRECONDITION            ? 412
							   : 500;
	rp->content_type = "application/problem+json";
	buffer_add(&rp->body, "{}", 2);
}

static void say(void *app, bool important, const char *sentence)
{
	(void)app, (void)important, (void)sentence;
}

/* ---- its life ---- */

/* Both descriptors are closed at its end, or now where it fails. */
static inline int serve(struct http_server **out, const struct route *routes, int control_fd, int listen_fd)
{
	const struct http_config config = { .listen_fd = listen_fd,
		.control_fd = control_fd,
		.loops = 1,
		.pool_threads = 1,
		.connections_max = 100,
		.address_connections_max = 100,
		.requests_max = 100,
		.held_bytes_max = 64 << 20, /* what was refused is given back a little later */
		.connection_bytes = 16384,
		.idle_seconds = PATIENCE_S,
		.header_ms = PATIENCE_S * 1000,
		.transfer_ms = PATIENCE_S * 1000,
		.rate_min = 1,
		.routes = routes,
		.admit = admit,
		.problem = problem,
		.log = say };

	return http_start(out, &config, &e);
}

/* On a port of its own. */
static inline int start(struct http_server **out, const struct route *routes, int control_fd, int *listen_fd)
{
	bool public;
	int rc;

	*out = NULL;
	if ((rc = http_listen("127.0.0.1:0", listen_fd, &port, &public, &e))) {
		if (control_fd >= 0) close(control_fd);
		return rc;
	}
	return serve(out, routes, control_fd, *listen_fd);
}

/* ---- a client ---- */

static inline int connected(void)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { PATIENCE_S, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* 0: nothing came. */
static inline unsigned status_of(const char *answer)
{
	unsigned status = 0;

	if (*answer) ck_assert_int_eq(sscanf(answer, "HTTP/1.1 %u", &status), 1);
	return status;
}

#endif
