/* recall.c - see recall.h. A cache of SETS sets of WAYS places each; a key's hash says which set. */
#include "server/registry/recall.h"

#include <stdlib.h>

#define SETS 1024
#define WAYS 4

struct item {               /* in the order in which it is looked at */
	struct found found; /* version NULL: empty */
	struct key key;
};

struct thread_recall { /* of a thread */
	uint64_t generation;
	_Atomic uint64_t hits;      /* written by the thread alone */
	size_t count;               /* items that hold something */
	uint16_t used[SETS * WAYS]; /* (count): which */
	unsigned char next[SETS];   /* the place that is given up next */
	struct item items[SETS * WAYS];
};

struct recall {
	struct thread_recall *_Atomic memories[SLOTS_MAX]; /* each written by the thread whose slot it is */
};

struct recall *recall_new(void)
{
	return calloc(1, sizeof(struct recall));
}

static void forget(struct thread_recall *m)
{
	while (m->count) {
		struct item *item = &m->items[m->used[--m->count]];

		found_put(item->found);
		item->found = (struct found){ 0 };
	}
}

void recall_free(struct recall *r)
{
	for (size_t i = 0; r && i < SLOTS_MAX; i++) {
		if (r->memories[i]) forget(r->memories[i]);
		free(r->memories[i]);
	}
	free(r);
}

/* This thread's, of this generation; NULL: it has none. */
static struct thread_recall *own_memory(struct recall *r, uint64_t generation)
{
	size_t slot = thread_slot();
	struct thread_recall *m;

	if (slot >= SLOTS_MAX) return NULL;
	if (!(m = r->memories[slot])) {
		if (!(m = calloc(1, sizeof *m))) return NULL;
		r->memories[slot] = m;
	}
	if (m->generation != generation) {
		forget(m);
		m->generation = generation;
	}
	return m;
}

uint64_t recall_hits(const struct recall *r)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < SLOTS_MAX; i++) {
		const struct thread_recall *m = atomic_load_explicit(&r->memories[i], memory_order_acquire);

		if (m) hits += atomic_load_explicit(&m->hits, memory_order_relaxed);
	}
	return hits;
}

static struct item *set_of(struct thread_recall *m, const struct key *key)
{
	return &m->items[key->hash % SETS * WAYS];
}

bool recall_find(struct recall *r, uint64_t generation, const struct key *key, struct found *out)
{
	struct thread_recall *m = own_memory(r, generation);
	struct item *set = m ? set_of(m, key) : NULL;

	for (size_t i = 0; m && i < WAYS; i++)
		if (set[i].found.version && key_equal(&set[i].key, key)) {
			*out = found_share(set[i].found);
			atomic_store_explicit(&m->hits,
					atomic_load_explicit(&m->hits, memory_order_relaxed) + 1,
					memory_order_relaxed);
			return true;
		}
	return false;
}

void recall_keep(struct recall *r, uint64_t generation, const struct key *key, struct found found)
{
	struct thread_recall *m = own_memory(r, generation);
	size_t set = key->hash % SETS;
	struct item *item;

	if (!m) return;
	item = &m->items[set * WAYS + m->next[set]++ % WAYS];
	if (!item->found.version) m->used[m->count++] = (uint16_t)(item - m->items);
	found_put(item->found);
	*item = (struct item){ found_share(found), *key };
}
