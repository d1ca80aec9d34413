/* registry.c - versions in memory. See registry.h.
 *
 * An entry maps (model, pick, text) to a version and holds a reference to it; entries of one version share it. The
 * mutex guards the table and is held for lookups only: loading happens outside it. `generation` counts the changes:
 * a load that began before one is not entered, and what a thread remembers counts for one generation only.
 *
 * Each thread has a slot, a small number that is its own for ever. What belongs to a thread (the versions it
 * remembers, its working memory for a version) lies in arrays by slot, so that whoever frees the registry or a
 * version frees that too.
 */
#include "server/registry/registry.h"

#include "server/registry/asked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX         ASKED_SLOTS_MAX
#define BUCKETS           1024
#define REMEMBERED        4
#define TEXT_BYTES        72 /* a name or a version's digits, with the NUL */
#define WORK_BYTES_WANTED (1u << 20)
#define WORK_ROWS_MAX     64
#define STABLE            "stable"

struct version {
	atomic_size_t references;
	char name[TEXT_BYTES];
	uint64_t number;
	struct model *model;
	const struct gemm_engine *engine;
	size_t bytes;
	struct drift *drift;
	struct asked *all_asked;
	struct asked_record *asked; /* NULL: nothing is counted */
	struct usage_record *usage;
	struct version_work works[SLOTS_MAX];
};

struct key {
	char model[TEXT_BYTES], text[TEXT_BYTES];
	enum version_pick pick;
};

struct entry {
	struct key key;
	struct version *version; /* holds a reference */
	uint64_t used;           /* the registry's clock when it was last asked for */
	struct entry *next;
};

struct remembered {
	uint64_t generation;
	struct key key;
	struct version *version; /* holds a reference; NULL: empty */
};

struct slot {
	struct remembered items[REMEMBERED];
	size_t oldest;
};

struct registry {
	struct registry_config config;
	struct asked *asked; /* NULL: nothing is counted */
	struct usage *usage;
	_Atomic uint64_t generation;
	pthread_mutex_t lock; /* everything below */
	struct entry *buckets[BUCKETS];
	size_t entries, bytes; /* of their versions */
	uint64_t clock, loads, evictions;
	struct slot *slots[SLOTS_MAX]; /* written by the thread whose slot it is */
};

/* ---- threads ---- */

static size_t thread_slot(void)
{
	static atomic_size_t count;
	static _Thread_local size_t mine; /* slot + 1 */

	if (!mine) mine = atomic_fetch_add(&count, 1) + 1;
	return mine - 1;
}

/* ---- versions ---- */

const struct model *version_model(const struct version *version)
{
	return version->model;
}

uint64_t version_number(const struct version *version)
{
	return version->number;
}

static struct version *version_share(struct version *version)
{
	atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
	return version;
}

void version_put(struct version *version)
{
	if (!version || atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) > 1) return;
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		net_work_free(version->works[i].net);
		free(version->works[i].x);
	}
	asked_put(version->asked);
	drift_free(version->drift);
	model_free(version->model);
	free(version);
}

static int make_work(const struct version *version, struct version_work *work, struct err *e)
{
	const struct net *net = version->model->net;
	struct version_work made = { .rows = WORK_ROWS_MAX };
	int rc;

	while (made.rows > 1 && net_work_bytes(net, made.rows, false) > WORK_BYTES_WANTED)
		made.rows /= 2;
	if ((rc = net_work_new(&made.net, net, made.rows, false, version->engine, NULL, e))) return rc;
	if (!(made.x = reallocarray(NULL, made.rows * net_inputs(net), sizeof *made.x))) {
		net_work_free(made.net);
		return err_nomem(e);
	}
	*work = made;
	return 0;
}

int version_work(struct version *version, const struct version_work **work, struct err *e)
{
	size_t slot = thread_slot();
	int rc = 0;

	if (slot >= SLOTS_MAX)
		return err_set(e, ERR_BUSY, "more than %d threads ask for predictions", SLOTS_MAX);
	if (!version->works[slot].net) {
		rc = make_work(version, &version->works[slot], e);
		if (!rc && version->asked) version->works[slot].asked = asked_counts(version->asked, slot);
	}
	*work = &version->works[slot];
	return rc;
}

const struct drift *version_drift(const struct version *version)
{
	return version->asked ? version->drift : NULL;
}

struct usage_record *version_usage(const struct version *version)
{
	return version->usage;
}

struct usage *registry_usage(const struct registry *r)
{
	return r->usage;
}

int version_asked(struct version *version, uint64_t *out, struct err *e)
{
	return asked_sum(version->all_asked, version->asked, out, e);
}

/* ---- the table ---- */

static bool key_equal(const struct key *key, const char *model, enum version_pick pick, const char *text)
{
	return key->pick == pick && !strcmp(key->text, text) && !strcmp(key->model, model);
}

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
	r->entries--;
	r->bytes -= entry->version->bytes;
	version_put(entry->version);
	free(entry);
}

void registry_state(struct registry *r, struct registry_state *out)
{
	pthread_mutex_lock(&r->lock);
	*out = (struct registry_state){ r->entries, r->bytes, r->loads, r->evictions };
	pthread_mutex_unlock(&r->lock);
}

static void drop_oldest(struct registry *r)
{
	struct entry **oldest = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry **at = &r->buckets[i]; *at; at = &(*at)->next)
			if (!oldest || (*at)->used < (*oldest)->used) oldest = at;
	if (oldest) drop(r, oldest);
}

/* Under the lock. The version that was loaded for another entry already is shared. */
static void enter(struct registry *r, const struct key *key, struct version **version)
{
	struct entry **bucket = &r->buckets[bucket_of(key->model)], *entry;

	for (entry = *bucket; entry; entry = entry->next)
		if (entry->version->number == (*version)->number && !strcmp(entry->key.model, key->model)) {
			version_put(*version);
			*version = version_share(entry->version);
			break;
		}
	if (!(entry = malloc(sizeof *entry))) return; /* served all the same, and loaded again next time */
	*entry = (struct entry){
		.key = *key, .version = version_share(*version), .used = ++r->clock, .next = *bucket
	};
	*bucket = entry;
	r->entries++;
	r->bytes += entry->version->bytes;
	while (r->entries > 1 && r->bytes > r->config.budget_bytes) {
		drop_oldest(r);
		r->evictions++;
	}
}

static struct version *find(struct registry *r, const struct key *key)
{
	struct version *found = NULL;

	pthread_mutex_lock(&r->lock);
	for (struct entry *entry = r->buckets[bucket_of(key->model)]; entry && !found; entry = entry->next)
		if (key_equal(&entry->key, key->model, key->pick, key->text)) {
			entry->used = ++r->clock;
			found = version_share(entry->version);
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

/* ---- loading ---- */

static int pick_number(
		const struct store_model *model, const struct key *key, uint64_t *number, struct err *e)
{
	const char *label = key->pick == PICK_LABEL ? key->text : STABLE;

	*number = 0;
	if (key->pick == PICK_NUMBER && !key->text[strspn(key->text, "0123456789")])
		*number = strtoull(key->text, NULL, 10);
	for (size_t i = 0; i < model->labels_count && key->pick != PICK_NUMBER; i++)
		if (!strcmp(model->labels[i].label, label)) *number = model->labels[i].version;
	if (key->pick == PICK_LABEL && !*number)
		return err_set(e, ERR_NOT_FOUND, "model %s has no label \"%s\"", key->model, key->text);
	if (key->pick == PICK_DEFAULT && !*number) *number = model->latest_version;
	if (*number) return 0;
	if (key->pick == PICK_NUMBER)
		return err_set(e, ERR_NOT_FOUND, "model %s has no version 0", key->model);
	return err_set(e, ERR_NO_VERSION,
			"model %s has no version yet; train it first: POST /v1/models/%s:train", key->model,
			key->model);
}

/* From now on what it is asked is counted. */
static int begin_counting(struct registry *r, struct version *version, struct err *e)
{
	int rc;

	if (!r->asked || (rc = drift_new(&version->drift, version->model->inputs, e)) || !version->drift)
		return r->asked ? rc : 0;
	version->all_asked = r->asked;
	return asked_get(r->asked, version->name, version->number, drift_counts(version->drift),
			&version->asked, e);
}

static int load(struct registry *r, const struct key *key, struct version **out, struct err *e)
{
	struct store *store = r->config.store;
	struct store_model model = { 0 };
	struct store_version stored = { 0 };
	struct store_bytes blob = { 0 };
	struct version *version = NULL;
	uint64_t number;
	int rc;

	if ((rc = store->model_get(store, key->model, &model, e))) goto out;
	if ((rc = pick_number(&model, key, &number, e))) goto out;
	if ((rc = store->version_get(store, key->model, number, &stored, e))) goto out;
	if ((rc = store->blob_read(store, stored.blob, &blob, e))) goto out;
	if (!(version = calloc(1, sizeof *version))) {
		rc = err_nomem(e);
		goto out;
	}
	atomic_init(&version->references, 1);
	snprintf(version->name, sizeof version->name, "%s", key->model);
	version->number = number;
	version->engine = r->config.engine;
	version->usage = usage_record(r->usage, key->model, number);
	version->bytes = sizeof *version + 2 * blob.size;
	if (!(rc = model_read(&version->model, blob.data, blob.size, e))) rc = begin_counting(r, version, e);
out:
	if (rc)
		version_put(version);
	else
		*out = version;
	store_bytes_clear(&blob);
	store_version_clear(&stored);
	store_model_clear(&model);
	return rc;
}

/* ---- what a thread remembers ---- */

static struct slot *own_slot(struct registry *r)
{
	size_t slot = thread_slot();

	if (slot >= SLOTS_MAX) return NULL;
	if (!r->slots[slot]) r->slots[slot] = calloc(1, sizeof *r->slots[slot]);
	return r->slots[slot];
}

static struct version *recall(struct slot *slot, uint64_t generation, const char *model,
		enum version_pick pick, const char *text)
{
	for (size_t i = 0; slot && i < REMEMBERED; i++) {
		struct remembered *item = &slot->items[i];

		if (item->version && item->generation == generation &&
				key_equal(&item->key, model, pick, text))
			return version_share(item->version);
	}
	return NULL;
}

static void remember(struct slot *slot, uint64_t generation, const struct key *key, struct version *version)
{
	struct remembered *item;

	if (!slot) return;
	for (size_t i = 0; i < REMEMBERED; i++) { /* of an earlier generation: perhaps the last to hold it */
		item = &slot->items[i];
		if (!item->version || item->generation == generation) continue;
		version_put(item->version);
		item->version = NULL;
	}
	item = &slot->items[slot->oldest++ % REMEMBERED];
	version_put(item->version);
	*item = (struct remembered){ generation, *key, version_share(version) };
}

static int find_or_load(struct registry *r, const struct key *key, uint64_t generation, bool may_wait,
		struct version **out, struct err *e)
{
	int rc;

	if ((*out = find(r, key))) return 0;
	if (!may_wait) return ERR_WOULD_BLOCK;
	if ((rc = load(r, key, out, e))) return rc;
	pthread_mutex_lock(&r->lock);
	r->loads++;
	if (atomic_load(&r->generation) == generation) enter(r, key, out);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

int registry_get(struct registry *r, const char *model, enum version_pick pick, const char *text,
		bool may_wait, struct version **out, struct err *e)
{
	uint64_t generation = atomic_load_explicit(&r->generation, memory_order_acquire);
	struct slot *slot = own_slot(r);
	struct key key = { .pick = pick };
	int rc;

	if ((*out = recall(slot, generation, model, pick, text))) return 0;
	if (strlen(model) >= TEXT_BYTES || strlen(text) >= TEXT_BYTES)
		return err_set(e, ERR_NOT_FOUND, "there is no model, version or label with so long a name");
	strcpy(key.model, model);
	strcpy(key.text, text);
	if ((rc = find_or_load(r, &key, generation, may_wait, out, e))) return rc;
	remember(slot, generation, &key, *out);
	return 0;
}

int registry_warm(struct registry *r, const char *model, struct err *e)
{
	uint64_t generation = atomic_load_explicit(&r->generation, memory_order_acquire);
	struct key key = { .pick = PICK_DEFAULT };
	struct version *version;
	int rc;

	if (strlen(model) >= TEXT_BYTES)
		return err_set(e, ERR_NOT_FOUND, "there is no model with so long a name");
	strcpy(key.model, model);
	if ((rc = find_or_load(r, &key, generation, true, &version, e))) return rc;
	version_put(version);
	return 0;
}

/* ---- life ---- */

int registry_new(struct registry **out, const struct registry_config *config, struct err *e)
{
	struct registry *r = calloc(1, sizeof *r);
	int rc;

	*out = NULL;
	if (!r) return err_nomem(e);
	r->config = *config;
	if (!(r->usage = usage_new())) {
		free(r);
		return err_nomem(e);
	}
	if (config->counts && (rc = asked_start(&r->asked, config->store, e))) {
		usage_free(r->usage);
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
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		for (size_t j = 0; r->slots[i] && j < REMEMBERED; j++)
			version_put(r->slots[i]->items[j].version);
		free(r->slots[i]);
	}
	asked_stop(r->asked);
	usage_free(r->usage);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
