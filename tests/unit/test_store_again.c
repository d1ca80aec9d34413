/* test_store_again.c - the contract of the store on SQLite, with each call failing first in every way (store_again.h). */
#define WITHOUT_CRASHES

#include "tests/unit/store_again.h"
#include "tests/unit/store_suite.h"
#include "tests/unit/suite.h"

int main(void)
{
	const TTest *const tests[] = { STORE_SUITE_CALLS, NULL };

	suite_open = open_refusing;
	return suite_main("store that fails first", tests, 120);
}
