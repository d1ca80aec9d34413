/* token.c - tokens, and whether what one of them made is within what it may keep. */
#include <stdlib.h>
#include <string.h>

#include "server/store/sqlite/sqlite.h"

static void token_read(struct db_row *row, void *item)
{
	struct store_token *t = item;
	struct store_bytes digest = { 0 };
	size_t n = 0;

	t->id = row_int(row);
	t->name = row_text(row);
	row_bytes(row, &digest, &n);
	if (n == sizeof t->digest) memcpy(t->digest, digest.data, n);
	store_bytes_clear(&digest);
	t->roles = (unsigned)row_int(row);
	t->models = row_text(row);
	t->rate = row_real(row);
	for (int i = 0; i < STORE_QUOTAS; i++)
		t->quotas[i] = row_int(row);
	t->created_ms = row_int(row);
	t->expires_ms = row_int(row);
}

static void token_clear(void *item)
{
	store_token_clear(item);
}

static const struct db_kind token_kind = { sizeof(struct store_token), token_read, token_clear };

static int create_tx(struct db *db, void *arg, struct err *e)
{
	struct store_token *t = arg;
	int put, rc;

	rc = db_run(db, SQL_TOKEN_NEW,
			DB_VALUES(V_TEXT(t->name), V_BYTES(t->digest, sizeof t->digest), V_INT(t->roles),
					V_TEXT(t->models), V_REAL(t->rate),
					V_INT(t->quotas[STORE_QUOTA_MODELS]),
					V_INT(t->quotas[STORE_QUOTA_DATASETS]),
					V_INT(t->quotas[STORE_QUOTA_BYTES]),
					V_INT(t->quotas[STORE_QUOTA_JOBS]), V_INT(t->created_ms),
					V_INT(t->expires_ms)),
			&put, e);
	if (rc) return rc;
	if (!put)
		return err_set(e, ERR_CONFLICT, "there is a token \"%s\" already; choose another name",
				t->name);
	t->id = db_last_id(db);
	return 0;
}

static int token_create(struct store *s, struct store_token *token, struct err *e)
{
	token->created_ms = store_now_ms();
	return store_write(s, create_tx, token, e);
}

struct listing {
	struct store_token **out;
	size_t *count;
};

static int list_tx(struct db *db, void *arg, struct err *e)
{
	const struct listing *l = arg;
	void *items;
	int rc = db_list(db, &token_kind, SQL_TOKEN_LIST, DB_NO_VALUES, &items, l->count, e);

	*l->out = items;
	return rc;
}

static int token_list(struct store *s, struct store_token **out, size_t *count, struct err *e)
{
	struct listing listing = { out, count };

	*out = NULL;
	*count = 0;
	return store_read(s, list_tx, &listing, e);
}

static int delete_tx(struct db *db, void *arg, struct err *e)
{
	const int64_t *id = arg;
	int gone, rc = db_run(db, SQL_TOKEN_DELETE, DB_VALUES(V_INT(*id)), &gone, e);

	return rc || gone ? rc : err_set(e, ERR_NOT_FOUND, "there is no token %lld", (long long)*id);
}

static int token_delete(struct store *s, int64_t id, struct err *e)
{
	return store_write(s, delete_tx, &id, e);
}

static int ever_tx(struct db *db, void *arg, struct err *e)
{
	bool *ever = arg;
	int64_t last;

	return db_number(db, SQL_TOKEN_LAST, DB_NO_VALUES, &last, ever, e);
}

static int token_ever(struct store *s, bool *ever, struct err *e)
{
	return store_read(s, ever_tx, ever, e);
}

/* ---- what it may keep ---- */

static const struct {
	enum sql over; /* what it may keep, where it has more */
	const char *sentence;
} quotas[STORE_QUOTAS] = {
	[STORE_QUOTA_MODELS] = { SQL_TOKEN_OVER_MODELS,
			"this token may keep %lld models and has them: delete one of its own first" },
	[STORE_QUOTA_DATASETS] = { SQL_TOKEN_OVER_DATASETS,
			"this token may keep %lld data sets and has them: delete one of its own first" },
	[STORE_QUOTA_BYTES] = { SQL_TOKEN_OVER_BYTES,
			"this token may keep data sets of %lld bytes, and with this one it would have more" },
	[STORE_QUOTA_JOBS] = { SQL_TOKEN_OVER_JOBS,
			"this token may have %lld unfinished jobs and has them: wait for one, or cancel it" },
};

/* ERR_QUOTA: a row comes. */
static int must_be_none(struct db *db, enum sql sql, const struct db_value *values, enum store_quota quota,
		struct err *e)
{
	int64_t most;
	bool over;
	int rc = db_number(db, sql, values, &most, &over, e);

	return rc || !over ? rc : err_set(e, ERR_QUOTA, quotas[quota].sentence, (long long)most);
}

int quota_hold(struct db *db, int64_t token, enum store_quota quota, struct err *e)
{
	return token > 0 ? must_be_none(db, quotas[quota].over, DB_VALUES(V_INT(token)), quota, e) : 0;
}

int quota_room(struct db *db, int64_t token, const char *dataset, uint64_t size_bytes, int64_t *most_bytes,
		struct err *e)
{
	bool there;
	int rc;

	*most_bytes = STORE_NO_QUOTA;
	if (token <= 0) return 0;
	rc = must_be_none(db, SQL_TOKEN_FULL_DATASETS, DB_VALUES(V_INT(token), V_TEXT(dataset)),
			STORE_QUOTA_DATASETS, e);
	if (!rc)
		rc = must_be_none(db, SQL_TOKEN_FULL_BYTES,
				DB_VALUES(V_INT(token), V_TEXT(dataset), V_INT(size_bytes)),
				STORE_QUOTA_BYTES, e);
	if (!rc) rc = db_number(db, SQL_TOKEN_BYTES, DB_VALUES(V_INT(token)), most_bytes, &there, e);
	if (!rc && !there) *most_bytes = STORE_NO_QUOTA; /* it was revoked: others look at that */
	return rc;
}

void token_fill(struct store *s)
{
	s->token_create = token_create;
	s->token_list = token_list;
	s->token_delete = token_delete;
	s->token_ever = token_ever;
}
