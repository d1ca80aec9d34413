/* train_window.c - training rows that a reader has: a window of them is in memory. See train_data and train_shuffle
 * in train.h.
 *
 * A window is a run of blocks in the epoch's order, read one after the other into x, y and w; its rows are then
 * taken in the order that train_shuffle would give them. Without shuffling both orders are those of the data. A
 * mini-batch may take the end of one window and the beginning of the next.
 */
#include "core/train_parts.h"

/* Rows of block i of the epoch's order; the last block of the data is a shorter one. */
static size_t block_rows(const struct trainer *t, size_t i)
{
	size_t first = (size_t)t->window.blocks[i] * t->sizes.block, left = t->train.rows - first;

	return left < t->sizes.block ? left : t->sizes.block;
}

/* Its first block, and that of the next one. */
static void window_range(const struct trainer *t, size_t number, size_t *from, size_t *to)
{
	*from = number * SHUFFLE_WINDOW_BLOCKS;
	*to = *from + SHUFFLE_WINDOW_BLOCKS < t->sizes.blocks ? *from + SHUFFLE_WINDOW_BLOCKS
							      : t->sizes.blocks;
}

static void enter_window(struct trainer *t, size_t number, size_t first)
{
	struct train_window *w = &t->window;
	size_t from, to;

	*w = (struct train_window){ w->x, w->y, w->w, w->blocks, .number = number, .first = first };
	window_range(t, number, &from, &to);
	for (size_t i = from; i < to; i++)
		w->rows += block_rows(t, i);
}

void train_window_start(struct trainer *t)
{
	struct train_window *w = &t->window;

	if (t->sizes.shuffled)
		train_shuffle_blocks(
				w->blocks, t->sizes.blocks, t->config.seed, (uint32_t)t->state.point.epoch);
	else
		for (size_t i = 0; i < t->sizes.blocks; i++)
			w->blocks[i] = (uint32_t)i;
	enter_window(t, 0, 0);
}

static void announce(const struct trainer *t, size_t number)
{
	const struct train_reader *reader = t->train.reader;
	size_t from, to;

	window_range(t, number, &from, &to);
	for (size_t i = from; reader->ahead && i < to; i++)
		reader->ahead(reader->self, (size_t)t->window.blocks[i] * t->sizes.block, block_rows(t, i));
}

static int read_window(struct trainer *t, struct err *e)
{
	struct train_window *w = &t->window;
	const struct train_reader *reader = t->train.reader;
	size_t from, to, at = 0;

	window_range(t, w->number, &from, &to);
	for (size_t i = from; i < to; i++) {
		size_t rows = block_rows(t, i);
		int rc = reader->read(reader->self, (size_t)w->blocks[i] * t->sizes.block, rows,
				w->x + at * net_inputs(t->net), w->y + at * net_outputs(t->net),
				w->w ? w->w + at * t->sizes.cells : NULL, e);

		if (rc) return rc;
		at += rows;
	}
	for (size_t i = 0; i < w->rows; i++)
		t->order[i] = (uint32_t)i;
	if (t->sizes.shuffled)
		train_shuffle_window(
				t->order, w->rows, w->number, t->config.seed, (uint32_t)t->state.point.epoch);
	w->read = true;
	if (to < t->sizes.blocks) announce(t, w->number + 1);
	return 0;
}

int train_window_pick(struct trainer *t, size_t from, size_t rows, struct err *e)
{
	struct train_window *w = &t->window;
	size_t inputs = net_inputs(t->net), outputs = net_outputs(t->net), cells = t->sizes.cells;

	for (size_t done = 0, n; done < rows; done += n) {
		size_t place;
		int rc;

		while (from + done >= w->first + w->rows)
			enter_window(t, w->number + 1, w->first + w->rows);
		if (!w->read && (rc = read_window(t, e))) return rc;
		place = from + done - w->first;
		n = w->rows - place < rows - done ? w->rows - place : rows - done;
		train_gather(t, t->batch_x + done * inputs, w->x, t->order + place, n, inputs);
		train_gather(t, t->batch_y + done * outputs, w->y, t->order + place, n, outputs);
		if (w->w) train_gather(t, t->batch_w + done * cells, w->w, t->order + place, n, cells);
	}
	return 0;
}
