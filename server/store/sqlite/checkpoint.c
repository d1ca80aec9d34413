/* checkpoint.c - what a running job can go on from: the newest STORE_CHECKPOINTS of it, until it ends. */
#include "server/store/sqlite/sqlite.h"

static void checkpoint_read(struct db_row *row, void *item)
{
	struct store_checkpoint *c = item;

	c->job = row_int(row);
	c->sequence = (uint64_t)row_int(row);
	c->epoch = (uint64_t)row_int(row);
	c->step = (uint64_t)row_int(row);
	c->blob = row_int(row);
	c->size_bytes = (uint64_t)row_int(row);
	c->created_ms = row_int(row);
}

static void checkpoint_clear(void *item)
{
	(void)item;
}

static const struct db_kind checkpoint_kind = { sizeof(struct store_checkpoint), checkpoint_read,
	checkpoint_clear };

/* ---- taking away ---- */

static int drop_one(struct db *db, int64_t job, int64_t sequence, struct err *e)
{
	int64_t blob;
	bool found;
	int rc;

	rc = db_number(db, SQL_CHECKPOINT_DROP, DB_VALUES(V_INT(job), V_INT(sequence)), &blob, &found, e);
	if (rc || !found) return rc;
	return blob_drop(db, blob, e);
}

int checkpoints_drop(struct db *db, int64_t job, int keep, struct err *e)
{
	int64_t sequence;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_CHECKPOINT_OLD, DB_VALUES(V_INT(job), V_INT(keep)), &sequence, &found,
				 e)) &&
			found)
		if ((rc = drop_one(db, job, sequence, e))) break;
	return rc;
}

struct drop {
	int64_t job, attempt;
	uint64_t sequence;
};

static int drop_tx(struct db *db, void *arg, struct err *e)
{
	const struct drop *d = arg;
	struct store_job job = { 0 };
	int rc = job_fence(db, d->job, d->attempt, &job, e);

	if (rc) return rc;
	store_job_clear(&job);
	return drop_one(db, d->job, (int64_t)d->sequence, e);
}

static int checkpoint_drop(struct store *s, int64_t job, int64_t attempt, uint64_t sequence, struct err *e)
{
	struct drop d = { job, attempt, sequence };

	return store_write(s, drop_tx, &d, e);
}

/* ---- putting ---- */

struct put {
	int64_t job, attempt;
	const struct store_checkpoint *checkpoint;
};

static int put_tx(struct db *db, void *arg, struct err *e)
{
	const struct put *p = arg;
	const struct store_checkpoint *c = p->checkpoint;
	struct store_job job = { 0 };
	int64_t sequence;
	int kept, rc;

	if ((rc = job_fence(db, p->job, p->attempt, &job, e))) return rc;
	store_job_clear(&job);
	if ((rc = db_run(db, SQL_BLOB_KEEP, DB_VALUES(V_INT(c->blob)), &kept, e))) return rc;
	if (!kept) return err_set(e, ERR_NOT_FOUND, "the bytes of this checkpoint were not stored");
	rc = db_number(db, SQL_JOB_CHECKPOINT,
			DB_VALUES(V_INT(p->job), V_INT(c->epoch), V_INT(c->step), V_TEXT(c->metrics),
					V_TEXT(c->best)),
			&sequence, NULL, e);
	if (rc) return rc;
	rc = db_run(db, SQL_CHECKPOINT_ADD,
			DB_VALUES(V_INT(p->job), V_INT(sequence), V_INT(c->epoch), V_INT(c->step),
					V_INT(c->blob), V_INT(c->size_bytes), V_INT(store_now_ms())),
			NULL, e);
	return rc ? rc : checkpoints_drop(db, p->job, STORE_CHECKPOINTS, e);
}

static int checkpoint_put(struct store *s, int64_t job, int64_t attempt, const struct store_checkpoint *c,
		struct err *e)
{
	struct put p = { job, attempt, c };

	return store_write(s, put_tx, &p, e);
}

/* ---- reading ---- */

struct find {
	int64_t job;
	void *out;
	size_t count;
};

static int list_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;

	return db_list(db, &checkpoint_kind, SQL_CHECKPOINT_LIST,
			DB_VALUES(V_INT(find->job), V_INT(STORE_CHECKPOINTS)), &find->out, &find->count, e);
}

static int checkpoint_list(struct store *s, int64_t job, struct store_checkpoint out[STORE_CHECKPOINTS],
		size_t *count, struct err *e)
{
	struct find find = { .job = job };
	int rc = store_read(s, list_tx, &find, e);

	*count = find.count;
	for (size_t i = 0; i < find.count; i++)
		out[i] = ((struct store_checkpoint *)find.out)[i];
	db_list_clear(&checkpoint_kind, &find.out, &find.count);
	return rc;
}

void checkpoint_fill(struct store *s)
{
	s->checkpoint_put = checkpoint_put;
	s->checkpoint_list = checkpoint_list;
	s->checkpoint_drop = checkpoint_drop;
}
