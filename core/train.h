/* train.h - training until the error is acceptable: epochs of mini-batches, validation, the reasons to stop.
 *
 * A trainer changes the network that it is given and calls back once an epoch. One seed gives the same bits at
 * any number of threads. It allocates in trainer_new and nowhere else.
 */
#ifndef DESCENT_TRAIN_H
#define DESCENT_TRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/loss.h"
#include "core/net.h"
#include "core/optim.h"
#include "core/team.h"

/* Rows ready for the network, borrowed: x (rows, inputs), y (rows, outputs). */
struct train_data {
	const real *x, *y;
	size_t rows;
};

struct train_config {
	uint64_t epochs;
	size_t batch_size; /* rows; 0: all of them */
	bool shuffle;
	uint64_t seed;      /* shuffles and drops */
	double max_seconds; /* on the clock since trainer_run, validation and callbacks included; 0: no limit */
	double target_loss; /* < 0: none. Looks at val_loss if there is validation, else at loss */
	const struct optimizer *optimizer;
	double optimizer_params[PARAMS_MAX];
	const struct loss *loss;
	double loss_params[PARAMS_MAX];
	const struct objective *objectives; /* (heads), borrowed; NULL: of one head, with the loss above */
	/* Early stopping: after patience epochs without an improvement of more than min_delta. 0: off. It looks at
	 * val_loss if there is validation and monitor_training is not set, else at loss. */
	uint64_t patience;
	double min_delta;
	bool monitor_training;
	bool restore_best;          /* with patience: the best epoch's weights are left, however it ends */
	bool classification;        /* count hits; else absolute errors */
	const double *target_scale; /* (outputs), the users' units of one unit of y, borrowed; NULL: 1 */
};

enum train_stop {
	TRAIN_EPOCHS, /* all done */
	TRAIN_TARGET_LOSS,
	TRAIN_EARLY_STOPPING,
	TRAIN_MAX_SECONDS,
	TRAIN_STOPPED,  /* *stop was set */
	TRAIN_DIVERGED, /* a loss that is not finite */
};
/* As api.md spells it: "epochs", "target_loss", "early_stopping", "max_seconds", "cancelled", "diverged". */
const char *train_stop_name(enum train_stop stop);

/* One epoch. loss, and accuracy or mae, are means over the epoch's mini-batches as they were trained; the val_
 * ones are of the weights at its end, NaN without validation. */
struct train_point {
	uint64_t epoch; /* from 1 */
	uint64_t step;  /* mini-batches done in all */
	double loss, val_loss;
	double metric, val_metric; /* accuracy, or mean absolute error in the users' units */
	double learning_rate;
	double seconds;      /* spent training since the start, validation and callbacks left out */
	uint64_t best_epoch; /* lowest val_loss (or loss) so far */
	double best_loss;
};

struct train_hooks {
	void *self;
	/* After each epoch, on the training thread; must be quick. NULL: none. */
	void (*epoch)(void *self, const struct train_point *point);
	/* Looked at before every mini-batch and every piece of the validation; not 0 stops there. NULL: never. */
	const atomic_int *stop;
};

struct train_result {
	enum train_stop stop;
	struct train_point last; /* the last whole epoch; epoch 0 when there was none */
	uint64_t diverged_epoch,
			diverged_step; /* where the loss left the finite numbers; step as in a point */
};

struct trainer;

/* *out is new (trainer_free). net, data, target_scale, engine and team are borrowed for its life; validation may be
 * NULL or have no rows. ERR_RANGE: no rows, more than UINT32_MAX, batch_size above rows, a parameter of the
 * optimizer or the loss outside its range, sizes that overflow; ERR_NOMEM. Then *out is NULL. */
int trainer_new(struct trainer **out, struct net *net, const struct train_config *config,
		const struct train_data *train, const struct train_data *validation,
		const struct gemm_engine *engine, struct team *team, struct err *e);
void trainer_free(struct trainer *trainer);
/* What trainer_new would take beside the network and the data, in bytes; SIZE_MAX when it would overflow. */
size_t trainer_bytes(const struct net *net, const struct train_config *config, size_t train_rows,
		size_t validation_rows);
/* Trains from the network's present weights to the end; hooks may be NULL. 0 however it stopped, *result says why;
 * ERR_DIVERGED when it diverged, in a mini-batch, in validation or by its last step. */
int trainer_run(struct trainer *trainer, const struct train_hooks *hooks, struct train_result *result,
		struct err *e);

/* The order of an epoch's rows, the one definition of shuffling: the rows are cut into blocks of
 * SHUFFLE_BLOCK_ROWS; the blocks are put in random order, and the rows of each run of SHUFFLE_WINDOW_BLOCKS
 * consecutive blocks are shuffled together (Fisher and Yates; Knuth, TAOCP 2, 3.4.2 P). Small data are one block. */
#define SHUFFLE_BLOCK_ROWS    4096
#define SHUFFLE_WINDOW_BLOCKS 64
void train_shuffle(uint32_t *order, size_t rows, uint64_t seed, uint32_t epoch);

/* Which rows are held out: use[i] becomes 1 for training rows, 0 for validation rows; round(rows * split) of
 * them, at least 1 and at most rows - 1. classes (rows), each below class_count, are held out in proportion where
 * given: each class of at least two rows keeps one on either side where the number held out allows. ERR_RANGE:
 * fewer than two rows, a split outside (0, 1), a class that is none; ERR_NOMEM. */
int train_split(uint8_t *use, size_t rows, double split, const uint32_t *classes, size_t class_count,
		uint64_t seed, struct err *e);

#endif
