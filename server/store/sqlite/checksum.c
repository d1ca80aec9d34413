/* checksum.c - checksums of pieces, and what is said when one is wrong. See checksum.h. */
#include "server/store/sqlite/checksum.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"

/* ---- checksums ---- */

uint32_t checksum(const struct db_value *values)
{
	uint32_t crc = 0;

	for (; values->type != DB_END; values++) {
		uint64_t number = htole64((uint64_t)values->number);

		if (values->type == DB_INT)
			crc = crc32c_more(crc, &number, sizeof number);
		else if (values->type == DB_TEXT)
			crc = crc32c_more(crc, values->data, strlen(values->data) + 1);
		else if (values->size)
			crc = crc32c_more(crc, values->data, values->size);
	}
	return crc;
}

int piece_put(struct db *db, enum sql id, const struct db_value *values, int *changed, struct err *e)
{
	struct db_value with[CHECKSUM_VALUES_MAX + 2];
	size_t n = 0;

	for (; values[n].type != DB_END && n < CHECKSUM_VALUES_MAX; n++)
		with[n] = values[n];
	with[n] = (struct db_value)V_INT(checksum(values));
	with[n + 1] = (struct db_value){ .type = DB_END };
	return db_run(db, id, with, changed, e);
}

bool piece_whole(struct db_row *row, const struct db_value *values)
{
	bool none = row_is_null(row);
	int64_t stored = row_int(row);

	return none || stored == checksum(values);
}

const struct piece_table piece_tables[] = {
	{ "segment", "revision, row_group, column_index, data" },
	{ "dictionary", "revision, column_index, chunk, data" },
	{ "blob_chunk", "blob, chunk, data" },
	{ "curve_block", "curve, first_epoch, last_epoch, points, first_event, data" },
	{ "curve_level", "curve, level, first_key, last_key, spans, data" },
	{ "drift", "model, version, data" },
	{ NULL, NULL },
};

/* ---- what is damaged ---- */

#define WHAT_TO_DO "is damaged in the database; descentd check says what else is: restore it from a backup"

/* What the statement calls it, new; NULL: nothing, and then it has another name. */
static char *name_of(struct db *db, enum sql who, int64_t id)
{
	struct db_row row = { 0 };
	bool found = false;

	if (db_start(db, who, DB_VALUES(V_INT(id)), &row.stmt, NULL) || db_next(db, row.stmt, &found, NULL) ||
			!found)
		return NULL;
	return row_text(&row);
}

int segment_damaged(struct db *db, int64_t revision, uint64_t group, uint64_t column, struct err *e)
{
	char *name = name_of(db, SQL_REVISION_SAYS, revision);

	err_set(e, ERR_CORRUPT, "row group %llu of column %llu of %s " WHAT_TO_DO,
			(unsigned long long)group + 1, (unsigned long long)column + 1,
			name ? name : "a data set");
	free(name);
	return ERR_CORRUPT;
}

int dictionary_damaged(struct db *db, int64_t revision, uint64_t column, struct err *e)
{
	char *name = name_of(db, SQL_REVISION_SAYS, revision);

	err_set(e, ERR_CORRUPT, "the list of values of column %llu of %s " WHAT_TO_DO,
			(unsigned long long)column + 1, name ? name : "a data set");
	free(name);
	return ERR_CORRUPT;
}

int blob_damaged(struct db *db, int64_t blob, struct err *e)
{
	char *name = name_of(db, SQL_BLOB_SAYS, blob);

	err_set(e, ERR_CORRUPT, "%s " WHAT_TO_DO, name ? name : "what was stored");
	free(name);
	return ERR_CORRUPT;
}

int curve_damaged(int64_t job, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the curve of job %lld " WHAT_TO_DO, (long long)job);
}

int drift_damaged(const char *model, uint64_t version, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "what was counted of version %llu of model %s " WHAT_TO_DO,
			(unsigned long long)version, model);
}
