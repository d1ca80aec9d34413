/* rows_documents.h - makes up documents of rows, {"instances":[[1,2],[3,4]]}, in every spelling that JSON has for them,
 * and damages a share of them. Which ones are JSON, and what their numbers are, is for others to say: nothing here
 * knows it.
 *
 * Everything comes from one seed, so that a failure comes again.
 */
#ifndef TESTS_UNIT_ROWS_DOCUMENTS_H
#define TESTS_UNIT_ROWS_DOCUMENTS_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/suite.h"

#define DOCUMENT_BYTES   (1u << 15)
#define DOCUMENT_COLUMNS 6
#define DOCUMENT_ROWS    5
#define NUMBER_BYTES     800
#define DIGITS_LONG      400
#define MIDDLE_DIGITS    160 /* hold every middle between two float32, behind the point too */
#define NEST_MAX         70

enum damage { WHOLE, ODD_CELL, BROKEN_BYTES, DAMAGES };

struct document {
	char text[DOCUMENT_BYTES + 1]; /* ends in NUL, for strtof */
	size_t size, columns;
	enum damage damage;
	unsigned spaces, escapes; /* one in so many places has one; 0: none has */
	size_t odd;               /* the cell that is one, from the last */
};

/* Their keys can be written in many ways. */
static const char *const document_names[DOCUMENT_COLUMNS] = { "x0", "a/b", "k\303\274che", "a\tb \\", "\"q\"",
	"\xf0\x9d\x84\x9e clef" };

/* ---- chance ---- */

static uint64_t chance = 88172645463325252u;

static inline uint64_t any_bits(void) /* xorshift64 (Marsaglia 2003) */
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	return chance ^= chance << 17;
}

static inline unsigned any_below(unsigned n)
{
	return (unsigned)((any_bits() >> 20) % n);
}

static inline bool one_in(unsigned n)
{
	return n && !any_below(n);
}

#define ANY_OF(table) ((table)[any_below(sizeof(table) / sizeof *(table))])

/* ---- text ---- */

static inline void put(struct document *d, const char *text, size_t n)
{
	if (n > DOCUMENT_BYTES - d->size) ck_abort_msg("DOCUMENT_BYTES are too few");
	memcpy(d->text + d->size, text, n);
	d->size += n;
}

static inline void put_text(struct document *d, const char *text)
{
	put(d, text, strlen(text));
}

static inline void put_space(struct document *d)
{
	while (one_in(d->spaces))
		put(d, &" \n\r\t"[any_below(4)], 1);
}

/* A comma, a bracket or a colon, with white space on both sides. */
static inline void put_mark(struct document *d, char mark)
{
	put_space(d);
	put(d, &mark, 1);
	put_space(d);
}

static inline void put_unit(struct document *d, unsigned unit)
{
	char text[8];

	put(d, text, (size_t)snprintf(text, sizeof text, one_in(2) ? "\\u%04x" : "\\u%04X", unit));
}

/* The length of the UTF-8 character at s, which is *code. */
static inline size_t take_character(const char *s, unsigned *code)
{
	unsigned char first = (unsigned char)*s;
	size_t n = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

	*code = n == 1 ? first : first & (0x7Fu >> n);
	for (size_t i = 1; i < n; i++)
		*code = *code << 6 | ((unsigned char)s[i] & 0x3F);
	return n;
}

static inline void put_string(struct document *d, const char *text)
{
	put_text(d, "\"");
	while (*text) {
		unsigned code;
		size_t n = take_character(text, &code);
		bool escaped = one_in(d->escapes);

		if (code > 0xFFFF && escaped) {
			put_unit(d, 0xD800 + ((code - 0x10000) >> 10));
			put_unit(d, 0xDC00 + ((code - 0x10000) & 0x3FF));
		} else if (escaped || code < 0x20) {
			put_unit(d, code);
		} else {
			if (code == '"' || code == '\\' || (code == '/' && one_in(2))) put_text(d, "\\");
			put(d, text, n);
		}
		text += n;
	}
	put_text(d, "\"");
}

/* ---- numbers ---- */

static inline size_t put_digits(char *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = (char)('0' + any_below(10));
	return n;
}

/* A whole part of n digits, which begins with another one than 0 but stands alone. */
static inline size_t put_whole(char *out, unsigned n)
{
	put_digits(out, n);
	if (n > 1 && *out == '0') *out = '7';
	return n;
}

/* "e5", "E-05", "e00005" */
static inline char *put_exponent(char *out, int exponent)
{
	static const char *const forms[] = { "e%d", "E%d", "e%+d", "E%+.2d", "e%.5d" };

	return out + sprintf(out, ANY_OF(forms), exponent);
}

/* What people write: "12", "-3.75". */
static inline void plain_number(char *out)
{
	char *at = out;

	if (one_in(3)) *at++ = '-';
	at += put_whole(at, 1 + any_below(9));
	if (one_in(3)) {
		*at = 0;
		return;
	}
	*at++ = '.';
	at += put_digits(at, 1 + any_below(one_in(4) ? 20 : 7));
	*at = 0;
}

static inline void scientific_number(char *out)
{
	char *at = out;

	if (one_in(2)) *at++ = '-';
	at += put_whole(at, 1 + any_below(3));
	if (one_in(2)) {
		*at++ = '.';
		at += put_digits(at, 1 + any_below(20));
	}
	put_exponent(at, (int)any_below(84) - 48);
}

/* Up to DIGITS_LONG digits with a point somewhere, and mostly an exponent that brings them back into range. */
static inline void long_number(char *out)
{
	unsigned n = 1 + any_below(DIGITS_LONG), whole = 1 + any_below(one_in(2) ? n : n < 38 ? n : 38);
	char *at = out;

	if (one_in(2)) *at++ = '-';
	at += put_whole(at, whole);
	if (n > whole) {
		*at++ = '.';
		at += put_digits(at, n - whole);
	}
	*at = 0;
	if (whole > 38 && !one_in(10)) put_exponent(at, (int)any_below(80) - 46 - (int)whole);
}

static inline float float_of(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Of a finite float32 from 0 up: any, whole ones, those below FLT_MIN, and those around the ends of the range. */
static inline uint32_t any_float_bits(void)
{
	static const uint32_t ends[] = { 0, 0x00800000 - 4, 0x7F800000 - 8, 0x3F800000 - 4, 0x4B800000 - 4 };

	switch (any_below(4)) {
	case 0: return any_below(0x00800000);
	case 1: return ANY_OF(ends) + any_below(8);
	case 2: return (uint32_t)(127 + any_below(30)) << 23 | (uint32_t)(any_bits() >> 41);
	default: return any_below(0x7F800000);
	}
}

static inline void printed_float(char *out)
{
	float x = float_of(any_float_bits());

	sprintf(out, "%.*g", 1 + (int)any_below(one_in(4) ? 60 : 10), (double)(one_in(2) ? -x : x));
}

static inline void printed_double(char *out)
{
	uint64_t bits = (uint64_t)(0x3FF + (int)any_below(270) - 142) << 52 | any_bits() >> 12;
	double x;

	memcpy(&x, &bits, sizeof x);
	sprintf(out, "%.*g", 15 + (int)any_below(3), one_in(2) ? -x : x);
}

/* The middle between two float32 that are neighbours, in full, or a decimal just beside it, nearer than a double sees. */
static inline void middle_number(char *out)
{
	uint32_t bits = any_float_bits();
	double low = (double)float_of(bits), high = bits == 0x7F7FFFFF ? 0x1p128 : (double)float_of(bits + 1);
	char tail[16] = "", *e;
	size_t n;

	sprintf(out, low < 1 && one_in(2) ? "%.*f" : "%.*e", MIDDLE_DIGITS, low / 2 + high / 2);
	if ((e = strchr(out, 'e'))) {
		strcpy(tail, e);
		*e = 0;
	}
	for (n = strlen(out); out[n - 1] == '0' && out[n - 2] != '.'; n--)
		;
	switch (any_below(4)) {
	case 0: break;
	case 1: n += (size_t)sprintf(out + n, "%0*d", 1 + (int)any_below(40), 0); break;
	case 2: n += (size_t)sprintf(out + n, "%0*d", 1 + (int)any_below(200), 1); break;
	default:
		if (out[n - 1] == '0') break;
		out[n - 1]--;
		memset(out + n, '9', 40);
		n += any_below(2) ? 40 : 20;
	}
	strcpy(out + n, tail);
}

/* Zeros, the ends of float32 and of double, and what lies beyond them. */
static inline void listed_number(char *out)
{
	static const char *const listed[] = { "0", "-0", "0.0", "-0.000", "0e5", "-0E-0", "-0e+999",
		"0.00e-999", "1e-999", "-1e-400", "1e-99999999999999999999", "1.4e-45", "7.1e-46",
		"7.006492321624085e-46", "7.0064923216240853e-46", "7.0064923216240854e-46",
		"-7.0064923216240862e-46", "1.17549435e-38", "1.1754942807573643e-38", "1.17549428e-38",
		"3.4028234663852886e38", "3.4028235e+38", "340282346638528859811704183484516925440",
		"3.4028235677973365e38", "340282356779733661637539395458142568447",
		"340282356779733661637539395458142568447.99999999999999999999", "2.2250738585072014e-308",
		"4.9e-324", "16777217", "16777219", "16777217.000000000000000000001",
		"16777216.999999999999999999999", "1.00000005960464477539062500001", "9007199254740993",
		"18446744073709551615", "-9223372036854775808", "9223372036854775808", "1e22", "1e23", "1E0",
		"1e00", "123456789012345678901234567890e-20" };

	strcpy(out, ANY_OF(listed));
}

static inline void large_number(char *out)
{
	static const char *const large[] = { "1e999", "-1e999", "1e309", "1e39", "-3.5e38",
		"1.7976931348623157e308", "1e99999999999999999999", "3.4028235677973366e38",
		"340282356779733661637539395458142568448", "0.1e40",
		"1797693134862315900000000000000000000000000000e264" };

	if (one_in(3))
		out[put_whole(out, DIGITS_LONG)] = 0;
	else
		strcpy(out, ANY_OF(large));
}

static inline void put_number(struct document *d)
{
	static const struct {
		unsigned weight; /* of 100 */
		void (*spell)(char *out);
	} kinds[] = { { 30, plain_number }, { 14, scientific_number }, { 5, long_number },
		{ 12, printed_float }, { 8, printed_double }, { 18, middle_number }, { 12, listed_number },
		{ 1, large_number } };
	unsigned at = any_below(100), i = 0;
	char text[NUMBER_BYTES];

	while (at >= kinds[i].weight)
		at -= kinds[i++].weight;
	kinds[i].spell(text);
	put_text(d, text);
}

/* ---- cells that are no numbers, or no JSON ---- */

/* Brackets within one another, with a number in the middle or nothing. */
static inline void put_nest(struct document *d)
{
	unsigned depth = 1 + any_below(NEST_MAX), objects = any_below(3);

	for (unsigned i = 0; i < depth; i++)
		put_text(d, objects == 1 ? "{\"\":" : "[");
	put_text(d, objects == 1 || one_in(2) ? "1" : "");
	for (unsigned i = 0; i < depth; i++)
		put_text(d, objects == 1 ? "}" : "]");
}

static inline void put_odd(struct document *d)
{
	static const char *const odd[] = { "NaN", "-NaN", "nan", "Infinity", "-Infinity", "inf", "null",
		"true", "false", "nul", "True", "\"1.5\"", "\"\"", "\"x\"", "\"NA\"", "'1'", "[]", "[1]",
		"[null]", "[1,2]", "[[4]]", "{}", "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"a\"}", "{1:2}",
		"[1,]", "{\"a\":1,}", "01", "-01", "00", "+1", ".5", "-.5", "1.", "-1.", "1.e5", "1e", "1e+",
		"1E-", "-", "--1", "1-1", "0x10", "1_000", "1f", "1 2", "1,", ",1", "", "/* */ 1", "\\u0031",
		"\357\273\2771", "\"\\ud834\"", "\"\\udd1e\"", "\"\\ud834\\u0041\"", "\"\\u0000\"", "\"\\x\"",
		"\"\\u12\"", "\"\\\"", "\"", "\"\x01\"", "\"\x7f\"", "\"\xff\"", "\"\xc0\x80\"",
		"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x9d\x84\"", "\"\xe2\x82\xac\"" };

	if (one_in(8))
		put_nest(d);
	else
		put_text(d, ANY_OF(odd));
}

/* ---- documents ---- */

static inline void put_cell(struct document *d)
{
	if (d->damage == ODD_CELL && !d->odd--)
		put_odd(d);
	else
		put_number(d);
}

static inline void put_array(struct document *d, size_t cells)
{
	put_mark(d, '[');
	for (size_t i = 0; i < cells; i++) {
		if (i) put_mark(d, ',');
		put_cell(d);
	}
	put_mark(d, ']');
}

/* An object of the columns, seldom without one of them; a cell or, rows not 0, a column of so many. */
static inline void put_columns(struct document *d, size_t rows)
{
	size_t first = any_below((unsigned)d->columns), count = 0;
	bool turned = one_in(2);

	put_mark(d, '{');
	for (size_t i = 0; i < d->columns; i++) {
		size_t column = turned ? (first + d->columns - i) % d->columns : i;

		if (one_in(20)) continue;
		if (count++) put_mark(d, ',');
		put_string(d, document_names[column]);
		put_mark(d, ':');
		if (rows)
			put_array(d, rows);
		else
			put_cell(d);
	}
	put_mark(d, '}');
}

static inline void put_rows(struct document *d, size_t rows)
{
	enum { ARRAYS, RECORDS, EITHER, FORMS } form = any_below(FORMS);

	put_mark(d, '[');
	for (size_t i = 0; i < rows; i++) {
		if (i) put_mark(d, ',');
		if (form == RECORDS || (form == EITHER && one_in(2)))
			put_columns(d, 0);
		else if (d->columns == 1 && one_in(2))
			put_cell(d);
		else
			put_array(d, d->columns);
	}
	put_mark(d, ']');
}

static inline void remove_byte(struct document *d, size_t at)
{
	memmove(d->text + at, d->text + at + 1, d->size - at - 1);
	d->size--;
}

static inline void double_byte(struct document *d, size_t at)
{
	put(d, "", 1); /* room */
	memmove(d->text + at + 1, d->text + at, d->size - at - 1);
}

/* One byte or a few are changed, cut out, doubled, or everything behind one is lost. */
static inline void break_bytes(struct document *d)
{
	static const char likely[] = ",:[]{}\"\\-+.eE01 \n\t/x";

	do {
		size_t at = any_below((unsigned)d->size);

		switch (any_below(6)) {
		case 0: d->text[at] = (char)any_bits(); break;
		case 1:
		case 2: d->text[at] = likely[any_below(sizeof likely - 1)]; break;
		case 3: remove_byte(d, at); break;
		case 4: double_byte(d, at); break;
		default: d->size = one_in(4) ? at : d->size;
		}
	} while (d->size && one_in(3));
}

/* The next document. */
static inline void make_document(struct document *d)
{
	static const unsigned rates[] = { 0, 0, 2, 5, 20 };
	size_t rows = any_below(DOCUMENT_ROWS + 1);

	d->size = 0;
	d->columns = 1 + any_below(DOCUMENT_COLUMNS);
	d->damage = one_in(2) ? WHOLE : 1 + any_below(DAMAGES - 1);
	d->spaces = ANY_OF(rates);
	d->escapes = ANY_OF(rates);
	d->odd = any_below((unsigned)(d->columns * (rows ? rows : 1)));
	put_mark(d, '{');
	if (one_in(8)) put_text(d, "\"name\":\"\\u005b[1,\\\"\",");
	put_string(d, "instances");
	put_mark(d, ':');
	if (one_in(4))
		put_columns(d, rows ? rows : 1);
	else
		put_rows(d, rows);
	put_mark(d, '}');
	if (d->damage == BROKEN_BYTES) break_bytes(d);
	d->text[d->size] = 0;
}

#endif
