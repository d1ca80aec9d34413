/* test_definition.c - definitions of models: both forms, every field, what follows from a data set, and that the resolved
 * document reads back as the same definition.
 */
#include "tests/unit/definition_reading.h"

/* A member of the resolved document by path of keys and indices: "layers/0/units". NULL: not there. New. */
static char *shown(const struct definition *d, const char *path)
{
	json_t *document = definition_document(d), *at = document;
	char step[64], *text;

	for (; *path && at; path += *path == '/') {
		size_t n = strcspn(path, "/");

		snprintf(step, sizeof step, "%.*s", (int)n, path);
		at = json_is_array(at) ? json_array_get(at, strtoul(step, NULL, 10))
				       : json_object_get(at, step);
		path += n;
	}
	text = at ? json_text(at, false) : NULL;
	json_decref(document);
	return text;
}

static void shows(const struct definition *d, const char *fields, const char *path, const char *wanted)
{
	char *text = shown(d, path);

	ck_assert_msg(!faults.count, "%s: %s: %s", fields, faults.items[0].pointer, faults.items[0].detail);
	ck_assert_msg(text && !strcmp(text, wanted), "%s: %s is %s", fields, path, text ? text : "not there");
	free(text);
}

START_TEST(every_field_of_the_explicit_form)
{
	static const struct {
		const char *fields, *path, *shown;
	} cases[] = {
		{ "", "inputs", "[{\"name\":\"x0\",\"type\":\"number\"},{\"name\":\"x1\",\"type\":\"number\"}]" },
		{ "", "outputs", "[{\"name\":\"y0\",\"type\":\"number\"}]" },
		{ "\"layers\":[]", "layers", "[]" },
		{ "\"layers\":[3]", "layers/0",
				"{\"units\":3,\"activation\":\"relu\",\"bias\":true,\"dropout\":0,\"l1\":0,\"l2\":0}" },
		{ "\"layers\":[3,{\"units\":5}]", "layers/1/units", "5" },
		{ "\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]", "layers/0/activation", "\"tanh\"" },
		{ "\"layers\":[{\"units\":1,\"bias\":false}]", "layers/0/bias", "false" },
		{ "\"layers\":[{\"units\":1,\"bias\":true}]", "layers/0/bias", "true" },
		{ "\"layers\":[{\"units\":1,\"dropout\":0.5}]", "layers/0/dropout", "0.5" },
		{ "\"layers\":[{\"units\":1,\"dropout\":0.99}]", "layers/0/dropout", "0.99" },
		{ "\"layers\":[{\"units\":1,\"l1\":0.25}]", "layers/0/l1", "0.25" },
		{ "\"layers\":[{\"units\":1,\"l2\":1e-5}]", "layers/0/l2", "0.00001" },
		{ "\"layers\":[{\"units\":1,\"activation\":\"leaky_relu\"}]",
				"layers/0/activation_parameters", "{\"slope\":0.01}" },
		{ "\"layers\":[{\"units\":1,\"activation\":\"leaky_relu\",\"activation_parameters\":{\"slope\":0.25}}]",
				"layers/0/activation_parameters", "{\"slope\":0.25}" },
		{ "\"output_activation\":\"tanh\"", "output_activation", "\"tanh\"" },
		{ "\"output_activation\":\"linear\"", "output_activation", "\"linear\"" },
		{ "", "output_activation", "\"linear\"" },
		{ "", "loss", "{\"name\":\"mse\"}" },
		{ "\"loss\":\"mse\"", "loss", "{\"name\":\"mse\"}" },
		{ "\"loss\":{\"name\":\"mse\"}", "loss", "{\"name\":\"mse\"}" },
		{ "", "normalize", "\"standard\"" },
		{ "\"normalize\":\"minmax\"", "normalize", "\"minmax\"" },
		{ "\"normalize\":\"none\"", "normalize", "\"none\"" },
		{ "", "missing", "\"mean\"" },
		{ "\"missing\":\"error\"", "missing", "\"error\"" },
		{ "", "seed", "0" },
		{ "\"seed\":9007199254740991", "seed", "9007199254740991" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct definition d = resolve_fields(EXPLICIT, cases[i].fields);

		shows(&d, cases[i].fields, cases[i].path, cases[i].shown);
		ck_assert_str_eq(d.description, "");
		definition_clear(&d);
	}
}
END_TEST

START_TEST(initializers)
{
	char fields[128], wanted[64];

	for (size_t i = 0; init_at(i); i++) {
		struct definition d;

		snprintf(fields, sizeof fields, "\"layers\":[{\"units\":1,\"init\":\"%s\"}]",
				init_at(i)->name);
		snprintf(wanted, sizeof wanted, "\"%s\"", init_at(i)->name);
		d = resolve_fields(EXPLICIT, fields);
		shows(&d, fields, "layers/0/init/name", wanted);
		definition_clear(&d);
	}
}
END_TEST

START_TEST(words_beside_the_network)
{
	struct definition d = resolve_fields(EXPLICIT, "\"description\":\"mine\",\"metadata\":{\"a\":\"b\"}");

	ck_assert_uint_eq(faults.count, 0);
	ck_assert_str_eq(d.description, "mine");
	ck_assert_str_eq(json_string_value(json_object_get(d.metadata, "a")), "b");
	definition_clear(&d);
	definition_clear(&d);
}
END_TEST

START_TEST(named_columns)
{
	struct definition d = resolve(
			"{\"inputs\":[{\"name\":\"height\",\"type\":\"number\"},{\"name\":\"hair\",\"type\":\"category\",\"values\":[\"b\",\"a\"]}],"
			"\"outputs\":[{\"name\":\"kind\",\"type\":\"category\",\"values\":[\"x\",\"y\",\"z\"]}]}",
			false);

	shows(&d, "", "inputs",
			"[{\"name\":\"height\",\"type\":\"number\"},"
			"{\"name\":\"hair\",\"type\":\"category\",\"values\":[\"b\",\"a\"]}]");
	shows(&d, "", "output_activation", "\"softmax\"");
	shows(&d, "", "loss/name", "\"cross_entropy\"");
	ck_assert(definition_classifies(&d));
	ck_assert_uint_eq(definition_input_width(&d), 1 + 2 + 2); /* with the slots for other and missing */
	ck_assert_uint_eq(definition_output_width(&d), 3);
	ck_assert_uint_eq(d.layers[d.layers_count - 1].units, 3);
	d.missing = MISSING_ERROR;
	ck_assert_uint_eq(definition_input_width(&d), 1 + 2 + 1);
	definition_clear(&d);
	d = resolve("{\"inputs\":1,\"outputs\":[{\"name\":\"k\",\"type\":\"category\",\"values\":[\"n\",\"y\"]}],\"output_activation\":\"sigmoid\"}",
			false);
	shows(&d, "", "loss/name", "\"binary_cross_entropy\"");
	definition_clear(&d);
}
END_TEST

START_TEST(from_a_dataset)
{
	struct definition d = resolve_fields(
			"\"dataset\":\"d\"", "\"target\":\"species\",\"features\":[\"width\",\"color\"]");

	/* features in the order they were asked for, values in their natural order */
	shows(&d, "", "inputs",
			"[{\"name\":\"width\",\"type\":\"number\"},"
			"{\"name\":\"color\",\"type\":\"category\",\"values\":[\"blue\",\"green\",\"red\"]}]");
	shows(&d, "", "outputs",
			"[{\"name\":\"species\",\"type\":\"category\",\"values\":[\"setosa\",\"virginica\"]}]");
	shows(&d, "", "dataset", "\"d\"");
	shows(&d, "", "target", "\"species\"");
	shows(&d, "", "layers/0/units", "16");
	ck_assert_uint_eq(d.layers_count, 2);
	ck_assert_double_gt(d.output_l2, 0);
	ck_assert_uint_eq(json_array_size(warnings), 0);
	definition_clear(&d);
	d = resolve_fields(
			"\"dataset\":\"d\"", "\"target\":\"length\",\"features\":[\"width\"],\"layers\":[]");
	shows(&d, "", "loss/name", "\"mse\"");
	shows(&d, "", "layers", "[]");
	ck_assert_double_eq(d.output_l2, 0);
	definition_clear(&d);
}
END_TEST

START_TEST(all_columns_but_the_target)
{
	struct definition d;
	json_t *document = json_of("{\"dataset\":\"d\",\"target\":\"species\"}");

	definition_read(document, false, &d, &faults);
	definition_from_columns(&d, columns, 4, 150, warnings = json_array(), &faults);
	shows(&d, "", "inputs/0/name", "\"length\"");
	shows(&d, "", "inputs/2/name", "\"color\"");
	ck_assert_uint_eq(d.inputs_count, 3);
	definition_clear(&d);
	json_decref(document);
}
END_TEST

START_TEST(whole_numbers_as_classes)
{
	struct definition d =
			resolve_fields("\"dataset\":\"d\"", "\"target\":\"grade\",\"features\":[\"length\"]");

	ck_assert(!definition_classifies(&d));
	ck_assert_uint_eq(json_array_size(warnings), 1);
	ck_assert_ptr_nonnull(strstr(
			json_string_value(json_array_get(warnings, 0)), "\"task\":\"classification\""));
	definition_clear(&d);
	d = resolve_fields("\"dataset\":\"d\"",
			"\"target\":\"grade\",\"features\":[\"length\"],\"task\":\"classification\"");
	shows(&d, "", "outputs/0/values", "[\"2\",\"9\",\"10\"]"); /* in the order of numbers */
	ck_assert_uint_eq(json_array_size(warnings), 0);
	definition_clear(&d);
	d = resolve_fields("\"dataset\":\"d\"", "\"target\":\"length\",\"features\":[\"street\"]");
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_uint_eq(json_array_size(warnings), 1); /* values that share a slot */
	definition_clear(&d);
}
END_TEST

START_TEST(the_document_reads_back)
{
	static const char *const cases[] = {
		"{" EXPLICIT "}",
		"{" EXPLICIT
		",\"layers\":[],\"loss\":\"mse\",\"output_activation\":\"sigmoid\",\"normalize\":\"minmax\"}",
		"{" EXPLICIT
		",\"layers\":[{\"units\":3,\"activation\":\"leaky_relu\",\"activation_parameters\":{\"slope\":0.125},"
		"\"bias\":false,\"dropout\":0.25,\"l1\":0.001,\"l2\":1e-7,\"init\":\"he_normal\"},2],\"missing\":\"error\",\"seed\":7}",
		"{\"dataset\":\"d\",\"target\":\"species\",\"features\":[\"color\",\"length\"]}",
		"{\"dataset\":\"d\",\"target\":\"grade\",\"features\":[\"color\",\"length\"],\"task\":\"classification\"}",
		"{\"dataset\":\"d\",\"target\":\"width\",\"features\":[\"species\"],\"layers\":[8,4]}",
		"{\"inputs\":1,\"outputs\":[{\"name\":\"k\",\"type\":\"category\",\"values\":[\"n\",\"y\"]}],\"output_activation\":\"sigmoid\"}",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct definition d = resolve(cases[i], false), again;
		json_t *document, *twice;
		char *text;

		ck_assert_msg(!faults.count, "%s: %s", cases[i], faults.items[0].detail);
		document = definition_document(&d);
		text = json_text(document, false);
		again = resolve(text, true);
		ck_assert_msg(!faults.count, "%s: %s", text, faults.items[0].detail);
		twice = definition_document(&again);
		ck_assert_msg(json_equal(document, twice), "%s\n%s", text, json_text(twice, false));
		ck_assert_uint_eq(d.layers_count, again.layers_count);
		for (size_t j = 0; j < d.layers_count; j++)
			ck_assert_mem_eq(&d.layers[j], &again.layers[j], sizeof *d.layers);
		ck_assert_uint_eq(definition_input_width(&d), definition_input_width(&again));
		ck_assert_ptr_eq(d.loss, again.loss);
		json_decref(document);
		json_decref(twice);
		free(text);
		definition_clear(&d);
		definition_clear(&again);
	}
}
END_TEST

START_TEST(patches)
{
	struct definition_patch patch = { 0 };
	json_t *document = json_of("{\"description\":\"a\",\"metadata\":{\"b\":\"c\"}}"),
	       *nothing = json_of("{}"),
	       *wrong = json_of("{\"metadata\":{\"b\":1},\"layers\":[],\"description\":null}");

	definition_read_patch(document, &patch, &faults);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_str_eq(patch.description, "a");
	ck_assert_uint_eq(json_object_size(patch.metadata), 1);
	patch = (struct definition_patch){ 0 };
	definition_read_patch(nothing, &patch, &faults);
	ck_assert_ptr_null(patch.description);
	ck_assert_ptr_null(patch.metadata);
	definition_read_patch(wrong, &patch, &faults);
	ck_assert_uint_eq(faults.count, 3);
	json_decref(nothing);
	json_decref(wrong);
	json_decref(document);
}
END_TEST

/* A fuzzer's find: each output asked all outputs whether there are several heads, which for a million of them takes hours. */
START_TEST(a_great_many_outputs)
{
	struct definition d = resolve("{\"inputs\":1,\"outputs\":200000,\"layers\":[]}", false);
	struct encoder *targets;
	json_t *document;

	ck_assert_msg(!faults.count, "%s", faults.items[0].detail);
	ck_assert_ptr_nonnull(document = definition_document(&d));
	ck_assert_uint_eq(json_array_size(json_object_get(document, "outputs")), 200000);
	ck_assert(!definition_encoder(&d, ENCODER_TARGETS, &targets, NULL));
	encoder_free(targets);
	json_decref(document);
	definition_clear(&d);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_field_of_the_explicit_form, initializers,
		words_beside_the_network, named_columns, from_a_dataset, all_columns_but_the_target,
		whole_numbers_as_classes, the_document_reads_back, patches, a_great_many_outputs, NULL };

	return suite_main("definition", tests, 10);
}
