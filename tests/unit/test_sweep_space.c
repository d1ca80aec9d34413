/* test_sweep_space.c - the values that run number i of a sweep tries: all points of a grid, in order; else drawn from their
 * ranges by the seed and i alone, and from few points without one twice.
 */
#include <math.h>

#include "tests/unit/sweep_reading.h"

#define RUNS    1000
#define RATE    "\"learning_rate\":{\"min\":0.0001,\"max\":0.1,\"log\":true}"
#define ENDLESS "\"l1\":{\"min\":0,\"max\":1}," /* makes a space of few points one without an end */

/* ---- grids ---- */

START_TEST(grid_is_all_points_the_last_parameter_fastest)
{
	static const char *const points[] = {
		"{\"units\":4,\"activation\":\"relu\",\"l1\":0}",
		"{\"units\":4,\"activation\":\"relu\",\"l1\":0.5}",
		"{\"units\":4,\"activation\":\"relu\",\"l1\":1}",
		"{\"units\":4,\"activation\":\"tanh\",\"l1\":0}",
		"{\"units\":4,\"activation\":\"tanh\",\"l1\":0.5}",
		"{\"units\":4,\"activation\":\"tanh\",\"l1\":1}",
		"{\"units\":5,\"activation\":\"relu\",\"l1\":0}",
		"{\"units\":5,\"activation\":\"relu\",\"l1\":0.5}",
		"{\"units\":5,\"activation\":\"relu\",\"l1\":1}",
		"{\"units\":5,\"activation\":\"tanh\",\"l1\":0}",
		"{\"units\":5,\"activation\":\"tanh\",\"l1\":0.5}",
		"{\"units\":5,\"activation\":\"tanh\",\"l1\":1}",
	};
	struct sweep s = sweep_of("\"units\":{\"min\":4,\"max\":5},\"activation\":[\"relu\",\"tanh\"],"
				  "\"l1\":{\"min\":0,\"max\":1,\"steps\":3}",
			"\"strategy\":\"grid\"", 9);

	ck_assert_uint_eq(s.runs, COUNT(points));
	for (size_t i = 0; i < COUNT(points); i++)
		ck_assert_str_eq(tried(&s, i + 1), points[i]);
}
END_TEST

/* The values of a grid of one parameter, as an array. */
static const char *values_of(const char *name, const char *domain)
{
	json_t *out = json_array();
	char space[256];
	struct sweep s;

	snprintf(space, sizeof space, "\"%s\":%s", name, domain);
	s = sweep_of(space, "\"strategy\":\"grid\"", 9);
	ASSERT_NO_FAULTS(space);
	for (uint64_t run = 1; run <= s.runs; run++)
		json_array_append(out, json_object_get(keep(sweep_parameters(&s, run)), name));
	return text_of(out);
}

START_TEST(steps_are_even)
{
	static const struct {
		const char *name, *domain, *values;
	} cases[] = {
		{ "units", "{\"min\":3,\"max\":6}", "[3,4,5,6]" },
		{ "units", "{\"min\":3,\"max\":3}", "[3]" },
		{ "units", "{\"min\":3,\"max\":6,\"log\":true}",
				"[3,4,5,6]" }, /* all of them are all of them */
		{ "seed", "{\"min\":-1,\"max\":1}", "[-1,0,1]" },
		{ "units", "{\"min\":2,\"max\":3,\"steps\":2}", "[2,3]" },
		{ "units", "{\"min\":1,\"max\":10,\"steps\":4}", "[1,4,7,10]" },
		{ "units", "{\"min\":1,\"max\":6,\"steps\":4}", "[1,3,4,6]" }, /* 1, 2.67, 4.33, 6 */
		{ "units", "{\"min\":4,\"max\":64,\"steps\":5,\"log\":true}", "[4,8,16,32,64]" },
		{ "batch_size", "{\"min\":1,\"max\":1000,\"steps\":4,\"log\":true}", "[1,10,100,1000]" },
		{ "dropout", "{\"min\":0,\"max\":0.5,\"steps\":3}", "[0,0.25,0.5]" },
		{ "dropout", "{\"min\":0.1,\"max\":0.7,\"steps\":4}", "[0.1,0.3,0.5,0.7]" },
		{ "l2", "{\"min\":-1,\"max\":1,\"steps\":2}", "[-1,1]" },
		{ "l2", "{\"min\":0.25,\"max\":0.25}", "[0.25]" },
		{ "l2", "{\"min\":1,\"max\":2,\"steps\":4}", "[1,1.333,1.667,2]" }, /* in few digits */
		{ "learning_rate", "{\"min\":0.0001,\"max\":0.1,\"steps\":4,\"log\":true}",
				"[0.0001,0.001,0.01,0.1]" },
		{ "learning_rate", "{\"min\":1,\"max\":2,\"steps\":3,\"log\":true}", "[1,1.414,2]" },
		{ "layers", "[2,[],[4,{\"units\":3}]]", "[2,[],[4,{\"units\":3}]]" }, /* as they were said */
		{ "schedule", "[null,\"cosine\",{\"name\":\"step\"}]",
				"[null,\"cosine\",{\"name\":\"step\"}]" },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_str_eq(values_of(cases[i].name, cases[i].domain), cases[i].values);
}
END_TEST

/* ---- values that are drawn ---- */

struct drawn {
	double values[RUNS];
	size_t below[3]; /* how many of them are below each of the marks */
};

/* What RUNS runs draw from this domain, in a space that has what is beside it too. */
static void draw(const char *name, const char *domain, const char *beside, bool whole, const double marks[3],
		struct drawn *out)
{
	char space[256];
	struct sweep s;

	snprintf(space, sizeof space, "%s\"%s\":%s", beside, name, domain);
	s = sweep_of(space, "\"runs\":1000", 9);
	ASSERT_NO_FAULTS(space);
	memset(out->below, 0, sizeof out->below);
	for (uint64_t run = 1; run <= RUNS; run++) {
		const json_t *value = json_object_get(keep(sweep_parameters(&s, run)), name);

		ck_assert_int_eq(json_is_integer(value), whole);
		out->values[run - 1] = json_number_value(value);
		for (int i = 0; i < 3; i++)
			out->below[i] += out->values[run - 1] < marks[i];
	}
}

static double least(const struct drawn *d)
{
	double out = d->values[0];

	for (size_t i = 1; i < RUNS; i++)
		out = fmin(out, d->values[i]);
	return out;
}

static double most(const struct drawn *d)
{
	double out = d->values[0];

	for (size_t i = 1; i < RUNS; i++)
		out = fmax(out, d->values[i]);
	return out;
}

/* As many below each mark as the share of them says, give or take five deviations. */
START_TEST(draws_are_even_within_their_ranges)
{
	static const struct {
		const char *name, *domain;
		double min, max;
		bool whole, has_ends;
		bool alone; /* few points and yet by the logarithm, so that some are drawn again */
		double marks[3], shares[3];
	} cases[] = {
		{ "dropout", "{\"min\":0.1,\"max\":0.5}", 0.1, 0.5, false, false, false, { 0.2, 0.3, 0.4 },
				{ 0.25, 0.5, 0.75 } },
		{ "l2", "{\"min\":-3,\"max\":1}", -3, 1, false, false, false, { -2, -1, 0 },
				{ 0.25, 0.5, 0.75 } },
		{ "learning_rate", "{\"min\":0.0001,\"max\":0.1,\"log\":true}", 0.0001, 0.1, false, false,
				false, { 0.001, 0.01, 0.05 }, { 1 / 3., 2 / 3., 0.899657 } },
		{ "units", "{\"min\":2,\"max\":5}", 2, 5, true, true, false, { 3, 4, 5 },
				{ 0.25, 0.5, 0.75 } },
		{ "units", "{\"min\":7,\"max\":8}", 7, 8, true, true, false, { 7, 8, 9 }, { 0, 0.5, 1 } },
		{ "units", "{\"min\":1,\"max\":7,\"log\":true}", 1, 7, true, true, false, { 2, 4, 8 },
				{ 1 / 3., 2 / 3., 1 } },
		{ "units", "{\"min\":1,\"max\":7,\"log\":true}", 1, 7, true, true, true, { 2, 4, 8 },
				{ 1 / 3., 2 / 3., 1 } },
		{ "batch_size", "{\"min\":1,\"max\":1000000000000000}", 1, 1e15, true, false, false,
				{ 2.5e14, 5e14, 7.5e14 }, { 0.25, 0.5, 0.75 } },
		/* steps, and what is listed */
		{ "units", "{\"min\":1,\"max\":10,\"steps\":4}", 1, 10, true, true, false, { 4, 7, 10 },
				{ 0.25, 0.5, 0.75 } },
		{ "dropout", "{\"min\":0,\"max\":1,\"steps\":2}", 0, 1, false, true, false, { 0.1, 0.5, 1 },
				{ 0.5, 0.5, 0.5 } },
		{ "epochs", "[9,2,3,5]", 2, 9, true, true, false, { 3, 5, 9 }, { 0.25, 0.5, 0.75 } },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct drawn d;

		draw(cases[i].name, cases[i].domain, cases[i].alone ? "" : ENDLESS, cases[i].whole,
				cases[i].marks, &d);
		ck_assert_double_ge(least(&d), cases[i].min);
		ck_assert_double_le(most(&d), cases[i].max);
		if (cases[i].has_ends) ck_assert_double_eq(least(&d), cases[i].min);
		if (cases[i].has_ends) ck_assert_double_eq(most(&d), cases[i].max);
		for (int j = 0; j < 3; j++) {
			double share = cases[i].shares[j];

			ck_assert_double_eq_tol((double)d.below[j], RUNS * share,
					0.5 + 5 * sqrt(RUNS * share * (1 - share)));
		}
	}
}
END_TEST

static size_t distinct(const struct drawn *d)
{
	json_t *seen = keep(json_object());
	char text[40];

	for (size_t i = 0; i < RUNS; i++) {
		snprintf(text, sizeof text, "%.17g", d->values[i]);
		json_object_set_new(seen, text, json_true());
	}
	return json_object_size(seen);
}

START_TEST(draws_have_few_digits_and_enough_for_a_narrow_range)
{
	static const double marks[3] = { 0 };
	static struct drawn d;

	draw("dropout", "{\"min\":0.1,\"max\":0.9}", ENDLESS, false, marks, &d);
	for (size_t i = 0; i < RUNS; i++)
		ck_assert_double_eq_tol(d.values[i], round(d.values[i] * 1e4) / 1e4, 1e-15);
	draw("ema_decay", "{\"min\":0.999961,\"max\":0.999962}", ENDLESS, false, marks, &d);
	ck_assert_double_ge(least(&d), 0.999961);
	ck_assert_double_le(most(&d), 0.999962);
	ck_assert_uint_gt(distinct(&d), RUNS / 2);
}
END_TEST

/* Not all of them by one number. */
START_TEST(parameters_are_drawn_each_for_itself)
{
	struct sweep s = sweep_of(
			"\"l1\":{\"min\":0,\"max\":1},\"l2\":{\"min\":0,\"max\":1}", "\"runs\":1000", 9);
	double sum = 0;

	for (uint64_t run = 1; run <= s.runs; run++) {
		const json_t *values = keep(sweep_parameters(&s, run));

		sum += (json_number_value(json_object_get(values, "l1")) - 0.5) *
		       (json_number_value(json_object_get(values, "l2")) - 0.5);
	}
	ck_assert_double_eq_tol(sum / RUNS * 12, 0, 5 / sqrt(RUNS)); /* the correlation */
}
END_TEST

/* ---- a space of few points ---- */

START_TEST(no_point_twice)
{
	static const struct {
		const char *space, *strategy;
		uint64_t runs;
	} cases[] = {
		{ "\"units\":[4]", "random", 1 },
		{ "\"units\":[4,8]", "random", 2 },
		{ "\"units\":{\"min\":1,\"max\":7},\"activation\":[\"relu\",\"tanh\",\"elu\"]", "random",
				21 },
		{ "\"units\":{\"min\":1,\"max\":7},\"activation\":[\"relu\",\"tanh\",\"elu\"]", "halving",
				21 },
		{ "\"l1\":{\"min\":0,\"max\":1,\"steps\":5},\"l2\":{\"min\":1,\"max\":16,\"steps\":5,\"log\":true}",
				"random", 25 },
		{ "\"ema_decay\":{\"min\":0.999,\"max\":0.9999,\"steps\":1000}", "random", 1000 },
		{ "\"l1\":{\"min\":0.5,\"max\":0.5}", "random", 1 },
		{ "\"units\":{\"min\":1,\"max\":1000}", "random", 1000 },
		{ "\"units\":{\"min\":1,\"max\":8000}", "random", 1000 },
		{ "\"units\":{\"min\":1,\"max\":20},\"layers\":{\"min\":1,\"max\":30}", "hyperband", 600 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *seen = keep(json_object());
		char fields[64];
		struct sweep s;

		snprintf(fields, sizeof fields, "\"runs\":1000,\"strategy\":\"%s\"", cases[i].strategy);
		s = sweep_of(cases[i].space, fields, 9);
		ASSERT_NO_FAULTS(cases[i].space);
		for (uint64_t run = 1; run <= cases[i].runs; run++)
			json_object_set_new(seen, tried(&s, run), json_true());
		ck_assert_msg(json_object_size(seen) == cases[i].runs, "%s: %zu points", cases[i].space,
				json_object_size(seen));
	}
}
END_TEST

/* ---- the seed ---- */

/* What the first six runs try. */
static const char *first_runs(const char *space, uint64_t seed, uint64_t runs)
{
	json_t *out = json_array();
	char fields[64];
	struct sweep s;

	snprintf(fields, sizeof fields, "\"runs\":%llu", (unsigned long long)runs);
	s = sweep_of(space, fields, 9);
	s.seed = seed;
	for (uint64_t run = 6; run; run--) /* in any order */
		json_array_insert_new(out, 0, sweep_parameters(&s, run));
	return text_of(out);
}

START_TEST(seed_and_number_alone_draw_a_run)
{
	static const char *const spaces[] = { RATE, RATE ",\"units\":{\"min\":1,\"max\":99}",
		"\"units\":{\"min\":1,\"max\":99}",
		"\"activation\":[\"relu\",\"tanh\"],\"units\":[1,2,3,4,5,6,7,8]" };
	static const uint64_t seeds[] = { 0, 1, 2, 9007199254740991 };

	for (size_t i = 0; i < COUNT(spaces); i++)
		for (size_t j = 0; j < COUNT(seeds); j++) {
			const char *runs = first_runs(spaces[i], seeds[j], 16);

			ck_assert_str_eq(first_runs(spaces[i], seeds[j], 16), runs);
			ck_assert_str_eq(first_runs(spaces[i], seeds[j], 6),
					runs); /* how many there are is nothing to them */
			for (size_t k = 0; k < j; k++)
				ck_assert_str_ne(first_runs(spaces[i], seeds[k], 16), runs);
		}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { grid_is_all_points_the_last_parameter_fastest, steps_are_even,
		draws_are_even_within_their_ranges, draws_have_few_digits_and_enough_for_a_narrow_range,
		parameters_are_drawn_each_for_itself, no_point_twice, seed_and_number_alone_draw_a_run,
		NULL };

	return suite_main("sweep_space", tests, 60);
}
