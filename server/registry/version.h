/* version.h - a version in memory, and what one asks for it by. Shared inside server/registry. */
#ifndef SERVER_REGISTRY_VERSION_H
#define SERVER_REGISTRY_VERSION_H

#include <stdatomic.h>

#include "server/registry/asked.h"
#include "server/registry/batch.h"
#include "server/registry/registry.h"
#include "server/registry/traffic.h"

#define SLOTS_MAX  ASKED_SLOTS_MAX
#define WORKS      16
#define TEXT_BYTES 72 /* a name or a version's digits, with the NUL */

struct version {
	/* A line of memory: what each request looks at. With thousands of versions each line is one that no cache has. */
	_Alignas(64) atomic_size_t references;
	_Atomic uint64_t used; /* the registry's clock when it was last asked for */
	uint64_t number;
	struct model *model;
	struct usage_record *usage;
	struct asked_record *asked; /* NULL: nothing is counted */
	struct drift *drift;
	struct batch *batch; /* NULL: each request computes its own rows */

	char name[TEXT_BYTES];
	const struct gemm_engine *engine;
	size_t bytes;
	struct asked *all_asked;
	size_t entries; /* of the registry's table, under its lock */
	/* By thread_slot, WORKS in a piece; all but the first piece are made when a thread of theirs comes. */
	struct version_work works[WORKS];
	_Atomic(struct version_work *) more[SLOTS_MAX / WORKS - 1];
};

struct key {
	uint64_t hash; /* of all that */
	enum version_pick pick;
	char model[TEXT_BYTES], text[TEXT_BYTES]; /* text is "" of PICK_DEFAULT */
};

/* What is found under a key; both hold a reference. */
struct found {
	struct version *version;
	struct traffic *traffic; /* of PICK_DEFAULT; NULL: none */
};

/* ERR_NOT_FOUND: no name is so long. */
int key_make(struct key *out, const char *model, enum version_pick pick, const char *text, struct err *e);
bool key_equal(const struct key *a, const struct key *b);

static inline void found_put(struct found found)
{
	version_put(found.version);
	traffic_put(found.traffic);
}
static inline struct found found_share(struct found found)
{
	return (struct found){ version_share(found.version), traffic_share(found.traffic) };
}

/* What the versions of a registry share. */
struct commons {
	struct registry_config config;
	struct asked *asked; /* NULL: nothing is counted */
	struct usage *usage;
	struct batches *batches; /* NULL: no requests share a product */
};
/* From the store. *out is new. Errors as of registry_get. */
int version_load(const struct commons *commons, const struct key *key, struct found *out, struct err *e);

/* A small number that is the thread's own for ever, from 0. */
size_t thread_slot(void);

#endif
