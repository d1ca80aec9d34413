/* test_trace.c - traceparent, by the examples and the rules of W3C Trace Context. */
#include <string.h>

#include "server/http/trace.h"
#include "tests/unit/suite.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

START_TEST(what_is_a_trace)
{
	static const char *const good[] = { "00-" ID "-" PARENT "-01", "00-" ID "-" PARENT "-00",
		"00-" ID "-" PARENT "-ff", "01-" ID "-" PARENT "-01",
		"cc-" ID "-" PARENT "-01-what-comes-later", "fe-" ID "-" PARENT "-01-" };
	static const char *const bad[] = { NULL, "", "00", "00-", "00-" ID, "00-" ID "-" PARENT,
		"00-" ID "-" PARENT "-", "00-" ID "-" PARENT "-0", "00-" ID "-" PARENT "-011",
		"00-" ID "-" PARENT "-01-more", "00-" ID "-" PARENT "-01 ", "ff-" ID "-" PARENT "-01",
		"0-" ID "-" PARENT "-01", "000-" ID "-" PARENT "-01", "00-" ID "0-" PARENT "-01",
		"00-" ID "-" PARENT "0-01", "cc-" ID "-" PARENT "-01x", "00_" ID "-" PARENT "-01",
		"00-" ID "_" PARENT "-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
		"00-00000000000000000000000000000000-" PARENT "-01", "00-" ID "-0000000000000000-01",
		"00-" ID "-00F067AA0BA902B7-01", "00-" ID "-" PARENT "-0G" };
	struct trace trace;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(trace_begin(good[i], &trace), "%s", good[i]);
		ck_assert_str_eq(trace.trace_id, ID);
		ck_assert_str_eq(trace.parent_id, PARENT);
		ck_assert_uint_eq(strlen(trace.span_id), SPAN_ID_DIGITS);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_msg(!trace_begin(bad[i], &trace), "%s", bad[i] ? bad[i] : "NULL");
		ck_assert_str_eq(trace.span_id, "");
	}
}
END_TEST

START_TEST(each_span_is_another)
{
	struct trace trace;
	char last[SPAN_ID_DIGITS + 1] = "", text[TRACE_TEXT_BYTES];

	for (int i = 0; i < 1000; i++) {
		ck_assert(trace_begin("00-" ID "-" PARENT "-01", &trace));
		ck_assert_str_ne(trace.span_id, last);
		ck_assert_str_ne(trace.span_id, PARENT);
		ck_assert_uint_eq(strspn(trace.span_id, "0123456789abcdef"), SPAN_ID_DIGITS);
		strcpy(last, trace.span_id);
	}
	trace_text(&trace, text);
	ck_assert(trace_begin(text, &trace)); /* ours is a traceparent to whoever comes next */
	ck_assert_str_eq(trace.trace_id, ID);
	ck_assert_str_eq(trace.parent_id, last);
	ck_assert_str_eq(trace.flags, "01");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_is_a_trace, each_span_is_another, NULL };

	return suite_main("traces", tests, 60);
}
