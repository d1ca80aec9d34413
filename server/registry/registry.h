/* registry.h - versions in memory: found by name, shared by reference, dropped when nobody needs them.
 *
 * A version never changes once it is loaded, so readers share it without a lock. Each thread that must not wait
 * remembers the versions it asked for: while nothing was published, labelled, deleted or evicted, finding one again
 * takes no lock and no SQL. registry_forget ends that for a model; whoever changes one calls it after the commit.
 */
#ifndef SERVER_REGISTRY_REGISTRY_H
#define SERVER_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/drift.h"
#include "core/err.h"
#include "core/gemm.h"
#include "core/model.h"
#include "server/memory.h"
#include "server/registry/batch.h"
#include "server/registry/usage.h"
#include "server/store/store.h"

struct registry;
struct version; /* shared; version_put gives it back */

struct registry_config { /* borrowed for the registry's life */
	struct store *store;
	const struct gemm_engine *engine;
	size_t budget_bytes;
	bool counts;          /* what versions are asked, for drift */
	unsigned batch_leads; /* products of requests that share one, of a version at a time; 0: none share */
	struct memory *memory; /* of which budget_bytes are a part; NULL: of none */
};
/* *out is new (registry_free). Versions above budget_bytes in all are dropped from
 * memory, the longest unused first. ERR_NOMEM. */
int registry_new(struct registry **out, const struct registry_config *config, struct err *e);
void registry_free(struct registry *registry);

/* Which version of a model. */
enum version_pick {
	PICK_DEFAULT, /* the label "stable" if it is set, else the latest */
	PICK_NUMBER,  /* text is the version's digits */
	PICK_LABEL,   /* text is the label */
};

/* *out is shared: version_put. may_wait false: ERR_WOULD_BLOCK when it must be loaded. ERR_NOT_FOUND: no such
 * model, version or label; ERR_NO_VERSION: nothing was trained yet; ERR_NOMEM, ERR_IO, ERR_CORRUPT. */
int registry_get(struct registry *registry, const char *model, enum version_pick pick, const char *text,
		bool may_wait, struct version **out, struct err *e);
void version_put(struct version *version); /* NULL is fine */
struct version *version_share(struct version *version);

/* As PICK_DEFAULT, but as the model's traffic has it (traffic.h): key, which may be NULL, says which part of it the request
 * is of. *out's version is shared. */
struct registry_routed {
	struct version *version;
	bool given;      /* by weights */
	uint64_t shadow; /* the number of the version that is to be asked the same; 0: none */
};
int registry_route(struct registry *registry, const char *model, const char *key, bool may_wait,
		struct registry_routed *out, struct err *e);

/* After a model's versions, labels or traffic changed, and was deleted. */
void registry_forget(struct registry *registry, const char *model);

const struct model *version_model(const struct version *version);
uint64_t version_number(const struct version *version);
const char *version_name(const struct version *version); /* the model's */
/* Where its requests meet; NULL: sharing does not pay. */
struct batch *version_batch(const struct version *version);

/* What a thread needs to predict with a version; borrowed for as long as the thread holds the version. */
struct version_work {
	struct net_work *net;
	float *x;        /* (rows, inputs) */
	size_t rows;     /* the most at a time */
	uint64_t *asked; /* counts of version_drift; NULL: nothing is counted */
};
/* This thread's. Allocates the first time only. */
int version_work(struct version *version, const struct version_work **work, struct err *e);

/* What is in memory, and how it came there since the start. */
struct registry_state {
	uint64_t versions, bytes, hits, loads, evictions;
};
void registry_state(struct registry *registry, struct registry_state *out);

/* How large the products were. */
void registry_batches(struct registry *registry, struct batch_counts *out);
/* Calls each for every version in memory whose requests share products. The registry waits, so it must be quick. */
void registry_each_batch(struct registry *registry,
		void (*each)(void *self, const struct version *version, struct batch_costs costs),
		void *self);

/* Loads what a model answers with by default, for no thread in particular. Errors as of registry_get. */
int registry_warm(struct registry *registry, const char *model, struct err *e);

struct registry_preloaded {
	size_t loaded, failed;
	bool full;      /* budget_bytes ended it: one went out for the last one */
	struct err why; /* of the first that failed */
};
/* Loads what each model answers with by default, in the order of their names. ERR_NOMEM, ERR_IO: the models cannot be
 * listed; that one cannot be loaded is no error. */
int registry_preload(struct registry *registry, struct store *store, struct registry_preloaded *out,
		struct err *e);

/* Where requests for it are counted; NULL: nowhere. */
struct usage_record *version_usage(const struct version *version);
/* How often all versions were asked. */
struct usage *registry_usage(const struct registry *registry);

/* Where the counts of what is asked lie; NULL: it is not counted, as there are too many inputs or it is not wished. */
const struct drift *version_drift(const struct version *version);
/* What was asked of it, by all threads and before: out (drift_counts). Waits for the store. */
int version_asked(struct version *version, uint64_t *out, struct err *e);

#endif
