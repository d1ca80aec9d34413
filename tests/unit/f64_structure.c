/* f64_structure.c - net_gradient against central finite differences for every kind of layer: normalizations, learned
 * slopes, pieces, masks and densities, layers that read several others, several heads with losses and weights of their
 * own, cells with weights and without a target.
 *
 * The numbers are double. Smooth activations where the structure allows it, and a seed away from kinks where not.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/structures.h"
#include "tests/unit/suite.h"

#define ROWS     6
#define INPUTS   4
#define STEP     1e-5
#define KINK     1e-3
#define TOLERATE 1e-6
#define SEEDS    1000
static const struct net_step step = { .seed = 7, .epoch = 3, .step = 2 };

struct problem {
	const struct structure *s;
	struct net *net;
	struct net_work *work, *look;
	real *x, *y, *weights, *gradient;
};

/* Targets that every loss takes: one-hot for categories, small whole numbers elsewhere. */
static real *targets_of(const struct problem *p)
{
	size_t outputs = net_outputs(p->net);
	real *y = calloc(ROWS * outputs, sizeof *y);

	ck_assert_ptr_nonnull(y);
	for (size_t h = 0; h < net_heads(p->net); h++) {
		size_t first = net_head_first(p->net, h);
		size_t units = net_layer(p->net, net_head_layer(p->net, h))->spec.units;

		for (size_t b = 0; b < ROWS; b++)
			for (size_t u = 0; u < units; u++)
				y[b * outputs + first + u] =
						p->s->objectives[h].category ? b % units == u : (b + u) % 4;
	}
	return y;
}

static double total_loss(struct problem *p)
{
	double sum, penalties = 0;

	net_gradient(p->net, p->work, p->x, p->y, p->weights, ROWS, p->s->objectives, &step, p->gradient,
			&sum);
	for (size_t i = 0; i < net_layers(p->net); i++) {
		const struct layer *layer = net_layer(p->net, i);

		for (size_t j = 0; j < layer->inputs * layer->columns; j++)
			penalties += layer->spec.l1 * fabs(layer->weights[j]) +
				     layer->spec.l2 / 2 * layer->weights[j] * layer->weights[j];
	}
	return sum / ROWS + penalties;
}

/* A normalized layer's z in training is not what prediction sees, so the training work is asked where it kept z. */
static bool near_a_kink(struct problem *p)
{
	total_loss(p);
	for (size_t i = 0; i < net_layers(p->net); i++) {
		const struct layer *layer = net_layer(p->net, i);
		const real *z = net_work_weighted_inputs(p->work, i);
		size_t columns = layer->columns, units = layer->spec.units;

		for (size_t b = 0; z && b < ROWS; b++)
			for (size_t c = 0; c < columns; c++) {
				if (!(fabs(z[b * columns + c]) > KINK)) return true;
				if (c >= units &&
						fabs(z[b * columns + c] - z[b * columns + c % units]) < KINK)
					return true;
			}
	}
	return false;
}

static void draw(struct problem *p, uint64_t seed)
{
	real *block = net_block(p->net), *drawn = random_numbers(net_parameters(p->net), seed);

	for (size_t i = 0; i < net_parameters(p->net); i++)
		block[i] = 0.5 * drawn[i];
	for (size_t i = 0; i < net_layers(p->net); i++) {
		const struct layer *layer = net_layer(p->net, i);

		for (size_t j = 0; layer->mask && j < layer->inputs * layer->columns; j++)
			if (!layer->mask[j]) layer->weights[j] = 0;
	}
	free(drawn);
}

/* Which parameters stand for a connection that a mask has not. */
static bool is_cut(const struct problem *p, size_t i)
{
	for (size_t l = 0; l < net_layers(p->net); l++) {
		const struct layer *layer = net_layer(p->net, l);
		size_t from, to, n = layer->inputs * layer->columns;

		net_layer_range(p->net, l, &from, &to);
		if (layer->mask && i >= from && i < from + n) return !layer->mask[i - from];
	}
	return false;
}

/* Returns how many parameters have a gradient that is not 0. */
static size_t compare(struct problem *p)
{
	static const double steps[4] = { -2, -1, 1, 2 }, shares[4] = { 1, -8, 8, -1 };
	size_t n = net_parameters(p->net), moved = 0;
	real *block = net_block(p->net), *gradient = malloc(n * sizeof *gradient);
	double largest = 0;

	ck_assert_ptr_nonnull(gradient);
	total_loss(p);
	memcpy(gradient, p->gradient, n * sizeof *gradient);
	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(gradient[i]));
	for (size_t i = 0; i < n; i++) {
		real w = block[i];
		double difference = 0, scale;

		if (is_cut(p, i)) {
			ck_assert_msg(gradient[i] == 0 && w == 0, "%s: parameter %zu is cut", p->s->what, i);
			continue;
		}
		for (size_t j = 0; j < 4; j++) {
			block[i] = w + steps[j] * STEP;
			difference += shares[j] * total_loss(p) / (12 * STEP);
		}
		block[i] = w;
		scale = fmax(fmax(fabs(gradient[i]), fabs(difference)), largest * 1e-2);
		ck_assert_msg(fabs(gradient[i] - difference) <= TOLERATE * scale,
				"%s: parameter %zu: gradient %.12g, difference %.12g", p->s->what, i,
				gradient[i], difference);
		moved += fabs(gradient[i]) > 1e-8;
	}
	free(gradient);
	return moved;
}

/* A weight for each cell; every fourth one is 0, as that of a missing target. */
static real *weights_of(const struct problem *p)
{
	size_t n = ROWS * net_cells(p->net, p->s->objectives);
	real *weights = malloc(n * sizeof *weights);

	ck_assert_ptr_nonnull(weights);
	for (size_t i = 0; i < n; i++)
		weights[i] = i % 4 == 1 ? 0 : 0.5 + (double)(i % 3);
	return weights;
}

static void check(struct structure s)
{
	struct problem p = { .s = &s };
	uint64_t seed = 1;
	struct err e;

	for (size_t i = 0; s.dropout && i + 1 < s.count; i++)
		if (!s.layers[i].head) s.layers[i].dropout = 0.3;
	OK(net_new(&p.net, INPUTS, s.layers, s.count, &e), e);
	net_init(p.net, 3);
	OK(net_work_new(&p.work, p.net, ROWS, true, test_engine(), NULL, &e), e);
	p.x = random_numbers(ROWS * INPUTS, 11);
	p.y = targets_of(&p);
	p.weights = s.weights ? weights_of(&p) : NULL;
	p.gradient = malloc(net_parameters(p.net) * sizeof *p.gradient);
	ck_assert_ptr_nonnull(p.gradient);
	do
		draw(&p, seed);
	while (near_a_kink(&p) && ++seed < SEEDS);
	ck_assert_msg(seed < SEEDS, "%s: every seed is near a kink", s.what);
	ck_assert_msg(compare(&p) > net_parameters(p.net) / 4, "%s: hardly anything has a gradient", s.what);
	net_free(p.net);
	net_work_free(p.work);
	free(p.x);
	free(p.y);
	free(p.weights);
	free(p.gradient);
}

/* With and without weighted cells and dropout. */
static void check_all(struct structure s)
{
	for (int i = 0; i < 4; i++) {
		s.weights = i & 1;
		s.dropout = i & 2;
		check(s);
	}
}

START_TEST(layers_of_a_chain)
{
	static const char *const hidden[] = { "tanh", "relu", "prelu", "maxout", "softplus", "selu" };
	char what[80];

	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
		check_all(chain(hidden[i], hidden[i]));
		snprintf(what, sizeof what, "%s, batch normalization", hidden[i]);
		check_all(normalized(what, hidden[i], NORMALIZATION_BATCH));
		snprintf(what, sizeof what, "%s, layer normalization", hidden[i]);
		check_all(normalized(what, hidden[i], NORMALIZATION_LAYER));
	}
}
END_TEST

START_TEST(sparse_layers)
{
	check_all(sparse("a density and a mask"));
}
END_TEST

START_TEST(layers_that_read_several)
{
	struct structure s = shortcut("shortcuts");

	check_all(s);
	s.what = "shortcuts, normalized";
	s.layers[2].normalization = NORMALIZATION_BATCH;
	s.layers[1].normalization = NORMALIZATION_LAYER;
	check_all(s);
	s.what = "shortcuts into maxout";
	s.layers[2].normalization = NORMALIZATION_NONE;
	s.layers[2].activation = activation_find("maxout");
	s.layers[2].activation_params[0] = 2;
	check_all(s);
}
END_TEST

START_TEST(several_heads)
{
	check_all(many_heads("three heads"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { layers_of_a_chain, sparse_layers, layers_that_read_several,
		several_heads, NULL };

	return suite_main("f64_structure", tests, 120);
}
