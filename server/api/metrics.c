/* metrics.c - GET /metrics, in the text format of Prometheus: base units, names as its naming rules have them, labels whose
 * values are bounded: of models the busiest --metrics-models, the others together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/api/document.h"
#include "server/api/system.h"
#include "server/metrics.h"
#include "server/registry/traffic.h"

#define OTHERS "(other)"

/* ---- requests ---- */

struct of_route {
	struct buffer *out;
	const char *method, *path;
};

static void put_status(void *self, unsigned status, uint64_t count)
{
	const struct of_route *r = self;
	struct buffer labels = { 0 };
	char code[12] = "left"; /* before it was answered */

	if (status) snprintf(code, sizeof code, "%u", status);
	metrics_label(&labels, "method", r->method);
	metrics_label(&labels, "route", r->path);
	metrics_label(&labels, "code", code);
	buffer_add(&labels, "", 1);
	if (buffer_ok(&labels))
		metrics_line(r->out, "descentd_http_requests_total", labels.data, (double)count);
	buffer_free(&labels);
}

static void put_requests(const struct app *app, struct buffer *out)
{
	metrics_head(out, "descentd_http_requests_total", "counter",
			"Requests by route and status; left: the client did, before its answer.");
	for (size_t i = 0; i <= app->routes_count; i++) {
		bool none = i == app->routes_count;
		struct of_route r = { out, none ? "" : app->routes[i].method,
			none ? "" : app->routes[i].path };

		metrics_each(app->metrics, i, put_status, &r);
	}
}

static void put_durations(const struct app *app, struct buffer *out)
{
	static const char name[] = "descentd_http_request_duration_seconds";

	metrics_head(out, name, "histogram", "From a request's first byte to its last, by route.");
	for (size_t i = 0; i < app->routes_count; i++) {
		struct metrics_histogram histogram;
		struct buffer labels = { 0 };
		uint64_t count = 0;

		metrics_durations(app->metrics, i, &histogram);
		for (size_t b = 0; b <= METRICS_BUCKETS; b++)
			count += histogram.counts[b];
		if (!count) continue;
		metrics_label(&labels, "method", app->routes[i].method);
		metrics_label(&labels, "route", app->routes[i].path);
		buffer_add(&labels, "", 1);
		if (buffer_ok(&labels)) metrics_histogram_lines(out, name, labels.data, &histogram);
		buffer_free(&labels);
	}
}

/* ---- predictions ---- */

struct model_usage {
	char name[72];
	uint64_t version;
	struct usage_counts counts;
};

struct usages {
	struct model_usage *items;
	size_t count, capacity;
	bool failed;
};

static void add_usage(void *self, const char *model, uint64_t number, const struct usage_counts *c)
{
	struct usages *u = self;
	struct model_usage *to;

	if (u->count == u->capacity) {
		size_t capacity = u->capacity ? 2 * u->capacity : 64;
		struct model_usage *more = reallocarray(u->items, capacity, sizeof *more);

		if (!more) {
			u->failed = true;
			return;
		}
		u->items = more;
		u->capacity = capacity;
	}
	to = &u->items[u->count++];
	to->version = number;
	to->counts = *c;
	snprintf(to->name, sizeof to->name, "%s", model);
}

/* Those that traffic or a shadow's part brought something. */
static void add_sharing(void *self, const char *model, uint64_t number, const struct usage_counts *c)
{
	if (!number) return; /* of versions that are gone */
	if (c->given || c->shadow_requests || c->shadow_skipped) add_usage(self, model, number, c);
}

static void add_counts(struct usage_counts *to, const struct usage_counts *more)
{
	to->requests += more->requests;
	to->failures += more->failures;
	to->rows += more->rows;
	to->ns += more->ns;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct model_usage *)a)->name, ((const struct model_usage *)b)->name);
}

/* All versions of a model together. */
static void merge(struct usages *u)
{
	size_t n = 0;

	if (u->count) qsort(u->items, u->count, sizeof *u->items, by_name);
	for (size_t i = 0; i < u->count; i++)
		if (n && !by_name(&u->items[n - 1], &u->items[i]))
			add_counts(&u->items[n - 1].counts, &u->items[i].counts);
		else
			u->items[n++] = u->items[i];
	u->count = n;
}

static int by_requests(const void *a, const void *b)
{
	const struct model_usage *x = a, *y = b;

	if (x->counts.requests != y->counts.requests) return x->counts.requests < y->counts.requests ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Of those beyond `keep` one is made. */
static void bound(struct usages *u, size_t keep)
{
	struct model_usage others = { .name = OTHERS };

	if (u->count <= keep) return;
	qsort(u->items, u->count, sizeof *u->items, by_requests);
	for (size_t i = keep; i < u->count; i++)
		add_counts(&others.counts, &u->items[i].counts);
	u->items[keep] = others;
	u->count = keep + 1;
}

static void put_of_models(struct buffer *out, const struct usages *u, const char *name, const char *help,
		double (*value)(const struct usage_counts *c))
{
	metrics_head(out, name, "counter", help);
	for (size_t i = 0; i < u->count; i++) {
		struct buffer labels = { 0 };

		metrics_label(&labels, "model", u->items[i].name);
		buffer_add(&labels, "", 1);
		if (buffer_ok(&labels)) metrics_line(out, name, labels.data, value(&u->items[i].counts));
		buffer_free(&labels);
	}
}

static double requests_of(const struct usage_counts *c)
{
	return (double)c->requests;
}

static double failures_of(const struct usage_counts *c)
{
	return (double)c->failures;
}

static double rows_of(const struct usage_counts *c)
{
	return (double)c->rows;
}

static double seconds_of(const struct usage_counts *c)
{
	return (double)c->ns * 1e-9;
}

static void put_predictions(const struct app *app, struct buffer *out)
{
	static const struct {
		const char *name, *help;
		double (*value)(const struct usage_counts *c);
	} rows[] = {
		{ "descentd_predictions_total", "Requests that a model answered.", requests_of },
		{ "descentd_prediction_failures_total", "Requests to a model that were refused.",
				failures_of },
		{ "descentd_prediction_rows_total", "Rows that were predicted.", rows_of },
		{ "descentd_prediction_seconds_total", "Time that answering them took.", seconds_of },
	};
	struct usages u = { 0 };

	usage_each(registry_usage(app->registry), NULL, 0, add_usage, &u);
	if (u.failed) out->failed = true;
	merge(&u);
	bound(&u, app->metrics_models);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		put_of_models(out, &u, rows[i].name, rows[i].help, rows[i].value);
	free(u.items);
}

/* ---- of versions that share a model's traffic ---- */

static const struct sharing {
	const char *name, *help;
	size_t offset; /* in usage_counts */
} sharings[] = {
	{ "descentd_traffic_requests_total", "Requests that a model's traffic gave to a version.",
			offsetof(struct usage_counts, given) },
	{ "descentd_shadow_requests_total", "Answered requests that a shadow was asked too.",
			offsetof(struct usage_counts, shadow_requests) },
	{ "descentd_shadow_rows_total", "Rows of them that were compared.",
			offsetof(struct usage_counts, shadow_rows) },
	{ "descentd_shadow_differing_rows_total", "Rows where the shadow would have answered otherwise.",
			offsetof(struct usage_counts, shadow_differing) },
	{ "descentd_shadow_failures_total", "Requests that a shadow could not answer.",
			offsetof(struct usage_counts, shadow_failures) },
	{ "descentd_shadow_skipped_total", "Requests that a shadow was not asked, as too much else waited.",
			offsetof(struct usage_counts, shadow_skipped) },
};

/* The newest versions first. */
static int by_version(const void *a, const void *b)
{
	const struct model_usage *x = a, *y = b;
	int names = by_name(a, b);

	return names ? names : (x->version < y->version) - (x->version > y->version);
}

/* Of each model the newest, of the first so many models. */
static void keep_newest(struct usages *u, size_t models)
{
	size_t n = 0, versions = 0, names = 0;

	if (u->count) qsort(u->items, u->count, sizeof *u->items, by_version);
	for (size_t i = 0; i < u->count; i++) {
		bool more = n && !by_name(&u->items[n - 1], &u->items[i]);

		versions = more ? versions + 1 : 1;
		names += !more;
		if (versions <= TRAFFIC_VERSIONS_MAX + 1 && names <= models) u->items[n++] = u->items[i];
	}
	u->count = n;
}

static void put_sharing(struct buffer *out, const struct usages *u, const struct sharing *sharing)
{
	metrics_head(out, sharing->name, "counter", sharing->help);
	for (size_t i = 0; i < u->count; i++) {
		struct buffer labels = { 0 };
		uint64_t value;

		memcpy(&value, (const char *)&u->items[i].counts + sharing->offset, sizeof value);
		metrics_label(&labels, "model", u->items[i].name);
		buffer_printf(&labels, ",version=\"%llu\"", (unsigned long long)u->items[i].version);
		buffer_add(&labels, "", 1);
		if (buffer_ok(&labels)) metrics_line(out, sharing->name, labels.data, (double)value);
		buffer_free(&labels);
	}
}

static void put_traffic(const struct app *app, struct buffer *out)
{
	struct usages u = { 0 };

	usage_each(registry_usage(app->registry), NULL, 0, add_sharing, &u);
	if (u.failed) out->failed = true;
	keep_newest(&u, app->metrics_models);
	for (size_t i = 0; i < sizeof sharings / sizeof *sharings; i++)
		put_sharing(out, &u, &sharings[i]);
	free(u.items);
}

/* ---- the rest ---- */

static void put_one(struct buffer *out, const char *name, const char *type, const char *help, double value)
{
	metrics_head(out, name, type, help);
	metrics_line(out, name, "", value);
}

static void put_jobs(const struct app *app, const struct store_info *info, struct buffer *out)
{
	metrics_head(out, "descentd_jobs", "gauge", "Jobs in the store by state.");
	for (int state = 0; state < JOB_STATES; state++) {
		char labels[48];

		snprintf(labels, sizeof labels, "state=\"%s\"", job_state_name((enum job_state)state));
		metrics_line(out, "descentd_jobs", labels, (double)info->jobs_by_state[state]);
	}
	put_one(out, "descentd_workers", "gauge", "Jobs that may train at the same time.",
			atomic_load(&app->workers));
	put_one(out, "descentd_trained_samples_total", "counter", "Rows that trainings went through.",
			(double)jobs_samples(app->jobs));
}

static void put_store(const struct store_info *info, struct buffer *out)
{
	const struct {
		const char *name, *help;
		uint64_t value;
	} gauges[] = {
		{ "descentd_store_size_bytes", "Of the database file.", info->file_bytes },
		{ "descentd_store_free_bytes", "Of it that nothing is in.", info->free_bytes },
		{ "descentd_store_dataset_bytes", "Of data sets, as they were sent.", info->dataset_bytes },
		{ "descentd_store_version_bytes", "Of weights and what belongs to them.",
				info->version_bytes },
		{ "descentd_store_checkpoint_bytes", "Of checkpoints of unfinished jobs.",
				info->checkpoint_bytes },
		{ "descentd_datasets", "Data sets.", info->datasets },
		{ "descentd_models", "Models.", info->models },
		{ "descentd_versions", "Versions of all models.", info->versions },
	};

	for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
		put_one(out, gauges[i].name, "gauge", gauges[i].help, (double)gauges[i].value);
	put_one(out, "descentd_store_commits_total", "counter", "Transactions of the writer.",
			(double)info->commits);
	put_one(out, "descentd_store_commit_seconds_total", "counter", "Time that they took.",
			info->commit_seconds);
}

static void put_registry(const struct app *app, struct buffer *out)
{
	struct registry_state state;

	registry_state(app->registry, &state);
	put_one(out, "descentd_registry_versions", "gauge", "Versions in memory.", (double)state.versions);
	put_one(out, "descentd_registry_bytes", "gauge", "That they take, about.", (double)state.bytes);
	put_one(out, "descentd_registry_hits_total", "counter", "Requests whose version was in memory.",
			(double)state.hits);
	put_one(out, "descentd_registry_loads_total", "counter", "Versions that were read from the store.",
			(double)state.loads);
	put_one(out, "descentd_registry_evictions_total", "counter",
			"Versions that were dropped for want of room.", (double)state.evictions);
}

static void put_batches(const struct app *app, struct buffer *out)
{
	static const char name[] = "descentd_batch_rows";
	struct batch_counts counts;
	uint64_t below = 0;

	registry_batches(app->registry, &counts);
	metrics_head(out, name, "histogram", "Rows of different requests that shared a matrix product.");
	for (size_t i = 0; i < BATCH_SIZES; i++) {
		below += counts.sizes[i];
		if (i < BATCH_SIZES - 1)
			buffer_printf(out, "%s_bucket{le=\"%u\"} %llu\n", name, 1u << i,
					(unsigned long long)below);
	}
	buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %llu\n%s_count %llu\n", name,
			(unsigned long long)below, name, (unsigned long long)counts.rows, name,
			(unsigned long long)below);
	put_one(out, "descentd_batch_waiting_requests", "gauge", "Requests that wait for such a product.",
			(double)counts.waiting);
}

/* As the client libraries of Prometheus name them. */
static void put_process(const struct app *app, struct buffer *out)
{
	long page = sysconf(_SC_PAGESIZE), ticks = sysconf(_SC_CLK_TCK);
	unsigned long long user = 0, kernel = 0, pages = 0;
	FILE *file = fopen("/proc/self/stat", "re");

	if (file && fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
				    &kernel) == 2)
		put_one(out, "process_cpu_seconds_total", "counter", "CPU time that was used.",
				(double)(user + kernel) / (double)ticks);
	if (file) fclose(file);
	if ((file = fopen("/proc/self/statm", "re")) && fscanf(file, "%*u %llu", &pages) == 1)
		put_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
				(double)pages * (double)page);
	if (file) fclose(file);
	put_one(out, "process_start_time_seconds", "gauge", "When it started, since 1970.",
			(double)app->started_ms / 1000);
}

static void put_build(const struct app *app, struct buffer *out)
{
	struct buffer labels = { 0 };

	metrics_head(out, "descentd_build_info", "gauge", "What runs here.");
	metrics_label(&labels, "version", DESCENTD_VERSION);
	metrics_label(&labels, "engine", app->engine->name);
	buffer_add(&labels, "", 1);
	if (buffer_ok(&labels)) metrics_line(out, "descentd_build_info", labels.data, 1);
	buffer_free(&labels);
}

static void put_load(const struct request *rq, struct buffer *out)
{
	struct app *app = rq->app;
	struct http_state state;

	http_state(rq, &state);
	put_one(out, "descentd_http_requests_in_flight", "gauge",
			"Requests whose answer has not left wholly.", state.under_way);
	put_one(out, "descentd_http_requests_at_work", "gauge",
			"Of them those that --max-requests counts: not yet answered, not waiting for news.",
			state.at_work);
	put_one(out, "descentd_http_requests_queued", "gauge", "Of them those that wait for a thread.",
			state.queued);
	put_one(out, "descentd_http_held_bytes", "gauge",
			"That bodies and answers hold, as --request-memory counts.",
			(double)state.held_bytes);
	put_one(out, "descentd_memory_taken_bytes", "gauge",
			"What is taken of --memory-budget by jobs, models, uploads, bodies, answers and documents.",
			(double)memory_taken(&app->memory));
}

int metrics_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_info info = { 0 };
	struct buffer *out = &rp->body;
	int rc = app->store->info(app->store, &info, e);

	if (rc) return rc;
	rp->content_type = "text/plain; version=0.0.4; charset=utf-8";
	put_build(app, out);
	put_requests(app, out);
	put_durations(app, out);
	put_load(rq, out);
	put_predictions(app, out);
	put_traffic(app, out);
	put_jobs(app, &info, out);
	put_store(&info, out);
	put_registry(app, out);
	put_batches(app, out);
	put_process(app, out);
	store_info_clear(&info);
	return buffer_ok(out) ? 0 : err_nomem(e);
}
