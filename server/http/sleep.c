/* sleep.c - exchanges that wait. See sleep.h.
 *
 * Whoever sleeps is on a list, under the server's resume_lock, with the time at which it wakes by itself: a stream to send
 * a beat, a held reply to say that nothing changed. One thread, the clock, sleeps until the first of these times.
 *
 * A wake that comes while an exchange is on its way to sleep leaves its mark (woken), and it does not fall asleep. So none
 * is lost, and many of them are one.
 */
#include "server/http/sleep.h"

#include <time.h>

#include "server/http/exchange.h"

#define TICK_MS  100 /* times are rounded up to a multiple of it, so that many fall together */
#define RETRY_MS 100 /* the pool's queue was full */

uint64_t sleep_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the list; the lock is held ---- */

static void set_due(struct exchange *x, uint64_t due_ms)
{
	struct http_server *server = x->server;

	x->due_ms = (due_ms + TICK_MS - 1) / TICK_MS * TICK_MS;
	if (x->due_ms >= server->next_due_ms) return;
	server->next_due_ms = x->due_ms;
	pthread_cond_signal(&server->clock_wake);
}

static void list_put(struct exchange *x)
{
	struct http_server *server = x->server;

	x->asleep = true;
	x->previous_asleep = NULL;
	x->next_asleep = server->asleep;
	if (server->asleep) server->asleep->previous_asleep = x;
	server->asleep = x;
}

static void list_take(struct exchange *x)
{
	x->asleep = false;
	if (x->next_asleep) x->next_asleep->previous_asleep = x->previous_asleep;
	if (x->previous_asleep)
		x->previous_asleep->next_asleep = x->next_asleep;
	else
		x->server->asleep = x->next_asleep;
}

/* ---- falling asleep ---- */

void sleep_begin(struct exchange *x)
{
	pthread_mutex_lock(&x->server->resume_lock);
	x->woken = false;
	pthread_mutex_unlock(&x->server->resume_lock);
}

static bool may_sleep(const struct exchange *x)
{
	return !x->woken && !atomic_load_explicit(&x->server->draining, memory_order_relaxed);
}

static bool fall_asleep(struct exchange *x, uint64_t due_ms, bool suspend)
{
	bool asleep;

	pthread_mutex_lock(&x->server->resume_lock);
	asleep = may_sleep(x);
	if (asleep) {
		list_put(x);
		set_due(x, due_ms);
		if (suspend) exchange_suspend(x);
	}
	pthread_mutex_unlock(&x->server->resume_lock);
	return asleep;
}

bool sleep_stream(struct exchange *x, uint64_t due_ms)
{
	return fall_asleep(x, due_ms, true);
}

bool sleep_held(struct exchange *x, uint64_t due_ms)
{
	return fall_asleep(x, due_ms, false);
}

/* ---- waking; the lock is held, x is asleep ---- */

/* The reply goes on, or goes out. */
static void resume(struct exchange *x)
{
	list_take(x);
	if (x->phase == PHASE_WORKING) x->phase = PHASE_READY;
	exchange_resume(x);
}

/* A held reply is asked for anew, on the pool. */
static void ask_again(struct exchange *x)
{
	x->woken = true;
	if (pool_add(x->server->pool, &x->task))
		list_take(x);
	else
		set_due(x, sleep_now_ms() + RETRY_MS);
}

static void come_due(struct exchange *x)
{
	if (x->phase == PHASE_WORKING && x->woken)
		ask_again(x);
	else
		resume(x);
}

void http_wake(struct request *rq)
{
	struct exchange *x = (struct exchange *)rq;
	pthread_mutex_t *lock = &x->server->resume_lock; /* x is the loop's, once it is resumed */

	pthread_mutex_lock(lock);
	x->woken = true;
	if (x->asleep && x->phase == PHASE_WORKING)
		ask_again(x);
	else if (x->asleep)
		resume(x);
	pthread_mutex_unlock(lock);
}

/* ---- the clock ---- */

static void wake_due(struct http_server *server, uint64_t now_ms)
{
	struct exchange *x, *next;

	server->next_due_ms = UINT64_MAX;
	for (x = server->asleep; x; x = next) {
		next = x->next_asleep;
		if (x->due_ms <= now_ms)
			come_due(x);
		else if (x->due_ms < server->next_due_ms)
			server->next_due_ms = x->due_ms;
	}
}

static void *run_clock(void *argument)
{
	struct http_server *server = argument;

	pthread_mutex_lock(&server->resume_lock);
	while (!server->clock_stops) {
		uint64_t due_ms = server->next_due_ms;
		struct timespec until = { (time_t)(due_ms / 1000), (long)(due_ms % 1000) * 1000000 };

		if (due_ms == UINT64_MAX)
			pthread_cond_wait(&server->clock_wake, &server->resume_lock);
		else if (due_ms > sleep_now_ms())
			pthread_cond_timedwait(&server->clock_wake, &server->resume_lock, &until);
		else
			wake_due(server, sleep_now_ms());
	}
	pthread_mutex_unlock(&server->resume_lock);
	return NULL;
}

int sleep_start(struct http_server *server)
{
	pthread_condattr_t monotonic;

	server->next_due_ms = UINT64_MAX;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->clock_wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (!pthread_create(&server->clock, NULL, run_clock, server)) return 0;
	pthread_cond_destroy(&server->clock_wake);
	return ERR_IO;
}

void sleep_drain(struct http_server *server)
{
	pthread_mutex_lock(&server->resume_lock);
	while (server->asleep)
		resume(server->asleep);
	pthread_mutex_unlock(&server->resume_lock);
}

void sleep_stop(struct http_server *server)
{
	pthread_mutex_lock(&server->resume_lock);
	server->clock_stops = true;
	pthread_cond_signal(&server->clock_wake);
	pthread_mutex_unlock(&server->resume_lock);
	pthread_join(server->clock, NULL);
	pthread_cond_destroy(&server->clock_wake);
}
