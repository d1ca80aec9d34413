/* test_store_clock.c - the day's time jumps: leases, delays and fairness go by the clock that nobody sets. The store's
 * clock_gettime is this file's. */
#include <sys/syscall.h>
#include <time.h>

#include "tests/unit/store_things.h"
#include "tests/unit/suite.h"

#define DAY_S (24 * 60 * 60)

static _Atomic long day_offset, clock_offset_ms; /* of the day's time; of the monotonic clock */

int clock_gettime(clockid_t which, struct timespec *t)
{
	long rc = syscall(SYS_clock_gettime, which, t);

	if (which == CLOCK_REALTIME) t->tv_sec += day_offset;
	if (which == CLOCK_MONOTONIC) t->tv_sec += clock_offset_ms / 1000;
	return (int)rc;
}

static struct store *store_for_jobs(int64_t *revision)
{
	struct store *s = fresh_store();

	put_model(s, "m");
	put_model(s, "n");
	*revision = put_dataset(s, "d", 'a');
	return s;
}

START_TEST(leases_do_not_follow_the_day)
{
	static const long jumps[] = { DAY_S, -DAY_S, -365 * DAY_S };
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	size_t count;

	id = put_job(s, "m", revision, 0);
	claim(s, id); /* for a minute */
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		day_offset = jumps[i];
		OK(s->job_expire(s, "{}", &count, &e));
		ck_assert_int_eq(state_of(s, id), JOB_RUNNING);
		OK(s->job_renew(s, id, 1, 60000, &e));
	}
	clock_offset_ms = 59000;
	OK(s->job_expire(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 0);
	clock_offset_ms = 61000;
	OK(s->job_expire(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(state_of(s, id), JOB_QUEUED);
	s->close(s);
}
END_TEST

START_TEST(turns_and_delays_do_not_follow_the_day)
{
	int64_t revision, m[2], n[2];
	struct store *s = store_for_jobs(&revision);
	struct store_job_new hooked = {
		.model = "m", .kind = "train", .config = "{}", .revision = revision, .notify = "http://there/"
	};
	struct store_notify *due;
	size_t count;
	int64_t id;

	for (int i = 0; i < 2; i++)
		m[i] = put_job(s, "m", revision, 0);
	for (int i = 0; i < 2; i++)
		n[i] = put_job(s, "n", revision, 0);
	claim(s, m[0]);
	finish_job(s, m[0], 1, JOB_FAILED);
	day_offset = -DAY_S;
	claim(s, n[0]);
	finish_job(s, n[0], 1, JOB_FAILED);
	claim(s, m[1]); /* though n was served a day before m, by the day's time */
	claim(s, n[1]);
	OK(s->job_create(s, &hooked, &id, &e));
	finish_job(s, id, claim(s, id), JOB_FAILED);
	OK(s->notify_later(s, id, 60000, &e));
	day_offset = DAY_S;
	OK(s->notify_due(s, 10, &due, &count, &e));
	ck_assert_uint_eq(count, 0);
	clock_offset_ms = 61000;
	OK(s->notify_due(s, 10, &due, &count, &e));
	ck_assert_uint_eq(count, 1);
	store_notify_clear(due);
	free(due);
	s->close(s);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { leases_do_not_follow_the_day, turns_and_delays_do_not_follow_the_day,
		NULL };

	suite_open = store_open_sqlite;
	return suite_main("clocks that jump", tests, 60);
}
