/* gemm_avx512.c - the vector engine on AVX-512: 16 floats a vector, masks for what is left over.
 *
 * 32 registers: tiles of up to 14 rows x 2 vectors keep 28 sums and leave 4 for operands; those of 6 x 4 keep 24 and
 * read fewer rows of A at once. Two FMA units need 8 sums in flight; low tiles are wider to have them. Compiled with -mavx512*, so usable() must stay free
 * of vector code: it is what runs on other machines.
 */
#include "core/gemm_engines.h"

#define NAME        "avx512"
#define DESCRIPTION "AVX-512 and FMA"

#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)

#include <immintrin.h>

#ifdef DESCENT_DOUBLE
typedef __m512d vec;
typedef __mmask8 vec_mask;
#define VEC_LANES 8
#define V(op)     _mm512_##op##_pd
#else
typedef __m512 vec;
typedef __mmask16 vec_mask;
#define VEC_LANES 16
#define V(op)     _mm512_##op##_ps
#endif

#define vec_load(p)                V(loadu)(p)
#define vec_store(p, v)            V(storeu)(p, v)
#define vec_set(x)                 V(set1)(x)
#define vec_fma(a, b, c)           V(fmadd)(a, b, c)
#define vec_mask_of(lanes)         ((vec_mask)((1u << (lanes)) - 1))
#define vec_load_part(p, mask)     V(maskz_loadu)(mask, p)
#define vec_store_part(p, v, mask) V(mask_storeu)(p, mask, v)

/* clang-format off */
#define TILE_ROWS 14
#define TILE_VECS 8
#define WIDE_TILE_ROWS 6
#define NARROW (2 * VEC_LANES)
#define TILE_LIST(X) \
	X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(1, 7) X(1, 8) \
	X(2, 1) X(2, 2) X(2, 3) X(2, 4) X(2, 5) X(2, 6) X(2, 7) X(2, 8) \
	X(3, 1) X(3, 2) X(3, 3) X(3, 4) X(3, 5) X(3, 6) X(3, 7) X(3, 8) \
	X(4, 1) X(4, 2) X(4, 3) X(4, 4) X(4, 5) X(4, 6) \
	X(5, 1) X(5, 2) X(5, 3) X(5, 4) \
	X(6, 1) X(6, 2) X(6, 3) X(6, 4) \
	X(7, 1) X(7, 2) X(7, 3) \
	X(8, 1) X(8, 2) X(8, 3) \
	X(9, 1) X(9, 2) X(9, 3) \
	X(10, 1) X(10, 2) \
	X(11, 1) X(11, 2) \
	X(12, 1) X(12, 2) \
	X(13, 1) X(13, 2) \
	X(14, 1) X(14, 2)
/* clang-format on */

#include "core/gemm_kernel.h"

static bool avx512_usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

#else

static bool avx512_usable(void)
{
	return false;
}

static void vec_run(const struct gemm_args *args)
{
	(void)args;
}

#endif

const struct gemm_engine gemm_avx512 = {
	.name = NAME,
	.description = DESCRIPTION,
	.usable = avx512_usable,
	.run = vec_run,
};
