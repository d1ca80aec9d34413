/* core_date.c - ISO 8601 to seconds and back, against the C library's calendar. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/date.h"
#include "tests/unit/suite.h"

static double seconds_of(const char *text)
{
	double seconds = NAN;

	ck_assert_msg(date_read(text, strlen(text), &seconds), "%s is a date", text);
	return seconds;
}

/* Every day of four hundred years and the years before 1970, by timegm, which is not ours. */
START_TEST(every_day_is_that_of_the_c_library)
{
	for (long day = -200000; day < 200000; day++) {
		time_t seconds = day * 86400;
		struct date_parts parts;
		struct tm tm;
		char text[64];

		ck_assert_ptr_nonnull(gmtime_r(&seconds, &tm));
		date_split((double)seconds, &parts);
		ck_assert_int_eq(parts.year, tm.tm_year + 1900);
		ck_assert_int_eq(parts.month, tm.tm_mon + 1);
		ck_assert_int_eq(parts.day, tm.tm_mday);
		ck_assert_int_eq(parts.weekday, (tm.tm_wday + 6) % 7);
		ck_assert_uint_eq(strftime(text, sizeof text, "%Y-%m-%d", &tm), 10);
		ck_assert_double_eq(seconds_of(text), (double)seconds);
	}
}
END_TEST

START_TEST(times_of_day_and_offsets)
{
	static const struct {
		const char *text;
		double seconds;
	} rows[] = {
		{ "1970-01-01", 0 },
		{ "1970-01-01T00:00", 0 },
		{ "1970-01-02 01:02:03", 86400 + 3723 },
		{ "1970-01-01T00:00:00.25Z", 0.25 },
		{ "1970-01-01T02:00+02:00", 0 },
		{ "1970-01-01T00:00-0130", 5400 },
		{ "1970-01-01T01:00+01", 0 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2000-02-29", 951782400 },
		{ "2024-11-05T16:30:00Z", 1730824200 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_double_eq_tol(seconds_of(rows[i].text), rows[i].seconds, 1e-9);
}
END_TEST

START_TEST(what_is_no_date)
{
	static const char *const rows[] = { "", "2024", "2024-13-01", "2024-00-01", "2024-02-30",
		"2023-02-29", "1900-02-29", "2024-1-1", "0000-01-01", "2024-01-01T", "2024-01-01T24:00",
		"2024-01-01T12", "2024-01-01T12:60", "2024-01-01T12:00:60", "2024-01-01T12:00:00.",
		"2024-01-01T12:00+", "2024-01-01T12:00 Z", "2024-01-01Z", "01.02.2024", "2024-01-01x",
		" 2024-01-01", "2024-01-01T12:00:00.1234567890", "20240101" };
	double seconds;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_msg(!date_read(rows[i], strlen(rows[i]), &seconds), "%s is none", rows[i]);
}
END_TEST

START_TEST(what_is_printed_is_read)
{
	static const double times[] = { 0, -1, 0.5, 951782400, 1730824200.125, -62135596800.0,
		253402300799.0 };
	char text[DATE_PRINT_MAX];

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		ck_assert_uint_eq(date_print(times[i], text), strlen(text));
		ck_assert_double_eq_tol(seconds_of(text), times[i], 1e-6);
	}
	date_print(951782400, text);
	ck_assert_str_eq(text, "2000-02-29");
	date_print(-0.5, text);
	ck_assert_str_eq(text, "1969-12-31T23:59:59.500Z");
	ck_assert_uint_eq(date_print(1e15, text), 0);
	ck_assert_uint_eq(date_print(NAN, text), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_day_is_that_of_the_c_library, times_of_day_and_offsets,
		what_is_no_date, what_is_printed_is_read, NULL };

	return suite_main("core_date", tests, 20);
}
