/* train_new.c - what a trainer is made of: the check of its configuration, its sizes, its memory. See train.h.
 *
 * find_sizes is the only place that knows how much of everything there is; trainer_bytes adds it up and take_memory
 * takes it.
 */
#include <math.h>
#include <stdlib.h>

#include "core/block.h"
#include "core/size.h"
#include "core/train_parts.h"

#define VALIDATION_ROWS 256   /* at least so many rows at a time, where there are as many */
#define SLICED_MIN      65536 /* parameters from which slices are worth having */

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool changes_inputs(const struct train_config *config)
{
	return config->input_noise > 0 || config->input_dropout > 0;
}

static bool is_weighted(const struct train_data *data)
{
	return data->reader ? data->reader->weighted : data->weights != NULL;
}

/* Copies of a mini-batch, a window of the rows of a reader, and the order that rows are taken in. */
static void size_copies(const struct net *net, const struct train_config *config,
		const struct train_data *train, const struct train_data *validation, struct train_sizes *s)
{
	size_t inputs = net_inputs(net), outputs = net_outputs(net), window, copied = 0;
	bool weighted = is_weighted(train);

	s->block = train_block_rows(size_add(inputs, outputs));
	s->shuffled = config->shuffle && s->batch < train->rows;
	if (train->reader) {
		s->blocks = train->rows / s->block + (train->rows % s->block > 0);
		window = smaller(train->rows, s->block * SHUFFLE_WINDOW_BLOCKS);
		s->window_x = size_mul(window, inputs);
		s->window_y = size_mul(window, outputs);
		s->window_w = weighted ? size_mul(window, s->cells) : 0;
		s->order = window;
		copied = s->batch;
	} else if (s->shuffled) {
		s->order = train->rows;
		copied = s->batch;
	}
	if (validation && validation->reader) {
		copied = larger(copied, s->chunk);
		weighted |= is_weighted(validation);
	}
	s->batch_x = size_mul(changes_inputs(config) ? larger(copied, s->batch) : copied, inputs);
	s->batch_y = size_mul(copied, outputs);
	s->batch_w = weighted ? size_mul(copied, s->cells) : 0;
}

static struct train_sizes find_sizes(const struct net *net, const struct train_config *config,
		const struct train_data *train, const struct train_data *validation)
{
	const struct optimizer *optimizer = config->optimizer;
	struct train_sizes s = {
		.batch = config->batch_size ? config->batch_size : train->rows,
		.parameters = net_parameters(net),
		.statistics = net_statistics(net),
		.layers = net_layers(net),
		.cells = net_cells(net, config->objectives),
		.moments = optim_moments(optimizer, config->optimizer_params),
		.accumulate = larger(config->accumulate, 1),
		.best = config->patience && config->restore_best,
		.averaged = config->ema_decay > 0,
		.gathered = config->accumulate > 1,
		.before = optimizer->iterate,
	};

	for (size_t i = 0; i < s.layers; i++)
		s.constrained |= net_layer(net, i)->spec.max_norm > 0;
	s.batches = (train->rows + s.batch - 1) / s.batch;
	s.chunk = smaller(validation ? validation->rows : 0, larger(s.batch, VALIDATION_ROWS));
	s.max_batch = larger(s.batch, s.chunk);
	s.kept = size_add(s.parameters, s.statistics);
	s.slices = s.parameters < SLICED_MIN ? 1 : TRAIN_SLICES;
	size_copies(net, config, train, validation, &s);
	return s;
}

/* How many numbers a block of a trainer has, one row a block. */
struct train_block {
	real **at;
	size_t numbers;
};

#define BLOCKS 11

/* Everything that is a block of numbers, but the moments; of 0 numbers where it is not wanted. */
static void list_blocks(struct trainer *t, const struct train_sizes *s, struct train_block blocks[BLOCKS])
{
	const struct train_block list[BLOCKS] = {
		{ &t->gradient, s->parameters },
		{ &t->gathered, s->gathered ? s->parameters : 0 },
		{ &t->before, s->before ? s->parameters : 0 },
		{ &t->best, s->best ? s->kept : 0 },
		{ &t->averaged, s->averaged ? s->kept : 0 },
		{ &t->batch_x, s->batch_x },
		{ &t->batch_y, s->batch_y },
		{ &t->batch_w, s->batch_w },
		{ &t->window.x, s->window_x },
		{ &t->window.y, s->window_y },
		{ &t->window.w, s->window_w },
	};

	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = list[i];
}

size_t trainer_bytes(const struct net *net, const struct train_config *config, const struct train_data *train,
		const struct train_data *validation)
{
	struct train_sizes s = find_sizes(net, config, train, validation);
	struct trainer none;
	struct train_block blocks[BLOCKS];
	size_t bytes = size_add(sizeof(struct trainer), net_work_bytes(net, s.max_batch, true));

	list_blocks(&none, &s, blocks);
	for (size_t i = 0; i < BLOCKS; i++)
		if (blocks[i].numbers) bytes = size_add(bytes, block_bytes(blocks[i].numbers));
	bytes = size_add(bytes, size_mul(s.moments, block_bytes(s.parameters)));
	bytes = size_add(bytes, size_mul(s.layers, sizeof(struct train_health)));
	bytes = size_add(bytes, size_mul(s.layers * s.slices, sizeof(struct train_part)));
	bytes = size_add(bytes, s.slices * sizeof(double));
	return size_add(bytes, size_mul(size_add(s.order, s.blocks), sizeof(uint32_t)));
}

static int check_params(
		const char *name, const struct param params[PARAMS_MAX], const double *values, struct err *e)
{
	double value = 0;
	size_t refused = params_refused(params, values, &value);

	if (refused == params_count(params)) return 0;
	return err_set(e, ERR_RANGE, "%s of %s cannot be %g", params[refused].name, name, value);
}

/* The numbers of a configuration that are 0 or more, each with the first that is too large. */
static int check_numbers(const struct train_config *c, struct err *e)
{
	const struct {
		const char *name;
		double value, below;
	} rows[] = {
		{ "gradient_clip_value", c->gradient_clip_value, INFINITY },
		{ "gradient_clip_norm", c->gradient_clip_norm, INFINITY },
		{ "gradient_noise", c->gradient_noise, INFINITY },
		{ "input_noise", c->input_noise, INFINITY },
		{ "input_dropout", c->input_dropout, 1 },
		{ "ema_decay", c->ema_decay, 1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].value >= 0 && rows[i].value < rows[i].below) continue;
		if (isinf(rows[i].below))
			return err_set(e, ERR_RANGE, "%s is a number of at least 0, not %g", rows[i].name,
					rows[i].value);
		return err_set(e, ERR_RANGE, "%s is in [0, %g), not %g", rows[i].name, rows[i].below,
				rows[i].value);
	}
	return 0;
}

/* A full-batch optimizer looks back at gradients of all rows; what would make them something else is refused. */
static int check_full_batch(const struct train_config *c, size_t rows, struct err *e)
{
	const char *name = c->optimizer->name;

	if (c->batch_size && c->batch_size != rows)
		return err_set(e, ERR_RANGE,
				"%s takes all rows at once: leave batch_size out, or make it \"full\"", name);
	if (c->accumulate > 1)
		return err_set(e, ERR_RANGE, "%s takes all rows at once: there is nothing to accumulate",
				name);
	if (c->gradient_clip_norm > 0 || c->gradient_clip_value > 0)
		return err_set(e, ERR_RANGE, "%s searches along a line: a clipped gradient would mislead it",
				name);
	if (c->gradient_noise > 0)
		return err_set(e, ERR_RANGE, "%s searches along a line: a noisy gradient would mislead it",
				name);
	return 0;
}

static int check_config(const struct net *net, const struct train_config *c, const struct train_data *train,
		const struct train_data *validation, struct err *e)
{
	int rc;

	if (!train->rows) return err_set(e, ERR_RANGE, "there are no rows to train on");
	if (train->rows > UINT32_MAX || (validation && validation->rows > UINT32_MAX))
		return err_set(e, ERR_RANGE, "more than %u rows", UINT32_MAX);
	if (c->batch_size > train->rows)
		return err_set(e, ERR_RANGE, "batch_size is %zu, but there are only %zu rows to train on",
				c->batch_size, train->rows);
	if ((rc = check_params(c->optimizer->name, c->optimizer->params, c->optimizer_params, e))) return rc;
	if (c->schedule && (rc = check_params(c->schedule->name, c->schedule->params, c->schedule_params, e)))
		return rc;
	for (size_t h = 0; h < net_heads(net); h++) {
		const struct objective *objective = &c->objectives[h];

		if ((rc = check_params(objective->loss->name, objective->loss->params, objective->params, e)))
			return rc;
		if (!(objective->weight >= 0 && isfinite(objective->weight)))
			return err_set(e, ERR_RANGE, "the weight of output %zu's loss cannot be %g", h,
					objective->weight);
	}
	if ((rc = check_numbers(c, e))) return rc;
	return c->optimizer->iterate ? check_full_batch(c, train->rows, e) : 0;
}

static int take_memory(struct trainer *t, const struct gemm_engine *engine, struct err *e)
{
	const struct train_sizes *s = &t->sizes;
	struct train_block blocks[BLOCKS];
	bool complete = true;
	int rc;

	if ((rc = net_work_new(&t->work, t->net, s->max_batch, true, engine, t->team, e))) return rc;
	list_blocks(t, s, blocks);
	for (size_t i = 0; i < BLOCKS; i++)
		if (blocks[i].numbers) complete &= !!(*blocks[i].at = block_new(blocks[i].numbers));
	for (size_t i = 0; i < s->moments; i++)
		complete &= !!(t->moments[i] = block_new(s->parameters));
	complete &= !!(t->health = calloc(s->layers, sizeof *t->health));
	complete &= !!(t->parts = calloc(s->layers * s->slices, sizeof *t->parts));
	complete &= !!(t->squares = calloc(s->slices, sizeof *t->squares));
	if (s->order) complete &= !!(t->order = malloc(s->order * sizeof *t->order));
	if (s->blocks) complete &= !!(t->window.blocks = malloc(s->blocks * sizeof *t->window.blocks));
	return complete ? 0 : err_nomem(e);
}

int trainer_new(struct trainer **out, struct net *net, const struct train_config *config,
		const struct train_data *train, const struct train_data *validation,
		const struct gemm_engine *engine, struct team *team, struct err *e)
{
	struct trainer *t;
	int rc;

	*out = NULL;
	if ((rc = check_config(net, config, train, validation, e))) return rc;
	t = calloc(1, sizeof *t);
	if (!t) return err_nomem(e);
	t->net = net;
	t->config = *config;
	t->train = *train;
	if (validation) t->validation = *validation;
	t->team = team;
	train_settle(t);
	t->sizes = find_sizes(net, config, train, &t->validation);
	if ((rc = take_memory(t, engine, e))) {
		trainer_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void trainer_free(struct trainer *t)
{
	struct train_block blocks[BLOCKS];

	if (!t) return;
	net_work_free(t->work);
	list_blocks(t, &t->sizes, blocks);
	for (size_t i = 0; i < BLOCKS; i++)
		free(*blocks[i].at);
	for (size_t i = 0; i < OPTIM_MOMENTS_MAX; i++)
		free(t->moments[i]);
	free(t->health);
	free(t->parts);
	free(t->squares);
	free(t->order);
	free(t->window.blocks);
	free(t);
}

/* ---- the team ---- */

struct spread {
	size_t n;
	void (*work)(void *arg, size_t from, size_t to);
	void *arg;
};

static void spread_part(void *arg, int part, int parts)
{
	const struct spread *spread = arg;
	size_t n = spread->n;
	size_t range = block_pad((n + (size_t)parts - 1) / (size_t)parts); /* no cache line of two threads */
	size_t from = smaller(n, range * (size_t)part), to = smaller(n, from + range);

	if (from < to) spread->work(spread->arg, from, to);
}

void train_spread(const struct trainer *t, size_t n, size_t least,
		void (*work)(void *arg, size_t from, size_t to), void *arg)
{
	struct spread spread = { n, work, arg };

	if (team_threads(t->team) > 1 && n >= least)
		t->team->run(t->team, spread_part, &spread);
	else
		work(arg, 0, n);
}
