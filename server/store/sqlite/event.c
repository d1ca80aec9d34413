/* event.c - the log of what was committed. See event.h, and "the log" in store.h.
 *
 * Ids come from series 'event' inside the transaction that they tell of; as there is one writer, they ascend with
 * the commits, and an id that a rollback took back was never seen by anybody.
 */
#include "server/store/sqlite/event.h"

#include "server/store/sqlite/sqlite.h"

#define SERIES "event"

int event_take(struct db *db, uint64_t n, int64_t *first, struct err *e)
{
	int rc = db_number(db, SQL_SERIES_TAKE, DB_VALUES(V_TEXT(SERIES), V_INT(n)), first, NULL, e);

	if (!rc) db_mark_event(db, *first + (int64_t)n - 1);
	return rc;
}

int event_newest(struct db *db, int64_t *newest, struct err *e)
{
	int rc = db_number(db, SQL_SERIES_LAST, DB_VALUES(V_TEXT(SERIES)), newest, NULL, e);

	if (!rc) db_mark_event(db, *newest);
	return rc;
}

int event_job(struct db *db, int64_t job, const char *kind, enum job_state state, struct err *e)
{
	int64_t id;
	int rc = event_take(db, 1, &id, e);

	if (rc) return rc;
	return db_run(db, SQL_EVENT_ADD_STATE,
			DB_VALUES(V_INT(id), V_INT(job), V_TEXT(kind), V_TEXT(job_state_name(state)),
					V_INT(store_now_ms())),
			NULL, e);
}

int event_rewind(struct db *db, int64_t job, uint64_t epoch, struct err *e)
{
	int64_t id;
	int rc = event_take(db, 1, &id, e);

	if (rc) return rc;
	return db_run(db, SQL_EVENT_ADD_REWIND,
			DB_VALUES(V_INT(id), V_INT(job), V_INT(epoch), V_INT(store_now_ms())), NULL, e);
}

int event_job_deleted(struct db *db, int64_t job, const char *model, struct err *e)
{
	int64_t id;
	int rc;

	if ((rc = db_run(db, SQL_EVENT_FORGET, DB_VALUES(V_INT(job)), NULL, e))) return rc;
	if ((rc = event_take(db, 1, &id, e))) return rc;
	return db_run(db, SQL_EVENT_ADD_JOB,
			DB_VALUES(V_INT(id), V_INT(job), V_TEXT(model), V_INT(store_now_ms())), NULL, e);
}

int event_model(struct db *db, const char *kind, const char *model, uint64_t version, const char *label,
		struct err *e)
{
	int64_t id;
	int rc = event_take(db, 1, &id, e);

	if (rc) return rc;
	return db_run(db, SQL_EVENT_ADD_MODEL,
			DB_VALUES(V_INT(id), V_TEXT(kind), V_TEXT(model), V_INT(version), V_TEXT(label),
					V_INT(store_now_ms())),
			NULL, e);
}

int event_dataset(struct db *db, const char *kind, const char *name, uint64_t revision, struct err *e)
{
	int64_t id;
	int rc = event_take(db, 1, &id, e);

	if (rc) return rc;
	return db_run(db, SQL_EVENT_ADD_DATASET,
			DB_VALUES(V_INT(id), V_TEXT(kind), V_TEXT(name), V_INT(revision),
					V_INT(store_now_ms())),
			NULL, e);
}

/* ---- reading ---- */

static void event_read(struct db_row *row, void *item)
{
	struct store_event *event = item;

	event->id = row_int(row);
	event->job = row_int(row);
	event->topic = row_text(row);
	event->kind = row_text(row);
	event->name = row_text(row);
	event->data = row_text(row);
	event->created_ms = row_int(row);
}

static void event_clear(void *item)
{
	store_event_clear(item);
}

static const struct db_kind event_kind = { sizeof(struct store_event), event_read, event_clear };

struct find {
	int64_t after, job;
	size_t limit;
	void *out;
	size_t count;
};

static int list_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	const struct db_value *values =
			find->job ? DB_VALUES(V_INT(find->after), V_INT(find->limit), V_INT(find->job))
				  : DB_VALUES(V_INT(find->after), V_INT(find->limit));

	return db_list(db, &event_kind, find->job ? SQL_EVENT_LIST_OF_JOB : SQL_EVENT_LIST, values,
			&find->out, &find->count, e);
}

static int events_after(struct store *s, int64_t id, int64_t job, size_t limit, struct store_event **out,
		size_t *count, struct err *e)
{
	struct find find = { .after = id, .job = job, .limit = limit };
	int rc = store_read(s, list_tx, &find, e);

	*out = find.out;
	*count = find.count;
	return rc;
}

static int64_t last_event(struct store *s)
{
	return writer_last_event(sqlite_of(s)->writer);
}

static void on_commit(struct store *s, void (*told)(void *self), void *self)
{
	writer_on_commit(sqlite_of(s)->writer, told, self);
}

static void on_failure(struct store *s, void (*told)(void *self, const struct err *e), void *self)
{
	writer_on_failure(sqlite_of(s)->writer, told, self);
}

void event_fill(struct store *s)
{
	s->events_after = events_after;
	s->last_event = last_event;
	s->on_commit = on_commit;
	s->on_failure = on_failure;
}
