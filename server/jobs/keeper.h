/* keeper.h - keeps no more jobs and versions than is wanted, and the file no larger than what is in it.
 *
 * One thread. After whatever was logged (the end of a job, a new version), and at start, ended jobs beyond the newest
 * `jobs` go, with their curves, and versions beyond the newest `versions` of each model, but not those with a label. Then
 * free pages are given back to the file system. All of it is done in transactions of some milliseconds, behind what
 * requests write. Answers to requests with an Idempotency-Key go after their day.
 */
#ifndef SERVER_JOBS_KEEPER_H
#define SERVER_JOBS_KEEPER_H

#include <stdint.h>

#include "core/err.h"
#include "server/registry/registry.h"
#include "server/store/store.h"

#define KEEP_ALL UINT32_MAX

struct keeper;

struct keeper_config { /* borrowed for the keeper's life */
	struct store *store;
	struct registry *registry; /* is told of versions that went */
	uint32_t jobs, versions;   /* KEEP_ALL, or so many */
	int64_t answers_ms;        /* how old an answer may become */
	void (*log)(void *self, const char *sentence);
	void *log_self;
};

/* *out is new (keeper_stop). ERR_NOMEM. */
int keeper_start(struct keeper **out, const struct keeper_config *config, struct err *e);
/* Other numbers, from now on. */
void keeper_set(struct keeper *keeper, uint32_t jobs, uint32_t versions);
/* What they are; any thread. */
void keeper_wants(struct keeper *keeper, uint32_t *jobs, uint32_t *versions);
/* Something that stayed may go now, of which the log says nothing. */
void keeper_wake(struct keeper *keeper);
/* NULL is fine. */
void keeper_stop(struct keeper *keeper);

#endif
