/* predict.h - what is asked of a version: predictions, classes, numbers, what made them, how good it is. */
#ifndef SERVER_API_PREDICT_H
#define SERVER_API_PREDICT_H

#include "server/api/api.h"
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
/* Counts a request that ended with rc; begun is predict_clock() of its beginning. version NULL: it found none. */
void predict_count(const struct version *version, int rc, uint64_t begun, struct usage_counts *counts);

/* The version that the path names, by number, by label, or by neither; shared (version_put). */
int predict_version(struct request *rq, struct version **out, struct err *e);

#endif
