/* held.h - how much memory a fuzzed reader takes: the most that it holds at one time. Of the fuzzers alone, which are built
 * with AddressSanitizer; its hooks see each allocation, those of libraries too.
 */
#ifndef TESTS_FUZZ_HELD_H
#define TESTS_FUZZ_HELD_H

#include <sanitizer/allocator_interface.h>
#include <stddef.h>
#include <stdlib.h>

static long held_now, held_highest; /* bytes, from held_begin on */

static inline void held_more(const volatile void *at, size_t size)
{
	if (at) held_now += (long)size;
	if (held_now > held_highest) held_highest = held_now;
}

static inline void held_less(const volatile void *at)
{
	if (at) held_now -= (long)__sanitizer_get_allocated_size(at);
}

static inline void held_begin(void)
{
	static int hooked;

	if (!hooked && !(hooked = __sanitizer_install_malloc_and_free_hooks(held_more, held_less))) abort();
	held_now = held_highest = 0;
}

static inline size_t held_most(void)
{
	return (size_t)held_highest;
}

#endif
