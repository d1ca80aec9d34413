/* registry.c - versions in memory. See registry.h.
 *
 * An entry maps (model, pick, text) to a version and holds a reference to it; entries of one version share it. The
 * mutex guards the table and is held for lookups only: loading happens outside it. `generation` counts the changes:
 * a load that began before one is not entered, and what a thread remembers (recall.h) counts for one generation only.
 */
#include "server/registry/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/registry/recall.h"
#include "server/registry/version.h"

#define BUCKETS 1024

struct entry {
	struct key key;
	struct found found;
	struct entry *next;
};

struct registry {
	struct commons commons;
	struct recall *recall;
	_Atomic uint64_t generation;
	_Atomic uint64_t clock; /* counts what the table is asked */
	pthread_mutex_t lock;   /* everything below */
	struct entry *buckets[BUCKETS];
	size_t versions, bytes; /* in the table */
	uint64_t hits, loads, evictions;
};

struct usage *registry_usage(const struct registry *r)
{
	return r->commons.usage;
}

/* ---- the table ---- */

static size_t bucket_of(const char *model)
{
	size_t hash = 5381; /* Bernstein */

	for (; *model; model++)
		hash = hash * 33 ^ (unsigned char)*model;
	return hash % BUCKETS;
}

static void drop(struct registry *r, struct entry **at)
{
	struct entry *entry = *at;

	*at = entry->next;
	if (!--entry->found.version->entries) {
		r->versions--;
		r->bytes -= entry->found.version->bytes;
		memory_unkeep(r->commons.config.memory, entry->found.version->bytes);
		memory_give(r->commons.config.memory, entry->found.version->bytes);
	}
	found_put(entry->found);
	free(entry);
}

void registry_state(struct registry *r, struct registry_state *out)
{
	pthread_mutex_lock(&r->lock);
	*out = (struct registry_state){ r->versions, r->bytes, r->hits + recall_hits(r->recall), r->loads,
		r->evictions };
	pthread_mutex_unlock(&r->lock);
}

void registry_batches(struct registry *r, struct batch_counts *out)
{
	*out = (struct batch_counts){ 0 };
	if (r->commons.batches) batches_count(r->commons.batches, out);
}

void registry_each_batch(struct registry *r,
		void (*each)(void *self, const struct version *version, struct batch_costs costs), void *self)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *entry = r->buckets[i]; entry; entry = entry->next) {
			const struct version *version = entry->found.version;
			bool seen = false; /* under another key */

			for (struct entry *other = r->buckets[i]; other != entry; other = other->next)
				seen |= other->found.version == version;
			if (version->batch && !seen) each(self, version, batch_costs(version->batch));
		}
	pthread_mutex_unlock(&r->lock);
}

/* The version that nobody asked for longest, with all its entries. What threads remember of it goes with the generation. */
static void drop_oldest(struct registry *r)
{
	const struct version *oldest = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *entry = r->buckets[i]; entry; entry = entry->next)
			if (!oldest || entry->found.version->used < oldest->used)
				oldest = entry->found.version;
	if (!oldest) return;
	atomic_fetch_add(&r->generation, 1);
	for (struct entry **at = &r->buckets[bucket_of(oldest->name)]; *at && oldest;) {
		bool last = (*at)->found.version == oldest && oldest->entries == 1;

		if ((*at)->found.version == oldest)
			drop(r, at);
		else
			at = &(*at)->next;
		if (last) oldest = NULL;
	}
}

/* More than its share, or others need what it has taken. */
static bool is_too_much(const struct registry *r)
{
	struct memory *memory = r->commons.config.memory;

	return r->bytes > r->commons.config.budget_bytes || (memory && memory_taken(memory) > memory->most);
}

/* Under the lock. The version that was loaded for another entry already is shared. */
static void enter(struct registry *r, const struct key *key, struct found *found)
{
	struct entry **bucket = &r->buckets[bucket_of(key->model)], *entry;
	struct version *version = found->version;

	for (entry = *bucket; entry; entry = entry->next)
		if (entry->found.version->number == version->number &&
				!strcmp(entry->key.model, key->model)) {
			version_put(version);
			version = found->version = version_share(entry->found.version);
			break;
		}
	if (!(entry = malloc(sizeof *entry))) return; /* served all the same, and loaded again next time */
	*entry = (struct entry){ *key, found_share(*found), *bucket };
	*bucket = entry;
	version->used = ++r->clock;
	if (!version->entries++) {
		r->versions++;
		r->bytes += version->bytes;
		memory_add(r->commons.config.memory, version->bytes);
		memory_keep(r->commons.config.memory, version->bytes);
	}
	while (r->versions > 1 && is_too_much(r)) {
		drop_oldest(r);
		r->evictions++;
	}
}

static struct found find(struct registry *r, const struct key *key)
{
	struct found found = { 0 };

	pthread_mutex_lock(&r->lock);
	for (struct entry *entry = r->buckets[bucket_of(key->model)]; entry && !found.version;
			entry = entry->next)
		if (key_equal(&entry->key, key)) {
			entry->found.version->used = ++r->clock;
			found = found_share(entry->found);
			r->hits++;
		}
	pthread_mutex_unlock(&r->lock);
	return found;
}

void registry_forget(struct registry *r, const char *model)
{
	struct entry **at;

	pthread_mutex_lock(&r->lock);
	atomic_fetch_add(&r->generation, 1);
	for (at = &r->buckets[bucket_of(model)]; *at;)
		if (strcmp((*at)->key.model, model))
			at = &(*at)->next;
		else
			drop(r, at);
	pthread_mutex_unlock(&r->lock);
}

/* ---- asking ---- */

static int find_or_load(struct registry *r, const struct key *key, uint64_t generation, bool may_wait,
		struct found *out, struct err *e)
{
	int rc;

	if ((*out = find(r, key)).version) return 0;
	if (!may_wait) return ERR_WOULD_BLOCK;
	if ((rc = version_load(&r->commons, key, out, e))) return rc;
	pthread_mutex_lock(&r->lock);
	r->loads++;
	if (atomic_load(&r->generation) == generation) enter(r, key, out);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

/* Only threads that must not wait remember: the others come seldom, and would hold for long what gave way. */
static int look_up(struct registry *r, const char *model, enum version_pick pick, const char *text,
		bool may_wait, struct found *out, struct err *e)
{
	uint64_t generation = atomic_load_explicit(&r->generation, memory_order_acquire);
	struct key key;
	int rc = key_make(&key, model, pick, text, e);

	*out = (struct found){ 0 };
	if (rc) return rc;
	if (may_wait) return find_or_load(r, &key, generation, may_wait, out, e);
	if (recall_find(r->recall, generation, &key, out)) {
		uint64_t now = atomic_load_explicit(&r->clock, memory_order_relaxed);

		if (atomic_load_explicit(&out->version->used, memory_order_relaxed) != now)
			atomic_store_explicit(&out->version->used, now, memory_order_relaxed);
		return 0;
	}
	if (!(rc = find_or_load(r, &key, generation, may_wait, out, e)))
		recall_keep(r->recall, generation, &key, *out);
	return rc;
}

int registry_get(struct registry *r, const char *model, enum version_pick pick, const char *text,
		bool may_wait, struct version **out, struct err *e)
{
	struct found found;
	int rc = look_up(r, model, pick, text, may_wait, &found, e);

	*out = found.version;
	traffic_put(found.traffic);
	return rc;
}

int registry_route(struct registry *r, const char *model, const char *key, bool may_wait,
		struct registry_routed *out, struct err *e)
{
	struct found found;
	const char *digits;
	int rc = look_up(r, model, PICK_DEFAULT, "", may_wait, &found, e);

	*out = (struct registry_routed){ .version = found.version };
	if (rc || !found.traffic) return rc;
	if ((digits = traffic_shadow(found.traffic))) out->shadow = strtoull(digits, NULL, 10);
	if ((digits = traffic_pick(found.traffic, model, key))) {
		version_put(found.version);
		out->given = true;
		rc = registry_get(r, model, PICK_NUMBER, digits, may_wait, &out->version, e);
	}
	traffic_put(found.traffic);
	return rc;
}

int registry_warm(struct registry *r, const char *model, struct err *e)
{
	struct version *version;
	int rc = registry_get(r, model, PICK_DEFAULT, "", true, &version, e);

	version_put(version);
	return rc;
}

/* ---- life ---- */

int registry_new(struct registry **out, const struct registry_config *config, struct err *e)
{
	struct registry *r = calloc(1, sizeof *r);
	int rc;

	*out = NULL;
	if (!r) return err_nomem(e);
	r->commons.config = *config;
	rc = (r->commons.usage = usage_new()) && (r->recall = recall_new()) ? 0 : err_nomem(e);
	if (!rc && config->batch_leads && !(r->commons.batches = batches_new(config->batch_leads)))
		rc = err_nomem(e);
	if (!rc && config->counts) rc = asked_start(&r->commons.asked, config->store, e);
	if (rc) {
		recall_free(r->recall);
		batches_free(r->commons.batches);
		usage_free(r->commons.usage);
		free(r);
		return rc;
	}
	pthread_mutex_init(&r->lock, NULL);
	*out = r;
	return 0;
}

void registry_free(struct registry *r)
{
	if (!r) return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (r->buckets[i])
			drop(r, &r->buckets[i]);
	recall_free(r->recall);
	asked_stop(r->commons.asked);
	batches_free(r->commons.batches);
	usage_free(r->commons.usage);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
