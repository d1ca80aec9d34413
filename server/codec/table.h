/* table.h - rows of cells to columns: types, row groups, dictionaries and what there is to say about each column.
 *
 * Rows come from a CSV body as it arrives (table_feed) or one by one (table_add). Cells are kept for one row group
 * at a time, about TABLE_GROUP_BYTES over all columns, then handed to the sink as segments (segment.h). A column is
 * a number until its first word; the groups before that one are read back and written again as codes at the end,
 * a number standing there in its shortest form. Types that are said (`zip:category,age:number`) are kept to: a
 * category then holds its cells as they were sent, and a word in a number column is a fault with line and column.
 * Missing: empty, NA, N/A, NaN, null, ?.
 *
 * Memory: one row group, the dictionaries (TABLE_VALUES_BYTES_MAX in all), a little for each column. It does not
 * grow with the rows.
 */
#ifndef SERVER_CODEC_TABLE_H
#define SERVER_CODEC_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/encoder.h"
#include "core/err.h"
#include "server/codec/faults.h"

#define TABLE_GROUP_BYTES      (4u << 20)
#define TABLE_VALUES_BYTES_MAX (64u << 20) /* of all dictionaries together */
#define TABLE_LISTED_MAX       1000        /* values of a column that its description lists, the most frequent first */

struct table;

/* Where a table's pieces go: an upload of the store. Each returns 0 or a code, which ends the reading. */
struct table_sink {
	void *self;
	/* Takes over data[i] (free) in every case; they become NULL. */
	int (*group)(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
			struct err *e);
	/* Another segment in the place of one. */
	int (*replace)(void *self, uint64_t group, uint64_t column, const void *data, size_t size, struct err *e);
	/* Reads a segment back; *data is new (free). */
	int (*read)(void *self, uint64_t group, uint64_t column, unsigned char **data, size_t *size, struct err *e);
	int (*dictionary)(void *self, uint64_t column, const void *data, size_t size, struct err *e);
};

enum table_cell_kind { TABLE_MISSING, TABLE_NUMBER, TABLE_TEXT };
struct table_cell {
	enum table_cell_kind kind;
	double number; /* of a number */
	int digits;    /* significant decimal digits it was written with (number.h) */
	const char *text; /* of a text, and of a number that was written out; not ended by a NUL */
	size_t size;
};

/* From CSV. types: the query parameter, NULL for none. Faults: a broken list, found at once; a name in it that is
 * no column, found with the header. *out is new (table_free). sink and faults are borrowed for its life. */
int table_new_csv(struct table **out, const char *types, const struct table_sink *sink, struct faults *faults,
		struct err *e);
/* Of columns that are known, for table_add. */
int table_new(struct table **out, const char *const *names, const enum column_kind *kinds, size_t count,
		const struct table_sink *sink, struct faults *faults, struct err *e);
void table_free(struct table *table);

/* The next bytes of the body. ERR_CSV (faults say where), ERR_INVALID, ERR_TOO_LARGE, ERR_NOMEM or the sink's code
 * when nothing more need be sent. */
int table_feed(struct table *table, const void *bytes, size_t n, struct err *e);
/* One row of as many cells as there are columns. ERR_INVALID: a text in a number column. */
int table_add(struct table *table, const struct table_cell *cells, struct err *e);
/* After the last row: the last group, the columns to be rewritten, the dictionaries. ERR_INVALID: there are no
 * rows. A table with faults never ends well: the code is that of the first one. */
int table_end(struct table *table, struct err *e);

/* After table_end. */
uint64_t table_rows(const struct table *table);
size_t table_columns(const struct table *table);
uint64_t table_groups(const struct table *table);
uint64_t table_bytes(const struct table *table); /* of all segments and dictionaries */
/* The columns as api.md section 2 describes them, new; NULL: no memory. A category: name, type, missing, distinct,
 * values [{value,count}] (TABLE_LISTED_MAX, most frequent first, equals by value). A number: name, type, missing,
 * min, max, mean, std (sample), and for those who resolve definitions "integers" (whole numbers only), "distinct"
 * and "values" (as {value,count}, the value in its shortest decimal form as a string) when there are at most
 * TABLE_LISTED_MAX different ones, else "distinct" null. min, max, mean, std are null when every cell is missing. */
json_t *table_describe(const struct table *table);

#endif
