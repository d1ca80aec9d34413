/* encoder.c - columns to inputs and back: making, fitting, looking up. See encoder.h; the encoding itself is in
 * encoder_put.c.
 *
 * A column's learnt numbers change in encoder_fit_* and encoder_restore only; after that an encoder is read-only
 * and may be used by many threads. What is counted while fitting is exact whatever the size of the pieces, as
 * every sum is kept row by row.
 */
#include "core/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "core/net.h"
#include "core/size.h"

struct column {
	struct encoder_column shown;
	struct names *index; /* of the values */
	double m2;           /* sum of squared distances from the mean so far */
	bool raw;            /* never normalized */
};

struct encoder {
	enum encoder_role role;
	enum normalize normalize;
	enum missing missing;
	size_t count, width;
	struct names *index; /* of the columns' names */
	const char **names;  /* what it looks at; the columns own the strings */
	struct column columns[];
};

/* The inputs of one column. */
static size_t column_width(const struct column_spec *spec, enum encoder_role role, enum missing missing)
{
	if (spec->kind == COLUMN_NUMBER) return 1;
	if (role == ENCODER_TARGETS) return spec->values_count;
	return size_add(spec->values_count, missing == MISSING_ERROR ? 1 : 2);
}

static int check_columns(const struct column_spec *columns, size_t count, enum encoder_role role,
		enum missing missing, struct err *e)
{
	size_t width = 0;

	if (!count) return err_set(e, ERR_RANGE, "there are no columns");
	for (size_t i = 0; i < count; i++) {
		if (columns[i].kind == COLUMN_CATEGORY && !columns[i].values_count)
			return err_set(e, ERR_RANGE, "category \"%s\" has no values", columns[i].name);
		width = size_add(width, column_width(&columns[i], role, missing));
	}
	if (width > NET_UNITS_MAX)
		return err_set(e, ERR_RANGE, "the columns make %zu numbers a row, more than %d", width,
				NET_UNITS_MAX);
	return 0;
}

/* The array of pointers and the strings behind it in one allocation; NULL: no memory. */
static char **copy_strings(const char *const *from, size_t count)
{
	size_t bytes = count * sizeof(char *);
	char **strings, *text;

	for (size_t i = 0; i < count; i++)
		bytes = size_add(bytes, strlen(from[i]) + 1);
	strings = malloc(bytes);
	if (!strings) return NULL;
	text = (char *)(strings + count);
	for (size_t i = 0; i < count; i++) {
		strings[i] = text;
		text = stpcpy(text, from[i]) + 1;
	}
	return strings;
}

static int index_values(struct column *column, struct err *e)
{
	const struct encoder_column *shown = &column->shown;
	const char *const *values = (const char *const *)shown->values;
	size_t duplicate = 0;
	int rc = names_new(&column->index, values, shown->values_count, &duplicate);

	if (rc == ERR_INVALID)
		return err_set(e, rc, "category \"%s\" has the value \"%s\" twice", shown->name,
				values[duplicate]);
	return rc ? err_nomem(e) : 0;
}

static int make_column(
		struct encoder *encoder, struct column *column, const struct column_spec *spec, struct err *e)
{
	struct encoder_column *shown = &column->shown;

	shown->kind = spec->kind;
	shown->first = encoder->width;
	shown->width = column_width(spec, encoder->role, encoder->missing);
	shown->scale = 1;
	encoder->width += shown->width;
	shown->name = strdup(spec->name);
	if (!shown->name) return err_nomem(e);
	if (spec->kind == COLUMN_NUMBER) return 0;
	shown->values_count = spec->values_count;
	shown->values = copy_strings(spec->values, spec->values_count);
	shown->slot_counts = calloc(shown->width, sizeof *shown->slot_counts);
	if (!shown->values || !shown->slot_counts) return err_nomem(e);
	return index_values(column, e);
}

static int index_columns(struct encoder *encoder, struct err *e)
{
	size_t duplicate = 0;
	int rc;

	encoder->names = calloc(encoder->count, sizeof *encoder->names);
	if (!encoder->names) return err_nomem(e);
	for (size_t i = 0; i < encoder->count; i++)
		encoder->names[i] = encoder->columns[i].shown.name;
	rc = names_new(&encoder->index, encoder->names, encoder->count, &duplicate);
	if (rc == ERR_INVALID)
		return err_set(e, rc, "column \"%s\" is there twice", encoder->names[duplicate]);
	return rc ? err_nomem(e) : 0;
}

int encoder_new(struct encoder **out, const struct column_spec *columns, size_t count, enum encoder_role role,
		enum normalize normalize, enum missing missing, struct err *e)
{
	struct encoder *encoder;
	int rc;

	*out = NULL;
	if ((rc = check_columns(columns, count, role, missing, e))) return rc;
	encoder = calloc(1, sizeof *encoder + count * sizeof encoder->columns[0]); /* count <= width */
	if (!encoder) return err_nomem(e);
	encoder->role = role;
	encoder->normalize = normalize;
	encoder->missing = missing;
	encoder->count = count;
	for (size_t i = 0; i < count; i++)
		if ((rc = make_column(encoder, &encoder->columns[i], &columns[i], e))) goto out;
	if ((rc = index_columns(encoder, e))) goto out;
	*out = encoder;
	encoder = NULL;
out:
	encoder_free(encoder);
	return rc;
}

int encoder_copy(struct encoder **out, const struct encoder *from, struct err *e)
{
	struct column_spec *specs = calloc(from->count, sizeof *specs);
	int rc;

	*out = NULL;
	if (!specs) return err_nomem(e);
	for (size_t i = 0; i < from->count; i++) {
		const struct encoder_column *c = &from->columns[i].shown;

		specs[i] = (struct column_spec){ c->name, c->kind, (const char *const *)c->values,
			c->values_count };
	}
	rc = encoder_new(out, specs, from->count, from->role, from->normalize, from->missing, e);
	free(specs);
	if (rc) return rc;
	for (size_t i = 0; i < from->count; i++) {
		encoder_restore(*out, i, &from->columns[i].shown);
		(*out)->columns[i].m2 = from->columns[i].m2;
		(*out)->columns[i].raw = from->columns[i].raw;
	}
	return 0;
}

void encoder_leave_raw(struct encoder *encoder, size_t i)
{
	encoder->columns[i].raw = true;
}

void encoder_free(struct encoder *encoder)
{
	if (!encoder) return;
	for (size_t i = 0; i < encoder->count; i++) {
		struct column *column = &encoder->columns[i];

		free(column->shown.name);
		free(column->shown.values);
		free(column->shown.slot_counts);
		names_free(column->index);
	}
	names_free(encoder->index);
	free(encoder->names);
	free(encoder);
}

size_t encoder_columns(const struct encoder *encoder)
{
	return encoder->count;
}

size_t encoder_width(const struct encoder *encoder)
{
	return encoder->width;
}

const struct encoder_column *encoder_column(const struct encoder *encoder, size_t i)
{
	return &encoder->columns[i].shown;
}

enum normalize encoder_normalize(const struct encoder *encoder)
{
	return encoder->normalize;
}

enum missing encoder_missing(const struct encoder *encoder)
{
	return encoder->missing;
}

enum encoder_role encoder_role(const struct encoder *encoder)
{
	return encoder->role;
}

size_t encoder_find(const struct encoder *encoder, const char *name, size_t length)
{
	return names_find(encoder->index, name, length);
}

uint32_t encoder_slot(const struct encoder *encoder, size_t i, const char *value, size_t length)
{
	size_t slot = names_find(encoder->columns[i].index, value, length);

	return slot == NAMES_NONE ? SLOT_OTHER : (uint32_t)slot;
}

/* The column that input j belongs to. */
static const struct encoder_column *column_of(const struct encoder *encoder, size_t j)
{
	size_t low = 0, high = encoder->count - 1;

	while (low < high) {
		size_t middle = (low + high + 1) / 2;

		if (encoder->columns[middle].shown.first <= j)
			low = middle;
		else
			high = middle - 1;
	}
	return &encoder->columns[low].shown;
}

void encoder_input_name(const struct encoder *encoder, size_t j, char *out, size_t size)
{
	const struct encoder_column *column = column_of(encoder, j);
	size_t slot = j - column->first;
	const char *value;

	if (column->kind == COLUMN_NUMBER) {
		snprintf(out, size, "%s", column->name);
		return;
	}
	if (slot < column->values_count)
		value = column->values[slot];
	else
		value = slot == column->values_count ? "(other)" : "(missing)";
	snprintf(out, size, "%s=%s", column->name, value);
}

void encoder_fit_begin(struct encoder *encoder)
{
	for (size_t i = 0; i < encoder->count; i++) {
		struct encoder_column *shown = &encoder->columns[i].shown;

		encoder->columns[i].m2 = 0;
		shown->mean = shown->std = shown->min = shown->max = 0;
		shown->rows = shown->missing_rows = 0;
		if (shown->slot_counts)
			memset(shown->slot_counts, 0, shown->width * sizeof *shown->slot_counts);
	}
}

/* Mean and squared distances by Welford's recurrence (Technometrics 4, 1962). */
void encoder_fit_numbers(struct encoder *encoder, size_t i, const double *x, const uint8_t *use, size_t n)
{
	struct column *column = &encoder->columns[i];
	struct encoder_column *shown = &column->shown;

	for (size_t r = 0; r < n; r++) {
		double delta;

		if (use && !use[r]) continue;
		shown->rows++;
		if (isnan(x[r])) {
			shown->missing_rows++;
			continue;
		}
		if (shown->rows - shown->missing_rows == 1) shown->min = shown->max = x[r];
		delta = x[r] - shown->mean;
		shown->mean += delta / (double)(shown->rows - shown->missing_rows);
		column->m2 += delta * (x[r] - shown->mean);
		shown->min = fmin(shown->min, x[r]);
		shown->max = fmax(shown->max, x[r]);
	}
}

void encoder_fit_slots(struct encoder *encoder, size_t i, const uint32_t *slots, const uint8_t *use, size_t n)
{
	struct encoder_column *shown = &encoder->columns[i].shown;

	for (size_t r = 0; r < n; r++) {
		size_t slot = slots[r];

		if (use && !use[r]) continue;
		shown->rows++;
		if (slots[r] == SLOT_MISSING) {
			shown->missing_rows++;
			slot = shown->values_count + 1;
		} else if (slot >= shown->values_count) {
			slot = shown->values_count;
		}
		if (slot < shown->width) shown->slot_counts[slot]++;
	}
}

static double finite_or(double x, double otherwise)
{
	return isfinite(x) ? x : otherwise;
}

void encoder_fit_end(struct encoder *encoder)
{
	for (size_t i = 0; i < encoder->count; i++) {
		struct column *column = &encoder->columns[i];
		struct encoder_column *shown = &column->shown;
		uint64_t present = shown->rows - shown->missing_rows;
		double spread = 0;

		if (shown->kind != COLUMN_NUMBER) continue;
		shown->mean = finite_or(shown->mean, 0);
		shown->std = present ? finite_or(sqrt(column->m2 / (double)present), 0) : 0;
		shown->fill = shown->mean;
		shown->shift = 0;
		shown->scale = 1;
		if (column->raw) continue;
		if (encoder->normalize == NORMALIZE_STANDARD) {
			shown->shift = shown->mean;
			spread = shown->std;
		} else if (encoder->normalize == NORMALIZE_MINMAX) {
			shown->shift = shown->min;
			spread = finite_or(shown->max - shown->min, 0);
		}
		shown->scale = spread > 0 ? spread : 1; /* a constant column becomes 0 */
	}
}

void encoder_restore(struct encoder *encoder, size_t i, const struct encoder_column *learnt)
{
	struct encoder_column *to = &encoder->columns[i].shown;

	to->shift = learnt->shift;
	to->scale = learnt->scale;
	to->fill = learnt->fill;
	to->mean = learnt->mean;
	to->std = learnt->std;
	to->min = learnt->min;
	to->max = learnt->max;
	to->rows = learnt->rows;
	to->missing_rows = learnt->missing_rows;
	if (to->slot_counts && learnt->slot_counts)
		memcpy(to->slot_counts, learnt->slot_counts, to->width * sizeof *to->slot_counts);
}
