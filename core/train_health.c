/* train_health.c - how each layer fares: its gradient, its weights, how far a step moved them, its dead and its
 * saturated units. See train_health in train.h.
 *
 * What a step changed is found while it is made: a piece of the weights is copied to the stack, the optimizer does
 * that piece, and the two are compared. A piece is part of one layer and of one slice; the sums of slices are added
 * up in order, so that they have the same bits however many threads there are.
 */
#include <math.h>
#include <string.h>

#include "core/train_parts.h"

#define PIECE     1024 /* numbers on the stack */
#define LANES     16   /* of a sum, so that it becomes vector code */
#define SATURATED 0.01 /* share of an activation's range next to a bound */

/* Adds what became of old, w being what it is now and g its gradient. */
static void add_piece(struct train_part *part, const real *g, const real *old, const real *w, size_t n)
{
	double sums[3][LANES] = { 0 };

	for (size_t i = 0; i < n; i += LANES) {
		size_t lanes = n - i < LANES ? n - i : LANES;

		for (size_t j = 0; j < lanes; j++) {
			double gradient = (double)g[i + j], weight = (double)w[i + j];
			double change = weight - (double)old[i + j];

			sums[0][j] += gradient * gradient;
			sums[1][j] += weight * weight;
			sums[2][j] += change * change;
		}
	}
	for (size_t j = 0; j < LANES; j++) {
		part->gradient += sums[0][j];
		part->weights += sums[1][j];
		part->change += sums[2][j];
	}
}

struct measuring {
	struct trainer *trainer;
	void (*step)(void *arg, size_t from, size_t to); /* NULL: it was made, from trainer->before */
	void *arg;
};

static void measure_range(const struct measuring *m, struct train_part *part, size_t from, size_t to)
{
	const struct trainer *t = m->trainer;
	const real *w = net_block(t->net);
	real old[PIECE];

	if (!m->step) {
		add_piece(part, t->gradient + from, t->before + from, w + from, to - from);
		return;
	}
	for (size_t n; from < to; from += n) {
		n = to - from < PIECE ? to - from : PIECE;
		memcpy(old, w + from, n * sizeof *old);
		m->step(m->arg, from, from + n);
		add_piece(part, t->gradient + from, old, w + from, n);
	}
}

static void measure_slices(void *arg, int part, int parts)
{
	const struct measuring *m = arg;
	const struct trainer *t = m->trainer;

	for (size_t s = (size_t)part; s < t->sizes.slices; s += (size_t)parts) {
		size_t first = train_slice(t, s), end = train_slice(t, s + 1);

		for (size_t i = 0; i < t->sizes.layers; i++) {
			struct train_part *sums = &t->parts[s * t->sizes.layers + i];
			size_t from, to;

			*sums = (struct train_part){ 0 };
			net_layer_range(t->net, i, &from, &to);
			if (from < first) from = first;
			if (to > end) to = end;
			if (from < to) measure_range(m, sums, from, to);
		}
	}
}

void train_health_step(struct trainer *t, void (*step)(void *arg, size_t from, size_t to), void *arg)
{
	struct measuring m = { t, step, arg };

	train_slices(t, measure_slices, &m);
}

void train_health_change(struct trainer *t)
{
	train_health_step(t, NULL, NULL);
}

/* Share of the units that are 0 in every row. */
static float dead_share(const real *a, size_t rows, size_t units)
{
	size_t dead = 0;

	for (size_t u = 0; u < units; u++) {
		size_t b = 0;

		while (b < rows && a[b * units + u] == 0)
			b++;
		dead += b == rows;
	}
	return (float)dead / (float)units;
}

static float saturated_share(const real *a, size_t n, const struct activation *activation)
{
	double near = SATURATED * (activation->high - activation->low);
	real low = (real)(activation->low + near), high = (real)(activation->high - near);
	size_t saturated = 0;

	for (size_t i = 0; i < n; i++)
		saturated += (a[i] < low) | (a[i] > high);
	return (float)saturated / (float)n;
}

void train_health_close(struct trainer *t, size_t rows)
{
	for (size_t i = 0; i < t->sizes.layers; i++) {
		const struct layer_spec *spec = &net_layer(t->net, i)->spec;
		const struct activation *activation = spec->activation;
		const real *a = net_work_activations(t->work, i);
		bool bounded = activation->low < activation->high && !activation->whole_row;
		struct train_part sum = { 0 };

		for (size_t s = 0; s < t->sizes.slices; s++) {
			const struct train_part *part = &t->parts[s * t->sizes.layers + i];

			sum.gradient += part->gradient;
			sum.weights += part->weights;
			sum.change += part->change;
		}
		t->health[i] = (struct train_health){
			.gradient_norm = (float)sqrt(sum.gradient),
			.weight_norm = (float)sqrt(sum.weights),
			.update_ratio = (float)sqrt(sum.change / sum.weights),
			.dead = activation->dies ? dead_share(a, rows, spec->units) : NAN,
			.saturated = bounded ? saturated_share(a, rows * spec->units, activation) : NAN,
		};
	}
}
