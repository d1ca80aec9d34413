/* cells.h - the cells of a stored data set, one row group at a time, as the values that people sent.
 *
 * Memory: the cells of one row group (8 bytes each, about TABLE_GROUP_BYTES) and the dictionaries.
 */
#ifndef SERVER_API_CELLS_H
#define SERVER_API_CELLS_H

#include <jansson.h>

#include "server/codec/number.h"
#include "server/codec/table.h"
#include "server/store/store.h"

#define CELL_TEXT_MAX NUMBER_PRINT_MAX /* bytes of room for what is not stored as a text */

struct cells;

/* Of a revision that need not be committed; columns is its stored description, columns_kept already. *out is new
 * (cells_free). Dictionaries are read, when they are needed, from `dictionaries`, which may be another revision.
 * ERR_CORRUPT, ERR_NOMEM. */
int cells_new(struct cells **out, struct store *store, int64_t revision, int64_t dictionaries,
		const json_t *columns, struct err *e);
void cells_free(struct cells *cells); /* NULL is fine */

/* Reads a row group, all columns or one; the cells of the group before are gone. ERR_NOT_FOUND: one of the
 * revisions is not there any more; ERR_CORRUPT, ERR_NOMEM. */
int cells_read(struct cells *cells, uint64_t group, struct err *e);
int cells_read_column(struct cells *cells, uint64_t group, size_t column, struct err *e);
size_t cells_rows(const struct cells *cells); /* of the group that was read last */

/* A cell as table_add takes it: a text is borrowed until cells_free. */
void cells_get(const struct cells *cells, size_t column, size_t row, struct table_cell *out);
/* Its text: a number's shortest form, a date as ISO 8601, "true" or "false"; NULL: missing. Borrowed, or in room; no
 * NUL. */
const char *cells_text(
		const struct cells *cells, size_t column, size_t row, char room[CELL_TEXT_MAX], size_t *n);
/* Of the cells as they are stored. */
enum column_type cells_type(const struct cells *cells, size_t column);

#endif
