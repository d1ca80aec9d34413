/* test_table_profile.c - quartiles and histograms of numbers: against NumPy, against counting one by one, and through
 * a table.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/golden/quartiles.h"
#include "tests/unit/table_reading.h"

static int by_value(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

/* ---- quartiles ---- */

START_TEST(quartiles_are_numpys)
{
	for (size_t i = 0; i < sizeof quartiles_golden / sizeof *quartiles_golden; i++) {
		const struct quartiles_golden *g = &quartiles_golden[i];
		struct tally_cell cells[101];
		struct table_profile profile;
		double found[3];

		ck_assert(profile_begin(&profile, 1, 0));
		profile_take(&profile, g->x, g->count, 1, -1e300, 1e300);
		ck_assert(profile_quartiles(&profile, found));
		for (int k = 0; k < 3; k++)
			ck_assert_double_eq(found[k], g->quartiles[k]);
		for (size_t k = 0; k < g->count; k++)
			cells[k] = (struct tally_cell){ g->x[k], 1 };
		tally_sort(cells, g->count);
		tally_quartiles(cells, g->count, found);
		for (int k = 0; k < 3; k++)
			ck_assert_double_eq(found[k], g->quartiles[k]);
		profile_free(&profile);
	}
}
END_TEST

/* Numbers that were there often are as those many numbers are. */
START_TEST(quartiles_of_counts)
{
	const struct tally_cell cells[] = { { -1, 3 }, { 0, 1 }, { 2, 1000000 }, { 8, 999996 } };
	double found[3];

	tally_quartiles(cells, 4, found);
	ck_assert(found[0] == 2 && found[1] == 2 && found[2] == 8);
	tally_quartiles((struct tally_cell[]){ { 1, 2 }, { 3, 2 } }, 2, found);
	ck_assert(found[0] == 1 && found[1] == 2 && found[2] == 3);
	tally_quartiles((struct tally_cell[]){ { -DBL_MAX, 1 }, { DBL_MAX, 1 } }, 2, found);
	ck_assert(found[1] == 0 && isfinite(found[0]) && isfinite(found[2]));
}
END_TEST

/* The numbers 0 to n - 1 in ascending order, however they come: each tenth of them has about a tenth of the sample. */
START_TEST(the_sample_is_uniform)
{
	enum { N = 200000, TENTHS = 10 };
	double *x = malloc(N * sizeof *x), expected = (double)PROFILE_SAMPLE_MAX / TENTHS, quartiles[3];

	for (int i = 0; i < N; i++)
		x[i] = i;
	for (uint64_t seed = 0; seed < 5; seed++) {
		size_t counts[TENTHS] = { 0 };
		struct table_profile profile;

		ck_assert(profile_begin(&profile, 1, seed));
		for (size_t at = 0, n; at < N; at += n) {
			n = 1 + at % 5000;
			if (n > N - at) n = N - at;
			profile_take(&profile, x + at, n, 1, 0, (double)(at + n - 1));
		}
		for (size_t i = 0; i < PROFILE_SAMPLE_MAX; i++)
			counts[(int)(profile.sample.numbers[i] / (N / TENTHS))]++;
		for (int i = 0; i < TENTHS; i++) /* five standard deviations */
			ck_assert_double_eq_tol((double)counts[i], expected, 5 * sqrt(expected * 0.9));
		qsort(profile.sample.numbers, PROFILE_SAMPLE_MAX, sizeof(double), by_value);
		for (size_t i = 1; i < PROFILE_SAMPLE_MAX; i++)
			ck_assert_double_gt(profile.sample.numbers[i],
					profile.sample.numbers[i - 1]); /* none twice */
		ck_assert(profile_quartiles(&profile, quartiles));
		for (int k = 0; k < 3; k++)
			ck_assert_double_eq_tol(quartiles[k], N * (k + 1) / 4.0, N * 0.03);
		profile_free(&profile);
	}
	free(x);
}
END_TEST

/* ---- histograms ---- */

static double draw(const struct rng_key *key, size_t i, int kind)
{
	switch (kind) {
	case 0: return rng_normal(key, i);
	case 1: return 1e15 + (double)rng_below(key, i, 1000) / 8;
	case 2: return exp(rng_normal(key, i) * 5); /* the range grows again and again */
	case 3: return i % 2 ? -DBL_MAX * rng_uniform(key, i) : DBL_MAX * rng_uniform(key, i);
	case 4: return 5e-324 * (double)rng_below(key, i, 100000);
	case 5: return -1e-3 * (double)i; /* ever further down */
	case 6: return i < 900 ? 7 : -1e9 + (double)i;
	default: return (double)rng_below(key, i, 256);
	}
}

/* In groups, against counting every number by the edges that were found. */
START_TEST(every_number_is_in_its_bin)
{
	enum { N = 20000, KINDS = 8 };
	double *x = malloc(N * sizeof *x);

	for (int kind = 0; kind < KINDS; kind++) {
		const struct rng_key key = { .seed = (uint64_t)kind, .stream = RNG_TEST };
		struct profile_histogram h;
		struct table_profile profile;
		double min = INFINITY, max = -INFINITY;
		uint64_t counts[PROFILE_BINS] = { 0 };

		ck_assert(profile_begin(&profile, 1, 0));
		for (size_t i = 0, n; i < N; i += n) {
			n = i + 1 + i / 3 < N ? 1 + i / 3 : N - i;
			for (size_t k = i; k < i + n; k++) {
				x[k] = draw(&key, k, kind);
				min = fmin(min, x[k]);
				max = fmax(max, x[k]);
			}
			profile_take(&profile, x + i, n, 1, min, max);
		}
		profile_histogram(&profile, min, max, &h);
		ck_assert_uint_eq(h.bins, PROFILE_BINS);
		ck_assert_double_le(h.edges[0], min);
		ck_assert_double_ge(h.edges[PROFILE_BINS], max);
		for (int b = 0; b < PROFILE_BINS; b++)
			ck_assert_double_gt(h.edges[b + 1], h.edges[b]);
		if (kind != 4) /* whose width cannot be narrower */
			ck_assert_double_le(h.edges[PROFILE_BINS] / 2 - h.edges[0] / 2,
					1.05 * (max / 2 - min / 2));
		for (size_t i = 0; i < N; i++)
			for (int b = 0; b < PROFILE_BINS; b++)
				counts[b] += x[i] >= h.edges[b] &&
					     (x[i] < h.edges[b + 1] ||
							     (b == PROFILE_BINS - 1 &&
									     x[i] == h.edges[b + 1]));
		ck_assert_mem_eq(counts, h.counts, sizeof counts);
		profile_free(&profile);
	}
	free(x);
}
END_TEST

START_TEST(one_number)
{
	static const double all[] = { 0, -3.25, 1e300, 5e-324, -DBL_MAX };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct profile_histogram h;
		struct table_profile profile;

		ck_assert(profile_begin(&profile, 1, 0));
		profile_take(&profile, &all[i], 1, 7, all[i], all[i]);
		profile_histogram(&profile, all[i], all[i], &h);
		ck_assert(h.bins == 1 && h.edges[0] == all[i] && h.edges[1] == all[i] && h.counts[0] == 7);
		profile_free(&profile);
	}
}
END_TEST

/* ---- through a table ---- */

static double element(const struct reading *r, size_t column, const char *of, const char *key, size_t i)
{
	const json_t *from = key ? json_object_get(at(r, column, of), key) : at(r, column, of);

	ck_assert_ptr_nonnull(json_array_get(from, i));
	return json_number_value(json_array_get(from, i));
}

/* 0 to n - 1 in some order has its quartiles at (n - 1) / 4 and so on; few distinct numbers and many, with cells missing
 * and in groups of any size. n is below the sample's size: exact. */
START_TEST(profiles_of_columns)
{
	enum { N = 5000, STEP = 1237 }; /* coprime */

	for (size_t group_rows = 0; group_rows < 1000; group_rows += 333) {
		struct buffer text = { 0 };
		struct reading r;
		json_int_t many = 0, few = 0;

		buffer_text(&text, "many,few,same,none\n");
		for (int i = 0; i < N; i++)
			buffer_printf(&text, "%d,%d,4,\n,NA,,\n", i * STEP % N, i * STEP % N % 100);
		buffer_add(&text, "", 1);
		read_csv(&r, text.data,
				&(struct how){ .group_rows = group_rows, .columns = 4, .step = 10000 });
		ck_assert_int_eq(r.rc, 0);
		for (size_t k = 0; k < 3; k++) {
			ck_assert_double_eq(
					element(&r, 0, "quartiles", NULL, k), (N - 1) * (double)(k + 1) / 4);
			ck_assert_double_eq(element(&r, 2, "quartiles", NULL, k), 4);
		}
		ck_assert_double_eq(element(&r, 1, "quartiles", NULL, 0),
				24.75); /* numpy.quantile of 50 times 0 to 99 */
		ck_assert_double_eq(element(&r, 1, "quartiles", NULL, 1), 49.5);
		for (size_t b = 0; b < PROFILE_BINS; b++) {
			many += (json_int_t)element(&r, 0, "histogram", "counts", b);
			few += (json_int_t)element(&r, 1, "histogram", "counts", b);
		}
		ck_assert(many == N && few == N);
		ck_assert_uint_eq(json_array_size(json_object_get(at(&r, 0, "histogram"), "edges")),
				PROFILE_BINS + 1);
		ck_assert_double_eq(element(&r, 2, "histogram", "counts", 0), N);
		ck_assert_ptr_null(at(&r, 3, "histogram"));
		ck_assert_ptr_null(at(&r, 3, "quartiles"));
		clear(&r);
		buffer_free(&text);
	}
}
END_TEST

/* A column that becomes a category late, and a table that is too wide, have none; a word leaves nothing behind. */
START_TEST(where_there_is_none)
{
	struct buffer text = { 0 };
	struct reading r;
	char *wide = wide_text(PROFILE_COLUMNS_MAX + 1, 3, "");

	buffer_text(&text, "a,b\n");
	for (int i = 0; i < 3000; i++)
		buffer_printf(&text, "%d,%d\n", i, i);
	buffer_text(&text, "word,1\n");
	buffer_add(&text, "", 1);
	read_csv(&r, text.data, &(struct how){ .group_rows = 500, .columns = 2 });
	ck_assert_int_eq(r.rc, 0);
	ck_assert_ptr_null(at(&r, 0, "histogram"));
	ck_assert_ptr_null(r.table->columns[0].profile);
	ck_assert_ptr_nonnull(at(&r, 1, "histogram"));
	clear(&r);
	read_csv(&r, wide, &(struct how){ 0 });
	ck_assert_int_eq(r.rc, 0);
	ck_assert_ptr_null(at(&r, 0, "histogram"));
	clear(&r);
	free(wide);
	buffer_free(&text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { quartiles_are_numpys, quartiles_of_counts, the_sample_is_uniform,
		every_number_is_in_its_bin, one_number, profiles_of_columns, where_there_is_none, NULL };

	return suite_main("table_profile", tests, 60);
}
