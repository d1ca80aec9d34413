/* load.c - from stored rows to what a network is shown. See training_load in training.h.
 *
 * The row groups are read three times: which rows have a target, for which the targets are enough, and which of these
 * are held out (holdout.c); what the encoders learn, from the training rows alone; and all rows encoded. Training rows come first, then validation rows,
 * in the order of their data; they lie in memory, or in a scratch file when they do not fit (training_size.c). Rows
 * without a target are left out.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/block.h"
#include "core/size.h"
#include "server/jobs/training_parts.h"
#include "server/jobs/weights.h"

#define PIECE_ROWS 256 /* encoded, and put where they belong, at a time */

typedef int each_rows(
		struct training *t, struct part *part, uint64_t first, size_t rows, void *arg, struct err *e);

/* Calls each for every group of a part, in order; nothing for one without a revision. */
static int each_group(struct training *t, struct part *part, each_rows *each, void *arg, struct err *e)
{
	if (!part->source) return 0;
	for (uint64_t group = 0; group < source_groups(part->source); group++) {
		uint64_t first;
		size_t rows;
		int rc;

		if (atomic_load(t->needs.stop)) return err_set(e, ERR_STOPPED, "stopped while loading");
		if ((rc = source_read(part->source, group, &first, &rows, e))) return rc;
		if (first + rows > part->revision.rows)
			return err_set(e, ERR_CORRUPT, "the data have more rows than they say");
		if ((rc = each(t, part, first, rows, arg, e))) return rc;
	}
	return 0;
}

/* ---- which rows ---- */

/* Rows are those of the data that are trained on, unless it is said. */
static int tell(const struct training *t, const struct part *part, int rc, struct err *e)
{
	struct err why = *e;

	return part == &t->data ? rc : err_set(e, rc, "%s, %s", part->revision.dataset, why.text);
}

static int find_usable(
		struct training *t, struct part *part, uint64_t first, size_t rows, void *arg, struct err *e)
{
	struct usable *usable = arg;
	const uint32_t *slots = source_target_slots(part->source, 0);
	bool classifies = definition_classifies(&t->definition);

	source_usable(part->source, part->use + first);
	for (size_t i = 0; i < rows; i++) {
		if (!part->use[first + i]) continue;
		if (classifies && slots[i] >= usable->class_count)
			return tell(t, part,
					err_set(e, ERR_INVALID,
							"row %" PRIu64
							": its target is none of the model's classes",
							first + i + 1),
					e);
		if (usable->classes) usable->classes[usable->count] = slots[i];
		usable->count++;
	}
	return 0;
}

/* All rows of a part that have a target are used as `use`. */
static int use_rows(struct training *t, struct part *part, enum use use, struct usable *usable, struct err *e)
{
	int rc;

	if (!(part->use = calloc(part->revision.rows + 1, 1))) return err_nomem(e);
	usable->class_count = encoder_width(t->model.targets);
	if (part->source) source_targets_only(part->source, true);
	if ((rc = each_group(t, part, find_usable, usable, e))) return rc;
	if (part->source) source_targets_only(part->source, false);
	for (uint64_t i = 0; i < part->revision.rows; i++)
		part->use[i] = part->use[i] ? (uint8_t)use : USE_NOT;
	return 0;
}

static int choose_rows(struct training *t, struct err *e)
{
	struct usable usable = { 0 }, held = { 0 };
	int rc;

	if (t->request.validation.stratify &&
			!(usable.classes = calloc(t->data.revision.rows + 1, sizeof *usable.classes)))
		return err_nomem(e);
	if ((rc = use_rows(t, &t->data, USE_TRAINING, &usable, e)) ||
			(rc = use_rows(t, &t->held, USE_VALIDATION, &held, e)))
		goto out;
	if (!usable.count)
		rc = err_set(e, ERR_INVALID, "no row has a target");
	else if (t->held.source && !held.count)
		rc = err_set(e, ERR_INVALID, "no row of %s has a target", t->held.revision.dataset);
	else
		rc = training_hold_out(t, &usable, e);
	if (rc) goto out;
	for (uint64_t i = 0; i < t->data.revision.rows; i++)
		t->train_rows += t->data.use[i] == USE_TRAINING;
	t->validation_rows = usable.count - t->train_rows + held.count;
	if (t->request.core.batch_size > t->train_rows) t->request.core.batch_size = t->train_rows;
out:
	free(usable.classes);
	return rc;
}

/* ---- what the encoders learn ---- */

/* Marks the training rows of a group. */
static const uint8_t *mark(const struct part *part, uint64_t first, size_t rows, uint8_t *marks)
{
	for (size_t i = 0; i < rows; i++)
		marks[i] = part->use[first + i] == USE_TRAINING;
	return marks;
}

static int fit_group(
		struct training *t, struct part *part, uint64_t first, size_t rows, void *arg, struct err *e)
{
	uint8_t *marks = malloc(rows + 1);

	(void)arg;
	if (!marks) return err_nomem(e);
	source_fit(part->source, t->model.inputs, t->model.targets, mark(part, first, rows, marks));
	free(marks);
	return 0;
}

static int fit(struct training *t, struct err *e)
{
	int rc;

	if (t->goes_on) return 0;
	encoder_fit_begin(t->model.inputs);
	encoder_fit_begin(t->model.targets);
	rc = each_group(t, &t->data, fit_group, NULL, e);
	encoder_fit_end(t->model.inputs);
	encoder_fit_end(t->model.targets);
	return rc;
}

/* ---- encoding ---- */

/* Rows of one use on their way: gathered until there is a piece of them. x, y and w as in struct encoding. */
struct lane {
	real *x, *y, *w;
	size_t next; /* where the piece will lie */
	size_t rows; /* of it */
};

struct encoding {
	struct lane lanes[2]; /* by use: USE_VALIDATION, USE_TRAINING */
	real *x, *y, *w; /* (PIECE_ROWS, inputs), (PIECE_ROWS, outputs), (PIECE_ROWS, target columns), one block */
	struct weights *weights; /* NULL: none are asked for */
	struct spill_shape shape;
};

static int flush(struct training *t, struct encoding *to, struct lane *lane, struct err *e)
{
	const struct spill_shape *shape = &to->shape;
	size_t next = lane->next, rows = lane->rows;

	if (t->weighted && lane == &to->lanes[USE_TRAINING])
		weights_add(t->weight_sums, lane->w, rows, shape->cells);
	lane->next += rows;
	lane->rows = 0;
	if (t->spill) return spill_write(t->spill, next, rows, lane->x, lane->y, lane->w, e);
	memcpy(t->x + next * shape->inputs, lane->x, rows * shape->inputs * sizeof(real));
	memcpy(t->y + next * shape->outputs, lane->y, rows * shape->outputs * sizeof(real));
	if (t->w) memcpy(t->w + next * shape->cells, lane->w, rows * shape->cells * sizeof(real));
	return 0;
}

/* Puts row j of the piece that was encoded into its lane. */
static int sort_row(struct training *t, struct encoding *to, size_t j, enum use use, struct err *e)
{
	const struct spill_shape *shape = &to->shape;
	struct lane *lane = &to->lanes[use];
	size_t at = lane->rows++;

	memcpy(lane->x + at * shape->inputs, to->x + j * shape->inputs, shape->inputs * sizeof(real));
	memcpy(lane->y + at * shape->outputs, to->y + j * shape->outputs, shape->outputs * sizeof(real));
	memcpy(lane->w + at * shape->cells, to->w + j * shape->cells, shape->cells * sizeof(real));
	return lane->rows < PIECE_ROWS ? 0 : flush(t, to, lane, e);
}

static int encode_group(
		struct training *t, struct part *part, uint64_t first, size_t rows, void *arg, struct err *e)
{
	struct encoding *to = arg;
	int rc;

	/* The profile of a version that is gone on from is that of what it was trained on first, as its encoders are. */
	if (!t->goes_on) source_profile(part->source, t->model.inputs, part->use + first);
	for (size_t i = 0, n; i < rows; i += n) {
		const uint8_t *use = part->use + first + i;

		for (n = 0; i + n < rows && n < PIECE_ROWS && use[n] != USE_NOT; n++)
			;
		if (n && (rc = source_encode(part->source, i, n, to->x, to->y, e)))
			return tell(t, part, rc, e);
		if (n && to->weights && (rc = weights_put(to->weights, part->source, i, n, to->w, e)))
			return tell(t, part, rc, e);
		for (size_t j = 0; j < n; j++)
			if ((rc = sort_row(t, to, j, (enum use)use[j], e))) return rc;
		n += !n; /* a row that is left out */
	}
	return 0;
}

/* Three pieces: the one that is encoded, and one in each lane. */
static int encoding_new(struct training *t, struct encoding *to, struct err *e)
{
	const struct spill_shape *shape = &to->shape;
	size_t x = block_pad(PIECE_ROWS * shape->inputs), y = block_pad(PIECE_ROWS * shape->outputs);
	size_t piece = x + y + block_pad(PIECE_ROWS * shape->cells);

	if (!(to->x = block_new(size_mul(3, piece)))) return err_nomem(e);
	to->y = to->x + x;
	to->w = to->y + y;
	for (size_t i = 0; i < 2; i++)
		to->lanes[i] = (struct lane){ to->x + (i + 1) * piece, to->y + (i + 1) * piece,
			to->w + (i + 1) * piece, .next = i == USE_TRAINING ? 0 : t->train_rows };
	return t->weighted ? weights_new(&to->weights, &t->request, t->model.targets, e) : 0;
}

/* Where all rows will lie. */
static int make_room(struct training *t, const struct spill_shape *shape, struct err *e)
{
	size_t rows = t->train_rows + t->validation_rows;

	if (t->weighted && !(t->weight_sums = calloc(shape->cells, sizeof *t->weight_sums)))
		return err_nomem(e);
	if (t->size.scratch_bytes) return spill_new(&t->spill, t->needs.database, shape, rows, e);
	t->x = block_new(size_mul(rows, shape->inputs));
	t->y = block_new(size_mul(rows, shape->outputs));
	if (t->weighted) t->w = block_new(size_mul(rows, shape->cells));
	return t->x && t->y && (t->w || !t->weighted) ? 0 : err_nomem(e);
}

static int encode_parts(struct training *t, struct encoding *to, struct err *e)
{
	int rc;

	if ((rc = each_group(t, &t->data, encode_group, to, e)) ||
			(rc = each_group(t, &t->held, encode_group, to, e)))
		return rc;
	for (size_t i = 0; i < 2; i++)
		if ((rc = flush(t, to, &to->lanes[i], e))) return rc;
	return t->weighted ? weights_check(t->weight_sums, to->shape.cells, e) : 0;
}

static int encode(struct training *t, struct err *e)
{
	struct encoding to = { .shape = { .inputs = encoder_width(t->model.inputs),
					       .outputs = encoder_width(t->model.targets) } };
	int rc;

	t->weighted = weights_wanted(&t->request, t->model.targets);
	if (t->weighted) to.shape.cells = encoder_columns(t->model.targets);
	if (!(rc = make_room(t, &to.shape, e)) && !(rc = encoding_new(t, &to, e)))
		rc = encode_parts(t, &to, e);
	if (!rc && t->w)
		weights_level(t->w, t->train_rows + t->validation_rows, to.shape.cells, t->weight_sums,
				t->train_rows);
	weights_free(to.weights);
	free(to.x);
	return rc;
}

/* ---- what follows from the encoders ---- */

/* What no training row had must not say anything: neither a value never seen nor the slots for such. */
static void silence_unseen(struct training *t)
{
	for (size_t i = 0; i < encoder_columns(t->model.inputs); i++) {
		const struct encoder_column *column = encoder_column(t->model.inputs, i);

		for (size_t j = 0; column->slot_counts && j < column->width; j++)
			if (!column->slot_counts[j]) net_zero_input(t->model.net, column->first + j);
	}
}

static int scale_targets(struct training *t, struct err *e)
{
	size_t outputs = encoder_width(t->model.targets);

	if (definition_classifies(&t->definition)) return 0;
	if (!(t->target_scale = calloc(outputs, sizeof *t->target_scale))) return err_nomem(e);
	for (size_t i = 0; i < outputs; i++)
		t->target_scale[i] = 1;
	for (size_t i = 0; i < encoder_columns(t->model.targets); i++) {
		const struct encoder_column *column = encoder_column(t->model.targets, i);

		if (column->kind == COLUMN_NUMBER) t->target_scale[column->first] = column->scale;
	}
	return 0;
}

static int open_source(struct training *t, struct part *part, struct err *e)
{
	int rc;

	if (!part->revision.id) return 0;
	if ((rc = source_new(&part->source, t->needs.store, &part->revision, t->model.inputs,
			     t->model.targets, e)))
		return rc;
	if (encoder_columns(t->model.targets) > 1) source_allow_gaps(part->source);
	if (!t->request.sample_weight_column) return 0;
	return source_read_weights(part->source, t->request.sample_weight_column, e);
}

static void close_source(struct part *part)
{
	source_free(part->source);
	part->source = NULL;
}

int training_load(struct training *t, struct err *e)
{
	int rc;

	if (!(rc = open_source(t, &t->data, e)) && !(rc = open_source(t, &t->held, e)) &&
			!(rc = choose_rows(t, e)) && !(rc = fit(t, e)) && !(rc = encode(t, e)) &&
			!(rc = scale_targets(t, e)) && !t->goes_on)
		silence_unseen(t);
	close_source(&t->data);
	close_source(&t->held);
	return rc;
}
