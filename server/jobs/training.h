/* training.h - one training job from its stored rows to a model: load, fit the encoders, train.
 *
 * The steps are calls of their own, because they run on different threads: loading waits for the disk,
 * training computes at idle priority.
 */
#ifndef SERVER_JOBS_TRAINING_H
#define SERVER_JOBS_TRAINING_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/train.h"
#include "server/codec/definition.h"
#include "server/codec/train_request.h"
#include "server/jobs/checkpoint.h"
#include "server/store/store.h"

struct training;

struct training_needs { /* borrowed for the life of a training */
	struct store *store;
	const struct gemm_engine *engine;
	const atomic_int *stop; /* not 0: end as soon as may be */
	size_t memory_bytes;    /* the most that it may take */
	const char *database;   /* the file beside which it may have a scratch file */
};

/* What a training takes. */
struct training_size {
	size_t bytes;         /* of memory; SIZE_MAX: it cannot be had */
	size_t scratch_bytes; /* of the scratch file that its rows are read from; 0: they are in memory */
};
/* Of a training of so many rows, without reading anything: in memory where that is within the budget, else from a
 * scratch file where that takes less memory. */
struct training_size training_bytes(const struct definition *definition, const struct train_request *request,
		uint64_t rows, size_t budget);
/* ERR_RANGE: it is more than the budget. */
int training_fits(const struct training_size *size, size_t budget, struct err *e);

/* Reads the job's config and its model's definition. *out is new (training_free). ERR_NOT_FOUND: the model, the
 * version to start from or the data are gone; ERR_INVALID: the data do not fit the model. */
int training_new(struct training **out, const struct training_needs *needs, const struct store_job *job,
		struct err *e);
void training_free(struct training *training);
const struct training_size *training_size(const struct training *training);
const struct train_request *training_request(const struct training *training);
const struct definition *training_definition(const struct training *training);

/* Reads the rows, splits them, fits the encoders on the training rows and encodes all. ERR_STOPPED; ERR_DISK_FULL: no
 * room for the scratch file. */
int training_load(struct training *training, struct err *e);

/* Who is told, on the training thread. Health of the layers (layers of the network) comes right before the epoch it is of, at
 * most ten times a second and where curve_health_wanted. health and step (see train_hooks) may be NULL. */
struct training_watch {
	void *self;
	void (*epoch)(void *self, const struct train_point *point);
	void (*step)(void *self, const struct train_point *point);
	_Atomic uint64_t *steps; /* as in train_hooks; may be NULL */
	void (*health)(void *self, uint64_t epoch, const struct train_health *rows, size_t layers);
	const atomic_int *time_up; /* as in train_hooks; may be NULL */
	/* Once *save is not 0, and when the run is stopped, between two mini-batches: training_save gives the state in it.
	 * Both may be NULL. */
	void (*checkpoint)(void *self);
	atomic_int *save;
};

/* After training_load: makes what trains, and a team of the job's threads. ERR_NOMEM. */
int training_start(struct training *training, struct err *e);
/* After training_start: goes on from a checkpoint, the caller having opened it. As trainer_load. */
int training_resume(struct training *training, const struct checkpoint_parts *parts, struct err *e);
const struct checkpoint_of *training_identity(const struct training *training);
size_t training_state_bytes(const struct training *training);
void training_save(const struct training *training, unsigned char *out); /* (training_state_bytes) */

/* Trains on the calling thread and the team. As trainer_run. */
int training_run(struct training *training, const struct training_watch *watch, struct train_result *result,
		struct err *e);

uint64_t training_rows(const struct training *training); /* that are trained on; after training_load */
bool training_validates(const struct training *training);
/* The point that describes the weights as they are left: the best one's where those were restored. */
const struct train_point *training_point(const struct training *training);
/* The model as a version keeps it; *bytes is new (free). */
int training_write(const struct training *training, unsigned char **bytes, size_t *size, struct err *e);
/* What a part of another job leaves: of a cross-validation fold_rows of the rows that it held out, of a sweep its model. *bytes
 * is new (free), NULL when there are none. */
int training_output(const struct training *training, unsigned char **bytes, size_t *size, struct err *e);
/* name, revision, sha256 and rows of the data, and of those to validate on where there are such (id not 0); new. */
json_t *training_dataset(const struct training *training);
json_t *training_revisions(const struct store_revision *data, const struct store_revision *held);

/* loss, and accuracy, mae or both, with val_ beside them; new, as the next and the one before: NULL when there is no memory. */
json_t *training_metrics(const struct train_point *point, bool validates);
/* {"epoch","val_loss"} of the best epoch so far, or null; new. */
json_t *training_best(const struct train_point *point, const struct train_request *request);

#endif
