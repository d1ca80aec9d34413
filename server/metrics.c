/* metrics.c - see metrics.h. */
#include "server/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/codec/number.h"

#define SHARDS 4

const double metrics_edges[METRICS_BUCKETS] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
	0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };

/* Those that the daemon answers with; 0: the client left. Others count as the last. */
static const unsigned statuses[] = { 0, 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 409, 412, 413,
	414, 415, 417, 421, 422, 428, 429, 431, 501, 503, 504, 507, 500 };
#define STATUSES (sizeof statuses / sizeof *statuses)

struct counts {
	_Alignas(64) _Atomic uint64_t statuses[STATUSES];
	_Atomic uint64_t buckets[METRICS_BUCKETS + 1];
	_Atomic uint64_t ns;
};

struct metrics {
	size_t routes;
	struct counts *counts; /* (routes + 1, SHARDS) */
};

int metrics_new(struct metrics **out, size_t routes, struct err *e)
{
	struct metrics *m = calloc(1, sizeof *m);
	size_t bytes = (routes + 1) * SHARDS * sizeof *m->counts;

	*out = NULL;
	if (!m || !(m->counts = aligned_alloc(_Alignof(struct counts), bytes))) {
		free(m);
		return err_nomem(e);
	}
	memset(m->counts, 0, bytes);
	m->routes = routes;
	*out = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (m) free(m->counts);
	free(m);
}

/* A thread keeps to one shard. */
static size_t own_shard(void)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine; /* shard + 1 */

	if (!mine) mine = atomic_fetch_add(&threads, 1) % SHARDS + 1;
	return mine - 1;
}

static size_t status_index(unsigned status)
{
	size_t i = 0;

	while (i < STATUSES - 1 && statuses[i] != status)
		i++;
	return i;
}

void metrics_count(struct metrics *m, size_t route, unsigned status, double seconds)
{
	struct counts *c = &m->counts[(route < m->routes ? route : m->routes) * SHARDS + own_shard()];
	size_t bucket = 0;

	while (bucket < METRICS_BUCKETS && seconds > metrics_edges[bucket])
		bucket++;
	atomic_fetch_add_explicit(&c->statuses[status_index(status)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->ns, (uint64_t)(seconds * 1e9), memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_each(const struct metrics *m, size_t route,
		void (*each)(void *self, unsigned status, uint64_t count), void *self)
{
	const struct counts *c = &m->counts[route * SHARDS];

	for (size_t i = 0; i < STATUSES; i++) {
		uint64_t count = 0;

		for (size_t s = 0; s < SHARDS; s++)
			count += load(&c[s].statuses[i]);
		if (count) each(self, statuses[i], count);
	}
}

void metrics_durations(const struct metrics *m, size_t route, struct metrics_histogram *out)
{
	const struct counts *c = &m->counts[route * SHARDS];

	*out = (struct metrics_histogram){ 0 };
	for (size_t s = 0; s < SHARDS; s++) {
		for (size_t i = 0; i <= METRICS_BUCKETS; i++)
			out->counts[i] += load(&c[s].buckets[i]);
		out->seconds += (double)load(&c[s].ns) * 1e-9;
	}
}

/* ---- text ---- */

void metrics_head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct buffer *out, double value)
{
	char *to = buffer_reserve(out, NUMBER_PRINT_MAX);

	if (to) out->size += number_print_double(value, to);
	buffer_text(out, "\n");
}

void metrics_line(struct buffer *out, const char *name, const char *labels, double value)
{
	buffer_text(out, name);
	if (*labels) {
		buffer_text(out, "{");
		buffer_text(out, labels);
		buffer_text(out, "}");
	}
	buffer_text(out, " ");
	put_value(out, value);
}

void metrics_label(struct buffer *labels, const char *name, const char *value)
{
	if (labels->size) buffer_text(labels, ",");
	buffer_text(labels, name);
	buffer_text(labels, "=\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\') buffer_text(labels, "\\");
		buffer_add(labels, *value == '\n' ? " " : value, 1);
	}
	buffer_text(labels, "\"");
}

void metrics_histogram_lines(
		struct buffer *out, const char *name, const char *labels, const struct metrics_histogram *h)
{
	const char *comma = *labels ? "," : "";
	uint64_t below = 0;

	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		below += h->counts[i];
		buffer_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma, metrics_edges[i],
				(unsigned long long)below);
	}
	below += h->counts[METRICS_BUCKETS];
	buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
			(unsigned long long)below);
	buffer_printf(out, *labels ? "%s_sum{%s} " : "%s_sum%s ", name, labels);
	put_value(out, h->seconds);
	buffer_printf(out, *labels ? "%s_count{%s} %llu\n" : "%s_count%s %llu\n", name, labels,
			(unsigned long long)below);
}
