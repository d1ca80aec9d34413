/* batch.c - requests whose rows go through a large network together: what lies between a handler and registry/batch.h. See
 * predict.h.
 *
 * A handler on a loop's thread reads its rows into a share and returns ERR_LATER; its connection waits. The share that
 * leads is computed on the pool, with all that wait; each of their handlers runs again on its own loop then, and
 * writes its answer.
 */
#include <stdlib.h>
#include <string.h>

#include "server/api/predict.h"

struct share {
	struct batch_item item; /* first */
	struct request *rq;
	struct prediction p; /* held */
	float memory[];      /* x, scores */
};

static void share_free(void *self)
{
	struct share *share = self;

	version_put(share->p.version);
	free(share);
}

void batch_end(struct share *share)
{
	free(share); /* its prediction was taken */
}

bool batch_joined(struct request *rq, struct prediction *p, struct share **share)
{
	*share = rq->later ? rq->state : NULL;
	if (!*share) return false;
	rq->later = NULL;
	rq->state = NULL;
	rq->state_free = NULL;
	*p = (*share)->p;
	return true;
}

int batch_scores(const struct share *share, const float **scores, size_t *rows, struct err *e)
{
	*scores = share->item.scores;
	*rows = share->item.rows;
	return share->item.failed ? err_nomem(e) : 0;
}

bool batch_wanted(const struct request *rq, const struct prediction *p, uint64_t rows)
{
	struct batch *batch = version_batch(p->version);

	return batch && !rq->may_wait && rows && rows <= BATCH_ROWS_MAX &&
	       !batch_lone(batch, (uintptr_t)rq->connection);
}

static void done(struct batch_item *item)
{
	http_again(((struct share *)item)->rq);
}

static struct request *lead(struct share *share)
{
	struct version *version =
			version_share(share->p.version); /* the share may be gone before we are done */
	const struct net *net = share->p.model->net;
	const struct version_work *work = NULL;
	struct batch_item *next;
	int rc = version_work(version, &work, NULL);

	next = batch_lead(version_batch(version), &share->item, net, rc ? NULL : work->net,
			rc ? NULL : work->x, rc ? 0 : work->rows, done);
	version_put(version);
	return next ? ((struct share *)next)->rq : NULL;
}

/* Where the pool takes nothing more, as when it ends, this thread goes on. */
static void run(struct request *rq)
{
	do
		rq = lead(rq->state);
	while (rq && !http_compute(rq, run));
}

static void later(struct request *rq)
{
	struct share *share = rq->state;

	if (!batch_join(version_batch(share->p.version), &share->item)) return;
	if (!http_compute(rq, run)) run(rq);
}

/* By itself: the scores of one product. */
static int compute(struct share *share, struct err *e)
{
	const struct version_work *work;
	const float *scores;
	int rc = version_work(share->p.version, &work, e);

	if (rc) return rc;
	net_forward(share->p.model->net, work->net, share->item.x, share->item.rows, &scores);
	memcpy(share->item.scores, scores,
			share->item.rows * net_outputs(share->p.model->net) * sizeof *scores);
	return 0;
}

static struct share *share_new(struct request *rq, const struct prediction *p, size_t rows)
{
	size_t inputs = (rows + 1) *
			net_inputs(p->model->net); /* the one more shows whether there are more */
	size_t outputs = rows * net_outputs(p->model->net);
	struct share *share = malloc(sizeof *share + (inputs + outputs) * sizeof *share->memory);

	if (!share) return NULL;
	*share = (struct share){ .rq = rq, .p = *p };
	share->item.rows = rows;
	share->item.x = share->memory;
	share->item.scores = share->memory + inputs;
	return share;
}

int batch_read(struct request *rq, struct prediction *p, struct rows *rows, struct faults *faults,
		size_t count, struct share **out, struct err *e)
{
	struct share *share = share_new(rq, p, count);
	size_t n = 0;
	int rc = share ? 0 : err_nomem(e);

	*out = NULL;
	if (!rc) rc = rows_next(rows, count, share->item.x, &n, e);
	if (!rc && n) rc = rows_next(rows, 1, share->item.x + count * net_inputs(p->model->net), &n, e);
	if (!rc) rc = faults_result(faults, e);
	if (rc || rows_count(rows) != count) {
		free(share);
		return rc;
	}
	if (rows_warnings(rows)) { /* they lie in the thread's reader */
		*out = share;
		return compute(share, e);
	}
	p->version = NULL;
	rq->state = share;
	rq->state_free = share_free;
	rq->later = later;
	return ERR_LATER;
}
