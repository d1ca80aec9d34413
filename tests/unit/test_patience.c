/* test_patience.c - deadlines of what a client does: they pass, move on with what came, stand still while it is our part, and are
 * found to be over once. */
#include <pthread.h>

#include "server/http/patience.h"
#include "tests/unit/suite.h"

#define LIMIT_MS 30000
#define ROUNDS   200000

static struct patience p;

static void begin(enum part part, uint64_t due_ms)
{
	p = (struct patience){ 0 };
	ck_assert(patience_begin(&p, part, due_ms));
	ck_assert_int_eq(patience_part(&p), part);
}

START_TEST(a_deadline_passes_once)
{
	begin(PART_BODY, 1000);
	ck_assert_int_eq(patience_over(&p, 999), PART_OURS);
	ck_assert_int_eq(patience_over(&p, 1000), PART_BODY);
	ck_assert_int_eq(patience_over(&p, 1000), PART_OURS);
	ck_assert_int_eq(patience_part(&p), PART_OVER);
	ck_assert(!patience_begin(&p, PART_ANSWER, 5000));
	ck_assert(!patience_begin(&p, PART_OURS, 0));
	ck_assert(!patience_hurry(&p, 1));
	ck_assert(!patience_earn(&p, PART_BODY, 1, 1, LIMIT_MS));
	patience_pause(&p, 1);
	patience_resume(&p, 1);
	ck_assert_int_eq(patience_part(&p), PART_OVER);
}
END_TEST

START_TEST(ours_never_passes)
{
	begin(PART_OURS, 1);
	ck_assert_int_eq(patience_over(&p, UINT64_MAX >> 8), PART_OURS);
	ck_assert_int_eq(patience_part(&p), PART_OURS);
}
END_TEST

START_TEST(only_an_earlier_deadline_hurries)
{
	begin(PART_HEADERS, 1000);
	ck_assert(patience_hurry(&p, 2000));
	ck_assert_int_eq(patience_over(&p, 1000), PART_HEADERS);
	begin(PART_HEADERS, 1000);
	ck_assert(patience_hurry(&p, 500));
	ck_assert_int_eq(patience_part(&p), PART_HEADERS);
	ck_assert_int_eq(patience_over(&p, 500), PART_HEADERS);
}
END_TEST

START_TEST(what_moves_earns_time)
{
	begin(PART_BODY, 1000);
	ck_assert(patience_earn(&p, PART_BODY, 300, 900, LIMIT_MS));
	ck_assert_int_eq(patience_over(&p, 1299), PART_OURS);
	ck_assert(patience_earn(&p, PART_ANSWER, 9999, 900, LIMIT_MS)); /* of another part */
	ck_assert_int_eq(patience_over(&p, 1300), PART_BODY);
	begin(PART_BODY, 1000);
	ck_assert(patience_earn(&p, PART_BODY, 3600000, 900, LIMIT_MS)); /* no more than the limit */
	ck_assert_int_eq(patience_over(&p, 900 + LIMIT_MS - 1), PART_OURS);
	ck_assert_int_eq(patience_over(&p, 900 + LIMIT_MS), PART_BODY);
}
END_TEST

START_TEST(a_pause_costs_nothing)
{
	begin(PART_BODY, 10000);
	patience_pause(&p, 4000);
	ck_assert_int_eq(patience_over(&p, 1000000), PART_OURS);
	patience_resume(&p, 1000000);
	patience_resume(&p, 2000000); /* it has been */
	ck_assert_int_eq(patience_over(&p, 1005999), PART_OURS);
	ck_assert_int_eq(patience_over(&p, 1006000), PART_BODY);
}
END_TEST

START_TEST(a_pause_of_ours_stays_ours)
{
	begin(PART_OURS, 0);
	patience_pause(&p, 10);
	patience_resume(&p, 20);
	ck_assert_int_eq(patience_part(&p), PART_OURS);
	begin(PART_BODY, 100);
	patience_pause(&p, 10);
	ck_assert(patience_begin(&p, PART_OURS, 0)); /* the answer is made meanwhile */
	patience_resume(&p, 20);
	ck_assert_int_eq(patience_part(&p), PART_OURS);
}
END_TEST

START_TEST(the_last_moment_is_left_after_a_pause)
{
	begin(PART_BODY, 100);
	patience_pause(&p, 200);
	patience_resume(&p, 5000);
	ck_assert_int_eq(patience_over(&p, 5001), PART_OURS);
	ck_assert_int_eq(patience_over(&p, 7000), PART_BODY);
}
END_TEST

/* One goes on from part to part, two look; each end is found by one of them and learned by the first. */
static atomic_bool stops;
static atomic_uint found;

static void *look(void *unused)
{
	while (!atomic_load(&stops))
		if (patience_over(&p, 100) != PART_OURS) atomic_fetch_add(&found, 1);
	return unused;
}

START_TEST(an_end_is_found_by_one)
{
	pthread_t threads[2];
	unsigned learned = 0;

	begin(PART_OURS, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, look, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		bool good = patience_begin(&p, PART_BODY, i % 3 ? 1000 : 100);

		good = patience_earn(&p, PART_BODY, 1, 100, LIMIT_MS) && good;
		good = patience_begin(&p, PART_OURS, 0) && good;
		if (good) continue;
		learned++;
		atomic_store(&p.now, 0); /* another connection */
	}
	atomic_store(&stops, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(learned, atomic_load(&found));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { a_deadline_passes_once, ours_never_passes,
		only_an_earlier_deadline_hurries, what_moves_earns_time, a_pause_costs_nothing,
		a_pause_of_ours_stays_ours, the_last_moment_is_left_after_a_pause, an_end_is_found_by_one,
		NULL };

	return suite_main("patience", tests, 60);
}
