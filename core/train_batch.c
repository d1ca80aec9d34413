/* train_batch.c - a mini-batch: which rows, what is done to their inputs, what they add to an epoch's sums. See
 * train.h.
 *
 * Rows are copied in runs of a few numbers whose length the compiler knows; a call of memcpy for each row would take
 * longer than what a small network does with it.
 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "core/train_parts.h"

#define RUN             4     /* numbers that are copied at once */
#define LONG_ROW        256   /* numbers from which memcpy is the faster way */
#define GATHER_TEAM_MIN 32768 /* numbers of a mini-batch from which its copy is worth a team */
#define NOISE_TEAM_MIN  4096  /* as above, of noise */

/* Asks for a row that will be read next: rows are taken in random order, which no cache foresees. */
static void fetch(const real *row, size_t width)
{
	for (size_t i = 0; i < width; i += REAL_ALIGN / sizeof *row)
		__builtin_prefetch(row + i, 0, 2);
}

/* to (rows, width) = the rows of from that order names. */
static void gather(real *restrict to, const real *restrict from, const uint32_t *order, size_t rows,
		size_t width)
{
	for (size_t b = 0; b < rows; b++, to += width) {
		const real *row = from + (size_t)order[b] * width;
		size_t i = 0;

		if (width >= LONG_ROW) {
			if (b + 1 < rows) fetch(from + (size_t)order[b + 1] * width, width);
			memcpy(to, row, width * sizeof *to);
			continue;
		}
		for (; i + RUN <= width; i += RUN)
			memcpy(to + i, row + i, RUN * sizeof *to);
		for (; i < width; i++)
			to[i] = row[i];
	}
}

/* One array that a mini-batch takes rows of. */
struct gathering {
	real *to;
	const real *from;
	const uint32_t *order;
	size_t rows, width;
};

/* The rows that begin in [from, to) of the numbers of the copy. */
static void gather_range(void *arg, size_t from, size_t to)
{
	const struct gathering *g = arg;
	size_t first = (from + g->width - 1) / g->width, end = (to + g->width - 1) / g->width;

	gather(g->to + first * g->width, g->from, g->order + first, end - first, g->width);
}

void train_gather(const struct trainer *t, real *to, const real *from, const uint32_t *order, size_t rows,
		size_t width)
{
	struct gathering g = { to, from, order, rows, width };

	if (team_threads(t->team) > 1 && rows * width >= GATHER_TEAM_MIN)
		train_spread(t, rows * width, GATHER_TEAM_MIN, gather_range, &g);
	else
		gather(to, from, order, rows, width);
}

struct disturbing {
	const struct trainer *trainer;
	struct rng_key noise, drop;
	real *x;
};

/* Adds noise to numbers [from, to) of the batch, then drops (inverted: Srivastava et al., JMLR 15, 2014, section 10). */
static void disturb_range(void *arg, size_t from, size_t to)
{
	const struct disturbing *d = arg;
	const struct train_config *config = &d->trainer->config;
	double deviation = config->input_noise;
	uint64_t threshold = (uint64_t)(config->input_dropout * 0x1p32);
	real keep = (real)(1 / (1 - config->input_dropout));

	if (deviation > 0)
		for (size_t i = from; i < to; i++)
			d->x[i] += (real)(deviation * rng_normal(&d->noise, i));
	if (config->input_dropout > 0)
		for (size_t i = from; i < to; i++)
			d->x[i] *= rng_u32(&d->drop, i) < threshold ? 0 : keep;
}

static void disturb(struct trainer *t, uint64_t number, struct train_batch *batch)
{
	const struct rng_key key = { t->config.seed, RNG_INPUT_NOISE, (uint32_t)t->state.point.epoch,
		(uint32_t)number };
	struct disturbing d = { t, key, key, t->batch_x };
	size_t numbers = batch->rows * net_inputs(t->net);

	d.drop.stream = RNG_INPUT_DROPOUT;
	if (batch->x != t->batch_x) memcpy(t->batch_x, batch->x, numbers * sizeof *batch->x);
	train_spread(t, numbers, NOISE_TEAM_MIN, disturb_range, &d);
	batch->x = t->batch_x;
}

static void take_copies(const struct trainer *t, bool weighted, struct train_batch *batch)
{
	batch->x = t->batch_x;
	batch->y = t->batch_y;
	batch->weights = weighted ? t->batch_w : NULL;
}

/* Rows from `from` on, as they lie. */
static void take_in_place(const struct trainer *t, const struct train_data *data, size_t from,
		struct train_batch *batch)
{
	batch->x = data->x + from * net_inputs(t->net);
	batch->y = data->y + from * net_outputs(t->net);
	batch->weights = data->weights ? data->weights + from * t->sizes.cells : NULL;
}

static void take_in_order(const struct trainer *t, const uint32_t *order, struct train_batch *batch)
{
	const struct train_data *data = &t->train;

	train_gather(t, t->batch_x, data->x, order, batch->rows, net_inputs(t->net));
	train_gather(t, t->batch_y, data->y, order, batch->rows, net_outputs(t->net));
	if (data->weights) train_gather(t, t->batch_w, data->weights, order, batch->rows, t->sizes.cells);
	take_copies(t, data->weights, batch);
}

int train_pick(struct trainer *t, uint64_t number, struct train_batch *batch, struct err *e)
{
	size_t from = (size_t)number * t->sizes.batch, left = t->train.rows - from;
	int rc;

	batch->rows = left < t->sizes.batch ? left : t->sizes.batch;
	if (t->train.reader) {
		if ((rc = train_window_pick(t, from, batch->rows, e))) return rc;
		take_copies(t, t->train.reader->weighted, batch);
	} else if (t->order)
		take_in_order(t, t->order + from, batch);
	else
		take_in_place(t, &t->train, from, batch);
	if (t->config.input_noise > 0 || t->config.input_dropout > 0) disturb(t, number, batch);
	return 0;
}

int train_pick_validation(struct trainer *t, size_t from, struct train_batch *batch, struct err *e)
{
	const struct train_reader *reader = t->validation.reader;

	if (!reader) {
		take_in_place(t, &t->validation, from, batch);
		return 0;
	}
	take_copies(t, reader->weighted, batch);
	return reader->read(reader->self, from, batch->rows, t->batch_x, t->batch_y,
			reader->weighted ? t->batch_w : NULL, e);
}

/* ---- sums ---- */

/* One head of a pass: outputs and targets (rows, units) with `stride` numbers from row to row; weights of its cells,
 * cells_stride from row to row, or NULL. */
struct scored {
	const real *a, *y, *weights;
	const double *scale; /* (units) or NULL */
	size_t rows, units, stride, cells_stride;
};

static inline size_t largest(const real *row, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		best = row[i] > row[best] ? i : best;
	return best;
}

/* Rows that have their largest output where the target has its 1 (the first of equals counts). */
static void score_category(const struct scored *s, double *score, double *counted)
{
	size_t hits = 0, rows = 0;

	for (size_t b = 0; b < s->rows; b++) {
		if (s->weights && !(s->weights[b * s->cells_stride] > 0)) continue;
		rows++;
		hits += largest(s->a + b * s->stride, s->units) == largest(s->y + b * s->stride, s->units);
	}
	*score += (double)hits;
	*counted += (double)rows;
}

static void score_numbers(const struct scored *s, double *score, double *counted)
{
	double sum = 0, cells = 0;

	for (size_t b = 0; b < s->rows; b++)
		for (size_t u = 0; u < s->units; u++) {
			size_t i = b * s->stride + u;

			if (s->weights && !(s->weights[b * s->cells_stride + u] > 0)) continue;
			sum += fabs((double)s->a[i] - (double)s->y[i]) * (s->scale ? s->scale[u] : 1);
			cells++;
		}
	*score += sum;
	*counted += cells;
}

/* Of the cells of a row there is one weight each; the row's is their mean. */
static double weight_of(const struct trainer *t, const struct train_batch *batch)
{
	size_t n = batch->rows * t->sizes.cells;
	double sum = 0;

	if (!batch->weights) return (double)batch->rows;
	for (size_t i = 0; i < n; i++)
		sum += (double)batch->weights[i];
	return sum / (double)t->sizes.cells;
}

void train_count(const struct trainer *t, const struct train_batch *batch, double loss, struct train_sums *of,
		struct train_sums *sums)
{
	const struct train_config *config = &t->config;
	const real *a = net_work_outputs(t->work);
	size_t outputs = net_outputs(t->net), cell = 0;

	sums->loss += of->loss = loss;
	sums->weight += of->weight = weight_of(t, batch);
	for (size_t h = 0; h < net_heads(t->net); h++) {
		size_t first = net_head_first(t->net, h);
		bool category = config->objectives[h].category;
		struct scored head = {
			.a = a + first,
			.y = batch->y + first,
			.weights = batch->weights ? batch->weights + cell : NULL,
			.scale = config->target_scale ? config->target_scale + first : NULL,
			.rows = batch->rows,
			.units = net_layer(t->net, net_head_layer(t->net, h))->spec.units,
			.stride = outputs,
			.cells_stride = t->sizes.cells,
		};

		of->score[h] = of->counted[h] = 0;
		(category ? score_category : score_numbers)(&head, &of->score[h], &of->counted[h]);
		sums->score[h] += of->score[h];
		sums->counted[h] += of->counted[h];
		cell += category ? 1 : head.units;
	}
}

double train_loss(const struct train_sums *sums)
{
	return sums->loss / sums->weight;
}

double train_accuracy(const struct trainer *t, const struct train_sums *sums)
{
	double sum = 0, heads = 0;

	for (size_t h = 0; h < net_heads(t->net); h++) {
		if (!t->config.objectives[h].category || !(sums->counted[h] > 0)) continue;
		sum += sums->score[h] / sums->counted[h];
		heads++;
	}
	return heads > 0 ? sum / heads : NAN;
}

double train_mae(const struct trainer *t, const struct train_sums *sums)
{
	double sum = 0, cells = 0;

	for (size_t h = 0; h < net_heads(t->net); h++) {
		if (t->config.objectives[h].category) continue;
		sum += sums->score[h];
		cells += sums->counted[h];
	}
	return cells > 0 ? sum / cells : NAN;
}
