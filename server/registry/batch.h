/* batch.h - requests for one version whose rows share a matrix product.
 *
 * One row through a large network reads all its weights from memory; many rows together read them once. So what comes
 * while the version is busy waits, and goes through the network together as soon as it is not: nothing waits for a clock.
 * Who finds a place free leads: computes its own rows with those that wait, and hands the lead on to one that came
 * meanwhile. A row's scores have the same bits in any company (net_forward).
 */
#ifndef SERVER_REGISTRY_BATCH_H
#define SERVER_REGISTRY_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/gemm.h"
#include "core/net.h"

#define BATCH_ROWS_MAX 16 /* of one request; more share enough among themselves */
#define BATCH_SIZES    7  /* 1, up to 2, 4, … 64 rows */

/* What a row takes, in seconds, measured when the version was loaded. */
struct batch_costs {
	double alone, together;
};

struct batch_counts {                /* of all versions */
	uint64_t sizes[BATCH_SIZES]; /* products by their rows: each of its own size */
	uint64_t rows;
	uint64_t waiting; /* requests, now */
};

struct batches; /* of all versions: its counts, and how many may be computed at once */
struct batch;   /* of one */

/* leads: products of a version at a time. NULL: no memory. */
struct batches *batches_new(unsigned leads);
void batches_free(struct batches *batches); /* NULL is fine */
void batches_count(struct batches *batches, struct batch_counts *out);

/* Both of a network, the quickest of some runs. ERR_NOMEM. */
int batch_measure(const struct net *net, const struct gemm_engine *engine, struct batch_costs *out,
		struct err *e);
/* Does sharing win more than handing a request to another thread and back takes? */
bool batch_pays(struct batch_costs costs);

struct batch *batch_new(
		struct batches *batches, struct batch_costs costs); /* new: batch_free. NULL: no memory */
void batch_free(struct batch *batch);                               /* NULL is fine */
struct batch_costs batch_costs(const struct batch *batch);

/* Rows that wait: x and scores belong to whoever joined. */
struct batch_item {
	struct batch_item *next;
	size_t rows;   /* at most BATCH_ROWS_MAX */
	float *x;      /* (rows, inputs) */
	float *scores; /* (rows, outputs) */
	bool failed;   /* there was no memory to compute it with */
};

/* Is nobody else here? Then waiting makes nothing quicker. who: a caller that can tell itself from others. */
bool batch_lone(struct batch *batch, uintptr_t who);
/* true: the caller must call batch_lead with the item, on a thread that may be busy; false: it waits, and somebody will. */
bool batch_join(struct batch *batch, struct batch_item *item);
/* Computes the item and what waits, and calls done for each, on this thread; after that the item is its owner's. Returns who
 * is to lead next, which the caller must see to, or NULL. work has room for work_rows, at least BATCH_ROWS_MAX. NULL: the
 * items fail. */
struct batch_item *batch_lead(struct batch *batch, struct batch_item *item, const struct net *net,
		struct net_work *work, float *x, size_t work_rows, void (*done)(struct batch_item *item));

#endif
