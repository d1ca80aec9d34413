/* test_table.c - what becomes of rows: types, missing cells, late words, faults, limits.
 */
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/table_reading.h"

#define MIB (1u << 20)

/* ---- types ---- */

START_TEST(types_follow_from_cells)
{
	check("a,b,c,d\n1,x,007,1\n2.5,y,1, 2\n-1e3,1.50,2,3\n", (struct how){ 0 },
			"a N: 1 2.5 -1000 |\nb C: x y 1.5 |\nc C: 007 1 2 |\nd C: 1  2 3 |");
	check("a,b\n\"1\",\"x\"\n", (struct how){ 0 }, "a N: 1 |\nb C: x |");
}
END_TEST

START_TEST(missing_words)
{
	check("a,b,c\n,,\nNA,NA,NA\nN/A,N/A,N/A\nNaN,nan,-nan\nnull,null,null\n?,?,?\n\"\",\"\",\"\"\n1,x,1\n",
			(struct how){ .types = "c:category" },
			"a N: - - - - - - - 1 |\nb C: - - - - - - - x |\nc C: - - - - - - - 1 |");
	check("a,b,c,d,e,f\nna,Nan,NULL,n/a,??,None\n", (struct how){ 0 },
			"a C: na |\nb C: Nan |\nc C: NULL |\nd C: n/a |\ne C: ?? |\nf C: None |");
	check("a,b\n,1\n,2\n", (struct how){ 0 }, "a N: - - |\nb N: 1 2 |");
	check("a,b\n,1\n,2\n", (struct how){ .types = "a:category" }, "a C: - - |\nb N: 1 2 |");
}
END_TEST

START_TEST(types_that_are_said)
{
	check("zip,age\n007,1\n1.50,2\n1e999,3\n", (struct how){ .types = "zip:category,age:number" },
			"zip C: 007 1.50 1e999 |\nage N: 1 2 3 |");
	check("a:b:c,d\n1,2\n", (struct how){ .types = "a:b:c:category" }, "a:b:c C: 1 |\nd N: 2 |");
}
END_TEST

/* A word that comes late turns what was stored before it, and the values are the same as if it had come first. */
START_TEST(late_words)
{
	const struct how pairs = { .group_rows = 2, .columns = 2 };
	struct reading r;

	check("a,b\n1.50,1\n,2\n0.1,3\n-0,4\n1,5\nx,6\n1.5,7\n", pairs,
			"a C: 1.5 - |0.1 0 |1 x |1.5 |\nb N: 1 2 |3 4 |5 6 |7 |");
	check("a,b\n1.50,1\n,2\n0.1,3\n-0,4\nx,5\n1,6\n", pairs,
			"a C: 1.5 - |0.1 0 |x 1 |\nb N: 1 2 |3 4 |5 6 |");
	check("a,b\nx,1\n1.50,2\n0.1,3\n0,4\n", pairs, "a C: x 1.5 |0.1 0 |\nb N: 1 2 |3 4 |");
	read_csv(&r, "a,b\n1,0.123456789012\n2,2\n1,0.1\nx,2\n", &pairs);
	ck_assert_int_eq(r.rc, 0);
	ck_assert_uint_eq(r.sink.replaced, 1);
	ck_assert_int_eq(json_integer_value(at(&r, 0, "distinct")), 3);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(at(&r, 0, "values"), 0), "value")),
			"1");
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(at(&r, 0, "values"), 0), "count")),
			2);
	ck_assert_uint_eq(r.sink.segments[1].size,
			8 + 2 * 8); /* b's first group needs doubles, its second does not */
	ck_assert_uint_eq(r.sink.segments[3].size, 8 + 8 + 2 * 1);
	clear(&r);
}
END_TEST

/* ---- faults ---- */

START_TEST(faults_in_cells)
{
	check_faults("age,b\n1,x\nold,y\n3\n1e999,z\n\"very\nold\",1,2\nNA,1\n", "age:number",
			(struct expected_fault[]){
					{ ERR_INVALID, "", 3, 1, "\"old\" is in the column \"age\"" },
					{ ERR_CSV, "", 4, 2, "1 cell" },
					{ ERR_RANGE, "", 5, 1,
							"\"1e999\" in the column \"age\" cannot be stored" },
					{ ERR_CSV, "", 6, 3, "3 cells" },
					{ 0 },
			});
	check_faults("a,b\n1,2\n-1e999,3\n", NULL,
			(struct expected_fault[]){ { ERR_RANGE, "", 3, 1, "-1e999" }, { 0 } });
	check_faults("a,b\nx,2\n1e400,3\n", NULL, /* whether the word came before or comes after */
			(struct expected_fault[]){ { ERR_RANGE, "", 3, 1, "1e400" }, { 0 } });
	check_faults("a,b\n1,2\n3,\"x\n", NULL,
			(struct expected_fault[]){ { ERR_CSV, "", 3, 2, "quote" }, { 0 } });
	check_faults("a,a\n1,2\n", NULL, (struct expected_fault[]){ { ERR_CSV, "", 1, 2, "a" }, { 0 } });
}
END_TEST

/* All are counted, few are kept, and nothing goes to the sink any more. */
START_TEST(many_faults)
{
	struct buffer text = { 0 };
	struct reading r;

	buffer_text(&text, "a,b\n1,2\nx,3\n");
	for (int i = 0; i < 100; i++)
		buffer_text(&text, i % 2 ? "1\n" : "y,4\n5,6\n");
	buffer_add(&text, "", 1);
	read_csv(&r, text.data,
			&(struct how){ .types = "a:number", .group_rows = 1, .columns = 2, .step = 7 });
	ck_assert_int_eq(r.rc, ERR_INVALID);
	ck_assert_uint_eq(r.faults.count, FAULTS_MAX);
	ck_assert_uint_eq(r.faults.count + r.faults.more, 1 + 100);
	ck_assert_uint_eq(r.sink.groups, 1);
	clear(&r);
	buffer_free(&text);
}
END_TEST

START_TEST(long_names_are_cut_at_characters)
{
	struct buffer text = { 0 };
	struct reading r;

	buffer_text(&text, "x");
	for (int i = 0; i < 400; i++)
		buffer_text(&text, "\xC3\xA4");
	buffer_text(&text, "\nw");
	for (int i = 0; i < 400; i++)
		buffer_text(&text, "\xE2\x82\xAC");
	buffer_text(&text, "e999\n-1e999\n");
	buffer_add(&text, "", 1);
	read_csv(&r, text.data, &(struct how){ 0 });
	ck_assert_int_eq(r.rc, ERR_RANGE);
	for (size_t i = 0; i < r.faults.count; i++) {
		json_t *valid = json_string(r.faults.items[i].detail); /* NULL: not UTF-8 */

		ck_assert_ptr_nonnull(valid);
		json_decref(valid);
	}
	clear(&r);
	buffer_free(&text);
}
END_TEST

START_TEST(no_rows)
{
	struct reading r;

	read_csv(&r, "a,b\n", &(struct how){ 0 });
	ck_assert_int_eq(r.rc, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(r.e.text, "no rows"));
	clear(&r);
	read_csv(&r, "", &(struct how){ 0 });
	ck_assert_int_eq(r.rc, ERR_CSV);
	clear(&r);
}
END_TEST

START_TEST(the_sink_may_fail)
{
	struct reading r = { .sink = { .fail_group = ERR_DISK_FULL } };

	r.to = sink_of(&r.sink);
	ck_assert_int_eq(table_new_csv(&r.table, NULL, &r.to, &r.faults, &r.e), 0);
	r.table->group_bytes = 2 * 16;
	feed(&r, "a,b\n1,2\n3,4\n", 12, 0);
	ck_assert_int_eq(r.rc, ERR_DISK_FULL);
	ck_assert_str_eq(r.e.text, "the sink is full");
	finish(&r);
	ck_assert_uint_eq(r.faults.count, 0);
	clear(&r);
}
END_TEST

/* ---- limits ---- */

/* Codes of one, two and four bytes, in groups that were written while the dictionary still grew. */
START_TEST(dictionaries_grow)
{
	const size_t rows = 70000, group_rows = 100;
	struct buffer printed = { 0 };
	char *text = wide_text(1, rows, "v"), *p;
	struct reading r;

	read_csv(&r, text, &(struct how){ .group_rows = group_rows, .columns = 1, .step = 65536 });
	ck_assert_int_eq(r.rc, 0);
	ck_assert_int_eq(json_integer_value(at(&r, 0, "distinct")), (json_int_t)rows);
	ck_assert_uint_eq(r.sink.segments[0].size, 8 + group_rows);
	ck_assert_uint_eq(r.sink.segments[3].size, 8 + group_rows * 2);
	ck_assert_uint_eq(r.sink.segments[rows / group_rows - 1].size, 8 + group_rows * 4);
	ck_assert_uint_eq(sink_print(&r.sink, 0, &printed), rows);
	buffer_add(&printed, "", 1);
	p = printed.data;
	for (size_t i = 0; i < rows; i++) {
		char value[24];

		snprintf(value, sizeof value, "v%zu", i);
		if (*p == '|') p++;
		ck_assert_int_eq(strncmp(p, value, strlen(value)), 0);
		p += strlen(value) + 1;
	}
	buffer_free(&printed);
	clear(&r);
	free(text);
}
END_TEST

START_TEST(dictionaries_end)
{
	char *text = wide_text(2, 5000, "some longer text ");
	struct reading r;

	read_csv(&r, text, &(struct how){ .values_bytes_max = MIB / 4 });
	ck_assert_int_eq(r.rc, ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(r.e.text, "\"c1\""));
	ck_assert_uint_le(r.table->values.used, MIB / 4);
	clear(&r);
	read_csv(&r, text, &(struct how){ .values_bytes_max = MIB });
	ck_assert_int_eq(r.rc, 0);
	clear(&r);
	free(text);
}
END_TEST

/* Row groups stay below their limit, and what a table holds does not follow the columns' number of values. */
START_TEST(many_columns)
{
	static const size_t widths[] = { 785, 20000, CSV_COLUMNS_MAX };

	for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
		char *text = wide_text(widths[i], 30,
				"0.1234567"); /* every row has another number: 30 in each column */
		struct reading r = { 0 };
		size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
		struct memory_sink *sink = &r.sink;

		r.to = sink_of(sink);
		ck_assert_int_eq(table_new_csv(&r.table, NULL, &r.to, &r.faults, &r.e), 0);
		feed(&r, text, strlen(text), 65536);
		ck_assert_int_eq(r.rc, 0);
		ck_assert_uint_le(sink->largest_group, TABLE_GROUP_BYTES);
		ck_assert_uint_le(r.table->tallies.used, TABLE_TALLY_BYTES_MAX);
		ck_assert_int_eq(group_wait(r.table, NULL), 0);
		sink_clear(sink);
		ck_assert_uint_le(mallinfo2().uordblks + mallinfo2().hblkhd - before, 64u * MIB);
		clear(&r);
		free(text);
	}
}
END_TEST

/* ---- rows one by one ---- */

START_TEST(rows_one_by_one)
{
	static const char *const names[] = { "height", "hair" };
	static const enum column_type types[] = { TYPE_NUMBER, TYPE_CATEGORY };
	const struct table_cell rows[][2] = {
		{ { TABLE_NUMBER, 1.5, NULL, 0 }, { .kind = TABLE_TEXT, .text = "brown", .size = 5 } },
		{ { .kind = TABLE_MISSING }, { .kind = TABLE_NUMBER, .number = 3 } },
		{ { TABLE_NUMBER, 0.1, NULL, 0 },
				{ .kind = TABLE_NUMBER, .number = 3, .text = "3.0", .size = 3 } },
		{ { TABLE_NUMBER, 2, NULL, 0 }, { .kind = TABLE_TEXT, .text = NULL, .size = 0 } },
	};
	struct table_cell wrong[2] = { { .kind = TABLE_TEXT, .text = "tall", .size = 4 },
		{ .kind = TABLE_MISSING } };
	struct reading r = { 0 };
	char *found;

	r.to = sink_of(&r.sink);
	ck_assert_int_eq(table_new(&r.table, names, types, 2, &r.to, &r.faults, &r.e), 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(table_add(r.table, rows[i], &r.e), 0);
	finish(&r);
	found = print_table(&r);
	ck_assert_str_eq(found, "height N: 1.5 - 0.1 2 |\nhair C: brown 3 3.0  |");
	free(found);
	ck_assert_int_ne(table_add(r.table, rows[0], &r.e), 0); /* it has ended */
	clear(&r);
	r.to = sink_of(&r.sink);
	ck_assert_int_eq(table_new(&r.table, names, types, 2, &r.to, &r.faults, &r.e), 0);
	ck_assert_int_eq(table_add(r.table, wrong, &r.e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(r.e.text, "height"));
	ck_assert_int_eq(table_end(r.table, &r.e), ERR_INVALID);
	table_free(r.table);
	ck_assert_int_eq(table_new(&r.table, names, types, 0, &r.to, &r.faults, &r.e), ERR_RANGE);
	ck_assert_ptr_null(r.table);
	ck_assert_int_eq(table_new(&r.table, names, types, 2, &r.to, &r.faults, &r.e), 0);
	wrong[0] = (struct table_cell){ .kind = TABLE_NUMBER, .number = INFINITY };
	ck_assert_int_eq(table_add(r.table, wrong, &r.e), ERR_RANGE);
	table_free(r.table);
}
END_TEST

/* Where a value just fit, 8 bytes more were taken without a look, and after that there was no end to the budget. */
START_TEST(dictionaries_keep_to_their_budget)
{
	for (size_t max = 0; max < 4096; max++) {
		struct budget budget = { 0, max };
		struct values values = { 0 };
		char text[24];
		uint32_t code;
		int rc = 0;

		for (int i = 0; !rc; i++) {
			rc = values_code(&values, &budget, text, (size_t)sprintf(text, "value %d", i), &code);
			ck_assert_uint_le(budget.used, max);
		}
		ck_assert_int_eq(rc, ERR_TOO_LARGE);
		values_free(&values, &budget);
		ck_assert_uint_eq(budget.used, 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { types_follow_from_cells, missing_words, types_that_are_said,
		late_words, faults_in_cells, many_faults, long_names_are_cut_at_characters, no_rows,
		the_sink_may_fail, dictionaries_grow, dictionaries_end, many_columns, rows_one_by_one,
		dictionaries_keep_to_their_budget, NULL };

	return suite_main("table", tests, 60);
}
