/* snapshot.c - checkpoints of a running job. See checkpoint.h for what they are, jobs_parts.h for what is here.
 *
 * The worker asks for one by run->save. The trainer's thread copies its state at the next mini-batch boundary into the
 * room made before the run, sets the points of the curve aside that belong before it, and trains on. The worker first
 * writes those points, then the checkpoint: whatever is in the store, the curve there reaches at least as far as the
 * newest checkpoint, and what reaches further is taken back when the job goes on. A run that is stopped has filled the
 * snapshot by itself.
 */
#include <stdio.h>
#include <stdlib.h>

#include "server/codec/json.h"
#include "server/jobs/jobs_parts.h"

int snapshot_new(struct run *run, struct err *e)
{
	return checkpoint_room_new(&run->snapshot.room, training_state_bytes(run->training), e);
}

void snapshot_clear(struct run *run)
{
	checkpoint_room_clear(&run->snapshot.room);
	free(run->snapshot.curve);
	run->snapshot.curve = NULL;
}

/* ---- taking and writing ---- */

/* Waits only when the run is stopped while the one before is being written. */
static void await_room(struct run *run)
{
	pthread_mutex_lock(&run->lock);
	while (run->snapshot.full)
		pthread_cond_wait(&run->snapshot.emptied, &run->lock);
	pthread_mutex_unlock(&run->lock);
}

void snapshot_take(void *self)
{
	struct run *run = self;
	struct snapshot *s = &run->snapshot;

	if (atomic_load(&run->worker->stop) == STOP_CANCEL && !atomic_load(&run->worker->jobs->ending))
		return;
	await_room(run);
	training_save(run->training, checkpoint_state(&s->room));
	free(s->curve);
	s->curve = record_seal(&run->record, &s->curve_bytes);
	if (!s->curve) return; /* no memory for it: the next one may be luckier */
	s->left = *training_point(run->training);
	pthread_mutex_lock(&run->lock);
	s->last = run->last;
	s->full = true;
	pthread_cond_signal(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

bool snapshot_full(struct run *run)
{
	bool full;

	pthread_mutex_lock(&run->lock);
	full = run->snapshot.full;
	pthread_mutex_unlock(&run->lock);
	return full;
}

void snapshot_drop(struct run *run)
{
	pthread_mutex_lock(&run->lock);
	run->snapshot.full = false;
	pthread_cond_signal(&run->snapshot.emptied);
	pthread_mutex_unlock(&run->lock);
}

static int put(struct run *run, size_t size, struct err *e)
{
	const struct snapshot *s = &run->snapshot;
	struct store *store = run_store(run);
	json_t *metrics = training_metrics(&s->last, training_validates(run->training));
	json_t *best = training_best(&s->last, training_request(run->training));
	char *metrics_text = json_text(metrics, false), *best_text = json_text(best, false);
	struct store_checkpoint c = { .epoch = s->last.epoch,
		.step = s->last.step,
		.size_bytes = size,
		.metrics = metrics_text,
		.best = best_text };
	int rc = store->blob_write(store, s->room.bytes, size, &c.blob, e);

	if (!rc && (rc = store->checkpoint_put(store, run->job.id, run->job.attempt, &c, e)))
		store->blob_discard(store, c.blob);
	json_decref(metrics);
	json_decref(best);
	free(metrics_text);
	free(best_text);
	return rc;
}

int snapshot_write(struct run *run, struct err *e)
{
	struct snapshot *s = &run->snapshot;
	const struct checkpoint_parts parts = {
		.last = s->last, .left = s->left, .curve = s->curve, .curve_bytes = s->curve_bytes
	};
	size_t size;
	int rc = checkpoint_close(&s->room, training_identity(run->training), &parts, &size, e);

	return rc ? rc : put(run, size, e);
}

/* ---- going on ---- */

/* Puts what a checkpoint has in its places. ERR_CORRUPT: nothing was changed. */
static int go_on_from(struct run *run, const struct store_bytes *bytes, struct err *e)
{
	struct checkpoint_parts parts;
	struct curve_recorder recorder;
	int rc;

	if ((rc = checkpoint_open(bytes->data, bytes->size, training_identity(run->training), &parts, e)))
		return rc;
	if ((rc = curve_recorder_load(&recorder, parts.curve, parts.curve_bytes, e))) return rc;
	if ((rc = training_resume(run->training, &parts, e))) {
		curve_recorder_free(&recorder);
		return rc;
	}
	record_resume(&run->record, &recorder);
	run->last = parts.last;
	return 0;
}

/* A checkpoint that cannot be read is of no use later either, and the log says why. */
static int try_checkpoint(struct run *run, const struct store_checkpoint *c, bool *good, struct err *e)
{
	struct store *store = run_store(run);
	struct store_bytes bytes = { 0 };
	char what[96];
	int rc = store->blob_read(store, c->blob, &bytes, e);

	if (!rc) rc = go_on_from(run, &bytes, e);
	store_bytes_clear(&bytes);
	*good = !rc;
	if (!rc) {
		snprintf(what, sizeof what, "goes on after epoch %llu", (unsigned long long)c->epoch);
		jobs_say(run->worker->jobs, run->job.id, what, "");
	}
	if (rc != ERR_CORRUPT && rc != ERR_NOT_FOUND) return rc;
	snprintf(what, sizeof what, "cannot go on from its checkpoint of epoch %llu",
			(unsigned long long)c->epoch);
	jobs_say(run->worker->jobs, run->job.id, what, e->text);
	return store->checkpoint_drop(store, run->job.id, run->job.attempt, c->sequence, e);
}

int snapshot_resume(struct run *run, struct err *e)
{
	struct store *store = run_store(run);
	struct store_checkpoint list[STORE_CHECKPOINTS];
	size_t count;
	bool good = false;
	int rc = store->checkpoint_list(store, run->job.id, list, &count, e);

	for (size_t i = 0; i < count && !rc && !good; i++)
		rc = try_checkpoint(run, &list[i], &good, e);
	if (rc) return rc;
	if (!good && count) jobs_say(run->worker->jobs, run->job.id, "begins again", "");
	return store->curve_rewind(store, run->job.id, run->job.attempt, run->record.recorder.ready, e);
}
