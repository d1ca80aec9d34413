/* evaluate_answer.c - what an evaluation found, as JSON. See evaluate_parts.h.
 *
 * Every metric of the table stands under its name. One target, or several numbers, are told about at the top; of
 * several targets with a category among them each has its own part of "outputs". The text grows in the reply: a
 * confusion matrix may have millions of counts, and a tree of them would take a hundred times their memory.
 */
#include <string.h>

#include "server/api/document.h"
#include "server/api/evaluate_parts.h"
#include "server/codec/json.h"
#include "server/codec/number.h"

void evaluation_put_member(struct buffer *out, const char *name, json_t *value)
{
	if (!out->size || out->data[out->size - 1] != '{') buffer_text(out, ",");
	json_escape(out, name, strlen(name));
	buffer_text(out, ":");
	if (value)
		json_write(value, out);
	else
		out->failed = true; /* no memory */
	json_decref(value);
}

/* ---- of a category ---- */

static json_t *top_k_document(const struct metric *m, const struct classification *c)
{
	json_t *out = json_object();

	json_put(out, m->params[0].name, json_integer((json_int_t)classification_top_k(c)));
	json_put(out, "accuracy", json_number(m->classes(c)));
	return out;
}

static json_t *averages_document(const struct classification *c,
		double (*average)(const struct metric *m, const struct classification *c))
{
	json_t *out = json_object();
	const struct metric *m;

	for (size_t i = 0; (m = metric_at(i)); i++)
		if (m->ratio) json_put(out, m->name, json_number(average(m, c)));
	return out;
}

static void put_category_metrics(json_t *metrics, const struct classification *c)
{
	const struct metric *m;

	for (size_t i = 0; (m = metric_at(i)); i++) {
		if (!m->classes) continue;
		json_put(metrics, m->name,
				params_count(m->params) ? top_k_document(m, c) : json_number(m->classes(c)));
	}
	json_put(metrics, "macro", averages_document(c, metric_macro));
	json_put(metrics, "micro", averages_document(c, metric_micro));
}

static json_t *class_document(const struct judge *judge, size_t k)
{
	const struct confusion *counts = classification_confusion(judge->classes);
	json_t *out = json_object();
	const struct metric *m;

	json_put(out, "label", json_string(judge->column->values[k]));
	json_put(out, "rows", json_integer((json_int_t)confusion_counts(counts, k).truth));
	for (size_t i = 0; (m = metric_at(i)); i++)
		if (m->ratio || m->one_class)
			json_put(out, m->name, json_number(metric_one_class(m, judge->classes, k)));
	return out;
}

static void put_count(struct buffer *out, uint64_t count)
{
	char *to = buffer_reserve(out, NUMBER_PRINT_MAX);

	if (to) out->size += number_print_double((double)count, to); /* rows are below 2^53 */
}

static void put_counts(struct buffer *out, const struct confusion *counts, size_t truth)
{
	buffer_text(out, "[");
	for (size_t j = 0; j < confusion_classes(counts); j++) {
		if (j) buffer_text(out, ",");
		put_count(out, confusion_count(counts, truth, j));
	}
	buffer_text(out, "]");
}

static void put_confusion(struct buffer *out, const struct judge *judge)
{
	const struct confusion *counts = classification_confusion(judge->classes);
	json_t *labels = json_array();

	for (size_t i = 0; i < judge->column->values_count; i++)
		json_append(labels, json_string(judge->column->values[i]));
	buffer_text(out, ",\"confusion_matrix\":{");
	evaluation_put_member(out, "labels", labels);
	for (size_t i = 0; i < confusion_classes(counts); i++) {
		buffer_text(out, i ? "," : ",\"counts\":[");
		put_counts(out, counts, i);
	}
	buffer_text(out, "]}");
}

/* per_class and confusion_matrix, behind other members. */
static void put_classes(struct buffer *out, const struct judge *judge)
{
	json_t *classes;

	if (!judge->classes) return;
	classes = json_array();
	for (size_t k = 0; k < judge->column->values_count; k++)
		json_append(classes, class_document(judge, k));
	evaluation_put_member(out, "per_class", classes);
	put_confusion(out, judge);
}

/* What a target has beside its metrics, behind other members. */
static void put_target(struct buffer *out, const struct evaluation *v, const struct judge *judge)
{
	put_classes(out, judge);
	if (v->wanted.curves) curves_put(out, judge);
	if (judge->residuals) evaluation_put_member(out, "residual_quantiles", residuals_document(judge));
}

/* ---- of numbers ---- */

static void put_number_metrics(json_t *metrics, const struct regression *numbers, size_t count)
{
	const struct metric *m;

	for (size_t i = 0; (m = metric_at(i)); i++)
		if (m->numbers) json_put(metrics, m->name, json_number(m->numbers(numbers, count)));
}

static json_t *outputs_document(const struct evaluation *v)
{
	json_t *out = json_array();

	for (size_t i = 0; i < v->count; i++) {
		json_t *one = json_object();

		json_put(one, "output", json_string(v->judges[i].column->name));
		put_number_metrics(one, &v->numbers[i], 1);
		json_put(one, "residual_quantiles", residuals_document(&v->judges[i]));
		json_append(out, one);
	}
	return out;
}

/* ---- the whole ---- */

static json_t *metrics_document(const struct evaluation *v, const struct judge *judge)
{
	json_t *metrics = json_object();

	json_put(metrics, "loss", json_number(v->head_losses[judge->head] / (double)v->rows));
	if (judge->classes)
		put_category_metrics(metrics, judge->classes);
	else
		put_number_metrics(metrics, &v->numbers[judge->at], 1);
	return metrics;
}

/* Several targets, of which some are categories: each by its name. */
static void put_outputs(struct buffer *out, const struct evaluation *v)
{
	buffer_text(out, ",\"outputs\":{");
	for (size_t i = 0; i < v->count; i++) {
		const struct judge *judge = &v->judges[i];

		if (i) buffer_text(out, ",");
		json_escape(out, judge->column->name, strlen(judge->column->name));
		buffer_text(out, ":{");
		evaluation_put_member(out, "metrics", metrics_document(v, judge));
		put_target(out, v, judge);
		buffer_text(out, "}");
	}
	buffer_text(out, "}");
}

static void warn_slack(json_t *warnings, const struct judge *judge)
{
	double roc, pr;

	if (!judge->classes) return;
	classification_slack(judge->classes, &roc, &pr);
	if (roc > 0 || pr > 0)
		json_append(warnings,
				json_sprintf("roc_auc and pr_auc of %s are worked out from bins, as there are more rows than are "
					     "sorted; they are no further from the true ones than %.2g and %.2g",
						judge->column->name, roc, pr));
}

static void put_warnings(struct buffer *out, const struct evaluation *v, const struct rows *said)
{
	json_t *warnings = json_array();

	for (size_t i = 0; said && i < rows_warnings(said); i++)
		json_append(warnings, json_string(rows_warning(said, i)));
	if (v->nonfinite_rows)
		json_append(warnings,
				json_sprintf("the network's answer to %llu of %llu rows is not a finite number; metrics that it "
					     "leaves undefined are null",
						(unsigned long long)v->nonfinite_rows,
						(unsigned long long)v->rows));
	for (size_t i = 0; i < v->count; i++)
		warn_slack(warnings, &v->judges[i]);
	if (v->importance && importance_block(v->importance))
		json_append(warnings,
				json_sprintf("for importance, columns were permuted within blocks of %zu rows; if the rows are in an order, it is too low",
						importance_block(v->importance)));
	if (json_array_size(warnings))
		evaluation_put_member(out, "warnings", warnings);
	else
		json_decref(warnings);
}

static bool all_numbers(const struct evaluation *v)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->judges[i].classes) return false;
	return true;
}

int evaluation_reply(struct evaluation *v, uint64_t version, const struct rows *said, struct reply *rp,
		struct err *e)
{
	bool numbers = all_numbers(v), single = v->count == 1;
	struct buffer *out = &rp->body;
	json_t *metrics;
	int rc;

	if (!v->rows) return err_set(e, ERR_INVALID, "there are no rows with a target to evaluate");
	for (size_t i = 0; i < v->count; i++) {
		struct judge *judge = &v->judges[i];

		if (judge->classes && (rc = classification_end(judge->classes, e))) return rc;
		if (judge->residuals && (rc = ranking_end(judge->residuals, e))) return rc;
	}
	if (v->importance && (rc = importance_end(v, e))) return rc;
	metrics = json_object();
	json_put(metrics, "loss", json_number(v->loss_sum / (double)v->rows));
	if (numbers)
		put_number_metrics(metrics, v->numbers, v->count);
	else if (single)
		put_category_metrics(metrics, v->judges[0].classes);
	buffer_text(out, "{");
	evaluation_put_member(out, "metrics", metrics);
	evaluation_put_member(out, "rows", json_integer((json_int_t)v->rows));
	if (single) put_target(out, v, &v->judges[0]);
	if (!single && numbers) evaluation_put_member(out, "per_output", outputs_document(v));
	if (!single && !numbers) put_outputs(out, v);
	if (v->importance) evaluation_put_member(out, "importance", importance_document(v));
	evaluation_put_member(out, "model_version", json_id((int64_t)version));
	put_warnings(out, v, said);
	buffer_text(out, "}");
	return !json_was_short() && buffer_ok(out) ? 0 : err_nomem(e); /* warnings may be missing whole */
}
