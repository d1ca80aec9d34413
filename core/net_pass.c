/* net_pass.c - forward and backward through a network. See net.h; the gradients of inputs are in net_input.c.
 *
 * Forward, for each layer: z = x W + b, normalized where the layer does, a = f(z). The products' chains start from the
 * bias, and go on from one source of x to the next, so that z is written once. Backward (Rumelhart, Hinton, Williams,
 * 1986; Nielsen's BP1 to BP4), with delta = dL/dz of a layer:
 *
 *	dL/dW = x^T delta        (I,B)(B,C): a product whose A is x with its strides exchanged
 *	dL/db = sum over rows of delta
 *	dL/dx = delta W^T        (B,C)(C,I): whose B is W with its strides exchanged; in training never for the inputs
 *
 * where x is what the layer saw: the activations below after their dropout. Where several layers read one, their
 * dL/dx are added up in the order from the last reader to the first.
 *
 * A row's z, a and delta depend on that row only (but for normalization by batch, in training). The gradients are sums
 * over the batch in row order.
 */
#include <math.h>
#include <string.h>

#include "core/net_parts.h"
#include "core/rng.h"

/* What readers of layer i see, (B,U); NET_INPUTS: x. */
static const real *seen(const struct pass *pass, int layer)
{
	const struct work_layer *at;

	if (layer < 0) return pass->x;
	at = &pass->work->layer[layer];
	return pass->step && at->mask ? at->dropped : at->a;
}

#define COPY_NUMBERS_MIN 64 /* below it a call of memcpy takes longer than a loop */

/* Every row of z (B,C) becomes b (C). */
static void put_biases(const real *restrict b, size_t columns, real *restrict z, size_t batch)
{
	for (size_t row = 0; row < batch; row++, z += columns)
		if (columns >= COPY_NUMBERS_MIN)
			memcpy(z, b, columns * sizeof *z);
		else
			for (size_t c = 0; c < columns; c++)
				z[c] = b[c];
}

/* z (B,C) = x (B,I) W (I,C) + b. */
static void weighted_inputs(const struct pass *pass, const struct layer *layer, real *z)
{
	size_t columns = layer->columns;

	if (layer->biases) put_biases(layer->biases, columns, z, pass->batch);
	for (size_t s = 0; s < layer->sources_count; s++) {
		const struct layer_source *source = &layer->sources[s];
		struct gemm_args product = {
			.m = pass->batch,
			.n = columns,
			.k = source->width,
			.a = seen(pass, source->layer),
			.a_row = source->width,
			.a_col = 1,
			.b = layer->weights + source->first * columns,
			.b_row = columns,
			.b_col = 1,
			.c = z,
			.c_row = columns,
			.accumulate = s || layer->biases,
		};

		gemm(pass->work->engine, pass->work->team, &product);
	}
}

/* One layer's activation and its derivative, on a range of rows. */
struct bend {
	const struct layer *layer;
	const real *z, *a, *mask; /* mask NULL: nothing was dropped */
	real *to;                 /* forward: a */
	real *delta, *delta_z;    /* backward: from dL/da to dL/dz */
};

static void bend_forward(void *arg, size_t from, size_t to)
{
	const struct bend *bend = arg;
	const struct layer *layer = bend->layer;
	const struct layer_spec *spec = &layer->spec;
	const real *z = bend->z + from * layer->columns;
	real *a = bend->to + from * spec->units;

	if (layer->slopes)
		spec->activation->forward_learned(z, a, to - from, spec->units, layer->slopes);
	else
		spec->activation->forward(z, a, to - from, spec->units, spec->activation_params);
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

void pass_forward(const struct pass *pass)
{
	for (size_t i = 0; i < pass->work->layers; i++) {
		const struct layer *layer = net_layer(pass->net, i);
		const struct work_layer *at = &pass->work->layer[i];
		real *z = at->z ? at->z : at->a; /* in place where z is not kept: then C is U */
		struct bend bend = { .layer = layer, .z = z, .to = at->a };

		weighted_inputs(pass, layer, z);
		if (layer->scale) norm_forward(layer, pass->work, at, z, pass->batch, pass->training);
		net_ranges(pass->work, pass->batch, layer->columns, bend_forward, &bend);
		if (pass->step && at->mask)
			drop(at, pass->batch * layer->spec.units, layer->spec.dropout, i, pass->step);
	}
	if (!pass->work->outputs) return;
	for (size_t h = 0; h < net_heads(pass->net); h++) {
		size_t i = net_head_layer(pass->net, h), units = net_layer(pass->net, i)->spec.units;

		for (size_t b = 0; b < pass->batch; b++)
			memcpy(pass->work->outputs + b * net_outputs(pass->net) +
							net_head_first(pass->net, h),
					pass->work->layer[i].a + b * units, units * sizeof(real));
	}
}

void net_forward(const struct net *net, struct net_work *work, const real *x, size_t batch, const real **y)
{
	struct pass pass = { .net = net, .work = work, .x = x, .batch = batch };

	pass_forward(&pass);
	*y = net_work_outputs(work);
}

/* ---- backward ---- */

static void bend_backward(void *arg, size_t from, size_t to)
{
	const struct bend *bend = arg;
	const struct layer_spec *spec = &bend->layer->spec;
	size_t units = spec->units, first = from * units, n = (to - from) * units;
	real *delta = bend->delta + first, *delta_z = bend->delta_z + from * bend->layer->columns;

	if (bend->mask)
		for (size_t i = 0; i < n; i++)
			delta[i] *= bend->mask[first + i];
	if (!bend->layer->slopes)
		spec->activation->backward(bend->z ? bend->z + from * bend->layer->columns : NULL,
				bend->a + first, delta, delta_z, to - from, units, spec->activation_params);
}

void pass_unbend(const struct pass *pass, size_t i, bool joint, real *gradient)
{
	const struct layer *layer = net_layer(pass->net, i);
	const struct work_layer *at = &pass->work->layer[i];
	const real *block = net_block_const(pass->net);
	struct bend bend = {
		.layer = layer,
		.z = at->z,
		.a = at->a,
		.mask = pass->step ? at->mask : NULL,
		.delta = at->delta,
		.delta_z = at->delta_z,
	};

	if (!joint) net_ranges(pass->work, pass->batch, layer->columns, bend_backward, &bend);
	if (layer->slopes) {
		real *slopes = gradient ? gradient + (layer->slopes - block) : NULL;

		if (slopes) memset(slopes, 0, layer->spec.units * sizeof *slopes);
		layer->spec.activation->backward_learned(at->z, at->delta, at->delta_z, pass->batch,
				layer->spec.units, layer->slopes, slopes);
	}
	if (layer->scale && gradient)
		norm_backward(layer, pass->work, at, at->delta_z, pass->batch,
				gradient + (layer->scale - block), gradient + (layer->shift - block));
	else if (layer->scale)
		norm_backward_inputs(layer, pass->work, at, at->delta_z, pass->batch);
}

/* Adds the derivatives of l1 sum |w| + l2/2 sum w^2; that of |w| at 0 is taken as 0. */
static void add_penalties(const struct layer *layer, real *gradient)
{
	size_t n = layer->inputs * layer->columns;
	real l1 = (real)layer->spec.l1, l2 = (real)layer->spec.l2;
	const real *w = layer->weights;

	if (l1 != 0)
		for (size_t i = 0; i < n; i++)
			gradient[i] += l1 * (real)((w[i] > 0) - (w[i] < 0));
	if (l2 != 0)
		for (size_t i = 0; i < n; i++)
			gradient[i] += l2 * w[i];
}

/* The gradients of one layer's weights (I,C) and biases (C) from what it saw and its delta (B,C). */
static void layer_gradient(
		const struct pass *pass, const struct layer *layer, const real *delta, real *gradient)
{
	const real *block = net_block_const(pass->net);
	real *weights = gradient + (layer->weights - block);
	size_t columns = layer->columns;

	for (size_t s = 0; s < layer->sources_count; s++) {
		const struct layer_source *source = &layer->sources[s];
		struct gemm_args product = {
			.m = source->width,
			.n = columns,
			.k = pass->batch,
			.a = seen(pass, source->layer),
			.a_row = 1,
			.a_col = source->width,
			.b = delta,
			.b_row = columns,
			.b_col = 1,
			.c = weights + source->first * columns,
			.c_row = columns,
		};

		gemm(pass->work->engine, pass->work->team, &product);
	}
	add_penalties(layer, weights);
	for (size_t i = 0; layer->mask && i < layer->inputs * columns; i++)
		if (!layer->mask[i]) weights[i] = 0;
	if (!layer->biases) return;
	memset(gradient + (layer->biases - block), 0, columns * sizeof *gradient);
	net_add_columns(pass->work, delta, pass->batch, columns, gradient + (layer->biases - block));
}

void pass_give_below(const struct pass *pass, size_t i, bool *written, real *inputs)
{
	const struct layer *layer = net_layer(pass->net, i);
	size_t columns = layer->columns;

	for (size_t s = 0; s < layer->sources_count; s++) {
		const struct layer_source *source = &layer->sources[s];
		struct gemm_args product = {
			.m = pass->batch,
			.n = source->width,
			.k = columns,
			.a = pass->work->layer[i].delta_z,
			.a_row = columns,
			.a_col = 1,
			.b = layer->weights + source->first * columns,
			.b_row = 1,
			.b_col = columns,
			.c = source->layer < 0 ? inputs : pass->work->layer[source->layer].delta,
			.c_row = source->width,
			.accumulate = written[1 + source->layer],
		};

		if (!product.c) continue;
		written[1 + source->layer] = true;
		gemm(pass->work->engine, pass->work->team, &product);
	}
}

/* Which head a layer is, or SIZE_MAX. */
static size_t head_of(const struct net *net, size_t layer)
{
	size_t h = net_heads(net);

	while (h-- > 0)
		if (net_head_layer(net, h) == layer) return h;
	return SIZE_MAX;
}

void net_gradient(const struct net *net, struct net_work *work, const real *x, const real *y,
		const real *weights, size_t batch, const struct objective *objectives,
		const struct net_step *step, real *gradient, double *loss_sum)
{
	struct pass pass = {
		.net = net, .work = work, .x = x, .batch = batch, .training = true, .step = step
	};
	bool written[1 + NET_LAYERS_MAX];

	memset(written, 0, (1 + work->layers) * sizeof *written);
	pass_forward(&pass);
	*loss_sum = net_loss(net, work, y, weights, batch, objectives);
	for (size_t i = work->layers; i-- > 0;) {
		const struct layer *layer = net_layer(net, i);
		size_t head = head_of(net, i);
		bool joint = head != SIZE_MAX && loss_is_joint(objectives[head].loss, layer->spec.activation);

		if (head != SIZE_MAX) head_gradient(net, work, head, y, weights, batch, objectives);
		pass_unbend(&pass, i, joint, gradient);
		layer_gradient(&pass, layer, work->layer[i].delta_z, gradient);
		pass_give_below(&pass, i, written, NULL);
	}
}

bool net_nonfinite(const struct net *net, const struct net_work *work, size_t batch, size_t *layer)
{
	for (size_t i = 0; i < work->layers; i++) {
		size_t n = batch * net_layer(net, i)->spec.units;

		for (size_t j = 0; j < n; j++)
			if (!isfinite(work->layer[i].a[j])) {
				*layer = i;
				return true;
			}
	}
	return false;
}
