/* train_parts.h - what the files of the trainer share; nobody else includes it.
 *
 *	train.c          the loop: epochs, validation, the reasons to stop
 *	train_new.c      what a trainer is made of: the configuration's check, sizes, memory
 *	train_batch.c    a mini-batch: its rows, noise and dropout of its inputs, its sums
 *	train_window.c   rows that a reader has: a window of them at a time
 *	train_step.c     from a gradient to a step: clipping, noise, accumulation, the optimizer
 *	train_full.c     an epoch of a full-batch optimizer
 *	train_average.c  averaged and best weights, and which ones the network holds
 *	train_health.c   how each layer fares
 *	train_state.c    saving and loading
 *
 * Nothing here depends on the number of threads: what is added up is added up in slices of a fixed size, in order.
 */
#ifndef DESCENT_TRAIN_PARTS_H
#define DESCENT_TRAIN_PARTS_H

#include "core/train.h"

#define TRAIN_SLICES 64 /* of the parameters, where they are worth a team */

/* Sums over the rows of one pass over the data. */
struct train_sums {
	double loss;
	double weight;                 /* of the rows, 1 each where they have none */
	double score[NET_HEADS_MAX];   /* rows that hit, or absolute errors in the users' units */
	double counted[NET_HEADS_MAX]; /* rows, or cells, that have a target */
};

/* Everything that a run knows about itself beside blocks of numbers. All of 8 bytes: it is saved as it lies. */
struct train_state {
	struct train_point point;     /* of the epoch under way */
	struct train_point last;      /* the last whole epoch */
	struct train_point stepped;   /* the mini-batch before this boundary, where a hook wants to know */
	uint64_t under_way;           /* 1: point.epoch is not whole yet */
	uint64_t batches;             /* mini-batches of it that are done */
	uint64_t steps;               /* of the optimizer, in all */
	uint64_t absorbed, converged; /* of a full-batch optimizer's epoch */
	struct train_sums sums;       /* of the mini-batches that are done */
	double reference;             /* the loss that patience measures against */
	uint64_t waited;              /* epochs since it was beaten, of those that were looked at */
	double schedule[SCHEDULE_STATE];
	double scalars[OPTIM_SCALARS_MAX];
};

/* Sizes that follow from what is trained on what; counts of numbers, SIZE_MAX when too large. */
struct train_sizes {
	size_t batch, chunk;                 /* rows of a mini-batch, of a piece of the validation rows */
	size_t max_batch;                    /* rows in the working memory */
	size_t batches;                      /* mini-batches of an epoch */
	size_t parameters, statistics, kept; /* kept: both of them */
	size_t batch_x, batch_y, batch_w;    /* 0 where rows are taken as they lie */
	size_t order;                        /* rows of it: all, those of a window, or 0 */
	bool shuffled;                       /* the order within a full batch would change nothing */
	size_t block;                        /* rows of a block of the shuffling */
	size_t blocks; /* of the data, and of the next three, where a reader has them; else 0 */
	size_t window_x, window_y, window_w;
	size_t moments;    /* blocks of `parameters` */
	size_t accumulate; /* mini-batches a step, at least 1 */
	size_t slices, layers, cells;
	bool best, averaged, gathered, before; /* one more block for each */
	bool constrained;                      /* a layer has a max_norm */
};

/* Weights, and the places for them: the network for the first. */
enum train_weights { TRAIN_RAW, TRAIN_AVERAGED, TRAIN_BEST, TRAIN_PLACES };

/* What one slice of the parameters adds to a layer's health. */
struct train_part {
	double gradient, weights, change; /* sums of squares */
};

/* The window that is in memory, where a reader has the training rows. */
struct train_window {
	real *x, *y, *w;  /* as train_data has them */
	uint32_t *blocks; /* (sizes.blocks), in the order of the epoch */
	size_t number;    /* of the window */
	size_t first;     /* the place of its first row in the epoch's order */
	size_t rows;
	bool read; /* they are there */
};

struct trainer {
	struct net *net;
	struct train_config config;
	struct train_data train, validation;
	struct team *team;
	struct train_sizes sizes;
	struct net_work *work;
	real *gradient, *moments[OPTIM_MOMENTS_MAX];
	real *gathered;                    /* (parameters), the gradient while mini-batches accumulate */
	real *before;                      /* (parameters), the weights before a full-batch iteration */
	real *best, *averaged;             /* (kept): parameters, then statistics */
	real *batch_x, *batch_y, *batch_w; /* (batch, inputs), (batch, outputs), (batch, cells) */
	uint32_t *order;                   /* (sizes.order): rows of the data, or of the window */
	struct train_window window;
	double *squares;             /* (slices) */
	struct train_part *parts;    /* (slices, layers) */
	struct train_health *health; /* (layers) */
	struct train_state state;
	bool loaded;                            /* the next run goes on */
	enum train_weights holds[TRAIN_PLACES]; /* the network, averaged, best: see train_average.c */
	bool measured;                          /* the step under way is one whose health is wanted */
	/* Of a full-batch optimizer: sums and loss, with penalties, of the last pass, and whether it was at the present
	 * weights, with nothing random. */
	struct train_sums passed;
	double passed_loss;
	bool fresh;
};

struct train_run {
	struct trainer *trainer;
	const struct train_hooks *hooks; /* borrowed, never NULL */
	struct train_result *result;
	double noted;  /* when the state's clocks were right, on the monotonic clock, seconds */
	bool training; /* not validating, nor calling back */
	int rc;        /* of a reader */
	struct err e;
};

struct train_batch { /* borrowed from the trainer until the next one */
	const real *x, *y, *weights;
	size_t rows;
};

/* ---- train.c ---- */
/* Does somebody want an end, or is the time up? */
bool train_interrupted(struct train_run *run);
/* The same between two mini-batches, where the state is whole: a checkpoint is made if one is wanted. */
bool train_boundary(struct train_run *run);
/* Ends the run and finds what is wrong; batch: rows of the last pass, 0: there was none since the last step. */
bool train_diverged(struct train_run *run, size_t batch);
/* Ends the run when a reader failed; true: it did. */
bool train_unread(struct train_run *run, int rc);
/* A mini-batch is done, sums are those of its rows: tells who wants to know, of the last of an epoch later. */
void train_stepped(struct train_run *run, const struct train_sums *sums);
/* Is this epoch's health wanted? */
bool train_measures(const struct train_run *run);

/* ---- train_new.c ---- */
/* The team runs work on ranges [from, to) of [0, n), which start at whole cache lines of numbers; the calling thread
 * alone does when n is below least. */
void train_spread(const struct trainer *t, size_t n, size_t least,
		void (*work)(void *arg, size_t from, size_t to), void *arg);

/* ---- shuffle.c: train_shuffle in its two steps ---- */
void train_shuffle_blocks(uint32_t *blocks, size_t count, uint64_t seed, uint32_t epoch);
/* order (rows of window `window`) is shuffled. */
void train_shuffle_window(uint32_t *order, size_t rows, size_t window, uint64_t seed, uint32_t epoch);

/* ---- train_batch.c ---- */
/* Not 0: a reader failed. */
int train_pick(struct trainer *t, uint64_t number, struct train_batch *batch, struct err *e);
/* The same of rows [from, from + batch->rows) of the validation data. */
int train_pick_validation(struct trainer *t, size_t from, struct train_batch *batch, struct err *e);
/* to (rows, width) = the rows of from that order names. */
void train_gather(const struct trainer *t, real *to, const real *from, const uint32_t *order, size_t rows,
		size_t width);

/* ---- train_window.c ---- */
void train_window_start(struct trainer *t); /* of an epoch */
/* Copies rows [from, from + rows) of the epoch's order to batch_x, batch_y and batch_w. */
int train_window_pick(struct trainer *t, size_t from, size_t rows, struct err *e);

/* The loss and the scores of the last pass, in `of` for its rows alone and added to sums. Of both only the heads there
 * are; `of` need not be set before. */
void train_count(const struct trainer *t, const struct train_batch *batch, double loss, struct train_sums *of,
		struct train_sums *sums);
double train_loss(const struct train_sums *sums);
double train_accuracy(const struct trainer *t, const struct train_sums *sums);
double train_mae(const struct trainer *t, const struct train_sums *sums);

/* ---- train_step.c ---- */
/* The scheduled rate of the next step, `done` of the present epoch's mini-batches being done. */
double train_rate(const struct trainer *t, uint64_t done);
/* After the gradient of mini-batch `number`: gathers it, and steps when it is time. False: it is not finite. */
bool train_step(struct trainer *t, uint64_t number, size_t rows);
void train_close_step(struct trainer *t); /* after the optimizer: limits of weights, their average */
/* Slice s of the parameters is [train_slice(s), train_slice(s + 1)). */
size_t train_slice(const struct trainer *t, size_t s);
/* The team runs work, whose part p of n does the slices p, p + n, ... */
void train_slices(struct trainer *t, void (*work)(void *arg, int part, int parts), void *arg);

/* ---- train_full.c ---- */
/* The one iteration of an epoch; true: the run ended. */
bool train_full(struct train_run *run);

/* ---- train_average.c ---- */
void train_average_start(struct trainer *t); /* the average is the present weights */
void train_average(struct trainer *t);       /* takes in the present weights, after a step */
void train_average_swap(struct trainer *t);  /* the network's weights change places with the averaged ones */
void train_keep_best(struct trainer *t);
void train_show(struct trainer *t);   /* at the end, the network gets the weights to leave */
void train_settle(struct trainer *t); /* the network's weights, whichever they are, are those that train */
/* Where weights are at present: (parameters) and (statistics). */
void train_find(const struct trainer *t, enum train_weights which, real **parameters, real **statistics);

/* ---- train_health.c ---- */
/* The optimizer's step, by `step`, on all parameters, and what it changed. */
void train_health_step(struct trainer *t, void (*step)(void *arg, size_t from, size_t to), void *arg);
void train_health_change(struct trainer *t); /* what a full-batch iteration changed since t->before */
/* Fills t->health after the epoch's last step; rows: of its last mini-batch. */
void train_health_close(struct trainer *t, size_t rows);

#endif
