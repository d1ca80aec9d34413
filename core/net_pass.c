/* net_pass.c - forward and backward through a network. See net.h.
 *
 * Forward, for each layer: z = x W + b, a = f(z). The products' chains start from the bias, so that z is written
 * once. Backward (Rumelhart, Hinton, Williams, 1986; Nielsen's BP1 to BP4), with delta = dL/dz of a layer:
 *
 *	dL/dW = x^T delta        (I,B)(B,U): a product whose A is x with its strides exchanged
 *	dL/db = sum over rows of delta
 *	dL/dx = delta W^T        (B,U)(U,I): never for the first layer; W^T is a copy in the working memory
 *
 * where x is what the layer saw: the activations below after their dropout. All working memory is one block,
 * and lay_out is the only place that knows what lies where; it also counts how much that is.
 *
 * A row's z, a and delta depend on that row only. The gradients are sums over the batch in row order.
 */
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "core/net.h"
#include "core/rng.h"
#include "core/size.h"

/* What a layer leaves behind in one pass, each (B,U). */
struct work_layer {
	real *z, *a;
	/* Only where this layer drops and the work is for training: the factors 0 or 1/(1 - dropout), and a times
	 * them. */
	real *mask, *dropped;
};

struct net_work {
	const struct gemm_engine *engine;
	struct team *team;
	size_t layers;
	real *block;
	real *delta[2];   /* (B,U) of the widest layer: of this layer and of the one below */
	real *transposed; /* (U,I) of the largest layer but the first */
	struct work_layer layer[];
};

/* The next n numbers of the block. base NULL: only counts them. */
static real *take(real *base, size_t *used, size_t n)
{
	real *at = base ? base + *used : NULL;

	*used = size_add(*used, block_pad(n));
	return at;
}

/* Places everything in base and returns how many numbers that takes, SIZE_MAX when too many. */
static size_t lay_out(
		struct net_work *work, const struct net *net, size_t max_batch, bool training, real *base)
{
	size_t used = 0, widest = 0, largest = 0;

	for (size_t i = 0; i < net_layers(net); i++) {
		const struct layer *layer = net_layer(net, i);
		size_t n = size_mul(max_batch, layer->spec.units);
		size_t weights = layer->inputs * layer->spec.units;
		bool drops = training && layer->spec.dropout > 0;
		struct work_layer to = {
			.z = take(base, &used, n),
			.a = take(base, &used, n),
			.mask = drops ? take(base, &used, n) : NULL,
			.dropped = drops ? take(base, &used, n) : NULL,
		};

		if (base) work->layer[i] = to;
		if (n > widest) widest = n;
		if (i && weights > largest) largest = weights;
	}
	if (training) {
		real *delta = take(base, &used, widest), *below = take(base, &used, widest);
		real *transposed = take(base, &used, largest);

		if (base) {
			work->delta[0] = delta;
			work->delta[1] = below;
			work->transposed = transposed;
		}
	}
	return used;
}

size_t net_work_bytes(const struct net *net, size_t max_batch, bool training)
{
	size_t head = sizeof(struct net_work) + net_layers(net) * sizeof(struct work_layer);

	return size_add(head, block_bytes(lay_out(NULL, net, max_batch, training, NULL)));
}

int net_work_new(struct net_work **out, const struct net *net, size_t max_batch, bool training,
		const struct gemm_engine *engine, struct team *team, struct err *e)
{
	size_t numbers = lay_out(NULL, net, max_batch, training, NULL);
	struct net_work *work;

	*out = NULL;
	if (!max_batch) return err_set(e, ERR_RANGE, "a batch has at least one row");
	if (block_bytes(numbers) > PTRDIFF_MAX)
		return err_set(e, ERR_RANGE, "batches of %zu rows are too large for this network", max_batch);
	work = calloc(1, sizeof *work + net_layers(net) * sizeof work->layer[0]);
	if (!work) return err_nomem(e);
	work->engine = engine;
	work->team = team;
	work->layers = net_layers(net);
	work->block = block_new(numbers);
	if (!work->block) {
		net_work_free(work);
		return err_nomem(e);
	}
	lay_out(work, net, max_batch, training, work->block);
	*out = work;
	return 0;
}

void net_work_free(struct net_work *work)
{
	if (!work) return;
	free(work->block);
	free(work);
}

/* z (B,U) = x (B,I) W (I,U) + b. */
static void weighted_input(
		const struct layer *layer, const struct net_work *work, const real *x, size_t batch, real *z)
{
	size_t units = layer->spec.units;
	struct gemm_args product = {
		.m = batch,
		.n = units,
		.k = layer->inputs,
		.a = x,
		.a_row = layer->inputs,
		.a_col = 1,
		.b = layer->weights,
		.b_row = units,
		.b_col = 1,
		.c = z,
		.c_row = units,
		.accumulate = layer->biases,
	};

	if (layer->biases)
		for (size_t b = 0; b < batch; b++)
			memcpy(z + b * units, layer->biases, units * sizeof *z);
	gemm(work->engine, work->team, &product);
}

/* Dropout, inverted so that predictions need no factor (Srivastava et al., JMLR 15, 2014, section 10). Number i of
 * layer l is drawn at (seed, RNG_DROPOUT, epoch, step), word i of the layer's own run of blocks. */
static void drop(const struct work_layer *at, size_t n, double dropout, size_t layer,
		const struct net_step *step)
{
	struct rng_key key = { step->seed, RNG_DROPOUT, step->epoch, step->step };
	uint64_t threshold = (uint64_t)(dropout * 0x1p32), first = (uint64_t)layer << 48;
	real keep = (real)(1 / (1 - dropout));
	uint32_t words[4];

	for (size_t i = 0; i < n; i++) {
		if (i % 4 == 0) rng_block(&key, first + i / 4, words);
		at->mask[i] = words[i % 4] < threshold ? 0 : keep;
	}
	for (size_t i = 0; i < n; i++)
		at->dropped[i] = at->a[i] * at->mask[i];
}

/* step NULL: no dropout. */
static void pass_forward(const struct net *net, struct net_work *work, const real *x, size_t batch,
		const struct net_step *step)
{
	for (size_t i = 0; i < work->layers; i++) {
		const struct layer *layer = net_layer(net, i);
		const struct layer_spec *spec = &layer->spec;
		const struct work_layer *at = &work->layer[i];
		bool drops = step && at->mask;

		weighted_input(layer, work, x, batch, at->z);
		spec->activation->forward(at->z, at->a, batch, spec->units, spec->activation_params);
		if (drops) drop(at, batch * spec->units, spec->dropout, i, step);
		x = drops ? at->dropped : at->a;
	}
}

void net_forward(const struct net *net, struct net_work *work, const real *x, size_t batch, const real **y)
{
	pass_forward(net, work, x, batch, NULL);
	*y = work->layer[work->layers - 1].a;
}

const real *net_work_weighted_inputs(const struct net_work *work, size_t i)
{
	return work->layer[i].z;
}

const real *net_work_activations(const struct net_work *work, size_t i)
{
	return work->layer[i].a;
}

/* delta (B,O) of the output layer. */
static void output_delta(const struct net *net, const struct net_work *work, const real *y, size_t batch,
		const struct loss *loss, const double *loss_params, real *delta)
{
	const struct work_layer *at = &work->layer[work->layers - 1];
	const struct layer_spec *spec = &net_layer(net, work->layers - 1)->spec;
	bool joint = loss_is_joint(loss, spec->activation);

	loss->gradient(at->z, at->a, y, delta, batch, spec->units, joint, loss_params);
	if (!joint)
		spec->activation->backward(
				at->z, at->a, delta, delta, batch, spec->units, spec->activation_params);
}

/* Adds the derivatives of l1 sum |w| + l2/2 sum w^2; that of |w| at 0 is taken as 0. */
static void add_penalties(const struct layer *layer, real *gradient)
{
	size_t n = layer->inputs * layer->spec.units;
	real l1 = (real)layer->spec.l1, l2 = (real)layer->spec.l2;
	const real *w = layer->weights;

	if (l1 != 0)
		for (size_t i = 0; i < n; i++)
			gradient[i] += l1 * (real)((w[i] > 0) - (w[i] < 0));
	if (l2 != 0)
		for (size_t i = 0; i < n; i++)
			gradient[i] += l2 * w[i];
}

/* The gradients of one layer's weights (I,U) and biases (U) from what it saw, x (B,I), and delta (B,U). */
static void layer_gradient(const struct layer *layer, const struct net_work *work, const real *x,
		const real *delta, size_t batch, real *weights, real *biases)
{
	size_t units = layer->spec.units;
	struct gemm_args product = {
		.m = layer->inputs,
		.n = units,
		.k = batch,
		.a = x,
		.a_row = 1,
		.a_col = layer->inputs,
		.b = delta,
		.b_row = units,
		.b_col = 1,
		.c = weights,
		.c_row = units,
	};

	gemm(work->engine, work->team, &product);
	add_penalties(layer, weights);
	if (!biases) return;
	memset(biases, 0, units * sizeof *biases);
	for (size_t b = 0; b < batch; b++)
		for (size_t u = 0; u < units; u++)
			biases[u] += delta[b * units + u];
}

/* below (B,I) = dL/dz of the layer under this one, from delta (B,U) of this one; mask: its dropout, or NULL. */
static void delta_below(const struct layer *layer, const struct layer_spec *spec, const struct work_layer *at,
		const real *mask, const struct net_work *work, const real *delta, size_t batch, real *below)
{
	size_t units = layer->spec.units, inputs = layer->inputs;
	struct gemm_args product = {
		.m = batch,
		.n = inputs,
		.k = units,
		.a = delta,
		.a_row = units,
		.a_col = 1,
		.b = work->transposed,
		.b_row = inputs,
		.b_col = 1,
		.c = below,
		.c_row = inputs,
	};

	gemm_transpose(layer->weights, inputs, units, work->transposed);
	gemm(work->engine, work->team, &product);
	if (mask)
		for (size_t i = 0; i < batch * inputs; i++)
			below[i] *= mask[i];
	spec->activation->backward(at->z, at->a, below, below, batch, inputs, spec->activation_params);
}

void net_gradient(const struct net *net, struct net_work *work, const real *x, const real *y, size_t batch,
		const struct loss *loss, const double *loss_params, const struct net_step *step,
		real *gradient, double *loss_sum)
{
	const real *block = net_block_const(net);
	real *delta = work->delta[0], *below = work->delta[1];

	pass_forward(net, work, x, batch, step);
	*loss_sum = net_loss(net, work, y, batch, loss, loss_params);
	output_delta(net, work, y, batch, loss, loss_params, delta);
	for (size_t i = work->layers; i-- > 0;) {
		const struct layer *layer = net_layer(net, i);
		const struct work_layer *under = i ? &work->layer[i - 1] : NULL;
		const real *mask = under && step ? under->mask : NULL;
		const real *saw = !under ? x : mask ? under->dropped : under->a;
		real *swap = delta;

		layer_gradient(layer, work, saw, delta, batch, gradient + (layer->weights - block),
				layer->biases ? gradient + (layer->biases - block) : NULL);
		if (!under) break;
		delta_below(layer, &net_layer(net, i - 1)->spec, under, mask, work, delta, batch, below);
		delta = below;
		below = swap;
	}
}

double net_loss(const struct net *net, const struct net_work *work, const real *y, size_t batch,
		const struct loss *loss, const double *loss_params)
{
	const struct work_layer *at = &work->layer[work->layers - 1];
	const struct layer_spec *spec = &net_layer(net, work->layers - 1)->spec;

	return loss->value(at->z, at->a, y, batch, spec->units, loss_is_joint(loss, spec->activation),
			loss_params);
}
