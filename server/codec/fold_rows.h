/* fold_rows.h - what the networks of a cross-validation answered for rows that they had not seen, as bytes that the store
 * keeps: "DSOF", format number, sizes, the model's definition, row numbers, folds, scores, and a CRC-32C over all before it.
 */
#ifndef SERVER_CODEC_FOLD_ROWS_H
#define SERVER_CODEC_FOLD_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct fold_rows {        /* zeroed is empty; owns everything: fold_rows_clear */
	char *definition; /* JSON, as resolved: what the scores are of */
	size_t outputs, count;
	uint64_t *rows; /* (count), ascending: their numbers in the data set, from 0 */
	uint8_t *folds; /* (count), from 1 */
	float *scores;  /* (count, outputs), numbers in the users' units */
};
void fold_rows_clear(struct fold_rows *rows);
/* Room for so many rows. *out is new; the definition is copied. ERR_NOMEM. */
int fold_rows_new(struct fold_rows *out, const char *definition, size_t outputs, size_t count, struct err *e);

/* *bytes is new (free). ERR_NOMEM. */
int fold_rows_write(const struct fold_rows *rows, unsigned char **bytes, size_t *size, struct err *e);
/* *out is new. ERR_CORRUPT: damaged, or no such bytes. */
int fold_rows_read(struct fold_rows *out, const unsigned char *bytes, size_t size, struct err *e);
/* All rows of the parts in order; *out is new. ERR_CORRUPT: there is no part, or they are not of one model. */
int fold_rows_merge(struct fold_rows *out, const struct fold_rows *parts, size_t count, struct err *e);

#endif
