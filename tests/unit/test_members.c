/* test_members.c - the members of an object by name, straight from its text. */
#include <string.h>

#include "server/codec/members.h"
#include "tests/unit/suite.h"

static const char *const names[] = { "instances", "inputs", "signature_name", NULL };
static struct scan_value found[3];
static struct faults faults;

static void reads(const char *text)
{
	struct scan_value value;
	struct err e;

	ck_assert_msg(!scan_check(text, strlen(text), &value, &e), "%s: %s", text, e.text);
	memset(&faults, 0, sizeof faults);
	memset(found, 1, sizeof found);
	members_read(value, names, found, "/body", &faults);
}

static void is_member(size_t i, const char *text)
{
	if (!text) {
		ck_assert_ptr_null(found[i].at);
		return;
	}
	ck_assert_ptr_nonnull(found[i].at);
	ck_assert_uint_eq((size_t)(found[i].end - found[i].at), strlen(text));
	ck_assert(!memcmp(found[i].at, text, strlen(text)));
}

static void is_fault(size_t i, enum err_code code, const char *pointer, const char *detail)
{
	ck_assert_uint_gt(faults.count, i);
	ck_assert_int_eq(faults.items[i].code, code);
	ck_assert_str_eq(faults.items[i].pointer, pointer);
	ck_assert_str_eq(faults.items[i].detail, detail);
}

START_TEST(what_is_there)
{
	reads(" { \"inputs\" : [1, 2] , \"instances\":{\"inputs\":3} } ");
	ck_assert_uint_eq(faults.count, 0);
	is_member(0, "{\"inputs\":3}");
	is_member(1, "[1, 2]");
	is_member(2, NULL);
	reads("{\"\\u0069nputs\":null}"); /* a name may be spelled with escapes */
	ck_assert_uint_eq(faults.count, 0);
	is_member(1, "null");
	reads("{}");
	ck_assert_uint_eq(faults.count, 0);
	for (size_t i = 0; i < 3; i++)
		is_member(i, NULL);
}
END_TEST

START_TEST(what_is_wrong)
{
	reads("{\"inputs\":1,\"input\":2,\"inputs\":3,\"a/b\":4,\"instances\":5}");
	ck_assert_uint_eq(faults.count, 3);
	is_fault(0, ERR_UNKNOWN_FIELD, "/body/input", "there is no such field; did you mean \"inputs\"?");
	is_fault(1, ERR_DUPLICATE_KEY, "/body/inputs", "is there twice");
	is_fault(2, ERR_UNKNOWN_FIELD, "/body/a~1b",
			"there is no such field; there are: instances, inputs, signature_name");
	is_member(0, "5");
	is_member(1, "1");
	reads("[1]");
	ck_assert_uint_eq(faults.count, 1);
	is_fault(0, ERR_INVALID, "/body", "must be an object");
	for (size_t i = 0; i < 3; i++)
		is_member(i, NULL);
}
END_TEST

START_TEST(long_names)
{
	char text[3000] = "{\"";

	memset(text + 2, 'x', 2900);
	strcpy(text + 2902, "\":1}");
	reads(text);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_uint_lt(strlen(faults.items[0].pointer), FAULT_POINTER_BYTES);
}
END_TEST

START_TEST(flags_and_whole_numbers)
{
	uint64_t number = 7;

	reads("{\"instances\":true,\"inputs\":12,\"signature_name\":1.5}");
	ck_assert(member_flag(found[0], "/a", &faults));
	ck_assert(!member_flag((struct scan_value){ 0 }, "/a", &faults));
	member_whole((struct scan_value){ 0 }, "/b", 1, 20, &number, &faults);
	ck_assert_uint_eq(number, 7);
	member_whole(found[1], "/b", 1, 20, &number, &faults);
	ck_assert_uint_eq(number, 12);
	ck_assert_uint_eq(faults.count, 0);
	member_flag(found[1], "/a", &faults);
	member_whole(found[0], "/b", 1, 20, &number, &faults);
	member_whole(found[1], "/b", 1, 11, &number, &faults);
	member_whole(found[1], "/b", 13, 20, &number, &faults);
	member_whole(found[2], "/b", 0, 20, &number, &faults);
	ck_assert_uint_eq(number, 12);
	ck_assert_uint_eq(faults.count, 5);
	is_fault(0, ERR_INVALID, "/a", "must be true or false");
	is_fault(1, ERR_INVALID, "/b", "must be a whole number");
	is_fault(2, ERR_RANGE, "/b", "must be at least 1 and at most 11");
	is_fault(3, ERR_RANGE, "/b", "must be at least 13 and at most 20");
	is_fault(4, ERR_INVALID, "/b", "must be a whole number");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_is_there, what_is_wrong, long_names, flags_and_whole_numbers,
		NULL };

	return suite_main("members", tests, 10);
}
