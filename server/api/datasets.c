/* datasets.c - /v1/datasets.
 *
 * A PUT streams: bytes are hashed and go through the table's state machine into an upload of the store, which
 * nobody sees before its last commit. Where the name is taken and neither `replace` nor `types` is said, the bytes
 * are only hashed: they are the same or they are refused.
 */
#include "server/api/datasets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/api/columns.h"
#include "server/api/document.h"
#include "server/api/upload.h"
#include "server/codec/definition.h"
#include "server/codec/json.h"

struct incoming {
	struct upload upload;
	struct table *table; /* NULL: the bytes are only hashed */
	struct sha256_ctx hash;
	uint64_t bytes;
	bool replace;
	struct store_revision there; /* the data set of that name, when there is one */
};

json_t *dataset_document(const struct store_revision *revision)
{
	json_t *out = json_object();

	json_put(out, "name", json_string(revision->dataset));
	json_put(out, "revision", json_id((int64_t)revision->number));
	json_put(out, "rows", json_integer((json_int_t)revision->rows));
	json_put(out, "size_bytes", json_integer((json_int_t)revision->size_bytes));
	json_put(out, "sha256", json_string(revision->sha256));
	json_put(out, "created_at", json_time(revision->created_ms));
	json_put(out, "columns", columns_document(revision->columns));
	return out;
}

/* ---- PUT ---- */

static void incoming_free(struct incoming *in)
{
	if (!in) return;
	upload_abort(&in->upload);
	table_free(in->table);
	store_revision_clear(&in->there);
	free(in);
}

static void put_abandon(struct request *rq)
{
	incoming_free(rq->state);
	rq->state = NULL;
}

static int begin_table(
		struct incoming *in, struct app *app, const char *types, struct faults *faults, struct err *e)
{
	struct table_sink sink = upload_sink(&in->upload);
	int rc = upload_begin(&in->upload, app->store, e);

	return rc ? rc : table_new_csv(&in->table, types, &sink, faults, e);
}

static int put_begin(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct incoming *in = calloc(1, sizeof *in);
	const char *name = request_param(rq, "dataset"), *types = request_query(rq, "types");
	int rc;

	(void)rp;
	rq->state = in;
	if (!in || !faults) {
		rc = err_nomem(e);
		goto out;
	}
	sha256_init(&in->hash);
	if ((rc = name_check(name, "a data set's name", e))) goto out;
	in->replace = query_flag(rq, "replace", faults);
	if ((rc = faults_result(faults, e))) goto out;
	rc = app->store->dataset_get(app->store, name, &in->there, e);
	if (rc && rc != ERR_NOT_FOUND) goto out;
	rc = rc == ERR_NOT_FOUND || in->replace || types ? begin_table(in, app, types, faults, e) : 0;
out:
	if (rc) put_abandon(rq);
	return rc;
}

static int put_data(struct request *rq, const char *bytes, size_t n, struct err *e)
{
	struct incoming *in = rq->state;

	sha256_update(&in->hash, n, (const uint8_t *)bytes);
	in->bytes += n;
	return in->table ? table_feed(in->table, bytes, n, e) : 0;
}

static int finish_put(struct request *rq, struct incoming *in, enum store_outcome *outcome,
		struct store_revision *now, struct err *e)
{
	const char *name = request_param(rq, "dataset");
	char sha256[65];
	int rc;

	upload_digest(&in->hash, sha256);
	if (in->table) {
		if ((rc = table_end(in->table, e))) return rc;
		return upload_commit(&in->upload, in->table, name, in->replace, sha256, in->bytes, outcome,
				now, e);
	}
	*outcome = STORE_SAME;
	if (strcmp(sha256, in->there.sha256))
		return err_set(e, ERR_CONFLICT,
				"the data set %s is there with other bytes; ?replace=true puts these in their "
				"place",
				name);
	*now = in->there;
	in->there = (struct store_revision){ 0 };
	return 0;
}

int dataset_put(struct request *rq, struct reply *rp, struct err *e)
{
	struct incoming *in = rq->state;
	struct store_revision now = { 0 };
	enum store_outcome outcome;
	int rc;

	if (!(rc = finish_put(rq, in, &outcome, &now, e))) {
		if (outcome == STORE_CREATED) {
			rp->status = 201;
			reply_header(rp, "Location", "/v1/datasets/%s", now.dataset);
		}
		rc = reply_document(rp, dataset_document(&now), e);
	}
	store_revision_clear(&now);
	put_abandon(rq);
	return rc;
}

const struct route_stream dataset_stream = { put_begin, put_data, put_abandon };

/* ---- the others ---- */

int dataset_list(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_revision *found = NULL;
	json_t *items;
	struct page page;
	size_t count = 0;
	int rc;

	if ((rc = page_read(rq, &page, NULL, e))) return rc;
	if ((rc = app->store->dataset_list(app->store, page.after, page.limit + 1, &found, &count, e)))
		return rc;
	items = json_array();
	for (size_t i = 0; i < count && i < page.limit; i++)
		json_array_append_new(items, dataset_document(&found[i]));
	rc = reply_page(rq, rp, "datasets", items, &page,
			count > page.limit ? found[page.limit - 1].dataset : NULL, e);
	for (size_t i = 0; i < count; i++)
		store_revision_clear(&found[i]);
	free(found);
	return rc;
}

int dataset_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_revision found = { 0 };
	int rc = app->store->dataset_get(app->store, request_param(rq, "dataset"), &found, e);

	if (!rc) rc = reply_document(rp, dataset_document(&found), e);
	store_revision_clear(&found);
	return rc;
}

int dataset_delete(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;

	rp->status = 204;
	return app->store->dataset_delete(app->store, request_param(rq, "dataset"), e);
}
