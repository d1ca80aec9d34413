/* keep.c - what goes because nobody wants to keep more: old jobs, old versions, free pages. Each call is one short
 * transaction; what is large goes with the sweep. */
#include <stdlib.h>

#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

#define STEP_MS 10

struct keep {
	uint64_t keep;
	size_t count;
};

static int jobs_tx(struct db *db, void *arg, struct err *e)
{
	struct keep *k = arg;
	const int64_t until_ms = store_clock_ms() + STEP_MS;
	int64_t id;
	bool found;
	int rc;

	k->count = 0;
	do {
		if ((rc = db_number(db, SQL_JOB_PRUNE, DB_VALUES(V_INT(k->keep)), &id, &found, e)) || !found)
			return rc;
		if ((rc = job_drop(db, id, e))) return rc;
		k->count++;
	} while (store_clock_ms() < until_ms);
	return 0;
}

static int prune(struct store *s, write_fn *run, uint64_t keep, size_t *count, struct err *e)
{
	struct keep k = { .keep = keep };
	int rc = store_write_bulk(s, run, &k, e);

	*count = rc ? 0 : k.count;
	return rc;
}

static int jobs_prune(struct store *s, uint64_t keep, size_t *count, struct err *e)
{
	return prune(s, jobs_tx, keep, count, e);
}

struct old { /* version */
	int64_t number, blob;
	char *model;
};

static void old_read(struct db_row *row, void *item)
{
	struct old *old = item;

	old->number = row_int(row);
	old->blob = row_int(row);
	old->model = row_text(row);
}

static void old_clear(void *item)
{
	free(((struct old *)item)->model);
}

static const struct db_kind old_kind = { sizeof(struct old), old_read, old_clear };

static int versions_tx(struct db *db, void *arg, struct err *e)
{
	struct keep *k = arg;
	const int64_t until_ms = store_clock_ms() + STEP_MS;
	struct old old;
	bool found;
	int rc;

	k->count = 0;
	do {
		rc = db_one(db, &old_kind, SQL_VERSION_PRUNE, DB_VALUES(V_INT(k->keep)), &old, &found, e);
		if (rc || !found) return rc;
		rc = version_drop(db, old.model, (uint64_t)old.number, old.blob, e);
		old_clear(&old);
		if (rc) return rc;
		k->count++;
	} while (store_clock_ms() < until_ms);
	return 0;
}

static int versions_prune(struct store *s, uint64_t keep_per_model, size_t *count, struct err *e)
{
	return prune(s, versions_tx, keep_per_model ? keep_per_model : 1, count, e);
}

static int shrink_tx(struct db *db, void *arg, struct err *e)
{
	return sweep_vacuum(db, arg, e);
}

static int shrink(struct store *s, uint64_t *freed, struct err *e)
{
	int rc = store_write_bulk(s, shrink_tx, freed, e);

	if (rc) *freed = 0;
	return rc;
}

void keep_fill(struct store *s)
{
	s->jobs_prune = jobs_prune;
	s->versions_prune = versions_prune;
	s->shrink = shrink;
}
