/* holdout.c - which rows of the data are validated on: a share of them, drawn by the seed or the last ones in the order
 * of a column; one fold of several; or those with one value in a column. See train_validation.h.
 *
 * Only rows that have a target take part. Which ones are held out follows from the data, the request and its seed
 * alone.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "server/jobs/stored_column.h"
#include "server/jobs/training_parts.h"

/* Calls each for every row of the data that is in use; at is its place among those, from 0. */
typedef int each_cell(struct training *t, const struct stored_column *column, size_t i, uint64_t row,
		size_t at, void *arg, struct err *e);

static int each_row(
		struct training *t, struct stored_column *column, each_cell *each, void *arg, struct err *e)
{
	const struct store_revision *revision = &t->data.revision;
	uint64_t row = 0;
	size_t rows, at = 0;

	for (uint64_t group = 0; group < revision->groups; group++) {
		int rc;

		if (atomic_load(t->needs.stop)) return err_set(e, ERR_STOPPED, "stopped while loading");
		if ((rc = stored_column_read(column, group, &rows, e))) return rc;
		if (row + rows > revision->rows)
			return err_set(e, ERR_CORRUPT, "the data have more rows than they say");
		for (size_t i = 0; i < rows; i++, row++)
			if (t->data.use[row] != USE_NOT && (rc = each(t, column, i, row, at++, arg, e)))
				return rc;
	}
	return 0;
}

/* ---- a share ---- */

static int take_value(struct training *t, const struct stored_column *column, size_t i, uint64_t row,
		size_t at, void *arg, struct err *e)
{
	double *values = arg;

	values[at] = stored_column_numbers(column)[i];
	if (isnan(values[at]))
		return err_set(e, ERR_INVALID, "row %" PRIu64 ": it has no \"%.64s\" to be ordered by",
				row + 1, t->request.validation.order_by);
	return 0;
}

static int split_last(struct training *t, uint8_t *split, size_t count, struct err *e)
{
	const struct train_validation *v = &t->request.validation;
	struct stored_column *column = NULL;
	double *values = calloc(count, sizeof *values);
	int rc;

	if (!values) return err_nomem(e);
	if ((rc = stored_column_new(&column, t->needs.store, &t->data.revision, v->order_by, e))) goto out;
	if (column_type_has_codes(stored_column_type(column)))
		rc = err_set(e, ERR_INVALID, "the column \"%.64s\" holds words, which have no order",
				v->order_by);
	if (!rc && !(rc = each_row(t, column, take_value, values, e)))
		rc = train_split_last(split, count, v->split, values, e);
out:
	stored_column_free(column);
	free(values);
	return rc;
}

static int hold_out_share(struct training *t, const struct usable *usable, struct err *e)
{
	const struct train_validation *v = &t->request.validation;
	uint8_t *split = malloc(usable->count);
	size_t at = 0;
	int rc;

	if (!split) return err_nomem(e);
	rc = v->order_by ? split_last(t, split, usable->count, e)
			 : train_split(split, usable->count, v->split, usable->classes, usable->class_count,
					   t->request.core.seed, e);
	for (uint64_t i = 0; !rc && i < t->data.revision.rows; i++)
		if (t->data.use[i] != USE_NOT) t->data.use[i] = split[at++] ? USE_TRAINING : USE_VALIDATION;
	free(split);
	return rc;
}

/* ---- one fold ---- */

static int hold_out_fold(struct training *t, const struct usable *usable, struct err *e)
{
	const struct train_validation *v = &t->request.validation;
	uint8_t *fold = malloc(usable->count);
	size_t at = 0;
	int rc;

	if (!fold) return err_nomem(e);
	rc = train_folds(fold, usable->count, v->of, usable->classes, usable->class_count,
			t->request.core.seed, e);
	for (uint64_t i = 0; !rc && i < t->data.revision.rows; i++)
		if (t->data.use[i] != USE_NOT && fold[at++] + 1U == v->fold) t->data.use[i] = USE_VALIDATION;
	free(fold);
	return rc;
}

/* ---- the rows with one value ---- */

struct match {
	struct train_value value;
	uint32_t code;
	size_t held;
};

static int compare_cell(struct training *t, const struct stored_column *column, size_t i, uint64_t row,
		size_t at, void *arg, struct err *e)
{
	struct match *match = arg;
	bool same = match->value.numeric ? stored_column_numbers(column)[i] == match->value.number
					 : stored_column_codes(column)[i] == match->code;

	(void)at;
	(void)e;
	if (same) t->data.use[row] = USE_VALIDATION;
	match->held += same;
	return 0;
}

static int hold_out_value(struct training *t, const struct usable *usable, struct err *e)
{
	const struct train_validation *v = &t->request.validation;
	struct match match = { .held = 0 };
	struct stored_column *column;
	int rc = stored_column_new(&column, t->needs.store, &t->data.revision, v->column, e);

	if (rc) return rc;
	if (!train_value_read(v->value, stored_column_type(column), &match.value))
		rc = err_set(e, ERR_INVALID, "the column \"%.64s\" has no such value", v->column);
	else if (!match.value.numeric)
		rc = stored_column_code(column, match.value.text, match.value.length, &match.code, e);
	if (!rc) rc = each_row(t, column, compare_cell, &match, e);
	stored_column_free(column);
	if (rc) return rc;
	if (!match.held)
		return err_set(e, ERR_INVALID,
				"no row with a target has the value of \"validation\" in the column \"%.64s\": there is "
				"nothing to validate on",
				v->column);
	if (match.held == usable->count)
		return err_set(e, ERR_INVALID,
				"every row with a target has the value of \"validation\" in the column \"%.64s\": "
				"there is nothing left to train on",
				v->column);
	return 0;
}

int training_hold_out(struct training *t, const struct usable *usable, struct err *e)
{
	const struct train_validation *v = &t->request.validation;

	if (v->split > 0) return hold_out_share(t, usable, e);
	if (v->of) return hold_out_fold(t, usable, e);
	return v->column ? hold_out_value(t, usable, e) : 0;
}
