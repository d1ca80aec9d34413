/* curve.c - the curve of a job: blocks of points, in order and without overlap. */
#include "server/store/sqlite/sqlite.h"

#define BATCH_BLOCKS 256 /* that one reading copies before it hands them on */

struct append {
	int64_t job, attempt;
	const struct store_curve_block *block;
};

static int append_tx(struct db *db, void *arg, struct err *e)
{
	const struct append *a = arg;
	const struct store_curve_block *b = a->block;
	struct store_job job = { 0 };
	int64_t curve, last;
	bool found;
	int rc;

	if ((rc = job_fence(db, a->job, a->attempt, &job, e))) return rc;
	store_job_clear(&job);
	if ((rc = job_curve(db, a->job, &curve, e))) return rc;
	if ((rc = db_number(db, SQL_CURVE_LAST, DB_VALUES(V_INT(curve)), &last, &found, e))) return rc;
	if (b->last < b->first || (found && b->first <= (uint64_t)last))
		return err_set(e, ERR_RANGE, "a block of epochs %llu to %llu cannot follow epoch %lld",
				(unsigned long long)b->first, (unsigned long long)b->last, (long long)last);
	return db_run(db, SQL_CURVE_ADD,
			DB_VALUES(V_INT(curve), V_INT(b->first), V_INT(b->last), V_INT(b->points),
					V_BYTES(b->data, b->size)),
			NULL, e);
}

static int curve_append(struct store *s, int64_t job, int64_t attempt, const struct store_curve_block *block,
		struct err *e)
{
	struct append a = { job, attempt, block };

	return store_write(s, append_tx, &a, e);
}

/* ---- read ---- */

struct reading {
	int64_t job, curve;
	uint64_t from, to;
	struct store_curve_block
			blocks[BATCH_BLOCKS]; /* (count), their data in bytes, one behind the other */
	size_t count;
	struct store_bytes bytes;
};

static int curve_tx(struct db *db, void *arg, struct err *e)
{
	struct reading *r = arg;

	return job_curve(db, r->job, &r->curve, e);
}

/* Copies as many blocks as lie in STORE_CHUNK_BYTES. */
static int blocks_tx(struct db *db, void *arg, struct err *e)
{
	struct reading *r = arg;
	struct db_row row = { 0 };
	size_t used = 0, before;
	bool found;
	int rc;

	r->count = 0;
	if ((rc = db_start(db, SQL_CURVE_GET,
			     DB_VALUES(V_INT(r->curve), V_INT(r->from), V_INT(r->to), V_INT(BATCH_BLOCKS)),
			     &row.stmt, e)))
		return rc;
	while (used < STORE_CHUNK_BYTES && r->count < BATCH_BLOCKS &&
			!(rc = db_next(db, row.stmt, &found, e)) && found) {
		struct store_curve_block *b = &r->blocks[r->count++];

		row.column = 0;
		b->first = (uint64_t)row_int(&row);
		b->last = (uint64_t)row_int(&row);
		b->points = (uint64_t)row_int(&row);
		before = used;
		row_bytes(&row, &r->bytes, &used);
		b->size = used - before;
	}
	return !rc && row.failed ? err_nomem(e) : rc;
}

static int hand_on(const struct reading *r,
		int (*each)(void *self, const struct store_curve_block *block, struct err *e), void *self,
		struct err *e)
{
	const unsigned char *at = r->bytes.data;
	int rc = 0;

	for (size_t i = 0; i < r->count && !rc; i++) {
		struct store_curve_block block = r->blocks[i];

		block.data = at;
		at += block.size;
		rc = each(self, &block, e);
	}
	return rc;
}

static int curve_read(struct store *s, int64_t job, uint64_t from, uint64_t to,
		int (*each)(void *self, const struct store_curve_block *block, struct err *e), void *self,
		struct err *e)
{
	struct reading r = { .job = job, .from = from, .to = to < INT64_MAX ? to : INT64_MAX };
	int rc = store_read(s, curve_tx, &r, e);

	while (!rc && r.from <= r.to) {
		if ((rc = store_read(s, blocks_tx, &r, e)) || !r.count) break;
		if ((rc = hand_on(&r, each, self, e))) break;
		r.from = r.blocks[r.count - 1].last + 1;
	}
	store_bytes_clear(&r.bytes);
	return rc;
}

void curve_fill(struct store *s)
{
	s->curve_append = curve_append;
	s->curve_read = curve_read;
}
