/* realmath.h - exp, the logistic function and tanh of `real`, written so that a loop over them vectorises.
 *
 * In the float32 build they are polynomials without branches, right to 2 units in the last place, the logistic
 * function to 3 (the tests hold them against libm); in the double build of the tests they are libm's. NaN comes out as NaN. The coefficients
 * are minimax fits of our own, to a relative error of 3e-9, far below float32's 6e-8.
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

#endif

/* 1 / (1 + e^-x), without overflow on either side. */
static inline real real_sigmoid(real x)
{
	real e = real_exp_negative(x < 0 ? x : -x);
	real low = e / (1 + e), high = 1 / (1 + e);

	return x < 0 ? low : high;
}

#endif
