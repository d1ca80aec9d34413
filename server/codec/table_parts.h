/* table_parts.h - what the files of the table share; only they and their tests include it.
 *
 * table.c has a table's life: rows in, row groups out (table_group.c), the end. table_cell.c says what a cell is, table_column.c puts
 * it into its column and makes segments of them. table_values.c is a category's dictionary as it grows, table_stats.c takes numbers into statistics,
 * table_tally.c has the distinct ones while they are few, table_profile.c their spread, table_types.c the query parameter, table_like.c goes on from an earlier revision,
 * table_describe.c is the description.
 *
 * Every cell of the present row group is a double: a number itself, or the code of a category's value; NaN is a
 * missing cell in both. So memory for cells is 8 bytes each, a column turns from numbers to codes in place, and no
 * segment is larger than its header and 8 bytes a row.
 */
#ifndef SERVER_CODEC_TABLE_PARTS_H
#define SERVER_CODEC_TABLE_PARTS_H

#include "server/codec/csv.h"
#include "server/codec/table.h"
#include "server/codec/table_profile.h"

#define TABLE_TALLY_BYTES_MAX (16u << 20) /* of the distinct numbers of all columns together */

/* Memory that several things share: what they hold and how much they may. */
struct budget {
	size_t used, max;
};

/* ---- table_values.c ---- */

struct value_slot {
	uint32_t hash, code;
};

/* The distinct values of a category in the order they came: a value's place is its code. Found by open addressing,
 * at most half of the slots being full. Zeroed is empty; its address must not change. */
struct values {
	char *text;
	size_t text_room;
	uint32_t *ends; /* (count) of their texts; each starts where the one before ends */
	size_t count, room;
	struct value_slot *slots; /* (slots_count), a power of two */
	size_t slots_count;
	uint64_t *counts; /* (counts_room), cells that hold them */
	size_t counts_room;
};

/* Folds the two halves of a 128-bit product (the mixing step of Wang's wyhash). With a salt in it, a hash that nobody
 * can send colliding keys for. */
static inline uint64_t table_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The code of a value, which is added when it is new. ERR_TOO_LARGE: it does not fit the budget; ERR_NOMEM. No
 * sentence is written. */
int values_code(struct values *values, struct budget *budget, const char *text, size_t n, uint32_t *code);
/* Counts cells by their codes (n), all of them below known or missing. Another thread may add values beyond those
 * meanwhile. ERR_NOMEM. */
int values_count(struct values *values, size_t known, const uint32_t *codes, size_t n);
uint64_t values_counted(const struct values *values, size_t code);
const char *values_text(const struct values *values, size_t code, size_t *n); /* borrowed, no NUL */
/* How many values are not there for later only: a boolean has both, whatever its cells are. */
size_t values_present(const struct values *values);
/* As dictionary_write of segment.h. */
int values_write(const struct values *values, unsigned char **bytes, size_t *size, struct err *e);
void values_free(struct values *values, struct budget *budget);

/* ---- table_tally.c ---- */

/* The distinct numbers of a column with their counts, until there are more than TABLE_LISTED_MAX of them or the
 * budget has no room. Zeroed is empty; its address must not change. */
struct tally {
	struct tally_cell *cells; /* (cells_count), a power of two, at most half full */
	size_t cells_count, count;
	bool given_up;
};

/* Counts x (n), none of them NaN; -0 is 0. How many it took: fewer than n, or n, when it has given up. It then holds
 * what it counted until tally_free. */
size_t tally_count(struct tally *tally, struct budget *budget, const double *x, size_t n);
/* All numbers in ascending order, new (free); NULL: no memory. */
struct tally_cell *tally_list(const struct tally *tally, size_t *count);
void tally_free(struct tally *tally, struct budget *budget); /* does not undo given_up */

/* ---- table_stats.c ---- */

struct table;
struct column;

/* Takes the cells (rows) of a column of numbers into what is said of it. scratch (rows). ERR_NOMEM. */
int stats_take(struct table *table, struct column *column, const double *cells, size_t rows, double *scratch,
		struct err *e);

void stats_drop_profile(struct column *column);

/* ---- the table ---- */

/* Of the numbers of a column. squares is the sum of squared distances to the mean. A long double, where it is
 * wider than a double, keeps sums and squares of the largest numbers finite. */
struct stats {
	uint64_t count;
	long double mean, squares;
	double min, max;
};

/* What a column's cells are in the group that is on its way out. */
struct leaving {
	const double *cells; /* (rows) */
	bool codes;          /* below values_count */
	size_t values_count;
};

struct column {
	char *name;
	enum column_type type;
	bool declared;          /* the type was said; else a number becomes a category with its first word */
	bool integers;          /* all numbers so far are whole */
	uint64_t infinite_line; /* of CSV, where an infinity is; 0: nowhere */
	double *cells;          /* (group_rows), borrowed from the table */
	struct leaving leaving;
	uint64_t late_groups; /* of codes: so many groups, from the first, were stored as numbers */
	uint64_t missing;
	struct stats stats;
	struct tally tally;
	struct table_profile *profile; /* of what the tally gave up; NULL: there is none */
	struct values values;
};

struct type { /* one entry of ?types */
	const char *name;
	enum column_type type;
};

struct table {
	struct table_sink sink;
	struct faults *faults;
	struct csv *csv; /* NULL: rows come by table_add */
	char *types_text;
	struct type *types; /* (types_count), names in types_text */
	size_t types_count;

	struct column *columns; /* (count) */
	const char **names;     /* (count + 1), the last NULL; of the columns */
	size_t count;
	size_t *places; /* (count), where a column's cell is in a record; NULL: in its own place */
	double *cells;  /* (count, group_rows) */
	double *spare;  /* (count, group_rows), of the group on its way out; NULL before the second */
	struct table_writer *writer;
	uint64_t flushed;     /* groups that left, or are about to */
	uint32_t *codes;      /* (group_rows), scratch */
	double *dense;        /* (group_rows), scratch */
	unsigned char **data; /* (count), segments on their way to the sink */
	size_t *sizes;        /* (count) */

	bool decimal_comma;             /* of CSV */
	size_t group_bytes, group_rows; /* a group's limit; tests make it smaller before the header comes */
	struct budget values, tallies;
	size_t row; /* of the present group */
	uint64_t rows, groups, bytes;

	bool over; /* nothing more is read: ended is why */
	int ended;
	struct err why;
};

/* Is there a fault? Then cells are still looked at, but nothing is kept. */
bool table_spoiled(const struct table *table);

/* ---- table_cell.c ---- */

/* What a cell of a CSV body is in this column, of a type that column_put takes; false: a fault, which was added. line
 * is of its record. */
bool column_judge(struct table *table, struct column *column, const char *text, size_t n, uint64_t line,
		struct table_cell *cell);
/* The same of a cell that has a kind (table_row). */
bool column_receive(struct table *table, struct column *column, struct table_cell *cell, uint64_t line);
/* An infinity as C, Python and JavaScript print it? */
bool cell_is_infinite(const char *text, size_t n);
/* Says that the column's type does not take the cell; returns ERR_INVALID. */
int cell_refuse(const struct column *column, const struct table_cell *cell, struct err *e);
/* What a cell that is not missing is as a boolean and as a date; false: it is none. */
bool cell_as_boolean(const struct table_cell *cell, bool *value);
bool cell_as_date(const struct table_cell *cell, double *seconds);

/* The length of text to show in a sentence: at most max bytes, cut between characters. */
int table_excerpt(const char *text, size_t n, size_t max);

/* ---- table_column.c ---- */

/* Gives a column the type that was said, before its first cell. ERR_TOO_LARGE, ERR_NOMEM. */
int column_declare(struct table *table, struct column *column, enum column_type type, struct err *e);
/* Puts a cell into the present row. ERR_INVALID, ERR_RANGE (of table_add), ERR_TOO_LARGE, ERR_NOMEM. */
int column_put(struct table *table, struct column *column, const struct table_cell *cell, struct err *e);
/* Makes a segment, *bytes is new, of the leaving group's rows, and takes them into the statistics. */
int column_write(struct table *table, struct column *column, size_t rows, unsigned char **bytes, size_t *size,
		struct err *e);
/* At the end: a column of numbers but for infinities would become a category unasked; that is a fault. */
void column_look_for_infinity(struct table *table, const struct column *column);
/* At the end: writes the groups that were stored as numbers again, as codes. */
int column_rewrite(struct table *table, struct column *column, struct err *e);
void column_free(struct table *table, struct column *column);

/* Takes the cells of a group that is stored already into the statistics. */
int column_take(struct table *table, struct column *column, const unsigned char *bytes, size_t size,
		size_t *rows, struct err *e);

/* ---- table_group.c ---- */

/* The present group leaves, unless it is empty; the next one may begin. A fault of the one before, or of this one. */
int group_flush(struct table *table, struct err *e);
/* Waits until no group is on its way. Its fault; e may be NULL. */
int group_wait(struct table *table, struct err *e);
void group_stop(struct table *table);

/* ---- table.c ---- */

/* Makes the arrays for that many columns; names and types follow. */
int table_make_columns(struct table *table, size_t count, struct err *e);
int table_name_column(struct table *table, size_t i, const char *name, size_t n, struct err *e);
/* The columns that a body names, in its order: they become the table's, with the types that ?types says, or they are
 * those of table_like. Adds faults. ERR_NOMEM, ERR_INVALID: columns other than those, said as faults. */
int table_take_names(struct table *table, const struct csv_cell *names, size_t count, struct err *e);

/* ---- table_like.c ---- */

/* Finds the columns that are there among those of a body's header line; adds faults. ERR_NOMEM. */
int like_match(struct table *table, const struct csv_cell *names, size_t count, struct err *e);

/* ---- table_types.c ---- */

/* Reads ?types into table->types; what is wrong is added to the faults. ERR_NOMEM. */
int types_read(struct table *table, const char *text, struct err *e);
/* Gives the columns their types, or adds faults. ERR_NOMEM. */
int types_apply(struct table *table, struct err *e);
/* The column that was probably meant, or NULL; borrowed. */
const char *types_meant(struct table *table, const char *name);

#endif
