/* job_curve.c - /v1/jobs/{id}/curve: columns as JSON, thinned where asked. Every row as CSV is job_curve_csv.c.
 *
 * To thin a long curve, its summaries (server/codec/curve_record.h) are read from the coarsest level down to the one that
 * has enough spans for the buckets that are asked for. What it does not cover, before its first span that lies wholly in
 * the range and after its last, is taken from the level below, and so on to the points themselves: a few at either side.
 */
#include <string.h>

#include "server/api/document.h"
#include "server/api/job_curve.h"
#include "server/api/jobs.h"
#include "server/api/models.h"
#include "server/codec/curve.h"
#include "server/codec/curve_record.h"
#include "server/codec/json.h"

#define POINTS_MIN 2
#define POINTS_MAX 1000000 /* of one answer */

struct reading {
	struct curve_range range;
	struct curve curve; /* all points */
	struct faults *faults;
};

/* ---- every point ---- */

static int on_block(void *self, const struct store_curve_block *block, struct err *e)
{
	struct reading *r = self;
	int rc = curve_decode(&r->curve, block->data, block->size, r->range.from, r->range.to, e);

	if (rc || r->curve.count <= POINTS_MAX) return rc;
	faults_add(r->faults, ERR_INVALID, "?points",
			"there are more than %d points in this range, which is what an answer holds: thin them with "
			"points, as in points=2000, ask for a part with from and to, or for CSV, which has them all",
			POINTS_MAX);
	return faults_result(r->faults, e);
}

static int read_all(struct reading *r, struct err *e)
{
	const struct curve_range *range = &r->range;
	int rc = range->store->curve_read(range->store, range->job, curve_key_first(range->keep, range->from),
			curve_key_last(range->keep, range->to), on_block, r, e);

	r->range.view.total = r->curve.count;
	return rc;
}

/* ---- few of many ---- */

/* Part of a curve, in spans. */
struct gathering {
	struct reading *reading;
	uint64_t from, to; /* keys */
	struct curve_spans spans;
};

static int on_spans(void *self, const struct store_curve_block *block, struct err *e)
{
	struct gathering *g = self;

	return curve_decode_spans(&g->spans, block->data, block->size, g->from, g->to, e);
}

static int on_points(void *self, const struct store_curve_block *block, struct err *e)
{
	struct gathering *g = self;
	struct curve curve = { 0 };
	int rc = curve_decode(&curve, block->data, block->size, curve_key_epoch(g->from),
			curve_key_epoch(g->to), e);

	for (size_t i = 0; i < curve.count && !rc; i++) {
		struct curve_span span = curve_span_of(g->reading->range.keep, &curve.points[i]);

		if (span.first >= g->from && span.first <= g->to && !curve_spans_add(&g->spans, &span))
			rc = err_nomem(e);
	}
	curve_clear(&curve);
	return rc;
}

/* What a level has that lies wholly in the range; level 0 has the points. */
static int read_level(struct gathering *g, unsigned level, struct err *e)
{
	struct store *store = g->reading->range.store;

	if (level)
		return store->level_read(store, g->reading->range.job, level, g->from, g->to, on_spans, g, e);
	return store->curve_read(store, g->reading->range.job, g->from, g->to, on_points, g, e);
}

static int append(struct curve_spans *to, const struct curve_spans *from, struct err *e)
{
	for (size_t i = 0; i < from->count; i++)
		if (!curve_spans_add(to, &from->spans[i])) return err_nomem(e);
	return 0;
}

/* Appends the spans that cover keys [from, to] to out: those of the highest level, of `level` and below, that has `wanted`
 * of them, and finer ones at its sides. */
static int cover(struct reading *r, unsigned level, uint64_t from, uint64_t to, size_t wanted,
		struct curve_spans *out, struct err *e)
{
	struct gathering g = { .reading = r, .from = from, .to = to };
	int rc = 0;

	if (from > to) return 0;
	for (;; level--) {
		g.spans.count = 0;
		if ((rc = read_level(&g, level, e)) || !level || (g.spans.count && g.spans.count >= wanted))
			break;
	}
	if (!rc && level) rc = cover(r, level - 1, from, g.spans.spans[0].first - 1, 1, out, e);
	if (!rc) rc = append(out, &g.spans, e);
	if (!rc && level) rc = cover(r, level - 1, g.spans.spans[g.spans.count - 1].last + 1, to, 1, out, e);
	curve_spans_clear(&g.spans);
	return rc;
}

/* The point with this key; what the span knows of it when it went meanwhile. */
static int find_point(struct reading *r, const struct curve_span *span, uint64_t key, struct train_point *out,
		struct err *e)
{
	struct gathering g = { .reading = r, .from = key, .to = key };
	int rc = 0;

	*out = span->kept[0];
	if (span->points > 1 && !(rc = read_level(&g, 0, e)) && g.spans.count)
		*out = g.spans.spans[0].kept[0];
	curve_spans_clear(&g.spans);
	return rc;
}

/* Health is in the blocks of points, all of which are looked at for it. */
static int on_health(void *self, const struct store_curve_block *block, struct err *e)
{
	struct reading *r = self;

	return curve_health_decode(&r->curve.health, block->data, block->size, r->range.from, r->range.to, e);
}

static int read_thinned(struct reading *r, size_t max, struct err *e)
{
	uint64_t from = curve_key_first(r->range.keep, r->range.from),
		 to = curve_key_last(r->range.keep, r->range.to);
	size_t wanted = curve_thin_buckets(max, r->range.view.validated);
	struct train_point first, last;
	struct curve_spans spans = { 0 };
	int rc;

	if ((rc = cover(r, CURVE_LEVELS, from, to, wanted, &spans, e)) || !spans.count) goto out;
	for (size_t i = 0; i < spans.count; i++)
		r->range.view.total += spans.spans[i].points;
	if ((rc = find_point(r, &spans.spans[0], spans.spans[0].first, &first, e)) ||
			(rc = find_point(r, &spans.spans[spans.count - 1], spans.spans[spans.count - 1].last,
					 &last, e)) ||
			(rc = curve_thin(&spans, &first, &last, max, &r->curve, e)))
		goto out;
	if (r->range.view.health && !(rc = r->range.store->curve_read(r->range.store, r->range.job, from, to,
						      on_health, r, e)))
		curve_health_thin(&r->curve.health, max);
out:
	curve_spans_clear(&spans);
	return rc;
}

/* ---- the request ---- */

/* Which metrics the job has: its own say so once it has ended, its model does before. */
static void find_metrics(struct app *app, const struct store_job *job, struct curve_view *view)
{
	json_t *metrics = stored_document(job->metrics), *document = NULL;
	bool accuracy = json_object_get(metrics, "accuracy"), mae = json_object_get(metrics, "mae");
	struct store_model model = { 0 };
	struct definition d = { 0 };

	json_decref(metrics);
	if (!accuracy && !mae && !app->store->model_get(app->store, job->model, &model, NULL) &&
			!model_definition(&model, &d, &document, NULL))
		accuracy = definition_classifies(&d);
	definition_clear(&d);
	json_decref(document);
	store_model_clear(&model);
	view->accuracy = accuracy;
	view->mae = mae || !accuracy;
}

/* What the job's configuration says of its curve. */
static void find_shape(struct app *app, const struct store_job *job, struct reading *r)
{
	json_t *config = stored_document(job->config);
	const char *record = json_string_value(json_object_get(config, "record"));

	r->range.keep = record ? curve_keep_find(record) : CURVE_AUTO;
	r->range.view.validated = json_is_object(json_object_get(config, "validation"));
	json_decref(config);
	find_metrics(app, job, &r->range.view);
}

int job_curve_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct reading r = { .range = { .store = app->store, .to = INT64_MAX },
		.faults = request_faults(rq) };
	struct store_job job = { 0 };
	uint64_t id, points = 0;
	const char *health = request_query(rq, "health");
	int rc;

	if (!r.faults) return err_nomem(e);
	if ((rc = request_number(rq, "job", "job", &id, e))) return rc;
	if ((rc = app->store->job_get(app->store, (int64_t)id, &job, e))) goto out;
	query_number(rq, "from", 0, INT64_MAX, &r.range.from, r.faults);
	query_number(rq, "to", 0, INT64_MAX, &r.range.to, r.faults);
	query_number(rq, "points", POINTS_MIN, POINTS_MAX, &points, r.faults);
	if (health && strcmp(health, "true") && strcmp(health, "false"))
		faults_add(r.faults, ERR_INVALID, "?health", "must be true or false");
	if ((rc = faults_result(r.faults, e))) goto out;
	r.range.job = r.range.view.job = job.id;
	r.range.view.health = health && !strcmp(health, "true");
	find_shape(app, &job, &r);
	if (request_accepts(rq, "text/csv")) {
		rc = curve_reply_csv(rq, rp, &r.range, e);
		goto out;
	}
	if ((rc = points ? read_thinned(&r, points, e) : read_all(&r, e))) goto out;
	curve_write_json(&r.curve, &r.range.view, &rp->body);
	if (!buffer_ok(&rp->body)) rc = err_nomem(e);
out:
	curve_clear(&r.curve);
	store_job_clear(&job);
	return rc;
}

void job_curve_view(struct app *app, const struct store_job *job, struct curve_view *view)
{
	struct reading r = { .range = { .view = { .job = job->id } } };

	find_shape(app, job, &r);
	*view = r.range.view;
}
