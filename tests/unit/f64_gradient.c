/* f64_gradient.c - net_gradient against central finite differences, for every hidden activation with every output
 * activation and every loss, with and without biases, penalties and dropout.
 *
 * The numbers are double, so that the differences are good to about 1e-9. A seed is taken whose weighted inputs and
 * weights are not large and stay away from the kinks of the relus (0), of hard_sigmoid (-3 and 3) and of l1. A flat
 * activation (step) has no gradient; its derivative is compared alone.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define ROWS     5
#define INPUTS   3
#define OUTPUTS  3
#define LAYERS   3
#define STEP     1e-5 /* of a difference */
#define KINK     1e-3 /* nothing comes nearer to one */
#define LARGE    4    /* nor gets larger: the differences of an exponential would be coarse */
#define WEIGHT   0.5  /* standard deviation of the weights and biases */
#define TOLERATE 1e-6
#define FLAT     1e-4 /* a gradient below it says little against rounding */
#define FLOOR    1e-6 /* no probability comes below it */
#define SEEDS    1000

struct variant {
	const char *what;
	bool bias, penalties, dropout;
};

static const struct variant variants[] = {
	{ "plain", true, false, false },
	{ "no bias", false, false, false },
	{ "l1 and l2", true, true, false },
	{ "dropout", true, false, true },
	{ "all", false, true, true },
};

struct problem {
	struct net *net;
	struct net_work *work, *look; /* look: keeps every z */
	struct objective objective;
	real *x, *y, *gradient;
};

static const struct net_step step = { .seed = 7, .epoch = 3, .step = 2 };

static bool takes_logs(const struct loss *loss)
{
	return isfinite(loss->target_min) && !strstr(loss->name, "hinge");
}

/* Does the loss take logarithms of an output that need not lie in (0, 1)? */
static bool needs_care(const struct activation *output, const struct loss *loss)
{
	return takes_logs(loss) && strcmp(output->range, "(0, 1)") != 0;
}

static struct net *make_net(const struct activation *hidden, const struct activation *output,
		const struct loss *loss, const struct variant *v)
{
	struct layer_spec layers[LAYERS] = { layer_of(4, hidden->name), layer_of(4, hidden->name),
		layer_of(OUTPUTS, output->name) };
	struct net *net;
	struct err e;

	for (size_t i = 0; i < LAYERS; i++) {
		layers[i].bias = v->bias || (i == LAYERS - 1 && needs_care(output, loss));
		layers[i].l1 = v->penalties ? 0.01 : 0;
		layers[i].l2 = v->penalties ? 0.02 : 0;
		layers[i].dropout = v->dropout && i < LAYERS - 1 ? 0.3 : 0;
	}
	OK(net_new(&net, INPUTS, layers, LAYERS, &e), e);
	return net;
}

/* A weighted input whose activation may be taken for a probability. */
static real probable_input(const struct layer_spec *spec)
{
	real z = 0.5, a;

	spec->activation->forward(&z, &a, 1, 1, spec->activation_params);
	return a < 0.9 ? z : -z;
}

/* Random weights and biases; an output that has to be a probability is kept away from 0 and 1. */
static void draw_weights(struct problem *p, uint64_t seed)
{
	const struct layer *last = net_layer(p->net, LAYERS - 1);
	real *block = net_block(p->net), *drawn = random_numbers(net_parameters(p->net), seed);

	for (size_t i = 0; i < net_parameters(p->net); i++)
		block[i] = WEIGHT * drawn[i];
	free(drawn);
	if (!needs_care(last->spec.activation, p->objective.loss)) return;
	for (size_t i = 0; i < last->inputs * OUTPUTS; i++)
		last->weights[i] *= 0.01;
	for (size_t i = 0; i < OUTPUTS; i++)
		last->biases[i] = probable_input(&last->spec);
}

/* How far an output is from where the loss or its slope has a kink; that of a logarithm is the floor of its argument. */
static double loss_distance(const struct problem *p, double a, double y)
{
	const struct loss *loss = p->objective.loss;
	double error = fabs(a - y);

	if (strstr(loss->name, "hinge")) return fabs(1 - (2 * y - 1) * a);
	if (takes_logs(loss) && (a < FLOOR || (a > 1 - FLOOR && !strcmp(loss->name, "binary_cross_entropy"))))
		return KINK / 2;
	if (!strcmp(loss->name, "huber")) return fabs(error - p->objective.params[0]);
	return !strcmp(loss->name, "mae") || !strcmp(loss->name, "quantile") ? error : INFINITY;
}

/* Exactly on it is an output that has stopped there, as that of a relu at 0: it does not move. */
static bool near_a_loss_kink(const struct problem *p)
{
	const real *a = net_work_activations(p->work, LAYERS - 1);

	for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
		double distance = loss_distance(p, a[i], p->y[i]);

		if (distance > 0 && distance < KINK) return true;
	}
	return false;
}

/* A bend of the activation near z, or where two pieces of a maxout meet. */
static bool bends_nearby(const struct layer *layer, const real *z)
{
	size_t units = layer->spec.units, columns = layer->columns;

	for (size_t j = 0; j < ROWS * columns; j++)
		if (fabs(z[j]) < KINK || fabs(fabs(z[j]) - 3) < KINK || !(fabs(z[j]) < LARGE)) return true;
	for (size_t b = 0; columns > units && b < ROWS; b++)
		for (size_t u = 0; u < units; u++)
			if (fabs(z[b * columns + u] - z[b * columns + units + u]) < KINK) return true;
	return false;
}

static bool near_a_kink(const struct problem *p)
{
	const real *block = net_block_const(p->net), *y;

	for (size_t i = 0; i < net_parameters(p->net); i++)
		if (fabs(block[i]) < 3 * STEP) return true;
	net_forward(p->net, p->look, p->x, ROWS, &y);
	for (size_t i = 0; i < LAYERS; i++)
		if (bends_nearby(net_layer(p->net, i), net_work_weighted_inputs(p->look, i))) return true;
	return near_a_loss_kink(p);
}

/* The mean loss and the penalties; p->gradient receives its gradient. */
static double total_loss(struct problem *p)
{
	double sum, penalties = 0;

	net_gradient(p->net, p->work, p->x, p->y, NULL, ROWS, &p->objective, &step, p->gradient, &sum);
	for (size_t i = 0; i < LAYERS; i++) {
		const struct layer *layer = net_layer(p->net, i);

		for (size_t j = 0; j < layer->inputs * layer->columns; j++) {
			double w = layer->weights[j];

			penalties += layer->spec.l1 * fabs(w) + layer->spec.l2 / 2 * w * w;
		}
	}
	return sum / ROWS + penalties;
}

static double largest_slope(const struct problem *p)
{
	double largest = 0;

	for (size_t i = 0; i < net_parameters(p->net); i++)
		largest = fmax(largest, fabs(p->gradient[i]));
	return largest;
}

/* Differences of fourth order: their error is far below that of rounding. */
static void compare(struct problem *p, const char *what)
{
	static const double steps[4] = { -2, -1, 1, 2 }, weights[4] = { 1, -8, 8, -1 };
	size_t n = net_parameters(p->net);
	real *block = net_block(p->net), *gradient = malloc(n * sizeof *gradient);
	double largest;

	ck_assert_ptr_nonnull(gradient);
	total_loss(p);
	memcpy(gradient, p->gradient, n * sizeof *gradient);
	largest = largest_slope(p);
	for (size_t i = 0; i < n; i++) {
		real w = block[i];
		double difference = 0, scale;

		for (size_t j = 0; j < 4; j++) {
			block[i] = w + steps[j] * STEP;
			difference += weights[j] * total_loss(p) / (12 * STEP);
		}
		block[i] = w;
		scale = fmax(fmax(fabs(gradient[i]), fabs(difference)), largest * 1e-2);
		ck_assert_msg(fabs(gradient[i] - difference) <= TOLERATE * scale,
				"%s: parameter %zu: gradient %.12g, difference %.12g", what, i, gradient[i],
				difference);
	}
	free(gradient);
}

static void check_one(const struct activation *hidden, const struct activation *output,
		const struct loss *loss, const struct variant *v)
{
	struct problem p = { .net = make_net(hidden, output, loss, v),
		.objective = objective_of(loss->name) };
	uint64_t seed = 1;
	char what[200];
	struct err e;

	snprintf(what, sizeof what, "%s, %s, %s, %s", hidden->name, output->name, loss->name, v->what);
	OK(net_work_new(&p.work, p.net, ROWS, true, test_engine(), NULL, &e), e);
	OK(net_work_new(&p.look, p.net, ROWS, false, test_engine(), NULL, &e), e);
	for (size_t i = 0; !v->bias && i < params_count(loss->params); i++) /* not only the defaults */
		p.objective.params[i] = loss->params[i].fallback ? loss->params[i].fallback / 2 : 0.1;
	p.x = random_numbers(ROWS * INPUTS, 11);
	p.y = random_classes(ROWS, OUTPUTS, 12);
	p.gradient = malloc(net_parameters(p.net) * sizeof *p.gradient);
	ck_assert_ptr_nonnull(p.gradient);
	do {
		draw_weights(&p, seed);
		total_loss(&p);
	} while ((near_a_kink(&p) || largest_slope(&p) < FLAT) && ++seed < SEEDS);
	ck_assert_msg(seed < SEEDS, "%s: every seed is near a kink or flat", what);
	compare(&p, what);
	net_free(p.net);
	net_work_free(p.work);
	net_work_free(p.look);
	free(p.x);
	free(p.y);
	free(p.gradient);
}

START_TEST(gradients_match_finite_differences)
{
	const struct activation *hidden, *output;
	const struct loss *loss;
	size_t checked = 0;

	for (size_t h = 0; (hidden = activation_at(h)); h++)
		for (size_t o = 0; (output = activation_at(o)); o++)
			for (size_t l = 0; (loss = loss_at(l)); l++)
				for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
					if (hidden->flat || output->flat || output->pieces) continue;
					check_one(hidden, output, loss, &variants[v]);
					checked++;
				}
	ck_assert_uint_ge(checked, 14 * 14 * 3 * 5);
}
END_TEST

/* Each activation's backward against differences of its forward, for one unit at a time. */
START_TEST(activations_match_their_derivatives)
{
	const struct activation *f;

	for (size_t i = 0; (f = activation_at(i)); i++) {
		const real z[4] = { -3.7, -0.2, 0.4, 2.1 }, weight[4] = { 0.3, -1.1, 0.8, 0.5 };
		double params[PARAMS_MAX];
		real a[4], dz[4];

		if (f->pieces) continue; /* see the networks above */
		params_fallback(f->params, params);
		f->forward(z, a, 2, 2, params);
		f->backward(z, a, weight, dz, 2, 2, params);
		for (size_t j = 0; j < 4; j++) {
			real moved[4], above[4], below[4];
			double difference = 0;

			memcpy(moved, z, sizeof z);
			moved[j] = z[j] + STEP;
			f->forward(moved, above, 2, 2, params);
			moved[j] = z[j] - STEP;
			f->forward(moved, below, 2, 2, params);
			for (size_t k = 0; k < 4; k++)
				difference += weight[k] * (above[k] - below[k]) / (2 * STEP);
			ck_assert_msg(fabs(dz[j] - difference) < 1e-8, "%s: f' is %.12g, difference %.12g",
					f->name, dz[j], difference);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { gradients_match_finite_differences,
		activations_match_their_derivatives, NULL };

	return suite_main("f64_gradient", tests, 120);
}
