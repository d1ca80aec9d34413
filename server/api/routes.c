/* routes.c - every path of the daemon, and who may use it. See server/http/route.h for what a row says. */
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/api/catalog.h"
#include "server/api/datasets.h"
#include "server/api/document.h"
#include "server/api/events.h"
#include "server/api/jobs.h"
#include "server/api/models.h"
#include "server/api/oip/oip.h"
#include "server/api/predict.h"
#include "server/api/system.h"
#include "server/codec/body.h"

/* Stand for limits that the configuration gives. */
enum { BODY_DOCUMENT = 1, BODY_UPLOAD = 2 };

#define PREDICTION (ROUTE_INLINE | EVALUATION)
#define EVALUATION (ROUTE_ANY_TYPE | ROUTE_DIALECT | ROUTE_CODED)
#define UPLOAD     (ROUTE_CHANGE | ROUTE_CODED)
#define PROBE      (ROUTE_INLINE | ROUTE_ANY_HOST | ROUTE_VITAL)
#define PAGE       "limit cursor"
#define EVENTS     "text/event-stream application/x-ndjson"
#define CSV        "application/json text/csv"
#define OIP        (ROUTE_DIALECT | ROUTE_PLAIN_ERRORS)
#define TABLES     "application/json text/csv application/x-npy"
#define TENSORS    "application/json application/octet-stream"

/* clang-format off */
static const struct route routes[] = {
	/* method  path                                                         role        body           flags         handler */
	/* asked most, so they stand where they are found first */
	{ "POST",   "/v1/models/{model}:predict",                               ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = predict,
	  .produces = TABLES },
	{ "POST",   "/v1/models/{model}/versions/{version}:predict",            ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = predict,
	  .produces = TABLES },
	{ "POST",   "/v1/models/{model}/labels/{label}:predict",                ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = predict,
	  .produces = TABLES },
	{ "POST",   "/v1/models/{model}:classify",                              ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = classify },
	{ "POST",   "/v1/models/{model}/versions/{version}:classify",           ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = classify },
	{ "POST",   "/v1/models/{model}/labels/{label}:classify",               ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = classify },
	{ "POST",   "/v1/models/{model}:regress",                               ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = regress },
	{ "POST",   "/v1/models/{model}/versions/{version}:regress",            ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = regress },
	{ "POST",   "/v1/models/{model}/labels/{label}:regress",                ROLE_PREDICT, BODY_DOCUMENT, PREDICTION, .handler = regress },
	{ "POST",   "/v2/models/{model}/infer",                                 ROLE_PREDICT, BODY_DOCUMENT, OIP | PREDICTION, .handler = oip_infer,
	  .produces = TENSORS },
	{ "POST",   "/v2/models/{model}/versions/{version}/infer",              ROLE_PREDICT, BODY_DOCUMENT, OIP | PREDICTION, .handler = oip_infer,
	  .produces = TENSORS },

	{ "PUT",    "/v1/datasets/{dataset}",                                   ROLE_TRAIN, BODY_UPLOAD,   UPLOAD,       .handler = dataset_put,
	  .consumes = BODY_MEDIA_TYPES, .query = "types decimal replace", .stream = &dataset_stream },
	{ "PATCH",  "/v1/datasets/{dataset}",                                   ROLE_TRAIN, BODY_UPLOAD,   UPLOAD,       .handler = dataset_patch,
	  .consumes = BODY_MEDIA_TYPES, .query = "decimal", .stream = &append_stream },
	{ "GET",    "/v1/datasets/{dataset}",                                   ROLE_READ,  0,             0,            .handler = dataset_get },
	{ "GET",    "/v1/datasets/{dataset}/rows",                              ROLE_READ,  0,             0,            .handler = dataset_rows,
	  .produces = CSV, .query = "offset limit" },
	{ "PUT",    "/v1/datasets/{dataset}/columns/{column}",                  ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = dataset_column_put },
	{ "DELETE", "/v1/datasets/{dataset}",                                   ROLE_TRAIN, 0,             ROUTE_CHANGE, .handler = dataset_delete },
	{ "GET",    "/v1/datasets",                                             ROLE_READ,  0,             0,            .handler = dataset_list, .query = PAGE },

	{ "PUT",    "/v1/models/{model}",                                       ROLE_TRAIN, BODY_DOCUMENT, ROUTE_CHANGE, .handler = model_put },
	{ "GET",    "/v1/models/{model}",                                       ROLE_READ,  0,             0,            .handler = model_get },
	{ "PATCH",  "/v1/models/{model}",                                       ROLE_TRAIN, BODY_DOCUMENT, ROUTE_CHANGE, .handler = model_patch },
	{ "DELETE", "/v1/models/{model}",                                       ROLE_TRAIN, 0,             ROUTE_CHANGE, .handler = model_delete, .query = "force" },
	{ "GET",    "/v1/models",                                               ROLE_READ,  0,             0,            .handler = model_list, .query = PAGE },

	{ "POST",   "/v1/models/{model}/versions",                              ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = version_post },
	{ "GET",    "/v1/models/{model}/versions",                              ROLE_READ,  0,             0,            .handler = version_list, .query = PAGE },
	{ "GET",    "/v1/models/{model}/versions/{version}",                    ROLE_READ,  0,             0,            .handler = version_get },
	{ "DELETE", "/v1/models/{model}/versions/{version}",                    ROLE_TRAIN, 0,             ROUTE_CHANGE, .handler = version_delete },
	{ "PUT",    "/v1/models/{model}/labels/{label}",                        ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = label_put },
	{ "DELETE", "/v1/models/{model}/labels/{label}",                        ROLE_TRAIN, 0,             0,            .handler = label_delete },
	{ "PUT",    "/v1/models/{model}/traffic",                               ROLE_TRAIN, BODY_DOCUMENT, ROUTE_CHANGE, .handler = traffic_change },
	{ "GET",    "/v1/models/{model}/traffic",                               ROLE_READ,  0,             0,            .handler = traffic_show },
	{ "DELETE", "/v1/models/{model}/traffic",                               ROLE_TRAIN, 0,             ROUTE_CHANGE, .handler = traffic_end },
	{ "GET",    "/v1/models/{model}/versions/{version}/layers",             ROLE_READ,  0,             0,            .handler = layer_list },
	{ "GET",    "/v1/models/{model}/versions/{version}/layers/{layer}",     ROLE_READ,  0,             0,            .handler = layer_get },
	{ "GET",    "/v1/models/{model}/versions/{version}/layers/{layer}/neurons/{neuron}",
	                                                                        ROLE_READ,  0,             0,            .handler = neuron_get },

	{ "GET",    "/v1/models/{model}/metadata",                              ROLE_READ,  0,             ROUTE_DIALECT, .handler = version_metadata },
	{ "GET",    "/v1/models/{model}/versions/{version}/metadata",           ROLE_READ,  0,             ROUTE_DIALECT, .handler = version_metadata },
	{ "GET",    "/v1/models/{model}/labels/{label}/metadata",               ROLE_READ,  0,             ROUTE_DIALECT, .handler = version_metadata },
	{ "GET",    "/v1/models/{model}/drift",                                 ROLE_READ,  0,             0,            .handler = drift_get },
	{ "GET",    "/v1/models/{model}/versions/{version}/drift",              ROLE_READ,  0,             0,            .handler = drift_get },
	{ "GET",    "/v1/models/{model}/labels/{label}/drift",                  ROLE_READ,  0,             0,            .handler = drift_get },

	{ "POST",   "/v1/models/{model}:train",                                 ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = model_train },
	{ "POST",   "/v1/models/{model}:crossvalidate",                         ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = model_crossvalidate },
	{ "POST",   "/v1/models/{model}:sweep",                                 ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = model_sweep },
	{ "POST",   "/v1/models/{model}:estimate",                              ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = model_estimate },
	{ "GET",    "/v1/jobs",                                                 ROLE_READ,  0,             0,            .handler = job_list, .query = "model state " PAGE },
	{ "GET",    "/v1/jobs/{job}",                                           ROLE_READ,  0,             0,            .handler = job_get },
	{ "PATCH",  "/v1/jobs/{job}",                                           ROLE_TRAIN, BODY_DOCUMENT, ROUTE_CHANGE, .handler = job_patch },
	{ "DELETE", "/v1/jobs/{job}",                                           ROLE_TRAIN, 0,             ROUTE_CHANGE, .handler = job_delete },
	{ "POST",   "/v1/jobs/{job}:cancel",                                    ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = job_cancel },
	{ "POST",   "/v1/jobs/{job}:pause",                                     ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = job_pause },
	{ "POST",   "/v1/jobs/{job}:resume",                                    ROLE_TRAIN, BODY_DOCUMENT, 0,            .handler = job_resume },
	{ "GET",    "/v1/jobs/{job}/curve",                                     ROLE_READ,  0,             0,            .handler = job_curve_get,
	  .produces = CSV, .query = "from to points health" },
	{ "GET",    "/v1/jobs/{job}/events",                                    ROLE_READ,  0,             0,            .handler = job_events, .produces = EVENTS },
	{ "GET",    "/v1/events",                                               ROLE_READ,  0,             ROUTE_ALL_MODELS,            .handler = all_events,
	  .produces = EVENTS, .query = "topics" },
	{ "GET",    "/v1/jobs/{job}/predictions",                               ROLE_READ,  0,             0,            .handler = job_predictions,
	  .produces = CSV, .query = "offset limit" },
	{ "GET",    "/v1/jobs/{job}/runs",                                      ROLE_READ,  0,             0,            .handler = job_runs },

	{ "POST",   "/v1/models/{model}:explain",                               ROLE_PREDICT, BODY_DOCUMENT, EVALUATION, .handler = explain_verb },
	{ "POST",   "/v1/models/{model}/versions/{version}:explain",            ROLE_PREDICT, BODY_DOCUMENT, EVALUATION, .handler = explain_verb },
	{ "POST",   "/v1/models/{model}/labels/{label}:explain",                ROLE_PREDICT, BODY_DOCUMENT, EVALUATION, .handler = explain_verb },
	{ "POST",   "/v1/models/{model}:evaluate",                              ROLE_PREDICT, BODY_DOCUMENT, EVALUATION, .handler = evaluate },
	{ "POST",   "/v1/models/{model}/versions/{version}:evaluate",           ROLE_PREDICT, BODY_DOCUMENT, EVALUATION, .handler = evaluate },
	{ "POST",   "/v1/models/{model}/labels/{label}:evaluate",               ROLE_PREDICT, BODY_DOCUMENT, EVALUATION, .handler = evaluate },

	{ "GET",    "/v2",                                                      ROLE_READ,  0,             OIP,          .handler = oip_server },
	{ "GET",    "/v2/",                                                     ROLE_READ,  0,             OIP,          .handler = oip_server },
	{ "GET",    "/v2/health/live",                                          ROLE_NONE,  0,             OIP | PROBE,  .handler = oip_live },
	{ "GET",    "/v2/health/ready",                                         ROLE_NONE,  0,             OIP | ROUTE_ANY_HOST | ROUTE_VITAL, .handler = oip_ready },
	{ "GET",    "/v2/models/stats",                                         ROLE_READ,  0,             OIP | ROUTE_ALL_MODELS,          .handler = oip_stats },
	{ "GET",    "/v2/models/{model}",                                       ROLE_READ,  0,             OIP,          .handler = oip_model },
	{ "GET",    "/v2/models/{model}/versions/{version}",                    ROLE_READ,  0,             OIP,          .handler = oip_model },
	{ "GET",    "/v2/models/{model}/ready",                                 ROLE_READ,  0,             OIP,          .handler = oip_model_ready },
	{ "GET",    "/v2/models/{model}/versions/{version}/ready",              ROLE_READ,  0,             OIP,          .handler = oip_model_ready },
	{ "GET",    "/v2/models/{model}/stats",                                 ROLE_READ,  0,             OIP,          .handler = oip_stats },
	{ "GET",    "/v2/models/{model}/versions/{version}/stats",              ROLE_READ,  0,             OIP,          .handler = oip_stats },
	{ "POST",   "/v2/repository/index",                                     ROLE_READ,  BODY_DOCUMENT, OIP | ROUTE_ANY_TYPE | ROUTE_ALL_MODELS, .handler = oip_index },

	{ "GET",    "/livez",                                                   ROLE_NONE,  0,             PROBE,        .handler = livez },
	{ "GET",    "/readyz",                                                  ROLE_NONE,  0,             ROUTE_ANY_HOST | ROUTE_VITAL, .handler = readyz, .query = "verbose" },
	{ "GET",    "/metrics",                                                 ROLE_READ,  0,             ROUTE_VITAL | ROUTE_ALL_MODELS,  .handler = metrics_get, .produces = "text/plain" },
	{ "GET",    "/v1/system",                                               ROLE_READ,  0,             0,            .handler = system_get },
	{ "POST",   "/v1/backup",                                               ROLE_ADMIN, 0,             ROUTE_ALL_MODELS, .handler = backup_post,
	  .produces = "application/vnd.sqlite3" },
	{ "GET",    "/v1/catalog",                                              ROLE_READ,  0,             ROUTE_INLINE, .handler = catalog_get },
	{ "GET",    "/v1/catalog/{kind}/{name}",                                ROLE_READ,  0,             ROUTE_INLINE, .handler = catalog_entry },
	{ "GET",    "/v1/catalog/{kind}/{name}/curve",                          ROLE_READ,  0,             0,            .handler = catalog_curve,
	  .query = "from to points epochs" },
	{ "POST",   "/v1/tokens",                                               ROLE_ADMIN, BODY_DOCUMENT, ROUTE_ALL_MODELS, .handler = token_post },
	{ "GET",    "/v1/tokens",                                               ROLE_ADMIN, 0,             ROUTE_ALL_MODELS, .handler = token_list },
	{ "GET",    "/v1/tokens/{token}",                                       ROLE_ADMIN, 0,             ROUTE_ALL_MODELS, .handler = token_get },
	{ "DELETE", "/v1/tokens/{token}",                                       ROLE_ADMIN, 0,             ROUTE_ALL_MODELS | ROUTE_CHANGE, .handler = token_delete },
	{ "POST",   "/v1/session",                                              ROLE_ANY,   0,             0,            .handler = session_post },
	{ "GET",    "/v1/session",                                              ROLE_ANY,   0,             0,            .handler = session_get },
	{ "DELETE", "/v1/session",                                              ROLE_ANY,   0,             0,            .handler = session_delete },
	{ "GET",    "/openapi.json",                                            ROLE_READ,  0,             0,            .handler = openapi_get },
	{ 0 },
};
/* clang-format on */

static const unsigned role_bits[] = { [ROLE_NONE] = 0,
	[ROLE_ANY] = 0,
	[ROLE_READ] = AUTH_READ,
	[ROLE_PREDICT] = AUTH_PREDICT,
	[ROLE_TRAIN] = AUTH_TRAIN,
	[ROLE_ADMIN] = AUTH_ADMIN };

struct route *api_routes(const struct app *app)
{
	struct route *out = malloc(sizeof routes);

	if (!out) return NULL;
	memcpy(out, routes, sizeof routes);
	for (struct route *row = out; row->method; row++)
		if (row->max_body)
			row->max_body = row->max_body == BODY_UPLOAD ? app->upload_bytes : app->body_bytes;
	return out;
}

size_t api_routes_count(void)
{
	return sizeof routes / sizeof *routes - 1;
}

bool api_holds(const struct request *rq)
{
	const struct app *app = rq->app;
	const struct auth_request who = {
		.authorization = rq->headers[HEADER_AUTHORIZATION],
		.cookies = rq->headers[HEADER_COOKIE],
		.local = rq->local,
	};

	return auth_holds(app->auth, &who, rq->token);
}

/* Is the token still there, now that the body is? And of one that is for some models: is the job one of theirs? On the pool: it is
 * looked up. */
static int check_again(struct request *rq, struct err *e)
{
	struct app *app = rq->app;
	struct store_job job = { 0 };
	uint64_t id;
	int rc;

	if (!api_holds(rq))
		return err_set(e, ERR_UNAUTHORIZED,
				"the token was revoked or replaced, or has expired, or the session is over");
	if (!rq->limited || !request_param(rq, "job")) return 0;
	if ((rc = request_number(rq, "job", "job", &id, e)) ||
			(rc = app->store->job_get(app->store, (int64_t)id, &job, e)))
		return rc;
	rc = auth_may_see(app->auth, rq->token, job.model, e);
	store_job_clear(&job);
	return rc;
}

int api_admit(struct request *rq, const struct route *route, struct err *e)
{
	const struct app *app = rq->app;
	unsigned char peer[REQUEST_PEER_BYTES];
	struct auth_grant grant;
	struct auth_request who = {
		.host = rq->headers[HEADER_HOST],
		.origin = rq->headers[HEADER_ORIGIN],
		.authorization = rq->headers[HEADER_AUTHORIZATION],
		.cookies = rq->headers[HEADER_COOKIE],
		.local = rq->local,
		.changes = strcmp(rq->method, "GET") && strcmp(rq->method, "HEAD") &&
			   strcmp(rq->method, "OPTIONS"),
		.all_models = route && (route->flags & ROUTE_ALL_MODELS),
		.role = route ? role_bits[route->role] : 0,
		.model = route ? request_param(rq, "model") : NULL,
		.peer = peer,
		.any_host = route && (route->flags & ROUTE_ANY_HOST),
		.open = route && route->role == ROLE_NONE,
	};
	int rc;

	request_peer(rq, peer);
	if (who.origin && auth_may_read(app->auth, who.origin)) {
		rq->reader = who.origin;
		if (cors_asks(rq))
			who.open = true; /* a browser asks without the token; no handler is behind it */
	}
	rc = auth_check(app->auth, &who, &grant, e);
	rq->token = grant.token;
	rq->roles = grant.roles;
	rq->limited = grant.limited;
	rq->rate = (struct request_rate){ grant.rate_limit, grant.rate_left, grant.rate_reset_seconds };
	rq->wait_seconds = grant.wait_seconds;
	if (route && ((grant.limited && request_param(rq, "job")) ||
				     (who.changes && !(route->flags & ROUTE_INLINE))))
		rq->guard = check_again; /* which a prediction does not wait for */
	return rc;
}

void api_access(void *self, const struct http_access *access)
{
	struct app *app = self;

	metrics_count(app->metrics, access->route ? (size_t)(access->route - app->routes) : app->routes_count,
			access->status, access->seconds);
	log_access(app->log, &(struct log_request){ access->method, access->url, access->status,
					     access->seconds, access->sent_bytes, access->trace->trace_id,
					     access->trace->parent_id, access->trace->span_id });
}

void api_log(void *self, bool of_client, const char *sentence)
{
	struct app *app = self;

	log_write(app->log, of_client ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, "%s", sentence);
}
