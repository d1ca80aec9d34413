/* test_session.c - the text in a browser's cookie: only its maker makes it, and only as it is. */
#include <stdio.h>
#include <string.h>

#include "server/auth/session.h"
#include "tests/unit/suite.h"

#define NOW   1800000000
#define UNTIL (NOW + SESSION_SECONDS)

static struct session_key key;
static struct session_book book;
static unsigned char digest[STORE_DIGEST_BYTES] = { 1, 2, 3 };
static struct err e;

static void draw(struct session_key *out)
{
	ck_assert_msg(!session_key_draw(out, &e), "%s", e.text);
}

/* As a daemon asks: whose it is, whether it is over, and whether it is ours. */
static bool lets_in(const char *text, int64_t now, int64_t token)
{
	int64_t found;

	return text && session_token(text, now, &found) && found == token &&
	       session_true(&key, text, digest) && session_holds(&book, text);
}

START_TEST(what_was_written_is_true)
{
	static const int64_t tokens[] = { 0, 1, 42, INT64_MAX };
	char text[SESSION_TEXT_BYTES];

	draw(&key);
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
		session_write(&key, &book, tokens[i], digest, UNTIL, text);
		ck_assert_uint_lt(strlen(text), SESSION_TEXT_BYTES);
		ck_assert(lets_in(text, NOW, tokens[i]));
		ck_assert(lets_in(text, UNTIL - 1, tokens[i]));
		ck_assert(!lets_in(text, UNTIL, tokens[i]));
		ck_assert(!lets_in(text, UNTIL + 1, tokens[i]));
	}
}
END_TEST

START_TEST(what_was_ended_is_over)
{
	char first[SESSION_TEXT_BYTES], second[SESSION_TEXT_BYTES];
	struct session_book others = { 0 };

	draw(&key);
	session_write(&key, &book, 5, digest, UNTIL, first);
	session_write(&key, &book, 5, digest, UNTIL, second);
	ck_assert_str_ne(first, second);
	session_end(&others, first); /* which another token made */
	ck_assert(!session_holds(&others, first));
	ck_assert(lets_in(first, NOW, 5));
	session_end(&book, first);
	ck_assert(!lets_in(first, NOW, 5));
	ck_assert(lets_in(second, NOW, 5));
	session_end(&book, first); /* again */
	ck_assert(lets_in(second, NOW, 5));
}
END_TEST

START_TEST(there_are_so_many)
{
	char first[SESSION_TEXT_BYTES], ended[SESSION_TEXT_BYTES], text[SESSION_TEXT_BYTES];

	draw(&key);
	session_write(&key, &book, 5, digest, UNTIL, first);
	session_write(&key, &book, 5, digest, UNTIL, ended);
	session_end(&book, ended);
	for (int i = 2; i < SESSIONS_MAX; i++) {
		session_write(&key, &book, 5, digest, UNTIL, text);
		ck_assert(lets_in(text, NOW, 5));
	}
	ck_assert(lets_in(first, NOW, 5));
	session_write(&key, &book, 5, digest, UNTIL, text);
	ck_assert(!lets_in(first, NOW, 5));
	session_write(&key, &book, 5, digest, UNTIL, text); /* in the place of the ended one */
	ck_assert(lets_in(text, NOW, 5));
	ck_assert(!lets_in(ended, NOW, 5));
	session_end(&book, ended); /* too late to end the new one */
	ck_assert(lets_in(text, NOW, 5));
}
END_TEST

START_TEST(another_key_or_token_is_none)
{
	struct session_key other;
	unsigned char changed[STORE_DIGEST_BYTES];
	char text[SESSION_TEXT_BYTES];

	draw(&key);
	draw(&other);
	ck_assert_str_ne(key.name, other.name);
	ck_assert(memcmp(key.key, other.key, sizeof key.key));
	session_write(&key, &book, 5, digest, UNTIL, text);
	ck_assert(session_true(&key, text, digest));
	ck_assert(!session_true(&other, text, digest));
	for (size_t i = 0; i < sizeof changed; i++) {
		memcpy(changed, digest, sizeof changed);
		changed[i] ^= 0x80;
		ck_assert(!session_true(&key, text, changed));
	}
}
END_TEST

/* Every character of it counts: changed, left out, doubled. */
START_TEST(every_edit_is_seen)
{
	char text[SESSION_TEXT_BYTES], edited[SESSION_TEXT_BYTES + 2];
	size_t n;

	draw(&key);
	session_write(&key, &book, 57, digest, UNTIL, text);
	n = strlen(text);
	for (size_t i = 0; i < n; i++) {
		for (int with = 1; with < 256; with++) {
			if (with == (unsigned char)text[i]) continue;
			strcpy(edited, text);
			edited[i] = (char)with;
			ck_assert_msg(!lets_in(edited, NOW, 57), "%s", edited);
		}
		snprintf(edited, sizeof edited, "%.*s%s", (int)i, text, text + i + 1);
		ck_assert_msg(!lets_in(edited, NOW, 57), "%s", edited);
		snprintf(edited, sizeof edited, "%.*s%s", (int)i + 1, text, text + i);
		ck_assert_msg(!lets_in(edited, NOW, 57), "%s", edited);
		snprintf(edited, sizeof edited, "%.*s", (int)i, text);
		ck_assert_msg(!lets_in(edited, NOW, 57), "%s", edited);
	}
	for (const char *tail = "0. x"; *tail; tail++) {
		snprintf(edited, sizeof edited, "%s%c", text, *tail);
		ck_assert(lets_in(edited, NOW, 57) == (*tail == ' ')); /* where the cookie ends */
	}
}
END_TEST

START_TEST(texts_that_are_none)
{
	static const char *const none[] = { "", ".", "..", "1", "1.", "1.2", "a.b.c", "-1.99999999999.x",
		"+1.99999999999.x", " 1.99999999999.x", "1.-5.x", "1. 99999999999.x", "1.99999999999",
		"1.99999999999;", "99999999999999999999.99999999999.x", "1.99999999999999999999999.x", "1..x",
		".99999999999.x", "0x1.99999999999.x" };
	int64_t token;

	draw(&key);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		ck_assert_msg(!session_token(none[i], NOW, &token), "%s", none[i]);
		ck_assert_msg(!session_true(&key, none[i], digest), "%s", none[i]);
	}
}
END_TEST

START_TEST(cookies_are_found)
{
	static const struct {
		const char *format;
		bool found;
	} cases[] = { { "%s=V", true }, { "a=b; %s=V", true }, { "a=b;%s=V", true }, { "%s=V; a=b", true },
		{ "a; b=; %s=V;", true }, { "; ; %s=V", true }, { "x%s=V; %s=V", true }, { "%s", false },
		{ "%s x=V", false }, { "%sx=V", false }, { "x%s=V", false }, { "a=%s=V", false },
		{ "a=\"%s=V", false }, { "", false }, { "a=b", false }, { ";", false }, { "a=b; ", false } };
	char cookies[256];

	draw(&key);
	ck_assert_ptr_null(session_find(&key, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *found;
		size_t n = 0;

		for (const char *at = cases[i].format; *at; at++) /* the name in place of %s */
			if (*at == '%')
				n += (size_t)snprintf(cookies + n, sizeof cookies - n, "%s", key.name), at++;
			else
				cookies[n++] = *at;
		cookies[n] = 0;
		found = session_find(&key, cookies);
		ck_assert_msg(!found == !cases[i].found, "%s", cookies);
		if (found) ck_assert_int_eq(*found, 'V');
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_was_written_is_true, what_was_ended_is_over, there_are_so_many,
		another_key_or_token_is_none, every_edit_is_seen, texts_that_are_none, cookies_are_found,
		NULL };

	return suite_main("session", tests, 30);
}
