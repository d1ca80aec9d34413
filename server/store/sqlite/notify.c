/* notify.c - who wants to be told that a job has ended. A row comes with its job, is due from its end on (job_ended),
 * and stays until somebody was told. */
#include "server/store/sqlite/sqlite.h"

static void notify_read(struct db_row *row, void *item)
{
	struct store_notify *n = item;

	n->job = row_int(row);
	n->url = row_text(row);
	n->tries = row_int(row);
}

static void notify_clear(void *item)
{
	store_notify_clear(item);
}

static const struct db_kind notify_kind = { sizeof(struct store_notify), notify_read, notify_clear };

struct find {
	size_t limit;
	void *out;
	size_t count;
};

static int due_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;

	return db_list(db, &notify_kind, SQL_NOTIFY_DUE,
			DB_VALUES(V_INT(store_clock_ms()), V_INT(find->limit)), &find->out, &find->count, e);
}

static int notify_due(struct store *s, size_t limit, struct store_notify **out, size_t *count, struct err *e)
{
	struct find find = { .limit = limit };
	int rc = store_read(s, due_tx, &find, e);

	*out = find.out;
	*count = find.count;
	return rc;
}

struct told {
	int64_t job, delay_ms;
};

static int done_tx(struct db *db, void *arg, struct err *e)
{
	const struct told *t = arg;

	return db_run(db, SQL_NOTIFY_DONE, DB_VALUES(V_INT(t->job)), NULL, e);
}

static int later_tx(struct db *db, void *arg, struct err *e)
{
	const struct told *t = arg;

	return db_run(db, SQL_NOTIFY_LATER, DB_VALUES(V_INT(t->job), V_INT(store_clock_ms() + t->delay_ms)),
			NULL, e);
}

static int notify_done(struct store *s, int64_t job, struct err *e)
{
	struct told t = { job, 0 };

	return store_write(s, done_tx, &t, e);
}

static int notify_later(struct store *s, int64_t job, int64_t delay_ms, struct err *e)
{
	struct told t = { job, delay_ms };

	return store_write(s, later_tx, &t, e);
}

void notify_fill(struct store *s)
{
	s->notify_due = notify_due;
	s->notify_done = notify_done;
	s->notify_later = notify_later;
}
