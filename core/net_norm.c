/* net_norm.c - normalization of a layer's weighted inputs, forward and backward. See net.h for the two kinds.
 *
 *	unit = (z - mean) / sqrt(variance + epsilon),  z' = scale unit + shift
 *
 * and backward, with g = dL/dz' and means over what was normalized together (Ioffe, Szegedy, 2015, section 3):
 *
 *	dL/dscale = sum g unit,  dL/dshift = sum g,  h = g scale
 *	dL/dz = (h - mean(h) - unit mean(h unit)) / sqrt(variance + epsilon)
 *
 * A batch is normalized column by column, so that threads take columns; a layer row by row, so that they take rows.
 * Each sum has one order, whatever the number of threads.
 */
#include <math.h>
#include <string.h>

#include "core/net_parts.h"

#define EPSILON  1e-5 /* keeps a constant column from a division by 0 */
#define MOMENTUM 0.1  /* share of the latest batch in the running statistics */

#define APPLY_COLUMNS 64 /* whose factors are worked out at a time */

struct norm {
	const struct layer *layer;
	const struct work_layer *at;
	real *z; /* forward: z, in place; backward: dz */
	size_t batch;
	real *scale, *shift; /* backward: the gradients */
};

static real inverse_root(real variance)
{
	return (real)(1 / sqrt((double)variance + EPSILON));
}

/* dL/dscale and dL/dshift of columns [from, to), in row order. */
static void sum_columns(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	size_t columns = n->layer->columns;

	for (size_t c = from; c < to; c++)
		n->scale[c] = n->shift[c] = 0;
	for (size_t b = 0; b < n->batch; b++)
		for (size_t c = from; c < to; c++) {
			real g = n->z[b * columns + c];

			n->shift[c] += g;
			n->scale[c] += g * n->at->unit[b * columns + c];
		}
}

/* ---- by batch ---- */

static void batch_statistics(const struct norm *n, size_t from, size_t to)
{
	size_t columns = n->layer->columns;
	real *restrict mean = n->at->mean, *restrict variance = n->at->variance;
	real share = (real)(1.0 / (double)n->batch);

	for (size_t c = from; c < to; c++)
		mean[c] = variance[c] = 0;
	for (size_t b = 0; b < n->batch; b++)
		for (size_t c = from; c < to; c++)
			mean[c] += n->z[b * columns + c];
	for (size_t c = from; c < to; c++)
		mean[c] *= share;
	for (size_t b = 0; b < n->batch; b++)
		for (size_t c = from; c < to; c++) {
			real d = n->z[b * columns + c] - mean[c];

			variance[c] += d * d;
		}
	for (size_t c = from; c < to; c++) {
		variance[c] *= share;
		n->at->inverse[c] = inverse_root(variance[c]);
	}
}

static void batch_forward(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	size_t columns = n->layer->columns;
	const real *scale = n->layer->scale, *shift = n->layer->shift;

	batch_statistics(n, from, to);
	for (size_t b = 0; b < n->batch; b++)
		for (size_t c = from; c < to; c++) {
			real unit = (n->z[b * columns + c] - n->at->mean[c]) * n->at->inverse[c];

			n->at->unit[b * columns + c] = unit;
			n->z[b * columns + c] = scale[c] * unit + shift[c];
		}
}

/* In prediction: by the running statistics. */
static void batch_apply(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	const struct layer *layer = n->layer;
	real factor[APPLY_COLUMNS];

	for (size_t first = from, count; first < to; first += count) {
		count = to - first < APPLY_COLUMNS ? to - first : APPLY_COLUMNS;
		for (size_t i = 0; i < count; i++)
			factor[i] = layer->scale[first + i] * inverse_root(layer->variance[first + i]);
		for (size_t b = 0; b < n->batch; b++) {
			real *z = n->z + b * layer->columns + first;

			for (size_t i = 0; i < count; i++)
				z[i] = (z[i] - layer->mean[first + i]) * factor[i] + layer->shift[first + i];
		}
	}
}

static void batch_backward(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	size_t columns = n->layer->columns;
	real share = (real)(1.0 / (double)n->batch);

	sum_columns(arg, from, to);
	for (size_t b = 0; b < n->batch; b++)
		for (size_t c = from; c < to; c++) {
			real *g = &n->z[b * columns + c];
			real rest = n->shift[c] + n->at->unit[b * columns + c] * n->scale[c];

			*g = n->layer->scale[c] * n->at->inverse[c] * (*g - share * rest);
		}
}

static void batch_apply_backward(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	const struct layer *layer = n->layer;

	for (size_t c = from; c < to; c++) {
		real factor = layer->scale[c] * inverse_root(layer->variance[c]);

		for (size_t b = 0; b < n->batch; b++)
			n->z[b * layer->columns + c] *= factor;
	}
}

/* ---- by layer ---- */

/* Leaves what backward needs wherever there is room for it, as a row is normalized alike in training and prediction. */

static void layer_forward(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	size_t columns = n->layer->columns;

	for (size_t b = from; b < to; b++) {
		real *z = n->z + b * columns, mean = 0, variance = 0, inverse;

		for (size_t c = 0; c < columns; c++)
			mean += z[c];
		mean /= (real)columns;
		for (size_t c = 0; c < columns; c++)
			variance += (z[c] - mean) * (z[c] - mean);
		inverse = inverse_root(variance / (real)columns);
		if (n->at->unit) n->at->inverse[b] = inverse;
		for (size_t c = 0; c < columns; c++) {
			real unit = (z[c] - mean) * inverse;

			if (n->at->unit) n->at->unit[b * columns + c] = unit;
			z[c] = n->layer->scale[c] * unit + n->layer->shift[c];
		}
	}
}

static void layer_backward(void *arg, size_t from, size_t to)
{
	const struct norm *n = arg;
	size_t columns = n->layer->columns;

	for (size_t b = from; b < to; b++) {
		real *g = n->z + b * columns, mean = 0, mean_unit = 0;
		const real *unit = n->at->unit + b * columns;

		for (size_t c = 0; c < columns; c++) {
			g[c] *= n->layer->scale[c];
			mean += g[c];
			mean_unit += g[c] * unit[c];
		}
		mean /= (real)columns;
		mean_unit /= (real)columns;
		for (size_t c = 0; c < columns; c++)
			g[c] = n->at->inverse[b] * (g[c] - mean - unit[c] * mean_unit);
	}
}

/* ---- both ---- */

void norm_forward(const struct layer *layer, const struct net_work *work, const struct work_layer *at,
		real *z, size_t batch, bool training)
{
	struct norm n = { .layer = layer, .at = at, .z = z, .batch = batch };

	if (layer->spec.normalization == NORMALIZATION_LAYER)
		net_ranges(work, batch, layer->columns, layer_forward, &n);
	else
		net_ranges(work, layer->columns, batch, training ? batch_forward : batch_apply, &n);
}

void norm_backward(const struct layer *layer, const struct net_work *work, const struct work_layer *at,
		real *dz, size_t batch, real *scale, real *shift)
{
	struct norm n = { .layer = layer, .at = at, .z = dz, .batch = batch, .scale = scale, .shift = shift };

	if (layer->spec.normalization == NORMALIZATION_LAYER) {
		net_ranges(work, layer->columns, batch, sum_columns, &n);
		net_ranges(work, batch, layer->columns, layer_backward, &n);
	} else
		net_ranges(work, layer->columns, batch, batch_backward, &n);
}

void norm_backward_inputs(const struct layer *layer, const struct net_work *work, const struct work_layer *at,
		real *dz, size_t batch)
{
	struct norm n = { .layer = layer, .at = at, .z = dz, .batch = batch };

	if (layer->spec.normalization == NORMALIZATION_LAYER)
		net_ranges(work, batch, layer->columns, layer_backward, &n);
	else
		net_ranges(work, layer->columns, batch, batch_apply_backward, &n);
}

/* The running variance takes in the unbiased one, as that of the rows to come is estimated. */
void net_absorb(struct net *net, const struct net_work *work, size_t batch)
{
	double unbiased = batch > 1 ? (double)batch / (double)(batch - 1) : 1;

	for (size_t i = 0; i < net_layers(net); i++) {
		const struct layer *layer = net_layer(net, i);
		const struct work_layer *at = &work->layer[i];

		for (size_t c = 0; layer->mean && c < layer->columns; c++) {
			double mean = (double)layer->mean[c], variance = (double)layer->variance[c];

			layer->mean[c] = (real)(mean + MOMENTUM * ((double)at->mean[c] - mean));
			layer->variance[c] =
					(real)(variance + MOMENTUM * ((double)at->variance[c] * unbiased -
										     variance));
		}
	}
}
