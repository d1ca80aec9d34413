/* version.c - a version in memory: read from the store, shared by reference, with working memory for each thread. See version.h.
 *
 * Each thread has a slot, a small number that is its own for ever. What belongs to a thread (its working memory for a
 * version) lies in arrays by slot, so that whoever frees the version frees that too.
 */
#include "server/registry/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORK_BYTES_WANTED (1u << 20)
#define WORK_ROWS_MAX     64
/* A row through fewer weights takes less than handing it to another thread, on any machine. */
#define SHARED_WEIGHTS_MIN 50000
#define STABLE             "stable"

/* ---- threads ---- */

size_t thread_slot(void)
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

const char *version_name(const struct version *version)
{
	return version->name;
}

struct version *version_share(struct version *version)
{
	atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
	return version;
}

static void works_clear(struct version_work *works)
{
	for (size_t i = 0; i < WORKS; i++) {
		net_work_free(works[i].net);
		free(works[i].x);
	}
}

void version_put(struct version *version)
{
	if (!version || atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) > 1) return;
	works_clear(version->works);
	for (size_t i = 0; i < sizeof version->more / sizeof *version->more; i++) {
		if (version->more[i]) works_clear(version->more[i]);
		free(version->more[i]);
	}
	asked_put(version->asked);
	usage_put(version->usage);
	batch_free(version->batch);
	drift_free(version->drift);
	model_free(version->model);
	free(version);
}

/* Rows that a thread computes at a time: few of a wide network. */
static size_t work_rows(const struct net *net)
{
	size_t rows = WORK_ROWS_MAX;

	while (rows > 1 && net_work_bytes(net, rows, false) > WORK_BYTES_WANTED)
		rows /= 2;
	return rows;
}

static int make_work(const struct version *version, struct version_work *work, struct err *e)
{
	const struct net *net = version->model->net;
	struct version_work made = { .rows = work_rows(net) };
	int rc;

	if ((rc = net_work_new(&made.net, net, made.rows, false, version->engine, NULL, e))) return rc;
	if (!(made.x = reallocarray(NULL, made.rows * net_inputs(net), sizeof *made.x))) {
		net_work_free(made.net);
		return err_nomem(e);
	}
	*work = made;
	return 0;
}

/* The place of a slot; NULL: no memory. Two threads of a piece may come at once. */
static struct version_work *work_place(struct version *version, size_t slot)
{
	_Atomic(struct version_work *) *piece;
	struct version_work *there, *made;

	if (slot < WORKS) return &version->works[slot];
	piece = &version->more[slot / WORKS - 1];
	if (!(there = atomic_load_explicit(piece, memory_order_acquire))) {
		if (!(made = calloc(WORKS, sizeof *made))) return NULL;
		if (atomic_compare_exchange_strong(piece, &there, made))
			there = made;
		else
			free(made);
	}
	return &there[slot % WORKS];
}

int version_work(struct version *version, const struct version_work **work, struct err *e)
{
	size_t slot = thread_slot();
	struct version_work *place;
	int rc = 0;

	if (slot >= SLOTS_MAX)
		return err_set(e, ERR_BUSY, "more than %d threads ask for predictions", SLOTS_MAX);
	if (!(place = work_place(version, slot))) return err_nomem(e);
	if (!place->net) {
		rc = make_work(version, place, e);
		if (!rc && version->asked) place->asked = asked_counts(version->asked, slot);
	}
	*work = place;
	return rc;
}

struct batch *version_batch(const struct version *version)
{
	return version->batch;
}

const struct drift *version_drift(const struct version *version)
{
	return version->asked ? version->drift : NULL;
}

struct usage_record *version_usage(const struct version *version)
{
	return version->usage;
}

int version_asked(struct version *version, uint64_t *out, struct err *e)
{
	return asked_sum(version->all_asked, version->asked, out, e);
}

/* ---- keys ---- */

int key_make(struct key *out, const char *model, enum version_pick pick, const char *text, struct err *e)
{
	uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */

	if (strlen(model) >= TEXT_BYTES || strlen(text) >= TEXT_BYTES)
		return err_set(e, ERR_NOT_FOUND, "there is no model, version or label with so long a name");
	out->pick = pick;
	strcpy(out->model, model);
	strcpy(out->text, text);
	for (; *model; model++)
		hash = (hash ^ (unsigned char)*model) * 0x100000001B3u;
	hash = (hash ^ pick) * 0x100000001B3u;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
	out->hash = hash ^ hash >> 32;
	return 0;
}

bool key_equal(const struct key *a, const struct key *b)
{
	return a->hash == b->hash && a->pick == b->pick && !strcmp(a->model, b->model) &&
	       (a->pick == PICK_DEFAULT || !strcmp(a->text, b->text));
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
static int begin_counting(struct asked *asked, struct version *version, struct err *e)
{
	int rc;

	if (!asked || (rc = drift_new(&version->drift, version->model->inputs, e)) || !version->drift)
		return asked ? rc : 0;
	version->all_asked = asked;
	return asked_get(asked, version->name, version->number, drift_counts(version->drift), &version->asked,
			e);
}

/* Its requests share products where that pays. */
static int begin_sharing(struct batches *batches, struct version *version, struct err *e)
{
	const struct net *net = version->model->net;
	struct batch_costs costs;
	int rc;

	if (!batches || net_parameters(net) < SHARED_WEIGHTS_MIN || work_rows(net) < BATCH_ROWS_MAX) return 0;
	if ((rc = batch_measure(net, version->engine, &costs, e)) || !batch_pays(costs)) return rc;
	return (version->batch = batch_new(batches, costs)) ? 0 : err_nomem(e);
}

int version_load(const struct commons *commons, const struct key *key, struct found *out, struct err *e)
{
	struct store *store = commons->config.store;
	struct store_model model = { 0 };
	struct store_version stored = { 0 };
	struct store_bytes blob = { 0 };
	struct version *version = NULL;
	uint64_t number;
	int rc;

	*out = (struct found){ 0 };
	if ((rc = store->model_get(store, key->model, &model, e))) goto out;
	if ((rc = pick_number(&model, key, &number, e))) goto out;
	if ((rc = store->version_get(store, key->model, number, &stored, e))) goto out;
	if ((rc = store->blob_read(store, stored.blob, &blob, e))) goto out;
	if (!(version = aligned_alloc(_Alignof(struct version), sizeof *version))) {
		rc = err_nomem(e);
		goto out;
	}
	memset(version, 0, sizeof *version);
	atomic_init(&version->references, 1);
	snprintf(version->name, sizeof version->name, "%s", key->model);
	version->number = number;
	version->engine = commons->config.engine;
	version->usage = usage_take(commons->usage, key->model, number);
	version->bytes = sizeof *version + 2 * blob.size;
	if ((rc = model_read(&version->model, blob.data, blob.size, e)) ||
			(rc = begin_counting(commons->asked, version, e)))
		goto out;
	if ((rc = begin_sharing(commons->batches, version, e))) goto out;
	if (key->pick == PICK_DEFAULT) rc = traffic_new(&out->traffic, model.shares, model.shares_count, e);
out:
	if (rc)
		version_put(version);
	else
		out->version = version;
	store_bytes_clear(&blob);
	store_version_clear(&stored);
	store_model_clear(&model);
	return rc;
}
