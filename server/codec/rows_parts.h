/* rows_parts.h - what the files of the reader of rows share; nobody else includes it.
 *
 * rows.c walks the forms block by block, rows_encode.c encodes a block; rows_cell.c reads one cell; rows_tensor.c has tensors as rows; rows_say.c
 * has the sentences.
 *
 * A block is up to `room` rows of cells, one column behind the other: number columns as double with NaN for a
 * missing cell, categories as uint32_t slots at the start of their column's part. A cell with a fault is missing or,
 * where that is refused, 0, so that it makes no second fault when it is encoded. Cells are named by their column and the row within the block.
 */
#ifndef SERVER_CODEC_ROWS_PARTS_H
#define SERVER_CODEC_ROWS_PARTS_H

#include <string.h>

#include "server/codec/rows.h"
#include "server/codec/tensor.h"

#define ROWS_BLOCK_CELLS    16384 /* 128 KiB: with the rows they become, within a second-level cache */
#define ROWS_BLOCK_ROWS     256
#define ROWS_SENTENCE_BYTES 256

/* Of a request all rows are counted for drift until they have so many cells, then one row in so many. */
#define TALLY_CELLS 16384
#define TALLY_STEP  64

/* How a row is written, and with that where its cells are. */
enum row_shape { ROW_ARRAY, ROW_RECORD, ROW_BARE, ROW_OF_COLUMNS, ROW_LINE, ROW_WHOLE };

struct rows_unknown {
	size_t column;
	uint64_t hash; /* of the value */
	char sentence[ROWS_SENTENCE_BYTES];
};

/* Where the raw cells of a column are: of numbers every stride-th element from `next` on, of texts those from `at` on. */
struct rows_raw {
	const struct tensor *tensor;
	uint64_t next, stride, end;
	const unsigned char *at;
};

struct rows {
	/* one reading; everything is borrowed */
	const struct encoder *encoder;
	struct faults *faults;
	const char *pointer;
	const struct drift *drift; /* NULL: nothing is counted */
	uint64_t *counts;
	const char *at, *end; /* the next row, NULL when there is none; where the value ends */
	size_t value_bytes;
	bool by_columns;
	bool flat;    /* one array of all cells, row after row */
	bool tensors; /* raws counts */
	/* Not NULL: the rows are float32 in a row, (floats_rows, columns), from floats_next on not read yet. */
	const unsigned char *floats;
	uint64_t floats_next, floats_rows;
	bool single; /* the value is one row */
	bool whole;  /* the value is an object whose ROWS_WHOLE has the rows */
	bool refuse_missing;
	bool no_memory; /* a string could not be decoded: the reading ends */
	uint64_t count; /* rows before this block */
	size_t columns;
	size_t room; /* rows of a block */
	size_t put;  /* rows of the block that were put cell by cell */
	uint8_t shapes[ROWS_BLOCK_ROWS];
	uint64_t lines[ROWS_BLOCK_ROWS]; /* of rows that are lines */

	/* kept between readings */
	size_t capacity;         /* columns */
	double *cells;           /* (columns, room) */
	double *shifts, *scales; /* (columns), of floats */
	uint8_t *kinds;          /* (columns): enum column_kind */
	uint64_t *marks;         /* (columns): the mark of the last object that had this key */
	uint64_t mark;           /* of the present object; never used twice */
	size_t *places;          /* (columns): of lines, where the cell is, from 1; 0: it is not there */
	const char **starts;     /* (columns): the first cell of each, NULL for a column that is not there */
	const char **cursors;    /* (columns): the next cell of each that is */
	struct rows_raw *
			raws; /* (columns), of columns whose cells are a tensor's raw bytes; tensor NULL: they are text */
	size_t raws_capacity;

	struct table_cell *kept; /* (columns), made by the first rows_next_cells */
	size_t kept_capacity;
	bool keeping; /* the cells being read go there as well */

	char *text; /* decoded strings: those of the kept row, then room for one that is looked at */
	size_t text_used, text_capacity;

	size_t unknown_count;
	struct rows_unknown unknown[ROWS_UNKNOWN_MAX];
};

static inline double *rows_numbers(const struct rows *rows, size_t column)
{
	return rows->cells + column * rows->room;
}

static inline uint32_t *rows_slots(const struct rows *rows, size_t column)
{
	return (uint32_t *)(rows->cells + column * rows->room);
}

/* Does x lie in the middle between two float32 (below FLT_MIN: perhaps)? Then its decimal may lie to one side. */
#define DOUBLE_BEHIND ((uint64_t)0x1FFFFFFF)         /* the bits of the mantissa that float32 has not */
#define DOUBLE_MIDDLE ((uint64_t)0x10000000)         /* what they are in the middle */
#define DOUBLE_NORMAL ((uint64_t)(1023 - 126) << 53) /* FLT_MIN, its sign shifted out */
static inline bool rows_between_floats(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof bits);
	return (bits & DOUBLE_BEHIND) == DOUBLE_MIDDLE || (bits << 1) - 1 < DOUBLE_NORMAL - 1; /* not 0 */
}

/* ---- rows_encode.c ---- */

/* A block of n rows into x (n, width); what cannot be encoded is a fault. */
void rows_encode(struct rows *rows, size_t n, float *x);
/* Is this row of the request counted for drift? */
bool rows_is_tallied(const struct rows *rows, uint64_t row);

/* ---- rows_tensor.c ---- */

/* The next rows of floats into x, at most max; returns how many. 0: none are left, or one has a cell that is to be read by
 * itself: rows_read_raw does. */
size_t rows_put_floats(struct rows *rows, size_t max, float *x);

/* ---- rows_cell.c ---- */

/* Reads the cell at p, whatever it is, into its place; returns where it ends. */
const char *rows_cell(struct rows *rows, size_t column, size_t row, const char *p);
/* *number, the double nearest to the number in text, is between floats. Where the column is not normalized, moves it to
 * the side where the decimal lies, so that it becomes the float32 which is nearest to that. */
void rows_round_once(struct rows *rows, size_t column, const char *text, const char *end, double *number);
/* The cell has no value, which may be a fault. */
void rows_missing(struct rows *rows, size_t column, size_t row);
/* The cell has no value, or a wrong one, and the fault of it, if it is one, is told already. */
void rows_leave_out(struct rows *rows, size_t column, size_t row);
/* The text of a string, where it lies or decoded, then until the next call; NULL: no memory, which is remembered. */
const char *rows_text(struct rows *rows, struct scan_value string, size_t *size);

/* The same of a text, or of a number that is no text. */
void rows_cell_text(struct rows *rows, size_t column, size_t row, const char *text, size_t size);
void rows_cell_number(struct rows *rows, size_t column, size_t row, double number);

/* ---- rows.c ---- */

int rows_prepare(struct rows *rows, const struct encoder *encoder, struct scan_value value,
		const char *pointer, struct faults *faults, struct err *e);
/* Up to max rows, whose columns are text, each with a place of its own; how many. 0 also when they end differently. */
size_t rows_read_columns(struct rows *rows, size_t max);

/* ---- rows_tensor.c ---- */

/* Up to max cells of a column that is raw; how many there were. */
size_t rows_read_raw(struct rows *rows, size_t column, size_t max);

/* ---- rows_say.c: each adds one fault, or counts it when there are enough ---- */

void rows_fault_cell(struct rows *rows, size_t column, size_t row, enum err_code code, const char *format,
		...) __attribute__((format(printf, 5, 6)));
/* The text cannot be read as a cell of this column; and a value, where text is that of a string. */
void rows_fault_text(struct rows *rows, size_t column, size_t row, const char *text, size_t size);
void rows_fault_value(struct rows *rows, size_t column, size_t row, struct scan_value value, const char *text,
		size_t size);
/* The text is none of a target's classes. */
void rows_fault_class(struct rows *rows, size_t column, size_t row, const char *text, size_t size);
/* The value is no row. */
void rows_fault_row(struct rows *rows, size_t row, struct scan_value value);
/* The row has `count` cells. */
void rows_fault_width(struct rows *rows, size_t row, size_t count);
/* A key that is no column, or is there twice, of a record or (ROWS_NO_ROW) of the object of columns. */
#define ROWS_NO_ROW SIZE_MAX
void rows_fault_key(struct rows *rows, size_t row, struct scan_value key, bool twice);
/* A tensor that is not the one of all columns, of a model that has it; and that one, of a model that has one for each. */
void rows_fault_beside(struct rows *rows, struct scan_value name);
void rows_fault_parted(struct rows *rows);
/* A column of the object of columns. */
void rows_fault_column(struct rows *rows, size_t column, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
/* It has `length` cells, another one has `wanted`. */
void rows_fault_length(struct rows *rows, size_t column, unsigned long long length, size_t other,
		unsigned long long wanted);
void rows_fault_whole(struct rows *rows, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a value is, for sentences: "an object". */
const char *rows_kind(struct scan_value value);
/* A value that takes the "other" slot joins the warnings. */
void rows_warn_unknown(struct rows *rows, size_t column, const char *text, size_t size);

#endif
