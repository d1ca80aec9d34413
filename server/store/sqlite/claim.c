/* claim.c - jobs as workers see them: claim, renew, give back, and what a start finds.
 *
 * A claim raises the job's attempt, and every later write of the worker names the attempt it has (job_fence), so
 * that a worker whose job was taken back writes nothing. A claim that is not renewed in time is as good as a worker
 * that died. Who goes next is SQL_JOB_NEXT; `served` has the turns of the models.
 */
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"

int job_fence(struct db *db, int64_t id, int64_t attempt, struct store_job *job, struct err *e)
{
	int rc;

	if ((rc = job_load(db, id, job, e))) return rc;
	if (job->state == JOB_RUNNING && job->attempt == attempt) return 0;
	store_job_clear(job);
	return err_set(e, ERR_CONFLICT, "job %lld is not running under attempt %lld any more", (long long)id,
			(long long)attempt);
}

struct claiming {
	const char *owner;
	int64_t lease_ms;
	struct store_job *out;
};

/* The job that goes next. */
static int find_next(struct db *db, int64_t *id, struct err *e)
{
	int64_t priority;
	bool found;
	int rc;

	if ((rc = db_number(db, SQL_JOB_TOP, DB_NO_VALUES, &priority, &found, e))) return rc;
	if (!found) return err_set(e, ERR_NOT_FOUND, "no job is queued");
	return db_number(db, SQL_JOB_NEXT, DB_VALUES(V_INT(priority)), id, NULL, e);
}

static int claim_tx(struct db *db, void *arg, struct err *e)
{
	const struct claiming *c = arg;
	int64_t id, curve, turn;
	int rc;

	if ((rc = find_next(db, &id, e)) || (rc = job_curve(db, id, &curve, e))) return rc;
	if (!curve && (rc = db_number(db, SQL_SERIES_NEXT, DB_VALUES(V_TEXT("curve")), &curve, NULL, e)))
		return rc;
	rc = db_run(db, SQL_JOB_CLAIM,
			DB_VALUES(V_INT(id), V_INT(store_now_ms()), V_INT(curve), V_TEXT(c->owner),
					V_INT(store_clock_ms() + c->lease_ms)),
			NULL, e);
	if (rc || (rc = job_load(db, id, c->out, e))) return rc;
	if ((rc = db_number(db, SQL_SERIES_NEXT, DB_VALUES(V_TEXT("turn")), &turn, NULL, e))) return rc;
	if ((rc = db_run(db, SQL_JOB_SERVED, DB_VALUES(V_TEXT(c->out->model), V_INT(turn)), NULL, e)))
		return rc;
	return event_job(db, id, "state", JOB_RUNNING, e);
}

static int job_claim(
		struct store *s, const char *owner, int64_t lease_ms, struct store_job *out, struct err *e)
{
	struct claiming c = { owner, lease_ms, out };
	int rc;

	*out = (struct store_job){ 0 };
	if ((rc = store_write(s, claim_tx, &c, e))) store_job_clear(out);
	return rc;
}

/* ---- what a worker does with its claim ---- */

struct claim {
	int64_t id, attempt, lease_ms;
};

static int renew_tx(struct db *db, void *arg, struct err *e)
{
	const struct claim *c = arg;
	struct store_job job = { 0 };
	int rc;

	if ((rc = job_fence(db, c->id, c->attempt, &job, e))) return rc;
	store_job_clear(&job);
	return db_run(db, SQL_JOB_RENEW, DB_VALUES(V_INT(c->id), V_INT(store_clock_ms() + c->lease_ms)), NULL,
			e);
}

static int job_renew(struct store *s, int64_t id, int64_t attempt, int64_t lease_ms, struct err *e)
{
	struct claim c = { id, attempt, lease_ms };

	return store_write(s, renew_tx, &c, e);
}

/* A running job becomes queued or paused. */
static int put_back(struct db *db, const struct store_job *job, enum job_state state, bool resumes,
		bool crashed, struct err *e)
{
	int rc = db_run(db, SQL_JOB_PUT_BACK,
			DB_VALUES(V_INT(job->id), V_INT(state), V_INT(resumes), V_INT(crashed)), NULL, e);

	return rc ? rc : event_job(db, job->id, "state", state, e);
}

/* Does it wait for somebody, once no worker has it? */
static bool pauses(const struct store_job *job)
{
	return job->pause_requested || (job->rest && job->epoch >= job->rest && !job->end_requested);
}

/* resumes: its worker did not want to stop. */
static int give_back(struct db *db, const struct store_job *job, bool resumes, bool crashed, struct err *e)
{
	if (job->cancel_requested) return job_end_cancelled(db, job, "cancelled", e);
	return put_back(db, job, pauses(job) ? JOB_PAUSED : JOB_QUEUED, resumes, crashed, e);
}

static int requeue_tx(struct db *db, void *arg, struct err *e)
{
	const struct claim *c = arg;
	struct store_job job = { 0 };
	int rc;

	if ((rc = job_fence(db, c->id, c->attempt, &job, e))) return rc;
	rc = give_back(db, &job, true, false, e);
	store_job_clear(&job);
	return rc;
}

static int job_requeue(struct store *s, int64_t id, int64_t attempt, struct err *e)
{
	struct claim c = { id, attempt, 0 };

	return store_write(s, requeue_tx, &c, e);
}

static int park_tx(struct db *db, void *arg, struct err *e)
{
	const struct claim *c = arg;
	struct store_job job = { 0 };
	int rc;

	if ((rc = job_fence(db, c->id, c->attempt, &job, e))) return rc;
	rc = give_back(db, &job, false, false, e);
	store_job_clear(&job);
	return rc;
}

static int job_park(struct store *s, int64_t id, int64_t attempt, struct err *e)
{
	struct claim c = { id, attempt, 0 };

	return store_write(s, park_tx, &c, e);
}

/* ---- jobs that were cut off ---- */

struct recovery {
	enum sql which;    /* finds the next of them, by values */
	bool start;        /* of the daemon */
	const char *error; /* of those that crashed too often */
	size_t count;
};

static int end_crashed(struct db *db, const struct store_job *job, const char *error, struct err *e)
{
	int rc = db_run(db, SQL_JOB_CRASHED,
			DB_VALUES(V_INT(job->id), V_INT(JOB_FAILED), V_TEXT(error), V_INT(store_now_ms())),
			NULL, e);

	return rc ? rc : job_ended(db, job, JOB_FAILED, e);
}

static int recover_one(struct db *db, struct recovery *r, const struct store_job *job, struct err *e)
{
	if (!job->cancel_requested && job->crashes + 1 >= STORE_CRASHES_MAX)
		return end_crashed(db, job, r->error, e);
	r->count += !job->cancel_requested && !pauses(job);
	return give_back(db, job, true, true, e);
}

static int recover_tx(struct db *db, void *arg, struct err *e)
{
	struct recovery *r = arg;
	const struct db_value *now = DB_VALUES(V_INT(store_clock_ms()));
	struct store_job job = { 0 };
	bool found;
	int64_t id;
	int rc;

	r->count = 0;
	if (r->start && (rc = db_run(db, SQL_NOTIFY_ALL_DUE, DB_NO_VALUES, NULL, e))) return rc;
	while (!(rc = db_number(db, r->which, r->start ? DB_NO_VALUES : now, &id, &found, e)) && found) {
		if ((rc = job_load(db, id, &job, e))) break;
		rc = recover_one(db, r, &job, e);
		store_job_clear(&job);
		if (rc) break;
	}
	return rc;
}

static int recover(struct store *s, struct recovery *r, size_t *count, struct err *e)
{
	int rc = store_write(s, recover_tx, r, e);

	*count = rc ? 0 : r->count;
	return rc;
}

static int job_recover(struct store *s, const char *crashed, size_t *count, struct err *e)
{
	struct recovery r = { SQL_JOB_RUNNING, true, crashed, 0 };

	return recover(s, &r, count, e);
}

static int job_expire(struct store *s, const char *crashed, size_t *count, struct err *e)
{
	struct recovery r = { SQL_JOB_EXPIRED, false, crashed, 0 };

	return recover(s, &r, count, e);
}

void claim_fill(struct store *s)
{
	s->job_claim = job_claim;
	s->job_renew = job_renew;
	s->job_requeue = job_requeue;
	s->job_park = job_park;
	s->job_expire = job_expire;
	s->job_recover = job_recover;
}
