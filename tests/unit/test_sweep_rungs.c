/* test_sweep_rungs.c - how long the runs of a sweep go on: the brackets and rungs of Li et al. (JMLR 18, 2018), those of
 * other strategies, the epochs that all of them come to, and that runs are validated where they are compared.
 */
#include "tests/unit/sweep_reading.h"

#define SAID_BYTES 1024

/* "1-27: 27@1 9@3 3@9 1@27; …": of each bracket its runs, of each rung how many of them and after how many epochs it ends. */
static const char *brackets(const struct sweep *s)
{
	static char text[SAID_BYTES];
	struct sweep_bracket b = { 0 };
	size_t used = 0;

	for (*text = 0; sweep_bracket_next(s, &b);) {
		used += (size_t)snprintf(text + used, SAID_BYTES - used, "%s%llu-%llu:", used ? "; " : "",
				(unsigned long long)b.first, (unsigned long long)(b.first + b.runs - 1));
		for (unsigned i = 0; i < b.rungs; i++)
			used += (size_t)snprintf(text + used, SAID_BYTES - used, " %llu@%llu",
					(unsigned long long)sweep_rung_runs(s, &b, i),
					(unsigned long long)sweep_rung_epochs(s, &b, i));
		ck_assert_uint_lt(used, SAID_BYTES);
	}
	return text;
}

/* Table 1 of the paper, R = 81 and eta = 3: its five brackets, one column each. Of the epochs each rung adds what it is longer
 * than the one before, as a run goes on where it stopped. */
START_TEST(brackets_are_those_of_the_paper)
{
	static const struct sweep s = {
		.strategy = SWEEP_HYPERBAND, .runs = 143, .reduction = 3, .min_epochs = 1, .epochs = 81
	};
	static const uint64_t epochs[] = {
		81 * 1 + 27 * 2 + 9 * 6 + 3 * 18 + 1 * 54,
		34 * 3 + 11 * 6 + 3 * 18 + 1 * 54,
		15 * 9 + 5 * 18 + 1 * 54,
		8 * 27 + 2 * 54,
		5 * 81,
	};
	struct sweep_bracket b = { 0 };
	uint64_t sum = 0;

	ck_assert_str_eq(brackets(&s), "1-81: 81@1 27@3 9@9 3@27 1@81; "
				       "82-115: 34@3 11@9 3@27 1@81; "
				       "116-130: 15@9 5@27 1@81; "
				       "131-138: 8@27 2@81; "
				       "139-143: 5@81");
	for (uint64_t number = 1; sweep_bracket_next(&s, &b); number++) {
		ck_assert_uint_eq(b.number, number);
		sum += epochs[number - 1];
	}
	ck_assert_uint_eq(b.number, COUNT(epochs));
	ck_assert_uint_eq(sweep_total_epochs(&s), sum);
	ck_assert_uint_eq(sum, 1581);
}
END_TEST

START_TEST(brackets_of_each_strategy)
{
	static const struct {
		enum sweep_strategy strategy;
		uint64_t runs, reduction, min_epochs, epochs;
		const char *brackets;
		uint64_t total;
	} cases[] = {
		/* all to the end */
		{ SWEEP_GRID, 5, 0, 0, 9, "1-5: 5@9", 45 },
		{ SWEEP_RANDOM, 1000, 0, 0, 10000000, "1-1000: 1000@10000000", 10000000000 },
		{ SWEEP_HALVING, 27, 3, 1, 27, "1-27: 27@1 9@3 3@9 1@27", 27 + 9 * 2 + 3 * 6 + 18 },
		{ SWEEP_HALVING, 8, 2, 1, 8, "1-8: 8@1 4@2 2@4 1@8", 8 + 4 + 2 * 2 + 4 },
		{ SWEEP_HALVING, 40, 3, 1, 27, "1-40: 40@1 13@3 4@9 1@27", 40 + 13 * 2 + 4 * 6 + 18 },
		/* no run is shorter than min_epochs */
		{ SWEEP_HALVING, 27, 3, 3, 27, "1-27: 27@3 9@9 3@27", 27 * 3 + 9 * 6 + 3 * 18 },
		{ SWEEP_HALVING, 27, 3, 4, 27, "1-27: 27@9 9@27", 27 * 9 + 9 * 18 },
		{ SWEEP_HALVING, 27, 3, 27, 27, "1-27: 27@27", 27 * 27 },
		{ SWEEP_HALVING, 10, 3, 10, 100, "1-10: 10@11 3@33 1@100", 10 * 11 + 3 * 22 + 67 },
		/* nor are there more rungs than the runs can fill */
		{ SWEEP_HALVING, 8, 3, 1, 81, "1-8: 8@27 2@81", 8 * 27 + 2 * 54 },
		{ SWEEP_HALVING, 9, 3, 1, 81, "1-9: 9@9 3@27 1@81", 9 * 9 + 3 * 18 + 54 },
		{ SWEEP_HALVING, 2, 3, 1, 81, "1-2: 2@81", 162 },
		{ SWEEP_HALVING, 1, 100, 1, 10000000, "1-1: 1@10000000", 10000000 },
		{ SWEEP_HYPERBAND, 49, 3, 1, 27,
				"1-27: 27@1 9@3 3@9 1@27; 28-39: 12@3 4@9 1@27; 40-45: 6@9 2@27; 46-49: 4@27",
				(27 + 18 + 18 + 18) + (36 + 24 + 18) + (54 + 36) + 108 },
		{ SWEEP_HYPERBAND, 10, 2, 1, 4, "1-4: 4@1 2@2 1@4; 5-7: 3@2 1@4; 8-10: 3@4",
				(4 + 2 + 2) + (6 + 2) + 12 },
		{ SWEEP_HYPERBAND, 3, 3, 1, 1, "1-1: 1@1; 2-2: 1@1; 3-3: 1@1", 3 },
		/* cut off in a bracket, which goes on to its end all the same */
		{ SWEEP_HYPERBAND, 30, 3, 1, 27, "1-27: 27@1 9@3 3@9 1@27; 28-30: 3@3 1@9 1@27",
				(27 + 18 + 18 + 18) + (9 + 6 + 18) },
		/* and a second round */
		{ SWEEP_HYPERBAND, 12, 2, 1, 4,
				"1-4: 4@1 2@2 1@4; 5-7: 3@2 1@4; 8-10: 3@4; 11-12: 2@1 1@2 1@4",
				8 + 8 + 12 + (2 + 1 + 2) },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sweep s = { .strategy = cases[i].strategy,
			.runs = cases[i].runs,
			.reduction = cases[i].reduction,
			.min_epochs = cases[i].min_epochs,
			.epochs = cases[i].epochs };

		ck_assert_str_eq(brackets(&s), cases[i].brackets);
		ck_assert_uint_eq(sweep_total_epochs(&s), cases[i].total);
	}
}
END_TEST

/* The bracket's rungs are longer and longer, and have fewer and fewer runs. */
static void assert_bracket(const struct sweep *s, const struct sweep_bracket *b)
{
	ck_assert_uint_ge(b->runs, 1);
	ck_assert_uint_ge(b->rungs, 1);
	ck_assert_uint_eq(sweep_rung_runs(s, b, 0), b->runs);
	ck_assert_uint_ge(sweep_rung_epochs(s, b, 0), s->min_epochs);
	ck_assert_uint_eq(sweep_rung_epochs(s, b, b->rungs - 1), s->epochs);
	for (unsigned i = 1; i < b->rungs; i++) {
		ck_assert_uint_gt(sweep_rung_epochs(s, b, i), sweep_rung_epochs(s, b, i - 1));
		ck_assert_uint_le(sweep_rung_runs(s, b, i), sweep_rung_runs(s, b, i - 1));
		ck_assert_uint_ge(sweep_rung_runs(s, b, i), 1);
	}
}

START_TEST(brackets_are_all_runs_whatever_is_asked)
{
	static const uint64_t epochs[] = { 1, 2, 3, 26, 27, 28, 100, 243, 10000000 };
	static const uint64_t runs[] = { 1, 2, 8, 9, 10, 100, 1000 };
	static const uint64_t reductions[] = { 2, 3, 4, 7, 100 };

	for (size_t i = 0; i < COUNT(epochs) * COUNT(runs) * COUNT(reductions) * 2; i++) {
		struct sweep s = { .strategy = i % 2 ? SWEEP_HALVING : SWEEP_HYPERBAND,
			.runs = runs[i / 2 % COUNT(runs)],
			.reduction = reductions[i / 2 / COUNT(runs) % COUNT(reductions)],
			.epochs = epochs[i / 2 / COUNT(runs) / COUNT(reductions)] };

		for (s.min_epochs = s.epochs; s.min_epochs; s.min_epochs /= 3) {
			struct sweep_bracket b = { 0 };
			uint64_t next = 1;

			for (; sweep_bracket_next(&s, &b); next += b.runs) {
				ck_assert_uint_eq(b.first, next);
				assert_bracket(&s, &b);
			}
			ck_assert_uint_eq(next, s.runs + 1);
			ck_assert_uint_le(sweep_total_epochs(&s), s.runs * s.epochs);
		}
	}
}
END_TEST

/* What a rung is compared by was measured at its end. Nothing is compared at that of the last. */
START_TEST(rungs_end_where_runs_are_validated)
{
	static const struct {
		const char *fields;
		uint64_t every;
		bool refused;
	} cases[] = {
		{ "\"strategy\":\"halving\",\"min_epochs\":4", 0, false }, /* 27@4 9@12 3@36 */
		{ "\"strategy\":\"halving\",\"min_epochs\":4", 1, false },
		{ "\"strategy\":\"halving\",\"min_epochs\":4", 4, false },
		{ "\"strategy\":\"halving\",\"min_epochs\":4", 3, true },
		{ "\"strategy\":\"halving\",\"min_epochs\":4", 12, true },
		{ "\"strategy\":\"halving\",\"min_epochs\":4,\"metric\":\"val_mae\"", 3, true },
		{ "\"strategy\":\"halving\",\"min_epochs\":4,\"metric\":\"loss\"", 3, false },
		{ "\"strategy\":\"halving\",\"min_epochs\":12", 12, false },
		{ "\"strategy\":\"halving\",\"min_epochs\":36", 7, false },
		{ "\"strategy\":\"hyperband\",\"min_epochs\":4", 4, false }, /* …; 5@12 1@36; 3@36 */
		{ "\"strategy\":\"hyperband\",\"min_epochs\":4", 3, true },
		{ "", 7, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sweep_metrics has = { true, true, true, cases[i].every };
		struct sweep s = sweep_of("\"l1\":{\"min\":0,\"max\":1}", cases[i].fields, 36);

		sweep_resolve(&s, 36, &has, &faults);
		ck_assert_msg(faults.count == cases[i].refused, "%s, every %d", cases[i].fields,
				(int)cases[i].every);
		if (faults.count) ASSERT_FAULT(cases[i].fields, ERR_INVALID, "/evaluate_every");
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { brackets_are_those_of_the_paper, brackets_of_each_strategy,
		brackets_are_all_runs_whatever_is_asked, rungs_end_where_runs_are_validated, NULL };

	return suite_main("sweep_rungs", tests, 30);
}
