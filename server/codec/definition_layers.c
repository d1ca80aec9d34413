/* definition_layers.c - the hidden layers of a definition: read from JSON, and written back. */
#include <stdlib.h>
#include <string.h>

#include "server/codec/definition_parts.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"

#define NORM_MAX 1e6 /* of max_norm */

struct layer_said {
	uint64_t units;
	const char *activation;
	bool bias, batch_norm, layer_norm;
	double dropout, l1, l2, max_norm, density;
	const json_t *parameters, *init, *mask, *from;
};

static const struct field layer_fields[] = {
	{ "units", FIELD_UINT, offsetof(struct layer_said, units), 1, NET_UNITS_MAX, false, false },
	{ "activation", FIELD_STRING, offsetof(struct layer_said, activation), 0, 0, false, false },
	{ "activation_parameters", FIELD_ANY, offsetof(struct layer_said, parameters), 0, 0, false, false },
	{ "bias", FIELD_BOOL, offsetof(struct layer_said, bias), 0, 0, false, false },
	{ "init", FIELD_ANY, offsetof(struct layer_said, init), 0, 0, false, false },
	{ "dropout", FIELD_REAL, offsetof(struct layer_said, dropout), 0, DROPOUT_MAX, false, false },
	{ "l1", FIELD_REAL, offsetof(struct layer_said, l1), 0, 1e6, false, false },
	{ "l2", FIELD_REAL, offsetof(struct layer_said, l2), 0, 1e6, false, false },
	{ "max_norm", FIELD_REAL, offsetof(struct layer_said, max_norm), 0, NORM_MAX, true, true },
	{ "batch_norm", FIELD_BOOL, offsetof(struct layer_said, batch_norm), 0, 0, false, false },
	{ "layer_norm", FIELD_BOOL, offsetof(struct layer_said, layer_norm), 0, 0, false, false },
	{ "density", FIELD_REAL, offsetof(struct layer_said, density), 0, 1, true, false },
	{ "mask", FIELD_ANY, offsetof(struct layer_said, mask), 0, 0, false, false },
	{ "from", FIELD_ANY, offsetof(struct layer_said, from), 0, 0, false, false },
	{ 0 },
};

static const struct activation *activation_said(const char *name, const char *pointer, struct faults *faults)
{
	const struct activation *found = activation_find(name);
	const char *known[DEFINITION_ROWS_MAX + 1] = { 0 };

	if (found) return found;
	for (size_t i = 0; i < DEFINITION_ROWS_MAX && activation_at(i); i++)
		known[i] = activation_at(i)->name;
	definition_unknown("activation", name, known, pointer, faults);
	return activation_find("linear");
}

static void read_init(
		const json_t *said, struct layer_spec *layer, const char *pointer, struct faults *faults)
{
	const char *known[DEFINITION_ROWS_MAX + 1] = { 0 }, *name;

	if (!named_read(said, &name, pointer, faults)) return;
	if (!(layer->init = init_find(name))) {
		for (size_t i = 0; i < DEFINITION_ROWS_MAX && init_at(i); i++)
			known[i] = init_at(i)->name;
		definition_unknown("initializer", name, known, pointer, faults);
		return;
	}
	named_params(said, layer->init->params, layer->init_params, pointer, "initializer", faults);
}

void definition_sources_read(const json_t *document, int from[NET_SOURCES_MAX], size_t *count,
		const char *pointer, struct faults *faults)
{
	static const struct field layer = { "", FIELD_UINT, 0, 0, NET_LAYERS_MAX - 1, false, false };
	char at[FAULT_POINTER_BYTES];
	const json_t *item;
	size_t i;

	if (!json_is_array(document) || !json_array_size(document) ||
			json_array_size(document) > NET_SOURCES_MAX) {
		faults_add(faults, ERR_INVALID, pointer,
				"must be an array of 1 to %d things to read, \"inputs\" or a hidden layer's index",
				NET_SOURCES_MAX);
		return;
	}
	json_array_foreach(document, i, item)
	{
		uint64_t index = 0;

		pointer_index(at, pointer, i);
		if (json_is_string(item) && strcmp(json_string_value(item), "inputs"))
			faults_add(faults, ERR_INVALID, at, "must be \"inputs\" or a hidden layer's index");
		from[i] = NET_INPUTS;
		if (!json_is_string(item) && field_value(item, &layer, &index, at, faults))
			from[i] = (int)index;
	}
	*count = json_array_size(document);
}

/* Are all of its rows arrays of so many? Asked before there is memory for them: a long row and many short ones claim far
 * more cells than were sent. */
static bool mask_is_full(const json_t *document, size_t inputs, const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	for (size_t c = 0; c < json_array_size(document); c++)
		if (json_array_size(json_array_get(document, c)) != inputs) {
			faults_add(faults, ERR_INVALID, pointer_index(at, pointer, c),
					"must be an array of %zu numbers, as the first one is", inputs);
			return false;
		}
	return true;
}

/* [units][inputs] of 0 and 1; how many inputs a layer has is known later. */
static void read_mask(const json_t *document, struct definition_mask *mask, const char *pointer,
		struct faults *faults)
{
	size_t columns = json_array_size(document), inputs = json_array_size(json_array_get(document, 0));
	char at[FAULT_POINTER_BYTES];

	if (!columns || !inputs) {
		faults_add(faults, ERR_INVALID, pointer, "must be [units][inputs], arrays of 0 and 1");
		return;
	}
	if (!mask_is_full(document, inputs, pointer, faults)) return;
	if (!(mask->cells = calloc(columns, inputs))) {
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
		return;
	}
	mask->columns = columns;
	mask->inputs = inputs;
	for (size_t cell = 0; cell < columns * inputs; cell++) {
		const json_t *said = json_array_get(json_array_get(document, cell / inputs), cell % inputs);
		double value = json_number_value(said);

		if (!json_is_number(said) || (value != 0 && value != 1)) {
			pointer_index(at, pointer, cell / inputs);
			faults_add(faults, ERR_INVALID, pointer_index(at, at, cell % inputs),
					"must be 0 or 1");
			return;
		}
		mask->cells[cell] = value == 1;
	}
}

static void read_structure(const struct layer_said *said, struct layer_spec *layer,
		struct definition_mask *mask, const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	layer->max_norm = said->max_norm;
	layer->density = said->density;
	if (said->batch_norm) layer->normalization = NORMALIZATION_BATCH;
	if (said->layer_norm) layer->normalization = NORMALIZATION_LAYER;
	if (said->batch_norm && said->layer_norm)
		faults_add(faults, ERR_INVALID, pointer_join(at, pointer, "layer_norm"),
				"goes without \"batch_norm\": a layer is normalized in one way");
	if (said->mask && said->density > 0 && said->density < 1)
		faults_add(faults, ERR_INVALID, pointer_join(at, pointer, "mask"),
				"goes without \"density\": one is drawn, the other given");
	else if (said->mask)
		read_mask(said->mask, mask, pointer_join(at, pointer, "mask"), faults);
	if (said->from)
		definition_sources_read(said->from, layer->from, &layer->from_count,
				pointer_join(at, pointer, "from"), faults);
}

static void read_layer(const json_t *document, struct layer_spec *layer, struct definition_mask *mask,
		const char *pointer, struct faults *faults)
{
	struct layer_said said = { .bias = true, .activation = "relu" };
	char at[FAULT_POINTER_BYTES];

	if (json_is_number(document))
		field_value(document, &layer_fields[0], &said.units, pointer, faults);
	else if (json_is_object(document)) {
		fields_read(document, layer_fields, &said, pointer, faults);
		if (!json_object_get(document, "units"))
			faults_add(faults, ERR_MISSING_FIELD, pointer, "needs \"units\"");
	} else {
		faults_add(faults, ERR_INVALID, pointer,
				"must be a number of units, or an object with \"units\"");
	}
	layer->units = said.units;
	layer->activation = activation_said(said.activation, pointer_join(at, pointer, "activation"), faults);
	params_fallback(layer->activation->params, layer->activation_params);
	if (said.parameters && json_is_object(said.parameters))
		named_params(said.parameters, layer->activation->params, layer->activation_params,
				pointer_join(at, pointer, "activation_parameters"), NULL, faults);
	else if (said.parameters)
		faults_add(faults, ERR_INVALID, pointer_join(at, pointer, "activation_parameters"),
				"must be an object");
	layer->bias = said.bias;
	if (said.init) read_init(said.init, layer, pointer_join(at, pointer, "init"), faults);
	layer->dropout = said.dropout;
	layer->l1 = said.l1;
	layer->l2 = said.l2;
	read_structure(&said, layer, mask, pointer, faults);
}

void definition_layers_read(
		const json_t *document, struct definition *d, const char *pointer, struct faults *faults)
{
	size_t count = json_array_size(document), i;
	char at[FAULT_POINTER_BYTES];
	const json_t *item;

	d->layers_given = true;
	if (!json_is_array(document)) {
		faults_add(faults, ERR_INVALID, pointer, "must be an array of hidden layers, as in [16, 8]");
		return;
	}
	if (count > NET_LAYERS_MAX - 1) {
		faults_add(faults, ERR_RANGE, pointer,
				"has %zu layers; at most %d hidden layers are possible", count,
				NET_LAYERS_MAX - 1);
		return;
	}
	d->layers = calloc(count + NET_HEADS_MAX, sizeof *d->layers);
	d->masks = calloc(count + 1, sizeof *d->masks);
	if (!d->layers || !d->masks) {
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
		return;
	}
	d->layers_count = d->hidden_count = count;
	json_array_foreach(document, i, item)
			read_layer(item, &d->layers[i], &d->masks[i], pointer_index(at, pointer, i), faults);
}

/* ---- what follows ---- */

void definition_masks_finish(struct definition *d, struct faults *faults)
{
	size_t inputs = definition_input_width(d);
	char at[FAULT_POINTER_BYTES], mask_at[FAULT_POINTER_BYTES];

	for (size_t l = 0; d->masks && l < d->hidden_count; l++) {
		struct definition_mask *mask = &d->masks[l];
		size_t reads, columns;

		if (!mask->cells) continue;
		net_shape(inputs, d->layers, l, &reads, &columns);
		pointer_join(mask_at, pointer_index(at, "/layers", l), "mask");
		if (mask->columns != columns || mask->inputs != reads) {
			faults_add(faults, ERR_INVALID, mask_at,
					"is %zu arrays of %zu numbers; this layer has %zu units that read %zu inputs",
					mask->columns, mask->inputs, columns, reads);
			continue;
		}
		if (!mask->turned && !(mask->turned = malloc(reads * columns))) {
			faults_add(faults, ERR_NOMEM, mask_at, "out of memory");
			continue;
		}
		for (size_t c = 0; c < columns; c++)
			for (size_t i = 0; i < reads; i++)
				mask->turned[i * columns + c] = mask->cells[c * reads + i];
		d->layers[l].mask = mask->turned;
	}
}

/* ---- the document ---- */

json_t *definition_sources_document(const int *from, size_t count)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t i = 0; whole && i < count; i++)
		whole = json_append(out, from[i] < 0 ? json_string("inputs") : json_integer(from[i]));
	return json_whole(out, whole);
}

static json_t *mask_document(const struct definition_mask *mask)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t c = 0; whole && c < mask->columns; c++) {
		json_t *row = json_array();

		for (size_t i = 0; row && whole && i < mask->inputs; i++)
			whole = json_append(row, json_integer(mask->cells[c * mask->inputs + i]));
		whole &= json_append(out, row);
	}
	return json_whole(out, whole);
}

static bool put_structure(json_t *out, const struct layer_spec *layer, const struct definition_mask *mask)
{
	bool whole = true;

	if (layer->max_norm > 0) whole &= json_put(out, "max_norm", json_real(layer->max_norm));
	if (layer->normalization == NORMALIZATION_BATCH) whole &= json_put(out, "batch_norm", json_true());
	if (layer->normalization == NORMALIZATION_LAYER) whole &= json_put(out, "layer_norm", json_true());
	if (layer->density > 0 && layer->density < 1)
		whole &= json_put(out, "density", json_real(layer->density));
	if (layer->from_count)
		whole &= json_put(out, "from", definition_sources_document(layer->from, layer->from_count));
	if (mask && mask->cells) whole &= json_put(out, "mask", mask_document(mask));
	return whole;
}

static json_t *layer_document(const struct layer_spec *layer, const struct definition_mask *mask)
{
	const struct activation *activation = layer->activation;
	json_t *out = json_object();
	bool whole = json_put(out, "units", json_integer((json_int_t)layer->units));

	whole &= json_put(out, "activation", json_string(activation->name));
	if (params_count(activation->params))
		whole &= json_put(out, "activation_parameters",
				named_document(NULL, activation->params, layer->activation_params));
	whole &= json_put(out, "bias", json_boolean(layer->bias));
	if (layer->init)
		whole &= json_put(out, "init",
				named_document(layer->init->name, layer->init->params, layer->init_params));
	whole &= json_put(out, "dropout", json_real(layer->dropout));
	whole &= json_put(out, "l1", json_real(layer->l1));
	whole &= json_put(out, "l2", json_real(layer->l2));
	whole &= put_structure(out, layer, mask);
	return json_whole(out, whole);
}

json_t *definition_layers_document(const struct definition *d)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t i = 0; whole && i < d->hidden_count; i++)
		whole = json_append(out, layer_document(&d->layers[i], d->masks ? &d->masks[i] : NULL));
	return json_whole(out, whole);
}
