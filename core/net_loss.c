/* net_loss.c - the loss of a network's heads and its gradient at their outputs. See net.h.
 *
 * Without weights a head's loss is one call over all its rows. With them each cell is a call of its own: a row of a
 * category's head, a single output of another.
 */
#include <math.h>
#include <string.h>

#include "core/net_parts.h"

/* One head on one batch. */
struct head {
	const struct objective *objective;
	const struct layer *layer;
	const struct work_layer *at;
	size_t units, first; /* of its outputs in a row of y */
	size_t cell, cells;  /* of its cells in a row of weights */
	bool joint;
};

static size_t head_cells(const struct layer *layer, const struct objective *objective)
{
	return objective->category ? 1 : layer->spec.units;
}

size_t net_cells(const struct net *net, const struct objective *objectives)
{
	size_t cells = 0;

	for (size_t h = 0; h < net_heads(net); h++)
		cells += head_cells(net_layer(net, net_head_layer(net, h)), &objectives[h]);
	return cells;
}

/* cell: its first cell, moved on to that of the next head. */
static struct head head_at(const struct net *net, const struct net_work *work,
		const struct objective *objectives, size_t h, size_t *cell)
{
	size_t i = net_head_layer(net, h);
	const struct layer *layer = net_layer(net, i);
	struct head head = {
		.objective = &objectives[h],
		.layer = layer,
		.at = &work->layer[i],
		.units = layer->spec.units,
		.first = net_head_first(net, h),
		.cell = *cell,
		.cells = head_cells(layer, &objectives[h]),
		.joint = loss_is_joint(objectives[h].loss, layer->spec.activation),
	};

	*cell += head.cells;
	return head;
}

/* The head's columns of y (B,O), without gaps: (B,U). */
static const real *head_targets(const struct net *net, const struct net_work *work, const struct head *head,
		const real *y, size_t batch)
{
	if (!work->targets) return y;
	for (size_t b = 0; b < batch; b++)
		memcpy(work->targets + b * head->units, y + b * net_outputs(net) + head->first,
				head->units * sizeof *y);
	return work->targets;
}

/* The loss of cells that have weights, weighted; cell k of row b is weights[b*stride + k]. */
static double weighted_value(
		const struct head *head, const real *y, const real *weights, size_t stride, size_t batch)
{
	const struct loss *loss = head->objective->loss;
	size_t width = head->units / head->cells;
	double sum = 0;

	for (size_t b = 0; b < batch; b++)
		for (size_t k = 0; k < head->cells; k++) {
			size_t at = b * head->units + k * width;
			double weight = (double)weights[b * stride + head->cell + k];

			if (weight != 0)
				sum += weight * loss->value(head->at->z + at, head->at->a + at, y + at, 1,
								width, head->joint, head->objective->params);
		}
	return sum / (double)head->cells;
}

double net_loss(const struct net *net, struct net_work *work, const real *y, const real *weights,
		size_t batch, const struct objective *objectives)
{
	size_t stride = weights ? net_cells(net, objectives) : 0, cell = 0;
	double sum = 0;

	for (size_t h = 0; h < net_heads(net); h++) {
		struct head head = head_at(net, work, objectives, h, &cell);
		const real *targets = head_targets(net, work, &head, y, batch);
		double loss = weights ? weighted_value(&head, targets, weights, stride, batch)
				      : objectives[h].loss->value(head.at->z, head.at->a, targets, batch,
							head.units, head.joint, objectives[h].params);

		sum += objectives[h].weight * loss;
	}
	return sum;
}

/* A cell of weight 0 has no gradient, whatever its target would make of it. */
static void weigh(const struct head *head, const real *weights, size_t stride, size_t batch, real *delta)
{
	size_t width = head->units / head->cells;

	for (size_t b = 0; b < batch; b++)
		for (size_t u = 0; u < head->units; u++) {
			real weight = weights[b * stride + head->cell + u / width];
			real *d = &delta[b * head->units + u];

			*d = weight == 0 ? 0 : *d * weight;
		}
}

void head_gradient(const struct net *net, struct net_work *work, size_t h, const real *y, const real *weights,
		size_t batch, const struct objective *objectives)
{
	size_t cell = 0;
	struct head head;
	real *delta, factor = (real)objectives[h].weight;

	for (size_t i = 0; i <= h; i++)
		head = head_at(net, work, objectives, i, &cell);
	delta = head.at->delta;
	objectives[h].loss->gradient(head.at->z, head.at->a, head_targets(net, work, &head, y, batch), delta,
			batch, head.units, head.joint, objectives[h].params);
	if (weights) weigh(&head, weights, net_cells(net, objectives), batch, delta);
	for (size_t i = 0; factor != 1 && i < batch * head.units; i++)
		delta[i] *= factor;
}
