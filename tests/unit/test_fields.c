/* test_fields.c - JSON objects read by a table: types, ranges, unknown names, names with parameters. */
#include <stdint.h>
#include <string.h>

#include "server/codec/fields.h"
#include "tests/unit/suite.h"

struct target {
	uint64_t whole;
	double real;
	bool flag;
	const char *text;
	const json_t *any;
};

static const struct field table[] = {
	{ "whole", FIELD_UINT, offsetof(struct target, whole), 1, 100, false, false },
	{ "real", FIELD_REAL, offsetof(struct target, real), 0, 1, true, true },
	{ "flag", FIELD_BOOL, offsetof(struct target, flag), 0, 0, false, false },
	{ "text", FIELD_STRING, offsetof(struct target, text), 0, 0, false, true },
	{ "any", FIELD_ANY, offsetof(struct target, any), 0, 0, false, false },
	{ 0 },
};

static struct faults faults;

/* Documents live until the test's process ends, as what is read borrows from them. */
static json_t *keep(json_t *document)
{
	static json_t *kept;

	if (!kept) kept = json_array();
	ck_assert_int_eq(json_array_append_new(kept, document), 0);
	return document;
}

static json_t *json_of(const char *text)
{
	json_error_t why;
	json_t *document = json_loads(text, JSON_DECODE_ANY, &why);

	ck_assert_msg(document != NULL, "%s: %s", text, why.text);
	return keep(document);
}

static struct target reads(const char *text)
{
	struct target to = { .whole = 7, .real = 0.5, .text = "as before" };

	memset(&faults, 0, sizeof faults);
	fields_read(json_of(text), table, &to, "/at", &faults);
	return to;
}

static void is_fault(size_t i, enum err_code code, const char *pointer, const char *detail)
{
	ck_assert_uint_gt(faults.count, i);
	ck_assert_int_eq(faults.items[i].code, code);
	ck_assert_str_eq(faults.items[i].pointer, pointer);
	ck_assert_msg(strstr(faults.items[i].detail, detail) != NULL, "\"%s\" has no \"%s\"",
			faults.items[i].detail, detail);
}

START_TEST(what_is_there)
{
	struct target to = reads("{\"whole\":100,\"real\":1,\"flag\":true,\"text\":\"t\",\"any\":[1]}");

	ck_assert_uint_eq(faults.count, 0);
	ck_assert_uint_eq(to.whole, 100);
	ck_assert_double_eq(to.real, 1);
	ck_assert(to.flag);
	ck_assert_str_eq(to.text, "t");
	ck_assert_uint_eq(json_array_size(to.any), 1);
}
END_TEST

START_TEST(what_is_absent_stays)
{
	struct target to = reads("{\"flag\":false,\"real\":null,\"text\":null}");

	ck_assert_uint_eq(faults.count, 0);
	ck_assert_uint_eq(to.whole, 7);
	ck_assert_double_eq(to.real, 0.5);
	ck_assert_str_eq(to.text, "as before");
	ck_assert_ptr_null(to.any);
	to = reads("{\"any\":null}"); /* the caller's business */
	ck_assert(json_is_null(to.any));
}
END_TEST

START_TEST(wrong_types_and_ranges)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *pointer, *detail;
	} cases[] = {
		{ "{\"whole\":0}", ERR_RANGE, "/at/whole",
				"0 is out of range: it must be at least 1 and at most 100" },
		{ "{\"whole\":-1}", ERR_RANGE, "/at/whole", "-1 is out of range" },
		{ "{\"whole\":101}", ERR_RANGE, "/at/whole", "out of range" },
		{ "{\"whole\":1e300}", ERR_RANGE, "/at/whole", "1e+300" },
		{ "{\"whole\":1.5}", ERR_INVALID, "/at/whole", "must be a whole number, not 1.5" },
		{ "{\"whole\":\"5\"}", ERR_INVALID, "/at/whole", "must be a whole number, not a string" },
		{ "{\"whole\":null}", ERR_INVALID, "/at/whole", "not null" },
		{ "{\"whole\":true}", ERR_INVALID, "/at/whole", "not true" },
		{ "{\"real\":0}", ERR_RANGE, "/at/real", "it must be above 0 and at most 1" },
		{ "{\"real\":1.0000001}", ERR_RANGE, "/at/real", "out of range" },
		{ "{\"real\":\"fast\"}", ERR_INVALID, "/at/real", "must be a number, not a string" },
		{ "{\"flag\":1}", ERR_INVALID, "/at/flag", "must be true or false, not a number" },
		{ "{\"flag\":null}", ERR_INVALID, "/at/flag", "not null" },
		{ "{\"text\":[]}", ERR_INVALID, "/at/text", "must be a string, not an array" },
		{ "{\"text\":{}}", ERR_INVALID, "/at/text", "not an object" },
		{ "{\"whale\":1}", ERR_UNKNOWN_FIELD, "/at/whale", "did you mean \"whole\"?" },
		{ "{\"else\":1}", ERR_UNKNOWN_FIELD, "/at/else", "there is no such field" },
		{ "{\"a/b\":1}", ERR_UNKNOWN_FIELD, "/at/a~1b", "there is no such field" },
		{ "[]", ERR_INVALID, "/at", "must be an object, not an array" },
		{ "null", ERR_INVALID, "/at", "must be an object, not null" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct target to = reads(cases[i].text);

		ck_assert_msg(faults.count == 1, "%s: %zu faults", cases[i].text, faults.count);
		is_fault(0, cases[i].code, cases[i].pointer, cases[i].detail);
		ck_assert_uint_eq(to.whole, 7);
		ck_assert_double_eq(to.real, 0.5);
		ck_assert_str_eq(to.text, "as before");
	}
}
END_TEST

START_TEST(all_faults_at_once)
{
	struct target to = reads("{\"whole\":0,\"x\":1,\"real\":\"a\",\"flag\":true,\"text\":1}");

	ck_assert_uint_eq(faults.count, 4);
	is_fault(0, ERR_RANGE, "/at/whole", "");
	is_fault(1, ERR_UNKNOWN_FIELD, "/at/x", "");
	is_fault(2, ERR_INVALID, "/at/real", "");
	is_fault(3, ERR_INVALID, "/at/text", "");
	ck_assert(to.flag); /* what could be read is there */
}
END_TEST

START_TEST(whole_numbers_keep_their_digits)
{
	static const struct field large = { "", FIELD_UINT, 0, 0, 9007199254740992.0, false, false };
	uint64_t out = 0;

	ck_assert(field_value(json_of("9007199254740991"), &large, &out, "", &faults));
	ck_assert_uint_eq(out, 9007199254740991u);
	ck_assert(field_value(json_of("2e3"), &large, &out, "", &faults)); /* written otherwise, and whole */
	ck_assert_uint_eq(out, 2000);
	ck_assert(field_value(json_of("-0.0"), &large, &out, "", &faults));
	ck_assert_uint_eq(out, 0);
	ck_assert(!field_value(json_of("9007199254740994"), &large, &out, "/n", &faults));
	is_fault(0, ERR_RANGE, "/n", "out of range");
}
END_TEST

static const struct param params[PARAMS_MAX] = {
	{ "learning_rate", 0.01, 0, 1, true, false, "a step", false },
	{ "beta_1", 0.9, 0, 1, false, true, "a memory", false },
};

/* "<name>: <learning_rate> <beta_1>" of a value, or faults. */
static void named(const char *text, const char **name, double out[PARAMS_MAX])
{
	json_t *value = json_of(text);

	memset(&faults, 0, sizeof faults);
	if (named_read(value, name, "/optimizer", &faults))
		named_params(value, params, out, "/optimizer", "optimizer", &faults);
}

START_TEST(names_with_parameters)
{
	double out[PARAMS_MAX];
	const char *name;

	named("\"adam\"", &name, out);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_str_eq(name, "adam");
	ck_assert_double_eq(out[0], 0.01);
	ck_assert_double_eq(out[1], 0.9);
	named("{\"beta_1\":0,\"name\":\"sgd\"}", &name, out);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_str_eq(name, "sgd");
	ck_assert_double_eq(out[0], 0.01);
	ck_assert_double_eq(out[1], 0);
}
END_TEST

START_TEST(faults_of_names_with_parameters)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *pointer, *detail;
	} cases[] = {
		{ "3", ERR_INVALID, "/optimizer",
				"must be a name, or an object with a \"name\", not a number" },
		{ "null", ERR_INVALID, "/optimizer", "not null" },
		{ "{}", ERR_MISSING_FIELD, "/optimizer", "needs a \"name\"" },
		{ "{\"name\":1}", ERR_INVALID, "/optimizer/name", "must be a string, not a number" },
		{ "{\"name\":\"a\",\"learning_rate\":0}", ERR_RANGE, "/optimizer/learning_rate",
				"0 is out of range: it must be above 0 and at most 1" },
		{ "{\"name\":\"a\",\"learning_rate\":1.5}", ERR_RANGE, "/optimizer/learning_rate", "1.5" },
		{ "{\"name\":\"a\",\"learning_rate\":\"fast\"}", ERR_INVALID, "/optimizer/learning_rate",
				"must be a number, not a string" },
		{ "{\"name\":\"a\",\"beta_1\":1}", ERR_RANGE, "/optimizer/beta_1", "at least 0 and below 1" },
		{ "{\"name\":\"a\",\"beta_2\":1}", ERR_UNKNOWN_FIELD, "/optimizer/beta_2",
				"did you mean \"beta_1\"?" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		double out[PARAMS_MAX];
		const char *name;

		named(cases[i].text, &name, out);
		ck_assert_msg(faults.count == 1, "%s: %zu faults", cases[i].text, faults.count);
		is_fault(0, cases[i].code, cases[i].pointer, cases[i].detail);
	}
}
END_TEST

/* A list takes the slots from its place to the end. */
START_TEST(lists_of_parameters)
{
	static const struct param listed[PARAMS_MAX] = {
		{ .name = "gamma", .fallback = 0.1, .max = 1 },
		{ .name = "milestones", .fallback = NAN, .max = 100, .list = true },
	};
	double out[PARAMS_MAX];
	json_t *said;

	memset(&faults, 0, sizeof faults);
	named_params(json_of("{\"name\":\"multistep\",\"milestones\":[3,50.5,7]}"), listed, out, "/schedule",
			"schedule", &faults);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert(out[0] == 0.1 && out[1] == 3 && out[2] == 50.5 && out[3] == 7 && isnan(out[4]));
	ck_assert_uint_eq(params_length(listed, 1, out), 3);
	said = named_document("multistep", listed, out);
	ck_assert(json_equal(said,
			json_of("{\"name\":\"multistep\",\"gamma\":0.1,\"milestones\":[3.0,50.5,7.0]}")));
	json_decref(said);
	named_params(json_of("{\"milestones\":[]}"), listed, out, "", NULL, &faults);
	ck_assert(isnan(out[1]));
	said = named_document(NULL, listed, out);
	ck_assert(json_equal(said, json_of("{\"gamma\":0.1,\"milestones\":[]}")));
	json_decref(said);
	named_params(json_of("{\"milestones\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}"), listed, out, "", NULL,
			&faults);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_double_eq(out[PARAMS_MAX - 1], 15);
}
END_TEST

START_TEST(faults_of_lists)
{
	static const struct param listed[PARAMS_MAX] = {
		{ .name = "milestones", .fallback = NAN, .max = 100, .list = true },
	};
	static const struct {
		const char *text;
		enum err_code code;
		const char *pointer, *detail;
	} cases[] = {
		{ "{\"milestones\":3}", ERR_INVALID, "/s/milestones",
				"must be an array of numbers, not a number" },
		{ "{\"milestones\":[1,\"a\"]}", ERR_INVALID, "/s/milestones/1",
				"must be a number, not a string" },
		{ "{\"milestones\":[1,2,101]}", ERR_RANGE, "/s/milestones/2", "101 is out of range" },
		{ "{\"milestones\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", ERR_RANGE, "/s/milestones",
				"has 17 numbers; at most 16 are possible" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		double out[PARAMS_MAX];

		memset(&faults, 0, sizeof faults);
		named_params(json_of(cases[i].text), listed, out, "/s", NULL, &faults);
		ck_assert_msg(faults.count == 1, "%s: %zu faults", cases[i].text, faults.count);
		is_fault(0, cases[i].code, cases[i].pointer, cases[i].detail);
	}
}
END_TEST

START_TEST(kinds)
{
	static const char *const texts[][2] = { { "{}", "an object" }, { "[]", "an array" },
		{ "\"\"", "a string" }, { "1", "a number" }, { "1.5", "a number" }, { "true", "true" },
		{ "false", "false" }, { "null", "null" } };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_str_eq(json_kind(json_of(texts[i][0])), texts[i][1]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_is_there, what_is_absent_stays, wrong_types_and_ranges,
		all_faults_at_once, whole_numbers_keep_their_digits, names_with_parameters,
		faults_of_names_with_parameters, lists_of_parameters, faults_of_lists, kinds, NULL };

	return suite_main("fields", tests, 10);
}
