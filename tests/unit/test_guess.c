/* test_guess.c - how long an address waits that tries tokens, and who does not wait with it. Clocks are made up. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "server/auth/guess.h"
#include "tests/unit/suite.h"

#define START_MS INT64_C(1000000000)
#define FORGET   (GUESS_REMEMBERED * INT64_C(1000))

static struct guess *new_guess(void)
{
	struct guess *guess;
	struct err e;

	ck_assert_msg(!guess_new(&guess, &e), "%s", e.text);
	return guess;
}

/* The address, in a place that the next call but seven takes. */
static const unsigned char *peer(const char *text)
{
	static unsigned char places[8][GUESS_PEER_BYTES];
	static size_t at;
	unsigned char *out = places[at++ % 8];

	memset(out, 0, GUESS_PEER_BYTES);
	if (strchr(text, ':')) {
		ck_assert_int_eq(inet_pton(AF_INET6, text, out), 1);
	} else {
		out[10] = out[11] = 0xff;
		ck_assert_int_eq(inet_pton(AF_INET, text, out + 12), 1);
	}
	return out;
}

static void wrong(struct guess *guess, const char *from, unsigned times, int64_t now_ms)
{
	while (times--)
		ck_assert_uint_eq(guess_came(guess, peer(from), false, now_ms), 0);
}

START_TEST(the_first_ones_are_free)
{
	struct guess *guess = new_guess();

	ck_assert(!guess_going_on(guess, START_MS));
	wrong(guess, "10.0.0.1", GUESS_FREE, START_MS);
	ck_assert(guess_going_on(guess, START_MS));
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), true, START_MS), 0);
	wrong(guess, "10.0.0.1", 1, START_MS);
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), false, START_MS), 1);
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), true, START_MS),
			1); /* a right one tells nothing */
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), true, START_MS + 999), 1);
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), true, START_MS + 1000), 0);
	guess_free(guess);
	guess_free(NULL);
}
END_TEST

/* 1, 2, 4, 8, 16, 32, then always the longest; a right one does not start it anew. */
START_TEST(waits_double)
{
	static const unsigned waits[] = { 1, 2, 4, 8, 16, 32, GUESS_WAIT_MAX, GUESS_WAIT_MAX,
		GUESS_WAIT_MAX };
	struct guess *guess = new_guess();
	int64_t now = START_MS;

	wrong(guess, "10.0.0.1", GUESS_FREE, now);
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		wrong(guess, "10.0.0.1", 1, now);
		for (int tries = 0; tries < 3; tries++) /* what is not looked at does not count */
			ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), false, now), waits[i]);
		now += waits[i] * 1000 - 1;
		ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), false, now), 1);
		now++;
		ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), true, now), 0);
	}
	for (int i = 0; i < 100; i++) { /* for ever: no shift runs over */
		wrong(guess, "10.0.0.1", 1, now);
		ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), false, now), GUESS_WAIT_MAX);
		now += GUESS_WAIT_MAX * 1000;
	}
	guess_free(guess);
}
END_TEST

START_TEST(it_is_forgotten)
{
	struct guess *guess = new_guess();

	wrong(guess, "10.0.0.1", GUESS_FREE, START_MS);
	ck_assert(guess_going_on(guess, START_MS + FORGET - 1));
	ck_assert(!guess_going_on(guess, START_MS + FORGET));
	wrong(guess, "10.0.0.1", GUESS_FREE, START_MS + FORGET + 1); /* from the beginning */
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), true, START_MS + FORGET + 1), 0);
	wrong(guess, "10.0.0.1", 1, START_MS + 2 * FORGET); /* not yet: so it is the eleventh */
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), false, START_MS + 2 * FORGET), 1);
	guess_free(guess);
}
END_TEST

START_TEST(each_address_for_itself)
{
	struct guess *guess = new_guess();

	wrong(guess, "10.0.0.1", GUESS_FREE + 1, START_MS);
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.1"), false, START_MS), 1);
	ck_assert_uint_eq(guess_came(guess, peer("10.0.0.2"), false, START_MS), 0);
	ck_assert_uint_eq(guess_came(guess, peer("10.1.0.1"), true, START_MS), 0);
	ck_assert_uint_eq(guess_came(guess, peer("::1"), false, START_MS), 0);
	guess_free(guess);
}
END_TEST

/* Who has one address of IPv6 has all of its /64. */
START_TEST(ipv6_goes_by_its_network)
{
	struct guess *guess = new_guess();
	char text[40];

	for (unsigned i = 0; i <= GUESS_FREE; i++) {
		snprintf(text, sizeof text, "2001:db8:1:2:%x::%x", i + 1, i);
		wrong(guess, text, 1, START_MS);
	}
	ck_assert_uint_eq(guess_came(guess, peer("2001:db8:1:2:ffff:ffff:ffff:ffff"), true, START_MS), 1);
	ck_assert_uint_eq(guess_came(guess, peer("2001:db8:1:3::1"), false, START_MS), 0);
	ck_assert_uint_eq(guess_came(guess, peer("::1"), false, START_MS), 0);
	guess_free(guess);
}
END_TEST

/* So many addresses that the table is full several times over: who is at it now is remembered, and nobody else waits. */
START_TEST(a_full_table)
{
	struct guess *guess = new_guess();
	char text[40];

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof text, "10.%u.%u.7", i >> 8, i & 255);
		ck_assert_uint_eq(guess_came(guess, peer(text), false, START_MS + i), 0);
	}
	wrong(guess, "192.0.2.1", GUESS_FREE + 1, START_MS + 20000);
	ck_assert_uint_eq(guess_came(guess, peer("192.0.2.1"), true, START_MS + 20000), 1);
	ck_assert_uint_eq(guess_came(guess, peer("192.0.2.2"), true, START_MS + 20000), 0);
	guess_free(guess);
}
END_TEST

START_TEST(who_was_right_is_known)
{
	struct guess_known known = { 0 };
	char text[40];

	ck_assert(!guess_knows(&known, peer("10.0.0.1")));
	ck_assert(!guess_knows(&known, peer("::")));
	for (int i = 0; i < GUESS_KNOWN; i++) {
		snprintf(text, sizeof text, "10.0.0.%d", i);
		guess_note(&known, peer(text));
		ck_assert(guess_knows(&known, peer(text)));
	}
	for (int i = 0; i < GUESS_KNOWN; i++) {
		snprintf(text, sizeof text, "10.0.0.%d", i);
		ck_assert(guess_knows(&known, peer(text)));
	}
	ck_assert(!guess_knows(&known, peer("10.0.0.200")));
	guess_note(&known, peer("2001:db8::1"));
	ck_assert(guess_knows(&known, peer("2001:db8::1")));
	ck_assert(!guess_knows(&known, peer("2001:db8::2")));
	ck_assert(!guess_knows(&known, peer("10.0.0.0"))); /* the oldest made room */
}
END_TEST

enum { THREADS = 8, TRIES = 5000 };

static void *try_many(void *arg)
{
	struct guess *guess = arg;
	static atomic_uint number;
	unsigned me = atomic_fetch_add(&number, 1), waited = 0;
	unsigned char from[GUESS_PEER_BYTES] = {
		[10] = 0xff, [11] = 0xff, 10, 0, 0, (unsigned char)(me % 2)
	};

	for (int i = 0; i < TRIES; i++) {
		waited += guess_came(guess, from, false, START_MS) != 0;
		guess_going_on(guess, START_MS);
	}
	return (void *)(uintptr_t)waited;
}

/* At one moment exactly eleven of each address are looked at, whoever asks. */
START_TEST(many_threads)
{
	struct guess *guess = new_guess();
	pthread_t threads[THREADS];
	size_t waited = 0;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, try_many, guess), 0);
	for (int i = 0; i < THREADS; i++) {
		void *one;

		pthread_join(threads[i], &one);
		waited += (uintptr_t)one;
	}
	ck_assert_uint_eq(waited, (size_t)THREADS * TRIES - 2 * (GUESS_FREE + 1));
	guess_free(guess);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { the_first_ones_are_free, waits_double, it_is_forgotten,
		each_address_for_itself, ipv6_goes_by_its_network, a_full_table, who_was_right_is_known,
		many_threads, NULL };

	return suite_main("guess", tests, 60);
}
