/* rows.h - reads rows out of JSON text straight into numbers for a network: no tree, no copy of the text.
 *
 * The forms (api.md section 6): an array of rows, each an array of cells in column order, or an object by column
 * name, or a bare cell when there is one column; or an object of columns, each an array of cells. A cell is a
 * number, a string, a boolean (1 and 0), null (missing), or an array of one of these. A string in a number column
 * and a number in a category column are read when they can be ("5.1"; 3 is the value "3"). In a record an absent
 * key is missing, an unknown or a second one a fault. All faults come at once, with pointers.
 *
 * A reader keeps its memory between uses, so that a thread that has read one body allocates nothing for the next.
 */
#ifndef SERVER_CODEC_ROWS_H
#define SERVER_CODEC_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "core/encoder.h"
#include "core/err.h"
#include "server/codec/faults.h"
#include "server/codec/scan.h"
#include "server/codec/table.h"

struct rows; /* one thread's */

int rows_new(struct rows **out, struct err *e); /* new: rows_free */
void rows_free(struct rows *rows);

/* Begins to read `value`, a piece of a checked text. encoder, text and faults are borrowed until the last row;
 * pointer ("/instances") is where the value lies in its document. targets of an encoder have no "other" slot: an
 * unknown class is a fault. A wrong shape is a fault, and the code is returned. */
int rows_begin(struct rows *rows, const struct encoder *encoder, struct scan_value value, const char *pointer,
		struct faults *faults, struct err *e);
/* The next rows, at most max, encoded into x (max, encoder_width). *n is 0 at the end. Rows with faults are
 * counted too (what stands in x for them means nothing); the caller asks faults_result at the end. */
int rows_next(struct rows *rows, size_t max, float *x, size_t *n, struct err *e);
/* The next row as cells, (encoder_columns), for keeping it; false at the end. Borrowed until the next call. */
bool rows_next_cells(struct rows *rows, const struct table_cell **cells);
uint64_t rows_count(const struct rows *rows); /* so far */

/* Values that took the "other" slot, each once and at most ROWS_UNKNOWN_MAX of them, as sentences
 * ("species \"tulip\" was not in the training data and is read as \"other\""). Borrowed until rows_begin. */
#define ROWS_UNKNOWN_MAX 20
size_t rows_warnings(const struct rows *rows);
const char *rows_warning(const struct rows *rows, size_t i);

#endif
