/* test_body.c - what is the same for every format, and what is said of CSV beside its bytes: decimal commas.
 *
 * Each body is read whole, cut into two pieces at every byte, and byte by byte: always the same must come of it.
 */
#include "tests/unit/body_reading.h"
#include "tests/unit/suite.h"

static void check_csv(const char *text, const char *types, const char *decimal, const char *expected)
{
	size_t n = strlen(text);

	for (size_t first = 0; first <= n; first++) {
		struct body_how how = { .types = types, .decimal = decimal };
		struct buffer found = { 0 };

		how.first = first;
		how.step = first == n ? 1 : 0;
		print_body(text, n, &how, &found);
		ck_assert_str_eq(found.data, expected);
		buffer_free(&found);
	}
}

START_TEST(media_types)
{
	static const char *const names[] = { "text/csv", "application/json", "application/x-ndjson",
		"application/x-npy" };

	for (size_t i = 0; i < BODY_FORMATS; i++) {
		ck_assert_str_eq(body_media_type((enum body_format)i), names[i]);
		ck_assert_ptr_nonnull(strstr(BODY_MEDIA_TYPES, names[i]));
	}
}
END_TEST

/* However few bytes come first. */
START_TEST(files_that_begin_like_others)
{
	check_csv("\x1f\x8b\x08\x08", NULL, NULL,
			"1 the body is packed with gzip; pack it once and say so: curl -H 'Content-Encoding: gzip'");
	check_csv("PAR1,a\n1,2\n", NULL, NULL,
			"1 the body is a Parquet file, which is not read here; save the table as CSV and send that");
	check_csv("PAR\n2\n", NULL, NULL, "PAR number: 2 |");
	check_csv("a\n2", NULL, NULL, "a number: 2 |");
	check_csv("a\n", NULL, NULL,
			"2 there are no rows; a data set needs at least one below its header line");
}
END_TEST

START_TEST(decimal_commas)
{
	check_csv("a;b\n1,5;x\n-,25;3,5\n+2;\n", NULL, ",", "a number: 1.5 -0.25 2 |\nb category: x 3.5 - |");
	check_csv("a;b\n1,5;x\n", NULL, ".", "a category: 1,5 |\nb category: x |");
	check_csv("a;b\n1,5;x\n", NULL, NULL, "a category: 1,5 |\nb category: x |");
	check_csv("a,b;c\n1,5;2\n", NULL, ",",
			"a,b number: 1.5 |\nc number: 2 |"); /* the comma separates nothing */
	check_csv("a\tb\n1,5\t1e1\n", NULL, ",", "a number: 1.5 |\nb number: 10 |");
	check_csv("a\n1,5\n", NULL, ",", "a number: 1.5 |");
	check_csv("a;b;c\n1.5;1,2,3;1.000,5\n", NULL, ",",
			"a category: 1.5 |\nb category: 1,2,3 |\nc category: 1.000,5 |");
	check_csv("a;b\nNA;?\n1,5;2,5\n", NULL, ",", "a number: - 1.5 |\nb number: - 2.5 |");
	check_csv("a;b\n1,50;1,50\n", "a:category,b:number", ",", "a category: 1,50 |\nb number: 1.5 |");
	check_csv("a\n1,5\n1.5\n1,0e999\n", "a:number", ",",
			"2 line 3, column 1: \"1.5\" is in the column \"a\", which ?types makes a number; correct the cell or "
			"the type (and 1 more fault)\n"
			"3:1 2 \"1.5\" is in the column \"a\", which ?types makes a number; correct the cell or the type\n"
			"4:1 3 \"1,0e999\" in the column \"a\" cannot be stored; numbers end at 1.7e308");
	check_csv("day;yes\n2024-02-29;1\n", "day:date,yes:boolean", ",",
			"day date: 1709164800 |\nyes boolean: true |");
}
END_TEST

START_TEST(other_decimal_marks)
{
	struct body_how how = { .format = BODY_JSON, .decimal = "," };
	struct buffer found = { 0 };

	check_csv("a\n1\n", NULL, ";",
			"2 ?decimal: the decimal mark is a point or a comma: ?decimal=. or ?decimal=,\n"
			"?decimal0:0 2 the decimal mark is a point or a comma: ?decimal=. or ?decimal=,");
	print_body("[{\"a\":1}]", 9, &how, &found);
	ck_assert_str_eq(found.data, "2 ?decimal: only numbers in CSV have a decimal comma; leave it out\n"
				     "?decimal0:0 2 only numbers in CSV have a decimal comma; leave it out");
	how.decimal = ".";
	found.size = 0;
	print_body("[{\"a\":1}]", 9, &how, &found);
	ck_assert_str_eq(found.data, "a number: 1 |");
	buffer_free(&found);
}
END_TEST

/* More than 20 of both kinds, the CSV reader's own and those of cells: the first 20 of the body are kept. */
START_TEST(first_faults_of_two_kinds)
{
	struct body_how how = { .types = "a:number" };
	struct buffer text = { 0 }, found = { 0 }, expected = { 0 };

	buffer_text(&text, "a,b\n");
	for (int i = 0; i < 30; i++)
		buffer_text(&text, i % 3 ? "1\n" : "x,1\n");
	print_body(text.data, text.size, &how, &found);
	for (int i = 0; i < 20; i++)
		buffer_printf(&expected, "\n%d:%d ", i + 2, i % 3 ? 2 : 1);
	buffer_add(&expected, "", 1);
	for (const char *line = strchr(found.data, '\n'), *wanted = expected.data; *wanted;) {
		size_t n = strcspn(wanted + 1, "\n") + 1;

		ck_assert_ptr_nonnull(line);
		ck_assert_mem_eq(line, wanted, n);
		wanted += n;
		line = strchr(line + 1, '\n');
	}
	ck_assert_ptr_nonnull(strstr(found.data, "\nand 10 more"));
	ck_assert_ptr_nonnull(strstr(found.data, "(and 29 more faults)"));
	buffer_free(&text);
	buffer_free(&found);
	buffer_free(&expected);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { media_types, files_that_begin_like_others, decimal_commas,
		other_decimal_marks, first_faults_of_two_kinds, NULL };

	return suite_main("body", tests, 60);
}
