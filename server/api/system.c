/* system.c - the daemon about itself: probes, what runs here, the contract. */
#include <string.h>
#include <time.h>

#include "schema/embedded.h"
#include "server/api/document.h"
#include "server/api/system.h"
#include "server/codec/json.h"
#include "server/codec/train_request.h"

#define BATCHES_SHOWN 100

static int reply_ok(struct reply *rp)
{
	buffer_text(&rp->body, "{\"status\":\"ok\"}");
	return 0;
}

int livez(struct request *rq, struct reply *rp, struct err *e)
{
	(void)rq;
	(void)e;
	return reply_ok(rp);
}

int readyz(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;

	if (atomic_load(&app->stopping)) return err_set(e, ERR_BUSY, "the daemon is stopping");
	if (app->store->check(app->store, e)) return ERR_BUSY; /* whatever it is, e says it: not ready */
	if (!request_query(rq, "verbose")) return reply_ok(rp);
	buffer_text(&rp->body,
			"{\"status\":\"ok\",\"checks\":{\"store_writable\":\"ok\",\"store_migrated\":\"ok\","
			"\"not_draining\":\"ok\"}}");
	return 0;
}

static json_t *whole(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *store_document(const struct store_info *info)
{
	json_t *out = json_object();

	json_put(out, "engine", json_string(info->engine));
	json_put(out, "path", json_string(info->path));
	json_put(out, "schema", whole(info->schema));
	json_put(out, "file_bytes", whole(info->file_bytes));
	json_put(out, "free_bytes", whole(info->free_bytes));
	json_put(out, "datasets", whole(info->datasets));
	json_put(out, "models", whole(info->models));
	json_put(out, "versions", whole(info->versions));
	json_put(out, "jobs", whole(info->jobs));
	json_put(out, "dataset_bytes", whole(info->dataset_bytes));
	json_put(out, "version_bytes", whole(info->version_bytes));
	json_put(out, "checkpoint_bytes", whole(info->checkpoint_bytes));
	return out;
}

static json_t *states_document(const struct store_info *info)
{
	json_t *out = json_object();

	for (int state = 0; state < JOB_STATES; state++)
		json_put(out, job_state_name((enum job_state)state), whole(info->jobs_by_state[state]));
	return out;
}

/* How much is kept; null: all of it. */
static json_t *kept_document(const struct app *app)
{
	json_t *out = json_object();
	uint32_t jobs, versions;

	keeper_wants(app->keeper, &jobs, &versions);
	json_put(out, "jobs", jobs == KEEP_ALL ? json_null() : whole(jobs));
	json_put(out, "versions", versions == KEEP_ALL ? json_null() : whole(versions));
	return out;
}

static json_t *limits_document(const struct app *app)
{
	json_t *out = json_object();

	json_put(out, "body_bytes", whole(app->body_bytes));
	json_put(out, "upload_bytes", whole(app->upload_bytes));
	json_put(out, "connections", whole(app->connections_max));
	json_put(out, "memory_bytes", whole(app->memory_bytes));
	json_put(out, "training_memory_bytes", whole(app->jobs_memory_bytes));
	json_put(out, "layers", whole(NET_LAYERS_MAX));
	json_put(out, "units", whole(NET_UNITS_MAX));
	json_put(out, "epochs", whole(TRAIN_EPOCHS_MAX));
	return out;
}

struct batches {
	const struct request *rq;
	json_t *list;
};

static void add_batch(void *self, const struct version *version, struct batch_costs costs)
{
	const struct batches *b = self;
	const struct app *app = b->rq->app;

	if (json_array_size(b->list) == BATCHES_SHOWN) return;
	if (b->rq->limited && auth_may_see(app->auth, b->rq->token, version_name(version), NULL)) return;
	json_array_append_new(
			b->list, json_pack("{s:s,s:o,s:f,s:f}", "model", version_name(version), "version",
						 json_id((int64_t)version_number(version)), "row_seconds",
						 costs.alone, "batched_row_seconds", costs.together));
}

/* Of the models that the caller may see. */
static json_t *batching_document(const struct request *rq)
{
	const struct app *app = rq->app;
	struct batches batches = { rq, json_array() };

	registry_each_batch(app->registry, add_batch, &batches);
	return json_pack("{s:b,s:o}", "enabled", app->batching, "versions", batches.list);
}

/* Seconds on a clock that nobody sets. */
int64_t system_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

int system_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_info info = { 0 };
	json_t *out;
	int rc = app->store->info(app->store, &info, e);

	if (rc) return rc;
	out = json_object();
	json_put(out, "version", json_string(DESCENTD_VERSION));
	json_put(out, "started_at", json_time(app->started_ms));
	json_put(out, "uptime_seconds", whole((uint64_t)(system_clock() - app->started_seconds)));
	json_put(out, "threads",
			json_pack("{s:i,s:i,s:i}", "loops", (int)app->loops, "workers", (int)app->workers,
					"threads", (int)app->threads));
	json_put(out, "engine",
			json_pack("{s:s,s:s}", "name", app->engine->name, "description",
					app->engine->description));
	json_put(out, "store", store_document(&info));
	json_put(out, "jobs", states_document(&info));
	json_put(out, "keep", kept_document(app));
	json_put(out, "limits", limits_document(app));
	json_put(out, "batching", batching_document(rq));
	store_info_clear(&info);
	return reply_document(rp, out, e);
}

int openapi_get(struct request *rq, struct reply *rp, struct err *e)
{
	const struct embedded_file *file = embedded_find("schema/openapi.json");

	(void)rq;
	if (!file) return err_set(e, ERR_CORRUPT, "the contract was not built in");
	buffer_add(&rp->body, file->data, file->size);
	return buffer_ok(&rp->body) ? 0 : err_nomem(e);
}
