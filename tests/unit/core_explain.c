/* core_explain.c - integrated gradients: against closed forms where a hidden layer is one, against a plain sum over many
 * points where it is not, and what they promise of every network.
 *
 * With one hidden layer F(x) = sum over k of v_k f(w_k x + b_k), and on a line from x' to x, with a = w_k x' + b_k and
 * b = w_k x + b_k, the integral is a difference: input i contributes sum over k of v_k w_ki d_i (f(b) - f(a)) / (b - a).
 */
#include <math.h>
#include <string.h>

#include "core/explain.h"
#include "tests/unit/structures.h"
#include "tests/unit/suite.h"

#define INPUTS   8
#define SAYS     0.005 /* share of the difference that explain may leave */
#define ROUNDING 1e-4  /* of float32, in a sum over intervals */
#define MANY     20000 /* points of a plain sum */

struct problem {
	struct net *net;
	struct explainer *explainer;
	real *baseline, *x;
	struct explanation found;
};

static void make(struct problem *p, size_t inputs, const struct layer_spec *layers, size_t count,
		uint64_t seed)
{
	real *drawn;
	struct err e;

	OK(net_new(&p->net, inputs, layers, count, &e), e);
	net_init(p->net, seed);
	drawn = random_numbers(net_parameters(p->net), seed + 1);
	for (size_t i = 0; i < net_layers(p->net); i++) {
		const struct layer *layer = net_layer(p->net, i);

		for (size_t c = 0; layer->biases && c < layer->columns; c++)
			layer->biases[c] = drawn[c];
	}
	free(drawn);
	OK(explainer_new(&p->explainer, p->net, test_engine(), &e), e);
	p->baseline = random_numbers(inputs, seed + 2);
	p->x = random_numbers(inputs, seed + 3);
}

static void end(struct problem *p)
{
	explainer_free(p->explainer);
	net_free(p->net);
	free(p->baseline);
	free(p->x);
}

static void run(struct problem *p, size_t output)
{
	explain(p->explainer, p->baseline, p->x, output, &p->found);
}

/* The output of one row, as net_forward has it. */
static double output_of(const struct problem *p, const real *x, size_t output)
{
	struct net_work *work;
	const real *y;
	double value;
	struct err e;

	OK(net_work_new(&work, p->net, 1, false, test_engine(), NULL, &e), e);
	net_forward(p->net, work, x, 1, &y);
	value = (double)y[output];
	net_work_free(work);
	return value;
}

static void check_sum(const struct problem *p, const char *what, size_t output)
{
	double sum = p->found.residual, difference = p->found.output - p->found.baseline;

	for (size_t i = 0; i < net_inputs(p->net); i++)
		sum += p->found.contributions[i];
	ck_assert_msg(fabs(sum - difference) <= 1e-12 * fmax(1, fabs(difference)), "%s: %g, not %g", what,
			sum, difference);
	ck_assert_double_eq(p->found.output, output_of(p, p->x, output));
	ck_assert_double_eq(p->found.baseline, output_of(p, p->baseline, output));
	ck_assert_msg(fabs(p->found.residual) <= SAYS * fabs(difference) + ROUNDING * fabs(p->found.output),
			"%s: %g of %g is left after %zu points", what, p->found.residual, difference,
			p->found.points);
	ck_assert_msg(p->found.complete, "%s: %g of %g is left", what, p->found.residual, difference);
}

static void check_close(const struct problem *p, const char *what, const double *want)
{
	double most = fabs(p->found.output - p->found.baseline);

	for (size_t i = 0; i < net_inputs(p->net); i++)
		most = fmax(most, fabs(want[i]));
	for (size_t i = 0; i < net_inputs(p->net); i++)
		ck_assert_msg(fabs(p->found.contributions[i] - want[i]) <= 2 * SAYS * most,
				"%s: input %zu contributes %g, not %g", what, i, p->found.contributions[i],
				want[i]);
}

/* f of one number. */
static double bend(const struct activation *activation, double z)
{
	double params[PARAMS_MAX];
	real in = (real)z, out;

	params_fallback(activation->params, params);
	activation->forward(&in, &out, 1, 1, params);
	return (double)out;
}

static void closed_form(const struct problem *p, double want[INPUTS])
{
	const struct layer *hidden = net_layer(p->net, 0), *head = net_layer(p->net, 1);

	for (size_t i = 0; i < INPUTS; i++)
		want[i] = 0;
	for (size_t k = 0; k < hidden->columns; k++) {
		double a = (double)hidden->biases[k], b = a, rise;

		for (size_t i = 0; i < INPUTS; i++) {
			a += (double)hidden->weights[i * hidden->columns + k] * (double)p->baseline[i];
			b += (double)hidden->weights[i * hidden->columns + k] * (double)p->x[i];
		}
		rise = (bend(hidden->spec.activation, b) - bend(hidden->spec.activation, a)) / (b - a);
		for (size_t i = 0; i < INPUTS; i++)
			want[i] += (double)head->weights[k] *
				   (double)hidden->weights[i * hidden->columns + k] *
				   (double)(p->x[i] - p->baseline[i]) * rise;
	}
}

START_TEST(one_hidden_layer_is_its_closed_form)
{
	static const size_t units[] = { 1, 2, 30, 500 };
	const struct activation *activation;

	for (size_t a = 0; (activation = activation_at(a)); a++) {
		if (activation->flat || activation->whole_row || activation->pieces) continue;
		for (size_t u = 0; u < sizeof units / sizeof *units; u++)
			for (uint64_t seed = 1; seed <= 5; seed++) {
				struct layer_spec layers[] = { layer_of(units[u], activation->name),
					layer_of(1, "linear") };
				struct problem p = { 0 };
				double want[INPUTS];

				make(&p, INPUTS, layers, 2, seed);
				run(&p, 0);
				closed_form(&p, want);
				check_sum(&p, activation->name, 0);
				check_close(&p, activation->name, want);
				end(&p);
			}
	}
}
END_TEST

START_TEST(a_line_is_exact)
{
	struct layer_spec layers[] = { layer_of(3, "linear") };
	struct problem p = { 0 };

	make(&p, INPUTS, layers, 1, 4);
	for (size_t output = 0; output < 3; output++) {
		run(&p, output);
		for (size_t i = 0; i < INPUTS; i++)
			ck_assert_double_eq(p.found.contributions[i],
					(double)net_layer(p.net, 0)->weights[i * 3 + output] *
							((double)p.x[i] - (double)p.baseline[i]));
		check_sum(&p, "linear", output);
	}
	end(&p);
}
END_TEST

/* The midpoint rule with many points, all of the same width. */
static void plain_sum(const struct problem *p, size_t output, double *want)
{
	size_t inputs = net_inputs(p->net);
	real *point = malloc(inputs * sizeof *point), *gradient = malloc(inputs * sizeof *gradient);
	struct net_work *work;
	struct err e;

	OK(net_work_new(&work, p->net, 1, true, test_engine(), NULL, &e), e);
	memset(want, 0, inputs * sizeof *want);
	for (size_t n = 0; n < MANY; n++) {
		for (size_t i = 0; i < inputs; i++)
			point[i] = (real)((double)p->baseline[i] +
					  ((double)n + 0.5) / MANY *
							  ((double)p->x[i] - (double)p->baseline[i]));
		net_input_gradient(p->net, work, point, 1, output, gradient);
		for (size_t i = 0; i < inputs; i++)
			want[i] += (double)gradient[i] * ((double)p->x[i] - (double)p->baseline[i]) / MANY;
	}
	net_work_free(work);
	free(point);
	free(gradient);
}

static void check_structure(struct structure s)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct problem p = { 0 };
		double *want;

		make(&p, INPUTS, s.layers, s.count, seed);
		want = malloc(INPUTS * sizeof *want);
		for (size_t output = 0; output < net_outputs(p.net); output++) {
			run(&p, output);
			plain_sum(&p, output, want);
			check_sum(&p, s.what, output);
			check_close(&p, s.what, want);
		}
		free(want);
		end(&p);
	}
}

START_TEST(deep_networks_are_a_sum_over_many_points)
{
	static const char *const hidden[] = { "relu", "tanh", "maxout", "prelu", "hard_sigmoid" };

	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		check_structure(chain(hidden[i], hidden[i]));
		check_structure(normalized(hidden[i], hidden[i], NORMALIZATION_BATCH));
		check_structure(normalized(hidden[i], hidden[i], NORMALIZATION_LAYER));
	}
	check_structure(shortcut("shortcuts"));
	check_structure(sparse("a density and a mask"));
	check_structure(many_heads("three heads"));
}
END_TEST

/* A softmax that goes from one end to the other within a hundredth of the way. */
START_TEST(a_steep_slope_is_found)
{
	struct layer_spec layers[] = { layer_of(40, "relu"), layer_of(40, "relu"), layer_of(3, "softmax") };
	struct problem p = { 0 };

	make(&p, INPUTS, layers, 3, 5);
	for (size_t i = 0; i < 40 * 3; i++)
		net_layer(p.net, 2)->weights[i] *= 300;
	for (size_t output = 0; output < 3; output++) {
		run(&p, output);
		check_sum(&p, "steep", output);
	}
	end(&p);
}
END_TEST

START_TEST(what_has_no_effect_contributes_nothing)
{
	struct layer_spec layers[] = { layer_of(30, "relu"), layer_of(30, "tanh"), layer_of(3, "softmax") };
	struct problem p = { 0 };

	make(&p, INPUTS, layers, 3, 6);
	net_zero_input(p.net, 2);
	p.x[5] = p.baseline[5];
	run(&p, 1);
	ck_assert(p.found.contributions[2] == 0 && p.found.contributions[5] == 0);
	check_sum(&p, "no effect", 1);
	memcpy(p.x, p.baseline, INPUTS * sizeof *p.x);
	run(&p, 1);
	for (size_t i = 0; i < INPUTS; i++)
		ck_assert(p.found.contributions[i] == 0);
	ck_assert(p.found.residual == 0);
	end(&p);
}
END_TEST

/* Nothing can be said of a jump; that is told, and the search for it ends. */
START_TEST(a_jump_is_left_as_residual)
{
	struct layer_spec layers[] = { layer_of(20, "step"), layer_of(1, "linear") };
	struct problem p = { 0 };

	make(&p, INPUTS, layers, 2, 7);
	run(&p, 0);
	ck_assert_double_eq(p.found.residual, p.found.output - p.found.baseline);
	ck_assert(p.found.residual != 0 && !p.found.complete);
	ck_assert_uint_le(p.found.points, EXPLAIN_POINTS_MAX);
	end(&p);
}
END_TEST

START_TEST(what_is_not_finite_ends)
{
	struct layer_spec layers[] = { layer_of(20, "relu"), layer_of(1, "linear") };
	struct problem p = { 0 };

	make(&p, INPUTS, layers, 2, 8);
	for (size_t i = 0; i < INPUTS * 20; i++)
		net_layer(p.net, 0)->weights[i] = i % 2 ? (real)3e38 : (real)-3e38;
	run(&p, 0);
	ck_assert(!isfinite(p.found.output) && !isfinite(p.found.residual) && !p.found.complete);
	end(&p);
}
END_TEST

/* A network so wide that a batch is a point or two. */
START_TEST(a_wide_network)
{
	struct layer_spec layers[] = { layer_of(1, "tanh") };
	struct problem p = { 0 };

	layers[0].units = 1;
	make(&p, 300000, layers, 1, 9);
	run(&p, 0);
	check_sum(&p, "wide", 0);
	ck_assert_uint_gt(explainer_bytes(p.net), 300000 * (2 * sizeof(double) + 2 * sizeof(real)));
	end(&p);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { one_hidden_layer_is_its_closed_form, a_line_is_exact,
		deep_networks_are_a_sum_over_many_points, a_steep_slope_is_found,
		what_has_no_effect_contributes_nothing, a_jump_is_left_as_residual, what_is_not_finite_ends,
		a_wide_network, NULL };

	return suite_main("core_explain", tests, 120);
}
