/* net.h - a feed-forward network: shapes, forward, backward. No files, no threads of its own.
 *
 * A network is a list of layers. A layer reads the activations of earlier layers or the inputs, side by side; as a
 * rule that is the layer before it. Layers that nobody reads are its heads: one output layer, or several, each with
 * an activation and a loss of its own. The network's output is that of its heads, side by side.
 *
 * Tensors are `real`, row-major, batch first: (B,I) keeps (b,i) at b*I + i. Letters: B rows of a batch, I what a layer
 * reads, U its units, C its weighted inputs (U, or several a unit with maxout), O the outputs of all heads, K the cells
 * of a row that may be weighted. All that is trained lies in one aligned block without gaps, layer after layer: weights
 * (I,C), biases (C), scale and shift (C) of a normalization, slopes (U) of a learned activation, each where the layer
 * has it. Users see weights as [columns][inputs]; net_get_layer and net_set_layer turn them.
 *
 * "new" means the caller frees it with the function named; "borrowed" means it lives until the event named.
 * Every int result is 0 or an ERR_ code, the reason in *e.
 */
#ifndef DESCENT_NET_H
#define DESCENT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/activation.h"
#include "core/err.h"
#include "core/gemm.h"
#include "core/init.h"
#include "core/loss.h"
#include "core/real.h"
#include "core/team.h"

#define NET_LAYERS_MAX  256     /* layers, the heads included */
#define NET_UNITS_MAX   1000000 /* units of one layer, and inputs */
#define NET_HEADS_MAX   64
#define NET_SOURCES_MAX 16   /* that one layer may read */
#define NET_INPUTS      (-1) /* among the sources: the network's inputs */

struct net;      /* weights and layer plan; const calls may run in parallel */
struct net_work; /* one caller's activations and gradients; never shared */

/* Of the weighted inputs, before the activation. Batch: over the rows of a mini-batch in training, with running means
 * and variances in prediction (Ioffe, Szegedy, ICML 2015). Layer: over the columns of a row (Ba, Kiros, Hinton, 2016).
 * Either has a trained scale and shift for each column. */
enum normalization { NORMALIZATION_NONE, NORMALIZATION_BATCH, NORMALIZATION_LAYER, NORMALIZATIONS };

struct layer_spec {
	size_t units;
	const struct activation *activation;
	double activation_params[PARAMS_MAX];
	bool bias;
	const struct initializer *init; /* NULL: init_for(activation), with its defaults */
	double init_params[PARAMS_MAX];
	double dropout;  /* share of this layer's activations dropped while training, [0, 1); 0 in a head */
	double l1, l2;   /* loss += l1 * sum |w| + l2/2 * sum w^2, weights only */
	double max_norm; /* longest that the weights of one column may be, as a vector; 0: no limit */
	enum normalization normalization;
	double density;      /* share of its inputs that a column is connected to, (0, 1]; 0 stands for 1 */
	const uint8_t *mask; /* (I,C), 1 where there is a connection; NULL: none by hand. net_new copies it */
	int from[NET_SOURCES_MAX]; /* what it reads, (from_count): NET_INPUTS or layers before it, each once */
	size_t from_count;         /* 0: the nearest layer before it that is no head, or the inputs */
	bool head;                 /* an output layer; the last one always is */
};

/* Where a piece of a layer's inputs comes from. */
struct layer_source {
	int layer;           /* NET_INPUTS or a layer */
	size_t first, width; /* rows of the weights that read it */
};

/* One layer of a network, borrowed from it. */
struct layer {
	struct layer_spec spec; /* its mask is NULL: see the layer's */
	size_t inputs;          /* I */
	size_t columns;         /* C */
	struct layer_source sources[NET_SOURCES_MAX];
	size_t sources_count;
	real *weights;         /* (I,C) */
	real *biases;          /* (C), NULL without bias */
	real *scale, *shift;   /* (C), NULL without normalization */
	real *slopes;          /* (U), NULL but for an activation that learns */
	real *mean, *variance; /* (C), running, of a batch normalization; else NULL */
	uint8_t *mask;         /* (I,C), NULL where every connection is there */
};

/* How many trained numbers a network of these layers has. ERR_RANGE: count is 0 or above NET_LAYERS_MAX, a size is 0
 * or above NET_UNITS_MAX, the total does not fit into PTRDIFF_MAX bytes of four blocks, or a number of a layer is
 * outside its range; ERR_INVALID: a layer without an activation, a source that is none, a hidden layer that nobody
 * reads. Allocates nothing. */
int net_count_parameters(
		size_t inputs, const struct layer_spec *layers, size_t count, size_t *out, struct err *e);

/* What layer i of such a network reads and weighs, for layers that net_count_parameters accepts. */
void net_shape(size_t inputs, const struct layer_spec *layers, size_t i, size_t *reads, size_t *columns);

/* *out is new (net_free); weights, biases and shifts are 0, scales and running variances 1, slopes as the activation
 * says. Errors: those of net_count_parameters; ERR_NOMEM. Then *out is NULL. */
int net_new(struct net **out, size_t inputs, const struct layer_spec *layers, size_t count, struct err *e);
int net_copy(struct net **out, const struct net *from, struct err *e);
void net_free(struct net *net);

/* Draws the masks of sparse layers and the first weights; the rest becomes what net_new makes it. The same seed gives
 * the same network, bit for bit. */
void net_init(struct net *net, uint64_t seed);

size_t net_inputs(const struct net *net);
size_t net_outputs(const struct net *net); /* O */
size_t net_layers(const struct net *net);
const struct layer *net_layer(const struct net *net, size_t i);
size_t net_heads(const struct net *net);
size_t net_head_layer(const struct net *net, size_t h); /* which layer head h is */
size_t net_head_first(const struct net *net, size_t h); /* its first output */
size_t net_parameters(const struct net *net);
real *net_block(struct net *net); /* all that is trained, (net_parameters), borrowed until net_free */
const real *net_block_const(const struct net *net);
size_t net_statistics(const struct net *net); /* running means and variances: kept, not trained */
real *net_statistics_block(struct net *net);  /* (net_statistics), borrowed until net_free */
const real *net_statistics_block_const(const struct net *net);
/* Layer i's numbers in the block are [*from, *to). */
void net_layer_range(const struct net *net, size_t i, size_t *from, size_t *to);

/* weights [columns][inputs] and biases [columns], as users see them; biases may be NULL when the layer has none. Where
 * a mask has no connection, setting leaves 0. */
void net_get_layer(const struct net *net, size_t i, real *weights, real *biases);
void net_set_layer(struct net *net, size_t i, const real *weights, const real *biases);
/* Sets every weight that reads this input to 0: what no training row had must not say anything. */
void net_zero_input(struct net *net, size_t input);
/* After a step: shortens the columns of weights that are longer than their layer's max_norm (Srivastava et al., JMLR
 * 15, 2014, section 5.1). */
void net_constrain(struct net *net);

/* *out is new (net_work_free): room for batches of up to max_batch rows. training: for net_gradient too.
 * engine and team are borrowed for the life of the work; team may be NULL. ERR_RANGE, ERR_NOMEM. */
int net_work_new(struct net_work **out, const struct net *net, size_t max_batch, bool training,
		const struct gemm_engine *engine, struct team *team, struct err *e);
void net_work_free(struct net_work *work);
/* What net_work_new would take, in bytes; SIZE_MAX when it would overflow. */
size_t net_work_bytes(const struct net *net, size_t max_batch, bool training);

/* x (B,I) -> *y (B,O); *y is borrowed until the next call with this work. batch <= max_batch. No dropout,
 * no allocation; a row's result has the same bits whatever the batch. */
void net_forward(const struct net *net, struct net_work *work, const real *x, size_t batch, const real **y);
/* Of the last net_forward or net_gradient: layer i's activations a (before dropout), (B,U), and its weighted inputs z
 * as its activation saw them, (B,C); borrowed. z is NULL in a work for training where the layer kept a alone. */
const real *net_work_activations(const struct net_work *work, size_t i);
const real *net_work_weighted_inputs(const struct net_work *work, size_t i);
/* The network's output of the last pass, (B,O), borrowed. */
const real *net_work_outputs(const struct net_work *work);

/* What one head learns. */
struct objective {
	const struct loss *loss;
	double params[PARAMS_MAX];
	double weight; /* of this head's loss in the sum over heads; 1 where there is one head */
	bool category; /* its outputs are the classes of one category: a row is one cell, else each output is */
};
/* Cells of a row, K: what may have a weight of its own, and what a target may be missing of. */
size_t net_cells(const struct net *net, const struct objective *objectives);

/* Which mini-batch this is; dropout draws from it. NULL in its place: nothing is dropped. */
struct net_step {
	uint64_t seed;
	uint32_t epoch, step;
};

/* One forward and backward pass. x (B,I), y (B,O), weights (B,K) or NULL: what each cell's loss is multiplied by, 0
 * where its target is missing. The loss is sum over heads of weight * (sum over rows) / B, so that weights are meant
 * to have a mean of 1. objectives (heads). gradient (net_parameters) receives d(loss + penalties)/dw in the layout of
 * net_block. *loss_sum receives the sum over the rows of the data loss (no penalties). Gradients of the inputs are not
 * computed, those of connections that a mask has not are 0. Allocates nothing. */
void net_gradient(const struct net *net, struct net_work *work, const real *x, const real *y,
		const real *weights, size_t batch, const struct objective *objectives,
		const struct net_step *step, real *gradient, double *loss_sum);

/* How one output changes with the inputs: x (B,I) -> gradient (B,I), d y[output] / dx of each row as net_forward answers
 * it: nothing is dropped, batches are normalized by running statistics. At a kink it is the derivative on one side. The
 * work is one for training; net_work_outputs has y (B,O) afterwards. Allocates nothing. */
void net_input_gradient(const struct net *net, struct net_work *work, const real *x, size_t batch,
		size_t output, real *gradient);

/* The data loss of the last forward pass of this work, as a sum over rows; weights as above. */
double net_loss(const struct net *net, struct net_work *work, const real *y, const real *weights,
		size_t batch, const struct objective *objectives);

/* After net_gradient on `batch` rows: the running statistics of batch normalizations take in those of the batch. */
void net_absorb(struct net *net, const struct net_work *work, size_t batch);

/* Is there a number that is not finite among the activations of the last pass? *layer is the first layer with one. */
bool net_nonfinite(const struct net *net, const struct net_work *work, size_t batch, size_t *layer);

#endif
