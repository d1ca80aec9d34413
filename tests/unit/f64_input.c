/* f64_input.c - net_input_gradient against central finite differences: every activation, hidden and at the output, and
 * every kind of layer, in prediction: running statistics of batches, no dropout.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/structures.h"
#include "tests/unit/suite.h"

#define ROWS     5
#define INPUTS   4
#define STEP     1e-4
#define KINK     1e-2
#define TOLERATE 1e-7
#define SEEDS    1000

struct problem {
	const char *what;
	struct net *net;
	struct net_work *work, *look; /* one for training, one for prediction */
	real *x, *gradient;           /* (ROWS, INPUTS) */
};

static void make(struct problem *p, struct structure *s)
{
	struct err e;

	p->what = s->what;
	for (size_t i = 0; i + 1 < s->count; i++)
		if (!s->layers[i].head) s->layers[i].dropout = 0.3; /* which prediction has none of */
	OK(net_new(&p->net, INPUTS, s->layers, s->count, &e), e);
	net_init(p->net, 3);
	OK(net_work_new(&p->work, p->net, ROWS, true, test_engine(), NULL, &e), e);
	OK(net_work_new(&p->look, p->net, ROWS, false, test_engine(), NULL, &e), e);
	p->gradient = malloc(ROWS * INPUTS * sizeof *p->gradient);
	ck_assert_ptr_nonnull(p->gradient);
}

static void end(struct problem *p)
{
	net_free(p->net);
	net_work_free(p->work);
	net_work_free(p->look);
	free(p->x);
	free(p->gradient);
}

/* Draws inputs and everything that is learnt or kept, the cut connections of masks left out. */
static void draw(struct problem *p, uint64_t seed)
{
	real *drawn = random_numbers(net_parameters(p->net), seed), *block = net_block(p->net);
	real *kept = random_numbers(net_statistics(p->net), seed + SEEDS);

	for (size_t i = 0; i < net_parameters(p->net); i++)
		block[i] = 0.5 * drawn[i];
	for (size_t i = 0; i < net_layers(p->net); i++) {
		const struct layer *layer = net_layer(p->net, i);

		for (size_t j = 0; layer->mask && j < layer->inputs * layer->columns; j++)
			if (!layer->mask[j]) layer->weights[j] = 0;
		for (size_t c = 0; layer->mean && c < layer->columns; c++) {
			layer->mean[c] = kept[c];
			layer->variance[c] = 0.2 + fabs(kept[layer->columns + c]);
		}
	}
	free(drawn);
	free(kept);
	free(p->x);
	p->x = random_numbers(ROWS * INPUTS, seed + 2 * SEEDS);
}

/* Near a kink, or with a layer that is dead. Kinks lie at 0, at -3 and 3 (hard_sigmoid), and where two pieces are
 * equal. */
static bool unfit(const struct problem *p)
{
	const real *y;

	net_forward(p->net, p->look, p->x, ROWS, &y);
	for (size_t i = 0; i < net_layers(p->net); i++) {
		const struct layer *layer = net_layer(p->net, i);
		const real *z = net_work_weighted_inputs(p->look, i);
		size_t columns = layer->columns, units = layer->spec.units, above = 0;

		for (size_t b = 0; b < ROWS; b++)
			for (size_t c = 0; c < columns; c++) {
				double v = z[b * columns + c];

				if (fabs(v) < KINK || fabs(fabs(v) - 3) < KINK) return true;
				if (c >= units && fabs(v - z[b * columns + c % units]) < KINK) return true;
				above += v > 0;
			}
		if (!above) return true;
	}
	return false;
}

/* d y[row, output] / d x[row, input], by the five-point rule. */
static double difference(struct problem *p, size_t row, size_t input, size_t output)
{
	static const double steps[4] = { -2, -1, 1, 2 }, shares[4] = { 1, -8, 8, -1 };
	real *x = &p->x[row * INPUTS + input], before = *x;
	double sum = 0;

	for (size_t j = 0; j < 4; j++) {
		const real *y;

		*x = before + steps[j] * STEP;
		net_forward(p->net, p->look, p->x, ROWS, &y);
		sum += shares[j] * y[row * net_outputs(p->net) + output];
	}
	*x = before;
	return sum / (12 * STEP);
}

/* Returns how many derivatives are not 0. */
static size_t compare(struct problem *p)
{
	size_t moved = 0;

	for (size_t o = 0; o < net_outputs(p->net); o++) {
		net_input_gradient(p->net, p->work, p->x, ROWS, o, p->gradient);
		for (size_t i = 0; i < ROWS * INPUTS; i++) {
			double want = difference(p, i / INPUTS, i % INPUTS, o), got = p->gradient[i];

			ck_assert_msg(fabs(got - want) <= TOLERATE * fmax(1, fabs(want)),
					"%s: output %zu, row %zu, input %zu: gradient %.12g, difference %.12g",
					p->what, o, i / INPUTS, i % INPUTS, got, want);
			moved += fabs(got) > 1e-6;
		}
	}
	return moved;
}

/* The outputs that the gradient leaves behind are those of net_forward, bit for bit. */
static void same_outputs(struct problem *p)
{
	const real *y;

	net_forward(p->net, p->look, p->x, ROWS, &y);
	ck_assert_mem_eq(net_work_outputs(p->work), y, ROWS * net_outputs(p->net) * sizeof *y);
}

static void check(struct structure s)
{
	struct problem p = { 0 };
	uint64_t seed = 1;

	make(&p, &s);
	do
		draw(&p, seed);
	while (unfit(&p) && ++seed < SEEDS);
	ck_assert_msg(seed < SEEDS, "%s: every seed is unfit", s.what);
	if (!s.layers[0].activation->flat && !s.layers[s.count - 1].activation->flat)
		ck_assert_msg(compare(&p) > 0, "%s: nothing has a gradient", s.what);
	else
		ck_assert_msg(compare(&p) == 0, "%s: a step has a gradient", s.what);
	same_outputs(&p);
	end(&p);
}

START_TEST(every_activation_hidden)
{
	const struct activation *activation;

	for (size_t i = 0; (activation = activation_at(i)); i++) {
		struct structure s = chain(activation->name, activation->name);
		char what[80];

		check(s);
		snprintf(what, sizeof what, "%s, batch normalization", activation->name);
		check(normalized(what, activation->name, NORMALIZATION_BATCH));
		snprintf(what, sizeof what, "%s, layer normalization", activation->name);
		check(normalized(what, activation->name, NORMALIZATION_LAYER));
	}
}
END_TEST

START_TEST(every_activation_at_the_output)
{
	const struct activation *activation;

	for (size_t i = 0; (activation = activation_at(i)); i++) {
		struct structure s = chain(activation->name, "tanh");

		if (activation->pieces) continue;
		s.layers[2] = layer_of(3, activation->name);
		check(s);
		s.layers[2].normalization = NORMALIZATION_BATCH;
		check(s);
	}
}
END_TEST

START_TEST(kinds_of_layers)
{
	struct structure s = shortcut("shortcuts");

	check(s);
	s.layers[2].normalization = NORMALIZATION_BATCH;
	s.layers[1].normalization = NORMALIZATION_LAYER;
	check(s);
	s.layers[2].normalization = NORMALIZATION_NONE;
	s.layers[2].activation = activation_find("maxout");
	s.layers[2].activation_params[0] = 2;
	check(s);
	check(sparse("a density and a mask"));
	check(many_heads("three heads"));
}
END_TEST

/* The whole Jacobian of a softmax: what one class gains the others lose. */
START_TEST(a_softmax_sums_to_0)
{
	struct structure s = chain("softmax", "tanh");
	struct problem p = { 0 };
	double sums[ROWS * INPUTS] = { 0 };

	make(&p, &s);
	draw(&p, 1);
	for (size_t o = 0; o < 3; o++) {
		net_input_gradient(p.net, p.work, p.x, ROWS, o, p.gradient);
		for (size_t i = 0; i < ROWS * INPUTS; i++)
			sums[i] += p.gradient[i];
	}
	for (size_t i = 0; i < ROWS * INPUTS; i++)
		ck_assert_double_lt(fabs(sums[i]), 1e-14);
	end(&p);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_activation_hidden, every_activation_at_the_output,
		kinds_of_layers, a_softmax_sums_to_0, NULL };

	return suite_main("f64_input", tests, 60);
}
