/* curve.c - loss curves as JSON and CSV. See curve.h. Which columns a curve has is one table, read by both writers. */
#include "server/codec/curve.h"

#include <math.h>

#include "server/codec/number.h"

enum column_kind { COLUMN_WHOLE, COLUMN_REAL, COLUMN_ACCURACY, COLUMN_MAE };

struct column {
	const char *name;
	size_t offset;
	enum column_kind kind;
	bool validation;
};
static const struct column columns[] = {
	{ "epoch", offsetof(struct train_point, epoch), COLUMN_WHOLE, false },
	{ "step", offsetof(struct train_point, step), COLUMN_WHOLE, false },
	{ "loss", offsetof(struct train_point, loss), COLUMN_REAL, false },
	{ "val_loss", offsetof(struct train_point, val_loss), COLUMN_REAL, true },
	{ "accuracy", offsetof(struct train_point, accuracy), COLUMN_ACCURACY, false },
	{ "val_accuracy", offsetof(struct train_point, val_accuracy), COLUMN_ACCURACY, true },
	{ "mae", offsetof(struct train_point, mae), COLUMN_MAE, false },
	{ "val_mae", offsetof(struct train_point, val_mae), COLUMN_MAE, true },
	{ "learning_rate", offsetof(struct train_point, learning_rate), COLUMN_REAL, false },
	{ "seconds", offsetof(struct train_point, seconds), COLUMN_REAL, false },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static bool is_shown(const struct column *column, const struct curve_view *view)
{
	if (column->kind == COLUMN_ACCURACY && !view->accuracy) return false;
	if (column->kind == COLUMN_MAE && !view->mae) return false;
	return view->validated || !column->validation;
}

static double real_at(const struct column *column, const struct train_point *point)
{
	return *(const double *)((const char *)point + column->offset);
}

/* Is there a number in this cell at all? */
static bool is_there(const struct column *column, const struct train_point *point)
{
	return !column->validation || point->validated;
}

/* Writes a cell, `missing` in the place of what is not finite. */
static void write_cell(const struct column *column, const struct train_point *point, const char *missing,
		struct buffer *out)
{
	char *to = buffer_reserve(out, NUMBER_PRINT_MAX);

	if (!to) return;
	if (column->kind == COLUMN_WHOLE)
		buffer_printf(out, "%llu",
				(unsigned long long)*(
						const uint64_t *)((const char *)point + column->offset));
	else if (is_there(column, point) && isfinite(real_at(column, point)))
		out->size += number_print_double(real_at(column, point), to);
	else
		buffer_text(out, missing);
}

static const char *nonfinite_kind(double value)
{
	if (isnan(value)) return "nan";
	return value > 0 ? "inf" : "-inf";
}

static void write_nonfinite(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	bool some = false;

	buffer_text(out, ",\"nonfinite\":[");
	for (size_t i = 0; i < curve->count; i++)
		for (size_t j = 0; j < COLUMNS; j++) {
			if (columns[j].kind == COLUMN_WHOLE || !is_shown(&columns[j], view)) continue;
			if (!is_there(&columns[j], &curve->points[i]) ||
					isfinite(real_at(&columns[j], &curve->points[i])))
				continue;
			buffer_printf(out, "%s{\"epoch\":%llu,\"metric\":\"", some ? "," : "",
					(unsigned long long)curve->points[i].epoch);
			buffer_text(out, columns[j].name);
			buffer_printf(out, "\",\"kind\":\"%s\"}",
					nonfinite_kind(real_at(&columns[j], &curve->points[i])));
			some = true;
		}
	buffer_text(out, "]");
}

void curve_write_columns(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	for (size_t j = 0; j < COLUMNS; j++) {
		if (!is_shown(&columns[j], view)) continue;
		buffer_text(out, ",\"");
		buffer_text(out, columns[j].name);
		buffer_text(out, "\":[");
		for (size_t i = 0; i < curve->count; i++) {
			if (i) buffer_text(out, ",");
			write_cell(&columns[j], &curve->points[i], "null", out);
		}
		buffer_text(out, "]");
	}
	write_nonfinite(curve, view, out);
}

void curve_write_point(const struct train_point *point, const struct curve_view *view, struct buffer *out)
{
	const struct curve one = { .points = (struct train_point *)point, .count = 1 };
	bool finite = true;

	for (size_t j = 0; j < COLUMNS; j++) {
		if (!is_shown(&columns[j], view)) continue;
		buffer_text(out, j ? ",\"" : "\"");
		buffer_text(out, columns[j].name);
		buffer_text(out, "\":");
		write_cell(&columns[j], point, "null", out);
		if (columns[j].kind != COLUMN_WHOLE && is_there(&columns[j], point) &&
				!isfinite(real_at(&columns[j], point)))
			finite = false;
	}
	if (!finite) write_nonfinite(&one, view, out);
}

void curve_write_json(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	buffer_printf(out, "{\"job\":\"%lld\",\"total\":%llu,\"returned\":%zu", (long long)view->job,
			(unsigned long long)view->total, curve->count);
	curve_write_columns(curve, view, out);
	if (view->health) {
		buffer_text(out, ",\"health\":");
		curve_health_write(&curve->health, out);
	}
	buffer_text(out, "}");
}

void curve_write_csv_head(const struct curve_view *view, struct buffer *out)
{
	for (size_t j = 0; j < COLUMNS; j++) {
		if (!is_shown(&columns[j], view)) continue;
		if (j) buffer_text(out, ",");
		buffer_text(out, columns[j].name);
	}
	buffer_text(out, "\r\n");
}

void curve_write_csv(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	for (size_t i = 0; i < curve->count; i++) {
		for (size_t j = 0; j < COLUMNS; j++) {
			if (!is_shown(&columns[j], view)) continue;
			if (j) buffer_text(out, ",");
			write_cell(&columns[j], &curve->points[i], "", out);
		}
		buffer_text(out, "\r\n");
	}
}
