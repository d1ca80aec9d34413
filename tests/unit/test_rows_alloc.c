/* test_rows_alloc.c - a reader of rows and a writer of answers allocate nothing once they have done their kind of body,
 * and what cannot be had is told.
 *
 * The test brings its own malloc and relatives, which count, may refuse, and hand on to glibc's. A sanitizer has its
 * own as well, so under one there is nothing to count and the test says so by its exit status.
 */
#include <stdatomic.h>

#include "server/codec/answers.h"
#include "tests/unit/own_malloc.h"
#include "tests/unit/rows_reading.h"

#ifndef SANITIZED

static atomic_ulong allocations;
static bool refuse; /* every allocation fails */

void *malloc(size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return refuse ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return refuse ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return refuse ? NULL : __libc_realloc(old, size);
}

static const char *const bodies[] = {
	"[[1,\"black\"],[2,\"r\\u0065d\"],{\"height\":1,\"hair\":\"br\\u006fwn\"}]",
	"{\"height\":[1,2,\"3\"],\"hair\":[\"black\",\"\\u0062lue\",null]}",
};

START_TEST(nothing_allocated)
{
	static struct faults faults;
	struct encoder *encoder = make_encoder(MIXED);
	const struct table_cell *cells;
	struct rows *rows;
	float x[3 * 7];
	size_t n;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	for (int round = 0; round < 3; round++) {
		unsigned long before = atomic_load(&allocations);

		for (size_t i = 0; i < COUNT(bodies); i++) {
			struct scan_value value;

			if (scan_check(bodies[i], strlen(bodies[i]), &value, NULL)) ck_abort();
			if (rows_begin(rows, encoder, value, "", &faults, NULL)) ck_abort();
			if (rows_next(rows, 3, x, &n, NULL) || n != 3 || rows_warnings(rows) != 1) ck_abort();
			if (rows_begin(rows, encoder, value, "", &faults, NULL)) ck_abort();
			while (rows_next_cells(rows, &cells))
				n++;
			if (n != 6) ck_abort();
		}
		if (!round)
			ck_assert_uint_gt(atomic_load(&allocations), before); /* they are counted */
		else
			ck_assert_uint_eq(atomic_load(&allocations), before);
	}
	ck_assert_uint_eq(faults.count, 0);
	rows_free(rows);
	encoder_free(encoder);
}
END_TEST

/* No memory for a string with an escape, and none for the columns. */
START_TEST(no_memory)
{
	static struct faults faults;
	struct encoder *encoder = make_encoder(STRICT);
	const char *text = "[[1,\"r\\u0065d\"]]", *keyed = "[{\"h\\u0061ir\":\"black\",\"height\":1}]";
	struct scan_value value = checked(text, strlen(text)), key = checked(keyed, strlen(keyed));
	const struct table_cell *cells;
	struct rows *rows;
	float x[3 * 7];
	bool more;
	size_t n;
	int rc;

	ck_assert_int_eq(rows_new(&rows, NULL), 0);
	refuse = true;
	rc = rows_begin(rows, encoder, value, "", &faults, NULL);
	refuse = false;
	ck_assert_int_eq(rc, ERR_NOMEM);
	ck_assert_int_eq(rows_next(rows, 3, x, &n, NULL), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(rows_begin(rows, encoder, value, "", &faults, NULL), 0);
	refuse = true;
	rc = rows_next(rows, 3, x, &n, NULL);
	refuse = false;
	ck_assert_int_eq(rc, ERR_NOMEM);
	ck_assert_int_eq(rows_begin(rows, encoder, key, "", &faults, NULL), 0);
	refuse = true;
	rc = rows_next(rows, 3, x, &n, NULL);
	refuse = false;
	ck_assert_int_eq(rc, ERR_NOMEM);
	ck_assert_uint_eq(faults.count, 0); /* what could not be read is not called wrong */
	ck_assert_int_eq(rows_begin(rows, encoder, value, "", &faults, NULL), 0);
	refuse = true;
	more = rows_next_cells(rows, &cells);
	refuse = false;
	ck_assert(!more);
	ck_assert_int_eq(faults_result(&faults, NULL), ERR_NOMEM);
	rows_free(rows);
	encoder_free(encoder);
}
END_TEST

/* Writes an answer of each form for categories; returns how many came to a good end. */
static int write_answers(struct answers *answers, const struct encoder *targets, struct buffer *out)
{
	static const float scores[] = { 0.5f, 0.25f, 0.25f, 0.1f, 0.2f, 0.7f };
	int fine = 0;

	for (enum answer_form form = ANSWER_PREDICTIONS; form <= ANSWER_CLASSES; form++) {
		out->size = 0;
		out->failed = false;
		answers_begin(answers, form, targets, out);
		for (int i = 0; i < 200; i++)
			answers_add(answers, scores, 2);
		answers_end(answers, 3, NULL);
		fine += buffer_ok(out);
	}
	return fine;
}

START_TEST(answers_allocate_nothing)
{
	struct encoder *targets = make_encoder(SPECIES);
	struct buffer out = { 0 };
	struct answers *answers;
	unsigned long before;
	int fine;

	ck_assert_int_eq(answers_new(&answers, NULL), 0);
	refuse = true;
	fine = write_answers(answers, targets, &out);
	refuse = false;
	ck_assert_int_eq(fine, 0);
	buffer_reset(&out, 0);
	ck_assert(buffer_reserve(&out, 100000));
	refuse = true; /* of the writer's own memory alone */
	fine = write_answers(answers, targets, &out);
	refuse = false;
	ck_assert_int_eq(fine, 0);
	ck_assert_int_eq(write_answers(answers, targets, &out), 3);
	before = atomic_load(&allocations);
	fine = write_answers(answers, targets, &out);
	ck_assert_uint_eq(atomic_load(&allocations), before);
	ck_assert_int_eq(fine, 3);
	buffer_free(&out);
	answers_free(answers);
	encoder_free(targets);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { nothing_allocated, no_memory, answers_allocate_nothing, NULL };

	return suite_main("rows_alloc", tests, 60);
}

#endif
