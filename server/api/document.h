/* document.h - what handlers of documents have in common: the body as JSON, its faults, pages of lists, replies. */
#ifndef SERVER_API_DOCUMENT_H
#define SERVER_API_DOCUMENT_H

#include <jansson.h>

#include "core/err.h"
#include "server/codec/faults.h"
#include "server/http/request.h"

#define PAGE_LIMIT_DEFAULT 100
#define PAGE_LIMIT_MAX     1000

/* The faults of this request, kept with it; they stand in the problem document when a code is returned. NULL: no
 * memory. */
struct faults *request_faults(struct request *rq);

/* The body as a document; *out is new. A tree is many times its text: it is charged to the memory that documents may
 * take together, until the request ends. ERR_JSON, ERR_DUPLICATE_KEY, ERR_NOMEM; ERR_TOO_LARGE: it alone would take
 * more; ERR_BUSY: others do just now. */
int request_document(struct request *rq, json_t **out, struct err *e);
/* The same of a text that belongs to the request. */
int request_json(struct request *rq, const char *text, size_t size, json_t **out, struct err *e);

/* Charges what else a request needs, `what`, to the same memory, until the request ends. ERR_TOO_LARGE, ERR_BUSY,
 * ERR_NOMEM as above. */
int request_charge(struct request *rq, uint64_t bytes, const char *what, struct err *e);

/* Between two pieces of long work: ERR_BUSY when the daemon stops, ERR_DEADLINE when the client waits no more. */
int request_goes_on(const struct request *rq, struct err *e);

/* Takes the document over. ERR_NOMEM also when it is NULL. */
int reply_document(struct reply *rp, json_t *document, struct err *e);

/* A path parameter that is an id, a version or an index. ERR_NOT_FOUND when it is no number; what: "job". */
int request_number(
		const struct request *rq, const char *name, const char *what, uint64_t *out, struct err *e);
/* A query parameter that is a whole number in [min, max]; *out stays as it was when it is absent. Else a fault. */
void query_number(const struct request *rq, const char *name, uint64_t min, uint64_t max, uint64_t *out,
		struct faults *faults);
/* "true", "false", or nothing after the name, which is true; absent is false. Else a fault. */
bool query_flag(const struct request *rq, const char *name, struct faults *faults);

struct page {
	uint64_t limit;
	const char *after; /* the cursor, "" at the start */
};
/* limit and cursor; before is NULL where cursors are names, else it becomes the number that the cursor is. The
 * faults' code. */
int page_read(struct request *rq, struct page *page, uint64_t *before, struct err *e);
/* {"<name>": items, "next": next}, with a Link header; items is taken over, next NULL at the end. */
int reply_page(const struct request *rq, struct reply *rp, const char *name, json_t *items,
		const struct page *page, const char *next, struct err *e);

/* A stored document's text as JSON; null when it is damaged. New. */
json_t *stored_document(const char *text);

#endif
