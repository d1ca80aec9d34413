/* blob.c - large values in chunks of PIECE_BYTES, each written and read in a transaction of its own.
 *
 * A blob is loose until a version names it (version_publish). Until then blob_discard, or the next start, takes it.
 */
#include <stdlib.h>

#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

int blob_drop(struct db *db, int64_t blob, struct err *e)
{
	int rc = blob ? db_run(db, SQL_BLOB_DROP, DB_VALUES(V_INT(blob)), NULL, e) : 0;

	return rc ? rc : garbage_add(db, GARBAGE_BLOB, blob, e);
}

struct piece {
	int64_t blob;
	uint64_t chunk;
	const unsigned char *data;
	size_t size, total; /* of this chunk, of the blob */
};

static int put_tx(struct db *db, void *arg, struct err *e)
{
	struct piece *p = arg;
	int rc;

	if (!p->chunk) {
		if ((rc = db_run(db, SQL_BLOB_NEW, DB_VALUES(V_INT(p->total)), NULL, e))) return rc;
		p->blob = db_last_id(db);
	}
	return piece_put(db, SQL_BLOB_PUT,
			DB_VALUES(V_INT(p->blob), V_INT(p->chunk), V_BYTES(p->data, p->size)), NULL, e);
}

int blob_put(struct db *db, const void *data, size_t size, int64_t *blob, struct err *e)
{
	struct piece piece = { .data = data, .size = size, .total = size };
	int rc = put_tx(db, &piece, e);

	*blob = piece.blob;
	return rc;
}

static int discard_tx(struct db *db, void *arg, struct err *e)
{
	int64_t blob = *(int64_t *)arg;
	int gone, rc;

	if ((rc = db_run(db, SQL_BLOB_DROP_LOOSE, DB_VALUES(V_INT(blob)), &gone, e))) return rc;
	return gone ? garbage_add(db, GARBAGE_BLOB, blob, e) : 0;
}

/* What fails here is taken by sweep_loose at the next start. */
static void blob_discard(struct store *s, int64_t blob)
{
	store_write(s, discard_tx, &blob, NULL);
}

static int blob_write(struct store *s, const void *data, size_t size, int64_t *blob, struct err *e)
{
	struct piece piece = { .data = data, .total = size };
	int rc;

	*blob = 0;
	do {
		piece.size = size < PIECE_BYTES ? size : PIECE_BYTES;
		if ((rc = store_write_bulk(s, put_tx, &piece, e))) {
			if (piece.chunk) blob_discard(s, piece.blob);
			return rc;
		}
		size -= piece.size;
		piece.data += piece.size;
		piece.chunk++;
	} while (size);
	*blob = piece.blob;
	return 0;
}

struct reading {
	int64_t blob;
	uint64_t chunk;
	struct store_bytes *out;
	size_t used, total;
};

static int get_tx(struct db *db, void *arg, struct err *e)
{
	struct reading *r = arg;
	struct db_row row = { 0 };
	size_t before = r->used;
	bool found;
	int rc;

	if ((rc = db_start(db, SQL_BLOB_GET, DB_VALUES(V_INT(r->blob), V_INT(r->chunk)), &row.stmt, e)))
		return rc;
	if ((rc = db_next(db, row.stmt, &found, e))) return rc;
	if (!found)
		return err_set(e, ERR_NOT_FOUND,
				"these bytes are no longer there: their version was deleted");
	r->total = (size_t)row_int(&row);
	row_bytes(&row, r->out, &r->used);
	if (row.failed) return err_nomem(e);
	if (r->used > r->total || (r->used == before && r->total) ||
			!piece_whole(&row, DB_VALUES(V_INT(r->blob), V_INT(r->chunk),
							   V_BYTES(r->out->data + before, r->used - before))))
		return blob_damaged(db, r->blob, e);
	return 0;
}

static int blob_read(struct store *s, int64_t blob, struct store_bytes *out, struct err *e)
{
	struct reading r = { .blob = blob, .out = out };
	int rc;

	*out = (struct store_bytes){ 0 };
	do {
		rc = store_read(s, get_tx, &r, e);
		r.chunk++;
	} while (!rc && r.used < r.total);
	if (rc) store_bytes_clear(out);
	return rc;
}

void blob_fill(struct store *s)
{
	s->blob_write = blob_write;
	s->blob_read = blob_read;
	s->blob_discard = blob_discard;
}
