/* drift.c - GET /v1/models/{m}/drift: what a version is asked beside what it was trained on, input by input. */
#include <math.h>
#include <stdlib.h>

#include "server/api/document.h"
#include "server/api/models.h"
#include "server/api/predict.h"
#include "server/codec/column_type.h"
#include "server/codec/json.h"

static json_t *share(uint64_t part, uint64_t rows)
{
	return json_number(rows ? (double)part / (double)rows : (double)NAN);
}

static json_t *edge_document(const struct encoder_column *column, double edge)
{
	return column->kind == COLUMN_NUMBER ? json_number(edge) : json_date(edge);
}

/* One bin, with how many rows it had; name and what are NULL for the last bin of a number, which has no upper edge. */
static bool add_bin(json_t *list, const char *name, json_t *what, uint64_t trained, uint64_t asked)
{
	json_t *out = json_object();
	bool whole = !name || json_put(out, name, what);

	whole &= json_put(out, "trained", json_integer((json_int_t)trained));
	whole &= json_put(out, "asked", json_integer((json_int_t)asked));
	return json_append(list, out) && whole;
}

static bool put_bins(json_t *list, const struct encoder_column *column, const uint64_t *counts,
		const struct drift_report *report)
{
	const struct encoder_profile *profile = column->profile;
	bool whole = true;

	for (size_t b = 0; whole && b <= profile->edges_count; b++)
		whole = b < profile->edges_count
					? add_bin(list, "to", edge_document(column, profile->edges[b]),
							  profile->counts[b], counts[b])
					: add_bin(list, NULL, NULL, profile->counts[b], counts[b]);
	return whole && add_bin(list, "missing", json_true(), column->missing_rows, report->missing);
}

/* The slots of a category; buckets of a hashed one stand for no value, and are left out. */
static bool put_slots(json_t *list, const struct encoder_column *column, const uint64_t *counts,
		const struct drift_report *report)
{
	static const char *const beside[] = { "other", "missing" };
	bool whole = true;

	(void)report;
	for (size_t i = 0; whole && i < column->values_count; i++)
		whole = add_bin(list, "value", json_string(column->values[i]), column->slot_counts[i],
				counts[i]);
	for (size_t i = column->slots; whole && i < column->width; i++)
		whole = add_bin(list, beside[i - column->slots], json_true(), column->slot_counts[i],
				counts[i]);
	return whole;
}

static json_t *input_document(const struct drift *drift, const struct encoder_column *column, size_t i,
		const uint64_t *counts)
{
	bool numeric = encoder_is_numeric(column->kind);
	const uint64_t *own = drift_of(drift, i, counts);
	struct drift_report report;
	json_t *out = json_object(), *list = json_array();
	bool whole;

	drift_column(drift, i, counts, &report);
	whole = json_put(out, "name", json_string(column->name));
	whole &= json_put(out, "type", json_string(kind_names[column->kind]));
	whole &= json_put(out, "psi", json_number(report.psi));
	whole &= json_put(out, "psi_by_chance", json_number(report.psi_by_chance));
	whole &= json_put(out, "missing_share", share(report.missing, report.rows));
	whole &= json_put(out, "trained_missing_share", share(column->missing_rows, column->rows));
	if (numeric) {
		whole &= json_put(out, "below_share", share(report.below, report.rows));
		whole &= json_put(out, "above_share", share(report.above, report.rows));
	} else
		whole &= json_put(out, "unknown_share", share(report.unknown, report.rows));
	whole &= (numeric ? put_bins : put_slots)(list, column, own, &report);
	whole &= json_put(out, "bins", list);
	return json_whole(out, whole);
}

static int reply(struct reply *rp, struct version *version, const uint64_t *counts, struct err *e)
{
	const struct encoder *inputs = version_model(version)->inputs;
	const struct drift *drift = version_drift(version);
	struct drift_report first;
	json_t *out = json_object(), *list = json_array();
	bool whole = list != NULL;

	drift_column(drift, 0, counts, &first);
	for (size_t i = 0; whole && i < encoder_columns(inputs); i++)
		whole = json_append(list, input_document(drift, encoder_column(inputs, i), i, counts));
	whole &= json_put(out, "model_version", json_id((int64_t)version_number(version)));
	whole &= json_put(out, "rows", json_integer((json_int_t)first.rows));
	whole &= json_put(out, "trained_rows", json_integer((json_int_t)encoder_column(inputs, 0)->rows));
	whole &= json_put(out, "inputs", list);
	return reply_document(rp, json_whole(out, whole), e);
}

int drift_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct version *version = NULL;
	const struct drift *drift;
	uint64_t *counts = NULL;
	int rc = predict_version(rq, &version, e);

	if (rc) return rc;
	if (!(drift = version_drift(version)))
		rc = err_set(e, ERR_CONFLICT,
				"what this version is asked is not counted: the daemon was started with --no-drift, or the model "
				"has more than %d inputs",
				DRIFT_COUNTS_MAX);
	else if (!(counts = calloc(drift_counts(drift), sizeof *counts)))
		rc = err_nomem(e);
	else if (!(rc = version_asked(version, counts, e)))
		rc = reply(rp, version, counts, e);
	free(counts);
	version_put(version);
	return rc;
}
