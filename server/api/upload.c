/* upload.c - a table into the store. See upload.h. */
#include "server/api/upload.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/codec/json.h"

static int on_group(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
		struct err *e)
{
	struct upload *upload = self;
	struct store_bytes *bytes = calloc(count, sizeof *bytes);
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (bytes)
			bytes[i] = (struct store_bytes){ data[i], sizes[i] };
		else
			free(data[i]);
		data[i] = NULL;
	}
	if (!bytes) return err_nomem(e);
	rc = upload->store->upload_group(upload->store, upload->revision, group, bytes, count, e);
	free(bytes);
	return rc;
}

static int on_replace(
		void *self, uint64_t group, uint64_t column, const void *data, size_t size, struct err *e)
{
	struct upload *upload = self;

	return upload->store->upload_segment(upload->store, upload->revision, group, column, data, size, e);
}

static int on_read(void *self, uint64_t group, uint64_t column, unsigned char **data, size_t *size,
		struct err *e)
{
	struct upload *upload = self;
	struct store_bytes bytes = { 0 };
	int rc = upload->store->segment_read(upload->store, upload->revision, group, column, &bytes, e);

	*data = bytes.data;
	*size = bytes.size;
	return rc;
}

static int on_dictionary(void *self, uint64_t column, const void *data, size_t size, struct err *e)
{
	struct upload *upload = self;

	return upload->store->upload_dictionary(upload->store, upload->revision, column, data, size, e);
}

struct table_sink upload_sink(struct upload *upload)
{
	return (struct table_sink){ upload, on_group, on_replace, on_read, on_dictionary };
}

int upload_begin(struct upload *upload, struct store *store, struct err *e)
{
	*upload = (struct upload){ .store = store };
	return store->upload_begin(store, &upload->revision, e);
}

/* columns is taken over and becomes what's. */
static int commit(struct upload *upload, struct store_upload *what, json_t *columns,
		enum store_outcome *outcome, struct store_revision *out, struct err *e)
{
	char *text = columns ? json_text(columns, false) : NULL;
	int64_t revision = upload->revision;
	int rc;

	json_decref(columns);
	if (!text) {
		upload_abort(upload);
		return err_nomem(e);
	}
	what->columns = text;
	what->answer_key = upload->answer_key;
	what->answer_request = upload->answer_request;
	what->answer_location = upload->answer_location;
	what->token = upload->token;
	upload->revision = 0;
	rc = upload->store->upload_commit(upload->store, revision, what, outcome, out, e);
	free(text);
	return rc;
}

int upload_commit(struct upload *upload, const struct table *table, const char *dataset, bool replace,
		const char *sha256, uint64_t size_bytes, enum store_outcome *outcome,
		struct store_revision *out, struct err *e)
{
	struct store_upload what = {
		.dataset = dataset,
		.replace = replace,
		.rows = table_rows(table),
		.columns_count = table_columns(table),
		.groups = table_groups(table),
		.size_bytes = size_bytes,
		.sha256 = sha256,
	};

	return commit(upload, &what, table_describe(table), outcome, out, e);
}

int upload_commit_change(struct upload *upload, const struct store_revision *base,
		const struct store_revision *now, json_t *columns, struct store_revision *out, struct err *e)
{
	struct store_upload what = {
		.dataset = base->dataset,
		.base = base->id,
		.rows = now->rows,
		.columns_count = base->columns_count,
		.groups = now->groups,
		.size_bytes = now->size_bytes,
		.sha256 = now->sha256,
	};
	enum store_outcome outcome;

	return commit(upload, &what, columns, &outcome, out, e);
}

int upload_begin_change(struct upload *upload, struct store *store, const struct store_revision *base,
		uint64_t groups, struct err *e)
{
	int rc = upload_begin(upload, store, e);

	if (!rc) rc = store->upload_share(store, upload->revision, base->id, groups, e);
	if (rc) upload_abort(upload);
	return rc;
}

int upload_room(struct upload *upload, const char *dataset, bool replace, const struct store_revision *base,
		uint64_t size_bytes, struct err *e)
{
	const struct store_upload what = {
		.dataset = dataset,
		.replace = replace,
		.base = base ? base->id : 0,
		.size_bytes = size_bytes,
		.token = upload->token,
	};

	return upload->store->upload_room(upload->store, upload->revision, &what, &upload->most, e);
}

int upload_changed(struct store *store, const struct store_revision *base, int rc, struct err *e)
{
	struct store_revision now = { 0 };

	if (rc != ERR_NOT_FOUND) return rc;
	rc = store->dataset_get(store, base->dataset, &now, e);
	store_revision_clear(&now);
	if (rc == ERR_NOT_FOUND)
		return err_set(e, rc, "data set \"%s\" was deleted meanwhile; nothing was changed",
				base->dataset);
	if (rc) return rc;
	return err_set(e, ERR_CONFLICT,
			"data set \"%s\" was changed meanwhile; nothing was changed by this request: send it again",
			base->dataset);
}

void upload_abort(struct upload *upload)
{
	if (upload->revision) upload->store->upload_abort(upload->store, upload->revision);
	upload->revision = 0;
}

void upload_digest(struct sha256_ctx *hash, char out[2 * SHA256_DIGEST_SIZE + 1])
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(hash, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
