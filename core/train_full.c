/* train_full.c - an epoch of a full-batch optimizer: one iteration of it, over all rows at once. See train.h and
 * optim.h.
 *
 * The optimizer asks for the loss and the gradient wherever its search leads. What it found at the point it ends at
 * serves the next epoch, unless something random or a limit of weights makes that another question. A search that
 * was interrupted is begun again at the epoch's first weights.
 */
#include <math.h>
#include <string.h>

#include "core/train_parts.h"

struct search {
	struct optim_problem problem;
	struct train_run *run;
	struct train_batch batch;
	struct net_step step;
};

/* l1 * sum |w| + l2/2 * sum w^2 over all layers. */
static double penalties(const struct net *net)
{
	double sum = 0;

	for (size_t i = 0; i < net_layers(net); i++) {
		const struct layer *layer = net_layer(net, i);
		size_t n = layer->inputs * layer->columns;
		double l1 = layer->spec.l1, l2 = layer->spec.l2;

		if (l1 == 0 && l2 == 0) continue;
		for (size_t w = 0; w < n; w++)
			sum += l1 * fabs((double)layer->weights[w]) +
			       l2 / 2 * (double)layer->weights[w] * (double)layer->weights[w];
	}
	return sum;
}

static void evaluate(struct search *search)
{
	struct trainer *t = search->run->trainer;
	const struct train_batch *batch = &search->batch;
	struct train_sums sums;
	double loss;

	net_gradient(t->net, t->work, batch->x, batch->y, batch->weights, batch->rows, t->config.objectives,
			&search->step, t->gradient, &loss);
	t->passed = (struct train_sums){ 0 };
	train_count(t, batch, loss, &sums, &t->passed);
	t->passed_loss = loss / (double)batch->rows + penalties(t->net);
	search->problem.loss = t->passed_loss;
}

static bool evaluate_problem(struct optim_problem *problem)
{
	struct search *search = (struct search *)problem;

	if (train_interrupted(search->run)) return false;
	evaluate(search);
	return true;
}

/* Is the loss the same when it is looked at again, in the next epoch? */
static bool repeatable(const struct trainer *t)
{
	if (t->config.input_noise > 0 || t->config.input_dropout > 0 || t->sizes.statistics) return false;
	for (size_t i = 0; i < t->sizes.layers; i++) {
		const struct layer_spec *spec = &net_layer(t->net, i)->spec;

		if (spec->dropout > 0 || spec->max_norm > 0) return false;
	}
	return true;
}

/* Loss and gradient at the epoch's first weights. False: not finite. */
static bool begin(struct search *search)
{
	struct trainer *t = search->run->trainer;
	struct train_state *s = &t->state;

	if (t->fresh)
		search->problem.loss = t->passed_loss;
	else
		evaluate(search);
	s->sums = t->passed;
	if (!isfinite(search->problem.loss)) return false;
	if (t->sizes.statistics && !s->absorbed) net_absorb(t->net, t->work, search->batch.rows);
	s->absorbed = 1;
	return true;
}

/* An interrupted search has not happened: the weights are back, and the state says so. */
static bool interrupted(struct train_run *run)
{
	struct train_state *s = &run->trainer->state;

	s->steps--;
	s->point.step--;
	return train_boundary(run);
}

bool train_full(struct train_run *run)
{
	struct trainer *t = run->trainer;
	const struct train_config *config = &t->config;
	struct train_state *s = &t->state;
	struct search search = {
		.problem = { .n = t->sizes.parameters,
				.w = net_block(t->net),
				.g = t->gradient,
				.evaluate = evaluate_problem },
		.run = run,
		.step = { config->seed, (uint32_t)s->point.epoch, 0 },
	};
	enum optim_progress progress;

	if (s->batches) return false; /* done, and its validation was cut short */
	if (train_boundary(run)) return true;
	if (train_unread(run, train_pick(t, 0, &search.batch, &run->e))) return true;
	s->point.step++;
	if (!begin(&search)) return train_diverged(run, search.batch.rows);
	s->steps++;
	s->point.learning_rate = train_rate(t, 0);
	memcpy(t->before, search.problem.w, t->sizes.parameters * sizeof(real));
	progress = config->optimizer->iterate(&search.problem, t->moments, s->scalars, s->steps,
			s->point.learning_rate, config->optimizer_params);
	if (progress == OPTIM_INTERRUPTED) return interrupted(run);
	s->converged = progress == OPTIM_CONVERGED;
	/* A search may end at a point before its last one. */
	t->fresh = repeatable(t) && !search.problem.stale && search.problem.loss == t->passed_loss;
	t->measured = train_measures(run);
	if (t->measured) train_health_change(t);
	train_close_step(t);
	if (t->measured) train_health_close(t, search.batch.rows);
	s->batches = 1;
	train_stepped(run, &s->sums);
	return false;
}
