/* recall.h - what each thread remembers of the registry, so that it finds a version again without a lock. Shared inside
 * server/registry.
 *
 * It counts for one generation of the registry: the first call with another one gives everything of the thread back. Who is
 * asked no more holds what it remembers, so this is for threads that are asked all the time.
 */
#ifndef SERVER_REGISTRY_RECALL_H
#define SERVER_REGISTRY_RECALL_H

#include "server/registry/version.h"

struct recall; /* of all threads */

struct recall *recall_new(void);         /* NULL: no memory */
void recall_free(struct recall *recall); /* while no thread uses it; NULL is fine */

uint64_t recall_hits(const struct recall *recall); /* how often something was found */
/* *out is shared (found_put). */
bool recall_find(struct recall *recall, uint64_t generation, const struct key *key, struct found *out);
/* Holds a reference of its own; in the place of another where there is no room. */
void recall_keep(struct recall *recall, uint64_t generation, const struct key *key, struct found found);

#endif
