/* table.h - rows of cells to columns: types, row groups, dictionaries and what there is to say about each column.
 *
 * Rows come from a CSV body as it arrives (table_feed) or one by one (table_add). Cells are kept for one row group
 * at a time, at most TABLE_GROUP_BYTES over all columns, then handed to the sink as segments (segment.h). A column is
 * a number until its first word; the groups before that one are read back and written again as codes at the end.
 * Every number of such a category stands there in its shortest form ("1.50" as "1.5"). A number too large for a
 * double is a fault with line and column.
 *
 * Types that are said (`zip:category,age:number,day:date`) are kept to: a category then holds its cells as they were
 * sent, and a word in a column of numbers, dates or booleans is a fault with line and column. An entry splits at its
 * last colon; a name with a comma cannot be given there. Cells of a column to ignore are dropped unseen. A column
 * that was not declared is a number or a category, or a boolean while all its cells are TABLE_BOOLEAN.
 *
 * Missing, whatever the type: empty (in quotes too), NA, N/A, NaN, null, ? - in this spelling, and nothing else.
 * White space counts: " 5" is a word.
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

#include "core/err.h"
#include "server/codec/column_type.h"
#include "server/codec/csv.h"
#include "server/codec/faults.h"

#define TABLE_GROUP_BYTES      (4u << 20)
#define TABLE_VALUES_BYTES_MAX (64u << 20) /* of all dictionaries together */
#define TABLE_LISTED_MAX       1000 /* values of a column that its description lists, the most frequent first */

struct table;

/* Where a table's pieces go: an upload of the store. Each returns 0 or a code, which ends the reading. */
struct table_sink {
	void *self;
	/* Takes over data[i] (free) in every case; they become NULL. */
	int (*group)(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
			struct err *e);
	/* Another segment in the place of one. */
	int (*replace)(void *self, uint64_t group, uint64_t column, const void *data, size_t size,
			struct err *e);
	/* Reads a segment back; *data is new (free). */
	int (*read)(void *self, uint64_t group, uint64_t column, unsigned char **data, size_t *size,
			struct err *e);
	int (*dictionary)(void *self, uint64_t column, const void *data, size_t size, struct err *e);
};

enum table_cell_kind { TABLE_MISSING, TABLE_NUMBER, TABLE_TEXT, TABLE_BOOLEAN };
struct table_cell {
	enum table_cell_kind kind;
	double number;    /* of a number, or of a boolean, 0 or 1 */
	const char *text; /* of a text, and of a number that was written out; not ended by a NUL */
	size_t size;
};

/* Is the text one of the words for a missing cell? The empty one is. */
bool table_says_missing(const char *text, size_t n);

/* From CSV. types: the query parameter, NULL for none. *out is new (table_free). sink is copied, its self
 * and faults are borrowed for the table's life. Faults at "?types": a broken list, which is refused at once (with the fault's code; *out is NULL, as it is
 * when there were faults before); a name in it that is no column, found with the header. */
int table_new_csv(struct table **out, const char *types, const struct table_sink *sink, struct faults *faults,
		struct err *e);
/* Numbers have a decimal comma ("3,5"; a point makes a word then), so the delimiter is ; or a tab. Before the first byte. */
void table_decimal_comma(struct table *table);
/* From rows of another format, whose reader calls table_header once and then table_row. Else as table_new_csv. */
int table_new_rows(struct table **out, const char *types, const struct table_sink *sink,
		struct faults *faults, struct err *e);
/* Of columns that are known, for table_add: 1 to CSV_COLUMNS_MAX (else ERR_RANGE) with distinct names. Names and cells
 * are UTF-8 without NUL. */
int table_new(struct table **out, const char *const *names, const enum column_type *types, size_t count,
		const struct table_sink *sink, struct faults *faults, struct err *e);
void table_free(struct table *table);

/* To go on from an earlier revision (an append), after table_new_csv without types and before the first byte:
 *
 *   table_like             the earlier columns, in their order, with their types
 *   table_like_dictionary  of each column with codes (column_type.h), once
 *   table_like_group       every row group in its order, its segments one a column: into the statistics, not to the sink
 *
 * Then rows as ever. The body must name the same columns, in any order; a cell that its column's type does not take is a
 * fault. The sink's groups are counted on from the earlier ones, whose codes stay what they were, so that a revision of
 * the earlier groups and the new ones is whole; the dictionaries, rows, groups, bytes and the description are of both.
 *
 * columns: a description as table_describe made it; borrowed for the call. ERR_CORRUPT: damaged; ERR_TOO_LARGE: the
 * dictionaries; ERR_NOMEM. */
int table_like(struct table *table, const json_t *columns, struct err *e);
int table_like_dictionary(
		struct table *table, size_t column, const unsigned char *bytes, size_t size, struct err *e);
int table_like_group(struct table *table, const unsigned char *const *segments, const size_t *sizes,
		struct err *e);
/* Rows of a full row group, once the columns are known. */
size_t table_group_rows(const struct table *table);

/* The next bytes of the body. 0: go on, even when there are faults, so that all of them are found; the sink gets
 * nothing more then. Else nothing more need be sent, and every later call gives the same answer: a fault's code when
 * the CSV cannot be read on (the faults say where), ERR_TOO_LARGE (a record, or the dictionaries), ERR_NOMEM, or the
 * sink's code. */
int table_feed(struct table *table, const void *bytes, size_t n, struct err *e);
/* One row of as many cells as there are columns. ERR_INVALID: a cell that its column's type does not take; ERR_RANGE: a
 * number that is not finite; others as table_feed. A number in a category column is its text, or its shortest form
 * without one, in a date column its seconds since 1970, in a boolean one 0 or 1; a text in those two is read. */
int table_add(struct table *table, const struct table_cell *cells, struct err *e);
/* The same of cells as a CSV file has them, read by their columns' types. line is said in faults; those are no error
 * here, but table_end's. */
int table_add_texts(struct table *table, const struct csv_cell *cells, uint64_t line, struct err *e);
/* Ends the present row group, where one must have the rows of another one (a column that gets another type, in a
 * table of its own): at most so many as a table of more columns has in a group. Only with declared columns. */
int table_cut(struct table *table, struct err *e);
/* The columns' names: 1 to CSV_COLUMNS_MAX, distinct, UTF-8 without NUL, not empty; borrowed for the call. Names in
 * ?types that are no column become faults. Codes as table_feed. */
int table_header(struct table *table, const struct csv_cell *names, size_t count, struct err *e);
/* One row of a body after its header: cells are judged as those of CSV are, and faults get the line and the cell's
 * place. A cell of a column that was not declared stays of its kind, so a text is a word even where it reads as a
 * number; in a declared one its text is read as a CSV cell is. A boolean has "true" or "false" as its text, and is 1 or
 * 0 in a column that was declared a number. A number without a text is finite. The kinds may be changed. */
int table_row(struct table *table, struct table_cell *cells, uint64_t line, struct err *e);
/* After the last row: the last group, the columns to be rewritten, the dictionaries (of every category). ERR_INVALID:
 * there are no rows. A table with faults never ends well: they then stand in the order of the body, and the code is
 * that of the first one. */
int table_end(struct table *table, struct err *e);

/* Memory of the dictionaries now, on the thread that feeds; NULL: 0. */
size_t table_dictionary_bytes(const struct table *table);

/* After table_end. */
uint64_t table_rows(const struct table *table);
size_t table_columns(const struct table *table);
uint64_t table_groups(const struct table *table);
uint64_t table_bytes(const struct table *table); /* of all segments and dictionaries */
/* The columns as the HTTP contract describes them, new; NULL: no memory. A category: name, type, "declared" (true, or
 * not there), missing, distinct,
 * values [{value,count}] (the most frequent first, equals by value); "hint", a sentence, where the
 * column was not declared and all its values are dates. A boolean: the same. A column to ignore: name and type. A
 * number, or a date in seconds: name, type, missing, min, max, mean, std
 * (of a sample), "quartiles" and "histogram" (table_profile.h; only up to PROFILE_COLUMNS_MAX columns), and for those who resolve definitions "integers" (all are whole), "distinct" and "values", all of them,
 * each in its shortest decimal form as a string. "distinct" of numbers is null when there are more than
 * TABLE_LISTED_MAX different ones, "values" is then absent. At most TABLE_LISTED_MAX values are listed a column, fewer
 * when the lists of all columns of the kind pass about a MiB: numbers may have "distinct" without "values" then, so
 * compare the two. min, max and mean are null when every cell is missing, std also when all but one are. */
json_t *table_describe(const struct table *table);

#endif
