/* net.h - a feed-forward network: shapes, forward, backward. No files, no threads of its own.
 *
 * Tensors are `real`, row-major, batch first: (B,I) keeps (b,i) at b*I + i. All parameters lie in one aligned
 * block, layer after layer: the weights (I,U), then the biases (U) if the layer has them. Users see weights
 * as [units][inputs]; net_get_layer and net_set_layer turn them.
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

#define NET_LAYERS_MAX 256     /* layers, the output layer included */
#define NET_UNITS_MAX  1000000 /* units of one layer, and inputs */

struct net;      /* weights and layer plan; const calls may run in parallel */
struct net_work; /* one caller's activations and gradients; never shared */

struct layer_spec {
	size_t units;
	const struct activation *activation;
	double activation_params[PARAMS_MAX];
	bool bias;
	const struct initializer *init; /* NULL: init_for(activation) */
	double dropout;                 /* share of this layer's activations dropped while training, [0, 1);
	                                 * 0 in the output layer */
	double l1, l2;                  /* loss += l1 * sum |w| + l2/2 * sum w^2, weights only */
};

/* One layer of a network, borrowed from it. */
struct layer {
	struct layer_spec spec;
	size_t inputs;
	real *weights; /* (inputs, units) */
	real *biases;  /* (units), NULL without bias */
};

/* How many parameters a network of these layers has. ERR_RANGE: count is 0 or above NET_LAYERS_MAX, a size is 0
 * or above NET_UNITS_MAX, or the total does not fit into PTRDIFF_MAX bytes of four blocks. Allocates nothing. */
int net_count_parameters(
		size_t inputs, const struct layer_spec *layers, size_t count, size_t *out, struct err *e);

/* *out is new (net_free); parameters are 0. Errors: those of net_count_parameters; ERR_INVALID: a layer without an
 * activation; ERR_RANGE: an activation's parameter, dropout, l1 or l2 outside its range; ERR_NOMEM. Then *out is
 * NULL. */
int net_new(struct net **out, size_t inputs, const struct layer_spec *layers, size_t count, struct err *e);
int net_copy(struct net **out, const struct net *from, struct err *e);
void net_free(struct net *net);

/* Draws the first weights. The same seed gives the same weights, bit for bit. Biases become 0. */
void net_init(struct net *net, uint64_t seed);

size_t net_inputs(const struct net *net);
size_t net_outputs(const struct net *net);
size_t net_layers(const struct net *net);
const struct layer *net_layer(const struct net *net, size_t i);
size_t net_parameters(const struct net *net);
real *net_block(struct net *net); /* all parameters, (net_parameters), borrowed until net_free */
const real *net_block_const(const struct net *net);

/* weights [units][inputs] and biases [units], as users see them; biases may be NULL when the layer has none. */
void net_get_layer(const struct net *net, size_t i, real *weights, real *biases);
void net_set_layer(struct net *net, size_t i, const real *weights, const real *biases);
/* Sets the first layer's weights of one input to 0: what no training row had must not say anything. */
void net_zero_input(struct net *net, size_t input);

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
/* Of the last net_forward or net_gradient: layer i's weighted inputs z and activations a (before dropout), (B,U),
 * borrowed. */
const real *net_work_weighted_inputs(const struct net_work *work, size_t i);
const real *net_work_activations(const struct net_work *work, size_t i);

/* Which mini-batch this is; dropout draws from it. NULL in its place: nothing is dropped. */
struct net_step {
	uint64_t seed;
	uint32_t epoch, step;
};

/* One forward and backward pass. x (B,I), y (B,O). gradient (net_parameters) receives d(loss + penalties)/dw in
 * the layout of net_block. *loss_sum receives the sum over the rows of the data loss (no penalties). The first
 * layer's input gradient is never computed. Allocates nothing. */
void net_gradient(const struct net *net, struct net_work *work, const real *x, const real *y, size_t batch,
		const struct loss *loss, const double *loss_params, const struct net_step *step,
		real *gradient, double *loss_sum);

/* The data loss of the last forward pass of this work, as a sum over rows. */
double net_loss(const struct net *net, const struct net_work *work, const real *y, size_t batch,
		const struct loss *loss, const double *loss_params);

#endif
