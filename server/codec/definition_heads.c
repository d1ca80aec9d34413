/* definition_heads.c - the output layers of a definition: how many there are, their activations and losses.
 *
 * One head predicts one category, or any number of numbers that are learnt alike. Outputs that differ have a head each.
 * An activation that is not said follows from the loss, a loss that is not said from the activation, and where neither
 * is said both follow from the kind: softmax and cross_entropy for a category, linear and mse for numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/definition_parts.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"

/* What is said of one head, and where. */
struct head {
	size_t units;
	bool category;
	const char *activation;  /* NULL: not said */
	const struct loss *loss; /* NULL: not said */
	const double *loss_params;
	double weight;
	char activation_at[FAULT_POINTER_BYTES], loss_at[FAULT_POINTER_BYTES];
};

/* Before it is resolved. It looks at each output: not for what is asked of each output. */
static bool splits(const struct definition *d)
{
	for (size_t i = 0; d->outputs_count > 1 && i < d->outputs_count; i++)
		if (d->outputs[i].own || d->outputs[i].kind == COLUMN_CATEGORY) return true;
	return false;
}

size_t definition_heads(const struct definition *d)
{
	return d->layers_count - d->hidden_count;
}

static void head_pointers(const struct definition *d, size_t output, struct head *head)
{
	char at[FAULT_POINTER_BYTES];

	if (!d->targets_count)
		pointer_index(at, "/outputs", output);
	else if (d->target_list)
		pointer_index(at, "/target", output);
	else
		strcpy(at, "/target");
	pointer_join(head->activation_at, at, "activation");
	pointer_join(head->loss_at, at, "loss");
}

static struct head output_head(const struct definition *d, size_t output)
{
	const struct definition_column *column = &d->outputs[output];
	struct head head = {
		.units = column->kind == COLUMN_CATEGORY ? column->values_count : 1,
		.category = column->kind == COLUMN_CATEGORY,
		.activation = column->activation,
		.loss = column->loss,
		.loss_params = column->loss_params,
		.weight = column->weight,
	};

	head_pointers(d, output, &head);
	return head;
}

/* The head of all outputs: what is said at the top, or of its only output. */
static struct head only_head(const struct definition *d)
{
	struct head head = output_head(d, 0);

	head.units = definition_output_width(d);
	head.weight = 1;
	if (!head.activation) {
		head.activation = d->output_activation;
		strcpy(head.activation_at, "/output_activation");
	}
	if (!head.loss) {
		head.loss = d->loss;
		head.loss_params = d->loss_params;
		strcpy(head.loss_at, "/loss");
	}
	return head;
}

static struct head head_of(const struct definition *d, size_t h)
{
	return splits(d) ? output_head(d, h) : only_head(d);
}

static unsigned head_targets(const struct head *head)
{
	return head->category ? LOSS_CATEGORIES : LOSS_NUMBERS;
}

static void check_loss(const struct head *head, const struct activation *output, const struct loss *loss,
		struct faults *faults)
{
	const char *other = loss->outputs[LOSS_OUTPUTS_MAX - 1];

	if (!(loss->targets & head_targets(head)))
		faults_add(faults, ERR_INVALID, head->loss_at, "%s is for %s outputs", loss->name,
				head->category ? "number" : "category");
	else if (!loss_takes(loss, output->name))
		faults_add(faults, ERR_INVALID, head->loss_at, "%s needs %s%s%s outputs; here they are %s",
				loss->name, loss->outputs[0], other ? " or " : "", other ? other : "",
				output->name);
}

static void finish_layer(struct definition *d, const struct head *head, struct layer_spec *layer,
		struct faults *faults)
{
	const char *suits = head->loss && head->loss->targets & head_targets(head) ? head->loss->outputs[0]
										   : NULL;
	const char *usual = head->category ? "softmax" : "linear";
	const char *name = head->activation ? head->activation : suits ? suits : usual;

	*layer = (struct layer_spec){ .units = head->units, .bias = true, .l2 = d->output_l2, .head = true };
	memcpy(layer->from, d->output_from, sizeof layer->from);
	layer->from_count = d->output_from_count;
	if (!(layer->activation = activation_find(name))) {
		faults_add(faults, ERR_INVALID, head->activation_at,
				"there is no activation \"%.64s\"; /v1/catalog lists what there is", name);
		layer->activation = activation_find("linear");
	}
	params_fallback(layer->activation->params, layer->activation_params);
	if (layer->activation->whole_row && layer->units < 2)
		faults_add(faults, ERR_INVALID, head->activation_at, "%s of a single output is always 1",
				name);
	if (layer->activation->pieces)
		faults_add(faults, ERR_INVALID, head->activation_at, "%s is for hidden layers", name);
}

static void finish_loss(const struct head *head, const struct layer_spec *layer, struct objective *objective,
		struct faults *faults)
{
	const char *output = layer->activation->name, *name = "mse";

	*objective = (struct objective){
		.loss = head->loss, .weight = head->weight, .category = head->category
	};
	if (head->category && !strcmp(output, "softmax")) name = "cross_entropy";
	if (head->category && !strcmp(output, "sigmoid")) name = "binary_cross_entropy";
	if (head->loss)
		memcpy(objective->params, head->loss_params, sizeof objective->params);
	else {
		objective->loss = loss_find(name);
		params_fallback(objective->loss->params, objective->params);
	}
	check_loss(head, layer->activation, objective->loss, faults);
}

/* What is said at the top is of one head. */
static void check_top(const struct definition *d, struct faults *faults)
{
	static const char sentence[] =
			"is for one output; of several, each says its own: see \"outputs\" or \"target\"";

	if (!splits(d)) return;
	if (d->loss) faults_add(faults, ERR_INVALID, "/loss", "%s", sentence);
	if (d->output_activation) faults_add(faults, ERR_INVALID, "/output_activation", "%s", sentence);
}

void definition_heads_finish(struct definition *d, struct faults *faults)
{
	size_t heads = splits(d) ? d->outputs_count : 1;

	if (heads > NET_HEADS_MAX) {
		faults_add(faults, ERR_RANGE, "/outputs",
				"has %zu outputs that differ; at most %d are possible", heads, NET_HEADS_MAX);
		return;
	}
	free(d->objectives);
	if (!(d->objectives = calloc(heads, sizeof *d->objectives))) {
		faults_add(faults, ERR_NOMEM, "", "out of memory");
		return;
	}
	check_top(d, faults);
	for (size_t h = 0; h < heads; h++) {
		struct head head = head_of(d, h);
		struct layer_spec *layer = &d->layers[d->layers_count++];
		size_t before = faults->count;

		finish_layer(d, &head, layer, faults);
		if (faults->count == before) finish_loss(&head, layer, &d->objectives[h], faults);
	}
	if (heads > 1 || faults->count) return;
	d->loss = d->objectives[0].loss;
	memcpy(d->loss_params, d->objectives[0].params, sizeof d->loss_params);
}

void definition_check_loss(const struct definition *d, const struct loss *loss, struct faults *faults)
{
	struct head head = only_head(d);

	strcpy(head.loss_at, "/loss");
	if (definition_heads(d) > 1)
		faults_add(faults, ERR_INVALID, "/loss",
				"cannot be said here: the model has several outputs, each with a loss of its own");
	else
		check_loss(&head, d->layers[d->layers_count - 1].activation, loss, faults);
}

const struct loss *definition_output_loss(const struct definition *d, size_t output)
{
	return definition_heads(d) > 1 ? d->objectives[output].loss : d->loss;
}

int definition_objectives(const struct definition *d, struct objective **out, struct err *e)
{
	size_t heads = definition_heads(d);

	if (!(*out = calloc(heads, sizeof **out))) return err_nomem(e);
	memcpy(*out, d->objectives, heads * sizeof **out);
	if (heads > 1) return 0;
	(*out)->loss = d->loss; /* a training may have another one */
	memcpy((*out)->params, d->loss_params, sizeof(*out)->params);
	return 0;
}

bool definition_output_document(const struct definition *d, size_t output, json_t *out)
{
	const struct objective *objective;
	bool whole;

	if (definition_heads(d) == 1) return true;
	objective = &d->objectives[output];
	whole = json_put(
			out, "activation", json_string(d->layers[d->hidden_count + output].activation->name));
	whole &= json_put(out, "loss",
			named_document(objective->loss->name, objective->loss->params, objective->params));
	return whole && json_put(out, "weight", json_real(objective->weight));
}
