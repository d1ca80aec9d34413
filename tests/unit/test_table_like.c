/* test_table_like.c - a table that goes on from an earlier revision is what the whole body would have made. */
#include <math.h>
#include <string.h>

#include "tests/unit/table_reading.h"

#define TYPES  "zip:category,day:date,yes:boolean,id:ignore"
#define HEADER "n,zip,mixed,day,yes,id\n"

static const char first[] = HEADER "1,1.50,a,2024-02-29,yes,q\n"
				   "0.25,1.5,2.50,2024-03-01,no,q\n"
				   ",x,,NA,,q\n"
				   "4,,b,2024-02-29,no,q\n";
static const char rest[] = "5,1.50,2.5,1999-01-01,no,q\n"
			   "5,new,3.0,2024-02-29,,q\n"
			   "-7,,a,,yes,q\n";
/* The same rows, their columns in another order. */
static const char second[] = "yes,n,mixed,day,id,zip\n"
			     "no,5,2.5,1999-01-01,q,1.50\n"
			     ",5,3.0,2024-02-29,q,new\n"
			     "yes,-7,a,,q,\n";

/* Opens r as what goes on from `from`, with as few rows a group. */
static void go_on(struct reading *r, const struct reading *from, const struct how *how)
{
	const struct memory_sink *sink = &from->sink;
	const unsigned char *segments[8];
	size_t sizes[8];

	memset(r, 0, sizeof *r);
	r->to = sink_of(&r->sink);
	ck_assert_int_eq(table_new_csv(&r->table, NULL, &r->to, &r->faults, &r->e), 0);
	r->table->group_bytes = how->columns * (8 + 8 * how->group_rows);
	ck_assert_int_eq(table_like(r->table, from->columns, &r->e), 0);
	for (size_t i = 0; i < sink->columns; i++)
		if (sink->dictionaries[i].data)
			ck_assert_int_eq(table_like_dictionary(r->table, i, sink->dictionaries[i].data,
							 sink->dictionaries[i].size, &r->e),
					0);
	for (size_t group = 0; group < sink->groups; group++) {
		for (size_t i = 0; i < sink->columns; i++) {
			segments[i] = sink->segments[group * sink->columns + i].data;
			sizes[i] = sink->segments[group * sink->columns + i].size;
		}
		ck_assert_int_eq(table_like_group(r->table, segments, sizes, &r->e), 0);
		for (size_t i = 0; i < sink->columns; i++) { /* as a store that shares the group has it */
			struct piece copy = { 0 };

			piece_set(&copy, segments[i], sizes[i]);
			r->sink.columns = sink->columns;
			r->sink.segments = realloc(r->sink.segments,
					(group + 1) * sink->columns * sizeof *r->sink.segments);
			r->sink.segments[group * sink->columns + i] = copy;
		}
		r->sink.groups = group + 1;
	}
}

START_TEST(goes_on)
{
	const struct how how = { .types = TYPES, .group_rows = 2, .columns = 6 };
	struct reading whole, before, after;
	char text[sizeof first + sizeof rest], *expected, *found;

	snprintf(text, sizeof text, "%s%s", first, rest);
	read_csv(&whole, text, &how);
	read_csv(&before, first, &how);
	ck_assert_int_eq(whole.rc, 0);
	for (size_t step = 0; step < 9; step += 4) {
		go_on(&after, &before, &how);
		feed(&after, second, strlen(second), step);
		finish(&after);
		ck_assert_int_eq(after.rc, 0);
		expected = print_table(&whole);
		found = print_table(&after);
		ck_assert_str_eq(found, expected);
		free(expected);
		free(found);
		expected = json_dumps(whole.columns, JSON_COMPACT);
		found = json_dumps(after.columns, JSON_COMPACT);
		ck_assert_str_eq(found, expected);
		ck_assert_uint_eq(table_rows(after.table), 7);
		ck_assert_uint_eq(table_groups(after.table), 4);
		free(expected);
		free(found);
		clear(&after);
	}
	clear(&before);
	clear(&whole);
}
END_TEST

/* Other columns and cells that the types do not take are faults, and nothing comes of it. */
START_TEST(what_does_not_fit)
{
	static const struct {
		const char *text, *details[3];
		uint64_t line, column;
	} all[] = {
		{ "n,zip,mixed,day,yes,idd\n1,1,1,,,\n",
				{ "\"idd\" is not a column of the data set; did you mean \"id\"?",
						"the column \"id\" is not there" },
				1, 6 },
		{ "n,zip\n1,2\n", { "\"mixed\"", "\"day\"", "\"yes\"" }, 1, 0 },
		{ HEADER "1,x,y,,,\nlate,x,y,,,\n", { "\"late\" is in the column \"n\", which is a number" },
				3, 1 },
		{ HEADER "1,x,y,soon,maybe,\n", { "\"soon\"", "\"maybe\"" }, 2, 4 },
	};
	const struct how how = { .types = TYPES, .group_rows = 2, .columns = 6 };
	struct reading before, after;

	read_csv(&before, first, &how);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		go_on(&after, &before, &how);
		feed(&after, all[i].text, strlen(all[i].text), 0);
		finish(&after);
		ck_assert_int_eq(after.rc, ERR_INVALID);
		ck_assert_uint_eq(after.faults.items[0].line, all[i].line);
		ck_assert_uint_eq(after.faults.items[0].column, all[i].column);
		for (size_t k = 0; k < 3 && all[i].details[k]; k++)
			ck_assert_ptr_nonnull(strstr(after.faults.items[k].detail, all[i].details[k]));
		clear(&after);
	}
	clear(&before);
}
END_TEST

START_TEST(what_is_damaged)
{
	const unsigned char *segments[2];
	size_t sizes[2];
	struct reading before, r = { 0 };
	json_t *none = json_array(), *wrong = json_pack("[{s:s,s:s}]", "name", "a", "type", "colour");

	read_csv(&before, "a,b\n1,x\n2,y\n", &(struct how){ 0 });
	for (int i = 0; i < 2; i++) {
		r.to = sink_of(&r.sink);
		ck_assert_int_eq(table_new_csv(&r.table, NULL, &r.to, &r.faults, &r.e), 0);
		ck_assert_int_eq(table_like(r.table, i ? wrong : none, &r.e), ERR_CORRUPT);
		table_free(r.table);
	}
	ck_assert_int_eq(table_new_csv(&r.table, NULL, &r.to, &r.faults, &r.e), 0);
	ck_assert_int_eq(table_like(r.table, before.columns, &r.e), 0);
	for (int i = 0; i < 2; i++) {
		segments[i] = before.sink.segments[i].data;
		sizes[i] = before.sink.segments[i].size;
	}
	ck_assert_int_eq(table_like_group(r.table, segments, sizes, &r.e), ERR_CORRUPT); /* no values */
	ck_assert_int_eq(table_like_dictionary(r.table, 1, segments[1], sizes[1], &r.e), ERR_CORRUPT);
	table_free(r.table);
	clear(&before);
	json_decref(none);
	json_decref(wrong);
}
END_TEST

/* A column gets another type in a table of its own, whose groups are cut where those of the others were. */
START_TEST(another_type)
{
	static const char *const names[] = { "day" };
	static const enum column_type date = TYPE_DATE;
	static const char *const cells[] = { "2024-02-29", "", "1970-01-02", "1970-01-01", "NA" };
	struct reading r = { 0 };
	char *found;

	r.to = sink_of(&r.sink);
	for (int faulty = 0; faulty < 2; faulty++, r = (struct reading){ .to = r.to }) {
		ck_assert_int_eq(table_new(&r.table, names, &date, 1, &r.to, &r.faults, &r.e), 0);
		for (size_t i = 0; i < 5; i++) {
			const char *text = faulty && i == 3 ? "soon" : cells[i];
			struct csv_cell cell = { text, strlen(text), false };

			ck_assert_int_eq(table_add_texts(r.table, &cell, i + 1, &r.e), 0);
			if (i == 1 || i == 2) ck_assert_int_eq(table_cut(r.table, &r.e), 0);
		}
		finish(&r);
		if (faulty) {
			ck_assert_int_eq(r.rc, ERR_INVALID);
			ck_assert_uint_eq(r.faults.items[0].line, 4);
		} else {
			found = print_table(&r);
			ck_assert_str_eq(found, "day N: 1709164800 - |86400 |0 - |");
			free(found);
		}
		clear(&r);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { goes_on, what_does_not_fit, what_is_damaged, another_type, NULL };

	return suite_main("table_like", tests, 60);
}
