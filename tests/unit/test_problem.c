/* test_problem.c - what each code is over HTTP, held against the order of refusal in the contract, and the document. */
#include <string.h>

#include "server/codec/problem.h"
#include "tests/unit/suite.h"

/* Every code that may reach a client. ERR_WOULD_BLOCK and ERR_LATER never do: the request is answered elsewhere, or later. */
static const struct {
	int code;
	unsigned status;
	const char *slug;
} rows[] = {
	{ ERR_SYNTAX, 400, "malformed-body" },
	{ ERR_JSON, 400, "malformed-json" },
	{ ERR_CSV, 400, "malformed-csv" },
	{ ERR_DUPLICATE_KEY, 400, "duplicate-key" },
	{ ERR_BAD_REQUEST, 400, "bad-request" },
	{ ERR_UNAUTHORIZED, 401, "token-required" },
	{ ERR_FORBIDDEN, 403, "forbidden" },
	{ ERR_ORIGIN, 403, "origin-refused" },
	{ ERR_NOT_FOUND, 404, "not-found" },
	{ ERR_NO_ROUTE, 404, "no-such-route" },
	{ ERR_NO_VERSION, 404, "no-version" },
	{ ERR_METHOD, 405, "method-not-allowed" },
	{ ERR_NOT_ACCEPTABLE, 406, "not-acceptable" },
	{ ERR_RATE, 429, "too-many-requests" },
	{ ERR_QUOTA, 429, "quota-exhausted" },
	{ ERR_SLOW, 408, "request-timeout" },
	{ ERR_CONFLICT, 409, "conflict" },
	{ ERR_PRECONDITION, 412, "precondition-failed" },
	{ ERR_TOO_LARGE, 413, "body-too-large" },
	{ ERR_LENGTH, 414, "url-too-long" },
	{ ERR_UNSUPPORTED, 415, "unsupported-media-type" },
	{ ERR_EXPECT, 417, "expectation-failed" },
	{ ERR_HOST, 421, "misdirected-host" },
	{ ERR_INVALID, 422, "invalid-value" },
	{ ERR_RANGE, 422, "out-of-range" },
	{ ERR_UNKNOWN_FIELD, 422, "unknown-field" },
	{ ERR_MISSING_FIELD, 422, "missing-field" },
	{ ERR_NAME, 422, "name-invalid" },
	{ ERR_DIVERGED, 422, "diverged" },
	{ ERR_HEADERS, 431, "headers-too-large" },
	{ ERR_CRASHED, 500, "crashed" },
	{ ERR_BUSY, 503, "busy" },
	{ ERR_DEADLINE, 504, "deadline-over" },
	{ ERR_STOPPED, 503, "stopped" },
	{ ERR_NOMEM, 503, "out-of-memory" },
	{ ERR_IO, 500, "storage-failed" },
	{ ERR_CORRUPT, 500, "storage-damaged" },
	{ ERR_DISK_FULL, 507, "disk-full" },
};
#define ROWS (sizeof rows / sizeof *rows)

START_TEST(every_code)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct problem problem = problem_of(rows[i].code, false),
			       dialect = problem_of(rows[i].code, true);

		ck_assert_uint_eq(problem.status, rows[i].status);
		ck_assert_str_eq(problem.code, rows[i].slug);
		ck_assert_uint_gt(strlen(problem.title), 0);
		ck_assert_uint_eq(dialect.status, rows[i].status == 422 ? 400 : rows[i].status);
		ck_assert_str_eq(dialect.code, rows[i].slug);
	}
}
END_TEST

START_TEST(no_code_is_forgotten)
{
	for (int code = ERR_OK + 1; code < ERR_CODES; code++) {
		size_t i = 0;

		while (i < ROWS && rows[i].code != code)
			i++;
		ck_assert_msg(i < ROWS || code == ERR_WOULD_BLOCK || code == ERR_LATER, "code %d has no row",
				code);
	}
}
END_TEST

START_TEST(a_code_of_nobody_is_our_bug)
{
	static const int codes[] = { ERR_OK, ERR_WOULD_BLOCK, ERR_LATER, ERR_CODES, -1, 1000 };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		ck_assert_uint_eq(problem_of(codes[i], false).status, 500);
		ck_assert_str_eq(problem_of(codes[i], true).code, "internal");
	}
}
END_TEST

static void is_document(const json_t *document, const char *text)
{
	json_t *wanted = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(wanted);
	ck_assert_msg(json_equal(document, wanted), "%s", json_dumps(document, 0));
	json_decref(wanted);
}

START_TEST(the_document)
{
	struct problem problem = problem_of(ERR_UNKNOWN_FIELD, false);
	struct err e = { "layers[1].unit: \"é\"" };
	struct faults faults = { 0 };
	struct fault *fault;
	json_t *document = problem_document(&problem, &e, NULL);

#define HEAD                                                                                                           \
	"{\"type\":\"/problems/unknown-field\",\"title\":\"Unknown field\",\"status\":422,\"code\":\"unknown-field\"," \
	"\"detail\":\"layers[1].unit: \\\"é\\\"\",\"error\":\"layers[1].unit: \\\"é\\\"\""
	is_document(document, HEAD "}");
	json_decref(document);
	document = problem_document(&problem, &e, &faults); /* no faults: no errors */
	is_document(document, HEAD "}");
	json_decref(document);
	faults_add(&faults, ERR_UNKNOWN_FIELD, "/layers/1/unit", "did you mean \"units\"?");
	faults_add(&faults, ERR_INVALID, "", "is bad");
	fault = faults_add(&faults, ERR_CSV, "", "is open");
	fault->line = 3;
	fault = faults_add(&faults, ERR_CSV, "", "is open");
	fault->line = 4;
	fault->column = 7;
	document = problem_document(&problem, &e, &faults);
	is_document(document, HEAD
			",\"errors\":[{\"pointer\":\"/layers/1/unit\",\"detail\":\"did you mean \\\"units\\\"?\"},"
			"{\"pointer\":\"\",\"detail\":\"is bad\"},{\"detail\":\"is open\",\"line\":3},"
			"{\"detail\":\"is open\",\"line\":4,\"column\":7}]}");
	json_decref(document);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_code, no_code_is_forgotten, a_code_of_nobody_is_our_bug,
		the_document, NULL };

	return suite_main("problem", tests, 10);
}
