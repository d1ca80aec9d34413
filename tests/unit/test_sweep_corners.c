/* test_sweep_corners.c - corners where a sweep went wrong once: numbers that are whole without looking so, ranges of hardly any
 * values, parameters that need one another. */
#include "tests/unit/sweep_reading.h"

static struct sweep_run run_made(const char *layers, const char *request, const char *values)
{
	struct definition d;
	struct sweep s = sweep_of("\"units\":[4]", "", 9);
	struct sweep_run run;
	struct err e;
	char text[256];

	snprintf(text, sizeof text, "{\"inputs\":2,\"outputs\":1,\"layers\":%s}", layers);
	definition_read(json_of(text), false, &d, &faults);
	definition_finish(&d, 0, &faults);
	ASSERT_NO_FAULTS("model");
	struct sweep_base base = { keep(definition_document(&d)), 100, false, 4 };
	s.request = json_of(request);
	ck_assert_int_eq(sweep_run_make(&s, &base, 1, json_of(values), &run, &faults, &e), 0);
	definition_clear(&d);
	return run;
}

static void run_of(const char *layers, const char *request, const char *values)
{
	struct sweep_run run = run_made(layers, request, values);

	sweep_run_clear(&run);
}

static size_t distinct(const struct sweep *s)
{
	json_t *seen = keep(json_object());

	for (uint64_t run = 1; run <= s->runs; run++)
		json_object_set_new(seen, tried(s, run), json_true());
	return json_object_size(seen);
}

START_TEST(steps_that_fall_on_one_whole_number)
{
	reads_at("{\"space\":{\"units\":{\"min\":1,\"max\":10,\"log\":true,\"steps\":10}}}", false, "");
	ASSERT_FAULT("steps", ERR_RANGE, "/space/units");
}
END_TEST

START_TEST(steps_of_a_narrow_real_range_no_point_twice)
{
	struct sweep s = sweep_of("\"ema_decay\":{\"min\":0.9990,\"max\":0.9999,\"steps\":19}", "", 9);
	ck_assert_uint_eq(s.runs, distinct(&s));
}
END_TEST

START_TEST(real_steps_include_both_ends)
{
	struct sweep s = sweep_of(
			"\"l1\":{\"min\":0.12345,\"max\":0.98764,\"steps\":3}", "\"strategy\":\"grid\"", 9);
	ck_assert_str_eq(tried(&s, 1), "{\"l1\":0.12345}");
	ck_assert_str_eq(tried(&s, 3), "{\"l1\":0.98764}");
}
END_TEST

START_TEST(missing_space_begins_with_at)
{
	reads_at("{}", false, "/sweep");
	ck_assert_str_eq(faults.items[0].pointer, "/sweep");
}
END_TEST

START_TEST(whole_real_number_of_layers)
{
	run_of("[4]", "{\"dataset\":\"d\"}", "{\"layers\":2.0}");
	ASSERT_NO_FAULTS("2.0");
}
END_TEST

START_TEST(listed_real_layers_get_what_is_searched)
{
	struct sweep_run run = run_made("[4]", "{\"dataset\":\"d\"}", "{\"layers\":[16.0],\"dropout\":0.5}");
	ASSERT_NO_FAULTS("16.0");
	ck_assert_double_eq(run.definition.layers[0].dropout, 0.5);
	sweep_run_clear(&run);
}
END_TEST

START_TEST(total_of_epochs_that_are_searched)
{
	struct sweep s = sweep_of("\"epochs\":[2,3]", "\"strategy\":\"grid\"", 9);
	ck_assert_uint_eq(sweep_total_epochs(&s), 5);
}
END_TEST

START_TEST(a_range_of_one_value)
{
	sweep_of("\"l1\":{\"min\":0.5,\"max\":0.5}", "\"strategy\":\"grid\"", 9);
	ASSERT_NO_FAULTS("one value");
}
END_TEST

static int try_alone(void *self, json_t *parameters, const char *at, struct err *e)
{
	(void)self;
	(void)e;
	run_of("[4]", "{\"dataset\":\"d\"}", text_of(json_incref(parameters)));
	ASSERT_NO_FAULTS(at);
	return 0;
}

START_TEST(values_that_can_be_tried_alone)
{
	struct sweep s = sweep_of(
			"\"optimizer\":[\"momentum\"],\"momentum\":[0.5]", "\"strategy\":\"grid\"", 9);
	struct err e;
	run_of("[4]", "{\"dataset\":\"d\"}", tried(&s, 1));
	ASSERT_NO_FAULTS("run 1 is fine");
	sweep_each_value(&s, try_alone, NULL, &e);
}
END_TEST

START_TEST(empty_whole_range_is_no_overflow)
{
	reads_at("{\"space\":{\"units\":{\"min\":5,\"max\":2}}}", false, "");
	ASSERT_FAULT("empty", ERR_RANGE, "/space/units");
}
END_TEST

START_TEST(draws_of_one_value)
{
	struct sweep s = sweep_of("\"l1\":{\"min\":0.5,\"max\":0.5}", "", 9);
	ck_assert_uint_eq(s.runs, 1);
}
END_TEST
int main(void)
{
	const TTest *const tests[] = { steps_that_fall_on_one_whole_number,
		steps_of_a_narrow_real_range_no_point_twice, real_steps_include_both_ends,
		missing_space_begins_with_at, whole_real_number_of_layers,
		listed_real_layers_get_what_is_searched, total_of_epochs_that_are_searched,
		a_range_of_one_value, values_that_can_be_tried_alone, empty_whole_range_is_no_overflow,
		draws_of_one_value, NULL };

	return suite_main("sweep_corners", tests, 60);
}
