/* layers.c - what is inside a version: layers with their weights, neurons with their synapses. */
#include <stdio.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/models.h"
#include "server/codec/json.h"
#include "server/codec/number.h"

#define NAME_BYTES 512

/* The version of the path; *out is shared (version_put). */
static int path_version(struct request *rq, struct version **out, struct err *e)
{
	struct app *app = rq->app;
	uint64_t number;
	int rc = request_number(rq, "version", "version", &number, e);

	return rc ? rc
		  : registry_get(app->registry, request_param(rq, "model"), PICK_NUMBER,
				    request_param(rq, "version"), rq->may_wait, out, e);
}

static int path_layer(struct request *rq, const struct net *net, uint64_t *index, struct err *e)
{
	int rc = request_number(rq, "layer", "layer", index, e);

	if (rc || *index < net_layers(net)) return rc;
	return err_set(e, ERR_NOT_FOUND, "there is no layer %llu; the layers are 0 to %zu",
			(unsigned long long)*index, net_layers(net) - 1);
}

int layer_list(struct request *rq, struct reply *rp, struct err *e)
{
	struct version *version = NULL;
	const struct net *net;
	json_t *layers;
	int rc = path_version(rq, &version, e);

	if (rc) return rc;
	net = version_model(version)->net;
	layers = json_array();
	for (size_t i = 0; i < net_layers(net); i++)
		json_array_append_new(
				layers, layer_summary(&net_layer(net, i)->spec, i, net_layer(net, i)->inputs,
							net_layer(net, i)->columns));
	rc = reply_document(rp, json_pack("{s:o}", "layers", layers), e);
	version_put(version);
	return rc;
}

static void write_numbers(struct buffer *out, const real *values, size_t n, size_t stride)
{
	for (size_t i = 0; i < n; i++) {
		char *to = buffer_reserve(out, NUMBER_PRINT_MAX + 1);

		if (!to) return;
		if (i) to[0] = ',';
		out->size += (i > 0) + number_print_float(values[i * stride], to + (i > 0));
	}
}

/* A vector that the layer may have, as a member that follows others. */
static void write_vector(struct buffer *out, const char *name, const real *values, size_t n)
{
	if (!values) return;
	buffer_printf(out, ",\"%s\":[", name);
	write_numbers(out, values, n, 1);
	buffer_text(out, "]");
}

static void write_mask(struct buffer *out, const struct layer *layer)
{
	buffer_text(out, ",\"mask\":[");
	for (size_t c = 0; c < layer->columns; c++) {
		buffer_text(out, c ? ",[" : "[");
		for (size_t i = 0; i < layer->inputs; i++)
			buffer_printf(out, "%s%d", i ? "," : "", layer->mask[i * layer->columns + c]);
		buffer_text(out, "]");
	}
	buffer_text(out, "]");
}

/* What synapse i of a layer comes from: an input by its name, or a neuron of a layer before. */
static void source_name(const struct model *model, const struct layer *layer, size_t i, char out[NAME_BYTES])
{
	const struct layer_source *source = layer->sources;

	while (i >= source->first + source->width)
		source++;
	if (source->layer < 0)
		encoder_input_name(model->inputs, i - source->first, out, NAME_BYTES);
	else
		snprintf(out, NAME_BYTES, "layer %d, neuron %zu", source->layer, i - source->first);
}

/* What the columns of the weights are multiplied with, where those are the network's inputs. */
static void write_inputs(struct buffer *out, const struct model *model, const struct layer *layer)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < layer->inputs; i++) {
		source_name(model, layer, i, name);
		buffer_text(out, i ? "," : ",\"from\":[");
		json_escape(out, name, strlen(name));
	}
	buffer_text(out, "]");
}

/* Written without a tree: a layer may have millions of weights. */
int layer_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct buffer *out = &rp->body;
	struct version *version = NULL;
	const struct layer *layer;
	uint64_t index;
	int rc = path_version(rq, &version, e);

	if (rc || (rc = path_layer(rq, version_model(version)->net, &index, e))) goto out;
	layer = net_layer(version_model(version)->net, index);
	buffer_printf(out, "{\"index\":%llu,\"units\":%zu,\"activation\":\"%s\",\"weights\":[",
			(unsigned long long)index, layer->spec.units, layer->spec.activation->name);
	for (size_t i = 0; i < layer->columns; i++) {
		buffer_text(out, i ? ",[" : "[");
		write_numbers(out, layer->weights + i, layer->inputs, layer->columns);
		buffer_text(out, "]");
	}
	buffer_text(out, "]");
	write_inputs(out, version_model(version), layer);
	if (!layer->biases) buffer_text(out, ",\"biases\":null");
	write_vector(out, "biases", layer->biases, layer->columns);
	write_vector(out, "scale", layer->scale, layer->columns);
	write_vector(out, "shift", layer->shift, layer->columns);
	write_vector(out, "mean", layer->mean, layer->columns);
	write_vector(out, "variance", layer->variance, layer->columns);
	write_vector(out, "slopes", layer->slopes, layer->spec.units);
	if (layer->mask) write_mask(out, layer);
	buffer_text(out, "}");
	if (!buffer_ok(out)) rc = err_nomem(e);
out:
	version_put(version);
	return rc;
}

/* The synapses of one column of weights that a mask has not cut. */
static void write_synapses(
		struct buffer *out, const struct model *model, const struct layer *layer, size_t column)
{
	char name[NAME_BYTES];
	bool first = true;

	buffer_text(out, "[");
	for (size_t i = 0; i < layer->inputs; i++) {
		size_t at = i * layer->columns + column;

		if (layer->mask && !layer->mask[at]) continue;
		source_name(model, layer, i, name);
		buffer_text(out, first ? "{\"from\":" : ",{\"from\":");
		json_escape(out, name, strlen(name));
		buffer_text(out, ",\"weight\":");
		write_numbers(out, layer->weights + at, 1, 1);
		buffer_text(out, "}");
		first = false;
	}
	buffer_text(out, "]");
}

static void write_number(struct buffer *out, const char *name, const real *value)
{
	buffer_printf(out, "\"%s\":", name);
	if (value)
		write_numbers(out, value, 1, 1);
	else
		buffer_text(out, "null");
}

/* A neuron of maxout has several pieces, each with a bias and synapses of its own. */
static int reply_neuron(struct reply *rp, const struct model *model, size_t index, size_t unit, struct err *e)
{
	const struct layer *layer = net_layer(model->net, index);
	struct buffer *out = &rp->body;
	size_t units = layer->spec.units;

	buffer_text(out, "{");
	write_number(out, "bias", layer->biases ? layer->biases + unit : NULL);
	buffer_printf(out, ",\"activation\":\"%s\",\"synapses\":", layer->spec.activation->name);
	write_synapses(out, model, layer, unit);
	if (layer->slopes) buffer_text(out, ",");
	if (layer->slopes) write_number(out, "slope", layer->slopes + unit);
	if (layer->columns > units) buffer_text(out, ",\"pieces\":[");
	for (size_t c = unit; layer->columns > units && c < layer->columns; c += units) {
		buffer_text(out, c == unit ? "{" : ",{");
		write_number(out, "bias", layer->biases ? layer->biases + c : NULL);
		buffer_text(out, ",\"synapses\":");
		write_synapses(out, model, layer, c);
		buffer_text(out, "}");
	}
	buffer_text(out, layer->columns > units ? "]}" : "}");
	return buffer_ok(out) ? 0 : err_nomem(e);
}

int neuron_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct version *version = NULL;
	const struct model *model;
	uint64_t index, unit;
	int rc = path_version(rq, &version, e);

	if (rc) return rc;
	model = version_model(version);
	if ((rc = path_layer(rq, model->net, &index, e)) ||
			(rc = request_number(rq, "neuron", "neuron", &unit, e)))
		goto out;
	if (unit >= net_layer(model->net, index)->spec.units)
		rc = err_set(e, ERR_NOT_FOUND, "there is no neuron %llu; layer %llu has neurons 0 to %zu",
				(unsigned long long)unit, (unsigned long long)index,
				net_layer(model->net, index)->spec.units - 1);
	else
		rc = reply_neuron(rp, model, index, unit, e);
out:
	version_put(version);
	return rc;
}
