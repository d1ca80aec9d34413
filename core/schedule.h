/* schedule.h - schedules of the learning rate: one table of rows, each a factor on the base rate.
 *
 * The rate of a step is a function of where it is, the parameters and the state, and of nothing else: a run that goes
 * on from a checkpoint has the rates of one that was not interrupted.
 */
#ifndef DESCENT_SCHEDULE_H
#define DESCENT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/param.h"

#define SCHEDULE_STATE 4 /* numbers that a schedule keeps from epoch to epoch */

/* Where a step is. */
struct schedule_at {
	double epoch;  /* epochs done before it, with their fraction: 2.5 in the middle of the third */
	double epochs; /* in all, > 0 */
	double share; /* of an epoch that one step is, (0, 1]; warm-up counts the step itself, so that the first
	                * one moves */
};

struct schedule {
	const char *name;
	const char *formula;    /* of the factor; e is the epoch and E all epochs, both after the warm-up */
	const char *derivative; /* by e */
	const char *range;      /* of the factor, "(0, 1]" */
	const char *source;
	bool nonlinear, differentiable;  /* continuously, for all parameters */
	struct param params[PARAMS_MAX]; /* params[0] is warmup */

	/* The factor on the base rate, >= 0, finite. The warm-up is over and taken from `at`. */
	double (*factor)(const struct schedule_at *at, const double *params,
			const double state[SCHEDULE_STATE]);
	/* What follows from an epoch's monitored loss, called after each epoch; NULL: nothing. state starts at 0 and
	 * belongs to the checkpoint. */
	void (*observe)(double monitored, const double *params, double state[SCHEDULE_STATE]);
};

const struct schedule *schedule_at(size_t i); /* NULL past the end */
const struct schedule *schedule_find(const char *name);

/* The rate of a step: base times the factor. In the first `warmup` epochs it rises in a straight line, step by step,
 * to the one that the schedule begins with. schedule NULL: base, state may be NULL then. */
double schedule_rate(const struct schedule *schedule, double base, const struct schedule_at *at,
		const double *params, const double state[SCHEDULE_STATE]);
/* After each epoch, also in the warm-up; monitored: val_loss, or loss without validation. schedule may be NULL. */
void schedule_observe(const struct schedule *schedule, double monitored, const double *params,
		double state[SCHEDULE_STATE]);

#endif
