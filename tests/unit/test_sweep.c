/* test_sweep.c - what :sweep may be asked: every field, what is chosen for those left out, every fault, that the family
 * reads in its job's config what was asked for.
 */
#include "tests/unit/sweep_reading.h"

#define RATE  "\"learning_rate\":{\"min\":0.001,\"max\":0.1,\"log\":true}"
#define UNITS "\"units\":[4,8,16]"

/* ---- reading ---- */

START_TEST(its_fields_are_taken_out_of_the_document)
{
	json_t *document = json_deep_copy(
			json_of("{\"dataset\":\"d\",\"runs\":3,\"epochs\":9,\"space\":{" UNITS
				"},\"seed\":1,\"strategy\":\"grid\",\"seconds\":null,"
				"\"metric\":\"loss\",\"reduction\":2,\"min_epochs\":1,\"request\":{},"
				"\"held_rows\":4}"));

	ck_assert_str_eq(text_of(sweep_take(document)),
			"{\"space\":{\"units\":[4,8,16]},\"strategy\":\"grid\",\"runs\":3,\"seconds\":null,"
			"\"metric\":\"loss\",\"reduction\":2,\"min_epochs\":1}");
	/* What is of a :train stays, and what nobody may say is left for its reader to refuse. */
	ck_assert_str_eq(text_of(document),
			"{\"dataset\":\"d\",\"epochs\":9,\"seed\":1,\"request\":{},\"held_rows\":4}");
	ck_assert_str_eq(text_of(sweep_take(json_of("{}"))), "{}");
}
END_TEST

START_TEST(every_field_is_kept)
{
	struct sweep s = reads_at("{\"space\":{" RATE "," UNITS
				  "},\"strategy\":\"halving\",\"runs\":1000,\"seconds\":1.5,"
				  "\"metric\":\"val_accuracy\",\"reduction\":100,\"min_epochs\":10000000}",
			false, "");

	ASSERT_NO_FAULTS("all of them");
	ck_assert_uint_eq(s.count, 2);
	ck_assert_int_eq(s.strategy, SWEEP_HALVING);
	ck_assert_uint_eq(s.runs, 1000);
	ck_assert_double_eq(s.seconds, 1.5);
	ck_assert_str_eq(s.metric, "val_accuracy");
	ck_assert(s.highest_wins);
	ck_assert_uint_eq(s.reduction, 100);
	ck_assert_uint_eq(s.min_epochs, 10000000);
	s = reads_at("{\"space\":{" UNITS
		     "},\"runs\":null,\"seconds\":null,\"metric\":null,\"reduction\":null,"
		     "\"min_epochs\":null}",
			false, ""); /* null is as if it were not there */
	ASSERT_NO_FAULTS("null");
	ck_assert_int_eq(s.strategy, SWEEP_RANDOM);
	ck_assert_ptr_null(s.metric);
	ck_assert(!s.runs && !s.reduction && !s.min_epochs && s.seconds == 0);
	s = reads_at("{\"space\":{" UNITS "},\"seed\":9007199254740991,\"epochs\":7,\"held_rows\":12,"
		     "\"request\":{\"dataset\":\"d\"}}",
			true, "");
	ASSERT_NO_FAULTS("of a config");
	ck_assert_uint_eq(s.seed, 9007199254740991);
	ck_assert_uint_eq(s.epochs, 7);
	ck_assert_uint_eq(s.held_rows, 12);
	ck_assert_str_eq(json_string_value(json_object_get(s.request, "dataset")), "d");
}
END_TEST

START_TEST(strategies_have_names)
{
	static const char *const names[] = { "grid", "random", "halving", "hyperband" };

	ck_assert_uint_eq(COUNT(names), SWEEP_STRATEGIES);
	for (int i = 0; i < SWEEP_STRATEGIES; i++) {
		char text[128];

		ck_assert_str_eq(sweep_strategy_name((enum sweep_strategy)i), names[i]);
		snprintf(text, sizeof text, "{\"space\":{" UNITS "},\"strategy\":\"%s\"}", names[i]);
		ck_assert_int_eq(reads_at(text, false, "").strategy, i);
		ASSERT_NO_FAULTS(text);
	}
}
END_TEST

START_TEST(domains_have_their_sizes)
{
	static const struct {
		const char *space;
		struct sweep_domain domain; /* choices and parameter are not looked at */
	} cases[] = {
		{ "\"units\":[4]", { .size = 1 } },
		{ "\"units\":[4,8,16]", { .size = 3 } },
		{ "\"layers\":[1,[4,{\"units\":2}],[]]", { .size = 3 } },
		{ "\"schedule\":[null,\"cosine\"]", { .size = 2 } },
		{ "\"units\":{\"min\":3,\"max\":6}", { .min = 3, .max = 6, .size = 4 } },
		{ "\"units\":{\"min\":3,\"max\":3}", { .min = 3, .max = 3, .size = 1 } },
		{ "\"units\":{\"min\":3,\"max\":600,\"log\":true}",
				{ .min = 3, .max = 600, .log = true, .size = 598 } },
		{ "\"units\":{\"min\":3,\"max\":6,\"steps\":2}",
				{ .min = 3, .max = 6, .steps = 2, .size = 2 } },
		{ "\"units\":{\"min\":3,\"max\":6,\"steps\":4}",
				{ .min = 3, .max = 6, .steps = 4, .size = 4 } },
		{ "\"units\":{\"min\":3.0,\"max\":6e0}", { .min = 3, .max = 6, .size = 4 } },
		{ "\"dropout\":{\"min\":0,\"max\":0.5}", { .min = 0, .max = 0.5 } }, /* no end of them */
		{ "\"dropout\":{\"min\":0.5,\"max\":0.5}", { .min = 0.5, .max = 0.5, .size = 1 } },
		{ "\"dropout\":{\"min\":0.5,\"max\":0.25e1,\"log\":true}",
				{ .min = 0.5, .max = 2.5, .log = true } },
		{ "\"dropout\":{\"min\":0,\"max\":1,\"log\":false,\"steps\":1000}",
				{ .min = 0, .max = 1, .steps = 1000, .size = 1000 } },
		{ "\"dropout\":{\"min\":-1e15,\"max\":1e15,\"steps\":null}", { .min = -1e15, .max = 1e15 } },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		const struct sweep_domain *wanted = &cases[i].domain;
		struct sweep s;

		snprintf(text, sizeof text, "{\"space\":{%s}}", cases[i].space);
		s = reads_at(text, false, "");
		ASSERT_NO_FAULTS(text);
		ck_assert_uint_eq(s.count, 1);
		ck_assert_msg(s.domains[0].size == wanted->size, "%s: %llu values", text,
				(unsigned long long)s.domains[0].size);
		ck_assert_int_eq(s.domains[0].choices != NULL,
				cases[i].space[strcspn(cases[i].space, "[{")] == '[');
		ck_assert_double_eq(s.domains[0].min, wanted->min);
		ck_assert_double_eq(s.domains[0].max, wanted->max);
		ck_assert_int_eq(s.domains[0].log, wanted->log);
		ck_assert_uint_eq(s.domains[0].steps, wanted->steps);
	}
}
END_TEST

START_TEST(every_fault)
{
	static const struct {
		const char *fields;
		enum err_code code;
		const char *pointer;
	} cases[] = {
		{ "", ERR_MISSING_FIELD, "" },
		{ "\"space\":[]", ERR_INVALID, "/space" },
		{ "\"space\":null", ERR_INVALID, "/space" },
		{ "\"space\":{}", ERR_INVALID, "/space" },
		{ "\"space\":{\"unit\":[1]}", ERR_UNKNOWN_FIELD, "/space/unit" },
		{ "\"space\":{\"a/b\":[1]}", ERR_UNKNOWN_FIELD, "/space/a~1b" },
		{ "\"space\":{\"loss\":[\"mse\"]}", ERR_UNKNOWN_FIELD, "/space/loss" },
		{ "\"space\":{\"units\":16}", ERR_INVALID, "/space/units" },
		{ "\"space\":{\"units\":null}", ERR_INVALID, "/space/units" },
		{ "\"space\":{\"units\":[]}", ERR_INVALID, "/space/units" },
		{ "\"space\":{\"units\":{}}", ERR_MISSING_FIELD, "/space/units" },
		{ "\"space\":{\"units\":{\"min\":1}}", ERR_MISSING_FIELD, "/space/units" },
		{ "\"space\":{\"units\":{\"max\":1}}", ERR_MISSING_FIELD, "/space/units" },
		{ "\"space\":{\"units\":{\"min\":\"1\",\"max\":2}}", ERR_INVALID, "/space/units/min" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":null}}", ERR_INVALID, "/space/units/max" },
		{ "\"space\":{\"units\":{\"min\":1.5,\"max\":2}}", ERR_INVALID, "/space/units/min" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":2.5}}", ERR_INVALID, "/space/units/max" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":1e16}}", ERR_RANGE, "/space/units/max" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":2,\"step\":2}}", ERR_UNKNOWN_FIELD,
				"/space/units/step" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":9,\"steps\":1}}", ERR_RANGE,
				"/space/units/steps" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":9,\"steps\":2.5}}", ERR_INVALID,
				"/space/units/steps" },
		{ "\"space\":{\"l1\":{\"min\":0,\"max\":9,\"steps\":1001}}", ERR_RANGE, "/space/l1/steps" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":9,\"log\":1}}", ERR_INVALID, "/space/units/log" },
		{ "\"space\":{\"units\":{\"min\":1,\"max\":4,\"steps\":5}}", ERR_RANGE, "/space/units" },
		{ "\"space\":{\"l1\":{\"min\":0.2,\"max\":0.1}}", ERR_RANGE, "/space/l1" },
		{ "\"space\":{\"l1\":{\"min\":0,\"max\":0.1,\"log\":true}}", ERR_RANGE, "/space/l1" },
		{ "\"space\":{\"l1\":{\"min\":-1,\"max\":0.1,\"log\":true}}", ERR_RANGE, "/space/l1" },
		{ "\"space\":{\"l1\":{\"min\":0.1,\"max\":0.1,\"steps\":2}}", ERR_RANGE, "/space/l1" },
		{ "\"space\":{\"optimizer\":{\"min\":1,\"max\":2}}", ERR_INVALID, "/space/optimizer" },
		{ "\"space\":{\"batch_norm\":{\"min\":0,\"max\":1}}", ERR_INVALID, "/space/batch_norm" },
		{ "\"space\":{" UNITS "},\"strategy\":\"best\"", ERR_INVALID, "/strategy" },
		{ "\"space\":{" UNITS "},\"strategy\":1", ERR_INVALID, "/strategy" },
		{ "\"space\":{" UNITS "},\"runs\":0", ERR_RANGE, "/runs" },
		{ "\"space\":{" UNITS "},\"runs\":1001", ERR_RANGE, "/runs" },
		{ "\"space\":{" UNITS "},\"runs\":2.5", ERR_INVALID, "/runs" },
		{ "\"space\":{" UNITS "},\"seconds\":0", ERR_RANGE, "/seconds" },
		{ "\"space\":{" UNITS "},\"seconds\":2e9", ERR_RANGE, "/seconds" },
		{ "\"space\":{" UNITS "},\"seconds\":\"9\"", ERR_INVALID, "/seconds" },
		{ "\"space\":{" UNITS "},\"metric\":\"val_los\"", ERR_INVALID, "/metric" },
		{ "\"space\":{" UNITS "},\"metric\":1", ERR_INVALID, "/metric" },
		{ "\"space\":{" UNITS "},\"reduction\":1", ERR_RANGE, "/reduction" },
		{ "\"space\":{" UNITS "},\"reduction\":101", ERR_RANGE, "/reduction" },
		{ "\"space\":{" UNITS "},\"min_epochs\":0", ERR_RANGE, "/min_epochs" },
		{ "\"space\":{" UNITS "},\"min_epochs\":1e9", ERR_RANGE, "/min_epochs" },
		{ "\"space\":{" UNITS "},\"run\":1", ERR_UNKNOWN_FIELD, "/run" },
		/* of a config of ours alone */
		{ "\"space\":{" UNITS "},\"seed\":1", ERR_UNKNOWN_FIELD, "/seed" },
		{ "\"space\":{" UNITS "},\"epochs\":1", ERR_UNKNOWN_FIELD, "/epochs" },
		{ "\"space\":{" UNITS "},\"held_rows\":1", ERR_UNKNOWN_FIELD, "/held_rows" },
		{ "\"space\":{" UNITS "},\"request\":{}", ERR_UNKNOWN_FIELD, "/request" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256], below[FAULT_POINTER_BYTES];

		snprintf(text, sizeof text, "{%s}", cases[i].fields);
		reads_at(text, false, "");
		ASSERT_FAULT(text, cases[i].code, cases[i].pointer);
		if (!*cases[i].pointer) continue;
		snprintf(below, sizeof below, "/sweep%s", cases[i].pointer);
		reads_at(text, false, "/sweep");
		ASSERT_FAULT(text, cases[i].code, below);
	}
	reads_at("{\"space\":{\"units\":[],\"l1\":{\"min\":1,\"max\":0},\"x\":1},\"runs\":0,\"strategy\":\"x\"}",
			false, "");
	ck_assert_uint_eq(faults.count, 5); /* all at once */
}
END_TEST

START_TEST(list_is_no_longer_than_a_sweep)
{
	static const struct {
		size_t values, faults;
	} cases[] = { { SWEEP_RUNS_MAX, 0 }, { SWEEP_RUNS_MAX + 1, 1 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *values = json_array();

		for (size_t j = 0; j < cases[i].values; j++)
			json_array_append_new(values, json_integer((json_int_t)j + 1));
		reads_at(text_of(json_pack("{s:{s:o}}", "space", "units", values)), false, "");
		ck_assert_uint_eq(faults.count, cases[i].faults);
		if (faults.count) ASSERT_FAULT("a long list", ERR_RANGE, "/space/units");
	}
}
END_TEST

/* ---- completing ---- */

START_TEST(what_is_chosen)
{
	static const struct {
		const char *space, *fields;
		uint64_t epochs;
		uint64_t runs, reduction, min_epochs;
	} cases[] = {
		{ RATE, "", 27, 20, 0, 0 },
		{ RATE, "\"runs\":7", 27, 7, 0, 0 },
		{ UNITS, "", 27, 3, 0, 0 }, /* there are no more */
		{ UNITS, "\"runs\":7", 27, 3, 0, 0 },
		{ UNITS, "\"runs\":2", 27, 2, 0, 0 },
		{ RATE, "\"seconds\":1", 27, 1000, 0, 0 }, /* the time is the bound */
		{ RATE, "\"seconds\":1,\"runs\":7", 27, 7, 0, 0 },
		{ UNITS, "\"seconds\":1", 27, 3, 0, 0 },
		{ UNITS ",\"l1\":[0,1]", "\"strategy\":\"grid\"", 27, 6, 0, 0 },
		{ UNITS ",\"l1\":[0,1]", "\"strategy\":\"grid\",\"runs\":5", 27, 5, 0, 0 },
		{ UNITS ",\"l1\":[0,1]", "\"strategy\":\"grid\",\"runs\":7", 27, 6, 0, 0 },
		{ "\"units\":{\"min\":1,\"max\":1000}", "\"strategy\":\"grid\"", 27, 1000, 0, 0 },
		{ "\"units\":{\"min\":1,\"max\":100000}", "\"strategy\":\"grid\",\"runs\":9", 27, 9, 0, 0 },
		{ RATE, "\"strategy\":\"halving\"", 81, 27, 3, 3 },
		{ RATE, "\"strategy\":\"halving\"", 80, 27, 3, 2 },
		{ RATE, "\"strategy\":\"halving\"", 20, 27, 3, 1 }, /* a 27th of them is none */
		{ RATE, "\"strategy\":\"halving\",\"reduction\":2", 80, 27, 2, 10 },
		{ RATE, "\"strategy\":\"halving\",\"min_epochs\":80", 80, 27, 3, 80 },
		{ UNITS, "\"strategy\":\"halving\"", 81, 3, 3, 3 },
		{ RATE, "\"strategy\":\"halving\",\"runs\":40", 81, 40, 3, 3 },
		{ RATE, "\"strategy\":\"hyperband\",\"min_epochs\":1", 81, 143, 3,
				1 }, /* 81 + 34 + 15 + 8 + 5 */
		{ UNITS, "\"strategy\":\"hyperband\",\"min_epochs\":1", 81, 143, 3,
				1 }, /* what is short is tried again longer */
		{ RATE, "\"strategy\":\"hyperband\",\"min_epochs\":1,\"runs\":9", 81, 9, 3, 1 },
		{ RATE, "\"strategy\":\"hyperband\",\"min_epochs\":1", 1, 1, 3, 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep s = sweep_of(cases[i].space, cases[i].fields, cases[i].epochs);

		ASSERT_NO_FAULTS(cases[i].fields);
		ck_assert_msg(s.runs == cases[i].runs, "%s, %s: %llu runs", cases[i].space, cases[i].fields,
				(unsigned long long)s.runs);
		ck_assert_uint_eq(s.epochs, cases[i].epochs);
		ck_assert_uint_eq(s.reduction, cases[i].reduction);
		ck_assert_uint_eq(s.min_epochs, cases[i].min_epochs);
	}
}
END_TEST

/* Those that there are of a metric, and the fault where it is not among them. */
START_TEST(metric_is_one_that_the_runs_have)
{
	static const struct {
		const char *said;
		bool accuracy, mae, validation;
		const char *metric; /* NULL: a fault */
		bool highest_wins;
	} cases[] = {
		{ "null", true, true, true, "val_loss", false },
		{ "null", true, true, false, "loss", false },
		{ "\"loss\"", false, false, false, "loss", false },
		{ "\"val_loss\"", false, false, true, "val_loss", false },
		{ "\"val_loss\"", true, true, false, NULL, false },
		{ "\"accuracy\"", true, false, false, "accuracy", true },
		{ "\"accuracy\"", false, true, true, NULL, false },
		{ "\"val_accuracy\"", true, false, true, "val_accuracy", true },
		{ "\"val_accuracy\"", true, true, false, NULL, false },
		{ "\"val_accuracy\"", false, true, true, NULL, false },
		{ "\"mae\"", false, true, false, "mae", false },
		{ "\"mae\"", true, false, true, NULL, false },
		{ "\"val_mae\"", false, true, true, "val_mae", false },
		{ "\"val_mae\"", true, true, false, NULL, false },
		{ "\"val_mae\"", true, false, true, NULL, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sweep_metrics has = { cases[i].accuracy, cases[i].mae, cases[i].validation, 1 };
		char text[128];
		struct sweep s;

		snprintf(text, sizeof text, "{\"space\":{" UNITS "},\"metric\":%s}", cases[i].said);
		s = reads_at(text, false, "");
		ASSERT_NO_FAULTS(text);
		sweep_resolve(&s, 9, &has, &faults);
		if (!cases[i].metric) {
			ASSERT_FAULT(text, ERR_INVALID, "/metric");
			continue;
		}
		ASSERT_NO_FAULTS(text);
		ck_assert_str_eq(s.metric, cases[i].metric);
		ck_assert_int_eq(s.highest_wins, cases[i].highest_wins);
	}
}
END_TEST

START_TEST(faults_of_the_whole)
{
	static const struct {
		const char *space, *fields;
		uint64_t epochs;
		enum err_code code;
		const char *pointer;
	} cases[] = {
		{ UNITS "," RATE, "\"strategy\":\"grid\"", 9, ERR_INVALID, "/space/learning_rate" },
		{ UNITS "," RATE, "\"strategy\":\"grid\",\"runs\":5", 9, ERR_INVALID,
				"/space/learning_rate" },
		{ "\"units\":{\"min\":1,\"max\":1001}", "\"strategy\":\"grid\"", 9, ERR_RANGE, "/space" },
		{ "\"units\":{\"min\":1,\"max\":1e15},\"layers\":{\"min\":1,\"max\":1e15}",
				"\"strategy\":\"grid\"", 9, ERR_RANGE,
				"/space" }, /* more than can be counted */
		{ UNITS, "\"reduction\":3", 9, ERR_INVALID, "/reduction" },
		{ UNITS, "\"strategy\":\"grid\",\"min_epochs\":3", 9, ERR_INVALID, "/min_epochs" },
		{ UNITS, "\"strategy\":\"halving\",\"min_epochs\":10", 9, ERR_RANGE, "/min_epochs" },
		{ "\"epochs\":[3,9]", "\"strategy\":\"halving\"", 9, ERR_INVALID, "/space/epochs" },
		{ "\"epochs\":[3,9]", "\"strategy\":\"hyperband\"", 9, ERR_INVALID, "/space/epochs" },
		{ RATE, "\"strategy\":\"hyperband\",\"min_epochs\":1", 2187, ERR_RANGE, "/min_epochs" },
		{ RATE, "\"strategy\":\"hyperband\",\"min_epochs\":1,\"reduction\":100", 10000000, ERR_RANGE,
				"/min_epochs" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		sweep_of(cases[i].space, cases[i].fields, cases[i].epochs);
		ASSERT_FAULT(cases[i].space, cases[i].code, cases[i].pointer);
	}
	sweep_of("\"epochs\":[3,9]", "", 9);
	ASSERT_NO_FAULTS("epochs may be searched by others");
}
END_TEST

/* ---- what is stored ---- */

static void same_domain(const struct sweep_domain *a, const struct sweep_domain *b)
{
	ck_assert_ptr_eq(a->parameter, b->parameter);
	ck_assert_int_eq(a->choices != NULL, b->choices != NULL);
	ck_assert_double_eq(a->min, b->min);
	ck_assert_double_eq(a->max, b->max);
	ck_assert_int_eq(a->log, b->log);
	ck_assert_uint_eq(a->steps, b->steps);
	ck_assert_uint_eq(a->size, b->size);
}

static void same_sweep(const struct sweep *a, const struct sweep *b)
{
	ck_assert_uint_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		same_domain(&a->domains[i], &b->domains[i]);
	ck_assert_int_eq(a->strategy, b->strategy);
	ck_assert_str_eq(a->metric, b->metric);
	ck_assert_int_eq(a->highest_wins, b->highest_wins);
	ck_assert_uint_eq(a->runs, b->runs);
	ck_assert_double_eq(a->seconds, b->seconds);
	ck_assert_uint_eq(a->reduction, b->reduction);
	ck_assert_uint_eq(a->min_epochs, b->min_epochs);
	ck_assert_uint_eq(a->seed, b->seed);
	ck_assert_uint_eq(a->epochs, b->epochs);
	ck_assert_uint_eq(a->held_rows, b->held_rows);
	ck_assert(json_equal((json_t *)a->request, (json_t *)b->request));
	ck_assert_uint_eq(sweep_total_epochs(a), sweep_total_epochs(b));
	for (uint64_t run = 1; run <= a->runs; run++)
		ck_assert_str_eq(tried(a, run), tried(b, run));
}

START_TEST(the_config_reads_back)
{
	static const struct {
		const char *space, *fields;
	} cases[] = {
		{ RATE "," UNITS, "" },
		{ RATE, "\"runs\":7,\"seconds\":0.1,\"metric\":\"val_accuracy\"" },
		{ "\"units\":{\"min\":1,\"max\":1000000000000000,\"log\":true},\"l1\":{\"min\":-0.1,\"max\":0.3}",
				"" },
		{ "\"l1\":{\"min\":0.1,\"max\":0.30000000000000004,\"steps\":5},\"l2\":{\"min\":1e-300,\"max\":1e15,\"log\":true}",
				"" },
		{ "\"units\":{\"min\":2,\"max\":9,\"steps\":3},\"layers\":[1,[],[{\"units\":3,\"activation\":\"tanh\"},5]]",
				"\"strategy\":\"grid\"" },
		{ "\"optimizer\":[\"sgd\",{\"name\":\"adam\",\"beta_1\":0.5}],\"schedule\":[null,\"cosine\"],"
		  "\"batch_norm\":[true,false],\"batch_size\":[\"full\",8]",
				"\"strategy\":\"grid\"" },
		{ RATE, "\"strategy\":\"halving\",\"metric\":\"mae\"" },
		{ RATE, "\"strategy\":\"hyperband\",\"reduction\":4,\"min_epochs\":2" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep s = sweep_of(cases[i].space, cases[i].fields, 81), again;
		const char *text;

		ASSERT_NO_FAULTS(cases[i].space);
		s.seed = i ? 9007199254740991 : 0;
		s.held_rows = i % 2 * 50;
		text = text_of(sweep_document(&s));
		again = reads_at(text, true, "/sweep");
		ASSERT_NO_FAULTS(text);
		same_sweep(&s, &again);
		ck_assert_str_eq(text_of(sweep_document(&again)), text);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { its_fields_are_taken_out_of_the_document, every_field_is_kept,
		strategies_have_names, domains_have_their_sizes, every_fault, list_is_no_longer_than_a_sweep,
		what_is_chosen, metric_is_one_that_the_runs_have, faults_of_the_whole, the_config_reads_back,
		NULL };

	return suite_main("sweep", tests, 30);
}
