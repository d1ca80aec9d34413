/* sweep_run.c - run number i of a sweep: the network and the :train that its values make. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/codec/sweep_parts.h"

#define LAYERS_MOST 64 /* so many alike are no search */

/* ---- the network ---- */

/* A number of layers stands for so many like the model's first; a list for itself. */
static bool put_layers(json_t *network, const json_t *value, struct faults *faults)
{
	json_t *first = json_array_get(json_object_get(network, "layers"), 0), *layers = json_array();
	double count = json_number_value(value);
	bool whole = layers != NULL;

	if (json_is_array(value)) {
		json_decref(layers);
		return json_put(network, "layers", json_deep_copy(value)) &&
		       json_put(network, "output_l2", json_real(0));
	}
	if (!json_is_number(value) || count < 0 || count > LAYERS_MOST || count != floor(count)) {
		json_decref(layers);
		faults_add(faults, ERR_INVALID, "/layers",
				"must be an array, as \"layers\" of a model is, or how many there are, 0 to %d",
				LAYERS_MOST);
		return true;
	}
	for (int i = 0; i < (int)count && whole; i++)
		whole = json_append(layers, first ? json_deep_copy(first) : json_integer(16));
	return json_put(network, "layers", layers) && whole;
}

/* A number n stands for {"units": n}. */
static json_t *layer_object(json_t *layer)
{
	return json_is_number(layer) ? json_pack("{s:O}", "units", layer) : json_incref(layer);
}

static bool put_in_layers(json_t *network, const char *name, const json_t *value)
{
	json_t *layers = json_object_get(network, "layers");
	bool whole = true;

	for (size_t i = 0; i < json_array_size(layers) && whole; i++) {
		json_t *layer = layer_object(json_array_get(layers, i));

		whole = layer &&
			(!json_is_object(layer) || json_put(layer, name, json_incref((json_t *)value)));
		whole = whole && !json_array_set(layers, i, layer);
		json_decref(layer);
	}
	/* The network that is chosen where none is given holds its output layer as its hidden ones. */
	if (whole && !strcmp(name, "l2") && json_number_value(json_object_get(network, "output_l2")) > 0)
		whole = json_put(network, "output_l2", json_real(json_number_value(value)));
	return whole;
}

/* ---- the request ---- */

static void check_optimizer(const json_t *optimizer, const char *name, struct faults *faults)
{
	const char *said = json_string_value(json_object_get(optimizer, "name"));
	const struct optimizer *row = said ? optim_find(said) : NULL;

	for (size_t i = 0; row && i < params_count(row->params); i++)
		if (!strcmp(row->params[i].name, name)) return;
	if (row)
		faults_add(faults, ERR_INVALID, "", "the optimizer \"%s\" has no %s: name one that has it",
				said, name);
}

static bool put_in_optimizer(json_t *asked, const char *name, const json_t *value, struct faults *faults)
{
	json_t *optimizer = json_object_get(asked, "optimizer"), *copy;

	if (json_is_object(optimizer))
		copy = json_twin(optimizer);
	else
		copy = json_pack("{s:s}", "name",
				json_is_string(optimizer) ? json_string_value(optimizer) : "adam");
	check_optimizer(copy, name, faults);
	if (!json_put(copy, name, json_incref((json_t *)value))) {
		json_decref(copy);
		return false;
	}
	return json_put(asked, "optimizer", copy);
}

/* First what is the whole of something, then what is a part of it. */
static bool put_parameters(struct sweep_run *run, json_t *network, bool *other, struct faults *faults)
{
	static const enum sweep_place order[] = { PLACE_REQUEST, PLACE_OPTIMIZER, PLACE_NETWORK,
		PLACE_LAYERS };
	const char *name;
	json_t *value;
	bool whole = true;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		json_object_foreach(run->parameters, name, value)
		{
			if (sweep_parameter_find(name)->place != order[i]) continue;
			*other |= order[i] >= PLACE_NETWORK;
			switch (order[i]) {
			case PLACE_REQUEST: whole &= json_put(run->asked, name, json_incref(value)); break;
			case PLACE_OPTIMIZER:
				whole &= put_in_optimizer(run->asked, name, value, faults);
				break;
			case PLACE_NETWORK: whole &= put_layers(network, value, faults); break;
			case PLACE_LAYERS: whole &= put_in_layers(network, name, value); break;
			}
		}
	return whole;
}

/* What of the model's document a run may have otherwise, as copies. */
static json_t *network_of(const json_t *model)
{
	const json_t *l2 = json_object_get(model, "output_l2");
	json_t *out = json_object();
	bool whole = json_put(out, "layers", json_deep_copy(json_object_get(model, "layers")));

	whole &= json_put(out, "output_l2", l2 ? json_incref((json_t *)l2) : json_real(0));
	return json_whole(out, whole);
}

static int read_definition(const struct sweep_base *base, const json_t *network, struct sweep_run *run,
		struct faults *faults, struct err *e)
{
	json_t *document = json_twin(base->model);
	int rc = document ? definition_override(document, network, e) : err_nomem(e);

	if (!rc) {
		definition_read(document, true, &run->definition, faults);
		if (!faults->count) definition_finish(&run->definition, 0, faults);
		if (!faults->count) definition_check_trainable(&run->definition, faults);
	}
	json_decref(document);
	return rc;
}

static void read_request(const struct sweep *s, const struct sweep_base *base, struct sweep_run *run,
		struct faults *faults)
{
	struct train_request *r = &run->request;

	train_request_read(run->asked, false, r, faults);
	if (faults->count) return;
	if (r->validation.column) r->validation.rows = s->held_rows;
	if (!r->loss) {
		r->loss = run->definition.loss;
		memcpy(r->loss_params, run->definition.loss_params, sizeof r->loss_params);
	}
	train_request_resolve(r, base->rows, base->classifies, base->threads_max, faults);
}

/* The config that says of which run it is. */
static int make_config(
		const struct sweep *s, uint64_t number, bool other, struct sweep_run *run, struct err *e)
{
	struct sweep_bracket b = { 0 };
	json_t *sweep = json_object();
	bool whole;

	while (number && sweep_bracket_next(s, &b) && b.first + b.runs <= number)
		;
	whole = json_put(sweep, "run", json_integer((json_int_t)number));
	whole &= json_put(sweep, "bracket", json_integer((json_int_t)b.number));
	whole &= json_put(sweep, "parameters", json_incref(run->parameters));
	if (other) {
		run->network = definition_network(&run->definition);
		whole &= run->network != NULL;
		run->request.network = run->network;
	}
	run->config = train_request_document(&run->request);
	whole &= json_put(run->config, "sweep", sweep);
	return whole ? 0 : err_nomem(e);
}

int sweep_run_make(const struct sweep *s, const struct sweep_base *base, uint64_t number, json_t *parameters,
		struct sweep_run *run, struct faults *faults, struct err *e)
{
	json_t *network = network_of(base->model);
	bool other = false;
	int rc = 0;

	*run = (struct sweep_run){ 0 };
	run->parameters = parameters ? json_incref(parameters) : sweep_parameters(s, number);
	run->asked = json_twin(s->request);
	if (!network || !run->parameters || !run->asked || !put_parameters(run, network, &other, faults))
		rc = err_nomem(e);
	if (!rc && !faults->count) rc = read_definition(base, network, run, faults, e);
	if (!rc && !faults->count) read_request(s, base, run, faults);
	if (!rc && !faults->count) rc = make_config(s, parameters ? 0 : number, other, run, e);
	json_decref(network);
	return rc;
}

void sweep_run_clear(struct sweep_run *run)
{
	definition_clear(&run->definition);
	json_decref(run->parameters);
	json_decref(run->asked);
	json_decref(run->network);
	json_decref(run->config);
	*run = (struct sweep_run){ 0 };
}
