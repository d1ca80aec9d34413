/* train_average.c - averaged and best weights, and which of them the network holds. See train.h.
 *
 * A kept block is the parameters, then the running statistics; those are averaged too, so that they fit the averaged
 * weights. There are three places, the network and a block each for averaged and best weights. What the network is to
 * hold changes places with what it holds, so that nothing is lost and there is no fourth; `holds` says what is where.
 */
#include <string.h>

#include "core/train_parts.h"

#define AVERAGE_TEAM_MIN 65536 /* numbers from which a loop over them is worth a team */
#define WARM_NUMERATOR   1.0   /* of the first decays, as TensorFlow's ExponentialMovingAverage has them */
#define WARM_DENOMINATOR 10.0

static void copy_kept(const struct trainer *t, real *kept)
{
	memcpy(kept, net_block(t->net), t->sizes.parameters * sizeof(real));
	if (t->sizes.statistics)
		memcpy(kept + t->sizes.parameters, net_statistics_block(t->net),
				t->sizes.statistics * sizeof(real));
}

struct averaging {
	real *average;
	const real *now;
	real decay;
};

static void average_range(void *arg, size_t from, size_t to)
{
	const struct averaging *a = arg;
	real keep = a->decay, take = 1 - a->decay;

	for (size_t i = from; i < to; i++)
		a->average[i] = keep * a->average[i] + take * a->now[i];
}

void train_average_start(struct trainer *t)
{
	if (t->averaged) copy_kept(t, t->averaged);
}

void train_average(struct trainer *t)
{
	double step = (double)t->state.steps;
	double warm = (WARM_NUMERATOR + step) / (WARM_DENOMINATOR + step);
	double decay = warm < t->config.ema_decay ? warm : t->config.ema_decay;
	struct averaging weights = { t->averaged, net_block(t->net), (real)decay };
	struct averaging statistics = { t->averaged + t->sizes.parameters, net_statistics_block(t->net),
		(real)decay };

	train_spread(t, t->sizes.parameters, AVERAGE_TEAM_MIN, average_range, &weights);
	if (t->sizes.statistics) average_range(&statistics, 0, t->sizes.statistics);
}

struct exchange {
	real *a, *b;
};

static void exchange_range(void *arg, size_t from, size_t to)
{
	const struct exchange *e = arg;

	for (size_t i = from; i < to; i++) {
		real kept = e->a[i];

		e->a[i] = e->b[i];
		e->b[i] = kept;
	}
}

static void find(const struct trainer *t, size_t place, real **parameters, real **statistics)
{
	real *kept = place == TRAIN_AVERAGED ? t->averaged : t->best;

	*parameters = place == TRAIN_RAW ? net_block(t->net) : kept;
	*statistics = place == TRAIN_RAW ? net_statistics_block(t->net) : kept + t->sizes.parameters;
}

/* What the network holds and what another place holds change places. */
static void exchange(struct trainer *t, enum train_weights place)
{
	struct exchange weights = { .a = net_block(t->net) },
			statistics = { .a = net_statistics_block(t->net) };
	enum train_weights held = t->holds[TRAIN_RAW];

	find(t, place, &weights.b, &statistics.b);
	train_spread(t, t->sizes.parameters, AVERAGE_TEAM_MIN, exchange_range, &weights);
	if (t->sizes.statistics) exchange_range(&statistics, 0, t->sizes.statistics);
	t->holds[TRAIN_RAW] = t->holds[place];
	t->holds[place] = held;
}

void train_average_swap(struct trainer *t)
{
	if (t->averaged) exchange(t, TRAIN_AVERAGED);
}

void train_keep_best(struct trainer *t)
{
	if (!t->best) return;
	if (t->averaged)
		memcpy(t->best, t->averaged, t->sizes.kept * sizeof(real));
	else
		copy_kept(t, t->best);
}

void train_show(struct trainer *t)
{
	train_average_swap(t);
	if (t->best && t->state.point.best_epoch) exchange(t, TRAIN_BEST);
}

void train_settle(struct trainer *t)
{
	for (size_t place = 0; place < TRAIN_PLACES; place++)
		t->holds[place] = (enum train_weights)place;
}

void train_find(const struct trainer *t, enum train_weights which, real **parameters, real **statistics)
{
	size_t place = 0;

	while (t->holds[place] != which)
		place++;
	find(t, place, parameters, statistics);
}
