/* test_rows_faults.c - what is wrong with rows is told with pointers, all of it in one reading; see rows_reading.h.
 * The same faults are found when rows are read as cells.
 */
#include "tests/unit/rows_reading.h"

START_TEST(shapes_and_keys)
{
	static const struct reading readings[] = {
		{ IRIS, "[[1,2,3],[1,2,3,4],[1,2,3,4,5],[1],[]]",
				"!/instances/0: has 3 values; the model has 4 inputs: sepal_length, sepal_width, petal_length, "
				"petal_width\n"
				"!/instances/2: has 5 values; the model has 4 inputs: sepal_length, sepal_width, petal_length, "
				"petal_width\n"
				"!/instances/3: has 1 value; the model has 4 inputs: sepal_length, sepal_width, petal_length, "
				"petal_width\n"
				"!/instances/4: has 0 values; the model has 4 inputs: sepal_length, sepal_width, petal_length, "
				"petal_width\n" },
		{ ONE, "[[1,2]]", "!/instances/0: has 2 values; the model has 1 input: x0\n" },
		{ SPECIES, "[[]]", "!/instances/0: has 0 values; the model has 1 output: species\n" },
		{ IRIS, "[1,\"a\",null,true]",
				"!/instances/0: must be an array of 4 values or an object of values by name, not a number\n"
				"!/instances/1: must be an array of 4 values or an object of values by name, not a string\n"
				"!/instances/2: must be an array of 4 values or an object of values by name, not null\n"
				"!/instances/3: must be an array of 4 values or an object of values by name, not true\n" },
		{ IRIS,
				"[{\"sepal_lenght\":1},{\"colour\":[1,{\"a\":\"]\"}],\"petal_width\":1},"
				"{\"petal_width\":1,\"petal\\u005fwidth\":2}]",
				"!/instances/0/sepal_lenght: the model has no input of that name; did you mean "
				"\"sepal_length\"?\n"
				"!/instances/1/colour: the model has no input of that name\n"
				"!/instances/2/petal_width: is there twice\n" },
		{ HOUSE, "[{\"a~b\":1},{\"a/b\":\"x\"}]",
				"!/instances/0/a~0b: the model has no input of that name; did you mean \"a/b\"?\n"
				"!/instances/1/a~1b: must be a number, not \"x\"\n" },
		{ IRIS, "5", "!/instances: must be an array of rows or an object of columns, not a number\n" },
		{ IRIS, "\"a\"",
				"!/instances: must be an array of rows or an object of columns, not a string\n" },
	};

	check_readings(readings, COUNT(readings), true);
}
END_TEST

START_TEST(columns)
{
	static const struct reading readings[] = {
		{ IRIS, "{}", "!/instances: has no columns with values; an array of rows would do as well\n" },
		{ IRIS, "{\"a\":[1],\"petal_width\":[1,\"x\"],\"petal_width\":[3]}",
				"!/instances/a: the model has no input of that name\n"
				"!/instances/petal_width: is there twice\n"
				"!/instances/petal_width/1: must be a number, not \"x\"\n" },
		{ IRIS, "{\"a\":[1]}", "!/instances/a: the model has no input of that name\n" },
		{ IRIS, "{\"petal_width\":1,\"petal_length\":[3,{}]}",
				"!/instances/petal_width: must be an array of values, not a number\n"
				"!/instances/petal_length/1: must be a number, not an object\n" },
		{ IRIS, "{\"sepal_width\":[1,2,3],\"petal_width\":[1,2,3,4,5],\"petal_length\":[7]}",
				"!/instances/petal_length: has 1 value, but \"sepal_width\" has 3; all columns must be of one "
				"length\n"
				"!/instances/petal_width: has 5 values, but \"sepal_width\" has 3; all columns must be of one "
				"length\n" },
		{ STRICT, "{\"height\":[1,null]}",
				"!/instances/hair: is not there, and this model needs a value in every column\n"
				"!/instances/height/1: has no value, and this model needs one in every column\n" },
	};

	check_readings(readings, COUNT(readings), true);
}
END_TEST

START_TEST(missing_values)
{
	static const struct reading readings[] = {
		{ STRICT, "[[1,\"black\"],[null,\"black\"],[1,\"\"],{\"height\":2},{\"hair\":\"brown\"},[\"\",null]]",
				"!/instances/1/0: has no value, and this model needs one in every column\n"
				"!/instances/2/1: has no value, and this model needs one in every column\n"
				"!/instances/3/hair: has no value, and this model needs one in every column\n"
				"!/instances/4/height: has no value, and this model needs one in every column\n"
				"!/instances/5/0: has no value, and this model needs one in every column\n"
				"!/instances/5/1: has no value, and this model needs one in every column\n" },
	};

	check_readings(readings, COUNT(readings), true);
}
END_TEST

/* Columns that differ only behind the first blocks. */
START_TEST(late_end)
{
	static char text[40000];
	static struct log log;
	struct rows *rows;
	size_t used = (size_t)sprintf(text, "{\"sepal_width\":[0");

	for (int r = 1; r < 600; r++)
		used += (size_t)sprintf(text + used, ",%d", r);
	used += (size_t)sprintf(text + used, "],\"petal_width\":[0");
	for (int r = 1; r < 512; r++)
		used += (size_t)sprintf(text + used, ",%d", r);
	sprintf(text + used, "]}");
	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	read_rows(&log, rows, IRIS, text, 100);
	ck_assert_str_eq(log.text,
			"!/instances/petal_width: has 512 values, but \"sepal_width\" has 600; all columns must "
			"be of one length\n");
	rows_free(rows);
}
END_TEST

/* Every cell wrong: twenty faults are told, the others counted. */
START_TEST(many_faults)
{
	static char text[8000];
	static struct log log;
	struct rows *rows;
	size_t used = (size_t)sprintf(text, "[[\"a\",2,3,\"b\"]");

	for (int r = 1; r < 100; r++)
		used += (size_t)sprintf(text + used, ",[\"a\",2,1e99,\"b\"]");
	sprintf(text + used, "]");
	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	read_rows(&log, rows, IRIS, text, 1000);
	ck_assert_ptr_nonnull(
			strstr(log.text, "!/instances/9/3: must be a number, not \"b\"\n!and 279 more\n"));
	rows_free(rows);
}
END_TEST

/* A wide model's sentence names the first columns only, and a long value is cut. */
START_TEST(long_sentences)
{
	enum { COLUMNS = 3000 };
	static char names[COLUMNS][16], text[1000];
	static struct column_spec specs[COLUMNS];
	static struct faults faults;
	static float x[COLUMNS * 2];
	struct encoder *encoder;
	struct rows *rows;
	size_t n;

	for (int i = 0; i < COLUMNS; i++) {
		sprintf(names[i], "pixel_%d", i);
		specs[i] = (struct column_spec){ names[i], COLUMN_NUMBER, NULL, 0 };
	}
	sprintf(text, "[[1,2],{\"pixel_2999\":\"%0300d\"}]", 0);
	ck_assert_int_eq(encoder_new(&encoder, specs, COLUMNS, ENCODER_INPUTS, NORMALIZE_NONE, MISSING_MEAN,
					 NULL),
			0);
	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	ck_assert_int_eq(rows_begin(rows, encoder, checked(text, strlen(text)), "/inputs", &faults, NULL), 0);
	ck_assert_int_eq(rows_next(rows, 2, x, &n, NULL), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(faults.count, 2);
	ck_assert_str_eq(faults.items[0].pointer, "/inputs/0");
	ck_assert_ptr_nonnull(strstr(faults.items[0].detail,
			"has 2 values; the model has 3000 inputs: pixel_0, pixel_1, "));
	ck_assert_ptr_nonnull(strstr(faults.items[0].detail, ", ..."));
	ck_assert_str_eq(faults.items[1].pointer, "/inputs/1/pixel_2999");
	ck_assert_ptr_nonnull(strstr(faults.items[1].detail, "000...\""));
	rows_free(rows);
	encoder_free(encoder);
}
END_TEST

START_TEST(codes)
{
	static const struct {
		enum model model;
		const char *text;
		enum err_code code;
	} cases[] = {
		{ IRIS, "[[1,2,3]]", ERR_INVALID },
		{ IRIS, "[[1,2,3,1e999]]", ERR_RANGE },
		{ IRIS, "[[1,2,3,1e39]]", ERR_RANGE },
		{ IRIS, "[{\"a\":1}]", ERR_UNKNOWN_FIELD },
		{ IRIS, "[{\"petal_width\":1,\"petal_width\":1}]", ERR_DUPLICATE_KEY },
		{ STRICT, "[[1,null]]", ERR_INVALID },
		{ SPECIES, "[\"tulip\"]", ERR_INVALID },
	};
	static struct faults faults;
	struct rows *rows;
	float x[16];
	size_t n;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct encoder *encoder = make_encoder(cases[i].model);

		memset(&faults, 0, sizeof faults);
		ck_assert_int_eq(rows_begin(rows, encoder, checked(cases[i].text, strlen(cases[i].text)), "",
						 &faults, NULL),
				0);
		ck_assert_int_eq(rows_next(rows, 1, x, &n, NULL), 0);
		ck_assert_int_eq(faults_result(&faults, NULL), cases[i].code);
		encoder_free(encoder);
	}
	rows_free(rows);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { shapes_and_keys, columns, missing_values, late_end, many_faults,
		long_sentences, codes, NULL };

	return suite_main("rows_faults", tests, 60);
}
