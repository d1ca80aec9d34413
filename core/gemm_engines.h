/* gemm_engines.h - the engines that core/gemm.c chooses from; nobody else includes this.
 *
 * Every engine's object exists in every build. On a machine that an engine is not made for, its usable() says
 * no and its run is never called.
 */
#ifndef DESCENT_GEMM_ENGINES_H
#define DESCENT_GEMM_ENGINES_H

#include "core/gemm.h"

extern const struct gemm_engine gemm_naive;    /* the reference: fma() over k, nothing clever */
extern const struct gemm_engine gemm_portable; /* vectors of 16 bytes, any CPU */
extern const struct gemm_engine gemm_avx2;     /* x86-64 with AVX2 and FMA */
extern const struct gemm_engine gemm_avx512;   /* x86-64 with AVX-512 F, VL, DQ and BW */

#endif
