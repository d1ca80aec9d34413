/* checksum.h - the checksum of a piece: a row of cells, of a dictionary, of a blob, of a curve or of drift.
 *
 * It is the CRC-32C of the values that the row was put with, in their order: numbers as eight bytes, the low one first,
 * texts with their NUL, bytes as they are. So it is of where a piece belongs, too, and a piece that is found in another's
 * place is a damaged one. Pieces of releases that had no checksums have none, which counts as right.
 */
#ifndef SERVER_STORE_SQLITE_CHECKSUM_H
#define SERVER_STORE_SQLITE_CHECKSUM_H

#include "server/store/sqlite/db.h"

#define CHECKSUM_VALUES_MAX 7

uint32_t checksum(const struct db_value *values);
/* Runs a statement that puts a piece of these values, at most CHECKSUM_VALUES_MAX; its next value is their checksum. */
int piece_put(struct db *db, enum sql id, const struct db_value *values, int *changed, struct err *e);
/* The next column of the row is the checksum of a piece: is it that of these values, or NULL? */
bool piece_whole(struct db_row *row, const struct db_value *values);

/* The tables of pieces, with the columns that their checksums are of, in that order; ended by a row without a name. */
struct piece_table {
	const char *name, *columns;
};
extern const struct piece_table piece_tables[];

/* ERR_CORRUPT, naming what is damaged. */
int segment_damaged(struct db *db, int64_t revision, uint64_t group, uint64_t column, struct err *e);
int dictionary_damaged(struct db *db, int64_t revision, uint64_t column, struct err *e);
int blob_damaged(struct db *db, int64_t blob, struct err *e);
int curve_damaged(int64_t job, struct err *e);
int drift_damaged(const char *model, uint64_t version, struct err *e);

#endif
