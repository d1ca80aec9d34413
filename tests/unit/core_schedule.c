/* core_schedule.c - every schedule against PyTorch's (tests/golden/schedules.py) or its closed form, the warm-up in
 * front of each, and that rows are complete. */
#include <math.h>
#include <string.h>

#include "core/schedule.h"
#include "tests/golden/schedules.h"
#include "tests/unit/suite.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TOLERATE     1e-12

static const double nothing[SCHEDULE_STATE];

/* The factor of a row with these first parameters, -1 for the default. */
static double rate(const char *name, const double *said, size_t count, double epoch, double epochs)
{
	const struct schedule *schedule = schedule_find(name);
	struct schedule_at at = { .epoch = epoch, .epochs = epochs, .share = 0.01 };
	double params[PARAMS_MAX];

	ck_assert_msg(schedule != NULL, "%s", name);
	params_fallback(schedule->params, params);
	for (size_t i = 0; i < count; i++)
		if (said[i] >= 0) params[i] = said[i];
	return schedule_rate(schedule, 1, &at, params, nothing);
}
#define RATE(name, epoch, epochs, ...) \
	rate(name, (double[]){ __VA_ARGS__ }, COUNT(((double[]){ __VA_ARGS__ })), epoch, epochs)

START_TEST(goldens_agree)
{
	for (size_t r = 0; r < COUNT(goldens); r++) {
		const struct golden *row = &goldens[r];
		const struct schedule *schedule = schedule_find(row->name);

		ck_assert_msg(schedule != NULL, "%s", row->name);
		for (size_t i = 0; i < row->count; i++) {
			struct schedule_at at = { (double)i * row->by_epoch, row->epochs, 1 };
			double factor = schedule_rate(schedule, 1, &at, row->params, nothing);

			ck_assert_msg(fabs(factor - row->factors[i]) <= TOLERATE,
					"%s, row %zu, epoch %g: %.15g, not %.15g", row->name, r, at.epoch,
					factor, row->factors[i]);
		}
	}
}
END_TEST

START_TEST(plateaus_agree)
{
	const struct schedule *schedule = schedule_find("reduce_on_plateau");
	struct schedule_at at = { 0, 60, 1 };

	for (size_t r = 0; r < COUNT(plateaus); r++) {
		const struct plateau *row = &plateaus[r];
		double state[SCHEDULE_STATE] = { 0 };
		size_t falls = 0;

		ck_assert_double_eq(schedule_rate(schedule, 0.3, &at, row->params, state), 0.3);
		for (size_t i = 0; i < row->count; i++) {
			double factor;

			schedule_observe(schedule, row->losses[i], row->params, state);
			factor = schedule_rate(schedule, 1, &at, row->params, state);
			falls += i > 0 && row->factors[i] < row->factors[i - 1];
			ck_assert_msg(fabs(factor - row->factors[i]) <= TOLERATE,
					"row %zu, epoch %zu: %.15g, not %.15g", r, i, factor,
					row->factors[i]);
		}
		ck_assert_uint_gt(falls, 1);
	}
}
END_TEST

START_TEST(closed_forms)
{
	for (double e = 0; e <= 40; e += 0.5) {
		ck_assert_double_eq(RATE("constant", e, 40, 0), 1);
		ck_assert_double_eq_tol(RATE("inverse_time", e, 40, 0, 0.7), 1 / (1 + 0.7 * e), TOLERATE);
		ck_assert_double_eq_tol(RATE("exponential", e, 40, 0, 0.8), exp(e * log(0.8)), TOLERATE);
		ck_assert_double_eq_tol(RATE("polynomial", e, 40, 0, 3, 0.2),
				0.2 + 0.8 * (1 - e / 40) * (1 - e / 40) * (1 - e / 40), TOLERATE);
		ck_assert_double_eq_tol(RATE("polynomial", e, 40, 0), 1 - e / 40, TOLERATE);
		/* what is not said follows from all epochs */
		ck_assert_double_eq_tol(RATE("step", e, 40, 0),
				e < 40.0 / 3   ? 1
				: e < 80.0 / 3 ? 0.1
				: e < 40       ? 0.01
					       : 0.001,
				TOLERATE);
		ck_assert_double_eq_tol(RATE("multistep", e, 40, 0),
				e < 20   ? 1
				: e < 30 ? 0.1
					 : 0.01,
				TOLERATE);
	}
	ck_assert_double_eq_tol(RATE("cosine", 40, 40, 0, -1, -1, 0.125), 0.125,
			TOLERATE); /* no restart at the end */
	ck_assert_double_eq_tol(RATE("one_cycle", 0, 40, 0), 0.04, TOLERATE);
	ck_assert_double_eq_tol(RATE("one_cycle", 12, 40, 0), 1, TOLERATE);
	ck_assert_double_eq_tol(RATE("one_cycle", 40, 40, 0), 4e-6, TOLERATE);
}
END_TEST

/* The ends of what the parameters allow. */
START_TEST(edges)
{
	ck_assert_double_eq(RATE("one_cycle", 0, 40, 0, 0), 1);  /* the peak is where it begins */
	ck_assert_double_eq(RATE("one_cycle", 40, 40, 0, 1), 1); /* … or ends */
	/* cycles that hardly grow, and a second one that is longer than all */
	ck_assert_double_eq_tol(RATE("cosine", 1e6 + 0.5, 2e6, 0, 1, 1 + 1e-15), 0.5, 1e-2);
	ck_assert_double_eq_tol(RATE("cosine", 0.051, 1e9, 0, 1e-3, 100), 0.5, 1e-9);
	ck_assert(isfinite(RATE("cosine", 1e9, 1e9, 0, 1e-320)) &&
			isfinite(RATE("cosine", 1e9, 1e9, 0, 1e-320, 1.5)));
	ck_assert(isfinite(RATE("step", 1e9, 1e9, 0, 1e-320)) &&
			isfinite(RATE("exponential", 1e9, 1e9, 0, 1e-3)));
	for (size_t cycle = 1; cycle < 30; cycle++) { /* a restart is a restart, whichever way it rounds */
		double begin = 3 * (pow(1.7, (double)cycle) - 1) / 0.7;

		ck_assert_double_gt(RATE("cosine", begin * (1 + 1e-12), 1e9, 0, 3, 1.7), 0.999);
		ck_assert_double_lt(RATE("cosine", begin * (1 - 1e-12), 1e9, 0, 3, 1.7), 1e-3);
	}
}
END_TEST

/* Ten steps an epoch, two and a half epochs: 1/25, 2/25, … of the rate that the schedule begins with, which then runs
 * as if it had begun at its end. */
START_TEST(warm_up_in_front_of_any)
{
	for (size_t s = 0; schedule_at(s); s++) {
		const struct schedule *schedule = schedule_at(s);
		double params[PARAMS_MAX], plain[PARAMS_MAX], first;

		params_fallback(schedule->params, plain);
		params_fallback(schedule->params, params);
		ck_assert_str_eq(schedule->params[0].name, "warmup");
		ck_assert_double_eq(params[0], 0);
		params[0] = 2.5;
		first = schedule_rate(schedule, 0.3, &(struct schedule_at){ 0, 17.5, 0.1 }, plain, nothing);
		for (uint64_t step = 1; step <= 200; step++) {
			struct schedule_at at = { (double)(step - 1) / 10, 20, 0.1 };
			struct schedule_at later = { at.epoch - 2.5, 17.5, 0.1 };
			double got = schedule_rate(schedule, 0.3, &at, params, nothing);
			double want = step <= 25 ? first * (double)step / 25
						 : schedule_rate(schedule, 0.3, &later, plain, nothing);

			ck_assert_msg(fabs(got - want) < TOLERATE, "%s, step %d: %g, not %g", schedule->name,
					(int)step, got, want);
		}
	}
}
END_TEST

START_TEST(a_warm_up_longer_than_the_training)
{
	for (size_t s = 0; schedule_at(s); s++) {
		double last = 0;

		for (double e = 0; e < 5; e += 0.25) {
			double now = RATE(schedule_at(s)->name, e, 5, 10);

			ck_assert_msg(isfinite(now) && now > last && now < 0.6, "%s: %g",
					schedule_at(s)->name, now);
			last = now;
		}
	}
}
END_TEST

START_TEST(a_loss_that_is_no_number_is_no_improvement)
{
	const struct schedule *schedule = schedule_find("reduce_on_plateau");
	double params[PARAMS_MAX], state[SCHEDULE_STATE] = { 0 };

	params_fallback(schedule->params, params);
	for (size_t i = 0; i < 11; i++)
		schedule_observe(schedule, NAN, params, state);
	ck_assert_double_eq_tol(schedule_rate(schedule, 1, &(struct schedule_at){ 11, 20, 1 }, params, state),
			0.1, TOLERATE);
	schedule_observe(schedule, 1e300, params, state);
	for (size_t i = 0; i < 10; i++)
		schedule_observe(schedule, 5, params, state);
	ck_assert_double_eq_tol(schedule_rate(schedule, 1, &(struct schedule_at){ 20, 20, 1 }, params, state),
			0.1, TOLERATE);
}
END_TEST

START_TEST(no_schedule_is_the_rate_itself)
{
	ck_assert_double_eq(schedule_rate(NULL, 0.3, &(struct schedule_at){ 1, 2, 0.5 }, NULL, NULL), 0.3);
	schedule_observe(NULL, 1, NULL, NULL);
	schedule_observe(schedule_find("cosine"), 1, NULL, NULL);
}
END_TEST

START_TEST(the_table_is_complete)
{
	static const char *const names[] = { "constant", "step", "multistep", "exponential", "cosine",
		"one_cycle", "inverse_time", "polynomial", "reduce_on_plateau" };

	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_msg(schedule_find(names[i]) != NULL, "%s", names[i]);
	ck_assert_ptr_null(schedule_find("cosin"));
	ck_assert_ptr_null(schedule_at(COUNT(names)));
	for (size_t i = 0; schedule_at(i); i++) {
		const struct schedule *schedule = schedule_at(i);
		double params[PARAMS_MAX], value;

		ck_assert_ptr_eq(schedule_find(schedule->name), schedule);
		ck_assert(schedule->formula && schedule->derivative && schedule->range && schedule->source &&
				schedule->factor);
		params_fallback(schedule->params, params);
		ck_assert_uint_eq(params_refused(schedule->params, params, &value),
				params_count(schedule->params));
	}
}
END_TEST

/* Milestones are the only list so far: from its place to the end, NaN after the last. */
START_TEST(lists_of_parameters)
{
	const struct param *params = schedule_find("multistep")->params;
	double values[PARAMS_MAX], refused;

	params_fallback(params, values);
	ck_assert_uint_eq(params_count(params), 3);
	ck_assert_uint_eq(params_length(params, 0, values), 1);
	ck_assert_uint_eq(params_length(params, 2, values), 0);
	values[2] = 5, values[3] = -1;
	ck_assert_uint_eq(params_length(params, 2, values), 2);
	ck_assert_uint_eq(params_refused(params, values, &refused), 2);
	ck_assert_double_eq(refused, -1);
	for (size_t i = 2; i < PARAMS_MAX; i++)
		values[i] = 1;
	ck_assert_uint_eq(params_length(params, 2, values), PARAMS_MAX - 2);
	ck_assert_uint_eq(params_refused(params, values, &refused), 3);
	values[1] = NAN; /* a number must be one */
	ck_assert_uint_eq(params_refused(params, values, &refused), 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { goldens_agree, plateaus_agree, closed_forms, edges,
		warm_up_in_front_of_any, a_warm_up_longer_than_the_training,
		a_loss_that_is_no_number_is_no_improvement, no_schedule_is_the_rate_itself,
		the_table_is_complete, lists_of_parameters, NULL };

	return suite_main("core_schedule", tests, 20);
}
