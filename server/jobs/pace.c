/* pace.c - how fast a run goes. See pace.h. */
#include "server/jobs/pace.h"

#include <math.h>
#include <time.h>

double pace_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void pace_begin(struct pace *p, const struct train_point *point, uint64_t every, double now,
		struct progress *progress)
{
	*p = (struct pace){
		.noted = now, .trained = point->seconds, .share = 1 - 0.5 / (double)(every ? every : 1)
	};
	progress->point = *point;
	progress->noted = progress->at = now;
	progress->steps = point->step;
}

void pace_note(struct pace *p, const struct train_point *point, double now, struct progress *progress)
{
	double passed = now - p->noted, left = exp(-passed / PACE_SECONDS);

	if (left < p->share) left = p->share;
	p->clock_seconds = p->clock_seconds * left + passed;
	p->training_seconds = p->training_seconds * left + point->seconds - p->trained;
	p->epochs = p->epochs * left + 1;
	p->noted = now;
	p->trained = point->seconds;
	progress->point = *point;
	progress->noted = progress->at = now;
	progress->steps = point->step;
	progress->epoch_seconds = p->clock_seconds / p->epochs;
	progress->training_seconds = p->training_seconds / p->epochs;
}

/* Of the epoch under way. */
static double epoch_done(const struct progress *progress)
{
	double done;

	if (!progress->batches || progress->steps <= progress->point.step) return 0;
	done = (double)(progress->steps - progress->point.step) / (double)progress->batches;
	return done < 1 ? done : 1;
}

double pace_done(const struct progress *progress, uint64_t epochs)
{
	double done = (double)progress->point.epoch + epoch_done(progress);

	return epochs && done < (double)epochs ? done / (double)epochs : epochs ? 1 : 0;
}

double pace_left(const struct progress *progress, uint64_t epochs, double max_seconds)
{
	double passed = progress->at - progress->noted, done = epoch_done(progress),
	       epoch = progress->epoch_seconds;
	double left = (double)epochs - (double)progress->point.epoch, seconds, most;

	if (progress->noted <= 0) return NAN;                   /* it loads its data */
	if (left < 1) return 0;                                 /* it is published */
	if (epoch <= 0) epoch = done > 0 ? passed / done : NAN; /* the first epoch */
	seconds = left * epoch - passed;
	/* The one under way may take longer than others did. */
	if (seconds < (left - 1) * epoch) seconds = (left - 1) * epoch;
	if (max_seconds <= 0) return seconds;
	most = fmax(0, max_seconds - progress->point.elapsed - passed);
	return seconds < most ? seconds : most; /* NaN is not */
}
