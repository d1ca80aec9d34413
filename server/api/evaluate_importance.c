/* evaluate_importance.c - how much worse the answers get when one column is another row's. See evaluate_parts.h.
 *
 * Rows are kept in blocks, as many as the memory has room for, and a column is permuted within a block: what is asked of
 * the network is a pass over the block for each column, and memory does not grow with the rows. A small block is
 * permuted several times, as the chance of one permutation weighs more there. A column that the network does not look
 * at has exactly 0: the same numbers are added in the same order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/size.h"
#include "server/api/document.h"
#include "server/api/evaluate_parts.h"
#include "server/codec/json.h"

#define BLOCK_ROWS_MAX 65536
#define FIRST_ROWS     256  /* of the memory at first; it doubles */
#define SMALL_ROWS     2000 /* a block below it is permuted REPEATS times */
#define REPEATS        4    /* a power of 2: the mean of equal numbers is that number */

/* What was found with one column permuted, or with none. */
struct tally {
	double loss, hits, squares; /* sums over the rows */
};

struct importance {
	size_t columns, rows, room, rows_max; /* of a block: there are, memory is for, at most */
	float *x, *y;                         /* (room, inputs), (room, outputs) */
	uint32_t *order;                      /* (room) */
	float *batch;                         /* (work->rows, inputs) */
	uint64_t total;
	uint32_t blocks; /* that are done */
	struct tally plain;
	struct tally permuted[]; /* (columns) */
};

static size_t row_bytes(const struct model *model)
{
	return (encoder_width(model->inputs) + encoder_width(model->targets)) * sizeof(float) +
	       sizeof(uint32_t);
}

int importance_new(struct importance **out, const struct evaluation *v, uint64_t memory_bytes, struct err *e)
{
	size_t columns = encoder_columns(v->model->inputs);
	uint64_t most = memory_bytes / row_bytes(v->model);
	struct importance *im = calloc(1, sizeof *im + columns * sizeof im->permuted[0]);

	*out = NULL;
	if (!im) return err_nomem(e);
	im->columns = columns;
	im->rows_max = most < v->work->rows    ? v->work->rows
		       : most < BLOCK_ROWS_MAX ? (size_t)most
					       : BLOCK_ROWS_MAX;
	im->batch = calloc(v->work->rows, encoder_width(v->model->inputs) * sizeof *im->batch);
	if (!im->batch) {
		importance_free(im);
		return err_nomem(e);
	}
	*out = im;
	return 0;
}

void importance_free(struct importance *im)
{
	if (!im) return;
	free(im->x);
	free(im->y);
	free(im->order);
	free(im->batch);
	free(im);
}

size_t importance_bytes(const struct importance *im, const struct model *model, uint64_t rows)
{
	return size_mul(rows < im->rows_max ? (size_t)rows : im->rows_max, row_bytes(model));
}

/* ---- a block ---- */

/* Room for `rows` more. */
static int make_room(struct evaluation *v, size_t rows, struct err *e)
{
	struct importance *im = v->importance;
	size_t inputs = encoder_width(v->model->inputs), outputs = encoder_width(v->model->targets);
	size_t room = im->room ? im->room : FIRST_ROWS;
	void *grown;

	if (im->rows + rows <= im->room) return 0;
	while (room < im->rows + rows)
		room *= 2;
	if (room > im->rows_max) room = im->rows_max;
	if (!(grown = reallocarray(im->x, room, inputs * sizeof *im->x))) return err_nomem(e);
	im->x = grown;
	if (!(grown = reallocarray(im->y, room, outputs * sizeof *im->y))) return err_nomem(e);
	im->y = grown;
	if (!(grown = reallocarray(im->order, room, sizeof *im->order))) return err_nomem(e);
	im->order = grown;
	im->room = room;
	return 0;
}

/* Rows [from, from + n) of the block into the batch; column NULL: as they are, else that one is other rows'. */
static void gather(const struct evaluation *v, const struct encoder_column *column, size_t from, size_t n)
{
	const struct importance *im = v->importance;
	size_t inputs = encoder_width(v->model->inputs);

	memcpy(im->batch, im->x + from * inputs, n * inputs * sizeof *im->batch);
	for (size_t i = 0; column && i < n; i++)
		memcpy(im->batch + i * inputs + column->first,
				im->x + im->order[from + i] * inputs + column->first,
				column->width * sizeof *im->batch);
}

/* The squares of a row's errors, over the numbers among its targets, in the users' units. */
static double squares(const struct evaluation *v, const float *scores, const float *y)
{
	double sum = 0;

	for (size_t i = 0; i < v->count; i++) {
		const struct encoder_column *column = v->judges[i].column;
		double error = ((double)scores[column->first] - (double)y[column->first]) * column->scale;

		if (!v->judges[i].classes) sum += error * error;
	}
	return sum;
}

static int run(const struct evaluation *v, const struct encoder_column *column, struct tally *found,
		struct err *e)
{
	const struct importance *im = v->importance;
	const struct model *model = v->model;
	size_t outputs = encoder_width(model->targets);
	const float *scores;

	for (size_t from = 0, n; from < im->rows; from += n) {
		const float *y = im->y + from * outputs;
		int rc = request_goes_on(v->rq, e);

		if (rc) return rc;
		n = im->rows - from < v->work->rows ? im->rows - from : v->work->rows;
		gather(v, column, from, n);
		net_forward(model->net, v->work->net, im->batch, n, &scores);
		found->loss += net_loss(model->net, v->work->net, y, NULL, n, model->objectives);
		if (v->count == 1 && v->judges[0].classes)
			found->hits += (double)metrics_hits(scores, y, n, outputs);
		for (size_t i = 0; i < n; i++)
			found->squares += squares(v, scores + i * outputs, y + i * outputs);
	}
	return 0;
}

static void take_in(struct tally *to, const struct tally *from, double runs)
{
	to->loss += from->loss / runs;
	to->hits += from->hits / runs;
	to->squares += from->squares / runs;
}

static int run_permuted(struct evaluation *v, size_t column, struct err *e)
{
	struct importance *im = v->importance;
	struct rng_key key = { v->wanted.seed, RNG_PERMUTE, (uint32_t)column, im->blocks };
	size_t runs = im->rows < SMALL_ROWS ? REPEATS : 1;
	struct tally found = { 0 };
	int rc = 0;

	for (size_t i = 0; i < runs && !rc; i++) {
		struct tally once = { 0 };

		rng_permute(&key, i * im->rows, im->order, im->rows);
		rc = run(v, encoder_column(v->model->inputs, column), &once, e);
		take_in(&found, &once, 1);
	}
	take_in(&im->permuted[column], &found, (double)runs);
	return rc;
}

int importance_end(struct evaluation *v, struct err *e)
{
	struct importance *im = v->importance;
	struct tally found = { 0 };
	int rc;

	if (!im->rows) return 0;
	if ((rc = run(v, NULL, &found, e))) return rc;
	take_in(&im->plain, &found, 1);
	for (size_t i = 0; i < im->columns; i++)
		if ((rc = run_permuted(v, i, e))) return rc;
	im->total += im->rows;
	im->rows = 0;
	im->blocks++;
	return 0;
}

int importance_add(struct evaluation *v, size_t rows, struct err *e)
{
	struct importance *im = v->importance;
	size_t inputs = encoder_width(v->model->inputs), outputs = encoder_width(v->model->targets);
	int rc;

	if (im->rows + rows > im->rows_max && (rc = importance_end(v, e))) return rc;
	if ((rc = make_room(v, rows, e))) return rc;
	memcpy(im->x + im->rows * inputs, v->work->x, rows * inputs * sizeof *im->x);
	memcpy(im->y + im->rows * outputs, v->y, rows * outputs * sizeof *im->y);
	im->rows += rows;
	return 0;
}

/* ---- the answer ---- */

size_t importance_block(const struct importance *im)
{
	return im->blocks > 1 ? im->rows_max : 0;
}

static bool all_numbers(const struct evaluation *v)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->judges[i].classes) return false;
	return true;
}

static json_t *column_document(const struct evaluation *v, size_t column)
{
	const struct importance *im = v->importance;
	const struct tally *found = &im->permuted[column], *plain = &im->plain;
	double rows = (double)im->total, cells = rows * (double)v->count;
	json_t *out = json_object();

	json_put(out, "input", json_string(encoder_column(v->model->inputs, column)->name));
	json_put(out, "loss", json_number(found->loss / rows - plain->loss / rows));
	if (v->count == 1 && v->judges[0].classes)
		json_put(out, "accuracy", json_number((found->hits - plain->hits) / rows));
	else if (all_numbers(v))
		json_put(out, "rmse",
				json_number(sqrt(found->squares / cells) - sqrt(plain->squares / cells)));
	return out;
}

/* The largest loss first; equals in the order of the columns, what is no number last. */
static int by_loss(const void *a, const void *b, void *permuted)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	double x = ((const struct tally *)permuted)[i].loss, y = ((const struct tally *)permuted)[j].loss;

	if (isnan(x) || isnan(y)) return isnan(x) == isnan(y) ? (i > j) - (i < j) : isnan(x) ? 1 : -1;
	return x == y ? (i > j) - (i < j) : x < y ? 1 : -1;
}

json_t *importance_document(const struct evaluation *v)
{
	struct importance *im = v->importance;
	uint32_t *order = malloc(im->columns * sizeof *order);
	json_t *out = order ? json_array() : NULL;

	for (size_t i = 0; order && i < im->columns; i++)
		order[i] = (uint32_t)i;
	if (order) qsort_r(order, im->columns, sizeof *order, by_loss, im->permuted);
	for (size_t i = 0; out && i < im->columns; i++)
		json_append(out, column_document(v, order[i]));
	free(order);
	return out;
}
