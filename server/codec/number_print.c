/* number_print.c - prints floats with as few digits as read back. See number.h.
 *
 * The method is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2018-2022): of the decimals
 * that round to x, at most one is a multiple of 10^(k+1) and at least one of 10^k, where 10^k is the largest
 * power of ten not wider than that interval. So two candidates of each size are compared with the interval's
 * ends, and neither a loop nor a try is needed. The ends and x, each times 10^-k, are cut to two bits behind
 * the point, the last of which says "and something more"; a power of ten of 64 bits is enough to get this
 * right for float32 and one of 128 for double (section 9 of the paper). tests/unit/test_number.c reads back
 * what this prints and tries whether fewer digits would have done.
 */
#include "server/codec/number.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/codec/number_powers.h"

#define HIGH_EXACT  27 /* the high half of a power of ten is all of it for 0 to here */
#define PLAIN_FIRST (-5)
#define PLAIN_LAST  15 /* powers of ten that the first digit may stand for in plain notation */
#define DIGITS_ROOM 20 /* a printed integer of 64 bits */

/* digits * 10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* A finite float without its sign: mantissa * 2^exponent. below_is_close: at a power of two, where the float
 * beneath is half as far away as the one above. */
struct binary {
	uint64_t mantissa;
	int exponent;
	bool below_is_close;
};

/* A power of ten rounded up, which the method asks for. */
static inline struct number_power power_above(int k, int exact_to)
{
	struct number_power power = number_power(k);
	bool exact = k >= 0 && k <= exact_to;

	if (exact_to == HIGH_EXACT) {
		power.high += !exact;
		power.low = 0;
	} else if (!exact && ++power.low == 0)
		power.high++;
	return power;
}

/* The whole part of value * power, a power of 64 bits (single: value has 32 at most) or of 128 as a fraction
 * below 1, its last bit set when there was more behind it. */
static inline uint64_t scale(struct number_power power, uint64_t value, bool single)
{
	unsigned __int128 product = (unsigned __int128)power.high * value;

	if (single) return (uint64_t)(product >> 64) | ((uint32_t)(product >> 32) > 1);
	product += (uint64_t)(((unsigned __int128)power.low * value) >> 64);
	return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/* The shortest decimal inside the interval that rounds to x, the nearest to x if there are several. */
static inline struct decimal shortest(struct binary x, bool single)
{
	/* floor(log10(2^e)), or of 3/4 of it when the interval is the shorter one */
	int k = (x.exponent * 1262611 - (x.below_is_close ? 524031 : 0)) >> 22;
	int shift = x.exponent + number_log2_pow10(-k) + 1; /* 1 to 4 */
	struct number_power power = power_above(-k, single ? HIGH_EXACT : NUMBER_POWER_EXACT);
	uint64_t open = x.mantissa & 1; /* a tie goes to the even mantissa: the ends belong to it alone */
	uint64_t lower = scale(power, (4 * x.mantissa - 2 + x.below_is_close) << shift, single) + open;
	uint64_t middle =
			scale(power, 4 * x.mantissa << shift, single); /* in quarters of 10^k, as the ends */
	uint64_t upper = scale(power, (4 * x.mantissa + 2) << shift, single) - open;
	uint64_t floor1 = middle / 4, floor10 = floor1 / 10;
	bool down, up;

	if (floor1 >= 10) {
		down = lower <= 40 * floor10;
		up = 40 * floor10 + 40 <= upper;
		if (down != up) return (struct decimal){ floor10 + up, k + 1 };
	}
	down = lower <= 4 * floor1;
	up = 4 * floor1 + 4 <= upper;
	if (down == up) up = middle > 4 * floor1 + 2 || (middle == 4 * floor1 + 2 && (floor1 & 1));
	return (struct decimal){ floor1 + up, k };
}

/* ---- text ---- */

_Static_assert(PLAIN_LAST + 2 + DIGITS_ROOM + 1 <= NUMBER_PRINT_MAX,
		"the copies of place_digits need more room");

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
			    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
			    "8081828384858687888990919293949596979899";

/* Writes value with its last digit at end[-1]; returns the first. */
static inline char *write_before(char *end, uint64_t value)
{
	for (; value >= 100; value /= 100)
		memcpy(end -= 2, pairs + value % 100 * 2, 2);
	if (value >= 10) return memcpy(end - 2, pairs + value * 2, 2);
	*--end = (char)('0' + value);
	return end;
}

/* "e-7", "e21" */
static size_t write_exponent(int exponent, char *out)
{
	char text[DIGITS_ROOM], *end = text + sizeof text;
	char *first = write_before(end, (uint64_t)(exponent < 0 ? -exponent : exponent));
	size_t n = 0;

	out[n++] = 'e';
	if (exponent < 0) out[n++] = '-';
	memcpy(out + n, first, (size_t)(end - first));
	return n + (size_t)(end - first);
}

/* Places the n digits, of which the first stands for 10^power. Always copies DIGITS_ROOM bytes rather than n:
 * the room is there, and a copy of known size is an instruction or two. The furthest ends at PLAIN_LAST + 2 +
 * DIGITS_ROOM, with a sign one later: NUMBER_PRINT_MAX covers it. */
static inline size_t place_digits(const char *digits, size_t n, int power, char *out)
{
	size_t whole;

	if (power < PLAIN_FIRST || power > PLAIN_LAST) {
		memcpy(out + 1, digits, DIGITS_ROOM);
		out[0] = digits[0];
		out[1] = '.';
		n = n > 1 ? n + 1 : 1;
		return n + write_exponent(power, out + n);
	}
	if (power < 0) {
		memset(out, '0', 8);
		out[1] = '.';
		memcpy(out + 1 - power, digits, DIGITS_ROOM);
		return n + 1 + (size_t)-power;
	}
	whole = (size_t)power + 1;
	memcpy(out, digits, DIGITS_ROOM);
	if (n <= whole) {
		memset(out + n, '0', whole - n);
		return whole;
	}
	memcpy(out + whole + 1, digits + whole, DIGITS_ROOM);
	out[whole] = '.';
	return n + 1;
}

/* The digits end at the first third of text, so that place_digits' copies stay inside of it. */
static inline size_t print_decimal(struct decimal d, bool negative, char *out)
{
	char text[3 * DIGITS_ROOM];
	char *end = text + DIGITS_ROOM, *first = write_before(end, d.digits);
	int power = d.exponent + (int)(end - first) - 1;

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it has a digit that is not 0 */
	while (end[-1] == '0')
		end--;
	*out = '-';
	return negative + place_digits(first, (size_t)(end - first), power, out + negative);
}

static size_t print_other(bool negative, bool zero, char *out)
{
	if (!zero) return memcpy(out, "null", 4), 4;
	*out = '-';
	out[negative] = '0';
	return 1 + (size_t)negative;
}

size_t number_print_float(float x, char *out)
{
	uint32_t bits, fraction;
	struct binary parts;
	int biased;
	bool negative;

	memcpy(&bits, &x, sizeof bits);
	negative = bits >> 31;
	biased = bits >> 23 & 0xFF;
	fraction = bits & 0x7FFFFF;
	if (biased == 0xFF || !(bits << 1)) return print_other(negative, biased == 0, out);
	parts.mantissa = biased ? fraction | 0x800000 : fraction;
	parts.exponent = (biased ? biased : 1) - 150;
	parts.below_is_close = !fraction && biased > 1;
	return print_decimal(shortest(parts, true), negative, out);
}

size_t number_print_double(double x, char *out)
{
	uint64_t bits, fraction;
	struct binary parts;
	int biased;
	bool negative;

	memcpy(&bits, &x, sizeof bits);
	negative = bits >> 63;
	biased = (int)(bits >> 52 & 0x7FF);
	fraction = bits & 0xFFFFFFFFFFFFF;
	if (biased == 0x7FF || !(bits << 1)) return print_other(negative, biased == 0, out);
	parts.mantissa = biased ? fraction | (uint64_t)1 << 52 : fraction;
	parts.exponent = (biased ? biased : 1) - 1075;
	parts.below_is_close = !fraction && biased > 1;
	return print_decimal(shortest(parts, false), negative, out);
}
