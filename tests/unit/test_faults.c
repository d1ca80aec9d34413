/* test_faults.c - faults of a request: pointers, the sentence of the first, and what was probably meant. */
#include <stdio.h>
#include <string.h>

#include "server/codec/faults.h"
#include "server/utf8.h"
#include "tests/unit/suite.h"

static struct faults faults;
static struct err e;

static const char *joined(const char *pointer, const char *name)
{
	static char out[FAULT_POINTER_BYTES];

	return pointer_join(out, pointer, name);
}

START_TEST(pointers)
{
	char at[FAULT_POINTER_BYTES] = "";

	ck_assert_str_eq(joined("", "layers"), "/layers");
	ck_assert_str_eq(joined("/layers", "a/b~c"), "/layers/a~1b~0c");
	ck_assert_str_eq(joined("/layers", ""), "/layers/");
	ck_assert_str_eq(pointer_join(at, at, "layers"), "/layers"); /* in place */
	ck_assert_str_eq(pointer_index(at, at, 0), "/layers/0");
	ck_assert_str_eq(pointer_index(at, "", 18446744073709551615u), "/18446744073709551615");
}
END_TEST

START_TEST(long_pointers_are_cut)
{
	char name[2 * FAULT_POINTER_BYTES], at[FAULT_POINTER_BYTES] = "";

	memset(name, '~', sizeof name - 1);
	name[sizeof name - 1] = 0;
	for (int i = 0; i < 5; i++) {
		pointer_join(at, at, name);
		ck_assert_uint_lt(strlen(at), FAULT_POINTER_BYTES);
	}
	for (size_t i = 0; i + 1 < sizeof name; i += 2)
		memcpy(name + i, "é", 2);
	name[sizeof name - 2] = 0;
	for (int shift = 0; shift < 2; shift++) { /* one of the two cuts a character in half */
		struct fault *fault = faults_add(&faults, ERR_INVALID, joined(shift ? "/x" : "", name),
				"%s%s%s", shift ? "x" : "", name, name);

		ck_assert_uint_eq(utf8_valid(fault->pointer, strlen(fault->pointer)), strlen(fault->pointer));
		ck_assert_uint_eq(utf8_valid(fault->detail, strlen(fault->detail)), strlen(fault->detail));
		ck_assert_uint_gt(strlen(fault->pointer), FAULT_POINTER_BYTES - 8);
		ck_assert_uint_gt(strlen(fault->detail), FAULT_DETAIL_BYTES - 8);
	}
}
END_TEST

START_TEST(sentences)
{
	static const struct {
		const char *pointer, *sentence;
	} cases[] = {
		{ "", "is bad" },
		{ "/layers", "layers: is bad" },
		{ "/layers/1/units", "layers[1].units: is bad" },
		{ "/0", "[0]: is bad" },
		{ "/data/inputs/3/0", "data.inputs[3][0]: is bad" },
		{ "/a/x1", "a.x1: is bad" },
		{ "/metadata/1st", "metadata.1st: is bad" },
		{ "?types", "?types: is bad" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct faults one = { 0 };

		faults_add(&one, ERR_RANGE, cases[i].pointer, "is %s", "bad");
		ck_assert_int_eq(faults_result(&one, &e), ERR_RANGE);
		ck_assert_str_eq(e.text, cases[i].sentence);
	}
}
END_TEST

START_TEST(places_in_csv)
{
	struct fault *fault = faults_add(&faults, ERR_CSV, "/x", "is open");

	fault->line = 3;
	ck_assert_int_eq(faults_result(&faults, &e), ERR_CSV);
	ck_assert_str_eq(e.text, "line 3: is open");
	fault->column = 7;
	faults_result(&faults, &e);
	ck_assert_str_eq(e.text, "line 3, column 7: is open");
}
END_TEST

START_TEST(the_first_of_many)
{
	ck_assert_int_eq(faults_result(&faults, &e), 0);
	for (size_t i = 0; i < FAULTS_MAX; i++) {
		ck_assert_ptr_nonnull(
				faults_add(&faults, i ? ERR_INVALID : ERR_UNKNOWN_FIELD, "/a", "is %zu", i));
		ck_assert_int_eq(faults_result(&faults, &e), ERR_UNKNOWN_FIELD);
		if (i == 1) ck_assert_str_eq(e.text, "a: is 0 (and 1 more fault)");
	}
	ck_assert_ptr_null(faults_add(&faults, ERR_INVALID, "/a", "is too many"));
	ck_assert_ptr_null(faults_add(&faults, ERR_INVALID, "/a", "is too many"));
	ck_assert_uint_eq(faults.count, FAULTS_MAX);
	ck_assert_uint_eq(faults.more, 2);
	ck_assert_str_eq(faults.items[FAULTS_MAX - 1].detail, "is 19");
	ck_assert_int_eq(faults_result(&faults, &e), ERR_UNKNOWN_FIELD);
	ck_assert_str_eq(e.text, "a: is 0 (and 21 more faults)");
}
END_TEST

START_TEST(what_was_meant)
{
	static const char *const known[] = { "units", "activation", "batch_size", "bias", "l1", "l2", NULL };
	static const struct {
		const char *name, *meant; /* NULL: nothing is near */
	} cases[] = {
		{ "unit", "units" },
		{ "Units", "units" },
		{ "untis", "units" },
		{ "batchsize", "batch_size" },
		{ "batch-size", "batch_size" },
		{ "activtion", "activation" },
		{ "actvtion", "activation" },
		{ "atvtion", NULL },
		{ "bais", "bias" },
		{ "l3", "l1" }, /* equally near: the earlier */
		{ "l", "l1" },
		{ "xy", NULL }, /* two changes of two letters are another word */
		{ "", NULL },
		{ "neurons", NULL },
		{ "wheat", NULL },
	};
	char longest[80];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *meant = did_you_mean(cases[i].name, known);

		ck_assert_msg(cases[i].meant ? meant && !strcmp(meant, cases[i].meant) : !meant, "%s: %s",
				cases[i].name, meant ? meant : "nothing");
	}
	memset(longest, 'u', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	ck_assert_ptr_null(did_you_mean(longest, known));
	ck_assert_ptr_null(did_you_mean("units", (const char *const[]){ longest, NULL }));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { pointers, long_pointers_are_cut, sentences, places_in_csv,
		the_first_of_many, what_was_meant, NULL };

	return suite_main("faults", tests, 10);
}
