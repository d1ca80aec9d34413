/* explain_parts.h - an explanation under way, for explain*.c alone: what was asked (explain.c), and its answer as text
 * (explain_answer.c).
 */
#ifndef SERVER_API_EXPLAIN_PARTS_H
#define SERVER_API_EXPLAIN_PARTS_H

#include "core/explain.h"
#include "server/buffer.h"
#include "server/codec/rows.h"
#include "server/registry/registry.h"

struct explaining {
	const struct model *model;
	const struct version_work *work;
	const struct encoder_column *column; /* the output that is explained; borrowed from the model */
	size_t at;                           /* which column of the targets it is */
	bool category, trace;
	size_t class;    /* of a category; SIZE_MAX: the predicted one of each row */
	bool no_rows;    /* the version knows no training rows, and no baseline was sent */
	float *baseline; /* (inputs) */
	struct explainer *explainer;
	uint64_t rows, incomplete,
			nonfinite; /* explained so far; of which the sum falls short; is no number */
};

/* The class with the highest score of a row of outputs, the first of equals; SIZE_MAX when every score is NaN. */
size_t explain_predicted(const struct encoder_column *column, const float *scores);

/* At most how many bytes the answer about a row takes; SIZE_MAX when it would overflow. */
size_t explain_row_bytes(const struct explaining *ex);
/* One row, behind a comma where it is not the first. found: of it; class: SIZE_MAX when it has none; row: which one of the
 * batch that work->net answered last, for the trace. */
void explain_put(struct explaining *ex, const struct explanation *found, size_t class, size_t row,
		struct buffer *out);
/* Behind the last row. */
void explain_put_end(
		const struct explaining *ex, uint64_t version, const struct rows *said, struct buffer *out);

#endif
