/* encoder_put.c - from a column's cells to a network's numbers, and back. See encoder.h.
 *
 * Both directions read the encoder through its header alone. An encoded number is always finite: what float32
 * cannot hold is refused here, where the column and the row are still known.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/date.h"
#include "core/encoder.h"
#include "core/wide.h"

#define FULL_TURN 6.28318530717958647693
#define MONTHS    12
#define WEEKDAYS  7
#define HOURS     24

#define EXPONENT_BITS 0x7F800000u

/* Must a row have a value in every column? */
static bool refuses_missing(const struct encoder *encoder)
{
	return encoder_role(encoder) == ENCODER_TARGETS || encoder_missing(encoder) == MISSING_ERROR;
}

static int missing_value(const struct encoder *encoder, const struct encoder_column *column, struct err *e)
{
	if (encoder_role(encoder) == ENCODER_TARGETS)
		return err_set(e, ERR_RANGE, "the target \"%s\" has no value", column->name);
	return err_set(e, ERR_RANGE, "column \"%s\" has no value, and this model takes none that is missing",
			column->name);
}

static real scaled(double x, double shift, double scale)
{
	return (real)((x - shift) / scale);
}

static void put_turn(real *out, double part)
{
	out[0] = (real)sin(FULL_TURN * part);
	out[1] = (real)cos(FULL_TURN * part);
}

/* The inputs of a date, in the order of their names (encoder_input_name). */
static void put_date(const struct encoder_column *column, double x, real out[ENCODER_DATE_WIDTH])
{
	struct date_parts parts;

	memset(out, 0, ENCODER_DATE_WIDTH * sizeof *out);
	if (isnan(x)) {
		out[0] = scaled(column->year_fill, column->year_shift, column->year_scale);
		out[1] = scaled(column->fill, column->shift, column->scale);
		return;
	}
	date_split(x, &parts);
	out[0] = scaled(parts.year, column->year_shift, column->year_scale);
	out[1] = scaled(x, column->shift, column->scale);
	put_turn(out + 2, (double)(parts.month - 1) / MONTHS);
	put_turn(out + 4, (double)parts.weekday / WEEKDAYS);
	put_turn(out + 6, parts.hour / HOURS);
}

int encoder_put_numbers(const struct encoder *encoder, size_t i, const double *x, size_t n, real *out,
		size_t stride, size_t *row, struct err *e)
{
	const struct encoder_column *column = encoder_column(encoder, i);
	bool refuse = refuses_missing(encoder), date = column->kind == COLUMN_DATE;

	for (size_t r = 0; r < n; r++) {
		bool missing = isnan(x[r]);
		real encoded = scaled(missing ? column->fill : x[r], column->shift, column->scale);

		if ((missing && refuse) || !isfinite(encoded)) {
			*row = r;
			return missing ? missing_value(encoder, column, e)
				       : err_set(e, ERR_RANGE, "column \"%s\": %g is too large to work with",
							 column->name, x[r]);
		}
		if (date)
			put_date(column, x[r], out + r * stride + column->first);
		else
			out[r * stride + column->first] = encoded;
	}
	return 0;
}

/* Where in the column's width the 1 goes; ERR_RANGE when this encoder has no place for the slot. */
static int place_of(const struct encoder *encoder, const struct encoder_column *column, uint32_t slot,
		size_t *place, struct err *e)
{
	if (slot == SLOT_MISSING) {
		*place = column->slots + 1;
		return refuses_missing(encoder) ? missing_value(encoder, column, e) : 0;
	}
	*place = slot < column->slots ? slot : column->slots;
	if (*place < column->width) return 0;
	return err_set(e, ERR_RANGE, "the target \"%s\" has a value that is none of its %zu classes",
			column->name, column->values_count);
}

/* Exponents of all ones are what is not finite. */
WIDE static uint32_t put_row(
		const double *shifts, const double *scales, size_t count, const char *x, real *out)
{
	uint32_t worst = 0;

	for (size_t c = 0; c < count; c++) {
		real cell, encoded;
		uint32_t bits;

		memcpy(&cell, x + c * sizeof cell, sizeof cell);
		encoded = (real)(((double)cell - shifts[c]) / scales[c]);
		memcpy(&bits, &encoded, sizeof bits);
		bits &= EXPONENT_BITS;
		worst = bits > worst ? bits : worst;
		out[c] = encoded;
	}
	return worst;
}

bool encoder_put_rows(
		const double *shifts, const double *scales, size_t count, const void *x, size_t n, real *out)
{
	const char *row = x;

	for (size_t r = 0; r < n; r++, row += count * sizeof *out)
		if (put_row(shifts, scales, count, row, out + r * count) == EXPONENT_BITS) return false;
	return true;
}

int encoder_put_slots(const struct encoder *encoder, size_t i, const uint32_t *slots, size_t n, real *out,
		size_t stride, size_t *row, struct err *e)
{
	const struct encoder_column *column = encoder_column(encoder, i);

	for (size_t r = 0; r < n; r++) {
		real *to = out + r * stride + column->first;
		size_t place;
		int rc = place_of(encoder, column, slots[r], &place, e);

		if (rc) {
			*row = r;
			return rc;
		}
		memset(to, 0, column->width * sizeof *to);
		to[place] = 1;
	}
	return 0;
}

/* The mean of a sine or cosine over the training rows is not kept: 0, as for a missing date, points nowhere. */
static void mean_of(const struct encoder_column *column, real *out)
{
	if (column->kind == COLUMN_DATE)
		put_date(column, NAN, out);
	else if (column->kind == COLUMN_NUMBER)
		*out = scaled(column->fill, column->shift, column->scale);
	else
		for (size_t j = 0; j < column->width; j++)
			out[j] = column->rows ? (real)((double)column->slot_counts[j] / (double)column->rows)
					      : (real)1 / (real)column->width;
}

void encoder_mean(const struct encoder *encoder, real *out)
{
	for (size_t i = 0; i < encoder_columns(encoder); i++) {
		const struct encoder_column *column = encoder_column(encoder, i);

		mean_of(column, out + column->first);
	}
}

double encoder_number(const struct encoder *encoder, size_t i, double encoded)
{
	const struct encoder_column *column = encoder_column(encoder, i);

	return encoded * column->scale + column->shift;
}
