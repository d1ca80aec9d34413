/* test_media.c - Content-Type and Accept: what is the same type, and which type an Accept likes best. */
#include <string.h>

#include "server/http/media.h"
#include "tests/unit/suite.h"

START_TEST(content_types)
{
	ck_assert(media_is("application/json", "application/json"));
	ck_assert(media_is(" Application/JSON ; charset=utf-8", "application/json"));
	ck_assert(media_is("text/csv;header=present", "text/csv"));
	ck_assert(!media_is("application/jsonx", "application/json"));
	ck_assert(!media_is("application/jso", "application/json"));
	ck_assert(!media_is("", "application/json"));
	ck_assert(!media_is(NULL, "application/json"));
	ck_assert(media_in("text/csv; header=present", "application/json text/csv"));
	ck_assert(media_in("APPLICATION/json", "application/json text/csv"));
	ck_assert(!media_in("text/cs", "application/json text/csv"));
	ck_assert(!media_in("json text/csv", "application/json text/csv"));
	ck_assert(!media_in("", "application/json"));
	ck_assert(!media_in(NULL, "application/json"));
}
END_TEST

START_TEST(qualities)
{
	static const struct {
		const char *accept;
		double quality; /* of text/csv */
	} cases[] = {
		{ NULL, 1 },
		{ "", 1 },
		{ "*/*", 1 },
		{ "text/csv", 1 },
		{ "TEXT/CSV", 1 },
		{ "text/*", 1 },
		{ "application/json", 0 },
		{ "application/*", 0 },
		{ "text/c*", 0 },
		{ "text/csvx", 0 },
		{ "tex/*", 0 },
		{ "text/csv;q=0.5", 0.5 },
		{ "text/csv ; header=present ; Q=0.25", 0.25 },
		{ "text/csv;q=0", 0 },
		{ "text/csv;q=7", 0 }, /* no quality at all */
		{ "text/csv;q=x", 0 },
		{ "text/csv;q=nan", 0 },
		{ "application/json, text/csv;q=0.5", 0.5 },
		{ "application/json;q=0.1,text/csv", 1 },
		{ "*/*;q=0.1, text/*;q=0.5, text/csv;q=0.2",
				0.2 }, /* the closest range counts, wherever it stands */
		{ "text/csv;q=0.2, text/*;q=0.5, */*;q=0.1", 0.2 },
		{ "text/*;q=0.5, */*", 0.5 },
		{ ", ,text/csv", 1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(media_quality(cases[i].accept, "text/csv") == cases[i].quality, "%s: %g",
				cases[i].accept, media_quality(cases[i].accept, "text/csv"));
}
END_TEST

START_TEST(choices)
{
	static const struct {
		const char *accept, *choice; /* of JSON, CSV, NDJSON */
	} cases[] = {
		{ NULL, "application/json" },
		{ "*/*", "application/json" },
		{ "text/csv", "text/csv" },
		{ "text/csv, application/json", "application/json" }, /* equals: the earlier of the list */
		{ "application/json;q=0.9, text/*", "text/csv" },
		{ "application/json;q=0, */*", "text/csv" },
		{ "application/x-ndjson;q=0.001", "application/x-ndjson" },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", "application/json" },
		{ "image/png", NULL },
		{ "text/csv;q=0", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t length = 0;
		const char *choice = media_choose(
				cases[i].accept, "application/json text/csv application/x-ndjson", &length);

		if (!cases[i].choice) {
			ck_assert_ptr_null(choice);
			continue;
		}
		ck_assert_msg(choice && length == strlen(cases[i].choice) &&
						!memcmp(choice, cases[i].choice, length),
				"%s chose %s", cases[i].accept, choice);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { content_types, qualities, choices, NULL };

	return suite_main("media", tests, 10);
}
