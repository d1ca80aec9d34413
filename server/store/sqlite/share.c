/* share.c - revisions that share row groups with others, so that rows are added and columns changed without a copy.
 *
 * The first groups of a revision may be parts (schema/sqlite/0002_revisions.sql): runs of groups that another revision
 * has the segments of. A part's column is -1 for all columns; a column that was written anew in some revision has parts
 * of its own beside it, and a segment of the revision itself counts before either. Parts always name who has the
 * segments: what shares a sharing revision gets copies of its parts, a few rows, so that reading a cell is one step
 * however many changes came before.
 *
 * The cells of a revision are garbage once its row is gone and no part names it; garbage_add_revision says so in the
 * transaction that takes the last of these away. Cells are kept or swept as a whole: groups or columns of theirs that
 * nobody shares any more stay with the others.
 */
#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/sqlite.h"

struct share {
	int64_t revision, source;
	uint64_t groups;
};

static int source_must_have(struct db *db, const struct share *s, struct err *e)
{
	struct store_revision source;
	uint64_t groups;
	bool found;
	int rc;

	rc = db_one(db, &revision_kind, SQL_REVISION_GET, DB_VALUES(V_INT(s->source)), &source, &found, e);
	if (rc) return rc;
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "these data are no longer there; name the current data set");
	groups = source.groups;
	store_revision_clear(&source);
	return s->groups <= groups
			       ? 0
			       : err_set(e, ERR_RANGE, "there are %llu row groups to share, not %llu",
						 (unsigned long long)groups, (unsigned long long)s->groups);
}

/* What was shared or written before would be hidden. */
static int must_be_empty(struct db *db, const struct share *s, struct err *e)
{
	int64_t there;
	bool found;
	int rc = db_number(db, SQL_SEGMENT_PIECE, DB_VALUES(V_INT(s->revision)), &there, &found, e);

	if (rc) return rc;
	if (!found && (rc = db_number(db, SQL_PART_GROUPS, DB_VALUES(V_INT(s->revision)), &there, NULL, e)))
		return rc;
	return there ? err_set(e, ERR_RANGE, "row groups are shared before all others, and once") : 0;
}

static int share_tx(struct db *db, void *arg, struct err *e)
{
	static const enum sql steps[] = { SQL_PART_COPY, SQL_PART_OWN_GROUPS, SQL_PART_OWN_COLUMNS };
	const struct share *s = arg;
	int rc;

	if ((rc = source_must_have(db, s, e)) || (rc = must_be_empty(db, s, e))) return rc;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && s->groups && !rc; i++)
		rc = db_run(db, steps[i],
				DB_VALUES(V_INT(s->revision), V_INT(s->source), V_INT(s->groups - 1)), NULL,
				e);
	return rc;
}

static int upload_share(struct store *s, int64_t revision, int64_t source, uint64_t groups, struct err *e)
{
	struct share share = { revision, source, groups };
	int rc = upload_ready(s, revision, e);

	upload_settle(s, revision);
	return rc ? rc : store_write(s, share_tx, &share, e);
}

int share_change(struct db *db, int64_t revision, uint64_t group, uint64_t column, const void *data,
		size_t size, bool *there, struct err *e)
{
	int64_t one;
	int rc;

	rc = db_number(db, SQL_SEGMENT_SHARED, DB_VALUES(V_INT(revision), V_INT(group), V_INT(column)), &one,
			there, e);
	if (rc || !*there) return rc;
	return piece_put(db, SQL_SEGMENT_PUT,
			DB_VALUES(V_INT(revision), V_INT(group), V_INT(column), V_BYTES(data, size)), NULL,
			e);
}

int share_settle(struct db *db, int64_t revision, struct err *e)
{
	int64_t groups, one;
	bool in_part;
	int rc;

	if ((rc = db_number(db, SQL_PART_GROUPS, DB_VALUES(V_INT(revision)), &groups, NULL, e)) || !groups)
		return rc;
	if ((rc = db_number(db, SQL_PART_CHANGED, DB_VALUES(V_INT(revision)), &one, &in_part, e))) return rc;
	if (in_part)
		return err_set(e, ERR_INVALID,
				"a column was changed in some of the row groups that are shared, not in all");
	return db_run(db, SQL_PART_HIDE, DB_VALUES(V_INT(revision)), NULL, e);
}

void share_fill(struct store *s)
{
	s->upload_share = upload_share;
}
