/* pace.h - how fast a run goes just now, and when it will be done, from its recent epochs.
 *
 * Recent is a mean whose weights fall with the time that passed, to a third in PACE_SECONDS; where epochs take longer than
 * that, over about two of them, or over as many as lie between two validations. So a run that slows down says so, and
 * the time of validation, of callbacks and of waiting for a core counts where it occurs.
 */
#ifndef SERVER_JOBS_PACE_H
#define SERVER_JOBS_PACE_H

#include "server/jobs/progress.h"

#define PACE_SECONDS 5.0

struct pace { /* zeroed, but for what pace_begin sets; sums over recent epochs */
	double clock_seconds, training_seconds, epochs;
	double noted, trained; /* clock, and point.seconds, at the last of them */
	double share;          /* of the sums that an epoch leaves at least */
};

double pace_clock(void); /* monotonic, seconds */

/* A run begins, or goes on after `point`: progress says so. every: epochs from one validation to the next. */
void pace_begin(struct pace *pace, const struct train_point *point, uint64_t every, double now,
		struct progress *progress);
/* An epoch has ended now: progress says what it was and how fast the last ones were. */
void pace_note(struct pace *pace, const struct train_point *point, double now, struct progress *progress);

/* The share of the run that is done, 0 to 1. */
double pace_done(const struct progress *progress, uint64_t epochs);
/* Seconds from progress->at until it has done all its epochs, or its max_seconds (0: none) are over; NaN: not known yet. */
double pace_left(const struct progress *progress, uint64_t epochs, double max_seconds);

#endif
