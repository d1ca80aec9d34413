/* job.c - jobs as requests see them: create, look, note, delete. What workers do with them is claim.c; how they are
 * cancelled and paused is wish.c, how they end finish.c. */
#include <stdlib.h>

#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

static void job_read(struct db_row *row, void *item)
{
	struct store_job *j = item;

	j->id = row_int(row);
	j->model = row_text(row);
	j->kind = row_text(row);
	j->state = (enum job_state)row_int(row);
	j->cancel_requested = row_int(row);
	j->pause_requested = row_int(row);
	j->attempt = row_int(row);
	j->resumed = row_int(row);
	j->crashes = row_int(row);
	j->parent = row_int(row);
	j->owner = row_text(row);
	j->priority = (int)row_int(row);
	j->revision = row_int(row);
	j->validation_revision = row_int(row);
	j->dataset = row_text(row);
	j->config = row_text(row);
	j->note = row_text(row);
	j->epoch = (uint64_t)row_int(row);
	j->step = (uint64_t)row_int(row);
	j->epochs = (uint64_t)row_int(row);
	j->metrics = row_text(row);
	j->best = row_text(row);
	j->stop_reason = row_text(row);
	j->error = row_text(row);
	j->results = row_text(row);
	j->output = row_int(row);
	j->version = (uint64_t)row_int(row);
	j->samples_per_second = row_real(row);
	j->seconds = row_real(row);
	j->created_ms = row_int(row);
	j->started_ms = row_int(row);
	j->finished_ms = row_int(row);
	j->rest = (uint64_t)row_int(row);
	j->end_requested = row_int(row);
}

static void job_clear(void *item)
{
	store_job_clear(item);
}

const struct db_kind job_kind = { sizeof(struct store_job), job_read, job_clear };

int no_job(int64_t id, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there is no job %lld", (long long)id);
}

int job_load(struct db *db, int64_t id, struct store_job *job, struct err *e)
{
	bool found;
	int rc = db_one(db, &job_kind, SQL_JOB_GET, DB_VALUES(V_INT(id)), job, &found, e);

	return rc || found ? rc : no_job(id, e);
}

/* ---- create ---- */

struct create {
	const struct store_job_new *job;
	int64_t *id;
};

static int revision_must_exist(struct db *db, int64_t revision, struct err *e)
{
	struct store_revision data = { 0 };
	bool found;
	int rc;

	rc = db_one(db, &revision_kind, SQL_REVISION_GET, DB_VALUES(V_INT(revision)), &data, &found, e);
	if (rc) return rc;
	store_revision_clear(&data);
	return found ? 0
		     : err_set(e, ERR_NOT_FOUND,
				       "the data of this job were replaced or deleted meanwhile; send it again");
}

static int parent_must_live(struct db *db, int64_t parent, struct err *e)
{
	struct store_job job = { 0 };
	bool ended;
	int rc = job_load(db, parent, &job, e);

	if (rc) return rc;
	ended = job_state_ended(job.state) || job.cancel_requested;
	store_job_clear(&job);
	return ended ? err_set(e, ERR_CONFLICT, "job %lld has ended; it gets no more parts",
				       (long long)parent)
		     : 0;
}

static int must_exist(struct db *db, const struct store_job_new *j, struct err *e)
{
	int rc;

	if ((rc = model_must_exist(db, j->model, e))) return rc;
	if ((rc = revision_must_exist(db, j->revision, e))) return rc;
	if (j->validation_revision && (rc = revision_must_exist(db, j->validation_revision, e))) return rc;
	return j->parent ? parent_must_live(db, j->parent, e) : 0;
}

/* What comes with a new job: its hook, an answer, its data for itself. */
static int create_beside(struct db *db, const struct store_job_new *j, int64_t id, struct err *e)
{
	const struct store_answer answer = { .request = (char *)j->answer_request, .job = id };
	int rc;

	if ((rc = db_run(db, SQL_REVISION_INLINE_TAKEN, DB_VALUES(V_INT(j->revision)), NULL, e))) return rc;
	if ((rc = db_run(db, SQL_REVISION_INLINE_TAKEN, DB_VALUES(V_INT(j->validation_revision)), NULL, e)))
		return rc;
	if (j->notify && (rc = db_run(db, SQL_NOTIFY_ADD, DB_VALUES(V_INT(id), V_TEXT(j->notify)), NULL, e)))
		return rc;
	if (j->answer_key && (rc = answer_new(db, j->answer_key, &answer, e))) return rc;
	return event_job(db, id, "created", j->family ? JOB_RUNNING : JOB_QUEUED, e);
}

static int create_tx(struct db *db, void *arg, struct err *e)
{
	const struct create *c = arg;
	const struct store_job_new *j = c->job;
	int rc;

	if ((rc = must_exist(db, j, e))) return rc;
	rc = db_run(db, SQL_JOB_NEW,
			DB_VALUES(V_TEXT(j->model), V_TEXT(j->kind), V_TEXT(j->dataset), V_TEXT(j->config),
					V_TEXT(j->note ? j->note : ""), V_INT(j->priority),
					V_INT(j->revision), V_INT(j->validation_revision), V_INT(j->epochs),
					V_INT(store_now_ms()), V_INT(j->parent),
					V_INT(j->family ? JOB_RUNNING : JOB_QUEUED), V_INT(j->rest),
					V_INT(j->token)),
			NULL, e);
	if (rc || (rc = quota_hold(db, j->token, STORE_QUOTA_JOBS, e))) return rc;
	*c->id = db_last_id(db);
	if ((rc = create_beside(db, j, *c->id, e)) || !j->made) return rc;
	return job_load(db, *c->id, j->made, e);
}

static int job_create(struct store *s, const struct store_job_new *job, int64_t *id, struct err *e)
{
	struct create c = { job, id };
	int rc;

	if (job->made) *job->made = (struct store_job){ 0 };
	if ((rc = store_write(s, create_tx, &c, e))) {
		*id = 0;
		if (job->made) store_job_clear(job->made);
	}
	return rc;
}

/* ---- read ---- */

struct find {
	int64_t id;
	const struct store_job_filter *filter;
	void *out;
	size_t count;
};

static int get_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;

	return job_load(db, find->id, find->out, e);
}

static int job_get(struct store *s, int64_t id, struct store_job *out, struct err *e)
{
	struct find find = { .id = id, .out = out };

	*out = (struct store_job){ 0 };
	return store_read(s, get_tx, &find, e);
}

static int list_tx(struct db *db, void *arg, struct err *e)
{
	static const enum sql lists[2][2] = {
		/* [of a model][of a state] */
		{ SQL_JOB_LIST, SQL_JOB_LIST_OF_STATE },
		{ SQL_JOB_LIST_OF_MODEL, SQL_JOB_LIST_OF_BOTH },
	};
	struct find *find = arg;
	const struct store_job_filter *f = find->filter;
	struct db_value values[] = { V_INT(f->before ? f->before : INT64_MAX), V_INT(f->limit),
		{ .type = DB_END }, { .type = DB_END }, { .type = DB_END } };
	struct db_value *more = values + 2;

	if (f->model) *more++ = (struct db_value)V_TEXT(f->model);
	if (f->state != JOB_STATES) *more++ = (struct db_value)V_INT(f->state);
	return db_list(db, &job_kind, lists[f->model != NULL][f->state != JOB_STATES], values, &find->out,
			&find->count, e);
}

static int job_list(struct store *s, const struct store_job_filter *filter, struct store_job **out,
		size_t *count, struct err *e)
{
	struct find find = { .filter = filter };
	int rc = store_read(s, list_tx, &find, e);

	*out = find.out;
	*count = find.count;
	return rc;
}

struct children {
	int64_t parent, after;
	size_t limit;
	void *out;
	size_t count;
};

static int children_tx(struct db *db, void *arg, struct err *e)
{
	struct children *c = arg;

	return db_list(db, &job_kind, SQL_JOB_CHILDREN,
			DB_VALUES(V_INT(c->parent), V_INT(c->after), V_INT(c->limit)), &c->out, &c->count, e);
}

static int job_children(struct store *s, int64_t parent, int64_t after, size_t limit, struct store_job **out,
		size_t *count, struct err *e)
{
	struct children c = { .parent = parent, .after = after, .limit = limit };
	int rc = store_read(s, children_tx, &c, e);

	*out = c.out;
	*count = c.count;
	return rc;
}

/* ---- update, delete ---- */

struct change {
	int64_t id;
	const char *note;
	const int *priority;
};

static int update_tx(struct db *db, void *arg, struct err *e)
{
	const struct change *c = arg;
	const struct db_value keep = { .type = DB_TEXT }; /* NULL */
	const struct db_value priority = V_INT(c->priority ? *c->priority : 0);
	struct store_job job = { 0 };
	int rc = job_load(db, c->id, &job, e);

	if (rc) return rc;
	rc = db_run(db, SQL_JOB_UPDATE,
			DB_VALUES(V_INT(c->id), V_TEXT(c->note), c->priority ? priority : keep), NULL, e);
	if (!rc)
		rc = db_run(db, SQL_JOB_PRIORITY_OF_CHILDREN,
				DB_VALUES(V_INT(c->id), c->priority ? priority : keep), NULL, e);
	if (!rc) rc = event_job(db, c->id, "updated", job.state, e);
	store_job_clear(&job);
	return rc;
}

static int job_update(struct store *s, int64_t id, const char *note, const int *priority, struct err *e)
{
	struct change c = { .id = id, .note = note, .priority = priority };

	return store_write(s, update_tx, &c, e);
}

int job_curve(struct db *db, int64_t id, int64_t *curve, struct err *e)
{
	bool found;
	int rc = db_number(db, SQL_JOB_CURVE, DB_VALUES(V_INT(id)), curve, &found, e);

	return rc || found ? rc : no_job(id, e);
}

/* One job, with its curve and what it logged. */
static int drop_one(struct db *db, int64_t id, struct err *e)
{
	struct store_job job = { 0 };
	int64_t curve;
	int rc;

	if ((rc = job_load(db, id, &job, e))) return rc;
	if (!job_state_ended(job.state))
		rc = err_set(e, ERR_CONFLICT, "job %lld has not ended; cancel it first", (long long)id);
	if (!rc) rc = job_curve(db, id, &curve, e);
	if (!rc) rc = garbage_add_curve(db, curve, e);
	if (!rc) rc = blob_drop(db, job.output, e);
	if (!rc) rc = db_run(db, SQL_NOTIFY_DONE, DB_VALUES(V_INT(id)), NULL, e);
	if (!rc) rc = db_run(db, SQL_JOB_DELETE, DB_VALUES(V_INT(id)), NULL, e);
	if (!rc) rc = event_job_deleted(db, id, job.model, e);
	store_job_clear(&job);
	return rc;
}

int job_drop(struct db *db, int64_t id, struct err *e)
{
	int64_t child = 0;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_JOB_CHILD, DB_VALUES(V_INT(id), V_INT(0)), &child, &found, e)) &&
			found)
		if ((rc = drop_one(db, child, e))) return rc;
	return rc ? rc : drop_one(db, id, e);
}

/* What an unfinished parent is to do next follows from its parts. */
static int parent_must_have_ended(struct db *db, const struct store_job *part, struct err *e)
{
	struct store_job parent = { 0 };
	bool found;
	int rc = db_one(db, &job_kind, SQL_JOB_GET, DB_VALUES(V_INT(part->parent)), &parent, &found, e);

	if (!rc && found && !job_state_ended(parent.state))
		rc = err_set(e, ERR_CONFLICT, "job %lld is a part of job %lld, which has not ended",
				(long long)part->id, (long long)part->parent);
	store_job_clear(&parent);
	return rc;
}

static int delete_tx(struct db *db, void *arg, struct err *e)
{
	struct store_job job = { 0 };
	int64_t id = *(int64_t *)arg;
	int rc = job_load(db, id, &job, e);

	if (!rc && job.parent) rc = parent_must_have_ended(db, &job, e);
	store_job_clear(&job);
	return rc ? rc : job_drop(db, id, e);
}

static int job_delete(struct store *s, int64_t id, struct err *e)
{
	return store_write(s, delete_tx, &id, e);
}

void job_fill(struct store *s)
{
	s->job_create = job_create;
	s->job_get = job_get;
	s->job_list = job_list;
	s->job_children = job_children;
	s->job_update = job_update;
	s->job_delete = job_delete;
}
