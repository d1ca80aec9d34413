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
		json_array_append_new(layers,
				layer_summary(&net_layer(net, i)->spec, i, net_layer(net, i)->inputs));
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
	for (size_t i = 0; i < layer->spec.units; i++) {
		buffer_text(out, i ? ",[" : "[");
		write_numbers(out, layer->weights + i, layer->inputs, layer->spec.units);
		buffer_text(out, "]");
	}
	buffer_text(out, layer->biases ? "],\"biases\":[" : "],\"biases\":null}");
	if (layer->biases) {
		write_numbers(out, layer->biases, layer->spec.units, 1);
		buffer_text(out, "]}");
	}
	if (!buffer_ok(out)) rc = err_nomem(e);
out:
	version_put(version);
	return rc;
}

/* What synapse i of a layer comes from: an input by its name, or a neuron of the layer before. */
static void source_name(const struct model *model, size_t layer, size_t i, char out[NAME_BYTES])
{
	if (layer)
		snprintf(out, NAME_BYTES, "layer %zu, neuron %zu", layer - 1, i);
	else
		encoder_input_name(model->inputs, i, out, NAME_BYTES);
}

static int reply_neuron(struct reply *rp, const struct model *model, size_t index, size_t unit, struct err *e)
{
	const struct layer *layer = net_layer(model->net, index);
	struct buffer *out = &rp->body;
	char name[NAME_BYTES];

	buffer_text(out, "{\"bias\":");
	if (layer->biases)
		write_numbers(out, layer->biases + unit, 1, 1);
	else
		buffer_text(out, "null");
	buffer_printf(out, ",\"activation\":\"%s\",\"synapses\":[", layer->spec.activation->name);
	for (size_t i = 0; i < layer->inputs; i++) {
		source_name(model, index, i, name);
		buffer_text(out, i ? ",{\"from\":" : "{\"from\":");
		json_escape(out, name, strlen(name));
		buffer_text(out, ",\"weight\":");
		write_numbers(out, layer->weights + i * layer->spec.units + unit, 1, 1);
		buffer_text(out, "}");
	}
	buffer_text(out, "]}");
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
