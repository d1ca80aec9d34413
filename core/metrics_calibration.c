/* metrics_calibration.c - is a network as often right as it says? See metrics.h. */
#include <math.h>

#include "core/metrics.h"

void calibration_add(struct calibration *c, double confidence, bool right)
{
	double place = ceil(confidence * CALIBRATION_BINS) - 1;
	size_t bin;

	if (isnan(confidence)) return;
	bin = place < 0 ? 0 : place >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : (size_t)place;
	c->bins[bin].rows++;
	c->bins[bin].right += right;
	c->bins[bin].confidence_sum += confidence;
	c->rows++;
}

double calibration_error(const struct calibration *c)
{
	double error = 0;

	for (size_t i = 0; i < CALIBRATION_BINS; i++)
		error += fabs((double)c->bins[i].right - c->bins[i].confidence_sum);
	return c->rows ? error / (double)c->rows : NAN;
}
