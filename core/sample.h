/* sample.h - some of the numbers that stream by, each being as likely to be kept as any other: all of them while there is
 * room, then a uniform sample without replacement (Li, "Reservoir-sampling algorithms of time complexity
 * O(n(1 + log(N/n)))", ACM TOMS 20(4), 1994, algorithm L, which draws how many to skip rather than one number for each).
 * The same numbers, however they are cut into pieces, make the same sample.
 */
#ifndef DESCENT_SAMPLE_H
#define DESCENT_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sample {          /* zeroed: takes nothing */
	double *numbers; /* (room) */
	size_t room;
	uint64_t seen, next; /* numbers so far; which one, counted from 0, is kept next */
	double weight;
	size_t place; /* where it goes */
	uint64_t seed, drawn;
	uint32_t which;
};

/* which: another one for each sample of a seed. false: no memory, *sample is zeroed. */
bool sample_begin(struct sample *sample, size_t room, uint64_t seed, uint32_t which);
void sample_free(struct sample *sample);
/* Takes the n numbers x, x + step, … */
void sample_take(struct sample *sample, const double *x, uint64_t n, size_t step);
static inline size_t sample_count(const struct sample *sample)
{
	return sample->seen < sample->room ? (size_t)sample->seen : sample->room;
}

#endif
