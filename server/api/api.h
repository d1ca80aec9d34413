/* api.h - the resources of the HTTP contract: what the handlers share, and how a server gets them.
 *
 * Handlers are one file a resource; routes.c is the table that names them. A handler returns 0 or a code, and
 * api_problem turns the code into the one kind of error document.
 */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/gemm.h"
#include "server/auth/auth.h"
#include "server/http/http.h"
#include "server/jobs/jobs.h"
#include "server/jobs/keeper.h"
#include "server/jobs/watch.h"
#include "server/log.h"
#include "server/memory.h"
#include "server/metrics.h"
#include "server/registry/registry.h"
#include "server/store/store.h"

struct audit;
struct idempotency;

struct app { /* borrows everything; request.app */
	struct store *store;
	struct registry *registry;
	struct jobs *jobs;
	struct keeper *keeper;
	struct webhook *webhook;
	struct watch *watch;
	struct auth *auth;
	struct audit *audit; /* NULL: none is kept */
	struct log *log;
	struct metrics *metrics;
	const struct route *routes; /* (routes_count), as the server has them */
	size_t routes_count;
	bool batching;           /* requests may share products */
	unsigned metrics_models; /* that have a label of their own */
	const struct gemm_engine *engine;
	unsigned loops, threads, connections_max;
	atomic_uint workers;
	uint64_t memory_bytes, jobs_memory_bytes, body_bytes, upload_bytes;
	struct memory memory;             /* the whole of it */
	uint64_t documents_bytes_max;     /* of the trees of all JSON bodies together */
	_Atomic uint64_t documents_bytes; /* that they take now */
	const char *database;             /* its path */
	uint64_t backup_rate;             /* bytes a second */
	int64_t started_ms;
	int64_t started_seconds; /* by system_clock */
	atomic_bool stopping;
	pthread_mutex_t keys_lock; /* of the requests under way that have an Idempotency-Key */
	struct idempotency *keys;
};

/* The route table with the limits of this app, new (free). NULL: no memory. */
struct route *api_routes(const struct app *app);
size_t api_routes_count(void);

/* For http_config. */
int api_admit(struct request *rq, const struct route *route, struct err *e);
/* May whoever was admitted still be here? Cheap, on any thread. */
bool api_holds(const struct request *rq);
void api_problem(struct request *rq, struct reply *rp, int code, const struct err *e);
void api_access(void *app, const struct http_access *access);
void api_log(void *app, bool of_client, const char *sentence);

#endif
