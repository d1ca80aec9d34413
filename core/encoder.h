/* encoder.h - columns of a table to the numbers a network sees, and back.
 *
 * An encoder is made from the columns of a definition, fitted on the training rows, and kept with the version:
 * what it learnt is applied identically at training and at prediction. A number column is one input,
 * standardized, scaled to [0,1] or left alone. A category column of k values is k + 2 inputs, exactly one of
 * them 1: the values' slots in order, the slot `other` for a value never seen, and the slot `missing` (absent
 * under MISSING_ERROR). A target category has its k slots and no more.
 *
 * Numbers come as double with NaN for a missing cell, categories as slots. Everything works a column at a
 * time on n rows, so that a row of a request and a row group of a data set take the same path.
 */
#ifndef DESCENT_ENCODER_H
#define DESCENT_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/real.h"

#define SLOT_OTHER   UINT32_MAX       /* a value that the encoder does not know */
#define SLOT_MISSING (UINT32_MAX - 1) /* no value */

enum column_kind { COLUMN_NUMBER, COLUMN_CATEGORY };
enum normalize { NORMALIZE_STANDARD, NORMALIZE_MINMAX, NORMALIZE_NONE };
enum missing { MISSING_MEAN, MISSING_ERROR };
enum encoder_role { ENCODER_INPUTS, ENCODER_TARGETS };

/* A column as its maker describes it; the encoder copies the strings. */
struct column_spec {
	const char *name;
	enum column_kind kind;
	const char *const *values; /* of a category, values_count of them, distinct */
	size_t values_count;
};

/* One column as the encoder keeps it, borrowed from the encoder. */
struct encoder_column {
	char *name;
	enum column_kind kind;
	size_t first, width; /* its inputs: first .. first + width - 1 */
	/* number: x is encoded as (x - shift) / scale; a missing one as fill, which is the mean, would be. */
	double shift, scale, fill;
	double mean, std, min, max; /* of the training rows; std is the population's */
	/* category */
	char **values;
	size_t values_count;
	uint64_t *slot_counts;       /* training rows per slot, (width); NULL for a number */
	uint64_t rows, missing_rows; /* seen while fitting */
};

struct encoder;

/* *out is new (encoder_free), unfitted: numbers pass unchanged (shift 0, scale 1). ERR_RANGE: no columns, a
 * category without values, or a total width above NET_UNITS_MAX. ERR_INVALID: a name or value twice. ERR_NOMEM. */
int encoder_new(struct encoder **out, const struct column_spec *columns, size_t count, enum encoder_role role,
		enum normalize normalize, enum missing missing, struct err *e);
int encoder_copy(struct encoder **out, const struct encoder *from, struct err *e);
void encoder_free(struct encoder *encoder);
/* Before fitting: the number column i is not normalized, whatever is done with the others. */
void encoder_leave_raw(struct encoder *encoder, size_t i);

size_t encoder_columns(const struct encoder *encoder);
size_t encoder_width(const struct encoder *encoder);
const struct encoder_column *encoder_column(const struct encoder *encoder, size_t i);
enum normalize encoder_normalize(const struct encoder *encoder);
enum missing encoder_missing(const struct encoder *encoder);
enum encoder_role encoder_role(const struct encoder *encoder);
/* The column of that name, or SIZE_MAX. Hashed; name need not end in NUL. */
size_t encoder_find(const struct encoder *encoder, const char *name, size_t length);
/* The slot of a value of category column i, or SLOT_OTHER. Hashed. */
uint32_t encoder_slot(const struct encoder *encoder, size_t i, const char *value, size_t length);
/* What input j of the network is called: "petal_length", "hair_color=brown", "hair_color=(other)". Writes at
 * most size bytes with the NUL. */
void encoder_input_name(const struct encoder *encoder, size_t j, char *out, size_t size);

/* Fitting: begin, any number of calls in row order, end. use (n) marks the training rows, NULL means all. */
void encoder_fit_begin(struct encoder *encoder);
void encoder_fit_numbers(struct encoder *encoder, size_t i, const double *x, const uint8_t *use, size_t n);
void encoder_fit_slots(
		struct encoder *encoder, size_t i, const uint32_t *slots, const uint8_t *use, size_t n);
void encoder_fit_end(struct encoder *encoder);
/* Takes over what another fitting of the same column learnt: every number of *learnt, and its slot_counts. */
void encoder_restore(struct encoder *encoder, size_t i, const struct encoder_column *learnt);

/* Encodes n rows of column i into out, the whole matrix: row r starts at out + r*stride, and the column's width
 * numbers go to its own place there, at `first`. ERR_RANGE: a missing value under MISSING_ERROR or in a target, an
 * unknown target class, or a number that float32 cannot hold; *row is the first such row. */
int encoder_put_numbers(const struct encoder *encoder, size_t i, const double *x, size_t n, real *out,
		size_t stride, size_t *row, struct err *e);
int encoder_put_slots(const struct encoder *encoder, size_t i, const uint32_t *slots, size_t n, real *out,
		size_t stride, size_t *row, struct err *e);

/* The inverse for a number column: from the network's units to the user's. */
double encoder_number(const struct encoder *encoder, size_t i, double encoded);

#endif
