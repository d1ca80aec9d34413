/* segment.h - how the cells of one column lie in one row group, and a column's values beside them.
 *
 * A segment is SEGMENT_HEADER_BYTES (kind, decimal places, zeros, rows as u32), then one little-endian element a row.
 * Numbers are whole numbers over a power of ten where all of them are, their least first (i64), then what each is above
 * it, one, two or four bytes wide, all bits set for a missing cell; else float32s where every one survives it, else
 * float64s, NaN for a missing cell. A category is an index into the column's dictionary, one, two or four bytes wide,
 * all bits set for a missing cell. What is stored is read without trust: sizes and indices are checked.
 */
#ifndef SERVER_CODEC_SEGMENT_H
#define SERVER_CODEC_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define SEGMENT_HEADER_BYTES 8
#define SEGMENT_CODE_MISSING UINT32_MAX
#define SEGMENT_ROWS_MAX     (1u << 22)

/* *bytes is new (free). NaN is a missing cell; no number is infinite. Reading gives the same doubles, bit for bit.
 * ERR_NOMEM. */
int segment_write_numbers(const double *x, size_t rows, unsigned char **bytes, size_t *size, struct err *e);
/* codes_count: all codes but the missing one are below it; gives the width. */
int segment_write_codes(const uint32_t *codes, size_t rows, uint32_t codes_count, unsigned char **bytes,
		size_t *size, struct err *e);

/* How many rows a segment of `size` bytes has; of them the first SEGMENT_HEADER_BYTES are enough. ERR_CORRUPT. */
int segment_rows(const unsigned char *bytes, size_t size, size_t *rows, struct err *e);
/* x and codes have room for segment_rows. ERR_CORRUPT: damaged, or of the other kind. Codes are checked against
 * codes_count. */
int segment_read_numbers(const unsigned char *bytes, size_t size, double *x, struct err *e);
int segment_read_codes(const unsigned char *bytes, size_t size, uint32_t codes_count, uint32_t *codes,
		struct err *e);

/* The distinct values of a category column, in the order of their codes. */
struct dictionary {
	char **values;   /* (count), each ended by a NUL */
	size_t *lengths; /* (count) */
	size_t count;
	void *memory; /* that the above lie in */
};
/* values need not end in a NUL and have none inside. *bytes is new (free). ERR_TOO_LARGE, ERR_NOMEM. */
int dictionary_write(const char *const *values, const size_t *lengths, size_t count, unsigned char **bytes,
		size_t *size, struct err *e);
/* *out is new (dictionary_clear). ERR_CORRUPT, ERR_NOMEM. */
int dictionary_read(const unsigned char *bytes, size_t size, struct dictionary *out, struct err *e);
void dictionary_clear(struct dictionary *dictionary);

#endif
