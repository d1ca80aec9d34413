/* rows.h - reads rows out of JSON text straight into numbers for a network: no tree, no copy of the text.
 *
 * The forms (api.md section 6): an array of rows, each an array of cells in column order, or an object by column
 * name, or a bare cell when there is one column; or an object of columns, each an array of cells. A cell is a
 * number, a string, a boolean (1 and 0), null (missing), or an array of one of these. A string in a number column
 * is read when it is a number as CSV has them ("5.1"). In a category column a number is the value as it is written
 * or, when that is not known, in its shortest form (3 and 3.0 are "3"), and a boolean is "true" or "false". The
 * words for a missing cell of CSV are missing in every column (table_says_missing), but for a value of that name which
 * the encoder knows.
 *
 * A number is the nearest double, which the encoder then normalizes; where it does not, what comes out is the float32
 * nearest to the decimal as it is written: it is not rounded twice.
 *
 * Inputs that are all numbers are also one tensor of the name ROWS_WHOLE, as the metadata of a model call it, where no column has
 * that name: {"inputs":[5.1,3.5]} is a row, and {"inputs":[[5.1,3.5]]} an object of columns.
 *
 * In a record an absent key is missing, an unknown or a second one a fault; likewise in an object of columns, which
 * must be of one length. A missing cell is a fault when the encoder takes none (MISSING_ERROR, and every target).
 * All faults come at once, with pointers ("/instances/3/petal_width").
 *
 * A reader keeps its memory between uses, so that a thread that has read one body allocates nothing for the next of
 * its kind. Faults may allocate.
 */
#ifndef SERVER_CODEC_ROWS_H
#define SERVER_CODEC_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/drift.h"
#include "core/encoder.h"
#include "core/err.h"
#include "server/codec/faults.h"
#include "server/codec/scan.h"
#include "server/codec/table.h"

struct rows; /* one thread's */

int rows_new(struct rows **out, struct err *e); /* new: rows_free */
void rows_free(struct rows *rows);              /* NULL is fine */

/* Begins to read `value`, a piece of a checked text. encoder, text, pointer and faults are borrowed until the last
 * row; pointer ("/instances") is where the value lies in its document. Targets of an encoder have no "other" slot:
 * an unknown class is a fault. A value that is neither an array nor an object with columns is a fault, whose code is
 * returned; ERR_NOMEM. There are no rows then. An empty array is no fault: it has no rows. */
int rows_begin(struct rows *rows, const struct encoder *encoder, struct scan_value value, const char *pointer,
		struct faults *faults, struct err *e);
/* The same, where the value is one row by itself: {"height":180} or [180,"brown"]; pointers into it have no number. */
int rows_begin_one(struct rows *rows, const struct encoder *encoder, struct scan_value value,
		const char *pointer, struct faults *faults, struct err *e);
/* The same, where the cells are in tensors: all numbers in one that is called ROWS_WHOLE (rows_take_whole says whether the encoder
 * is one of numbers alone), or each column in one of its name. body is the JSON that the tensors point into. Whether there are as
 * many rows as the shapes say shows at the end. */
struct tensor;
#define ROWS_WHOLE "inputs"
bool rows_take_whole(const struct encoder *encoder);
int rows_begin_tensors(struct rows *rows, const struct encoder *encoder, const struct tensor *tensors,
		size_t count, struct scan_value body, const char *pointer, struct faults *faults,
		struct err *e);
/* The next rows, at most max (at least 1), encoded into x (max, encoder_width). *n is 0 at the end. Rows with faults
 * are counted too (what stands in x for them means nothing); the caller asks faults_result at the end. ERR_NOMEM. */
int rows_next(struct rows *rows, size_t max, float *x, size_t *n, struct err *e);
/* The next row as cells, (encoder_columns), for keeping it; false at the end. Borrowed until the next call. A cell
 * of a number column is TABLE_NUMBER, one of a category TABLE_TEXT with the value as the encoder writes it where it
 * knows it, else TABLE_MISSING. Numbers that float32 cannot hold pass here. No memory is a fault (ERR_NOMEM). */
bool rows_next_cells(struct rows *rows, const struct table_cell **cells);
/* After rows_begin: the cells of the rows go into counts too, which are drift's; NULL: no more. Of a request of very many
 * cells a part of the rows does. */
void rows_tally(struct rows *rows, const struct drift *drift, uint64_t *counts);
uint64_t rows_count(const struct rows *rows); /* so far */

/* Cell by cell, for a reader that pushes the lines of a table: rows_begin_cells; rows_place for each column that is there; for each
 * line rows_begin_line, rows_put_text of those columns, then rows_end_row; once that says so, and at the end, rows_take. A column
 * that was not put is missing. Faults have the line, and where the cell is in it (from 1), in place of a pointer. */
int rows_begin_cells(struct rows *rows, const struct encoder *encoder, size_t max, struct faults *faults,
		struct err *e);
void rows_place(struct rows *rows, size_t column, size_t place);
bool rows_placed(const struct rows *rows, size_t column);
void rows_begin_line(struct rows *rows, uint64_t line);
void rows_put_text(struct rows *rows, size_t column, const char *text, size_t size);
bool rows_end_row(struct rows *rows); /* true: so many were put as rows_take gives at most (max) */
/* As rows_next, of what was put. */
size_t rows_take(struct rows *rows, float *x);

/* Values that took the "other" slot, each once and at most ROWS_UNKNOWN_MAX of them, as sentences
 * ("species \"tulip\" was not in the training data and is read as \"other\""); long values are cut. Borrowed until
 * rows_begin. */
#define ROWS_UNKNOWN_MAX 20
size_t rows_warnings(const struct rows *rows);
const char *rows_warning(const struct rows *rows, size_t i);

#endif
