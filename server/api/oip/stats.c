/* stats.c - GET /v2/models[/{model}[/versions/{version}]]/stats: Triton's statistics extension. Batches are rows of one request, and
 * there is no queue: what waits is 0. See oip.h. */
#include "server/api/document.h"
#include "server/api/oip/oip.h"
#include "server/codec/json.h"

static json_t *duration(uint64_t count, uint64_t ns)
{
	return json_pack("{s:I,s:I}", "count", (json_int_t)count, "ns", (json_int_t)ns);
}

static json_t *times_document(const struct usage_counts *c)
{
	json_t *out = json_object();

	json_put(out, "success", duration(c->requests, c->ns));
	json_put(out, "fail", duration(c->failures, c->failure_ns));
	json_put(out, "queue", duration(c->requests, 0));
	json_put(out, "compute_input", duration(c->requests, c->read_ns));
	json_put(out, "compute_infer", duration(c->requests, c->compute_ns));
	json_put(out, "compute_output", duration(c->requests, c->write_ns));
	json_put(out, "cache_hit", duration(0, 0));
	json_put(out, "cache_miss", duration(0, 0));
	return out;
}

static void add_version(void *self, const char *model, uint64_t number, const struct usage_counts *c)
{
	json_t *list = self, *out;

	if (!number) return; /* of versions that are gone */
	out = json_object();
	json_put(out, "name", json_string(model));
	json_put(out, "version", json_id((int64_t)number));
	json_put(out, "last_inference", json_integer((json_int_t)c->last_ms));
	json_put(out, "inference_count", json_integer((json_int_t)c->rows));
	json_put(out, "execution_count", json_integer((json_int_t)c->requests));
	json_put(out, "inference_stats", times_document(c));
	json_put(out, "batch_stats", json_array());
	json_array_append_new(list, out);
}

int oip_stats(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	const char *model = request_param(rq, "model");
	struct store_model stored = { 0 };
	json_t *out, *list;
	uint64_t number = 0;
	int rc = 0;

	if (request_param(rq, "version")) rc = request_number(rq, "version", "version", &number, e);
	if (!rc && model) rc = app->store->model_get(app->store, model, &stored, e);
	store_model_clear(&stored);
	if (rc) return rc;
	out = json_object();
	list = json_array();
	usage_each(registry_usage(app->registry), model, number, add_version, list);
	json_put(out, "model_stats", list);
	return reply_document(rp, out, e);
}
