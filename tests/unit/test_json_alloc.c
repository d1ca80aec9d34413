/* test_json_alloc.c - a document that there was no memory for somewhere is written whole or not at all.
 *
 * The test brings its own malloc, which refuses the nth call. A sanitizer has its own as well: then there is nothing to
 * test, and the exit status says so.
 */
#include "server/codec/json.h"
#include "server/codec/problem.h"
#include "tests/unit/own_malloc.h"
#include "tests/unit/suite.h"

#ifndef SANITIZED

static long countdown; /* the call that fails; 0: none does */

void *malloc(size_t size)
{
	return countdown && !--countdown ? NULL : __libc_malloc(size);
}

void *realloc(void *old, size_t size)
{
	return countdown && !--countdown ? NULL : __libc_realloc(old, size);
}

/* As handlers do: no result is looked at. */
static json_t *build(void)
{
	json_t *out = json_object(), *list = json_array();

	json_put(out, "id", json_id(42));
	json_put(out, "when", json_time(1700000000123));
	for (int i = 0; i < 20; i++)
		json_array_append_new(list, json_pack("{s:i,s:f}", "index", i, "value", i / 3.0));
	json_put(out, "list", list);
	json_put(out, "name", json_sprintf("run %d", 7));
	return out;
}

START_TEST(whole_or_not_at_all)
{
	json_t *document = build();
	char *whole = json_text(document, false), *text;
	int refused = 0;

	json_decref(document);
	for (long n = 1;; n++) {
		struct buffer out = { 0 };

		countdown = n;
		document = build();
		text = json_text(document, false);
		if (countdown) break;
		ck_assert_ptr_null(text);
		json_decref(document);
		countdown = n;
		document = build();
		if (document) json_write(document, &out);
		countdown = 0;
		ck_assert(!document || !buffer_ok(&out));
		buffer_free(&out);
		json_decref(document);
		json_was_short(); /* of a document that was not even begun nothing was written */
		refused++;
	}
	countdown = 0;
	ck_assert_str_eq(text, whole);
	ck_assert_int_gt(refused, 60);
	json_decref(document);
	free(text);
	free(whole);
}
END_TEST

START_TEST(no_memory_is_no_fault_of_the_text)
{
	static const char text[] = "{\"type\":\"category\",\"list\":[1,2.5,\"three\",{\"a\":null}]}";
	json_t *out;
	struct err e;
	int rc, refused = 0;

	for (long n = 1;; n++) {
		countdown = n;
		rc = json_read(text, sizeof text - 1, &out, &e);
		if (countdown) break;
		ck_assert_int_eq(rc, ERR_NOMEM);
		ck_assert(json_was_short() && !json_was_short());
		refused++;
	}
	countdown = 0;
	ck_assert_int_eq(rc, 0);
	ck_assert_int_gt(refused, 10);
	json_decref(out);
}
END_TEST

/* Who tells of it does so with memory that is there again. */
START_TEST(a_problem_forgets)
{
	struct problem problem = problem_of(ERR_NOMEM, false);
	struct err e;
	json_t *document;
	char *text;

	err_nomem(&e);
	countdown = 1;
	ck_assert_ptr_null(json_object());
	document = problem_document(&problem, &e, NULL);
	text = json_text(document, false);
	ck_assert_ptr_nonnull(text);
	free(text);
	json_decref(document);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { whole_or_not_at_all, no_memory_is_no_fault_of_the_text,
		a_problem_forgets, NULL };

	json_note_memory();
	return suite_main("json without memory", tests, 10);
}

#endif
