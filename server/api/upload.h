/* upload.h - the way of a table into the store: what codec/table.h hands out becomes an upload of the store. */
#ifndef SERVER_API_UPLOAD_H
#define SERVER_API_UPLOAD_H

#include <nettle/sha2.h>

#include "server/codec/table.h"
#include "server/store/store.h"

struct upload {
	struct store *store;
	int64_t revision; /* 0: none is open */
	/* As in struct store_upload, for the commit; borrowed, set after the beginning. */
	const char *answer_key, *answer_request, *answer_location;
	int64_t token;
	uint64_t most; /* bytes: so many it may have, as upload_room said */
};

/* A sink for a table; upload is borrowed for its life. */
struct table_sink upload_sink(struct upload *upload);
int upload_begin(struct upload *upload, struct store *store, struct err *e);
/* Makes the table visible; the upload is over whatever the result. dataset, replace as in struct store_upload. */
int upload_commit(struct upload *upload, const struct table *table, const char *dataset, bool replace,
		const char *sha256, uint64_t size_bytes, enum store_outcome *outcome,
		struct store_revision *out, struct err *e);
/* An upload that changes base: it starts with the first groups of it. ERR_NOT_FOUND: base is not there any more. */
int upload_begin_change(struct upload *upload, struct store *store, const struct store_revision *base,
		uint64_t groups, struct err *e);
/* May it become this data set, with size_bytes at the least, as things are now? Before the bytes come, and whenever there are
 * more than upload->most. base: what it changes, or NULL. ERR_QUOTA, ERR_CONFLICT, ERR_NOT_FOUND: the commit would say so. */
int upload_room(struct upload *upload, const char *dataset, bool replace, const struct store_revision *base,
		uint64_t size_bytes, struct err *e);
/* As upload_commit, where base must still be the current revision (ERR_CONFLICT, ERR_NOT_FOUND). Of now, rows, groups,
 * size_bytes and sha256 are read; columns is taken over, NULL: no memory. */
int upload_commit_change(struct upload *upload, const struct store_revision *base,
		const struct store_revision *now, json_t *columns, struct store_revision *out, struct err *e);
/* What rc is while base is read for a change. Where it went meanwhile, as at the commit: ERR_CONFLICT when its data set is there
 * with others, ERR_NOT_FOUND when it was deleted. */
int upload_changed(struct store *store, const struct store_revision *base, int rc, struct err *e);
void upload_abort(struct upload *upload); /* nothing when it is over */

/* The digest of the bytes that were sent, in lower-case hex; the hash is as new afterwards. */
void upload_digest(struct sha256_ctx *hash, char out[2 * SHA256_DIGEST_SIZE + 1]);

#endif
