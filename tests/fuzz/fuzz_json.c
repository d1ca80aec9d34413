/* fuzz_json.c - libFuzzer on JSON documents as trees (server/codec/json.h).
 *
 * The input is a text in a block of exactly its size. What is read, printed and read again is the same, and printed again the
 * same text; so it is with the keys in order. What is refused has a sentence. No tree takes more memory than json_tree_bytes
 * says. The seeds lie in tests/fuzz/corpus/json.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/json.h"
#include "tests/fuzz/held.h"

#define HELD_FIXED 4096 /* of the parser itself */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static bool same(const json_t *a, const json_t *b);

/* Members in the same order. */
static bool same_members(const json_t *a, const json_t *b)
{
	void *x = json_object_iter((json_t *)a), *y = json_object_iter((json_t *)b);

	for (; x && y; x = json_object_iter_next((json_t *)a, x), y = json_object_iter_next((json_t *)b, y))
		if (strcmp(json_object_iter_key(x), json_object_iter_key(y)) != 0 ||
				!same(json_object_iter_value(x), json_object_iter_value(y)))
			return false;
	return !x && !y;
}

/* 1.0 is printed as 1: numbers are what they are worth. */
static bool same(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b)) return json_integer_value(a) == json_integer_value(b);
	if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
	if (json_typeof(a) != json_typeof(b)) return false;
	if (json_is_object(a)) return same_members(a, b);
	if (json_is_string(a)) return !strcmp(json_string_value(a), json_string_value(b));
	for (size_t i = 0; i < json_array_size(a); i++)
		if (i >= json_array_size(b) || !same(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return json_array_size(a) == json_array_size(b);
}

/* Both new. */
static json_t *print_and_read(const json_t *tree, bool sorted, char **text)
{
	json_t *again = NULL;

	require((*text = json_text(tree, sorted)) != NULL);
	require(!json_read_stored(*text, &again, NULL));
	return again;
}

/* Twice, as the first time a real -0 becomes the integer 0. */
static void check_printed(const json_t *tree, bool sorted)
{
	char *texts[3];
	json_t *once = print_and_read(tree, sorted, &texts[0]);
	json_t *twice = print_and_read(once, sorted, &texts[1]);
	json_t *thrice = print_and_read(twice, sorted, &texts[2]);

	require(!strcmp(texts[1], texts[2]) && same(once, twice));
	require(sorted || same(tree, once));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		free(texts[i]);
	json_decref(once);
	json_decref(twice);
	json_decref(thrice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct err e = { "" };
	json_t *tree;
	int rc;

	if (!text) return 0;
	memcpy(text, data, size);
	held_begin();
	rc = json_read(text, size, &tree, &e);
	require(held_most() <= HELD_FIXED + json_tree_bytes(text, size));
	require(!rc == !!tree && rc != ERR_NOMEM && (!rc || *e.text));
	if (tree) {
		check_printed(tree, false);
		check_printed(tree, true);
	}
	json_decref(tree);
	free(text);
	return 0;
}
