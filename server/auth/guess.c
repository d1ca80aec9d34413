/* guess.c - see guess.h. */
#include "server/auth/guess.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS    256
#define WAYS       4 /* addresses in a bucket */
#define HALF_BYTES 8 /* of an address of IPv6 */

struct place {
	unsigned char peer[GUESS_PEER_BYTES];
	unsigned wrong; /* 0: the place is free */
	int64_t until_ms, last_ms;
};

struct guess {
	_Atomic int64_t quiet_ms; /* from then on all is forgotten */
	pthread_mutex_t lock;
	uint64_t seed; /* so that nobody chooses addresses that push each other out */
	struct place places[BUCKETS][WAYS];
};

int guess_new(struct guess **out, struct err *e)
{
	struct guess *guess = *out = calloc(1, sizeof *guess);

	if (!guess) return err_nomem(e);
	pthread_mutex_init(&guess->lock, NULL);
	if (getrandom(&guess->seed, sizeof guess->seed, GRND_NONBLOCK) < 0) guess->seed = (uintptr_t)guess;
	return 0;
}

void guess_free(struct guess *guess)
{
	if (!guess) return;
	pthread_mutex_destroy(&guess->lock);
	free(guess);
}

bool guess_going_on(const struct guess *guess, int64_t now_ms)
{
	return now_ms < atomic_load_explicit(&guess->quiet_ms, memory_order_relaxed);
}

static bool is_ipv4(const unsigned char peer[GUESS_PEER_BYTES])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(peer, mapped, sizeof mapped);
}

/* The place of an address; NULL: it has none. *oldest is where it may have one. */
static struct place *find(struct guess *guess, const unsigned char peer[GUESS_PEER_BYTES], int64_t now_ms,
		struct place **oldest)
{
	uint64_t hash = guess->seed;
	struct place *bucket;

	for (size_t i = 0; i < GUESS_PEER_BYTES; i++)
		hash = (hash ^ peer[i]) * UINT64_C(0x9E3779B97F4A7C15), hash ^= hash >> 29;
	*oldest = bucket = guess->places[hash % BUCKETS];
	for (size_t i = 0; i < WAYS; i++) {
		struct place *place = &bucket[i];

		if (now_ms - place->last_ms > GUESS_REMEMBERED * 1000) place->wrong = 0;
		if (place->wrong && !memcmp(place->peer, peer, GUESS_PEER_BYTES)) return place;
		if (!place->wrong || (place->last_ms < (*oldest)->last_ms && (*oldest)->wrong))
			*oldest = place;
	}
	return NULL;
}

static void note_wrong(struct guess *guess, struct place *place, int64_t now_ms)
{
	unsigned beyond;

	place->last_ms = now_ms;
	atomic_store_explicit(&guess->quiet_ms, now_ms + GUESS_REMEMBERED * 1000, memory_order_relaxed);
	if (++place->wrong <= GUESS_FREE) return;
	beyond = place->wrong - GUESS_FREE;
	place->until_ms = now_ms + 1000 * (beyond > 6 ? GUESS_WAIT_MAX : 1 << (beyond - 1));
}

/* The lock is held. */
static unsigned came(
		struct guess *guess, const unsigned char peer[GUESS_PEER_BYTES], bool right, int64_t now_ms)
{
	struct place *oldest, *place = find(guess, peer, now_ms, &oldest);

	if (place && now_ms < place->until_ms) return (unsigned)((place->until_ms - now_ms + 999) / 1000);
	if (right) return 0;
	if (!place) {
		place = oldest;
		*place = (struct place){ .wrong = 0 };
		memcpy(place->peer, peer, GUESS_PEER_BYTES);
	}
	note_wrong(guess, place, now_ms);
	return 0;
}

unsigned guess_came(
		struct guess *guess, const unsigned char peer[GUESS_PEER_BYTES], bool right, int64_t now_ms)
{
	unsigned char from[GUESS_PEER_BYTES];
	unsigned wait;

	memcpy(from, peer, sizeof from);
	if (!is_ipv4(from)) memset(from + HALF_BYTES, 0, HALF_BYTES);
	pthread_mutex_lock(&guess->lock);
	wait = came(guess, from, right, now_ms);
	pthread_mutex_unlock(&guess->lock);
	return wait;
}

/* ---- who was right ---- */

/* Not 0. */
static uint64_t mark_of(const unsigned char peer[GUESS_PEER_BYTES])
{
	uint64_t halves[2];

	memcpy(halves, peer, sizeof halves);
	return (halves[0] * UINT64_C(0x9E3779B97F4A7C15) ^ halves[1]) | UINT64_C(1) << 63;
}

bool guess_knows(const struct guess_known *known, const unsigned char peer[GUESS_PEER_BYTES])
{
	uint64_t mark = mark_of(peer);

	for (size_t i = 0; i < GUESS_KNOWN; i++)
		if (atomic_load_explicit(&known->peers[i], memory_order_relaxed) == mark) return true;
	return false;
}

void guess_note(struct guess_known *known, const unsigned char peer[GUESS_PEER_BYTES])
{
	unsigned at = atomic_fetch_add_explicit(&known->next, 1, memory_order_relaxed) % GUESS_KNOWN;

	atomic_store_explicit(&known->peers[at], mark_of(peer), memory_order_relaxed);
}

void guess_know_too(struct guess_known *known, const struct guess_known *other)
{
	for (size_t i = 0; i < GUESS_KNOWN; i++)
		atomic_store_explicit(&known->peers[i],
				atomic_load_explicit(&other->peers[i], memory_order_relaxed),
				memory_order_relaxed);
	atomic_store_explicit(&known->next, atomic_load_explicit(&other->next, memory_order_relaxed),
			memory_order_relaxed);
}
