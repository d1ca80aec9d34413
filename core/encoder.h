/* encoder.h - columns of a table to the numbers a network sees, and back.
 *
 * An encoder is made from the columns of a definition, fitted on the training rows, and kept with the version:
 * what it learnt is applied identically at training and at prediction.
 *
 *	number    1 input: standardized, scaled to [0,1] or left alone
 *	date      8 inputs: its year and the days since the first (normalized as numbers are), and sine and cosine of month,
 *	          weekday and hour, which come round again; cells are seconds since 1970 (date.h)
 *	category  an input for each of its k values, one for a value never seen (`other`) and one for `missing` (absent under
 *	          MISSING_ERROR); exactly one of them is 1. A target has its k slots and no more
 *	hashed    a category without a list of values: a value's slot is its hash modulo the number of buckets
 *
 * A category whose values are "false" and "true" takes every spelling of them (encoder_boolean).
 *
 * Numbers and dates come as double with NaN for a missing cell, categories as slots. Everything works a column at a
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

#define ENCODER_DATE_WIDTH 8
#define ENCODER_BINS       10 /* of a column's profile: about a tenth of the training rows lie in each */

enum column_kind { COLUMN_NUMBER, COLUMN_CATEGORY, COLUMN_DATE, COLUMN_KINDS };
/* Are its cells doubles, rather than slots? */
static inline bool encoder_is_numeric(enum column_kind kind)
{
	return kind != COLUMN_CATEGORY;
}
enum normalize { NORMALIZE_STANDARD, NORMALIZE_MINMAX, NORMALIZE_NONE };
enum missing { MISSING_MEAN, MISSING_ERROR };
enum encoder_role { ENCODER_INPUTS, ENCODER_TARGETS };

/* A column as its maker describes it; the encoder copies the strings. */
struct column_spec {
	const char *name;
	enum column_kind kind;
	const char *const *
			values; /* of a category, values_count of them, distinct; NULL: hashed into so many buckets */
	size_t values_count;
};

/* How the training rows of a number or a date were spread: bin b has those above edges[b - 1] and up to edges[b]; the
 * first has no lower and the last no upper edge. Equal values share a bin, so that there may be fewer edges. */
struct encoder_profile {
	size_t edges_count; /* bins - 1 */
	double edges[ENCODER_BINS - 1];
	uint64_t counts[ENCODER_BINS];
};

/* One column as the encoder keeps it, borrowed from the encoder. */
struct encoder_column {
	char *name;
	enum column_kind kind;
	size_t first, width; /* its inputs: first .. first + width - 1 */
	/* number: x is encoded as (x - shift) / scale; a missing one as fill, which is the mean, would be. date: its days
	 * likewise, and its year with a shift and a scale of its own; a missing one has the mean of both, and 0 for every sine
	 * and cosine, which points nowhere. */
	double shift, scale, fill;
	double year_shift, year_scale, year_fill;
	double mean, std, min, max; /* of the training rows; std is the population's */
	/* category */
	char **values; /* (values_count); NULL and none when it is hashed */
	size_t values_count;
	size_t slots;          /* values or buckets: `other` is slot `slots`, `missing` the one after it */
	uint64_t *slot_counts; /* training rows per slot, (width); NULL for a number */
	uint64_t rows, missing_rows;     /* seen while fitting */
	struct encoder_profile *profile; /* of an input that is a number or a date, else NULL */
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
/* The slot of a value of category column i, or SLOT_OTHER. */
uint32_t encoder_slot(const struct encoder *encoder, size_t i, const char *value, size_t length);
/* Is this one of the spellings true, t, yes, y, on, 1 and false, f, no, n, off, 0, in any case? */
bool encoder_boolean(const char *text, size_t length, bool *value);
/* Are there no values but "false" and "true", in this order? */
bool encoder_is_boolean(const struct encoder_column *column);
/* After fitting: was there a training row with this slot? */
bool encoder_has_seen(const struct encoder *encoder, size_t i, uint32_t slot);
/* What input j of the network is called: "petal_length", "hair_color=brown", "hair_color=(other)", "sold.month.sin",
 * "city=#17" (a bucket). Writes at most size bytes with the NUL. */
void encoder_input_name(const struct encoder *encoder, size_t j, char *out, size_t size);

/* Fitting: begin, any number of calls in row order, end. use (n) marks the training rows, NULL means all. */
void encoder_fit_begin(struct encoder *encoder);
void encoder_fit_numbers(struct encoder *encoder, size_t i, const double *x, const uint8_t *use, size_t n);
void encoder_fit_slots(
		struct encoder *encoder, size_t i, const uint32_t *slots, const uint8_t *use, size_t n);
void encoder_fit_end(struct encoder *encoder);
/* After encoder_fit_end: counts the rows whose use is 1 (NULL: all) of a numeric column into the bins of its profile. Any
 * number of calls. */
void encoder_profile(struct encoder *encoder, size_t i, const double *x, const uint8_t *use, size_t n);
/* The bin of a profile that x, which is not NaN, belongs to. */
size_t encoder_bin(const struct encoder_profile *profile, double x);
/* Takes over what another fitting of the same column learnt: every number of *learnt, its slot_counts and profile. */
void encoder_restore(struct encoder *encoder, size_t i, const struct encoder_column *learnt);

/* Encodes n rows of column i into out, the whole matrix: row r starts at out + r*stride, and the column's width
 * numbers go to its own place there, at `first`. ERR_RANGE: a missing value under MISSING_ERROR or in a target, an
 * unknown target class, or a number that float32 cannot hold; *row is the first such row. */
int encoder_put_numbers(const struct encoder *encoder, size_t i, const double *x, size_t n, real *out,
		size_t stride, size_t *row, struct err *e);
/* Rows of numbers alone, as encoder_put_numbers encodes each of their columns: x, float32 (n, count) at any address, -> out
 * (n, count); shifts and scales (count) are the columns'. False: a number is missing or cannot be held, and what is in
 * out means nothing. */
bool encoder_put_rows(
		const double *shifts, const double *scales, size_t count, const void *x, size_t n, real *out);
int encoder_put_slots(const struct encoder *encoder, size_t i, const uint32_t *slots, size_t n, real *out,
		size_t stride, size_t *row, struct err *e);

/* The mean of the training rows, encoded: out (width). Without training rows a category's slots are all alike. */
void encoder_mean(const struct encoder *encoder, real *out);

/* The inverse for a number column: from the network's units to the user's. */
double encoder_number(const struct encoder *encoder, size_t i, double encoded);

#endif
