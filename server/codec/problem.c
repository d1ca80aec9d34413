/* problem.c - the table of problems. See problem.h. */
#include "server/codec/problem.h"

#include "server/codec/json.h"
#include "server/utf8.h"

static const struct problem problems[ERR_CODES] = {
	[ERR_SYNTAX] = { 400, "malformed-body", "Malformed body" },
	[ERR_JSON] = { 400, "malformed-json", "Malformed JSON" },
	[ERR_CSV] = { 400, "malformed-csv", "Malformed CSV" },
	[ERR_DUPLICATE_KEY] = { 400, "duplicate-key", "Duplicate key" },
	[ERR_BAD_REQUEST] = { 400, "bad-request", "Bad request" },
	[ERR_UNAUTHORIZED] = { 401, "token-required", "Token required" },
	[ERR_FORBIDDEN] = { 403, "forbidden", "Forbidden" },
	[ERR_ORIGIN] = { 403, "origin-refused", "Origin refused" },
	[ERR_NOT_FOUND] = { 404, "not-found", "Not found" },
	[ERR_NO_ROUTE] = { 404, "no-such-route", "No such route" },
	[ERR_NO_VERSION] = { 404, "no-version", "No version yet" },
	[ERR_METHOD] = { 405, "method-not-allowed", "Method not allowed" },
	[ERR_NOT_ACCEPTABLE] = { 406, "not-acceptable", "Not acceptable" },
	[ERR_SLOW] = { 408, "request-timeout", "Request timeout" },
	[ERR_CONFLICT] = { 409, "conflict", "Conflict" },
	[ERR_PRECONDITION] = { 412, "precondition-failed", "Precondition failed" },
	[ERR_TOO_LARGE] = { 413, "body-too-large", "Body too large" },
	[ERR_LENGTH] = { 414, "url-too-long", "URL too long" },
	[ERR_UNSUPPORTED] = { 415, "unsupported-media-type", "Unsupported media type" },
	[ERR_EXPECT] = { 417, "expectation-failed", "Expectation failed" },
	[ERR_HOST] = { 421, "misdirected-host", "Misdirected host" },
	[ERR_INVALID] = { 422, "invalid-value", "Invalid value" },
	[ERR_RANGE] = { 422, "out-of-range", "Out of range" },
	[ERR_UNKNOWN_FIELD] = { 422, "unknown-field", "Unknown field" },
	[ERR_MISSING_FIELD] = { 422, "missing-field", "Missing field" },
	[ERR_NAME] = { 422, "name-invalid", "Invalid name" },
	[ERR_DIVERGED] = { 422, "diverged", "Training diverged" },
	[ERR_HEADERS] = { 431, "headers-too-large", "Headers too large" },
	[ERR_CRASHED] = { 500, "crashed", "Training ended the daemon" },
	[ERR_BUSY] = { 503, "busy", "Busy" },
	[ERR_RATE] = { 429, "too-many-requests", "Too many requests" },
	[ERR_QUOTA] = { 429, "quota-exhausted", "Quota exhausted" },
	[ERR_DEADLINE] = { 504, "deadline-over", "Deadline over" },
	[ERR_STOPPED] = { 503, "stopped", "Stopped" },
	[ERR_NOMEM] = { 503, "out-of-memory", "Out of memory" },
	[ERR_DISK_FULL] = { 507, "disk-full", "Disk full" },
	[ERR_IO] = { 500, "storage-failed", "Storage failed" },
	[ERR_CORRUPT] = { 500, "storage-damaged", "Storage damaged" },
};

struct problem problem_of(int code, bool dialect)
{
	struct problem problem = { 500, "internal", "Internal error" };

	if (code > 0 && code < ERR_CODES && problems[code].status) problem = problems[code];
	if (dialect && problem.status == 422) problem.status = 400;
	return problem;
}

static json_t *fault_document(const struct fault *fault)
{
	json_t *out = json_object();

	if (!fault->line) json_put(out, "pointer", json_string(fault->pointer));
	json_put(out, "detail", json_string(fault->detail));
	if (fault->line) json_put(out, "line", json_integer((json_int_t)fault->line));
	if (fault->column) json_put(out, "column", json_integer((json_int_t)fault->column));
	return out;
}

json_t *problem_document(const struct problem *problem, const struct err *e, const struct faults *faults)
{
	struct err sentence = *e;
	json_t *out, *errors;

	json_was_short(); /* if it was, this tells of it */
	if (!(out = json_object())) return NULL;
	utf8_mend(sentence.text); /* it may quote any bytes, or half a character */
	json_put(out, "type", json_sprintf("/problems/%s", problem->code));
	json_put(out, "title", json_string(problem->title));
	json_put(out, "status", json_integer(problem->status));
	json_put(out, "code", json_string(problem->code));
	json_put(out, "detail", json_string(sentence.text));
	json_put(out, "error", json_string(sentence.text));
	if (!faults || !faults->count) return out;
	errors = json_array();
	for (size_t i = 0; i < faults->count; i++)
		json_array_append_new(errors, fault_document(&faults->items[i]));
	json_put(out, "errors", errors);
	return out;
}
