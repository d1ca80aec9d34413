/* upload.c - data sets on their way in: a revision that is not visible before the last commit.
 *
 * The thread that uploads parses while the writer writes: row groups are queued, GROUPS_AHEAD at most, with their
 * memory. A fault in writing one is kept in the upload and told by its next call. Everything else waits for its
 * own commit. The list of uploads lives in memory only: after a crash no upload goes on, and sweep_loose takes what
 * they left.
 */
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/event.h"
#include "server/store/sqlite/sqlite.h"
#include "server/store/sqlite/sweep.h"

#define GROUPS_AHEAD 2

struct upload {
	int64_t id;        /* of the revision */
	unsigned underway; /* groups that are queued */
	int rc;            /* the first fault */
	struct err e;
	int64_t token;  /* whose bytes are counted (upload_room); 0: nobody's */
	uint64_t bytes; /* that it sends, as far as it was asked */
	struct upload *next;
};

/* A row group in the writer's queue. */
struct group {
	struct sqlite_store *sq;
	struct upload *upload; /* stays as long as groups are under way */
	uint64_t number;
	size_t count;
	struct store_bytes segments[]; /* (count) */
};

/* ---- the list ---- */

static struct upload *upload_find(struct sqlite_store *sq, int64_t id)
{
	struct upload *u = sq->uploads;

	while (u && u->id != id)
		u = u->next;
	return u;
}

/* Waits until at most limit groups are under way, then says how the upload stands. The lock is held. */
static int upload_wait(
		struct sqlite_store *sq, int64_t id, unsigned limit, struct upload **out, struct err *e)
{
	struct upload *u = upload_find(sq, id);

	*out = u;
	if (!u) return err_set(e, ERR_NOT_FOUND, "this upload is over; start another one");
	while (u->underway > limit)
		pthread_cond_wait(&sq->uploads_change, &sq->uploads_lock);
	if (u->rc && e) *e = u->e;
	return u->rc;
}

int upload_ready(struct store *s, int64_t id, struct err *e)
{
	struct sqlite_store *sq = sqlite_of(s);
	struct upload *u;
	int rc;

	pthread_mutex_lock(&sq->uploads_lock);
	rc = upload_wait(sq, id, GROUPS_AHEAD, &u, e);
	pthread_mutex_unlock(&sq->uploads_lock);
	return rc;
}

void upload_settle(struct store *s, int64_t revision)
{
	struct sqlite_store *sq = sqlite_of(s);
	struct upload *u;

	pthread_mutex_lock(&sq->uploads_lock);
	upload_wait(sq, revision, 0, &u, NULL);
	pthread_mutex_unlock(&sq->uploads_lock);
}

/* Takes the upload out of the list once nothing of it is under way; its fault, or 0. */
static int upload_end(struct sqlite_store *sq, int64_t id, struct err *e)
{
	struct upload *u, **at = &sq->uploads;
	int rc;

	pthread_mutex_lock(&sq->uploads_lock);
	rc = upload_wait(sq, id, 0, &u, e);
	if (u) {
		while (*at != u)
			at = &(*at)->next;
		*at = u->next;
	}
	pthread_mutex_unlock(&sq->uploads_lock);
	free(u);
	return rc;
}

void uploads_forget(struct sqlite_store *sq)
{
	for (struct upload *u = sq->uploads, *next; u; u = next) {
		next = u->next;
		free(u);
	}
	sq->uploads = NULL;
}

/* ---- begin, abort ---- */

static int begin_tx(struct db *db, void *arg, struct err *e)
{
	struct upload *u = arg;
	int rc = db_run(db, SQL_REVISION_NEW, DB_NO_VALUES, NULL, e);

	u->id = db_last_id(db);
	return rc;
}

static int upload_begin(struct store *s, int64_t *revision, struct err *e)
{
	struct sqlite_store *sq = sqlite_of(s);
	struct upload *u = calloc(1, sizeof *u);
	int rc;

	*revision = 0;
	if (!u) return err_nomem(e);
	if ((rc = store_write(s, begin_tx, u, e))) {
		free(u);
		return rc;
	}
	pthread_mutex_lock(&sq->uploads_lock);
	u->next = sq->uploads;
	sq->uploads = u;
	*revision = u->id;
	pthread_mutex_unlock(&sq->uploads_lock);
	return 0;
}

static int drop_tx(struct db *db, void *arg, struct err *e)
{
	int64_t id = *(int64_t *)arg;
	int gone, rc;

	if ((rc = db_run(db, SQL_REVISION_DROP_LOOSE, DB_VALUES(V_INT(id)), &gone, e))) return rc;
	return gone ? garbage_add_revision(db, id, e) : 0;
}

/* What fails here is taken by sweep_loose at the next start. */
static void upload_abort(struct store *s, int64_t revision)
{
	upload_end(sqlite_of(s), revision, NULL);
	store_write(s, drop_tx, &revision, NULL);
}

/* ---- row groups ---- */

static void group_free(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		store_bytes_clear(&group->segments[i]);
	free(group);
}

static int group_tx(struct db *db, void *arg, struct err *e)
{
	struct group *g = arg;
	int rc = 0;

	for (size_t i = 0; i < g->count && !rc; i++)
		rc = piece_put(db, SQL_SEGMENT_PUT,
				DB_VALUES(V_INT(g->upload->id), V_INT(g->number), V_INT(i),
						V_BYTES(g->segments[i].data, g->segments[i].size)),
				NULL, e);
	return rc;
}

static void group_done(void *arg, int rc, const struct err *e)
{
	struct group *g = arg;
	struct sqlite_store *sq = g->sq;
	struct upload *u = g->upload;

	group_free(g);
	pthread_mutex_lock(&sq->uploads_lock);
	if (rc && !u->rc) {
		u->rc = rc;
		u->e = *e;
	}
	u->underway--;
	pthread_cond_broadcast(&sq->uploads_change);
	pthread_mutex_unlock(&sq->uploads_lock);
}

/* *out takes over the memory of bytes, in every case. */
static int group_new(struct group **out, struct store_bytes *bytes, size_t count, struct err *e)
{
	size_t room = size_add(sizeof **out, size_mul(count, sizeof *bytes)), size = 0;
	struct group *group = room == SIZE_MAX ? NULL : malloc(room);

	*out = group;
	if (group) group->count = count;
	for (size_t i = 0; i < count; i++) {
		size = size_add(size, bytes[i].size);
		if (group)
			group->segments[i] = bytes[i];
		else
			free(bytes[i].data);
		bytes[i] = (struct store_bytes){ 0 };
	}
	if (!group) return err_nomem(e);
	if (size <= STORE_CHUNK_BYTES) return 0;
	group_free(group);
	*out = NULL;
	return err_set(e, ERR_RANGE, "a row group of %zu bytes is larger than %u; put fewer rows into it",
			size, STORE_CHUNK_BYTES);
}

static int upload_group(struct store *s, int64_t revision, uint64_t number, struct store_bytes *bytes,
		size_t count, struct err *e)
{
	struct sqlite_store *sq = sqlite_of(s);
	struct group *group;
	struct upload *u;
	int rc;

	if ((rc = group_new(&group, bytes, count, e))) return rc;
	group->sq = sq;
	group->number = number;
	pthread_mutex_lock(&sq->uploads_lock);
	rc = upload_wait(sq, revision, GROUPS_AHEAD - 1, &u, e);
	if (!rc) {
		group->upload = u;
		u->underway++;
		if ((rc = writer_post(sq->writer, group_tx, group_done, group, e))) u->underway--;
	}
	pthread_mutex_unlock(&sq->uploads_lock);
	if (rc) group_free(group);
	return rc;
}

/* ---- single segments and dictionaries ---- */

struct piece {
	int64_t revision;
	uint64_t group, column; /* group: of a dictionary, the chunk */
	const unsigned char *data;
	size_t size;
};

static int segment_tx(struct db *db, void *arg, struct err *e)
{
	const struct piece *p = arg;
	int changed, rc;

	bool there;

	rc = piece_put(db, SQL_SEGMENT_CHANGE,
			DB_VALUES(V_INT(p->revision), V_INT(p->group), V_INT(p->column),
					V_BYTES(p->data, p->size)),
			&changed, e);
	if (rc || changed) return rc;
	if ((rc = share_change(db, p->revision, p->group, p->column, p->data, p->size, &there, e)) || there)
		return rc;
	return err_set(e, ERR_NOT_FOUND, "there is no column %llu in row group %llu to be replaced",
			(unsigned long long)p->column, (unsigned long long)p->group);
}

static int upload_segment(struct store *s, int64_t revision, uint64_t group, uint64_t column,
		const void *data, size_t size, struct err *e)
{
	struct piece piece = { revision, group, column, data, size };
	int rc;

	if (size > STORE_CHUNK_BYTES)
		return err_set(e, ERR_RANGE,
				"a segment of %zu bytes is larger than %u; put fewer rows into it", size,
				STORE_CHUNK_BYTES);
	if ((rc = upload_ready(s, revision, e))) return rc;
	return store_write_bulk(s, segment_tx, &piece, e);
}

static int dictionary_tx(struct db *db, void *arg, struct err *e)
{
	const struct piece *p = arg;

	return piece_put(db, SQL_DICTIONARY_PUT,
			DB_VALUES(V_INT(p->revision), V_INT(p->column), V_INT(p->group),
					V_BYTES(p->data, p->size)),
			NULL, e);
}

/* Its last chunk is the first that is shorter than PIECE_BYTES, if need be an empty one. */
static int upload_dictionary(struct store *s, int64_t revision, uint64_t column, const void *data,
		size_t size, struct err *e)
{
	int rc = upload_ready(s, revision, e);

	for (size_t at = 0, chunk = 0; !rc && at <= size; at += PIECE_BYTES, chunk++) {
		size_t left = size - at;
		struct piece piece = { revision, chunk, column, (const unsigned char *)data + at,
			left < PIECE_BYTES ? left : PIECE_BYTES };

		rc = store_write_bulk(s, dictionary_tx, &piece, e);
	}
	return rc;
}

/* ---- commit ---- */

struct commit {
	int64_t id;
	const struct store_upload *upload;
	enum store_outcome *outcome;
	struct store_revision *out; /* first the current revision, if any; in the end the result */
};

static int make_visible(struct db *db, const struct commit *c, uint64_t number, struct err *e)
{
	const struct store_upload *u = c->upload;
	int rc = share_settle(db, c->id, e);

	if (rc) return rc;
	return db_run(db, SQL_REVISION_FILL,
			DB_VALUES(V_INT(c->id), V_TEXT(u->dataset), V_INT(number), V_INT(u->rows),
					V_INT(u->columns_count), V_INT(u->groups), V_INT(u->size_bytes),
					V_TEXT(u->sha256), V_TEXT(u->columns), V_INT(store_now_ms())),
			NULL, e);
}

/* The revision becomes the current one of its data set; old (0: none) gives way. */
static int put_current(struct db *db, const struct commit *c, int64_t old, uint64_t number, struct err *e)
{
	int rc;

	if ((rc = make_visible(db, c, number, e))) return rc;
	rc = db_run(db, SQL_DATASET_SET,
			DB_VALUES(V_TEXT(c->upload->dataset), V_INT(c->id), V_INT(c->upload->token)), NULL,
			e);
	if (rc || (rc = quota_hold(db, c->upload->token, STORE_QUOTA_DATASETS, e)) ||
			(rc = quota_hold(db, c->upload->token, STORE_QUOTA_BYTES, e)))
		return rc;
	if ((rc = event_dataset(db, old ? "replaced" : "created", c->upload->dataset, number, e))) return rc;
	if (!old) return 0;
	if ((rc = db_run(db, SQL_REVISION_RETIRE, DB_VALUES(V_INT(old)), NULL, e))) return rc;
	return revision_release(db, old, e);
}

/* The same bytes again; with replace, only when they are also read as the same columns. */
static bool same(const struct store_upload *u, const struct store_revision *current)
{
	return !strcmp(u->sha256, current->sha256) && (!u->replace || !strcmp(u->columns, current->columns));
}

/* May the upload take the place of the current revision (there: c->out)? */
static int may_replace(const struct commit *c, bool there, struct err *e)
{
	const struct store_upload *u = c->upload;

	if (!u->base) {
		if (!there || u->replace) return 0;
		return err_set(e, ERR_CONFLICT,
				"data set \"%s\" is there with other bytes; add ?replace=true to make a new revision",
				u->dataset);
	}
	if (!there)
		return err_set(e, ERR_NOT_FOUND, "data set \"%s\" was deleted meanwhile; nothing was changed",
				u->dataset);
	if (c->out->id == u->base) return 0;
	return err_set(e, ERR_CONFLICT,
			"data set \"%s\" was changed meanwhile and is at revision %llu; nothing was changed: look at it, then send again",
			u->dataset, (unsigned long long)c->out->number);
}

static int note_answer(struct db *db, const struct commit *c, struct err *e)
{
	const struct store_upload *u = c->upload;
	const struct store_answer answer = { .request = (char *)u->answer_request,
		.location = (char *)(*c->outcome == STORE_CREATED ? u->answer_location : NULL) };

	return u->answer_key ? answer_new(db, u->answer_key, &answer, e) : 0;
}

static int commit_tx(struct db *db, void *arg, struct err *e)
{
	struct commit *c = arg;
	const struct store_upload *u = c->upload;
	bool there = false;
	int rc;

	if (u->dataset) {
		rc = db_one(db, &revision_kind, SQL_DATASET_GET, DB_VALUES(V_TEXT(u->dataset)), c->out,
				&there, e);
		if (rc) return rc;
	}
	*c->outcome = there ? STORE_REPLACED : STORE_CREATED;
	if (there && !u->base && same(u, c->out)) {
		*c->outcome = STORE_SAME;
		return drop_tx(db, &c->id, e);
	}
	if ((rc = may_replace(c, there, e))) return rc;
	rc = u->dataset ? put_current(db, c, c->out->id, there ? c->out->number + 1 : 1, e)
			: make_visible(db, c, 1, e);
	if (rc || (rc = note_answer(db, c, e))) return rc;
	store_revision_clear(c->out);
	return db_one(db, &revision_kind, SQL_REVISION_GET, DB_VALUES(V_INT(c->id)), c->out, &there, e);
}

static int upload_commit(struct store *s, int64_t revision, const struct store_upload *upload,
		enum store_outcome *outcome, struct store_revision *out, struct err *e)
{
	struct commit commit = { revision, upload, outcome, out };
	int rc;

	*out = (struct store_revision){ 0 };
	rc = upload_end(sqlite_of(s), revision, e);
	if (!rc) rc = store_write(s, commit_tx, &commit, e);
	if (!rc) return 0;
	store_revision_clear(out);
	store_write(s, drop_tx, &revision, NULL);
	return rc;
}

/* ---- what could be committed ---- */

struct room {
	const struct store_upload *upload;
	uint64_t sent;      /* bytes of its size that come with it */
	uint64_t most;      /* that it may have */
	int64_t most_bytes; /* of all data sets of the token */
};

/* What a commit asks, of what there is now. */
static int room_tx(struct db *db, void *arg, struct err *e)
{
	struct room *r = arg;
	const struct store_upload *u = r->upload;
	struct store_revision current = { 0 };
	const struct commit c = { .upload = u, .out = &current };
	bool there;
	int rc = db_one(db, &revision_kind, SQL_DATASET_GET, DB_VALUES(V_TEXT(u->dataset)), &current, &there,
			e);

	if (rc) return rc;
	if (there && !u->base && !u->replace && u->size_bytes <= current.size_bytes)
		r->most = current.size_bytes; /* they may be the same, which changes nothing */
	else if (!(rc = may_replace(&c, there, e)))
		rc = quota_room(db, u->token, u->dataset, u->size_bytes, &r->most_bytes, e);
	if (u->base) r->sent -= current.size_bytes;
	store_revision_clear(&current);
	return rc;
}

/* Counts what is sent under a token with a quota. The others under way are not committed, so that each may fit alone. */
static int count_sent(struct sqlite_store *sq, int64_t id, const struct room *r, struct err *e)
{
	uint64_t others = 0;
	struct upload *mine;
	int rc = 0;

	pthread_mutex_lock(&sq->uploads_lock);
	for (const struct upload *u = sq->uploads; u; u = u->next)
		if (u->id != id && u->token == r->upload->token) others += u->bytes;
	if (others + r->sent > (uint64_t)r->most_bytes)
		rc = err_set(e, ERR_QUOTA,
				"this token may keep data sets of %lld bytes, and its uploads under way have as many: wait for one "
				"to end, then send again",
				(long long)r->most_bytes);
	else if ((mine = upload_find(sq, id))) {
		mine->token = r->upload->token;
		mine->bytes = r->sent;
	}
	pthread_mutex_unlock(&sq->uploads_lock);
	return rc;
}

static int upload_room(struct store *s, int64_t revision, const struct store_upload *upload, uint64_t *most,
		struct err *e)
{
	struct room room = { upload, upload->size_bytes, UINT64_MAX, STORE_NO_QUOTA };
	int rc = store_read(s, room_tx, &room, e);

	*most = room.most_bytes == STORE_NO_QUOTA ? room.most : upload->size_bytes;
	return rc || room.most_bytes == STORE_NO_QUOTA ? rc : count_sent(sqlite_of(s), revision, &room, e);
}

void upload_fill(struct store *s)
{
	s->upload_begin = upload_begin;
	s->upload_room = upload_room;
	s->upload_group = upload_group;
	s->upload_segment = upload_segment;
	s->upload_dictionary = upload_dictionary;
	s->upload_commit = upload_commit;
	s->upload_abort = upload_abort;
}
