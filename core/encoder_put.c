/* encoder_put.c - from a column's cells to a network's numbers, and back. See encoder.h.
 *
 * Both directions read the encoder through its header alone. An encoded number is always finite: what float32
 * cannot hold is refused here, where the column and the row are still known.
 */
#include <math.h>
#include <string.h>

#include "core/encoder.h"

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

int encoder_put_numbers(const struct encoder *encoder, size_t i, const double *x, size_t n, real *out,
		size_t stride, size_t *row, struct err *e)
{
	const struct encoder_column *column = encoder_column(encoder, i);
	bool refuse = refuses_missing(encoder);

	for (size_t r = 0; r < n; r++) {
		bool missing = isnan(x[r]);
		double value = ((missing ? column->fill : x[r]) - column->shift) / column->scale;
		real encoded = (real)value;

		if ((missing && refuse) || !isfinite(encoded)) {
			*row = r;
			return missing ? missing_value(encoder, column, e)
				       : err_set(e, ERR_RANGE, "column \"%s\": %g is too large to work with",
							 column->name, x[r]);
		}
		out[r * stride + column->first] = encoded;
	}
	return 0;
}

/* Where in the column's width the 1 goes; ERR_RANGE when this encoder has no place for the slot. */
static int place_of(const struct encoder *encoder, const struct encoder_column *column, uint32_t slot,
		size_t *place, struct err *e)
{
	if (slot == SLOT_MISSING) {
		*place = column->values_count + 1;
		return refuses_missing(encoder) ? missing_value(encoder, column, e) : 0;
	}
	*place = slot < column->values_count ? slot : column->values_count;
	if (*place < column->width) return 0;
	return err_set(e, ERR_RANGE, "the target \"%s\" has a value that is none of its %zu classes",
			column->name, column->values_count);
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

double encoder_number(const struct encoder *encoder, size_t i, double encoded)
{
	const struct encoder_column *column = encoder_column(encoder, i);

	return encoded * column->scale + column->shift;
}
