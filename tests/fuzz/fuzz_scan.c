/* fuzz_scan.c - libFuzzer on the check of JSON and the walk over it (server/codec/scan.h).
 *
 * The input is a text in a block of exactly its size. jansson must agree whether it is JSON, but for depth, keys
 * that are there twice and numbers that no double holds; what it agrees on is walked beside jansson's tree. Build with
 * clang -fsanitize=fuzzer,address,undefined; the seeds lie in tests/fuzz/corpus/scan.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/number.h"
#include "server/codec/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static void check_string(struct scan_value string, const char *text)
{
	char *room = malloc((size_t)(string.end - string.at));
	const char *got;
	size_t n;

	if (!room) return;
	n = scan_string(string, &got, room);
	require(n == strlen(text) && !memcmp(got, text, n) && scan_equals(string, text));
	free(room);
}

static void check_value(struct scan_value value, const json_t *tree);

static void check_members(struct scan_value value, const json_t *tree)
{
	void *member = json_object_iter((json_t *)tree);
	size_t count = 0;

	for (struct scan_iter i = scan_begin(value); scan_next(&i); count++) {
		if (i.object) { /* jansson keeps the order */
			check_string(i.key, json_object_iter_key(member));
			check_value(i.value, json_object_iter_value(member));
			member = json_object_iter_next((json_t *)tree, member);
		} else {
			check_value(i.value, json_array_get(tree, count));
		}
	}
	require(count == (json_is_object(tree) ? json_object_size(tree) : json_array_size(tree)));
}

static void check_value(struct scan_value value, const json_t *tree)
{
	static const char kinds[] = { [JSON_OBJECT] = '{',
		[JSON_ARRAY] = '[',
		[JSON_STRING] = '"',
		[JSON_INTEGER] = '0',
		[JSON_REAL] = '0',
		[JSON_TRUE] = 't',
		[JSON_FALSE] = 'f',
		[JSON_NULL] = 'n' };
	size_t size = (size_t)(value.end - value.at);
	double number;

	require(scan_kind(value) == kinds[json_typeof(tree)]);
	require(scan_skip(value.at, value.end) == value.end);
	if (json_is_object(tree) || json_is_array(tree))
		check_members(value, tree);
	else if (json_is_string(tree))
		check_string(value, json_string_value(tree));
	else if (json_is_number(tree))
		require(number_parse_double(value.at, size, &number) && number == json_number_value(tree));
	else
		require(size == (json_is_false(tree) ? 5u : 4u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct scan_value value;
	enum json_error_code code;
	json_error_t why;
	json_t *tree;
	struct err e;
	int rc;

	if (!text) return 0;
	memcpy(text, data, size);
	rc = scan_check(text, size, &value, &e);
	require(!rc || rc == ERR_JSON);
	tree = json_loadb(
			text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &why);
	code = tree ? json_error_unknown : json_error_code(&why);
	if (memchr(text, 0, size))
		require(rc); /* jansson overlooks a NUL behind a number */
	else if (code != json_error_duplicate_key && code != json_error_numeric_overflow &&
			!(rc && strstr(e.text, "deeper")))
		require(!rc == !!tree);
	if (!rc && tree) check_value(value, tree);
	json_decref(tree);
	free(text);
	return 0;
}
