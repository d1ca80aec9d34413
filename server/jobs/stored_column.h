/* stored_column.h - one column of a stored data set, a row group at a time, as it is stored: for columns that say something about
 * rows and need not be shown to a network.
 */
#ifndef SERVER_JOBS_STORED_COLUMN_H
#define SERVER_JOBS_STORED_COLUMN_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/codec/column_type.h"
#include "server/store/store.h"

struct stored_column;

/* *out is new (stored_column_free); store and revision are borrowed for its life. ERR_INVALID: there is no such column. */
int stored_column_new(struct stored_column **out, struct store *store, const struct store_revision *revision,
		const char *column, struct err *e);
void stored_column_free(struct stored_column *column);
enum column_type stored_column_type(const struct stored_column *column);

/* Reads a group; *rows is how many it has. */
int stored_column_read(struct stored_column *column, uint64_t group, size_t *rows, struct err *e);
/* Of the group, borrowed until the next one; NaN where one is missing. NULL: the column is stored as codes. */
const double *stored_column_numbers(const struct stored_column *column);
/* Of the group likewise, SEGMENT_CODE_MISSING where one is missing. NULL: it is stored as numbers. */
const uint32_t *stored_column_codes(const struct stored_column *column);
/* *code is that of a text; SEGMENT_CODE_MISSING - 1, which no cell has, when the column does not have it. */
int stored_column_code(
		struct stored_column *column, const char *text, size_t length, uint32_t *code, struct err *e);

#endif
