/* param.h - a parameter of an activation, a loss, an optimizer: one row that validation, the catalogue and
 * the docs all read. */
#ifndef DESCENT_PARAM_H
#define DESCENT_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#define PARAMS_MAX 8 /* the most parameters that one row of a table may have */

struct param {
	const char *name;
	double fallback; /* the default */
	double min, max; /* allowed range */
	bool min_open;   /* true: min itself is refused */
	bool max_open;   /* true: max itself is refused */
	const char *meaning;
};

/* A table row's parameters end at the first without a name. */
static inline size_t params_count(const struct param params[PARAMS_MAX])
{
	size_t n = 0;

	while (n < PARAMS_MAX && params[n].name)
		n++;
	return n;
}

static inline bool param_allows(const struct param *p, double value)
{
	return value >= p->min && value <= p->max && !(p->min_open && value <= p->min) &&
	       !(p->max_open && value >= p->max);
}

static inline void params_fallback(const struct param params[PARAMS_MAX], double out[PARAMS_MAX])
{
	for (size_t i = 0; i < PARAMS_MAX; i++)
		out[i] = params[i].name ? params[i].fallback : 0;
}

#endif
