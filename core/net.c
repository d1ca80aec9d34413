/* net.c - a network's shape and its parameter block. See net.h; the passes are in net_pass.c.
 *
 * The block has no gaps: layer after layer, weights (I,U) row by row, then the biases. So net_parameters is the
 * number of true parameters, and an optimizer, a checkpoint and the model file see one array.
 */
#include "core/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "core/size.h"

#define BLOCKS_WHILE_TRAINING 4 /* parameters, gradient, two moments: their bytes must fit together */

struct net {
	size_t inputs, parameters, count;
	real *block;
	struct layer layers[];
};

int net_count_parameters(
		size_t inputs, const struct layer_spec *layers, size_t count, size_t *out, struct err *e)
{
	size_t total = 0, width = inputs;

	if (!count || count > NET_LAYERS_MAX)
		return err_set(e, ERR_RANGE, "a network has 1 to %d layers, not %zu", NET_LAYERS_MAX, count);
	if (!inputs || inputs > NET_UNITS_MAX)
		return err_set(e, ERR_RANGE, "a network has 1 to %d inputs, not %zu", NET_UNITS_MAX, inputs);
	for (size_t i = 0; i < count; i++) {
		size_t units = layers[i].units;

		if (!units || units > NET_UNITS_MAX)
			return err_set(e, ERR_RANGE, "layer %zu: a layer has 1 to %d units, not %zu", i,
					NET_UNITS_MAX, units);
		total = size_add(total, size_mul(width, units));
		if (layers[i].bias) total = size_add(total, units);
		width = units;
	}
	if (size_mul(block_bytes(total), BLOCKS_WHILE_TRAINING) > PTRDIFF_MAX)
		return err_set(e, ERR_RANGE, "a network of these layers has too many parameters");
	*out = total;
	return 0;
}

static int check_layer(const struct layer_spec *spec, size_t i, bool output, struct err *e)
{
	const struct param *params;

	if (!spec->activation) return err_set(e, ERR_INVALID, "layer %zu has no activation", i);
	params = spec->activation->params;
	for (size_t p = 0; p < params_count(params); p++)
		if (!param_allows(&params[p], spec->activation_params[p]))
			return err_set(e, ERR_RANGE, "layer %zu: %s of %s cannot be %g", i, params[p].name,
					spec->activation->name, spec->activation_params[p]);
	if (!(spec->dropout >= 0 && spec->dropout < 1))
		return err_set(e, ERR_RANGE, "layer %zu: dropout is a share in [0, 1), not %g", i,
				spec->dropout);
	if (output && spec->dropout > 0)
		return err_set(e, ERR_RANGE, "layer %zu: the output layer cannot drop its activations", i);
	if (!(spec->l1 >= 0 && spec->l2 >= 0 && isfinite(spec->l1) && isfinite(spec->l2)))
		return err_set(e, ERR_RANGE, "layer %zu: l1 and l2 are numbers of at least 0", i);
	return 0;
}

/* Gives each layer its place in the block. */
static void place_layers(struct net *net, const struct layer_spec *specs)
{
	size_t width = net->inputs;
	real *next = net->block;

	for (size_t i = 0; i < net->count; i++) {
		struct layer *layer = &net->layers[i];

		layer->spec = specs[i];
		layer->inputs = width;
		layer->weights = next;
		next += width * specs[i].units;
		layer->biases = specs[i].bias ? next : NULL;
		if (specs[i].bias) next += specs[i].units;
		width = specs[i].units;
	}
}

int net_new(struct net **out, size_t inputs, const struct layer_spec *layers, size_t count, struct err *e)
{
	struct net *net;
	size_t parameters;
	int rc;

	*out = NULL;
	if ((rc = net_count_parameters(inputs, layers, count, &parameters, e))) return rc;
	for (size_t i = 0; i < count; i++)
		if ((rc = check_layer(&layers[i], i, i + 1 == count, e))) return rc;
	net = calloc(1, sizeof *net + count * sizeof net->layers[0]);
	if (!net) return err_nomem(e);
	net->inputs = inputs;
	net->parameters = parameters;
	net->count = count;
	net->block = block_new(parameters);
	if (!net->block) {
		net_free(net);
		return err_nomem(e);
	}
	place_layers(net, layers);
	*out = net;
	return 0;
}

int net_copy(struct net **out, const struct net *from, struct err *e)
{
	struct layer_spec specs[NET_LAYERS_MAX];
	int rc;

	for (size_t i = 0; i < from->count; i++)
		specs[i] = from->layers[i].spec;
	if ((rc = net_new(out, from->inputs, specs, from->count, e))) return rc;
	memcpy((*out)->block, from->block, from->parameters * sizeof(real));
	return 0;
}

void net_free(struct net *net)
{
	if (!net) return;
	free(net->block);
	free(net);
}

void net_init(struct net *net, uint64_t seed)
{
	for (size_t i = 0; i < net->count; i++) {
		struct layer *layer = &net->layers[i];
		const struct initializer *init = layer->spec.init;
		double params[PARAMS_MAX];

		if (!init) init = init_for(layer->spec.activation);
		params_fallback(init->params, params);
		init->fill(layer->weights, layer->inputs, layer->spec.units, seed, (uint32_t)i, params);
		if (layer->biases) memset(layer->biases, 0, layer->spec.units * sizeof(real));
	}
}

size_t net_inputs(const struct net *net)
{
	return net->inputs;
}

size_t net_outputs(const struct net *net)
{
	return net->layers[net->count - 1].spec.units;
}

size_t net_layers(const struct net *net)
{
	return net->count;
}

const struct layer *net_layer(const struct net *net, size_t i)
{
	return &net->layers[i];
}

size_t net_parameters(const struct net *net)
{
	return net->parameters;
}

real *net_block(struct net *net)
{
	return net->block;
}

const real *net_block_const(const struct net *net)
{
	return net->block;
}

void net_get_layer(const struct net *net, size_t i, real *weights, real *biases)
{
	const struct layer *layer = &net->layers[i];

	gemm_transpose(layer->weights, layer->inputs, layer->spec.units, weights);
	if (biases && layer->biases) memcpy(biases, layer->biases, layer->spec.units * sizeof(real));
}

void net_set_layer(struct net *net, size_t i, const real *weights, const real *biases)
{
	struct layer *layer = &net->layers[i];

	gemm_transpose(weights, layer->spec.units, layer->inputs, layer->weights);
	if (biases && layer->biases) memcpy(layer->biases, biases, layer->spec.units * sizeof(real));
}

void net_zero_input(struct net *net, size_t input)
{
	struct layer *first = &net->layers[0];

	memset(first->weights + input * first->spec.units, 0, first->spec.units * sizeof(real));
}
