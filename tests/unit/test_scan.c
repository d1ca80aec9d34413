/* test_scan.c - the check of JSON and the walk over it, held against jansson.
 *
 * Every text is looked at in a block of exactly its size, so that a sanitizer sees a look past its end.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/number.h"
#include "server/codec/scan.h"
#include "tests/unit/suite.h"

#define SEEDS      40000
#define TEXT_BYTES 4096

/* The text in a block of its own; new (free). */
static char *block_of(const char *text, size_t n)
{
	char *block = malloc(n ? n : 1);

	ck_assert_ptr_nonnull(block);
	memcpy(block, text, n);
	return block;
}

/* ---- the same tree? ---- */

static void same_string(struct scan_value string, const char *text)
{
	size_t room = (size_t)(string.end - string.at);
	char *decoded = malloc(room);
	const char *got;
	size_t n = scan_string(string, &got, decoded);

	ck_assert_uint_eq(n, strlen(text));
	ck_assert_int_eq(memcmp(got, text, n), 0);
	ck_assert(scan_equals(string, text));
	free(decoded);
}

static void same_value(struct scan_value value, const json_t *tree);

static void same_members(struct scan_value value, const json_t *tree)
{
	size_t count = 0;

	for (struct scan_iter i = scan_begin(value); scan_next(&i); count++) {
		if (json_is_array(tree)) {
			same_value(i.value, json_array_get(tree, count));
		} else {
			char *room = malloc((size_t)(i.key.end - i.key.at));
			const char *key;
			size_t n = scan_string(i.key, &key, room);
			const json_t *member = json_object_getn(tree, key, n);

			ck_assert_ptr_nonnull(member);
			same_value(i.value, member);
			free(room);
		}
	}
	ck_assert_uint_eq(count, json_is_array(tree) ? json_array_size(tree) : json_object_size(tree));
}

static void same_value(struct scan_value value, const json_t *tree)
{
	double number;

	switch (json_typeof(tree)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		ck_assert_int_eq(scan_kind(value), json_is_array(tree) ? '[' : '{');
		same_members(value, tree);
		break;
	case JSON_STRING:
		ck_assert_int_eq(scan_kind(value), '"');
		same_string(value, json_string_value(tree));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		ck_assert_int_eq(scan_kind(value), '0');
		ck_assert(number_parse_double(value.at, (size_t)(value.end - value.at), &number));
		ck_assert(number == json_number_value(tree));
		break;
	case JSON_TRUE: ck_assert_int_eq(scan_kind(value), 't'); break;
	case JSON_FALSE: ck_assert_int_eq(scan_kind(value), 'f'); break;
	case JSON_NULL: ck_assert_int_eq(scan_kind(value), 'n'); break;
	}
}

/* Holds one text against jansson; returns whether it is JSON. */
static bool same_as_jansson(const char *text, size_t n)
{
	char *block = block_of(text, n);
	struct scan_value value;
	struct err e;
	int rc = scan_check(block, n, &value, &e);
	json_error_t why;
	json_t *tree = json_loadb(
			text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &why);
	enum json_error_code code = tree ? json_error_unknown : json_error_code(&why);
	bool deep = rc && strstr(e.text, "deeper");

	if (code != json_error_duplicate_key && code != json_error_numeric_overflow && !deep)
		ck_assert_msg(!rc == !!tree, "%.*s: %s", (int)n, text, rc ? e.text : why.text);
	if (rc) ck_assert_int_eq(rc, ERR_JSON);
	if (!rc && tree) same_value(value, tree);
	json_decref(tree);
	free(block);
	return !rc;
}

/* ---- texts by hand ---- */

START_TEST(texts)
{
	static const char *const good[] = { "0", "-0", " 1 ", "1.5e-7", "10", "0.1", "1E+5",
		"12345678901234567890.5", "\"\"", "\"a\"", "true", "false", "null", "[]", "{}", "[ ]", "{ }",
		"[[],{}]", "[1,2,[3]]", "{\"a\":1,\"b\":[true,null]}", "\t[\n1\r\n,\n2 ]\n",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "{\"a\\u0062\":{\"\":0}}",
		"\"0123456789abcdefghi\\\"jklmnopqrstuv]}yY_\"", "[\"Y_y[]{}\",{\"]\":\"}\"}]", "\"\x7f\"",
		"[0.1234567,0.12345678901234567]", "[1 , 2]" };
	static const char *const bad[] = { "", " ", "-", "+1", "01", "-01", "00", "1.", ".5", "1.e5", "1e",
		"1e+", "1 2", "0x1", "NaN", "Infinity", "tru", "nul", "True", "\"", "\"a", "\"\\", "\"\\x\"",
		"\"\\u12\"", "\"\\u12g4\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\n\"",
		"\"\\ud800\\u0041\"", "\"\n\"", "\"\t\"", "\"\x01\"", "\"\x80\"", "\"\xc0\x80\"",
		"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc3\"", "[", "]", "[1", "[1,", "[1,]", "[,1]",
		"[1 2]", "[1}", "{", "}", "{1:2}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}",
		"{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}", "[1]]", "{}{}", "/**/1", "1;", "\xef\xbb\xbf[]",
		"[1]\xc3", "\"abcdefgh\x1fijklmnop\"", "[truefalse]", "\f1", "[1\v]" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(same_as_jansson(good[i], strlen(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!same_as_jansson(bad[i], strlen(bad[i])), "%s", bad[i]);
	ck_assert(!same_as_jansson("[1]\0", 4));
	ck_assert(!same_as_jansson("\"a\0b\"", 5));
}
END_TEST

/* What a double cannot hold is JSON all the same: the reader of rows has a better sentence for it. */
START_TEST(numbers_too_large)
{
	struct scan_value value;

	ck_assert_int_eq(scan_check("[1e999]", 7, &value, NULL), 0);
	ck_assert_int_eq(scan_check("{\"a\":1,\"a\":2}", 13, &value, NULL), 0);
}
END_TEST

START_TEST(sentences)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "", "the body is empty; JSON is needed" },
		{ "[1,2", "line 1, column 5: the JSON ends here, before it is complete" },
		{ "[1,\n 2 3]", "line 2, column 4: a comma or a ] is needed here" },
		{ "{\"\xc3\xa9\":1;", "line 1, column 7: a comma or a } is needed here" },
		{ "[01]", "line 1, column 2: a number must not begin with a zero" },
		{ "{\"a\":nil}",
				"line 1, column 6: a value is needed here: a number, a string, an array, an object, true, "
				"false or null" },
		{ "[1,NaN]", "line 1, column 4: JSON has no NaN and no Infinity; write null for what is missing" },
		{ "[Infinity]", "line 1, column 2: JSON has no NaN and no Infinity; write null for what is missing" },
		{ "[-Infinity]",
				"line 1, column 3: JSON has no NaN and no Infinity; write null for what is missing" },
		{ "[-x]", "line 1, column 3: a minus sign needs digits behind it" },
		{ "[\n\"\\q\"]", "line 2, column 2: a backslash must be followed by one of \"\\/bfnrtu" },
		{ "[1] 2", "line 1, column 5: nothing may follow the JSON value" },
		{ "[1] \xff", "line 1, column 5: the text is not UTF-8 here" },
	};
	struct scan_value value;
	struct err e;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(scan_check(cases[i].text, strlen(cases[i].text), &value, &e), ERR_JSON);
		ck_assert_str_eq(e.text, cases[i].sentence);
	}
}
END_TEST

/* Brackets of both kinds to the limit, one more, and ten thousand. */
START_TEST(nesting)
{
	static char text[20000];
	struct scan_value value;
	struct err e;

	for (size_t n = 1; n <= 10000; n = n < 66 ? n + 1 : n * 10) {
		memset(text, '[', n);
		memset(text + n, ']', n);
		ck_assert_int_eq(scan_check(text, 2 * n, &value, &e), n > JSON_DEPTH_MAX ? ERR_JSON : 0);
		if (n > JSON_DEPTH_MAX) ck_assert_ptr_nonnull(strstr(e.text, "deeper than 64 levels"));
		if (n <= JSON_DEPTH_MAX) same_as_jansson(text, 2 * n);
		text[2 * n - 1] = '}';
		ck_assert_int_eq(scan_check(text, 2 * n, &value, &e), ERR_JSON);
	}
}
END_TEST

START_TEST(walking)
{
	const char *text = " { \"a\" : [ 1 , \"x\" , { } ] , \"b\\u0063\" : \"]}\" } ";
	struct scan_value value;
	struct scan_iter i, j;

	ck_assert_int_eq(scan_check(text, strlen(text), &value, NULL), 0);
	i = scan_begin(value);
	ck_assert(scan_next(&i) && scan_equals(i.key, "a") && !scan_equals(i.key, "ab") &&
			!scan_equals(i.key, ""));
	j = scan_begin(i.value);
	ck_assert(scan_next(&j) && j.value.end - j.value.at == 1 && *j.value.at == '1');
	ck_assert(scan_next(&j) && scan_equals(j.value, "x"));
	ck_assert(scan_next(&j) && scan_kind(j.value) == '{' && !scan_next(&j) && !scan_next(&j));
	ck_assert(scan_next(&i) && scan_equals(i.key, "bc") && !scan_equals(i.key, "b"));
	ck_assert(scan_equals(i.value, "]}") && !scan_next(&i));
}
END_TEST

/* ---- texts by chance: a grammar that now and then breaks its own rules ---- */

struct maker {
	uint64_t state;
	char text[TEXT_BYTES];
	size_t used;
};

static unsigned below(struct maker *maker, unsigned n) /* xorshift64 (Marsaglia 2003) */
{
	maker->state ^= maker->state << 13;
	maker->state ^= maker->state >> 7;
	maker->state ^= maker->state << 17;
	return (unsigned)((maker->state >> 20) % n);
}

static void add(struct maker *maker, const char *piece)
{
	size_t n = strlen(piece);

	if (maker->used + n > TEXT_BYTES / 2) return;
	memcpy(maker->text + maker->used, piece, n);
	maker->used += n;
}

static void make_string(struct maker *maker)
{
	static const char *const pieces[] = { "a", "b", "long plain text", "\\n", "\\u00e9", "\xc3\xa9",
		"\\\"", "\\\\", "[", "}", "\\ud83d\\ude00", "\xf0\x9f\x98\x80", "y_Y", "\\/", "\\u0041", " ",
		",", "\\ud83d", "\x01" };
	size_t count = sizeof pieces / sizeof *pieces - (below(maker, 40) ? 2 : 0);

	add(maker, "\"");
	for (unsigned n = below(maker, 5); n; n--)
		add(maker, pieces[below(maker, (unsigned)count)]);
	add(maker, "\"");
}

static void make_value(struct maker *maker, int depth)
{
	static const char *const scalars[] = { "0", "1", "-1.5", "0.1234567", "123456789012", "1e5", "2E-3",
		"true", "false", "null", "0.12345678901234567", "01", "1.", "nul" };
	static const char *const spaces[] = { "", "", "", " ", "\n", "\t\r " };
	unsigned kind = below(maker, depth > 5 ? 4 : 10);
	bool object = kind > 6;

	add(maker, spaces[below(maker, 6)]);
	if (kind < 3) {
		add(maker, scalars[below(maker, below(maker, 50) ? 11 : 14)]);
	} else if (kind == 3) {
		make_string(maker);
	} else {
		add(maker, object ? "{" : "[");
		for (unsigned n = below(maker, 5), i = 0; i < n; i++) {
			if (i) add(maker, ",");
			if (object) {
				make_string(maker);
				add(maker, spaces[below(maker, 6)]);
				add(maker, ":");
			}
			make_value(maker, depth + 1);
		}
		add(maker, object ? "}" : "]");
	}
	add(maker, spaces[below(maker, 6)]);
}

/* Bytes changed, taken out or doubled. */
static void spoil(struct maker *maker)
{
	static const char bytes[] = "[]{},:\"\\ \n0123456789eE.-+tfnu\x80\xc3\x01";

	for (unsigned n = below(maker, 3); n && maker->used; n--) {
		size_t at = below(maker, (unsigned)maker->used);

		switch (below(maker, 3)) {
		case 0: maker->text[at] = bytes[below(maker, sizeof bytes - 1)]; break;
		case 1: memmove(maker->text + at, maker->text + at + 1, --maker->used - at); break;
		default: memmove(maker->text + at + 1, maker->text + at, maker->used++ - at);
		}
	}
}

START_TEST(random_texts)
{
	size_t good = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct maker maker = { .state = seed * 0x9E3779B97F4A7C15u };

		make_value(&maker, 0);
		if (seed % 2) spoil(&maker);
		good += same_as_jansson(maker.text, maker.used);
	}
	ck_assert_uint_gt(good, SEEDS / 4); /* both sides were tried */
	ck_assert_uint_lt(good, SEEDS - SEEDS / 8);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { texts, numbers_too_large, sentences, nesting, walking, random_texts, NULL };

	return suite_main("scan", tests, 120);
}
