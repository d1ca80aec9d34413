/* test_segment.c - cells to bytes and back, and that damaged bytes are refused. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/segment.h"
#include "tests/unit/suite.h"

#define MANY 1000

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void) /* xorshift64 (Marsaglia 2003) */
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static bool same_bits(double a, double b)
{
	return !memcmp(&a, &b, sizeof a);
}

/* Writes, reads back and compares bits; returns the bytes behind the header. */
static size_t number_trip(const double *x, size_t rows)
{
	double *back = malloc((rows + 1) * sizeof *back);
	unsigned char *bytes;
	size_t size, found;

	ck_assert_int_eq(segment_write_numbers(x, rows, &bytes, &size, NULL), 0);
	ck_assert_int_eq(segment_rows(bytes, size, &found, NULL), 0);
	ck_assert_uint_eq(found, rows);
	ck_assert_int_eq(segment_read_numbers(bytes, size, back, NULL), 0);
	for (size_t i = 0; i < rows; i++)
		if (!same_bits(x[i], back[i]) && !(isnan(x[i]) && isnan(back[i])))
			ck_abort_msg("%.17g came back as %.17g", x[i], back[i]);
	free(bytes);
	free(back);
	return size - SEGMENT_HEADER_BYTES;
}

/* Each is stored in as many bytes as it needs, and comes back. */
START_TEST(numbers_come_back)
{
	static const struct {
		double x[11];
		size_t count, bytes;
	} all[] = {
		{ { 0.1, -0.0, 1e308, 5e-324, NAN, 0.1 + 0.2, 16777217 }, 7, 7 * 8 },
		{ { 0.1, -0.0, 0, 16777216, -16777215, 0.01, 9.99999, 999999, 1e6, 1.5e38, NAN }, 11,
				11 * 4 },
		{ { 0, 254, NAN, 7 }, 4, 8 + 4 },
		{ { 0, 255, NAN, 7 }, 4, 8 + 8 },
		{ { 1e9, 1e9 + 254 }, 2, 8 + 2 },
		{ { -3, 65531 }, 2, 8 + 4 },
		{ { -3, 65532 }, 2, 8 + 8 },
		{ { -1, 4294967293.0 }, 2, 8 + 8 },
		{ { -1, 4294967294.0 }, 2, 16 },
		{ { 0.1, 0.25, 1.5 }, 3, 8 + 3 },
		{ { 12.34, 1, 650 }, 3, 8 + 6 },
		{ { 0.123456789, 3 }, 2, 8 + 8 },
		{ { 0.1234567891, 3 }, 2, 16 },
		{ { 1e15, 0.1 }, 2, 8 }, /* with one place 1e15 would be too large; as floats they are not */
		{ { 1e15 + 1, 0.1 }, 2, 16 },
		{ { 0.0, -0.0 }, 2, 8 },
		{ { NAN, NAN }, 2, 8 + 2 },
		{ { 0 }, 0, 8 },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		ck_assert_uint_eq(number_trip(all[i].x, all[i].count), all[i].bytes);
}
END_TEST

/* Whatever the power of ten and the digits, and however they are mixed: the same double comes back. */
START_TEST(decimals_lose_nothing)
{
	double x[MANY];

	for (int exponent = -45; exponent <= 38; exponent++)
		for (int digits = 1; digits < 18; digits++) {
			int64_t most = 1;

			for (int i = 0; i < digits; i++)
				most *= 10;
			for (size_t i = 0; i < MANY; i++) {
				char text[64];

				snprintf(text, sizeof text, "%s%llde%d", i % 3 ? "" : "-",
						(long long)(next_random() % (uint64_t)most),
						exponent - (int)(i % (size_t)digits));
				x[i] = i % 17 ? strtod(text, NULL) : NAN;
			}
			number_trip(x, MANY);
			number_trip(x, 130);
		}
}
END_TEST

/* Up to six digits need no more than a float, next to every power of ten too, where their number changes. */
START_TEST(floats_lose_nothing)
{
	double x[MANY];

	for (size_t i = 0; i < MANY; i++)
		x[i] = strtod((char[16]){ '9', '9', '9', '9', '9', (char)('0' + i % 10), 'e',
					      i % 2 ? '-' : '+', (char)('0' + i / 10 % 3),
					      (char)('0' + i / 100), 0 },
				NULL);
	ck_assert_uint_eq(number_trip(x, MANY), MANY * 4);
}
END_TEST

static void codes_trip(uint32_t count, size_t width)
{
	uint32_t codes[] = { 0, count ? count - 1 : SEGMENT_CODE_MISSING, SEGMENT_CODE_MISSING, count / 2 },
		 back[4];
	unsigned char *bytes;
	size_t size;

	if (!count) codes[0] = codes[3] = SEGMENT_CODE_MISSING;
	ck_assert_int_eq(segment_write_codes(codes, 4, count, &bytes, &size, NULL), 0);
	ck_assert_uint_eq(size, SEGMENT_HEADER_BYTES + 4 * width);
	ck_assert_int_eq(segment_read_codes(bytes, size, count, back, NULL), 0);
	ck_assert_mem_eq(codes, back, sizeof codes);
	if (count) ck_assert_int_eq(segment_read_codes(bytes, size, count - 1, back, NULL), ERR_CORRUPT);
	ck_assert_int_eq(segment_read_numbers(bytes, size, (double[4]){ 0 }, NULL), ERR_CORRUPT);
	free(bytes);
}

START_TEST(codes_come_back)
{
	codes_trip(0, 1);
	codes_trip(1, 1);
	codes_trip(255, 1); /* 0 to 254; 255 is the missing one */
	codes_trip(256, 2);
	codes_trip(65535, 2);
	codes_trip(65536, 4);
	codes_trip(UINT32_MAX, 4);
}
END_TEST

/* Feeds every prefix, and every byte of the header changed, from blocks of their own size. Only another number of
 * places, which no size tells, is taken for what it says. */
START_TEST(damage_is_refused)
{
	static const double all[][3] = { { 1, 2, 3 }, { 1e-20, 2, 3 }, { 0.1 + 0.2, 2, 3 } };
	float infinite = INFINITY;

	for (size_t kind = 0; kind < 3; kind++) {
		unsigned char *bytes, *copy;
		size_t size;
		uint32_t codes[3];
		double back[3];

		ck_assert_int_eq(segment_write_numbers(all[kind], 3, &bytes, &size, NULL), 0);
		ck_assert_int_eq(segment_read_codes(bytes, size, 9, codes, NULL), ERR_CORRUPT);
		for (size_t n = 0; n < size; n++) {
			copy = malloc(n ? n : 1);
			memcpy(copy, bytes, n);
			ck_assert_int_eq(segment_read_numbers(copy, n, back, NULL), ERR_CORRUPT);
			free(copy);
		}
		for (size_t i = 0; i < SEGMENT_HEADER_BYTES; i++)
			for (int change = 1; change < 256; change++) {
				bytes[i] ^= (unsigned char)change;
				if (kind || i != 1 || bytes[1] > 9)
					ck_assert_int_eq(segment_read_numbers(bytes, size, back, NULL),
							ERR_CORRUPT);
				bytes[i] ^= (unsigned char)change;
			}
		if (kind == 0) memset(bytes + SEGMENT_HEADER_BYTES, 0x7F, 8); /* a base that no number has */
		if (kind == 1) memcpy(bytes + SEGMENT_HEADER_BYTES, &infinite, sizeof infinite);
		if (kind < 2) ck_assert_int_eq(segment_read_numbers(bytes, size, back, NULL), ERR_CORRUPT);
		free(bytes);
	}
}
END_TEST

START_TEST(dictionaries_come_back)
{
	static const char *const values[] = { "setosa", "", "ver", "\xC3\xA4" };
	static const size_t lengths[] = { 6, 0, 3, 2 };
	struct dictionary dictionary;
	unsigned char *bytes, *copy;
	size_t size;

	ck_assert_int_eq(dictionary_write(values, lengths, 4, &bytes, &size, NULL), 0);
	ck_assert_int_eq(dictionary_read(bytes, size, &dictionary, NULL), 0);
	ck_assert_uint_eq(dictionary.count, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(dictionary.values[i], values[i]);
		ck_assert_uint_eq(dictionary.lengths[i], lengths[i]);
	}
	dictionary_clear(&dictionary);
	dictionary_clear(&dictionary);
	for (size_t n = 0; n < size; n++) {
		copy = malloc(n ? n : 1);
		memcpy(copy, bytes, n);
		ck_assert_int_eq(dictionary_read(copy, n, &dictionary, NULL), ERR_CORRUPT);
		free(copy);
	}
	bytes[size - 1] = 0; /* a NUL inside a value would cut it */
	ck_assert_int_eq(dictionary_read(bytes, size, &dictionary, NULL), ERR_CORRUPT);
	memset(bytes + 4, 0xFF, 4); /* 2^32 - 1 values */
	ck_assert_int_eq(dictionary_read(bytes, size, &dictionary, NULL), ERR_CORRUPT);
	free(bytes);
	ck_assert_int_eq(dictionary_write(NULL, NULL, 0, &bytes, &size, NULL), 0);
	ck_assert_int_eq(dictionary_read(bytes, size, &dictionary, NULL), 0);
	ck_assert_uint_eq(dictionary.count, 0);
	dictionary_clear(&dictionary);
	free(bytes);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { numbers_come_back, decimals_lose_nothing, floats_lose_nothing,
		codes_come_back, damage_is_refused, dictionaries_come_back, NULL };

	return suite_main("segment", tests, 60);
}
