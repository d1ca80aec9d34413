/* explain.c - integrated gradients along a line, by intervals that are halved where it is worth it. See explain.h.
 *
 * The gradient in the middle of an interval, times its width, should be what F changes by between its ends, which is
 * known: the forward passes give F for nothing. So every interval knows its own residual. Where the network is smooth
 * that falls with the cube of the width; where it is piecewise linear (relu, maxout) it is 0 but for the intervals with
 * a kink in them. Halving those alone copes with both, where evenly spaced steps would need thousands.
 *
 * An interval is settled when its residual is at most its share of what is still tolerated, which goes down by as
 * much; so the residuals that are settled for never add up to more than the tolerance, signs left out. The middle of
 * an interval becomes an end of its halves, so that every point is worked out once.
 *
 * Intervals wait in a queue, the widest first: when points run out, all are about as narrow.
 */
#include "core/explain.h"

#include <math.h>
#include <stdlib.h>

#include "core/block.h"
#include "core/size.h"

#define TOLERANCE    0.005        /* of the difference, for the sum of the residuals */
#define ROUNDING     REAL_EPSILON /* of F at the ends of an interval: no residual below it means anything */
#define ROUNDINGS    16           /* of the whole line */
#define SHARE        0.5          /* of the tolerance that is left, for the intervals that wait now */
#define FIRST        32           /* intervals, so that nothing wider is trusted */
#define WIDTH_MIN    0x1p-20      /* an interval as narrow holds a jump */
#define BATCH        64           /* points at a time, fewer where that takes more than: */
#define BYTES_WANTED (4u << 20)

struct interval {
	double from, width;    /* of the line, which is [0, 1] */
	double at_from, at_to; /* F at both ends */
};

struct explainer {
	const struct net *net;
	struct net_work *work;
	size_t batch;
	real *points, *gradients; /* (batch, I) */
	double *way, *sums;       /* (I): x - baseline, and the contributions */
	/* one explanation */
	const real *baseline;
	size_t output, head, tail; /* of the queue, which only grows */
	double tolerated;          /* of residuals, still */
	struct interval queue[EXPLAIN_POINTS_MAX];
};

static size_t batch_for(const struct net *net)
{
	size_t batch = BATCH;

	while (batch > 1 && net_work_bytes(net, batch, true) > BYTES_WANTED)
		batch /= 2;
	return batch;
}

size_t explainer_bytes(const struct net *net)
{
	size_t batch = batch_for(net), points = block_bytes(size_mul(batch, net_inputs(net)));
	size_t bytes = size_add(size_mul(points, 2), size_mul(net_inputs(net), 2 * sizeof(double)));

	return size_add(size_add(bytes, net_work_bytes(net, batch, true)), sizeof(struct explainer));
}

int explainer_new(struct explainer **out, const struct net *net, const struct gemm_engine *engine,
		struct err *e)
{
	struct explainer *ex = calloc(1, sizeof *ex);
	size_t inputs = net_inputs(net);
	int rc;

	*out = NULL;
	if (!ex) return err_nomem(e);
	ex->net = net;
	ex->batch = batch_for(net);
	rc = net_work_new(&ex->work, net, ex->batch, true, engine, NULL, e);
	if (rc) goto out;
	ex->points = block_new(size_mul(ex->batch, inputs));
	ex->gradients = block_new(size_mul(ex->batch, inputs));
	ex->way = calloc(inputs, sizeof *ex->way);
	ex->sums = calloc(inputs, sizeof *ex->sums);
	if (!ex->points || !ex->gradients || !ex->way || !ex->sums) {
		rc = err_nomem(e);
		goto out;
	}
	*out = ex;
	ex = NULL;
out:
	explainer_free(ex);
	return rc;
}

void explainer_free(struct explainer *ex)
{
	if (!ex) return;
	net_work_free(ex->work);
	free(ex->points);
	free(ex->gradients);
	free(ex->way);
	free(ex->sums);
	free(ex);
}

/* ---- points ---- */

/* The b-th point of a batch: t of the way. Rounded once, so that both ends are the rows that were given. */
static void place(struct explainer *ex, size_t b, double t)
{
	size_t inputs = net_inputs(ex->net);
	real *point = ex->points + b * inputs;

	for (size_t i = 0; i < inputs; i++)
		point[i] = (real)((double)ex->baseline[i] + t * ex->way[i]);
}

/* F at the b-th point of the last pass. */
static double value_at(const struct explainer *ex, size_t b)
{
	return (double)net_work_outputs(ex->work)[b * net_outputs(ex->net) + ex->output];
}

/* F at FIRST + 1 points with even gaps makes the first intervals. */
static void begin(struct explainer *ex)
{
	double values[FIRST + 1];
	const real *y;

	for (size_t from = 0, n; from <= FIRST; from += n) {
		n = FIRST + 1 - from < ex->batch ? FIRST + 1 - from : ex->batch;
		for (size_t b = 0; b < n; b++)
			place(ex, b, (double)(from + b) / FIRST);
		net_forward(ex->net, ex->work, ex->points, n, &y);
		for (size_t b = 0; b < n; b++)
			values[from + b] = value_at(ex, b);
	}
	for (size_t i = 0; i < FIRST; i++)
		ex->queue[i] = (struct interval){ (double)i / FIRST, 1.0 / FIRST, values[i], values[i + 1] };
	ex->head = 0;
	ex->tail = FIRST;
}

/* ---- intervals ---- */

/* What the gradient in its middle leaves unexplained of an interval. */
static double residual_of(const struct explainer *ex, const struct interval *interval, const real *gradient)
{
	double slope = 0;

	for (size_t i = 0; i < net_inputs(ex->net); i++)
		slope += (double)gradient[i] * ex->way[i];
	return interval->at_to - interval->at_from - slope * interval->width;
}

/* waiting: intervals that are not settled, this one included. What is not a number is settled too. */
static bool is_settled(
		const struct explainer *ex, const struct interval *interval, double residual, size_t waiting)
{
	double rounding = ROUNDING * (fabs(interval->at_from) + fabs(interval->at_to));

	return !(fabs(residual) > fmax(rounding, SHARE * ex->tolerated / (double)waiting)) ||
	       interval->width <= WIDTH_MIN || ex->tail + 2 > EXPLAIN_POINTS_MAX;
}

static void settle(
		struct explainer *ex, const struct interval *interval, const real *gradient, double residual)
{
	for (size_t i = 0; i < net_inputs(ex->net); i++)
		ex->sums[i] += (double)gradient[i] * ex->way[i] * interval->width;
	ex->tolerated = fmax(ex->tolerated - fabs(residual), 0);
}

static void halve(struct explainer *ex, const struct interval *interval, double at_middle)
{
	double width = interval->width / 2, middle = interval->from + width;

	ex->queue[ex->tail++] = (struct interval){ interval->from, width, interval->at_from, at_middle };
	ex->queue[ex->tail++] = (struct interval){ middle, width, at_middle, interval->at_to };
}

/* The next intervals of the queue, a batch of them. */
static void work_off(struct explainer *ex)
{
	size_t inputs = net_inputs(ex->net), left = ex->tail - ex->head;
	size_t n = left < ex->batch ? left : ex->batch;

	for (size_t b = 0; b < n; b++)
		place(ex, b, ex->queue[ex->head + b].from + ex->queue[ex->head + b].width / 2);
	net_input_gradient(ex->net, ex->work, ex->points, n, ex->output, ex->gradients);
	for (size_t b = 0; b < n; b++) {
		const struct interval *interval = &ex->queue[ex->head++];
		const real *gradient = ex->gradients + b * inputs;
		double residual = residual_of(ex, interval, gradient);

		if (is_settled(ex, interval, residual, ex->tail - ex->head + 1))
			settle(ex, interval, gradient, residual);
		else
			halve(ex, interval, value_at(ex, b));
	}
}

void explain(struct explainer *ex, const real *baseline, const real *x, size_t output,
		struct explanation *out)
{
	size_t inputs = net_inputs(ex->net);
	double sum = 0;

	ex->baseline = baseline;
	ex->output = output;
	for (size_t i = 0; i < inputs; i++) {
		ex->way[i] = (double)x[i] - (double)baseline[i];
		ex->sums[i] = 0;
	}
	begin(ex);
	*out = (struct explanation){ .contributions = ex->sums,
		.baseline = ex->queue[0].at_from,
		.output = ex->queue[FIRST - 1].at_to };
	ex->tolerated = TOLERANCE * fabs(out->output - out->baseline);
	while (ex->head < ex->tail)
		work_off(ex);
	for (size_t i = 0; i < inputs; i++)
		sum += ex->sums[i];
	out->residual = out->output - out->baseline - sum;
	out->complete = fabs(out->residual) <=
			fmax(2 * TOLERANCE * fabs(out->output - out->baseline),
					ROUNDINGS * ROUNDING * (fabs(out->output) + fabs(out->baseline)));
	out->points = ex->tail;
}
