/* pressure.c - see pressure.h. */
#include "server/http/pressure.h"

static bool is_vital(const struct exchange *x)
{
	return x->rq.match.route && x->rq.match.route->flags & ROUTE_VITAL;
}

int pressure_enter(struct exchange *x, struct err *e)
{
	struct http_server *server = x->server;

	if (is_vital(x)) return 0;
	if (atomic_fetch_add_explicit(&server->at_work, 1, memory_order_relaxed) <
			server->config.requests_max) {
		x->entered = true;
		return 0;
	}
	atomic_fetch_sub_explicit(&server->at_work, 1, memory_order_relaxed);
	return err_set(e, ERR_BUSY, "%u requests are at work, and no more are taken on; try again",
			server->config.requests_max);
}

void pressure_leave(struct exchange *x)
{
	if (x->entered) atomic_fetch_sub_explicit(&x->server->at_work, 1, memory_order_relaxed);
	x->entered = false;
}

void pressure_keep(struct exchange *x, uint64_t bytes)
{
	if (!bytes || is_vital(x)) return;
	atomic_fetch_add_explicit(&x->server->held_bytes, bytes, memory_order_relaxed);
	x->held_bytes += bytes;
}

/* With so many more, as of now: others may count in between, which is why it is no more than near the truth. */
static int must_fit(const struct exchange *x, uint64_t bytes, struct err *e)
{
	const struct http_server *server = x->server;
	uint64_t others = atomic_load_explicit(&server->held_bytes, memory_order_relaxed) - x->held_bytes;

	if (!is_vital(x) && others && others + x->held_bytes + bytes > server->config.held_bytes_max)
		return err_set(e, ERR_BUSY,
				"the bodies and answers of others hold %.1f MiB, and all together may hold %.1f; try again",
				(double)others / 1048576, (double)server->config.held_bytes_max / 1048576);
	return 0;
}

static int never_fits(const struct exchange *x, const char *what, struct err *e)
{
	return err_set(e, ERR_TOO_LARGE,
			"%s takes more memory than there is for one request (%.1f MiB); send less at a time, or give the daemon "
			"more with --memory-budget",
			what, (double)memory_alone(x->server->config.memory) / 1048576);
}

int pressure_room(const struct exchange *x, uint64_t bytes, struct err *e)
{
	if (buffer_capacity(bytes) > memory_alone(x->server->config.memory))
		return never_fits(x, "a body of this size", e);
	return must_fit(x, bytes, e);
}

int pressure_hold(struct exchange *x, uint64_t bytes, struct err *e)
{
	int rc = must_fit(x, bytes, e);

	if (!rc) pressure_keep(x, bytes);
	return rc;
}

int pressure_short(const struct exchange *x, const struct buffer *buffer, const char *what, struct err *e)
{
	uint64_t need = 2 * (uint64_t)buffer->capacity; /* as buffers grow */

	if (buffer != &x->rq.body) need += x->rq.body.capacity;
	return need > memory_alone(x->server->config.memory) ? never_fits(x, what, e) : err_nomem(e);
}

void pressure_give(struct exchange *x)
{
	if (x->held_bytes)
		atomic_fetch_sub_explicit(&x->server->held_bytes, x->held_bytes, memory_order_relaxed);
	x->held_bytes = 0;
}

void pressure_end(struct exchange *x)
{
	pressure_leave(x);
	pressure_give(x);
}
