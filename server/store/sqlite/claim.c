/* claim.c - jobs as workers see them: claim, give back, finish, and what a start finds.
 *
 * A claim raises the job's attempt, and every later write of the worker names the attempt it has (job_fence), so
 * that a worker whose job was taken back writes nothing. Each claim has a curve of its own: a job that is queued
 * again leaves the old one to the sweep.
 */
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

int job_fence(struct db *db, int64_t id, int64_t attempt, struct store_job *job, struct err *e)
{
	int rc;

	if ((rc = job_load(db, id, job, e))) return rc;
	if (job->state == JOB_RUNNING && job->attempt == attempt) return 0;
	store_job_clear(job);
	return err_set(e, ERR_CONFLICT, "job %lld is not running under attempt %lld any more", (long long)id,
			(long long)attempt);
}

static int claim_tx(struct db *db, void *arg, struct err *e)
{
	struct store_job *out = arg;
	int64_t id, curve;
	bool found;
	int rc;

	if ((rc = db_number(db, SQL_JOB_QUEUED, DB_NO_VALUES, &id, &found, e))) return rc;
	if (!found) return err_set(e, ERR_NOT_FOUND, "no job is queued");
	if ((rc = db_number(db, SQL_SERIES_NEXT, DB_VALUES(V_TEXT("curve")), &curve, NULL, e))) return rc;
	rc = db_run(db, SQL_JOB_CLAIM, DB_VALUES(V_INT(id), V_INT(store_now_ms()), V_INT(curve)), NULL, e);
	return rc ? rc : job_load(db, id, out, e);
}

static int job_claim(struct store *s, struct store_job *out, struct err *e)
{
	int rc;

	*out = (struct store_job){ 0 };
	if ((rc = store_write(s, claim_tx, out, e))) store_job_clear(out);
	return rc;
}

/* ---- back to the queue ---- */

/* A running job whose worker is gone. *queued tells whether it will run again. */
static int take_back(struct db *db, const struct store_job *job, bool *queued, struct err *e)
{
	int64_t curve;
	int rc;

	*queued = !job->cancel_requested;
	if (job->cancel_requested) return job_end_cancelled(db, job, e);
	if ((rc = job_curve(db, job->id, &curve, e))) return rc;
	if ((rc = garbage_add(db, GARBAGE_CURVE, curve, e))) return rc;
	return db_run(db, SQL_JOB_QUEUE_AGAIN, DB_VALUES(V_INT(job->id)), NULL, e);
}

struct claim {
	int64_t id, attempt;
};

static int requeue_tx(struct db *db, void *arg, struct err *e)
{
	const struct claim *c = arg;
	struct store_job job = { 0 };
	bool queued;
	int rc;

	if ((rc = job_fence(db, c->id, c->attempt, &job, e))) return rc;
	rc = take_back(db, &job, &queued, e);
	store_job_clear(&job);
	return rc;
}

static int job_requeue(struct store *s, int64_t id, int64_t attempt, struct err *e)
{
	struct claim c = { id, attempt };

	return store_write(s, requeue_tx, &c, e);
}

static int recover_tx(struct db *db, void *arg, struct err *e)
{
	size_t *count = arg;
	struct store_job job = { 0 };
	bool found, queued;
	int64_t id;
	int rc;

	*count = 0;
	while (!(rc = db_number(db, SQL_JOB_RUNNING, DB_NO_VALUES, &id, &found, e)) && found) {
		if ((rc = job_load(db, id, &job, e))) break;
		rc = take_back(db, &job, &queued, e);
		store_job_clear(&job);
		if (rc) break;
		*count += queued;
	}
	return rc;
}

static int job_recover(struct store *s, size_t *count, struct err *e)
{
	int rc = store_write(s, recover_tx, count, e);

	if (rc) *count = 0;
	return rc;
}

/* ---- finish ---- */

struct finish {
	const struct store_job_end *end;
	uint64_t *version;
};

static int write_end(struct db *db, const struct store_job *job, const struct finish *f, struct err *e)
{
	const struct store_job_end *end = f->end;
	int rc = 0;

	if (end->version) rc = version_publish(db, job->model, end->id, end->version, f->version, e);
	if (rc) return rc;
	rc = db_run(db, SQL_JOB_END,
			DB_VALUES(V_INT(end->id), V_INT(end->state), V_TEXT(end->stop_reason),
					V_TEXT(end->metrics), V_TEXT(end->best), V_TEXT(end->error),
					V_INT(end->epoch), V_INT(end->step), V_REAL(end->samples_per_second),
					V_INT(*f->version), V_INT(store_now_ms())),
			NULL, e);
	return rc ? rc : job_release_data(db, job, e);
}

static int finish_tx(struct db *db, void *arg, struct err *e)
{
	const struct finish *f = arg;
	struct store_job job = { 0 };
	int rc;

	*f->version = 0;
	if ((rc = job_fence(db, f->end->id, f->end->attempt, &job, e))) return rc;
	rc = write_end(db, &job, f, e);
	store_job_clear(&job);
	return rc;
}

static int job_finish(struct store *s, const struct store_job_end *end, uint64_t *version, struct err *e)
{
	struct finish f = { end, version };
	int rc;

	*version = 0;
	if (!job_state_ended(end->state))
		return err_set(e, ERR_INVALID, "a job cannot end as %s", job_state_name(end->state));
	if ((rc = store_write(s, finish_tx, &f, e))) *version = 0;
	return rc;
}

void claim_fill(struct store *s)
{
	s->job_claim = job_claim;
	s->job_requeue = job_requeue;
	s->job_recover = job_recover;
	s->job_finish = job_finish;
}
