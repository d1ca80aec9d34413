/* train_request.h - what a training job is asked to do: read from the body of :train, completed with what was left
 * open, and written as the job's config, which the worker reads again by the same reader.
 */
#ifndef SERVER_CODEC_TRAIN_REQUEST_H
#define SERVER_CODEC_TRAIN_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/train.h"
#include "server/codec/curve_span.h"
#include "server/codec/faults.h"
#include "server/codec/train_validation.h"

#define TRAIN_EPOCHS_MAX  10000000
#define TRAIN_THREADS_MAX 1024
#define PRIORITY_MAX      1000

/* Borrows from the document it was read from. */
struct train_request {
	const char *dataset; /* NULL: inline data */
	struct train_config core;
	const struct loss *loss; /* NULL: the model's */
	double loss_params[PARAMS_MAX];
	bool batch_said, optimizer_said, epochs_said, validation_said, stopping_said;
	bool batch_full;
	uint64_t threads; /* 0: not said */
	enum curve_keep record;
	struct train_validation validation;
	bool stopping;                    /* early stopping */
	const char *monitor;              /* "val_loss" or "loss" */
	bool balanced;                    /* class_weights: "balanced" */
	const json_t *class_weights;      /* a map from classes to weights, or NULL */
	const char *sample_weight_column; /* NULL: all rows count the same */
	double checkpoint_seconds; /* between two checkpoints; 0: at the end of the daemon and a pause only */
	const char *from;          /* "scratch", "latest" or a version's digits */
	const char *note;
	const char *notify; /* a URL that is told of the end; NULL: nobody */
	int priority;
	/* Of configs of ours alone; NULL: not there. */
	const json_t *network; /* what of the model's definition is another (definition_override) */
	const json_t *sweep;   /* of which run of a sweep it is the config */
};

/* Faults are added; a document that is no object is one. stored: a config of ours. */
void train_request_read(
		const json_t *document, bool stored, struct train_request *request, struct faults *faults);

/* Chooses what was left open, for data of so many rows; classifies: the model has one target, a category; threads_max is
 * the most a job may use. Faults: a batch above the training rows, a split that leaves a side without rows, a monitor that
 * is not there. */
void train_request_resolve(struct train_request *request, uint64_t rows, bool classifies,
		unsigned threads_max, struct faults *faults);

/* How many of the rows are trained on. */
uint64_t train_request_rows(const struct train_request *request, uint64_t rows);

/* The config, new; NULL: no memory. loss must be set. */
json_t *train_request_document(const struct train_request *request);

#endif
