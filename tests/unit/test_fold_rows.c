/* test_fold_rows.c - predictions of folds as bytes: what was written is read, rows of all folds come in order, and no damaged
 * byte is believed. */
#include <stdlib.h>
#include <string.h>

#include "server/codec/fold_rows.h"
#include "tests/unit/suite.h"

static struct err e;

/* Every third row from `first` on, scores (row, row / 2). */
static struct fold_rows part_of(size_t first, size_t count)
{
	struct fold_rows part;

	ck_assert_int_eq(fold_rows_new(&part, "{\"a\":1}", 2, count, &e), 0);
	for (size_t i = 0; i < count; i++) {
		part.rows[i] = first + 3 * i;
		part.folds[i] = (uint8_t)(first + 1);
		part.scores[2 * i] = (float)part.rows[i];
		part.scores[2 * i + 1] = (float)part.rows[i] / 2;
	}
	return part;
}

static void check_rows(const struct fold_rows *all, size_t count)
{
	ck_assert_uint_eq(all->count, count);
	ck_assert_uint_eq(all->outputs, 2);
	ck_assert_str_eq(all->definition, "{\"a\":1}");
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(all->rows[i], i);
		ck_assert_uint_eq(all->folds[i], i % 3 + 1);
		ck_assert(all->scores[2 * i] == (float)i && all->scores[2 * i + 1] == (float)i / 2);
	}
}

static void merge_ten(struct fold_rows *all)
{
	struct fold_rows parts[3] = { part_of(0, 4), part_of(1, 3), part_of(2, 3) };

	ck_assert_int_eq(fold_rows_merge(all, parts, 3, &e), 0);
	for (int i = 0; i < 3; i++)
		fold_rows_clear(&parts[i]);
}

START_TEST(folds_are_put_together_and_read_back)
{
	struct fold_rows all, again;
	unsigned char *bytes;
	size_t size;

	merge_ten(&all);
	check_rows(&all, 10);
	ck_assert_int_eq(fold_rows_write(&all, &bytes, &size, &e), 0);
	ck_assert_int_eq(fold_rows_read(&again, bytes, size, &e), 0);
	check_rows(&again, 10);
	free(bytes);
	fold_rows_clear(&all);
	fold_rows_clear(&again);
}
END_TEST

START_TEST(parts_of_other_models_are_refused)
{
	struct fold_rows parts[2] = { part_of(0, 2), part_of(1, 2) }, all;

	parts[1].outputs = 1;
	ck_assert_int_eq(fold_rows_merge(&all, parts, 2, &e), ERR_CORRUPT);
	parts[1].outputs = 2;
	parts[1].definition[2] = 'b';
	ck_assert_int_eq(fold_rows_merge(&all, parts, 2, &e), ERR_CORRUPT);
	ck_assert_int_eq(fold_rows_merge(&all, parts, 0, &e), ERR_CORRUPT);
	fold_rows_clear(&parts[0]);
	fold_rows_clear(&parts[1]);
}
END_TEST

START_TEST(damaged_bytes_are_refused)
{
	struct fold_rows all, again;
	unsigned char *bytes;
	size_t size;

	merge_ten(&all);
	ck_assert_int_eq(fold_rows_write(&all, &bytes, &size, &e), 0);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 0x40;
		ck_assert_int_eq(fold_rows_read(&again, bytes, size, &e), ERR_CORRUPT);
		bytes[i] ^= 0x40;
		ck_assert_int_eq(fold_rows_read(&again, bytes, i, &e), ERR_CORRUPT);
	}
	free(bytes);
	fold_rows_clear(&all);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { folds_are_put_together_and_read_back,
		parts_of_other_models_are_refused, damaged_bytes_are_refused, NULL };

	return suite_main("fold_rows", tests, 30);
}
