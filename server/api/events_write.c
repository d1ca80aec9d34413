/* events_write.c - events as text, on the watch's thread: once for all who are at the same place.
 *
 * Of a job, what the log says and the points of its curve are woven together by their ids. Both are read up to the newest
 * event of the moment before: so nothing that is committed in between is taken for passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/events.h"
#include "server/api/jobs.h"
#include "server/codec/json.h"

#define LOG_LIMIT        500 /* events of the log in one text */
#define POINTS_MAX       10000
#define POINT_TEXT_BYTES 200 /* about what a point takes as text */

/* What a text is made of. */
struct part {
	const struct watch_key *key;
	int64_t after, top; /* events in (after, top] */
	struct store_event *events;
	size_t events_count;
	struct curve curve; /* point i is event ids[i] */
	int64_t *ids;
	size_t ids_capacity, points_max;
	struct curve_view view;
	struct buffer *text;
	bool over;
};

static void part_clear(struct part *part)
{
	for (size_t i = 0; i < part->events_count; i++)
		store_event_clear(&part->events[i]);
	free(part->events);
	free(part->ids);
	curve_clear(&part->curve);
}

/* ---- one event ---- */

/* What stands before the data of an event, and after them. data is one line, as compact JSON is. id 0: it has none. */
static void begin_event(const struct part *part, int64_t id, const char *name)
{
	bool lines = part->key->form == EVENTS_LINES;

	buffer_text(part->text, lines ? "{" : "");
	if (id) buffer_printf(part->text, lines ? "\"id\":\"%lld\"," : "id: %lld\n", (long long)id);
	buffer_printf(part->text, lines ? "\"event\":\"%s\",\"data\":" : "event: %s\ndata: ", name);
}

static void end_event(const struct part *part)
{
	buffer_text(part->text, part->key->form == EVENTS_LINES ? "}\n" : "\n\n");
}

static int write_document(
		const struct part *part, int64_t id, const char *name, json_t *document, struct err *e)
{
	if (!document) return err_nomem(e);
	begin_event(part, id, name);
	json_write(document, part->text);
	end_event(part);
	json_decref(document);
	return 0;
}

/* The stored data of an event with when it was. */
static json_t *dated(const struct store_event *event)
{
	json_t *data = stored_document(event->data);

	json_put(data, "at", json_time(event->created_ms));
	return data;
}

/* ---- the points of a curve ---- */

static void write_point(const struct part *part, size_t i)
{
	begin_event(part, part->ids[i], "epoch");
	buffer_text(part->text, "{");
	curve_write_point(&part->curve.points[i], &part->view, part->text);
	buffer_text(part->text, "}");
	end_event(part);
}

/* Points [from, to) as columns in one event, whose id is that of the last. */
static void write_points(const struct part *part, size_t from, size_t to)
{
	struct curve some = { .points = part->curve.points + from, .count = to - from };

	begin_event(part, part->ids[to - 1], "epochs");
	buffer_printf(part->text, "{\"from\":\"%lld\",\"to\":\"%lld\"", (long long)part->ids[from],
			(long long)part->ids[to - 1]);
	curve_write_columns(&some, &part->view, part->text);
	buffer_text(part->text, "}");
	end_event(part);
}

/* Those from `from` on whose ids are below `id`; returns the place after them. */
static size_t write_run(const struct part *part, size_t from, int64_t id)
{
	size_t to = from;

	while (to < part->curve.count && part->ids[to] < id)
		to++;
	if (part->curve.count > EVENTS_SINGLE_MAX && to > from)
		write_points(part, from, to);
	else
		for (size_t i = from; i < to; i++)
			write_point(part, i);
	return to;
}

/* Keeps of the newly decoded points, the first of which is event `first`, those in (after, top]. */
static int keep_points(struct part *part, size_t from, int64_t first, struct err *e)
{
	struct curve *curve = &part->curve;
	size_t at = from;

	if (part->ids_capacity < curve->capacity) {
		int64_t *grown = reallocarray(part->ids, curve->capacity, sizeof *grown);

		if (!grown) return err_nomem(e);
		part->ids = grown;
		part->ids_capacity = curve->capacity;
	}
	for (size_t i = from; i < curve->count && at < part->points_max; i++) {
		int64_t id = first + (int64_t)(i - from);

		if (id <= part->after || id > part->top) continue;
		curve->points[at] = curve->points[i];
		part->ids[at++] = id;
	}
	curve->count = at;
	return 0;
}

#define ENOUGH (-1) /* no error */

static int on_block(void *self, const struct store_curve_block *block, struct err *e)
{
	struct part *part = self;
	size_t from = part->curve.count;
	int rc;

	if (block->first_event > part->top) return ENOUGH;
	if ((rc = curve_decode(&part->curve, block->data, block->size, 0, UINT64_MAX, e))) return rc;
	if ((rc = keep_points(part, from, block->first_event, e))) return rc;
	return part->curve.count == part->points_max ? ENOUGH : 0;
}

/* ---- a job ---- */

static int read_job(struct part *part, struct app *app, struct store_job *job, struct err *e)
{
	struct store *store = app->store;
	int rc;

	if ((rc = store->job_get(store, part->key->job, job, e))) return rc;
	job_curve_view(app, job, &part->view);
	if ((rc = store->events_after(
			     store, part->after, job->id, LOG_LIMIT, &part->events, &part->events_count, e)))
		return rc;
	if (part->events_count == LOG_LIMIT && part->events[LOG_LIMIT - 1].id < part->top)
		part->top = part->events[LOG_LIMIT - 1].id;
	rc = store->curve_read_after(store, job->id, part->after, on_block, part, e);
	if (rc && rc != ENOUGH) return rc;
	if (part->curve.count == part->points_max) part->top = part->ids[part->curve.count - 1];
	return 0;
}

/* What of a job's log has another name in its stream. */
static const char *event_name(const struct store_event *event)
{
	return strcmp(event->kind, "created") ? event->kind : "state";
}

static int write_event(struct part *part, struct app *app, const struct store_job *job,
		const struct store_event *event, struct err *e)
{
	bool end = !strcmp(event->kind, "end");

	part->over |= end;
	return write_document(
			part, event->id, event_name(event), end ? job_document(app, job) : dated(event), e);
}

/* Did it end under a release that logged no end? */
static bool lacks_end(const struct part *part, const struct store_job *job)
{
	for (size_t i = 0; i < part->events_count; i++)
		if (!strcmp(part->events[i].kind, "end")) return false;
	return job_state_ended(job->state) && part->events_count < LOG_LIMIT &&
	       part->curve.count < part->points_max;
}

static int write_job(struct part *part, struct app *app, struct err *e)
{
	struct store_job job = { 0 };
	size_t point = 0;
	int rc = read_job(part, app, &job, e);

	for (size_t i = 0; i < part->events_count && !rc && !part->over; i++) {
		if (part->events[i].id > part->top) break;
		point = write_run(part, point, part->events[i].id);
		rc = write_event(part, app, &job, &part->events[i], e);
	}
	if (!rc) write_run(part, point, INT64_MAX);
	if (!rc && lacks_end(part, &job)) {
		part->over = true;
		rc = write_document(part, 0, "end", job_document(app, &job), e);
	}
	store_job_clear(&job);
	return rc;
}

/* ---- everything ---- */

static bool is_wanted(const struct part *part, const struct store_event *event)
{
	size_t i = 0;

	while (event_topics[i] && strcmp(event_topics[i], event->topic))
		i++;
	/* That a job has ended is in its last state. */
	return (part->key->topics >> i & 1) && strcmp(event->kind, "end");
}

static int write_all(struct part *part, struct app *app, struct err *e)
{
	int rc = app->store->events_after(
			app->store, part->after, 0, LOG_LIMIT, &part->events, &part->events_count, e);

	for (size_t i = 0; i < part->events_count && !rc; i++) {
		const struct store_event *event = &part->events[i];
		json_t *data;

		if (event->id > part->top) break;
		if (!is_wanted(part, event)) continue;
		data = dated(event);
		json_put(data, "change", json_string(event->kind));
		rc = write_document(part, event->id, event->topic, data, e);
	}
	if (part->events_count == LOG_LIMIT && part->events[LOG_LIMIT - 1].id < part->top)
		part->top = part->events[LOG_LIMIT - 1].id;
	return rc;
}

int events_write(void *self, const struct watch_key *key, int64_t after, size_t bytes, struct watch_text *out,
		struct err *e)
{
	struct app *app = self;
	struct part part = { .key = key,
		.after = after,
		.top = app->store->last_event(app->store),
		.points_max = bytes / POINT_TEXT_BYTES,
		.text = &out->text };
	int rc;

	if (part.points_max > POINTS_MAX) part.points_max = POINTS_MAX;
	rc = key->job ? write_job(&part, app, e) : write_all(&part, app, e);
	if (!rc && !buffer_ok(&out->text)) rc = err_nomem(e);
	out->last = part.top;
	out->over = part.over;
	if (rc == ERR_NOT_FOUND && key->job) { /* deleted meanwhile */
		out->over = true;
		rc = 0;
	}
	part_clear(&part);
	return rc;
}
