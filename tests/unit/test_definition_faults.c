/* test_definition_faults.c - everything that may be wrong with a definition, and where it is told. */
#include "tests/unit/definition_reading.h"

START_TEST(every_fault)
{
	static const struct {
		const char *head, *fields;
		enum err_code code;
		const char *pointer;
	} cases[] = {
		{ "", "", ERR_MISSING_FIELD, "" },
		{ "\"inputs\":2", "", ERR_MISSING_FIELD, "" },
		{ "\"outputs\":2", "", ERR_MISSING_FIELD, "" },
		{ DATASET, "", ERR_MISSING_FIELD, "" },
		{ "\"dataset\":3", "\"target\":\"length\"", ERR_INVALID, "/dataset" },
		{ DATASET, "\"target\":3", ERR_INVALID, "/target" },
		{ DATASET, "\"target\":\"lengt\",\"features\":[\"width\"]", ERR_INVALID, "/target" },
		{ DATASET, "\"target\":\"empty\",\"features\":[\"length\"]", ERR_INVALID, "/target" },
		{ DATASET, "\"target\":\"void\",\"features\":[\"length\"]", ERR_INVALID, "/target" },
		{ DATASET, "\"target\":\"constant\",\"features\":[\"length\"]", ERR_INVALID, "/target" },
		{ DATASET, "\"target\":\"street\",\"features\":[\"length\"]", ERR_RANGE, "/target" },
		{ DATASET, "\"target\":\"length\",\"features\":\"width\"", ERR_INVALID, "/features" },
		{ DATASET, "\"target\":\"length\",\"features\":[]", ERR_INVALID, "/features" },
		{ DATASET, "\"target\":\"length\",\"features\":[\"width\",3]", ERR_INVALID, "/features/1" },
		{ DATASET, "\"target\":\"length\",\"features\":[\"width\",\"w\"]", ERR_INVALID,
				"/features/1" },
		{ DATASET, "\"target\":\"length\",\"features\":[\"width\",\"length\"]", ERR_INVALID,
				"/features/1" },
		{ DATASET, "\"target\":\"length\",\"features\":[\"width\",\"width\"]", ERR_INVALID,
				"/features/1" },
		{ DATASET, "\"target\":\"length\",\"features\":[\"void\"]", ERR_INVALID, "/features/0" },
		{ DATASET, "\"target\":\"length\",\"task\":\"guess\"", ERR_INVALID, "/task" },
		{ EXPLICIT, DATASET, ERR_INVALID, "/dataset" },
		{ EXPLICIT, "\"target\":\"a\"", ERR_INVALID, "/target" },
		{ EXPLICIT, "\"features\":[\"a\"]", ERR_INVALID, "/features" },
		{ EXPLICIT, "\"task\":\"regression\"", ERR_INVALID, "/task" },
		{ EXPLICIT, "\"layer\":[]", ERR_UNKNOWN_FIELD, "/layer" },
		{ EXPLICIT, "\"output_l2\":0.1", ERR_UNKNOWN_FIELD, "/output_l2" }, /* ours alone */
		{ EXPLICIT, "\"warnings\":[]", ERR_UNKNOWN_FIELD, "/warnings" },
		{ EXPLICIT, "\"layers\":16", ERR_INVALID, "/layers" },
		{ EXPLICIT, "\"layers\":[0]", ERR_RANGE, "/layers/0" },
		{ EXPLICIT, "\"layers\":[4,-1]", ERR_RANGE, "/layers/1" },
		{ EXPLICIT, "\"layers\":[1.5]", ERR_INVALID, "/layers/0" },
		{ EXPLICIT, "\"layers\":[1000000000]", ERR_RANGE, "/layers/0" },
		{ EXPLICIT, "\"layers\":[\"wide\"]", ERR_INVALID, "/layers/0" },
		{ EXPLICIT, "\"layers\":[{}]", ERR_MISSING_FIELD, "/layers/0" },
		{ EXPLICIT, "\"layers\":[{\"units\":\"4\"}]", ERR_INVALID, "/layers/0/units" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"unit\":4}]", ERR_UNKNOWN_FIELD, "/layers/0/unit" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"activation\":\"rleu\"}]", ERR_INVALID,
				"/layers/0/activation" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"activation\":3}]", ERR_INVALID,
				"/layers/0/activation" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"activation_parameters\":3}]", ERR_INVALID,
				"/layers/0/activation_parameters" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"activation_parameters\":{\"slope\":1}}]",
				ERR_UNKNOWN_FIELD, "/layers/0/activation_parameters/slope" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"bias\":1}]", ERR_INVALID, "/layers/0/bias" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"init\":\"random\"}]", ERR_INVALID, "/layers/0/init" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"dropout\":1}]", ERR_RANGE, "/layers/0/dropout" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"l1\":-1}]", ERR_RANGE, "/layers/0/l1" },
		{ EXPLICIT, "\"layers\":[{\"units\":4,\"l2\":1e9}]", ERR_RANGE, "/layers/0/l2" },
		{ EXPLICIT, "\"layers\":[1000000,1000000,1000000]", 0,
				NULL }, /* eight TB, and nothing is allocated yet */
		{ EXPLICIT, "\"output_activation\":\"stairs\"", ERR_INVALID, "/output_activation" },
		{ EXPLICIT, "\"output_activation\":\"softmax\"", ERR_INVALID, "/output_activation" },
		{ EXPLICIT, "\"loss\":\"cross_entropy\"", ERR_INVALID, "/loss" },
		{ EXPLICIT, "\"loss\":\"msee\"", ERR_INVALID, "/loss" },
		{ EXPLICIT, "\"loss\":{\"nam\":\"mse\"}", ERR_MISSING_FIELD, "/loss" },
		{ EXPLICIT, "\"normalize\":\"max\"", ERR_INVALID, "/normalize" },
		{ EXPLICIT, "\"missing\":\"zero\"", ERR_INVALID, "/missing" },
		{ EXPLICIT, "\"seed\":-1", ERR_RANGE, "/seed" },
		{ EXPLICIT, "\"description\":3", ERR_INVALID, "/description" },
		{ EXPLICIT, "\"metadata\":[]", ERR_INVALID, "/metadata" },
		{ EXPLICIT, "\"metadata\":{\"a\":1}", ERR_INVALID, "/metadata/a" },
		{ ONE_OUTPUT, "\"inputs\":0", ERR_RANGE, "/inputs" },
		{ ONE_OUTPUT, "\"inputs\":1.5", ERR_INVALID, "/inputs" },
		{ ONE_OUTPUT, "\"inputs\":10000000", ERR_RANGE, "/inputs" },
		{ ONE_OUTPUT, "\"inputs\":[]", ERR_INVALID, "/inputs" },
		{ ONE_OUTPUT, "\"inputs\":\"a\"", ERR_INVALID, "/inputs" },
		{ ONE_OUTPUT, "\"inputs\":[\"a\"]", ERR_INVALID, "/inputs/0" },
		{ ONE_OUTPUT, "\"inputs\":[{\"type\":\"number\"}]", ERR_MISSING_FIELD, "/inputs/0" },
		{ ONE_OUTPUT, "\"inputs\":[{\"name\":\"untyped\" }]", ERR_MISSING_FIELD, "/inputs/0" },
		{ ONE_OUTPUT, "\"inputs\":[" NUMBER("") "]", ERR_MISSING_FIELD, "/inputs/0" },
		{ ONE_OUTPUT, "\"inputs\":[{\"name\":3,\"type\":\"number\"}]", ERR_INVALID,
				"/inputs/0/name" },
		{ ONE_OUTPUT, "\"inputs\":[{\"name\":\"a\",\"type\":\"text\"}]", ERR_INVALID,
				"/inputs/0/type" },
		{ ONE_OUTPUT, "\"inputs\":[{\"name\":\"a\",\"type\":\"category\"}]", ERR_MISSING_FIELD,
				"/inputs/0" },
		{ ONE_OUTPUT, "\"inputs\":[{\"name\":\"a\",\"type\":\"number\",\"values\":[\"b\"]}]",
				ERR_INVALID, "/inputs/0/values" },
		{ ONE_OUTPUT, "\"inputs\":[" CATEGORY("a", "[]") "]", ERR_INVALID, "/inputs/0/values" },
		{ ONE_OUTPUT, "\"inputs\":[" CATEGORY("a", "[\"b\",3]") "]", ERR_INVALID,
				"/inputs/0/values/1" },
		{ "\"outputs\":1", "\"inputs\":[" CATEGORY("a", "[\"b\",\"b\"]") "]", ERR_INVALID,
				"/inputs" },
		{ "\"outputs\":1", "\"inputs\":[" NUMBER("a") "," NUMBER("a") "]", ERR_INVALID, "/inputs" },
		{ ONE_OUTPUT, "\"inputs\":[" NUMBER("y0") "]", ERR_INVALID, "/outputs" },
		{ ONE_INPUT, "\"outputs\":[" CATEGORY("a", "[\"b\"]") "]", ERR_INVALID, "/outputs/0/values" },
		{ "\"inputs\":1",
				"\"outputs\":[" CATEGORY("a", "[\"b\",\"c\"]") "," NUMBER(
						"n") "],\"loss\":\"mse\"",
				ERR_INVALID, "/loss" },
		{ "\"inputs\":1",
				"\"outputs\":[" CATEGORY("a", "[\"b\",\"c\"]") "," NUMBER(
						"n") "],\"output_activation\":\"tanh\"",
				ERR_INVALID, "/output_activation" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"batch_norm\":true,\"layer_norm\":true}]", ERR_INVALID,
				"/layers/0/layer_norm" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"density\":0}]", ERR_RANGE, "/layers/0/density" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"max_norm\":-1}]", ERR_RANGE, "/layers/0/max_norm" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"mask\":[[1]]}]", ERR_INVALID, "/layers/0/mask" },
		{ EXPLICIT, "\"layers\":[{\"units\":1,\"mask\":[[1,2]]}]", ERR_INVALID,
				"/layers/0/mask/0/1" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"density\":0.5,\"mask\":[[1]]}]", ERR_INVALID,
				"/layers/0/mask" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"from\":[\"input\"]}]", ERR_INVALID,
				"/layers/0/from/0" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"from\":[]}]", ERR_INVALID, "/layers/0/from" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"from\":[1]}]", ERR_INVALID, "/layers" },
		{ EXPLICIT, "\"layers\":[{\"units\":2,\"init\":{\"name\":\"constant\",\"velue\":1}}]",
				ERR_UNKNOWN_FIELD, "/layers/0/init/velue" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct definition d = resolve_fields(cases[i].head, cases[i].fields);

		ck_assert_msg(faults.count == !!cases[i].pointer, "%s %s: %zu faults", cases[i].head,
				cases[i].fields, faults.count);
		if (cases[i].pointer) ck_assert_str_eq(faults.items[0].pointer, cases[i].pointer);
		ck_assert_msg(!cases[i].pointer || faults.items[0].code == cases[i].code, "%s %s: %s",
				cases[i].head, cases[i].fields, faults.items[0].detail);
		definition_clear(&d);
	}
}
END_TEST

START_TEST(many_layers_and_no_object)
{
	char text[30000] = "{" EXPLICIT ",\"layers\":[1";
	struct definition d;

	for (int i = 1; i < 10000; i++)
		strcat(text, ",1");
	strcat(text, "]}");
	d = resolve(text, false);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.items[0].code, ERR_RANGE);
	ck_assert_str_eq(faults.items[0].pointer, "/layers");
	definition_clear(&d);
	d = resolve("[]", false);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_str_eq(faults.items[0].pointer, "");
	definition_clear(&d);
	d = resolve_fields(EXPLICIT,
			"\"seed\":-1,\"layers\":[0,{\"units\":2,\"bias\":3}],\"loss\":4"); /* all at once */
	ck_assert_uint_eq(faults.count, 4);
	definition_clear(&d);
}
END_TEST

/* Memory for a mask was asked for by its first row and their number: here for 10^12 cells of 4 MB. */
START_TEST(a_mask_that_claims_more_than_was_sent)
{
	enum { SIDE = 1000000 };
	json_t *mask = json_array(), *row = json_array(), *document;
	struct definition d;

	for (int i = 0; i < SIDE; i++)
		json_array_append_new(row, json_integer(1));
	json_array_append_new(mask, row);
	for (int i = 0; i < SIDE; i++)
		json_array_append_new(mask, json_integer(0));
	document = json_pack("{s:i, s:i, s:[{s:i, s:o}]}", "inputs", 1, "outputs", 1, "layers", "units", 1,
			"mask", mask);
	memset(&faults, 0, sizeof faults);
	definition_read(document, false, &d, &faults);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.items[0].code, ERR_INVALID);
	ck_assert_str_eq(faults.items[0].pointer, "/layers/0/mask/1");
	definition_clear(&d);
	json_decref(document);
}
END_TEST

START_TEST(names)
{
	static const char *const good[] = { "a", "0", "iris-2.x_y", "A.B" }, *const bad[] = { "", ".", "..",
		"_a", "-a", "a/b", "a b", "é", "a:b", "a\n" };
	char longest[66];
	struct err e;

	memset(longest, 'a', 65);
	longest[65] = 0;
	ck_assert_int_eq(name_check(longest, "a name", &e), ERR_NAME);
	longest[64] = 0;
	ck_assert_int_eq(name_check(longest, "a name", &e), 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_int_eq(name_check(good[i], "a name", &e), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_int_eq(name_check(bad[i], "a name", &e), ERR_NAME);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_fault, many_layers_and_no_object,
		a_mask_that_claims_more_than_was_sent, names, NULL };

	return suite_main("definition_faults", tests, 10);
}
