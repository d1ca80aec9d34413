/* test_number.c - decimals to floats and back, against the C library and against arithmetic of our own.
 *
 * Random cases come from one fixed seed, so a failure comes again. Where the C library could be the thing
 * that answers on both sides (ties, which number.c hands to strtod), the expected float is worked out here.
 * DOCUMENTS=1000000 prints so many floats.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/number.h"
#include "server/codec/number_powers.h"
#include "tests/unit/suite.h"

#define RANDOM_DECIMALS 600000
#define RANDOM_FLOATS   400000
#define TEXT_MAX        1400

/* ck_assert for the loops of a million: Check notes every assertion in a file, whether it holds or not. */
#define expect(condition, ...)                               \
	do {                                                 \
		if (!(condition)) ck_abort_msg(__VA_ARGS__); \
	} while (0)

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void) /* xorshift64 (Marsaglia 2003) */
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static unsigned below(unsigned n)
{
	return (unsigned)((next_random() >> 20) % n);
}

static uint32_t float_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static float float_of(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

static uint64_t double_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static double double_of(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* ---- the table of powers ---- */

#define LIMBS 48 /* of 32 bits: 10^342 and 128 bits more */

struct big {
	uint32_t limb[LIMBS];
};

static void big_multiply(struct big *a, uint32_t by)
{
	uint64_t carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (uint64_t)a->limb[i] * by;
		a->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	expect(!carry, "LIMBS are too few");
}

/* to += a * by * 2^(32 at) */
static void big_add_product(struct big *to, const struct big *a, uint32_t by, int at)
{
	uint64_t carry = 0;

	for (int i = 0; i + at < LIMBS; i++) {
		carry += to->limb[i + at] + (uint64_t)a->limb[i] * by;
		to->limb[i + at] = (uint32_t)carry;
		carry >>= 32;
	}
	expect(!carry, "LIMBS are too few");
}

static int big_bits(const struct big *a)
{
	for (int i = LIMBS; i-- > 0;)
		if (a->limb[i]) return 32 * i + 32 - __builtin_clz(a->limb[i]);
	return 0;
}

static unsigned big_bit(const struct big *a, int i)
{
	return i < 0 ? 0 : a->limb[i / 32] >> (i % 32) & 1;
}

static struct big big_power(int k)
{
	struct big power = { { 1 } };

	while (k-- > 0)
		big_multiply(&power, 10);
	return power;
}

START_TEST(powers_of_ten)
{
	for (int k = 0; k <= NUMBER_POWER_MAX; k++) {
		struct big power = big_power(k);
		struct number_power row = number_power(k);
		int bits = big_bits(&power);

		ck_assert_int_eq(number_log2_pow10(k), bits - 1);
		for (int i = 0; i < 128; i++)
			ck_assert_uint_eq(i < 64 ? row.high >> (63 - i) & 1 : row.low >> (127 - i) & 1,
					big_bit(&power, bits - 1 - i));
		if (k == NUMBER_POWER_EXACT) ck_assert_int_le(bits - k, 128);
	}
}
END_TEST

/* m is the whole part of 2^t / 10^n when m 10^n < 2^t < (m + 1) 10^n. */
START_TEST(powers_of_a_tenth)
{
	for (int n = 1; n <= -NUMBER_POWER_MIN; n++) {
		struct big power = big_power(n), product = { { 0 } };
		struct number_power row = number_power(-n);
		int t = big_bits(&power) + 127;

		ck_assert_int_eq(number_log2_pow10(-n), -big_bits(&power));
		ck_assert(row.high >> 63);
		big_add_product(&product, &power, (uint32_t)row.low, 0);
		big_add_product(&product, &power, (uint32_t)(row.low >> 32), 1);
		big_add_product(&product, &power, (uint32_t)row.high, 2);
		big_add_product(&product, &power, (uint32_t)(row.high >> 32), 3);
		ck_assert_int_le(big_bits(&product), t);
		big_add_product(&product, &power, 1, 0);
		ck_assert_int_eq(big_bits(&product), t + 1);
	}
}
END_TEST

/* ---- reading ---- */

/* Both widths read text[0..n) to its end, with the bits given; the byte after it is poisoned by a digit. */
static void check_reads(const char *text, size_t n, float f, double d)
{
	char copy[TEXT_MAX];
	float x = NAN;
	double y = NAN, z = NAN;

	expect(n + 1 < sizeof copy, "too long");
	memcpy(copy, text, n);
	copy[n] = '7';
	expect(number_scan_float(copy, copy + n, &x) == copy + n, "float refuses %.*s", (int)n, text);
	expect(number_scan_double(copy, copy + n, &y) == copy + n, "double refuses %.*s", (int)n, text);
	expect(number_parse_double(copy, n, &z), "%.*s", (int)n, text);
	expect(float_bits(x) == float_bits(f), "%.*s as float: %a, not %a", (int)n, text, x, f);
	expect(double_bits(y) == double_bits(d), "%.*s as double: %a, not %a", (int)n, text, y, d);
	expect(double_bits(y) == double_bits(z), "%.*s", (int)n, text);
}

static void check_as_libc(const char *text)
{
	check_reads(text, strlen(text), strtof(text, NULL), strtod(text, NULL));
}

/* A JSON number of `whole` and `fraction` digits; an exponent below 0 or above leaves 1000 for "none". */
static void make_decimal(char *out, unsigned whole, unsigned fraction, int exponent)
{
	size_t n = 0;

	if (below(2)) out[n++] = '-';
	if (whole)
		out[n++] = (char)('1' + below(9));
	else
		out[n++] = '0';
	for (unsigned i = 1; i < whole; i++)
		out[n++] = (char)('0' + below(10));
	if (fraction) out[n++] = '.';
	for (unsigned i = 0; i < fraction; i++)
		out[n++] = (char)('0' + below(10));
	out[n] = 0;
	if (exponent != 1000) snprintf(out + n, 16, below(2) ? "e%d" : "E%+d", exponent);
}

START_TEST(random_decimals)
{
	char text[TEXT_MAX];

	for (int i = 0; i < RANDOM_DECIMALS; i++) {
		make_decimal(text, below(4), below(9), 1000);
		check_as_libc(text);
		make_decimal(text, below(24), below(24), (int)below(120) - 60);
		check_as_libc(text);
		if (i % 2) continue;
		make_decimal(text, below(3), below(20), (int)below(720) - 360);
		check_as_libc(text);
	}
}
END_TEST

START_TEST(very_long_decimals)
{
	char text[TEXT_MAX];

	for (int i = 0; i < 4000; i++) {
		make_decimal(text, below(400), 1 + below(800), i % 2 ? 1000 : (int)below(700) - 350);
		check_as_libc(text);
	}
}
END_TEST

/* Reads what is just below, at and just above the middle between two neighbours, written out in full.
 * `middle` ends in a digit other than 0, so that a digit put behind it is above, and one less in its place
 * and a 9 behind below. */
static void around_middle(char *middle, char *exponent, float f[3], double d[3])
{
	char text[TEXT_MAX];
	size_t n = strlen(middle);

	snprintf(text, sizeof text, "%s%s", middle, exponent);
	check_reads(text, strlen(text), f[1], d[1]);
	snprintf(text, sizeof text, "%s00000000000000000000000001%s", middle, exponent);
	check_reads(text, strlen(text), f[2], d[2]);
	middle[n - 1]--;
	snprintf(text, sizeof text, "%s9999999999999999999999999%s", middle, exponent);
	check_reads(text, strlen(text), f[0], d[0]);
	middle[n - 1]++;
}

/* Splits "d.ddd000e+05" into mantissa without zeros at its end and exponent. */
static char *split_exponent(char *text, char exponent[8])
{
	char *e = strchr(text, 'e');

	snprintf(exponent, 8, "%s", e);
	for (*e = 0; e[-1] == '0'; e--)
		e[-1] = 0;
	if (e[-1] == '.') memcpy(e, "0", 2);
	return text;
}

/* middle is exact as a double; around it lie f and the next float32 above f. */
static void float_tie(uint32_t bits)
{
	float low = float_of(bits), high = float_of(bits + 1), f[3];
	double middle = isinf(high) ? 0x1.ffffffp127 : ((double)low + (double)high) / 2, d[3];
	char text[400], exponent[8];

	f[0] = low;
	f[1] = bits % 2 ? high : low;
	f[2] = high;
	d[0] = d[1] = d[2] = middle;
	snprintf(text, sizeof text, "%.200e", middle);
	split_exponent(text, exponent);
	if (text[strlen(text) - 1] != '0') around_middle(text, exponent, f, d);
}

START_TEST(ties_between_floats)
{
	for (uint32_t biased = 0; biased < 255; biased++)
		for (uint32_t i = 0; i < 40; i++)
			float_tie(biased << 23 | (i < 2 ? i : i < 4 ? 0x7FFFFF + 2 - i : below(1 << 23)));
	for (uint32_t bits = 0; bits < 300; bits++)
		float_tie(bits);
}
END_TEST

#if LDBL_MANT_DIG > DBL_MANT_DIG
static void double_tie(uint64_t bits)
{
	double low = double_of(bits), high = double_of(bits + 1), d[3] = { low, bits % 2 ? high : low, high };
	long double middle =
			isinf(high) ? 0x1.fffffffffffff8p1023L : ((long double)low + (long double)high) / 2;
	char text[TEXT_MAX - 100], exponent[8];
	float f[3];

	/* The float nearest to the middle of two doubles, which is a tie of float32s only if low or high
	 * is. */
	f[0] = f[1] = f[2] = (float)middle;
	snprintf(text, sizeof text, "%.800Le", middle);
	split_exponent(text, exponent);
	if (text[strlen(text) - 1] != '0') around_middle(text, exponent, f, d);
}

START_TEST(ties_between_doubles)
{
	for (uint64_t biased = 0; biased < 2047; biased++)
		for (int i = 0; i < 3; i++)
			double_tie(biased << 52 | (i ? next_random() >> 12 | 1 : (uint64_t)1));
	for (uint64_t bits = 1; bits < 100; bits++)
		double_tie(bits);
	double_tie(double_bits(DBL_MAX));
}
END_TEST
#endif

START_TEST(edges)
{
	static const char *const texts[] = { "0", "-0", "0.0", "-0e5", "0e999999999999999999999", "1", "-1",
		"10", "0.1", "16777216", "16777217", "16777218", "16777219", "33554434.0", "8388608.5",
		"8388609.5", "9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740995",
		"18446744073709551615", "18446744073709551616", "9999999999999999999", "99999999999999999999",
		"10000000000000000000000000000000", "3.4028234663852886e38", "3.4028235677973365e38",
		"3.4028235677973366e38", "3.4028235677973367e38", "3.5e38", "1e38", "1e39", "1e308",
		"1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309",
		"1e999", "-1e999", "1e99999999999999999999999999", "1e-99999999999999999999",
		"1.17549435e-38", "1.1754943e-38", "1.4e-45", "7.1e-46", "7e-46", "1e-46", "1e-64",
		"9999999999999999999e-64", "9999999999999999999e-65", "2.2250738585072011e-308",
		"2.2250738585072014e-308", "4.9e-324", "2.5e-324", "2.4e-324", "1e-400", "-1e-400",
		"9999999999999999999e-342", "9999999999999999999e-343", "1e-342",
		"0.000000000000000000000000000000000000000000001", "1e+5", "1E5", "1e-05", "1e05",
		"123456789012345678901e-20" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		check_as_libc(texts[i]);
	check_reads("1e999", 5, INFINITY, (double)INFINITY);
	check_reads("-1e999", 6, -INFINITY, -(double)INFINITY);
	check_reads("16777217", 8, 16777216.0f, 16777217.0); /* a tie of float32s: to the even one */
	check_reads("16777219", 8, 16777220.0f, 16777219.0);
	check_reads("-1e-999", 7, -0.0f, -0.0);
}
END_TEST

START_TEST(zeros_and_exponents_that_cancel)
{
	char text[TEXT_MAX];

	memcpy(text, "0.", 2);
	memset(text + 2, '0', 1000);
	snprintf(text + 1002, 20, "15e1001");
	check_reads(text, strlen(text), 1.5f, 1.5);
	memset(text + 1, '0', 1000);
	text[0] = '2';
	snprintf(text + 1001, 20, "e-1001");
	check_reads(text, strlen(text), 0.2f, 0.2);
}
END_TEST

/* The way over a double rounds twice: this decimal lies just above a tie of float32s, nearer than a double
 * sees. */
START_TEST(no_double_rounding)
{
	const char *text = "1.00000005960464477539062500001";
	float x;

	ck_assert_ptr_eq(number_scan_float(text, text + strlen(text), &x), text + strlen(text));
	ck_assert(x == nextafterf(1, 2));
	ck_assert((float)strtod(text, NULL) == 1); /* what would have come out */
}
END_TEST

START_TEST(scan_stops_after_the_number)
{
	static const struct {
		const char *text;
		size_t length;
		float value;
	} cases[] = { { "1,2", 1, 1 }, { "1.5]", 3, 1.5f }, { "-2e1 ", 4, -20 }, { "0}", 1, 0 },
		{ "3\n", 1, 3 }, { "12345678,9", 8, 12345678 }, { "123456789012,", 12, 123456789012.0f },
		{ "0.25/1", 4, 0.25f }, { "1:2", 1, 1 }, { "1-", 1, 1 }, { "1.5.5", 3, 1.5f },
		{ "7\xb9\xff", 1, 7 },
		{ "1234567\xff"
		  "90123456",
				7, 1234567 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *end = cases[i].text + strlen(cases[i].text);
		float x;
		double y;

		ck_assert_ptr_eq(number_scan_float(cases[i].text, end, &x), cases[i].text + cases[i].length);
		ck_assert_ptr_eq(number_scan_double(cases[i].text, end, &y), cases[i].text + cases[i].length);
		ck_assert(x == cases[i].value && (float)y == cases[i].value);
	}
}
END_TEST

START_TEST(nothing_outside_is_read)
{
	for (size_t n = 1; n < 40;
			n++) { /* a block of exactly n bytes, so that a sanitizer sees a step too far */
		char *block = malloc(n);
		float x;

		ck_assert_ptr_nonnull(block);
		memset(block, '1', n);
		ck_assert_ptr_eq(number_scan_float(block, block + n, &x), block + n);
		free(block);
	}
}
END_TEST

static const char *const words[] = { /* in either grammar */
	"", "-", "+", ".", "-.", "e5", ".e5", "1e", "1e+", "1e-", "1.5e", "007", "00", "-00", "-01", "00.5",
	"01e5", "--1", "+-1", "- 1", "inf", "-inf", "Infinity", "nan", "NaN", "NA", "a", "\"1\"", "true", "e",
	"\xef\xbb\xbf-1"
};
static const char *const words_whole[] = { "1 ", " 1", "1,5", "1,000", "1.2.3", "1e5.5", "1e5e5", "1-2", "5%",
	"0x1p3", "1f", "12:30", "2020-01-01", "1\n", "0x10", "0x", "1_000" };
static const char *const only_csv[] = { "+5", ".5", "5.", "-.5", "+.5", "5.e3", ".5e-3", "+0", "-5.", "0." };

START_TEST(refusals)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *end = words[i] + strlen(words[i]);
		double d = 42;
		float f = 42;

		ck_assert_msg(!number_scan_float(words[i], end, &f), "float reads %s", words[i]);
		ck_assert_msg(!number_scan_double(words[i], end, &d), "double reads %s", words[i]);
		ck_assert_msg(!number_parse_double(words[i], strlen(words[i]), &d), "parse reads %s",
				words[i]);
		ck_assert_msg(number_read_cell(words[i], strlen(words[i]), &d) == CELL_WORD, "cell reads %s",
				words[i]);
		ck_assert(d == 42 && f == 42);
	}
	for (size_t i = 0; i < sizeof words_whole / sizeof *words_whole; i++) {
		double d = 42;

		ck_assert(!number_parse_double(words_whole[i], strlen(words_whole[i]), &d));
		ck_assert(number_read_cell(words_whole[i], strlen(words_whole[i]), &d) == CELL_WORD);
		ck_assert(d == 42);
	}
	ck_assert(number_read_cell("1\0", 2, &(double){ 0 }) == CELL_WORD);
}
END_TEST

START_TEST(only_cells_may)
{
	for (size_t i = 0; i < sizeof only_csv / sizeof *only_csv; i++) {
		const char *text = only_csv[i], *end = text + strlen(text);
		double d = 42;
		float f = 42;

		ck_assert(!number_scan_float(text, end, &f) && !number_scan_double(text, end, &d));
		ck_assert(!number_parse_double(text, strlen(text), &d) && d == 42 && f == 42);
		ck_assert(number_read_cell(text, strlen(text), &d) == CELL_NUMBER);
		ck_assert(d == strtod(text, NULL));
	}
}
END_TEST

START_TEST(cells)
{
	static const char *const cases[] = { "0", "-0", "0.000", "5", "5.10", "0.050", "1200", "-0.5",
		"1.5e10", "1234567890123456789", "12345678901234567891", "100000000000000000000000000",
		"0.00000000000000000000000000012", "1e999", "1000000000000000000000000001" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		double value;

		ck_assert(number_read_cell(cases[i], strlen(cases[i]), &value) == CELL_NUMBER);
		ck_assert(double_bits(value) == double_bits(strtod(cases[i], NULL)));
	}
}
END_TEST

/* ---- printing ---- */

static size_t count_digits(const char *text, size_t n)
{
	size_t first = 0, count = 0, last = 0;

	for (size_t i = 0; i < n && text[i] != 'e'; i++) {
		if (text[i] == '-' || text[i] == '.') continue;
		if (!first && text[i] == '0') continue;
		first = 1;
		count++;
		if (text[i] != '0') last = count;
	}
	return last;
}

/* The first of %.1g, %.2g, … that comes back has so many. */
static size_t fewest_digits(float x)
{
	char text[64];
	int digits = 0;

	do
		snprintf(text, sizeof text, "%.*g", ++digits, (double)x);
	while (strtof(text, NULL) != x);
	return (size_t)digits;
}

static void check_prints_float(float x)
{
	char text[NUMBER_PRINT_MAX + 1];
	size_t n = number_print_float(x, text), digits = count_digits(text, n);
	float back;

	text[n] = 0;
	expect(number_scan_float(text, text + n, &back) == text + n, "%s", text);
	expect(float_bits(back) == float_bits(x), "%a printed as %s", x, text);
	expect(float_bits(strtof(text, NULL)) == float_bits(x), "%s", text);
	expect(n <= 24, "%s is too long", text);
	expect(digits <= 9 && digits <= fewest_digits(x), "%s is too long", text);
}

static void check_prints_double(double x)
{
	char text[NUMBER_PRINT_MAX + 1], shorter[64];
	size_t n = number_print_double(x, text), digits = count_digits(text, n);
	double back;

	text[n] = 0;
	expect(number_parse_double(text, n, &back), "%s", text);
	expect(double_bits(back) == double_bits(x), "%a printed as %s", x, text);
	expect(double_bits(strtod(text, NULL)) == double_bits(x), "%s", text);
	expect(n <= 24, "%s is too long", text);
	expect(digits <= 17, "%s is too long", text);
	if (digits > 1) {
		snprintf(shorter, sizeof shorter, "%.*g", (int)digits - 1, x);
		expect(strtod(shorter, NULL) != x, "%s could be %s", text, shorter);
	}
}

START_TEST(prints_floats)
{
	for (long i = suite_count("DOCUMENTS", RANDOM_FLOATS); i > 0; i--) {
		uint32_t bits = (uint32_t)next_random();

		if ((bits >> 23 & 0xFF) != 0xFF) check_prints_float(float_of(bits));
	}
	for (uint32_t biased = 0; biased < 255; biased++)
		for (uint32_t i = 0; i < 8; i++) {
			check_prints_float(float_of(biased << 23 | i));
			check_prints_float(float_of(biased << 23 | (0x7FFFFF - i)));
		}
	for (int i = 0; i < 20000; i++) {
		check_prints_float((float)i);
		check_prints_float((float)i / 100);
		check_prints_float((float)below(1 << 24));
	}
}
END_TEST

START_TEST(prints_doubles)
{
	for (int i = 0; i < RANDOM_FLOATS / 2; i++) {
		uint64_t bits = next_random();

		if ((bits >> 52 & 0x7FF) != 0x7FF) check_prints_double(double_of(bits));
		check_prints_double((double)below(1000000) / 1000);
	}
	for (uint64_t biased = 0; biased < 2047; biased++)
		for (uint64_t i = 0; i < 4; i++) {
			check_prints_double(double_of(biased << 52 | i));
			check_prints_double(double_of((biased + 1) << 52) == INFINITY
							    ? DBL_MAX
							    : double_of(((biased + 1) << 52) - 1 - i));
		}
}
END_TEST

START_TEST(printed_forms)
{
	static const struct {
		double value;
		const char *text;
	} both[] = { { 0.0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1, "-1" }, { 10, "10" }, { 100, "100" },
		{ 0.5, "0.5" }, { 0x1p-10, "0.0009765625" }, { -2.5, "-2.5" }, { 1e9, "1000000000" },
		{ 1e15, "1000000000000000" }, { 16777216, "16777216" }, { 1024.25, "1024.25" },
		{ (double)INFINITY, "null" }, { -(double)INFINITY, "null" }, { (double)NAN, "null" },
		{ 123456, "123456" }, { 99, "99" } };
	static const struct {
		float value;
		const char *text;
	} singles[] = { { 0.1f, "0.1" }, { 5.1f, "5.1" }, { 1e-5f, "0.00001" }, { 1.5e-5f, "0.000015" },
		{ 1e-6f, "1e-6" }, { 1.5e-7f, "1.5e-7" }, { 1e16f, "1e16" }, { 1.5e21f, "1.5e21" },
		{ FLT_MAX, "3.4028235e38" }, { FLT_MIN, "1.1754944e-38" }, { 0x1p-149f, "1e-45" },
		{ -0.1234567f, "-0.1234567" }, { 1.0f / 3, "0.33333334" }, { 123456789.0f, "123456790" } };
	static const struct {
		double value;
		const char *text;
	} doubles[] = { { 0.1, "0.1" }, { 0.1 + 0.2, "0.30000000000000004" },
		{ DBL_MAX, "1.7976931348623157e308" }, { 0x1p-1074, "5e-324" },
		{ -1.2345678901234567e-5, "-0.000012345678901234568" }, { 1e23, "1e23" },
		{ 9007199254740993.0, "9007199254740992" }, { -123456789012345.67, "-123456789012345.67" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" } };
	char text[NUMBER_PRINT_MAX];
	size_t n;

	for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
		n = number_print_double(both[i].value, text);
		ck_assert_msg(n == strlen(both[i].text) && !memcmp(text, both[i].text, n), "%.*s", (int)n,
				text);
		n = number_print_float((float)both[i].value, text);
		ck_assert_msg(n == strlen(both[i].text) && !memcmp(text, both[i].text, n), "%.*s", (int)n,
				text);
	}
	for (size_t i = 0; i < sizeof singles / sizeof *singles; i++) {
		n = number_print_float(singles[i].value, text);
		ck_assert_msg(n == strlen(singles[i].text) && !memcmp(text, singles[i].text, n), "%.*s",
				(int)n, text);
	}
	for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
		n = number_print_double(doubles[i].value, text);
		ck_assert_msg(n == strlen(doubles[i].text) && !memcmp(text, doubles[i].text, n), "%.*s",
				(int)n, text);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		powers_of_ten,
		powers_of_a_tenth,
		random_decimals,
		very_long_decimals,
		ties_between_floats,
#if LDBL_MANT_DIG > DBL_MANT_DIG
		ties_between_doubles,
#endif
		edges,
		zeros_and_exponents_that_cancel,
		no_double_rounding,
		scan_stops_after_the_number,
		nothing_outside_is_read,
		refusals,
		only_cells_may,
		cells,
		prints_floats,
		prints_doubles,
		printed_forms,
		NULL
	};

	return suite_main("number", tests, 120);
}
