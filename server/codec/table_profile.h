/* table_profile.h - how the numbers of a column are spread: a histogram and quartiles, while they stream by.
 *
 * Memory: TABLE_PROFILE_BYTES for the grids of all columns, as much again for their samples. Tables of more columns
 * than that provides for have no profiles.
 */
#ifndef SERVER_CODEC_TABLE_PROFILE_H
#define SERVER_CODEC_TABLE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/sample.h"

#define TABLE_PROFILE_BYTES (16u << 20)
#define PROFILE_FINE_BINS   1280
#define PROFILE_BINS        20
#define PROFILE_SAMPLE_MAX  8192 /* so many numbers of a column have exact quartiles */
#define PROFILE_COLUMNS_MAX (TABLE_PROFILE_BYTES / (PROFILE_FINE_BINS * sizeof(uint64_t)))

/* A number and how often it was there. */
struct tally_cell {
	double number;
	uint64_t count; /* 0: empty */
};

/* Zeroed is empty. */
struct table_profile {
	uint64_t *bins; /* (PROFILE_FINE_BINS), of the numbers x with floor(x / 2^exponent) = first + i; NULL: not begun */
	int exponent;
	int64_t first;
	uint64_t count; /* numbers in the bins */

	struct sample sample; /* of what its share of the memory holds */
};

struct profile_histogram {
	size_t bins;
	double edges[PROFILE_BINS + 1];
	uint64_t counts[PROFILE_BINS]; /* edges[i] <= x < edges[i + 1]; the last bin has its upper edge too */
};

/* columns: of the table. seed: of the sample. false: no memory. */
bool profile_begin(struct table_profile *profile, size_t columns, uint64_t seed);
bool profile_begin_grid(struct table_profile *profile); /* for a histogram alone */
void profile_free(struct table_profile *profile);
/* Takes x (n), all finite, with those before within [min, max]; each of them `each` times. */
void profile_take(struct table_profile *profile, const double *x, size_t n, uint64_t each, double min,
		double max);

/* Of what was taken, at least one number, with its least and greatest. */
void profile_histogram(
		const struct table_profile *profile, double min, double max, struct profile_histogram *out);
/* The quartiles of the sample, of all numbers while they are no more than that. false: no memory. */
bool profile_quartiles(const struct table_profile *profile, double out[3]);

void tally_sort(struct tally_cell *cells, size_t count); /* by number */
/* Exact, of numbers in ascending order that were there `count` times; at least one. Between two of them as
 * numpy.quantile does ("linear"). */
void tally_quartiles(const struct tally_cell *sorted, size_t count, double out[3]);

#endif
