/* net_work.c - the working memory of a network's passes, and the loops that a team shares.
 *
 * All working memory is one block, and lay_out is the only place that knows what lies where; it also counts how much
 * that is. In training a layer keeps z only where something backward looks at it; else the activation works in place.
 * A delta is needed from the moment the last reader of a layer gives its share until the layer itself has been worked
 * on. Layers whose times do not meet share the memory: a chain of layers needs two deltas.
 */
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "core/net_parts.h"
#include "core/size.h"

#define RANGE_NUMBERS_MIN 65536 /* below this many numbers a thread costs more than it saves */
#define RANGE_CUT         (REAL_ALIGN / sizeof(real))

/* The next n numbers of the block. base NULL: only counts them. */
static real *take(real *base, size_t *used, size_t n)
{
	real *at = base ? base + *used : NULL;

	*used = size_add(*used, block_pad(n));
	return at;
}

static bool is_head(const struct net *net, size_t i)
{
	for (size_t h = 0; h < net_heads(net); h++)
		if (net_head_layer(net, h) == i) return true;
	return false;
}

/* Does anything but the activation's forward pass look at z? */
static bool keeps_z(const struct net *net, size_t i)
{
	const struct layer *layer = net_layer(net, i);

	return is_head(net, i) || !layer->spec.activation->from_a || layer->columns != layer->spec.units;
}

/* Which delta each layer uses: slot[i], and the numbers of each slot; returns how many slots there are. Layers are
 * gone through as backward does. */
static size_t share_deltas(const struct net *net, size_t max_batch, size_t slot[NET_LAYERS_MAX],
		size_t numbers[NET_LAYERS_MAX])
{
	bool busy[NET_LAYERS_MAX] = { false };
	size_t slots = 0;

	for (size_t i = 0; i < net_layers(net); i++)
		slot[i] = SIZE_MAX;
	for (size_t i = net_layers(net); i-- > 0;) {
		const struct layer *layer = net_layer(net, i);

		for (size_t s = 0; s <= layer->sources_count; s++) {
			int l = s ? layer->sources[s - 1].layer : (int)i;
			size_t n, free_slot = 0;

			if (l < 0) continue;
			n = size_mul(max_batch, net_layer(net, (size_t)l)->spec.units);
			if (slot[l] == SIZE_MAX) {
				while (free_slot < slots && busy[free_slot])
					free_slot++;
				if (free_slot == slots) numbers[slots++] = 0;
				slot[l] = free_slot;
				busy[free_slot] = true;
			}
			if (numbers[slot[l]] < n) numbers[slot[l]] = n;
		}
		busy[slot[i]] = false;
	}
	return slots;
}

static void lay_out_deltas(
		struct net_work *work, const struct net *net, size_t max_batch, real *base, size_t *used)
{
	size_t slot[NET_LAYERS_MAX], numbers[NET_LAYERS_MAX], slots, spread = 0;
	real *delta[NET_LAYERS_MAX], *delta_z;

	slots = share_deltas(net, max_batch, slot, numbers);
	for (size_t s = 0; s < slots; s++)
		delta[s] = take(base, used, numbers[s]);
	for (size_t i = 0; i < net_layers(net); i++) {
		const struct layer *layer = net_layer(net, i);
		size_t n = size_mul(max_batch, layer->columns);

		if (layer->columns != layer->spec.units && n > spread) spread = n;
	}
	delta_z = take(base, used, spread);
	for (size_t i = 0; base && i < net_layers(net); i++) {
		const struct layer *layer = net_layer(net, i);

		/* cppcheck-suppress uninitvar ; every slot[i] is below slots */
		work->layer[i].delta = delta[slot[i]];
		work->layer[i].delta_z = layer->columns != layer->spec.units ? delta_z : delta[slot[i]];
	}
}

static struct work_layer lay_out_layer(
		const struct net *net, size_t i, size_t max_batch, bool training, real *base, size_t *used)
{
	const struct layer *layer = net_layer(net, i);
	size_t units = size_mul(max_batch, layer->spec.units), columns = size_mul(max_batch, layer->columns);
	bool drops = training && layer->spec.dropout > 0;
	bool normalizes = training && layer->spec.normalization != NORMALIZATION_NONE;
	bool by_batch = normalizes && layer->spec.normalization == NORMALIZATION_BATCH;

	return (struct work_layer){
		.z = !training || keeps_z(net, i) ? take(base, used, columns) : NULL,
		.a = take(base, used, units),
		.mask = drops ? take(base, used, units) : NULL,
		.dropped = drops ? take(base, used, units) : NULL,
		.unit = normalizes ? take(base, used, columns) : NULL,
		.inverse = normalizes ? take(base, used, by_batch ? layer->columns : max_batch) : NULL,
		.mean = by_batch ? take(base, used, layer->columns) : NULL,
		.variance = by_batch ? take(base, used, layer->columns) : NULL,
	};
}

/* Places everything in base and returns how many numbers that takes, SIZE_MAX when too many. */
static size_t lay_out(
		struct net_work *work, const struct net *net, size_t max_batch, bool training, real *base)
{
	size_t used = 0, widest = 0;
	real *outputs, *targets;

	for (size_t i = 0; i < net_layers(net); i++) {
		struct work_layer to = lay_out_layer(net, i, max_batch, training, base, &used);

		if (base) work->layer[i] = to;
	}
	if (training) lay_out_deltas(work, net, max_batch, base, &used);
	if (net_heads(net) == 1) return used;
	for (size_t h = 0; h < net_heads(net); h++) {
		size_t units = net_layer(net, net_head_layer(net, h))->spec.units;

		if (units > widest) widest = units;
	}
	outputs = take(base, &used, size_mul(max_batch, net_outputs(net)));
	targets = take(base, &used, size_mul(max_batch, widest));
	if (base) {
		work->outputs = outputs;
		work->targets = targets;
	}
	return used;
}

size_t net_work_bytes(const struct net *net, size_t max_batch, bool training)
{
	size_t head = sizeof(struct net_work) + net_layers(net) * sizeof(struct work_layer);

	return size_add(head, block_bytes(lay_out(NULL, net, max_batch, training, NULL)));
}

int net_work_new(struct net_work **out, const struct net *net, size_t max_batch, bool training,
		const struct gemm_engine *engine, struct team *team, struct err *e)
{
	size_t numbers = lay_out(NULL, net, max_batch, training, NULL);
	struct net_work *work;

	*out = NULL;
	if (!max_batch) return err_set(e, ERR_RANGE, "a batch has at least one row");
	if (block_bytes(numbers) > PTRDIFF_MAX)
		return err_set(e, ERR_RANGE, "batches of %zu rows are too large for this network", max_batch);
	work = calloc(1, sizeof *work + net_layers(net) * sizeof work->layer[0]);
	if (!work) return err_nomem(e);
	work->engine = engine;
	work->team = team;
	work->layers = net_layers(net);
	work->block = block_new(numbers);
	if (!work->block) {
		net_work_free(work);
		return err_nomem(e);
	}
	lay_out(work, net, max_batch, training, work->block);
	*out = work;
	return 0;
}

void net_work_free(struct net_work *work)
{
	if (!work) return;
	free(work->block);
	free(work);
}

const real *net_work_weighted_inputs(const struct net_work *work, size_t i)
{
	return work->layer[i].z;
}

const real *net_work_activations(const struct net_work *work, size_t i)
{
	return work->layer[i].a;
}

const real *net_work_outputs(const struct net_work *work)
{
	return work->outputs ? work->outputs : work->layer[work->layers - 1].a;
}

/* ---- ranges ---- */

struct ranges {
	size_t n;
	void (*run)(void *arg, size_t from, size_t to);
	void *arg;
};

static void run_range(void *arg, int part, int parts)
{
	const struct ranges *ranges = arg;
	size_t range = (ranges->n + (size_t)parts - 1) / (size_t)parts;
	size_t from, to;

	range = (range + RANGE_CUT - 1) / RANGE_CUT * RANGE_CUT;
	from = range * (size_t)part;
	to = from + range < ranges->n ? from + range : ranges->n;
	if (from < to) ranges->run(ranges->arg, from, to);
}

void net_ranges(const struct net_work *work, size_t n, size_t each,
		void (*run)(void *arg, size_t from, size_t to), void *arg)
{
	struct ranges ranges = { n, run, arg };

	if (team_threads(work->team) > 1 && n > RANGE_CUT && n * each >= RANGE_NUMBERS_MIN)
		work->team->run(work->team, run_range, &ranges);
	else
		run(arg, 0, n);
}

struct column_sums {
	const real *m;
	size_t rows, columns;
	real *out;
};

static void add_columns(void *arg, size_t from, size_t to)
{
	const struct column_sums *sums = arg;

	for (size_t b = 0; b < sums->rows; b++) {
		const real *restrict row = sums->m + b * sums->columns;
		real *restrict out = sums->out;

		for (size_t c = from; c < to; c++)
			out[c] += row[c];
	}
}

void net_add_columns(const struct net_work *work, const real *m, size_t rows, size_t columns, real *out)
{
	struct column_sums sums = { m, rows, columns, out };

	net_ranges(work, columns, rows, add_columns, &sums);
}
