/* watch.h - watchers: cursors over the store's log of what was committed.
 *
 * A feed is what some watchers look at alike: one job, or everything. What follows a cursor is written once, as a text that
 * all watchers at this place share, on the one thread that reads the log for all of them; so a thousand watchers cost one
 * formatting, and none ever holds a number that a crash takes back. A watcher that is slow keeps its place and one text,
 * nothing grows behind it.
 */
#ifndef SERVER_JOBS_WATCH_H
#define SERVER_JOBS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"
#include "server/buffer.h"
#include "server/store/store.h"

#define WATCH_TEXT_BYTES (2u << 20) /* about the largest text */
#define WATCH_TIGHT_BYTES \
	(64u << 10) /* the same, once the texts of all together have WATCH_TEXTS_BYTES_MAX */
#define WATCH_TEXTS_BYTES_MAX  (48u << 20)
#define WATCH_CACHED_TEXTS_MAX 16 /* of a feed, and at least the newest; those that are being sent live on */
#define WATCH_CACHED_BYTES_MAX (1u << 20)

struct watch;
struct watcher;

struct watch_key {
	int64_t job;     /* 0: everything */
	unsigned topics; /* of everything, bits that the writer knows */
	unsigned form;   /* how it is written, likewise */
};

struct watch_text {
	struct buffer text;
	int64_t last; /* all that is committed up to this event is in it */
	bool over;    /* nothing ever comes after it */
};

struct watch_config { /* borrowed for the life of the watch */
	struct store *store;
	/* What of a feed is committed after event `after`, ascending, as far as it goes into about `bytes`; out->last is
	 * `after` before. On the watch's thread, which may wait. */
	int (*write)(void *self, const struct watch_key *key, int64_t after, size_t bytes,
			struct watch_text *out, struct err *e);
	void *self;
	void (*log)(void *self, const char *sentence);
	void *log_self;
};

/* *out is new (watch_stop). ERR_NOMEM, ERR_IO. */
int watch_start(struct watch **out, const struct watch_config *config, struct err *e);
/* No watcher may be left. NULL is fine. */
void watch_stop(struct watch *watch);

/* *out is new (watcher_free): a cursor after event `after`. wake is called on the watch's thread, and must be quick, when
 * watcher_next has something again after it had nothing. ERR_NOMEM. */
int watcher_new(struct watcher **out, struct watch *watch, const struct watch_key *key, int64_t after,
		void (*wake)(void *self), void *self, struct err *e);
/* One that reads nothing: wake is called after each commit that may have changed what the feed is of. */
int watcher_new_bell(struct watcher **out, struct watch *watch, const struct watch_key *key,
		void (*wake)(void *self), void *self, struct err *e);
/* As next of struct reply_source: waits for nothing. One thread at a time. */
ssize_t watcher_next(struct watcher *watcher, char *to, size_t size);
/* When it returns, wake is called no more. NULL is fine. */
void watcher_free(struct watcher *watcher);

#endif
