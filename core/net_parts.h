/* net_parts.h - what the files of a network's passes share: where a pass leaves its numbers, and loops over ranges that
 * a team may take. Of core/net_*.c alone.
 */
#ifndef DESCENT_NET_PARTS_H
#define DESCENT_NET_PARTS_H

#include "core/net.h"

/* What a layer leaves behind in one pass. Letters: net.h. */
struct work_layer {
	real *z; /* (B,C): weighted inputs, normalized where the layer does; NULL where a alone is kept */
	real *a; /* (B,U) */
	/* Only in a work for training, and where the layer needs them: */
	real *mask, *dropped; /* (B,U): the factors 0 or 1/(1 - dropout), and a times them */
	real *unit;    /* (B,C): what normalization made of the weighted inputs before scale and shift */
	real *inverse; /* (C) of a batch, (B) of a layer normalization: 1 / sqrt(variance + epsilon) */
	real *mean, *variance; /* (C), of the batch */
	real *delta;   /* (B,U) dL/da, then dL/dz where C is U; shared by layers that never need it at once */
	real *delta_z; /* (B,C) where C is not U, else delta */
};

struct net_work {
	const struct gemm_engine *engine;
	struct team *team;
	size_t layers;
	real *block;
	real *outputs; /* (B,O) of several heads; NULL: the only head's activations are the output */
	real *targets; /* (B, units of the widest head) of several heads, in turn; else NULL */
	struct work_layer layer[];
};

/* One pass, as its pieces see it. */
struct pass {
	const struct net *net;
	struct net_work *work;
	const real *x; /* (B,I) */
	size_t batch;
	bool training;
	const struct net_step *step; /* NULL: nothing is dropped */
};

/* Every layer's z and a. */
void pass_forward(const struct pass *pass);
/* Layer i: from dL/da in delta to dL/dz of the weighted inputs in delta_z. joint: delta is dL/dz of the activation's
 * already. gradient (net_parameters): those of what lies between are written; NULL: they are not wanted. */
void pass_unbend(const struct pass *pass, size_t i, bool joint, real *gradient);
/* Gives each layer that this one reads its share of dL/da; written[1 + layer] tells who has one already. inputs (B,I):
 * that of the network's inputs, NULL: it is not wanted. */
void pass_give_below(const struct pass *pass, size_t i, bool *written, real *inputs);

/* Calls work(arg, from, to) for ranges that make up [0, n), by the team where n times `each` numbers are worth it. Ranges
 * begin at multiples of 16, so that no two threads write to one cache line of a vector. */
void net_ranges(const struct net_work *work, size_t n, size_t each,
		void (*run)(void *arg, size_t from, size_t to), void *arg);

/* Column sums of m (rows, columns), added to out (columns), in row order. */
void net_add_columns(const struct net_work *work, const real *m, size_t rows, size_t columns, real *out);

/* z (B,C) is normalized in place. training: by its own statistics, leaving what backward needs in *at. */
void norm_forward(const struct layer *layer, const struct net_work *work, const struct work_layer *at,
		real *z, size_t batch, bool training);
/* dz (B,C), with respect to the normalized weighted inputs, becomes that with respect to the weighted inputs themselves;
 * scale and shift (C) receive the gradients of those. */
void norm_backward(const struct layer *layer, const struct net_work *work, const struct work_layer *at,
		real *dz, size_t batch, real *scale, real *shift);

/* In prediction, after norm_forward in a work for training: the same dz, by the statistics that were used there. */
void norm_backward_inputs(const struct layer *layer, const struct net_work *work, const struct work_layer *at,
		real *dz, size_t batch);

/* The delta of head h: dL/dz where its loss is joint with its activation, else dL/da. */
void head_gradient(const struct net *net, struct net_work *work, size_t h, const real *y, const real *weights,
		size_t batch, const struct objective *objectives);

#endif
