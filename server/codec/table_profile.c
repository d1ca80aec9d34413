/* table_profile.c - histograms and quartiles of numbers that stream by. See table_profile.h.
 *
 * Histogram: numbers fall into a grid of fine bins whose width is a power of two, so that a bin's place is an exact
 * floor(x / width) whatever came before. When the numbers no longer fit the grid its bins are merged in pairs, and the
 * width doubles: every count stays exact. At the end each PROFILE_BINS-th part of the used ones becomes a bin, whose
 * edges are the grid's. At least PROFILE_FINE_BINS / 2 - 1 of the fine ones are in use (unless all numbers are equal),
 * so the last bin reaches beyond the greatest number by 4 % of the range at the most.
 *
 * Quartiles: those of a sample (core/sample.h).
 */
#include "server/codec/table_profile.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_BITS    10      /* a fresh grid has numbers in 2^9 to 2^10 + 1 bins */
#define EXPONENT_MIN (-1000) /* its inverse is a double, and so is every width */

_Static_assert(PROFILE_FINE_BINS > (1 << SPAN_BITS) + 1, "a fresh grid has room");

bool profile_begin_grid(struct table_profile *profile)
{
	*profile = (struct table_profile){ .bins = calloc(PROFILE_FINE_BINS, sizeof *profile->bins) };
	return profile->bins;
}

bool profile_begin(struct table_profile *profile, size_t columns, uint64_t seed)
{
	size_t share = TABLE_PROFILE_BYTES / columns / sizeof *profile->sample.numbers;

	if (profile_begin_grid(profile) &&
			sample_begin(&profile->sample,
					share < PROFILE_SAMPLE_MAX ? share : PROFILE_SAMPLE_MAX, seed, 0))
		return true;
	profile_free(profile);
	return false;
}

void profile_free(struct table_profile *profile)
{
	free(profile->bins);
	sample_free(&profile->sample);
	*profile = (struct table_profile){ 0 };
}

/* ---- the grid ---- */

/* floor(x / width); exact. */
static inline int64_t place(double x, double per_width)
{
	double y = x * per_width;
	int64_t i = (int64_t)y;

	return i - (y < (double)i);
}

/* The finest width that gives numbers from min to max a fresh grid, as an exponent of two. */
static int finest(double min, double max)
{
	double half = max / 2 - min / 2;
	int exponent;

	if (half > 0) {
		frexp(half, &exponent); /* max - min < 2^(exponent + 1) */
		exponent += 1 - SPAN_BITS;
	} else {
		frexp(max, &exponent); /* one number, however great it is, has a place that an int64_t holds */
		exponent -= DBL_MANT_DIG;
	}
	return exponent < EXPONENT_MIN ? EXPONENT_MIN : exponent;
}

/* Moves the bins to where they are in a grid of that width that begins at first. */
static void move_bins(struct table_profile *profile, int exponent, int64_t first)
{
	uint64_t old[PROFILE_FINE_BINS];
	int shift = exponent - profile->exponent;

	memcpy(old, profile->bins, sizeof old);
	memset(profile->bins, 0, sizeof old);
	if (shift > 63) shift = 63;
	for (size_t i = 0; i < PROFILE_FINE_BINS; i++)
		if (old[i]) profile->bins[((profile->first + (int64_t)i) >> shift) - first] += old[i];
	profile->exponent = exponent;
	profile->first = first;
}

/* Makes the grid reach from min to max, what is in it included. */
static void reach(struct table_profile *profile, double min, double max)
{
	int exponent = finest(min, max);
	int64_t low, high;

	if (profile->count && exponent < profile->exponent) exponent = profile->exponent;
	for (;; exponent++) {
		low = place(min, ldexp(1, -exponent));
		high = place(max, ldexp(1, -exponent));
		if (high - low < PROFILE_FINE_BINS) break;
	}
	if (profile->count && exponent == profile->exponent && low >= profile->first &&
			high < profile->first + PROFILE_FINE_BINS)
		return;
	if (!profile->count) profile->exponent = exponent;
	move_bins(profile, exponent, low - (PROFILE_FINE_BINS - (high - low + 1)) / 2);
}

void profile_take(struct table_profile *profile, const double *x, size_t n, uint64_t each, double min,
		double max)
{
	double per_width;
	int64_t first;

	reach(profile, min, max);
	per_width = ldexp(1, -profile->exponent);
	first = profile->first;
	for (size_t i = 0; i < n; i++)
		profile->bins[place(x[i], per_width) - first] += each;
	profile->count += n * each;
	if (each == 1) sample_take(&profile->sample, x, n, 1);
	for (size_t i = 0; each > 1 && i < n; i++)
		sample_take(&profile->sample, &x[i], each, 0);
}

/* ---- what came of it ---- */

void profile_histogram(
		const struct table_profile *profile, double min, double max, struct profile_histogram *out)
{
	double per_width = ldexp(1, -profile->exponent);
	int64_t low = place(min, per_width), used = place(max, per_width) - low + 1;
	int64_t fine = (used + PROFILE_BINS - 1) / PROFILE_BINS; /* in each bin */

	*out = (struct profile_histogram){ .bins = PROFILE_BINS };
	if (min == max) { /* one number is a bin of no width */
		out->bins = 1;
		out->edges[0] = out->edges[1] = min;
		out->counts[0] = profile->count;
		return;
	}
	for (int64_t i = 0; i <= PROFILE_BINS; i++) /* the last edge may leave the doubles */
		out->edges[i] = fmin(ldexp((double)(low + i * fine), profile->exponent), DBL_MAX);
	for (int64_t i = 0; i < used; i++)
		out->counts[i / fine] += profile->bins[low - profile->first + i];
}

static int by_number(const void *one, const void *other)
{
	const struct tally_cell *a = one, *b = other;

	return (a->number > b->number) - (a->number < b->number);
}

void tally_sort(struct tally_cell *cells, size_t count)
{
	qsort(cells, count, sizeof *cells, by_number);
}

bool profile_quartiles(const struct table_profile *profile, double out[3])
{
	size_t count = sample_count(&profile->sample);
	struct tally_cell *cells = malloc((count + 1) * sizeof *cells);

	if (!cells) return false;
	for (size_t i = 0; i < count; i++)
		cells[i] = (struct tally_cell){ profile->sample.numbers[i], 1 };
	tally_sort(cells, count);
	tally_quartiles(cells, count, out);
	free(cells);
	return true;
}

/* The number at a place among all, from 0. */
static double number_at(const struct tally_cell *sorted, size_t count, uint64_t at)
{
	size_t i = 0;

	for (uint64_t passed = sorted[0].count; passed <= at && i + 1 < count; passed += sorted[i].count)
		i++;
	return sorted[i].number;
}

void tally_quartiles(const struct tally_cell *sorted, size_t count, double out[3])
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += sorted[i].count;
	for (int quarter = 1; quarter <= 3; quarter++) {
		uint64_t four = (total - 1) * (uint64_t)quarter, at = four / 4; /* of 2^62 numbers at most */
		double share = (double)(four % 4) / 4, a = number_at(sorted, count, at);
		double b = share > 0 ? number_at(sorted, count, at + 1) : a;

		out[quarter - 1] = share < 0.5 ? a + (b - a) * share : b - (b - a) * (1 - share);
		if (!isfinite(b - a)) out[quarter - 1] = a * (1 - share) + b * share;
	}
}
