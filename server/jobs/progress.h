/* progress.h - how far a running job is and how its layers fare, read by anybody without a lock.
 *
 * Two sequence locks (Lameter, 2005; Boehm, "Can seqlocks get along with programming language memory models?", 2012):
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
	uint64_t batches;   /* mini-batches of an epoch */
	double noted; /* when the point was, on the monotonic clock, seconds; 0: training has not begun */
	double epoch_seconds;    /* of recent epochs, validation and all; 0: there was none */
	double training_seconds; /* of them, in training alone */
	double at;               /* when this was shown, on the same clock */
	uint64_t steps;          /* mini-batches done in all by then */
};

/* How the layers fared in the last epoch that was looked at. */
struct layers {
	uint64_t epoch; /* 0: none was */
	uint64_t count;
	struct train_health rows[NET_LAYERS_MAX];
};

#define PROGRESS_TRIES 100
#define PROGRESS_WORDS (sizeof(struct progress) / sizeof(uint64_t))
#define LAYERS_WORDS   (sizeof(struct layers) / sizeof(uint64_t))

_Static_assert(sizeof(struct progress) % sizeof(uint64_t) == 0 &&
				sizeof(struct layers) % sizeof(uint64_t) == 0,
		"they are copied by words");

struct progress_cell { /* zeroed: nothing yet */
	atomic_uint sequence;
	_Atomic uint64_t words[PROGRESS_WORDS];
};
struct layers_cell {
	atomic_uint sequence;
	_Atomic uint64_t words[LAYERS_WORDS];
};

static inline void cell_write(atomic_uint *sequence_of, _Atomic uint64_t *words, const void *from, size_t n)
{
	unsigned sequence = atomic_load_explicit(sequence_of, memory_order_relaxed);

	atomic_store_explicit(sequence_of, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < n; i++) {
		uint64_t word;

		memcpy(&word, (const char *)from + i * sizeof word, sizeof word);
		atomic_store_explicit(&words[i], word, memory_order_relaxed);
	}
	atomic_store_explicit(sequence_of, sequence + 2, memory_order_release);
}

static inline void cell_read(
		const atomic_uint *sequence_of, const _Atomic uint64_t *words, void *to, size_t n)
{
	const struct timespec pause = { 0, 50000 };
	unsigned before, after;

	for (unsigned tries = 1;; tries++) {
		before = atomic_load_explicit(sequence_of, memory_order_acquire);
		for (size_t i = 0; i < n; i++) {
			uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);

			memcpy((char *)to + i * sizeof word, &word, sizeof word);
		}
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(sequence_of, memory_order_relaxed);
		if (before == after && before % 2 == 0) break;
		if (tries % PROGRESS_TRIES == 0) nanosleep(&pause, NULL);
	}
}

static inline void progress_write(struct progress_cell *cell, const struct progress *progress)
{
	cell_write(&cell->sequence, cell->words, progress, PROGRESS_WORDS);
}

static inline void progress_read(const struct progress_cell *cell, struct progress *progress)
{
	cell_read(&cell->sequence, cell->words, progress, PROGRESS_WORDS);
}

static inline void layers_write(struct layers_cell *cell, const struct layers *layers)
{
	cell_write(&cell->sequence, cell->words, layers, LAYERS_WORDS);
}

static inline void layers_read(const struct layers_cell *cell, struct layers *layers)
{
	cell_read(&cell->sequence, cell->words, layers, LAYERS_WORDS);
}

#endif
