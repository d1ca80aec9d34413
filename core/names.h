/* names.h - where a string is in a list of distinct strings: the columns of an encoder, the values of a category.
 * An index is built once and then only read, so that it may be read by many threads.
 */
#ifndef DESCENT_NAMES_H
#define DESCENT_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_NONE SIZE_MAX

struct names;

/* *out is new (names_free). strings (count) are borrowed for its life and do not change. ERR_INVALID: two are
 * equal, *duplicate is the second one's place; ERR_RANGE: more than UINT32_MAX/4 of them; ERR_NOMEM. Then *out is
 * NULL. */
int names_new(struct names **out, const char *const *strings, size_t count, size_t *duplicate);
void names_free(struct names *names);
/* The place of the string of these bytes, or NAMES_NONE. It need not end in NUL. */
size_t names_find(const struct names *names, const char *string, size_t length);

#endif
