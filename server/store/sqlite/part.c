/* part.c - what a family wants of its parts, and what is counted of the family. */
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"

struct part {
	int64_t id;
	uint64_t epoch;
	const char *stop_reason;
	double seconds;
};

static int load_unfinished(struct db *db, int64_t id, struct store_job *job, struct err *e)
{
	int rc = job_load(db, id, job, e);

	if (rc || !job_state_ended(job->state)) return rc;
	rc = err_set(e, ERR_CONFLICT, "job %lld has ended (%s)", (long long)id, job_state_name(job->state));
	store_job_clear(job);
	return rc;
}

static int queue(struct db *db, int64_t id, struct err *e)
{
	int rc = db_run(db, SQL_JOB_STATE, DB_VALUES(V_INT(id), V_INT(JOB_QUEUED)), NULL, e);

	return rc ? rc : event_job(db, id, "state", JOB_QUEUED, e);
}

static int rest_tx(struct db *db, void *arg, struct err *e)
{
	const struct part *p = arg;
	struct store_job job = { 0 };
	bool goes_on;
	int rc = load_unfinished(db, p->id, &job, e);

	if (rc) return rc;
	goes_on = store_job_rests(&job) && (!p->epoch || job.epoch < p->epoch);
	store_job_clear(&job);
	rc = db_run(db, SQL_JOB_REST, DB_VALUES(V_INT(p->id), V_INT(p->epoch)), NULL, e);
	return rc || !goes_on ? rc : queue(db, p->id, e);
}

static int job_rest(struct store *s, int64_t id, uint64_t epoch, struct err *e)
{
	struct part p = { .id = id, .epoch = epoch };

	return store_write(s, rest_tx, &p, e);
}

static int wrap_up_tx(struct db *db, void *arg, struct err *e)
{
	const struct part *p = arg;
	struct store_job job = { 0 };
	bool paused;
	int rc = load_unfinished(db, p->id, &job, e);

	if (rc) return rc;
	paused = job.state == JOB_PAUSED;
	store_job_clear(&job);
	rc = db_run(db, SQL_JOB_END_REQUEST, DB_VALUES(V_INT(p->id)), NULL, e);
	return rc || !paused ? rc : queue(db, p->id, e);
}

static int job_wrap_up(struct store *s, int64_t id, struct err *e)
{
	struct part p = { .id = id };

	return store_write(s, wrap_up_tx, &p, e);
}

static int pass_over_tx(struct db *db, void *arg, struct err *e)
{
	const struct part *p = arg;
	struct store_job job = { 0 };
	int rc = load_unfinished(db, p->id, &job, e);

	if (rc) return rc;
	if (store_job_rests(&job))
		rc = job_end_cancelled(db, &job, p->stop_reason, e);
	else
		rc = err_set(e, ERR_CONFLICT, "job %lld does not rest", (long long)p->id);
	store_job_clear(&job);
	return rc;
}

static int job_pass_over(struct store *s, int64_t id, const char *stop_reason, struct err *e)
{
	struct part p = { .id = id, .stop_reason = stop_reason };

	return store_write(s, pass_over_tx, &p, e);
}

static int output_drop_tx(struct db *db, void *arg, struct err *e)
{
	const struct part *p = arg;

	return job_output_forget(db, p->id, e);
}

static int job_output_drop(struct store *s, int64_t id, struct err *e)
{
	struct part p = { .id = id };

	return store_write(s, output_drop_tx, &p, e);
}

static int spend_tx(struct db *db, void *arg, struct err *e)
{
	const struct part *p = arg;

	return db_run(db, SQL_JOB_SPEND, DB_VALUES(V_INT(p->id), V_REAL(p->seconds)), NULL, e);
}

static int job_spend(struct store *s, int64_t id, double seconds, struct err *e)
{
	struct part p = { .id = id, .seconds = seconds };

	return store_write(s, spend_tx, &p, e);
}

void part_fill(struct store *s)
{
	s->job_rest = job_rest;
	s->job_wrap_up = job_wrap_up;
	s->job_pass_over = job_pass_over;
	s->job_output_drop = job_output_drop;
	s->job_spend = job_spend;
}
