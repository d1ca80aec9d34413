/* ending.c - how a run ends. A run that was stopped to go on later leaves the job in the queue or paused; a claim that was
 * lost leaves it to whoever has it; all others end the job, in one commit, as often as it takes to write it. */
#include <stdlib.h>

#include "server/codec/json.h"
#include "server/jobs/failure.h"
#include "server/jobs/jobs_parts.h"

static bool final(int rc)
{
	return !rc || rc == ERR_CONFLICT || rc == ERR_NOT_FOUND;
}

/* Tells the log and who looks at the job, and waits before another try; false when the daemon ends. */
static bool try_again(const struct run *run, const char *what, const struct err *e)
{
	const struct timespec pause = { JOBS_TROUBLE_SECONDS, 0 };
	struct jobs *jobs = run->worker->jobs;

	jobs_say(jobs, run->job.id, what, e->text);
	pthread_mutex_lock(&jobs->lock);
	err_set(&run->worker->trouble, 0, "the job %s: %s", what, e->text);
	pthread_mutex_unlock(&jobs->lock);
	if (atomic_load(&jobs->ending)) return false;
	nanosleep(&pause, NULL);
	return true;
}

/* Who reads that the job has succeeded is answered by its version from then on. */
static void published(void *self)
{
	const struct run *run = self;

	jobs_published(run->worker->jobs, run->job.model);
}

/* ERR_CONFLICT: it is not ours any more; ERR_NOT_FOUND: what was to be published is gone. */
static int finish(struct run *run, const struct store_job_end *end, struct err *e)
{
	struct jobs *jobs = run->worker->jobs;
	struct store *store = jobs->config.store;
	struct store_job_end told = *end;
	uint64_t version;
	int rc;

	told.committed = published;
	told.self = run;
	while (!final(rc = store->job_finish(store, &told, &version, e)))
		if (!try_again(run, "could not be ended", e)) return rc;
	if (rc) jobs_say(jobs, run->job.id, "could not be ended", e->text);
	if (!rc && run->job.parent) family_settle(&jobs->family, run->job.parent);
	return rc;
}

/* ---- published ---- */

/* What the run leaves: a model, or of a part of another job its output. *bytes is new (free), NULL where there is nothing. Few
 * bytes go along with the end of the job, more are a blob before it. ERR_STOPPED: the daemon ends before there is room. */
static int write_product(struct run *run, unsigned char **bytes, size_t *size, int64_t *blob, struct err *e)
{
	struct store *store = run_store(run);
	bool part = run->job.parent != 0;
	int rc = (part ? training_output : training_write)(run->training, bytes, size, e);

	*blob = 0;
	if (rc || !*bytes || *size <= STORE_SMALL_BYTES) return rc;
	while ((rc = store->blob_write(store, *bytes, *size, blob, e)) == ERR_DISK_FULL)
		if (!try_again(run, "could not be published", e)) return ERR_STOPPED;
	return rc;
}

/* An error: the job has not ended yet. */
static int publish(struct run *run, struct store_job_end end, struct err *e)
{
	struct store *store = run_store(run);
	struct store_version_new version = { .training = run->job.config,
		.engine = run->worker->jobs->config.engine->name };
	json_t *metrics = training_metrics(training_point(run->training), training_validates(run->training));
	json_t *dataset = training_dataset(run->training);
	char *metrics_text = json_text(metrics, false), *dataset_text = json_text(dataset, false);
	unsigned char *bytes = NULL;
	int64_t blob;
	int rc = metrics_text && dataset_text ? 0 : err_nomem(e);

	version.metrics = metrics_text;
	version.dataset = dataset_text;
	if (!rc && !(rc = write_product(run, &bytes, &version.size_bytes, &blob, e))) {
		version.blob = blob;
		end.size = version.size_bytes;
		if (!blob) end.bytes = bytes;
		if (run->job.parent)
			end.output = blob;
		else
			end.version = &version;
		end.metrics = metrics_text;
		if ((rc = finish(run, &end, e)) && blob) store->blob_discard(store, blob);
		if (rc != ERR_NOT_FOUND)
			rc = 0; /* else it is not ours any more, or is found again at the next start */
	}
	json_decref(metrics);
	json_decref(dataset);
	free(metrics_text);
	free(dataset_text);
	free(bytes);
	return rc == ERR_STOPPED ? 0 : rc; /* the next start finds it */
}

/* ---- failed ---- */

static char *error_text(const struct run *run, int rc, const struct err *e)
{
	const struct failure failure = { .rc = rc,
		.e = e,
		.result = &run->result,
		.epoch = run->last.epoch,
		.step = run->last.step,
		.request = run->training ? training_request(run->training) : NULL,
		.definition = run->training ? training_definition(run->training) : NULL };
	json_t *document = failure_document(&failure);
	char *text = document ? json_text(document, false) : NULL;

	json_decref(document);
	return text;
}

static void end_badly(struct run *run, struct store_job_end *end, int rc, const struct err *e)
{
	char *error = error_text(run, rc, e);
	struct err why;

	end->state = JOB_FAILED;
	end->stop_reason = rc == ERR_DIVERGED ? "diverged" : "error";
	end->error = error ? error : failure_unsaid;
	jobs_say(run->worker->jobs, run->job.id, "failed", e->text);
	finish(run, end, &why);
	free(error);
}

/* ---- not over yet ---- */

/* What requeue leaves running, because it could not be written, the next start finds. */
static void give_back(struct run *run, struct err *e)
{
	struct store *store = run_store(run);
	bool ending = atomic_load(&run->worker->jobs->ending);
	int rc;

	do
		rc = ending ? store->job_requeue(store, run->job.id, run->job.attempt, e)
			    : store->job_park(store, run->job.id, run->job.attempt, e);
	while (!final(rc) && try_again(run, "could not be put back", e));
	if (rc && final(rc)) jobs_say(run->worker->jobs, run->job.id, "could not be put back", e->text);
	if (!rc && !ending && run->job.parent) /* it was cancelled, perhaps */
		family_settle(&run->worker->jobs->family, run->job.parent);
}

/* ---- which of them ---- */

static double samples_per_second(const struct run *run)
{
	if (!run->training || run->last.seconds <= 0) return 0;
	return (double)training_rows(run->training) * (double)run->last.epoch / run->last.seconds;
}

static void end_with(struct run *run, struct store_job_end *end, int rc, bool stopped, struct err *e)
{
	if (stopped) {
		end->state = JOB_CANCELLED;
		end->stop_reason = "cancelled";
		finish(run, end, e);
		return;
	}
	end->stop_reason = train_stop_name(run->result.stop);
	if (!rc) rc = publish(run, *end, e);
	if (rc) end_badly(run, end, rc, e);
}

static void end_job(struct run *run, int rc, bool stopped, struct err *e)
{
	struct store_job_end end = { .id = run->job.id,
		.attempt = run->job.attempt,
		.state = JOB_SUCCEEDED,
		.epoch = run->last.epoch ? run->last.epoch : run->job.epoch,
		.step = run->last.epoch ? run->last.step : run->job.step,
		.samples_per_second = samples_per_second(run) };
	json_t *metrics = NULL, *best = NULL;
	char *metrics_text = NULL, *best_text = NULL;

	if (run->last.epoch) {
		metrics = training_metrics(&run->last, training_validates(run->training));
		best = training_best(&run->last, training_request(run->training));
		metrics_text = json_text(metrics, false);
		best_text = json_text(best, false);
	}
	end.metrics = metrics_text; /* NULL leaves what is there: the end of a job is worth more than its figures */
	end.best = best_text;
	end_with(run, &end, rc, stopped, e);
	json_decref(metrics);
	json_decref(best);
	free(metrics_text);
	free(best_text);
}

void run_end(struct run *run, int rc, struct err *e)
{
	const struct jobs *jobs = run->worker->jobs;
	int stop = atomic_load(&run->worker->stop);
	bool stopped = stop && (rc ? rc == ERR_STOPPED : run->result.stop == TRAIN_STOPPED);

	if (rc == ERR_CONFLICT)
		jobs_say(jobs, run->job.id, "was taken over and is left alone", e->text);
	else if (stopped && (atomic_load(&jobs->ending) || stop == STOP_PAUSE))
		give_back(run, e);
	else
		end_job(run, rc, stopped, e);
}
