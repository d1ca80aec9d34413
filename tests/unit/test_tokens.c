/* test_tokens.c - the tokens in memory: found, revoked, over; their rates; and many threads that look while others change them. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/auth/tokens.h"
#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000000)

static struct err e;

static struct tokens *new_tokens(void)
{
	struct tokens *tokens;

	ck_assert_msg(!tokens_new(&tokens, &e), "%s", e.text);
	return tokens;
}

/* The digest of token number id, spread over all values, so that they do not lie by id. */
static void digest_of(int64_t id, unsigned char digest[STORE_DIGEST_BYTES])
{
	uint64_t x = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);

	for (size_t i = 0; i < STORE_DIGEST_BYTES; i++, x = x * UINT64_C(6364136223846793005) + 1)
		digest[i] = (unsigned char)(x >> 56);
}

static struct store_token token_of(int64_t id)
{
	struct store_token token = { .id = id, .name = (char *)"name", .roles = 1 };

	digest_of(id, token.digest);
	return token;
}

static void add(struct tokens *tokens, int64_t id)
{
	struct store_token token = token_of(id);

	ck_assert_msg(!tokens_add(tokens, &token, &e), "%s", e.text);
}

/* Both ways of looking agree. */
static bool there(struct tokens *tokens, int64_t id)
{
	unsigned char digest[STORE_DIGEST_BYTES];
	unsigned seat = tokens_enter(tokens);
	struct token *by_digest, *by_id;
	bool good;

	digest_of(id, digest);
	by_digest = tokens_find(tokens, digest);
	by_id = tokens_find_id(tokens, id);
	good = by_digest == by_id && (!by_id || by_id->is.id == id);
	tokens_leave(tokens, seat);
	ck_assert(good);
	return by_id;
}

START_TEST(found_until_revoked)
{
	enum { COUNT = 199 };
	struct tokens *tokens = new_tokens();

	ck_assert(!tokens_ever(tokens));
	ck_assert(!tokens_any(tokens));
	ck_assert(!there(tokens, 1));
	tokens_revoke(tokens, 1); /* there is none */
	for (int id = 1; id <= COUNT; id++) {
		ck_assert(!there(tokens, id));
		add(tokens, id);
		ck_assert(there(tokens, id));
	}
	ck_assert(tokens_ever(tokens) && tokens_any(tokens));
	for (int id = 3; id <= COUNT; id += 3)
		tokens_revoke(tokens, id);
	for (int id = 1; id <= COUNT; id++)
		ck_assert(there(tokens, id) == (id % 3 != 0));
	add(tokens, COUNT + 1); /* which takes those away */
	for (int id = 1; id <= COUNT + 1; id++)
		ck_assert(there(tokens, id) == (id % 3 != 0));
	for (int id = 1; id <= COUNT + 1; id++)
		tokens_revoke(tokens, id);
	ck_assert(!tokens_any(tokens));
	ck_assert(tokens_ever(tokens));
	tokens_free(tokens);
	tokens_free(NULL);
}
END_TEST

/* All of the digest counts, also behind the part that the search goes by. */
START_TEST(every_byte_of_a_digest_counts)
{
	struct tokens *tokens = new_tokens();
	unsigned char digest[STORE_DIGEST_BYTES];
	unsigned seat;

	add(tokens, 1);
	add(tokens, 2);
	seat = tokens_enter(tokens);
	for (size_t i = 0; i < STORE_DIGEST_BYTES; i++)
		for (int bit = 0; bit < 8; bit++) {
			digest_of(1, digest);
			digest[i] ^= (unsigned char)(1 << bit);
			ck_assert_ptr_null(tokens_find(tokens, digest));
		}
	memset(digest, 0, sizeof digest);
	ck_assert_ptr_null(tokens_find(tokens, digest));
	memset(digest, 0xff, sizeof digest);
	ck_assert_ptr_null(tokens_find(tokens, digest));
	tokens_leave(tokens, seat);
	tokens_free(tokens);
}
END_TEST

START_TEST(each_ends_at_its_time)
{
	struct tokens *tokens = new_tokens();
	struct store_token over = token_of(1), later = token_of(2), soon = token_of(3);
	int64_t now_ms = (int64_t)time(NULL) * 1000;

	over.expires_ms = now_ms - 1;
	ck_assert(!tokens_add(tokens, &over, &e));
	ck_assert(!there(tokens, 1));
	ck_assert(!tokens_any(tokens));
	ck_assert(tokens_ever(tokens));
	soon.expires_ms = now_ms + 3000;
	ck_assert(!tokens_add(tokens, &soon, &e));
	ck_assert(there(tokens, 3) || (int64_t)time(NULL) * 1000 >= soon.expires_ms);
	later.expires_ms = now_ms + 3600000;
	ck_assert(!tokens_add(tokens, &later, &e));
	while ((int64_t)time(NULL) * 1000 < soon.expires_ms)
		usleep(10000);
	ck_assert(!there(tokens, 3));
	ck_assert(there(tokens, 2) && tokens_any(tokens));
	tokens_free(tokens);
}
END_TEST

/* What is given in is copied. */
START_TEST(tokens_are_copies)
{
	struct tokens *tokens = new_tokens();
	struct store_token token = token_of(1);
	char name[] = "ci", models[] = "iris*";
	unsigned seat;

	token.name = name;
	token.models = models;
	ck_assert(!tokens_add(tokens, &token, &e));
	name[0] = models[0] = 'x';
	seat = tokens_enter(tokens);
	ck_assert_str_eq(tokens_find_id(tokens, 1)->is.name, "ci");
	ck_assert_str_eq(tokens_find_id(tokens, 1)->is.models, "iris*");
	tokens_leave(tokens, seat);
	tokens_free(tokens);
}
END_TEST

/* ---- rates ---- */

static uint64_t state = 88172645463325252u;

static double uniform(void)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (double)(state >> 11) / (double)(1ull << 53);
}

/* A bucket that holds a second's worth and fills at the rate: what token_in_rate says in other words. */
struct bucket {
	double rate, size, level;
	int64_t at_ns;
};

static double fill(struct bucket *b, int64_t now_ns)
{
	b->level = fmin(b->size, b->level + b->rate * (double)(now_ns - b->at_ns) / 1e9);
	b->at_ns = now_ns;
	return b->level;
}

/* Where the bucket is within a hair of a whole request the two may differ by a nanosecond: the bucket follows. */
START_TEST(a_rate_is_a_bucket)
{
	static const double rates[] = { 0.01, 0.5, 1, 1.5, 2, 2.5, 3, 7, 10, 99.9, 1000, 1e6 };
	size_t passed = 0, refused = 0;

	for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
		struct token token = { .is.rate = rates[r] };
		struct bucket bucket = { rates[r], token_burst(&token), token_burst(&token), SECOND };
		int64_t now = SECOND, wait;
		double tolerance = 1e-3;
		unsigned left;

		ck_assert_uint_eq(token_burst(&token), rates[r] > 1 ? (unsigned)ceil(rates[r]) : 1);
		for (int i = 0; i < 20000; i++) {
			double level = fill(&bucket, now);
			bool in = token_in_rate(&token, now, &wait, &left);

			if (fabs(level - 1) > tolerance)
				ck_assert_msg(in == (level >= 1), "rate %g, level %g", rates[r], level);
			if (in) {
				bucket.level = fmax(level - 1, 0);
				passed++;
				ck_assert_msg(fabs((double)left - floor(bucket.level)) <=
								(fabs(bucket.level - round(bucket.level)) <
										tolerance),
						"rate %g: %u left of %g", rates[r], left, bucket.level);
			} else {
				refused++;
				ck_assert_uint_eq(left, 0);
				ck_assert_int_gt(wait, 0);
				ck_assert_double_le(fabs((double)wait / 1e9 - (1 - level) / rates[r]),
						tolerance / rates[r] + 2e-9);
			}
			if (uniform() < 0.7) now += (int64_t)(uniform() * 2e9 / rates[r]);
			if (uniform() < 0.001) now += 10 * SECOND; /* full again */
		}
	}
	ck_assert_uint_gt(passed, 10000);
	ck_assert_uint_gt(refused, 10000);
}
END_TEST

START_TEST(the_first_requests_come_at_once)
{
	static const struct {
		double rate;
		unsigned burst;
	} cases[] = { { 1, 1 }, { 3, 3 }, { 7, 7 }, { 2.5, 3 }, { 0.1, 1 }, { 1e6, 1000000 }, { 333, 333 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct token token = { .is.rate = cases[i].rate };
		int64_t wait;
		unsigned left;

		for (unsigned n = 1; n <= cases[i].burst; n++) {
			ck_assert(token_in_rate(&token, SECOND, &wait, &left));
			ck_assert_uint_eq(left, cases[i].burst - n);
		}
		ck_assert(!token_in_rate(&token, SECOND, &wait, &left));
		ck_assert(token_in_rate(&token, SECOND + wait, &wait, &left));
	}
}
END_TEST

START_TEST(rates_next_to_nothing)
{
	static const double rates[] = { 1e-9, 1e-12, 1e-100, 1e-308, 5e-324 };

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct token token = { .is.rate = rates[i] };
		int64_t wait;
		unsigned left;

		ck_assert(token_in_rate(&token, SECOND, &wait, &left));
		for (int n = 0; n < 5; n++) {
			ck_assert(!token_in_rate(&token, SECOND * (n + 2), &wait, &left));
			ck_assert_int_gt(wait, SECOND);
			ck_assert_int_lt(wait / SECOND, UINT32_MAX);
		}
	}
}
END_TEST

/* ---- many threads ---- */

enum { LOOKERS = 4, CHANGERS = 3, CHANGES = 100 };

static struct tokens *shared;
static atomic_bool over;
static atomic_uint faults;
static struct token rated = { .is.rate = 1000 };

static void *look(void *arg)
{
	size_t looks = 0;

	(void)arg;
	do {
		unsigned char digest[STORE_DIGEST_BYTES];
		unsigned seat = tokens_enter(shared);
		struct token *token;

		digest_of(1 + (int64_t)(looks % 3000), digest);
		token = tokens_find(shared, digest);
		if (token && (token->is.id != 1 + (int64_t)(looks % 3000) || strcmp(token->is.name, "name")))
			faults++;
		if (!tokens_find_id(shared, 5000)) faults++; /* it is there all the time */
		tokens_leave(shared, seat);
		if (!tokens_any(shared)) faults++;
		looks++;
		sched_yield(); /* who looks all the time, with nothing else to do, lets nobody change anything for long */
	} while (!over);
	return NULL;
}

static void *change(void *arg)
{
	int64_t first = (intptr_t)arg * 1000 + 1;

	for (int64_t id = first; id < first + CHANGES; id++) {
		struct store_token token = token_of(id);
		unsigned seat;

		if (tokens_add(shared, &token, NULL)) faults++;
		seat = tokens_enter(shared);
		if (!tokens_find_id(shared, id)) faults++;
		tokens_leave(shared, seat);
		tokens_revoke(shared, id);
		seat = tokens_enter(shared);
		if (tokens_find(shared, token.digest)) faults++;
		tokens_leave(shared, seat);
	}
	return NULL;
}

START_TEST(many_look_while_some_change)
{
	pthread_t lookers[LOOKERS], changers[CHANGERS];

	shared = new_tokens();
	add(shared, 5000);
	for (int i = 0; i < LOOKERS; i++)
		ck_assert_int_eq(pthread_create(&lookers[i], NULL, look, NULL), 0);
	for (intptr_t i = 0; i < CHANGERS; i++)
		ck_assert_int_eq(pthread_create(&changers[i], NULL, change, (void *)i), 0);
	for (int i = 0; i < CHANGERS; i++)
		pthread_join(changers[i], NULL);
	over = true;
	for (int i = 0; i < LOOKERS; i++)
		pthread_join(lookers[i], NULL);
	ck_assert_uint_eq(faults, 0);
	ck_assert(there(shared, 5000));
	for (int i = 0; i < CHANGERS; i++)
		for (int id = i * 1000 + 1; id <= i * 1000 + CHANGES; id++)
			ck_assert(!there(shared, id));
	tokens_free(shared);
}
END_TEST

static void *send_many(void *arg)
{
	uintptr_t passed = 0;

	(void)arg;
	for (int i = 0; i < 2000; i++) {
		int64_t wait;
		unsigned left;

		passed += token_in_rate(&rated, SECOND, &wait, &left);
	}
	return (void *)passed;
}

/* At one moment a second's worth passes, however many ask. */
START_TEST(a_rate_is_shared)
{
	pthread_t threads[LOOKERS];
	uintptr_t passed = 0;

	for (int i = 0; i < LOOKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, NULL), 0);
	for (int i = 0; i < LOOKERS; i++) {
		void *one;

		pthread_join(threads[i], &one);
		passed += (uintptr_t)one;
	}
	ck_assert_uint_eq(passed, 1000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { found_until_revoked, every_byte_of_a_digest_counts,
		each_ends_at_its_time, tokens_are_copies, a_rate_is_a_bucket, the_first_requests_come_at_once,
		rates_next_to_nothing, many_look_while_some_change, a_rate_is_shared, NULL };

	return suite_main("tokens", tests, 120);
}
