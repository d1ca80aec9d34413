/* finish.c - how jobs end: once, fenced, and with everything that goes with an end in the same commit. */
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"

int job_ended(struct db *db, const struct store_job *job, enum job_state state, struct err *e)
{
	int rc;

	if ((rc = checkpoints_drop(db, job->id, 0, e))) return rc;
	if ((rc = revision_release(db, job->revision, e))) return rc;
	if ((rc = revision_release(db, job->validation_revision, e))) return rc;
	if ((rc = db_run(db, SQL_NOTIFY_READY, DB_VALUES(V_INT(job->id)), NULL, e))) return rc;
	if ((rc = event_job(db, job->id, "state", state, e))) return rc;
	if ((rc = event_job(db, job->id, "end", state, e))) return rc;
	return db_run(db, SQL_JOB_ENDED, DB_VALUES(V_INT(job->id), V_INT(db_event(db))), NULL, e);
}

int job_end_cancelled(struct db *db, const struct store_job *job, const char *stop_reason, struct err *e)
{
	int rc = db_run(db, SQL_JOB_CANCEL,
			DB_VALUES(V_INT(job->id), V_INT(JOB_CANCELLED), V_INT(store_now_ms()),
					V_TEXT(stop_reason)),
			NULL, e);

	return rc ? rc : job_ended(db, job, JOB_CANCELLED, e);
}

static int keep_output(struct db *db, const struct store_job_end *end, struct err *e)
{
	int kept, rc;

	if (!end->output) return 0;
	if ((rc = db_run(db, SQL_BLOB_KEEP, DB_VALUES(V_INT(end->output)), &kept, e))) return rc;
	return kept ? 0 : err_set(e, ERR_NOT_FOUND, "the bytes that this job leaves were not stored");
}

int job_output_forget(struct db *db, int64_t id, struct err *e)
{
	struct store_job job = { 0 };
	int rc = job_load(db, id, &job, e);

	if (!rc) rc = blob_drop(db, job.output, e);
	store_job_clear(&job);
	return rc ? rc : db_run(db, SQL_JOB_OUTPUT, DB_VALUES(V_INT(id), V_INT(0)), NULL, e);
}

/* What the parts of a job left was for it alone. */
static int drop_outputs(struct db *db, int64_t parent, struct err *e)
{
	int64_t id;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_JOB_CHILD_OUTPUT, DB_VALUES(V_INT(parent)), &id, &found, e)) && found)
		if ((rc = job_output_forget(db, id, e))) return rc;
	return rc;
}

struct finish {
	const struct store_job_end *end;
	uint64_t *version;
};

static int write_end(struct db *db, const struct store_job *job, const struct store_job_end *end,
		const struct finish *f, struct err *e)
{
	int rc = 0;

	if (end->version) rc = version_publish(db, job->model, end->id, end->version, f->version, e);
	if (rc || (rc = keep_output(db, end, e)) || (rc = drop_outputs(db, end->id, e))) return rc;
	rc = db_run(db, SQL_JOB_END,
			DB_VALUES(V_INT(end->id), V_INT(end->state), V_TEXT(end->stop_reason),
					V_TEXT(end->metrics), V_TEXT(end->best), V_TEXT(end->error),
					V_INT(end->epoch), V_INT(end->step), V_REAL(end->samples_per_second),
					V_INT(*f->version), V_INT(store_now_ms()), V_TEXT(end->results),
					V_INT(end->output)),
			NULL, e);
	return rc ? rc : job_ended(db, job, end->state, e);
}

/* With its bytes as a blob, where they come along. */
static int write_bytes(struct db *db, const struct store_job *job, const struct finish *f, struct err *e)
{
	struct store_job_end end = *f->end;
	struct store_version_new version;
	int64_t blob;
	int rc;

	if (!end.bytes) return write_end(db, job, &end, f, e);
	if ((rc = blob_put(db, end.bytes, end.size, &blob, e))) return rc;
	if (end.version) {
		version = *end.version;
		version.blob = blob;
		end.version = &version;
	} else
		end.output = blob;
	return write_end(db, job, &end, f, e);
}

static int finish_tx(struct db *db, void *arg, struct err *e)
{
	const struct finish *f = arg;
	struct store_job job = { 0 };
	int rc;

	*f->version = 0;
	if ((rc = job_fence(db, f->end->id, f->end->attempt, &job, e))) return rc;
	rc = write_bytes(db, &job, f, e);
	store_job_clear(&job);
	return rc;
}

static void tell(void *arg)
{
	const struct finish *f = arg;

	f->end->committed(f->end->self);
}

static int job_finish(struct store *s, const struct store_job_end *end, uint64_t *version, struct err *e)
{
	struct finish f = { end, version };
	int rc;

	*version = 0;
	if (!job_state_ended(end->state))
		return err_set(e, ERR_INVALID, "a job cannot end as %s", job_state_name(end->state));
	if (end->bytes && end->size > STORE_SMALL_BYTES)
		return err_set(e, ERR_RANGE, "%zu bytes are too many to go along with the end of a job",
				end->size);
	if ((rc = writer_run_then(sqlite_of(s)->writer, WRITE_REQUEST, finish_tx,
			     end->committed ? tell : NULL, &f, e)))
		*version = 0;
	return rc;
}

void finish_fill(struct store *s)
{
	s->job_finish = job_finish;
}
