/* record.h - the curve of a running job on its way from the trainer's thread to the store.
 *
 * The trainer's thread leaves points here and never waits for a disk; the worker's takes them away now and then and
 * writes them in blocks that a commit may hold. Between them is a lock that is held for a few instructions.
 */
#ifndef SERVER_JOBS_RECORD_H
#define SERVER_JOBS_RECORD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "server/codec/curve_record.h"
#include "server/store/store.h"

struct record { /* record_init, record_clear */
	pthread_mutex_t lock;
	struct curve_recorder recorder; /* before the run and under the lock; keep is set by record_init */
	struct curve_recorder sealed;   /* under the lock: points of before record_seal */
	struct curve_recorder
			writing; /* the worker's: points on their way, from `written` and `healthy` on */
	size_t written, healthy;
	atomic_bool lost; /* something could not be kept for want of memory */
};
void record_init(struct record *record, enum curve_keep keep);
void record_clear(struct record *record);

/* On the trainer's thread. */
void record_point(struct record *record, const struct train_point *point);
void record_health(struct record *record, uint64_t epoch, const struct train_health *rows, size_t layers);

/* Likewise: what is ready now comes before what is not, in blocks too. The bytes that go on from here
 * (curve_recorder_save) are new (free); NULL: no memory. */
unsigned char *record_seal(struct record *record, size_t *size);
/* Before the run: goes on from such bytes, as loaded; takes recorder over. */
void record_resume(struct record *record, struct curve_recorder *recorder);

/* On the worker's, once the trainer's has ended: where a run diverged ends its curve, with numbers that are none.
 * validates: the val_ ones too. */
void record_divergence(struct record *record, const struct train_result *result, bool validates);
void record_end(struct record *record); /* nothing stays open */

/* Writes what is ready for the claimed job. ERR_NOMEM: something was lost; what the store says: then nothing was, and the
 * next call tries again. */
int record_flush(struct record *record, struct store *store, const struct store_job *job, struct err *e);

#endif
