/* predict.h - what is asked of a version: predictions, classes, numbers, what made them, how good it is. */
#ifndef SERVER_API_PREDICT_H
#define SERVER_API_PREDICT_H

#include "server/api/api.h"
#include "server/codec/rows.h"
#include "server/http/route.h"

route_handler predict, classify, regress; /* predict.c */
route_handler evaluate;                   /* evaluate.c */
route_handler explain_verb;               /* explain.c */
route_handler version_metadata;           /* metadata.c */

/* Multiplications, at most, that a loop's thread does for a request before the next one: some milliseconds. */
#define PREDICT_INLINE_WORK 50e6

/* bulk.c: is the body a table, and then the answer to it. */
bool bulk_wanted(const struct request *rq);
int bulk_predict(struct request *rq, struct reply *rp, struct err *e);

/* Where the time of a request goes: nanoseconds of the monotonic clock. */
uint64_t predict_clock(void);

/* The way of one request through a version. */
struct prediction {
	struct version *version; /* held; NULL: none was found */
	const struct model *model;
	struct scan_value body; /* the JSON, checked */
	uint64_t begun;         /* predict_clock(), set by who has the request */
	uint64_t shadow;        /* the number of a version that is to be asked the same; 0: none */
	struct usage_counts counts;
};
/* Finds the version: the one that the path names, or whom the model's traffic gives the request. */
int prediction_begin(struct request *rq, struct prediction *out, struct err *e);
/* The request ended with rc: counts it, and lets go of the version. */
void prediction_end(struct prediction *p, int rc);

/* What a version says to the rows of a request, once more: (rows, outputs) floats in the users' units are appended to *values.
 * `how` is what shadow_ask was given. On the pool, without the request's headers. */
typedef int scorer(struct request *rq, struct version *version, uintptr_t how, struct buffer *values,
		struct err *e);
/* shadow.c: after the answer of a request that was answered well, its shadow is asked and compared. Nothing where there is none. */
void shadow_ask(struct request *rq, const struct prediction *p, scorer *score, uintptr_t how);

/* ---- batch.c: the rows of a request that go through the network with those of others ---- */

struct share; /* new: batch_end */

/* Is this request, of so many rows, to join others? */
bool batch_wanted(const struct request *rq, const struct prediction *p, uint64_t rows);
/* Reads the rows that were begun, of which there should be `count`. ERR_LATER: they have joined, and p is taken over; the handler
 * runs again. 0: they are scored, in *share, as there is something to be said of them that cannot wait; *share is NULL when
 * there were not as many. Other codes, ERR_NOMEM among them, are the rows'. */
int batch_read(struct request *rq, struct prediction *p, struct rows *rows, struct faults *faults,
		size_t count, struct share **share, struct err *e);
/* Has this request joined, before? Then *p is what it was, and *share has its scores. */
bool batch_joined(struct request *rq, struct prediction *p, struct share **share);
/* (rows, outputs), borrowed from the share. ERR_NOMEM. */
int batch_scores(const struct share *share, const float **scores, size_t *rows, struct err *e);
void batch_end(struct share *share); /* NULL is fine */

/* The version that the path names, by number, by label, or by neither; shared (version_put). */
int predict_version(struct request *rq, struct version **out, struct err *e);

#endif
