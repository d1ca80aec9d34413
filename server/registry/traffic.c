/* traffic.c - see traffic.h. */
#include "server/registry/traffic.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DIGITS_BYTES 24

struct share {
	uint64_t version;
	char digits[DIGITS_BYTES];
	double weight;
};

struct traffic {
	atomic_size_t references;
	char shadow[DIGITS_BYTES]; /* empty: none */
	size_t count;
	struct share shares[TRAFFIC_VERSIONS_MAX]; /* with a weight above 0 */
};

int traffic_new(struct traffic **out, const struct store_share *shares, size_t count, struct err *e)
{
	struct traffic *t;

	*out = NULL;
	if (!count) return 0;
	if (!(t = calloc(1, sizeof *t))) return err_nomem(e);
	atomic_init(&t->references, 1);
	for (size_t i = 0; i < count; i++) {
		struct share *share = &t->shares[t->count];
		unsigned long long version = shares[i].version;

		if (shares[i].shadow) snprintf(t->shadow, sizeof t->shadow, "%llu", version);
		if (shares[i].shadow || shares[i].weight <= 0 || t->count == TRAFFIC_VERSIONS_MAX) continue;
		*share = (struct share){ .version = version, .weight = shares[i].weight };
		snprintf(share->digits, sizeof share->digits, "%llu", version);
		t->count++;
	}
	*out = t;
	return 0;
}

struct traffic *traffic_share(struct traffic *t)
{
	if (t) atomic_fetch_add_explicit(&t->references, 1, memory_order_relaxed);
	return t;
}

void traffic_put(struct traffic *t)
{
	if (t && atomic_fetch_sub_explicit(&t->references, 1, memory_order_acq_rel) == 1) free(t);
}

/* The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): every bit of x moves every bit of the result. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

/* FNV-1a, with the text's end. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
	while (*text++);
	return hash;
}

/* A sequence of the thread's own. */
static uint64_t chance(void)
{
	static _Thread_local uint64_t state;

	if (!state) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		state = mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uintptr_t)&state);
	}
	return mix(state += 0x9E3779B97F4A7C15u);
}

const char *traffic_pick(const struct traffic *t, const char *model, const char *key)
{
	const struct share *first = NULL;
	uint64_t hash;
	double least = INFINITY;

	if (!t || !t->count) return NULL;
	if (t->count == 1) return t->shares[0].digits;
	/* with the model: or the same clients would be the canaries of all */
	hash = key && *key ? hash_text(hash_text(0xCBF29CE484222325u, model), key) : chance();
	for (size_t i = 0; i < t->count; i++) {
		const struct share *share = &t->shares[i];
		uint64_t bits = mix(hash ^ mix(share->version));
		double u = ((double)(bits >> 11) + 0.5) * 0x1p-53, drawn = -log(u) / share->weight;

		if (drawn < least || !first) {
			least = drawn;
			first = share;
		}
	}
	return first->digits;
}

const char *traffic_shadow(const struct traffic *t)
{
	return t && *t->shadow ? t->shadow : NULL;
}
