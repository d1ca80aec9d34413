/* npy_header.h - what stands before the numbers of an NPY file: their type, their order and how many there are.
 *
 * Format versions 1.0 to 3.0 as numpy.lib.format describes them: a magic word, a version, a length, and a Python
 * dictionary of descr, fortran_order and shape. Nothing of Python is evaluated; what is no such dictionary, to the
 * letter, is refused, as is every array that is not a table of numbers.
 */
#ifndef SERVER_CODEC_NPY_HEADER_H
#define SERVER_CODEC_NPY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define NPY_HEADER_MAX (64u << 10) /* bytes; NumPy writes 128 */

enum npy_kind { NPY_BOOLEAN, NPY_FLOAT, NPY_SIGNED, NPY_UNSIGNED };

struct npy_header {
	size_t bytes; /* of all that stands before the numbers */
	enum npy_kind kind;
	size_t width; /* bytes of a number: 1, 2, 4, 8 */
	bool big_endian;
	bool fortran;           /* column after column */
	uint64_t rows, columns; /* at least 1; columns at most CSV_COLUMNS_MAX, rows * columns * width fits */
};

/* Reads the header at the start of n bytes. *out->bytes is 0 when there must be more of them. ERR_SYNTAX: not an NPY file,
 * or its header is broken; ERR_INVALID: an array that is no table of numbers, or has no rows; ERR_TOO_LARGE: too many
 * columns. */
int npy_header_read(struct npy_header *out, const char *bytes, size_t n, struct err *e);

#endif
