/* test_route.c - the route table: which row a path has, what its parameters decode to, which methods are allowed. */
#include <string.h>

#include "server/http/route.h"
#include "tests/unit/suite.h"

static const struct route routes[] = {
	{ .method = "GET", .path = "/livez" },
	{ .method = "GET", .path = "/v1/models" },
	{ .method = "GET", .path = "/v1/models/{model}" },
	{ .method = "PUT", .path = "/v1/models/{model}" },
	{ .method = "DELETE", .path = "/v1/models/{model}" },
	{ .method = "POST", .path = "/v1/models/{model}:train" },
	{ .method = "POST", .path = "/v1/models/{model}/versions/{version}:predict" },
	{ .method = "GET", .path = "/v1/models/{model}/versions/{version}/layers/{layer}/neurons/{neuron}" },
	{ .method = NULL },
};

static struct route_match match;
static char allow[64];
static struct err e;

static int find(const char *method, const char *path)
{
	char exact[512]; /* nothing may be read behind the path */

	memset(exact, 'x', sizeof exact);
	memcpy(exact, path, strlen(path));
	e.text[0] = 0;
	return route_find(routes, method, exact, strlen(path), &match, allow, sizeof allow, &e);
}

static void finds(const char *method, const char *path, size_t row)
{
	ck_assert_msg(!find(method, path), "%s %s: %s", method, path, e.text);
	ck_assert_msg(match.route == &routes[row], "%s %s went to %s", method, path, match.route->path);
}

START_TEST(each_path_has_its_row)
{
	finds("GET", "/livez", 0);
	finds("GET", "/v1/models", 1);
	finds("GET", "/v1/models/iris", 2);
	finds("PUT", "/v1/models/iris", 3);
	finds("DELETE", "/v1/models/iris", 4);
	finds("POST", "/v1/models/iris:train", 5);
	finds("POST", "/v1/models/iris/versions/3:predict", 6);
	finds("GET", "/v1/models/iris/versions/3/layers/0/neurons/12", 7);
	finds("HEAD", "/v1/models/iris", 2);
}
END_TEST

START_TEST(parameters_are_named_and_decoded)
{
	static const char *const names[] = { "model", "version", "layer", "neuron" };
	static const char *const values[] = { "a b", "3", "0", "é" };

	finds("GET", "/v1/models/a%20b/versions/3/layers/0/neurons/%C3%a9", 7);
	ck_assert_uint_eq(match.count, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(match.name_lengths[i], strlen(names[i]));
		ck_assert(!memcmp(match.names[i], names[i], strlen(names[i])));
		ck_assert_str_eq(match.values[i], values[i]);
	}
	finds("POST", "/v1/models/iris:train", 5);
	ck_assert_uint_eq(match.count, 1);
	ck_assert_str_eq(match.values[0], "iris");
	finds("GET", "/v1/models/a+b", 2); /* a plus is a space in queries only */
	ck_assert_str_eq(match.values[0], "a+b");
}
END_TEST

START_TEST(no_row)
{
	static const char *const paths[] = { "", "/", "/livez/", "/live", "/livezz", "/v1/models/",
		"/v1/models//", "/v1/models/a/", "/v1/models/a/b", "/v1/models/:train", "/v1/models/iris:tra",
		"/v1/models/iris:training", "/v1/models/iris:x:train", "/V1/models", "//v1/models",
		"/v1%2Fmodels", "/v1/models/a/versions/:predict" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		ck_assert_msg(find("GET", paths[i]) == ERR_NO_ROUTE, "%s has a row", paths[i]);
		ck_assert_str_eq(allow, "");
		ck_assert_ptr_null(match.route);
		ck_assert_ptr_nonnull(strstr(e.text, paths[i]));
	}
}
END_TEST

START_TEST(the_methods_of_a_path)
{
	static const struct {
		const char *method, *path, *allow;
	} cases[] = {
		{ "POST", "/livez", "GET, HEAD, OPTIONS" },
		{ "OPTIONS", "/v1/models/iris", "GET, HEAD, PUT, DELETE, OPTIONS" },
		{ "PATCH", "/v1/models/iris", "GET, HEAD, PUT, DELETE, OPTIONS" },
		{ "GET", "/v1/models/iris:train", "POST, OPTIONS" },
		{ "HEAD", "/v1/models/iris:train",
				"POST, OPTIONS" }, /* HEAD is where GET is, and only there */
		{ "get", "/livez", "GET, HEAD, OPTIONS" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(find(cases[i].method, cases[i].path), ERR_METHOD);
		ck_assert_str_eq(allow, cases[i].allow);
		ck_assert_ptr_null(match.route);
		ck_assert_ptr_nonnull(strstr(e.text, cases[i].allow));
	}
}
END_TEST

START_TEST(names_that_are_refused)
{
	static const char *const paths[] = { "/v1/models/a%", "/v1/models/a%4", "/v1/models/%zz",
		"/v1/models/a%00b", "/v1/models/a%0Ab", "/v1/models/%7F", "/v1/models/a%2Fb",
		"/v1/models/a%2f", "/v1/models/%2E%2E%2Fb" };
	char path[400] = "/v1/models/";

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		ck_assert_msg(find("GET", paths[i]) == ERR_BAD_REQUEST, "%s was taken", paths[i]);
	memset(path + 11, 'a', ROUTE_PARAM_BYTES - 1);
	ck_assert_int_eq(find("GET", path), 0);
	ck_assert_uint_eq(strlen(match.values[0]), ROUTE_PARAM_BYTES - 1);
	path[11 + ROUTE_PARAM_BYTES - 1] = 'a';
	ck_assert_int_eq(find("GET", path), ERR_BAD_REQUEST);
}
END_TEST

START_TEST(decoding)
{
	char out[8];

	ck_assert_int_eq(route_decode("a+b%2B%41", 9, true, out, sizeof out, &e), 0);
	ck_assert_str_eq(out, "a b+A");
	ck_assert_int_eq(route_decode("a+b", 3, false, out, sizeof out, &e), 0);
	ck_assert_str_eq(out, "a+b");
	ck_assert_int_eq(route_decode("", 0, false, out, sizeof out, &e), 0);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(route_decode("1234567", 7, false, out, sizeof out, &e), 0);
	ck_assert_int_eq(route_decode("12345678", 8, false, out, sizeof out, &e), ERR_BAD_REQUEST);
	ck_assert_int_eq(route_decode("%41", 2, false, out, sizeof out, &e),
			ERR_BAD_REQUEST); /* cut before the 1 */
	ck_assert_int_eq(route_decode("a\tb", 3, false, out, sizeof out, &e), ERR_BAD_REQUEST);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { each_path_has_its_row, parameters_are_named_and_decoded, no_row,
		the_methods_of_a_path, names_that_are_refused, decoding, NULL };

	return suite_main("route", tests, 10);
}
