/* store_suite.h - the contract of server/store/store.h as tests, for any implementation.
 *
 * A test program sets suite_open and runs store_suite_tests. Each test runs in a process of its own (Check forks),
 * on a store of its own in a fresh folder (store_things.h). The tests lie by meaning in store_suite_data.h (data sets),
 * store_suite_share.h (revisions that share row groups), store_suite_models.h (models, versions, blobs),
 * store_suite_jobs.h (jobs, curves), store_suite_durable.h (leases, pauses, checkpoints), store_suite_log.h (the log,
 * families, answers, hooks, pruning), store_suite_parts.h (what a family wants of its parts), store_suite_family.h (that and what requests want), store_suite_tokens.h (tokens,
 * what each may keep) and store_suite_crash.h (processes that die, threads side by side).
 */
#ifndef TESTS_UNIT_STORE_SUITE_H
#define TESTS_UNIT_STORE_SUITE_H

#include "tests/unit/store_shapes.h"
#include "tests/unit/store_things.h"

#ifndef WITHOUT_CRASHES
#include "tests/unit/store_suite_crash.h"
#endif
#include "tests/unit/store_suite_data.h"
#include "tests/unit/store_suite_jobs.h"
#include "tests/unit/store_suite_models.h"
#include "tests/unit/store_suite_share.h"

/* These use what the ones before have. */
#include "tests/unit/store_suite_durable.h"
#include "tests/unit/store_suite_log.h"

/* And this what those have. */
#include "tests/unit/store_suite_parts.h"

#include "tests/unit/store_suite_family.h"
#include "tests/unit/store_suite_tokens.h"

/* What one thread does that lives; a program that wants no more defines WITHOUT_CRASHES before. */
#define STORE_SUITE_CALLS                                                                               \
	STORE_SUITE_DATA, STORE_SUITE_SHARE, STORE_SUITE_MODELS, STORE_SUITE_JOBS, STORE_SUITE_DURABLE, \
			STORE_SUITE_LOG, STORE_SUITE_PARTS, STORE_SUITE_FAMILY, STORE_SUITE_TOKENS

#define STORE_SUITE STORE_SUITE_CALLS, STORE_SUITE_CRASH

#endif
