/* metrics_classes.h - what a classification holds, for core/metrics*.c alone. */
#ifndef DESCENT_METRICS_CLASSES_H
#define DESCENT_METRICS_CLASSES_H

#include "core/metrics.h"
#include "core/metrics_rank.h"

struct classification {
	size_t classes, top_k;
	bool probabilities;
	struct confusion *confusion;
	struct ranking *ranking;
	uint64_t top_hits; /* rows whose class is among the top_k with the highest scores */
	double log_loss_sum;
	struct calibration calibration; /* of probabilities */
};

/* The first of the largest; a NaN is passed over, and 0 where there is nothing else. */
size_t metrics_largest(const real *row, size_t n);

#endif
