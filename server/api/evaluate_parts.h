/* evaluate_parts.h - an evaluation under way, for evaluate*.c alone: rows go in (evaluate.c), every target column is
 * judged by itself (evaluate_judge.c), and what was found becomes an answer (evaluate_answer.c).
 */
#ifndef SERVER_API_EVALUATE_PARTS_H
#define SERVER_API_EVALUATE_PARTS_H

#include "core/metrics.h"
#include "server/api/api.h"
#include "server/codec/rows.h"

/* One target column: a category has classes, a number has its place in evaluation.numbers. */
struct judge {
	const struct encoder_column *column; /* borrowed from the model */
	size_t at;                           /* which column of the targets */
	size_t head;                         /* of the network */
	struct classification *classes;      /* NULL: a number */
};

struct evaluation {
	const struct model *model;
	const struct version_work *work;
	float *y;                   /* (work->rows, outputs): the targets of a batch */
	float *own_scores, *own_y;  /* (work->rows, outputs): of one among several columns or heads */
	struct judge *judges;       /* (count), a target column each */
	struct regression *numbers; /* (count); those of categories stay empty */
	size_t count;
	size_t scores_max; /* kept of a category (core/metrics_rank.h) */
	uint64_t rows;
	uint64_t nonfinite_rows; /* that were answered with a number that is not finite */
	double loss_sum;
	double *head_losses; /* (heads) sums, where there are several */
};

/* top_k: 0: a sound one is chosen; more than a category has classes: all of them. memory_bytes: there is for keeping
 * scores; little makes areas under curves less exact. ERR_RANGE: more classes than an answer holds; ERR_NOMEM.
 * evaluation_end after an error too. */
int evaluation_begin(struct evaluation *v, struct version *version, size_t top_k, uint64_t memory_bytes,
		struct err *e);
void evaluation_end(struct evaluation *v);
/* What evaluating `rows` rows may take, in bytes. */
size_t evaluation_bytes(const struct evaluation *v, uint64_t rows);
/* Answers and judges the batch that lies in work->x and y. ERR_NOMEM. */
int evaluation_add(struct evaluation *v, size_t rows, struct err *e);

/* said: NULL, or the reader of the inputs, whose warnings are passed on. ERR_INVALID: no rows; ERR_NOMEM. */
int evaluation_reply(struct evaluation *v, uint64_t version, const struct rows *said, struct reply *rp,
		struct err *e);

#endif
