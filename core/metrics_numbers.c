/* metrics_numbers.c - errors of numbers. See metrics.h. */
#include <math.h>

#include "core/metrics.h"

void regression_add(struct regression *r, double prediction, double target)
{
	double error = prediction - target, from_mean = target - r->target_mean, from_bias;

	r->rows++;
	r->error_sum += error;
	r->error_abs_sum += fabs(error);
	r->error_square_sum += error * error;
	r->target_mean += from_mean / (double)r->rows;
	r->target_m2 += from_mean * (target - r->target_mean);
	from_bias = error - r->error_mean;
	r->error_mean += from_bias / (double)r->rows;
	r->error_m2 += from_bias * (error - r->error_mean);
	if (target == 0) return;
	r->rows_not_zero++;
	r->error_share_sum += fabs(error / target);
}

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

double regression_mse(const struct regression *r)
{
	return ratio(r->error_square_sum, (double)r->rows);
}

double regression_rmse(const struct regression *r)
{
	return sqrt(regression_mse(r));
}

double regression_mae(const struct regression *r)
{
	return ratio(r->error_abs_sum, (double)r->rows);
}

double regression_mape(const struct regression *r)
{
	return ratio(r->error_share_sum, (double)r->rows_not_zero);
}

double regression_r2(const struct regression *r)
{
	return 1 - ratio(r->error_square_sum, r->target_m2);
}

double regression_explained_variance(const struct regression *r)
{
	return 1 - ratio(r->error_m2, r->target_m2);
}
