/* number_powers.h - the powers of ten that number.c and number_print.c multiply by.
 *
 * 10^k = m * 2^e with 2^127 <= m < 2^128: high and low are the two halves of the whole part of m, and e is
 * number_log2_pow10(k) - 127. The whole part is m itself for 0 <= k <= NUMBER_POWER_EXACT, as 5^55 < 2^128.
 */
#ifndef SERVER_CODEC_NUMBER_POWERS_H
#define SERVER_CODEC_NUMBER_POWERS_H

#include <stdint.h>

#define NUMBER_POWER_MIN   (-342) /* below, 2^64 * 10^k rounds to 0 as a double */
#define NUMBER_POWER_MAX   324    /* 10^-k scales the smallest double to its digits */
#define NUMBER_POWER_EXACT 55

struct number_power {
	uint64_t high, low;
};

extern const struct number_power number_powers[NUMBER_POWER_MAX - NUMBER_POWER_MIN + 1];

static inline struct number_power number_power(int k)
{
	return number_powers[k - NUMBER_POWER_MIN];
}

/* floor(log2(10^k)), for |k| <= 1233 */
static inline int number_log2_pow10(int k)
{
	return (k * 217706) >> 16;
}

#endif
