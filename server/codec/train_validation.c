/* train_validation.c - reads and writes the "validation" of a :train. See train_validation.h. */
#include "server/codec/train_validation.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/date.h"
#include "core/encoder.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"

#define ROW(name, type, low, high, open)                                                     \
	{                                                                                    \
#name, type, offsetof(struct train_validation, name), low, high, open, false \
	}
static const struct field fields[] = {
	ROW(split, FIELD_REAL, 0, VALIDATION_SPLIT_MAX, true),
	ROW(fold, FIELD_UINT, 1, VALIDATION_FOLDS_MAX, false),
	ROW(of, FIELD_UINT, 2, VALIDATION_FOLDS_MAX, false),
	ROW(stratify, FIELD_BOOL, 0, 0, false),
	ROW(order_by, FIELD_STRING, 0, 0, false),
	ROW(dataset, FIELD_STRING, 0, 0, false),
	ROW(column, FIELD_STRING, 0, 0, false),
	ROW(value, FIELD_ANY, 0, 0, false),
	{ 0 },
};
#undef ROW

/* What goes with one form only. */
static const struct {
	const char *field, *form, *other, *pointer;
} companions[] = {
	{ "stratify", "split", "fold", "/validation/stratify" },
	{ "order_by", "split", NULL, "/validation/order_by" },
	{ "of", "fold", NULL, "/validation/of" },
	{ "value", "column", NULL, "/validation/value" },
};

static void check_forms(const json_t *value, struct faults *faults)
{
	static const char *const forms[] = { "split", "fold", "dataset", "column" };
	size_t said = 0;

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		said += json_object_get(value, forms[i]) != NULL;
	if (!said)
		faults_add(faults, ERR_MISSING_FIELD, "/validation",
				"needs \"split\", the share of the rows to hold out, as in 0.2; or \"fold\" and \"of\"; or "
				"\"dataset\"; or \"column\" and \"value\"");
	if (said > 1)
		faults_add(faults, ERR_INVALID, "/validation",
				"takes one of \"split\", \"fold\", \"dataset\" and \"column\"");
	if (said != 1) return;
	for (size_t i = 0; i < sizeof companions / sizeof *companions; i++)
		if (json_object_get(value, companions[i].field) &&
				!json_object_get(value, companions[i].form) &&
				!(companions[i].other && json_object_get(value, companions[i].other)))
			faults_add(faults, ERR_INVALID, companions[i].pointer, "goes with \"%s\" alone",
					companions[i].form);
}

static void check_fold(const json_t *value, const struct train_validation *v, struct faults *faults)
{
	if (!json_object_get(value, "fold")) return;
	if (!json_object_get(value, "of"))
		faults_add(faults, ERR_MISSING_FIELD, "/validation",
				"needs \"of\": how many folds there are, as in {\"fold\": 2, \"of\": 5}");
	else if (v->of && v->fold > v->of)
		faults_add(faults, ERR_INVALID, "/validation/fold", "there are %llu folds, from 1",
				(unsigned long long)v->of);
}

static void check_value(const json_t *object, struct faults *faults)
{
	const json_t *value = json_object_get(object, "value");

	if (!json_object_get(object, "column")) return;
	if (!value)
		faults_add(faults, ERR_MISSING_FIELD, "/validation",
				"needs \"value\": the rows with it in that column are held out");
	else if (!json_is_number(value) && !json_is_string(value) && !json_is_boolean(value))
		faults_add(faults, ERR_INVALID, "/validation/value",
				"must be a number, a text, or true or false, not %s", json_kind(value));
}

void train_validation_read(const json_t *value, struct train_validation *out, struct faults *faults)
{
	*out = (struct train_validation){ 0 };
	fields_read(value, fields, out, "/validation", faults);
	if (!json_is_object(value)) return;
	out->stratify_said = json_object_get(value, "stratify") != NULL;
	check_forms(value, faults);
	check_value(value, faults);
	check_fold(value, out, faults);
	if (out->order_by && out->stratify)
		faults_add(faults, ERR_INVALID, "/validation/stratify",
				"does not go with \"order_by\", which says which rows are held out");
}

bool train_validation_wanted(const struct train_validation *v)
{
	return v->split > 0 || v->of || v->dataset || v->column;
}

void train_validation_resolve(struct train_validation *v, bool classifies, struct faults *faults)
{
	if (v->split <= 0 && !v->of) return;
	if (!v->stratify_said) v->stratify = classifies && !v->order_by;
	if (v->stratify && !classifies)
		faults_add(faults, ERR_INVALID, "/validation/stratify",
				"needs a model with one target, a category, whose classes are held out in proportion");
}

uint64_t train_validation_rest(const struct train_validation *v, uint64_t rows)
{
	uint64_t held_out;

	if (v->column) return v->rows < rows ? rows - v->rows : 1;
	if (v->of) return v->of < rows ? rows - (rows + v->of - 1) / v->of : 1;
	if (v->split <= 0 || rows < 2) return rows;
	held_out = (uint64_t)llround((double)rows * v->split);
	if (held_out < 1) held_out = 1;
	return held_out < rows ? rows - held_out : 1;
}

json_t *train_validation_document(const struct train_validation *v)
{
	json_t *out;
	bool whole;

	if (!train_validation_wanted(v)) return json_null();
	out = json_object();
	if (v->dataset)
		whole = json_put(out, "dataset", json_string(v->dataset));
	else if (v->column)
		whole = json_put(out, "column", json_string(v->column)) &&
			json_put(out, "value", json_deep_copy(v->value));
	else if (v->of)
		whole = json_put(out, "fold", json_integer((json_int_t)v->fold)) &&
			json_put(out, "of", json_integer((json_int_t)v->of)) &&
			json_put(out, "stratify", json_boolean(v->stratify));
	else
		whole = json_put(out, "split", json_real(v->split)) &&
			json_put(out, "stratify", json_boolean(v->stratify)) &&
			(!v->order_by || json_put(out, "order_by", json_string(v->order_by)));
	return json_whole(out, whole);
}

/* ---- a value in a column ---- */

/* The text that a value is written as; false: it has none. */
static bool text_of(const json_t *value, struct train_value *out)
{
	if (json_is_string(value)) {
		out->text = json_string_value(value);
		out->length = json_string_length(value);
	} else if (json_is_boolean(value)) {
		out->text = boolean_text(json_is_true(value));
		out->length = strlen(out->text);
	} else if (json_is_number(value)) {
		out->text = out->printed;
		out->length = number_print_double(json_number_value(value), out->printed);
	} else
		return false;
	return true;
}

bool train_value_read(const json_t *value, enum column_type type, struct train_value *out)
{
	bool says;

	*out = (struct train_value){ .numeric = !column_type_has_codes(type) };
	switch (type) {
	case TYPE_NUMBER: out->number = json_number_value(value); return json_is_number(value);
	case TYPE_DATE:
		return json_is_string(value) &&
		       date_read(json_string_value(value), json_string_length(value), &out->number);
	case TYPE_BOOLEAN:
		if (!text_of(value, out) || !encoder_boolean(out->text, out->length, &says)) return false;
		out->text = boolean_text(says);
		out->length = strlen(out->text);
		return true;
	case TYPE_CATEGORY: return text_of(value, out);
	default: return false;
	}
}
