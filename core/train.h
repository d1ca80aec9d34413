/* train.h - training until the error is acceptable: epochs of mini-batches, validation, the reasons to stop.
 *
 * A trainer changes the network that it is given and calls back once an epoch. One seed gives the same bits at
 * any number of threads, and a run that was stopped, saved, loaded and gone on with ends in the same bits as one
 * that was not. It allocates in trainer_new and nowhere else.
 */
#ifndef DESCENT_TRAIN_H
#define DESCENT_TRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/net.h"
#include "core/optim.h"
#include "core/schedule.h"
#include "core/team.h"

/* Rows that lie elsewhere, for data that memory does not hold. The trainer then has one window of its shuffling in
 * memory (see train_shuffle) and trains in the same order and to the same bits as if it had all of them. */
struct train_reader {
	void *self;
	bool weighted; /* they have weights */
	/* Rows [first, first + rows): x (rows, inputs), y (rows, outputs), weights (rows, cells), NULL unless weighted.
	 * On the training thread. An error ends the run, with its code and sentence. */
	int (*read)(void *self, size_t first, size_t rows, real *x, real *y, real *weights, struct err *e);
	/* These rows will be read soon. NULL: nobody wants to know. */
	void (*ahead)(void *self, size_t first, size_t rows);
};

/* Rows ready for the network, borrowed: x (rows, inputs), y (rows, outputs), weights (rows, cells) or NULL: what
 * each cell's loss counts, at least 0; 0: its target is missing. Cells are net_cells. */
struct train_data {
	const real *x, *y;
	size_t rows;
	const real *weights;
	const struct train_reader *reader; /* not NULL: in place of x, y and weights */
};

struct train_config {
	uint64_t epochs;
	size_t batch_size; /* rows; 0: all of them */
	bool shuffle;
	uint64_t seed;      /* shuffles, drops and makes noise */
	double max_seconds; /* on the clock since trainer_run, validation and callbacks included; 0: no limit */
	double target_loss; /* < 0: none. Looks at val_loss if there is validation, else at loss */
	const struct optimizer *optimizer;
	double optimizer_params[PARAMS_MAX];
	const struct schedule *schedule; /* of the learning rate; NULL: constant */
	double schedule_params[PARAMS_MAX];
	const struct objective *objectives; /* (heads), borrowed */
	/* The gradient on its way to a step, in this order. It is the mean over the rows of `accumulate` mini-batches,
	 * 0 and 1: of each; what is left at an epoch's end makes a step too. No number of it may be beyond
	 * gradient_clip_value, nor its length beyond gradient_clip_norm (Pascanu, Mikolov, Bengio, ICML 2013); 0: no
	 * limit. Noise of variance gradient_noise / (1 + t)^0.55 is added in step t, from 0 (Neelakantan et al., 2015). */
	size_t accumulate;
	double gradient_clip_value, gradient_clip_norm, gradient_noise;
	/* What is done to the inputs of a mini-batch: noise of this deviation added, then this share of them set to 0
	 * and the others divided by what is left. */
	double input_noise, input_dropout;
	/* Weights averaged over the steps, average = d average + (1 - d) w with d = min(ema_decay, (1 + t) / (10 + t)) so
	 * that the first weights are soon forgotten. Validation, the best weights and those left at the end are the
	 * averaged ones. 0: off. */
	double ema_decay;
	/* Early stopping: after patience epochs without an improvement of more than min_delta. 0: off. It looks at
	 * val_loss if there is validation and monitor_training is not set, else at loss. */
	uint64_t patience;
	double min_delta;
	bool monitor_training;
	bool restore_best; /* with patience: the best epoch's weights are left, however it ends */
	/* Validation after every so many epochs, and after the last one that was asked for; 0 and 1: after each. Between
	 * them nobody looks at val_loss: epochs without it count for no patience and no schedule that waits for it. */
	uint64_t evaluate_every;
	const double *target_scale; /* (outputs), the users' units of one unit of y, borrowed; NULL: 1 */
};

enum train_stop {
	TRAIN_EPOCHS, /* all done */
	TRAIN_TARGET_LOSS,
	TRAIN_EARLY_STOPPING,
	TRAIN_MAX_SECONDS,
	TRAIN_STOPPED,   /* *stop was set */
	TRAIN_DIVERGED,  /* a number that is not finite */
	TRAIN_CONVERGED, /* a full-batch optimizer found no way down */
	TRAIN_UNREAD,    /* a reader failed */
};
/* As api.md spells it: "epochs", "target_loss", "early_stopping", "max_seconds", "cancelled", "diverged",
 * "converged", "error". */
const char *train_stop_name(enum train_stop stop);

/* One epoch. loss, accuracy and mae are means over the epoch's mini-batches as they were trained, before their
 * steps; the val_ ones are of the weights at its end or, where it was not validated, at the end of the last one that
 * was; NaN before there is one. Means are over what has a target: loss weighs each cell, accuracy and mae count those
 * with a weight above 0. */
struct train_point {
	uint64_t epoch; /* from 1 */
	uint64_t step;  /* mini-batches done in all */
	double loss, val_loss;
	double accuracy, val_accuracy; /* mean over the heads that are categories, NaN when there are none */
	double mae, val_mae; /* mean absolute error of the other outputs, in the users' units; NaN likewise */
	double learning_rate; /* of the last step */
	double seconds;       /* spent training since the start, validation and callbacks left out */
	uint64_t best_epoch;  /* lowest val_loss (or loss) so far */
	double best_loss;
	uint64_t validated; /* 1: the val_ numbers are of this epoch */
	double elapsed;     /* seconds on the clock since the start, validation and callbacks included */
};

/* How one layer fared in the last step of an epoch. Shares are NaN where a layer's activation has no such thing. */
struct train_health {
	float gradient_norm; /* of the gradient that the step took */
	float weight_norm;   /* after it */
	float update_ratio;  /* |change of the weights| / |weights| */
	float dead;          /* share of units that were 0 for every row of the last mini-batch (relu) */
	float saturated;     /* share of the activations within 1 % of a bound (sigmoid, tanh) */
};

struct trainer;

struct train_hooks {
	void *self;
	/* After each epoch, on the training thread; must be quick. NULL: none. */
	void (*epoch)(void *self, const struct train_point *point);
	/* After each mini-batch, as quick: loss, accuracy and mae are those of its rows alone, before its step. The last of
	 * an epoch comes after the validation, right before `epoch`, and has its val_ numbers; no other one is validated.
	 * NULL: none. */
	void (*step)(void *self, const struct train_point *point);
	/* NULL: nobody wants to know. Else step of a point, brought up to date after each mini-batch. */
	_Atomic uint64_t *steps;
	/* Looked at before every mini-batch and every piece of the validation; not 0 stops there. NULL: never. */
	const atomic_int *stop;
	/* Likewise; not 0 ends the run there as if max_seconds were over. NULL: never. */
	const atomic_int *time_up;
	/* Right before epoch, for epochs that `healthy` (NULL: all) says yes to before their last step: layers (layers of
	 * the network), borrowed until it returns. NULL: nothing is measured. Measuring changes no bit of a run: `healthy`
	 * may decide by the clock. */
	void (*health)(void *self, const struct train_point *point, const struct train_health *layers);
	bool (*healthy)(void *self, uint64_t epoch);
	/* On the training thread before a mini-batch, once *save is not 0 (it is set to 0), and when *stop ends the run:
	 * trainer_save gives the state in it. NULL: never. */
	void (*checkpoint)(void *self, const struct trainer *trainer);
	atomic_int *save;
};

/* What left the finite numbers. */
enum train_fault { TRAIN_NO_FAULT, TRAIN_WEIGHTS, TRAIN_ACTIVATIONS, TRAIN_LOSS, TRAIN_GRADIENT };

struct train_result {
	enum train_stop stop;
	struct train_point last; /* the last whole epoch; epoch 0 when there was none */
	/* Of TRAIN_DIVERGED: where the first number that is not finite was seen; step as in a point. */
	uint64_t diverged_epoch, diverged_step;
	enum train_fault fault;
	size_t fault_layer; /* none of TRAIN_LOSS */
};

/* *out is new (trainer_free). net, data, objectives, target_scale, engine and team are borrowed for its life;
 * validation may be NULL or have no rows. ERR_RANGE: no rows, more than UINT32_MAX, batch_size above rows, a
 * parameter of the optimizer, the schedule or a loss, or another number of config outside its range, a full-batch
 * optimizer with mini-batches or with what changes gradients, sizes that overflow; ERR_NOMEM. Then *out is NULL. */
int trainer_new(struct trainer **out, struct net *net, const struct train_config *config,
		const struct train_data *train, const struct train_data *validation,
		const struct gemm_engine *engine, struct team *team, struct err *e);
void trainer_free(struct trainer *trainer);
/* What trainer_new would take beside the network and data in memory, in bytes; SIZE_MAX when it would overflow. Of the
 * data only rows, reader and whether there are weights are looked at; validation may be NULL. */
size_t trainer_bytes(const struct net *net, const struct train_config *config, const struct train_data *train,
		const struct train_data *validation);
/* Trains from the network's present weights, or goes on from what trainer_load loaded, to the end; hooks may be
 * NULL. 0 however it stopped, *result says why; ERR_DIVERGED when it diverged, in a mini-batch, in validation or by
 * its last step; what a reader says. */
int trainer_run(struct trainer *trainer, const struct train_hooks *hooks, struct train_result *result,
		struct err *e);

/* A run's whole state, in this machine's byte order: everything but the data and the configuration. */
size_t trainer_state_bytes(const struct trainer *trainer);
/* out (trainer_state_bytes). In the checkpoint hook, or after trainer_run. */
void trainer_save(const struct trainer *trainer, unsigned char *out);
/* bytes are borrowed; the network gets their weights, and the next trainer_run goes on. ERR_CORRUPT: damaged, or of
 * another network, configuration or data; then nothing is changed. */
int trainer_load(struct trainer *trainer, const unsigned char *bytes, size_t size, struct err *e);

/* The order of an epoch's rows, the one definition of shuffling: the rows are cut into blocks; the blocks are put in
 * random order, and the rows of each window, a run of SHUFFLE_WINDOW_BLOCKS consecutive blocks, are shuffled together
 * (Fisher and Yates; Knuth, TAOCP 2, 3.4.2 P). Small data are one window. */
#define SHUFFLE_BLOCK_ROWS 4096
#define SHUFFLE_BLOCK_NUMBERS \
	262144 /* of a block of wide rows, which has fewer of them: a window has 64 MiB at most */
#define SHUFFLE_WINDOW_BLOCKS 64
/* Rows of a block, at least 1, where each has so many numbers: inputs and outputs. */
size_t train_block_rows(size_t width);
/* order (rows) */
void train_shuffle(uint32_t *order, size_t rows, size_t block_rows, uint64_t seed, uint32_t epoch);

/* Which rows are held out: use[i] becomes 1 for training rows, 0 for validation rows; round(rows * split) of
 * them, at least 1 and at most rows - 1. classes (rows), each below class_count, are held out in proportion where
 * given: each class of at least two rows keeps one on either side where the number held out allows. ERR_RANGE:
 * fewer than two rows, a split outside (0, 1), a class that is none; ERR_NOMEM. */
int train_split(uint8_t *use, size_t rows, double split, const uint32_t *classes, size_t class_count,
		uint64_t seed, struct err *e);

/* As many rows as train_split would hold out, those with the largest values (rows); of equal ones the later rows. ERR_RANGE:
 * as above, and a value that is NaN. */
int train_split_last(uint8_t *use, size_t rows, double split, const double *values, struct err *e);

#define TRAIN_FOLDS_MAX 255
/* Deals the rows out among folds 0 … folds - 1, in an order that the seed draws: fold (rows). The folds' sizes differ by at
 * most one, and so do those of each class in them where classes (rows), each below class_count, are given. ERR_RANGE: fewer
 * than two folds or more than TRAIN_FOLDS_MAX, fewer rows than folds, a class that is none; ERR_NOMEM. */
int train_folds(uint8_t *fold, size_t rows, size_t folds, const uint32_t *classes, size_t class_count,
		uint64_t seed, struct err *e);

#endif
