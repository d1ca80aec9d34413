/* test_json_table.c - records of JSON become rows: both shapes, lines, columns found by looking ahead, and every fault with its
 * line and record.
 *
 * Each body is read whole, cut into two pieces at every byte, and byte by byte: always the same must come of it.
 */
#include "tests/unit/body_reading.h"
#include "tests/unit/suite.h"

#define MIB (1u << 20)

static void check_how(const char *text, size_t n, struct body_how how, const char *expected)
{
	for (size_t first = 0; first <= n; first++) {
		struct buffer found = { 0 };

		how.first = first;
		how.step = first == n ? 1 : 0;
		print_body(text, n, &how, &found);
		ck_assert_str_eq(found.data, expected);
		buffer_free(&found);
	}
}

static void check_json(const char *text, const char *expected)
{
	check_how(text, strlen(text), (struct body_how){ .format = BODY_JSON }, expected);
}

static void check_lines(const char *text, const char *expected)
{
	check_how(text, strlen(text), (struct body_how){ .format = BODY_NDJSON }, expected);
}

static void check_types(const char *text, const char *types, const char *expected)
{
	check_how(text, strlen(text), (struct body_how){ .format = BODY_JSON, .types = types }, expected);
}

/* ---- the shapes ---- */

START_TEST(array_of_objects)
{
	check_json("[{\"a\":1,\"b\":\"x\"},{\"b\":\"y\",\"a\":2.5},{\"a\":-1e3}]",
			"a number: 1 2.5 -1000 |\nb category: x y - |");
	check_json("\xef\xbb\xbf [\n {\"a\": 1 } ,\r\n\t{\"a\": 2 } \n] \n", "a number: 1 2 |");
	/* columns in order of first appearance, over all records that are looked at */
	check_json("[{\"b\":1},{\"a\":2,\"b\":3},{\"c\":4}]",
			"b number: 1 3 - |\na number: - 2 - |\nc number: - - 4 |");
	check_json("[{},{\"a\":1},{}]", "a number: - 1 - |");
}
END_TEST

START_TEST(columns_and_rows)
{
	check_json("{\"columns\":[\"a\",\"b\"],\"rows\":[[1,\"x\"],[2,null]]}",
			"a number: 1 2 |\nb category: x - |");
	check_json(" { \"columns\" : [ \"a\\n\\u00e9\" ] , \"rows\" : [ [ 1 ] ] } ",
			"a\n\xc3\xa9 number: 1 |");
}
END_TEST

START_TEST(a_record_a_line)
{
	check_lines("{\"a\":1}\n\n  \r\n{\"a\":2}\r\n{\"b\":\"x\"}",
			"a number: 1 2 - |\nb category: - - x |");
	check_lines("[\"a\",\"b\"]\n[1,2]\n[3,4]\n", "a number: 1 3 |\nb number: 2 4 |");
	check_lines("\xef\xbb\xbf{\"a\":\"1\\n2\"}\n", "a category: 1\n2 |");
}
END_TEST

/* ---- cells ---- */

START_TEST(values_keep_their_kind)
{
	check_json("[{\"n\":1.50,\"s\":\"007\",\"t\":true,\"m\":\"1\"},{\"n\":null,\"s\":\"12\",\"t\":false,\"m\":2},"
		   "{\"n\":1e2,\"s\":\"\",\"t\":null,\"m\":true},{\"n\":\"NA\",\"s\":\"?\"}]",
			"n number: 1.5 - 100 - |\ns category: 007 12 - - |\nt boolean: true false - - |\nm category: 1 2 true - |");
	check_json("[{\"a\\\"\\\\b\":\"x\\ty\\ud83d\\ude00\"},{\"a\\u0022\\\\b\":\"z\"}]",
			"a\"\\b category: x\ty\xf0\x9f\x98\x80 z |");
	check_json("[{\"a\":true},{\"a\":1},{\"a\":true}]", "a category: true 1 true |");
}
END_TEST

START_TEST(types_that_are_said)
{
	check_types("[{\"a\":1.50,\"b\":\"12\",\"c\":\"yes\",\"d\":\"2024-02-29\",\"e\":1},{\"a\":\"x\",\"b\":true,\"c\":0}]",
			"a:category,b:number,c:boolean,d:date,e:ignore",
			"a category: 1.50 x |\nb number: 12 1 |\nc boolean: true false |\nd date: 1709164800 - |\n"
			"e ignore: - - |");
	check_types("{\"columns\":[\"a\"],\"rows\":[[true],[false],[1]]}", "a:category",
			"a category: true false 1 |");
	check_types("[{\"a\":\"x\"},\n{\"a\":\"1\"},{\"a\":\"y\"}]", "a:number",
			"2 line 1, column 1: record 1: \"x\" is in the column \"a\", which ?types makes a number; correct "
			"the cell or the type (and 1 more fault)\n"
			"1:1 2 record 1: \"x\" is in the column \"a\", which ?types makes a number; correct the cell or the "
			"type\n2:1 2 record 3: \"y\" is in the column \"a\", which ?types makes a number; correct the cell or "
			"the type");
}
END_TEST

/* ---- faults ---- */

START_TEST(faults_of_values)
{
	check_json("[{\"a\":1,\"b\":2},\n{\"a\":[1],\"b\":{}},\n{\"a\":1,\"a\":2},\n3,\n{\"b\":1e999}]",
			"2 line 2, column 1: record 2: the value is an array; a cell is a number, a string, true, false or null (and 4 more faults)\n"
			"2:1 2 record 2: the value is an array; a cell is a number, a string, true, false or null\n"
			"2:2 2 record 2: the value is an object; a cell is a number, a string, true, false or null\n"
			"3:1 23 record 3: a key is there twice; each stands once in a record\n"
			"4:0 2 record 4: it is a number; a record is an object\n"
			"5:2 3 record 5: \"1e999\" in the column \"b\" cannot be stored; numbers end at 1.7e308");
}
END_TEST

/* Keys that only a record behind the first MiB has. */
START_TEST(late_keys)
{
	struct buffer text = { 0 }, found = { 0 };
	struct body_how how = { .format = BODY_NDJSON };

	buffer_text(&text, "{\"a\":1}\n{\"pad\":\"");
	for (size_t i = 0; i < MIB; i++)
		buffer_text(&text, "x");
	buffer_text(&text, "\"}\n{\"a\":2,\"b\":3}\n{\"a\":4}\n{\"c\":5,\"a\":6}\n");
	ck_assert(buffer_ok(&text));
	for (size_t step = 0; step < 3; step++) {
		how.step = step * 1000;
		found.size = 0;
		print_body(text.data, text.size, &how, &found);
		ck_assert_str_eq(found.data,
				"25 line 3: record 3: \"b\" is no column: these are the keys of the first 1 MiB of records; begin with a record that has all keys, or name the columns as in {\"columns\":[...],\"rows\":[[...]]} (and 1 more fault)\n"
				"3:0 25 record 3: \"b\" is no column: these are the keys of the first 1 MiB of records; begin with a record that has all keys, or name the columns as in {\"columns\":[...],\"rows\":[[...]]}\n"
				"5:0 25 record 5: \"c\" is no column: these are the keys of the first 1 MiB of records; begin with a record that has all keys, or name the columns as in {\"columns\":[...],\"rows\":[[...]]}");
	}
	buffer_free(&text);
	buffer_free(&found);
}
END_TEST

START_TEST(names)
{
	check_json("[{\"\":1},\n{\"\":2}]", "2 line 1, column 1: the column has no name\n"
					    "1:1 2 the column has no name");
	check_json("{\"columns\":[\"a\",\"\",\n\"a\"],\"rows\":[[1,2,3],[1,2]]}",
			"2 line 1, column 2: the column has no name (and 2 more faults)\n"
			"1:2 2 the column has no name\n"
			"1:3 2 the name \"a\" is that of column 1 already\n"
			"2:3 2 record 2: it has 2 cells, but there are 3 columns");
	check_json("{\"columns\":[],\"rows\":[]}", "2 there are no columns; name at least one\n"
						   "0:0 2 there are no columns; name at least one");
	check_json("{\"columns\":[1],\"rows\":[]}",
			"2 line 1, column 1: the name of a column is a string; records of a line each are objects, or arrays below an array of names\n"
			"1:1 2 the name of a column is a string; records of a line each are objects, or arrays below an array of names");
	check_json("{\"columns\":5,\"rows\":[]}", "2 \"columns\" is an array of names\n"
						  "0:0 2 \"columns\" is an array of names");
}
END_TEST

START_TEST(rows_of_arrays)
{
	check_json("{\"columns\":[\"a\",\"b\"],\"rows\":[[1],\n[1,2,3],{\"a\":1},[[],1]]}",
			"2 line 1, column 2: record 1: it has 1 cell, but there are 2 columns (and 3 more faults)\n"
			"1:2 2 record 1: it has 1 cell, but there are 2 columns\n"
			"2:3 2 record 2: it has 3 cells, but there are 2 columns\n"
			"2:0 2 record 3: it is an object; a record is an array here\n"
			"2:1 2 record 4: the value is an array; a cell is a number, a string, true, false or null");
	check_lines("[\"a\",\"b\"]\n[1]\n{\"a\":1}\n",
			"2 line 2, column 2: record 1: it has 1 cell, but there are 2 columns (and 1 more fault)\n"
			"2:2 2 record 1: it has 1 cell, but there are 2 columns\n"
			"3:0 2 record 2: it is an object; a record is an array here");
	check_lines("[1,2]\n[1,2]\n",
			"2 line 1, column 1: the name of a column is a string; records of a line each are objects, or arrays below an array of names\n"
			"1:1 2 the name of a column is a string; records of a line each are objects, or arrays below an array of names");
}
END_TEST

START_TEST(shapes_that_are_none)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "22 line 1: byte 0 of the body: the body is empty; JSON is needed\n"
		      "1:0 22 byte 0 of the body: the body is empty; JSON is needed" },
		{ " \n", "22 line 2: byte 2 of the body: the body is empty; JSON is needed\n"
			 "2:0 22 byte 2 of the body: the body is empty; JSON is needed" },
		{ "5", "22 line 1: byte 0 of the body: a data set in JSON is an array of objects, or {\"columns\":[...],\"rows\":[[...]]}\n"
		       "1:0 22 byte 0 of the body: a data set in JSON is an array of objects, or {\"columns\":[...],\"rows\":[[...]]}" },
		{ "a,b\n1,2\n", "22 line 1: byte 0 of the body: a data set in JSON is an array of objects, or {\"columns\":[...],\"rows\":[[...]]}\n"
				"1:0 22 byte 0 of the body: a data set in JSON is an array of objects, or {\"columns\":[...],\"rows\":[[...]]}" },
		{ "[]", "2 there are no rows; a data set needs at least one" },
		{ "[{}]", "2 line 1: record 1: it has no keys, so there are no columns\n"
			  "1:0 2 record 1: it has no keys, so there are no columns" },
		{ "{}", "26 line 1: byte 1 of the body: \"columns\" and \"rows\" are missing\n"
			"1:0 26 byte 1 of the body: \"columns\" and \"rows\" are missing" },
		{ "{\"columns\":[\"a\"]}", "26 line 1: byte 16 of the body: \"rows\" is missing\n"
					   "1:0 26 byte 16 of the body: \"rows\" is missing" },
		{ "{\"rows\":[[1]],\"columns\":[\"a\"]}",
				"2 line 1: byte 1 of the body: \"columns\" must stand before \"rows\"\n"
				"1:0 2 byte 1 of the body: \"columns\" must stand before \"rows\"" },
		{ "{\"columns\":[\"a\"],\"data\":[[1]]}",
				"25 line 1: byte 17 of the body: a data set is an object of \"columns\" and \"rows\" alone; records are sent as an array\n"
				"1:0 25 byte 17 of the body: a data set is an object of \"columns\" and \"rows\" alone; records are sent as an array" },
		{ "{\"columns\":[\"a\"],\"columns\":[\"a\"]}",
				"23 line 1: byte 17 of the body: this key is there twice\n"
				"1:0 23 byte 17 of the body: this key is there twice" },
		{ "{\"columns\":[\"a\"],\"rows\":{}}",
				"2 line 1: byte 24 of the body: \"rows\" is an array of arrays\n"
				"1:0 2 byte 24 of the body: \"rows\" is an array of arrays" },
		{ "[[1,2]]", "2 line 1: record 1: it is an array; a record is an object\n"
			     "1:0 2 record 1: it is an array; a record is an object" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_json(cases[i].text, cases[i].expected);
	check_lines("", "2 there are no rows; a data set needs at least one");
	check_lines("\n \n", "2 there are no rows; a data set needs at least one");
}
END_TEST

START_TEST(broken_json)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "[{\"a\":1}", "22 line 1: byte 8 of the body: the JSON ends here, before it is complete\n"
				"1:0 22 byte 8 of the body: the JSON ends here, before it is complete" },
		{ "[{\"a\":1},", "22 line 1: byte 9 of the body: the JSON ends here, before it is complete\n"
				 "1:0 22 byte 9 of the body: the JSON ends here, before it is complete" },
		{ "[{\"a\":1},]",
				"22 line 1: byte 9 of the body: a value is needed here: a number, a string, an array, an object, true, false or null\n"
				"1:0 22 byte 9 of the body: a value is needed here: a number, a string, an array, an object, true, false or null" },
		{ "[{\"a\":1},\n{\"a\":}]",
				"22 line 2: byte 15 of the body: a value is needed here: a number, a string, an array, an object, true, false or null\n"
				"2:0 22 byte 15 of the body: a value is needed here: a number, a string, an array, an object, true, false or null" },
		{ "[{\"a\":1}\n{\"a\":2}]", "22 line 2: byte 9 of the body: a comma or a ] is needed here\n"
					    "2:0 22 byte 9 of the body: a comma or a ] is needed here" },
		{ "[{\"a\":1}] x", "22 line 1: byte 10 of the body: nothing may follow the JSON value\n"
				   "1:0 22 byte 10 of the body: nothing may follow the JSON value" },
		{ "[{\"a\":\"x", "22 line 1: byte 8 of the body: the JSON ends here, before it is complete\n"
				 "1:0 22 byte 8 of the body: the JSON ends here, before it is complete" },
		{ "[{\"a\":tru",
				"22 line 1: byte 6 of the body: a value is needed here: a number, a string, an array, an object, true, false or null\n"
				"1:0 22 byte 6 of the body: a value is needed here: a number, a string, an array, an object, true, false or null" },
		{ "[1", "22 line 1: byte 2 of the body: the JSON ends here, before it is complete\n"
			"1:0 22 byte 2 of the body: the JSON ends here, before it is complete" },
		{ "{\"columns\":[\"a\"],\"rows\":[[1]",
				"22 line 1: byte 28 of the body: the JSON ends here, before it is complete\n"
				"1:0 22 byte 28 of the body: the JSON ends here, before it is complete" },
		{ "{\"columns\":[\"a\"],\"rows\":[[1]]",
				"22 line 1: byte 29 of the body: the JSON ends here, before it is complete\n"
				"1:0 22 byte 29 of the body: the JSON ends here, before it is complete" },
		{ "{\"columns\" [",
				"22 line 1: byte 11 of the body: a colon is needed here, between key and value\n"
				"1:0 22 byte 11 of the body: a colon is needed here, between key and value" },
		{ "{,", "22 line 1: byte 1 of the body: a key in double quotes is needed here\n"
			"1:0 22 byte 1 of the body: a key in double quotes is needed here" },
		{ "[{\"a\":1},\n{\"a\":\"\xff\"}]",
				"22 line 2: byte 16 of the body: the text is not UTF-8 here\n"
				"2:0 22 byte 16 of the body: the text is not UTF-8 here" },
		{ "[{\"a\":1}\xc3(", "22 line 1: byte 8 of the body: a comma or a ] is needed here\n"
				     "1:0 22 byte 8 of the body: a comma or a ] is needed here" },
		{ "[{\"a\":01},{\"a\":\"\\u0000\"}]",
				"22 line 1: byte 6 of the body: a number must not begin with a zero\n"
				"1:0 22 byte 6 of the body: a number must not begin with a zero" },
		{ "[{\"a\":[]},{\"a\":1]",
				"2 line 1, column 1: record 1: the value is an array; a cell is a number, a string, true, false or null (and 1 more fault)\n"
				"1:1 2 record 1: the value is an array; a cell is a number, a string, true, false or null\n"
				"1:0 22 byte 16 of the body: a comma or a } is needed here" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_json(cases[i].text, cases[i].expected);
	/* a broken line is none of the next one's business */
	check_lines("{\"a\":1}\n{\"a\":\n2}\n{\"a\":[]}\n\"x\n",
			"22 line 2: byte 13 of the body: the JSON ends here, before it is complete (and 3 more faults)\n"
			"2:0 22 byte 13 of the body: the JSON ends here, before it is complete\n"
			"3:0 22 byte 15 of the body: nothing may follow the JSON value\n"
			"4:1 2 record 4: the value is an array; a cell is a number, a string, true, false or null\n"
			"5:0 22 byte 28 of the body: the JSON ends here, before it is complete");
}
END_TEST

/* A record beyond the limit is refused before it is held; deep nesting is counted, not followed. */
START_TEST(limits)
{
	struct body_how how = { .format = BODY_JSON, .step = 60000 };
	struct buffer text = { 0 }, found = { 0 };

	buffer_text(&text, "[{\"a\":\"");
	for (size_t i = 0; i < 17; i++) {
		char *to = buffer_reserve(&text, MIB);

		memset(to, 'x', MIB);
		text.size += MIB;
	}
	buffer_text(&text, "\"}]");
	print_body(text.data, text.size, &how, &found);
	ck_assert_str_eq(found.data,
			"7 line 1: the record is longer than 16777216 bytes; is a quote left open?\n"
			"1:0 7 the record is longer than 16777216 bytes; is a quote left open?");
	text.size = found.size = 0;
	buffer_text(&text, "[");
	for (size_t i = 0; i < 100000; i++)
		buffer_text(&text, "[");
	print_body(text.data, text.size, &how, &found);
	ck_assert_str_eq(found.data,
			"22 line 1: byte 65 of the body: the JSON is nested deeper than 64 levels here\n"
			"1:0 22 byte 65 of the body: the JSON is nested deeper than 64 levels here");
	buffer_free(&text);
	buffer_free(&found);
}
END_TEST

/* 100,000 keys are columns, one more is not. */
START_TEST(many_columns)
{
	struct body_how how = { .format = BODY_JSON, .step = 60000 };
	struct buffer text = { 0 }, found = { 0 };

	buffer_text(&text, "[{");
	for (size_t i = 0; i < CSV_COLUMNS_MAX; i++)
		buffer_printf(&text, "%s\"c%zu\":%zu", i ? "," : "", i, i);
	text.size++;
	buffer_text(&text, "}]");
	text.data[text.size - 3] = ' ';
	print_body(text.data, text.size, &how, &found);
	ck_assert_int_eq(strncmp(found.data, "c0 number: 0 |\nc1 number: 1 |\n", 30), 0);
	found.size = 0;
	text.size -= 3;
	buffer_text(&text, ",\"more\":1}]");
	print_body(text.data, text.size, &how, &found);
	ck_assert_str_eq(found.data, "7 line 1: there are more than 100000 columns\n"
				     "1:0 7 there are more than 100000 columns");
	buffer_free(&text);
	buffer_free(&found);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { array_of_objects, columns_and_rows, a_record_a_line,
		values_keep_their_kind, types_that_are_said, faults_of_values, late_keys, names,
		rows_of_arrays, shapes_that_are_none, broken_json, limits, many_columns, NULL };

	return suite_main("json_table", tests, 60);
}
