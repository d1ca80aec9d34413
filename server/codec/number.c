/* number.c - reads decimals exactly. See number.h.
 *
 * A number is taken apart into its first 19 significant digits w and a power of ten q; digits beyond those
 * leave a mark. Then w * 10^q is multiplied out in integers, with 10^q cut to 64 and, where that cannot
 * decide, to 128 bits, and rounded to the width of the float (after D. Lemire, "Number parsing at a gigabyte
 * per second", Software: Practice and Experience 51, 2021, and the Eisel-Lemire method it describes). The
 * product is a lower bound whose error is known: unless the middle between two floats lies within it, the
 * rounding is certain. 64 bits leave one float32 in 2^38 and one double in 2^9 open, 128 bits hardly more
 * than the ties; those go to the C library's strtod, as an integer and an exponent, which no locale reads in
 * another way.
 *
 * Invariant: everything below rounds to nearest, which is how every thread of the daemon runs.
 */
#include "server/codec/number.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/little.h"
#include "server/codec/number_powers.h"

#define DIGITS_MAX    19  /* 10^19 - 1 fits 64 bits */
#define DIGITS_DECIDE 770 /* 767 digits hold every tie between doubles; the rest is one more digit */
#define EXPONENT_MAX  1000000000000000 /* beyond any text's length, far from overflow */
#define HIGH_EXACT    27               /* 5^27 < 2^64: up to here the high half of a power is all of it */

enum grammar { GRAMMAR_JSON, GRAMMAR_CSV };

/* A decimal, taken apart: digits * 10^exponent, and a little more when some were cut off. */
struct decimal {
	uint64_t digits;
	int64_t exponent;
	bool negative;
	bool cut;             /* digits other than 0 follow those in digits */
	const char *mantissa; /* the text from the first digit or point */
	const char *mantissa_end;
};

/* A binary float: how many bits its mantissa has, the exponent of the smallest normal number and of the first
 * power of two that is too large, and the powers of ten that take any 64-bit integer to 0 or infinity. */
struct layout {
	int bits, exponent_min, exponent_end, zero_below, infinite_above;
};

static const struct layout layout_float = { 24, -126, 128, -64, 38 };
static const struct layout layout_double = { 53, -1022, 1024, -342, 308 };

/* The whole numbers and the powers of ten that a double holds as they are. */
#define WHOLE_EXACT ((uint64_t)1 << 53)
#define POWER_EXACT 22
static const double powers_exact[POWER_EXACT + 1] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* ---- taking text apart ---- */

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* How many of the word's bytes, from the first, are digits. Adding 0x46 sets the top bit of a byte above '9',
 * taking 0x30 that of one below '0'; a carry disturbs only bytes after one that is flagged already. */
static inline unsigned leading_digits(uint64_t word)
{
	uint64_t other = ((word + 0x4646464646464646) | (word - 0x3030303030303030)) & 0x8080808080808080;

	return other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
}

/* The number that the first n (1 to 8) digits of word make: neighbours are put together to pairs, these to
 * fours, these to the whole, in three multiplications. */
static inline uint64_t join_digits(uint64_t word, unsigned n)
{
	const uint64_t fours = 0x000000FF000000FF;

	word = (word - 0x3030303030303030) << (64 - 8 * n); /* zeros move in at the front */
	word = word * 10 + (word >> 8);
	return ((word & fours) * 0x000F424000000064 + ((word >> 16) & fours) * 0x0000271000000001) >> 32;
}

/* Appends the run of digits at p to *w (which wraps around when there are more than DIGITS_MAX) and returns
 * its end. One digit and no more is common, and a branch that is foreseen costs less than masks. */
static inline const char *read_digits(const char *p, const char *end, uint64_t *w)
{
	static const uint32_t tens[9] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };

	if (p == end || !is_digit(*p)) return p;
	if (p + 1 == end || !is_digit(p[1])) {
		*w = *w * 10 + (uint64_t)(*p - '0');
		return p + 1;
	}
	while (end - p >= 8) {
		uint64_t word = get64(p);
		unsigned n = leading_digits(word);

		if (!n) return p;
		*w = *w * tens[n] + join_digits(word, n);
		p += n;
		if (n < 8) return p;
	}
	for (; p < end && is_digit(*p); p++)
		*w = *w * 10 + (uint64_t)(*p - '0');
	return p;
}

/* Adds what follows an 'e' to *exponent; NULL when those are no digits. */
static const char *read_exponent(const char *p, const char *end, int64_t *exponent)
{
	bool negative = false;
	const char *first;
	int64_t value = 0;

	if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
	for (first = p; p < end && is_digit(*p); p++)
		if (value < EXPONENT_MAX) value = value * 10 + (*p - '0');
	*exponent += negative ? -value : value;
	return p > first ? p : NULL;
}

/* More than DIGITS_MAX digits stand in the text: reads its mantissa again and keeps the first significant
 * ones. */
static __attribute__((noinline)) void keep_first_digits(struct decimal *d)
{
	int kept = 0;

	d->digits = 0;
	for (const char *p = d->mantissa; p < d->mantissa_end; p++) {
		if (*p == '.') continue;
		if (kept == DIGITS_MAX) {
			d->exponent++;
			if (*p != '0') d->cut = true;
		} else {
			d->digits = d->digits * 10 + (uint64_t)(*p - '0');
			if (d->digits) kept++;
		}
	}
}

/* Takes the number at s apart; returns its end, or NULL when it is none. */
static inline const char *read_decimal(
		const char *s, const char *end, enum grammar grammar, struct decimal *d)
{
	const char *p = s, *point;
	ptrdiff_t whole, fraction = 0;

	d->digits = 0;
	d->exponent = 0;
	d->cut = false;
	d->negative = p < end && *p == '-';
	if (d->negative || (grammar == GRAMMAR_CSV && p < end && *p == '+')) p++;
	d->mantissa = p;
	p = read_digits(p, end, &d->digits);
	whole = p - d->mantissa;
	if (whole > 1 && *d->mantissa == '0') return NULL;
	if (!whole && grammar == GRAMMAR_JSON) return NULL;
	if (p < end && *p == '.') {
		point = p++;
		p = read_digits(p, end, &d->digits);
		fraction = p - point - 1;
		if (!fraction && (grammar == GRAMMAR_JSON || !whole)) return NULL;
		d->exponent = -fraction;
	} else if (!whole)
		return NULL;
	d->mantissa_end = p;
	if (p < end && (*p | 0x20) == 'e' && !(p = read_exponent(p + 1, end, &d->exponent))) return NULL;
	if (whole + fraction > DIGITS_MAX) keep_first_digits(d);
	return p;
}

/* ---- to binary ---- */

/* Rounds the product high:lo, a lower bound of the true one by less than `error` units of lo, to `keep` bits.
 * high has its top bit at position top. Returns false when the bounds round apart or meet at a tie. */
static inline bool round_product(
		uint64_t high, uint64_t low, uint64_t error, int top, int keep, uint64_t *mantissa)
{
	int shift = top + 1 - keep; /* 9 to 63 */
	uint64_t half = (uint64_t)1 << (shift - 1);
	uint64_t rest = high & (half * 2 - 1);

	*mantissa = high >> shift;
	if (rest >= half) {
		if (rest == half && low == 0) {
			if (error) return false;
			*mantissa += *mantissa & 1;
		} else
			++*mantissa;
	} else if (rest == half - 1 && low + error < low)
		return false;
	return true;
}

/* The exponent's bits of a normal number, but one: the mantissa's hidden bit adds it. */
static inline uint64_t biased(int exponent, const struct layout *layout)
{
	return (uint64_t)(exponent - layout->exponent_min) << (layout->bits - 1);
}

/* The bits of the float nearest to w * 10^q, without a sign; false when 128 bits of 10^q cannot tell. */
static inline bool to_binary(uint64_t w, int64_t q, const struct layout *layout, uint64_t *bits)
{
	const uint64_t infinite = biased(layout->exponent_end + 1, layout);
	int zeros, top, exponent, keep = layout->bits;
	struct number_power power;
	unsigned __int128 product;
	uint64_t mantissa, error;

	*bits = w && q > layout->infinite_above ? infinite : 0;
	if (!w || q < layout->zero_below || q > layout->infinite_above) return true;
	zeros = __builtin_clzll(w);
	w <<= zeros;
	power = number_power((int)q);
	product = (unsigned __int128)w * power.high;
	error = q >= 0 && q <= HIGH_EXACT ? 0 : w;
	top = (int)(product >> 127) + 62;
	exponent = number_log2_pow10((int)q) + 63 - zeros + (top - 62);
	if (exponent < layout->exponent_min) keep -= layout->exponent_min - exponent;
	if (keep < 0) return true; /* below half of the smallest */
	if (keep == 0) return false;
	if (!round_product((uint64_t)(product >> 64), (uint64_t)product, error, top, keep, &mantissa)) {
		product += ((unsigned __int128)w * power.low) >> 64;
		if (!round_product((uint64_t)(product >> 64), (uint64_t)product, 2, top, keep, &mantissa))
			return false;
	}
	/* Without an exponent's bits it is subnormal; a mantissa that rounded up carries into them by the
	 * addition. */
	*bits = keep < layout->bits ? mantissa : biased(exponent, layout) + mantissa;
	if (*bits > infinite) *bits = infinite;
	return true;
}

/* The decimal to decide that 128 bits could not: as an integer of at most DIGITS_DECIDE digits, one more that
 * stands for all that follow, and an exponent. */
static __attribute__((noinline)) uint64_t to_binary_slowly(
		const struct decimal *d, const struct layout *layout)
{
	char text[DIGITS_DECIDE + 1 + 24];
	int64_t after = d->exponent; /* of the last digit in d->digits */
	size_t kept = 0, seen = 0;
	bool more = false;
	uint64_t bits = 0;

	for (const char *p = d->mantissa; p < d->mantissa_end; p++) {
		if (*p == '.' || (!kept && *p == '0')) continue;
		seen++;
		if (kept < DIGITS_DECIDE)
			text[kept++] = *p;
		else if (*p != '0')
			more = true;
	}
	after += seen > DIGITS_MAX ? (int64_t)DIGITS_MAX : (int64_t)seen;
	if (more) text[kept++] = '1';
	snprintf(text + kept, sizeof text - kept, "e%lld", (long long)(after - (int64_t)kept));
	if (layout == &layout_float) {
		float value = strtof(text, NULL);
		uint32_t word;

		memcpy(&word, &value, sizeof word);
		bits = word;
	} else {
		double value = strtod(text, NULL);

		memcpy(&bits, &value, sizeof bits);
	}
	return bits;
}

/* The bits of the float nearest to the decimal, its sign left out. */
static inline uint64_t nearest_bits(const struct decimal *d, const struct layout *layout)
{
	uint64_t bits, above;

	if (!to_binary(d->digits, d->exponent, layout, &bits)) return to_binary_slowly(d, layout);
	if (!d->cut) return bits;
	if (to_binary(d->digits + 1, d->exponent, layout, &above) && above == bits) return bits;
	return to_binary_slowly(d, layout);
}

static inline float to_float(const struct decimal *d)
{
	uint32_t bits = (uint32_t)nearest_bits(d, &layout_float) | (uint32_t)d->negative << 31;
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline double to_double(const struct decimal *d)
{
	static const double signs[] = { 1, -1 };
	uint64_t bits;
	double value;

	/* Where digits were cut off there are DIGITS_MAX of them. */
	if (d->digits <= WHOLE_EXACT && d->exponent <= 0 && d->exponent >= -POWER_EXACT)
		return (double)d->digits / powers_exact[-d->exponent] * signs[d->negative];
	bits = nearest_bits(d, &layout_double) | (uint64_t)d->negative << 63;
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* ---- what the header promises ---- */

const char *number_scan_float(const char *s, const char *end, float *out)
{
	struct decimal d;
	const char *after = read_decimal(s, end, GRAMMAR_JSON, &d);

	if (after) *out = to_float(&d);
	return after;
}

const char *number_scan_double(const char *s, const char *end, double *out)
{
	struct decimal d;
	const char *after = read_decimal(s, end, GRAMMAR_JSON, &d);

	if (after) *out = to_double(&d);
	return after;
}

bool number_parse_double(const char *s, size_t n, double *out)
{
	struct decimal d;

	if (read_decimal(s, s + n, GRAMMAR_JSON, &d) != s + n || !n) return false;
	*out = to_double(&d);
	return true;
}

enum cell_kind number_read_cell(const char *s, size_t n, double *value)
{
	struct decimal d;

	if (!n || read_decimal(s, s + n, GRAMMAR_CSV, &d) != s + n) return CELL_WORD;
	*value = to_double(&d);
	return CELL_NUMBER;
}

enum cell_kind number_read_cell_float(const char *s, size_t n, float *value)
{
	struct decimal d;

	if (!n || read_decimal(s, s + n, GRAMMAR_CSV, &d) != s + n) return CELL_WORD;
	*value = to_float(&d);
	return CELL_NUMBER;
}
