/* predict.h - what is asked of a version: predictions, classes, numbers, what made them, how good it is. */
#ifndef SERVER_API_PREDICT_H
#define SERVER_API_PREDICT_H

#include "server/api/api.h"
#include "server/http/route.h"

route_handler predict, classify, regress; /* predict.c */
route_handler evaluate;                   /* evaluate.c */
route_handler explain_verb;               /* explain.c */

/* The version that the path names, by number, by label, or by neither; shared (version_put). */
int predict_version(struct request *rq, struct version **out, struct err *e);

#endif
