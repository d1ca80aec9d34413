/* encoders.c - what a version learnt about its columns, as a document. */
#include <math.h>

#include "server/api/models.h"
#include "server/codec/column_type.h"
#include "server/codec/json.h"

/* value: NULL for slots that stand for no one value. */
static json_t *slot_document(
		const struct encoder_column *column, size_t slot, const char *name, const char *value)
{
	json_t *out = json_object();
	bool whole = json_put(out, name, value ? json_string(value) : json_true());

	whole &= json_put(out, "count", json_integer((json_int_t)column->slot_counts[slot]));
	return json_whole(out, whole);
}

/* The slots in order, each with how many training rows had it. */
static bool put_slots(json_t *out, const struct encoder_column *column)
{
	static const char *const beside[] = { "other", "missing" };
	json_t *list = json_array();
	bool whole = list != NULL;

	for (size_t i = 0; whole && i < column->values_count; i++)
		whole = json_append(list, slot_document(column, i, "value", column->values[i]));
	for (size_t i = column->values_count; whole && i < column->slots; i++)
		whole = json_append(list, json_pack("{s:I,s:I}", "bucket", (json_int_t)i, "count",
							  (json_int_t)column->slot_counts[i]));
	for (size_t i = column->slots; whole && i < column->width; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): width is at most slots + 2 */
		whole = json_append(list, slot_document(column, i, beside[i - column->slots], NULL));
	if (!column->values)
		whole = whole && json_put(out, "buckets", json_integer((json_int_t)column->slots));
	return json_put(out, "slots", list) && whole;
}

static bool put_number(json_t *out, const struct encoder_column *column)
{
	bool whole = json_put(out, "mean", json_number(column->mean));

	whole &= json_put(out, "std", json_number(column->std));
	whole &= json_put(out, "min", json_number(column->min));
	whole &= json_put(out, "max", json_number(column->max));
	whole &= json_put(out, "shift", json_number(column->shift));
	whole &= json_put(out, "scale", json_number(column->scale));
	return whole & json_put(out, "fill", json_number(column->fill));
}

/* Marks are dates, shifts are seconds since 1970, and years. */
static bool put_date(json_t *out, const struct encoder_column *column)
{
	bool whole = json_put(out, "mean", json_date(column->mean));

	whole &= json_put(out, "std_days", json_number(column->std / 86400));
	whole &= json_put(out, "min", json_date(column->min));
	whole &= json_put(out, "max", json_date(column->max));
	whole &= json_put(out, "shift", json_number(column->shift));
	whole &= json_put(out, "scale", json_number(column->scale));
	whole &= json_put(out, "year_shift", json_number(column->year_shift));
	whole &= json_put(out, "year_scale", json_number(column->year_scale));
	return whole & json_put(out, "fill", json_date(column->fill));
}

static const struct {
	const char *type;
	bool (*put)(json_t *out, const struct encoder_column *column);
} kinds[COLUMN_KINDS] = {
	[COLUMN_NUMBER] = { "number", put_number },
	[COLUMN_CATEGORY] = { "category", put_slots },
	[COLUMN_DATE] = { "date", put_date },
};

static json_t *column_document(const struct encoder_column *column)
{
	json_t *out = json_object();
	bool whole = json_put(out, "name", json_string(column->name));

	whole &= json_put(out, "type", json_string(kinds[column->kind].type));
	whole &= json_put(out, "first", json_integer((json_int_t)column->first));
	whole &= json_put(out, "width", json_integer((json_int_t)column->width));
	whole &= json_put(out, "missing", json_integer((json_int_t)column->missing_rows));
	whole &= kinds[column->kind].put(out, column);
	return json_whole(out, whole);
}

static json_t *columns_document(const struct encoder *encoder)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t i = 0; whole && i < encoder_columns(encoder); i++)
		whole = json_append(out, column_document(encoder_column(encoder, i)));
	return json_whole(out, whole);
}

json_t *encoders_document(const struct model *model)
{
	json_t *out = json_object();
	bool whole = json_put(
			out, "normalize", json_string(normalize_names[encoder_normalize(model->inputs)]));

	whole &= json_put(out, "missing", json_string(missing_names[encoder_missing(model->inputs)]));
	whole &= json_put(out, "inputs", columns_document(model->inputs));
	whole &= json_put(out, "outputs", columns_document(model->targets));
	return json_whole(out, whole);
}
