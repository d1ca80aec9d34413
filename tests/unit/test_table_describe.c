/* test_table_describe.c - what a table says of its columns: statistics against closed forms, and lists of values. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/table_reading.h"

static double number_at(const struct reading *r, size_t column, const char *key)
{
	ck_assert(json_is_number(at(r, column, key)));
	return json_number_value(at(r, column, key));
}

/* 1 to n has the mean (n+1)/2 and the sample variance n(n+1)/12; a constant 1e9 beside it must not cost digits. */
START_TEST(statistics)
{
	struct buffer text = { 0 };
	struct reading r;
	const int n = 1000;

	buffer_text(&text, "a,b,c,d,e\n");
	for (int i = 1; i <= n; i++)
		buffer_printf(&text, "%d,%d.5,%s,1e308,%s\n", i, 1000000000 + i, i % 4 ? "7" : "",
				i % 2 ? "-1e308" : "NA");
	buffer_add(&text, "", 1);
	for (size_t group_rows = 0; group_rows < 8; group_rows += 7) {
		read_csv(&r, text.data,
				&(struct how){ .group_rows = group_rows, .columns = 5, .step = 1000 });
		ck_assert_int_eq(r.rc, 0);
		ck_assert_double_eq(number_at(&r, 0, "min"), 1);
		ck_assert_double_eq(number_at(&r, 0, "max"), n);
		ck_assert_double_eq_tol(number_at(&r, 0, "mean"), (n + 1) / 2.0, 1e-12);
		ck_assert_double_eq_tol(number_at(&r, 0, "std"), sqrt(n * (n + 1) / 12.0), 1e-10);
		ck_assert_double_eq_tol(number_at(&r, 1, "std"), sqrt(n * (n + 1) / 12.0), 1e-6);
		ck_assert(json_is_true(at(&r, 0, "integers")) && json_is_false(at(&r, 1, "integers")));
		ck_assert_int_eq(json_integer_value(at(&r, 0, "distinct")), n);
		ck_assert_int_eq(json_integer_value(at(&r, 2, "missing")), n / 4);
		ck_assert_double_eq(number_at(&r, 2, "mean"), 7);
		ck_assert_double_eq(number_at(&r, 2, "std"), 0);
		ck_assert_double_eq_tol(number_at(&r, 3, "mean"), 1e308, 1e294);
		ck_assert_double_eq_tol(number_at(&r, 4, "mean"), -1e308, 1e294);
		clear(&r);
	}
	buffer_free(&text);
}
END_TEST

START_TEST(nothing_to_say)
{
	struct reading r;

	read_csv(&r, "a,b\n,5\n", &(struct how){ 0 });
	ck_assert(json_is_null(at(&r, 0, "min")) && json_is_null(at(&r, 0, "max")) &&
			json_is_null(at(&r, 0, "mean")));
	ck_assert(json_is_null(at(&r, 0, "std")) && json_is_false(at(&r, 0, "integers")));
	ck_assert_int_eq(json_integer_value(at(&r, 0, "distinct")), 0);
	ck_assert_double_eq(number_at(&r, 1, "mean"), 5);
	ck_assert(json_is_null(at(&r, 1, "std")));
	clear(&r);
}
END_TEST

START_TEST(values_are_listed)
{
	struct reading r;
	char *text;

	read_csv(&r, "a,b\nx,-0\ny,0\ny,0.1\nz,10\nx,9\n", &(struct how){ .group_rows = 2, .columns = 2 });
	text = json_dumps(at(&r, 0, "values"), JSON_COMPACT);
	ck_assert_str_eq(text,
			"[{\"value\":\"x\",\"count\":2},{\"value\":\"y\",\"count\":2},{\"value\":\"z\",\"count\":1}]");
	free(text);
	text = json_dumps(at(&r, 1, "values"), JSON_COMPACT);
	ck_assert_str_eq(text, "[{\"value\":\"0\",\"count\":2},{\"value\":\"0.1\",\"count\":1},"
			       "{\"value\":\"9\",\"count\":1},{\"value\":\"10\",\"count\":1}]");
	free(text);
	clear(&r);
}
END_TEST

/* 1,001 numbers are too many to list, 1,000 are not; of categories the most frequent are listed; and where all lists
 * together would be too long, each is shorter. */
START_TEST(lists_are_bounded)
{
	struct reading r;
	char *text = wide_text(1, TABLE_LISTED_MAX, "");

	read_csv(&r, text, &(struct how){ 0 });
	ck_assert_uint_eq(json_array_size(at(&r, 0, "values")), TABLE_LISTED_MAX);
	clear(&r);
	free(text);
	text = wide_text(1, TABLE_LISTED_MAX + 1, "");
	read_csv(&r, text, &(struct how){ 0 });
	ck_assert(json_is_null(at(&r, 0, "distinct")));
	ck_assert_ptr_null(at(&r, 0, "values"));
	clear(&r);
	read_csv(&r, text, &(struct how){ .types = "c0:category" });
	ck_assert_int_eq(json_integer_value(at(&r, 0, "distinct")), TABLE_LISTED_MAX + 1);
	ck_assert_uint_eq(json_array_size(at(&r, 0, "values")), TABLE_LISTED_MAX);
	clear(&r);
	free(text);
	for (int number = 0; number < 2; number++) {
		text = wide_text(200, TABLE_LISTED_MAX / 2, number ? "" : "x");
		read_csv(&r, text, &(struct how){ .types = number ? "c7:category" : NULL });
		ck_assert_int_eq(json_integer_value(at(&r, 0, "distinct")), TABLE_LISTED_MAX / 2);
		ck_assert_uint_eq(json_array_size(at(&r, 0, "values")), number ? 0 : TABLE_LISTED_MAX / 8);
		/* the numbers beside it take nothing from a category */
		ck_assert_uint_eq(json_array_size(at(&r, 7, "values")), TABLE_LISTED_MAX / (number ? 2 : 8));
		clear(&r);
		free(text);
	}
}
END_TEST

START_TEST(iris)
{
	struct buffer text = { 0 };
	FILE *file = fopen("examples/data/iris.csv", "rb");
	struct reading r;
	const json_t *first;

	ck_assert_ptr_nonnull(file);
	text.size = fread(buffer_reserve(&text, 65536), 1, 65535, file);
	fclose(file);
	buffer_add(&text, "", 1);
	read_csv(&r, text.data, &(struct how){ .step = 100, .group_rows = 7, .columns = 5 });
	ck_assert_int_eq(r.rc, 0);
	ck_assert_uint_eq(table_rows(r.table), 150);
	ck_assert_uint_eq(table_columns(r.table), 5);
	ck_assert_uint_eq(table_groups(r.table), 22);
	ck_assert_double_eq(number_at(&r, 0, "min"), 4.3);
	ck_assert_double_eq(number_at(&r, 0, "max"), 7.9);
	ck_assert_double_eq_tol(number_at(&r, 0, "mean"), 5.843333333333334, 1e-12);
	ck_assert_double_eq_tol(number_at(&r, 0, "std"), 0.8280661279778629, 1e-12); /* pandas */
	ck_assert_int_eq(json_integer_value(at(&r, 4, "distinct")), 3);
	first = json_array_get(at(&r, 4, "values"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "value")), "setosa");
	ck_assert_int_eq(json_integer_value(json_object_get(first, "count")), 50);
	clear(&r);
	buffer_free(&text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { statistics, nothing_to_say, values_are_listed, lists_are_bounded, iris,
		NULL };

	return suite_main("table_describe", tests, 60);
}
