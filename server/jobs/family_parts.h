/* family_parts.h - what the kinds of parents share; nobody but family.c and they include it. */
#ifndef SERVER_JOBS_FAMILY_PARTS_H
#define SERVER_JOBS_FAMILY_PARTS_H

#include <jansson.h>

#include "server/jobs/family.h"

#define FAMILY_CHILDREN_MAX 10000

/* A parent and its children as they are now. */
struct house {
	struct family *family;
	struct store_job parent;
	json_t *config; /* the parent's */
	struct store_job *children;
	size_t count, unfinished;
	bool changed; /* its children are not as they were read any more: it is to be looked at once more */
};

/* Asks every unfinished child to stop. */
int house_stop(struct house *house, struct err *e);
/* A child with this config, of the parent's data. epochs: that it is asked for; rest: as in store_job. */
int house_add(const struct house *house, const json_t *config, uint64_t epochs, uint64_t rest, struct err *e);
/* Ends the parent; id and attempt of *end are filled in. */
int house_end(const struct house *house, struct store_job_end *end, struct err *e);
/* Ends the parent as the child ended, which did not succeed; what: what it is of the parent, as in "fold 2". */
int house_end_as(const struct house *house, const struct store_job *child, const char *what, struct err *e);

/* Ends the parent as failed for this reason. */
int house_fail(const struct house *house, int rc, struct err *e);

/* The seconds of a parent are to be counted while it is running: those that config.sweep.seconds bounds. */
void family_counts_time(struct family *family);

/* ---- sweep.c: "sweep" ---- */

int sweep_settle(struct house *house, struct err *e);

/* ---- folds.c: "crossvalidate" ---- */

/* What is to be done when nobody wants the parent to be cancelled. */
int folds_settle(struct house *house, struct err *e);

#endif
