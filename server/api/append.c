/* append.c - PATCH /v1/datasets/{name}: more rows of the same columns, as a new revision.
 *
 * The new revision shares the row groups of the present one, and its rows come after them. Only a last group that is
 * less than half full is not shared: its rows are put again before the new ones, so that many small appends do not
 * leave as many small groups. The shared groups are read once, into the statistics, so that what is said of each
 * column is said of all rows; dictionaries are written anew, the old values keeping their codes.
 *
 * The commit asks that the present revision is still the one that was begun with: of two appends at once the one
 * that ends later gets 409, as does one whose data set was replaced, and nothing of it stays.
 *
 * The digest of an appended revision is SHA-256 over the hex digest of the revision before and that of the bytes that
 * were sent (without gzip): who has both can say it, and who has the file as one piece sees that this is another.
 */
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/api/cells.h"
#include "server/api/columns.h"
#include "server/api/datasets.h"
#include "server/api/document.h"
#include "server/api/incoming.h"
#include "server/codec/json.h"
#include "server/codec/segment.h"

struct append {
	struct incoming in;
	struct idempotency key;
	struct table *table; /* of in.body */
	struct store_revision base;
	json_t *columns;              /* of base, as they are stored */
	struct cells *last;           /* the last group of base, when it is taken over */
	struct store_bytes *segments; /* (columns_count), of one group */
};

static void append_free(struct append *a)
{
	if (!a) return;
	for (uint64_t i = 0; a->segments && i < a->base.columns_count; i++)
		store_bytes_clear(&a->segments[i]);
	free(a->segments);
	cells_free(a->last);
	incoming_clear(&a->in);
	idempotency_end(&a->key);
	json_decref(a->columns);
	store_revision_clear(&a->base);
	free(a);
}

static void append_abandon(struct request *rq)
{
	append_free(rq->state);
	rq->state = NULL;
}

/* ---- what is there already ---- */

/* *groups: so many of base's groups are shared; the last one is read into a->last when it is not among them. */
static int look_at_last(
		struct append *a, struct store *store, const json_t *kept, uint64_t *groups, struct err *e)
{
	unsigned char head[SEGMENT_HEADER_BYTES];
	size_t rows, whole;
	int rc;

	*groups = a->base.groups;
	if (!*groups) return 0;
	rc = store->segment_head(store, a->base.id, *groups - 1, 0, head, sizeof head, &whole, e);
	if (rc || (rc = segment_rows(head, whole, &rows, e))) return rc;
	if (rows >= table_group_rows(a->table) / 2) return 0;
	--*groups;
	rc = cells_new(&a->last, store, a->base.id, a->base.id, kept, e);
	return rc ? rc : cells_read(a->last, *groups, e);
}

static int read_dictionaries(struct append *a, struct store *store, const json_t *kept, struct err *e)
{
	struct store_bytes bytes = { 0 };
	int rc = 0;

	for (size_t i = 0; i < json_array_size(kept) && !rc; i++) {
		const char *name = json_string_value(json_object_get(json_array_get(kept, i), "type"));
		enum column_type type;

		if (!name || !column_type_find(name, &type) || !column_type_has_codes(type)) continue;
		rc = store->dictionary_read(store, a->base.id, i, &bytes, e);
		if (!rc) rc = table_like_dictionary(a->table, i, bytes.data, bytes.size, e);
	}
	store_bytes_clear(&bytes);
	return rc;
}

/* One shared group into the statistics. The upload has it, so that it stays when base goes. */
static int take_group(struct append *a, struct store *store, uint64_t group, const unsigned char **data,
		size_t *sizes, struct err *e)
{
	int rc = 0;

	for (uint64_t i = 0; i < a->base.columns_count && !rc; i++) {
		rc = store->segment_read(store, a->in.upload.revision, group, i, &a->segments[i], e);
		data[i] = a->segments[i].data;
		sizes[i] = a->segments[i].size;
	}
	return rc ? rc : table_like_group(a->table, data, sizes, e);
}

static int take_groups(struct append *a, struct store *store, uint64_t groups, struct err *e)
{
	const unsigned char **data = calloc(a->base.columns_count, sizeof *data);
	size_t *sizes = calloc(a->base.columns_count, sizeof *sizes);
	int rc = 0;

	a->segments = calloc(a->base.columns_count, sizeof *a->segments);
	if (!data || !sizes || !a->segments) rc = err_nomem(e);
	for (uint64_t group = 0; group < groups && !rc; group++)
		rc = take_group(a, store, group, data, sizes, e);
	free(data);
	free(sizes);
	return rc;
}

/* The rows of a->last, as if they were sent again. */
static int put_again(struct append *a, struct err *e)
{
	struct table_cell *cells = calloc(a->base.columns_count, sizeof *cells);
	int rc = cells ? 0 : err_nomem(e);

	for (size_t row = 0; a->last && row < cells_rows(a->last) && !rc; row++) {
		for (size_t i = 0; i < a->base.columns_count; i++)
			cells_get(a->last, i, row, &cells[i]);
		rc = table_add(a->table, cells, e);
	}
	free(cells);
	return rc;
}

static int go_on(struct append *a, const struct request *rq, struct faults *faults, struct err *e)
{
	struct app *app = rq->app;
	json_t *kept = NULL;
	uint64_t groups;
	int rc;

	if ((rc = json_read_stored(a->base.columns, &a->columns, e))) return rc;
	if (!(kept = columns_kept(a->columns))) return err_nomem(e);
	if ((rc = incoming_open(&a->in, rq, true, faults, e))) goto out;
	a->table = body_table(a->in.body);
	if ((rc = table_like(a->table, kept, e))) goto out;
	if ((rc = look_at_last(a, app->store, kept, &groups, e))) goto out;
	if ((rc = upload_begin_change(&a->in.upload, app->store, &a->base, groups, e))) goto out;
	a->in.upload.token = rq->token;
	if ((rc = incoming_room(&a->in, rq, a->base.dataset, false, &a->base, e))) goto out;
	if ((rc = read_dictionaries(a, app->store, kept, e))) goto out;
	if ((rc = take_groups(a, app->store, groups, e))) goto out;
	rc = put_again(a, e);
	cells_free(a->last);
	a->last = NULL;
out:
	json_decref(kept);
	return upload_changed(app->store, &a->base, rc, e);
}

/* ---- the request ---- */

static int append_begin(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct append *a = calloc(1, sizeof *a);
	int rc;

	rq->state = a;
	if (!a || !faults) {
		rc = err_nomem(e);
		goto out;
	}
	if ((rc = idempotency_begin(&a->key, rq, rp, e))) goto out;
	if (a->key.answered) {
		rc = incoming_open(&a->in, rq, false, faults, e);
		goto out;
	}
	rc = app->store->dataset_get(app->store, request_param(rq, "dataset"), &a->base, e);
	if (!rc) rc = go_on(a, rq, faults, e);
out:
	if (rc) append_abandon(rq);
	return rc;
}

static int append_data(struct request *rq, const char *bytes, size_t n, struct err *e)
{
	struct append *a = rq->state;

	return incoming_data(&a->in, bytes, n, e);
}

/* The digest of base and of what was sent becomes that of both. */
static void chain_digest(const struct append *a, char sha256[2 * SHA256_DIGEST_SIZE + 1])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, strlen(a->base.sha256), (const uint8_t *)a->base.sha256);
	sha256_update(&hash, strlen(sha256), (const uint8_t *)sha256);
	upload_digest(&hash, sha256);
}

/* sha256: of what was sent. */
static int append_end(struct append *a, const char *sha256, struct store_revision *out, struct err *e)
{
	struct store_revision now = { 0 };

	strcpy(now.sha256, sha256);
	now.size_bytes = a->base.size_bytes + a->in.bytes;
	now.rows = table_rows(a->table);
	now.groups = table_groups(a->table);
	if (now.rows == a->base.rows)
		return err_set(e, ERR_INVALID, "there are no rows to append; send at least one");
	chain_digest(a, now.sha256);
	incoming_note(&a->in, &a->key, NULL);
	return upload_commit_change(&a->in.upload, &a->base, &now,
			columns_ignore_again(table_describe(a->table), a->columns), out, e);
}

int dataset_patch(struct request *rq, struct reply *rp, struct err *e)
{
	struct append *a = rq->state;
	struct store_revision now = { 0 };
	char sha256[2 * SHA256_DIGEST_SIZE + 1];
	int rc;

	if ((rc = incoming_end(&a->in, sha256, e))) goto out;
	idempotency_request(&a->key, rq, sha256);
	if (a->key.answered) {
		rc = idempotency_repeat(&a->key, rq, rp, e);
		goto out;
	}
	if ((rc = append_end(a, sha256, &now, e))) goto out;
	if ((rc = dataset_answer(&now, false, rp, e))) goto out;
	idempotency_keep(&a->key, rp, 0);
out:
	store_revision_clear(&now);
	append_abandon(rq);
	return rc;
}

const struct route_stream append_stream = { append_begin, append_data, append_abandon };
