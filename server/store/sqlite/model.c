/* model.c - models: a name, a definition as it was sent and as it was resolved, and labels on versions. */
#include <stdlib.h>

#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

static void model_read(struct db_row *row, void *item)
{
	struct store_model *m = item;

	m->name = row_text(row);
	m->sent = row_text(row);
	m->definition = row_text(row);
	m->description = row_text(row);
	m->metadata = row_text(row);
	m->created_ms = row_int(row);
	m->latest_version = (uint64_t)row_int(row); /* NULL, for none, reads as 0 */
}

static void model_clear(void *item)
{
	store_model_clear(item);
}

static void label_read(struct db_row *row, void *item)
{
	struct store_label *l = item;

	l->label = row_text(row);
	l->version = (uint64_t)row_int(row);
}

static void label_clear(void *item)
{
	free(((struct store_label *)item)->label);
}

static const struct db_kind model_kind = { sizeof(struct store_model), model_read, model_clear };
static const struct db_kind label_kind = { sizeof(struct store_label), label_read, label_clear };

static int no_model(const char *name, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "there is no model \"%s\"; create it first", name);
}

int model_must_exist(struct db *db, const char *model, struct err *e)
{
	int64_t one;
	bool found;
	int rc = db_number(db, SQL_MODEL_EXISTS, DB_VALUES(V_TEXT(model)), &one, &found, e);

	return rc || found ? rc : no_model(model, e);
}

/* ---- create ---- */

struct create {
	const char *name, *sent, *definition, *description, *metadata;
	int64_t token;
	enum store_outcome *outcome;
};

static int create_tx(struct db *db, void *arg, struct err *e)
{
	const struct create *c = arg;
	int64_t same;
	bool found;
	int rc;

	if ((rc = db_number(db, SQL_MODEL_SENT, DB_VALUES(V_TEXT(c->name), V_TEXT(c->sent)), &same, &found,
			     e)))
		return rc;
	*c->outcome = found ? STORE_SAME : STORE_CREATED;
	if (found && !same)
		return err_set(e, ERR_CONFLICT,
				"model \"%s\" is there with another definition; delete it first, or choose another name",
				c->name);
	if (found) return 0;
	rc = db_run(db, SQL_MODEL_NEW,
			DB_VALUES(V_TEXT(c->name), V_TEXT(c->sent), V_TEXT(c->definition),
					V_TEXT(c->description), V_TEXT(c->metadata), V_INT(store_now_ms()),
					V_INT(c->token)),
			NULL, e);
	if (rc || (rc = quota_hold(db, c->token, STORE_QUOTA_MODELS, e))) return rc;
	return event_model(db, "created", c->name, 0, NULL, e);
}

static int model_create(struct store *s, const char *name, const char *sent, const char *definition,
		const char *description, const char *metadata, int64_t token, enum store_outcome *outcome,
		struct err *e)
{
	struct create c = { name, sent, definition, description, metadata, token, outcome };

	return store_write(s, create_tx, &c, e);
}

/* ---- read ---- */

static int load_parts(struct db *db, struct store_model *model, struct err *e)
{
	void *items;
	int rc = db_list(db, &label_kind, SQL_LABEL_LIST, DB_VALUES(V_TEXT(model->name)), &items,
			&model->labels_count, e);

	model->labels = items;
	return rc ? rc : traffic_load(db, model, e);
}

struct find {
	const char *name; /* of one, or of the one before the first */
	size_t limit;
	struct store_model *out;
	size_t count;
};

static int get_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	bool found;
	int rc = db_one(db, &model_kind, SQL_MODEL_GET, DB_VALUES(V_TEXT(find->name)), find->out, &found, e);

	if (rc) return rc;
	return found ? load_parts(db, find->out, e) : no_model(find->name, e);
}

static int model_get(struct store *s, const char *name, struct store_model *out, struct err *e)
{
	struct find find = { .name = name, .out = out };
	int rc;

	*out = (struct store_model){ 0 };
	if ((rc = store_read(s, get_tx, &find, e))) store_model_clear(out);
	return rc;
}

static int list_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	void *items;
	int rc = db_list(db, &model_kind, SQL_MODEL_LIST, DB_VALUES(V_TEXT(find->name), V_INT(find->limit)),
			&items, &find->count, e);

	for (size_t i = 0; i < find->count && !rc; i++)
		rc = load_parts(db, (struct store_model *)items + i, e);
	if (rc) db_list_clear(&model_kind, &items, &find->count);
	find->out = items;
	return rc;
}

static int model_list(struct store *s, const char *after, size_t limit, struct store_model **out,
		size_t *count, struct err *e)
{
	struct find find = { .name = after, .limit = limit };
	int rc = store_read(s, list_tx, &find, e);

	*out = find.out;
	*count = find.count;
	return rc;
}

/* ---- update, delete ---- */

static int update_tx(struct db *db, void *arg, struct err *e)
{
	const struct create *c = arg;
	int changed, rc;

	rc = db_run(db, SQL_MODEL_UPDATE,
			DB_VALUES(V_TEXT(c->name), V_TEXT(c->description), V_TEXT(c->metadata)), &changed, e);
	if (rc) return rc;
	return changed ? event_model(db, "updated", c->name, 0, NULL, e) : no_model(c->name, e);
}

static int model_update(struct store *s, const char *name, const char *description, const char *metadata,
		struct err *e)
{
	struct create c = { .name = name, .description = description, .metadata = metadata };

	return store_write(s, update_tx, &c, e);
}

struct owned { /* a version and its blob */
	int64_t number, blob;
};

static void owned_read(struct db_row *row, void *item)
{
	struct owned *owned = item;

	owned->number = row_int(row);
	owned->blob = row_int(row);
}

static const struct db_kind owned_kind = { sizeof(struct owned), owned_read, NULL };

static int drop_versions(struct db *db, const char *name, struct err *e)
{
	struct owned v;
	bool found;
	int rc;

	while (!(rc = db_one(db, &owned_kind, SQL_MODEL_BLOB, DB_VALUES(V_TEXT(name)), &v, &found, e)) &&
			found) {
		if ((rc = db_run(db, SQL_VERSION_DELETE, DB_VALUES(V_TEXT(name), V_INT(v.number)), NULL, e)))
			break;
		if ((rc = db_run(db, SQL_BLOB_DROP, DB_VALUES(V_INT(v.blob)), NULL, e))) break;
		if ((rc = garbage_add(db, GARBAGE_BLOB, v.blob, e))) break;
	}
	return rc;
}

static int delete_tx(struct db *db, void *arg, struct err *e)
{
	const char *name = arg;
	int64_t job;
	bool found;
	int rc;

	if ((rc = model_must_exist(db, name, e))) return rc;
	if ((rc = db_number(db, SQL_MODEL_JOB, DB_VALUES(V_TEXT(name)), &job, &found, e))) return rc;
	if (found)
		return err_set(e, ERR_CONFLICT,
				"job %lld runs on model \"%s\"; cancel it, or delete with ?force=true",
				(long long)job, name);
	if ((rc = db_run(db, SQL_LABEL_DELETE_ALL, DB_VALUES(V_TEXT(name)), NULL, e))) return rc;
	if ((rc = db_run(db, SQL_SHARE_DELETE_ALL, DB_VALUES(V_TEXT(name)), NULL, e))) return rc;
	if ((rc = drop_versions(db, name, e))) return rc;
	if ((rc = db_run(db, SQL_JOB_UNSERVED, DB_VALUES(V_TEXT(name)), NULL, e))) return rc;
	if ((rc = db_run(db, SQL_MODEL_DELETE, DB_VALUES(V_TEXT(name)), NULL, e))) return rc;
	return event_model(db, "deleted", name, 0, NULL, e);
}

static int model_delete(struct store *s, const char *name, struct err *e)
{
	return store_write(s, delete_tx, (void *)name, e);
}

void model_fill(struct store *s)
{
	s->model_create = model_create;
	s->model_get = model_get;
	s->model_list = model_list;
	s->model_update = model_update;
	s->model_delete = model_delete;
}
