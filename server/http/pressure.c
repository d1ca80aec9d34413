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

int pressure_room(struct exchange *x, uint64_t bytes, struct err *e)
{
	struct http_server *server = x->server;
	/* of others: others may count in between, which is why it is no more than near the truth */
	uint64_t others = atomic_load_explicit(&server->held_bytes, memory_order_relaxed) - x->held_bytes;

	if (!is_vital(x) && others && others + x->held_bytes + bytes > server->config.held_bytes_max)
		return err_set(e, ERR_BUSY,
				"the bodies and answers of others hold %.1f MiB, and all together may hold %.1f; try again",
				(double)others / 1048576, (double)server->config.held_bytes_max / 1048576);
	return 0;
}

int pressure_hold(struct exchange *x, uint64_t bytes, struct err *e)
{
	int rc = pressure_room(x, bytes, e);

	if (!rc) pressure_keep(x, bytes);
	return rc;
}

void pressure_end(struct exchange *x)
{
	pressure_leave(x);
	if (x->held_bytes)
		atomic_fetch_sub_explicit(&x->server->held_bytes, x->held_bytes, memory_order_relaxed);
	x->held_bytes = 0;
}
