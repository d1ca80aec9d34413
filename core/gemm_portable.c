/* gemm_portable.c - the vector engine in GCC's vector extensions, for any CPU: vectors of 16 bytes, which both
 * SSE2 and NEON have.
 *
 * Where the CPU family always has a fused multiply-add (64-bit ARM) it is used, and the bits are those of the
 * naive engine. Elsewhere a product is rounded before it is added.
 */
#include "core/gemm_engines.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#define VEC_LANES (16 / sizeof(real))

typedef real vec __attribute__((vector_size(16)));
typedef real vec_loose __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
typedef size_t vec_mask; /* how many lanes */

#define vec_mask_of(lanes) (lanes)

static inline vec vec_load(const real *p)
{
	return *(const vec_loose *)p;
}

static inline void vec_store(real *p, vec v)
{
	*(vec_loose *)p = v;
}

static inline vec vec_set(real x)
{
	return x - (vec){ 0 };
}

static inline vec vec_fma(vec a, vec b, vec c)
{
#if defined(__aarch64__) && defined(DESCENT_DOUBLE)
	return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#elif defined(__aarch64__)
	return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
	return a * b + c;
#endif
}

static inline vec vec_load_part(const real *p, vec_mask lanes)
{
	vec v = { 0 };

	for (size_t i = 0; i < VEC_LANES && i < lanes; i++)
		v[i] = p[i];
	return v;
}

static inline void vec_store_part(real *p, vec v, vec_mask lanes)
{
	for (size_t i = 0; i < VEC_LANES && i < lanes; i++)
		p[i] = v[i];
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
	X(4, 1) X(4, 2) \
	X(5, 1) X(5, 2) \
	X(6, 1) X(6, 2)
/* clang-format on */

#include "core/gemm_kernel.h"

static bool portable_usable(void)
{
	return true;
}

const struct gemm_engine gemm_portable = {
	.name = "portable",
	.description = "vectors of 16 bytes",
	.usable = portable_usable,
	.run = vec_run,
};
