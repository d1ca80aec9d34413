/* definition_resolve.c - what follows from a definition: its columns from a data set, hidden layers that suit the data
 * when none are named, and the document that says it all. The output layers are in definition_heads.c.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/column_type.h"
#include "server/codec/definition_parts.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/utf8.h"

#define LISTED_MAX     256 /* values of an input that have an input each; with more it is hashed */
#define BUCKETS_LEAST  512 /* that it is hashed into: as many as values where that is not too many inputs */
#define BUCKETS_USUAL  1024
#define CLASS_HINT_MAX 20 /* an integer target with at most this many values may be meant as classes */

/* Default network: one hidden layer of relu, held down by l2. Its width matters little (16 and 64 units at least did
 * equally well wherever it was tried), l2 does. l2 is the precision of a Gaussian prior on the weights (MacKay, 1992,
 * "A practical Bayesian framework for backpropagation networks") divided by the rows. How strong that is:
 *
 *	classes  0.3 sqrt(inputs) rows^(1/4) * 2 / classes
 *	numbers  1.7 sqrt(inputs) rows^(1/4)
 *
 * More inputs offer more directions that fit noise: a unit's largest correlation with noise, over all its directions,
 * grows as sqrt(inputs rows), and what is to stand against noise must grow as fast; for data without noise a
 * prior is best that does not grow with the rows. The data's noise is not known here, and a fourth root lies between.
 * With more classes each output has fewer rows on its side and less noise. Numbers need more, as their noise has no
 * bound. docs/engine.md says how the factors and the cap were chosen. */
#define DEFAULT_UNITS_MIN     16
#define DEFAULT_UNITS_MAX     256
#define DEFAULT_PRIOR_CLASSES 0.3
#define DEFAULT_PRIOR_NUMBERS 1.7
#define DEFAULT_PRIOR_MAX     30.0 /* hundreds of inputs are seldom all noise */

/* ---- columns of a data set ---- */

static const struct definition_source *find_source(
		const struct definition_source *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(columns[i].name, name)) return &columns[i];
	return NULL;
}

static void unknown_column(const struct definition_source *columns, size_t count, const char *name,
		const char *pointer, const char *dataset, struct faults *faults)
{
	const char **names = calloc(count + 1, sizeof *names), *meant = NULL;

	for (size_t i = 0; names && i < count; i++)
		names[i] = columns[i].name;
	if (names) meant = did_you_mean(name, names);
	faults_add(faults, ERR_INVALID, pointer, "\"%.64s\" is not a column of %s%s%s%s", name, dataset,
			meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
	free(names);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_value(const void *a, const void *b)
{
	double x = strtod(*(char *const *)a, NULL), y = strtod(*(char *const *)b, NULL);

	return (x > y) - (x < y);
}

/* Values stand in their natural order, so that the same data give the same classes however their rows lie. */
static bool copy_column(
		const struct definition_source *from, enum column_kind kind, struct definition_column *to)
{
	to->kind = kind;
	if (!(to->name = strdup(from->name))) return false;
	if (kind != COLUMN_CATEGORY || !from->values_count || to->buckets) return true;
	if (!(to->values = calloc(from->values_count, sizeof *to->values))) return false;
	for (; to->values_count < from->values_count; to->values_count++)
		if (!(to->values[to->values_count] = strdup(from->values[to->values_count]))) return false;
	qsort(to->values, to->values_count, sizeof *to->values,
			from->kind == COLUMN_NUMBER ? by_value : by_text);
	return true;
}

/* A name may have been cut within a character, which jansson would refuse. */
static void warn(char *text, json_t *warnings, struct faults *faults)
{
	utf8_mend(text);
	if (!json_append(warnings, json_string(text))) faults_add(faults, ERR_NOMEM, "", "out of memory");
}

/* A category of so many values is hashed rather than a million inputs. */
static void hash_column(const struct definition *d, const struct definition_source *from,
		struct definition_column *to, json_t *warnings, struct faults *faults)
{
	char text[256];

	to->buckets = d->buckets ? d->buckets : BUCKETS_LEAST;
	while (!d->buckets && to->buckets < BUCKETS_USUAL && to->buckets < from->distinct)
		to->buckets *= 2;
	snprintf(text, sizeof text,
			"the column \"%.64s\" has %llu distinct values, which are hashed into %zu buckets; \"buckets\" "
			"chooses another number",
			from->name, (unsigned long long)from->distinct, to->buckets);
	warn(text, warnings, faults);
}

/* May the column be used at all? Else a fault. */
static bool check_feature(const struct definition_source *from, const char *pointer, struct faults *faults)
{
	if (from->ignored)
		faults_add(faults, ERR_INVALID, pointer,
				"the column \"%.64s\" is ignored; PUT another type at its columns/%.64s first",
				from->name, from->name);
	else if (from->empty)
		faults_add(faults, ERR_INVALID, pointer,
				"the column \"%.64s\" has no values at all; PUT {\"type\":\"ignore\"} at its columns/%.64s, "
				"or name the others in \"features\"",
				from->name, from->name);
	return !from->ignored && !from->empty;
}

static void take_feature(struct definition *d, const struct definition_source *from, const char *pointer,
		json_t *warnings, struct faults *faults)
{
	struct definition_column *to = &d->inputs[d->inputs_count];

	if (!check_feature(from, pointer, faults)) return;
	d->inputs_count++;
	if (from->kind == COLUMN_CATEGORY && from->distinct > LISTED_MAX)
		hash_column(d, from, to, warnings, faults);
	if (from->boolean) {
		to->kind = COLUMN_CATEGORY;
		if ((to->name = definition_text(from->name, faults))) definition_truths(to, faults);
	} else if (!copy_column(from, from->kind, to))
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
}

static bool is_target(const struct definition *d, const char *name)
{
	for (size_t i = 0; i < d->targets_count; i++)
		if (!strcmp(d->targets[i].name, name)) return true;
	return false;
}

/* The columns that "features" names, each once. */
static void take_chosen(struct definition *d, const struct definition_source *columns, size_t count,
		json_t *warnings, struct faults *faults)
{
	bool *taken = calloc(count + 1, sizeof *taken);
	char at[FAULT_POINTER_BYTES];

	for (size_t i = 0; taken && i < d->features_count; i++) {
		const struct definition_source *from = find_source(columns, count, d->features[i]);

		pointer_index(at, "/features", i);
		if (!from)
			unknown_column(columns, count, d->features[i], at, d->dataset, faults);
		else if (is_target(d, d->features[i]))
			faults_add(faults, ERR_INVALID, at, "the target cannot be a feature too");
		else if (taken[from - columns])
			faults_add(faults, ERR_INVALID, at, "\"%.64s\" is there twice", from->name);
		else
			take_feature(d, from, at, warnings, faults);
		if (from) taken[from - columns] = true;
	}
	if (!taken) faults_add(faults, ERR_NOMEM, "", "out of memory");
	free(taken);
}

static void take_features(struct definition *d, const struct definition_source *columns, size_t count,
		json_t *warnings, struct faults *faults)
{
	if (!(d->inputs = calloc(count + 1, sizeof *d->inputs))) {
		faults_add(faults, ERR_NOMEM, "", "out of memory");
		return;
	}
	if (d->features) take_chosen(d, columns, count, warnings, faults);
	for (size_t i = 0; !d->features && i < count; i++)
		if (!is_target(d, columns[i].name) && !columns[i].ignored)
			take_feature(d, &columns[i], "/dataset", warnings, faults);
	if (!d->inputs_count && !faults->count)
		faults_add(faults, ERR_INVALID, "/dataset", "%s has no column beside the target", d->dataset);
}

/* An output of the column, with what its target says of its learning, which it takes over. */
static void take_target(struct definition *d, const struct definition_source *from,
		struct definition_column *target, const char *pointer, json_t *warnings,
		struct faults *faults)
{
	bool category = from->kind == COLUMN_CATEGORY || d->task == TASK_CLASSIFICATION;
	struct definition_column *output = &d->outputs[d->outputs_count++];
	char text[256];

	*output = *target;
	output->name = NULL;
	target->activation = NULL;
	if (from->ignored || from->kind == COLUMN_DATE) {
		faults_add(faults, ERR_INVALID, pointer,
				from->ignored ? "the column \"%.64s\" is ignored and cannot be predicted"
					      : "the column \"%.64s\" holds dates, which cannot be predicted; make it a number",
				from->name);
		return;
	}
	if (!copy_column(from, category, output)) {
		faults_add(faults, ERR_NOMEM, pointer, "out of memory");
		return;
	}
	if (d->task == TASK_REGRESSION && category)
		faults_add(faults, ERR_INVALID, "/task",
				"\"%.64s\" holds words, and a regression predicts numbers", from->name);
	else if (category && !from->values_listed)
		faults_add(faults, ERR_RANGE, pointer,
				"\"%s\" has %llu distinct values, too many for classes", from->name,
				(unsigned long long)from->distinct);
	else if (category && from->values_count < 2)
		faults_add(faults, ERR_INVALID, pointer,
				"\"%s\" has %s; a classification needs at least two classes", from->name,
				from->values_count ? "one class only" : "no values at all");
	else if (!category && from->empty)
		faults_add(faults, ERR_INVALID, pointer, "\"%s\" has no values at all", from->name);
	if (category || d->task != TASK_OPEN || !from->integers || !from->values_listed ||
			from->distinct > CLASS_HINT_MAX)
		return;
	snprintf(text, sizeof text,
			"the target \"%.64s\" has %llu distinct whole numbers and is predicted as a number; if they are "
			"classes, say \"task\":\"classification\"",
			from->name, (unsigned long long)from->distinct);
	warn(text, warnings, faults);
}

void definition_from_columns(struct definition *d, const struct definition_source *columns, size_t count,
		uint64_t rows, json_t *warnings, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	if (!(d->outputs = calloc(d->targets_count, sizeof *d->outputs))) {
		faults_add(faults, ERR_NOMEM, "/target", "out of memory");
		return;
	}
	for (size_t i = 0; i < d->targets_count; i++) {
		struct definition_column *target = &d->targets[i];
		const struct definition_source *from = find_source(columns, count, target->name);

		if (d->target_list)
			pointer_index(at, "/target", i);
		else
			strcpy(at, "/target");
		if (from)
			take_target(d, from, target, at, warnings, faults);
		else
			unknown_column(columns, count, target->name, at, d->dataset, faults);
	}
	take_features(d, columns, count, warnings, faults);
	if (!faults->count) definition_finish(d, rows, faults);
}

/* ---- layers and loss ---- */

bool definition_classifies(const struct definition *d)
{
	return d->outputs_count == 1 && d->outputs[0].kind == COLUMN_CATEGORY;
}

static size_t column_width(const struct definition *d, const struct definition_column *column, bool input)
{
	if (column->kind == COLUMN_NUMBER) return 1;
	if (column->kind == COLUMN_DATE) return ENCODER_DATE_WIDTH;
	if (!input) return column->values_count;
	return column->values_count + column->buckets + 1 + (d->missing == MISSING_MEAN);
}

size_t definition_input_width(const struct definition *d)
{
	size_t width = 0;

	for (size_t i = 0; i < d->inputs_count; i++)
		width += column_width(d, &d->inputs[i], true);
	return width;
}

size_t definition_output_width(const struct definition *d)
{
	size_t width = 0;

	for (size_t i = 0; i < d->outputs_count; i++)
		width += column_width(d, &d->outputs[i], false);
	return width;
}

static double default_prior(const struct definition *d, uint64_t rows)
{
	double shape = sqrt((double)definition_input_width(d)) * pow((double)rows, 0.25);
	double prior = DEFAULT_PRIOR_NUMBERS * shape;

	if (definition_classifies(d))
		prior = DEFAULT_PRIOR_CLASSES * shape * 2 / (double)definition_output_width(d);
	return prior < DEFAULT_PRIOR_MAX ? prior : DEFAULT_PRIOR_MAX;
}

static void default_layer(struct definition *d, uint64_t rows)
{
	double prior = default_prior(d, rows);
	size_t units = DEFAULT_UNITS_MIN;

	while (units < DEFAULT_UNITS_MAX && units * units < rows)
		units *= 2;
	d->layers[0] = (struct layer_spec){
		.units = units,
		.activation = activation_find("relu"),
		.bias = true,
		.l2 = rows ? prior / (double)rows : 0,
	};
	params_fallback(d->layers[0].activation->params, d->layers[0].activation_params);
	d->output_l2 = d->layers[0].l2;
	d->layers_count = d->hidden_count = 1;
}

void definition_check_trainable(const struct definition *d, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	for (size_t i = 0; i < d->layers_count; i++) {
		const char *pointer = i < d->hidden_count ? pointer_index(at, "/layers", i) : "";
		const char *field = i < d->hidden_count ? "activation" : "output_activation";

		if (d->layers[i].activation->flat)
			faults_add(faults, ERR_INVALID, pointer_join(at, pointer, field),
					"the model has \"%s\" here: its derivative is 0, so there is nothing to "
					"learn from; choose another, as sigmoid, or make a version by hand",
					d->layers[i].activation->name);
	}
}

static void check_columns(const struct definition *d, struct faults *faults)
{
	struct encoder *encoder = NULL;
	struct err e;
	int rc;

	if ((rc = definition_encoder(d, ENCODER_INPUTS, &encoder, &e)))
		faults_add(faults, rc, "/inputs", "%s", e.text);
	for (size_t i = 0; encoder && i < d->outputs_count; i++)
		if (encoder_find(encoder, d->outputs[i].name, strlen(d->outputs[i].name)) != SIZE_MAX)
			faults_add(faults, ERR_INVALID, "/outputs", "\"%.64s\" is an input too",
					d->outputs[i].name);
	encoder_free(encoder);
	encoder = NULL;
	if ((rc = definition_encoder(d, ENCODER_TARGETS, &encoder, &e)))
		faults_add(faults, rc, d->targets_count ? "/target" : "/outputs", "%s", e.text);
	encoder_free(encoder);
}

void definition_finish(struct definition *d, uint64_t rows, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES], mask_at[FAULT_POINTER_BYTES];
	size_t parameters;
	struct err e;
	int rc;

	if (faults->count) return;
	for (size_t i = 0; i < d->outputs_count; i++)
		if (d->outputs[i].kind == COLUMN_CATEGORY && d->outputs[i].values_count == 1)
			faults_add(faults, ERR_INVALID,
					pointer_join(mask_at, pointer_index(at, "/outputs", i), "values"),
					"a classification needs at least two classes");
	if (faults->count) return;
	if (!d->layers && !(d->layers = calloc(1 + NET_HEADS_MAX, sizeof *d->layers))) {
		faults_add(faults, ERR_NOMEM, "", "out of memory");
		return;
	}
	if (!d->layers_given) default_layer(d, rows);
	definition_heads_finish(d, faults);
	if (!faults->count) check_columns(d, faults);
	if (faults->count) return;
	if ((rc = net_count_parameters(
			     definition_input_width(d), d->layers, d->layers_count, &parameters, &e)))
		faults_add(faults, rc, "/layers", "%s", e.text);
	else
		definition_masks_finish(d, faults);
}

/* ---- the pieces ---- */

/* Targets of an output that cannot leave its range (sigmoid) are in the users' units already. */
static bool is_normalized(const struct definition *d, size_t output)
{
	size_t head = definition_heads(d) > 1 ? output : 0;

	return !strcmp(d->layers[d->hidden_count + head].activation->name, "linear") &&
	       !(definition_output_loss(d, output)->target_min > -INFINITY);
}

int definition_encoder(
		const struct definition *d, enum encoder_role role, struct encoder **out, struct err *e)
{
	bool inputs = role == ENCODER_INPUTS;
	const struct definition_column *columns = inputs ? d->inputs : d->outputs;
	size_t count = inputs ? d->inputs_count : d->outputs_count;
	struct column_spec *specs = calloc(count ? count : 1, sizeof *specs);
	int rc;

	*out = NULL;
	if (!specs) return err_nomem(e);
	for (size_t i = 0; i < count; i++)
		specs[i] = (struct column_spec){ columns[i].name, columns[i].kind,
			(const char *const *)columns[i].values,
			columns[i].buckets ? columns[i].buckets : columns[i].values_count };
	rc = encoder_new(out, specs, count, role, d->normalize, inputs ? d->missing : MISSING_ERROR, e);
	free(specs);
	for (size_t i = 0; !rc && !inputs && i < count; i++)
		if (!is_normalized(d, i)) encoder_leave_raw(*out, i);
	return rc;
}

int definition_net(const struct definition *d, struct net **out, struct err *e)
{
	return net_new(out, definition_input_width(d), d->layers, d->layers_count, e);
}

/* ---- the document ---- */

static json_t *values_document(const struct definition_column *column)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t i = 0; whole && i < column->values_count; i++)
		whole = json_append(out, json_string(column->values[i]));
	return json_whole(out, whole);
}

static json_t *columns_document(
		const struct definition *d, const struct definition_column *columns, size_t count)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t i = 0; whole && i < count; i++) {
		json_t *column = json_object();

		whole &= json_put(column, "name", json_string(columns[i].name));
		whole &= json_put(column, "type", json_string(kind_names[columns[i].kind]));
		if (columns[i].buckets)
			whole &= json_put(column, "buckets", json_integer((json_int_t)columns[i].buckets));
		else if (columns[i].kind == COLUMN_CATEGORY)
			whole &= json_put(column, "values", values_document(&columns[i]));
		if (columns == d->outputs) whole &= definition_output_document(d, i, column);
		whole &= json_append(out, column);
	}
	return json_whole(out, whole);
}

/* The names alone: what they say of their learning is in the outputs. */
static json_t *targets_document(const struct definition *d)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	if (!d->target_list) {
		json_decref(out);
		return json_string(d->targets[0].name);
	}
	for (size_t i = 0; whole && i < d->targets_count; i++)
		whole = json_append(out, json_string(d->targets[i].name));
	return json_whole(out, whole);
}

json_t *definition_document(const struct definition *d)
{
	const struct layer_spec *last = &d->layers[d->layers_count - 1];
	json_t *out = json_object();
	bool whole = out != NULL;

	if (d->dataset) whole &= json_put(out, "dataset", json_string(d->dataset));
	if (d->targets_count) whole &= json_put(out, "target", targets_document(d));
	whole &= json_put(out, "inputs", columns_document(d, d->inputs, d->inputs_count));
	whole &= json_put(out, "outputs", columns_document(d, d->outputs, d->outputs_count));
	whole &= json_put(out, "layers", definition_layers_document(d));
	if (d->output_from_count)
		whole &= json_put(out, "output_from",
				definition_sources_document(d->output_from, d->output_from_count));
	if (d->input_dropout > 0) whole &= json_put(out, "input_dropout", json_real(d->input_dropout));
	if (definition_heads(d) == 1)
		whole &= json_put(out, "output_activation", json_string(last->activation->name));
	if (last->l2 > 0) whole &= json_put(out, "output_l2", json_real(last->l2));
	if (definition_heads(d) == 1)
		whole &= json_put(
				out, "loss", named_document(d->loss->name, d->loss->params, d->loss_params));
	whole &= json_put(out, "normalize", json_string(normalize_names[d->normalize]));
	whole &= json_put(out, "missing", json_string(missing_names[d->missing]));
	whole &= json_put(out, "seed", json_integer((json_int_t)d->seed));
	return json_whole(out, whole);
}

json_t *definition_network(const struct definition *d)
{
	json_t *out = json_object();
	bool whole = json_put(out, "layers", definition_layers_document(d));

	whole &= json_put(out, "output_l2", json_real(d->layers[d->layers_count - 1].l2));
	return json_whole(out, whole);
}

int definition_override(json_t *document, const json_t *network, struct err *e)
{
	return json_object_update(document, (json_t *)network) ? err_nomem(e) : 0;
}
