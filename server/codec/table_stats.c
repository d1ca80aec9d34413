/* table_stats.c - what is said of a column's numbers, group by group. See table_parts.h.
 *
 * Mean and squared distances are taken over each group in two passes, then joined with those before (Chan, Golub and
 * LeVeque, 1979, "Updating formulae and a pairwise algorithm for computing sample variances"). The passes keep LANES
 * sums side by side, so that an addition need not wait for the one before; where numbers are so large that a sum in
 * double overflows, they are taken again in long double, which on the machines that have a wider one does not.
 *
 * A column's distinct numbers are tallied while they are few. They say all there is to say about it; a histogram's grid
 * and a sample begin with what the tally holds when it gives up.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/table_parts.h"

#define LANES 4

struct sums {
	long double sum, squares; /* of distances to the mean */
};

static double sum_lanes(const double lanes[LANES])
{
	double sum = 0;

	for (int k = 0; k < LANES; k++)
		sum += lanes[k];
	return sum;
}

static double sum_of(const double *x, size_t n)
{
	double lanes[LANES] = { 0 }, rest = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++)
			lanes[k] += x[i + k];
	for (; i < n; i++)
		rest += x[i];
	return sum_lanes(lanes) + rest;
}

static double squares_of(const double *x, size_t n, double mean)
{
	double lanes[LANES] = { 0 }, rest = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++)
			lanes[k] += (x[i + k] - mean) * (x[i + k] - mean);
	for (; i < n; i++)
		rest += (x[i] - mean) * (x[i] - mean);
	return sum_lanes(lanes) + rest;
}

static struct sums sums_of(const double *x, size_t n)
{
	double sum = sum_of(x, n), squares = squares_of(x, n, sum / (double)n);
	struct sums out = { sum, squares };

	if (isfinite(squares)) return out;
	out = (struct sums){ 0 };
	for (size_t i = 0; i < n; i++)
		out.sum += x[i];
	for (size_t i = 0; i < n; i++)
		out.squares += (x[i] - out.sum / (long double)n) * (x[i] - out.sum / (long double)n);
	return out;
}

/* min and max of LANES chains, each of a comparison and a choice. */
static void take_range(struct stats *all, const double *x, size_t n)
{
	double min[LANES], max[LANES];
	size_t i = 0;

	for (int k = 0; k < LANES; k++) {
		min[k] = all->min;
		max[k] = all->max;
	}
	for (; i + LANES <= n; i += LANES)
		for (int k = 0; k < LANES; k++) {
			min[k] = x[i + k] < min[k] ? x[i + k] : min[k];
			max[k] = x[i + k] > max[k] ? x[i + k] : max[k];
		}
	for (; i < n; i++) {
		min[0] = x[i] < min[0] ? x[i] : min[0];
		max[0] = x[i] > max[0] ? x[i] : max[0];
	}
	for (int k = 0; k < LANES; k++) {
		all->min = min[k] < all->min ? min[k] : all->min;
		all->max = max[k] > all->max ? max[k] : all->max;
	}
}

static bool all_whole(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (x[i] != rint(x[i])) return false;
	return true;
}

static void take_stats(struct stats *all, const double *x, size_t n)
{
	struct sums group = sums_of(x, n);
	long double count = (long double)n, before = (long double)all->count;
	long double apart = group.sum / count - all->mean;

	take_range(all, x, n);
	all->mean += apart * (count / (before + count));
	all->squares += group.squares + apart * apart * (before * count / (before + count));
	all->count += n;
}

/* What the tally held so far begins the profile. false: no memory. */
static bool begin_profile(struct table *table, struct column *column)
{
	const struct tally *tally = &column->tally;
	uint64_t seed = (uint64_t)(column - table->columns);
	struct tally_cell *cells;
	size_t count;

	if (!(column->profile = calloc(1, sizeof *column->profile)) ||
			!profile_begin(column->profile, table->count, seed))
		return false;
	if (!tally->count) return true;
	if (!(cells = tally_list(tally, &count))) return false;
	for (size_t i = 0; i < count; i++)
		profile_take(column->profile, &cells[i].number, 1, cells[i].count, column->stats.min,
				column->stats.max);
	free(cells);
	return true;
}

void stats_drop_profile(struct column *column)
{
	if (!column->profile) return;
	profile_free(column->profile);
	free(column->profile);
	column->profile = NULL;
}

/* Takes dense numbers into the tally, or into the profile once that has given up. false: no memory. */
static bool take_spread(struct table *table, struct column *column, const double *x, size_t n)
{
	size_t tallied = 0;

	if (!column->tally.given_up) {
		tallied = tally_count(&column->tally, &table->tallies, x, n);
		if (tallied == n) return true;
		if (table->count <= PROFILE_COLUMNS_MAX && !begin_profile(table, column)) return false;
		tally_free(&column->tally, &table->tallies);
	}
	if (column->profile)
		profile_take(column->profile, x + tallied, n - tallied, 1, column->stats.min,
				column->stats.max);
	return true;
}

/* The numbers that are present, one after another: x itself where none is missing, else in scratch. */
static const double *present(const double *x, size_t rows, double *scratch, size_t *count)
{
	size_t n = 0;

	for (size_t i = 0; i < rows; i++) {
		scratch[n] = x[i];
		n += x[i] == x[i];
	}
	*count = n;
	return scratch;
}

int stats_take(struct table *table, struct column *column, const double *cells, size_t rows, double *scratch,
		struct err *e)
{
	size_t n;
	const double *x = present(cells, rows, scratch, &n);

	column->missing += rows - n;
	if (!n) return 0;
	take_stats(&column->stats, x, n);
	if (column->integers) column->integers = all_whole(x, n);
	return take_spread(table, column, x, n) ? 0 : err_nomem(e);
}
