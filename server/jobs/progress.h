/* progress.h - how far a running job is, read by anybody without a lock.
 *
 * A sequence lock (Lameter, 2005; Boehm, "Can seqlocks get along with programming language memory models?", 2012):
 * one thread writes, readers copy and try again when the sequence moved. The writer runs at idle priority: a reader that met
 * it in the middle must get out of its way, not spin on the core that it needs.
 */
#ifndef SERVER_JOBS_PROGRESS_H
#define SERVER_JOBS_PROGRESS_H

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/train.h"

struct progress {
	struct train_point point;
	uint64_t rows;      /* trained on in an epoch */
	uint64_t validates; /* 1: there are held-out rows */
};

#define PROGRESS_TRIES 100
#define PROGRESS_WORDS (sizeof(struct progress) / sizeof(uint64_t))

struct progress_cell { /* zeroed: nothing yet */
	atomic_uint sequence;
	_Atomic uint64_t words[PROGRESS_WORDS];
};

static inline void progress_write(struct progress_cell *cell, const struct progress *progress)
{
	unsigned sequence = atomic_load_explicit(&cell->sequence, memory_order_relaxed);
	uint64_t words[PROGRESS_WORDS];

	memcpy(words, progress, sizeof words);
	atomic_store_explicit(&cell->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < PROGRESS_WORDS; i++)
		atomic_store_explicit(&cell->words[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&cell->sequence, sequence + 2, memory_order_release);
}

static inline void progress_read(const struct progress_cell *cell, struct progress *progress)
{
	uint64_t words[PROGRESS_WORDS];
	const struct timespec pause = { 0, 50000 };
	unsigned before, after;

	for (unsigned tries = 1;; tries++) {
		before = atomic_load_explicit(&cell->sequence, memory_order_acquire);
		for (size_t i = 0; i < PROGRESS_WORDS; i++)
			words[i] = atomic_load_explicit(&cell->words[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&cell->sequence, memory_order_relaxed);
		if (before == after && before % 2 == 0) break;
		if (tries % PROGRESS_TRIES == 0) nanosleep(&pause, NULL);
	}
	memcpy(progress, words, sizeof words);
}

#endif
