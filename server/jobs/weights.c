/* weights.c - what each cell of a training row counts. See weights.h.
 *
 * "balanced" gives each class rows / (classes * rows of the class), so that all classes count the same (King, Zeng:
 * Logistic regression in rare events data, 2001).
 */
#include "server/jobs/weights.h"

#include <stdlib.h>
#include <string.h>

#include "core/size.h"

struct weights {
	const struct encoder *targets;
	double **of_class; /* (columns), each (values) of a category, or NULL: all 1 */
	uint8_t *present;  /* (room) */
	size_t columns, room;
};

bool weights_wanted(const struct train_request *request, const struct encoder *targets)
{
	return request->balanced || request->class_weights || request->sample_weight_column ||
	       encoder_columns(targets) > 1;
}

/* A class that no training row is of counts as it would: nothing is there to be weighed. */
static void balance(const struct encoder_column *column, double *of_class)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < column->values_count; i++)
		rows += column->slot_counts[i];
	for (size_t i = 0; i < column->values_count; i++)
		of_class[i] = column->slot_counts[i] ? (double)rows / (double)column->values_count /
								       (double)column->slot_counts[i]
						     : 1;
}

static void take_map(const json_t *map, const struct encoder_column *column, double *of_class)
{
	for (size_t i = 0; i < column->values_count; i++) {
		const json_t *weight = json_object_get(map, column->values[i]);

		of_class[i] = weight ? json_number_value(weight) : 1;
	}
}

int weights_new(struct weights **out, const struct train_request *request, const struct encoder *targets,
		struct err *e)
{
	size_t columns = encoder_columns(targets);
	struct weights *w = calloc(1, sizeof *w);

	*out = w;
	if (!w) return err_nomem(e);
	w->targets = targets;
	w->columns = columns;
	if (!(w->of_class = calloc(columns, sizeof *w->of_class))) goto nomem;
	for (size_t i = 0; i < columns; i++) {
		const struct encoder_column *column = encoder_column(targets, i);

		if (column->kind != COLUMN_CATEGORY || (!request->balanced && !request->class_weights))
			continue;
		if (!(w->of_class[i] = calloc(column->values_count, sizeof **w->of_class))) goto nomem;
		if (request->balanced)
			balance(column, w->of_class[i]);
		else
			take_map(request->class_weights, column, w->of_class[i]);
	}
	return 0;
nomem:
	weights_free(w);
	*out = NULL;
	return err_nomem(e);
}

void weights_free(struct weights *w)
{
	if (!w) return;
	for (size_t i = 0; w->of_class && i < w->columns; i++)
		free(w->of_class[i]);
	free(w->of_class);
	free(w);
}

int weights_put(const struct weights *w, const struct source *source, size_t from, size_t n, real *out,
		struct err *e)
{
	const double *of_row = source_weights(source);

	for (size_t j = 0; j < n; j++) {
		double row = of_row ? of_row[from + j] : 1;

		if (!(row >= 0))
			return err_set(e, ERR_RANGE, "row %llu: its weight is missing or below 0",
					(unsigned long long)(source_first(source) + from + j + 1));
		for (size_t i = 0; i < w->columns; i++) {
			const uint32_t *slots = source_target_slots(source, i);
			double weight = source_present(source, i, from + j) ? row : 0;

			if (weight > 0 && w->of_class[i]) weight *= w->of_class[i][slots[from + j]];
			out[j * w->columns + i] = (real)weight;
		}
	}
	return 0;
}

void weights_add(double *sums, const real *w, size_t rows, size_t columns)
{
	for (size_t b = 0; b < rows; b++)
		for (size_t i = 0; i < columns; i++)
			sums[i] += (double)w[b * columns + i];
}

int weights_check(const double *sums, size_t columns, struct err *e)
{
	for (size_t i = 0; i < columns; i++)
		if (!(sums[i] > 0))
			return err_set(e, ERR_RANGE,
					"no training row counts: the weights of a target are 0 in all of them");
	return 0;
}

void weights_level(real *w, size_t rows, size_t columns, const double *sums, size_t training_rows)
{
	for (size_t b = 0; b < rows; b++)
		for (size_t i = 0; i < columns; i++)
			w[b * columns + i] =
					(real)((double)w[b * columns + i] * (double)training_rows / sums[i]);
}
