/* document.c - what handlers of documents have in common. See document.h. */
#include "server/api/document.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/codec/json.h"
#include "server/codec/problem.h"
#include "server/utf8.h"

#define LARGE_DOCUMENT (1u << 20) /* bytes */
#define LAST_WORDS     "out of memory"

/* What is kept with a request until it ends. */
struct notes {
	struct faults faults;
	struct app *app;
	uint64_t charged; /* of app->documents_bytes */
};

static void notes_free(void *self)
{
	struct notes *notes = self;

	atomic_fetch_sub(&notes->app->documents_bytes, notes->charged);
	memory_give(&notes->app->memory, notes->charged);
	free(notes);
}

static struct notes *request_notes(struct request *rq)
{
	struct notes *notes = rq->notes;

	if (notes || !(notes = calloc(1, sizeof *notes))) return notes;
	notes->app = rq->app;
	rq->notes = notes;
	rq->notes_free = notes_free;
	return notes;
}

struct faults *request_faults(struct request *rq)
{
	struct notes *notes = request_notes(rq);

	return notes ? &notes->faults : NULL;
}

static int charge(struct notes *notes, uint64_t bytes, const char *what, struct err *e)
{
	struct app *app = notes->app;

	if (notes->charged + bytes > app->documents_bytes_max)
		return err_set(e, ERR_TOO_LARGE,
				"%s would take %.0f MiB of memory, and all together may take %.0f; send less, or give the daemon "
				"more with --memory-budget",
				what, (double)(notes->charged + bytes) / 1048576,
				(double)app->documents_bytes_max / 1048576);
	if (atomic_fetch_add(&app->documents_bytes, bytes) + bytes > app->documents_bytes_max) {
		atomic_fetch_sub(&app->documents_bytes, bytes);
		return err_set(e, ERR_BUSY, "other documents take the memory that this one needs; try again");
	}
	if (!memory_take(&app->memory, bytes)) {
		atomic_fetch_sub(&app->documents_bytes, bytes);
		return err_set(e, ERR_BUSY, "the memory that %s needs is taken; try again", what);
	}
	notes->charged += bytes;
	return 0;
}

int request_json(struct request *rq, const char *text, size_t size, json_t **out, struct err *e)
{
	struct notes *notes = request_notes(rq);
	char what[64];
	int rc;

	*out = NULL;
	if (!notes) return err_nomem(e);
	snprintf(what, sizeof what, "a JSON document of %.1f MiB", (double)size / 1048576);
	if ((rc = charge(notes, json_tree_bytes(text, size), what, e))) return rc;
	return json_read(text, size, out, e);
}

int request_charge(struct request *rq, uint64_t bytes, const char *what, struct err *e)
{
	struct notes *notes = request_notes(rq);

	return notes ? charge(notes, bytes, what, e) : err_nomem(e);
}

int request_document(struct request *rq, json_t **out, struct err *e)
{
	return request_json(rq, rq->body.data, rq->body.size, out, e);
}

int request_goes_on(const struct request *rq, struct err *e)
{
	const struct app *app = rq->app;

	if (atomic_load(&app->stopping)) return err_set(e, ERR_BUSY, "the daemon is stopping");
	return request_in_time(rq, e);
}

int reply_document(struct reply *rp, json_t *document, struct err *e)
{
	if (!document) return err_nomem(e);
	json_write(document, &rp->body);
	json_decref(document);
	/* A tree takes ten times its text, and each thread's arena would keep what it once had. */
	if (rp->body.size > LARGE_DOCUMENT) malloc_trim(0);
	return buffer_ok(&rp->body) ? 0 : err_nomem(e);
}

/* ---- numbers in paths and queries ---- */

static bool read_digits(const char *text, uint64_t *out)
{
	size_t n = strlen(text);

	if (!n || n > 18 || strspn(text, "0123456789") != n) return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

int request_number(const struct request *rq, const char *name, const char *what, uint64_t *out, struct err *e)
{
	const char *text = request_param(rq, name);

	if (read_digits(text, out)) return 0;
	if (*text && !text[strspn(text, "0123456789")]) /* larger than any that was given */
		return err_set(e, ERR_NOT_FOUND, "there is no %s %.64s", what, text);
	return err_set(e, ERR_NOT_FOUND, "there is no %s \"%.64s\"; it is a number", what, text);
}

static void query_pointer(char out[FAULT_POINTER_BYTES], const char *name)
{
	strcpy(out, "?");
	strncat(out, name, FAULT_POINTER_BYTES - 2);
}

void query_number(const struct request *rq, const char *name, uint64_t min, uint64_t max, uint64_t *out,
		struct faults *faults)
{
	const char *text = request_query(rq, name);
	char at[FAULT_POINTER_BYTES];
	uint64_t value;

	if (!text) return;
	query_pointer(at, name);
	if (!read_digits(text, &value))
		faults_add(faults, ERR_INVALID, at, "must be a whole number, not \"%.64s\"", text);
	else if (value < min || value > max)
		faults_add(faults, ERR_RANGE, at,
				"%llu is out of range: it must be at least %llu and at most %llu",
				(unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
	else
		*out = value;
}

bool query_flag(const struct request *rq, const char *name, struct faults *faults)
{
	const char *text = request_query(rq, name);
	char at[FAULT_POINTER_BYTES];

	if (!text || !strcmp(text, "false")) return false;
	if (!*text || !strcmp(text, "true")) return true;
	query_pointer(at, name);
	faults_add(faults, ERR_INVALID, at, "must be true or false, not \"%.64s\"", text);
	return false;
}

/* ---- lists ---- */

int page_read(struct request *rq, struct page *page, uint64_t *before, struct err *e)
{
	struct faults *faults = request_faults(rq);

	if (!faults) return err_nomem(e);
	*page = (struct page){ PAGE_LIMIT_DEFAULT, request_query(rq, "cursor") };
	if (!page->after) page->after = "";
	if (before) query_number(rq, "cursor", 0, INT64_MAX, before, faults);
	query_number(rq, "limit", 1, PAGE_LIMIT_MAX, &page->limit, faults);
	return faults_result(faults, e);
}

int reply_page(const struct request *rq, struct reply *rp, const char *name, json_t *items,
		const struct page *page, const char *next, struct err *e)
{
	json_t *out = json_object();

	json_put(out, name, items);
	json_put(out, "next", next ? json_string(next) : json_null());
	if (next) {
		const char *model = request_query(rq, "model"), *state = request_query(rq, "state");

		reply_header(rp, "Link", "<%.*s?limit=%llu&cursor=%s%s%s%s%s>; rel=\"next\"",
				(int)rq->path_length, rq->url, (unsigned long long)page->limit, next,
				model ? "&model=" : "", model ? model : "", state ? "&state=" : "",
				state ? state : "");
	}
	return reply_document(rp, out, e);
}

json_t *stored_document(const char *text)
{
	json_t *out = NULL;

	return text && !json_read_stored(text, &out, NULL) ? out : json_null();
}

/* ---- problems ---- */

/* Below /v2 errors are plain, on paths that are none too. */
static bool speaks_oip(const struct request *rq, const struct route *route)
{
	if (route) return route->flags & ROUTE_PLAIN_ERRORS;
	return rq->url && rq->path_length >= 3 && !memcmp(rq->url, "/v2", 3) &&
	       (rq->path_length == 3 || rq->url[3] == '/');
}

/* Prediction routes take a body of any media type for JSON; when it is none, the sentence begins with what it was sent as. */
static const struct err *tell_media(const struct request *rq, int code, const struct err *e, struct err *told)
{
	static const char *const others[] = { "text/csv", "text/tab-separated-values", "application/x-npy",
		"application/octet-stream" };
	const struct route *route = rq->match.route;
	bool tables = route && route->produces && strstr(route->produces, "text/csv");

	if (code != ERR_JSON || !route || !(route->flags & ROUTE_ANY_TYPE) || speaks_oip(rq, route)) return e;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (!request_is(rq, others[i])) continue;
		err_set(told, code, "%s is not read here; send %s (as JSON: %s)", others[i],
				tables ? "JSON, text/csv or application/x-npy"
				       : "JSON; :predict takes tables, as text/csv or application/x-npy",
				e->text);
		return told;
	}
	return e;
}

/* There is no memory for a problem of its own. */
static void write_last_words(struct reply *rp, bool plain)
{
	json_was_short(); /* this tells of it */
	buffer_reset(&rp->body, SIZE_MAX);
	rp->status = 503;
	if (plain)
		buffer_text(&rp->body, "{\"error\":\"" LAST_WORDS "\"}");
	else
		buffer_text(&rp->body,
				"{\"type\":\"/problems/out-of-memory\",\"title\":\"Out of memory\",\"status\":503,"
				"\"code\":\"out-of-memory\",\"detail\":\"" LAST_WORDS
				"\",\"error\":\"" LAST_WORDS "\"}");
}

void api_problem(struct request *rq, struct reply *rp, int code, const struct err *e)
{
	const struct route *route = rq->match.route;
	struct problem problem = problem_of(code, route && (route->flags & ROUTE_DIALECT));
	const struct faults *faults = rq->notes ? &((const struct notes *)rq->notes)->faults : NULL;
	struct faults query = { 0 };
	struct err told;
	json_t *document;

	e = tell_media(rq, code, e, &told);
	/* What the router found in the query points to it too. */
	if (rq->query_unknown) {
		char at[FAULT_POINTER_BYTES];

		query_pointer(at, rq->query_unknown);
		faults_add(&query, code, at, "%s", e->text);
		faults = &query;
	}
	rp->status = problem.status;
	json_was_short(); /* if it was, this tells of it */
	if (speaks_oip(rq, route)) {
		told = *e;
		utf8_mend(told.text); /* as problem_document does: it may quote any bytes */
		document = json_pack("{s:s}", "error", told.text);
		rp->content_type = "application/json";
	} else {
		document = problem_document(&problem, e, faults);
		rp->content_type = "application/problem+json";
	}
	if (document) json_write(document, &rp->body);
	if (!document || !buffer_ok(&rp->body)) write_last_words(rp, speaks_oip(rq, route));
	json_decref(document);
	if (rp->status == 503) reply_header(rp, "Retry-After", "1");
	if (code == ERR_RATE) reply_header(rp, "Retry-After", "%u", rq->wait_seconds ? rq->wait_seconds : 1);
	if (problem.status == 401) reply_header(rp, "WWW-Authenticate", "Bearer");
}
