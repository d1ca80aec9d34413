/* rng.h - counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is a function of (seed, stream, epoch, step, index) and of nothing else, so
 * that there is no generator state to keep, to share between threads or to put into a checkpoint.
 */
#ifndef DESCENT_RNG_H
#define DESCENT_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What the numbers are for; two streams of one seed are independent. */
enum rng_stream {
	RNG_WEIGHTS = 1,
	RNG_SHUFFLE,
	RNG_SPLIT,
	RNG_DROPOUT,
	RNG_TEST,
	RNG_MASK,
	RNG_GRADIENT_NOISE,
	RNG_INPUT_NOISE,
	RNG_INPUT_DROPOUT,
	RNG_SAMPLE,
	RNG_PERMUTE,
	RNG_FOLDS,
	RNG_SWEEP,
};

struct rng_key {
	uint64_t seed;
	enum rng_stream stream;
	uint32_t epoch; /* or the layer, where weights are drawn */
	uint32_t step;
};

/* The four words of block `block` of this key. */
void rng_block(const struct rng_key *key, uint64_t block, uint32_t out[4]);
/* Those of the blocks first to first + count - 1, several at a time. */
void rng_blocks(const struct rng_key *key, uint64_t first, size_t count, uint32_t (*out)[4]);

uint32_t rng_u32(const struct rng_key *key, uint64_t index);
/* Uniform in [0, bound), without bias beyond 2^-32 (Lemire's multiplication). bound > 0. */
uint64_t rng_below(const struct rng_key *key, uint64_t index, uint64_t bound);
/* Uniform in the open interval (0, 1), 53 bits. */
double rng_uniform(const struct rng_key *key, uint64_t index);
/* Normal with mean 0 and deviation 1 (Box and Muller, 1958). */
double rng_normal(const struct rng_key *key, uint64_t index);

/* out (n) becomes 0 … n-1 in random order (Fisher, Yates; Durstenfeld, CACM 7, 1964). Takes the indices from `first` on. */
void rng_permute(const struct rng_key *key, uint64_t first, uint32_t *out, size_t n);

#endif
