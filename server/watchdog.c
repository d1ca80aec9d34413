/* watchdog.c - a thread that looks whether the daemon moves, twice in each interval of the manager. See watchdog.h.
 *
 * Asked are those without whom nothing moves: the loops, by a connection to ourselves (http_moves), and the thread that
 * writes to the store, by an empty transaction. What they answer does not matter: a full disk or a file that another
 * program holds is an answer, and a restart would not mend it. Only silence is a reason to end the process, and it is
 * silence here: the thread waits with them and says nothing. Not asked are the pool and the workers. They may be busy for
 * long with one honest thing, and nobody outside can tell that from standing still.
 */
#include "server/watchdog.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define LOOKS     2 /* in an interval */
#define SECOND_NS 1000000000u

struct watchdog {
	struct notify *notify;
	struct http_server *http;
	struct store *store;
	uint64_t pause_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* stopping */
	bool stopping;
};

/* Sleeps until the next look is due; false: there is none. */
static bool pause_until(struct watchdog *w, struct timespec *due)
{
	bool stopping;

	due->tv_sec += (time_t)(((uint64_t)due->tv_nsec + w->pause_ns) / SECOND_NS);
	due->tv_nsec = (long)(((uint64_t)due->tv_nsec + w->pause_ns) % SECOND_NS);
	pthread_mutex_lock(&w->lock);
	while (!w->stopping)
		if (pthread_cond_timedwait(&w->wake, &w->lock, due)) break;
	stopping = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return !stopping;
}

static void *watchdog_thread(void *argument)
{
	struct watchdog *w = argument;
	struct timespec due;
	struct err e;

	do {
		clock_gettime(CLOCK_MONOTONIC, &due);
		w->store->check(w->store, &e);
		if (http_moves(w->http, (double)w->pause_ns / SECOND_NS)) notify_alive(w->notify);
	} while (pause_until(w, &due));
	return NULL;
}

static void watchdog_free(struct watchdog *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int watchdog_start(struct watchdog **out, struct notify *notify, struct http_server *http,
		struct store *store, struct err *e)
{
	uint64_t interval_us = notify_alive_us(notify);
	struct watchdog *w;
	pthread_condattr_t monotonic;

	*out = NULL;
	if (!interval_us) return 0;
	if (!(w = calloc(1, sizeof *w))) return err_nomem(e);
	*w = (struct watchdog){ .notify = notify,
		.http = http,
		.store = store,
		.pause_ns = (interval_us < UINT32_MAX ? interval_us : UINT32_MAX) * 1000 / LOOKS };
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&w->thread, NULL, watchdog_thread, w)) {
		watchdog_free(w);
		return err_set(e, ERR_IO,
				"cannot start the thread of the watchdog; raise the limit of threads");
	}
	*out = w;
	return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
	if (!watchdog) return;
	pthread_mutex_lock(&watchdog->lock);
	watchdog->stopping = true;
	pthread_cond_signal(&watchdog->wake);
	pthread_mutex_unlock(&watchdog->lock);
	pthread_join(watchdog->thread, NULL);
	watchdog_free(watchdog);
}
