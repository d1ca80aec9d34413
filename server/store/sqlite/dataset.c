/* dataset.c - data sets as they are read and deleted. How they come in is upload.c.
 *
 * dataset names the current revision of each data set. A revision that was replaced, and inline data once a job has
 * named them, stay as long as unfinished jobs need them: whoever ends a job calls revision_release.
 */
#include <stdlib.h>

#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

static void revision_read(struct db_row *row, void *item)
{
	struct store_revision *r = item;

	r->id = row_int(row);
	r->dataset = row_text(row);
	r->number = (uint64_t)row_int(row);
	r->rows = (uint64_t)row_int(row);
	r->columns_count = (uint64_t)row_int(row);
	r->groups = (uint64_t)row_int(row);
	r->size_bytes = (uint64_t)row_int(row);
	row_fixed(row, r->sha256, sizeof r->sha256);
	r->columns = row_text(row);
	r->created_ms = row_int(row);
}

static void revision_clear(void *item)
{
	store_revision_clear(item);
}

const struct db_kind revision_kind = { sizeof(struct store_revision), revision_read, revision_clear };

int revision_release(struct db *db, int64_t revision, struct err *e)
{
	int gone, rc;

	if ((rc = db_run(db, SQL_REVISION_RELEASE, DB_VALUES(V_INT(revision)), &gone, e))) return rc;
	return gone ? garbage_add_revision(db, revision, e) : 0;
}

/* ---- reading ---- */

struct find {
	const char *name; /* of a data set */
	int64_t id;       /* of a revision */
	struct store_revision *out;
};

static int get_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	bool found;
	int rc = db_one(db, &revision_kind, SQL_DATASET_GET, DB_VALUES(V_TEXT(find->name)), find->out, &found,
			e);

	if (rc || found) return rc;
	return err_set(e, ERR_NOT_FOUND, "there is no data set \"%s\"; upload it first", find->name);
}

static int dataset_get(struct store *s, const char *name, struct store_revision *out, struct err *e)
{
	struct find find = { .name = name, .out = out };

	*out = (struct store_revision){ 0 };
	return store_read(s, get_tx, &find, e);
}

static int revision_get_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	bool found;
	int rc = db_one(db, &revision_kind, SQL_REVISION_GET, DB_VALUES(V_INT(find->id)), find->out, &found,
			e);

	if (rc || found) return rc;
	return err_set(e, ERR_NOT_FOUND, "these data are no longer there; name the current data set");
}

static int revision_get(struct store *s, int64_t revision, struct store_revision *out, struct err *e)
{
	struct find find = { .id = revision, .out = out };

	*out = (struct store_revision){ 0 };
	return store_read(s, revision_get_tx, &find, e);
}

struct list {
	const char *after;
	size_t limit;
	void *items;
	size_t *count;
};

static int list_tx(struct db *db, void *arg, struct err *e)
{
	struct list *list = arg;

	return db_list(db, &revision_kind, SQL_DATASET_LIST,
			DB_VALUES(V_TEXT(list->after), V_INT(list->limit)), &list->items, list->count, e);
}

static int dataset_list(struct store *s, const char *after, size_t limit, struct store_revision **out,
		size_t *count, struct err *e)
{
	struct list list = { .after = after, .limit = limit, .count = count };
	int rc;

	*count = 0;
	rc = store_read(s, list_tx, &list, e);
	*out = list.items;
	return rc;
}

/* ---- cells ---- */

struct cells {
	enum sql id;
	int64_t revision;
	uint64_t first, second; /* group and column of a segment, column and chunk of a dictionary */
	struct store_bytes *bytes;
	size_t used; /* of bytes */
};

static int cells_tx(struct db *db, void *arg, struct err *e)
{
	struct cells *cells = arg;
	struct db_row row = { 0 };
	size_t before = cells->used;
	int64_t put_for, put_first;
	bool found;
	int rc;

	if ((rc = db_start(db, cells->id,
			     DB_VALUES(V_INT(cells->revision), V_INT(cells->first), V_INT(cells->second)),
			     &row.stmt, e)))
		return rc;
	if ((rc = db_next(db, row.stmt, &found, e))) return rc;
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "these data are no longer there; name the current data set");
	row_bytes(&row, cells->bytes, &cells->used);
	if (row.failed) return err_nomem(e);
	put_for = sqlite3_column_int64(row.stmt, row.column + 1);
	put_first = sqlite3_column_int64(row.stmt, row.column + 2);
	if (piece_whole(&row, DB_VALUES(V_INT(put_for), V_INT(put_first), V_INT(cells->second),
					      V_BYTES(cells->bytes->data + before, cells->used - before))))
		return 0;
	return cells->id == SQL_SEGMENT_GET
			       ? segment_damaged(db, cells->revision, cells->first, cells->second, e)
			       : dictionary_damaged(db, cells->revision, cells->first, e);
}

/* What a reading of cells hands on. */
static int cells_end(struct cells *cells, int rc)
{
	if (rc)
		store_bytes_clear(cells->bytes);
	else
		cells->bytes->size = cells->used;
	return rc;
}

static int segment_read(struct store *s, int64_t revision, uint64_t group, uint64_t column,
		struct store_bytes *bytes, struct err *e)
{
	struct cells cells = { SQL_SEGMENT_GET, revision, group, column, bytes, 0 };

	upload_settle(s, revision);
	return cells_end(&cells, store_read(s, cells_tx, &cells, e));
}

struct head {
	int64_t revision;
	uint64_t group, column;
	void *to;
	size_t size, *whole;
};

static int head_tx(struct db *db, void *arg, struct err *e)
{
	const struct head *h = arg;
	int64_t id;
	bool found;
	int rc;

	rc = db_number(db, SQL_SEGMENT_FIND, DB_VALUES(V_INT(h->revision), V_INT(h->group), V_INT(h->column)),
			&id, &found, e);
	if (rc) return rc;
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "these data are no longer there; name the current data set");
	return db_blob_head(db, "segment", "data", id, h->to, h->size, h->whole, e);
}

static int segment_head(struct store *s, int64_t revision, uint64_t group, uint64_t column, void *to,
		size_t size, size_t *whole, struct err *e)
{
	struct head head = { revision, group, column, to, size, whole };

	upload_settle(s, revision);
	return store_read(s, head_tx, &head, e);
}

/* The last chunk is the first that is shorter than PIECE_BYTES. */
static int dictionary_read(
		struct store *s, int64_t revision, uint64_t column, struct store_bytes *bytes, struct err *e)
{
	struct cells cells = { SQL_DICTIONARY_GET, revision, column, 0, bytes, 0 };
	size_t before;
	int rc;

	do {
		before = cells.used;
		rc = store_read(s, cells_tx, &cells, e);
		cells.second++;
	} while (!rc && cells.used - before == PIECE_BYTES);
	return cells_end(&cells, rc);
}

/* ---- deleting ---- */

static int drop_revisions(struct db *db, const char *name, struct err *e)
{
	int64_t id;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_REVISION_OF_DATASET, DB_VALUES(V_TEXT(name)), &id, &found, e)) &&
			found) {
		if ((rc = db_run(db, SQL_REVISION_DROP, DB_VALUES(V_INT(id)), NULL, e))) break;
		if ((rc = garbage_add_revision(db, id, e))) break;
	}
	return rc;
}

static int delete_tx(struct db *db, void *arg, struct err *e)
{
	const char *name = arg;
	int64_t job;
	bool found;
	int gone, rc;

	if ((rc = db_number(db, SQL_DATASET_JOB, DB_VALUES(V_TEXT(name)), &job, &found, e))) return rc;
	if (found)
		return err_set(e, ERR_CONFLICT,
				"job %lld needs data set \"%s\"; cancel the job or wait for its end, then delete",
				(long long)job, name);
	if ((rc = db_run(db, SQL_DATASET_DELETE, DB_VALUES(V_TEXT(name)), &gone, e))) return rc;
	if (!gone) return err_set(e, ERR_NOT_FOUND, "there is no data set \"%s\"", name);
	if ((rc = drop_revisions(db, name, e))) return rc;
	return event_dataset(db, "deleted", name, 0, e);
}

static int dataset_delete(struct store *s, const char *name, struct err *e)
{
	return store_write(s, delete_tx, (void *)name, e);
}

void dataset_fill(struct store *s)
{
	s->dataset_get = dataset_get;
	s->dataset_list = dataset_list;
	s->dataset_delete = dataset_delete;
	s->revision_get = revision_get;
	s->segment_read = segment_read;
	s->segment_head = segment_head;
	s->dictionary_read = dictionary_read;
}
