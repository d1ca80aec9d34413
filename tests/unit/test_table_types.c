/* test_table_types.c - columns of every type: what their cells are, what is refused, what is said of them. */
#include <math.h>
#include <string.h>

#include "tests/unit/table_reading.h"

/* ---- ?types ---- */

START_TEST(faults_in_types)
{
	check_faults("age,b\nx,1\n", "agee:number,age:number,b:number,b:category",
			(struct expected_fault[]){
					{ ERR_INVALID, "?types", 0, 0, "did you mean \"age\"?" },
					{ ERR_INVALID, "?types", 0, 0, "\"b\" is there twice" },
					{ ERR_INVALID, "", 2, 1, "\"x\"" },
					{ 0 },
			});
	check_faults("", "age,:number,age:integer,b:nubmer,",
			(struct expected_fault[]){
					{ ERR_INVALID, "?types", 0, 0,
							"\"age\" is not a column's type; write the column" },
					{ ERR_INVALID, "?types", 0, 0, "\":number\"" },
					{ ERR_INVALID, "?types", 0, 0,
							"\"integer\" is not a type; the types are number, category, boolean, date and ignore" },
					{ ERR_INVALID, "?types", 0, 0,
							"\"nubmer\" is not a type; did you mean \"number\"?" },
					{ ERR_INVALID, "?types", 0, 0, "\"\" is not" },
					{ 0 },
			});
}
END_TEST

/* ---- cells ---- */

/* Every way to write true and false; missing cells in between; codes are 0 and 1 whatever comes first. */
START_TEST(booleans)
{
	check("a,b\ntrue,1\nTRUE,2\nT,3\nyes,4\nY,5\non,6\n1,7\n,8\nfalse,9\nF,1\nNo,1\nn,1\nOFF,1\n0,1\nNA,1\n",
			(struct how){ .types = "a:boolean", .group_rows = 4, .columns = 2 },
			"a C: true true true true |true true true - |false false false false |false false - |\n"
			"b N: 1 2 3 4 |5 6 7 8 |9 1 1 1 |1 1 1 |");
	check("a,b\n1,1\n", (struct how){ .types = "a:boolean" }, "a C: true |\nb N: 1 |");
	check_faults("b,a\n1,yes\n2,maybe\n3,2\n4,\n", "a:boolean",
			(struct expected_fault[]){
					{ ERR_INVALID, "", 3, 2,
							"\"maybe\" is in the column \"a\", which ?types makes a "
							"boolean; write true or false" },
					{ ERR_INVALID, "", 4, 2, "\"2\"" },
					{ 0 },
			});
}
END_TEST

/* 2024-02-29 is 19782 days after 1970-01-01 (date -d). */
START_TEST(dates)
{
	check("day,n\n1970-01-01,1\n2024-02-29,2\n,3\n1969-12-31T23:59:59.5Z,4\n2024-02-29T13:05+01:00,5\n",
			(struct how){ .types = "day:date", .group_rows = 2, .columns = 2 },
			"day N: 0 1709164800 |- -0.5 |1709208300 |\nn N: 1 2 |3 4 |5 |");
	check_faults("n,day\n1,2024-02-30\n2,29.2.2024\n3,5\n4,0001-01-01T00:00+01:00\n5,2024-02-29\n",
			"day:date",
			(struct expected_fault[]){
					{ ERR_INVALID, "", 2, 2,
							"\"2024-02-30\" is in the column \"day\", which ?types makes a "
							"date; write dates like 2024-02-29 or 2024-02-29T13:05:00Z" },
					{ ERR_INVALID, "", 3, 2, "\"29.2.2024\"" },
					{ ERR_INVALID, "", 4, 2, "\"5\"" },
					{ ERR_INVALID, "", 5, 2, "\"0001-01-01T00:00+01:00\"" },
					{ 0 },
			});
}
END_TEST

/* Nothing of an ignored column is kept or judged: one byte a row says that it is missing. */
START_TEST(ignored)
{
	struct reading r;

	check("a,b,c\nx,1,1e999\n2,y,3\n",
			(struct how){ .types = "a:ignore,c:ignore", .group_rows = 1, .columns = 3 },
			"a C: - |- |\nb C: 1 |y |\nc C: - |- |");
	read_csv(&r, "a\nx\ny\n", &(struct how){ .types = "a:ignore" });
	ck_assert_uint_eq(r.sink.segments[0].size, SEGMENT_HEADER_BYTES + 2);
	ck_assert_uint_eq(r.table->values.used, 0);
	clear(&r);
}
END_TEST

/* ---- rows that come one by one ---- */

static const struct table_cell yes = { TABLE_BOOLEAN, .number = 1 }, no = { TABLE_BOOLEAN, .number = 0 },
			       five = { TABLE_NUMBER, .number = 5 },
			       word = { TABLE_TEXT, .text = "on", .size = 2 },
			       none = { .kind = TABLE_MISSING };

/* One column of cells; what becomes of it as text, or the sentence. New (free). */
static char *add_cells(
		struct reading *r, const enum column_type *type, const struct table_cell *cells, size_t count)
{
	static const char *const names[] = { "c" };

	memset(r, 0, sizeof *r);
	r->to = sink_of(&r->sink);
	ck_assert_int_eq(table_new(&r->table, names, type, 1, &r->to, &r->faults, &r->e), 0);
	for (size_t i = 0; i < count && !r->rc; i++)
		r->rc = table_add(r->table, &cells[i], &r->e);
	finish(r);
	return print_table(r);
}

START_TEST(cells_of_a_kind)
{
	const struct expected {
		enum column_type type;
		struct table_cell cells[4];
		const char *text;
	} all[] = {
		{ TYPE_BOOLEAN, { yes, word, none, no }, "c C: true true - false |" },
		{ TYPE_BOOLEAN, { { TABLE_NUMBER, .number = 1 }, { TABLE_NUMBER, .number = 0 }, none, yes },
				"c C: true false - true |" },
		{ TYPE_CATEGORY, { yes, word, none, five }, "c C: true on - 5 |" },
		{ TYPE_DATE, { five, { TABLE_TEXT, .text = "1970-01-02", .size = 10 }, none, five },
				"c N: 5 86400 - 5 |" },
		{ TYPE_IGNORE, { five, yes, none, word }, "c C: - - - - |" },
		{ TYPE_NUMBER, { five, yes },
				"2 the column \"c\" is a number, but here is a boolean; correct the cell or the type" },
		{ TYPE_BOOLEAN, { five },
				"2 the column \"c\" is a boolean, but here is a number; write true or false (yes/no, on/off, t/f, y/n, 1/0 will do)" },
		{ TYPE_DATE, { word },
				"2 the column \"c\" is a date, but here is \"on\"; write dates like 2024-02-29 or 2024-02-29T13:05:00Z" },
		{ TYPE_DATE, { { TABLE_NUMBER, .number = 1e15 } },
				"2 the column \"c\" is a date, but here is a number; write dates like 2024-02-29 or 2024-02-29T13:05:00Z" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct reading r;
		char *found = add_cells(&r, &all[i].type, all[i].cells, 4);

		if (r.rc) ck_assert_int_eq(r.rc, ERR_INVALID);
		ck_assert_str_eq(found, all[i].text);
		free(found);
		clear(&r);
	}
}
END_TEST

/* An undeclared column is a boolean while all its cells are, in whatever group they come. */
START_TEST(undeclared_booleans)
{
	const struct expected {
		struct table_cell cells[4];
		enum column_type type;
		const char *text;
	} all[] = {
		{ { none, yes, no, yes }, TYPE_BOOLEAN, "c C: - |true |false |true |" },
		{ { none, none, yes, five }, TYPE_CATEGORY, "c C: - |- |true |5 |" },
		{ { yes, word, no, none }, TYPE_CATEGORY, "c C: true |on |false |- |" },
		{ { five, none, no, yes }, TYPE_CATEGORY, "c C: 5 |- |false |true |" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		static const char *const names[] = { "c" };
		const enum column_type type = TYPE_NUMBER;
		struct reading r = { 0 };
		char *found;

		r.to = sink_of(&r.sink);
		ck_assert_int_eq(table_new(&r.table, names, &type, 1, &r.to, &r.faults, &r.e), 0);
		r.table->columns[0].declared = false;
		r.table->group_rows = 1;
		for (size_t k = 0; k < 4; k++)
			ck_assert_int_eq(table_add(r.table, &all[i].cells[k], &r.e), 0);
		finish(&r);
		found = print_table(&r);
		ck_assert_str_eq(found, all[i].text);
		ck_assert_str_eq(json_string_value(at(&r, 0, "type")), column_type_name(all[i].type));
		free(found);
		clear(&r);
	}
}
END_TEST

/* ---- descriptions ---- */

static void check_description(const char *text, const char *types, size_t column, const char *expected)
{
	struct reading r;
	char *found;

	read_csv(&r, text, &(struct how){ .types = types });
	ck_assert_int_eq(r.rc, 0);
	found = json_dumps(json_array_get(r.columns, column), JSON_COMPACT);
	ck_assert_str_eq(found, expected);
	free(found);
	clear(&r);
}

START_TEST(what_is_said)
{
	check_description("a,b\n1,yes\n2,YES\n3,\n", "b:boolean", 1,
			"{\"name\":\"b\",\"type\":\"boolean\",\"missing\":1,\"distinct\":1,"
			"\"values\":[{\"value\":\"true\",\"count\":2}]}");
	check_description("a,b\n1,yes\n2,x\n3,\n", "b:ignore", 1, "{\"name\":\"b\",\"type\":\"ignore\"}");
}
END_TEST

/* A category of nothing but dates says how it becomes dates, unless it was meant to be a category. */
START_TEST(hints)
{
	static const struct {
		const char *text, *types;
		bool hint;
	} all[] = {
		{ "day\n2024-02-29\nNA\n2024-03-01\n", NULL, true },
		{ "day\n2024-02-29\n2024-02-30\n", NULL, false },
		{ "day\n2024-02-29\n", "day:category", false },
		{ "day\nNA\n", NULL, false },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct reading r;

		read_csv(&r, all[i].text, &(struct how){ .types = all[i].types });
		ck_assert_int_eq(r.rc, 0);
		ck_assert_int_eq(at(&r, 0, "hint") != NULL, all[i].hint);
		if (all[i].hint)
			ck_assert_ptr_nonnull(
					strstr(json_string_value(at(&r, 0, "hint")), "?types=day:date"));
		clear(&r);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { faults_in_types, booleans, dates, ignored, cells_of_a_kind,
		undeclared_booleans, what_is_said, hints, NULL };

	return suite_main("table_types", tests, 60);
}
