/* fit.c - do the columns of a stored data set fit a model? See fit.h. */
#include "server/api/fit.h"
#include "server/codec/column_type.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "server/api/models.h"
#include "server/codec/json.h"

struct fit {
	const char *dataset, *pointer;
	struct definition_source *sources;
	size_t count;
	const char **names; /* (count), which the index borrows */
	struct names *index;
	const struct loss *const *losses; /* of each target; NULL: they may be any numbers */
	struct faults *faults;
};

static void check_classes(struct fit *fit, const struct encoder *targets, size_t i,
		const struct definition_source *source)
{
	for (size_t j = 0; j < source->values_count; j++)
		if (encoder_slot(targets, i, source->values[j], strlen(source->values[j])) == SLOT_OTHER)
			faults_add(fit->faults, ERR_INVALID, fit->pointer,
					"the target \"%.64s\" of %s has the value \"%.64s\", which is none of the model's classes",
					source->name, fit->dataset, source->values[j]);
}

static void check_range(struct fit *fit, const struct loss *loss, const struct definition_source *source)
{
	char upper[48] = "";

	if (source->min >= loss->target_min && source->max <= loss->target_max) return;
	if (isfinite(loss->target_max)) snprintf(upper, sizeof upper, " and at most %g", loss->target_max);
	faults_add(fit->faults, ERR_INVALID, fit->pointer,
			"the target \"%.64s\" of %s has values from %g to %g; the loss %s needs at least %g%s",
			source->name, fit->dataset, source->min, source->max, loss->name, loss->target_min,
			upper);
}

static void check_column(struct fit *fit, const struct encoder *encoder, size_t i)
{
	const struct encoder_column *column = encoder_column(encoder, i);
	bool target = encoder_role(encoder) == ENCODER_TARGETS;
	size_t at = names_find(fit->index, column->name, strlen(column->name));
	const struct definition_source *source = at == NAMES_NONE ? NULL : &fit->sources[at];

	if (!source)
		faults_add(fit->faults, ERR_INVALID, fit->pointer,
				"%s has no column \"%.64s\", which the model needs", fit->dataset,
				column->name);
	else if (source->ignored)
		faults_add(fit->faults, ERR_INVALID, fit->pointer,
				"the column \"%.64s\" of %s is ignored, and the model needs it; PUT {\"type\":\"%s\"} at its "
				"columns/%.64s",
				column->name, fit->dataset, kind_names[column->kind], column->name);
	else if (!kind_feeds(source->kind, column->kind))
		faults_add(fit->faults, ERR_INVALID, fit->pointer,
				"the column \"%.64s\" of %s holds %s, and the model needs %s; make a model of it as it is, or PUT "
				"{\"type\":\"%s\"} at its columns/%.64s",
				column->name, fit->dataset, kind_holds[source->kind],
				kind_holds[column->kind], kind_names[column->kind], column->name);
	else if (target && source->empty)
		faults_add(fit->faults, ERR_INVALID, fit->pointer,
				"the target \"%.64s\" of %s has no values at all", column->name,
				fit->dataset);
	else if (!target && source->missing && encoder_missing(encoder) == MISSING_ERROR)
		faults_add(fit->faults, ERR_INVALID, fit->pointer,
				"the column \"%.64s\" of %s has %llu missing cells, and the model says \"missing\":\"error\"",
				column->name, fit->dataset, (unsigned long long)source->missing);
	else if (target && column->kind == COLUMN_CATEGORY)
		check_classes(fit, encoder, i, source);
	else if (target && fit->losses)
		check_range(fit, fit->losses[i], source);
}

static int index_sources(struct fit *fit, struct err *e)
{
	size_t twice;
	int rc;

	if (!(fit->names = calloc(fit->count + 1, sizeof *fit->names))) return err_nomem(e);
	for (size_t i = 0; i < fit->count; i++)
		fit->names[i] = fit->sources[i].name;
	rc = names_new(&fit->index, fit->names, fit->count, &twice);
	if (rc == ERR_INVALID) return err_set(e, ERR_CORRUPT, "a stored data set names a column twice");
	return rc ? err_nomem(e) : 0;
}

int fit_columns(const struct store_revision *revision, const struct encoder *inputs,
		const struct encoder *targets, const struct loss *const *losses, const char *pointer,
		struct faults *faults, struct err *e)
{
	struct fit fit = { .dataset = revision->dataset ? revision->dataset : "the data",
		.pointer = pointer,
		.losses = losses,
		.faults = faults };
	json_t *columns = NULL;
	int rc;

	if ((rc = json_read_stored(revision->columns, &columns, e))) return rc;
	if ((rc = sources_read(columns, &fit.sources, &fit.count, e)) || (rc = index_sources(&fit, e)))
		goto out;
	for (size_t i = 0; i < encoder_columns(inputs); i++)
		check_column(&fit, inputs, i);
	for (size_t i = 0; i < encoder_columns(targets); i++)
		check_column(&fit, targets, i);
out:
	names_free(fit.index);
	free(fit.names);
	sources_free(fit.sources, fit.count);
	json_decref(columns);
	return rc;
}
