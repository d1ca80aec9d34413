/* datasets.c - /v1/datasets.
 *
 * A PUT streams: bytes are hashed and become the rows of an upload of the store, which nobody sees before its last
 * commit (incoming.h). Where the name is taken and neither `replace` nor another way to read the bytes is said, they
 * are only hashed: they are the same or they are refused. The same bytes change nothing, but where the request would
 * read them otherwise the answer has a warning: a 200 alone would say that the columns are what was asked for.
 */
#include "server/api/datasets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/api/columns.h"
#include "server/api/document.h"
#include "server/api/incoming.h"
#include "server/codec/definition.h"
#include "server/codec/json.h"

struct put {
	struct incoming in;
	struct idempotency key;
	bool replace;
	bool reads;                  /* the request says how, by ?types or ?decimal */
	bool alike;                  /* what is there has the columns that the request makes */
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

int dataset_answer(const struct store_revision *revision, bool created, struct reply *rp, struct err *e)
{
	if (created) {
		rp->status = 201;
		reply_header(rp, "Location", "/v1/datasets/%s", revision->dataset);
	}
	return reply_document(rp, dataset_document(revision), e);
}

/* ---- PUT ---- */

static void put_abandon(struct request *rq)
{
	struct put *put = rq->state;

	rq->state = NULL;
	if (!put) return;
	incoming_clear(&put->in);
	idempotency_end(&put->key);
	store_revision_clear(&put->there);
	free(put);
}

/* Its rows are put into an upload, or only hashed. */
static int put_open(struct request *rq, struct put *put, struct faults *faults, struct err *e)
{
	struct app *app = rq->app;
	const char *name = request_param(rq, "dataset");
	bool keep;
	int rc;

	if (put->key.answered) return incoming_open(&put->in, rq, false, faults, e);
	rc = app->store->dataset_get(app->store, name, &put->there, e);
	if (rc && rc != ERR_NOT_FOUND) return rc;
	put->reads = request_query(rq, "types") || request_query(rq, "decimal");
	keep = rc == ERR_NOT_FOUND || put->replace || put->reads;
	if ((rc = incoming_open(&put->in, rq, keep, faults, e))) return rc;
	if (!keep || (rc = upload_begin(&put->in.upload, app->store, e))) return rc;
	put->in.upload.token = rq->token;
	return incoming_room(&put->in, rq, name, put->replace, NULL, e);
}

static int put_begin(struct request *rq, struct reply *rp, struct err *e)
{
	struct faults *faults = request_faults(rq);
	struct put *put = calloc(1, sizeof *put);
	const char *name = request_param(rq, "dataset");
	int rc;

	rq->state = put;
	if (!put || !faults) {
		rc = err_nomem(e);
		goto out;
	}
	if ((rc = name_check(name, "a data set's name", e))) goto out;
	put->replace = query_flag(rq, "replace", faults);
	put->alike = true;
	if ((rc = faults_result(faults, e))) goto out;
	if ((rc = idempotency_begin(&put->key, rq, rp, e))) goto out;
	rc = put_open(rq, put, faults, e);
out:
	if (rc) put_abandon(rq);
	return rc;
}

static int put_data(struct request *rq, const char *bytes, size_t n, struct err *e)
{
	struct put *put = rq->state;

	return incoming_data(&put->in, bytes, n, e);
}

/* now has the bytes that came; are they read there as this request reads them? */
static int check_read_alike(
		const struct table *table, const struct store_revision *now, bool *alike, struct err *e)
{
	json_t *wanted = table_describe(table), *columns = NULL;
	int rc = wanted ? json_read_stored(now->columns, &columns, e) : err_nomem(e);

	*alike = !rc && columns_alike(wanted, columns);
	json_decref(wanted);
	json_decref(columns);
	return rc;
}

static int answer_unlike(const struct store_revision *now, struct reply *rp, struct err *e)
{
	json_t *document = dataset_document(now);

	json_put(document, "warnings",
			json_pack("[s]",
					"these bytes were there already, as columns of other types, and nothing was changed; "
					"&replace=true reads them anew"));
	return reply_document(rp, document, e);
}

static int finish_put(struct request *rq, struct put *put, const char *sha256, enum store_outcome *outcome,
		struct store_revision *now, struct err *e)
{
	const char *name = request_param(rq, "dataset");
	struct incoming *in = &put->in;
	int rc;

	incoming_note(in, &put->key, name);
	if (in->body) {
		rc = upload_commit(&in->upload, body_table(in->body), name, put->replace, sha256, in->bytes,
				outcome, now, e);
		if (rc || *outcome != STORE_SAME || !put->reads) return rc;
		return check_read_alike(body_table(in->body), now, &put->alike, e);
	}
	*outcome = STORE_SAME;
	if (strcmp(sha256, put->there.sha256))
		return err_set(e, ERR_CONFLICT,
				"the data set %s is there with other bytes; ?replace=true puts these in their "
				"place",
				name);
	*now = put->there;
	put->there = (struct store_revision){ 0 };
	return 0;
}

int dataset_put(struct request *rq, struct reply *rp, struct err *e)
{
	struct put *put = rq->state;
	struct store_revision now = { 0 };
	char sha256[2 * SHA256_DIGEST_SIZE + 1];
	enum store_outcome outcome;
	int rc;

	if ((rc = incoming_end(&put->in, sha256, e))) goto out;
	idempotency_request(&put->key, rq, sha256);
	if (put->key.answered) {
		rc = idempotency_repeat(&put->key, rq, rp, e);
		goto out;
	}
	if ((rc = finish_put(rq, put, sha256, &outcome, &now, e))) goto out;
	rc = put->alike ? dataset_answer(&now, outcome == STORE_CREATED, rp, e) : answer_unlike(&now, rp, e);
	if (rc) goto out;
	idempotency_keep(&put->key, rp, 0);
out:
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
