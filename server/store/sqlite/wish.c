/* wish.c - what requests want of an unfinished job: that it is cancelled, pauses, goes on. A job that waits obeys at
 * once; the wish for a running one is noted, and its worker acts on it (job_finish, job_park). */
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"

struct wish {
	int64_t id;
	enum job_state *state; /* what it is afterwards */
};

static int has_ended(const struct store_job *job, const char *to_do, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "job %lld has ended (%s); there is nothing to %s", (long long)job->id,
			job_state_name(job->state), to_do);
}

/* ---- cancel ---- */

static int cancel_one(struct db *db, const struct store_job *job, enum job_state *state, struct err *e)
{
	*state = job->state;
	if (job_state_ended(job->state)) return has_ended(job, "cancel", e);
	if (job->state == JOB_RUNNING)
		return db_run(db, SQL_JOB_CANCEL_REQUEST, DB_VALUES(V_INT(job->id)), NULL, e);
	*state = JOB_CANCELLED;
	return job_end_cancelled(db, job, "cancelled", e);
}

/* Calls each for every unfinished child. */
typedef int each_child(struct db *db, const struct store_job *child, struct err *e);

static int for_children(struct db *db, int64_t parent, each_child *each, struct err *e)
{
	struct store_job child = { 0 };
	int64_t id = 0;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_JOB_CHILD, DB_VALUES(V_INT(parent), V_INT(id)), &id, &found, e)) &&
			found) {
		if ((rc = job_load(db, id, &child, e))) break;
		if (!job_state_ended(child.state)) rc = each(db, &child, e);
		store_job_clear(&child);
		if (rc) break;
	}
	return rc;
}

static int cancel_child(struct db *db, const struct store_job *child, struct err *e)
{
	enum job_state state;

	return cancel_one(db, child, &state, e);
}

static int cancel_tx(struct db *db, void *arg, struct err *e)
{
	const struct wish *w = arg;
	struct store_job job = { 0 };
	int rc;

	if ((rc = job_load(db, w->id, &job, e))) return rc;
	rc = cancel_one(db, &job, w->state, e);
	store_job_clear(&job);
	return rc ? rc : for_children(db, w->id, cancel_child, e);
}

static int job_cancel(struct store *s, int64_t id, enum job_state *state, struct err *e)
{
	struct wish w = { id, state };

	return store_write(s, cancel_tx, &w, e);
}

/* ---- pause and resume ---- */

/* A job that no worker has becomes this. */
static int change_state(struct db *db, int64_t id, enum job_state state, struct err *e)
{
	int rc = db_run(db, SQL_JOB_STATE, DB_VALUES(V_INT(id), V_INT(state)), NULL, e);

	return rc ? rc : event_job(db, id, "state", state, e);
}

static int want_pause(struct db *db, int64_t id, bool wanted, struct err *e)
{
	return db_run(db, SQL_JOB_PAUSE_REQUEST, DB_VALUES(V_INT(id), V_INT(wanted)), NULL, e);
}

static int pause_one(struct db *db, const struct store_job *job, enum job_state *state, struct err *e)
{
	*state = job->state;
	if (job_state_ended(job->state)) return has_ended(job, "pause", e);
	if (job->state == JOB_PAUSED)
		return err_set(e, ERR_CONFLICT, "job %lld is paused already", (long long)job->id);
	if (job->state == JOB_RUNNING && job->cancel_requested)
		return err_set(e, ERR_CONFLICT, "job %lld is being cancelled", (long long)job->id);
	if (job->state == JOB_RUNNING && job->attempt) return want_pause(db, job->id, true, e);
	*state = JOB_PAUSED;
	return change_state(db, job->id, JOB_PAUSED, e);
}

/* One that pauses already, or is being cancelled, is left to it. */
static int pause_child(struct db *db, const struct store_job *child, struct err *e)
{
	enum job_state state;

	if (child->state == JOB_PAUSED || child->cancel_requested) return 0;
	return pause_one(db, child, &state, e);
}

static int resume_one(struct db *db, const struct store_job *job, struct err *e)
{
	bool family = !job->attempt && job->started_ms; /* it was running from the start, and never claimed */

	if (job_state_ended(job->state)) return has_ended(job, "resume", e);
	if (store_job_rests(job))
		return err_set(e, ERR_CONFLICT,
				"job %lld rests after epoch %lld until it is compared with the other runs of job %lld",
				(long long)job->id, (long long)job->epoch, (long long)job->parent);
	if (job->state == JOB_PAUSED) return change_state(db, job->id, family ? JOB_RUNNING : JOB_QUEUED, e);
	if (job->state == JOB_RUNNING && job->pause_requested) return want_pause(db, job->id, false, e);
	return err_set(e, ERR_CONFLICT, "job %lld is not paused (%s)", (long long)job->id,
			job_state_name(job->state));
}

static int resume_child(struct db *db, const struct store_job *child, struct err *e)
{
	bool waits = (child->state == JOB_PAUSED && !store_job_rests(child)) ||
		     (child->state == JOB_RUNNING && child->pause_requested);

	return waits ? resume_one(db, child, e) : 0;
}

static int pause_tx(struct db *db, void *arg, struct err *e)
{
	const struct wish *w = arg;
	struct store_job job = { 0 };
	int rc;

	if ((rc = job_load(db, w->id, &job, e))) return rc;
	rc = pause_one(db, &job, w->state, e);
	store_job_clear(&job);
	return rc ? rc : for_children(db, w->id, pause_child, e);
}

/* Parts of a family that is paused go on with it. */
static int parent_must_run(struct db *db, const struct store_job *job, struct err *e)
{
	struct store_job parent = { 0 };
	int rc = job->parent ? job_load(db, job->parent, &parent, e) : 0;

	if (!rc && job->parent && parent.state == JOB_PAUSED)
		rc = err_set(e, ERR_CONFLICT, "job %lld is paused as a whole; resume that",
				(long long)job->parent);
	store_job_clear(&parent);
	return rc;
}

static int resume_tx(struct db *db, void *arg, struct err *e)
{
	const struct wish *w = arg;
	struct store_job job = { 0 };
	int rc;

	if ((rc = job_load(db, w->id, &job, e))) return rc;
	if (!(rc = parent_must_run(db, &job, e))) rc = resume_one(db, &job, e);
	store_job_clear(&job);
	return rc ? rc : for_children(db, w->id, resume_child, e);
}

static int job_pause(struct store *s, int64_t id, enum job_state *state, struct err *e)
{
	struct wish w = { id, state };

	return store_write(s, pause_tx, &w, e);
}

static int job_resume(struct store *s, int64_t id, struct err *e)
{
	struct wish w = { .id = id };

	return store_write(s, resume_tx, &w, e);
}

void wish_fill(struct store *s)
{
	s->job_cancel = job_cancel;
	s->job_pause = job_pause;
	s->job_resume = job_resume;
}
