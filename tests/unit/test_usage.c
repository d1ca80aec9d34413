/* test_usage.c - what versions were asked stays counted, and the memory for it does not grow with them. */
#include <stdio.h>
#include <string.h>

#include "server/registry/usage.h"
#include "tests/unit/suite.h"

#define MODELS   3
#define VERSIONS 3000
#define KEPT     1024 /* that no version holds */

struct tally {
	size_t records;
	uint64_t requests, of_model[MODELS], first, last;
};

static void add(void *self, const char *model, uint64_t number, const struct usage_counts *counts)
{
	struct tally *t = self;

	t->records++;
	t->requests += counts->requests;
	if (*model == 'm') t->of_model[model[1] - '0'] += counts->requests;
	if (!strcmp(model, "m0") && number == 1) t->first = counts->requests;
	if (!strcmp(model, "m0") && number == VERSIONS) t->last = counts->requests;
}

static struct tally tally_of(struct usage *usage)
{
	struct tally t = { 0 };

	usage_each(usage, NULL, 0, add, &t);
	return t;
}

static void ask(struct usage_record *record)
{
	usage_add(record, &(struct usage_counts){ .requests = 1, .last_ms = 5 });
}

/* A version comes, is asked once, and goes. */
static void pass(struct usage *usage, const char *model, uint64_t number)
{
	struct usage_record *record = usage_take(usage, model, number);

	ck_assert_ptr_nonnull(record);
	ask(record);
	usage_put(record);
}

START_TEST(sums_stay_and_records_are_few)
{
	struct usage *usage = usage_new();
	struct usage_record *held = usage_take(usage, "m0", 1);
	struct tally t;

	for (uint64_t v = 1; v <= VERSIONS; v++)
		for (size_t m = 0; m < MODELS; m++)
			pass(usage, (const char *[]){ "m0", "m1", "m2" }[m], v);
	t = tally_of(usage);
	ck_assert_uint_le(t.records, KEPT + 1);
	for (size_t m = 0; m < MODELS; m++)
		ck_assert_uint_eq(t.of_model[m], VERSIONS);
	ck_assert_uint_eq(t.first, 1); /* it was in memory all the time */
	ck_assert_uint_eq(t.last, 1);
	ask(held);
	ck_assert_uint_eq(tally_of(usage).first, 2);
	usage_put(held);
	usage_free(usage);
}
END_TEST

START_TEST(who_comes_again_goes_on_counting)
{
	struct usage *usage = usage_new();
	struct usage_record *first = usage_take(usage, "m0", 1), *again = usage_take(usage, "m0", 1);

	ck_assert_ptr_eq(first, again);
	ask(first);
	usage_put(first);
	ask(again);
	usage_put(again);
	pass(usage, "m0", 1);
	ck_assert_uint_eq(tally_of(usage).records, 1);
	ck_assert_uint_eq(tally_of(usage).first, 3);
	usage_put(NULL);
	usage_free(usage);
}
END_TEST

START_TEST(models_that_are_gone_go_at_last)
{
	struct usage *usage = usage_new();
	struct tally t;
	char name[16];

	for (int i = 0; i < VERSIONS; i++) {
		snprintf(name, sizeof name, "x%d", i);
		pass(usage, name, 1);
	}
	t = tally_of(usage);
	ck_assert_uint_le(t.records, KEPT);
	ck_assert_uint_ge(t.records, KEPT / 2);
	ck_assert_uint_le(t.requests, VERSIONS);
	usage_free(usage);
}
END_TEST

START_TEST(a_name_too_long_counts_nothing)
{
	struct usage *usage = usage_new();
	char name[100] = "";

	memset(name, 'x', sizeof name - 1);
	ck_assert_ptr_null(usage_take(usage, name, 1));
	usage_add(NULL, &(struct usage_counts){ .requests = 1 });
	ck_assert_uint_eq(tally_of(usage).records, 0);
	usage_free(usage);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { sums_stay_and_records_are_few, who_comes_again_goes_on_counting,
		models_that_are_gone_go_at_last, a_name_too_long_counts_nothing, NULL };

	return suite_main("usage", tests, 60);
}
