/* evaluate_parts.h - an evaluation under way, for evaluate*.c alone: rows go in (evaluate.c), every target column is
 * judged by itself (evaluate_judge.c), what the inputs are worth is tried out (evaluate_importance.c), and what was found
 * becomes an answer (evaluate_answer.c, evaluate_curves.c).
 */
#ifndef SERVER_API_EVALUATE_PARTS_H
#define SERVER_API_EVALUATE_PARTS_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/metrics.h"
#include "server/api/api.h"
#include "server/codec/rows.h"

/* One target column: a category has classes, a number has its place in evaluation.numbers. */
struct judge {
	const struct encoder_column *column; /* borrowed from the model */
	size_t at;                           /* which column of the targets */
	size_t head;                         /* of the network */
	struct classification *classes;      /* NULL: a number */
	struct ranking *residuals;           /* of a number: target - prediction, in the users' units */
};

/* What is asked for beside the rows. */
struct evaluation_wanted {
	size_t top_k; /* 0: a sound one is chosen; more than a category has classes: all of them */
	bool curves;  /* of categories: points of curves, reliability bins */
	bool importance;
	uint64_t seed; /* of the permutations */
};

struct importance; /* evaluate_importance.c */

struct evaluation {
	const struct model *model;
	struct evaluation_wanted wanted;
	const struct request *rq;      /* does its client still wait? */
	struct importance *importance; /* NULL: not asked for */
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

/* memory_bytes: there is for keeping scores; little makes areas under curves less exact. As much again is there for rows
 * that are permuted. ERR_RANGE: more classes than an answer holds; ERR_NOMEM. evaluation_end after an error too. */
int evaluation_begin(struct evaluation *v, struct version *version, const struct evaluation_wanted *wanted,
		uint64_t memory_bytes, const struct request *rq, struct err *e);
void evaluation_end(struct evaluation *v);
/* What evaluating `rows` rows may take, in bytes. */
size_t evaluation_bytes(const struct evaluation *v, uint64_t rows);
/* Answers and judges the batch that lies in work->x and y. ERR_NOMEM; ERR_BUSY: the daemon stops. */
int evaluation_add(struct evaluation *v, size_t rows, struct err *e);

/* said: NULL, or the reader of the inputs, whose warnings are passed on. ERR_INVALID: no rows; ERR_NOMEM. */
int evaluation_reply(struct evaluation *v, uint64_t version, const struct rows *said, struct reply *rp,
		struct err *e);

/* ---- evaluate_answer.c ---- */

/* A member behind what an object has so far; `value` is taken over. */
void evaluation_put_member(struct buffer *out, const char *name, json_t *value);

/* ---- evaluate_curves.c: members behind what an object has so far ---- */

/* The quantiles of a number's residuals, as a document. New. */
json_t *residuals_document(const struct judge *judge);
/* Curves and reliability bins of a category; nothing of a number. */
void curves_put(struct buffer *out, const struct judge *judge);

/* ---- evaluate_importance.c: what permuting a column does (Breiman: Random forests, 2001, section 10; Fisher, Rudin,
 * Dominici: All models are wrong, but many are useful, JMLR 20, 2019, section 3.2) ---- */

/* *out is new (importance_free). memory_bytes: for a block of rows. ERR_NOMEM. */
int importance_new(struct importance **out, const struct evaluation *v, uint64_t memory_bytes, struct err *e);
void importance_free(struct importance *importance); /* NULL is fine */
/* What `rows` rows may take, in bytes. */
size_t importance_bytes(const struct importance *importance, const struct model *model, uint64_t rows);
/* The batch in work->x and y, of which nothing is needed afterwards. ERR_NOMEM, ERR_BUSY. */
int importance_add(struct evaluation *v, size_t rows, struct err *e);
/* After the last one. ERR_BUSY. */
int importance_end(struct evaluation *v, struct err *e);
/* An object a column, the most important first; new. */
json_t *importance_document(const struct evaluation *v);
/* Rows of a block, where there was more than one; else 0. */
size_t importance_block(const struct importance *importance);

#endif
