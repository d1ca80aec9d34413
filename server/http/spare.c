/* spare.c - exchanges are used again: each thread that begins some keeps a few with the memory of their bodies, so that a
 * request that looks like the last one allocates nothing here. A thread that only ends some keeps none.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/pressure.h"

#define SPARES_MAX 64          /* of a thread */
#define KEEP_BYTES (64u << 10) /* a buffer above this is given back after a request */
/* But for bodies of so many bytes in all: who sends large ones sends them one after the other, and fresh memory for each costs
 * more than reading it. */
#define KEEP_LARGE_BYTES (16u << 20)
/* And all the other buffers of a thread's hold no more than this: requests of many kinds would leave each of them as large as
 * the largest, 120 MiB in an hour. */
#define KEEP_SMALL_BYTES (1u << 20)

struct spares {
	size_t large_bytes; /* of the bodies of items, those above KEEP_BYTES */
	size_t small_bytes; /* of their other buffers */
	struct exchange *items[SPARES_MAX];
	size_t count;
};

#define KEEP_PART 8

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void destroy(struct exchange *x)
{
	buffer_free(&x->url);
	buffer_free(&x->rq.body);
	buffer_free(&x->rp.body);
	free(x);
}

/* As new, but for the memory of the buffers. Parameters and headers beyond their counts mean nothing. */
static void reset(struct exchange *x)
{
	request_reset(&x->rq);
	reply_reset(&x->rp);
	x->phase = PHASE_NEW;
	x->streaming = x->at_work = x->held = x->gone = x->asleep = x->woken = false;
	x->held_until_ms = 0;
	x->received = 0;
	x->sent_status = 0;
	x->sent_bytes = 0;
	*x->trace.span_id = 0;
}

static size_t large_bytes(const struct exchange *x)
{
	return x->rq.body.capacity > KEEP_BYTES ? x->rq.body.capacity : 0;
}

static size_t small_bytes(const struct exchange *x)
{
	return x->url.capacity + x->rp.body.capacity + (large_bytes(x) ? 0 : x->rq.body.capacity);
}

static void free_small(struct exchange *x)
{
	buffer_free(&x->url);
	buffer_free(&x->rp.body);
	if (!large_bytes(x)) buffer_free(&x->rq.body);
}

static struct exchange *pop(struct spares *spares)
{
	struct exchange *x;

	if (!spares || !spares->count) return NULL;
	x = spares->items[--spares->count];
	spares->large_bytes -= large_bytes(x);
	spares->small_bytes -= small_bytes(x);
	memory_unkeep(x->rq.body.memory, large_bytes(x));
	return x;
}

/* What is kept is taken from others: no more than a part of what there is. */
static bool is_plenty(struct memory *memory)
{
	return !memory || memory_taken(memory) < memory->most / KEEP_PART;
}

static bool push(struct spares *spares, struct exchange *x)
{
	if (!spares || spares->count == SPARES_MAX) return false;
	if (spares->large_bytes + large_bytes(x) > KEEP_LARGE_BYTES || !is_plenty(x->rq.body.memory))
		buffer_free(&x->rq.body);
	if (spares->small_bytes + small_bytes(x) > KEEP_SMALL_BYTES) free_small(x);
	spares->large_bytes += large_bytes(x);
	spares->small_bytes += small_bytes(x);
	memory_keep(x->rq.body.memory, large_bytes(x));
	spares->items[spares->count++] = x;
	return true;
}

static void spares_free(void *self)
{
	struct spares *spares = self;
	struct exchange *x;

	while ((x = pop(spares)))
		destroy(x);
	free(spares);
}

static void make_key(void)
{
	pthread_key_create(&key, spares_free);
}

/* This thread's; NULL when there is no memory for it. */
static struct spares *own_spares(void)
{
	struct spares *spares;

	pthread_once(&once, make_key);
	if ((spares = pthread_getspecific(key))) return spares;
	spares = calloc(1, sizeof *spares);
	if (spares && pthread_setspecific(key, spares)) {
		free(spares);
		spares = NULL;
	}
	return spares;
}

struct exchange *exchange_new(const char *url)
{
	struct exchange *x = pop(own_spares());

	if (!x) x = calloc(1, sizeof *x);
	if (!x) return NULL;
	buffer_add(&x->url, url, strlen(url) + 1);
	if (buffer_ok(&x->url)) return x;
	destroy(x);
	return NULL;
}

void exchange_free(struct exchange *x)
{
	pressure_end(x);
	if (x->rq.state_free) x->rq.state_free(x->rq.state);
	if (x->rq.notes) x->rq.notes_free(x->rq.notes);
	free(x->rq.query_memory);
	buffer_reset(&x->url, KEEP_BYTES);
	buffer_reset(&x->rq.body, KEEP_LARGE_BYTES);
	buffer_reset(&x->rp.body, KEEP_BYTES);
	buffer_free(&x->ahead);
	reset(x);
	pthread_once(&once, make_key);
	if (!push(pthread_getspecific(key), x)) destroy(x);
}
