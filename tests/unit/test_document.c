/* test_document.c - the memory that JSON documents may take together: charged when one is read, back when its request
 * ends.
 */
#include <string.h>

#include "server/api/api.h"
#include "server/api/document.h"
#include "server/codec/json.h"
#include "tests/unit/suite.h"

static const char text[] = "{\"a\":[1,2,3]}";
static struct app app = { .memory.most = UINT64_MAX };
static struct err e;

static int read_for(struct request *rq)
{
	json_t *document;
	int rc;

	rq->app = &app;
	rc = request_json(rq, text, strlen(text), &document, &e);
	ck_assert(!rc == !!document);
	json_decref(document);
	return rc;
}

static void end(struct request *rq)
{
	rq->notes_free(rq->notes);
	*rq = (struct request){ 0 };
}

START_TEST(documents_share_their_memory)
{
	struct request first = { 0 }, second = { 0 };

	app.documents_bytes_max = 2 * json_tree_bytes(text, strlen(text)) - 1;
	ck_assert_int_eq(read_for(&first), 0);
	ck_assert_int_eq(read_for(&second), ERR_BUSY);
	end(&second); /* what was refused gives nothing back */
	ck_assert_uint_eq(app.documents_bytes, json_tree_bytes(text, strlen(text)));
	end(&first);
	ck_assert_uint_eq(app.documents_bytes, 0);
	ck_assert_int_eq(read_for(&second), 0);
	end(&second);
}
END_TEST

/* What others than documents have taken counts too; so does an answer, from where it is large. */
START_TEST(all_share_the_whole)
{
	struct request rq = { 0 };
	struct buffer answer = { .memory = &app.memory };

	app.documents_bytes_max = UINT64_MAX;
	app.memory.most = 4 * BUFFER_FREE_BYTES;
	ck_assert_ptr_nonnull(buffer_reserve(&answer, BUFFER_FREE_BYTES));
	ck_assert_uint_eq(memory_taken(&app.memory), 0);
	ck_assert_ptr_nonnull(buffer_reserve(&answer, 3 * BUFFER_FREE_BYTES));
	ck_assert_uint_eq(memory_taken(&app.memory), answer.capacity);
	ck_assert_int_eq(read_for(&rq), ERR_BUSY);
	end(&rq);
	ck_assert_ptr_null(buffer_reserve(&answer, 4 * BUFFER_FREE_BYTES + 1));
	buffer_free(&answer);
	ck_assert_uint_eq(memory_taken(&app.memory), 0);
	ck_assert_int_eq(read_for(&rq), 0);
	ck_assert_uint_eq(memory_taken(&app.memory), json_tree_bytes(text, strlen(text)));
	end(&rq);
	ck_assert_uint_eq(memory_taken(&app.memory), 0);
	ck_assert_uint_eq(app.documents_bytes, 0);
	ck_assert(!memory_take(&app.memory, UINT64_MAX));
	app.memory.most = UINT64_MAX;
}
END_TEST

START_TEST(a_document_above_the_whole_share)
{
	struct request rq = { 0 };

	app.documents_bytes_max = json_tree_bytes(text, strlen(text)) - 1;
	ck_assert_int_eq(read_for(&rq), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.text, "--memory-budget"));
	end(&rq);
	ck_assert_uint_eq(app.documents_bytes, 0);
}
END_TEST

/* A request that ends in a problem after its document was read: faults and charge are kept in one place. */
START_TEST(faults_beside_a_document)
{
	struct request rq = { .app = &app };

	app.documents_bytes_max = UINT64_MAX;
	ck_assert_ptr_nonnull(request_faults(&rq));
	ck_assert_int_eq(read_for(&rq), 0);
	ck_assert_uint_gt(app.documents_bytes, 0);
	faults_add(request_faults(&rq), ERR_INVALID, "/a", "x");
	ck_assert_uint_eq(request_faults(&rq)->count, 1);
	end(&rq);
	ck_assert_uint_eq(app.documents_bytes, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { documents_share_their_memory, a_document_above_the_whole_share,
		faults_beside_a_document, all_share_the_whole, NULL };

	return suite_main("document", tests, 10);
}
