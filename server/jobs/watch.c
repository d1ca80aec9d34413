/* watch.c - watchers. See watch.h.
 *
 * One lock is over feeds, watchers and cached texts, and is not held while the store is read. The thread does rounds: after
 * a commit it finds which feeds may have news (the log says which jobs changed; points of curves are not in it, so
 * feeds of running jobs always may), and writes what follows the cursor of each watcher that waits. A watcher that comes
 * to the end of its text takes the cached one that begins there, or asks for a round.
 */
#include "server/jobs/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_LIMIT 256              /* events of the log that are read at a time */
#define ROUND_NS  (10 * 1000000L)  /* commits that fall together make one round */
#define RETRY_NS  (500 * 1000000L) /* the store could not be read */
#define NOWHERE   (-1)             /* no cursor */

struct text {              /* a written piece of a feed */
	struct text *next; /* in its feed, the newest first */
	size_t refs;
	int64_t after, last;
	bool over;
	struct buffer bytes;
};

struct feed {
	struct feed *next;
	struct watch_key key;
	size_t refs; /* of watchers, and of the thread while it serves it */
	struct watcher *watchers;
	struct text *texts; /* the newest first */
	size_t texts_count, texts_bytes;
	bool look;    /* its job's state is to be asked for */
	bool running; /* its job adds to its curve */
	bool stale;   /* there may be news */
	bool gone;    /* its job was deleted */
	int64_t dry;  /* nothing follows this cursor as far as the thread has seen */
};

struct watcher {
	struct watch *watch;
	struct feed *feed;
	struct watcher *next, *previous;
	void (*wake)(void *self);
	void *self;
	bool bell;
	bool waits;     /* watcher_next had nothing */
	uint64_t tried; /* the round in which nothing was found for it */
	int64_t cursor;
	struct text *text; /* that it is at, or NULL */
	size_t at;         /* bytes of it that were taken */
};

struct watch {
	struct watch_config config;
	pthread_mutex_t lock; /* over feeds and what hangs on them */
	struct feed *feeds;
	size_t texts_bytes; /* of all texts, those being sent too */
	uint64_t round;
	int64_t seen; /* the log was read up to here; the thread's */

	pthread_mutex_t call_lock; /* over the next three; the writer of the store takes it */
	pthread_cond_t call;
	bool told, asked, stops;
	pthread_t thread;
};

/* ---- texts; the lock is held ---- */

static void text_put(struct watch *w, struct text *text)
{
	if (!text || --text->refs) return;
	w->texts_bytes -= text->bytes.capacity;
	buffer_free(&text->bytes);
	free(text);
}

static void drop_oldest(struct watch *w, struct feed *feed)
{
	struct text **at = &feed->texts;

	while ((*at)->next)
		at = &(*at)->next;
	feed->texts_count--;
	feed->texts_bytes -= (*at)->bytes.capacity;
	text_put(w, *at);
	*at = NULL;
}

static struct text *text_find(const struct feed *feed, int64_t after)
{
	struct text *text = feed->texts;

	while (text && text->after != after)
		text = text->next;
	return text;
}

/* Takes the bytes of `written` over. NULL: no memory. */
static struct text *text_add(struct watch *w, struct feed *feed, int64_t after, struct watch_text *written)
{
	struct text *text = calloc(1, sizeof *text);

	if (!text) return NULL;
	*text = (struct text){ feed->texts, 1, after, written->last, written->over, written->text };
	written->text = (struct buffer){ 0 };
	w->texts_bytes += text->bytes.capacity;
	feed->texts = text;
	feed->texts_count++;
	feed->texts_bytes += text->bytes.capacity;
	while (feed->texts_count > 1 && (feed->texts_count > WATCH_CACHED_TEXTS_MAX ||
							feed->texts_bytes > WATCH_CACHED_BYTES_MAX))
		drop_oldest(w, feed);
	return text;
}

/* ---- feeds; the lock is held ---- */

static bool key_same(const struct watch_key *a, const struct watch_key *b)
{
	return a->job == b->job && a->topics == b->topics && a->form == b->form;
}

/* New, or one that is there; with one more reference. NULL: no memory. */
static struct feed *feed_get(struct watch *w, const struct watch_key *key)
{
	struct feed *feed = w->feeds;

	while (feed && !key_same(&feed->key, key))
		feed = feed->next;
	if (!feed && (feed = calloc(1, sizeof *feed))) {
		feed->key = *key;
		feed->look = key->job;
		feed->dry = NOWHERE;
		feed->next = w->feeds;
		w->feeds = feed;
	}
	if (feed) feed->refs++;
	return feed;
}

static void feed_put(struct watch *w, struct feed *feed)
{
	struct feed **at = &w->feeds;

	if (--feed->refs) return;
	while (*at != feed)
		at = &(*at)->next;
	*at = feed->next;
	while (feed->texts)
		drop_oldest(w, feed);
	free(feed);
}

/* ---- what the thread is told ---- */

static void call(struct watch *w, bool *what)
{
	pthread_mutex_lock(&w->call_lock);
	*what = true;
	pthread_cond_signal(&w->call);
	pthread_mutex_unlock(&w->call_lock);
}

static void on_commit(void *self)
{
	struct watch *w = self;

	call(w, &w->told);
}

/* ---- watchers ---- */

static int make_watcher(struct watcher **out, struct watch *w, const struct watch_key *key,
		const struct watcher *like, struct err *e)
{
	struct watcher *watcher = malloc(sizeof *watcher);

	*out = NULL;
	if (!watcher) return err_nomem(e);
	*watcher = *like;
	watcher->watch = w;
	pthread_mutex_lock(&w->lock);
	if ((watcher->feed = feed_get(w, key))) {
		watcher->next = watcher->feed->watchers;
		if (watcher->next) watcher->next->previous = watcher;
		watcher->feed->watchers = watcher;
		*out = watcher;
	}
	pthread_mutex_unlock(&w->lock);
	/* cppcheck-suppress memleak ; *out has it */
	if (*out) return 0;
	free(watcher);
	return err_nomem(e);
}

int watcher_new(struct watcher **out, struct watch *w, const struct watch_key *key, int64_t after,
		void (*wake)(void *), void *self, struct err *e)
{
	const struct watcher like = { .wake = wake, .self = self, .cursor = after };

	return make_watcher(out, w, key, &like, e);
}

int watcher_new_bell(struct watcher **out, struct watch *w, const struct watch_key *key, void (*wake)(void *),
		void *self, struct err *e)
{
	const struct watcher like = { .wake = wake, .self = self, .cursor = NOWHERE, .bell = true };

	return make_watcher(out, w, key, &like, e);
}

void watcher_free(struct watcher *watcher)
{
	struct watch *w;

	if (!watcher) return;
	w = watcher->watch;
	pthread_mutex_lock(&w->lock);
	if (watcher->next) watcher->next->previous = watcher->previous;
	if (watcher->previous)
		watcher->previous->next = watcher->next;
	else
		watcher->feed->watchers = watcher->next;
	text_put(w, watcher->text);
	feed_put(w, watcher->feed);
	pthread_mutex_unlock(&w->lock);
	free(watcher);
}

/* The text at the cursor, if it is there; else the watcher waits, and the thread is asked unless it has looked already. */
static void find_text(struct watcher *watcher)
{
	struct watch *w = watcher->watch;
	bool ask = false;

	pthread_mutex_lock(&w->lock);
	if (watcher->text) watcher->cursor = watcher->text->last;
	text_put(w, watcher->text);
	watcher->at = 0;
	if ((watcher->text = text_find(watcher->feed, watcher->cursor)))
		watcher->text->refs++;
	else
		ask = watcher->feed->dry != watcher->cursor;
	watcher->waits = !watcher->text;
	pthread_mutex_unlock(&w->lock);
	if (ask) call(w, &w->asked);
}

ssize_t watcher_next(struct watcher *watcher, char *to, size_t size)
{
	struct text *text = watcher->text;
	size_t n;

	if (!text || watcher->at == text->bytes.size) {
		if (text && text->over) return -1;
		find_text(watcher);
		if (!(text = watcher->text)) return 0;
		if (text->over && !text->bytes.size) return -1;
	}
	n = text->bytes.size - watcher->at;
	if (n > size) n = size;
	memcpy(to, text->bytes.data + watcher->at, n);
	watcher->at += n;
	return (ssize_t)n;
}

/* ---- the rounds ---- */

static void complain(struct watch *w, const struct err *e)
{
	if (w->config.log) w->config.log(w->config.log_self, e->text);
}

/* What the log says happened to a job (0: to some) since the last round. */
static void mark(struct watch *w, const struct store_event *event)
{
	bool deleted = !strcmp(event->topic, "jobs") && !strcmp(event->kind, "deleted");

	pthread_mutex_lock(&w->lock);
	for (struct feed *feed = w->feeds; feed; feed = feed->next)
		if (feed->key.job && (deleted || feed->key.job == event->job))
			feed->look = feed->stale = true;
	pthread_mutex_unlock(&w->lock);
}

/* Reads the log on. */
static int read_log(struct watch *w, struct err *e)
{
	struct store *store = w->config.store;
	int64_t top = store->last_event(store);
	struct store_event *events;
	size_t count;
	int rc;

	do {
		if ((rc = store->events_after(store, w->seen, 0, LOG_LIMIT, &events, &count, e))) return rc;
		for (size_t i = 0; i < count; i++) {
			mark(w, &events[i]);
			w->seen = events[i].id;
			store_event_clear(&events[i]);
		}
		free(events);
	} while (count == LOG_LIMIT);
	if (w->seen < top) w->seen = top;
	return 0;
}

/* Is the feed's job running, is it there? The lock is held, but not while the store is asked. */
static void look_at_job(struct watch *w, struct feed *feed)
{
	struct store_job job = { 0 };
	struct err e;
	int rc;

	feed->look = false;
	pthread_mutex_unlock(&w->lock);
	rc = w->config.store->job_get(w->config.store, feed->key.job, &job, &e);
	pthread_mutex_lock(&w->lock);
	feed->running = !rc && job.state == JOB_RUNNING;
	feed->gone = rc == ERR_NOT_FOUND;
	feed->look = rc && !feed->gone;
	store_job_clear(&job);
}

static struct watcher *next_to_try(const struct watch *w, const struct feed *feed)
{
	struct watcher *watcher = feed->watchers;

	while (watcher && (!watcher->waits || watcher->tried == w->round || watcher->cursor == feed->dry))
		watcher = watcher->next;
	return watcher;
}

/* What follows a cursor of the feed: *text when there is some, else *cursor goes to where there is none. The lock is held,
 * but not while it is written. */
static int write_on(struct watch *w, struct feed *feed, int64_t *cursor, struct text **text, struct err *e)
{
	size_t bytes = w->texts_bytes < WATCH_TEXTS_BYTES_MAX ? WATCH_TEXT_BYTES : WATCH_TIGHT_BYTES;
	struct watch_text written = { .last = *cursor, .over = feed->gone };
	int rc = 0;

	if (!feed->gone) {
		pthread_mutex_unlock(&w->lock);
		rc = w->config.write(w->config.self, &feed->key, *cursor, bytes, &written, e);
		pthread_mutex_lock(&w->lock);
	}
	if (!rc && !buffer_ok(&written.text)) rc = err_nomem(e);
	if (!rc && (written.text.size || written.over)) {
		if (!(*text = text_add(w, feed, *cursor, &written))) rc = err_nomem(e);
	} else if (!rc)
		*cursor = written.last;
	buffer_free(&written.text);
	return rc;
}

/* All that wait at a cursor are woken when there is a text, else they go on waiting at `to`. */
static void pass_on(struct watch *w, struct feed *feed, int64_t from, int64_t to, bool some)
{
	for (struct watcher *watcher = feed->watchers; watcher; watcher = watcher->next) {
		if (!watcher->waits || watcher->cursor != from) continue;
		watcher->cursor = to;
		watcher->tried = w->round;
		watcher->waits = !some;
		if (some) watcher->wake(watcher->self);
	}
	if (!some) feed->dry = to;
}

static void ring(struct feed *feed)
{
	for (struct watcher *watcher = feed->watchers; watcher; watcher = watcher->next)
		if (watcher->bell) watcher->wake(watcher->self);
}

/* The lock is held. */
static int serve(struct watch *w, struct feed *feed, bool told, struct err *e)
{
	struct watcher *watcher;
	int rc = 0;

	if (feed->look) look_at_job(w, feed);
	if (told && (!feed->key.job || feed->running)) feed->stale = true;
	if (feed->stale) {
		feed->stale = false;
		feed->dry = NOWHERE;
		ring(feed);
	}
	while (!rc && (watcher = next_to_try(w, feed))) {
		int64_t from = watcher->cursor, to = from;
		struct text *text = text_find(feed, from);

		if (!text) rc = write_on(w, feed, &to, &text, e);
		if (!rc) pass_on(w, feed, from, to, text);
	}
	return rc;
}

static int do_round(struct watch *w, bool told, struct err *e)
{
	struct feed *feed, *next;
	int rc = told ? read_log(w, e) : 0;

	if (rc) return rc;
	pthread_mutex_lock(&w->lock);
	w->round++;
	feed = w->feeds;
	if (feed) feed->refs++;
	for (; feed; feed = next) {
		if (!rc) rc = serve(w, feed, told, e);
		if ((next = feed->next)) next->refs++;
		feed_put(w, feed);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

static void rest(long ns)
{
	const struct timespec pause = { 0, ns };

	nanosleep(&pause, NULL);
}

/* Waits for a call; *told: there was a commit. False: the end. */
static bool wait_for_call(struct watch *w, bool *told)
{
	bool stops;

	pthread_mutex_lock(&w->call_lock);
	while (!w->told && !w->asked && !w->stops)
		pthread_cond_wait(&w->call, &w->call_lock);
	*told = w->told;
	w->told = w->asked = false;
	stops = w->stops;
	pthread_mutex_unlock(&w->call_lock);
	return !stops;
}

/* Nobody watches: what was logged until now is of no interest to who comes later. */
static bool is_idle(struct watch *w)
{
	int64_t top = w->config.store->last_event(w->config.store);
	bool idle;

	pthread_mutex_lock(&w->lock);
	idle = !w->feeds;
	pthread_mutex_unlock(&w->lock);
	if (idle) w->seen = top;
	return idle;
}

static void *run(void *self)
{
	struct watch *w = self;
	bool told;

	while (wait_for_call(w, &told)) {
		struct err e;

		if (is_idle(w)) {
			rest(ROUND_NS);
			continue;
		}
		if (do_round(w, told, &e)) {
			complain(w, &e);
			rest(RETRY_NS);
			call(w, told ? &w->told : &w->asked);
		} else if (told)
			rest(ROUND_NS);
	}
	return NULL;
}

/* ---- the life ---- */

static void watch_free(struct watch *w)
{
	pthread_cond_destroy(&w->call);
	pthread_mutex_destroy(&w->call_lock);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int watch_start(struct watch **out, const struct watch_config *config, struct err *e)
{
	struct watch *w = calloc(1, sizeof *w);

	*out = NULL;
	if (!w) return err_nomem(e);
	w->config = *config;
	w->seen = config->store->last_event(config->store);
	pthread_mutex_init(&w->lock, NULL);
	pthread_mutex_init(&w->call_lock, NULL);
	pthread_cond_init(&w->call, NULL);
	if (pthread_create(&w->thread, NULL, run, w)) {
		watch_free(w);
		return err_set(e, ERR_IO, "no thread could be started for the watchers");
	}
	config->store->on_commit(config->store, on_commit, w);
	*out = w;
	return 0;
}

void watch_stop(struct watch *w)
{
	if (!w) return;
	w->config.store->on_commit(w->config.store, NULL, NULL);
	call(w, &w->stops);
	pthread_join(w->thread, NULL);
	watch_free(w);
}
