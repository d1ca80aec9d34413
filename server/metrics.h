/* metrics.h - what was counted since the start, for GET /metrics: requests by route and code, how long they took. Many threads count
 * without a lock, in shards, so that no two cores wait for one line of memory; who reads adds the shards up.
 *
 * Here too is how a number is written in the text format of Prometheus (exposition format 0.0.4).
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/buffer.h"

#define METRICS_BUCKETS 16 /* of a histogram, without the last, which has no upper edge */
extern const double metrics_edges[METRICS_BUCKETS]; /* seconds */

struct metrics_histogram {
	uint64_t counts[METRICS_BUCKETS + 1]; /* each of its own bucket */
	double seconds;                       /* of all together */
};

struct metrics;

/* *out is new (metrics_free), for so many routes; what has none counts as route number `routes`. ERR_NOMEM. */
int metrics_new(struct metrics **out, size_t routes, struct err *e);
void metrics_free(struct metrics *metrics); /* NULL is fine */
/* A request was answered with status, 0: its client left before. */
void metrics_count(struct metrics *metrics, size_t route, unsigned status, double seconds);

/* Calls each for every status that a route was answered with. */
void metrics_each(const struct metrics *metrics, size_t route,
		void (*each)(void *self, unsigned status, uint64_t count), void *self);
void metrics_durations(const struct metrics *metrics, size_t route, struct metrics_histogram *out);

/* ---- text ---- */

/* "# HELP name help\n# TYPE name type\n" */
void metrics_head(struct buffer *out, const char *name, const char *type, const char *help);
/* name{labels} value; labels, "" for none, were made with metrics_label. */
void metrics_line(struct buffer *out, const char *name, const char *labels, double value);
/* Appends name="value" to labels, with a comma where there is something before. */
void metrics_label(struct buffer *labels, const char *name, const char *value);
/* The lines of a histogram: name_bucket, name_sum, name_count. */
void metrics_histogram_lines(struct buffer *out, const char *name, const char *labels,
		const struct metrics_histogram *histogram);

#endif
