/* gemm_avx2.c - the vector engine on AVX2 with FMA: 8 floats a vector.
 *
 * 16 registers: tiles of up to 6 rows x 2 vectors keep 12 sums and leave 4 for operands. Compiled with -mavx2
 * -mfma, so usable() must stay free of vector code: it is what runs on other machines.
 */
#include "core/gemm_engines.h"

#if defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
#include <stdint.h>

#ifdef DESCENT_DOUBLE
typedef __m256d vec;
#define VEC_LANES 4
#define V(op)     _mm256_##op##_pd
#else
typedef __m256 vec;
#define VEC_LANES 8
#define V(op)     _mm256_##op##_ps
#endif

typedef __m256i vec_mask;

#define vec_load(p)                V(loadu)(p)
#define vec_store(p, v)            V(storeu)(p, v)
#define vec_set(x)                 V(set1)(x)
#define vec_fma(a, b, c)           V(fmadd)(a, b, c)
#define vec_load_part(p, mask)     V(maskload)(p, mask)
#define vec_store_part(p, v, mask) V(maskstore)(p, mask, v)

/* A window into ones followed by zeros; bytes, so that it serves both number types. */
static inline vec_mask vec_mask_of(size_t lanes)
{
	static const int8_t ones[64] = {
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, //
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, //
	};

	return _mm256_loadu_si256((const __m256i *)(ones + sizeof(vec) - lanes * sizeof(real)));
}

/* clang-format off */
#define TILE_ROWS 6
#define TILE_VECS 8
#define WIDE_TILE_ROWS TILE_ROWS
#define NARROW 0
#define TILE_LIST(X) \
	X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(1, 7) X(1, 8) \
	X(2, 1) X(2, 2) X(2, 3) X(2, 4) \
	X(3, 1) X(3, 2) X(3, 3) \
	X(4, 1) X(4, 2) X(4, 3) \
	X(5, 1) X(5, 2) \
	X(6, 1) X(6, 2)
/* clang-format on */

#include "core/gemm_kernel.h"

static bool avx2_usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#else

static bool avx2_usable(void)
{
	return false;
}

static void vec_run(const struct gemm_args *args)
{
	(void)args;
}

#endif

const struct gemm_engine gemm_avx2 = {
	.name = "avx2",
	.description = "AVX2 and FMA",
	.usable = avx2_usable,
	.run = vec_run,
};
