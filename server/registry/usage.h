/* usage.h - how often versions were asked since the daemon started, and how long it took. Counted by many threads without a lock,
 * in shards of their own, so that no two cores wait for one line of memory.
 */
#ifndef SERVER_REGISTRY_USAGE_H
#define SERVER_REGISTRY_USAGE_H

#include <stddef.h>
#include <stdint.h>

/* Of one request, or of many together; times in nanoseconds. */
struct usage_counts {
	uint64_t requests, rows, failures;
	uint64_t ns, failure_ns; /* from its first byte read to its answer; of those that failed */
	uint64_t read_ns, compute_ns, write_ns; /* parts of ns */
	uint64_t given;                         /* requests that the model's traffic gave it */
	/* As a shadow: requests and rows that it was asked, rows where it would have answered otherwise, requests that it could
	 * not answer, or that were left out as the daemon had enough to do. */
	uint64_t shadow_requests, shadow_rows, shadow_differing, shadow_failures, shadow_skipped;
	uint64_t last_ms; /* when the last was, since 1970 */
};

struct usage; /* of all versions */
struct usage_record;

struct usage *usage_new(void);        /* NULL: no memory */
void usage_free(struct usage *usage); /* NULL is fine */

/* The record of a version, for as long as that is in memory. NULL: no memory, and nothing is counted. */
struct usage_record *usage_take(struct usage *usage, const char *model, uint64_t number);
/* The version is gone from memory. It may come again: the last thousand such records are kept, and of older ones what they
 * counted for their model, as its version 0. NULL is fine. */
void usage_put(struct usage_record *record);
/* NULL counts nothing. */
void usage_add(struct usage_record *record, const struct usage_counts *more);
/* Calls each for every record, in no order: of that model (NULL: of all), and number (0: all). The lock
 * of the records is held, so it must be quick. */
void usage_each(struct usage *usage, const char *model, uint64_t number,
		void (*each)(void *self, const char *model, uint64_t number,
				const struct usage_counts *counts),
		void *self);

#endif
