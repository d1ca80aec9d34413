/* curve.c - the curve of a job: blocks of points, in order and without overlap, by keys as by events; and the summaries
 * beside them. */
#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

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
	int64_t curve, last, event;
	bool found;
	int rc;

	if ((rc = job_fence(db, a->job, a->attempt, &job, e))) return rc;
	store_job_clear(&job);
	if ((rc = job_curve(db, a->job, &curve, e))) return rc;
	if ((rc = db_number(db, SQL_CURVE_LAST, DB_VALUES(V_INT(curve)), &last, &found, e))) return rc;
	if (b->last < b->first || (found && b->first <= (uint64_t)last))
		return err_set(e, ERR_RANGE, "a block of epochs %llu to %llu cannot follow epoch %lld",
				(unsigned long long)b->first, (unsigned long long)b->last, (long long)last);
	if ((rc = event_take(db, b->points, &event, e))) return rc;
	return piece_put(db, SQL_CURVE_ADD,
			DB_VALUES(V_INT(curve), V_INT(b->first), V_INT(b->last), V_INT(b->points),
					V_INT(event), V_BYTES(b->data, b->size)),
			NULL, e);
}

static int curve_append(struct store *s, int64_t job, int64_t attempt, const struct store_curve_block *block,
		struct err *e)
{
	struct append a = { job, attempt, block };

	return store_write(s, append_tx, &a, e);
}

/* ---- summaries ---- */

struct summary {
	int64_t job, attempt;
	unsigned level;
	const struct store_curve_block *block;
};

static int level_tx(struct db *db, void *arg, struct err *e)
{
	const struct summary *a = arg;
	const struct store_curve_block *b = a->block;
	struct store_job job = { 0 };
	int64_t curve;
	int rc;

	if ((rc = job_fence(db, a->job, a->attempt, &job, e))) return rc;
	store_job_clear(&job);
	if ((rc = job_curve(db, a->job, &curve, e))) return rc;
	if ((rc = db_run(db, SQL_LEVEL_REWIND,
			     DB_VALUES(V_INT(curve), V_INT(b->first - 1), V_INT(a->level), V_INT(a->level)),
			     NULL, e)))
		return rc;
	return piece_put(db, SQL_LEVEL_ADD,
			DB_VALUES(V_INT(curve), V_INT(a->level), V_INT(b->first), V_INT(b->last),
					V_INT(b->points), V_BYTES(b->data, b->size)),
			NULL, e);
}

static int level_append(struct store *s, int64_t job, int64_t attempt, unsigned level,
		const struct store_curve_block *block, struct err *e)
{
	struct summary a = { job, attempt, level, block };

	if (!level || !block->first || block->last < block->first)
		return err_set(e, ERR_RANGE, "no such summary of a curve");
	return store_write(s, level_tx, &a, e);
}

/* ---- rewind ---- */

struct rewind {
	int64_t job, attempt;
	uint64_t last; /* key */
};

/* A whole curve goes in steps, beside what others write: the job gets another one. */
static int take_all(struct db *db, int64_t job, int64_t curve, int *gone, struct err *e)
{
	int64_t last, fresh;
	bool found;
	int rc;

	*gone = 0;
	if ((rc = db_number(db, SQL_CURVE_LAST, DB_VALUES(V_INT(curve)), &last, &found, e)) || !found)
		return rc;
	if ((rc = db_number(db, SQL_SERIES_NEXT, DB_VALUES(V_TEXT("curve")), &fresh, NULL, e))) return rc;
	if ((rc = garbage_add_curve(db, curve, e))) return rc;
	*gone = 1;
	return db_run(db, SQL_JOB_CURVE_SET, DB_VALUES(V_INT(job), V_INT(fresh)), NULL, e);
}

static uint64_t epoch_of(uint64_t key)
{
	return key >> STORE_KEY_STEP_BITS ? key >> STORE_KEY_STEP_BITS : key;
}

static int rewind_tx(struct db *db, void *arg, struct err *e)
{
	const struct rewind *r = arg;
	struct store_job job = { 0 };
	int64_t curve;
	int gone, rc;

	if ((rc = job_fence(db, r->job, r->attempt, &job, e))) return rc;
	store_job_clear(&job);
	if ((rc = job_curve(db, r->job, &curve, e))) return rc;
	rc = r->last ? db_run(db, SQL_CURVE_REWIND, DB_VALUES(V_INT(curve), V_INT(r->last)), &gone, e)
		     : take_all(db, r->job, curve, &gone, e);
	if (!rc && r->last)
		rc = db_run(db, SQL_LEVEL_REWIND,
				DB_VALUES(V_INT(curve), V_INT(r->last), V_INT(0), V_INT(INT64_MAX)), NULL, e);
	return rc || !gone ? rc : event_rewind(db, r->job, epoch_of(r->last), e);
}

static int curve_rewind(struct store *s, int64_t job, int64_t attempt, uint64_t last, struct err *e)
{
	struct rewind r = { job, attempt, last };

	return store_write(s, rewind_tx, &r, e);
}

/* ---- read ---- */

/* By keys from `from` to `to`, or, where to is 0, by events above `from`. */
struct reading {
	int64_t job, curve;
	unsigned level; /* 0: the points themselves */
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

static bool block_whole(const struct reading *r, const struct store_curve_block *b, const unsigned char *data,
		struct db_row *row)
{
	return r->level ? piece_whole(row, DB_VALUES(V_INT(r->curve), V_INT(r->level), V_INT(b->first),
							   V_INT(b->last), V_INT(b->points),
							   V_BYTES(data, b->size)))
			: piece_whole(row, DB_VALUES(V_INT(r->curve), V_INT(b->first), V_INT(b->last),
							   V_INT(b->points), V_INT(b->first_event),
							   V_BYTES(data, b->size)));
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
	rc = r->level ? db_start(db, SQL_LEVEL_GET,
					DB_VALUES(V_INT(r->curve), V_INT(r->level), V_INT(r->from),
							V_INT(r->to), V_INT(BATCH_BLOCKS)),
					&row.stmt, e)
	     : r->to  ? db_start(db, SQL_CURVE_GET,
					DB_VALUES(V_INT(r->curve), V_INT(r->from), V_INT(r->to),
							V_INT(BATCH_BLOCKS)),
					&row.stmt, e)
		      : db_start(db, SQL_CURVE_GET_AFTER,
					DB_VALUES(V_INT(r->curve), V_INT(r->from), V_INT(BATCH_BLOCKS)),
					&row.stmt, e);
	if (rc) return rc;
	while (used < STORE_CHUNK_BYTES && r->count < BATCH_BLOCKS &&
			!(rc = db_next(db, row.stmt, &found, e)) && found) {
		struct store_curve_block *b = &r->blocks[r->count++];

		row.column = 0;
		b->first = (uint64_t)row_int(&row);
		b->last = (uint64_t)row_int(&row);
		b->points = (uint64_t)row_int(&row);
		b->first_event = row_int(&row);
		before = used;
		row_bytes(&row, &r->bytes, &used);
		b->size = used - before;
		if (row.failed) return err_nomem(e);
		if (!block_whole(r, b, r->bytes.data + before, &row)) return curve_damaged(r->job, e);
	}
	return rc;
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

static int read_on(struct store *s, struct reading *r,
		int (*each)(void *self, const struct store_curve_block *block, struct err *e), void *self,
		struct err *e)
{
	int rc = store_read(s, curve_tx, r, e);

	while (!rc && (!r->to || r->from <= r->to)) {
		const struct store_curve_block *last;

		if ((rc = store_read(s, blocks_tx, r, e)) || !r->count) break;
		if ((rc = hand_on(r, each, self, e))) break;
		last = &r->blocks[r->count - 1];
		r->from = r->to ? last->last + 1 : (uint64_t)last->first_event + last->points - 1;
	}
	store_bytes_clear(&r->bytes);
	return rc;
}

static int curve_read(struct store *s, int64_t job, uint64_t from, uint64_t to,
		int (*each)(void *self, const struct store_curve_block *block, struct err *e), void *self,
		struct err *e)
{
	struct reading r = { .job = job, .from = from, .to = to < INT64_MAX ? to : INT64_MAX };

	if (!to) r.to = 1, r.from = 2; /* no epoch is 0: only whether the job is there */
	return read_on(s, &r, each, self, e);
}

static int level_read(struct store *s, int64_t job, unsigned level, uint64_t from, uint64_t to,
		int (*each)(void *self, const struct store_curve_block *block, struct err *e), void *self,
		struct err *e)
{
	struct reading r = {
		.job = job, .level = level, .from = from, .to = to < INT64_MAX ? to : INT64_MAX
	};

	if (!level || !to) return 0;
	return read_on(s, &r, each, self, e);
}

static int curve_read_after(struct store *s, int64_t job, int64_t event,
		int (*each)(void *self, const struct store_curve_block *block, struct err *e), void *self,
		struct err *e)
{
	struct reading r = { .job = job, .from = event > 0 ? (uint64_t)event : 0 };

	return read_on(s, &r, each, self, e);
}

void curve_fill(struct store *s)
{
	s->curve_append = curve_append;
	s->curve_rewind = curve_rewind;
	s->curve_read = curve_read;
	s->level_append = level_append;
	s->level_read = level_read;
	s->curve_read_after = curve_read_after;
}
