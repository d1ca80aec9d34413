/* test_sweep_value.c - what the runs of a sweep are compared by, and what makes one better than another. */
#include <math.h>

#include "tests/unit/sweep_reading.h"

#define UNITS "\"units\":[4,8,16]"

START_TEST(everything_is_better_than_nothing)
{
	static const double ascending[] = { -INFINITY, -1, 0, 0.5, 7, INFINITY };
	struct sweep lowest = { .metric = "loss" }, highest = { .metric = "accuracy", .highest_wins = true };

	for (size_t i = 0; i < COUNT(ascending); i++) {
		for (size_t j = 0; j < COUNT(ascending); j++) {
			ck_assert_int_eq(sweep_better(&lowest, ascending[i], ascending[j]), i < j);
			ck_assert_int_eq(sweep_better(&highest, ascending[i], ascending[j]), i > j);
		}
		ck_assert(sweep_better(&lowest, ascending[i], NAN) &&
				sweep_better(&highest, ascending[i], NAN));
		ck_assert(!sweep_better(&lowest, NAN, ascending[i]) &&
				!sweep_better(&highest, NAN, ascending[i]));
	}
	ck_assert(!sweep_better(&lowest, NAN, NAN) && !sweep_better(&highest, NAN, NAN));
}
END_TEST

START_TEST(value_is_that_of_the_metric)
{
	static const struct {
		bool at_best;
		const char *metrics, *best;
		double value;
	} cases[] = {
		{ false, "{\"loss\":1,\"val_loss\":0.25}", "null", 0.25 },
		{ false, "{\"val_loss\":2}", "{\"epoch\":3,\"val_loss\":0.5}", 2 },
		{ true, "{\"val_loss\":2}", "{\"epoch\":3,\"val_loss\":0.5}", 0.5 },
		{ true, "{\"val_loss\":2}", "{\"epoch\":3,\"loss\":0.5}", 2 },
		{ true, "{\"val_loss\":2}", "null", 2 }, /* there is no best yet */
		{ false, "{}", "null", NAN },
		{ false, "{\"loss\":1}", "{\"val_loss\":0.5}", NAN },
		{ false, "{\"val_loss\":null}", "null", NAN },
		{ false, "{\"val_loss\":\"1\"}", "null", NAN },
		{ true, "{\"val_loss\":null}", "{\"val_loss\":null}", NAN },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sweep s = { .metric = "val_loss", .at_best = cases[i].at_best };
		double value = sweep_value(&s, json_of(cases[i].metrics), json_of(cases[i].best));

		ck_assert_msg(isnan(cases[i].value) ? isnan(value) : value == cases[i].value, "%s, %s: %g",
				cases[i].metrics, cases[i].best, value);
	}
}
END_TEST

/* Only where each run keeps the weights of that epoch, by the metric that they are compared by. */
START_TEST(runs_are_compared_at_their_best)
{
	static const struct {
		const char *space, *metric, *stopping;
		bool at_best;
	} cases[] = {
		{ UNITS, "val_loss", "{\"monitor\":\"val_loss\",\"restore_best\":true}", true },
		{ UNITS, "loss", "{\"monitor\":\"loss\",\"restore_best\":true}", true },
		{ UNITS, "val_loss", "{\"monitor\":\"val_loss\",\"restore_best\":false}", false },
		{ UNITS, "val_loss", "{\"monitor\":\"loss\",\"restore_best\":true}", false },
		{ UNITS, "val_accuracy", "{\"monitor\":\"val_loss\",\"restore_best\":true}", false },
		{ UNITS, "val_loss", "null", false },
		{ UNITS ",\"early_stopping\":[null,{}]", "val_loss",
				"{\"monitor\":\"val_loss\",\"restore_best\":true}", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		struct sweep s;

		snprintf(text, sizeof text, "\"metric\":\"%s\"", cases[i].metric);
		s = sweep_of(cases[i].space, text, 9);
		snprintf(text, sizeof text, "{\"early_stopping\":%s}", cases[i].stopping);
		sweep_compare_as(&s, json_of(text));
		ck_assert_msg(s.at_best == cases[i].at_best, "%s by %s", text, cases[i].metric);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { everything_is_better_than_nothing, value_is_that_of_the_metric,
		runs_are_compared_at_their_best, NULL };

	return suite_main("sweep_value", tests, 10);
}
