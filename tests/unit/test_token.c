/* test_token.c - what a token is: its roles, its models, how long it lasts, and that no two are the same. */
#include <stdio.h>
#include <string.h>

#include "server/auth/token.h"
#include "tests/unit/suite.h"

START_TEST(roles_are_read)
{
	static const struct {
		const char *list;
		unsigned roles;
		const char *text;
	} good[] = {
		{ "read", AUTH_READ, "read" },
		{ "predict", AUTH_PREDICT, "predict" },
		{ "train", AUTH_TRAIN, "train" },
		{ "admin", AUTH_ADMIN, "admin" },
		{ " admin ,\tread", AUTH_READ | AUTH_ADMIN, "read,admin" },
		{ "read,read", AUTH_READ, "read" },
		{ "admin,train,predict,read", AUTH_EVERYTHING, "read,predict,train,admin" },
	};
	static const char *const bad[] = { "", " ", ",", "read,", ",read", "read,,train", "Read", "rea",
		"reads", "read train", "read;train", "all", "*" };
	char text[TOKEN_ROLES_BYTES];
	unsigned roles;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(token_roles_read(good[i].list, &roles), "%s", good[i].list);
		ck_assert_uint_eq(roles, good[i].roles);
		ck_assert_str_eq(token_roles_text(roles, text), good[i].text);
		ck_assert(token_roles_valid(good[i].list));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!token_roles_read(bad[i], &roles) && !token_roles_valid(bad[i]), "%s", bad[i]);
	ck_assert_str_eq(token_roles_text(0, text), "");
}
END_TEST

START_TEST(names_are_checked)
{
	static const char *const good[] = { "a", "0", "ci", "A.b-c_d", "a..", "9_" };
	static const char *const bad[] = { "", ".a", "-a", "_a", "a b", "a/b", "a,b", "a\n", "a*", "\xc3\xa4",
		"a\x7f" };
	char name[TOKEN_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(token_name_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!token_name_valid(bad[i]), "%s", bad[i]);
	memset(name, 'x', sizeof name);
	name[TOKEN_NAME_MAX] = 0;
	ck_assert(token_name_valid(name));
	name[TOKEN_NAME_MAX] = 'x';
	name[TOKEN_NAME_MAX + 1] = 0;
	ck_assert(!token_name_valid(name));
}
END_TEST

START_TEST(patterns_are_checked)
{
	static const char *const good[] = { "iris", "*", "?", "iris*,wine", " iris* , w?ne ", "-a", ".",
		"_*_" };
	static const char *const bad[] = { "", " ", ",", "a,", ",a", "a,,b", "a b", "[ab]", "a/b", "a\\*",
		"!a", "a{b}", "\xc3\xa4" };
	char list[TOKEN_MODELS_MAX + 2];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(token_models_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!token_models_valid(bad[i]), "%s", bad[i]);
	memset(list, 'x', sizeof list);
	list[TOKEN_NAME_MAX] = 0;
	ck_assert(token_models_valid(list));
	list[TOKEN_NAME_MAX] = 'x';
	list[TOKEN_NAME_MAX + 1] = 0;
	ck_assert(!token_models_valid(list)); /* no model has such a name */
	for (size_t i = 0; i <= TOKEN_MODELS_MAX; i++)
		list[i] = i % 2 ? ',' : 'x';
	list[TOKEN_MODELS_MAX] = 0;
	list[TOKEN_MODELS_MAX - 1] = 'x';
	ck_assert(token_models_valid(list));
	list[TOKEN_MODELS_MAX] = 'x';
	list[TOKEN_MODELS_MAX + 1] = 0;
	ck_assert(!token_models_valid(list));
}
END_TEST

START_TEST(patterns_fit)
{
	static const struct {
		const char *list, *model;
		bool fits;
	} cases[] = {
		{ NULL, "anything", true },
		{ "iris", "iris", true },
		{ "iris", "iris2", false },
		{ "iris", "xiris", false },
		{ "iris", "Iris", false },
		{ "iris", "iri", false },
		{ "iris*", "iris", true },
		{ "iris*", "iris-2", true },
		{ "iris*", "iri", false },
		{ "*", "x", true },
		{ "*", ".x", true },
		{ "*is", "iris", true },
		{ "i*i*s", "iris", true },
		{ "w?ne", "wine", true },
		{ "w?ne", "wne", false },
		{ "?", "ab", false },
		{ "a.b", "axb", false }, /* no regular expressions */
		{ "wine,iris*", "iris2", true },
		{ " wine , iris* ", "iris2", true },
		{ "wine,iris*", "wine2", false },
		{ "a,b,c", "c", true },
		{ "a,b,c", "a,b", false },
		{ "*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(token_models_fit(cases[i].list, cases[i].model) == cases[i].fits, "%s %s",
				cases[i].list, cases[i].model);
}
END_TEST

START_TEST(durations_are_read)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = { { "1", 1 }, { "90s", 90 }, { "15m", 900 }, { "12h", 43200 }, { "30d", 2592000 },
		{ "007s", 7 }, { "999999999d", UINT64_C(86399999913600) } };
	static const char *const bad[] = { "", "0", "0d", "s", "d5", "5w", "5S", "5 d", " 5d", "5d ", "5dd",
		"-5d", "+5d", "1.5h", "1e3", "1234567890s", "99999999999999999999d", "1h30m" };
	uint64_t seconds;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(token_duration(good[i].text, &seconds), "%s", good[i].text);
		ck_assert_uint_eq(seconds, good[i].seconds);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!token_duration(bad[i], &seconds), "%s", bad[i]);
}
END_TEST

START_TEST(bytes_become_digits)
{
	static const unsigned char bytes[] = { 0x00, 0x09, 0xa0, 0xff };
	char text[2 * sizeof bytes + 1];

	token_hex(bytes, sizeof bytes, text);
	ck_assert_str_eq(text, "0009a0ff");
	token_hex(bytes, 0, text);
	ck_assert_str_eq(text, "");
}
END_TEST

/* FIPS 180-2, appendix B.1. */
START_TEST(digests_are_sha_256)
{
	unsigned char digest[STORE_DIGEST_BYTES];
	char text[2 * STORE_DIGEST_BYTES + 1];

	token_digest("abcdef", 3, digest);
	token_hex(digest, sizeof digest, text);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* Each is another, its digest is that of its text, and its digits come about equally often. */
START_TEST(draws_differ)
{
	enum { DRAWS = 2000 };
	static char texts[DRAWS][TOKEN_TEXT_BYTES];
	unsigned char digest[STORE_DIGEST_BYTES];
	size_t seen[128] = { 0 };
	struct err e;

	for (size_t i = 0; i < DRAWS; i++) {
		struct store_token token = { .id = 7 };

		ck_assert_msg(!token_draw(&token, texts[i], &e), "%s", e.text);
		ck_assert_uint_eq(strlen(texts[i]), 4 + 64);
		ck_assert(!strncmp(texts[i], "dtk_", 4));
		ck_assert_uint_eq(strspn(texts[i] + 4, "0123456789abcdef"), 64);
		token_digest(texts[i], strlen(texts[i]), digest);
		ck_assert_mem_eq(digest, token.digest, sizeof digest);
		ck_assert_int_eq(token.id, 7);
		for (const char *at = texts[i] + 4; *at; at++)
			seen[(unsigned char)*at]++;
	}
	qsort(texts, DRAWS, sizeof *texts, (int (*)(const void *, const void *))strcmp);
	for (size_t i = 1; i < DRAWS; i++)
		ck_assert_str_ne(texts[i - 1], texts[i]);
	for (const char *at = "0123456789abcdef"; *at; at++) { /* 8000 of each expected, deviation 87 */
		ck_assert_uint_gt(seen[(unsigned char)*at], 7000);
		ck_assert_uint_lt(seen[(unsigned char)*at], 9000);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { roles_are_read, names_are_checked, patterns_are_checked, patterns_fit,
		durations_are_read, bytes_become_digits, digests_are_sha_256, draws_differ, NULL };

	return suite_main("token", tests, 30);
}
