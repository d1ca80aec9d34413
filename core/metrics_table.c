/* metrics_table.c - the table of metrics. See metrics.h.
 *
 * A metric is a row here and nothing else: the catalogue shows the rows, an evaluation asks their functions.
 */
#include <math.h>
#include <string.h>

#include "core/metrics_classes.h"
#include "core/net.h"

/* ---- of classes ---- */

static double accuracy(const struct classification *c)
{
	return confusion_accuracy(c->confusion);
}

static double rows_of(const struct classification *c)
{
	return (double)confusion_rows(c->confusion);
}

static double top_k(const struct classification *c)
{
	return rows_of(c) > 0 ? (double)c->top_hits / rows_of(c) : NAN;
}

static double log_loss(const struct classification *c)
{
	return c->probabilities && rows_of(c) > 0 ? c->log_loss_sum / rows_of(c) : NAN;
}

static double of_calibration(const struct classification *c)
{
	return c->probabilities ? calibration_error(&c->calibration) : NAN;
}

static double matthews(const struct classification *c)
{
	return confusion_matthews(c->confusion);
}

static double divide(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

static double precision(struct class_counts counts)
{
	return divide(counts.right, counts.predicted);
}

static double recall(struct class_counts counts)
{
	return divide(counts.right, counts.truth);
}

static double f1(struct class_counts counts)
{
	return divide(2 * counts.right, counts.truth + counts.predicted);
}

static double roc_auc_of(const struct classification *c, size_t k)
{
	return ranking_area(c->ranking, k).roc;
}

static double pr_auc_of(const struct classification *c, size_t k)
{
	return ranking_area(c->ranking, k).pr;
}

/* Over the classes that have one. */
static double mean_of_classes(
		const struct classification *c, double (*one_class)(const struct classification *c, size_t k))
{
	double sum = 0, count = 0;

	for (size_t k = 0; k < c->classes; k++) {
		double value = one_class(c, k);

		if (isnan(value)) continue;
		sum += value;
		count++;
	}
	return divide(sum, count);
}

static double roc_auc(const struct classification *c)
{
	return mean_of_classes(c, roc_auc_of);
}

static double pr_auc(const struct classification *c)
{
	return mean_of_classes(c, pr_auc_of);
}

/* ---- of numbers ---- */

static double mean_of_outputs(
		const struct regression *outputs, size_t count, double (*of)(const struct regression *r))
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += of(&outputs[i]);
	return sum / (double)count;
}

static double mse(const struct regression *outputs, size_t count)
{
	return mean_of_outputs(outputs, count, regression_mse);
}

static double rmse(const struct regression *outputs, size_t count)
{
	return sqrt(mse(outputs, count));
}

static double mae(const struct regression *outputs, size_t count)
{
	return mean_of_outputs(outputs, count, regression_mae);
}

static double mape(const struct regression *outputs, size_t count)
{
	return mean_of_outputs(outputs, count, regression_mape);
}

static double r2(const struct regression *outputs, size_t count)
{
	return mean_of_outputs(outputs, count, regression_r2);
}

static double explained_variance(const struct regression *outputs, size_t count)
{
	return mean_of_outputs(outputs, count, regression_explained_variance);
}

/* ---- the table ---- */

#define SOKOLOVA \
	"Sokolova, Lapalme: A systematic analysis of performance measures for classification tasks, 2009"

static const struct metric metrics[] = {
	{ .name = "accuracy",
			.formula = "rows whose highest score is their class / rows",
			.range = "[0, 1]",
			.source = SOKOLOVA,
			.classes = accuracy },
	{ .name = "top_k",
			.formula = "rows whose class is among the k with the highest scores / rows",
			.range = "[0, 1]",
			.source = "Russakovsky et al.: ImageNet Large Scale Visual Recognition Challenge, 2015, section 4.1",
			.params = { { .name = "k",
					.fallback = 5,
					.min = 1,
					.max = NET_UNITS_MAX,
					.meaning = "how many classes a row may name; when nothing is said, one less than there are classes and at most this" } },
			.classes = top_k },
	{ .name = "precision",
			.formula = "true positives / predicted positives",
			.range = "[0, 1]",
			.source = SOKOLOVA,
			.ratio = precision },
	{ .name = "recall",
			.formula = "true positives / positives",
			.range = "[0, 1]",
			.source = SOKOLOVA,
			.ratio = recall },
	{ .name = "f1",
			.formula = "2 precision recall / (precision + recall) = 2 true positives / (positives + predicted positives)",
			.range = "[0, 1]",
			.source = "van Rijsbergen, Information Retrieval, 1979",
			.ratio = f1 },
	{ .name = "roc_auc",
			.formula = "pairs of a row of the class and another one with the higher score for the first, equal ones half / pairs; the mean over classes",
			.range = "[0, 1]",
			.source = "Hanley, McNeil: The meaning and use of the area under a ROC curve, Radiology 143, 1982; mean of one against the rest: Provost, Domingos, 2000",
			.classes = roc_auc,
			.one_class = roc_auc_of },
	{ .name = "pr_auc",
			.formula = "average precision: sum over thresholds of precision · step in recall; the mean over classes",
			.range = "[0, 1]",
			.source = "Davis, Goadrich: The relationship between precision-recall and ROC curves, 2006; Manning et al.: Introduction to Information Retrieval, 2008, section 8.4",
			.classes = pr_auc,
			.one_class = pr_auc_of },
	{ .name = "log_loss",
			.formula = "mean of -log(p of the true class / sum of all p), p kept in [2^-52, 1 - 2^-52]",
			.range = "[0, ∞)",
			.source = "Good: Rational decisions, Journal of the Royal Statistical Society B 14, 1952",
			.classes = log_loss },
	{ .name = "calibration_error",
			.formula = "sum over 15 bins of the highest score: rows in it / rows · |share of right ones - mean highest score|",
			.range = "[0, 1]",
			.source = "Naeini, Cooper, Hauskrecht, AAAI 2015; Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, ICML 2017",
			.classes = of_calibration },
	{ .name = "matthews",
			.formula = "(c s - Σ p_k t_k) / sqrt((s² - Σ p_k²)(s² - Σ t_k²)), s rows, c right ones, p_k predicted and t_k true of class k",
			.range = "[-1, 1]",
			.source = "Gorodkin: Comparing two K-category assignments by a K-category correlation coefficient, 2004, equation 8; of two classes: Matthews, 1975",
			.classes = matthews },
	{ .name = "confusion_matrix",
			.formula = "rows of true class i that were taken for class j",
			.range = "[0, ∞)",
			.source = "Kohavi, Provost: Glossary of terms, Machine Learning 30, 1998" },
	{ .name = "mse",
			.formula = "mean of (a - y)^2",
			.range = "[0, ∞)",
			.source = "Gauss, 1809",
			.of = METRIC_NUMBERS,
			.numbers = mse },
	{ .name = "rmse",
			.formula = "sqrt(mse)",
			.range = "[0, ∞)",
			.source = "Gauss, 1809",
			.of = METRIC_NUMBERS,
			.numbers = rmse },
	{ .name = "mae",
			.formula = "mean of |a - y|",
			.range = "[0, ∞)",
			.source = "Laplace, 1774",
			.of = METRIC_NUMBERS,
			.numbers = mae },
	{ .name = "mape",
			.formula = "mean of |(a - y) / y| over the rows whose y is not 0",
			.range = "[0, ∞)",
			.source = "Hyndman, Koehler: Another look at measures of forecast accuracy, 2006, section 2.2",
			.of = METRIC_NUMBERS,
			.numbers = mape },
	{ .name = "r2",
			.formula = "1 - sum (a - y)^2 / sum (y - mean y)^2",
			.range = "(-∞, 1]",
			.source = "Wright, 1921",
			.of = METRIC_NUMBERS,
			.numbers = r2 },
	{ .name = "explained_variance",
			.formula = "1 - variance of (a - y) / variance of y",
			.range = "(-∞, 1]",
			.source = "Kvålseth: Cautionary note about R², The American Statistician 39, 1985",
			.of = METRIC_NUMBERS,
			.numbers = explained_variance },
};

const struct metric *metric_at(size_t i)
{
	return i < sizeof metrics / sizeof *metrics ? &metrics[i] : NULL;
}

const struct metric *metric_find(const char *name)
{
	const struct metric *m = NULL;

	for (size_t i = 0; (m = metric_at(i)); i++)
		if (!strcmp(m->name, name)) break;
	return m;
}

double metric_one_class(const struct metric *m, const struct classification *c, size_t k)
{
	return m->one_class ? m->one_class(c, k) : m->ratio(confusion_counts(c->confusion, k));
}

double metric_macro(const struct metric *m, const struct classification *c)
{
	double sum = 0, count = 0;

	for (size_t k = 0; k < c->classes; k++) {
		struct class_counts counts = confusion_counts(c->confusion, k);
		double value = m->ratio(counts);

		if (!(counts.truth + counts.predicted > 0)) continue;
		if (!isnan(value)) sum += value;
		count++;
	}
	return divide(sum, count);
}

double metric_micro(const struct metric *m, const struct classification *c)
{
	struct class_counts sum = { 0 };

	for (size_t k = 0; k < c->classes; k++) {
		struct class_counts counts = confusion_counts(c->confusion, k);

		sum.right += counts.right;
		sum.truth += counts.truth;
		sum.predicted += counts.predicted;
	}
	return m->ratio(sum);
}
