/* drift.c - counts of what is asked, and what they say beside a profile. See drift.h.
 *
 * A column's counts: of a number or date its bins, then below, above, missing; of a category its slots. A category of
 * many slots is judged by groups of neighbouring ones, each with about a GROUPS-th of the training rows: where a slot
 * has a row or two, its share says nothing.
 */
#include "core/drift.h"

#include <math.h>
#include <stdlib.h>

#define GROUPS 20

enum { BELOW = ENCODER_BINS, ABOVE, MISSING, NUMERIC_COUNTS };

struct drift {
	const struct encoder *inputs;
	size_t total;
	size_t first[]; /* (columns) */
};

int drift_new(struct drift **out, const struct encoder *inputs, struct err *e)
{
	size_t columns = encoder_columns(inputs);
	struct drift *drift;

	*out = NULL;
	if (encoder_width(inputs) > DRIFT_COUNTS_MAX) return 0; /* columns is no more than that */
	if (!(drift = malloc(sizeof *drift + columns * sizeof *drift->first))) return err_nomem(e);
	drift->inputs = inputs;
	drift->total = 0;
	for (size_t i = 0; i < columns; i++) {
		const struct encoder_column *column = encoder_column(inputs, i);

		drift->first[i] = drift->total;
		drift->total += encoder_is_numeric(column->kind) ? NUMERIC_COUNTS : column->width;
	}
	if (drift->total > DRIFT_COUNTS_MAX)
		free(drift);
	else
		*out = drift;
	return 0;
}

void drift_free(struct drift *drift)
{
	free(drift);
}

size_t drift_counts(const struct drift *drift)
{
	return drift->total;
}

const uint64_t *drift_of(const struct drift *drift, size_t i, const uint64_t *counts)
{
	return counts + drift->first[i];
}

/* One thread writes, so that nothing is lost between the two; others read a whole number. */
static inline void count(uint64_t *at)
{
	__atomic_store_n(at, *at + 1, __ATOMIC_RELAXED);
}

void drift_numbers(const struct drift *drift, size_t i, const double *x, size_t n, uint64_t *counts)
{
	const struct encoder_column *column = encoder_column(drift->inputs, i);
	uint64_t *to = counts + drift->first[i];

	for (size_t r = 0; r < n; r++) {
		if (isnan(x[r])) {
			count(to + MISSING);
			continue;
		}
		count(to + encoder_bin(column->profile, x[r]));
		if (x[r] < column->min) count(to + BELOW);
		if (x[r] > column->max) count(to + ABOVE);
	}
}

void drift_slots(const struct drift *drift, size_t i, const uint32_t *slots, size_t n, uint64_t *counts)
{
	const struct encoder_column *column = encoder_column(drift->inputs, i);
	uint64_t *to = counts + drift->first[i];

	for (size_t r = 0; r < n; r++) {
		size_t slot = slots[r];

		if (slots[r] == SLOT_MISSING)
			slot = column->slots + 1;
		else if (slot >= column->slots)
			slot = column->slots;
		if (slot < column->width) count(to + slot);
	}
}

/* ---- what they say ---- */

/* Sums over bins. */
struct comparison {
	double asked, trained; /* rows, with half a one a bin */
	double sum;            /* of (a - t) ln(a / t), in shares */
};

static void compare(struct comparison *c, uint64_t asked, uint64_t trained)
{
	double a = ((double)asked + 0.5) / c->asked, t = ((double)trained + 0.5) / c->trained;

	c->sum += (a - t) * log(a / t);
}

static void finish(const struct comparison *c, uint64_t asked, uint64_t trained, struct drift_report *out)
{
	bool both = asked && trained;

	out->psi = both ? c->sum : (double)NAN;
	out->psi_by_chance = both ? (double)(out->bins - 1) * (1 / (double)asked + 1 / (double)trained)
				  : (double)NAN;
}

static uint64_t sum(const uint64_t *counts, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += counts[i];
	return total;
}

static void report_numeric(
		const struct encoder_column *column, const uint64_t *counts, struct drift_report *out)
{
	const struct encoder_profile *profile = column->profile;
	size_t bins = profile->edges_count + 1;
	uint64_t trained = sum(profile->counts, bins) + column->missing_rows;
	struct comparison c = { 0 };

	out->missing = counts[MISSING];
	out->below = counts[BELOW];
	out->above = counts[ABOVE];
	out->rows = sum(counts, bins) + out->missing;
	out->bins = bins + 1; /* missing is one */
	c.asked = (double)out->rows + (double)out->bins / 2;
	c.trained = (double)trained + (double)out->bins / 2;
	for (size_t b = 0; b < bins; b++)
		compare(&c, counts[b], profile->counts[b]);
	compare(&c, out->missing, column->missing_rows);
	finish(&c, out->rows, sum(profile->counts, bins) ? trained : 0, out);
}

/* Slots from *slot on that are one group: *asked and *trained of it. A group of slots ends with its share of the training
 * rows, or where the values' slots do. */
static void next_group(const struct encoder_column *column, const uint64_t *counts, size_t *slot,
		uint64_t *asked, uint64_t *trained)
{
	size_t most = column->width <= GROUPS ? 1 : SIZE_MAX;

	*asked = *trained = 0;
	for (size_t taken = 0; *slot < column->width && taken < most; taken++) {
		bool beside = *slot >= column->slots;

		if (beside && taken) return;
		*asked += counts[*slot];
		*trained += column->slot_counts[*slot];
		++*slot;
		if (beside || *trained * GROUPS >= column->rows) return;
	}
}

static size_t count_groups(const struct encoder_column *column, const uint64_t *counts)
{
	uint64_t asked, trained;
	size_t groups = 0;

	for (size_t slot = 0; slot < column->width; groups++)
		next_group(column, counts, &slot, &asked, &trained);
	return groups;
}

static void report_category(
		const struct encoder_column *column, const uint64_t *counts, struct drift_report *out)
{
	struct comparison c = { 0 };
	uint64_t asked, trained;

	out->rows = sum(counts, column->width);
	out->unknown = counts[column->slots];
	if (column->width > column->slots + 1) out->missing = counts[column->slots + 1];
	for (size_t i = 0; i < column->slots && column->rows; i++)
		if (!column->slot_counts[i]) out->unknown += counts[i];
	out->bins = count_groups(column, counts);
	c.asked = (double)out->rows + (double)out->bins / 2;
	c.trained = (double)column->rows + (double)out->bins / 2;
	for (size_t slot = 0; slot < column->width;) {
		next_group(column, counts, &slot, &asked, &trained);
		compare(&c, asked, trained);
	}
	finish(&c, out->rows, column->rows, out);
}

void drift_column(const struct drift *drift, size_t i, const uint64_t *counts, struct drift_report *out)
{
	const struct encoder_column *column = encoder_column(drift->inputs, i);

	*out = (struct drift_report){ 0 };
	if (encoder_is_numeric(column->kind))
		report_numeric(column, drift_of(drift, i, counts), out);
	else
		report_category(column, drift_of(drift, i, counts), out);
}
