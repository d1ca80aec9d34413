/* estimate.c - how long a training would take. See estimate.h.
 *
 * A network of the definition is trained by the trainer itself, with everything the request asks for, on a few batches
 * of random rows: once to warm up, then as many epochs as the time allows. What a row costs there is what it costs in
 * the job, but for caches that large data do not fit into.
 */
#include "server/jobs/estimate.h"

#include <stdlib.h>

#include "core/block.h"
#include "core/rng.h"
#include "core/size.h"
#include "core/train.h"
#include "server/jobs/crew.h"

#define SAMPLE_BATCHES 2
#define SAMPLE_ROWS    256 /* at least so many, where there are as many */
#define EPOCHS_MAX     10000

struct sample {
	struct net *net;
	struct objective *objectives;
	real *x, *y;
	size_t rows;
	struct crew *crew;
};

static void sample_free(struct sample *s)
{
	net_free(s->net);
	free(s->objectives);
	free(s->x);
	free(s->y);
	crew_free(s->crew);
}

/* Inputs as a normalized column has them. Targets are 1 in a head's first output and 0 elsewhere, which every loss
 * takes. */
static int sample_fill(struct sample *s, struct err *e)
{
	struct rng_key key = { .seed = 1, .stream = RNG_TEST };
	size_t inputs = net_inputs(s->net), outputs = net_outputs(s->net);

	s->x = block_new(size_mul(s->rows, inputs));
	s->y = block_new(size_mul(s->rows, outputs));
	if (!s->x || !s->y) return err_nomem(e);
	for (size_t i = 0; i < s->rows * inputs; i++)
		s->x[i] = (real)rng_normal(&key, i);
	for (size_t b = 0; b < s->rows; b++)
		for (size_t h = 0; h < net_heads(s->net); h++)
			s->y[b * outputs + net_head_first(s->net, h)] = 1;
	return 0;
}

static size_t sample_rows(const struct train_request *request, uint64_t train_rows)
{
	size_t rows = request->core.batch_size ? size_mul(request->core.batch_size, SAMPLE_BATCHES)
					       : SAMPLE_ROWS;

	if (rows < SAMPLE_ROWS) rows = SAMPLE_ROWS;
	return rows < train_rows ? rows : (size_t)train_rows;
}

/* Seconds that `epochs` epochs on the sample take. */
static int measure(const struct sample *s, const struct train_request *request,
		const struct gemm_engine *engine, uint64_t epochs, double *seconds, struct err *e)
{
	struct train_config config = request->core;
	struct train_data data = { .x = s->x, .y = s->y, .rows = s->rows };
	struct train_result result;
	struct trainer *trainer;
	int rc;

	config.epochs = epochs;
	config.max_seconds = 0;
	config.target_loss = -1;
	config.patience = 0;
	config.objectives = s->objectives;
	if (config.batch_size > s->rows) config.batch_size = s->rows;
	if ((rc = trainer_new(&trainer, s->net, &config, &data, NULL, engine, crew_team(s->crew), e)))
		return rc;
	rc = trainer_run(trainer, NULL, &result, e);
	trainer_free(trainer);
	*seconds = result.last.epoch ? result.last.seconds / (double)result.last.epoch : 0;
	return rc == ERR_DIVERGED ? 0 : rc;
}

int estimate_epoch(const struct definition *definition, const struct train_request *request,
		uint64_t train_rows, const struct gemm_engine *engine, double *seconds, struct err *e)
{
	struct sample s = { .rows = sample_rows(request, train_rows) };
	uint64_t epochs;
	int rc;

	if ((rc = definition_net(definition, &s.net, e)) ||
			(rc = definition_objectives(definition, &s.objectives, e)) ||
			(rc = sample_fill(&s, e)) || (rc = crew_new(&s.crew, (unsigned)request->threads, e)))
		goto out;
	net_init(s.net, definition->seed);
	if ((rc = measure(&s, request, engine, 1, seconds, e))) goto out;
	epochs = *seconds > 0 ? (uint64_t)(ESTIMATE_SECONDS / *seconds) : EPOCHS_MAX;
	if (epochs > EPOCHS_MAX) epochs = EPOCHS_MAX;
	if (epochs > 1) rc = measure(&s, request, engine, epochs, seconds, e);
	*seconds *= (double)train_rows / (double)s.rows;
out:
	sample_free(&s);
	return rc;
}
