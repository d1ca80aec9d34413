/* net.c - a network's shape, its layers' places in the block of what is trained, and their first numbers. See net.h;
 * the passes are in net_pass.c.
 *
 * The block has no gaps, so that net_parameters is the number of true parameters, and an optimizer, a checkpoint and the
 * model file see one array. Running statistics lie in a block of their own, as no optimizer may touch them.
 */
#include "core/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "core/rng.h"
#include "core/size.h"

#define BLOCKS_WHILE_TRAINING 4 /* parameters, gradient, two moments: their bytes must fit together */

struct net {
	size_t inputs, outputs, parameters, statistics, count, heads;
	size_t head_layer[NET_HEADS_MAX], head_first[NET_HEADS_MAX];
	real *block, *running;
	struct layer layers[];
};

/* ---- from a specification to a plan ---- */

static bool is_head(const struct layer_spec *specs, size_t i, size_t count)
{
	return specs[i].head || i + 1 == count;
}

static int check_activation(const struct layer_spec *spec, size_t i, struct err *e)
{
	const struct activation *activation = spec->activation;

	if (!activation) return err_set(e, ERR_INVALID, "layer %zu has no activation", i);
	for (size_t p = 0; p < params_count(activation->params); p++)
		if (!param_allows(&activation->params[p], spec->activation_params[p]))
			return err_set(e, ERR_RANGE, "layer %zu: %s of %s cannot be %g", i,
					activation->params[p].name, activation->name,
					spec->activation_params[p]);
	if (activation->pieces && spec->activation_params[0] != floor(spec->activation_params[0]))
		return err_set(e, ERR_RANGE, "layer %zu: pieces of %s is a whole number, not %g", i,
				activation->name, spec->activation_params[0]);
	return 0;
}

static int check_numbers(const struct layer_spec *spec, size_t i, bool head, struct err *e)
{
	if (!(spec->dropout >= 0 && spec->dropout < 1))
		return err_set(e, ERR_RANGE, "layer %zu: dropout is a share in [0, 1), not %g", i,
				spec->dropout);
	if (head && spec->dropout > 0)
		return err_set(e, ERR_RANGE, "layer %zu: the output layer cannot drop its activations", i);
	if (head && spec->activation->pieces)
		return err_set(e, ERR_INVALID, "layer %zu: %s is for hidden layers", i,
				spec->activation->name);
	if (!(spec->l1 >= 0 && spec->l2 >= 0 && isfinite(spec->l1) && isfinite(spec->l2)))
		return err_set(e, ERR_RANGE, "layer %zu: l1 and l2 are numbers of at least 0", i);
	if (!(spec->max_norm >= 0 && isfinite(spec->max_norm)))
		return err_set(e, ERR_RANGE, "layer %zu: max_norm is a number of at least 0", i);
	if (!(spec->density >= 0 && spec->density <= 1))
		return err_set(e, ERR_RANGE, "layer %zu: density is a share in (0, 1], not %g", i,
				spec->density);
	for (size_t p = 0; spec->init && p < params_count(spec->init->params); p++)
		if (!param_allows(&spec->init->params[p], spec->init_params[p]))
			return err_set(e, ERR_RANGE, "layer %zu: %s of %s cannot be %g", i,
					spec->init->params[p].name, spec->init->name, spec->init_params[p]);
	if (spec->normalization >= NORMALIZATIONS)
		return err_set(e, ERR_INVALID, "layer %zu: there is no such normalization", i);
	return 0;
}

static int add_source(struct layer *layer, const struct layer_spec *specs, size_t inputs, size_t i, int from,
		struct err *e)
{
	struct layer_source *source = &layer->sources[layer->sources_count];

	if (from < NET_INPUTS || from >= (int)i)
		return err_set(e, ERR_INVALID,
				"layer %zu cannot read layer %d: only the inputs and layers before it", i,
				from);
	if (from >= 0 && specs[from].head)
		return err_set(e, ERR_INVALID, "layer %zu cannot read layer %d, an output layer", i, from);
	for (size_t s = 0; s < layer->sources_count; s++)
		if (layer->sources[s].layer == from)
			return err_set(e, ERR_INVALID, "layer %zu reads one layer twice", i);
	source->layer = from;
	source->first = layer->inputs;
	source->width = from < 0 ? inputs : specs[from].units;
	layer->inputs = size_add(layer->inputs, source->width);
	layer->sources_count++;
	return 0;
}

/* Fills in what layer i reads, its inputs and its columns. */
static int plan_layer(
		struct layer *layer, const struct layer_spec *specs, size_t inputs, size_t i, struct err *e)
{
	const struct layer_spec *spec = &specs[i];
	int before = (int)i - 1, rc;

	*layer = (struct layer){ .spec = *spec };
	layer->columns = spec->units * activation_pieces(spec->activation, spec->activation_params);
	if (spec->from_count > NET_SOURCES_MAX)
		return err_set(e, ERR_RANGE, "layer %zu reads %zu layers; at most %d are possible", i,
				spec->from_count, NET_SOURCES_MAX);
	while (before >= 0 && specs[before].head)
		before--;
	if (!spec->from_count) return add_source(layer, specs, inputs, i, before, e);
	for (size_t s = 0; s < spec->from_count; s++)
		if ((rc = add_source(layer, specs, inputs, i, spec->from[s], e))) return rc;
	return 0;
}

/* Its trained numbers: weights, biases, scale and shift, slopes. SIZE_MAX: too many. */
static size_t layer_parameters(const struct layer *layer)
{
	size_t vectors = layer->spec.bias + 2 * (layer->spec.normalization != NORMALIZATION_NONE);
	size_t n = size_add(size_mul(layer->inputs, layer->columns), vectors * layer->columns);

	return size_add(n, layer->spec.activation->forward_learned ? layer->spec.units : 0);
}

static size_t layer_statistics(const struct layer *layer)
{
	return layer->spec.normalization == NORMALIZATION_BATCH ? 2 * layer->columns : 0;
}

static int check_counts(size_t inputs, const struct layer_spec *specs, size_t count, struct err *e)
{
	size_t heads = 0;

	if (!count || count > NET_LAYERS_MAX)
		return err_set(e, ERR_RANGE, "a network has 1 to %d layers, not %zu", NET_LAYERS_MAX, count);
	if (!inputs || inputs > NET_UNITS_MAX)
		return err_set(e, ERR_RANGE, "a network has 1 to %d inputs, not %zu", NET_UNITS_MAX, inputs);
	for (size_t i = 0; i < count; i++)
		heads += is_head(specs, i, count);
	if (heads > NET_HEADS_MAX)
		return err_set(e, ERR_RANGE, "a network has at most %d output layers, not %zu", NET_HEADS_MAX,
				heads);
	for (size_t i = 0; i < count; i++)
		if (!specs[i].units || specs[i].units > NET_UNITS_MAX)
			return err_set(e, ERR_RANGE, "layer %zu: a layer has 1 to %d units, not %zu", i,
					NET_UNITS_MAX, specs[i].units);
	return 0;
}

int net_count_parameters(
		size_t inputs, const struct layer_spec *specs, size_t count, size_t *out, struct err *e)
{
	bool read[NET_LAYERS_MAX] = { false };
	size_t total = 0;
	int rc;

	if ((rc = check_counts(inputs, specs, count, e))) return rc;
	for (size_t i = 0; i < count; i++) {
		struct layer layer;

		if ((rc = check_activation(&specs[i], i, e)) ||
				(rc = check_numbers(&specs[i], i, is_head(specs, i, count), e)) ||
				(rc = plan_layer(&layer, specs, inputs, i, e)))
			return rc;
		for (size_t s = 0; s < layer.sources_count; s++)
			if (layer.sources[s].layer >= 0) read[layer.sources[s].layer] = true;
		total = size_add(total, layer_parameters(&layer));
	}
	for (size_t i = 0; i < count; i++)
		if (!read[i] && !is_head(specs, i, count))
			return err_set(e, ERR_INVALID, "layer %zu is read by no other layer", i);
	if (size_mul(block_bytes(total), BLOCKS_WHILE_TRAINING) > PTRDIFF_MAX)
		return err_set(e, ERR_RANGE, "a network of these layers has too many parameters");
	*out = total;
	return 0;
}

void net_shape(size_t inputs, const struct layer_spec *specs, size_t i, size_t *reads, size_t *columns)
{
	struct layer layer;

	plan_layer(&layer, specs, inputs, i, NULL);
	*reads = layer.inputs;
	*columns = layer.columns;
}

/* ---- making one ---- */

static real *place(real **next, size_t n)
{
	real *at = *next;

	*next += n;
	return at;
}

static void place_layer(struct layer *layer, real **block, real **running)
{
	size_t columns = layer->columns;

	layer->weights = place(block, layer->inputs * columns);
	if (layer->spec.bias) layer->biases = place(block, columns);
	if (layer->spec.normalization != NORMALIZATION_NONE) {
		layer->scale = place(block, columns);
		layer->shift = place(block, columns);
	}
	if (layer->spec.activation->forward_learned) layer->slopes = place(block, layer->spec.units);
	if (layer->spec.normalization != NORMALIZATION_BATCH) return;
	layer->mean = place(running, columns);
	layer->variance = place(running, columns);
}

static void fill(real *numbers, size_t n, real value)
{
	for (size_t i = 0; numbers && i < n; i++)
		numbers[i] = value;
}

/* What is not weights, as it is before training. */
static void reset_layer(struct layer *layer)
{
	fill(layer->biases, layer->columns, 0);
	fill(layer->scale, layer->columns, 1);
	fill(layer->shift, layer->columns, 0);
	fill(layer->mean, layer->columns, 0);
	fill(layer->variance, layer->columns, 1);
	fill(layer->slopes, layer->spec.units, (real)layer->spec.activation_params[0]);
}

static bool is_sparse(const struct layer_spec *spec)
{
	return spec->density > 0 && spec->density < 1;
}

/* False: no memory. */
static bool make_mask(struct layer *layer)
{
	size_t n = layer->inputs * layer->columns;
	const uint8_t *mask = layer->spec.mask;

	layer->spec.mask = NULL;
	if (!mask && !is_sparse(&layer->spec)) return true;
	if (!(layer->mask = malloc(n))) return false;
	if (mask)
		memcpy(layer->mask, mask, n);
	else
		memset(layer->mask, 1, n);
	return true;
}

static void note_head(struct net *net, size_t i)
{
	net->layers[i].spec.head = true;
	net->head_layer[net->heads] = i;
	net->head_first[net->heads] = net->outputs;
	net->heads++;
	net->outputs += net->layers[i].spec.units;
}

int net_new(struct net **out, size_t inputs, const struct layer_spec *specs, size_t count, struct err *e)
{
	real *block, *running;
	struct net *net;
	size_t parameters;
	bool complete;
	int rc;

	*out = NULL;
	if ((rc = net_count_parameters(inputs, specs, count, &parameters, e))) return rc;
	net = calloc(1, sizeof *net + count * sizeof net->layers[0]);
	if (!net) return err_nomem(e);
	net->inputs = inputs;
	net->parameters = parameters;
	net->count = count;
	for (size_t i = 0; i < count; i++) {
		plan_layer(&net->layers[i], specs, inputs, i, NULL); /* was checked above */
		net->statistics += layer_statistics(&net->layers[i]);
		if (is_head(specs, i, count)) note_head(net, i);
	}
	block = net->block = block_new(parameters);
	running = net->running = block_new(net->statistics);
	complete = block && running;
	for (size_t i = 0; complete && i < count; i++) {
		place_layer(&net->layers[i], &block, &running);
		reset_layer(&net->layers[i]);
		complete = make_mask(&net->layers[i]);
	}
	if (!complete) {
		net_free(net);
		return err_nomem(e);
	}
	*out = net;
	return 0;
}

int net_copy(struct net **out, const struct net *from, struct err *e)
{
	struct layer_spec *specs = malloc(from->count * sizeof *specs);
	int rc;

	*out = NULL;
	if (!specs) return err_nomem(e);
	for (size_t i = 0; i < from->count; i++) {
		specs[i] = from->layers[i].spec;
		specs[i].mask = from->layers[i].mask;
	}
	rc = net_new(out, from->inputs, specs, from->count, e);
	free(specs);
	if (rc) return rc;
	memcpy((*out)->block, from->block, from->parameters * sizeof(real));
	memcpy((*out)->running, from->running, from->statistics * sizeof(real));
	return 0;
}

void net_free(struct net *net)
{
	if (!net) return;
	for (size_t i = 0; i < net->count; i++)
		free(net->layers[i].mask);
	free(net->block);
	free(net->running);
	free(net);
}

/* ---- first numbers ---- */

/* Every column gets the same number of inputs, at least one, chosen at random: selection sampling (Knuth, TAOCP 2,
 * 3.4.2, algorithm S). */
static void draw_mask(struct layer *layer, uint64_t seed, size_t i)
{
	struct rng_key key = { .seed = seed, .stream = RNG_MASK, .epoch = (uint32_t)i };
	size_t wanted = (size_t)(layer->spec.density * (double)layer->inputs + 0.5);

	if (!wanted) wanted = 1;
	for (size_t c = 0; c < layer->columns; c++)
		for (size_t j = 0, left = wanted; j < layer->inputs; j++) {
			bool chosen = rng_below(&key, c * layer->inputs + j, layer->inputs - j) < left;

			layer->mask[j * layer->columns + c] = chosen;
			left -= chosen;
		}
}

static void cut_weights(struct layer *layer)
{
	for (size_t i = 0; layer->mask && i < layer->inputs * layer->columns; i++)
		if (!layer->mask[i]) layer->weights[i] = 0;
}

void net_init(struct net *net, uint64_t seed)
{
	for (size_t i = 0; i < net->count; i++) {
		struct layer *layer = &net->layers[i];
		const struct initializer *init = layer->spec.init;
		double params[PARAMS_MAX];

		reset_layer(layer);
		if (!init) init = init_for(layer->spec.activation);
		params_fallback(init->params, params);
		init->fill(layer->weights, layer->inputs, layer->columns, seed, (uint32_t)i,
				layer->spec.init ? layer->spec.init_params : params);
		if (is_sparse(&layer->spec)) draw_mask(layer, seed, i);
		cut_weights(layer);
	}
}

/* ---- looking into one ---- */

size_t net_inputs(const struct net *net)
{
	return net->inputs;
}

size_t net_outputs(const struct net *net)
{
	return net->outputs;
}

size_t net_layers(const struct net *net)
{
	return net->count;
}

const struct layer *net_layer(const struct net *net, size_t i)
{
	return &net->layers[i];
}

size_t net_heads(const struct net *net)
{
	return net->heads;
}

size_t net_head_layer(const struct net *net, size_t h)
{
	return net->head_layer[h];
}

size_t net_head_first(const struct net *net, size_t h)
{
	return net->head_first[h];
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

size_t net_statistics(const struct net *net)
{
	return net->statistics;
}

real *net_statistics_block(struct net *net)
{
	return net->running;
}

const real *net_statistics_block_const(const struct net *net)
{
	return net->running;
}

void net_layer_range(const struct net *net, size_t i, size_t *from, size_t *to)
{
	*from = (size_t)(net->layers[i].weights - net->block);
	*to = *from + layer_parameters(&net->layers[i]);
}

/* ---- changing one ---- */

void net_get_layer(const struct net *net, size_t i, real *weights, real *biases)
{
	const struct layer *layer = &net->layers[i];

	gemm_transpose(layer->weights, layer->inputs, layer->columns, weights);
	if (biases && layer->biases) memcpy(biases, layer->biases, layer->columns * sizeof(real));
}

void net_set_layer(struct net *net, size_t i, const real *weights, const real *biases)
{
	struct layer *layer = &net->layers[i];

	gemm_transpose(weights, layer->columns, layer->inputs, layer->weights);
	cut_weights(layer);
	if (biases && layer->biases) memcpy(layer->biases, biases, layer->columns * sizeof(real));
}

void net_zero_input(struct net *net, size_t input)
{
	for (size_t i = 0; i < net->count; i++) {
		struct layer *layer = &net->layers[i];

		for (size_t s = 0; s < layer->sources_count; s++)
			if (layer->sources[s].layer == NET_INPUTS)
				memset(layer->weights + (layer->sources[s].first + input) * layer->columns, 0,
						layer->columns * sizeof(real));
	}
}

/* The squares of a column are added in the order of its inputs. */
static void constrain_column(struct layer *layer, size_t c)
{
	double sum = 0, factor;

	for (size_t j = 0; j < layer->inputs; j++) {
		double w = (double)layer->weights[j * layer->columns + c];

		sum += w * w;
	}
	if (!(sum > layer->spec.max_norm * layer->spec.max_norm)) return;
	factor = layer->spec.max_norm / sqrt(sum);
	for (size_t j = 0; j < layer->inputs; j++) {
		real *w = &layer->weights[j * layer->columns + c];

		*w = (real)((double)*w * factor);
	}
}

void net_constrain(struct net *net)
{
	for (size_t i = 0; i < net->count; i++)
		for (size_t c = 0; net->layers[i].spec.max_norm > 0 && c < net->layers[i].columns; c++)
			constrain_column(&net->layers[i], c);
}
