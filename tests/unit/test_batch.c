/* test_batch.c - who leads, who waits, what is computed together; everybody gets the scores of their own rows, in the bits that they
 * have alone.
 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "server/registry/batch.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define INPUTS  4
#define OUTPUTS 3
#define WORK    BATCH_ROWS_MAX
#define CLIENTS 8
#define TURNS   300

static struct net *net;
static struct net_work *work;
static struct batches *batches;
static struct batch *batch;
static float x[WORK * INPUTS];

static void begin(unsigned leads)
{
	const struct layer_spec layers[] = { layer_of(40, "tanh"), layer_of(OUTPUTS, "linear") };

	ck_assert_int_eq(net_new(&net, INPUTS, layers, 2, NULL), 0);
	for (size_t i = 0; i < net_parameters(net); i++)
		net_block(net)[i] = (float)(i * 2654435761u >> 20) / 4096 - 0.5f;
	ck_assert_int_eq(net_work_new(&work, net, WORK, false, test_engine(), NULL, NULL), 0);
	ck_assert_ptr_nonnull(batches = batches_new(leads));
	ck_assert_ptr_nonnull(batch = batch_new(batches, (struct batch_costs){ 2e-4, 5e-5 }));
}

static void finish(void)
{
	batch_free(batch);
	batches_free(batches);
	net_work_free(work);
	net_free(net);
}

struct request {
	struct batch_item item; /* first */
	float x[BATCH_ROWS_MAX * INPUTS], scores[BATCH_ROWS_MAX * OUTPUTS];
	atomic_int done;
};

static void make(struct request *r, size_t rows, unsigned seed)
{
	r->item = (struct batch_item){ .rows = rows, .x = r->x, .scores = r->scores };
	for (size_t i = 0; i < rows * INPUTS; i++)
		r->x[i] = (float)((seed * 31 + i * 17) % 101) / 50 - 1;
	memset(r->scores, 0xFF, sizeof r->scores);
	atomic_store(&r->done, 0);
}

static void on_done(struct batch_item *item)
{
	atomic_fetch_add(&((struct request *)item)->done, 1);
}

static struct batch_item *lead(struct request *r)
{
	return batch_lead(batch, &r->item, net, work, x, WORK, on_done);
}

/* Each row's scores are those that it has alone. */
static bool right(const struct request *r, struct net_work *alone)
{
	const float *scores;

	for (size_t i = 0; i < r->item.rows; i++) {
		net_forward(net, alone, r->x + i * INPUTS, 1, &scores);
		if (memcmp(scores, r->scores + i * OUTPUTS, OUTPUTS * sizeof *scores)) return false;
	}
	return atomic_load(&r->done) == 1 && !r->item.failed;
}

START_TEST(what_waits_goes_together)
{
	struct request r[5];
	struct batch_counts counts;

	begin(1);
	for (unsigned i = 0; i < 5; i++)
		make(&r[i], i == 3 ? 12 : 1 + i, i);
	ck_assert(batch_join(batch, &r[0].item));
	for (int i = 1; i < 5; i++)
		ck_assert(!batch_join(batch, &r[i].item));
	batches_count(batches, &counts);
	ck_assert_uint_eq(counts.waiting, 4);
	ck_assert_ptr_eq(lead(&r[0]), &r[3].item); /* 1 + 2 + 3 rows; 12 more are too many */
	for (int i = 0; i < 3; i++)
		ck_assert(right(&r[i], work));
	ck_assert_int_eq(atomic_load(&r[3].done), 0);
	ck_assert(!batch_join(batch, &r[0].item)); /* somebody leads still */
	atomic_store(&r[0].done, 0);
	ck_assert_ptr_eq(lead(&r[3]), &r[4].item);
	ck_assert(right(&r[3], work));
	ck_assert_ptr_null(lead(&r[4])); /* with r[0] */
	ck_assert(right(&r[4], work) && right(&r[0], work));
	batches_count(batches, &counts);
	ck_assert_uint_eq(counts.waiting, 0);
	ck_assert_uint_eq(counts.rows, 6 + 12 + 6);
	ck_assert_uint_eq(counts.sizes[3], 2); /* up to 8 */
	ck_assert_uint_eq(counts.sizes[4], 1);
	ck_assert(batch_join(batch, &r[1].item)); /* the lead is free again */
	ck_assert_ptr_null(lead(&r[1]));
	finish();
}
END_TEST

START_TEST(several_lead)
{
	struct request r[3];

	begin(2);
	for (unsigned i = 0; i < 3; i++)
		make(&r[i], 1, i);
	ck_assert(batch_join(batch, &r[0].item));
	ck_assert(batch_join(batch, &r[1].item));
	ck_assert(!batch_join(batch, &r[2].item));
	ck_assert_ptr_null(lead(&r[1])); /* with r[2] */
	ck_assert(right(&r[1], work) && right(&r[2], work));
	ck_assert_int_eq(atomic_load(&r[0].done), 0);
	ck_assert_ptr_null(lead(&r[0]));
	finish();
}
END_TEST

START_TEST(no_memory_to_compute_with)
{
	struct request r[2];

	begin(1);
	make(&r[0], 1, 0);
	make(&r[1], 1, 1);
	ck_assert(batch_join(batch, &r[0].item));
	ck_assert(!batch_join(batch, &r[1].item));
	ck_assert_ptr_eq(batch_lead(batch, &r[0].item, net, NULL, NULL, 0, on_done), &r[1].item);
	ck_assert(r[0].item.failed && atomic_load(&r[0].done) == 1);
	ck_assert_ptr_null(lead(&r[1]));
	ck_assert(right(&r[1], work));
	finish();
}
END_TEST

START_TEST(who_is_alone)
{
	struct request r;

	begin(1);
	make(&r, 1, 0);
	ck_assert(!batch_lone(batch, 7)); /* nobody knows yet */
	ck_assert(batch_lone(batch, 7));
	ck_assert(!batch_lone(batch, 8));
	ck_assert(!batch_lone(batch, 7));
	ck_assert(batch_join(batch, &r.item));
	ck_assert(!batch_lone(batch, 7)); /* another is at work */
	lead(&r);
	ck_assert(batch_lone(batch, 7));
	finish();
}
END_TEST

START_TEST(when_it_pays)
{
	struct batch_costs costs;

	begin(1);
	ck_assert(batch_pays((struct batch_costs){ 3e-4, 4e-5 }));
	ck_assert(!batch_pays((struct batch_costs){ 3e-5, 2e-5 }));
	ck_assert(!batch_pays((struct batch_costs){ 3e-3, 3e-3 }));
	ck_assert_int_eq(batch_measure(net, test_engine(), &costs, NULL), 0);
	ck_assert(costs.alone > 0 && costs.together > 0);
	ck_assert(!batch_pays(costs)); /* 300 weights */
	ck_assert_double_eq(batch_costs(batch).alone, 2e-4);
	finish();
}
END_TEST

/* Clients on threads of their own, each of whom leads when told to. Returns what is wrong, or NULL. */
static void *ask_on(void *arg)
{
	struct net_work *own;
	float own_x[WORK * INPUTS];
	unsigned me = (unsigned)(size_t)arg;
	struct request r;

	if (net_work_new(&own, net, WORK, false, test_engine(), NULL, NULL)) return "no memory";
	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct batch_item *next;

		make(&r, 1 + turn % 5, me * TURNS + turn);
		next = batch_join(batch, &r.item) ? &r.item : NULL;
		while (next)
			next = batch_lead(batch, next, net, own, own_x, WORK, on_done);
		while (!atomic_load(&r.done))
			usleep(1);
		if (!right(&r, own)) return "scores of other rows";
	}
	net_work_free(own);
	return NULL;
}

START_TEST(many_at_once)
{
	pthread_t threads[CLIENTS];
	struct batch_counts counts;

	begin(2);
	for (size_t i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_on, (void *)i), 0);
	for (int i = 0; i < CLIENTS; i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		ck_assert_msg(!wrong, "%s", (const char *)wrong);
	}
	batches_count(batches, &counts);
	ck_assert_uint_eq(counts.waiting, 0);
	ck_assert_uint_eq(counts.rows, CLIENTS * TURNS * 3); /* 1 to 5 rows */
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_waits_goes_together, several_lead, no_memory_to_compute_with,
		who_is_alone, when_it_pays, many_at_once, NULL };

	return suite_main("batch", tests, 60);
}
