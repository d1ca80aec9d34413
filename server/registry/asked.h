/* asked.h - what has been asked of versions: counts in memory, a thread's own, written to the store now and then.
 *
 * A record belongs to a version of a model, whoever has it loaded and how often: threads count into arrays of their own
 * in it, without a lock. What was counted up to the last writing survives a crash; a stop writes everything.
 */
#ifndef SERVER_REGISTRY_ASKED_H
#define SERVER_REGISTRY_ASKED_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/store/store.h"

#define ASKED_WRITE_SECONDS 10
#define ASKED_SLOTS_MAX     512 /* threads that count */

struct asked; /* all records */
struct asked_record;

/* *out is new (asked_stop); starts the thread that writes. store is borrowed. */
int asked_start(struct asked **out, struct store *store, struct err *e);
/* Writes what there is. No record is in use any more. NULL is fine. */
void asked_stop(struct asked *asked);

/* The record of a version with `total` counts: *out is shared (asked_put). ERR_NOMEM. */
int asked_get(struct asked *asked, const char *model, uint64_t number, size_t total,
		struct asked_record **out, struct err *e);
void asked_put(struct asked_record *record); /* never waits; NULL is fine */
/* The counts of the thread in this slot, (total), borrowed until asked_put; NULL: no memory, nothing is counted. */
uint64_t *asked_counts(struct asked_record *record, size_t slot);
/* What all threads have counted, with what the store has, added up: out (total). ERR_IO, ERR_CORRUPT, … */
int asked_sum(struct asked *asked, struct asked_record *record, uint64_t *out, struct err *e);

#endif
