/* test_sweep_alloc.c - a sweep without memory: whichever allocation fails, what comes of it is nothing, and nothing is lost.
 *
 * The test brings its own malloc and relatives, which count, may refuse, and hand on to glibc's. A sanitizer has its
 * own as well, so under one there is nothing to count and the test says so by its exit status.
 */
#include <limits.h>

#include "tests/unit/own_malloc.h"
#include "tests/unit/sweep_reading.h"

#ifndef SANITIZED

#define NEVER  LONG_MAX
#define MOST   5000 /* allocations of one call */
#define FIELDS 11   /* of a stored sweep */
#define VALUES 9    /* that can be tried alone, of the space below */

static long until_refused = NEVER; /* this one fails */
static bool for_good;              /* and so do those behind it */
static long held;                  /* allocated and not given back */

void __libc_free(void *old);

static bool refused(void)
{
	if (until_refused == NEVER) return false;
	if (until_refused > 0) return !--until_refused;
	return for_good;
}

static void *counted(void *memory)
{
	held += memory != NULL;
	return memory;
}

void *malloc(size_t size)
{
	return refused() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return refused() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
	if (refused()) return NULL;
	return old ? __libc_realloc(old, size) : counted(__libc_realloc(NULL, size));
}

void free(void *old)
{
	held -= old != NULL;
	__libc_free(old);
}

/* ---- calls that need memory ---- */

struct trial {
	struct sweep sweep;
	struct sweep_base base;
};

/* Whether it came to a good end; what it made is given back. An untold failure ends the test. */
typedef bool attempt(const struct trial *t);

static bool write_document(const struct trial *t)
{
	json_t *out = sweep_document(&t->sweep);
	bool made = out != NULL;

	if (made && json_object_size(out) != FIELDS) ck_abort_msg("half a document");
	json_decref(out);
	return made;
}

static bool draw_parameters(const struct trial *t)
{
	json_t *out = sweep_parameters(&t->sweep, 2);
	bool made = out != NULL;

	if (made && json_object_size(out) != t->sweep.count) ck_abort_msg("half a point");
	json_decref(out);
	return made;
}

static bool make_run(const struct trial *t)
{
	struct sweep_run run;
	struct err e;
	bool made;
	int rc;

	faults.count = 0;
	rc = sweep_run_make(&t->sweep, &t->base, 2, NULL, &run, &faults, &e);
	made = !rc && !faults.count;
	if (rc && rc != ERR_NOMEM) ck_abort_msg("%s", e.text);
	if (faults.count && faults.items[0].code != ERR_NOMEM) ck_abort_msg("%s", faults.items[0].detail);
	if (made && (!run.config || json_object_size(json_object_get(run.config, "sweep")) != 3))
		ck_abort_msg("half a config");
	if (made && run.definition.hidden_count != json_array_size(json_object_get(run.network, "layers")))
		ck_abort_msg("half a network");
	sweep_run_clear(&run);
	return made;
}

static int see_value(void *self, json_t *parameters, const char *at, struct err *e)
{
	(void)at;
	(void)e;
	*(size_t *)self += json_object_size(parameters);
	return 0;
}

static bool try_values(const struct trial *t)
{
	size_t seen = 0;
	struct err e;
	int rc = sweep_each_value(&t->sweep, see_value, &seen, &e);

	if (rc && rc != ERR_NOMEM) ck_abort_msg("%s", e.text);
	if (!rc && seen != VALUES) ck_abort_msg("%zu values", seen);
	return !rc;
}

static struct trial trial_of(const char *strategy)
{
	struct definition d;
	struct trial t;

	t.sweep = sweep_of(
			"\"layers\":[2,[4,{\"units\":3}],1],\"units\":{\"min\":2,\"max\":4},\"l2\":{\"min\":0,\"max\":0.5,"
			"\"steps\":3},\"batch_size\":[8,16]",
			strategy, 9);
	t.sweep.request = json_of("{\"dataset\":\"d\",\"optimizer\":{\"name\":\"sgd\"}}");
	definition_read(json_of("{\"inputs\":2,\"outputs\":1}"), false, &d, &faults);
	definition_finish(&d, 100, &faults);
	ASSERT_NO_FAULTS("the model");
	t.base = (struct sweep_base){ keep(definition_document(&d)), 100, false, 4 };
	definition_clear(&d);
	return t;
}

static const struct {
	attempt *make;
	bool for_good; /* all from one on fail; else one alone */
} cases[] = {
	{ write_document, false }, { write_document, true }, { draw_parameters, false },
	{ draw_parameters, true }, { try_values, false }, { try_values, true },
	{ make_run, true }, /* jansson's own copies lack a member untold when one alone fails */
};

/* One allocation after the other fails, alone or with all behind it, until one call gets all it wants. */
static void fail_each(const struct trial *t, attempt *make)
{
	long before = held, n = 0;
	bool made = make(t), spared;

	ck_assert(made);
	ck_assert_int_eq(held, before);
	do {
		until_refused = ++n;
		made = make(t);
		spared = until_refused > 0; /* it wanted fewer */
		until_refused = NEVER;
		ck_assert_msg(made == spared, "allocation %ld: %s", n, made ? "made" : "not made");
		ck_assert_msg(held == before, "allocation %ld: %ld lost", n, held - before);
	} while (!spared && n < MOST);
	ck_assert_int_gt(n, 5);
	ck_assert_int_lt(n, MOST);
}

START_TEST(whichever_fails_is_told_and_nothing_is_lost)
{
	const struct trial grid = trial_of("\"strategy\":\"grid\""), random = trial_of("");

	for (size_t i = 0; i < COUNT(cases); i++) {
		for_good = cases[i].for_good;
		fail_each(&grid, cases[i].make);
		fail_each(&random, cases[i].make);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { whichever_fails_is_told_and_nothing_is_lost, NULL };

	return suite_main("sweep_alloc", tests, 60);
}

#endif
