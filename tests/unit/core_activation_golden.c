/* core_activation_golden.c - values and derivatives of every activation, from -1e4 to 1e4, against PyTorch's in
 * double (tests/golden/activations.py). f64_activation_golden.c is the same in double.
 */
#include <math.h>
#include <string.h>

#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define TOLERATE (8 * REAL_EPSILON) /* of 1 + |wanted| */

static const struct golden {
	const char *name;
	double z, value, derivative;
} goldens[] = {
#include "tests/golden/activations.h"
};
#define GOLDENS (sizeof goldens / sizeof goldens[0])

static void compare(const struct golden *g, const char *what, real got, double want)
{
	double allowed = TOLERATE * (1 + fabs(want));

	if (isinf((real)want))
		ck_assert_msg(got == (real)want, "%s of %s at %g is %.9g, not infinite", what, g->name, g->z,
				(double)got);
	else
		ck_assert_msg(fabs((double)got - want) <= allowed, "%s of %s at %g is %.17g, not %.17g", what,
				g->name, g->z, (double)got, want);
}

START_TEST(values_and_derivatives)
{
	for (size_t i = 0; i < GOLDENS; i++) {
		const struct golden *g = &goldens[i];
		const struct activation *f = activation_find(g->name);
		double params[PARAMS_MAX];
		real z = (real)g->z, a, da = 1, dz;

		ck_assert_msg(f != NULL, "%s", g->name);
		params_fallback(f->params, params);
		f->forward(&z, &a, 1, 1, params);
		f->backward(&z, &a, &da, &dz, 1, 1, params);
		compare(g, "the value", a, g->value);
		compare(g, "the derivative", dz, g->derivative);
	}
}
END_TEST

START_TEST(every_activation_of_a_unit_has_goldens)
{
	const struct activation *f;

	for (size_t i = 0; (f = activation_at(i)); i++) {
		size_t found = 0;

		for (size_t j = 0; j < GOLDENS; j++)
			found += !strcmp(goldens[j].name, f->name);
		ck_assert_msg(found > 0 || f->whole_row || f->pieces, "%s", f->name);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { values_and_derivatives, every_activation_of_a_unit_has_goldens, NULL };

	return suite_main("activation_golden", tests, 60);
}
