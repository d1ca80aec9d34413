/* encoder_fit.c - what an encoder learns from the training rows. See encoder.h.
 *
 * What is counted is exact whatever the size of the pieces that rows come in, as every sum is kept row by row. Only the
 * edges of a profile's bins come from a sample; the counts in them are exact again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/date.h"
#include "core/encoder_parts.h"

#define DAY_SECONDS      86400.0
#define SAMPLE_BYTES_MAX (16u << 20) /* of all columns together */
#define SAMPLE_LEAST     64          /* numbers a column */
#define SAMPLE_MOST      2048

static size_t sample_room(const struct encoder *encoder)
{
	size_t room = SAMPLE_BYTES_MAX / sizeof(double) / encoder->count;

	return room < SAMPLE_LEAST ? SAMPLE_LEAST : room > SAMPLE_MOST ? SAMPLE_MOST : room;
}

void encoder_fit_begin(struct encoder *encoder)
{
	for (size_t i = 0; i < encoder->count; i++) {
		struct column *column = &encoder->columns[i];
		struct encoder_column *shown = &column->shown;

		column->sums = (struct column_sums){ 0 };
		shown->mean = shown->std = shown->min = shown->max = 0;
		shown->rows = shown->missing_rows = 0;
		if (shown->slot_counts)
			memset(shown->slot_counts, 0, shown->width * sizeof *shown->slot_counts);
		sample_free(&column->sample);
		if (!shown->profile) continue;
		*shown->profile = (struct encoder_profile){ 0 };
		/* Without memory for it there is a profile of one bin. */
		sample_begin(&column->sample, sample_room(encoder), 0, (uint32_t)i);
	}
}

static void fit_year(struct column_sums *sums, uint64_t present, double x)
{
	struct date_parts parts;
	double delta;

	date_split(x, &parts);
	if (present == 1) sums->year_min = sums->year_max = parts.year;
	delta = parts.year - sums->year_mean;
	sums->year_mean += delta / (double)present;
	sums->year_squares += delta * (parts.year - sums->year_mean);
	sums->year_min = fmin(sums->year_min, parts.year);
	sums->year_max = fmax(sums->year_max, parts.year);
}

/* Mean and squared distances by Welford's recurrence (Technometrics 4, 1962). */
void encoder_fit_numbers(struct encoder *encoder, size_t i, const double *x, const uint8_t *use, size_t n)
{
	struct column *column = &encoder->columns[i];
	struct encoder_column *shown = &column->shown;

	for (size_t r = 0; r < n; r++) {
		uint64_t present;
		double delta;

		if (use && !use[r]) continue;
		shown->rows++;
		if (isnan(x[r])) {
			shown->missing_rows++;
			continue;
		}
		present = shown->rows - shown->missing_rows;
		if (present == 1) shown->min = shown->max = x[r];
		delta = x[r] - shown->mean;
		shown->mean += delta / (double)present;
		column->sums.squares += delta * (x[r] - shown->mean);
		shown->min = fmin(shown->min, x[r]);
		shown->max = fmax(shown->max, x[r]);
		if (shown->kind == COLUMN_DATE) fit_year(&column->sums, present, x[r]);
		sample_take(&column->sample, &x[r], 1, 1);
	}
}

void encoder_fit_slots(struct encoder *encoder, size_t i, const uint32_t *slots, const uint8_t *use, size_t n)
{
	struct encoder_column *shown = &encoder->columns[i].shown;

	for (size_t r = 0; r < n; r++) {
		size_t slot = slots[r];

		if (use && !use[r]) continue;
		shown->rows++;
		if (slots[r] == SLOT_MISSING) {
			shown->missing_rows++;
			slot = shown->slots + 1;
		} else if (slot >= shown->slots) {
			slot = shown->slots;
		}
		if (slot < shown->width) shown->slot_counts[slot]++;
	}
}

/* ---- the end ---- */

static double finite_or(double x, double otherwise)
{
	return isfinite(x) ? x : otherwise;
}

/* How numbers with these marks are brought to a common size. unit: of what is left raw. */
static void scaling(enum normalize normalize, double mean, double std, double min, double max, double unit,
		double *shift, double *scale)
{
	double spread = unit;

	*shift = unit == 1 ? 0 : min;
	if (normalize == NORMALIZE_STANDARD) {
		*shift = mean;
		spread = std;
	} else if (normalize == NORMALIZE_MINMAX) {
		*shift = min;
		spread = finite_or(max - min, 0);
	}
	*scale = spread > 0 ? spread : 1; /* a constant column becomes 0 */
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Edges at the sample's quantiles: every one has values on either side. */
static void make_edges(struct column *column)
{
	struct encoder_profile *profile = column->shown.profile;
	double *sample = column->sample.numbers;
	size_t n = sample_count(&column->sample);

	if (!n) return;
	qsort(sample, n, sizeof *sample, by_size);
	for (size_t b = 1; b < ENCODER_BINS; b++) {
		double edge = sample[(n - 1) * b / ENCODER_BINS];
		size_t before = profile->edges_count;

		if (edge >= sample[n - 1]) break;
		if (before && edge <= profile->edges[before - 1]) continue;
		profile->edges[profile->edges_count++] = edge;
	}
}

static void end_numeric(struct encoder *encoder, struct column *column)
{
	struct encoder_column *shown = &column->shown;
	const struct column_sums *sums = &column->sums;
	uint64_t present = shown->rows - shown->missing_rows;
	bool date = shown->kind == COLUMN_DATE;
	enum normalize normalize = column->raw ? NORMALIZE_NONE : encoder->normalize;
	double year_std = present ? sqrt(sums->year_squares / (double)present) : 0;

	shown->mean = finite_or(shown->mean, 0);
	shown->std = present ? finite_or(sqrt(sums->squares / (double)present), 0) : 0;
	shown->fill = shown->mean;
	scaling(normalize, shown->mean, shown->std, shown->min, shown->max, date ? DAY_SECONDS : 1,
			&shown->shift, &shown->scale);
	if (date) {
		shown->year_fill = sums->year_mean;
		scaling(normalize, sums->year_mean, year_std, sums->year_min, sums->year_max, 1,
				&shown->year_shift, &shown->year_scale);
	}
	if (shown->profile) make_edges(column);
}

void encoder_fit_end(struct encoder *encoder)
{
	for (size_t i = 0; i < encoder->count; i++) {
		struct column *column = &encoder->columns[i];

		if (encoder_is_numeric(column->shown.kind)) end_numeric(encoder, column);
		sample_free(&column->sample);
	}
}

/* ---- profiles ---- */

size_t encoder_bin(const struct encoder_profile *profile, double x)
{
	size_t bin = 0;

	for (size_t i = 0; i < profile->edges_count; i++) /* no guess where to stop could be right for long */
		bin += x > profile->edges[i];
	return bin;
}

void encoder_profile(struct encoder *encoder, size_t i, const double *x, const uint8_t *use, size_t n)
{
	struct encoder_profile *profile = encoder->columns[i].shown.profile;

	for (size_t r = 0; profile && r < n; r++)
		if ((!use || use[r] == 1) && !isnan(x[r])) profile->counts[encoder_bin(profile, x[r])]++;
}

void encoder_restore(struct encoder *encoder, size_t i, const struct encoder_column *learnt)
{
	struct encoder_column *to = &encoder->columns[i].shown;

	to->shift = learnt->shift;
	to->scale = learnt->scale;
	to->fill = learnt->fill;
	to->year_shift = learnt->year_shift;
	to->year_scale = learnt->year_scale;
	to->year_fill = learnt->year_fill;
	to->mean = learnt->mean;
	to->std = learnt->std;
	to->min = learnt->min;
	to->max = learnt->max;
	to->rows = learnt->rows;
	to->missing_rows = learnt->missing_rows;
	if (to->profile && learnt->profile) *to->profile = *learnt->profile;
	if (to->slot_counts && learnt->slot_counts)
		memcpy(to->slot_counts, learnt->slot_counts, to->width * sizeof *to->slot_counts);
}
