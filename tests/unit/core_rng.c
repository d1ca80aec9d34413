/* core_rng.c - rng.h against the known answers of Random123, and its distributions against their moments. */
#include "core/rng.h"

#include <math.h>
#include <string.h>

#include "tests/unit/suite.h"

#define LIMIT_SECONDS 60
#define DRAWS         200000
#define SIGMAS        5.0 /* a mean of DRAWS lies further out than this once in two million seeds */

/* The counter's words are laid out as rng.c says: block, then stream in the top 8 bits, epoch, step. The rows
 * of philox4x32 with 10 rounds in the file kat_vectors of Random123. */
static const struct answer {
	uint32_t counter[4];
	uint32_t key[2];
	uint32_t words[4];
} answers[] = {
	{ { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
	{ { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
			{ 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
	{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
			{ 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
};

START_TEST(known_answers)
{
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const struct answer *a = &answers[i];
		struct rng_key key = {
			.seed = (uint64_t)a->key[1] << 32 | a->key[0],
			.stream = (enum rng_stream)(a->counter[1] >> 24),
			.epoch = a->counter[2],
			.step = a->counter[3],
		};
		uint64_t block = (uint64_t)(a->counter[1] & 0xffffff) << 32 | a->counter[0];
		uint32_t words[4];

		rng_block(&key, block, words);
		for (int j = 0; j < 4; j++)
			ck_assert_msg(words[j] == a->words[j], "row %zu, word %d: %08x, not %08x", i, j,
					words[j], a->words[j]);
	}
}
END_TEST

START_TEST(words_are_those_of_the_blocks)
{
	struct rng_key key = { .seed = 5, .stream = RNG_TEST, .epoch = 2, .step = 3 };
	uint32_t words[4];

	for (uint64_t i = 0; i < 64; i++) {
		rng_block(&key, i / 4, words);
		ck_assert_uint_eq(rng_u32(&key, i), words[i % 4]);
	}
}
END_TEST

/* Changing any part of the key, or the block, must give other numbers. */
/* Many at once, over a carry into the second word and with a rest of every length. */
START_TEST(blocks_together_are_the_same_blocks)
{
	const struct rng_key key = { 1234567890123, RNG_TEST, 7, 9 };
	uint32_t together[40][4], alone[4];

	for (size_t count = 0; count <= 40; count++) {
		uint64_t first = UINT32_MAX - 20;

		rng_blocks(&key, first, count, together);
		for (size_t i = 0; i < count; i++) {
			rng_block(&key, first + i, alone);
			ck_assert_mem_eq(together[i], alone, sizeof alone);
		}
	}
}
END_TEST

START_TEST(every_part_of_the_key_counts)
{
	const struct rng_key base = { .seed = 1, .stream = RNG_TEST };
	struct rng_key keys[] = { base, base, base, base, base, base };
	uint32_t blocks[7][4];

	keys[1].seed = 2;
	keys[2].seed += UINT64_C(1) << 32;
	keys[3].stream = RNG_SHUFFLE;
	keys[4].epoch = 1;
	keys[5].step = 1;
	for (size_t i = 0; i < 6; i++)
		rng_block(&keys[i], 0, blocks[i]);
	rng_block(&base, UINT64_C(1) << 32, blocks[6]);
	for (size_t i = 0; i < 7; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(memcmp(blocks[i], blocks[j], sizeof blocks[i]) != 0, "%zu is %zu", i,
					j);
}
END_TEST

/* The mean of many draws lies within SIGMAS of what it should be. */
static void expect_mean(const char *what, double sum, double mean, double variance)
{
	double got = sum / DRAWS, bound = SIGMAS * sqrt(variance / DRAWS);

	ck_assert_msg(fabs(got - mean) < bound, "%s: %g, not %g within %g", what, got, mean, bound);
}

START_TEST(uniform_is_open_and_even)
{
	struct rng_key key = { .seed = 7, .stream = RNG_TEST };
	double sum = 0, squares = 0, neighbours = 0, last = 0.5;

	for (uint64_t i = 0; i < DRAWS; i++) {
		double x = rng_uniform(&key, i);

		if (!(x > 0 && x < 1)) ck_abort_msg("%a at %lu", x, (unsigned long)i);
		sum += x;
		squares += x * x;
		neighbours += (x - 0.5) * (last - 0.5);
		last = x;
	}
	expect_mean("mean", sum, 1.0 / 2, 1.0 / 12);
	expect_mean("mean square", squares, 1.0 / 3, 4.0 / 45);
	expect_mean("neighbours' covariance", neighbours, 0, 1.0 / 144);
}
END_TEST

/* Moments 1 to 4 of the normal distribution are 0, 1, 0, 3; the variance of the j-th power is the moment 2j
 * less the square of the moment j. */
START_TEST(normal_has_its_moments)
{
	static const double moments[5] = { 1, 0, 1, 0, 3 }, variances[5] = { 0, 1, 2, 15, 96 };
	struct rng_key key = { .seed = 8, .stream = RNG_TEST };
	double sums[5] = { 0 }, pairs = 0, tail = 0;

	for (uint64_t i = 0; i < DRAWS; i++) {
		double x = rng_normal(&key, i), power = 1;

		for (int j = 1; j < 5; j++)
			sums[j] += power *= x;
		if (i % 2) pairs += x * rng_normal(&key, i - 1) * 2;
		tail += fabs(x) > 1.959963984540054; /* one draw in twenty */
	}
	for (int j = 1; j < 5; j++)
		expect_mean("moment", sums[j], moments[j], variances[j]);
	expect_mean("covariance in a pair", pairs, 0, 2);
	expect_mean("share beyond 1.96", tail, 0.05, 0.05 * 0.95);
}
END_TEST

/* Chi-square over the values, for bounds that are no power of two. */
START_TEST(below_is_even)
{
	static const uint64_t bounds[] = { 1, 2, 3, 7, 10, 150, 1000 };
	struct rng_key key = { .seed = 9, .stream = RNG_TEST };

	for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
		unsigned counts[1000] = { 0 };
		double expected = (double)DRAWS / (double)bounds[b], chi = 0, freedom = (double)bounds[b] - 1;

		key.epoch = (uint32_t)b;
		for (uint64_t i = 0; i < DRAWS; i++) {
			uint64_t x = rng_below(&key, i, bounds[b]);

			if (x >= bounds[b]) ck_abort_msg("%lu", (unsigned long)x);
			counts[x]++;
		}
		for (uint64_t x = 0; x < bounds[b]; x++)
			chi += (counts[x] - expected) * (counts[x] - expected) / expected;
		ck_assert_msg(fabs(chi - freedom) <= SIGMAS * sqrt(2 * freedom), "below %lu: chi-square %g",
				(unsigned long)bounds[b], chi);
	}
}
END_TEST

/* Bounds beyond 2^32: a third of the range must get a third of the draws, where 64 bits times a bound near
 * 3/4 of 2^64 and no more would favour some values twofold. */
START_TEST(below_is_even_at_huge_bounds)
{
	const uint64_t bound = UINT64_C(3) << 62;
	struct rng_key key = { .seed = 10, .stream = RNG_TEST };
	double low = 0, residues[3] = { 0 };

	for (uint64_t i = 0; i < DRAWS; i++) {
		uint64_t x = rng_below(&key, i, bound);

		if (x >= bound) ck_abort_msg("%lu", (unsigned long)x);
		low += x < bound / 3;
		residues[x % 3]++;
	}
	expect_mean("lower third", low, 1.0 / 3, 2.0 / 9);
	for (int r = 0; r < 3; r++)
		expect_mean("residue of three", residues[r], 1.0 / 3, 2.0 / 9);
}
END_TEST

/* Each of the 24 orders of four is as likely as any other. */
START_TEST(permutations_are_even)
{
	enum { PERMUTATIONS = 240000 };
	struct rng_key key = { .seed = 5, .stream = RNG_PERMUTE };
	double seen[256] = { 0 };
	size_t orders = 0;

	for (uint64_t i = 0; i < PERMUTATIONS; i++) {
		uint32_t order[4], all = 0;

		rng_permute(&key, 4 * i, order, 4);
		for (size_t j = 0; j < 4; j++)
			all |= 1u << order[j];
		ck_assert_uint_eq(all, 15);
		seen[order[0] | order[1] << 2 | order[2] << 4 | order[3] << 6]++;
	}
	for (size_t i = 0; i < 256; i++) {
		orders += seen[i] > 0;
		if (seen[i] > 0) ck_assert_double_eq_tol(seen[i], PERMUTATIONS / 24.0, 6 * 100);
	}
	ck_assert_uint_eq(orders, 24);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		known_answers,
		words_are_those_of_the_blocks,
		blocks_together_are_the_same_blocks,
		every_part_of_the_key_counts,
		uniform_is_open_and_even,
		normal_has_its_moments,
		below_is_even,
		below_is_even_at_huge_bounds,
		permutations_are_even,
		NULL,
	};

	return suite_main("rng", tests, LIMIT_SECONDS);
}
