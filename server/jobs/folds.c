/* folds.c - a cross-validation: a child for each fold, and once all have succeeded what they came to together.
 *
 * The rows of all folds lie in one block of memory when they are put together; see server/codec/fold_rows.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/fold_rows.h"
#include "server/codec/json.h"
#include "server/jobs/family_parts.h"

/* Parents' alone: what else their config says is the children's. */
static const char *const own[] = { "folds", "stratify", "warnings" };

static size_t folds_of(const struct house *h)
{
	return (size_t)json_integer_value(json_object_get(h->config, "folds"));
}

/* ---- the children ---- */

static int add_fold(const struct house *h, size_t fold, struct err *e)
{
	json_t *config = json_twin(h->config);
	json_t *validation = json_object();
	uint64_t epochs = (uint64_t)json_integer_value(json_object_get(config, "epochs"));
	bool whole = json_put(validation, "fold", json_integer((json_int_t)fold));
	int rc;

	whole &= json_put(validation, "of", json_integer((json_int_t)folds_of(h)));
	whole &= json_put(validation, "stratify", json_incref(json_object_get(h->config, "stratify")));
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		json_object_del(config, own[i]);
	whole &= json_put(config, "validation", validation);
	rc = whole ? house_add(h, config, epochs, 0, e) : err_nomem(e);
	json_decref(config);
	return rc;
}

/* ---- what they came to ---- */

/* Mean and deviation (that of a sample, n - 1) of a metric over the children; null where one has none, or one that is not
 * finite. */
static json_t *spread(const json_t *const *metrics, size_t count, const char *name, json_t *means)
{
	double mean = 0, squares = 0;
	bool known = true;
	json_t *out = json_object();
	bool whole;

	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(metrics[i], name);
		double step = json_number_value(value) - mean; /* Welford, 1962 */

		known &= json_is_number(value);
		mean += step / (double)(i + 1);
		squares += step * (json_number_value(value) - mean);
	}
	whole = json_put(means, name, json_number(known ? mean : NAN));
	whole &= json_put(out, "mean", json_number(known ? mean : NAN));
	whole &= json_put(out, "std", json_number(known ? sqrt(squares / (double)(count - 1)) : NAN));
	return json_whole(out, whole);
}

static json_t *fold_document(const struct store_job *child, size_t fold, const json_t *metrics)
{
	json_t *out = json_object();
	bool whole = json_put(out, "fold", json_integer((json_int_t)fold));

	whole &= json_put(out, "job", json_id(child->id));
	whole &= json_put(out, "epoch", json_integer((json_int_t)child->epoch));
	whole &= json_put(out, "stop_reason", json_string(child->stop_reason ? child->stop_reason : ""));
	whole &= json_put(out, "metrics", json_incref((json_t *)metrics));
	return json_whole(out, whole);
}

/* *means is new: the means alone, as metrics of the parent. */
static json_t *results_document(const struct house *h, json_t **means, struct err *e)
{
	const json_t **metrics = calloc(h->count, sizeof *metrics);
	json_t *out = json_object(), *spreads = json_object(), *folds = json_array(), *value;
	bool whole = out && spreads && folds && metrics;
	const char *name;

	*means = json_object();
	for (size_t i = 0; i < h->count && whole; i++) {
		json_t *of = NULL;

		whole = !json_read_stored(h->children[i].metrics, &of, e);
		metrics[i] = of;
		whole = whole && json_append(folds, fold_document(&h->children[i], i + 1, of));
	}
	if (whole) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): nothing has a count of 0 */
		json_object_foreach((json_t *)metrics[0], name, value) whole &=
				json_put(spreads, name, spread(metrics, h->count, name, *means));
	}
	for (size_t i = 0; metrics && i < h->count; i++)
		json_decref((json_t *)metrics[i]);
	free(metrics);
	whole = json_put(out, "metrics", spreads) && whole;
	whole = json_put(out, "folds", folds) && whole;
	return json_whole(out, whole);
}

/* The children's outputs as one blob; results say how many rows and bytes they are. */
static int put_together(const struct house *h, int64_t *blob, json_t *results, struct err *e)
{
	struct store *store = h->family->store;
	struct fold_rows *parts = calloc(h->count, sizeof *parts), all = { 0 };
	unsigned char *bytes = NULL;
	size_t size;
	int rc = parts ? 0 : err_nomem(e);

	for (size_t i = 0; i < h->count && !rc; i++) {
		struct store_bytes stored = { 0 };

		if (!(rc = store->blob_read(store, h->children[i].output, &stored, e)))
			rc = fold_rows_read(&parts[i], stored.data, stored.size, e);
		store_bytes_clear(&stored);
	}
	if (!rc) rc = fold_rows_merge(&all, parts, h->count, e);
	for (size_t i = 0; parts && i < h->count; i++)
		fold_rows_clear(&parts[i]);
	free(parts);
	if (!rc) rc = fold_rows_write(&all, &bytes, &size, e);
	if (!rc && !(json_put(results, "rows", json_integer((json_int_t)all.count)) &&
				   json_put(results, "predictions_bytes", json_integer((json_int_t)size))))
		rc = err_nomem(e);
	if (!rc) rc = store->blob_write(store, bytes, size, blob, e);
	fold_rows_clear(&all);
	free(bytes);
	return rc;
}

static int end_whole(const struct house *h, struct err *e)
{
	struct store *store = h->family->store;
	json_t *means = NULL, *results = results_document(h, &means, e);
	char *means_text = json_text(means, false), *results_text = NULL;
	struct store_job_end end = {
		.state = JOB_SUCCEEDED, .stop_reason = "complete", .metrics = means_text
	};
	int rc = means_text && results ? put_together(h, &end.output, results, e) : err_nomem(e);

	if (!rc && !(end.results = results_text = json_text(results, false))) {
		store->blob_discard(store, end.output);
		rc = err_nomem(e);
	}
	for (size_t i = 0; i < h->count; i++) {
		end.epoch += h->children[i].epoch;
		end.step += h->children[i].step;
	}
	if (!rc && (rc = house_end(h, &end, e)))
		store->blob_discard(store, end.output);
	else if (rc == ERR_CORRUPT || rc == ERR_NOT_FOUND ||
			rc == ERR_NOMEM) /* it will not be better later */
		rc = house_fail(h, rc, e);
	json_decref(means);
	json_decref(results);
	free(means_text);
	free(results_text);
	return rc;
}

/* The first that did not succeed, a failed one before a cancelled one; the number of children when there is none. */
static size_t first_bad(const struct house *h)
{
	static const enum job_state bad[] = { JOB_FAILED, JOB_CANCELLED };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (size_t j = 0; j < h->count; j++)
			if (h->children[j].state == bad[i]) return j;
	return h->count;
}

int folds_settle(struct house *h, struct err *e)
{
	size_t bad = first_bad(h), folds = folds_of(h);
	char what[32];
	int rc;

	if (bad < h->count) {
		snprintf(what, sizeof what, "fold %zu", bad + 1);
		return h->unfinished ? house_stop(h, e) : house_end_as(h, &h->children[bad], what, e);
	}
	for (size_t fold = h->count + 1; fold <= folds; fold++)
		if ((rc = add_fold(h, fold, e))) return rc;
	return h->unfinished || h->count < folds ? 0 : end_whole(h, e);
}
