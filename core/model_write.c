/* model_write.c - a model to the bytes of its file; the layout is in model_format.h.
 *
 * The same writing runs twice: first into nothing, to learn the size, then into memory of exactly that size. So
 * there is no growing buffer and no failure in the middle.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/model.h"
#include "core/model_format.h"

struct writer {
	unsigned char *bytes; /* NULL: only count */
	size_t size;
};

static void put_bytes(struct writer *w, const void *bytes, size_t n)
{
	if (w->bytes) memcpy(w->bytes + w->size, bytes, n);
	w->size += n;
}

/* The low n bytes of value, lowest first. */
static void put_integer(struct writer *w, uint64_t value, size_t n)
{
	unsigned char bytes[sizeof value];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	put_bytes(w, bytes, n);
}

static void put_u8(struct writer *w, unsigned value)
{
	put_integer(w, value, 1);
}

static void put_u32(struct writer *w, size_t value)
{
	put_integer(w, value, 4);
}

static void put_u64(struct writer *w, uint64_t value)
{
	put_integer(w, value, 8);
}

static void put_f64(struct writer *w, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	put_u64(w, bits);
}

static void put_f32(struct writer *w, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	put_u32(w, bits);
}

static void put_string(struct writer *w, const char *string)
{
	size_t length = strlen(string);

	put_u32(w, length);
	put_bytes(w, string, length);
}

static void put_params(struct writer *w, const struct param params[PARAMS_MAX], const double *values)
{
	size_t count = params_count(params);

	put_u8(w, (unsigned)count);
	for (size_t i = 0; i < count; i++)
		put_f64(w, values[i]);
}

static void put_category(struct writer *w, const struct encoder_column *column)
{
	put_u32(w, column->values_count);
	for (size_t i = 0; i < column->values_count; i++)
		put_string(w, column->values[i]);
	put_u32(w, column->width);
	for (size_t i = 0; i < column->width; i++)
		put_u64(w, column->slot_counts[i]);
}

static void put_profile(struct writer *w, const struct encoder_profile *profile)
{
	put_u8(w, (unsigned)profile->edges_count);
	for (size_t i = 0; i < profile->edges_count; i++)
		put_f64(w, profile->edges[i]);
	for (size_t i = 0; i <= profile->edges_count; i++)
		put_u64(w, profile->counts[i]);
}

static void put_column(struct writer *w, const struct encoder_column *column)
{
	const double learnt[] = { column->shift, column->scale, column->fill, column->mean, column->std,
		column->min, column->max };

	put_string(w, column->name);
	put_u8(w, column->kind);
	for (size_t i = 0; i < sizeof learnt / sizeof learnt[0]; i++)
		put_f64(w, learnt[i]);
	put_u64(w, column->rows);
	put_u64(w, column->missing_rows);
	if (column->kind == COLUMN_CATEGORY) put_category(w, column);
	if (column->kind == COLUMN_DATE) {
		put_f64(w, column->year_shift);
		put_f64(w, column->year_scale);
		put_f64(w, column->year_fill);
	}
	if (column->profile) put_profile(w, column->profile);
}

static void put_encoder(struct writer *w, const struct encoder *encoder)
{
	put_u8(w, encoder_role(encoder));
	put_u8(w, encoder_normalize(encoder));
	put_u8(w, encoder_missing(encoder));
	put_u32(w, encoder_columns(encoder));
	for (size_t i = 0; i < encoder_columns(encoder); i++)
		put_column(w, encoder_column(encoder, i));
}

static void put_layer(struct writer *w, const struct layer *layer)
{
	const struct layer_spec *spec = &layer->spec;

	put_u32(w, spec->units);
	put_string(w, spec->activation->name);
	put_params(w, spec->activation->params, spec->activation_params);
	put_u8(w, spec->bias);
	put_string(w, spec->init ? spec->init->name : "");
	if (spec->init)
		put_params(w, spec->init->params, spec->init_params);
	else
		put_u8(w, 0);
	put_f64(w, spec->dropout);
	put_f64(w, spec->l1);
	put_f64(w, spec->l2);
	put_f64(w, spec->max_norm);
	put_u8(w, spec->normalization);
	put_f64(w, spec->density);
	put_u8(w, spec->head);
	put_u8(w, (unsigned)spec->from_count);
	for (size_t i = 0; i < spec->from_count; i++)
		put_u32(w, (size_t)spec->from[i] + 1); /* 0: the inputs */
	put_u8(w, layer->mask != NULL);
}

static void put_mask(struct writer *w, const struct layer *layer)
{
	size_t n = layer->inputs * layer->columns;

	if (!layer->mask) return;
	for (size_t i = 0; i < n; i += 8) {
		unsigned byte = 0;

		for (size_t bit = 0; bit < 8 && i + bit < n; bit++)
			byte |= (unsigned)(layer->mask[i + bit] != 0) << bit;
		put_u8(w, byte);
	}
}

static void put_numbers(struct writer *w, const real *numbers, size_t n)
{
	put_u64(w, n);
	if (!w->bytes) { /* only counting */
		w->size += n * sizeof(float);
		return;
	}
	for (size_t i = 0; i < n; i++)
		put_f32(w, (float)numbers[i]);
}

/* Everything but the CRC. size: what the head says of the whole file. */
static void put_model(struct writer *w, const struct model *model, uint64_t size)
{
	const struct net *net = model->net;

	put_bytes(w, MODEL_MAGIC, strlen(MODEL_MAGIC));
	put_u32(w, MODEL_FORMAT);
	put_u64(w, size);
	put_encoder(w, model->inputs);
	put_encoder(w, model->targets);
	put_u32(w, net_layers(net));
	for (size_t i = 0; i < net_layers(net); i++)
		put_layer(w, net_layer(net, i));
	put_u32(w, net_heads(net));
	for (size_t h = 0; h < net_heads(net); h++) {
		const struct objective *objective = &model->objectives[h];

		put_string(w, objective->loss->name);
		put_params(w, objective->loss->params, objective->params);
		put_f64(w, objective->weight);
		put_u8(w, objective->category);
	}
	for (size_t i = 0; i < net_layers(net); i++)
		put_mask(w, net_layer(net, i));
	put_numbers(w, net_block_const(net), net_parameters(net));
	put_numbers(w, net_statistics_block_const(net), net_statistics(net));
}

static int check_finite(const char *what, const real *numbers, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite((float)numbers[i]))
			return err_set(e, ERR_RANGE, "%s %zu is not a finite number", what, i);
	return 0;
}

int model_write(const struct model *model, unsigned char **bytes, size_t *size, struct err *e)
{
	const struct net *net = model->net;
	struct writer w = { 0 };
	size_t total;
	int rc;

	*bytes = NULL;
	*size = 0;
	if ((rc = check_finite("parameter", net_block_const(net), net_parameters(net), e)) ||
			(rc = check_finite("statistic", net_statistics_block_const(net), net_statistics(net),
					 e)))
		return rc;
	put_model(&w, model, 0);
	total = w.size + MODEL_CRC_BYTES;
	w = (struct writer){ .bytes = malloc(total) };
	if (!w.bytes) return err_nomem(e);
	put_model(&w, model, total);
	put_u32(&w, crc32c(w.bytes, w.size));
	*bytes = w.bytes;
	*size = w.size;
	return 0;
}
