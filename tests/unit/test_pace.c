/* test_pace.c - how fast a run goes and when it will be done, on a clock that the test sets. */
#include <math.h>

#include "server/jobs/pace.h"
#include "tests/unit/suite.h"

#define EPOCHS 1000

struct going {
	struct pace pace;
	struct progress progress;
	struct train_point point;
	double now;
};

static struct going begun(uint64_t every)
{
	struct going g = { .now = 100, .progress = { .rows = 50, .batches = 10 } };

	pace_begin(&g.pace, &g.point, every, g.now, &g.progress);
	return g;
}

/* An epoch of so many seconds, of which so many are no training. */
static void epoch(struct going *g, double seconds, double aside)
{
	g->now += seconds;
	g->point.epoch++;
	g->point.step += 10;
	g->point.seconds += seconds - aside;
	g->point.elapsed += seconds;
	pace_note(&g->pace, &g->point, g->now, &g->progress);
}

/* After so many more seconds and mini-batches. */
static double left_after(const struct going *g, double max_seconds, double seconds, uint64_t steps)
{
	struct progress progress = g->progress;

	progress.at = g->now + seconds;
	progress.steps = g->point.step + steps;
	return pace_left(&progress, EPOCHS, max_seconds);
}

static double left(const struct going *g, double max_seconds)
{
	return left_after(g, max_seconds, 0, 0);
}

static double done_after(const struct going *g, uint64_t steps)
{
	struct progress progress = g->progress;

	progress.steps = g->point.step + steps;
	return pace_done(&progress, EPOCHS);
}

START_TEST(even_epochs)
{
	static const double seconds[] = { 1e-5, 0.01, 1, 60, 3600 };

	for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
		struct going g = begun(1);

		for (int n = 0; n < 100; n++)
			epoch(&g, seconds[i], seconds[i] / 4);
		ck_assert_double_eq_tol(g.progress.epoch_seconds, seconds[i], 1e-6 * seconds[i]);
		ck_assert_double_eq_tol(g.progress.training_seconds, seconds[i] * 0.75, 1e-6 * seconds[i]);
		ck_assert_double_eq_tol(left(&g, 0), 900 * seconds[i], 1e-3 * seconds[i]);
	}
}
END_TEST

/* The mean since the start would still say 2 seconds. */
START_TEST(it_forgets)
{
	struct going g = begun(1);

	for (int n = 0; n < 100; n++)
		epoch(&g, 1, 0);
	for (int n = 0; n < 20; n++)
		epoch(&g, 6, 0);
	ck_assert_double_gt(g.progress.epoch_seconds, 5.5);
	g = begun(1); /* quick ones: two seconds later it has hardly noticed, a minute later it has */
	for (int n = 0; n < 10000; n++)
		epoch(&g, 0.001, 0);
	for (int n = 0; n < 500; n++)
		epoch(&g, 0.004, 0);
	ck_assert_double_lt(g.progress.epoch_seconds, 0.0025);
	for (int n = 0; n < 15000; n++)
		epoch(&g, 0.004, 0);
	ck_assert_double_eq_tol(g.progress.epoch_seconds, 0.004, 1e-4);
}
END_TEST

START_TEST(done_and_not_yet_published)
{
	struct going g = begun(1);

	for (int n = 0; n < EPOCHS; n++)
		epoch(&g, 1, 0);
	ck_assert_double_eq(left_after(&g, 0, 1, 0), 0);
	ck_assert_double_eq(done_after(&g, 0), 1);
}
END_TEST

/* Each fifth takes 100 seconds more: the mean is 30, whichever came last. */
START_TEST(validation_counts_where_it_occurs)
{
	struct going g = begun(5);

	for (int n = 1; n <= 200; n++) {
		epoch(&g, n % 5 ? 10 : 110, n % 5 ? 0 : 100);
		if (n < 100) continue;
		ck_assert_double_gt(g.progress.epoch_seconds, 20);
		ck_assert_double_lt(g.progress.epoch_seconds, 40);
		ck_assert_double_eq_tol(g.progress.training_seconds, 10, 1e-6);
	}
}
END_TEST

START_TEST(within_an_epoch)
{
	struct going g = begun(1);

	ck_assert(isnan(left_after(&g, 0, 1, 0))); /* nothing is done yet */
	ck_assert_double_eq_tol(left_after(&g, 0, 1, 2), 5 * EPOCHS - 1, 1e-9);
	ck_assert_double_eq_tol(done_after(&g, 2), 0.2 / EPOCHS, 1e-12);
	epoch(&g, 4, 0);
	ck_assert_double_eq_tol(left_after(&g, 0, 2, 5), 999 * 4 - 2, 1e-9);
	ck_assert_double_eq_tol(left_after(&g, 0, 50, 5), 998 * 4, 1e-9);
	ck_assert_double_eq_tol(done_after(&g, 5), 1.5 / EPOCHS, 1e-12);
	ck_assert_double_eq(pace_done(&g.progress, 0), 0);
}
END_TEST

START_TEST(no_longer_than_it_may_take)
{
	struct going g = begun(1);

	epoch(&g, 4, 0);
	ck_assert_double_eq_tol(left(&g, 100), 96, 1e-9);
	ck_assert_double_eq_tol(left_after(&g, 100, 3, 0), 93, 1e-9);
	ck_assert_double_eq_tol(left_after(&g, 100, 300, 0), 0, 1e-9);
	ck_assert_double_eq_tol(left(&g, 1e6), 999 * 4, 1e-9);
	g = begun(1); /* the limit is known before the pace is */
	ck_assert_double_eq_tol(left(&g, 100), 100, 1e-9);
}
END_TEST

START_TEST(before_it_has_begun_nothing_is_known)
{
	const struct progress nothing = { 0 };

	ck_assert(isnan(pace_left(&nothing, EPOCHS, 10)));
	ck_assert_double_eq(pace_done(&nothing, EPOCHS), 0);
}
END_TEST

/* A run that goes on after epoch 500 knows how long one took once it has done one. */
START_TEST(going_on)
{
	struct going g = { .now = 100, .progress = { .rows = 50, .batches = 10 } };

	g.point = (struct train_point){ .epoch = 500, .step = 5000, .seconds = 1000, .elapsed = 2000 };
	pace_begin(&g.pace, &g.point, 1, g.now, &g.progress);
	ck_assert_double_eq_tol(done_after(&g, 0), 0.5, 1e-12);
	epoch(&g, 3, 1);
	ck_assert_double_eq_tol(g.progress.training_seconds, 2, 1e-9);
	ck_assert_double_eq_tol(left(&g, 0), 499 * 3, 1e-9);
	ck_assert_double_eq_tol(left(&g, 2100), 97, 1e-9);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { even_epochs, it_forgets, validation_counts_where_it_occurs,
		within_an_epoch, no_longer_than_it_may_take, before_it_has_begun_nothing_is_known,
		done_and_not_yet_published, going_on, NULL };

	return suite_main("pace", tests, 60);
}
