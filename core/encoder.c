/* encoder.c - columns to inputs and back: making and looking up. See encoder.h; what is learnt from rows is in
 * encoder_fit.c, the encoding itself in encoder_put.c.
 *
 * A column's learnt numbers change in encoder_fit_* and encoder_restore only; after that an encoder is read-only
 * and may be used by many threads.
 */
#include "core/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/encoder_parts.h"
#include "core/names.h"
#include "core/net.h"
#include "core/size.h"

/* The inputs of one column. */
static size_t column_width(const struct column_spec *spec, enum encoder_role role, enum missing missing)
{
	if (spec->kind == COLUMN_NUMBER) return 1;
	if (spec->kind == COLUMN_DATE) return ENCODER_DATE_WIDTH;
	if (role == ENCODER_TARGETS) return spec->values_count;
	return size_add(spec->values_count, missing == MISSING_ERROR ? 1 : 2);
}

static bool can_be_target(const struct column_spec *spec)
{
	return spec->kind == COLUMN_NUMBER || (spec->kind == COLUMN_CATEGORY && spec->values);
}

static int check_columns(const struct column_spec *columns, size_t count, enum encoder_role role,
		enum missing missing, struct err *e)
{
	size_t width = 0;

	if (!count) return err_set(e, ERR_RANGE, "there are no columns");
	for (size_t i = 0; i < count; i++) {
		if (columns[i].kind == COLUMN_CATEGORY && !columns[i].values_count)
			return err_set(e, ERR_RANGE, "category \"%s\" has no values", columns[i].name);
		if (role == ENCODER_TARGETS && !can_be_target(&columns[i]))
			return err_set(e, ERR_RANGE,
					"\"%s\" is no number and has no list of values to be predicted",
					columns[i].name);
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
	shown->scale = shown->year_scale = 1;
	encoder->width += shown->width;
	shown->name = strdup(spec->name);
	if (!shown->name) return err_nomem(e);
	if (encoder_is_numeric(spec->kind)) {
		if (encoder->role == ENCODER_INPUTS) shown->profile = calloc(1, sizeof *shown->profile);
		return shown->profile || encoder->role == ENCODER_TARGETS ? 0 : err_nomem(e);
	}
	shown->slots = spec->values_count;
	if (!(shown->slot_counts = calloc(shown->width, sizeof *shown->slot_counts))) return err_nomem(e);
	if (!spec->values) return 0;
	shown->values_count = spec->values_count;
	if (!(shown->values = copy_strings(spec->values, spec->values_count))) return err_nomem(e);
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

		specs[i] = (struct column_spec){ c->name, c->kind, (const char *const *)c->values, c->slots };
	}
	rc = encoder_new(out, specs, from->count, from->role, from->normalize, from->missing, e);
	free(specs);
	if (rc) return rc;
	for (size_t i = 0; i < from->count; i++) {
		encoder_restore(*out, i, &from->columns[i].shown);
		(*out)->columns[i].sums = from->columns[i].sums;
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
		free(column->shown.profile);
		sample_free(&column->sample);
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

bool encoder_boolean(const char *text, size_t length, bool *value)
{
	static const char *const spellings[] = { "false", "true", "f", "t", "no", "yes", "n", "y", "off",
		"on", "0", "1" };

	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		if (strlen(spellings[i]) != length || strncasecmp(spellings[i], text, length)) continue;
		*value = i % 2;
		return true;
	}
	return false;
}

bool encoder_is_boolean(const struct encoder_column *column)
{
	return column->values_count == 2 && !strcmp(column->values[0], "false") &&
	       !strcmp(column->values[1], "true");
}

/* FNV-1a of 64 bits, its halves folded: the bucket is kept in weights, so that this never changes. */
static uint32_t bucket_of(const char *text, size_t length, size_t buckets)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return (uint32_t)((hash ^ hash >> 32) % buckets);
}

uint32_t encoder_slot(const struct encoder *encoder, size_t i, const char *value, size_t length)
{
	const struct column *column = &encoder->columns[i];
	bool truth;
	size_t slot;

	if (!column->index) return bucket_of(value, length, column->shown.slots);
	slot = names_find(column->index, value, length);
	if (slot != NAMES_NONE) return (uint32_t)slot;
	if (encoder_is_boolean(&column->shown) && encoder_boolean(value, length, &truth)) return truth;
	return SLOT_OTHER;
}

bool encoder_has_seen(const struct encoder *encoder, size_t i, uint32_t slot)
{
	const struct encoder_column *shown = &encoder->columns[i].shown;

	return slot < shown->slots && shown->slot_counts[slot];
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

/* What of a date each of its inputs is. */
static const char *const date_inputs[ENCODER_DATE_WIDTH] = { "year", "days", "month.sin", "month.cos",
	"weekday.sin", "weekday.cos", "hour.sin", "hour.cos" };

void encoder_input_name(const struct encoder *encoder, size_t j, char *out, size_t size)
{
	const struct encoder_column *column = column_of(encoder, j);
	size_t slot = j - column->first;

	if (column->kind == COLUMN_NUMBER)
		snprintf(out, size, "%s", column->name);
	else if (column->kind == COLUMN_DATE)
		snprintf(out, size, "%s.%s", column->name, date_inputs[slot]);
	else if (slot >= column->slots)
		snprintf(out, size, "%s=%s", column->name, slot == column->slots ? "(other)" : "(missing)");
	else if (column->values)
		snprintf(out, size, "%s=%s", column->name, column->values[slot]);
	else
		snprintf(out, size, "%s=#%zu", column->name, slot);
}
