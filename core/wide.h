/* wide.h - WIDE before a function makes the compiler write it three times, for any x86-64, for one with AVX2 and for
 * one with AVX-512, and the machine chooses at the program's start. For loops over blocks of numbers: vectors get
 * wider and nothing else changes, as nothing may be reordered or contracted (-ffp-contract=off), so the bits are the
 * same either way. FUSED writes it twice: fused multiply-adds are an instruction where the machine has it, and calls of
 * the C library's elsewhere, with the same bits.
 *
 * The choice is glibc's indirect functions. A thread sanitizer cannot run those, and other machines have no
 * choice to make: there both are nothing.
 */
#ifndef DESCENT_WIDE_H
#define DESCENT_WIDE_H

#include <features.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WIDE
#define FUSED
#endif
#endif

#if !defined(WIDE) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#if defined(__clang__) ? __clang_major__ >= 14 : __GNUC__ >= 12
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define WIDE __attribute__((target_clones("avx2", "default")))
#endif
#define FUSED __attribute__((target_clones("fma", "default")))
#elif !defined(WIDE)
#define WIDE
#define FUSED
#endif

#endif
