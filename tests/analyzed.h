/* analyzed.h - what the analyzers cannot see (`make analyze` includes it first): an error is never 0. Without it they follow
 * every function on a way where it has failed and says that it has not. */
#ifndef TESTS_ANALYZED_H
#define TESTS_ANALYZED_H

#include "core/err.h"

#define err_set(e, code, ...) (err_set(e, code, __VA_ARGS__), (int)(code))
#define err_nomem(e)          (err_nomem(e), (int)ERR_NOMEM)

#endif
