/* fields.c - table-driven reading of JSON objects. See fields.h. */
#include "server/codec/fields.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"

#define FIELDS_MAX 64

const char *json_kind(const json_t *value)
{
	static const char *const kinds[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
		[JSON_INTEGER] = "a number",
		[JSON_REAL] = "a number",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};

	return kinds[json_typeof(value)];
}

static bool in_range(const struct field *field, double value)
{
	return value <= field->max && (field->min_open ? value > field->min : value >= field->min);
}

static bool range_fault(const struct field *field, double value, const char *pointer, struct faults *faults)
{
	faults_add(faults, ERR_RANGE, pointer, "%.9g is out of range: it must be %s %.9g and at most %.9g",
			value, field->min_open ? "above" : "at least", field->min, field->max);
	return false;
}

static bool type_fault(const json_t *value, const char *wanted, const char *pointer, struct faults *faults)
{
	faults_add(faults, ERR_INVALID, pointer, "must be %s, not %s", wanted, json_kind(value));
	return false;
}

bool field_value(const json_t *value, const struct field *field, void *to, const char *pointer,
		struct faults *faults)
{
	double number = json_number_value(value);

	switch (field->type) {
	case FIELD_UINT:
		if (!json_is_number(value)) return type_fault(value, "a whole number", pointer, faults);
		if (number != floor(number)) {
			faults_add(faults, ERR_INVALID, pointer, "must be a whole number, not %.9g", number);
			return false;
		}
		if (!in_range(field, number)) return range_fault(field, number, pointer, faults);
		*(uint64_t *)to = json_is_integer(value) ? (uint64_t)json_integer_value(value)
							 : (uint64_t)number;
		return true;
	case FIELD_REAL:
		if (!json_is_number(value)) return type_fault(value, "a number", pointer, faults);
		if (!in_range(field, number)) return range_fault(field, number, pointer, faults);
		*(double *)to = number;
		return true;
	case FIELD_BOOL:
		if (!json_is_boolean(value)) return type_fault(value, "true or false", pointer, faults);
		*(bool *)to = json_is_true(value);
		return true;
	case FIELD_STRING:
		if (!json_is_string(value)) return type_fault(value, "a string", pointer, faults);
		*(const char **)to = json_string_value(value);
		return true;
	default: *(const json_t **)to = value; return true;
	}
}

static const struct field *find_field(const struct field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (!strcmp(fields->name, name)) return fields;
	return NULL;
}

static void unknown_fault(
		const char *name, const char *const *known, const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];
	const char *meant = did_you_mean(name, known);

	pointer_join(at, pointer, name);
	if (meant)
		faults_add(faults, ERR_UNKNOWN_FIELD, at, "there is no such field; did you mean \"%s\"?",
				meant);
	else
		faults_add(faults, ERR_UNKNOWN_FIELD, at, "there is no such field");
}

void fields_read(const json_t *object, const struct field *fields, void *to, const char *pointer,
		struct faults *faults)
{
	const char *known[FIELDS_MAX + 1], *key;
	char at[FAULT_POINTER_BYTES];
	size_t count = 0;
	json_t *value;

	if (!json_is_object(object)) {
		type_fault(object, "an object", pointer, faults);
		return;
	}
	for (; fields[count].name && count < FIELDS_MAX; count++)
		known[count] = fields[count].name;
	known[count] = NULL;
	json_object_foreach((json_t *)object, key, value)
	{
		const struct field *field = find_field(fields, key);

		if (!field)
			unknown_fault(key, known, pointer, faults);
		else if (!(json_is_null(value) && field->may_be_null))
			field_value(value, field, (char *)to + field->offset, pointer_join(at, pointer, key),
					faults);
	}
}

bool named_read(const json_t *value, const char **name, const char *pointer, struct faults *faults)
{
	const json_t *inner;
	char at[FAULT_POINTER_BYTES];

	*name = NULL;
	if (json_is_string(value)) {
		*name = json_string_value(value);
		return true;
	}
	if (!json_is_object(value))
		return type_fault(value, "a name, or an object with a \"name\"", pointer, faults);
	inner = json_object_get(value, "name");
	if (!inner) {
		faults_add(faults, ERR_MISSING_FIELD, pointer, "needs a \"name\"");
		return false;
	}
	if (!json_is_string(inner))
		return type_fault(inner, "a string", pointer_join(at, pointer, "name"), faults);
	*name = json_string_value(inner);
	return true;
}

static const struct param *find_param(const struct param params[PARAMS_MAX], const char *name, size_t *index)
{
	for (*index = 0; *index < params_count(params); ++*index)
		if (!strcmp(params[*index].name, name)) return &params[*index];
	return NULL;
}

static void param_value(const json_t *value, const struct param *param, double *out, const char *pointer,
		struct faults *faults)
{
	double number = json_number_value(value);

	if (!json_is_number(value)) {
		type_fault(value, "a number", pointer, faults);
		return;
	}
	if (param_allows(param, number)) {
		*out = number;
		return;
	}
	faults_add(faults, ERR_RANGE, pointer, "%.9g is out of range: it must be %s %.9g and %s %.9g", number,
			param->min_open ? "above" : "at least", param->min,
			param->max_open ? "below" : "at most", param->max);
}

/* An array into the slots from *out on, NaN after its last number. */
static void param_list(const json_t *value, const struct param *param, size_t slots, double *out,
		const char *pointer, struct faults *faults)
{
	size_t count = json_array_size(value), i;
	char at[FAULT_POINTER_BYTES];
	const json_t *item;

	if (!json_is_array(value)) {
		type_fault(value, "an array of numbers", pointer, faults);
		return;
	}
	if (count > slots) {
		faults_add(faults, ERR_RANGE, pointer, "has %zu numbers; at most %zu are possible", count,
				slots);
		return;
	}
	json_array_foreach(value, i, item)
			param_value(item, param, &out[i], pointer_index(at, pointer, i), faults);
	for (i = count; i < slots; i++)
		out[i] = NAN;
}

void named_params(const json_t *value, const struct param params[PARAMS_MAX], double out[PARAMS_MAX],
		const char *pointer, const char *what, struct faults *faults)
{
	const char *known[PARAMS_MAX + 1], *key;
	char at[FAULT_POINTER_BYTES];
	size_t count = params_count(params), index;
	json_t *item;

	params_fallback(params, out);
	if (!json_is_object(value)) return;
	for (size_t i = 0; i < count; i++)
		known[i] = params[i].name;
	known[count] = NULL;
	json_object_foreach((json_t *)value, key, item)
	{
		const struct param *param;

		if (what && !strcmp(key, "name")) continue;
		if (!(param = find_param(params, key, &index)))
			unknown_fault(key, known, pointer, faults);
		else if (param->list)
			param_list(item, param, PARAMS_MAX - index, &out[index],
					pointer_join(at, pointer, key), faults);
		else
			param_value(item, param, &out[index], pointer_join(at, pointer, key), faults);
	}
}

/* New; NULL: no memory. */
static json_t *list_document(const double *values, size_t count)
{
	json_t *out = json_array();
	bool whole = out;

	for (size_t i = 0; i < count; i++)
		whole &= json_append(out, json_real(values[i]));
	return json_whole(out, whole);
}

json_t *named_document(const char *name, const struct param params[PARAMS_MAX], const double *values)
{
	json_t *out = json_object();
	bool whole = !name || json_put(out, "name", json_string(name));

	for (size_t i = 0; i < params_count(params); i++)
		whole &= json_put(out, params[i].name,
				params[i].list ? list_document(&values[i], params_length(params, i, values))
					       : json_real(values[i]));
	return json_whole(out, whole);
}
