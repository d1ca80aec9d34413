/* shuffle.c - the order of an epoch's rows: a function of a seed and an epoch alone. See train.h.
 *
 * Whoever has all rows in memory takes the whole order at once; whoever reads a window at a time takes that of the
 * blocks and then that of a window's rows (train_window.c).
 */
#include "core/rng.h"
#include "core/train_parts.h"

/* Uniform in [0, bound): the high word of a 64-bit number times bound (Lemire, ACM TOMACS 29, 2019, without the
 * rejection, which no bound of 32 bits can miss). words are a Philox block, half tells which half of it. */
static uint32_t below(const uint32_t words[4], size_t half, uint32_t bound)
{
	uint64_t number = (uint64_t)words[2 * half + 1] << 32 | words[2 * half];

	return (uint32_t)((unsigned __int128)number * bound >> 64);
}

#define DRAWN 32 /* blocks at once */

/* Exchange i is drawn from half i % 2 of block i / 2 of the key. */
static void fisher_yates(uint32_t *order, size_t n, const struct rng_key *key)
{
	uint32_t words[DRAWN][4];
	size_t first = n / 2 + 1; /* block of words[0] */

	for (size_t i = n; i-- > 1;) {
		uint32_t j, swap = order[i];

		if (i / 2 < first) {
			size_t end = first;

			first = i / 2 + 1 > DRAWN ? i / 2 + 1 - DRAWN : 0;
			if (end > i / 2 + 1) end = i / 2 + 1;
			rng_blocks(key, first, end - first, words);
		}
		j = below(words[i / 2 - first], i % 2, (uint32_t)i + 1);
		order[i] = order[j];
		order[j] = swap;
	}
}

size_t train_block_rows(size_t width)
{
	size_t rows = width ? SHUFFLE_BLOCK_NUMBERS / width : SHUFFLE_BLOCK_ROWS;

	return rows > SHUFFLE_BLOCK_ROWS ? SHUFFLE_BLOCK_ROWS : rows ? rows : 1;
}

void train_shuffle_blocks(uint32_t *blocks, size_t count, uint64_t seed, uint32_t epoch)
{
	const struct rng_key key = { .seed = seed, .stream = RNG_SHUFFLE, .epoch = epoch };

	for (size_t i = 0; i < count; i++)
		blocks[i] = (uint32_t)i;
	fisher_yates(blocks, count, &key);
}

void train_shuffle_window(uint32_t *order, size_t rows, size_t window, uint64_t seed, uint32_t epoch)
{
	const struct rng_key key = { seed, RNG_SHUFFLE, epoch, (uint32_t)window + 1 }; /* 0: of the blocks */

	fisher_yates(order, rows, &key);
}

/* The blocks' order lies at the end of `order` and is read from there while rows are written from the front. Each
 * block still to be read has at least one row still to be written, so the one never reaches the other. */
void train_shuffle(uint32_t *order, size_t rows, size_t block_rows, uint64_t seed, uint32_t epoch)
{
	size_t blocks = (rows + block_rows - 1) / block_rows;
	uint32_t *block_order = order + (rows - blocks);
	size_t written = 0, first = 0, window = 0;

	train_shuffle_blocks(block_order, blocks, seed, epoch);
	for (size_t i = 0; i < blocks; i++) {
		size_t row = (size_t)block_order[i] * block_rows;
		size_t end = row + block_rows < rows ? row + block_rows : rows;

		while (row < end)
			order[written++] = (uint32_t)row++;
		if ((i + 1) % SHUFFLE_WINDOW_BLOCKS && i + 1 < blocks) continue;
		train_shuffle_window(order + first, written - first, window++, seed, epoch);
		first = written;
	}
}
