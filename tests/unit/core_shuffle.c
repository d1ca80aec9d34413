/* core_shuffle.c - the order of an epoch and the rows that are held out. */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "core/train.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

static uint32_t *order_of(size_t rows, uint64_t seed, uint32_t epoch)
{
	uint32_t *order = malloc((rows ? rows : 1) * sizeof *order);

	ck_assert_ptr_nonnull(order);
	train_shuffle(order, rows, SHUFFLE_BLOCK_ROWS, seed, epoch);
	return order;
}

/* Every row once. */
static void check_permutation(const uint32_t *order, size_t rows)
{
	uint8_t *seen = calloc(rows + 1, 1);

	ck_assert_ptr_nonnull(seen);
	for (size_t i = 0; i < rows; i++) {
		ck_assert_uint_lt(order[i], rows);
		ck_assert_uint_eq(seen[order[i]], 0);
		seen[order[i]] = 1;
	}
	free(seen);
}

START_TEST(every_row_comes_once)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 150, SHUFFLE_BLOCK_ROWS - 1, SHUFFLE_BLOCK_ROWS,
		SHUFFLE_BLOCK_ROWS + 1, 3 * SHUFFLE_BLOCK_ROWS,
		SHUFFLE_WINDOW_BLOCKS * SHUFFLE_BLOCK_ROWS + 1,
		5 * SHUFFLE_WINDOW_BLOCKS * SHUFFLE_BLOCK_ROWS - 17 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint32_t *order = order_of(sizes[i], 1, 1);

		check_permutation(order, sizes[i]);
		free(order);
	}
}
END_TEST

START_TEST(orders_follow_seed_and_epoch)
{
	size_t rows = 10000, bytes = rows * sizeof(uint32_t);
	uint32_t *one = order_of(rows, 1, 1), *same = order_of(rows, 1, 1);
	uint32_t *next = order_of(rows, 1, 2), *other = order_of(rows, 2, 1);

	ck_assert_mem_eq(one, same, bytes);
	ck_assert_mem_ne(one, next, bytes);
	ck_assert_mem_ne(one, other, bytes);
	ck_assert_mem_ne(next, other, bytes);
	free(one);
	free(same);
	free(next);
	free(other);
}
END_TEST

/* Of five rows each is as often at each place, over many epochs: 120,000 / 5 give or take 4 deviations. */
START_TEST(small_orders_are_fair)
{
	enum { ROWS = 5, EPOCHS = 120000 };
	size_t counts[ROWS][ROWS] = { 0 };
	uint32_t order[ROWS];

	for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
		train_shuffle(order, ROWS, SHUFFLE_BLOCK_ROWS, 9, epoch);
		for (size_t i = 0; i < ROWS; i++)
			counts[i][order[i]]++;
	}
	for (size_t i = 0; i < ROWS; i++)
		for (size_t j = 0; j < ROWS; j++)
			ck_assert_int_le(labs((long)counts[i][j] - EPOCHS / ROWS), 560);
}
END_TEST

/* A window's rows are from SHUFFLE_WINDOW_BLOCKS whole blocks, so that streamed data need no more in memory. */
START_TEST(a_window_holds_whole_blocks)
{
	size_t window = (size_t)SHUFFLE_WINDOW_BLOCKS * SHUFFLE_BLOCK_ROWS, rows = 3 * window;
	uint32_t *order = order_of(rows, 4, 1);

	for (size_t w = 0; w < 3; w++) {
		size_t counts[3 * SHUFFLE_WINDOW_BLOCKS] = { 0 }, blocks = 0;

		for (size_t i = 0; i < window; i++)
			counts[order[w * window + i] / SHUFFLE_BLOCK_ROWS]++;
		for (size_t b = 0; b < 3 * SHUFFLE_WINDOW_BLOCKS; b++) {
			ck_assert(counts[b] == 0 || counts[b] == SHUFFLE_BLOCK_ROWS);
			blocks += counts[b] > 0;
		}
		ck_assert_uint_eq(blocks, SHUFFLE_WINDOW_BLOCKS);
	}
	free(order);
}
END_TEST

/* Blocks of any size: of 1 row, too, when the blocks' order fills all of the result. */
START_TEST(blocks_may_be_small)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 100 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (size_t rows = 0; rows < 700; rows += 23) {
			uint32_t order[700];

			train_shuffle(order, rows, sizes[i], 3, 1);
			check_permutation(order, rows);
		}
}
END_TEST

/* A window takes 64 MiB at most, but for rows of more than 1 MiB each. */
START_TEST(wide_rows_make_small_blocks)
{
	const size_t widths[] = { 0, 1, 22, 64, 65, 795, 100000, SHUFFLE_BLOCK_NUMBERS,
		4 * SHUFFLE_BLOCK_NUMBERS };

	for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
		size_t rows = train_block_rows(widths[i]);

		ck_assert_uint_ge(rows, 1);
		ck_assert_uint_le(rows, SHUFFLE_BLOCK_ROWS);
		if (widths[i] <= 64) ck_assert_uint_eq(rows, SHUFFLE_BLOCK_ROWS);
		if (rows > 1) ck_assert_uint_le(rows * widths[i], SHUFFLE_BLOCK_NUMBERS);
	}
	ck_assert_uint_eq(train_block_rows(795), 329);
}
END_TEST

static size_t held_out(const uint8_t *use, size_t rows)
{
	size_t held = 0;

	for (size_t i = 0; i < rows; i++)
		held += !use[i];
	return held;
}

START_TEST(a_split_holds_out_its_share)
{
	static const struct {
		size_t rows;
		double split;
		size_t held;
	} rows[] = { { 2, 0.5, 1 }, { 2, 0.01, 1 }, { 2, 0.99, 1 }, { 10, 0.25, 3 }, { 150, 0.2, 30 },
		{ 1000, 0.999, 999 }, { 100, 0.9999, 99 }, { 7, 0.5, 4 } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t use[1000], again[1000];
		struct err e;

		OK(train_split(use, rows[i].rows, rows[i].split, NULL, 0, 3, &e), e);
		ck_assert_uint_eq(held_out(use, rows[i].rows), rows[i].held);
		OK(train_split(again, rows[i].rows, rows[i].split, NULL, 0, 3, &e), e);
		ck_assert_mem_eq(use, again, rows[i].rows);
	}
}
END_TEST

START_TEST(another_seed_is_another_split)
{
	uint8_t one[200], two[200];
	struct err e;

	OK(train_split(one, 200, 0.3, NULL, 0, 1, &e), e);
	OK(train_split(two, 200, 0.3, NULL, 0, 2, &e), e);
	ck_assert_mem_ne(one, two, sizeof one);
}
END_TEST

/* counts[c] rows of each class, in turns; held[c] becomes how many of them a split holds out. */
static void split_classes(const size_t *counts, size_t classes, double split, size_t *held)
{
	uint32_t labels[4000] = { 0 };
	uint8_t use[4000];
	size_t rows = 0;
	struct err e;

	for (size_t c = 0; c < classes; c++) {
		held[c] = 0;
		for (size_t i = 0; i < counts[c]; i++)
			labels[rows++] = (uint32_t)c;
	}
	OK(train_split(use, rows, split, labels, classes, 5, &e), e);
	for (size_t i = 0; i < rows; i++)
		held[labels[i]] += !use[i];
}

START_TEST(classes_are_held_out_in_proportion)
{
	size_t held[3];

	split_classes((size_t[]){ 50, 50, 50 }, 3, 0.2, held);
	ck_assert(held[0] == 10 && held[1] == 10 && held[2] == 10);
	split_classes((size_t[]){ 900, 90, 10 }, 3, 0.1, held);
	ck_assert(held[0] == 90 && held[1] == 9 && held[2] == 1);
	split_classes((size_t[]){ 1000, 3, 2 }, 3, 0.1,
			held); /* 100.5 rows: a small class keeps one on either side */
	ck_assert(held[1] == 1 && held[2] == 1);
	ck_assert_uint_eq(held[0] + held[1] + held[2], 101);
	split_classes((size_t[]){ 1000, 3, 2 }, 3, 0.95, held);
	ck_assert(held[1] == 2 && held[2] == 1);
}
END_TEST

START_TEST(classes_too_many_or_too_small)
{
	size_t counts[300], held[300], sum = 0;

	split_classes((size_t[]){ 10, 1, 1 }, 3, 0.25, held); /* single rows are trained on */
	ck_assert(held[0] == 3 && held[1] == 0 && held[2] == 0);
	for (size_t c = 0; c < 300; c++)
		counts[c] = 2;
	split_classes(counts, 300, 0.1, held); /* 60 rows cannot be of 300 classes */
	for (size_t c = 0; c < 300; c++)
		sum += held[c];
	ck_assert_uint_eq(sum, 60);
	for (size_t c = 0; c < 300; c++)
		counts[c] = 1;
	split_classes(counts, 300, 0.5, held); /* nothing but single rows */
	sum = 0;
	for (size_t c = 0; c < 300; c++)
		sum += held[c];
	ck_assert_uint_eq(sum, 150);
}
END_TEST

static size_t held_by_chance(size_t rows, double split)
{
	static uint8_t use[1000];
	struct err e;

	OK(train_split(use, rows, split, NULL, 0, 1, &e), e);
	return held_out(use, rows);
}

/* By value, then by row. */
static const double *sorted_values;

static int by_value(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	if (sorted_values[a] != sorted_values[b]) return sorted_values[a] < sorted_values[b] ? -1 : 1;
	return a < b ? -1 : 1;
}

/* Held against a sort: values of all sizes and signs, many of them equal, both zeros among them. */
START_TEST(the_last_rows_in_the_order_of_values)
{
	static const double splits[] = { 0.001, 0.1, 0.3, 0.5, 0.99 };
	const struct rng_key key = { .seed = 4, .stream = RNG_TEST };
	static double values[1000];
	static uint32_t order[1000];
	static uint8_t use[1000];
	struct err e;

	for (size_t i = 0; i < 1000; i++) {
		double x = rng_normal(&key, 2 * i);

		values[i] = i % 3 == 0 ? round(2 * x) : x * pow(10, round(20 * rng_normal(&key, 2 * i + 1)));
	}
	values[7] = -0.0;
	values[8] = 0.0;
	sorted_values = values;
	for (size_t rows = 2; rows <= 1000; rows = rows * 3 + 1)
		for (size_t s = 0; s < sizeof splits / sizeof *splits; s++) {
			for (size_t i = 0; i < rows; i++)
				order[i] = (uint32_t)i;
			qsort(order, rows, sizeof *order, by_value);
			OK(train_split_last(use, rows, splits[s], values, &e), e);
			for (size_t i = 0; i < rows; i++)
				ck_assert_int_eq(use[order[i]], i < rows - held_out(use, rows));
			ck_assert_uint_ge(held_out(use, rows), 1);
			ck_assert_uint_eq(held_out(use, rows), held_by_chance(rows, splits[s]));
		}
	values[1] = NAN;
	ck_assert_int_eq(train_split_last(use, 3, 0.5, values, &e), ERR_RANGE);
	ck_assert_int_eq(train_split_last(use, 1, 0.5, values, &e), ERR_RANGE);
	ck_assert_int_eq(train_split_last(use, 3, 1, values, &e), ERR_RANGE);
}
END_TEST

START_TEST(splits_that_cannot_be)
{
	uint32_t classes[3] = { 0, 1, 2 };
	uint8_t use[3];
	struct err e;

	ck_assert_int_eq(train_split(use, 1, 0.5, NULL, 0, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_split(use, 3, 0, NULL, 0, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_split(use, 3, 1, NULL, 0, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_split(use, 3, 0.5, classes, 2, 1, &e), ERR_RANGE);
}
END_TEST

/* Sizes differ by one at most, in all and of each class. */
static void check_folds(
		const uint8_t *fold, const uint32_t *classes, size_t rows, size_t class_count, size_t folds)
{
	for (size_t c = 0; c <= class_count; c++) { /* the last: all of them */
		size_t counts[TRAIN_FOLDS_MAX] = { 0 }, least = rows, most = 0;

		for (size_t i = 0; i < rows; i++) {
			ck_assert_uint_lt(fold[i], folds);
			counts[fold[i]] += c == class_count || (classes && classes[i] == c);
		}
		for (size_t f = 0; f < folds; f++) {
			if (counts[f] < least) least = counts[f];
			if (counts[f] > most) most = counts[f];
		}
		ck_assert_uint_le(most - least, 1);
	}
}

START_TEST(folds_are_dealt_out_evenly)
{
	static const size_t sizes[] = { 20, 21, 33, 150, 1000 };
	uint8_t fold[1000], again[1000], other[1000];
	uint32_t classes[1000];
	struct err e;

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t folds = 2; folds <= 20; folds += 3) {
			size_t rows = sizes[s];

			for (size_t i = 0; i < rows; i++) /* one class in a hundred, one in five, the rest */
				classes[i] = i * 7 % 100 == 0 ? 2 : i * 7 % 5 == 0;
			ck_assert_int_eq(train_folds(fold, rows, folds, classes, 3, 1, &e), 0);
			check_folds(fold, classes, rows, 3, folds);
			ck_assert_int_eq(train_folds(again, rows, folds, classes, 3, 1, &e), 0);
			ck_assert_mem_eq(fold, again, rows);
			ck_assert_int_eq(train_folds(other, rows, folds, classes, 3, 2, &e), 0);
			ck_assert_mem_ne(fold, other, rows);
			ck_assert_int_eq(train_folds(fold, rows, folds, NULL, 0, 1, &e), 0);
			check_folds(fold, NULL, rows, 0, folds);
		}
}
END_TEST

/* Each row is in each fold in about as many of 4000 draws. */
START_TEST(folds_are_fair)
{
	size_t counts[10][2] = { 0 };
	uint8_t fold[10];
	struct err e;

	for (uint64_t seed = 0; seed < 4000; seed++) {
		ck_assert_int_eq(train_folds(fold, 10, 2, NULL, 0, seed, &e), 0);
		for (size_t i = 0; i < 10; i++)
			counts[i][fold[i]]++;
	}
	for (size_t i = 0; i < 10; i++)
		ck_assert_uint_lt(counts[i][0] > 2000 ? counts[i][0] - 2000 : 2000 - counts[i][0],
				160); /* 5 sigma */
}
END_TEST

START_TEST(folds_that_cannot_be)
{
	uint32_t classes[3] = { 0, 1, 2 };
	uint8_t fold[3];
	struct err e;

	ck_assert_int_eq(train_folds(fold, 3, 1, NULL, 0, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_folds(fold, 3, 4, NULL, 0, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_folds(fold, 3, TRAIN_FOLDS_MAX + 1, NULL, 0, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_folds(fold, 3, 2, classes, 2, 1, &e), ERR_RANGE);
	ck_assert_int_eq(train_folds(fold, 3, 3, classes, 3, 1, &e), 0);
	check_folds(fold, classes, 3, 3, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_row_comes_once, orders_follow_seed_and_epoch,
		small_orders_are_fair, a_window_holds_whole_blocks, blocks_may_be_small,
		wide_rows_make_small_blocks, a_split_holds_out_its_share, another_seed_is_another_split,
		classes_are_held_out_in_proportion, classes_too_many_or_too_small,
		the_last_rows_in_the_order_of_values, splits_that_cannot_be, folds_are_dealt_out_evenly,
		folds_are_fair, folds_that_cannot_be, NULL };

	return suite_main("core_shuffle", tests, 30);
}
