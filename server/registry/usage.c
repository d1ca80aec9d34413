/* usage.c - see usage.h. */
#include "server/registry/usage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS    1024
#define SHARDS     8
#define COUNTS     (sizeof(struct usage_counts) / sizeof(uint64_t) - 1) /* that are summed */
#define NAME_BYTES 72
#define IDLE_MAX   1024 /* records that no version holds */

_Static_assert(sizeof(struct usage_counts) == (COUNTS + 1) * sizeof(uint64_t),
		"numbers of 64 bits, last_ms the last");

struct shard {
	_Alignas(64) _Atomic uint64_t last_ms; /* on the line of the counts that each request changes */
	_Atomic uint64_t counts[COUNTS];
};

struct usage_record {
	struct shard shards[SHARDS];
	struct usage *of;
	uint64_t number; /* 0: of versions of the model that are gone */
	struct usage_record *next;
	TAILQ_ENTRY(usage_record) idle;
	unsigned users; /* versions in memory */
	char model[NAME_BYTES];
};

struct usage {
	pthread_mutex_t lock; /* of the lists */
	struct usage_record *buckets[BUCKETS];
	TAILQ_HEAD(idle, usage_record) idle; /* nobody holds them, the longest so first */
	unsigned idle_count;
};

struct usage *usage_new(void)
{
	struct usage *u = calloc(1, sizeof *u);

	if (!u) return NULL;
	pthread_mutex_init(&u->lock, NULL);
	TAILQ_INIT(&u->idle);
	return u;
}

void usage_free(struct usage *u)
{
	if (!u) return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (u->buckets[i]) {
			struct usage_record *next = u->buckets[i]->next;

			free(u->buckets[i]);
			u->buckets[i] = next;
		}
	pthread_mutex_destroy(&u->lock);
	free(u);
}

static size_t bucket_of(const char *model)
{
	size_t hash = 5381; /* Bernstein */

	for (; *model; model++)
		hash = hash * 33 ^ (unsigned char)*model;
	return hash % BUCKETS;
}

/* ---- counting ---- */

/* A thread keeps to one shard. */
static struct shard *own_shard(struct usage_record *r)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine; /* shard + 1 */

	if (!mine) mine = atomic_fetch_add(&threads, 1) % SHARDS + 1;
	return &r->shards[mine - 1];
}

void usage_add(struct usage_record *r, const struct usage_counts *more)
{
	const uint64_t *numbers = (const uint64_t *)more;
	struct shard *shard;

	if (!r) return;
	shard = own_shard(r);
	for (size_t i = 0; i < COUNTS; i++)
		if (numbers[i])
			atomic_fetch_add_explicit(&shard->counts[i], numbers[i], memory_order_relaxed);
	if (more->last_ms) atomic_store_explicit(&shard->last_ms, more->last_ms, memory_order_relaxed);
}

static void sum(struct usage_record *r, struct usage_counts *out)
{
	uint64_t *numbers = (uint64_t *)out;

	*out = (struct usage_counts){ 0 };
	for (size_t s = 0; s < SHARDS; s++) {
		uint64_t last = atomic_load_explicit(&r->shards[s].last_ms, memory_order_relaxed);

		for (size_t i = 0; i < COUNTS; i++)
			numbers[i] += atomic_load_explicit(&r->shards[s].counts[i], memory_order_relaxed);
		if (last > out->last_ms) out->last_ms = last;
	}
}

/* ---- records ---- */

/* Found or new, and out of the list of idle ones. NULL: no memory. */
static struct usage_record *take(struct usage *u, const char *model, uint64_t number)
{
	struct usage_record **bucket = &u->buckets[bucket_of(model)], *r;

	for (r = *bucket; r; r = r->next)
		if (r->number == number && !strcmp(r->model, model)) break;
	if (r && !r->users) {
		TAILQ_REMOVE(&u->idle, r, idle);
		u->idle_count--;
	} else if (!r && (r = aligned_alloc(_Alignof(struct usage_record), sizeof *r))) {
		memset(r, 0, sizeof *r);
		strcpy(r->model, model);
		r->of = u;
		r->number = number;
		r->next = *bucket;
		*bucket = r;
	}
	if (r) r->users++;
	return r;
}

static void let_go(struct usage_record *r)
{
	if (--r->users) return;
	TAILQ_INSERT_TAIL(&r->of->idle, r, idle);
	r->of->idle_count++;
}

/* What one counted goes to the model's own, so that the model's sum never falls; a model's own goes at last. */
static void drop(struct usage_record *r)
{
	struct usage *u = r->of;
	struct usage_record **at = &u->buckets[bucket_of(r->model)], *model;
	struct usage_counts counts;

	TAILQ_REMOVE(&u->idle, r, idle);
	u->idle_count--;
	if (r->number && (model = take(u, r->model, 0))) {
		sum(r, &counts);
		usage_add(model, &counts);
		let_go(model);
	}
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free(r);
}

struct usage_record *usage_take(struct usage *u, const char *model, uint64_t number)
{
	struct usage_record *r;

	if (strlen(model) >= NAME_BYTES) return NULL;
	pthread_mutex_lock(&u->lock);
	r = take(u, model, number);
	pthread_mutex_unlock(&u->lock);
	return r;
}

void usage_put(struct usage_record *r)
{
	struct usage *u;

	if (!r) return;
	u = r->of;
	pthread_mutex_lock(&u->lock);
	let_go(r);
	while (u->idle_count > IDLE_MAX)
		drop(TAILQ_FIRST(&u->idle)); /* NOLINT(clang-analyzer-unix.Malloc): it takes it out */
	pthread_mutex_unlock(&u->lock);
}

void usage_each(struct usage *u, const char *model, uint64_t number,
		void (*each)(void *self, const char *model, uint64_t number,
				const struct usage_counts *counts),
		void *self)
{
	pthread_mutex_lock(&u->lock);
	for (size_t i = model ? bucket_of(model) : 0; i < BUCKETS; i++) {
		for (struct usage_record *r = u->buckets[i]; r; r = r->next) {
			struct usage_counts counts;

			if ((model && strcmp(r->model, model)) || (number && r->number != number)) continue;
			sum(r, &counts);
			each(self, r->model, r->number, &counts);
		}
		if (model) break;
	}
	pthread_mutex_unlock(&u->lock);
}
