/* validation.c - does the "validation" of a :train fit its data? See validation.h. */
#include "server/api/validation.h"

#include <string.h>

#include "server/codec/json.h"

static const json_t *find_column(const json_t *columns, const char *name, enum column_type *type)
{
	const json_t *column;
	size_t i;

	json_array_foreach((json_t *)columns, i, column)
	{
		const char *its = json_string_value(json_object_get(column, "name"));
		const char *of = json_string_value(json_object_get(column, "type"));

		if (its && of && !strcmp(its, name) && column_type_find(of, type)) return column;
	}
	return NULL;
}

static void check_order(const json_t *columns, const char *name, struct faults *faults)
{
	enum column_type type;
	const json_t *column = find_column(columns, name, &type);
	json_int_t missing = json_integer_value(json_object_get(column, "missing"));

	if (!column)
		faults_add(faults, ERR_INVALID, "/validation/order_by", "the data have no column \"%.64s\"",
				name);
	else if (column_type_has_codes(type))
		faults_add(faults, ERR_INVALID, "/validation/order_by",
				"the column \"%.64s\" is of type %s, which has no order; it takes a number or a date",
				name, column_type_name(type));
	else if (missing)
		faults_add(faults, ERR_INVALID, "/validation/order_by",
				"the column \"%.64s\" has %lld missing cells, and every row needs one", name,
				(long long)missing);
}

/* How many rows have the value, of those that the description lists; *all_listed: it lists all there are. */
static uint64_t count_rows(const json_t *column, const struct train_value *wanted, bool *all_listed)
{
	const json_t *values = json_object_get(column, "values"), *entry;
	char printed[NUMBER_PRINT_MAX];
	const char *text = wanted->numeric ? printed : wanted->text;
	size_t length = wanted->numeric ? number_print_double(wanted->number, printed) : wanted->length, i;

	*all_listed = values && (json_int_t)json_array_size(values) ==
						json_integer_value(json_object_get(column, "distinct"));
	json_array_foreach((json_t *)values, i, entry)
	{
		const json_t *value = json_object_get(entry, "value");

		if (json_string_length(value) == length && !memcmp(json_string_value(value), text, length))
			return (uint64_t)json_integer_value(json_object_get(entry, "count"));
	}
	return 0;
}

/* Numbers are not always listed, but their bounds are. */
static bool out_of_range(const json_t *column, const struct train_value *wanted)
{
	const json_t *min = json_object_get(column, "min"), *max = json_object_get(column, "max");

	if (!wanted->numeric) return false;
	return !json_is_number(min) || wanted->number < json_number_value(min) ||
	       wanted->number > json_number_value(max);
}

static void check_value(
		const json_t *columns, uint64_t rows, struct train_validation *v, struct faults *faults)
{
	enum column_type type;
	const json_t *column = find_column(columns, v->column, &type);
	struct train_value wanted;
	bool all_listed;

	if (!column) {
		faults_add(faults, ERR_INVALID, "/validation/column", "the data have no column \"%.64s\"",
				v->column);
		return;
	}
	if (!train_value_read(v->value, type, &wanted)) {
		faults_add(faults, ERR_INVALID, "/validation/value",
				"is no value of the column \"%.64s\", whose type is %s", v->column,
				column_type_name(type));
		return;
	}
	v->rows = count_rows(column, &wanted, &all_listed);
	if (!v->rows && (all_listed || out_of_range(column, &wanted)))
		faults_add(faults, ERR_INVALID, "/validation/value",
				"no row has it in the column \"%.64s\": there would be nothing to validate on",
				v->column);
	else if (v->rows == rows)
		faults_add(faults, ERR_INVALID, "/validation/value",
				"all rows have it in the column \"%.64s\": there would be nothing to train on",
				v->column);
}

int validation_check(const struct store_revision *revision, struct train_validation *v, struct faults *faults,
		struct err *e)
{
	json_t *columns = NULL;
	int rc;

	if (!v->order_by && !(v->column && v->value)) return 0;
	if ((rc = json_read_stored(revision->columns, &columns, e))) return rc;
	if (v->order_by)
		check_order(columns, v->order_by, faults);
	else
		check_value(columns, revision->rows, v, faults);
	json_decref(columns);
	return 0;
}
