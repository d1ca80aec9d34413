/* sample.c - algorithm L. See sample.h. */
#include "core/sample.h"

#include <math.h>
#include <stdlib.h>

#include "core/rng.h"

#define FAR 0x1p62 /* numbers that nobody will see */

bool sample_begin(struct sample *sample, size_t room, uint64_t seed, uint32_t which)
{
	*sample = (struct sample){ .weight = 1, .seed = seed, .which = which };
	if (!(sample->numbers = malloc(room * sizeof *sample->numbers))) return false;
	sample->room = room;
	return true;
}

/* In the open interval (0, 1). */
static double uniform(uint32_t word)
{
	return ((double)word + 0.5) * 0x1p-32;
}

void sample_free(struct sample *sample)
{
	free(sample->numbers);
	*sample = (struct sample){ 0 };
}

/* Draws which number is kept after the one at `at`, and in whose place. One block of random words serves for all. */
static void draw_next(struct sample *sample, uint64_t at)
{
	const struct rng_key key = { .seed = sample->seed, .stream = RNG_SAMPLE, .epoch = sample->which };
	uint32_t words[4];
	double skip;

	rng_block(&key, sample->drawn++, words);
	sample->weight *= exp(log(uniform(words[0])) / (double)sample->room);
	skip = floor(log(uniform(words[1])) / log1p(-sample->weight));
	sample->next = skip < FAR ? at + (uint64_t)skip + 1 : UINT64_MAX;
	sample->place = (size_t)((uint64_t)words[2] * sample->room >> 32);
}

void sample_take(struct sample *sample, const double *x, uint64_t n, size_t step)
{
	uint64_t from = sample->seen, end = from + n;

	if (!sample->room) return;
	sample->seen = end;
	for (uint64_t at = from; at < end && at < sample->room; at++) {
		sample->numbers[at] = x[(at - from) * step];
		if (at + 1 == sample->room) draw_next(sample, at);
	}
	while (end > sample->room && sample->next < end) {
		sample->numbers[sample->place] = x[(sample->next - from) * step];
		draw_next(sample, sample->next);
	}
}
