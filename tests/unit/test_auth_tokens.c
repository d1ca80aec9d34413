/* test_auth_tokens.c - the last gate with the tokens of a store: roles, models, rates, guesses, sessions, revocation. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/auth/auth.h"
#include "server/auth/guess.h"
#include "tests/unit/suite.h"

#define HOST "localhost"
#define OWN  "the-token-of-the-daemon"

static struct err e, warning;
static struct auth *auth;
static char texts[4][TOKEN_TEXT_BYTES]; /* of tokens 1, 2, … */
static const unsigned char here[GUESS_PEER_BYTES] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 };

/* ---- a store that has tokens 1 and 2, or fails ---- */

static int failing; /* 1: the list, 2: whether there ever was one */
static bool empty, ever;

static struct store_token token_of(int64_t id)
{
	struct store_token token = { .id = id, .roles = id == 1 ? AUTH_READ | AUTH_TRAIN : AUTH_EVERYTHING };

	ck_assert(!token_draw(&token, texts[id - 1], &e));
	token.name = strdup(id == 1 ? "one" : "two");
	token.models = id == 1 ? strdup("iris*") : NULL;
	return token;
}

static int list(struct store *s, struct store_token **out, size_t *count, struct err *err)
{
	(void)s;
	*count = empty ? 0 : 2;
	*out = calloc(2, sizeof **out);
	for (size_t i = 0; i < *count; i++)
		(*out)[i] = token_of((int64_t)i + 1);
	return failing == 1 ? err_set(err, ERR_IO, "no list") : 0;
}

static int was_ever(struct store *s, bool *out, struct err *err)
{
	(void)s;
	*out = ever;
	return failing == 2 ? err_set(err, ERR_IO, "not known") : 0;
}

static int new_auth(const char *own)
{
	struct auth_options options = { .listen = HOST ":1", .token = own };
	struct store store = { .token_list = list, .token_ever = was_ever };

	ck_assert(!auth_new(&auth, &options, &warning, &e));
	return auth_load(auth, &store, &e);
}

static struct auth_grant grant;

/* What is asked, with "Bearer TEXT" where there is one. */
static int ask(const char *text, struct auth_request request)
{
	char header[128];

	snprintf(header, sizeof header, "Bearer %s", text ? text : "");
	request.host = HOST;
	request.authorization = text ? header : NULL;
	if (!request.peer) request.peer = here;
	e.text[0] = 0;
	return auth_check(auth, &request, &grant, &e);
}

#define ASK(text, ...) ask(text, (struct auth_request){ __VA_ARGS__ })

static bool holds(int64_t id, const char *text, struct auth_request request)
{
	char header[128];

	snprintf(header, sizeof header, "Bearer %s", text ? text : "");
	request.authorization = text ? header : NULL;
	return auth_holds(auth, &request, id);
}

#define HOLDS(id, text, ...) holds(id, text, (struct auth_request){ .host = HOST, __VA_ARGS__ })

START_TEST(roles_and_models)
{
	ever = true;
	ck_assert(!new_auth(NULL));
	ck_assert(auth_has_token(auth));
	ck_assert_int_eq(ASK(NULL), ERR_UNAUTHORIZED);
	ck_assert(!ASK(NULL, .open = true));
	ck_assert(!ASK(NULL, .local = true, .role = AUTH_ADMIN));
	ck_assert_uint_eq(grant.roles, AUTH_EVERYTHING);
	ck_assert(!ASK(texts[0], .role = AUTH_READ));
	ck_assert_int_eq(grant.token, 1);
	ck_assert_uint_eq(grant.roles, AUTH_READ | AUTH_TRAIN);
	ck_assert(grant.limited);
	ck_assert_int_eq(ASK(texts[0], .role = AUTH_PREDICT), ERR_FORBIDDEN);
	ck_assert_ptr_nonnull(strstr(e.text, "\"one\" may read,train; this needs one that may predict"));
	ck_assert(!ASK(texts[0], .role = AUTH_READ, .model = "iris2"));
	ck_assert_int_eq(ASK(texts[0], .role = AUTH_READ, .model = "wine"), ERR_FORBIDDEN);
	ck_assert_int_eq(ASK(texts[0], .role = AUTH_READ, .all_models = true), ERR_FORBIDDEN);
	ck_assert(!ASK(texts[1], .role = AUTH_ADMIN, .model = "wine", .all_models = true));
	ck_assert(!grant.limited);
	ck_assert(!auth_may_see(auth, 1, "iris", &e));
	ck_assert_int_eq(auth_may_see(auth, 1, "wine", &e), ERR_FORBIDDEN);
	ck_assert(!auth_may_see(auth, 2, "wine", &e));
	ck_assert_int_eq(auth_may_see(auth, 3, "iris", &e), ERR_UNAUTHORIZED);
	auth_free(auth);
}
END_TEST

START_TEST(added_and_revoked)
{
	char name[TOKEN_NAME_MAX + 1];
	struct store_token third;

	ck_assert(!new_auth(NULL));
	third = token_of(3);
	ck_assert(!auth_add(auth, &third, &e));
	store_token_clear(&third);
	ck_assert(!ASK(texts[2], .role = AUTH_TRAIN));
	ck_assert(HOLDS(3, texts[2]) && !HOLDS(2, texts[2]) && !HOLDS(0, texts[2]));
	ck_assert(!HOLDS(0, NULL) && !HOLDS(0, "wrong") && HOLDS(0, NULL, .local = true));
	ck_assert(auth_token_name(auth, 3, name));
	ck_assert_str_eq(name, "two");
	for (int64_t id = 1; id <= 3; id++)
		auth_revoke(auth, id);
	ck_assert(!HOLDS(3, texts[2]) && !auth_token_name(auth, 3, name));
	ck_assert_int_eq(ASK(texts[2]), ERR_UNAUTHORIZED);
	ck_assert(!auth_has_token(auth));
	ck_assert_int_eq(ASK(NULL), ERR_UNAUTHORIZED); /* it stays closed */
	auth_free(auth);
}
END_TEST

START_TEST(open_until_the_first)
{
	struct store_token third;

	empty = true;
	ever = false;
	ck_assert(!new_auth(NULL));
	ck_assert(!ASK(NULL, .role = AUTH_ADMIN));
	ck_assert_int_eq(grant.token, 0);
	ck_assert(!auth_has_token(auth));
	ck_assert(HOLDS(0, NULL));
	third = token_of(3);
	ck_assert(!auth_add(auth, &third, &e));
	store_token_clear(&third);
	ck_assert(!HOLDS(0, NULL));
	auth_free(auth);
	ever = true; /* all were revoked, before the start */
	ck_assert(!new_auth(NULL));
	ck_assert_int_eq(ASK(NULL), ERR_UNAUTHORIZED);
	auth_free(auth);
}
END_TEST

START_TEST(a_store_that_fails)
{
	for (failing = 1; failing <= 2; failing++) {
		ck_assert_int_eq(new_auth(NULL), ERR_IO);
		auth_free(auth);
	}
}
END_TEST

START_TEST(a_rate)
{
	struct store_token third;

	ck_assert(!new_auth(NULL));
	third = token_of(3);
	third.rate = 0.001;
	ck_assert(!auth_add(auth, &third, &e));
	store_token_clear(&third);
	ck_assert(!ASK(texts[2]));
	ck_assert_uint_eq(grant.rate_limit, 1);
	ck_assert_uint_eq(grant.rate_left, 0);
	ck_assert_uint_ge(grant.rate_reset_seconds, 1000);
	ck_assert_int_eq(ASK(texts[2]), ERR_RATE);
	ck_assert_uint_gt(grant.wait_seconds, 900);
	ck_assert_uint_le(grant.wait_seconds, 1001);
	ck_assert(!ASK(texts[1]));
	ck_assert_uint_eq(grant.rate_limit, 0);
	auth_free(auth);
}
END_TEST

START_TEST(guesses)
{
	static const unsigned char there[GUESS_PEER_BYTES] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 2 };

	ck_assert(!new_auth(OWN));
	ck_assert(!ASK(texts[0]));
	ck_assert(!ASK(OWN));
	for (int i = 0; i <= GUESS_FREE; i++)
		ck_assert_int_eq(ASK("wrong"), ERR_UNAUTHORIZED);
	ck_assert_int_eq(ASK("wrong"), ERR_RATE);
	ck_assert_uint_eq(grant.wait_seconds, 1);
	ck_assert_int_eq(ASK(texts[1]), ERR_RATE);
	ck_assert(!ASK(texts[0])); /* it came from there before */
	ck_assert(!ASK(OWN));
	ck_assert(!ASK(texts[1], .peer = there));
	ck_assert_int_eq(ASK(NULL), ERR_UNAUTHORIZED);
	auth_free(auth);
}
END_TEST

static int by_cookie(const char *cookie, const char *origin, bool changes)
{
	return ASK(NULL, .cookies = cookie, .origin = origin, .changes = changes);
}

START_TEST(sessions)
{
	char cookie[AUTH_COOKIE_BYTES], own[AUTH_COOKIE_BYTES], header[128];
	int64_t until, now = time(NULL);
	struct store_token third;

	ck_assert(!new_auth(OWN));
	ck_assert_int_eq(auth_session(auth, NULL, cookie, &until, &e), ERR_UNAUTHORIZED);
	ck_assert_int_eq(auth_session(auth, "Basic x", cookie, &until, &e), ERR_UNAUTHORIZED);
	ck_assert_int_eq(auth_session(auth, "Bearer wrong", cookie, &until, &e), ERR_UNAUTHORIZED);
	ck_assert(!auth_session(auth, "Bearer " OWN, own, &until, &e));
	ck_assert_int_ge(until, now + 8 * 3600);
	ck_assert(!by_cookie(own, NULL, false));
	ck_assert_int_eq(grant.token, 0);
	snprintf(header, sizeof header, "Bearer %s", texts[1]);
	ck_assert(!auth_session(auth, header, cookie, &until, &e));
	ck_assert(!strncmp(cookie, auth_session_name(auth), strlen(auth_session_name(auth))));
	ck_assert(!by_cookie(cookie, NULL, false));
	ck_assert_int_eq(grant.token, 2);
	ck_assert(HOLDS(0, NULL, .cookies = own) && HOLDS(2, NULL, .cookies = cookie) &&
			!HOLDS(0, NULL, .cookies = cookie));
	ck_assert(HOLDS(0, OWN) && !HOLDS(0, OWN "x") && !HOLDS(0, "wrong", .cookies = own));
	ck_assert_int_eq(by_cookie(cookie, NULL, true), ERR_ORIGIN);
	ck_assert(!by_cookie(cookie, "http://" HOST, true));
	ck_assert_int_eq(by_cookie(cookie, "http://evil.example", false), ERR_ORIGIN);
	auth_revoke(auth, 2);
	ck_assert_int_eq(by_cookie(cookie, NULL, false), ERR_UNAUTHORIZED);
	ck_assert(!HOLDS(2, NULL, .cookies = cookie));
	auth_session_end(auth, own);
	ck_assert(!HOLDS(0, NULL, .cookies = own));
	ck_assert_ptr_nonnull(strstr(e.text, "session"));
	cookie[strlen(auth_session_name(auth)) + 1] = 'x';
	ck_assert_int_eq(by_cookie(cookie, NULL, false), ERR_UNAUTHORIZED);
	own[strlen(own) - 1] ^= 1;
	ck_assert_int_eq(by_cookie(own, NULL, false), ERR_UNAUTHORIZED);
	third = token_of(3);
	third.expires_ms = (now + 60) * 1000;
	ck_assert(!auth_add(auth, &third, &e));
	store_token_clear(&third);
	snprintf(header, sizeof header, "Bearer %s", texts[2]);
	ck_assert(!auth_session(auth, header, cookie, &until, &e));
	ck_assert_int_eq(until, now + 60); /* no longer than its token */
	auth_free(auth);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { roles_and_models, added_and_revoked, open_until_the_first,
		a_store_that_fails, a_rate, guesses, sessions, NULL };

	return suite_main("auth with tokens", tests, 30);
}
