/* test_watch.c - watchers: what they see, and that many cost one formatting. The writer of this file turns the log into
 * "kind " words, so that a story is a sentence. */
#include "server/jobs/watch.h"
#include "tests/unit/store_things.h"
#include "tests/unit/suite.h"

#define MANY   200
#define ROUNDS 20
#define PAUSE  1000 /* microseconds */
#define PAUSES 20000

static atomic_int writes, wakes, piece = 100; /* events in a text at most */

static int write_words(void *self, const struct watch_key *key, int64_t after, size_t bytes,
		struct watch_text *out, struct err *err)
{
	struct store *s = self;
	int64_t top = s->last_event(s);
	struct store_event *events;
	size_t count;
	int rc = s->events_after(s, after, key->job, (size_t)piece, &events, &count, err);

	(void)bytes;
	if (rc) return rc;
	writes++;
	for (size_t i = 0; i < count; i++) {
		buffer_printf(&out->text, "%s ", events[i].kind);
		out->over |= key->job && !strcmp(events[i].kind, "end");
		out->last = events[i].id;
		store_event_clear(&events[i]);
	}
	free(events);
	if (count < (size_t)piece && out->last < top) out->last = top;
	return 0;
}

static void count_wake(void *self)
{
	(void)self;
	wakes++;
}

static struct watch *watch_of(struct store *s)
{
	const struct watch_config config = { .store = s, .write = write_words, .self = s };
	struct watch *watch;

	OK(watch_start(&watch, &config, &e));
	return watch;
}

static struct watcher *watcher_of(struct watch *watch, int64_t job, int64_t after)
{
	const struct watch_key key = { .job = job };
	struct watcher *watcher;

	OK(watcher_new(&watcher, watch, &key, after, count_wake, NULL, &e));
	return watcher;
}

/* Reads on until the story is this, `size` bytes at a time. */
static void story_becomes(struct watcher *watcher, char *story, const char *expected, size_t size)
{
	for (int i = 0; i < PAUSES && strcmp(story, expected); i++) {
		char text[256];
		ssize_t n = watcher_next(watcher, text, size);

		if (n > 0) strncat(story, text, (size_t)n);
		if (n == 0) usleep(PAUSE);
		if (n < 0) break;
	}
	ck_assert_str_eq(story, expected);
}

static void is_over(struct watcher *watcher)
{
	char text[8];

	ck_assert_int_eq(watcher_next(watcher, text, sizeof text), -1);
	ck_assert_int_eq(watcher_next(watcher, text, sizeof text), -1);
}

static struct store *store_with_job(int64_t *job)
{
	struct store *s = fresh_store();

	put_model(s, "m");
	*job = put_job(s, "m", put_dataset(s, "d", 'a'), 0);
	return s;
}

static void note(struct store *s, int64_t job)
{
	OK(s->job_update(s, job, "x", NULL, &e));
}

START_TEST(a_story_from_its_first_word_to_its_last)
{
	enum job_state state;
	int64_t job;
	struct store *s = store_with_job(&job);
	struct watch *watch = watch_of(s);
	struct watcher *whole = watcher_of(watch, job, 0), *later;
	char story[256] = "", rest[256] = "";

	story_becomes(whole, story, "created ", 3);
	note(s, job);
	story_becomes(whole, story, "created updated ", 5);
	later = watcher_of(watch, job, s->last_event(s));
	OK(s->job_cancel(s, job, &state, &e));
	story_becomes(whole, story, "created updated state end ", 100);
	story_becomes(later, rest, "state end ", 100);
	is_over(whole);
	is_over(later);
	watcher_free(whole);
	watcher_free(later);
	watch_stop(watch);
	s->close(s);
}
END_TEST

START_TEST(many_cost_one_formatting)
{
	int64_t job;
	struct store *s = store_with_job(&job);
	struct watch *watch = watch_of(s);
	struct watcher *watchers[MANY];
	char stories[MANY][256] = { "" }, expected[256] = "created ";

	for (int i = 0; i < MANY; i++)
		watchers[i] = watcher_of(watch, job, 0);
	for (int i = 0; i < MANY; i++)
		story_becomes(watchers[i], stories[i], expected, 100);
	writes = 0;
	for (int round = 0; round < ROUNDS; round++) {
		note(s, job);
		strcat(expected, "updated ");
		for (int i = 0; i < MANY; i++)
			story_becomes(watchers[i], stories[i], expected, 100);
	}
	/* One that finds words and one that finds no more, for each. */
	ck_assert_int_le(writes, 3 * ROUNDS);
	for (int i = 0; i < MANY; i++)
		watcher_free(watchers[i]);
	watch_stop(watch);
	s->close(s);
}
END_TEST

START_TEST(long_stories_come_in_pieces)
{
	int64_t job;
	struct store *s = store_with_job(&job);
	struct watch *watch = watch_of(s);
	struct watcher *slow, *quick;
	char story[512] = "", all[512] = "", expected[512] = "created ";

	piece = 3;
	for (int i = 0; i < 40; i++) {
		note(s, job);
		strcat(expected, "updated ");
	}
	slow = watcher_of(watch, job, 0);
	quick = watcher_of(watch, job, 0);
	story_becomes(slow, story, "cre", 3);
	story_becomes(quick, all, expected, 200);
	story_becomes(slow, story, expected, 7);
	watcher_free(slow);
	watcher_free(quick);
	watch_stop(watch);
	s->close(s);
}
END_TEST

START_TEST(other_jobs_wake_nobody)
{
	int64_t job, other;
	struct store *s = store_with_job(&job);
	const struct watch_key key = { .job = job };
	struct watch *watch = watch_of(s);
	struct watcher *watcher = watcher_of(watch, job, 0), *bell;
	char story[256] = "";

	other = put_job(s, "m", put_dataset(s, "e", 'b'), 0);
	OK(watcher_new_bell(&bell, watch, &key, count_wake, NULL, &e));
	story_becomes(watcher, story, "created ", 100);
	ck_assert_int_eq(watcher_next(watcher, story, 1), 0);
	usleep(100 * PAUSE);
	writes = wakes = 0;
	for (int i = 0; i < ROUNDS; i++)
		note(s, other);
	usleep(100 * PAUSE);
	ck_assert_int_eq(writes, 0);
	ck_assert_int_eq(wakes, 0);
	note(s, job);
	for (int i = 0; i < PAUSES && wakes < 2; i++)
		usleep(PAUSE);
	ck_assert_int_eq(wakes, 2); /* the watcher and the bell */
	watcher_free(watcher);
	watcher_free(bell);
	watch_stop(watch);
	s->close(s);
}
END_TEST

START_TEST(a_deleted_job_is_over)
{
	enum job_state state;
	int64_t job, other;
	struct store *s = store_with_job(&job);
	struct watch *watch = watch_of(s);
	struct watcher *watcher = watcher_of(watch, job, 0), *all = watcher_of(watch, 0, s->last_event(s));
	char story[256] = "", everything[256] = "";

	other = put_job(s, "m", put_dataset(s, "e", 'b'), 0);
	ck_assert_int_ne(other, job);
	story_becomes(watcher, story, "created ", 100);
	OK(s->job_cancel(s, job, &state, &e));
	OK(s->job_delete(s, job, &e));
	for (int i = 0; i < PAUSES; i++) { /* it may have read the end before */
		char text[64];

		if (watcher_next(watcher, text, sizeof text) < 0) break;
		usleep(PAUSE);
	}
	is_over(watcher);
	for (int i = 0; i < PAUSES && !strstr(everything, "deleted "); i++) {
		char text[64];
		ssize_t n = watcher_next(all, text, sizeof text);

		if (n > 0) strncat(everything, text, (size_t)n);
		usleep(PAUSE);
	}
	ck_assert_ptr_nonnull(strstr(everything, "deleted "));
	watcher_free(watcher);
	watcher_free(all);
	watch_stop(watch);
	s->close(s);
}
END_TEST

/* Watchers come and go on threads of their own, while things happen. */
static void *come_and_go(void *self)
{
	struct watch *watch = self;

	for (int i = 0; i < 300; i++) {
		struct watcher *a = watcher_of(watch, i % 2, 0), *b = watcher_of(watch, 1, i);
		char text[64];

		for (int j = 0; j < 20; j++) {
			watcher_next(a, text, sizeof text);
			watcher_next(b, text, sizeof text);
		}
		watcher_free(a);
		watcher_free(b);
	}
	return NULL;
}

START_TEST(they_come_and_go)
{
	int64_t job;
	struct store *s = store_with_job(&job);
	struct watch *watch = watch_of(s);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, watch), 0);
	for (int i = 0; i < 100; i++)
		note(s, job);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	watch_stop(watch);
	s->close(s);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_story_from_its_first_word_to_its_last,
		many_cost_one_formatting,
		long_stories_come_in_pieces,
		other_jobs_wake_nobody,
		a_deleted_job_is_over,
		they_come_and_go,
		NULL,
	};

	suite_open = store_open_sqlite;
	return suite_main("watch", tests, 60);
}
