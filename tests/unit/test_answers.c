/* test_answers.c - the JSON of answers, byte for byte: forms, labels, order, units, what is not finite. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/answers.h"
#include "tests/unit/suite.h"

#define CLASSES 500

static const char *const species[] = { "setosa", "versi\"color", "virginica" };
static const struct column_spec species_column = { "species", COLUMN_CATEGORY, species, 3 };
static const struct column_spec weight_column = { "weight", COLUMN_NUMBER, NULL, 0 };

/* A number column is shown in units of shift 100 and scale 2. */
static struct encoder *make_targets(const struct column_spec *columns, size_t count)
{
	struct encoder *targets;

	ck_assert_int_eq(encoder_new(&targets, columns, count, ENCODER_TARGETS, NORMALIZE_STANDARD,
					 MISSING_ERROR, NULL),
			0);
	for (size_t i = 0; i < count; i++) {
		struct encoder_column learnt = *encoder_column(targets, i);

		learnt.shift = 100;
		learnt.scale = 2;
		encoder_restore(targets, i, &learnt);
	}
	return targets;
}

/* What a writer makes of the scores, given `step` rows at a time; borrowed until the next call. */
static const char *written(enum answer_form form, const struct column_spec *columns, size_t count,
		const float *scores, size_t rows, size_t step)
{
	static struct answers *answers; /* one for all: it must not remember anything */
	static struct buffer out;
	struct encoder *targets = make_targets(columns, count);
	size_t width = encoder_width(targets);

	if (!answers) ck_assert_int_eq(answers_new(&answers, NULL), 0);
	buffer_reset(&out, 0);
	answers_begin(answers, form, targets, &out);
	for (size_t i = 0; i < rows; i += step)
		answers_add(answers, scores + i * width, rows - i < step ? rows - i : step);
	answers_end(answers, 18446744073709551615u, NULL);
	ck_assert(buffer_ok(&out));
	buffer_add(&out, "", 1);
	encoder_free(targets);
	return out.data;
}

#define VERSION "\"model_version\":\"18446744073709551615\""

START_TEST(forms)
{
	static const float scores[] = { 0.5f, 0.25f, 0.1f, 0.2f, 0.7f, 0.7f };
	static const float numbers[] = { 0, -0.65f };

	for (size_t step = 1; step < 3; step++) {
		ck_assert_str_eq(written(ANSWER_PREDICTIONS, &species_column, 1, scores, 2, step),
				"{\"predictions\":[[0.5,0.25,0.1],[0.2,0.7,0.7]],\"labels\":[\"setosa\",\"versi\\\"color\"]," VERSION
				"}");
		ck_assert_str_eq(written(ANSWER_OUTPUTS, &species_column, 1, scores, 1, step),
				"{\"outputs\":[[0.5,0.25,0.1]],\"labels\":[\"setosa\"]," VERSION "}");
		ck_assert_str_eq(written(ANSWER_CLASSES, &species_column, 1, scores, 2, step),
				"{\"results\":[[[\"setosa\",0.5],[\"versi\\\"color\",0.25],[\"virginica\",0.1]],"
				"[[\"versi\\\"color\",0.7],[\"virginica\",0.7],[\"setosa\",0.2]]]," VERSION
				"}");
		ck_assert_str_eq(written(ANSWER_NUMBERS, &weight_column, 1, numbers, 2, step),
				"{\"results\":[100,98.7]," VERSION "}");
		ck_assert_str_eq(written(ANSWER_PREDICTIONS, &weight_column, 1, numbers, 2, step),
				"{\"predictions\":[[100],[98.7]]," VERSION "}");
	}
}
END_TEST

START_TEST(no_rows)
{
	ck_assert_str_eq(written(ANSWER_PREDICTIONS, &species_column, 1, NULL, 0, 1),
			"{\"predictions\":[],\"labels\":[]," VERSION "}");
	ck_assert_str_eq(written(ANSWER_CLASSES, &species_column, 1, NULL, 0, 1),
			"{\"results\":[]," VERSION "}");
}
END_TEST

START_TEST(several_outputs)
{
	const struct column_spec both[] = { weight_column, species_column };
	const struct column_spec numbers[] = { weight_column, { "he/ight", COLUMN_NUMBER, NULL, 0 } };
	static const float scores[] = { 1, 0.1f, 0.9f, 0, 2, 0.4f, 0.3f, 0.3f };

	ck_assert_str_eq(written(ANSWER_PREDICTIONS, both, 2, scores, 2, 2),
			"{\"predictions\":[{\"weight\":[102],\"species\":[0.1,0.9,0]},{\"weight\":[104],\"species\":[0.4,0.3,"
			"0.3]}],\"labels\":[{\"species\":\"versi\\\"color\"},{\"species\":\"setosa\"}]," VERSION
			"}");
	ck_assert_str_eq(written(ANSWER_OUTPUTS, numbers, 2, scores, 1, 1),
			"{\"outputs\":[{\"weight\":[102],\"he/ight\":[100.2]}]," VERSION "}");
}
END_TEST

START_TEST(not_finite)
{
	static const float scores[] = { NAN, 0.25f, NAN, NAN, NAN, NAN, -INFINITY, INFINITY, 0 };
	static const float numbers[] = { 3e38f, -3e38f, 1 };

	ck_assert_str_eq(written(ANSWER_PREDICTIONS, &species_column, 1, scores, 3, 3),
			"{\"predictions\":[[null,0.25,null],[null,null,null],[null,null,0]],"
			"\"labels\":[\"versi\\\"color\",null,\"versi\\\"color\"]," VERSION ",\"nonfinite\":["
			"{\"row\":0,\"output\":\"species\",\"kind\":\"nan\"},{\"row\":1,\"output\":\"species\",\"kind\":\"nan\"},"
			"{\"row\":2,\"output\":\"species\",\"kind\":\"-inf\"}]}");
	ck_assert_str_eq(written(ANSWER_CLASSES, &species_column, 1, scores, 1, 1),
			"{\"results\":[[[\"versi\\\"color\",0.25],[\"setosa\",null],[\"virginica\",null]]]," VERSION
			",\"nonfinite\":[{\"row\":0,\"output\":\"species\",\"kind\":\"nan\"}]}");
	/* float32 holds the network's number but not the user's */
	ck_assert_str_eq(written(ANSWER_NUMBERS, &weight_column, 1, numbers, 3, 2),
			"{\"results\":[null,null,102]," VERSION
			",\"nonfinite\":[{\"row\":0,\"output\":\"weight\",\"kind\":\"inf\"},"
			"{\"row\":1,\"output\":\"weight\",\"kind\":\"-inf\"}]}");
}
END_TEST

START_TEST(nonfinite_bounded)
{
	static float scores[100];
	json_t *tree;

	for (size_t i = 0; i < 100; i++)
		scores[i] = NAN;
	tree = json_loads(written(ANSWER_NUMBERS, &weight_column, 1, scores, 100, 7), 0, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(tree, "results")), 100);
	ck_assert_uint_eq(json_array_size(json_object_get(tree, "nonfinite")), ANSWERS_NONFINITE_MAX);
	json_decref(tree);
}
END_TEST

/* Any number of classes in any order, with equals among them. */
START_TEST(sorting)
{
	static char names[CLASSES][8];
	static const char *values[CLASSES];
	static float scores[CLASSES];

	for (size_t n = 1; n <= CLASSES; n += n < 20 ? 1 : 97) {
		const struct column_spec column = { "c", COLUMN_CATEGORY, values, n };
		json_t *tree, *classes;

		for (size_t i = 0; i < n; i++) {
			sprintf(names[i], "%zu", i);
			values[i] = names[i];
			scores[i] = (float)((i * 7919 + n) % 31) / 32;
		}
		tree = json_loads(written(ANSWER_CLASSES, &column, 1, scores, 1, 1), 0, NULL);
		classes = json_array_get(json_object_get(tree, "results"), 0);
		ck_assert_uint_eq(json_array_size(classes), n);
		for (size_t i = 0; i < n; i++) {
			json_t *now = json_array_get(classes, i),
			       *before = json_array_get(classes, i ? i - 1 : 0);
			int index = atoi(json_string_value(json_array_get(now, 0)));
			double score = json_number_value(json_array_get(now, 1)),
			       above = json_number_value(json_array_get(before, 1));

			ck_assert(score == (double)scores[index]);
			ck_assert(!i || score < above ||
					(score == above && index > atoi(json_string_value(json_array_get(
										   before, 0)))));
		}
		json_decref(tree);
	}
}
END_TEST

START_TEST(warnings)
{
	const struct column_spec input = { "h\"", COLUMN_CATEGORY, species, 1 };
	const char *text = "[[\"a\"],[\"b\\n\"]]";
	struct encoder *inputs, *targets = make_targets(&weight_column, 1);
	static struct faults faults;
	struct answers *answers;
	struct buffer out = { 0 };
	struct scan_value value;
	struct rows *rows;
	float x[2 * 3];
	size_t n;

	ck_assert_int_eq(encoder_new(&inputs, &input, 1, ENCODER_INPUTS, NORMALIZE_NONE, MISSING_MEAN, NULL),
			0);
	ck_assert_int_eq(rows_new(&rows, NULL) || answers_new(&answers, NULL), 0);
	ck_assert_int_eq(scan_check(text, strlen(text), &value, NULL), 0);
	ck_assert_int_eq(rows_begin(rows, inputs, value, "", &faults, NULL), 0);
	ck_assert_int_eq(rows_next(rows, 2, x, &n, NULL), 0);
	answers_begin(answers, ANSWER_NUMBERS, targets, &out);
	answers_add(answers, (const float[]){ 0 }, 1);
	answers_end(answers, 3, rows);
	buffer_add(&out, "", 1);
	ck_assert_str_eq(out.data,
			"{\"results\":[100],\"model_version\":\"3\",\"warnings\":["
			"\"h\\\" \\\"a\\\" was not in the training data and is read as \\\"other\\\"\","
			"\"h\\\" \\\"b\\u000a\\\" was not in the training data and is read as \\\"other\\\"\"]}");
	buffer_free(&out);
	answers_free(answers);
	rows_free(rows);
	encoder_free(inputs);
	encoder_free(targets);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { forms, no_rows, several_outputs, not_finite, nonfinite_bounded, sorting,
		warnings, NULL };

	return suite_main("answers", tests, 60);
}
