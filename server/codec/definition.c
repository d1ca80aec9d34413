/* definition.c - reads a model's definition from JSON. What follows from it is in definition_resolve.c. */
#include "server/codec/definition.h"
#include "server/codec/column_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/definition_parts.h"
#include "server/codec/fields.h"

#define WEIGHT_MAX 1e6
#define SEED_MAX   9007199254740992.0 /* 2^53: every JSON reader keeps it exactly */

int name_check(const char *name, const char *what, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = strlen(name);

	if (n && n <= 64 && !strchr("._-", name[0]) && strspn(name, allowed) == n) return 0;
	return err_set(e, ERR_NAME,
			"%s is 1 to 64 letters, digits, dots, underscores and dashes of ASCII, a letter or digit first",
			what);
}

static void columns_clear(struct definition_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < columns[i].values_count; j++)
			free(columns[i].values[j]);
		free(columns[i].values);
		free(columns[i].activation);
		free(columns[i].name);
	}
	free(columns);
}

void definition_clear(struct definition *d)
{
	for (size_t i = 0; i < d->features_count; i++)
		free(d->features[i]);
	free(d->features);
	columns_clear(d->inputs, d->inputs_count);
	columns_clear(d->outputs, d->outputs_count);
	free(d->dataset);
	columns_clear(d->targets, d->targets_count);
	for (size_t i = 0; d->masks && i < d->hidden_count; i++) {
		free(d->masks[i].cells);
		free(d->masks[i].turned);
	}
	free(d->masks);
	free(d->layers);
	free(d->objectives);
	free(d->output_activation);
	free(d->description);
	json_decref(d->metadata);
	*d = (struct definition){ 0 };
}

/* A copy that a fault answers for when there is no memory for it. NULL of NULL. */
char *definition_text(const char *text, struct faults *faults)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy) faults_add(faults, ERR_NOMEM, "", "out of memory");
	return copy;
}

void definition_unknown(const char *kind, const char *name, const char *const *known, const char *pointer,
		struct faults *faults)
{
	const char *meant = did_you_mean(name, known);

	if (meant)
		faults_add(faults, ERR_INVALID, pointer, "there is no %s \"%.64s\"; did you mean \"%s\"?",
				kind, name, meant);
	else
		faults_add(faults, ERR_INVALID, pointer,
				"there is no %s \"%.64s\"; /v1/catalog lists what there is", kind, name);
}

const struct loss *definition_loss_read(
		const json_t *said, double params[PARAMS_MAX], const char *pointer, struct faults *faults)
{
	const char *known[DEFINITION_ROWS_MAX + 1] = { 0 }, *name;
	const struct loss *loss;

	if (!named_read(said, &name, pointer, faults)) return NULL;
	if (!(loss = loss_find(name))) {
		for (size_t i = 0; i < DEFINITION_ROWS_MAX && loss_at(i); i++)
			known[i] = loss_at(i)->name;
		definition_unknown("loss", name, known, pointer, faults);
		return NULL;
	}
	named_params(said, loss->params, params, pointer, "loss", faults);
	return loss;
}

/* ---- columns ---- */

static void read_values(const json_t *values, struct definition_column *column, const char *pointer,
		struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];
	const json_t *item;
	size_t i;

	if (!json_is_array(values) || !json_array_size(values)) {
		faults_add(faults, ERR_INVALID, pointer,
				"must be an array of the category's values, at least one");
		return;
	}
	if (!(column->values = calloc(json_array_size(values), sizeof *column->values))) {
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
		return;
	}
	json_array_foreach(values, i, item)
	{
		if (!json_is_string(item)) {
			faults_add(faults, ERR_INVALID, pointer_index(at, pointer, i),
					"must be a string, not %s", json_kind(item));
			return;
		}
		if (!(column->values[i] = definition_text(json_string_value(item), faults))) return;
		column->values_count++;
	}
}

static const struct field column_fields[] = {
	{ "name", FIELD_STRING, offsetof(struct output_said, name), 0, 0, false, false },
	{ "type", FIELD_STRING, offsetof(struct output_said, type), 0, 0, false, false },
	{ "values", FIELD_ANY, offsetof(struct output_said, values), 0, 0, false, false },
	{ "buckets", FIELD_UINT, offsetof(struct output_said, buckets), 2, BUCKETS_MAX, false, false },
	/* of outputs only */
	{ "activation", FIELD_STRING, offsetof(struct output_said, activation), 0, 0, false, false },
	{ "loss", FIELD_ANY, offsetof(struct output_said, loss), 0, 0, false, false },
	{ "weight", FIELD_REAL, offsetof(struct output_said, weight), 0, WEIGHT_MAX, true, false },
	{ 0 },
};
#define OF_OUTPUTS 4 /* the first row of column_fields that an input does not have */

void definition_output_read(const struct output_said *said, struct definition_column *column,
		const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	column->activation = definition_text(said->activation, faults);
	column->weight = said->weight;
	if (said->loss)
		column->loss = definition_loss_read(
				said->loss, column->loss_params, pointer_join(at, pointer, "loss"), faults);
	column->own = said->activation || said->loss || said->weight != 1;
}

bool definition_truths(struct definition_column *column, struct faults *faults)
{
	if (!(column->values = calloc(2, sizeof *column->values))) {
		faults_add(faults, ERR_NOMEM, "", "out of memory");
		return false;
	}
	column->values_count = 2;
	column->values[0] = definition_text("false", faults);
	column->values[1] = definition_text("true", faults);
	return column->values[0] && column->values[1];
}

/* What a column may be called in a definition. */
static const struct type {
	const char *name;
	enum column_kind kind;
	bool truths, of_outputs;
} types[] = {
	{ "number", COLUMN_NUMBER, false, true },
	{ "category", COLUMN_CATEGORY, false, true },
	{ "boolean", COLUMN_CATEGORY, true, true },
	{ "date", COLUMN_DATE, false, false },
};
#define TYPES (sizeof types / sizeof *types)

static const struct type *read_type(const char *said, bool output, const char *pointer, struct faults *faults)
{
	for (size_t i = 0; said && i < TYPES; i++)
		if (!strcmp(types[i].name, said) && (types[i].of_outputs || !output)) return &types[i];
	if (said)
		faults_add(faults, ERR_INVALID, pointer, "must be \"number\", \"category\"%s",
				output ? " or \"boolean\"" : ", \"boolean\" or \"date\"");
	return &types[0];
}

/* Which values a column has, if it is one that has any. */
static void read_domain(const struct output_said *said, const struct type *type, bool output,
		struct definition_column *column, const char *pointer, struct faults *faults)
{
	bool listed = type->kind == COLUMN_CATEGORY && !type->truths;
	char at[FAULT_POINTER_BYTES];

	if (type->truths) definition_truths(column, faults);
	if (said->values && listed)
		read_values(said->values, column, pointer_join(at, pointer, "values"), faults);
	else if (said->values)
		faults_add(faults, ERR_INVALID, pointer_join(at, pointer, "values"),
				"a %s has no list of values", type->name);
	if (said->buckets && (!listed || output || said->values))
		faults_add(faults, ERR_INVALID, pointer_join(at, pointer, "buckets"),
				"are for an input that is a category without \"values\"");
	else if (said->buckets)
		column->buckets = said->buckets;
	else if (listed && !said->values)
		faults_add(faults, ERR_MISSING_FIELD, pointer, "a category needs its \"values\"%s",
				output ? "" : ", or \"buckets\" to hash them into");
}

static void read_column(const json_t *document, bool output, struct definition_column *column,
		const char *pointer, struct faults *faults)
{
	struct output_said said = { .weight = 1 };
	struct field inputs_fields[OF_OUTPUTS + 1] = { 0 };
	const struct type *type;
	char at[FAULT_POINTER_BYTES];

	memcpy(inputs_fields, column_fields, OF_OUTPUTS * sizeof *inputs_fields);
	fields_read(document, output ? column_fields : inputs_fields, &said, pointer, faults);
	column->weight = 1;
	if (!json_is_object(document)) return;
	if (output) definition_output_read(&said, column, pointer, faults);
	if (!json_object_get(document, "name") || (said.name && !*said.name))
		faults_add(faults, ERR_MISSING_FIELD, pointer, "needs a \"name\"");
	if (!json_object_get(document, "type"))
		faults_add(faults, ERR_MISSING_FIELD, pointer,
				"needs a \"type\", as \"number\" or \"category\"");
	column->name = definition_text(said.name ? said.name : "", faults);
	type = read_type(said.type, output, pointer_join(at, pointer, "type"), faults);
	column->kind = type->kind;
	read_domain(&said, type, output, column, pointer, faults);
}

/* An integer n stands for n unnamed numbers: x0, x1, …; y0, … */
static void unnamed_columns(struct definition_column **columns, size_t *count, uint64_t n, char letter,
		struct faults *faults)
{
	char name[32];

	if (!(*columns = calloc(n, sizeof **columns))) {
		faults_add(faults, ERR_NOMEM, "", "out of memory");
		return;
	}
	for (*count = 0; *count < n; ++*count) {
		(*columns)[*count].weight = 1;
		snprintf(name, sizeof name, "%c%zu", letter, *count);
		if (!((*columns)[*count].name = definition_text(name, faults))) return;
	}
}

static void read_columns(const json_t *document, struct definition_column **columns, size_t *count,
		char letter, const char *pointer, struct faults *faults)
{
	static const struct field units = { "", FIELD_UINT, 0, 1, NET_UNITS_MAX, false, false };
	char at[FAULT_POINTER_BYTES];
	const json_t *item;
	uint64_t n;
	size_t i;

	if (json_is_number(document)) {
		if (field_value(document, &units, &n, pointer, faults))
			unnamed_columns(columns, count, n, letter, faults);
		return;
	}
	if (!json_is_array(document) || !json_array_size(document)) {
		faults_add(faults, ERR_INVALID, pointer, "must be a number of columns, or an array of them");
		return;
	}
	if (!(*columns = calloc(json_array_size(document), sizeof **columns))) {
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
		return;
	}
	*count = json_array_size(document);
	json_array_foreach(document, i, item) read_column(
			item, letter == 'y', &(*columns)[i], pointer_index(at, pointer, i), faults);
}

/* ---- the whole ---- */

struct definition_said {
	const char *dataset, *task, *output_activation, *normalize, *missing, *description;
	const json_t *target, *features, *inputs, *outputs, *layers, *output_from, *loss, *metadata;
	uint64_t seed, buckets;
	double output_l2, input_dropout;
	const json_t *warnings;
};

#define SAID(name, type, low, high)                                                          \
	{                                                                                    \
#name, type, offsetof(struct definition_said, name), low, high, false, false \
	}
static const struct field stored_fields[] = {
	SAID(output_l2, FIELD_REAL, 0, 1e6), /* in resolved documents only, as the next */
	SAID(warnings, FIELD_ANY, 0, 0),
	SAID(dataset, FIELD_STRING, 0, 0),
	SAID(target, FIELD_ANY, 0, 0),
	SAID(features, FIELD_ANY, 0, 0),
	SAID(task, FIELD_STRING, 0, 0),
	SAID(buckets, FIELD_UINT, 2, BUCKETS_MAX),
	SAID(inputs, FIELD_ANY, 0, 0),
	SAID(outputs, FIELD_ANY, 0, 0),
	SAID(layers, FIELD_ANY, 0, 0),
	SAID(output_activation, FIELD_STRING, 0, 0),
	SAID(output_from, FIELD_ANY, 0, 0),
	SAID(input_dropout, FIELD_REAL, 0, DROPOUT_MAX),
	SAID(loss, FIELD_ANY, 0, 0),
	SAID(normalize, FIELD_STRING, 0, 0),
	SAID(missing, FIELD_STRING, 0, 0),
	SAID(seed, FIELD_UINT, 0, SEED_MAX),
	SAID(description, FIELD_STRING, 0, 0),
	SAID(metadata, FIELD_ANY, 0, 0),
	{ 0 },
};
#undef SAID
static const struct field *const definition_fields = stored_fields + 2;

static void read_features(const json_t *features, struct definition *d, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];
	const json_t *item;
	size_t i;

	if (!json_is_array(features) || !json_array_size(features)) {
		faults_add(faults, ERR_INVALID, "/features",
				"must be an array of column names, at least one");
		return;
	}
	if (!(d->features = calloc(json_array_size(features), sizeof *d->features))) {
		faults_add(faults, ERR_NOMEM, "/features", "out of memory");
		return;
	}
	json_array_foreach(features, i, item)
	{
		if (!json_is_string(item)) {
			faults_add(faults, ERR_INVALID, pointer_index(at, "/features", i),
					"must be a column's name");
			continue;
		}
		if (!(d->features[d->features_count] = definition_text(json_string_value(item), faults)))
			return;
		d->features_count++;
	}
}

/* A target's name, or an object that says more. */
static void read_target(const json_t *document, struct definition_column *target, const char *pointer,
		struct faults *faults)
{
	static const struct field fields[] = {
		{ "name", FIELD_STRING, offsetof(struct output_said, name), 0, 0, false, false },
		{ "activation", FIELD_STRING, offsetof(struct output_said, activation), 0, 0, false, false },
		{ "loss", FIELD_ANY, offsetof(struct output_said, loss), 0, 0, false, false },
		{ "weight", FIELD_REAL, offsetof(struct output_said, weight), 0, WEIGHT_MAX, true, false },
		{ 0 },
	};
	struct output_said said = { .weight = 1 };

	if (json_is_string(document))
		said.name = json_string_value(document);
	else if (json_is_object(document))
		fields_read(document, fields, &said, pointer, faults);
	else
		faults_add(faults, ERR_INVALID, pointer, "must be a column's name, not %s",
				json_kind(document));
	if (json_is_object(document) && !said.name)
		faults_add(faults, ERR_MISSING_FIELD, pointer, "needs the \"name\" of a column");
	target->name = definition_text(said.name ? said.name : "", faults);
	definition_output_read(&said, target, pointer, faults);
}

static void read_targets(const json_t *document, struct definition *d, struct faults *faults)
{
	size_t count = json_is_array(document) ? json_array_size(document) : 1;
	char at[FAULT_POINTER_BYTES];

	d->target_list = json_is_array(document);
	if (!count) {
		faults_add(faults, ERR_INVALID, "/target", "must name a column, or an array of them");
		return;
	}
	if (!(d->targets = calloc(count, sizeof *d->targets))) {
		faults_add(faults, ERR_NOMEM, "/target", "out of memory");
		return;
	}
	d->targets_count = count;
	for (size_t i = 0; i < count; i++)
		if (d->target_list)
			read_target(json_array_get(document, i), &d->targets[i],
					pointer_index(at, "/target", i), faults);
		else
			read_target(document, &d->targets[i], "/target", faults);
}

/* One of the words of a list, by its position; nothing said is the first. An empty word cannot be said. */
static unsigned read_word(
		const char *said, const char *const *words, const char *pointer, struct faults *faults)
{
	char list[128] = "";
	size_t used = 0;

	if (!said) return 0;
	for (unsigned i = 0; words[i]; i++)
		if (*words[i] && !strcmp(words[i], said)) return i;
	for (unsigned i = 0; words[i] && used < sizeof list; i++)
		if (*words[i])
			used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"",
					used ? " or " : "", words[i]);
	faults_add(faults, ERR_INVALID, pointer, "must be %s", list);
	return 0;
}

static bool check_metadata(const json_t *metadata, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];
	const char *key;
	json_t *value;

	if (!json_is_object(metadata)) {
		faults_add(faults, ERR_INVALID, "/metadata", "must be an object of strings");
		return false;
	}
	json_object_foreach((json_t *)metadata, key, value) if (!json_is_string(value))
			faults_add(faults, ERR_INVALID, pointer_join(at, "/metadata", key),
					"must be a string, not %s", json_kind(value));
	return true;
}

void definition_read_patch(const json_t *document, struct definition_patch *patch, struct faults *faults)
{
	static const struct field rows[] = {
		{ "description", FIELD_STRING, offsetof(struct definition_patch, description), 0, 0, false,
				false },
		{ "metadata", FIELD_ANY, offsetof(struct definition_patch, metadata), 0, 0, false, false },
		{ 0 },
	};

	fields_read(document, rows, patch, "", faults);
	if (patch->metadata) check_metadata(patch->metadata, faults);
}

/* Which of the two forms is it, and is it whole? */
static void check_form(const json_t *document, const struct definition_said *said, bool stored,
		struct faults *faults)
{
	static const char *const of_dataset[] = { "dataset", "target", "features", "task", "buckets", NULL };
	char at[FAULT_POINTER_BYTES];

	if (!said->inputs && !said->outputs) {
		if (!said->dataset && !json_object_get(document, "dataset"))
			faults_add(faults, ERR_MISSING_FIELD, "",
					"needs \"dataset\" and \"target\", or \"inputs\" and \"outputs\"");
		else if (!said->target && !json_object_get(document, "target"))
			faults_add(faults, ERR_MISSING_FIELD, "",
					"needs the \"target\", the column to predict");
		return;
	}
	if (!said->inputs) faults_add(faults, ERR_MISSING_FIELD, "", "needs \"inputs\" beside \"outputs\"");
	if (!said->outputs) faults_add(faults, ERR_MISSING_FIELD, "", "needs \"outputs\" beside \"inputs\"");
	for (size_t i = 0; of_dataset[i] && !stored; i++)
		if (json_object_get(document, of_dataset[i]))
			faults_add(faults, ERR_INVALID, pointer_join(at, "", of_dataset[i]),
					"goes with a dataset, not with \"inputs\" and \"outputs\"");
}

void definition_read(const json_t *document, bool stored, struct definition *d, struct faults *faults)
{
	static const char *const tasks[] = { "", "classification", "regression", NULL };
	struct definition_said said = { 0 };

	*d = (struct definition){ 0 };
	fields_read(document, stored ? stored_fields : definition_fields, &said, "", faults);
	d->description = definition_text(said.description ? said.description : "", faults);
	if (!(d->metadata = json_object())) faults_add(faults, ERR_NOMEM, "", "out of memory");
	if (!json_is_object(document)) return;
	check_form(document, &said, stored, faults);
	d->dataset = definition_text(said.dataset, faults);
	if (said.target) read_targets(said.target, d, faults);
	d->output_activation = definition_text(said.output_activation, faults);
	d->seed = said.seed;
	d->buckets = said.buckets;
	d->output_l2 = said.output_l2;
	d->input_dropout = said.input_dropout;
	d->normalize = read_word(said.normalize, normalize_names, "/normalize", faults);
	d->missing = read_word(said.missing, missing_names, "/missing", faults);
	d->task = read_word(said.task, tasks, "/task", faults);
	if (said.features) read_features(said.features, d, faults);
	if (said.inputs) read_columns(said.inputs, &d->inputs, &d->inputs_count, 'x', "/inputs", faults);
	if (said.outputs) read_columns(said.outputs, &d->outputs, &d->outputs_count, 'y', "/outputs", faults);
	if (said.layers) definition_layers_read(said.layers, d, "/layers", faults);
	if (said.output_from)
		definition_sources_read(said.output_from, d->output_from, &d->output_from_count,
				"/output_from", faults);
	if (said.loss) d->loss = definition_loss_read(said.loss, d->loss_params, "/loss", faults);
	if (said.metadata && check_metadata(said.metadata, faults)) {
		json_decref(d->metadata);
		if (!(d->metadata = json_deep_copy(said.metadata)))
			faults_add(faults, ERR_NOMEM, "", "out of memory");
	}
}
