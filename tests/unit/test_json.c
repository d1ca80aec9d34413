/* test_json.c - JSON documents: the bounds of the reader, the text of the writer, times and ids. */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"
#include "tests/unit/suite.h"

static struct err e;

/* Reads a copy that ends where the text ends. */
static int read_text(const char *text, size_t size, json_t **out)
{
	char *copy = malloc(size ? size : 1);
	int rc;

	memcpy(copy, text, size);
	e.text[0] = 0;
	rc = json_read(copy, size, out, &e);
	free(copy);
	ck_assert(!rc == !!*out);
	ck_assert(!rc == !e.text[0]);
	return rc;
}

/* What the writer makes of what the reader made of a text; new. */
static char *again(const char *text, bool sorted)
{
	json_t *document;
	char *out;

	ck_assert_msg(!read_text(text, strlen(text), &document), "%s: %s", text, e.text);
	ck_assert_ptr_nonnull(out = json_text(document, sorted));
	json_decref(document);
	return out;
}

START_TEST(what_is_refused)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "", ERR_JSON },
		{ " ", ERR_JSON },
		{ "{", ERR_JSON },
		{ "[1,2", ERR_JSON },
		{ "[1,]", ERR_JSON },
		{ "{\"a\":1}x", ERR_JSON },
		{ "{a:1}", ERR_JSON },
		{ "'a'", ERR_JSON },
		{ "NaN", ERR_JSON },
		{ "[01]", ERR_JSON },
		{ "\"\xff\"", ERR_JSON },
		{ "\"\\u0000\"", ERR_JSON },
		{ "\"\\ud800\"", ERR_JSON },
		{ "{\"a\":1,\"b\":2,\"a\":3}", ERR_DUPLICATE_KEY },
		{ "{\"a\":1,\"\\u0061\":2}", ERR_DUPLICATE_KEY }, /* the same key, spelled otherwise */
		{ "[1e400]", ERR_RANGE },
		{ "[99999999999999999999]", ERR_RANGE },
	};
	json_t *out;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(read_text(cases[i].text, strlen(cases[i].text), &out) == cases[i].code,
				"%s: %s", cases[i].text, e.text);
	ck_assert_int_eq(read_text("[1,\n 2,\n x]", 11, &out), ERR_JSON);
	ck_assert_ptr_nonnull(strstr(e.text, "line 3, column 2"));
	/* jansson took a NUL behind a number for nothing */
	ck_assert_int_eq(read_text("1\0", 2, &out), ERR_JSON);
	ck_assert_int_eq(read_text("[1\0,2]", 6, &out), ERR_JSON);
}
END_TEST

START_TEST(depth)
{
	char text[2 * JSON_DEPTH_MAX + 3], deep[10000];
	json_t *out;

	for (int kinds = 0; kinds < 2; kinds++) {
		memset(text, '[', JSON_DEPTH_MAX);
		memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
		ck_assert_int_eq(read_text(text, 2 * JSON_DEPTH_MAX, &out), 0);
		json_decref(out);
	}
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	ck_assert_int_eq(read_text(text, 2 * JSON_DEPTH_MAX + 2, &out), ERR_JSON);
	ck_assert_ptr_nonnull(strstr(e.text, "64"));
	memset(deep, '[', sizeof deep);
	ck_assert_int_eq(read_text(deep, sizeof deep, &out), ERR_JSON);
	for (size_t i = 0; i < sizeof deep / 5; i++)
		memcpy(deep + 5 * i, "{\"a\":", 5);
	ck_assert_int_eq(read_text(deep, sizeof deep, &out), ERR_JSON);
	/* brackets in a string are no depth, and side by side neither */
	memset(deep, '[', sizeof deep);
	memcpy(deep, "\"\\\"", 3);
	deep[sizeof deep - 1] = '"';
	ck_assert_int_eq(read_text(deep, sizeof deep, &out), 0);
	json_decref(out);
	deep[0] = '[';
	for (size_t i = 1; i < 9997; i += 3)
		memcpy(deep + i, "[],", 3);
	memcpy(deep + 9997, "1]", 2);
	ck_assert_int_eq(read_text(deep, 9999, &out), 0);
	json_decref(out);
}
END_TEST

START_TEST(what_is_stored)
{
	json_t *out;

	ck_assert_int_eq(json_read_stored("{\"a\":1}", &out, &e), 0);
	json_decref(out);
	ck_assert_int_eq(json_read_stored("{\"a\":", &out, &e), ERR_CORRUPT);
	ck_assert_ptr_null(out);
	ck_assert_int_eq(json_read_stored("", &out, &e), ERR_CORRUPT);
	ck_assert_int_eq(json_read_stored("{\"a\":1,\"a\":1}", &out, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(texts)
{
	static const struct {
		const char *from, *to, *sorted; /* sorted NULL: as to */
	} cases[] = {
		{ "{ \"b\" : 1, \"a\" : [ true, false, null ] }", "{\"b\":1,\"a\":[true,false,null]}",
				"{\"a\":[true,false,null],\"b\":1}" },
		{ "[{\"z\":{\"d\":1,\"c\":{}}},[]]", "[{\"z\":{\"d\":1,\"c\":{}}},[]]",
				"[{\"z\":{\"c\":{},\"d\":1}},[]]" },
		{ "[0.1,1.0,5e-324,1e23,0.30000000000000004]", "[0.1,1,5e-324,1e23,0.30000000000000004]",
				NULL },
		{ "[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]",
				NULL },
		{ "\"\\\"\\\\\\/\\n\\u001f\\u007f\\u00e9\"", "\"\\\"\\\\/\\u000a\\u001f\x7fé\"", NULL },
		{ "{\"\\n\":\"\"}", "{\"\\u000a\":\"\"}", NULL },
		{ "\"😀\"", "\"😀\"", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int sorted = 0; sorted < 2; sorted++) {
			char *text = again(cases[i].from, sorted), *twice = again(text, sorted);

			ck_assert_str_eq(text, sorted && cases[i].sorted ? cases[i].sorted : cases[i].to);
			ck_assert_str_eq(twice, text);
			free(text);
			free(twice);
		}
}
END_TEST

START_TEST(numbers_read_back)
{
	static const double numbers[] = { 0.1, 1e-7, 1.0 / 3, 5e-324, 1.7976931348623157e308, -2.5,
		123456789.125, 1e21 };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		json_t *number = json_number(numbers[i]), *out;
		char *text = json_text(number, false);

		ck_assert_int_eq(read_text(text, strlen(text), &out), 0);
		ck_assert(json_number_value(out) == numbers[i]);
		json_decref(out);
		json_decref(number);
		free(text);
	}
	ck_assert(json_is_null(json_number(NAN)));
	ck_assert(json_is_null(json_number(INFINITY)));
	ck_assert(json_is_null(json_number(-INFINITY)));
}
END_TEST

static void is_text(json_t *value, const char *text)
{
	ck_assert_ptr_nonnull(json_string_value(value));
	ck_assert_str_eq(json_string_value(value), text);
	json_decref(value);
}

START_TEST(times_and_ids)
{
	ck_assert(json_is_null(json_time(0)));
	is_text(json_time(1), "1970-01-01T00:00:00.001Z");
	is_text(json_time(951782400000), "2000-02-29T00:00:00.000Z");
	is_text(json_time(1795532645123), "2026-11-24T15:04:05.123Z");
	is_text(json_time(1795532645007), "2026-11-24T15:04:05.007Z");
	is_text(json_id(0), "0");
	is_text(json_id(9223372036854775807), "9223372036854775807");
}
END_TEST

START_TEST(putting)
{
	json_t *object = json_object(), *array = json_array();

	ck_assert(json_put(object, "a", json_true()));
	ck_assert(json_is_true(json_object_get(object, "a")));
	ck_assert(json_put(object, "a", json_integer(2))); /* takes the place of the first */
	ck_assert_int_eq(json_integer_value(json_object_get(object, "a")), 2);
	ck_assert(!json_put(object, "b", NULL)); /* as a maker without memory gives it */
	ck_assert(!json_put(array, "a", json_integer(1)));
	ck_assert(!json_put(NULL, "a", json_integer(1)));
	ck_assert_uint_eq(json_object_size(object), 1);
	json_decref(object);
	json_decref(array);
}
END_TEST

START_TEST(escaping)
{
	struct buffer out = { 0 };

	json_escape(&out, "a\"b\\c\0d\x1f/é", 11);
	buffer_add(&out, "", 1);
	ck_assert(buffer_ok(&out));
	ck_assert_str_eq(out.data, "\"a\\\"b\\\\c\\u0000d\\u001f/é\"");
	buffer_reset(&out, 0);
	json_escape(&out, "", 0);
	buffer_add(&out, "", 1);
	ck_assert_str_eq(out.data, "\"\"");
	buffer_free(&out);
}
END_TEST

/* ---- what a tree takes ---- */

#define CHUNK_HEADER 8 /* of glibc's malloc, beside what may be used of it */

static size_t held;

static void *counted_malloc(size_t size)
{
	void *memory = malloc(size);

	held += malloc_usable_size(memory) + CHUNK_HEADER;
	return memory;
}

static void counted_free(void *memory)
{
	if (memory) held -= malloc_usable_size(memory) + CHUNK_HEADER;
	free(memory);
}

/* Trees were reckoned at 24 times their text, and [{},{}] takes 77 times its own. */
START_TEST(no_tree_is_above_its_estimate)
{
	static const struct {
		const char *open, *item, *close;
	} shapes[] = { { "[", "1", "]" }, { "[", "\"\"", "]" }, { "[", "[]", "]" }, { "[", "[[1]]", "]" },
		{ "[", "{}", "]" }, { "[", "{\"\":{\"\":{}}}", "]" }, { "{", "\"%zx\":1", "}" },
		{ "{", "\"%zx\":[]", "}" }, { "{", "\"%zx\":\"\"", "}" } };
	static const size_t counts[] = { 1, 2, 9, 65, 1025, 5000 }; /* some just above what a table holds */
	char item[40];
	json_t *tree;

	json_set_alloc_funcs(counted_malloc, counted_free);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
			struct buffer text = { 0 };

			for (size_t k = 0; k < counts[j]; k++) {
				buffer_text(&text, k ? "," : shapes[i].open);
				snprintf(item, sizeof item, shapes[i].item, k);
				buffer_text(&text, item);
			}
			buffer_text(&text, shapes[i].close);
			ck_assert_int_eq(json_read(text.data, text.size, &tree, &e), 0);
			ck_assert_msg(held <= json_tree_bytes(text.data, text.size),
					"%zu of %s take %zu bytes, not %llu", counts[j], shapes[i].item, held,
					(unsigned long long)json_tree_bytes(text.data, text.size));
			json_decref(tree);
			ck_assert_uint_eq(held, 0);
			buffer_free(&text);
		}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_is_refused, depth, what_is_stored, texts, numbers_read_back,
		times_and_ids, putting, escaping, no_tree_is_above_its_estimate, NULL };

	return suite_main("json", tests, 10);
}
