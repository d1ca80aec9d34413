/* sweep.c - see sweep.h.
 *
 * A step deletes pieces until STORE_CHUNK_BYTES or STEP_MS are reached, whichever is first. When no garbage is left,
 * further steps give free pages back to the file system, as long as they are more than a quarter of the file: new
 * data would use them again, and moving pages is work.
 */
#include "server/store/sqlite/sweep.h"

#include "server/store/sqlite/sqlite.h"

#define STEP_MS     15
#define VACUUM      "PRAGMA incremental_vacuum(256)" /* 2 MiB */
#define VACUUM_FROM 512                              /* free pages that are not worth it: 4 MiB */
#define VACUUM_PART 4

static const struct {
	enum sql piece, sweep; /* finds (id, size) of a piece of an owner; deletes it by id */
} kinds[GARBAGE_KINDS] = {
	[GARBAGE_SEGMENTS] = { SQL_SEGMENT_PIECE, SQL_SEGMENT_SWEEP },
	[GARBAGE_DICTIONARIES] = { SQL_DICTIONARY_PIECE, SQL_DICTIONARY_SWEEP },
	[GARBAGE_BLOB] = { SQL_BLOB_PIECE, SQL_BLOB_SWEEP },
	[GARBAGE_CURVE] = { SQL_CURVE_PIECE, SQL_CURVE_SWEEP },
	[GARBAGE_LEVELS] = { SQL_LEVEL_PIECE, SQL_LEVEL_SWEEP },
};

struct pair {
	int64_t first, second;
};

static void pair_read(struct db_row *row, void *item)
{
	struct pair *pair = item;

	pair->first = row_int(row);
	pair->second = row_int(row);
}

static const struct db_kind pair_kind = { sizeof(struct pair), pair_read, NULL };

int garbage_add(struct db *db, enum garbage kind, int64_t owner, struct err *e)
{
	if (!owner) return 0;
	db_mark_garbage(db);
	return db_run(db, SQL_GARBAGE_ADD, DB_VALUES(V_INT(kind), V_INT(owner)), NULL, e);
}

int garbage_add_curve(struct db *db, int64_t curve, struct err *e)
{
	int rc = garbage_add(db, GARBAGE_CURVE, curve, e);

	return rc ? rc : garbage_add(db, GARBAGE_LEVELS, curve, e);
}

int garbage_add_revision(struct db *db, int64_t revision, struct err *e)
{
	const struct db_value *cells = DB_VALUES(V_INT(revision), V_INT(GARBAGE_SEGMENTS));
	int rc;

	if ((rc = garbage_add(db, GARBAGE_DICTIONARIES, revision, e))) return rc;
	if ((rc = db_run(db, SQL_GARBAGE_ADD_SOURCES, cells, NULL, e))) return rc;
	if ((rc = db_run(db, SQL_PART_DROP, DB_VALUES(V_INT(revision)), NULL, e))) return rc;
	return db_run(db, SQL_GARBAGE_ADD_CELLS, cells, NULL, e);
}

/* ---- at start ---- */

static int loose_revisions(struct db *db, struct err *e)
{
	int64_t id;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_REVISION_LOOSE, DB_NO_VALUES, &id, &found, e)) && found) {
		if ((rc = db_run(db, SQL_REVISION_DROP, DB_VALUES(V_INT(id)), NULL, e))) break;
		if ((rc = garbage_add_revision(db, id, e))) break;
	}
	return rc;
}

static int loose_blobs(struct db *db, struct err *e)
{
	int64_t id;
	bool found;
	int rc;

	while (!(rc = db_number(db, SQL_BLOB_LOOSE, DB_NO_VALUES, &id, &found, e)) && found) {
		if ((rc = db_run(db, SQL_BLOB_DROP, DB_VALUES(V_INT(id)), NULL, e))) break;
		if ((rc = garbage_add(db, GARBAGE_BLOB, id, e))) break;
	}
	return rc;
}

int sweep_loose(struct db *db, struct err *e)
{
	int rc;

	if ((rc = db_begin(db, e))) return rc;
	if (!(rc = loose_revisions(db, e)) && !(rc = loose_blobs(db, e))) return db_commit(db, e);
	db_rollback(db);
	return rc;
}

/* ---- steps ---- */

/* Deletes pieces of one owner; forgets the owner when none is left. */
static int sweep_owner(struct db *db, const struct pair *garbage)
{
	const int64_t until_ms = store_clock_ms() + STEP_MS;
	struct pair piece; /* id, size */
	int64_t bytes = 0;
	bool found;
	int rc;

	do {
		if ((rc = db_one(db, &pair_kind, kinds[garbage->first].piece,
				     DB_VALUES(V_INT(garbage->second)), &piece, &found, NULL)))
			return rc;
		if (!found)
			return db_run(db, SQL_GARBAGE_DONE,
					DB_VALUES(V_INT(garbage->first), V_INT(garbage->second)), NULL, NULL);
		bytes += piece.second;
		if ((rc = db_run(db, kinds[garbage->first].sweep, DB_VALUES(V_INT(piece.first)), NULL, NULL)))
			return rc;
	} while (bytes < STORE_CHUNK_BYTES && store_clock_ms() < until_ms);
	return 0;
}

int sweep_vacuum(struct db *db, uint64_t *freed, struct err *e)
{
	int64_t page, before, after;
	int rc;

	*freed = 0;
	if ((rc = db_pragma(db, "PRAGMA page_size", &page, e))) return rc;
	if ((rc = db_pragma(db, "PRAGMA freelist_count", &before, e)) || !before) return rc;
	if ((rc = db_exec(db, VACUUM, e))) return rc;
	if ((rc = db_pragma(db, "PRAGMA freelist_count", &after, e))) return rc;
	if (after < before) *freed = (uint64_t)((before - after) * page);
	return 0;
}

/* The checkpoint cuts the file: at every step, because cutting off hundreds of MiB at once takes a while. True: there may be
 * more. */
static bool vacuum_step(struct db *db, bool *failed)
{
	int64_t pages, free_pages;
	uint64_t freed = 0;

	*failed = true;
	if (db_pragma(db, "PRAGMA page_count", &pages, NULL)) return false;
	if (db_pragma(db, "PRAGMA freelist_count", &free_pages, NULL)) return false;
	if (free_pages >= VACUUM_FROM && free_pages >= pages / VACUUM_PART) {
		if (sweep_vacuum(db, &freed, NULL)) return false;
		db_checkpoint(db, false);
	}
	*failed = false;
	return freed > 0;
}

bool sweep_step(struct db *db, bool *failed)
{
	struct pair garbage; /* kind, owner */
	bool found;

	*failed = true;
	if (db_begin(db, NULL)) return false;
	if (db_one(db, &pair_kind, SQL_GARBAGE_NEXT, DB_NO_VALUES, &garbage, &found, NULL)) goto fail;
	if (found && (garbage.first < 0 || garbage.first >= GARBAGE_KINDS)) goto fail;
	if (found && sweep_owner(db, &garbage)) goto fail;
	if (db_commit(db, NULL)) return false;
	if (!found) return vacuum_step(db, failed);
	*failed = false;
	return true;
fail:
	db_rollback(db);
	return false;
}
