/* real.h - the number type of the engine.
 *
 * float32 in every build that ships. The tests build the same source a second time with
 * -DDESCENT_DOUBLE, so that gradients can be held against finite differences to 1e-6 and better.
 */
#ifndef DESCENT_REAL_H
#define DESCENT_REAL_H

#ifdef DESCENT_DOUBLE
typedef double real;
#define REAL(x)      x
#define REAL_EPSILON 2.220446049250313e-16
#else
typedef float real;
#define REAL(x)      x##f
#define REAL_EPSILON 1.1920929e-7
#endif

#define REAL_ALIGN 64 /* bytes; one cache line, one AVX-512 register */

#endif
