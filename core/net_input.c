/* net_input.c - how one output of a network changes with its inputs. See net.h; the pieces of a pass are net_pass.c's.
 *
 * Backward from a 1 at the output: a head whose activation mixes its units (softmax) takes it through its own backward
 * function, which is a row of its Jacobian. Layers that do not lead to the output have no delta and are passed over.
 */
#include <string.h>

#include "core/net_parts.h"

/* The head that an output belongs to. */
static size_t head_with(const struct net *net, size_t output)
{
	size_t h = net_heads(net) - 1;

	while (net_head_first(net, h) > output)
		h--;
	return h;
}

/* The delta of the head: 1 at the output of every row. */
static void set_out(const struct pass *pass, size_t head, size_t output)
{
	size_t i = net_head_layer(pass->net, head), units = net_layer(pass->net, i)->spec.units;
	real *delta = pass->work->layer[i].delta;

	memset(delta, 0, pass->batch * units * sizeof *delta);
	for (size_t b = 0; b < pass->batch; b++)
		delta[b * units + output - net_head_first(pass->net, head)] = 1;
}

void net_input_gradient(const struct net *net, struct net_work *work, const real *x, size_t batch,
		size_t output, real *gradient)
{
	struct pass pass = { .net = net, .work = work, .x = x, .batch = batch };
	size_t head = head_with(net, output), from = net_head_layer(net, head);
	bool written[1 + NET_LAYERS_MAX] = { false };

	pass_forward(&pass);
	set_out(&pass, head, output);
	written[1 + from] = true;
	for (size_t i = from + 1; i-- > 0;) {
		if (!written[1 + i]) continue;
		pass_unbend(&pass, i, false, NULL);
		pass_give_below(&pass, i, written, gradient);
	}
}
