/* test_rows.c - rows out of JSON: the forms, what is taken for what, warnings, cells that are kept. Every case is read
 * in steps of one, of three and of all rows; see rows_reading.h.
 */
#include "tests/unit/rows_reading.h"

START_TEST(forms)
{
	static const struct reading readings[] = {
		{ IRIS, "[[5.1,3.5,1.4,0.2]]", "5.1 3.5 1.4 0.2\n" },
		{ IRIS, " [ [ 5.1 , 3.5 , 1.4 , 0.2 ] , [1,2,3,4],[-1e-2,0,-0,1E2] ] ",
				"5.1 3.5 1.4 0.2\n1 2 3 4\n-0.01 0 -0 100\n" },
		{ IRIS, "[]", "" },
		{ IRIS, "[{\"sepal_length\":1,\"sepal_width\":2,\"petal_length\":3,\"petal_width\":4}]",
				"1 2 3 4\n" },
		{ IRIS, "[ { \"petal_width\" : 4 , \"sepal_length\" : 1 } , { } ]",
				"1 -7 -7 4\n-7 -7 -7 -7\n" },
		{ IRIS, "[{\"sepal\\u005flength\":1},[1,2,3,4]]", "1 -7 -7 -7\n1 2 3 4\n" },
		{ IRIS, "{\"sepal_width\":[2,20],\"sepal_length\":[1,10],\"petal_width\":[4,40],\"petal_length\":[3,30]}",
				"1 2 3 4\n10 20 30 40\n" },
		{ IRIS, " { \"petal_width\" : [ 4 , 5 , 6 , 7 ] } ",
				"-7 -7 -7 4\n-7 -7 -7 5\n-7 -7 -7 6\n-7 -7 -7 7\n" },
		{ IRIS, "{\"petal_width\":[]}", "" },
		{ IRIS, "[{\"inputs\":[1,2,3,4]},[5,6,7,8],{ \"\\u0069nputs\" : [ 9 , null , 3 , 4 ] }]",
				"1 2 3 4\n5 6 7 8\n9 -7 3 4\n" },
		{ IRIS, "{\"inputs\":[[1,2,3,4],{\"inputs\":[5,6,7,8]}]}", "1 2 3 4\n5 6 7 8\n" },
		{ IRIS, "{\"inputs\":[]}", "" },
		{ ONE, "{\"inputs\":[1,[2]]}", "1\n2\n" },
		{ ONE, "[1,[2],{\"x0\":3},\"4\",null,[[5]],true]", "1\n2\n3\n4\n-7\n5\n1\n" },
		{ ONE, "{\"x0\":[1,[2],\"3\"]}", "1\n2\n3\n" },
		{ HOUSE,
				"[{\"a/b\":1,\"k\\u00fcche\":2},{\"k\xc3\xbc"
				"che\":2}]",
				"1 2\n-7 2\n" },
		{ SPECIES, "[[\"versicolor\"],\"setosa\",{\"species\":\"virginica\"}]",
				"0 1 0\n1 0 0\n0 0 1\n" },
	};

	check_readings(readings, COUNT(readings), false);
}
END_TEST

START_TEST(cells_of_numbers)
{
	static const struct reading readings[] = {
		{ ONE, "[\"5.1\",\"+5\",\".5\",\"-1e2\",\"\\u0035\",true,false,null,\"\",[1],[\"2\"],[null]]",
				"5.1\n5\n0.5\n-100\n5\n1\n0\n-7\n-7\n1\n2\n-7\n" },
		{ ONE, "[\"NA\",\"N/A\",\"NaN\",\"null\",\"?\"]", "-7\n-7\n-7\n-7\n-7\n" },
		{ ONE, "[\"abc\",\"na\",\" 1\",\"007\",\"\\n\",\"1 \"]",
				"!/instances/0: must be a number, not \"abc\"\n!/instances/1: must be a number, not \"na\"\n"
				"!/instances/2: must be a number, not \" 1\"\n!/instances/3: must be a number, not \"007\"\n"
				"!/instances/4: must be a number, not \"\n\"\n!/instances/5: must be a number, not \"1 \"\n" },
		{ IRIS, "[[1,2,3,4],[1,1e999,3,\"-1e999\"],[1e38,3.5e38,1,1]]",
				"!/instances/1/1: is too large for a number\n!/instances/1/3: is too large for a number\n"
				"!/instances/2/1: column \"sepal_width\": 3.5e+38 is too large to work with\n" },
		{ IRIS, "[[1,2,3,{}],[1,[],[1,2],[[4]]],{\"sepal_width\":{\"a\":[1]}}]",
				"!/instances/0/3: must be a number, not an object\n"
				"!/instances/1/1: must be a number, not an array\n"
				"!/instances/1/2: must be a number, not an array\n"
				"!/instances/1/3: must be a number, not an array\n"
				"!/instances/2/sepal_width: must be a number, not an object\n" },
	};

	check_readings(readings, COUNT(readings), false);
}
END_TEST

START_TEST(cells_of_categories)
{
	static const struct reading readings[] = {
		{ MIXED, "[[1,\"black\"],[2,\"br\\u006fwn\"],[3,3],[4,3.0],[5,\"3\"],[6,true],[7,null],[8,\"\"],[9,[\"black\"]]]",
				"1 1 0 0 0 0 0\n2 0 1 0 0 0 0\n3 0 0 1 0 0 0\n4 0 0 1 0 0 0\n5 0 0 1 0 0 0\n"
				"6 0 0 0 1 0 0\n7 0 0 0 0 0 1\n8 0 0 0 0 0 1\n9 1 0 0 0 0 0\n" },
		{ MIXED, "[[1,\"red\"],[2,\"NA\"],[3,\"red\"],[4,17],[5,false],[6,1e999]]",
				"1 0 0 0 0 1 0\n2 0 0 0 0 0 1\n3 0 0 0 0 1 0\n4 0 0 0 0 1 0\n5 0 0 0 0 1 0\n6 0 0 0 0 1 0\n"
				"?hair \"red\" was not in the training data and is read as \"other\"\n"
				"?hair \"17\" was not in the training data and is read as \"other\"\n"
				"?hair \"false\" was not in the training data and is read as \"other\"\n"
				"?hair \"1e999\" was not in the training data and is read as \"other\"\n" },
		{ MIXED, "[[1,{}],[1,[\"a\",\"b\"]],[1,\"black\"]]",
				"!/instances/0/1: must be a string or a number, not an object\n"
				"!/instances/1/1: must be a string or a number, not an array\n" },
		{ MIXED, "{\"hair\":[\"brown\",\"red\"]}",
				"-7 0 1 0 0 0 0\n-7 0 0 0 0 1 0\n"
				"?hair \"red\" was not in the training data and is read as \"other\"\n" },
		{ SPECIES, "[\"setosa\",\"tulip\",null]",
				"!/instances/1: \"tulip\" is none of the 3 classes of species: setosa, versicolor, virginica\n"
				"!/instances/2: has no value, and this model needs one in every column\n" },
	};

	check_readings(readings, COUNT(readings), false);
}
END_TEST

START_TEST(kept_cells)
{
	static const struct reading readings[] = {
		{ MIXED, "[[5.10,\"black\"],[\"\\u0035\",\"r\\u0065d\"],[true,3.0],[null,null],{\"hair\":17}]",
				"5.1 \"black\"\n5 \"red\"\n1 \"3\"\n- -\n- \"17\"\n"
				"?hair \"red\" was not in the training data and is read as \"other\"\n"
				"?hair \"17\" was not in the training data and is read as \"other\"\n" },
		{ MIXED, "{\"hair\":[\"a\\\\b\",false],\"height\":[1,1e300]}",
				"1 \"a\\b\"\n1e+300 \"false\"\n"
				"?hair \"a\\b\" was not in the training data and is read as \"other\"\n"
				"?hair \"false\" was not in the training data and is read as \"other\"\n" },
	};
	static struct log log;
	struct rows *rows;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	for (size_t i = 0; i < COUNT(readings); i++) {
		read_cells(&log, rows, readings[i].model, readings[i].text);
		ck_assert_str_eq(log.text, readings[i].wanted);
	}
	rows_free(rows);
}
END_TEST

/* Two decoded texts of one row stand side by side, while keys and known values are decoded in between. */
START_TEST(kept_texts)
{
	static const char *const values[] = { "x", "y" };
	static const struct column_spec specs[] = { { "one", COLUMN_CATEGORY, values, 2 },
		{ "two", COLUMN_CATEGORY, values, 2 } };
	const char *text = "[{\"tw\\u006f\":\"abc\\n\",\"on\\u0065\":\"\\u0078yz\"},[\"\\u0078\",\"\\t\"]]";
	static struct faults faults;
	const struct table_cell *cells;
	struct encoder *encoder;
	struct rows *rows;

	ck_assert_int_eq(encoder_new(&encoder, specs, 2, ENCODER_INPUTS, NORMALIZE_NONE, MISSING_MEAN, NULL),
			0);
	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	ck_assert_int_eq(rows_begin(rows, encoder, checked(text, strlen(text)), "", &faults, NULL), 0);
	ck_assert(rows_next_cells(rows, &cells) && !faults.count);
	ck_assert(cells[0].size == 3 && !memcmp(cells[0].text, "xyz", 3));
	ck_assert(cells[1].size == 4 && !memcmp(cells[1].text, "abc\n", 4));
	ck_assert(rows_next_cells(rows, &cells) && !faults.count);
	ck_assert(cells[0].size == 1 && *cells[0].text == 'x' && cells[1].size == 1 &&
			*cells[1].text == '\t');
	ck_assert(!rows_next_cells(rows, &cells) && rows_count(rows) == 2);
	rows_free(rows);
	encoder_free(encoder);
}
END_TEST

/* More rows than a block has, in all forms, against what printf wrote. */
START_TEST(many_rows)
{
	enum { ROWS = 999, TEXT = 200000 };
	static char texts[3][TEXT];
	static float x[ROWS_MAX * 4];
	size_t used[3] = { 0 };

	for (int form = 0; form < 2; form++) {
		used[form] += (size_t)sprintf(texts[form], "[");
		for (int r = 0; r < ROWS; r++)
			used[form] += (size_t)sprintf(texts[form] + used[form],
					form ? "%s{\"petal_width\":%d.5,\"sepal_length\":%d,\"petal_length\":3,\"sepal_width\":%d}"
					     : "%1$s[%3$d,%4$d,3,%2$d.5]",
					r ? "," : "", r, r + 1, r + 2);
		sprintf(texts[form] + used[form], "]");
	}
	for (int c = 0; c < 4; c++) {
		used[2] += (size_t)sprintf(
				texts[2] + used[2], "%c\"%s\":[", c ? ',' : '{', iris_columns[c].name);
		for (int r = 0; r < ROWS; r++)
			used[2] += (size_t)sprintf(texts[2] + used[2], "%s%g", r ? "," : "",
					c == 2   ? 3
					: c == 3 ? r + 0.5
						 : r + 1 + c);
		used[2] += (size_t)sprintf(texts[2] + used[2], "]");
	}
	sprintf(texts[2] + used[2], "}");
	for (int form = 0; form < 3; form++) {
		static struct faults faults;
		struct encoder *encoder = make_encoder(IRIS);
		struct rows *rows;
		size_t n;

		ck_assert_int_eq(rows_new(&rows, NULL), 0);
		ck_assert_int_eq(rows_begin(rows, encoder, checked(texts[form], strlen(texts[form])), "",
						 &faults, NULL),
				0);
		ck_assert_int_eq(rows_next(rows, 700, x, &n, NULL), 0);
		ck_assert_uint_eq(n, 700);
		ck_assert_int_eq(rows_next(rows, 700, x + 700 * 4, &n, NULL), 0);
		ck_assert_uint_eq(n, ROWS - 700);
		for (int r = 0; r < ROWS; r++)
			ck_assert(x[r * 4] == (float)(r + 1) && x[r * 4 + 1] == (float)(r + 2) &&
					x[r * 4 + 2] == 3 && x[r * 4 + 3] == (float)r + 0.5f);
		ck_assert_uint_eq(faults.count, 0);
		rows_free(rows);
		encoder_free(encoder);
	}
}
END_TEST

START_TEST(warnings_bounded)
{
	static char text[20000], value[300];
	static struct log log;
	struct rows *rows;
	size_t used = 1;

	for (size_t i = 0; i + 2 < sizeof value; i += 2)
		memcpy(value + i, "\xc3\xa9", 2);
	sprintf(text, "[");
	for (int r = 0; r < 60; r++)
		used += (size_t)sprintf(text + used, "%s[1,\"%d%s\"]", r ? "," : "", r % 30, value);
	sprintf(text + used, "]");
	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	read_rows(&log, rows, MIXED, text, 1000);
	ck_assert_uint_eq(rows_warnings(rows), ROWS_UNKNOWN_MAX);
	/* cut at a character: 0 and 29 of two bytes, or two digits and 29 */
	ck_assert_ptr_nonnull(strstr(rows_warning(rows, 0), "hair \"0\xc3\xa9"));
	ck_assert_ptr_nonnull(strstr(rows_warning(rows, 0), "\xc3\xa9...\" was not in"));
	ck_assert_ptr_nonnull(strstr(rows_warning(rows, 19), "hair \"19\xc3\xa9"));
	ck_assert_ptr_nonnull(strstr(rows_warning(rows, 19), "\xc3\xa9...\" was not in"));
	rows_free(rows);
}
END_TEST

/* A row by itself, in a block of exactly its size. Wanted: its numbers, or the first fault's pointer. */
START_TEST(one_row_by_itself)
{
	static const struct reading readings[] = {
		{ MIXED, "[180,\"brown\"]", "180 0 1 0 0 0 0" },
		{ MIXED, "{\"hair\":\"brown\"}", "-7 0 1 0 0 0 0" },
		{ MIXED, "{}", "-7 0 0 0 0 0 1" },
		{ ONE, "5", "5" },
		{ ONE, "\"5\"", "5" },
		{ ONE, "[5]", "5" },
		{ MIXED, "5", "/baseline" },
		{ MIXED, "[180]", "/baseline" },
		{ MIXED, "[\"tall\",\"brown\"]", "/baseline/0" },
		{ MIXED, "{\"height\":\"tall\"}", "/baseline/height" },
		{ MIXED, "{\"hieght\":1}", "/baseline/hieght" },
		{ STRICT, "{\"height\":1}", "/baseline/hair" },
		{ MIXED, "[[180,\"brown\"],\"brown\"]", "/baseline/0" },
	};
	struct rows *rows;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	for (size_t i = 0; i < COUNT(readings); i++) {
		const struct reading *r = &readings[i];
		struct encoder *encoder = make_encoder(r->model);
		size_t size = strlen(r->text), n;
		static struct faults faults;
		char *block = malloc(size);
		struct log log = { 0 };
		float x[16];

		memcpy(block, r->text, size);
		memset(&faults, 0, sizeof faults);
		ck_assert_int_eq(rows_begin_one(rows, encoder, checked(block, size), "/baseline", &faults,
						 NULL),
				0);
		ck_assert_int_eq(rows_next(rows, 2, x, &n, NULL), 0);
		ck_assert_uint_eq(n, 1);
		for (size_t j = 0; j < encoder_width(encoder) && !faults.count; j++)
			note(&log, j ? " %g" : "%g", (double)x[j]);
		if (faults.count) note(&log, "%s", faults.items[0].pointer);
		ck_assert_str_eq(log.text, r->wanted);
		ck_assert_int_eq(rows_next(rows, 2, x, &n, NULL), 0);
		ck_assert_uint_eq(n, 0);
		free(block);
		encoder_free(encoder);
	}
	rows_free(rows);
}
END_TEST

/* A decimal just beside the middle of two float32 became a double that is the middle, and with that the even one. */
START_TEST(rounded_once)
{
	static const struct {
		const char *text;
		float wanted;
	} cases[] = { { "1.00000005960464477539062500001", 0x1.000002p0f },
		{ "[1.00000005960464477539062500001]", 0x1.000002p0f },
		{ "-16777216.99999999999999999999", -16777216.0f }, { "16777217", 16777216.0f },
		{ "16777219", 16777220.0f }, { "16777218.999999999999999999", 16777218.0f },
		{ "7.00649232162408535461864791644958e-46", 0x0p0f },
		{ "7.006492321624085354618647916449581e-46", 0x1p-149f },
		{ "340282356779733661637539395458142568447.99", 0x1.fffffep127f } };
	static struct faults faults;
	struct encoder *encoder = make_encoder(ONE);
	const struct table_cell *kept;
	struct rows *rows;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scan_value value = checked(cases[i].text, strlen(cases[i].text));
		size_t n;
		float x;

		rows_begin_one(rows, encoder, value, "", &faults, NULL);
		ck_assert_int_eq(rows_next(rows, 1, &x, &n, NULL), 0);
		ck_assert_msg(!faults.count && x == cases[i].wanted, "%s: %a", cases[i].text, (double)x);
		/* what is kept stays the nearest double */
		rows_begin_one(rows, encoder, value, "", &faults, NULL);
		ck_assert(rows_next_cells(rows, &kept));
		ck_assert(kept->number == strtod(cases[i].text + (cases[i].text[0] == '['), NULL));
	}
	rows_free(rows);
	encoder_free(encoder);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { forms, cells_of_numbers, cells_of_categories, kept_cells, kept_texts,
		many_rows, warnings_bounded, one_row_by_itself, rounded_once, NULL };

	return suite_main("rows", tests, 60);
}
