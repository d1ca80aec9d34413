/* param.h - a parameter of an activation, a loss, an optimizer, a schedule, an initializer: one row that validation,
 * the catalogue and the docs all read.
 *
 * Values lie in an array of PARAMS_MAX numbers, each at its row's index. A list is the last row of its table: it has
 * the slots from there to the end, and NaN after its last value. A number in an array is never NaN otherwise.
 */
#ifndef DESCENT_PARAM_H
#define DESCENT_PARAM_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define PARAMS_MAX 16 /* the most values that the parameters of one row of a table may have */

struct param {
	const char *name;
	double fallback; /* the default; of a list its only value, or NaN: none */
	double min, max; /* allowed range, of a list for each value */
	bool min_open;   /* true: min itself is refused */
	bool max_open;   /* true: max itself is refused */
	const char *meaning;
	bool list; /* takes the rest of the slots */
};

/* A table row's parameters end at the first without a name. */
static inline size_t params_count(const struct param params[PARAMS_MAX])
{
	size_t n = 0;

	while (n < PARAMS_MAX && params[n].name)
		n++;
	return n;
}

/* How many values parameter i has: 1, of a list those before the first NaN. */
static inline size_t params_length(
		const struct param params[PARAMS_MAX], size_t i, const double values[PARAMS_MAX])
{
	size_t n = i;

	if (!params[i].list) return 1;
	while (n < PARAMS_MAX && !isnan(values[n]))
		n++;
	return n - i;
}

static inline bool param_allows(const struct param *p, double value)
{
	return value >= p->min && value <= p->max && !(p->min_open && value <= p->min) &&
	       !(p->max_open && value >= p->max);
}

/* The first row with a value that it does not allow; params_count when there is none. *value: that value. */
static inline size_t params_refused(
		const struct param params[PARAMS_MAX], const double values[PARAMS_MAX], double *value)
{
	size_t count = params_count(params);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < params_length(params, i, values); j++)
			if (!param_allows(&params[i], *value = values[i + j])) return i;
	return count;
}

static inline void params_fallback(const struct param params[PARAMS_MAX], double out[PARAMS_MAX])
{
	size_t count = params_count(params);
	bool list = count && params[count - 1].list;

	for (size_t i = 0; i < PARAMS_MAX; i++)
		out[i] = i < count ? params[i].fallback : list ? NAN : 0;
}

#endif
