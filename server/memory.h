/* memory.h - the one account of what the daemon takes of the machine's memory, against --memory-budget.
 *
 * Who needs much takes it here first, and refuses what it was asked for where there is none: with ERR_BUSY where it would have
 * it alone, else with ERR_TOO_LARGE (memory_alone). Afterwards it gives it back. Shares of the whole, for jobs, models, bodies
 * and documents, are kept by those who hand them out: they say who goes first, this says when it is enough. Any thread may
 * call, and no lock is taken.
 */
#ifndef SERVER_MEMORY_H
#define SERVER_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct memory {
	_Atomic uint64_t taken; /* bytes */
	_Atomic uint64_t
			kept; /* of these, while nobody asks for anything: models, buffers for the next request */
	uint64_t most;
};

/* So many bytes more, whether there is room or not: of what is there already. NULL: nobody counts. */
static inline void memory_add(struct memory *memory, uint64_t bytes)
{
	if (memory) atomic_fetch_add_explicit(&memory->taken, bytes, memory_order_relaxed);
}

static inline void memory_give(struct memory *memory, uint64_t bytes)
{
	if (memory) atomic_fetch_sub_explicit(&memory->taken, bytes, memory_order_relaxed);
}

static inline uint64_t memory_taken(struct memory *memory)
{
	return memory ? atomic_load_explicit(&memory->taken, memory_order_relaxed) : 0;
}

/* False: there is no room for them, and nothing is taken. */
static inline bool memory_take(struct memory *memory, uint64_t bytes)
{
	if (!memory) return true;
	if (bytes <= memory->most && atomic_fetch_add_explicit(&memory->taken, bytes, memory_order_relaxed) <=
						     memory->most - bytes)
		return true;
	if (bytes <= memory->most) memory_give(memory, bytes);
	return false;
}

/* Of what is taken, so many more bytes stay until memory_unkeep. */
static inline void memory_keep(struct memory *memory, uint64_t bytes)
{
	if (memory && bytes) atomic_fetch_add_explicit(&memory->kept, bytes, memory_order_relaxed);
}

static inline void memory_unkeep(struct memory *memory, uint64_t bytes)
{
	if (memory && bytes) atomic_fetch_sub_explicit(&memory->kept, bytes, memory_order_relaxed);
}

/* What the pieces of a body on their way hold of it, beside what they are read into. */
#define MEMORY_PIECES_BYTES (2u << 20)

/* What one request has for itself when there is no other. */
static inline uint64_t memory_alone(struct memory *memory)
{
	uint64_t kept = memory ? atomic_load_explicit(&memory->kept, memory_order_relaxed) : 0;

	if (!memory) return UINT64_MAX;
	return kept + MEMORY_PIECES_BYTES < memory->most ? memory->most - kept - MEMORY_PIECES_BYTES : 0;
}

#endif
