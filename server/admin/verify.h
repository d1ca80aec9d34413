/* verify.h - everything that a store keeps, read and decoded as those who use it would, and what is wrong with it.
 *
 * For a database that may be damaged: what cannot be read is told and passed over.
 */
#ifndef SERVER_ADMIN_VERIFY_H
#define SERVER_ADMIN_VERIFY_H

#include <stdint.h>

#include "core/err.h"
#include "server/store/store.h"

/* What is wrong. */
enum verify_of {
	VERIFY_FILE,       /* something of the whole: a list that breaks off, what SQLite finds */
	VERIFY_DATASET,    /* a current revision: name */
	VERIFY_DATA,       /* a revision that an unfinished job needs: job */
	VERIFY_MODEL,      /* name */
	VERIFY_VERSION,    /* name, version */
	VERIFY_COUNTS,     /* what was counted of a version: name, version */
	VERIFY_JOB,        /* job */
	VERIFY_CURVE,      /* job */
	VERIFY_CHECKPOINT, /* job */
	VERIFY_OUTPUT,     /* job */
};

struct verify_fault {
	enum verify_of of;
	const char *name; /* "" when it has none; borrowed for the call, as sentence is */
	uint64_t version;
	int64_t job;
	const char *sentence; /* says what it is of, too */
};

struct verify {
	struct store *store;
	void (*fault)(void *self, const struct verify_fault *fault); /* must not change the store */
	void *self;
	/* What was looked at. */
	uint64_t datasets, groups, models, versions, jobs, blocks, checkpoints, outputs, faults;
};

/* store, fault and self are set, the rest is zero. ERR_NOMEM. */
int verify_all(struct verify *v, struct err *e);

#endif
