/* job_curve_csv.c - every row of a curve as CSV. Few rows are an answer like any other. Of many only the beginning is read
 * beforehand; the rest is read as fast as the client takes it, so that no memory grows with the curve.
 */
#include <stdlib.h>
#include <string.h>

#include "server/api/job_curve.h"

#define PIECE_BYTES (256u << 10)
#define ENOUGH      ERR_WOULD_BLOCK /* a piece is full */

struct rows {
	struct curve_range range;
	uint64_t next, last; /* keys that were not read yet */
	struct curve curve;  /* of the block at hand */
	struct buffer text;  /* what was read, of which `sent` bytes have gone */
	size_t sent;
	bool over, failed;
};

static void rows_free(void *self)
{
	struct rows *r = self;

	curve_clear(&r->curve);
	buffer_free(&r->text);
	free(r);
}

static int on_block(void *self, const struct store_curve_block *block, struct err *e)
{
	struct rows *r = self;
	int rc;

	r->curve.count = 0;
	if ((rc = curve_decode(&r->curve, block->data, block->size, r->range.from, r->range.to, e)))
		return rc;
	curve_health_clear(&r->curve.health);
	curve_write_csv(&r->curve, &r->range.view, &r->text);
	r->next = block->last + 1;
	if (!buffer_ok(&r->text)) return err_nomem(e);
	return r->text.size >= PIECE_BYTES ? ENOUGH : 0;
}

/* The next piece. */
static int read_piece(struct rows *r, struct err *e)
{
	struct store *store = r->range.store;
	int rc = store->curve_read(store, r->range.job, r->next, r->last, on_block, r, e);

	r->over = !rc;
	return rc == ENOUGH ? 0 : rc;
}

/* ---- as a source ---- */

static ssize_t rows_next(void *self, char *to, size_t size)
{
	struct rows *r = self;
	size_t left = r->text.size - r->sent;

	if (!left) return r->failed ? REPLY_BROKEN : r->over ? REPLY_END : 0;
	if (left < size) size = left;
	memcpy(to, r->text.data + r->sent, size);
	r->sent += size;
	return (ssize_t)size;
}

static void rows_fill(void *self)
{
	struct rows *r = self;
	struct err e;

	r->text.size = r->sent = 0;
	r->failed = read_piece(r, &e) != 0;
}

int curve_reply_csv(struct request *rq, struct reply *rp, const struct curve_range *range, struct err *e)
{
	struct rows *r = calloc(1, sizeof *r);
	int rc;

	if (!r) return err_nomem(e);
	r->range = *range;
	r->next = curve_key_first(range->keep, range->from);
	r->last = curve_key_last(range->keep, range->to);
	curve_write_csv_head(&range->view, &r->text);
	rp->content_type = "text/csv";
	if (!(rc = read_piece(r, e)) && !r->over) {
		rq->state = r;
		rq->state_free = rows_free;
		rp->source = (struct reply_source){ .self = r, .next = rows_next, .fill = rows_fill };
		return 0;
	}
	if (!rc) buffer_add(&rp->body, r->text.data, r->text.size);
	rows_free(r);
	return rc;
}
