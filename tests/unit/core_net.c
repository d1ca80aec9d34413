/* core_net.c - a network's limits, layout and passes. The gradients' proof is f64_gradient.c. */
#include <math.h>
#include <string.h>

#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

static struct net *small_net(void)
{
	struct layer_spec layers[2] = { layer_of(3, "tanh"), layer_of(2, "softmax") };
	struct net *net;
	struct err e;

	OK(net_new(&net, 4, layers, 2, &e), e);
	return net;
}

static int refused(size_t inputs, const struct layer_spec *layers, size_t count)
{
	struct net *net = (struct net *)&net;
	size_t parameters;
	struct err e;
	int rc = net_new(&net, inputs, layers, count, &e);

	ck_assert_ptr_null(net);
	ck_assert_int_eq(net_count_parameters(inputs, layers, count, &parameters, &e), rc);
	return rc;
}

/* 10^9 x 10^9 has to be refused by arithmetic, not by malloc. */
START_TEST(sizes_are_checked_before_anything_is_taken)
{
	struct layer_spec one = layer_of(1000000000, "linear"), many[NET_LAYERS_MAX + 1];

	ck_assert_int_eq(refused(1000000000, &one, 1), ERR_RANGE);
	ck_assert_int_eq(refused(3, &one, 1), ERR_RANGE);
	one.units = SIZE_MAX;
	ck_assert_int_eq(refused(3, &one, 1), ERR_RANGE);
	one.units = 0;
	ck_assert_int_eq(refused(3, &one, 1), ERR_RANGE);
	one.units = 1;
	ck_assert_int_eq(refused(0, &one, 1), ERR_RANGE);
	ck_assert_int_eq(refused(NET_UNITS_MAX + 1, &one, 1), ERR_RANGE);
	ck_assert_int_eq(refused(1, &one, 0), ERR_RANGE);
	for (size_t i = 0; i <= NET_LAYERS_MAX; i++)
		many[i] = one;
	ck_assert_int_eq(refused(1, many, NET_LAYERS_MAX + 1), ERR_RANGE);
}
END_TEST

START_TEST(the_largest_shapes_are_counted_exactly)
{
	struct layer_spec layers[NET_LAYERS_MAX];
	size_t parameters;
	struct err e;

	for (size_t i = 0; i < NET_LAYERS_MAX; i++)
		layers[i] = layer_of(NET_UNITS_MAX, "linear");
	OK(net_count_parameters(NET_UNITS_MAX, layers, NET_LAYERS_MAX, &parameters, &e), e);
	ck_assert_uint_eq(parameters, 256 * (1000000000000 + 1000000));
	layers[0] = layer_of(1, "linear");
	OK(net_count_parameters(NET_UNITS_MAX, layers, 1, &parameters, &e), e);
	ck_assert_uint_eq(parameters, NET_UNITS_MAX + 1);
}
END_TEST

START_TEST(layers_that_make_no_sense_are_refused)
{
	struct net *net;
	struct err e;
	struct layer_spec good = layer_of(2, "leaky_relu"), bad[7];

	for (size_t i = 0; i < 7; i++)
		bad[i] = good;
	bad[0].dropout = 1;
	bad[1].dropout = NAN;
	bad[2].dropout = 0.5; /* of the output layer */
	bad[3].l1 = -1;
	bad[4].l2 = INFINITY;
	bad[5].activation_params[0] = 2;
	bad[6].activation = NULL;
	for (size_t i = 0; i < 7; i++) {
		ck_assert_int_eq(net_new(&net, 2, &bad[i], 1, &e), i == 6 ? ERR_INVALID : ERR_RANGE);
		ck_assert_ptr_null(net);
	}
}
END_TEST

START_TEST(plans_that_make_no_sense_are_refused)
{
	struct layer_spec layers[3] = { layer_of(2, "relu"), layer_of(2, "relu"), layer_of(1, "linear") };

	layers[2].from[0] = NET_INPUTS; /* nobody reads layer 1 */
	layers[2].from_count = 1;
	ck_assert_int_eq(refused(2, layers, 3), ERR_INVALID);
	layers[2].from[0] = 2;
	ck_assert_int_eq(refused(2, layers, 3), ERR_INVALID);
	layers[2].from[0] = -2;
	ck_assert_int_eq(refused(2, layers, 3), ERR_INVALID);
	layers[2].from[0] = layers[2].from[1] = 1;
	layers[2].from_count = 2;
	ck_assert_int_eq(refused(2, layers, 3), ERR_INVALID);
	layers[1].head = true; /* which layer 2 reads */
	layers[2].from_count = 1;
	ck_assert_int_eq(refused(2, layers, 3), ERR_INVALID);
	layers[1].head = false;
	layers[2].from_count = NET_SOURCES_MAX + 1;
	ck_assert_int_eq(refused(2, layers, 3), ERR_RANGE);
	layers[2].from_count = 0;
	layers[0].density = 1.5;
	ck_assert_int_eq(refused(2, layers, 3), ERR_RANGE);
	layers[0].density = 0;
	layers[0].max_norm = -1;
	ck_assert_int_eq(refused(2, layers, 3), ERR_RANGE);
	layers[0] = layer_of(2, "maxout");
	layers[0].activation_params[0] = 2.5;
	ck_assert_int_eq(refused(2, layers, 3), ERR_RANGE);
	layers[0] = layer_of(2, "relu");
	layers[2] = layer_of(1, "maxout");
	ck_assert_int_eq(refused(2, layers, 3), ERR_INVALID);
}
END_TEST

/* A density of 0.3 of 10 inputs is 3 connections a unit, the same ones for one seed; what is cut stays 0. */
START_TEST(a_density_is_kept_by_every_unit)
{
	struct layer_spec layers[2] = { layer_of(7, "tanh"), layer_of(1, "linear") };
	real *weights = random_numbers(7 * 10, 3);
	const struct layer *layer;
	struct net *net, *same;
	struct err e;

	layers[0].density = 0.3;
	OK(net_new(&net, 10, layers, 2, &e), e);
	OK(net_new(&same, 10, layers, 2, &e), e);
	net_init(net, 4);
	net_init(same, 4);
	layer = net_layer(net, 0);
	ck_assert_mem_eq(layer->mask, net_layer(same, 0)->mask, 70);
	net_set_layer(net, 0, weights, NULL);
	for (size_t u = 0; u < 7; u++) {
		size_t connections = 0;

		for (size_t i = 0; i < 10; i++) {
			connections += layer->mask[i * 7 + u];
			ck_assert((layer->weights[i * 7 + u] != 0) == layer->mask[i * 7 + u]);
		}
		ck_assert_uint_eq(connections, 3);
	}
	net_init(same, 5);
	ck_assert(memcmp(layer->mask, net_layer(same, 0)->mask, 70));
	free(weights);
	net_free(net);
	net_free(same);
}
END_TEST

START_TEST(max_norm_shortens_what_is_longer)
{
	struct layer_spec layer = layer_of(2, "linear");
	const real weights[4] = { 3, 4, REAL(0.3), REAL(0.4) };
	struct net *net;
	real after[4];
	struct err e;

	layer.max_norm = 1;
	OK(net_new(&net, 2, &layer, 1, &e), e);
	net_set_layer(net, 0, weights, NULL);
	net_constrain(net);
	net_get_layer(net, 0, after, NULL);
	ck_assert_double_eq_tol((double)after[0], 0.6, 1e-6);
	ck_assert_double_eq_tol((double)after[1], 0.8, 1e-6);
	ck_assert(after[2] == weights[2] && after[3] == weights[3]);
	net_free(net);
}
END_TEST

/* Two batches of one input: the running statistics are those of the formula, and prediction uses them. */
START_TEST(batch_normalization_keeps_running_statistics)
{
	struct layer_spec layer = layer_of(1, "linear");
	const struct objective mse = objective_of("mse");
	const real x[4] = { 1, 2, 3, 6 }, y[4] = { 0 }, one = 1;
	const double mean = 3, unbiased = 14.0 / 3;
	double loss, running_mean, running_variance;
	struct net_work *work;
	real gradient[4];
	const real *out;
	struct net *net;
	struct err e;

	layer.normalization = NORMALIZATION_BATCH;
	OK(net_new(&net, 1, &layer, 1, &e), e);
	OK(net_work_new(&work, net, 4, true, test_engine(), NULL, &e), e);
	ck_assert_uint_eq(net_parameters(net), 4); /* weight, bias, scale, shift */
	net_set_layer(net, 0, &one, NULL);
	for (int i = 0; i < 2; i++) {
		net_gradient(net, work, x, y, NULL, 4, &mse, NULL, gradient, &loss);
		net_absorb(net, work, 4);
	}
	running_mean = 0.1 * mean + 0.9 * 0.1 * mean;
	running_variance = 0.1 * unbiased + 0.9 * (0.1 * unbiased + 0.9);
	ck_assert_double_eq_tol((double)net_layer(net, 0)->mean[0], running_mean, 1e-6);
	ck_assert_double_eq_tol((double)net_layer(net, 0)->variance[0], running_variance, 1e-6);
	net_forward(net, work, x, 4, &out);
	ck_assert_double_eq_tol((double)out[3], (6 - running_mean) / sqrt(running_variance + 1e-5), 1e-5);
	net_work_free(work);
	net_free(net);
}
END_TEST

START_TEST(what_is_not_finite_is_found)
{
	struct layer_spec layers[3] = { layer_of(2, "relu"), layer_of(2, "tanh"), layer_of(1, "linear") };
	const real x[2] = { 1, 1 };
	struct net_work *work;
	const real *y;
	struct net *net;
	size_t layer;
	struct err e;

	OK(net_new(&net, 2, layers, 3, &e), e);
	net_init(net, 1);
	OK(net_work_new(&work, net, 1, false, test_engine(), NULL, &e), e);
	net_forward(net, work, x, 1, &y);
	ck_assert(!net_nonfinite(net, work, 1, &layer));
	net_layer(net, 1)->weights[0] = NAN;
	net_forward(net, work, x, 1, &y);
	ck_assert(net_nonfinite(net, work, 1, &layer));
	ck_assert_uint_eq(layer, 1);
	net_work_free(work);
	net_free(net);
}
END_TEST

START_TEST(forward_by_hand)
{
	struct layer_spec layer = layer_of(2, "linear");
	const real weights[6] = { 1, 2, 3, 4, 5, 6 }, biases[2] = { 10, 20 }, x[6] = { 1, 0, -1, 2, 1, 0 };
	struct net_work *work;
	struct net *net;
	const real *y;
	struct err e;

	OK(net_new(&net, 3, &layer, 1, &e), e);
	OK(net_work_new(&work, net, 2, false, test_engine(), NULL, &e), e);
	net_set_layer(net, 0, weights, biases); /* [units][inputs] */
	net_forward(net, work, x, 2, &y);
	ck_assert(y[0] == 8 && y[1] == 18); /* 1 - 3 + 10, 4 - 6 + 20 */
	ck_assert(y[2] == 14 && y[3] == 33);
	net_zero_input(net, 0);
	net_forward(net, work, x, 2, &y);
	ck_assert(y[0] == 7 && y[1] == 14);
	net_work_free(work);
	net_free(net);
}
END_TEST

START_TEST(layers_come_back_as_they_were_set)
{
	struct net *net = small_net(), *copy;
	real *w = random_numbers(12, 1), *b = random_numbers(3, 2), w_back[12], b_back[3];
	struct err e;

	ck_assert_uint_eq(net_parameters(net), 4 * 3 + 3 + 3 * 2 + 2);
	net_set_layer(net, 0, w, b);
	OK(net_copy(&copy, net, &e), e);
	net_get_layer(copy, 0, w_back, b_back);
	ck_assert_mem_eq(w, w_back, sizeof w_back);
	ck_assert_mem_eq(b, b_back, sizeof b_back);
	ck_assert(net_layer(net, 0)->weights[0 * 3 + 1] == w[1 * 4 + 0]);
	ck_assert_uint_eq((uintptr_t)net_block(net) % REAL_ALIGN, 0);
	net_free(net);
	net_free(copy);
	free(w);
	free(b);
}
END_TEST

START_TEST(a_seed_is_a_set_of_weights)
{
	struct net *one = small_net(), *two = small_net();
	size_t bytes = net_parameters(one) * sizeof(real);

	net_init(one, 5);
	memset(net_block(two), 0xFF, bytes);
	net_init(two, 5);
	ck_assert_mem_eq(net_block(one), net_block(two), bytes);
	net_init(two, 6);
	ck_assert_mem_ne(net_block(one), net_block(two), bytes);
	ck_assert(net_layer(one, 0)->biases[0] == 0);
	/* the layers of one net differ too */
	ck_assert(net_layer(one, 0)->weights[0] != net_layer(one, 1)->weights[0]);
	net_free(one);
	net_free(two);
}
END_TEST

START_TEST(a_row_has_the_same_bits_alone_and_in_a_batch)
{
	struct layer_spec layers[3] = { layer_of(33, "tanh"), layer_of(17, "relu"), layer_of(5, "softmax") };
	real *x = random_numbers(50 * 13, 3), together[50 * 5];
	struct net_work *work;
	struct net *net;
	const real *y;
	struct err e;

	OK(net_new(&net, 13, layers, 3, &e), e);
	net_init(net, 1);
	OK(net_work_new(&work, net, 50, false, test_engine(), NULL, &e), e);
	net_forward(net, work, x, 50, &y);
	memcpy(together, y, sizeof together);
	for (size_t b = 0; b < 50; b++) {
		net_forward(net, work, x + b * 13, 1, &y);
		ck_assert_mem_eq(y, together + b * 5, 5 * sizeof *y);
	}
	net_work_free(work);
	net_free(net);
	free(x);
}
END_TEST

/* Dropout: the share that is dropped, the scale of the rest, the same again for the same step, and never in
 * net_forward. The layer is linear with weights of 1, so that the output is the sum of what was kept. */
START_TEST(dropout_drops_its_share)
{
	enum { UNITS = 4000 };
	struct layer_spec layers[2] = { layer_of(UNITS, "linear"), layer_of(1, "linear") };
	struct net_step step = { .seed = 1, .epoch = 1, .step = 1 };
	const struct objective mse = objective_of("mse");
	const real x[1] = { 1 }, y[1] = { 0 };
	double loss, kept, first;
	size_t dropped = 0;
	struct net_work *work;
	real *gradient;
	struct net *net;
	const real *out;
	struct err e;

	layers[0].dropout = 0.25;
	OK(net_new(&net, 1, layers, 2, &e), e);
	OK(net_work_new(&work, net, 1, true, test_engine(), NULL, &e), e);
	gradient = malloc(net_parameters(net) * sizeof *gradient);
	ck_assert_ptr_nonnull(gradient);
	for (size_t i = 0; i < UNITS; i++)
		net_layer(net, 0)->weights[i] = net_layer(net, 1)->weights[i] = 1;
	net_gradient(net, work, x, y, NULL, 1, &mse, &step, gradient, &loss);
	kept = (double)net_work_activations(work, 1)[0] * 0.75;
	ck_assert_double_eq_tol(kept, 0.75 * UNITS, 110); /* 4 deviations */
	for (size_t i = 0; i < UNITS;
			i++) { /* a weight of a dropped unit has no gradient, nor what is under it */
		real above = gradient[2 * UNITS + i], below = gradient[i];

		dropped += above == 0;
		ck_assert_msg((above == 0) == (below == 0), "unit %zu", i);
	}
	ck_assert_double_eq_tol((double)dropped, UNITS - kept, 0.5);
	first = loss;
	net_gradient(net, work, x, y, NULL, 1, &mse, &step, gradient, &loss);
	ck_assert(loss == first);
	step.step = 2;
	net_gradient(net, work, x, y, NULL, 1, &mse, &step, gradient, &loss);
	ck_assert(loss != first);
	net_forward(net, work, x, 1, &out);
	ck_assert(out[0] == UNITS);
	net_gradient(net, work, x, y, NULL, 1, &mse, NULL, gradient, &loss);
	ck_assert(loss == (double)UNITS * UNITS);
	free(gradient);
	net_work_free(work);
	net_free(net);
}
END_TEST

START_TEST(work_memory_is_counted)
{
	struct net *net = small_net();
	struct net_work *work;
	struct err e;

	ck_assert_uint_ge(net_work_bytes(net, 100, false), 100 * 2 * (3 + 2) * sizeof(real));
	ck_assert_uint_gt(net_work_bytes(net, 100, true), net_work_bytes(net, 100, false));
	ck_assert_uint_eq(net_work_bytes(net, SIZE_MAX / 4, true), SIZE_MAX);
	ck_assert_int_eq(net_work_new(&work, net, SIZE_MAX / 4, true, test_engine(), NULL, &e), ERR_RANGE);
	ck_assert_int_eq(net_work_new(&work, net, 0, true, test_engine(), NULL, &e), ERR_RANGE);
	ck_assert_ptr_null(work);
	net_free(net);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { plans_that_make_no_sense_are_refused, a_density_is_kept_by_every_unit,
		max_norm_shortens_what_is_longer, batch_normalization_keeps_running_statistics,
		what_is_not_finite_is_found, sizes_are_checked_before_anything_is_taken,
		the_largest_shapes_are_counted_exactly, layers_that_make_no_sense_are_refused,
		forward_by_hand, layers_come_back_as_they_were_set, a_seed_is_a_set_of_weights,
		a_row_has_the_same_bits_alone_and_in_a_batch, dropout_drops_its_share, work_memory_is_counted,
		NULL };

	return suite_main("core_net", tests, 30);
}
