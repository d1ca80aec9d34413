/* training_parts.h - what the files of a training job share; nobody else includes it.
 *
 *	training.c       what a job is made of, its run, what came of it
 *	training_size.c  the memory that it takes, and whether its rows fit into it
 *	load.c           from stored rows to numbers: encoders, encoded rows, weights
 *	holdout.c        which rows are validated on
 *	held_out.c       what is predicted of those, in a cross-validation
 */
#ifndef SERVER_JOBS_TRAINING_PARTS_H
#define SERVER_JOBS_TRAINING_PARTS_H

#include "core/model.h"
#include "server/codec/fold_rows.h"
#include "server/jobs/checkpoint.h"
#include "server/jobs/source.h"
#include "server/jobs/spill.h"
#include "server/jobs/training.h"

enum use { USE_VALIDATION, USE_TRAINING /* 1, as source_profile wants it */, USE_NOT };

/* Rows of the spill from `first` on, as the trainer reads them. */
struct shelf {
	const struct training *training;
	size_t first;
	struct train_reader reader;
};

/* A revision and what its rows are for. */
struct part {
	struct store_revision revision; /* id 0: there is none */
	uint8_t *use;                   /* (revision.rows), enum use */
	struct source *source;          /* while loading */
};

struct training {
	struct training_needs needs;
	json_t *config, *document;
	struct train_request request;
	struct definition definition;
	struct part data, held; /* held: of data of their own to validate on */
	struct training_size size;
	struct model model;
	bool goes_on; /* from a version's weights */
	/* Training rows, then validation rows. w (rows, target columns) is NULL when every cell counts the same. In memory
	 * or in the spill, whose weights are not levelled yet. */
	real *x, *y, *w;
	struct spill *spill;
	bool weighted;
	double *weight_sums; /* (target columns), of the training rows */
	size_t train_rows, validation_rows;
	double *target_scale;
	struct train_point point; /* of the weights as they are left */
	struct checkpoint_of of;
	struct shelf shelves[2]; /* training rows, validation rows */
	struct crew *crew;       /* after training_start, as the next */
	struct trainer *trainer;
	bool is_fold; /* a part of a cross-validation: it leaves its predictions rather than a model */
	struct fold_rows output; /* these; empty: none */
	struct training_watch watch;
	bool measured; /* the layers were, at measured_seconds of the monotonic clock */
	double measured_seconds;
};

/* ---- holdout.c ---- */

/* The rows of the data that have a target, closed up. */
struct usable {
	uint32_t *classes; /* (count), NULL: not asked for */
	size_t class_count, count;
};

/* Of the rows in use, those that the request holds out become USE_VALIDATION. ERR_INVALID: none or all would be;
 * ERR_STOPPED, and what reading gives. */
int training_hold_out(struct training *t, const struct usable *usable, struct err *e);

/* ---- held_out.c ---- */

/* After training: t->output becomes what the network says of the rows that were held out. ERR_NOMEM, and what reading
 * gives. */
int training_predict(struct training *t, struct err *e);

#endif
