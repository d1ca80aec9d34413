/* test_resume.c - jobs whose claims are lost, that pause, and that are cancelled while they end: one end each, and the
 * bits of a run that nothing happened to.
 */
#include "tests/unit/jobs_running.h"

#define DROPS 10
#define RACES 1000
#define STEADY                                                                                                         \
	"\"epochs\":200000,\"batch_size\":5,\"seed\":4,\"early_stopping\":{\"monitor\":\"loss\",\"patience\":150000}," \
	"\"optimizer\":\"adam\",\"noise\":0.01,\"ema_decay\":0.9,\"checkpoint_every_seconds\":0.05"

static struct store_bytes weights_of(uint64_t version)
{
	struct store_version v;
	struct store_bytes bytes;

	OK(store->version_get(store, "m", version, &v, &e));
	OK(store->blob_read(store, v.blob, &bytes, &e));
	store_version_clear(&v);
	return bytes;
}

static void assert_same_outcome(const struct store_job *a, const struct store_job *b)
{
	struct store_bytes x = weights_of(a->version), y = weights_of(b->version);
	struct curve p = curve_of(a->id), q = curve_of(b->id);

	ck_assert_uint_eq(x.size, y.size);
	ck_assert_mem_eq(x.data, y.data, x.size);
	ck_assert_str_eq(a->stop_reason, b->stop_reason);
	ck_assert_str_eq(a->metrics, b->metrics);
	ck_assert_str_eq(a->best, b->best);
	ck_assert_uint_eq(a->epoch, b->epoch);
	ck_assert_uint_eq(a->step, b->step);
	ck_assert_uint_eq(p.count, q.count);
	for (size_t i = 0; i < p.count; i++) {
		p.points[i].seconds = q.points[i].seconds = p.points[i].elapsed = q.points[i].elapsed = 0;
		ck_assert_mem_eq(&p.points[i], &q.points[i], sizeof p.points[i]);
	}
	curve_clear(&p);
	curve_clear(&q);
	store_bytes_clear(&x);
	store_bytes_clear(&y);
}

static void sleep_up_to_ms(long ms)
{
	const struct timespec pause = { 0, (random() % (ms * 1000)) * 1000 };

	nanosleep(&pause, NULL);
}

/* Until it is claimed, or has ended; its attempt. */
static int64_t wait_for_claim(int64_t id, bool *ended)
{
	int looks = 0;

	for (;;) {
		struct store_job job = look(id);
		int64_t attempt = job.attempt;
		enum job_state state = job.state;

		store_job_clear(&job);
		*ended = job_state_ended(state);
		if (*ended || state == JOB_RUNNING) return attempt;
		ck_assert_msg(patience(&looks), "job %lld is not claimed", (long long)id);
	}
}

/* A worker whose claim is taken trains on for a while beside the one that has it now, and writes nothing. */
START_TEST(claims_lost_at_random_change_no_bit)
{
	struct store_job calm, dropped;
	int64_t id;
	int drops = 0;
	bool ended = false;

	begin();
	start(2, ENOUGH);
	calm = wait_for_end(queue(STEADY, 0));
	ck_assert_int_eq(calm.state, JOB_SUCCEEDED);
	id = queue(STEADY, 0);
	while (drops < DROPS && !ended) {
		int64_t attempt = wait_for_claim(id, &ended);

		sleep_up_to_ms(150);
		if (!ended && !store->job_requeue(store, id, attempt, &e)) drops++;
		jobs_wake(jobs);
	}
	dropped = wait_for_end(id);
	ck_assert_int_eq(dropped.state, JOB_SUCCEEDED);
	ck_assert_int_gt(drops, 0);
	ck_assert_int_eq(dropped.resumed, drops);
	ck_assert_uint_eq(dropped.version, 2);
	assert_same_outcome(&calm, &dropped);
	store_job_clear(&calm);
	store_job_clear(&dropped);
	finish();
}
END_TEST

/* Nobody but the other owner touches the job from then on. */
START_TEST(job_of_another_is_left_alone)
{
	const struct timespec while_ = { 0, 300000000 };
	struct store_checkpoint before[STORE_CHECKPOINTS], after[STORE_CHECKPOINTS];
	struct store_job job;
	struct store_job_end end = { .state = JOB_FAILED, .stop_reason = "error", .metrics = "{}" };
	size_t count, counts[2];
	uint64_t version, points;
	struct curve curve;
	int looks = 0;
	int64_t id;

	begin();
	start(1, ENOUGH);
	id = queue(LONG ",\"checkpoint_every_seconds\":0.05", 0);
	do {
		ck_assert(patience(&looks));
		OK(store->checkpoint_list(store, id, before, &count, &e));
	} while (!count);
	end.attempt = wait_for_claim(id, &(bool){ false });
	OK(store->job_requeue(store, id, end.attempt, &e));
	OK(store->job_claim(store, "another", 60000, &job, &e));
	end.id = job.id;
	end.attempt = job.attempt;
	ck_assert_int_eq(job.id, id);
	store_job_clear(&job);
	OK(store->checkpoint_list(store, id, before, &counts[0], &e));
	curve = curve_of(id);
	points = curve.count;
	curve_clear(&curve);
	nanosleep(&while_, NULL);
	OK(store->checkpoint_list(store, id, after, &counts[1], &e));
	ck_assert_uint_eq(counts[0], counts[1]);
	ck_assert_uint_eq(before[0].sequence, after[0].sequence);
	curve = curve_of(id);
	ck_assert_uint_eq(curve.count, points);
	curve_clear(&curve);
	job = look(id);
	ck_assert_int_eq(job.state, JOB_RUNNING);
	ck_assert_str_eq(job.owner, "another");
	store_job_clear(&job);
	OK(store->job_finish(store, &end, &version, &e));
	job = wait_for_end(queue("\"epochs\":2", 0)); /* its worker is free */
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	store_job_clear(&job);
	jobs_stop(jobs);
	jobs = NULL;
	ck_assert_ptr_nonnull(strstr(log_text, "taken over"));
	finish();
}
END_TEST

START_TEST(pauses_change_no_bit)
{
	struct store_job calm, paused;
	enum job_state state;
	int64_t id;

	begin();
	start(1, ENOUGH);
	calm = wait_for_end(queue(STEADY, 0));
	id = queue(STEADY, 0);
	for (int i = 0; i < 5; i++) {
		int looks = 0;

		sleep_up_to_ms(100);
		if (store->job_pause(store, id, &state, &e)) break; /* it has ended */
		jobs_pause(jobs, id);
		while (state_of(id) != JOB_PAUSED && !job_state_ended(state_of(id)))
			ck_assert(patience(&looks));
		if (state_of(id) != JOB_PAUSED) break;
		OK(store->job_resume(store, id, &e));
		jobs_wake(jobs);
	}
	paused = wait_for_end(id);
	ck_assert_int_eq(paused.resumed, 0);
	assert_same_outcome(&calm, &paused);
	store_job_clear(&calm);
	store_job_clear(&paused);
	finish();
}
END_TEST

/* How often the log says that a job has ended. */
static int ends_of(int64_t id)
{
	struct store_event *list;
	size_t count;
	int ends = 0;

	OK(store->events_after(store, 0, id, 100, &list, &count, &e));
	for (size_t i = 0; i < count; i++) {
		ends += !strcmp(list[i].kind, "end");
		store_event_clear(&list[i]);
	}
	free(list);
	return ends;
}

START_TEST(cancel_and_finish_race_to_one_end)
{
	int outcomes[JOB_STATES] = { 0 };

	begin();
	start(2, ENOUGH);
	for (int i = 0; i < RACES; i++) {
		int64_t id = queue("\"epochs\":3,\"batch_size\":\"full\"", 0);
		enum job_state state;
		struct store_job job;
		int rc;

		sleep_up_to_ms(2);
		rc = store->job_cancel(store, id, &state, &e);
		if (!rc) jobs_cancel(jobs, id);
		job = wait_for_end(id);
		outcomes[job.state]++;
		if (rc) ck_assert_int_eq(job.state, JOB_SUCCEEDED);
		ck_assert(job.state == JOB_SUCCEEDED || job.state == JOB_CANCELLED);
		ck_assert_int_eq(job.version > 0, job.state == JOB_SUCCEEDED);
		ck_assert_int_eq(ends_of(id), 1);
		store_job_clear(&job);
	}
	ck_assert_int_gt(outcomes[JOB_SUCCEEDED] + outcomes[JOB_CANCELLED], 0);
	finish();
}
END_TEST

/* A job that ends its process each time is tried STORE_CRASHES_MAX times. */
START_TEST(poison_is_given_up)
{
	struct store_job job;
	int64_t id;

	begin();
	id = queue("\"epochs\":2", 0);
	for (int i = 0; i < STORE_CRASHES_MAX; i++) {
		OK(store->job_claim(store, "a daemon that dies of it", 60000, &job, &e));
		ck_assert_int_eq(job.id, id);
		store_job_clear(&job);
		if (i == STORE_CRASHES_MAX - 1) break;
		OK(store->job_recover(store, "{}", &(size_t){ 0 }, &e));
	}
	start(1, ENOUGH);
	job = wait_for_end(id);
	ck_assert_int_eq(job.state, JOB_FAILED);
	is(job.stop_reason, "crashed");
	ck_assert_ptr_nonnull(strstr(job.error, "\"code\":\"crashed\""));
	ck_assert_ptr_nonnull(strstr(job.error, "try"));
	store_job_clear(&job);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { claims_lost_at_random_change_no_bit, job_of_another_is_left_alone,
		pauses_change_no_bit, cancel_and_finish_race_to_one_end, poison_is_given_up, NULL };

	srandom((unsigned)time(NULL));
	return suite_main("jobs that go on", tests, 240);
}
