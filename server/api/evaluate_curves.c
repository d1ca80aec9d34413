/* evaluate_curves.c - what is drawn: curves, reliability bins, quantiles of residuals. See evaluate_parts.h.
 *
 * A curve is columns, ready to plot, and one class's at a time is in memory.
 */
#include <math.h>

#include "server/api/evaluate_parts.h"
#include "server/codec/json.h"
#include "server/codec/number.h"

static const double shares[] = { 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1 };
static const char *const percent[] = { "0", "5", "25", "50", "75", "95", "100" };
#define SHARES (sizeof shares / sizeof *shares)

json_t *residuals_document(const struct judge *judge)
{
	json_t *out = json_object();
	double found[SHARES];

	ranking_quantiles(judge->residuals, shares, SHARES, found);
	for (size_t i = 0; i < SHARES; i++)
		json_put(out, percent[i], json_number(found[i]));
	return out;
}

static void put_column(struct buffer *out, const char *before, const double *numbers, size_t n)
{
	buffer_text(out, before);
	for (size_t i = 0; i < n; i++) {
		char *to;

		if (i) buffer_text(out, ",");
		if ((to = buffer_reserve(out, NUMBER_PRINT_MAX)))
			out->size += number_print_float((float)numbers[i], to); /* not finite: null */
	}
	buffer_text(out, "]");
}

static void put_curve(struct buffer *out, const struct ranking_curve *curve, const char *x, const char *y)
{
	put_column(out, "{\"threshold\":[", curve->threshold, curve->count);
	put_column(out, x, curve->x, curve->count);
	put_column(out, y, curve->y, curve->count);
	buffer_text(out, "}");
}

static void put_class(struct buffer *out, const struct judge *judge, size_t k)
{
	struct ranking_curve roc, pr;

	buffer_text(out, k ? ",{\"label\":" : "{\"label\":");
	json_escape(out, judge->column->values[k], strlen(judge->column->values[k]));
	if (classification_curves(judge->classes, k, &roc, &pr)) {
		buffer_text(out, ",\"roc\":");
		put_curve(out, &roc, ",\"false_positive_rate\":[", ",\"true_positive_rate\":[");
		buffer_text(out, ",\"pr\":");
		put_curve(out, &pr, ",\"recall\":[", ",\"precision\":[");
		buffer_text(out, "}");
	} else
		buffer_text(out, ",\"roc\":null,\"pr\":null}");
}

static json_t *bins_document(const struct calibration *c)
{
	json_t *bins = json_array();

	for (size_t i = 0; c && i < CALIBRATION_BINS; i++) {
		const struct calibration_bin *bin = &c->bins[i];
		double rows = (double)bin->rows;
		json_t *one = json_object();

		json_put(one, "from", json_number((double)i / CALIBRATION_BINS));
		json_put(one, "to", json_number((double)(i + 1) / CALIBRATION_BINS));
		json_put(one, "count", json_integer((json_int_t)bin->rows));
		json_put(one, "confidence", json_number(rows > 0 ? bin->confidence_sum / rows : NAN));
		json_put(one, "accuracy", json_number(rows > 0 ? (double)bin->right / rows : NAN));
		json_append(bins, one);
	}
	return bins;
}

void curves_put(struct buffer *out, const struct judge *judge)
{
	if (!judge->classes) return;
	buffer_text(out, ",\"curves\":{\"classes\":[");
	for (size_t k = 0; k < judge->column->values_count; k++)
		put_class(out, judge, k);
	buffer_text(out, "]");
	if (classification_calibration(judge->classes))
		evaluation_put_member(out, "reliability",
				bins_document(classification_calibration(judge->classes)));
	buffer_text(out, "}");
}
