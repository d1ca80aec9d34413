/* held_out.c - what a part of a cross-validation says of the rows of its fold, which it was not trained on: its output, that
 * server/jobs/folds.c puts together with those of the others. */
#include <stdlib.h>

#include "core/block.h"
#include "core/size.h"
#include "server/codec/json.h"
#include "server/jobs/crew.h"
#include "server/jobs/training_parts.h"

#define PIECE_ROWS 256 /* at a time */

struct piece {
	struct net_work *work;
	real *x, *y, *w; /* of the scratch file: (PIECE_ROWS, inputs), (…, outputs), (…, target columns); one block */
};

static int piece_new(struct training *t, struct piece *p, struct err *e)
{
	size_t x = block_pad(PIECE_ROWS * encoder_width(t->model.inputs));
	size_t y = block_pad(PIECE_ROWS * encoder_width(t->model.targets));

	if (t->spill) {
		size_t w = block_pad(PIECE_ROWS * encoder_columns(t->model.targets));

		if (!(p->x = block_new(x + y + w))) return err_nomem(e);
		p->y = p->x + x;
		p->w = p->y + y;
	}
	return net_work_new(
			&p->work, t->model.net, PIECE_ROWS, false, t->needs.engine, crew_team(t->crew), e);
}

/* Numbers in the users' units. */
static void put_scores(const struct training *t, const real *y, size_t rows, float *out)
{
	const struct encoder *targets = t->model.targets;
	size_t width = encoder_width(targets);

	for (size_t i = 0; i < rows * width; i++)
		out[i] = (float)y[i];
	for (size_t c = 0; c < encoder_columns(targets); c++) {
		const struct encoder_column *column = encoder_column(targets, c);

		for (size_t i = 0; column->kind == COLUMN_NUMBER && i < rows; i++) {
			float *score = out + i * width + column->first;

			*score = (float)encoder_number(targets, c, (double)*score);
		}
	}
}

static int predict_rows(struct training *t, struct piece *p, struct err *e)
{
	struct fold_rows *out = &t->output;
	size_t inputs = encoder_width(t->model.inputs);

	for (size_t i = 0, n; i < out->count; i += n) {
		const real *x = t->spill ? p->x : t->x + (t->train_rows + i) * inputs, *y;
		int rc;

		n = out->count - i < PIECE_ROWS ? out->count - i : PIECE_ROWS;
		if (t->spill && (rc = spill_read(t->spill, t->train_rows + i, n, p->x, p->y,
						 t->weighted ? p->w : NULL, e)))
			return rc;
		net_forward(t->model.net, p->work, x, n, &y);
		put_scores(t, y, n, out->scores + i * out->outputs);
	}
	return 0;
}

/* Validation rows lie in the order of their data. */
static void number_rows(struct training *t)
{
	size_t at = 0;

	for (uint64_t i = 0; i < t->data.revision.rows && at < t->output.count; i++) {
		if (t->data.use[i] != USE_VALIDATION) continue;
		t->output.rows[at] = i;
		t->output.folds[at++] = (uint8_t)t->request.validation.fold;
	}
}

int training_predict(struct training *t, struct err *e)
{
	struct piece piece = { 0 };
	char *definition = json_text(t->document, false);
	int rc = definition ? 0 : err_nomem(e);

	fold_rows_clear(&t->output);
	if (!rc)
		rc = fold_rows_new(&t->output, definition, encoder_width(t->model.targets),
				t->validation_rows, e);
	if (!rc && !(rc = piece_new(t, &piece, e))) {
		number_rows(t);
		rc = predict_rows(t, &piece, e);
	}
	net_work_free(piece.work);
	free(piece.x);
	free(definition);
	return rc;
}

int training_output(const struct training *t, unsigned char **bytes, size_t *size, struct err *e)
{
	*bytes = NULL;
	*size = 0;
	if (t->request.sweep) return training_write(t, bytes, size, e);
	return t->output.definition ? fold_rows_write(&t->output, bytes, size, e) : 0;
}
