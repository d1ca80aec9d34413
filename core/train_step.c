/* train_step.c - from the gradient of a mini-batch to a step of the optimizer. See train.h.
 *
 * In this order: the mean over the accumulated mini-batches, the limit of each number, the limit of the whole
 * length, noise, the optimizer, the limits of weights, their average. All are loops over the parameter block that a
 * team divides; the length is summed up in slices, so that it has the same bits however many threads there are.
 */
#include <math.h>

#include "core/block.h"
#include "core/rng.h"
#include "core/train_parts.h"

#define STEP_TEAM_MIN  65536 /* parameters from which a loop over them is worth a team */
#define NOISE_TEAM_MIN 4096  /* as above, of noise */
#define NOISE_DECAY    0.55  /* gamma of Neelakantan et al., 2015 */
#define LANES          16    /* of a sum of squares, so that it becomes vector code */

double train_rate(const struct trainer *t, uint64_t done)
{
	const struct train_config *config = &t->config;
	const struct train_sizes *s = &t->sizes;
	double batches = (double)s->batches;
	uint64_t first = done / s->accumulate * s->accumulate; /* mini-batch of the step */
	uint64_t left = s->batches - first;
	struct schedule_at at = {
		.epoch = (double)(t->state.point.epoch ? t->state.point.epoch - 1 : 0) +
			 (double)first / batches,
		.epochs = (double)config->epochs,
		.share = (double)(left < s->accumulate ? left : s->accumulate) / batches,
	};

	return schedule_rate(config->schedule, config->optimizer_params[0], &at, config->schedule_params,
			t->state.schedule);
}

/* ---- accumulation ---- */

struct gathering {
	const struct trainer *trainer;
	real share; /* of this mini-batch in the mean */
	bool first;
};

static void gather_range(void *arg, size_t from, size_t to)
{
	const struct gathering *g = arg;
	real *gathered = g->trainer->gathered;
	const real *gradient = g->trainer->gradient;

	if (g->first)
		for (size_t i = from; i < to; i++)
			gathered[i] = g->share * gradient[i];
	else
		for (size_t i = from; i < to; i++)
			gathered[i] += g->share * gradient[i];
}

/* Adds mini-batch `number` to the mean that it belongs to; true: that is complete, and the gradient. */
static bool accumulate(struct trainer *t, uint64_t number, size_t rows)
{
	const struct train_sizes *s = &t->sizes;
	size_t place = (size_t)(number % s->accumulate);
	size_t first_row = (size_t)(number - place) * s->batch, left = t->train.rows - first_row;
	size_t together = left / s->batch < s->accumulate ? left : s->accumulate * s->batch;
	struct gathering g = { t, (real)((double)rows / (double)together), place == 0 };
	real *swap = t->gradient;

	train_spread(t, s->parameters, STEP_TEAM_MIN, gather_range, &g);
	if (place + 1 < s->accumulate && number + 1 < s->batches) return false;
	t->gradient = t->gathered;
	t->gathered = swap;
	return true;
}

/* ---- limits ---- */

static void clip_range(void *arg, size_t from, size_t to)
{
	const struct trainer *t = arg;
	real limit = (real)t->config.gradient_clip_value, *g = t->gradient;

	for (size_t i = from; i < to; i++) {
		real x = g[i];

		x = x > limit ? limit : x; /* a NaN stays one, so that it is noticed */
		g[i] = x < -limit ? -limit : x;
	}
}

static double sum_of_squares(const real *x, size_t n)
{
	double lanes[LANES] = { 0 }, sum = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (size_t j = 0; j < LANES; j++)
			lanes[j] += (double)x[i + j] * (double)x[i + j];
	for (; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	for (size_t j = 0; j < LANES; j++)
		sum += lanes[j];
	return sum;
}

size_t train_slice(const struct trainer *t, size_t s)
{
	size_t n = t->sizes.parameters, width = block_pad((n + t->sizes.slices - 1) / t->sizes.slices);

	return s * width < n ? s * width : n;
}

static void square_slices(void *arg, int part, int parts)
{
	const struct trainer *t = arg;

	for (size_t s = (size_t)part; s < t->sizes.slices; s += (size_t)parts) {
		size_t from = train_slice(t, s);

		t->squares[s] = sum_of_squares(t->gradient + from, train_slice(t, s + 1) - from);
	}
}

void train_slices(struct trainer *t, void (*work)(void *arg, int part, int parts), void *arg)
{
	if (team_threads(t->team) > 1 && t->sizes.slices > 1)
		t->team->run(t->team, work, arg);
	else
		work(arg, 0, 1);
}

struct scaling {
	real *g, factor;
};

static void scale_range(void *arg, size_t from, size_t to)
{
	const struct scaling *s = arg;

	for (size_t i = from; i < to; i++)
		s->g[i] *= s->factor;
}

/* False: the length is not finite. */
static bool clip_length(struct trainer *t)
{
	double sum = 0, length, limit = t->config.gradient_clip_norm;

	train_slices(t, square_slices, t);
	for (size_t s = 0; s < t->sizes.slices; s++)
		sum += t->squares[s];
	length = sqrt(sum);
	if (length > limit) {
		struct scaling scaling = { t->gradient, (real)(limit / length) };

		train_spread(t, t->sizes.parameters, STEP_TEAM_MIN, scale_range, &scaling);
	}
	return isfinite(length);
}

/* ---- noise ---- */

struct noise {
	const struct trainer *trainer;
	struct rng_key key;
	double deviation;
};

static void noise_range(void *arg, size_t from, size_t to)
{
	const struct noise *noise = arg;
	real *g = noise->trainer->gradient;

	for (size_t i = from; i < to; i++)
		g[i] += (real)(noise->deviation * rng_normal(&noise->key, i));
}

/* Connections that a mask has not stay out of it. */
static void silence_masked(struct trainer *t)
{
	for (size_t i = 0; i < t->sizes.layers; i++) {
		const struct layer *layer = net_layer(t->net, i);
		real *g = t->gradient + (layer->weights - net_block(t->net));

		if (!layer->mask) continue;
		for (size_t w = 0; w < layer->inputs * layer->columns; w++)
			g[w] = layer->mask[w] ? g[w] : 0;
	}
}

static void add_noise(struct trainer *t)
{
	uint64_t step = t->state.steps; /* from 0 */
	struct noise noise = {
		.trainer = t,
		.key = { t->config.seed, RNG_GRADIENT_NOISE, (uint32_t)(step >> 32), (uint32_t)step },
		.deviation = sqrt(t->config.gradient_noise / pow(1 + (double)step, NOISE_DECAY)),
	};

	train_spread(t, t->sizes.parameters, NOISE_TEAM_MIN, noise_range, &noise);
	silence_masked(t);
}

/* ---- the step ---- */

static void step_range(void *arg, size_t from, size_t to)
{
	const struct trainer *t = arg;

	t->config.optimizer->step(net_block(t->net), t->gradient, t->moments, from, to, t->state.steps,
			t->state.point.learning_rate, t->config.optimizer_params);
}

bool train_step(struct trainer *t, uint64_t number, size_t rows)
{
	const struct train_config *config = &t->config;

	if (t->sizes.gathered && !accumulate(t, number, rows)) return true;
	if (config->gradient_clip_value > 0)
		train_spread(t, t->sizes.parameters, STEP_TEAM_MIN, clip_range, t);
	if (config->gradient_clip_norm > 0 && !clip_length(t)) return false;
	if (config->gradient_noise > 0) add_noise(t);
	t->state.point.learning_rate = train_rate(t, number);
	t->state.steps++;
	if (t->measured)
		train_health_step(t, step_range, t);
	else
		train_spread(t, t->sizes.parameters, STEP_TEAM_MIN, step_range, t);
	train_close_step(t);
	return true;
}

void train_close_step(struct trainer *t)
{
	if (t->sizes.constrained) net_constrain(t->net);
	if (t->averaged) train_average(t);
}
