/* tokens.c - see tokens.h. */
#include "server/auth/tokens.h"

#include <math.h>
#include <nettle/memops.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEATS         64 /* counters of those who look */
#define LINE_BYTES    64 /* of a cache */
#define PAUSE_NS      100000
#define NS_PER_SECOND INT64_C(1000000000)
#define EVERY_MAX_NS  1e17 /* three years, which fit into 64 bits; who has such a rate sends one request */

struct set {
	size_t count;
	struct token *tokens[]; /* by digest */
};

struct tokens {
	_Atomic(struct set *) set;
	atomic_bool ever;
	pthread_mutex_t lock; /* of those who change it */
	struct seat {
		_Alignas(LINE_BYTES) atomic_uint looking;
	} seats[SEATS];
};

int tokens_new(struct tokens **out, struct err *e)
{
	struct tokens *tokens = aligned_alloc(LINE_BYTES, sizeof *tokens);
	struct set *none = calloc(1, sizeof *none);

	*out = NULL;
	if (!tokens || !none) {
		free(tokens);
		free(none);
		return err_nomem(e);
	}
	memset(tokens, 0, sizeof *tokens);
	pthread_mutex_init(&tokens->lock, NULL);
	atomic_init(&tokens->set, none);
	*out = tokens;
	return 0;
}

static void token_free(struct token *token)
{
	store_token_clear(&token->is);
	free(token);
}

void tokens_free(struct tokens *tokens)
{
	struct set *set;

	if (!tokens) return;
	set = atomic_load(&tokens->set);
	for (size_t i = 0; i < set->count; i++)
		token_free(set->tokens[i]);
	free(set);
	pthread_mutex_destroy(&tokens->lock);
	free(tokens);
}

/* ---- looking ---- */

unsigned tokens_enter(struct tokens *tokens)
{
	static atomic_uint threads;
	static _Thread_local unsigned seat; /* from 1 */

	if (!seat) seat = 1 + atomic_fetch_add(&threads, 1) % SEATS;
	atomic_fetch_add(&tokens->seats[seat - 1].looking, 1);
	return seat - 1;
}

void tokens_leave(struct tokens *tokens, unsigned seat)
{
	atomic_fetch_sub_explicit(&tokens->seats[seat].looking, 1, memory_order_release);
}

/* Everybody who may have seen the set of before has gone: whoever comes in later sees the present one. */
static void await_lookers(struct tokens *tokens)
{
	const struct timespec pause = { 0, PAUSE_NS };

	for (size_t i = 0; i < SEATS; i++)
		while (atomic_load(&tokens->seats[i].looking))
			nanosleep(&pause, NULL);
}

static bool is_good(const struct token *token)
{
	struct timespec now;

	if (atomic_load_explicit(&token->revoked, memory_order_relaxed)) return false;
	if (!token->is.expires_ms) return true;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 < token->is.expires_ms;
}

/* The time of the search tells at most how the hash of what was sent lies among those that are kept, from which no token
 * follows; the comparison itself takes the same time for all. */
struct token *tokens_find(struct tokens *tokens, const unsigned char digest[STORE_DIGEST_BYTES])
{
	struct set *set = atomic_load(&tokens->set);
	size_t from = 0, to = set->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(set->tokens[middle]->is.digest, digest, sizeof(uint64_t)) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == set->count || !memeql_sec(set->tokens[from]->is.digest, digest, STORE_DIGEST_BYTES))
		return NULL;
	return is_good(set->tokens[from]) ? set->tokens[from] : NULL;
}

struct token *tokens_find_id(struct tokens *tokens, int64_t id)
{
	struct set *set = atomic_load(&tokens->set);

	for (size_t i = 0; i < set->count; i++)
		if (set->tokens[i]->is.id == id && is_good(set->tokens[i])) return set->tokens[i];
	return NULL;
}

bool tokens_ever(const struct tokens *tokens)
{
	return atomic_load_explicit(&tokens->ever, memory_order_relaxed);
}

bool tokens_any(struct tokens *tokens)
{
	unsigned seat = tokens_enter(tokens);
	struct set *set = atomic_load(&tokens->set);
	bool any = false;

	for (size_t i = 0; i < set->count && !any; i++)
		any = is_good(set->tokens[i]);
	tokens_leave(tokens, seat);
	return any;
}

/* ---- changing ---- */

/* What next has not, because it was revoked, goes with the old set. The lock is held. */
static void put_set(struct tokens *tokens, struct set *next)
{
	struct set *old = atomic_exchange(&tokens->set, next);

	await_lookers(tokens);
	for (size_t i = 0; i < old->count; i++)
		if (atomic_load(&old->tokens[i]->revoked)) token_free(old->tokens[i]);
	free(old);
}

static struct token *copy_token(const struct store_token *token)
{
	struct token *copy = calloc(1, sizeof *copy);

	if (!copy) return NULL;
	copy->is = *token;
	copy->is.name = strdup(token->name);
	copy->is.models = token->models ? strdup(token->models) : NULL;
	if (copy->is.name && !copy->is.models == !token->models) return copy;
	token_free(copy);
	return NULL;
}

/* The set with one more in its place, and without those that are revoked. Its mark is seen once: a token that is revoked
 * meanwhile waits for the lock. */
static struct set *set_with(const struct set *old, struct token *token)
{
	struct set *set = malloc(sizeof *set + (old->count + 1) * sizeof(struct token *));
	size_t n = 0;
	bool put = false;

	if (!set) return NULL;
	for (size_t i = 0; i < old->count; i++) {
		if (atomic_load(&old->tokens[i]->revoked)) continue;
		if (!put && memcmp(token->is.digest, old->tokens[i]->is.digest, STORE_DIGEST_BYTES) < 0) {
			set->tokens[n++] = token;
			put = true;
		}
		set->tokens[n++] = old->tokens[i];
	}
	if (!put) set->tokens[n++] = token;
	set->count = n;
	return set;
}

int tokens_add(struct tokens *tokens, const struct store_token *token, struct err *e)
{
	struct token *copy = copy_token(token);
	struct set *next = NULL;

	if (!copy) return err_nomem(e);
	pthread_mutex_lock(&tokens->lock);
	if ((next = set_with(atomic_load(&tokens->set), copy))) {
		atomic_store(&tokens->ever, true);
		put_set(tokens, next);
	}
	pthread_mutex_unlock(&tokens->lock);
	if (next) return 0;
	token_free(copy);
	return err_nomem(e);
}

void tokens_revoke(struct tokens *tokens, int64_t id)
{
	struct set *set;

	pthread_mutex_lock(&tokens->lock);
	set = atomic_load(&tokens->set);
	for (size_t i = 0; i < set->count; i++)
		if (set->tokens[i]->is.id == id) atomic_store(&set->tokens[i]->revoked, true);
	pthread_mutex_unlock(&tokens->lock);
}

int tokens_load(struct tokens *tokens, struct store *store, struct err *e)
{
	struct store_token *list;
	size_t count;
	bool ever;
	int rc = store->token_list(store, &list, &count, e);

	for (size_t i = 0; i < count; i++) {
		if (!rc) rc = tokens_add(tokens, &list[i], e);
		store_token_clear(&list[i]);
	}
	free(list);
	if (rc || (rc = store->token_ever(store, &ever, e))) return rc;
	atomic_store(&tokens->ever, ever);
	return 0;
}

/* ---- rates ---- */

unsigned token_burst(const struct token *token)
{
	return token->is.rate > 1 ? (unsigned)ceil(token->is.rate) : 1;
}

/* The generic cell rate algorithm (ITU-T I.371, annex A): one number is all that is kept, so no lock is needed. */
bool token_in_rate(struct token *token, int64_t now_ns, int64_t *wait_ns, unsigned *left)
{
	int64_t every = (int64_t)fmin((double)NS_PER_SECOND / token->is.rate, EVERY_MAX_NS);
	int64_t ahead_max = every * (token_burst(token) - 1), next, due;

	next = atomic_load_explicit(&token->next_ns, memory_order_relaxed);
	do {
		due = next > now_ns ? next : now_ns;
		*wait_ns = due - now_ns - ahead_max;
		*left = 0;
		if (*wait_ns > 0) return false;
	} while (!atomic_compare_exchange_weak_explicit(
			&token->next_ns, &next, due + every, memory_order_relaxed, memory_order_relaxed));
	*left = (unsigned)(-*wait_ns / every);
	return true;
}
