/* events.c - who watches: Server-Sent Events (WHATWG HTML, section 9.2) or lines of JSON, and long polling (RFC 7240).
 *
 * A stream is a cursor (server/jobs/watch.h) that the HTTP server reads from whenever the client takes more; the request's
 * state is the watcher, which goes with the request.
 */
#include "server/api/events.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/api/document.h"

#define HOLD_SECONDS_MAX 60 /* a client that left is not noticed before; below the idle time of proxies */
#define ID_DIGITS_MAX    18

const char *const event_topics[] = { "jobs", "models", "datasets", NULL };

/* ---- streams ---- */

/* Whoever may not ask any more is told nothing more: asked before each piece, and with each beat. */
static ssize_t stream_next(void *self, char *to, size_t size)
{
	struct request *rq = self;

	return api_holds(rq) ? watcher_next(rq->state, to, size) : REPLY_END;
}

static void free_watcher(void *self)
{
	watcher_free(self);
}

static void wake_request(void *self)
{
	http_wake(self);
}

/* The Last-Event-ID header; *given: there is one. */
static int read_last_id(const struct request *rq, int64_t *id, bool *given, struct err *e)
{
	const char *text = rq->headers[HEADER_LAST_EVENT_ID];
	size_t n = text ? strlen(text) : 0;

	*given = n;
	*id = 0;
	if (!n) return 0;
	if (n > ID_DIGITS_MAX || strspn(text, "0123456789") != n)
		return err_set(e, ERR_BAD_REQUEST,
				"Last-Event-ID is the id of an event that came before, a number, not \"%.64s\"",
				text);
	*id = strtoll(text, NULL, 10);
	return 0;
}

static int reply_stream(
		struct request *rq, struct reply *rp, struct watch_key *key, int64_t after, struct err *e)
{
	struct app *app = rq->app;
	struct watcher *watcher;
	int rc;

	key->form = request_accepts(rq, "application/x-ndjson") ? EVENTS_LINES : EVENTS_SSE;
	if ((rc = watcher_new(&watcher, app->watch, key, after, wake_request, rq, e))) return rc;
	rq->state = watcher;
	rq->state_free = free_watcher;
	rp->source = (struct reply_source){ .self = rq,
		.next = stream_next,
		.beat = key->form == EVENTS_LINES ? "{\"event\":\"beat\"}\n" : ": beat\n\n" };
	rp->content_type = key->form == EVENTS_LINES ? "application/x-ndjson" : "text/event-stream";
	reply_header(rp, "Cache-Control", "no-store");
	reply_header(rp, "X-Accel-Buffering", "no"); /* nginx would collect them */
	return 0;
}

/* An ended job's log has nothing after `after`, but for what was done to the job later. */
static int is_past_end(struct app *app, int64_t job, int64_t after, bool *past, struct err *e)
{
	struct store_event *events = NULL;
	size_t count = 0;
	int rc = app->store->events_after(app->store, after, job, 1, &events, &count, e);

	*past = !rc && (!count || !strcmp(events->kind, "updated"));
	if (count) store_event_clear(events);
	free(events);
	return rc;
}

int job_events(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_job job = { 0 };
	struct watch_key key = { 0 };
	bool given, ended, past = false;
	int64_t after, newest;
	uint64_t id;
	int rc;

	if ((rc = request_number(rq, "job", "job", &id, e))) return rc;
	if ((rc = app->store->job_get(app->store, (int64_t)id, &job, e))) return rc;
	key.job = job.id;
	ended = job_state_ended(job.state);
	store_job_clear(&job);
	if ((rc = read_last_id(rq, &after, &given, e))) return rc;
	/* From the future, as after a restored backup: what is new from here on. */
	if (after > (newest = app->store->last_event(app->store))) after = newest;
	if (ended && given && (rc = is_past_end(app, key.job, after, &past, e))) return rc;
	if (!past) return reply_stream(rq, rp, &key, after, e);
	rp->status = 204;
	return 0;
}

/* "jobs,models" as bits; all when there is no such parameter. */
static unsigned read_topics(struct request *rq, struct faults *faults)
{
	const char *at = request_query(rq, "topics");
	unsigned topics = 0;

	if (!at) return UINT32_MAX;
	for (;;) {
		size_t n = strcspn(at, ","), i = 0;

		while (event_topics[i] && (strlen(event_topics[i]) != n || memcmp(event_topics[i], at, n)))
			i++;
		if (event_topics[i])
			topics |= 1u << i;
		else
			faults_add(faults, ERR_INVALID, "?topics",
					"is a list of jobs, models and datasets, separated by commas; \"%.*s\" is none of them",
					(int)(n < 64 ? n : 64), at);
		if (!at[n]) return topics;
		at += n + 1;
	}
}

int all_events(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct watch_key key = { 0 };
	int64_t newest = app->store->last_event(app->store), after;
	bool given;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = read_last_id(rq, &after, &given, e))) return rc;
	key.topics = read_topics(rq, faults);
	if ((rc = faults_result(faults, e))) return rc;
	return reply_stream(rq, rp, &key, given && after < newest ? after : newest, e);
}

/* ---- long polling ---- */

/* The seconds of "wait=30" in a Prefer header (RFC 7240, section 4.3); 0: none that we understand. */
static unsigned preferred_wait(const char *prefer)
{
	unsigned long seconds;

	while (prefer && *prefer) {
		prefer += strspn(prefer, " \t,;");
		if (!strncasecmp(prefer, "wait", 4)) {
			const char *at = prefer + 4 + strspn(prefer + 4, " \t");

			if (*at == '=') {
				at += 1 + strspn(at + 1, " \t\"");
				seconds = strspn(at, "0123456789") ? strtoul(at, NULL, 10) : 0;
				return seconds < HOLD_SECONDS_MAX ? (unsigned)seconds : HOLD_SECONDS_MAX;
			}
		}
		prefer += strcspn(prefer, ",;");
	}
	return 0;
}

int hold_reply(struct request *rq, struct reply *rp, int64_t job, struct err *e)
{
	struct app *app = rq->app;
	const struct watch_key key = { .job = job };
	unsigned seconds = preferred_wait(rq->headers[HEADER_PREFER]);
	struct watcher *watcher;
	int rc;

	if (!seconds || !rq->may_hold || !rq->headers[HEADER_IF_NONE_MATCH]) return 0;
	if (!rq->state) { /* else the handler runs again */
		if ((rc = watcher_new_bell(&watcher, app->watch, &key, wake_request, rq, e))) return rc;
		rq->state = watcher;
		rq->state_free = free_watcher;
	}
	rp->hold_seconds = seconds;
	reply_header(rp, "Preference-Applied", "wait=%u", seconds);
	return 0;
}
