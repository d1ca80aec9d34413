/* test_jobs.c - the workers on a real store: how jobs end, stop, come back; memory, priorities, the curve meanwhile.
 */
#include <math.h>

#include "tests/unit/jobs_running.h"

START_TEST(a_job_succeeds)
{
	struct store_version version;
	struct store_job job;
	struct version *loaded;
	struct curve curve;
	struct progress progress;
	int64_t id;

	begin();
	start(2, ENOUGH);
	job = wait_for_end(id = queue("\"epochs\":50,\"batch_size\":10", 0));
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	is(job.stop_reason, "epochs");
	ck_assert_uint_eq(job.epoch, 50);
	ck_assert_uint_eq(job.step, 200);
	ck_assert_uint_eq(job.version, 1);
	ck_assert_ptr_null(job.error);
	ck_assert_ptr_nonnull(strstr(job.metrics, "\"loss\""));
	ck_assert_ptr_nonnull(strstr(job.best, "\"epoch\""));
	ck_assert_double_gt(job.samples_per_second, 0);
	OK(store->version_get(store, "m", 1, &version, &e));
	ck_assert_int_eq(version.job, id);
	is(version.metrics, job.metrics);
	is(version.training, job.config);
	ck_assert_ptr_nonnull(strstr(version.dataset, "\"name\":\"d\""));
	ck_assert_str_eq(version.engine, any_engine()->name);
	OK(registry_get(registry, "m", PICK_DEFAULT, "", true, &loaded, &e));
	ck_assert_uint_eq(version_number(loaded), 1);
	version_put(loaded);
	curve = curve_of(id);
	ck_assert_uint_eq(curve.count, 50);
	for (size_t i = 0; i < curve.count; i++)
		ck_assert_uint_eq(curve.points[i].epoch, i + 1);
	ck_assert_double_lt(curve.points[49].loss, curve.points[0].loss);
	curve_clear(&curve);
	ck_assert(jobs_progress(jobs, id, &progress)); /* for who saw it running a moment ago */
	ck_assert_uint_eq(progress.point.epoch, 50);
	ck_assert(!jobs_progress(jobs, 99, &progress));
	jobs_cancel(jobs, 99);
	store_version_clear(&version);
	store_job_clear(&job);
	finish();
}
END_TEST

START_TEST(many_jobs_two_workers)
{
	int64_t ids[12];
	bool versions[13] = { false };

	begin();
	start(2, ENOUGH);
	for (int i = 0; i < 12; i++)
		ids[i] = queue("\"epochs\":3", 0);
	for (int i = 0; i < 12; i++) {
		struct store_job job = wait_for_end(ids[i]);

		ck_assert_int_eq(job.state, JOB_SUCCEEDED);
		ck_assert(job.version >= 1 && job.version <= 12 && !versions[job.version]); /* one each */
		versions[job.version] = true;
		ck_assert_int_eq(job.attempt, 1);
		store_job_clear(&job);
	}
	finish();
}
END_TEST

START_TEST(cancelled_while_queued)
{
	enum job_state state;
	struct store_job job;
	int64_t running, queued;

	begin();
	start(1, ENOUGH);
	running = queue(LONG, 0);
	wait_for_epoch(running, 1);
	queued = queue("", 0);
	OK(store->job_cancel(store, queued, &state, &e));
	jobs_cancel(jobs, queued);
	ck_assert_int_eq(state, JOB_CANCELLED);
	OK(store->job_cancel(store, running, &state, &e));
	ck_assert_int_eq(state, JOB_RUNNING);
	jobs_cancel(jobs, running);
	job = wait_for_end(running);
	ck_assert_int_eq(job.state, JOB_CANCELLED);
	is(job.stop_reason, "cancelled");
	ck_assert_uint_eq(job.version, 0);
	ck_assert_uint_ge(job.epoch, 1);
	store_job_clear(&job);
	job = look(queued);
	ck_assert_int_eq(job.attempt, 0); /* nobody took it */
	store_job_clear(&job);
	job = wait_for_end(queue("\"epochs\":2", 0)); /* the worker is none the worse */
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	ck_assert_uint_eq(job.version, 1);
	store_job_clear(&job);
	finish();
}
END_TEST

static void failed(int64_t id, const char *code)
{
	struct store_job job;
	json_t *error;

	jobs_wake(jobs);
	job = wait_for_end(id);
	ck_assert_int_eq(job.state, JOB_FAILED);
	is(job.stop_reason, "error");
	ck_assert_uint_eq(job.version, 0);
	OK(json_read_stored(job.error, &error, &e));
	is(json_string_value(json_object_get(error, "code")), code);
	ck_assert_uint_gt(strlen(json_string_value(json_object_get(error, "detail"))), 0);
	json_decref(error);
	store_job_clear(&job);
}

START_TEST(failures)
{
	struct store_job job;

	begin();
	put_csv(store, "words", "x,y\na,1\nb,2\n");
	put_csv(store, "narrow", "x\n1\n2\n");
	start(2, ENOUGH);
	failed(put_job(store, "m", "words", "", 0), "invalid-value");
	failed(queue("\"from\":\"7\"", 0), "not-found");
	failed(put_job(store, "m", "narrow", "", 0), "invalid-value");
	job = wait_for_end(queue("\"epochs\":2", 0));
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	store_job_clear(&job);
	finish();
}
END_TEST

START_TEST(divergence)
{
	struct store_job job;
	struct curve curve;
	int64_t id;

	begin();
	put_model(store, "wild", "{\"dataset\":\"d\",\"target\":\"y\",\"layers\":[],\"normalize\":\"none\"}");
	start(1, ENOUGH);
	id = put_job(store, "wild", "d",
			"\"epochs\":1000,\"optimizer\":{\"name\":\"sgd\",\"learning_rate\":0.5},\"batch_size\":\"full\"",
			0);
	jobs_wake(jobs);
	job = wait_for_end(id);
	ck_assert_int_eq(job.state, JOB_FAILED);
	is(job.stop_reason, "diverged");
	ck_assert_ptr_nonnull(strstr(job.error, "\"code\":\"diverged\""));
	ck_assert_uint_eq(job.version, 0);
	curve = curve_of(id);
	ck_assert_uint_ge(curve.count, 2);
	ck_assert(isfinite(curve.points[0].loss));
	ck_assert(isnan(curve.points[curve.count - 1].loss)); /* where it left the finite numbers */
	curve_clear(&curve);
	store_job_clear(&job);
	finish();
}
END_TEST

START_TEST(stopping_puts_jobs_back)
{
	int64_t running[2], waiting;
	struct curve curve;
	struct store_job job;

	begin();
	start(2, ENOUGH);
	for (int i = 0; i < 2; i++)
		running[i] = queue(LONG, 0);
	waiting = queue("\"epochs\":2", 0);
	for (int i = 0; i < 2; i++)
		wait_for_epoch(running[i], 2);
	jobs_stop(jobs);
	jobs = NULL;
	for (int i = 0; i < 2; i++) {
		job = look(running[i]);
		ck_assert_int_eq(job.state, JOB_QUEUED);
		ck_assert_int_eq(job.resumed, 1);
		ck_assert_ptr_null(job.stop_reason);
		store_job_clear(&job);
		curve = curve_of(running[i]);
		ck_assert_uint_ge(curve.count, 2);
		curve_clear(&curve);
	}
	ck_assert_int_eq(state_of(waiting), JOB_QUEUED);
	start(3, ENOUGH); /* nobody wakes the workers: they look by themselves first */
	for (int i = 0; i < 2; i++)
		wait_for_epoch(running[i], 1);
	job = wait_for_end(waiting);
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	store_job_clear(&job);
	finish();
}
END_TEST

START_TEST(a_wish_to_cancel_outlives_the_daemon)
{
	enum job_state state;
	struct store_job job;
	int64_t id;

	begin();
	start(1, ENOUGH);
	wait_for_epoch(id = queue(LONG, 0), 1);
	OK(store->job_cancel(store, id, &state, &e)); /* and the worker is not told before the end */
	jobs_stop(jobs);
	jobs = NULL;
	job = look(id);
	ck_assert_int_eq(job.state, JOB_CANCELLED);
	store_job_clear(&job);
	finish();
}
END_TEST

START_TEST(what_a_crash_left_is_found)
{
	struct store_job job;
	int64_t id;

	begin();
	id = queue("\"epochs\":2", 0);
	OK(store->job_claim(store, "me", 60000, &job, &e)); /* by a daemon that died */
	ck_assert_int_eq(job.id, id);
	store_job_clear(&job);
	start(1, ENOUGH);
	job = wait_for_end(id);
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	ck_assert_int_eq(job.resumed, 1);
	ck_assert_int_eq(job.attempt, 2);
	store_job_clear(&job);
	jobs_stop(jobs);
	jobs = NULL;
	ck_assert_ptr_nonnull(strstr(log_text, "1 unfinished"));
	finish();
}
END_TEST

/* What a job of LONG takes. */
static size_t bytes_of_a_job(void)
{
	const atomic_int stop = 0;
	const struct training_needs needs = { store, any_engine(), &stop, SIZE_MAX, workshop_database() };
	struct training *training;
	struct store_job job = look(put_job(store, "m", "d", LONG, -1000));
	enum job_state state;
	size_t bytes;

	OK(training_new(&training, &needs, &job, &e));
	bytes = training_size(training)->bytes;
	training_free(training);
	OK(store->job_cancel(store, job.id, &state, &e));
	store_job_clear(&job);
	return bytes;
}

START_TEST(memory_is_shared)
{
	struct progress progress;
	struct store_job job;
	enum job_state state;
	int64_t first, second;
	size_t bytes;

	begin();
	bytes = bytes_of_a_job();
	start(2, bytes * 3 / 2); /* room for one at a time */
	first = queue(LONG, 0);
	wait_for_epoch(first, 1);
	second = queue(LONG, 0);
	for (int looks = 0; state_of(second) == JOB_QUEUED;)
		ck_assert(patience(&looks));
	wait_for_epoch(first, 1000);
	for (int looks = 0; !jobs_progress(jobs, second, &progress);) /* its worker is about to know it */
		ck_assert(patience(&looks));
	/* Claimed, and waiting for the first one's memory. */
	ck_assert_uint_eq(progress.point.epoch, 0);
	OK(store->job_cancel(store, first, &state, &e));
	jobs_cancel(jobs, first);
	wait_for_epoch(second, 1);
	OK(store->job_cancel(store, second, &state, &e));
	jobs_cancel(jobs, second);
	job = wait_for_end(second);
	ck_assert_int_eq(job.state, JOB_CANCELLED);
	store_job_clear(&job);
	jobs_stop(jobs);
	start(2, bytes - 1);
	failed(queue(LONG, 0), "out-of-range");
	finish();
}
END_TEST

START_TEST(the_curve_while_it_runs)
{
	struct curve curve = { 0 };
	struct store_job job;
	int looks = 0;
	int64_t id;

	begin();
	start(1, ENOUGH);
	id = queue(LONG, 0);
	while (!curve.count) {
		ck_assert(patience(&looks));
		curve_clear(&curve);
		curve = curve_of(id);
	}
	ck_assert_int_eq(state_of(id), JOB_RUNNING);
	ck_assert_uint_eq(curve.points[0].epoch, 1);
	for (size_t i = 1; i < curve.count; i++)
		ck_assert_uint_gt(curve.points[i].epoch, curve.points[i - 1].epoch);
	jobs_cancel(jobs, id); /* stops it whoever asks */
	job = wait_for_end(id);
	ck_assert_int_eq(job.state, JOB_CANCELLED);
	curve_clear(&curve);
	curve = curve_of(id);
	ck_assert_uint_le(curve.points[curve.count - 1].epoch,
			job.epoch); /* to its end, give or take a bucket */
	ck_assert_uint_gt(curve.points[curve.count - 1].epoch, job.epoch / 2);
	curve_clear(&curve);
	store_job_clear(&job);
	finish();
}
END_TEST

START_TEST(priorities)
{
	static const int wanted[] = { 5, 1, 1, 0, -3 };
	int64_t ids[5];
	struct store_job done[5];

	begin();
	ids[3] = queue("\"epochs\":2", 0);
	ids[1] = queue("\"epochs\":2", 1);
	ids[4] = queue("\"epochs\":2", -3);
	ids[0] = queue("\"epochs\":2", 5);
	ids[2] = queue("\"epochs\":2", 1);
	start(1, ENOUGH);
	for (int i = 0; i < 5; i++) {
		done[i] = wait_for_end(ids[i]);
		ck_assert_int_eq(done[i].priority, wanted[i]);
		ck_assert_uint_eq(done[i].version, (uint64_t)i + 1); /* published in this order */
		store_job_clear(&done[i]);
	}
	finish();
}
END_TEST

static int (*checkpoint_put)(struct store *, int64_t, int64_t, const struct store_checkpoint *, struct err *);
static atomic_uint refusals;

static int refused_once(struct store *self, int64_t job, int64_t attempt, const struct store_checkpoint *c,
		struct err *err)
{
	if (!atomic_fetch_add(&refusals, 1)) return err_set(err, ERR_DISK_FULL, "no room");
	return checkpoint_put(self, job, attempt, c, err);
}

/* The time is over before the next is due: what was refused is not waited for, as nobody goes on from it. */
START_TEST(a_checkpoint_refused_before_the_end)
{
	struct store_job job;

	begin();
	checkpoint_put = store->checkpoint_put;
	store->checkpoint_put = refused_once;
	start(1, ENOUGH);
	job = wait_for_end(queue(LONG ",\"checkpoint_every_seconds\":1.1,\"max_seconds\":2", 0));
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	is(job.stop_reason, "max_seconds");
	ck_assert_uint_ge(atomic_load(&refusals), 1);
	ck_assert_ptr_nonnull(strstr(log_text, "goes on, but cannot be written"));
	store_job_clear(&job);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { a_job_succeeds, many_jobs_two_workers, cancelled_while_queued,
		failures, divergence, stopping_puts_jobs_back, a_wish_to_cancel_outlives_the_daemon,
		what_a_crash_left_is_found, memory_is_shared, the_curve_while_it_runs, priorities,
		a_checkpoint_refused_before_the_end, NULL };

	return suite_main("jobs", tests, 120);
}
