/* segment_numbers.c - numbers to the fewest bytes that give the same doubles back, bit for bit. See segment.h.
 *
 * Most tables hold decimals of few digits: whole numbers over one power of ten. Where all numbers of a group are that,
 * they are stored as whole numbers above the least of them, one, two or four bytes wide. A division by the power of ten
 * rounds once, as reading the text did, so it gives the same double; the writer has tried it on each.
 *
 * Else they are float32s where every one survives it: a float reads back as the one decimal of up to FLT_DIG digits that
 * is nearest to it, or as the whole number that it holds. That decimal is an integer of few digits over or times a power
 * of ten; where both are exact doubles, one division or product rounds once. Again the writer has tried it on each.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/little.h"
#include "server/codec/number.h"
#include "server/codec/segment_parts.h"

#define FLOAT_WHOLE 16777216.0 /* 2^24: whole numbers up to here are float32s */
#define POWERS      23         /* 10^22 is the last power of ten that is a double */
#define LOG10_2     0.30102999566398120
#define ROUNDER     0x1.8p52 /* what is added to it is rounded to a whole number, to nearest */
#define WHOLE_MAX   0x1p51   /* of the numbers that it rounds */
#define BASE_MAX    ((int64_t)1 << 53)
#define BLOCK       64 /* numbers that are tried at a time */

static const double powers[POWERS] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

static inline uint64_t bits_of(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

/* ---- whole numbers over a power of ten ---- */

/* How numbers are scaled: x * 10^places, from low to high; low > high when all are missing. */
struct scale {
	int places;
	double low, high;
};

static inline double round_whole(double y)
{
	return (y + ROUNDER) - ROUNDER;
}

/* Are all of x (n) that are not missing whole numbers over that power? -0 is not: it would come back as 0. */
static bool try_power(const double *x, size_t n, double power)
{
	bool whole = true;

	for (size_t i = 0; i < n; i++) {
		double y = x[i] * power, back = round_whole(y) / power;

		whole &= (bits_of(back) == bits_of(x[i]) && fabs(y) < WHOLE_MAX) | (x[i] != x[i]);
	}
	return whole;
}

/* Each place more suits what fewer did, unless the numbers become too large: then nothing does. */
static bool find_places(const double *x, size_t rows, int *places)
{
	*places = 0;
	for (size_t i = 0; i < rows; i += BLOCK) {
		size_t n = rows - i < BLOCK ? rows - i : BLOCK;

		while (!try_power(x + i, n, powers[*places]))
			if (++*places > SEGMENT_PLACES_MAX) return false;
	}
	return true;
}

static void find_range(const double *x, size_t rows, double *min, double *max)
{
	*min = INFINITY;
	*max = -INFINITY;
	for (size_t i = 0; i < rows; i++) {
		*min = x[i] < *min ? x[i] : *min;
		*max = x[i] > *max ? x[i] : *max;
	}
}

static bool find_scale(const double *x, size_t rows, struct scale *scale)
{
	double min, max;

	if (!find_places(x, rows, &scale->places)) return false;
	find_range(x, rows, &min, &max);
	scale->low = min <= max ? round_whole(min * powers[scale->places]) : 0;
	scale->high = min <= max ? round_whole(max * powers[scale->places]) : 0;
	/* Those of earlier blocks were tried with fewer places: now they might be too large. */
	return fabs(scale->low) < WHOLE_MAX && fabs(scale->high) < WHOLE_MAX &&
	       scale->high - scale->low < UINT32_MAX;
}

/* Elements are what a number is above the least one; all bits set stand for a missing cell. */
static void put_scaled(const double *x, size_t rows, const struct scale *scale, enum segment_kind kind,
		unsigned char *to)
{
	double power = powers[scale->places], low = scale->low;

	for (size_t i = 0; i < rows; i++) {
		bool missing = x[i] != x[i];
		uint32_t above = missing ? UINT32_MAX : (uint32_t)(round_whole(x[i] * power) - low);

		if (kind == KIND_SCALED8) {
			to[i] = (unsigned char)above;
		} else if (kind == KIND_SCALED16) {
			uint16_t narrow = htole16((uint16_t)above);

			memcpy(to + 2 * i, &narrow, sizeof narrow);
		} else {
			put32(to + 4 * i, above);
		}
	}
}

static int write_scaled(const double *x, size_t rows, const struct scale *scale, unsigned char **bytes,
		size_t *size, struct err *e)
{
	double range = scale->high - scale->low;
	enum segment_kind kind = range < UINT8_MAX    ? KIND_SCALED8
				 : range < UINT16_MAX ? KIND_SCALED16
						      : KIND_SCALED32;
	size_t width = kind == KIND_SCALED8 ? 1 : kind == KIND_SCALED16 ? 2 : 4;
	int rc = segment_begin(
			kind, rows, size_add(SEGMENT_BASE_BYTES, size_mul(rows, width)), bytes, size, e);

	if (rc) return rc;
	(*bytes)[SEGMENT_PLACES_AT] = (unsigned char)scale->places;
	put64(*bytes + SEGMENT_HEADER_BYTES, (uint64_t)(int64_t)scale->low);
	put_scaled(x, rows, scale, kind, *bytes + SEGMENT_HEADER_BYTES + SEGMENT_BASE_BYTES);
	return 0;
}

static int read_scaled(const unsigned char *bytes, size_t rows, double *x, struct err *e)
{
	const unsigned char *from = bytes + SEGMENT_HEADER_BYTES + SEGMENT_BASE_BYTES;
	double power = powers[bytes[SEGMENT_PLACES_AT]];
	int64_t base = (int64_t)get64(bytes + SEGMENT_HEADER_BYTES);
	enum segment_kind kind = bytes[0];
	uint32_t missing = kind == KIND_SCALED8 ? UINT8_MAX : kind == KIND_SCALED16 ? UINT16_MAX : UINT32_MAX;

	if (base < -BASE_MAX || base > BASE_MAX) return segment_corrupt(e, "number column");
	for (size_t i = 0; i < rows; i++) {
		uint32_t above = kind == KIND_SCALED8    ? from[i]
				 : kind == KIND_SCALED16 ? get16(from + 2 * i)
							 : get32(from + 4 * i);

		x[i] = above == missing ? NAN : (double)(base + above) / power;
	}
	return 0;
}

/* ---- floats and doubles ---- */

/* The double of the same text, where that is too far from 1 for exact powers of ten. */
static double widen_by_text(float x)
{
	char text[NUMBER_PRINT_MAX];
	double wide = (double)x;

	number_parse_double(text, number_print_float(x, text), &wide);
	return wide;
}

/* The decimal that became this float (see above), as a double. NaN stays NaN, -0 stays -0. */
static double widen(float narrow)
{
	double x = (double)narrow, size = fabs(x);
	int exponent, shift;

	if (isnan(x) || (size <= FLOAT_WHOLE && x == rint(x))) return x;
	frexp(size, &exponent); /* 2^(exponent-1) <= size < 2^exponent */
	/* 10^shift makes FLT_DIG digits before the point, or one more and then less than 2 * 10^FLT_DIG: the float's
	 * error of 2^-24 stays well below the half that rint forgives. */
	shift = FLT_DIG - 1 - (int)floor((exponent - 1) * LOG10_2);
	if (shift >= POWERS || shift <= -POWERS) return widen_by_text(narrow);
	return shift > 0 ? rint(x * powers[shift]) / powers[shift]
			 : rint(x / powers[-shift]) * powers[-shift];
}

static bool all_floats(const double *x, size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		if (x[i] == x[i] && (fabs(x[i]) > (double)FLT_MAX ||
						    bits_of(widen((float)x[i])) != bits_of(x[i])))
			return false;
	return true;
}

static int write_plain(const double *x, size_t rows, unsigned char **bytes, size_t *size, struct err *e)
{
	enum segment_kind kind = all_floats(x, rows) ? KIND_FLOAT : KIND_DOUBLE;
	int rc = segment_begin(kind, rows, size_mul(rows, kind == KIND_FLOAT ? 4 : 8), bytes, size, e);
	unsigned char *to;

	if (rc) return rc;
	to = *bytes + SEGMENT_HEADER_BYTES;
	for (size_t i = 0; i < rows; i++) {
		float narrow = (float)x[i];
		uint32_t narrow_bits;

		memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
		if (kind == KIND_FLOAT)
			put32(to + 4 * i, narrow_bits);
		else
			put64(to + 8 * i, bits_of(x[i]));
	}
	return 0;
}

static int read_plain(const unsigned char *bytes, size_t rows, double *x, struct err *e)
{
	const unsigned char *from = bytes + SEGMENT_HEADER_BYTES;

	for (size_t i = 0; i < rows; i++) {
		uint32_t narrow_bits;
		uint64_t bits;
		float narrow;

		if (bytes[0] == KIND_FLOAT) {
			narrow_bits = get32(from + 4 * i);
			memcpy(&narrow, &narrow_bits, sizeof narrow);
			x[i] = widen(narrow);
		} else {
			bits = get64(from + 8 * i);
			memcpy(&x[i], &bits, sizeof bits);
		}
		if (isinf(x[i])) return segment_corrupt(e, "number column");
	}
	return 0;
}

/* ---- what segment.h promises ---- */

int segment_write_numbers(const double *x, size_t rows, unsigned char **bytes, size_t *size, struct err *e)
{
	struct scale scale;

	return find_scale(x, rows, &scale) ? write_scaled(x, rows, &scale, bytes, size, e)
					   : write_plain(x, rows, bytes, size, e);
}

int segment_read_numbers(const unsigned char *bytes, size_t size, double *x, struct err *e)
{
	size_t rows;
	int rc = segment_rows(bytes, size, &rows, e);

	if (rc) return rc;
	if (bytes[0] >= KIND_SCALED8) return read_scaled(bytes, rows, x, e);
	if (bytes[0] == KIND_FLOAT || bytes[0] == KIND_DOUBLE) return read_plain(bytes, rows, x, e);
	return segment_corrupt(e, "number column");
}
