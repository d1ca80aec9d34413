/* f64_nets.c - networks of every kind, trained for 100 steps from the same numbers on the same batches as PyTorch and
 * scikit-learn train them: what is trained, and the running statistics, agree within 1e-9.
 *
 * tests/golden/nets.py made the goldens. It says how the first numbers, rows, targets and weights are drawn; they are
 * drawn here in the same order.
 */
#include <math.h>
#include <string.h>

#include "core/optim.h"
#include "tests/golden/nets.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define TOLERATE 1e-9
#define GOLDENS  (sizeof golden_nets / sizeof golden_nets[0])

struct sequence {
	uint32_t state;
};

static double draw(struct sequence *s)
{
	s->state = s->state * 1664525 + 1013904223;
	return ldexp(s->state, -31) - 1;
}

/* ---- the network and what it starts with ---- */

static struct layer_spec layer_spec_of(const struct golden_layer *golden)
{
	struct layer_spec spec = layer_of(golden->units, golden->activation);

	if (golden->param != 0) spec.activation_params[0] = golden->param;
	spec.bias = !golden->no_bias;
	spec.normalization = golden->normalization;
	spec.l1 = golden->l1;
	spec.l2 = golden->l2;
	spec.max_norm = golden->max_norm;
	spec.head = golden->head;
	memcpy(spec.from, golden->from, sizeof golden->from);
	spec.from_count = golden->from_count;
	return spec;
}

/* (I,C), new; the connection from i to c is not there where i + 2 c is a multiple of 3. */
static uint8_t *mask_of(size_t inputs, size_t columns)
{
	uint8_t *mask = malloc(inputs * columns);

	ck_assert_ptr_nonnull(mask);
	for (size_t i = 0; i < inputs; i++)
		for (size_t c = 0; c < columns; c++)
			mask[i * columns + c] = (i + 2 * c) % 3 != 0;
	return mask;
}

static struct net *make_net(const struct golden_net *golden)
{
	struct layer_spec specs[GOLDEN_LAYERS];
	uint8_t *masks[GOLDEN_LAYERS] = { NULL };
	size_t count = 0, inputs, columns;
	struct net *net;
	struct err e;

	for (; count < GOLDEN_LAYERS && golden->layers[count].units; count++)
		specs[count] = layer_spec_of(&golden->layers[count]);
	for (size_t i = 0; i < count; i++) {
		if (!golden->layers[i].masked) continue;
		net_shape(GOLDEN_INPUTS, specs, i, &inputs, &columns);
		specs[i].mask = masks[i] = mask_of(inputs, columns);
	}
	OK(net_new(&net, GOLDEN_INPUTS, specs, count, &e), e);
	for (size_t i = 0; i < count; i++)
		free(masks[i]);
	return net;
}

static void draw_block(struct sequence *s, real *block, size_t n, double scale, double middle)
{
	for (size_t i = 0; block && i < n; i++)
		block[i] = middle + scale * draw(s);
}

static void draw_parameters(struct sequence *s, struct net *net)
{
	for (size_t l = 0; l < net_layers(net); l++) {
		const struct layer *layer = net_layer(net, l);
		size_t n = layer->inputs * layer->columns;

		draw_block(s, layer->weights, n, 1, 0);
		draw_block(s, layer->biases, layer->columns, 0.5, 0);
		draw_block(s, layer->scale, layer->columns, 0.5, 1);
		draw_block(s, layer->shift, layer->columns, 0.5, 0);
		draw_block(s, layer->slopes, layer->spec.units, 0.125, 0.25);
		for (size_t i = 0; layer->mask && i < n; i++)
			if (!layer->mask[i]) layer->weights[i] = 0;
	}
}

/* ---- rows, targets, weights ---- */

static void draw_numbers(struct sequence *s, real *y, size_t units)
{
	for (size_t u = 0; u < units; u++)
		y[u] = 2 * draw(s);
}

static void draw_counts(struct sequence *s, real *y, size_t units)
{
	for (size_t u = 0; u < units; u++)
		y[u] = floor(2 * (draw(s) + 1));
}

static void draw_bits(struct sequence *s, real *y, size_t units)
{
	for (size_t u = 0; u < units; u++)
		y[u] = draw(s) > 0;
}

static void draw_classes(struct sequence *s, real *y, size_t units)
{
	size_t chosen = (size_t)((draw(s) + 1) / 2 * (double)units);

	for (size_t u = 0; u < units; u++)
		y[u] = u == chosen;
}

static void draw_shares(struct sequence *s, real *y, size_t units)
{
	double sum = 0;

	for (size_t u = 0; u < units; u++)
		sum += y[u] = draw(s) + 1.25;
	for (size_t u = 0; u < units; u++)
		y[u] /= sum;
}

/* One row of one head. */
static void (*const draw_targets[])(struct sequence *s, real *y, size_t units) = {
	[NUMBERS] = draw_numbers,
	[COUNTS] = draw_counts,
	[BITS] = draw_bits,
	[CLASSES] = draw_classes,
	[SHARES] = draw_shares,
};

static real *new_numbers(size_t n)
{
	real *numbers = calloc(n + 1, sizeof *numbers);

	ck_assert_ptr_nonnull(numbers);
	return numbers;
}

static real *draw_rows(struct sequence *s)
{
	real *x = new_numbers(GOLDEN_ROWS * GOLDEN_INPUTS);

	draw_block(s, x, GOLDEN_ROWS * GOLDEN_INPUTS, 1, 0);
	return x;
}

static real *draw_all_targets(struct sequence *s, const struct golden_net *golden, const struct net *net)
{
	size_t outputs = net_outputs(net);
	real *y = new_numbers(GOLDEN_ROWS * outputs);

	for (size_t b = 0; b < GOLDEN_ROWS; b++)
		for (size_t h = 0; h < net_heads(net); h++)
			draw_targets[golden->objectives[h].targets](s,
					y + b * outputs + net_head_first(net, h),
					net_layer(net, net_head_layer(net, h))->spec.units);
	return y;
}

static real *draw_weights(struct sequence *s, size_t cells)
{
	real *weights = new_numbers(GOLDEN_ROWS * cells);

	for (size_t i = 0; i < GOLDEN_ROWS * cells; i++) {
		double number = draw(s);

		weights[i] = number < -0.5 ? 0 : number + 1;
	}
	return weights;
}

/* ---- training ---- */

static void make_objectives(
		const struct golden_net *golden, const struct net *net, struct objective *objectives)
{
	for (size_t h = 0; h < net_heads(net); h++) {
		const struct golden_objective *from = &golden->objectives[h];

		objectives[h] = objective_of(from->loss);
		objectives[h].weight = from->weight;
		objectives[h].category = from->category;
		if (from->param != 0) objectives[h].params[0] = from->param;
	}
}

static void train(const struct golden_net *golden, struct net *net, struct sequence *s)
{
	const struct optimizer *optimizer = optim_find(golden->optimizer);
	struct objective objectives[GOLDEN_HEADS];
	size_t n = net_parameters(net), outputs = net_outputs(net), cells;
	real *x = draw_rows(s), *y = draw_all_targets(s, golden, net), *weights = NULL;
	real *gradient = new_numbers(n), *blocks = new_numbers(n * OPTIM_MOMENTS_MAX);
	real *moments[OPTIM_MOMENTS_MAX];
	struct net_work *work;
	struct err e;

	make_objectives(golden, net, objectives);
	cells = net_cells(net, objectives);
	if (golden->weighted) weights = draw_weights(s, cells);
	for (size_t m = 0; m < OPTIM_MOMENTS_MAX; m++)
		moments[m] = blocks + m * n;
	OK(net_work_new(&work, net, GOLDEN_BATCH, true, test_engine(), NULL, &e), e);
	for (uint64_t step = 0; step < GOLDEN_STEPS; step++) {
		size_t first = GOLDEN_BATCH * (step % (GOLDEN_ROWS / GOLDEN_BATCH));
		double loss;

		net_gradient(net, work, x + first * GOLDEN_INPUTS, y + first * outputs,
				weights ? weights + first * cells : NULL, GOLDEN_BATCH, objectives, NULL,
				gradient, &loss);
		optimizer->step(net_block(net), gradient, moments, 0, n, step + 1, golden->params[0],
				golden->params);
		net_absorb(net, work, GOLDEN_BATCH);
		net_constrain(net);
	}
	net_work_free(work);
	free(x);
	free(y);
	free(weights);
	free(gradient);
	free(blocks);
}

static void compare(const char *name, const char *what, const real *got, const double *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(fabs(got[i] - wanted[i]) <= TOLERATE, "%s: %s %zu is %.15g, not %.15g", name,
				what, i, got[i], wanted[i]);
}

static void check(const struct golden_net *golden)
{
	struct sequence s = { 1 };
	struct net *net = make_net(golden);

	ck_assert_uint_eq(net_parameters(net), golden->parameters);
	ck_assert_uint_eq(net_statistics(net), golden->statistics);
	draw_parameters(&s, net);
	train(golden, net, &s);
	compare(golden->name, "parameter", net_block(net), golden->trained, golden->parameters);
	compare(golden->name, "statistic", net_statistics_block(net), golden->running, golden->statistics);
	net_free(net);
}

START_TEST(networks_agree)
{
	for (size_t g = 0; g < GOLDENS; g++)
		check(&golden_nets[g]);
}
END_TEST

/* ---- nothing is left out ---- */

static bool has_activation(const char *name)
{
	for (size_t g = 0; g < GOLDENS; g++)
		if (!strcmp(golden_nets[g].layers[0].activation, name)) return true;
	return false;
}

static bool has_loss(const char *name)
{
	for (size_t g = 0; g < GOLDENS; g++)
		if (!strcmp(golden_nets[g].objectives[0].loss, name)) return true;
	return false;
}

static bool has_optimizer(const char *name)
{
	for (size_t g = 0; g < GOLDENS; g++)
		if (!strcmp(golden_nets[g].optimizer, name)) return true;
	return false;
}

/* Whoever adds a row to a table of core adds a network with it. */
START_TEST(every_row_has_a_network)
{
	for (size_t i = 0; activation_at(i); i++)
		ck_assert_msg(activation_at(i)->flat || has_activation(activation_at(i)->name), "%s",
				activation_at(i)->name);
	for (size_t i = 0; loss_at(i); i++)
		ck_assert_msg(has_loss(loss_at(i)->name), "%s", loss_at(i)->name);
	for (size_t i = 0; optim_at(i); i++)
		ck_assert_msg(!optim_at(i)->step || has_optimizer(optim_at(i)->name), "%s",
				optim_at(i)->name);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { networks_agree, every_row_has_a_network, NULL };

	return suite_main("f64_nets", tests, 60);
}
