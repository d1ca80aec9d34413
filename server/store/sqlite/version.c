/* version.c - the versions of a model, and the labels that point to them.
 *
 * The next number of a model lies in series under "version/MODEL" and stays there when the model goes.
 */
#include <stdio.h>

#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

#define SERIES_BYTES 256 /* "version/" and a model's name, which the contract bounds to 64 bytes */

static void version_read(struct db_row *row, void *item)
{
	struct store_version *v = item;

	v->model = row_text(row);
	v->number = (uint64_t)row_int(row);
	v->job = row_int(row);
	v->metrics = row_text(row);
	v->training = row_text(row);
	v->dataset = row_text(row);
	v->engine = row_text(row);
	v->size_bytes = (uint64_t)row_int(row);
	v->blob = row_int(row);
	v->created_ms = row_int(row);
}

static void version_clear(void *item)
{
	store_version_clear(item);
}

static const struct db_kind version_kind = { sizeof(struct store_version), version_read, version_clear };

static int no_version(const char *model, uint64_t number, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "model \"%s\" has no version %llu", model,
			(unsigned long long)number);
}

/* ---- publish ---- */

int version_publish(struct db *db, const char *model, int64_t job, const struct store_version_new *v,
		uint64_t *number, struct err *e)
{
	char series[SERIES_BYTES];
	int64_t next;
	int kept, rc;

	if ((rc = model_must_exist(db, model, e))) return rc;
	if ((rc = db_run(db, SQL_BLOB_KEEP, DB_VALUES(V_INT(v->blob)), &kept, e))) return rc;
	if (!kept)
		return err_set(e, ERR_NOT_FOUND,
				"the weights of this version were not stored; write them again");
	snprintf(series, sizeof series, "version/%s", model);
	if ((rc = db_number(db, SQL_SERIES_NEXT, DB_VALUES(V_TEXT(series)), &next, NULL, e))) return rc;
	*number = (uint64_t)next;
	rc = db_run(db, SQL_VERSION_NEW,
			DB_VALUES(V_TEXT(model), V_INT(next), V_INT(job), V_TEXT(v->metrics),
					V_TEXT(v->training), V_TEXT(v->dataset), V_TEXT(v->engine),
					V_INT(v->size_bytes), V_INT(v->blob), V_INT(store_now_ms())),
			NULL, e);
	return rc ? rc : event_model(db, "published", model, *number, NULL, e);
}

struct create {
	const char *model;
	const struct store_version_new *version;
	uint64_t *number;
};

static int create_tx(struct db *db, void *arg, struct err *e)
{
	const struct create *c = arg;

	return version_publish(db, c->model, 0, c->version, c->number, e);
}

static int version_create(struct store *s, const char *model, const struct store_version_new *version,
		uint64_t *number, struct err *e)
{
	struct create c = { model, version, number };
	int rc = store_write(s, create_tx, &c, e);

	if (rc) *number = 0;
	return rc;
}

/* ---- read ---- */

struct find {
	const char *model;
	uint64_t number; /* of one; of a list, all are below it */
	size_t limit;
	void *out;
	size_t count;
};

static int get_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	bool found;
	int rc = db_one(db, &version_kind, SQL_VERSION_GET,
			DB_VALUES(V_TEXT(find->model), V_INT(find->number)), find->out, &found, e);

	if (rc || found) return rc;
	if ((rc = model_must_exist(db, find->model, e))) return rc;
	return no_version(find->model, find->number, e);
}

static int version_get(
		struct store *s, const char *model, uint64_t number, struct store_version *out, struct err *e)
{
	struct find find = { .model = model, .number = number, .out = out };

	*out = (struct store_version){ 0 };
	return store_read(s, get_tx, &find, e);
}

static int list_tx(struct db *db, void *arg, struct err *e)
{
	struct find *find = arg;
	int rc = model_must_exist(db, find->model, e);

	if (rc) return rc;
	return db_list(db, &version_kind, SQL_VERSION_LIST,
			DB_VALUES(V_TEXT(find->model), V_INT(find->number ? find->number : INT64_MAX),
					V_INT(find->limit)),
			&find->out, &find->count, e);
}

static int version_list(struct store *s, const char *model, uint64_t before, size_t limit,
		struct store_version **out, size_t *count, struct err *e)
{
	struct find find = { .model = model, .number = before, .limit = limit };
	int rc = store_read(s, list_tx, &find, e);

	*out = find.out;
	*count = find.count;
	return rc;
}

/* ---- labels ---- */

static void label_read(struct db_row *row, void *item)
{
	row_fixed(row, item, SERIES_BYTES);
}

static const struct db_kind label_kind = { SERIES_BYTES, label_read, NULL };

struct label {
	const char *model, *label;
	uint64_t version;
};

int version_must_exist(struct db *db, const char *model, uint64_t number, int64_t *blob, struct err *e)
{
	bool found;
	int rc;

	if ((rc = model_must_exist(db, model, e))) return rc;
	rc = db_number(db, SQL_VERSION_BLOB, DB_VALUES(V_TEXT(model), V_INT(number)), blob, &found, e);
	return rc || found ? rc : no_version(model, number, e);
}

static int label_set_tx(struct db *db, void *arg, struct err *e)
{
	const struct label *l = arg;
	int64_t blob;
	int rc;

	if ((rc = version_must_exist(db, l->model, l->version, &blob, e))) return rc;
	rc = db_run(db, SQL_LABEL_SET, DB_VALUES(V_TEXT(l->model), V_TEXT(l->label), V_INT(l->version)), NULL,
			e);
	return rc ? rc : event_model(db, "label", l->model, l->version, l->label, e);
}

static int label_set(struct store *s, const char *model, const char *label, uint64_t version, struct err *e)
{
	struct label l = { model, label, version };

	return store_write(s, label_set_tx, &l, e);
}

static int label_delete_tx(struct db *db, void *arg, struct err *e)
{
	const struct label *l = arg;
	int gone, rc;

	if ((rc = model_must_exist(db, l->model, e))) return rc;
	rc = db_run(db, SQL_LABEL_DELETE, DB_VALUES(V_TEXT(l->model), V_TEXT(l->label)), &gone, e);
	if (rc) return rc;
	if (gone) return event_model(db, "label", l->model, 0, l->label, e);
	return err_set(e, ERR_NOT_FOUND, "model \"%s\" has no label \"%s\"", l->model, l->label);
}

static int label_delete(struct store *s, const char *model, const char *label, struct err *e)
{
	struct label l = { .model = model, .label = label };

	return store_write(s, label_delete_tx, &l, e);
}

/* ---- delete ---- */

int version_drop(struct db *db, const char *model, uint64_t number, int64_t blob, struct err *e)
{
	int rc = db_run(db, SQL_VERSION_DELETE, DB_VALUES(V_TEXT(model), V_INT(number)), NULL, e);

	if (rc) return rc;
	if ((rc = db_run(db, SQL_BLOB_DROP, DB_VALUES(V_INT(blob)), NULL, e))) return rc;
	if ((rc = garbage_add(db, GARBAGE_BLOB, blob, e))) return rc;
	return event_model(db, "unpublished", model, number, NULL, e);
}

static int delete_tx(struct db *db, void *arg, struct err *e)
{
	const struct label *v = arg;
	const struct db_value *which = DB_VALUES(V_TEXT(v->model), V_INT(v->version));
	char label[SERIES_BYTES];
	int64_t blob;
	bool found;
	int rc;

	if ((rc = version_must_exist(db, v->model, v->version, &blob, e))) return rc;
	if ((rc = db_one(db, &label_kind, SQL_LABEL_OF_VERSION, which, label, &found, e))) return rc;
	if (found)
		return err_set(e, ERR_CONFLICT,
				"label \"%s\" points to version %llu; delete the label or move it first",
				label, (unsigned long long)v->version);
	if ((rc = traffic_free_of(db, v->model, v->version, e))) return rc;
	return version_drop(db, v->model, v->version, blob, e);
}

static int version_delete(struct store *s, const char *model, uint64_t number, struct err *e)
{
	struct label v = { .model = model, .version = number };

	return store_write(s, delete_tx, &v, e);
}

void version_fill(struct store *s)
{
	s->version_create = version_create;
	s->version_get = version_get;
	s->version_list = version_list;
	s->version_delete = version_delete;
	s->label_set = label_set;
	s->label_delete = label_delete;
}
