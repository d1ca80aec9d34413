/* number_short.h - the numbers that fill most tables, read without a loop: a sign, up to 16 characters of digits, at most
 * one point with digits on both sides of it.
 *
 * The characters are taken as one or two words, by loads that overlap where there are fewer; the point is cut out of
 * them, the digits are checked and put together all at once. What they make is an integer w below 2^53 over a power of
 * ten that is a double: one division, rounded once (W. D. Clinger, "How to read floating point numbers accurately",
 * PLDI 1990). All else is left to number_read_cell, which gives the same for these.
 */
#ifndef SERVER_CODEC_NUMBER_SHORT_H
#define SERVER_CODEC_NUMBER_SHORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "server/codec/little.h"

#define NUMBER_SHORT_MAX 16
#define NUMBER_EXACT     ((uint64_t)1 << 53)
#define WORD_OF(byte)    (0x0101010101010101u * (byte))

typedef unsigned __int128 number_wide;

/* Is each byte a digit? */
static inline bool number_all_digits(uint64_t word)
{
	return ((word & WORD_OF(0xF0)) | ((word + WORD_OF(6)) & WORD_OF(0xF0)) >> 4) == WORD_OF(0x33);
}

/* The number that eight digits make, the first one in the lowest byte. */
static inline uint64_t number_join(uint64_t word)
{
	const uint64_t fours = 0x000000FF000000FF;

	word = (word & WORD_OF(0x0F)) * 10 + ((word & WORD_OF(0x0F)) >> 8);
	return ((word & fours) * 0x000F424000000064 + ((word >> 16) & fours) * 0x0000271000000001) >> 32;
}

/* The place of the first point, n when there is none. */
static inline size_t number_point(uint64_t word, size_t n)
{
	uint64_t x = word ^ WORD_OF('.'), zero = (x - WORD_OF(1)) & ~x & WORD_OF(0x80);

	return zero ? (size_t)__builtin_ctzll(zero) / 8 : n;
}

/* Up to eight characters; *fraction is how many digits are behind the point. */
static inline bool number_digits8(const char *s, size_t n, uint64_t *w, size_t *fraction)
{
	uint64_t word = get_short(s, n);
	size_t point = number_point(word, n);

	*fraction = 0;
	if (point < n) {
		uint64_t before = ((uint64_t)1 << 8 * point) - 1;

		word = (word & before) | (word >> 8 & ~before);
		*fraction = --n - point;
		if (!*fraction || !point) return false;
	}
	if (point > 1 && *s == '0') return false; /* "007" */
	word = n == 8 ? word : word << 8 * (8 - n) | WORD_OF('0') >> 8 * n;
	*w = number_join(word);
	return number_all_digits(word);
}

/* Nine to sixteen. */
static inline bool number_digits16(const char *s, size_t n, uint64_t *w, size_t *fraction)
{
	uint64_t low = get64(s), high = get_short(s + 8, n - 8);
	size_t point = number_point(low, 8);
	number_wide all = low | (number_wide)high << 64;

	if (point == 8) point += number_point(high, n - 8);
	*fraction = 0;
	if (point < n) {
		number_wide before = ((number_wide)1 << 8 * point) - 1;

		all = (all & before) | (all >> 8 & ~before);
		*fraction = --n - point;
		if (!*fraction || !point) return false;
	}
	if (*s == '0' && point > 1) return false;
	if (n < 16) all = all << 8 * (16 - n) | (((number_wide)WORD_OF('0') << 64 | WORD_OF('0')) >> 8 * n);
	low = (uint64_t)all;
	high = (uint64_t)(all >> 64);
	*w = number_join(low) * 100000000 + number_join(high);
	return number_all_digits(low) && number_all_digits(high) && *w <= NUMBER_EXACT;
}

/* false: not one of these; *value is untouched. */
static inline bool number_read_short(const char *s, size_t n, double *value)
{
	static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
		1e13, 1e14, 1e15 };
	static const double signs[] = { 1, -1 };
	bool negative;
	size_t fraction = 0;
	uint64_t w = 0;
	double x;

	if (!n) return false;
	negative = *s == '-';
	s += negative;
	n -= negative;
	if (n - 1 >= NUMBER_SHORT_MAX) return false;
	if (!(n <= 8 ? number_digits8(s, n, &w, &fraction) : number_digits16(s, n, &w, &fraction)))
		return false;
	x = (double)w;
	if (fraction) x /= tens[fraction];
	*value = x * signs[negative];
	return true;
}

#endif
