/* own_malloc.h - for a test that brings its own malloc and relatives and hands on to glibc's. A sanitizer has its own as
 * well, so under one there is nothing to count: then SANITIZED is defined, and main is this one, which says so. A test with
 * more to do defines HAS_MAIN before.
 */
#ifndef TESTS_UNIT_OWN_MALLOC_H
#define TESTS_UNIT_OWN_MALLOC_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define SANITIZED
#endif

#ifdef SANITIZED
#ifndef HAS_MAIN

#define SKIPPED 77 /* as tests/run.sh knows it */

int main(void)
{
	return SKIPPED;
}

#endif
#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

#endif

#endif
