/* date.c - ISO 8601 to seconds and back. See date.h.
 *
 * Days are counted by arithmetic on years that begin in March, so that the leap day is the last of its year: no table
 * of months, no loop, and every day of the range is tested against the one before it.
 */
#include "core/date.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DAY_SECONDS   86400.0
#define YEAR_MAX      9999
#define CYCLE_YEARS   400    /* of the Gregorian calendar */
#define CYCLE_DAYS    146097 /* in those */
#define EPOCH_DAYS    719468 /* from 0000-03-01 to 1970-01-01 */
#define EPOCH_WEEKDAY 3      /* a Thursday */
#define OFFSET_MAX    (24 * 60)
#define FRACTION_MOST 9 /* digits of a second that are read */
#define MILLIS        1000.0

/* Days before month m (0: March) of such a year. */
static long days_before(long m)
{
	return (153 * m + 2) / 5;
}

static long days_of(long year, long month, long day)
{
	long y = month > 2 ? year : year - 1, m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + days_before(m) + day - 1 - EPOCH_DAYS;
}

/* The day that a count of days is; the inverse of days_of. */
static void day_of(long days, struct date_parts *out)
{
	long n = days + EPOCH_DAYS, cycle = n / CYCLE_DAYS, in_cycle = n % CYCLE_DAYS;
	long y = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
	long in_year = in_cycle - (365 * y + y / 4 - y / 100), m = (5 * in_year + 2) / 153;

	out->day = (int)(in_year - days_before(m) + 1);
	out->month = (int)(m < 10 ? m + 3 : m - 9);
	out->year = (int)(cycle * CYCLE_YEARS + y + (m >= 10));
	out->weekday = (int)(((days + EPOCH_WEEKDAY) % 7 + 7) % 7);
}

static long month_days(long year, long month)
{
	long next = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);

	return next - days_of(year, month, 1);
}

/* ---- reading ---- */

struct text {
	const char *at, *end;
};

static bool take_char(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c) return false;
	t->at++;
	return true;
}

/* Exactly `digits` digits, in [low, high]. */
static bool take_number(struct text *t, int digits, long low, long high, long *out)
{
	*out = 0;
	for (int i = 0; i < digits; i++) {
		if (t->at == t->end || *t->at < '0' || *t->at > '9') return false;
		*out = *out * 10 + (*t->at++ - '0');
	}
	return *out >= low && *out <= high;
}

static bool take_fraction(struct text *t, double *out)
{
	double place = 0.1;
	int digits = 0;

	for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++, digits++, place /= 10)
		*out += (*t->at - '0') * place;
	return digits > 0 && digits <= FRACTION_MOST;
}

/* HH:MM, seconds and a fraction of them behind it where they are. */
static bool take_clock(struct text *t, double *out)
{
	long hour, minute, second = 0;
	double fraction = 0;

	if (!take_number(t, 2, 0, 23, &hour) || !take_char(t, ':') || !take_number(t, 2, 0, 59, &minute))
		return false;
	if (take_char(t, ':')) {
		if (!take_number(t, 2, 0, 59, &second)) return false;
		if (take_char(t, '.') && !take_fraction(t, &fraction)) return false;
	}
	*out = (double)(hour * 3600 + minute * 60 + second) + fraction;
	return true;
}

static bool take_offset(struct text *t, double *out)
{
	long hour, minute = 0;
	bool east;

	*out = 0;
	if (t->at == t->end || take_char(t, 'Z')) return true;
	east = take_char(t, '+');
	if (!east && !take_char(t, '-')) return false;
	if (!take_number(t, 2, 0, 23, &hour)) return false;
	if (t->at < t->end) {
		take_char(t, ':');
		if (!take_number(t, 2, 0, 59, &minute)) return false;
	}
	*out = (double)(hour * 60 + minute) * (east ? 60 : -60);
	return true;
}

bool date_read(const char *text, size_t n, double *seconds)
{
	struct text t = { text, text + n };
	double clock = 0, offset = 0;
	long year, month, day;

	if (!take_number(&t, 4, 1, YEAR_MAX, &year) || !take_char(&t, '-') ||
			!take_number(&t, 2, 1, 12, &month) || !take_char(&t, '-') ||
			!take_number(&t, 2, 1, month_days(year, month), &day))
		return false;
	if (t.at < t.end) {
		if (!take_char(&t, 'T') && !take_char(&t, ' ')) return false;
		if (!take_clock(&t, &clock) || !take_offset(&t, &offset)) return false;
	}
	*seconds = (double)days_of(year, month, day) * DAY_SECONDS + clock - offset;
	return t.at == t.end;
}

/* ---- what a calendar says ---- */

void date_split(double seconds, struct date_parts *out)
{
	double days = floor(seconds / DAY_SECONDS);

	day_of((long)days, out);
	out->hour = (seconds - days * DAY_SECONDS) / 3600;
}

size_t date_print(double seconds, char out[DATE_PRINT_MAX])
{
	double rounded = rint(seconds * MILLIS) / MILLIS, in_day;
	struct date_parts parts;
	long millis;
	int n;

	out[0] = 0;
	if (!(rounded >= (double)days_of(1, 1, 1) * DAY_SECONDS &&
			    rounded < (double)days_of(YEAR_MAX + 1, 1, 1) * DAY_SECONDS))
		return 0;
	date_split(rounded, &parts);
	in_day = rounded - floor(rounded / DAY_SECONDS) * DAY_SECONDS;
	millis = lrint(in_day * MILLIS);
	n = snprintf(out, DATE_PRINT_MAX, "%04d-%02d-%02d", parts.year % 10000, parts.month % 100,
			parts.day % 100);
	if (!millis) return (size_t)n;
	n += snprintf(out + n, DATE_PRINT_MAX - (size_t)n, "T%02ld:%02ld:%02ld", millis / 3600000 % 24,
			millis / 60000 % 60, millis / 1000 % 60);
	if (millis % 1000) n += snprintf(out + n, DATE_PRINT_MAX - (size_t)n, ".%03ld", millis % 1000);
	n += snprintf(out + n, DATE_PRINT_MAX - (size_t)n, "Z");
	return (size_t)n;
}
