/* explain_answer.c - what inputs contributed, as JSON text. See explain_parts.h.
 *
 * Numbers are in the users' units, and float32 as those of :predict. What is not finite is null, and a warning says so.
 */
#include <math.h>

#include "core/size.h"
#include "server/api/explain_parts.h"
#include "server/codec/json.h"
#include "server/codec/number.h"

#define ESCAPED_MOST 6   /* bytes of a byte as JSON: \u001f */
#define FLOAT_BYTES  18  /* of a printed float, with its comma */
#define LAYER_BYTES  44  /* of a layer's names and brackets */
#define ROW_BYTES    160 /* of a row's own names and numbers */

size_t explain_predicted(const struct encoder_column *column, const float *scores)
{
	size_t best = SIZE_MAX;

	scores += column->first;
	for (size_t i = 0; i < column->width; i++)
		if (!isnan(scores[i]) && (best == SIZE_MAX || scores[i] > scores[best])) best = i;
	return best;
}

static size_t text_bytes(const char *text)
{
	return size_mul(strlen(text), ESCAPED_MOST);
}

static size_t trace_bytes(const struct net *net)
{
	size_t bytes = 0;

	for (size_t i = 0; i < net_layers(net); i++) {
		const struct layer *layer = net_layer(net, i);
		size_t numbers = size_add(layer->columns, layer->spec.units);

		bytes = size_add(bytes, size_add(size_mul(numbers, FLOAT_BYTES), LAYER_BYTES));
	}
	return bytes;
}

size_t explain_row_bytes(const struct explaining *ex)
{
	const struct encoder *inputs = ex->model->inputs;
	size_t bytes = ROW_BYTES, longest = 0;

	for (size_t i = 0; i < encoder_columns(inputs); i++)
		bytes = size_add(bytes, size_add(text_bytes(encoder_column(inputs, i)->name), FLOAT_BYTES));
	for (size_t i = 0; ex->category && i < ex->column->values_count; i++)
		if (text_bytes(ex->column->values[i]) > longest) longest = text_bytes(ex->column->values[i]);
	return size_add(size_add(bytes, longest), ex->trace ? trace_bytes(ex->model->net) : 0);
}

/* ---- a row ---- */

static void put_float(struct buffer *out, double value)
{
	char *to = buffer_reserve(out, NUMBER_PRINT_MAX);

	if (to) out->size += number_print_float((float)value, to);
}

static void put_string(struct buffer *out, const char *text)
{
	json_escape(out, text, strlen(text));
}

/* The inputs of a column together. unit: the users' for one of the network's. */
static void put_contributions(
		const struct encoder *inputs, const double *contributions, double unit, struct buffer *out)
{
	buffer_text(out, "{\"contributions\":{");
	for (size_t i = 0; i < encoder_columns(inputs); i++) {
		const struct encoder_column *column = encoder_column(inputs, i);
		double sum = 0;

		for (size_t j = 0; j < column->width; j++)
			sum += contributions[column->first + j];
		if (i) buffer_text(out, ",");
		put_string(out, column->name);
		buffer_text(out, ":");
		put_float(out, unit * sum);
	}
	buffer_text(out, "}");
}

static void put_numbers(struct buffer *out, const char *before, const float *numbers, size_t n)
{
	buffer_text(out, before);
	for (size_t i = 0; i < n; i++) {
		if (i) buffer_text(out, ",");
		put_float(out, (double)numbers[i]);
	}
	buffer_text(out, "]");
}

static void put_trace(const struct explaining *ex, size_t row, struct buffer *out)
{
	buffer_text(out, ",\"trace\":{\"layers\":[");
	for (size_t i = 0; i < net_layers(ex->model->net); i++) {
		const struct layer *layer = net_layer(ex->model->net, i);
		size_t columns = layer->columns, units = layer->spec.units;

		if (i) buffer_text(out, ",");
		put_numbers(out, "{\"weighted_inputs\":[",
				net_work_weighted_inputs(ex->work->net, i) + row * columns, columns);
		put_numbers(out, ",\"activations\":[", net_work_activations(ex->work->net, i) + row * units,
				units);
		buffer_text(out, "}");
	}
	buffer_text(out, "]}");
}

/* From the network's units to the users'. */
static double in_units(const struct explaining *ex, double encoded)
{
	return ex->category ? encoded : encoder_number(ex->model->targets, ex->at, encoded);
}

void explain_put(struct explaining *ex, const struct explanation *found, size_t class, size_t row,
		struct buffer *out)
{
	double unit = ex->category ? 1 : ex->column->scale;

	if (ex->rows++) buffer_text(out, ",");
	put_contributions(ex->model->inputs, found->contributions, unit, out);
	buffer_text(out, ",\"baseline\":");
	put_float(out, in_units(ex, found->baseline));
	buffer_text(out, ",\"output\":");
	put_float(out, in_units(ex, found->output));
	buffer_text(out, ",\"residual\":");
	put_float(out, unit * found->residual);
	if (ex->category && class == SIZE_MAX) buffer_text(out, ",\"class\":null");
	if (ex->category && class != SIZE_MAX) {
		buffer_text(out, ",\"class\":");
		put_string(out, ex->column->values[class]);
	}
	if (ex->trace) put_trace(ex, row, out);
	buffer_text(out, "}");
	if (!isfinite(found->residual))
		ex->nonfinite++;
	else if (!found->complete)
		ex->incomplete++;
}

/* ---- the end ---- */

static void put_warning(struct buffer *out, size_t *count, const char *sentence)
{
	buffer_text(out, (*count)++ ? "," : ",\"warnings\":[");
	put_string(out, sentence);
}

void explain_put_end(
		const struct explaining *ex, uint64_t version, const struct rows *said, struct buffer *out)
{
	char sentence[256];
	size_t count = 0;

	buffer_printf(out, "],\"model_version\":\"%llu\"", (unsigned long long)version);
	for (size_t i = 0; i < rows_warnings(said); i++)
		put_warning(out, &count, rows_warning(said, i));
	if (ex->no_rows)
		put_warning(out, &count,
				"this version knows no training rows: its baseline is 0 for every number, and every value of a category counts alike; send one as \"baseline\"");
	if (ex->incomplete) {
		snprintf(sentence, sizeof sentence,
				"the contributions to %llu of %llu rows do not sum up to within 1 %% of output - baseline, as the network jumps on the way or hardly changes; residual is what is left",
				(unsigned long long)ex->incomplete, (unsigned long long)ex->rows);
		put_warning(out, &count, sentence);
	}
	if (ex->nonfinite) {
		snprintf(sentence, sizeof sentence,
				"the network's answer to %llu of %llu rows, or to the baseline, is not a finite number; what follows from it is null",
				(unsigned long long)ex->nonfinite, (unsigned long long)ex->rows);
		put_warning(out, &count, sentence);
	}
	buffer_text(out, count ? "]}" : "}");
}
