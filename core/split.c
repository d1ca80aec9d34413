/* split.c - which rows are held out. See train.h.
 *
 * At random, which is a function of the seed alone and takes one pass; those of one fold of several, which are dealt out like
 * cards, class after class; or those with the largest values.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/train.h"

static int check_split(size_t rows, double split, struct err *e)
{
	if (rows < 2) return err_set(e, ERR_RANGE, "%zu rows cannot be split into two parts", rows);
	if (!(split > 0 && split < 1))
		return err_set(e, ERR_RANGE, "a validation split is a share in (0, 1), not %g", split);
	return 0;
}

static size_t held_of(size_t rows, double split)
{
	size_t held = (size_t)((double)rows * split + 0.5);

	if (held < 1) return 1;
	return held < rows ? held : rows - 1;
}

/* One class while its rows are being held out. */
struct share {
	uint64_t rows;      /* not looked at yet */
	uint64_t held;      /* still to be held out of those */
	uint64_t low, high; /* bounds of held */
};

static uint64_t clamped(const struct share *share, double ratio)
{
	uint64_t n = (uint64_t)((double)share->rows * ratio + 0.5);

	if (n < share->low) return share->low;
	return n > share->high ? share->high : n;
}

static uint64_t total_at(const struct share *shares, size_t count, double ratio)
{
	uint64_t total = 0;

	for (size_t c = 0; c < count; c++)
		total += clamped(&shares[c], ratio);
	return total;
}

/* The bounds of each class: one row on either side where there are two, unless `total` is too few or too many. */
static void set_bounds(struct share *shares, size_t count, uint64_t total)
{
	uint64_t lows = 0, highs = 0;

	for (size_t c = 0; c < count; c++) {
		struct share *s = &shares[c];

		s->low = s->rows > 1;
		s->high = s->rows > 1 ? s->rows - 1 : 0;
		lows += s->low;
		highs += s->high;
	}
	for (size_t c = 0; c < count; c++) {
		if (lows > total) shares[c].low = 0;
		if (highs < total) shares[c].high = shares[c].rows;
	}
}

/* Divides `total` among the classes: held = rows * ratio, rounded and clamped to the bounds, with the one ratio that
 * makes the sum right (Webster's method; Balinski, Young: Fair Representation, 1982). */
static void divide(struct share *shares, size_t count, uint64_t total)
{
	double low = 0, high = 2; /* at 2, every class is at its upper bound */

	for (int i = 0; i < 64; i++) {
		double middle = (low + high) / 2;

		if (total_at(shares, count, middle) <= total)
			low = middle;
		else
			high = middle;
	}
	total -= total_at(shares, count, low);
	for (size_t c = 0; c < count; c++) {
		struct share *s = &shares[c];
		uint64_t more = clamped(s, high) - clamped(s, low); /* ties at the ratio itself */

		more = more < total ? more : total;
		total -= more;
		s->held = clamped(s, low) + more;
	}
}

int train_split(uint8_t *use, size_t rows, double split, const uint32_t *classes, size_t class_count,
		uint64_t seed, struct err *e)
{
	struct rng_key key = { .seed = seed, .stream = RNG_SPLIT };
	size_t count = classes ? class_count : 1;
	struct share *shares;
	uint64_t total;
	int rc = check_split(rows, split, e);

	if (rc) return rc;
	for (size_t i = 0; classes && i < rows; i++)
		if (classes[i] >= count) return err_set(e, ERR_RANGE, "row %zu has no known class", i);
	shares = calloc(count, sizeof *shares);
	if (!shares) return err_nomem(e);
	for (size_t i = 0; i < rows; i++)
		shares[classes ? classes[i] : 0].rows++;
	total = held_of(rows, split);
	set_bounds(shares, count, total);
	divide(shares, count, total);
	for (size_t i = 0; i < rows; i++) { /* selection sampling: Knuth, TAOCP 2, 3.4.2, algorithm S */
		struct share *s = &shares[classes ? classes[i] : 0];
		bool held = rng_below(&key, i, s->rows) < s->held;

		s->rows--;
		s->held -= held;
		use[i] = !held;
	}
	free(shares);
	return 0;
}

/* ---- folds ---- */

/* Rows by class, (rows), each class in the order that the seed draws. */
static int deal_order(uint32_t *order, size_t rows, const uint32_t *classes, size_t class_count,
		uint64_t seed, struct err *e)
{
	struct rng_key key = { .seed = seed, .stream = RNG_FOLDS };
	size_t *next = calloc(class_count + 1, sizeof *next); /* where a row of the class goes */

	if (!next) return err_nomem(e);
	for (size_t i = 0; i < rows; i++)
		next[(classes ? classes[i] : 0) + 1]++;
	for (size_t c = 1; c < class_count; c++)
		next[c] += next[c - 1];
	for (size_t i = 0; i < rows; i++)
		order[next[classes ? classes[i] : 0]++] = (uint32_t)i;
	/* next[c] is where class c ends now; each is shuffled by itself (Fisher, Yates). */
	for (size_t c = 0, from = 0; c < class_count; from = next[c++])
		for (size_t i = next[c] - from; i-- > 1;) {
			size_t j = (size_t)rng_below(&key, from + i, i + 1);
			uint32_t turn = order[from + i];

			order[from + i] = order[from + j];
			order[from + j] = turn;
		}
	free(next);
	return 0;
}

int train_folds(uint8_t *fold, size_t rows, size_t folds, const uint32_t *classes, size_t class_count,
		uint64_t seed, struct err *e)
{
	uint32_t *order;
	int rc;

	if (folds < 2 || folds > TRAIN_FOLDS_MAX || rows > UINT32_MAX)
		return err_set(e, ERR_RANGE, "%zu rows cannot be dealt out among %zu folds", rows, folds);
	if (rows < folds)
		return err_set(e, ERR_RANGE, "%zu folds need at least %zu rows, and there are %zu", folds,
				folds, rows);
	for (size_t i = 0; classes && i < rows; i++)
		if (classes[i] >= class_count) return err_set(e, ERR_RANGE, "row %zu has no known class", i);
	if (!(order = malloc(rows * sizeof *order))) return err_nomem(e);
	rc = deal_order(order, rows, classes, classes ? class_count : 1, seed, e);
	for (size_t i = 0; !rc && i < rows; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript): each row is dealt once */
		fold[order[i]] = (uint8_t)(i % folds);
	free(order);
	return rc;
}

/* ---- the rows with the largest values ---- */

#define DIGIT_BITS 8
#define DIGITS     (1 << DIGIT_BITS)

/* A number whose order among others is that of x among theirs; -0 is 0. */
static uint64_t rank_of(double x)
{
	uint64_t bits;

	x += 0.0;
	memcpy(&bits, &x, sizeof bits);
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* The rank of the nth largest value, digit by digit from the top; *equals of the n have this rank, *all rows have it. */
static uint64_t nth_largest(const double *values, size_t rows, size_t n, size_t *equals, size_t *all)
{
	uint64_t prefix = 0, mask = 0;

	for (int shift = 64 - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
		size_t counts[DIGITS] = { 0 }, digit = DIGITS - 1;

		for (size_t i = 0; i < rows; i++)
			if ((rank_of(values[i]) & mask) == prefix)
				counts[rank_of(values[i]) >> shift & (DIGITS - 1)]++;
		while (counts[digit] < n)
			n -= counts[digit--];
		prefix |= (uint64_t)digit << shift;
		mask |= (uint64_t)(DIGITS - 1) << shift;
		*all = counts[digit];
	}
	*equals = n;
	return prefix;
}

int train_split_last(uint8_t *use, size_t rows, double split, const double *values, struct err *e)
{
	size_t equals, all;
	uint64_t least;
	int rc = check_split(rows, split, e);

	if (rc) return rc;
	for (size_t i = 0; i < rows; i++)
		if (isnan(values[i]))
			return err_set(e, ERR_RANGE, "row %zu has no value to be ordered by", i);
	least = nth_largest(values, rows, held_of(rows, split), &equals, &all);
	for (size_t i = 0; i < rows; i++) {
		uint64_t rank = rank_of(values[i]);

		use[i] = rank < least || (rank == least && all-- > equals);
	}
	return 0;
}
