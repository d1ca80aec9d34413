/* f64_losses.c - values and gradients of every loss against PyTorch's, in double (tests/golden/losses.py). */
#include <math.h>
#include <string.h>

#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

#define ROWS      4
#define UNITS     3
#define TOLERANCE 1e-12

static const struct golden {
	const char *name;
	double param;
	bool joint;
	real x[ROWS * UNITS], y[ROWS * UNITS]; /* x: z where the form is joint, else a */
	double value;                          /* the mean over rows */
	real gradient[ROWS * UNITS];
} goldens[] = {
#include "tests/golden/losses.txt"
};

#define COUNT (sizeof goldens / sizeof *goldens)

static void close_to(const struct golden *golden, const char *what, double is, double should)
{
	ck_assert_msg(fabs(is - should) <= TOLERANCE * fmax(1, fabs(should)),
			"%s (%g), %s: %.17g instead of %.17g", golden->name, golden->param, what, is, should);
}

START_TEST(losses_are_pytorchs)
{
	for (size_t i = 0; i < COUNT; i++) {
		const struct golden *golden = &goldens[i];
		const struct loss *loss = loss_find(golden->name);
		double params[PARAMS_MAX] = { golden->param };
		real a[ROWS * UNITS], gradient[ROWS * UNITS];

		memcpy(a, golden->x, sizeof a);
		if (golden->joint)
			activation_find(loss->joint_activation)->forward(golden->x, a, ROWS, UNITS, NULL);
		close_to(golden, "value",
				loss->value(golden->x, a, golden->y, ROWS, UNITS, golden->joint, params) /
						ROWS,
				golden->value);
		loss->gradient(golden->x, a, golden->y, gradient, ROWS, UNITS, golden->joint, params);
		for (size_t j = 0; j < ROWS * UNITS; j++)
			close_to(golden, "gradient", gradient[j], golden->gradient[j]);
	}
}
END_TEST

START_TEST(no_loss_is_left_out)
{
	const struct loss *loss;

	for (size_t i = 0; (loss = loss_at(i)); i++) {
		size_t j = 0;

		while (j < COUNT && strcmp(goldens[j].name, loss->name))
			j++;
		ck_assert_msg(j < COUNT, "%s has no golden", loss->name);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { losses_are_pytorchs, no_loss_is_left_out, NULL };

	return suite_main("f64_losses", tests, 20);
}
