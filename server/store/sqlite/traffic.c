/* traffic.c - which versions have a part of a model's requests. */
#include <stdlib.h>

#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"

static void share_read(struct db_row *row, void *item)
{
	struct store_share *share = item;

	share->version = (uint64_t)row_int(row);
	share->weight = row_real(row);
	share->shadow = row_int(row);
}

static const struct db_kind share_kind = { sizeof(struct store_share), share_read, NULL };

int traffic_load(struct db *db, struct store_model *model, struct err *e)
{
	void *items;
	int rc = db_list(db, &share_kind, SQL_SHARE_LIST, DB_VALUES(V_TEXT(model->name)), &items,
			&model->shares_count, e);

	model->shares = items;
	return rc;
}

int traffic_free_of(struct db *db, const char *model, uint64_t number, struct err *e)
{
	int64_t one;
	bool found;
	int rc = db_number(
			db, SQL_SHARE_OF_VERSION, DB_VALUES(V_TEXT(model), V_INT(number)), &one, &found, e);

	if (rc || !found) return rc;
	return err_set(e, ERR_CONFLICT,
			"version %llu has a part of the traffic; change that first: PUT /v1/models/%s/traffic",
			(unsigned long long)number, model);
}

struct set {
	const char *model;
	const struct store_share *shares;
	size_t count;
};

static int set_tx(struct db *db, void *arg, struct err *e)
{
	const struct set *set = arg;
	int64_t blob;
	int rc;

	if ((rc = model_must_exist(db, set->model, e))) return rc;
	for (size_t i = 0; i < set->count; i++)
		if ((rc = version_must_exist(db, set->model, set->shares[i].version, &blob, e))) return rc;
	if ((rc = db_run(db, SQL_SHARE_DELETE_ALL, DB_VALUES(V_TEXT(set->model)), NULL, e))) return rc;
	for (size_t i = 0; i < set->count; i++) {
		const struct store_share *share = &set->shares[i];

		rc = db_run(db, SQL_SHARE_ADD,
				DB_VALUES(V_TEXT(set->model), V_INT(share->version), V_REAL(share->weight),
						V_INT(share->shadow)),
				NULL, e);
		if (rc) return rc;
	}
	return event_model(db, "updated", set->model, 0, NULL, e);
}

static int traffic_set(struct store *s, const char *model, const struct store_share *shares, size_t count,
		struct err *e)
{
	struct set set = { model, shares, count };

	return store_write(s, set_tx, &set, e);
}

void traffic_fill(struct store *s)
{
	s->traffic_set = traffic_set;
}
