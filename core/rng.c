/* rng.c - Philox4x32-10: ten rounds of multiply, exchange and xor over a counter of four words, under a key of
 * two. See rng.h.
 *
 * The seed is the key. The counter keeps apart what a number is for: the block's number in its low 56 bits, the
 * stream in the 8 bits above them, then epoch and step, so two different requests never share a block as long
 * as a stream stays below 256 and a block below 2^56 - more numbers than anybody draws from one key.
 *
 * A function is pure in (key, index), but the functions below look at the same blocks: whoever wants
 * independent draws of two kinds uses two streams, epochs or steps.
 */
#include "core/rng.h"

#include <math.h>

#include "core/wide.h"

#define ROUNDS 10

/* The multipliers and the Weyl increments of the key (Salmon et al., table 2 and section 4.3). */
#define MULTIPLIER_0 0xD2511F53u
#define MULTIPLIER_1 0xCD9E8D57u
#define WEYL_0       0x9E3779B9u
#define WEYL_1       0xBB67AE85u

#define STREAM_SHIFT 24 /* the stream's place in the counter's second word */

static const double two_pi = 6.283185307179586476925;

void rng_block(const struct rng_key *key, uint64_t block, uint32_t out[4])
{
	uint32_t k0 = (uint32_t)key->seed, k1 = (uint32_t)(key->seed >> 32);
	uint32_t c0 = (uint32_t)block;
	uint32_t c1 = (uint32_t)(block >> 32) ^ (uint32_t)key->stream << STREAM_SHIFT;
	uint32_t c2 = key->epoch, c3 = key->step;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t p0 = (uint64_t)MULTIPLIER_0 * c0, p1 = (uint64_t)MULTIPLIER_1 * c2;

		c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)p1;
		c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p0;
		k0 += WEYL_0;
		k1 += WEYL_1;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

#define LANES 8 /* blocks side by side, so that they become vector code */

WIDE static void many_blocks(const struct rng_key *key, uint64_t first, uint32_t (*out)[4])
{
	uint32_t k0 = (uint32_t)key->seed, k1 = (uint32_t)(key->seed >> 32);
	uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];

	for (size_t i = 0; i < LANES; i++) {
		c0[i] = (uint32_t)(first + i);
		c1[i] = (uint32_t)((first + i) >> 32) ^ (uint32_t)key->stream << STREAM_SHIFT;
		c2[i] = key->epoch;
		c3[i] = key->step;
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < LANES; i++) {
			uint64_t p0 = (uint64_t)MULTIPLIER_0 * c0[i], p1 = (uint64_t)MULTIPLIER_1 * c2[i];

			c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
			c1[i] = (uint32_t)p1;
			c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
			c3[i] = (uint32_t)p0;
		}
		k0 += WEYL_0;
		k1 += WEYL_1;
	}
	for (size_t i = 0; i < LANES; i++) {
		out[i][0] = c0[i];
		out[i][1] = c1[i];
		out[i][2] = c2[i];
		out[i][3] = c3[i];
	}
}

void rng_blocks(const struct rng_key *key, uint64_t first, size_t count, uint32_t (*out)[4])
{
	for (; count >= LANES; count -= LANES, first += LANES, out += LANES)
		many_blocks(key, first, out);
	for (; count; count--)
		rng_block(key, first++, *out++);
}

static uint64_t word_pair(const uint32_t words[2])
{
	return (uint64_t)words[1] << 32 | words[0];
}

/* 53 bits as a multiple of 2^-53, below 1. Zero, one case in 2^53, becomes half a step. */
static double open_unit(uint64_t bits)
{
	uint64_t top = bits >> 11;

	return top ? (double)top * 0x1p-53 : 0x1p-54;
}

uint32_t rng_u32(const struct rng_key *key, uint64_t index)
{
	uint32_t words[4];

	rng_block(key, index / 4, words);
	return words[index % 4];
}

/* The high part of bits * bound (Lemire, "Fast random integer generation in an interval", 2019), with all 128
 * bits of a block of its own in place of a rejection loop: the bias is below bound / 2^128. */
uint64_t rng_below(const struct rng_key *key, uint64_t index, uint64_t bound)
{
	uint32_t words[4];
	unsigned __int128 low;

	rng_block(key, index, words);
	low = (unsigned __int128)word_pair(words) * bound;
	return (uint64_t)(((unsigned __int128)word_pair(words + 2) * bound + (uint64_t)(low >> 64)) >> 64);
}

double rng_uniform(const struct rng_key *key, uint64_t index)
{
	uint32_t words[4];

	rng_block(key, index / 2, words);
	return open_unit(word_pair(words + index % 2 * 2));
}

/* One block gives a pair: the even index takes the cosine, the odd one the sine. */
double rng_normal(const struct rng_key *key, uint64_t index)
{
	uint32_t words[4];
	double radius, angle;

	rng_block(key, index / 2, words);
	radius = sqrt(-2.0 * log(open_unit(word_pair(words))));
	angle = two_pi * open_unit(word_pair(words + 2));
	return radius * (index % 2 ? sin(angle) : cos(angle));
}

void rng_permute(const struct rng_key *key, uint64_t first, uint32_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint32_t)i;
	for (size_t i = n; i-- > 1;) {
		size_t j = (size_t)rng_below(key, first + i, i + 1);
		uint32_t turn = out[i];

		out[i] = out[j];
		out[j] = turn;
	}
}
