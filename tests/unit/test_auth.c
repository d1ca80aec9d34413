/* test_auth.c - hosts, origins and tokens: who comes in, who does not, and in which order that is found out. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/auth/auth.h"
#include "server/auth/host.h"
#include "server/auth/origin.h"
#include "tests/unit/suite.h"

#define TOKEN  "0123456789abcdefXYZ"
#define LISTEN "192.168.1.5:8420"

static struct err e, warning;

static struct auth *new_auth(const char *allow_hosts, const char *token)
{
	struct auth_options options = { .listen = LISTEN, .allow_hosts = allow_hosts, .token = token };
	struct auth *auth;

	ck_assert_msg(!auth_new(&auth, &options, &warning, &e), "%s", e.text);
	return auth;
}

static int check_one(struct auth *auth, struct auth_request request)
{
	struct auth_grant grant;

	e.text[0] = 0;
	return auth_check(auth, &request, &grant, &e);
}

static int host_code(struct auth *auth, const char *host)
{
	return check_one(auth, (struct auth_request){ .host = host });
}

static int origin_code(const char *origin, const char *host)
{
	struct auth *auth = new_auth("*", NULL);
	int rc = check_one(auth, (struct auth_request){ .host = host, .origin = origin });

	auth_free(auth);
	return rc;
}

START_TEST(hosts_are_split)
{
	static const struct {
		const char *text, *name;
		int port;
	} good[] = {
		{ "localhost", "localhost", HOST_NO_PORT },
		{ "localhost:0", "localhost", 0 },
		{ "a.b-c_d:65535", "a.b-c_d", 65535 },
		{ "[::1]:8420", "[::1]", 8420 },
		{ "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", HOST_NO_PORT },
		{ "localhost:", "localhost", HOST_NO_PORT },
	};
	static const char *const bad[] = { "", ":8420", "a:65536", "a:123456", "a:8a", "a b", "::1", "::1:80",
		"[::1", "[]", "[::1]x", "[g]", "user@a", "a/b", "a:80:80", "a\r\n", "*", "\xc3\xa4" };
	struct host host;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(host_split(good[i].text, &host), "%s", good[i].text);
		ck_assert_uint_eq(host.length, strlen(good[i].name));
		ck_assert(!strncmp(host.name, good[i].name, host.length));
		ck_assert_int_eq(host.port, good[i].port);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!host_split(bad[i], &host), "%s", bad[i]);
}
END_TEST

START_TEST(lists_of_hosts_are_checked)
{
	static const char *const good[] = { "a", "a,b", " a , [::1]\t", "*", "a,*" };
	static const char *const bad[] = { "", ",", "a,", ",a", "a:80", "http://a", "a b", "**", "::1",
		"*.a" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(host_list_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!host_list_valid(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(only_our_hosts_are_answered)
{
	static const char *const ours[] = { "localhost", "LocalHost:1", "127.0.0.1:8420", "[::1]:8420",
		"192.168.1.5", "example.com", "b.example.com:443" };
	static const char *const others[] = { "evil.com", "localhost.evil.com", "127.0.0.2", "xlocalhost",
		"localhos", "localhost:99999", "a.example.com", "*", "" };
	struct auth *auth = new_auth("example.com, B.example.com", NULL);

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		ck_assert_msg(!host_code(auth, ours[i]), "%s", ours[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_msg(host_code(auth, others[i]) == ERR_HOST && *e.text, "%s", others[i]);
	ck_assert_int_eq(host_code(auth, NULL), ERR_HOST);
	auth_free(auth);
}
END_TEST

START_TEST(a_star_lets_every_host_in)
{
	struct auth *auth = new_auth("example.com,*", NULL);

	ck_assert(!host_code(auth, "anything.org:80"));
	ck_assert(!host_code(auth, NULL));
	ck_assert_int_eq(host_code(auth, "not a host"), ERR_HOST);
	auth_free(auth);
}
END_TEST

START_TEST(a_host_is_quoted_only_when_it_is_clean)
{
	struct auth *auth = new_auth(NULL, NULL);

	ck_assert_int_eq(host_code(auth, "evil.com:80"), ERR_HOST);
	ck_assert_ptr_nonnull(strstr(e.text, "--allow-host evil.com if"));
	ck_assert_int_eq(host_code(auth, "\xff\x1b[2Jx"), ERR_HOST);
	ck_assert_ptr_null(strchr(e.text, '\xff'));
	ck_assert_ptr_null(strchr(e.text, '\x1b'));
	auth_free(auth);
}
END_TEST

START_TEST(pages_come_from_the_same_origin)
{
	static const char *const same[][2] = { { NULL, "a:1" }, { "http://a:1", "a:1" },
		{ "HTTP://A:1", "a:1" }, { "http://a", "a" }, { "http://a:80", "a" },
		{ "https://a", "a:443" }, { "https://a", "a" }, { "http://[::1]:8420", "[::1]:8420" } };
	static const char *const other[][2] = { { "null", "a:1" }, { "", "a:1" }, { "http://b:1", "a:1" },
		{ "http://a:2", "a:1" }, { "http://a", "a:1" }, { "http://a", "a:443" },
		{ "https://a:80", "a" }, { "ftp://a", "a" }, { "http://a:1/", "a:1" },
		{ "http://a.evil:1", "a:1" }, { "http://u@a:1", "a:1" }, { "http://a:1", NULL },
		{ "a:1", "a:1" }, { "http://a:1 http://a:1", "a:1" } };

	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		ck_assert_msg(!origin_code(same[i][0], same[i][1]), "%s", same[i][0]);
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		ck_assert_msg(origin_code(other[i][0], other[i][1]) == ERR_ORIGIN, "%s", other[i][0]);
}
END_TEST

START_TEST(origins_that_are_named)
{
	static const char list[] = " https://app.example ,http://localhost:3000,https://[::1]:8443";
	static const char *const in[] = { "https://app.example", "HTTPS://App.Example:443",
		"http://localhost:3000", "https://[::1]:8443" };
	static const char *const out[] = { "http://app.example", "https://app.example:444",
		"https://app.example.evil", "https://evil.app.example", "http://localhost",
		"https://localhost:3000", "null", "", "https://", "*", "https://app.example/",
		"https://app.example,http://localhost:3000", "app.example" };
	struct auth_options options = { .listen = LISTEN, .cors_origins = list };
	struct auth *auth;

	ck_assert(!auth_new(&auth, &options, &warning, &e));
	for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
		ck_assert_msg(auth_may_read(auth, in[i]), "%s", in[i]);
		ck_assert(!check_one(auth, (struct auth_request){ .host = "localhost", .origin = in[i] }));
	}
	for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
		ck_assert_msg(!auth_may_read(auth, out[i]), "%s", out[i]);
		ck_assert_int_eq(check_one(auth, (struct auth_request){ .host = "127.0.0.1",
								 .origin = out[i] }),
				ERR_ORIGIN);
	}
	ck_assert_int_eq(check_one(auth, (struct auth_request){ .host = "evil", .origin = in[0] }), ERR_HOST);
	options.cors_origins = "*";
	ck_assert(!auth_reload(auth, &options, &warning, &e));
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		ck_assert(auth_may_read(auth, out[i]));
	options.cors_origins = NULL;
	ck_assert(!auth_reload(auth, &options, &warning, &e));
	ck_assert(!auth_may_read(auth, in[0]));
	auth_free(auth);
}
END_TEST

START_TEST(lists_of_origins)
{
	static const char *const good[] = { "*", "http://a", " https://a:1 , http://[::1]", "http://a,*" };
	static const char *const bad[] = { "", " ", "a", "a.example,http://a", "http://", "http://a/",
		"http://a b", "http://a,", "ftp://a", "null", "http://*.a", "http://a:99999", "http://u@a" };
	char longest[512];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(origin_list_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!origin_list_valid(bad[i]), "%s", bad[i]);
	for (int n = 250; n < 500; n++) {
		snprintf(longest, sizeof longest, "http://%0*d", n, 0);
		ck_assert_int_eq(origin_list_valid(longest), n <= 255);
		ck_assert_int_eq(origin_list_has(longest, longest), n <= 255);
	}
}
END_TEST

static int token_code(struct auth *auth, const char *authorization)
{
	return check_one(auth, (struct auth_request){ .host = "localhost", .authorization = authorization });
}

START_TEST(the_token_opens)
{
	static const char *const right[] = { "Bearer " TOKEN, "bearer  " TOKEN " ", "BEARER " TOKEN };
	static const char *const wrong[] = { "", "Bearer", "Bearer ", TOKEN, "Basic " TOKEN, "Bearer" TOKEN,
		"Bearer x", "Bearer " TOKEN "x", "Bearer " TOKEN " x", "Bearer 0123456789abcdefXYz",
		"Bearer\t" TOKEN };
	struct auth *auth = new_auth(NULL, TOKEN);

	ck_assert(auth_has_token(auth));
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		ck_assert_msg(!token_code(auth, right[i]), "%s", right[i]);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_msg(token_code(auth, wrong[i]) == ERR_UNAUTHORIZED, "%s", wrong[i]);
		ck_assert_ptr_null(strstr(e.text, TOKEN));
	}
	ck_assert_int_eq(token_code(auth, NULL), ERR_UNAUTHORIZED);
	ck_assert_ptr_nonnull(strstr(e.text, "Authorization: Bearer"));
	auth_free(auth);
}
END_TEST

START_TEST(without_a_token_everybody_passes)
{
	struct auth *auth = new_auth(NULL, NULL);

	ck_assert(!auth_has_token(auth));
	ck_assert(!token_code(auth, NULL));
	ck_assert(!token_code(auth, "Bearer whatever"));
	auth_free(auth);
}
END_TEST

START_TEST(host_goes_before_origin_before_token)
{
	struct auth *auth = new_auth(NULL, TOKEN);
	struct auth_request request = { .host = "evil.com", .origin = "http://other.com" };

	ck_assert_int_eq(check_one(auth, request), ERR_HOST);
	request.host = "localhost";
	ck_assert_int_eq(check_one(auth, request), ERR_ORIGIN);
	request.origin = NULL;
	ck_assert_int_eq(check_one(auth, request), ERR_UNAUTHORIZED);
	request.open = true;
	ck_assert_int_eq(check_one(auth, request), 0);
	request.host = "10.1.2.3";
	ck_assert_int_eq(check_one(auth, request), ERR_HOST);
	request.any_host = true;
	ck_assert_int_eq(check_one(auth, request), 0);
	auth_free(auth);
}
END_TEST

/* What auth_new says of a token file with this text and mode. */
static int file_code(const char *text, mode_t mode, bool *has_token)
{
	char path[] = "/tmp/descentd-token-XXXXXX";
	struct auth_options options = { .listen = LISTEN, .token_file = path };
	struct auth *auth;
	int fd = mkstemp(path), rc;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert(!fchmod(fd, mode));
	close(fd);
	rc = auth_new(&auth, &options, &warning, &e);
	*has_token = !rc && !token_code(auth, "Bearer " TOKEN);
	ck_assert(!rc == !!auth);
	auth_free(auth);
	unlink(path);
	return rc;
}

START_TEST(a_file_holds_the_token)
{
	char long_line[2001];
	bool has;

	ck_assert(!file_code(TOKEN "\n", 0600, &has) && has);
	ck_assert_str_eq(warning.text, "");
	ck_assert(!file_code("  " TOKEN " \r\nsecond line\n", 0600, &has) && has);
	ck_assert(!file_code(TOKEN, 0644, &has) && has);
	ck_assert_ptr_nonnull(strstr(warning.text, "chmod 600"));
	ck_assert_int_eq(file_code("", 0600, &has), ERR_INVALID);
	ck_assert_int_eq(file_code("\n" TOKEN "\n", 0600, &has), ERR_INVALID);
	ck_assert_int_eq(file_code("0123456789abcde\n", 0600, &has), ERR_INVALID);
	ck_assert_ptr_null(strstr(e.text, "0123456789abcde"));
	ck_assert(!file_code("0123456789abcdef\n", 0600, &has));
	ck_assert_int_eq(file_code("two words of a secret\n", 0600, &has), ERR_INVALID);
	ck_assert_int_eq(file_code("schl\xc3\xbcssel-schl\xc3\xbcssel\n", 0600, &has), ERR_INVALID);
	memset(long_line, 'x', sizeof long_line - 1);
	long_line[sizeof long_line - 1] = 0;
	ck_assert_int_eq(file_code(long_line, 0600, &has), ERR_INVALID);
}
END_TEST

START_TEST(a_bad_start_is_refused)
{
	struct auth_options options = { .listen = LISTEN, .token_file = "/tmp/descentd-no-such-file" };
	struct auth *auth;

	ck_assert_int_eq(auth_new(&auth, &options, &warning, &e), ERR_IO);
	ck_assert_ptr_null(auth);
	options.token_file = "/tmp";
	ck_assert_int_eq(auth_new(&auth, &options, &warning, &e), ERR_IO);
	options.token = TOKEN;
	ck_assert_int_eq(auth_new(&auth, &options, &warning, &e), ERR_INVALID);
	options = (struct auth_options){ .listen = LISTEN, .token = "short" };
	ck_assert_int_eq(auth_new(&auth, &options, &warning, &e), ERR_INVALID);
	options = (struct auth_options){ .listen = "nowhere at all" };
	ck_assert_int_eq(auth_new(&auth, &options, &warning, &e), ERR_INVALID);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		hosts_are_split,
		lists_of_hosts_are_checked,
		only_our_hosts_are_answered,
		a_star_lets_every_host_in,
		a_host_is_quoted_only_when_it_is_clean,
		pages_come_from_the_same_origin,
		origins_that_are_named,
		lists_of_origins,
		the_token_opens,
		without_a_token_everybody_passes,
		host_goes_before_origin_before_token,
		a_file_holds_the_token,
		a_bad_start_is_refused,
		NULL,
	};

	return suite_main("auth", tests, 30);
}
