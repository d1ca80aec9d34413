/* drift.c - what has been asked of a version: one row beside it, written anew now and then. */
#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/sqlite.h"

struct drift {
	const char *model;
	uint64_t version;
	const void *data; /* put */
	size_t size;
	struct store_bytes *out; /* get */
	size_t used;             /* of out */
};

static int put_tx(struct db *db, void *arg, struct err *e)
{
	const struct drift *d = arg;
	int64_t blob;
	int rc;

	if ((rc = version_must_exist(db, d->model, d->version, &blob, e))) return rc;
	return piece_put(db, SQL_DRIFT_PUT,
			DB_VALUES(V_TEXT(d->model), V_INT(d->version), V_BYTES(d->data, d->size)), NULL, e);
}

static int drift_put(struct store *s, const char *model, uint64_t version, const void *data, size_t size,
		struct err *e)
{
	struct drift d = { .model = model, .version = version, .data = data, .size = size };

	if (size > STORE_CHUNK_BYTES)
		return err_set(e, ERR_RANGE, "the drift of a version has at most %u bytes, not %zu",
				STORE_CHUNK_BYTES, size);
	return store_write(s, put_tx, &d, e);
}

static int get_tx(struct db *db, void *arg, struct err *e)
{
	struct drift *d = arg;
	struct db_row row = { 0 };
	int64_t blob;
	bool found;
	int rc;

	if ((rc = version_must_exist(db, d->model, d->version, &blob, e))) return rc;
	rc = db_start(db, SQL_DRIFT_GET, DB_VALUES(V_TEXT(d->model), V_INT(d->version)), &row.stmt, e);
	if (rc || (rc = db_next(db, row.stmt, &found, e)) || !found) return rc;
	row_bytes(&row, d->out, &d->used);
	if (row.failed) return err_nomem(e);
	if (piece_whole(&row, DB_VALUES(V_TEXT(d->model), V_INT(d->version), V_BYTES(d->out->data, d->used))))
		return 0;
	return drift_damaged(d->model, d->version, e);
}

static int drift_get(
		struct store *s, const char *model, uint64_t version, struct store_bytes *out, struct err *e)
{
	struct drift d = { .model = model, .version = version, .out = out };
	int rc = store_read(s, get_tx, &d, e);

	if (rc)
		store_bytes_clear(out);
	else
		out->size = d.used;
	return rc;
}

void drift_fill(struct store *s)
{
	s->drift_put = drift_put;
	s->drift_get = drift_get;
}
