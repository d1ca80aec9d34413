/* answers_csv.c - what a network answered as rows of CSV. See answers.h. */
#include <math.h>
#include <string.h>

#include "server/codec/answers.h"
#include "server/codec/csv_quote.h"
#include "server/codec/number.h"

void answers_values(const struct encoder *targets, const float *scores, size_t rows, float *out)
{
	size_t width = encoder_width(targets);

	memcpy(out, scores, rows * width * sizeof *out);
	for (size_t c = 0; c < encoder_columns(targets); c++) {
		const struct encoder_column *column = encoder_column(targets, c);

		for (size_t r = 0; r < rows && column->kind == COLUMN_NUMBER; r++) {
			float *value = out + r * width + column->first;

			*value = (float)encoder_number(targets, c, (double)*value);
		}
	}
}

void answers_csv_head(struct buffer *out, const struct encoder *targets, bool more)
{
	struct buffer name = { 0 };

	for (size_t c = 0; c < encoder_columns(targets); c++) {
		const struct encoder_column *column = encoder_column(targets, c);

		if (more || c) buffer_text(out, ",");
		csv_quote(out, column->name, strlen(column->name));
		for (size_t i = 0; column->kind == COLUMN_CATEGORY && i < column->width; i++) {
			name.size = 0;
			buffer_printf(&name, "%s=%s", column->name, column->values[i]);
			buffer_text(out, ",");
			csv_quote(out, name.data ? name.data : "", name.size);
		}
	}
	buffer_text(out, "\n");
	out->failed |= name.failed;
	buffer_free(&name);
}

static void put_number(struct buffer *out, float value)
{
	char *to;

	if (isfinite(value) && (to = buffer_reserve(out, NUMBER_PRINT_MAX)))
		out->size += number_print_float(value, to);
}

/* The first of the likeliest; nothing where all are NaN. */
static void put_class(struct buffer *out, const struct encoder_column *column, const float *scores)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < column->width; i++)
		if (!isnan(scores[i]) && (best == SIZE_MAX || scores[i] > scores[best])) best = i;
	if (best != SIZE_MAX) csv_quote(out, column->values[best], strlen(column->values[best]));
}

void answers_csv_row(struct buffer *out, const struct encoder *targets, const float *values, bool more)
{
	size_t before = out->size;

	for (size_t c = 0; c < encoder_columns(targets); c++) {
		const struct encoder_column *column = encoder_column(targets, c);

		if (more || c) buffer_text(out, ",");
		if (column->kind == COLUMN_CATEGORY) put_class(out, column, values + column->first);
		for (size_t i = 0; i < column->width; i++) {
			if (column->kind == COLUMN_CATEGORY) buffer_text(out, ",");
			put_number(out, values[column->first + i]);
		}
	}
	if (out->size == before) buffer_text(out, "\"\""); /* an empty line would be no row to many readers */
	buffer_text(out, "\n");
}
