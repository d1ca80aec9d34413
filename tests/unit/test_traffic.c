/* test_traffic.c - who gets which part of the traffic: shares, keys that stay, keys that move. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/registry/traffic.h"
#include "tests/unit/suite.h"

#define KEYS 20000

static struct err e;

static struct traffic *make(const struct store_share *shares, size_t count)
{
	struct traffic *t;

	ck_assert_int_eq(traffic_new(&t, shares, count, &e), 0);
	return t;
}

#define TRAFFIC(...)                                      \
	make((const struct store_share[]){ __VA_ARGS__ }, \
			sizeof((const struct store_share[]){ __VA_ARGS__ }) / sizeof(struct store_share))

static const char *pick(const struct traffic *t, int key)
{
	char text[16];

	snprintf(text, sizeof text, "key-%d", key);
	return traffic_pick(t, "m", text);
}

/* Of many keys so many as the share says, within four standard deviations of a binomial distribution. */
static void gets(const struct traffic *t, const char *version, double share, bool keys)
{
	double found = 0, deviation = sqrt(share * (1 - share) / KEYS);

	for (int i = 0; i < KEYS; i++)
		found += !strcmp(keys ? pick(t, i) : traffic_pick(t, "m", NULL), version);
	ck_assert_double_eq_tol(found / KEYS, share, 4 * deviation + 1e-12);
}

START_TEST(each_has_its_share)
{
	struct traffic *t = TRAFFIC({ 2, 0.7, false }, { 3, 0.2, false }, { 5, 0.1, false }, { 9, 0, false },
			{ 10, 0, true });

	for (int keys = 0; keys < 2; keys++) {
		gets(t, "2", 0.7, keys);
		gets(t, "3", 0.2, keys);
		gets(t, "5", 0.1, keys);
		gets(t, "9", 0, keys);
		gets(t, "10", 0, keys);
	}
	ck_assert_str_eq(traffic_shadow(t), "10");
	traffic_put(t);
}
END_TEST

/* From `a` to `b` keys move only to versions whose share has grown; what moves is what must. */
static void moves(const struct traffic *a, const struct traffic *b, const char *to, double share)
{
	double moved = 0;

	for (int i = 0; i < KEYS; i++) {
		const char *before = pick(a, i), *after = pick(b, i);

		if (!strcmp(before, after)) continue;
		ck_assert_str_eq(after, to);
		moved++;
	}
	ck_assert_double_eq_tol(moved / KEYS, share, 4 * sqrt(share * (1 - share) / KEYS));
}

START_TEST(keys_stay)
{
	struct traffic *a = TRAFFIC({ 1, 0.9, false }, { 2, 0.1, false });
	struct traffic *scaled = TRAFFIC({ 2, 1, false }, { 1, 9, false });
	struct traffic *b = TRAFFIC({ 1, 0.7, false }, { 2, 0.3, false });
	struct traffic *c = TRAFFIC({ 1, 0.7, false }, { 2, 0.3, false }, { 3, 0.25, false });

	for (int i = 0; i < KEYS; i++) {
		ck_assert_str_eq(pick(a, i), pick(a, i));
		ck_assert_str_eq(pick(a, i), pick(scaled, i));
	}
	moves(a, b, "2", 0.2);
	moves(b, c, "3", 0.2);
	traffic_put(a);
	traffic_put(scaled);
	traffic_put(b);
	traffic_put(c);
}
END_TEST

START_TEST(models_have_their_own_canaries)
{
	struct traffic *t = TRAFFIC({ 1, 0.5, false }, { 2, 0.5, false });
	int same = 0;

	for (int i = 0; i < KEYS; i++) {
		char key[16];

		snprintf(key, sizeof key, "%d", i);
		same += !strcmp(traffic_pick(t, "m", key), traffic_pick(t, "n", key));
	}
	ck_assert_double_eq_tol((double)same / KEYS, 0.5, 0.02);
	traffic_put(t);
}
END_TEST

START_TEST(nothing_to_share)
{
	struct traffic *none = make(NULL, 0), *shadow = TRAFFIC({ 7, 0, true }),
		       *one = TRAFFIC({ 4, 3, false });

	ck_assert_ptr_null(none);
	ck_assert_ptr_null(traffic_pick(none, "m", "k"));
	ck_assert_ptr_null(traffic_shadow(none));
	ck_assert_ptr_null(traffic_share(none));
	traffic_put(none);
	ck_assert_ptr_null(traffic_pick(shadow, "m", "k"));
	ck_assert_str_eq(traffic_shadow(shadow), "7");
	ck_assert_ptr_eq(traffic_share(shadow), shadow);
	traffic_put(shadow);
	traffic_put(shadow);
	ck_assert_str_eq(traffic_pick(one, "m", ""), "4");
	ck_assert_ptr_null(traffic_shadow(one));
	traffic_put(one);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { each_has_its_share, keys_stay, models_have_their_own_canaries,
		nothing_to_share, NULL };

	return suite_main("traffic", tests, 60);
}
