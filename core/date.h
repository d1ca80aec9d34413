/* date.h - points in time as ISO 8601 writes them, as seconds since 1970-01-01T00:00:00Z, and what a calendar says of
 * them. The calendar is the Gregorian one of ISO 8601, before 1582 too; there are no leap seconds.
 */
#ifndef DESCENT_DATE_H
#define DESCENT_DATE_H

#include <stdbool.h>
#include <stddef.h>

#define DATE_PRINT_MAX 32 /* with its NUL */

/* Reads all n bytes of text: 2024-02-29, or with a time of day behind a T or a space: 2024-02-29T13:05,
 * 2024-02-29 13:05:09.5, then nothing, Z, +01:00, +0100 or +01. Without an offset it is UTC. Years are 0001 to 9999. false: it is none. */
bool date_read(const char *text, size_t n, double *seconds);
/* 2024-02-29, or 2024-02-29T13:05:09Z, with milliseconds where there are any; text of 0 length for what lies outside
 * the years above. Ends in NUL; returns the length without it. */
size_t date_print(double seconds, char out[DATE_PRINT_MAX]);

struct date_parts {
	int year, month, day; /* month and day from 1 */
	int weekday;          /* 0: Monday */
	double hour;          /* [0, 24) with its fraction */
};
/* Of a finite time within the years above. */
void date_split(double seconds, struct date_parts *out);

#endif
