/* suite.h - the main of a unit test: one Check suite of one table of tests. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Check writes down each assertion that holds, for the sentence on a crash behind it: a system call each, and there are tests with
 * millions. The sentence of one that fails has its place anyway. */
#define _mark_point(file, line) ((void)0)

/* Runs every test of tests (ended by NULL) and ends the process with what Check says. `seconds` is each test's
 * limit; it is there to end a hung test, not to time one. */
static inline int suite_main(const char *name, const TTest *const *tests, double seconds)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	for (; *tests; tests++)
		tcase_add_test(tcase, *tests);
	tcase_set_timeout(tcase, seconds);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* How many rounds a test of random cases takes: as many as the environment's variable says, else the usual ones. */
static inline long suite_count(const char *variable, long usual)
{
	const char *said = getenv(variable);

	return said ? strtol(said, NULL, 10) : usual;
}

#endif
