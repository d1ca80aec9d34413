/* test_number_short.c - the loopless reader says nothing that the exact one does not say, bit for bit, and takes the
 * numbers that it is for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "server/codec/number.h"
#include "server/codec/number_short.h"
#include "tests/unit/suite.h"

#define ROUNDS 300000

static bool same_bits(double a, double b)
{
	return !memcmp(&a, &b, sizeof a);
}

/* From a block of its own, so that a look outside of it is seen. */
static bool reads(const char *text, size_t n)
{
	char *copy = malloc(n ? n : 1);
	double found = 42, exact = 42;
	bool taken;

	memcpy(copy, text, n);
	taken = number_read_short(copy, n, &found);
	free(copy);
	if (!taken) {
		ck_assert(found == 42);
		return false;
	}
	ck_assert_int_eq(number_read_cell(text, n, &exact), CELL_NUMBER);
	if (!same_bits(found, exact)) ck_abort_msg("%.*s: %.17g, not %.17g", (int)n, text, found, exact);
	return true;
}

START_TEST(whatever_the_text)
{
	static const char letters[] = "0123456789012345678900..--+eE ,x\x80\xFA\xFF";
	const struct rng_key key = { .seed = 5, .stream = RNG_TEST };
	uint64_t at = 0, taken = 0;
	char text[20];

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = rng_below(&key, at++, 19), kinds = i % 2 ? sizeof letters - 1 : 24;

		for (size_t k = 0; k < n; k++)
			text[k] = letters[rng_below(&key, at++, kinds)];
		taken += reads(text, n);
	}
	ck_assert_uint_gt(taken, ROUNDS / 10);
}
END_TEST

START_TEST(decimals_are_taken)
{
	const struct rng_key key = { .seed = 6, .stream = RNG_TEST };
	uint64_t at = 0;
	char text[40];

	for (int i = 0; i < ROUNDS; i++) {
		int whole = 1 + (int)rng_below(&key, at++, 15), places = (int)rng_below(&key, at++, 15);
		uint64_t above = 1, below = 1;
		int n;

		if (whole + places > 15) places = 15 - whole;
		for (int k = 0; k < whole; k++)
			above *= 10;
		for (int k = 0; k < places; k++)
			below *= 10;
		n = snprintf(text, sizeof text, "%s%llu", i % 3 ? "" : "-",
				(unsigned long long)rng_below(&key, at++, above));
		if (places)
			n += snprintf(text + n, sizeof text - (size_t)n, ".%0*llu", places,
					(unsigned long long)rng_below(&key, at++, below));
		ck_assert_msg(reads(text, (size_t)n), "%s", text);
	}
}
END_TEST

START_TEST(what_is_left_to_the_other)
{
	static const char *const taken[] = { "0", "-0", "0.0", "-0.00", "9007199254740992", "5", "55", "555",
		"0.00000000000001", "-0.12345678901234", "123456789012.34", "-1234567890123456" };
	static const char *const left[] = { "", "-", ".", "-.", "1.", ".5", "-.5", "007", "-007", "00",
		"00.5", "1e5", "+1", "1.2.3", "1-", "--1", "12345678901234567", "0.000000000000001",
		"9007199254740993", "1.2345678.9", "..........", " 1", "1 ", "NaN", "1,5", "0x10" };

	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		ck_assert_msg(reads(taken[i], strlen(taken[i])), "%s", taken[i]);
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		ck_assert_msg(!reads(left[i], strlen(left[i])), "%s", left[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { whatever_the_text, decimals_are_taken, what_is_left_to_the_other,
		NULL };

	return suite_main("number_short", tests, 60);
}
