/* problem.h - what an ERR_ code means to a client: status, slug and title are one table; the document is that of
 * RFC 9457 with `error` and `errors` beside it (api.md section 1).
 */
#ifndef SERVER_CODEC_PROBLEM_H
#define SERVER_CODEC_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>

#include "core/err.h"
#include "server/codec/faults.h"

struct problem {
	unsigned status;
	const char *code; /* "unknown-field" */
	const char *title;
};

/* dialect: of a prediction route, which says 400 where others say 422. */
struct problem problem_of(int code, bool dialect);

/* The document, new; NULL: no memory. faults may be NULL. */
json_t *problem_document(const struct problem *problem, const struct err *e, const struct faults *faults);

#endif
