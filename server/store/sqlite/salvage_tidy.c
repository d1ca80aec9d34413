/* salvage_tidy.c - makes rows that were copied a database again. See salvage.h. */
#include <stdio.h>

#include "server/store/sqlite/checksum.h"
#include "server/store/sqlite/salvage.h"
#include "server/store/sqlite/sweep.h"

#define SQL_BYTES 1024

/* ---- pieces ---- */

/* The columns of a row, from the third on, as values. */
static void values_of(sqlite3_stmt *row, struct db_value values[CHECKSUM_VALUES_MAX + 1])
{
	int count = sqlite3_column_count(row) - 2;

	for (int i = 0; i < count; i++) {
		int at = i + 2;

		switch (sqlite3_column_type(row, at)) {
		case SQLITE_INTEGER: values[i] = (struct db_value)V_INT(sqlite3_column_int64(row, at)); break;
		case SQLITE_TEXT: values[i] = (struct db_value)V_TEXT(sqlite3_column_text(row, at)); break;
		default:
			values[i] = (struct db_value)V_BYTES(
					sqlite3_column_blob(row, at), (size_t)sqlite3_column_bytes(row, at));
		}
	}
	values[count] = (struct db_value){ .type = DB_END };
}

static int run(struct salvage *s, sqlite3_stmt *stmt, int64_t id, int64_t crc, struct err *e)
{
	int code;

	sqlite3_bind_int64(stmt, 1, id);
	if (sqlite3_bind_parameter_count(stmt) > 1) sqlite3_bind_int64(stmt, 2, crc);
	code = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	return code == SQLITE_DONE ? 0 : db_fail(s->to, code, e);
}

/* A piece whose checksum is wrong goes; one that has none gets it. */
static int check_pieces(struct salvage *s, const struct piece_table *table, struct err *e)
{
	sqlite3_stmt *read = NULL, *drop = NULL, *sum = NULL;
	struct db_value values[CHECKSUM_VALUES_MAX + 1];
	char sql[SQL_BYTES];
	int rc, code = SQLITE_OK;

	snprintf(sql, sizeof sql, "SELECT rowid, crc, %s FROM %s NOT INDEXED ORDER BY rowid", table->columns,
			table->name);
	if ((rc = salvage_prepare(s->to, sql, &read, e))) goto out;
	snprintf(sql, sizeof sql, "DELETE FROM %s WHERE rowid = ?1", table->name);
	if ((rc = salvage_prepare(s->to, sql, &drop, e))) goto out;
	snprintf(sql, sizeof sql, "UPDATE %s SET crc = ?2 WHERE rowid = ?1", table->name);
	if ((rc = salvage_prepare(s->to, sql, &sum, e))) goto out;
	while (!rc && (code = sqlite3_step(read)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(read, 0), crc;
		bool none = sqlite3_column_type(read, 1) == SQLITE_NULL;

		values_of(read, values);
		crc = checksum(values);
		if (none)
			rc = run(s, sum, id, crc, e);
		else if (crc != sqlite3_column_int64(read, 1)) {
			salvage_left_out(s, "row %lld of the table %s has a wrong checksum", (long long)id,
					table->name);
			rc = run(s, drop, id, 0, e);
		}
	}
	if (!rc && code != SQLITE_DONE) rc = db_fail(s->to, code, e);
out:
	sqlite3_finalize(read);
	sqlite3_finalize(drop);
	sqlite3_finalize(sum);
	return rc;
}

/* What the log says of a change is shown to whoever watches, as it is. */
static int check_log(struct salvage *s, struct err *e)
{
	sqlite3_stmt *read = NULL, *drop = NULL;
	int code = SQLITE_OK, rc;

	if ((rc = salvage_prepare(s->to, "SELECT id, data FROM event", &read, e)) ||
			(rc = salvage_prepare(s->to, "DELETE FROM event WHERE id = ?1", &drop, e)))
		goto out;
	while (!rc && (code = sqlite3_step(read)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(read, 1);
		int64_t id = sqlite3_column_int64(read, 0);

		if (text && s->document(text)) continue;
		salvage_left_out(s, "event %lld of the log is no document", (long long)id);
		rc = run(s, drop, id, 0, e);
	}
	if (!rc && code != SQLITE_DONE) rc = db_fail(s->to, code, e);
out:
	sqlite3_finalize(read);
	sqlite3_finalize(drop);
	return rc;
}

/* ---- rows ---- */

#define NO_VERSION(table)                                                                                 \
	"DELETE FROM " table " WHERE NOT EXISTS (SELECT 1 FROM version v WHERE v.model = " table ".model" \
	" AND v.number = " table ".version)"
#define NAMED_BLOBS \
	"(SELECT blob FROM version UNION SELECT blob FROM checkpoint UNION SELECT output FROM job)"
#define SERIES(name, next, from)                                               \
	"INSERT INTO series (name, next) SELECT " name ", " next " FROM " from \
	" ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)"

/* In this order. `says` is of the rows that went; NULL: it is no loss. */
static const struct {
	const char *sql, *says;
} steps[] = {
	{ "DELETE FROM dataset WHERE revision NOT IN (SELECT id FROM revision)",
			"data sets without their revision" },
	{ "INSERT OR IGNORE INTO dataset (name, revision) SELECT dataset, max(id) FROM revision"
	  " WHERE state = 2 AND dataset IS NOT NULL GROUP BY dataset",
			NULL },
	{ "DELETE FROM part WHERE revision NOT IN (SELECT id FROM revision)", NULL },
	{ "DELETE FROM version WHERE model NOT IN (SELECT name FROM model)", "versions without their model" },
	{ "DELETE FROM version WHERE blob NOT IN (SELECT id FROM blob)", "versions without their weights" },
	{ NO_VERSION("label"), "labels of versions that are not there" },
	{ NO_VERSION("traffic"), "parts of the traffic of versions that are not there" },
	{ NO_VERSION("drift"), NULL },
	{ "DELETE FROM checkpoint WHERE job NOT IN (SELECT id FROM job) OR NOT EXISTS (SELECT 1 FROM blob b"
	  " WHERE b.id = checkpoint.blob AND b.size_bytes ="
	  " (SELECT coalesce(sum(length(data)), 0) FROM blob_chunk c WHERE c.blob = b.id))",
			"checkpoints without their job or some of their bytes" },
	{ "UPDATE job SET output = 0 WHERE output > 0 AND output NOT IN (SELECT id FROM blob)",
			"predictions of jobs without their bytes" },
	{ "DELETE FROM notify WHERE job NOT IN (SELECT id FROM job)", NULL },
	/* What nothing names is taken by the next start. */
	{ "UPDATE blob SET state = id IN " NAMED_BLOBS " WHERE state <> (id IN " NAMED_BLOBS ")", NULL },
	{ "DELETE FROM garbage", NULL },
	{ "INSERT INTO garbage SELECT DISTINCT 0, revision FROM segment WHERE revision NOT IN (SELECT id FROM revision)"
	  " AND revision NOT IN (SELECT source FROM part)",
			NULL },
	{ "INSERT INTO garbage SELECT DISTINCT 1, revision FROM dictionary WHERE revision NOT IN (SELECT id FROM revision)",
			NULL },
	{ "INSERT INTO garbage SELECT DISTINCT 2, blob FROM blob_chunk WHERE blob NOT IN (SELECT id FROM blob)",
			NULL },
	{ "INSERT INTO garbage SELECT DISTINCT 3, curve FROM curve_block WHERE curve NOT IN (SELECT curve FROM job)",
			NULL },
	{ "INSERT INTO garbage SELECT DISTINCT 4, curve FROM curve_level WHERE curve NOT IN (SELECT curve FROM job)",
			NULL },
	/* Numbers that were given are not given again. */
	{ SERIES("'event'",
			  "1 + max(coalesce((SELECT max(id) FROM event), 0),"
			  " coalesce((SELECT max(first_event + points - 1) FROM curve_block), 0))",
			  "(SELECT 1) WHERE 1"),
			NULL },
	{ SERIES("'curve'",
			  "1 + max(coalesce((SELECT max(curve) FROM curve_block), 0),"
			  " coalesce((SELECT max(curve) FROM job), 0))",
			  "(SELECT 1) WHERE 1"),
			NULL },
	{ SERIES("'version/' || model", "1 + max(version)",
			  "(SELECT model, number AS version FROM version UNION ALL SELECT model, version FROM job WHERE version > 0)"
			  " WHERE 1 GROUP BY model"),
			NULL },
};

_Static_assert(GARBAGE_SEGMENTS == 0 && GARBAGE_DICTIONARIES == 1 && GARBAGE_BLOB == 2 &&
				GARBAGE_CURVE == 3 && GARBAGE_LEVELS == 4 && GARBAGE_KINDS == 5,
		"the steps above have these numbers");

int salvage_tidy(struct salvage *s, struct err *e)
{
	int rc = 0;

	for (const struct piece_table *table = piece_tables; table->name && !rc; table++)
		rc = check_pieces(s, table, e);
	if (!rc) rc = check_log(s, e);
	for (size_t i = 0; i < sizeof steps / sizeof *steps && !rc; i++) {
		rc = db_exec(s->to, steps[i].sql, e);
		if (!rc && steps[i].says && sqlite3_changes(db_handle(s->to)))
			salvage_left_out(s, "%d %s", sqlite3_changes(db_handle(s->to)), steps[i].says);
	}
	return rc;
}
