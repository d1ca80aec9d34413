/* answer.c - answers to requests with an Idempotency-Key, to be given again. */
#include "server/store/sqlite/sqlite.h"

static void answer_read(struct db_row *row, void *item)
{
	struct store_answer *a = item;

	a->request = row_text(row);
	a->status = (int)row_int(row);
	a->job = row_int(row);
	a->location = row_text(row);
	a->body = row_text(row);
	a->created_ms = row_int(row);
}

static void answer_clear(void *item)
{
	store_answer_clear(item);
}

static const struct db_kind answer_kind = { sizeof(struct store_answer), answer_read, answer_clear };

int answer_new(struct db *db, const char *key, const struct store_answer *answer, struct err *e)
{
	int put, rc;

	rc = db_run(db, SQL_ANSWER_NEW,
			DB_VALUES(V_TEXT(key), V_TEXT(answer->request), V_INT(answer->job),
					V_TEXT(answer->location ? answer->location : ""),
					V_INT(store_now_ms())),
			&put, e);
	if (rc || put) return rc;
	return err_set(e, ERR_CONFLICT, "a request with this Idempotency-Key was answered already");
}

struct call {
	const char *key;
	struct store_answer *out;
	const struct store_answer *answer;
};

static int get_tx(struct db *db, void *arg, struct err *e)
{
	const struct call *c = arg;
	bool found;
	int rc = db_one(db, &answer_kind, SQL_ANSWER_GET, DB_VALUES(V_TEXT(c->key)), c->out, &found, e);

	return rc || found ? rc : err_set(e, ERR_NOT_FOUND, "no request with this key was answered");
}

static int answer_get(struct store *s, const char *key, struct store_answer *out, struct err *e)
{
	struct call c = { .key = key, .out = out };

	*out = (struct store_answer){ 0 };
	return store_read(s, get_tx, &c, e);
}

static int put_tx(struct db *db, void *arg, struct err *e)
{
	const struct call *c = arg;
	const struct store_answer *a = c->answer;

	return db_run(db, SQL_ANSWER_PUT,
			DB_VALUES(V_TEXT(c->key), V_TEXT(a->request), V_INT(a->status), V_INT(a->job),
					V_TEXT(a->location ? a->location : ""),
					V_TEXT(a->body ? a->body : ""), V_INT(store_now_ms())),
			NULL, e);
}

static int answer_put(struct store *s, const char *key, const struct store_answer *answer, struct err *e)
{
	struct call c = { .key = key, .answer = answer };

	return store_write(s, put_tx, &c, e);
}

static int prune_tx(struct db *db, void *arg, struct err *e)
{
	const int64_t *before_ms = arg;

	return db_run(db, SQL_ANSWER_PRUNE, DB_VALUES(V_INT(*before_ms)), NULL, e);
}

static int answers_prune(struct store *s, int64_t before_ms, struct err *e)
{
	return store_write_bulk(s, prune_tx, &before_ms, e);
}

void answer_fill(struct store *s)
{
	s->answer_get = answer_get;
	s->answer_put = answer_put;
	s->answers_prune = answers_prune;
}
