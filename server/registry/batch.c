/* batch.c - see batch.h. */
#include "server/registry/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WEIGHTS_MIN \
	50000           /* a row through fewer takes less than handing it to another thread, on any machine */
#define MEASURED_RUNS 4 /* the first warms up */
/* Handing a request to a thread and back takes about 10 us (bench/serve.py); sharing has to win more. */
#define HANDOVER_SECONDS 20e-6

struct batches {
	unsigned leads;
	_Atomic uint64_t sizes[BATCH_SIZES], rows, waiting;
};

struct batch {
	struct batches *all;
	struct batch_costs costs;
	atomic_uintptr_t last; /* who was here */
	pthread_mutex_t lock;  /* everything below */
	struct batch_item *first, **end;
	unsigned leads;
};

struct batches *batches_new(unsigned leads)
{
	struct batches *all = calloc(1, sizeof *all);

	if (all) all->leads = leads ? leads : 1;
	return all;
}

void batches_free(struct batches *all)
{
	free(all);
}

void batches_count(struct batches *all, struct batch_counts *out)
{
	for (size_t i = 0; i < BATCH_SIZES; i++)
		out->sizes[i] = atomic_load_explicit(&all->sizes[i], memory_order_relaxed);
	out->rows = atomic_load_explicit(&all->rows, memory_order_relaxed);
	out->waiting = atomic_load_explicit(&all->waiting, memory_order_relaxed);
}

/* ---- does it pay ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The quickest of some runs, in seconds a row. */
static double measure(const struct net *net, struct net_work *work, const float *x, size_t rows)
{
	const float *scores;
	double best = 1e9;

	for (int i = 0; i < MEASURED_RUNS; i++) {
		double begun = now(), taken;

		net_forward(net, work, x, rows, &scores);
		taken = (now() - begun) / (double)rows;
		if (i && taken < best) best = taken;
	}
	return best;
}

int batch_measure(const struct net *net, const struct gemm_engine *engine, struct batch_costs *out,
		struct err *e)
{
	struct net_work *work = NULL;
	float *x = calloc(BATCH_ROWS_MAX * net_inputs(net), sizeof *x);
	int rc = x ? net_work_new(&work, net, BATCH_ROWS_MAX, false, engine, NULL, e) : err_nomem(e);

	*out = (struct batch_costs){ 0 };
	if (!rc) {
		out->alone = measure(net, work, x, 1);
		out->together = measure(net, work, x, BATCH_ROWS_MAX);
	}
	net_work_free(work);
	free(x);
	return rc;
}

bool batch_pays(struct batch_costs costs)
{
	return costs.alone - costs.together > HANDOVER_SECONDS;
}

struct batch *batch_new(struct batches *all, struct batch_costs costs)
{
	struct batch *b = calloc(1, sizeof *b);

	if (!b) return NULL;
	b->all = all;
	b->costs = costs;
	b->end = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	return b;
}

void batch_free(struct batch *b)
{
	if (!b) return;
	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct batch_costs batch_costs(const struct batch *b)
{
	return b->costs;
}

/* ---- together ---- */

bool batch_lone(struct batch *b, uintptr_t who)
{
	bool same = atomic_exchange_explicit(&b->last, who, memory_order_relaxed) == who, idle;

	if (!same) return false;
	pthread_mutex_lock(&b->lock);
	idle = !b->leads;
	pthread_mutex_unlock(&b->lock);
	return idle;
}

bool batch_join(struct batch *b, struct batch_item *item)
{
	bool leads;

	item->next = NULL;
	item->failed = false;
	pthread_mutex_lock(&b->lock);
	leads = b->leads < b->all->leads;
	if (leads) {
		b->leads++;
	} else {
		*b->end = item;
		b->end = &item->next;
		atomic_fetch_add_explicit(&b->all->waiting, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&b->lock);
	return leads;
}

/* Under the lock. */
static struct batch_item *pop(struct batch *b)
{
	struct batch_item *item = b->first;

	if (!item) return NULL;
	b->first = item->next;
	if (!b->first) b->end = &b->first;
	item->next = NULL;
	atomic_fetch_sub_explicit(&b->all->waiting, 1, memory_order_relaxed);
	return item;
}

/* Behind the item those that wait, as many as fit. */
static void gather(struct batch *b, struct batch_item *item, size_t room)
{
	size_t rows = item->rows;

	pthread_mutex_lock(&b->lock);
	while (b->first && rows + b->first->rows <= room) {
		item->next = pop(b);
		item = item->next;
		rows += item->rows;
	}
	pthread_mutex_unlock(&b->lock);
}

static void count(struct batches *all, size_t rows)
{
	size_t size = 0;

	while (size < BATCH_SIZES - 1 && rows > (size_t)1 << size)
		size++;
	atomic_fetch_add_explicit(&all->sizes[size], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&all->rows, rows, memory_order_relaxed);
}

static void compute(struct batch *b, struct batch_item *items, const struct net *net, struct net_work *work,
		float *x)
{
	size_t inputs = net_inputs(net), outputs = net_outputs(net), rows = 0;
	const float *scores;

	for (struct batch_item *item = items; item; item = item->next) {
		memcpy(x + rows * inputs, item->x, item->rows * inputs * sizeof *x);
		rows += item->rows;
	}
	net_forward(net, work, x, rows, &scores);
	count(b->all, rows);
	for (struct batch_item *item = items; item; item = item->next) {
		memcpy(item->scores, scores, item->rows * outputs * sizeof *scores);
		scores += item->rows * outputs;
	}
}

struct batch_item *batch_lead(struct batch *b, struct batch_item *item, const struct net *net,
		struct net_work *work, float *x, size_t work_rows, void (*done)(struct batch_item *item))
{
	struct batch_item *next;

	gather(b, item, work ? work_rows : 0);
	if (work) compute(b, item, net, work, x);
	for (; item; item = next) {
		next = item->next; /* done lets go of it */
		item->failed = !work;
		done(item);
	}
	pthread_mutex_lock(&b->lock);
	if (!(next = pop(b))) b->leads--;
	pthread_mutex_unlock(&b->lock);
	return next;
}
