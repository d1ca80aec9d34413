/* realmath.h - exp, log1p, tanh, the logistic function and the normal distribution of `real`, written so that a loop
 * over them vectorises.
 *
 * In the float32 build they are polynomials without branches, right to the few units in the last place that the tests
 * ask for when they hold them against libm; in the double build of the tests they are libm's. NaN comes out as NaN.
 * The coefficients are minimax fits of our own, to a relative error of 5e-9 (the normal distribution: 4e-8), below
 * float32's 6e-8.
 */
#ifndef DESCENT_REALMATH_H
#define DESCENT_REALMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/real.h"

#ifdef DESCENT_DOUBLE

/* e^x for x <= 0. */
static inline real real_exp_negative(real x)
{
	return exp(x);
}

static inline real real_tanh(real x)
{
	return tanh(x);
}

/* log(1 + x) for 0 <= x <= 1. */
static inline real real_log1p_unit(real x)
{
	return log1p(x);
}

/* The share of the standard normal distribution below x. */
static inline real real_normal_below(real x)
{
	return 0.5 * erfc(-x * M_SQRT1_2);
}

#else

#define EXP_FLOOR -87.0f /* e^x below it would be denormal, which is slow: 0 */
#define LOG2_E    1.44269504f
#define LN2_HIGH  0.693359375f /* few bits, so that n times it is exact; the rest of ln 2 follows */
#define LN2_LOW   -2.12194440e-4f
#define ROUNDER   12582912.0f /* 1.5 * 2^23: adding it leaves the nearest whole number in the low bits */

/* e^x for x <= 0, 0 below EXP_FLOOR. With n = round(x / ln 2) and r = x - n ln 2: e^x = 2^n e^r. */
static inline float real_exp_negative(float x)
{
	float bounded = x < EXP_FLOOR ? EXP_FLOOR : x;
	float shifted = bounded * LOG2_E + ROUNDER;
	float n = shifted - ROUNDER;
	float r = (bounded - n * LN2_HIGH) - n * LN2_LOW;
	float q = 1.381422160e-3f, power;
	uint32_t bits;

	q = q * r + 8.368899114e-3f;
	q = q * r + 4.166840389e-2f;
	q = q * r + 1.666651964e-1f;
	q = q * r + 4.999999404e-1f;
	q = q * (r * r) + r + 1.0f;
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits << 23) + (127u << 23); /* 2^n: n into the exponent's place */
	memcpy(&power, &bits, sizeof power);
	return x < EXP_FLOOR ? 0.0f : q * power;
}

#define TANH_SMALL 0.6f /* up to here a polynomial: the other form loses digits there */

static inline float real_tanh(float x)
{
	float size = x < 0.0f ? -x : x;
	float square = x * x;
	float e = real_exp_negative(-2.0f * size);
	float large = (1.0f - e) / (1.0f + e);
	float q = -5.895158276e-3f, small;

	q = q * square + 2.079597116e-2f;
	q = q * square - 5.378383026e-2f;
	q = q * square + 1.333192438e-1f;
	q = q * square - 3.333329856e-1f;
	small = q * (square * x) + x;
	large = x < 0.0f ? -large : large;
	return size < TANH_SMALL ? small : large;
}

/* log(1 + x) for 0 <= x <= 1: 2 artanh(s) with s = x / (2 + x), a series of odd powers. */
static inline float real_log1p_unit(float x)
{
	float s = x / (2.0f + x), square = s * s;
	float q = 2.801204815e-1f;

	q = q * square + 2.800179372e-1f;
	q = q * square + 4.002152789e-1f;
	q = q * square + 6.666641628e-1f;
	return q * (square * s) + 2.0f * s;
}

/* The share of the standard normal distribution below x. Beyond |x| lies e^(-x^2/2) times a factor that is smooth
 * in t = 1 / (1 + |x|/3) and falls like t (Mills' ratio). */
static inline float real_normal_below(float x)
{
	float size = x < 0.0f ? -x : x;
	float t = 1.0f / (1.0f + size * (1.0f / 3.0f));
	float q = -2.322809157e-2f, beyond;

	q = q * t + 1.317996236e-1f;
	q = q * t - 2.757156919e-1f;
	q = q * t + 2.238810266e-1f;
	q = q * t - 5.665994375e-2f;
	q = q * t + 1.212632885e-1f;
	q = q * t + 1.120882882e-1f;
	q = q * t + 1.336190768e-1f;
	q = q * t + 1.329524406e-1f;
	beyond = q * t * real_exp_negative(-0.5f * (size * size));
	return x < 0.0f ? beyond : 1.0f - beyond;
}

#endif

/* e^x. The root of e^x is squared, as e^-x would already be 0 where e^x is still a float. */
static inline real real_exp(real x)
{
	real e = real_exp_negative(x > 0 ? x / -2 : x);
	real root = 1 / e;

	return x > 0 ? root * root : e;
}

/* e^x - 1 for x <= 0, exact near 0 as well: tanh(x/2) (e^x + 1). */
static inline real real_expm1_negative(real x)
{
	return real_tanh(x / 2) * (real_exp_negative(x) + 1);
}

/* 1 / (1 + e^-x), without overflow on either side. */
static inline real real_sigmoid(real x)
{
	real e = real_exp_negative(x < 0 ? x : -x);
	real low = e / (1 + e), high = 1 / (1 + e);

	return x < 0 ? low : high;
}

#endif
