/* sweep_space.c - what a sweep may search, and the values that its run number i tries.
 *
 * A grid's runs go through all values, the last parameter's fastest. The others' are drawn: from a space of few points that are
 * equally likely without doing one twice, as the points in an order that the seed draws; else each value for itself.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/codec/sweep_parts.h"

#define SHUFFLED_MAX 65536 /* points of a space that are drawn without repetition */
#define RANGE_MOST   9007199254740992.0
#define DIGITS       4 /* at least, of numbers that are drawn: 0.003127 rather than 0.0031271828 */

static const struct sweep_parameter parameters[] = {
	{ "layers", PLACE_NETWORK, KIND_WHOLE },
	{ "units", PLACE_LAYERS, KIND_WHOLE },
	{ "activation", PLACE_LAYERS, KIND_LISTED },
	{ "dropout", PLACE_LAYERS, KIND_REAL },
	{ "l1", PLACE_LAYERS, KIND_REAL },
	{ "l2", PLACE_LAYERS, KIND_REAL },
	{ "max_norm", PLACE_LAYERS, KIND_REAL },
	{ "batch_norm", PLACE_LAYERS, KIND_LISTED },
	{ "layer_norm", PLACE_LAYERS, KIND_LISTED },
	{ "init", PLACE_LAYERS, KIND_LISTED },
	{ "optimizer", PLACE_REQUEST, KIND_LISTED },
	{ "learning_rate", PLACE_OPTIMIZER, KIND_REAL },
	{ "momentum", PLACE_OPTIMIZER, KIND_REAL },
	{ "weight_decay", PLACE_OPTIMIZER, KIND_REAL },
	{ "batch_size", PLACE_REQUEST, KIND_WHOLE },
	{ "epochs", PLACE_REQUEST, KIND_WHOLE },
	{ "schedule", PLACE_REQUEST, KIND_LISTED },
	{ "early_stopping", PLACE_REQUEST, KIND_LISTED },
	{ "gradient_clip_norm", PLACE_REQUEST, KIND_REAL },
	{ "gradient_clip_value", PLACE_REQUEST, KIND_REAL },
	{ "accumulate", PLACE_REQUEST, KIND_WHOLE },
	{ "noise", PLACE_REQUEST, KIND_REAL },
	{ "ema_decay", PLACE_REQUEST, KIND_REAL },
	{ "seed", PLACE_REQUEST, KIND_WHOLE },
};
#define PARAMETERS (sizeof parameters / sizeof *parameters)
_Static_assert(PARAMETERS <= SWEEP_PARAMETERS_MAX, "a sweep has room for all parameters");

const struct sweep_parameter *sweep_parameter_find(const char *name)
{
	for (size_t i = 0; i < PARAMETERS; i++)
		if (!strcmp(parameters[i].name, name)) return &parameters[i];
	return NULL;
}

/* ---- reading ---- */

struct range_said {
	const json_t *min, *max;
	uint64_t steps;
	bool log;
};

static void unknown_parameter(const char *name, const char *pointer, struct faults *faults)
{
	const char *known[PARAMETERS + 1] = { 0 }, *meant;

	for (size_t i = 0; i < PARAMETERS; i++)
		known[i] = parameters[i].name;
	meant = did_you_mean(name, known);
	if (meant)
		faults_add(faults, ERR_UNKNOWN_FIELD, pointer, "cannot be searched; did you mean \"%s\"?",
				meant);
	else
		faults_add(faults, ERR_UNKNOWN_FIELD, pointer,
				"cannot be searched; these can: layers, units, activation, dropout, l1, l2, max_norm, "
				"batch_norm, layer_norm, init, and of :train its numbers, optimizer, schedule and early_stopping");
}

/* How many values a range has. */
static uint64_t range_size(const struct sweep_domain *d)
{
	if (d->steps) return d->steps;
	if (d->min == d->max) return 1;
	return d->parameter->kind == KIND_WHOLE ? (uint64_t)(d->max - d->min) + 1 : 0;
}

/* Ends of a range: numbers, whole ones where the parameter is. */
static bool read_end(const json_t *value, const struct sweep_domain *d, double *out, const char *at,
		const char *name, struct faults *faults)
{
	static const struct field number = { "", FIELD_REAL, 0, -RANGE_MOST, RANGE_MOST, false, false };
	char pointer[FAULT_POINTER_BYTES];

	pointer_join(pointer, at, name);
	if (!value) {
		faults_add(faults, ERR_MISSING_FIELD, at, "needs \"%s\": a range is from min to max", name);
		return false;
	}
	if (!field_value(value, &number, out, pointer, faults)) return false;
	if (d->parameter->kind == KIND_REAL || *out == floor(*out)) return true;
	faults_add(faults, ERR_INVALID, pointer, "must be a whole number, not %.9g", *out);
	return false;
}

static json_t *value_at(const struct sweep_domain *d, uint64_t place);

/* Are whole numbers at steps that are even by the logarithm different ones? */
static bool steps_differ(const struct sweep_domain *d)
{
	json_int_t last = 0;

	for (uint64_t i = 0; i < d->steps; i++) {
		json_t *value = value_at(d, i);
		json_int_t number = json_integer_value(value);

		json_decref(value);
		if (i && number == last) return false;
		last = number;
	}
	return true;
}

static void check_range(struct sweep_domain *d, const char *at, struct faults *faults)
{
	bool whole = d->parameter->kind == KIND_WHOLE;

	if (d->min > d->max) {
		faults_add(faults, ERR_RANGE, at, "is empty: min %.9g is above max %.9g", d->min, d->max);
		return;
	}
	d->size = range_size(d);
	if (d->log && d->min <= 0)
		faults_add(faults, ERR_RANGE, at, "needs a min above 0, as \"log\" goes by the logarithm");
	else if (d->min == d->max && d->steps)
		faults_add(faults, ERR_RANGE, at, "has one value and %llu steps",
				(unsigned long long)d->steps);
	else if (whole && (double)d->steps > d->max - d->min + 1)
		faults_add(faults, ERR_RANGE, at, "has %llu steps and fewer values",
				(unsigned long long)d->steps);
	else if (whole && d->log && d->steps && !steps_differ(d))
		faults_add(faults, ERR_RANGE, at,
				"has %llu steps, of which some fall on one whole number: take fewer, or list the values",
				(unsigned long long)d->steps);
}

static void read_range(const json_t *value, const char *at, struct sweep_domain *d, struct faults *faults)
{
	static const struct field rows[] = {
		{ "min", FIELD_ANY, offsetof(struct range_said, min), 0, 0, false, false },
		{ "max", FIELD_ANY, offsetof(struct range_said, max), 0, 0, false, false },
		{ "steps", FIELD_UINT, offsetof(struct range_said, steps), 2, SWEEP_RUNS_MAX, false, true },
		{ "log", FIELD_BOOL, offsetof(struct range_said, log), 0, 0, false, false },
		{ 0 },
	};
	struct range_said said = { 0 };
	size_t before = faults->count;

	if (d->parameter->kind == KIND_LISTED) {
		faults_add(faults, ERR_INVALID, at, "has no range: list its values in an array");
		return;
	}
	fields_read(value, rows, &said, at, faults);
	if (!read_end(said.min, d, &d->min, at, "min", faults) ||
			!read_end(said.max, d, &d->max, at, "max", faults) || faults->count > before)
		return;
	d->log = said.log;
	d->steps = said.steps;
	check_range(d, at, faults);
}

static void read_domain(const char *name, const json_t *value, const char *pointer, struct sweep *s,
		struct faults *faults)
{
	struct sweep_domain *d = &s->domains[s->count];
	char at[FAULT_POINTER_BYTES];

	pointer_join(at, pointer, name);
	if (!(d->parameter = sweep_parameter_find(name))) {
		unknown_parameter(name, at, faults);
		return;
	}
	s->count++;
	if (json_is_object(value))
		read_range(value, at, d, faults);
	else if (!json_is_array(value))
		faults_add(faults, ERR_INVALID, at,
				"must be an array of values, or a range as in {\"min\": 0.001, \"max\": 0.1, \"log\": true}");
	else if (!(d->size = json_array_size(value)))
		faults_add(faults, ERR_INVALID, at, "is empty: it needs at least one value");
	else if (d->size > SWEEP_RUNS_MAX)
		faults_add(faults, ERR_RANGE, at, "lists %llu values, and a sweep has at most %d runs",
				(unsigned long long)d->size, SWEEP_RUNS_MAX);
	else
		d->choices = value;
}

void sweep_space_read(const json_t *space, const char *of, struct sweep *s, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];
	const char *name;
	json_t *value;

	pointer_join(at, of, "space");
	if (!json_is_object(space)) {
		faults_add(faults, space ? ERR_INVALID : ERR_MISSING_FIELD, space ? at : of,
				space ? "must be an object, not %s"
				      : "needs \"space\": what is to be searched, as in {\"space\": {\"units\": [8, 16, 32]}}%s",
				space ? json_kind(space) : "");
		return;
	}
	if (!json_object_size(space))
		faults_add(faults, ERR_INVALID, at,
				"is empty: name what is to be searched, as in {\"units\": [8, 16, 32]}");
	json_object_foreach((json_t *)space, name, value) if (s->count < SWEEP_PARAMETERS_MAX)
			read_domain(name, value, at, s, faults);
}

static json_t *range_document(const struct sweep_domain *d)
{
	bool is_whole = d->parameter->kind == KIND_WHOLE;
	json_t *out = json_object();
	bool whole = json_put(out, "min", is_whole ? json_integer((json_int_t)d->min) : json_real(d->min));

	whole &= json_put(out, "max", is_whole ? json_integer((json_int_t)d->max) : json_real(d->max));
	whole &= json_put(out, "log", json_boolean(d->log));
	whole &= json_put(out, "steps", d->steps ? json_integer((json_int_t)d->steps) : json_null());
	return json_whole(out, whole);
}

json_t *sweep_space_document(const struct sweep *s)
{
	json_t *out = json_object();
	bool whole = out != NULL;

	for (size_t i = 0; i < s->count; i++) {
		const struct sweep_domain *d = &s->domains[i];

		whole &= json_put(out, d->parameter->name,
				d->choices ? json_incref((json_t *)d->choices) : range_document(d));
	}
	return json_whole(out, whole);
}

bool sweep_space_shuffled(const struct sweep *s)
{
	uint64_t size = sweep_space_size(s);

	for (size_t i = 0; i < s->count; i++)
		if (s->domains[i].log && !s->domains[i].steps)
			return false; /* its values are not equally likely */
	return s->strategy != SWEEP_GRID && size && size <= SHUFFLED_MAX;
}

uint64_t sweep_space_size(const struct sweep *s)
{
	uint64_t size = 1;

	for (size_t i = 0; i < s->count; i++)
		if (__builtin_mul_overflow(size, s->domains[i].size, &size)) size = UINT64_MAX;
	for (size_t i = 0; i < s->count; i++)
		if (!s->domains[i].size) return 0;
	return size;
}

/* ---- values ---- */

static double within(const struct sweep_domain *d, double value)
{
	return value < d->min ? d->min : value > d->max ? d->max : value;
}

/* As a person would write it, and to a thousandth of the range. */
static double rounded(const struct sweep_domain *d, double value)
{
	double width = d->max - d->min, size = fabs(value);
	int digits = DIGITS;
	char text[40];

	while (digits < DBL_DIG && size > 0 && width > 0 &&
			pow(10, floor(log10(size)) + 1 - digits) > width / 1000)
		digits++;
	snprintf(text, sizeof text, "%.*g", digits, value);
	return strtod(text, NULL);
}

static json_t *number_document(const struct sweep_domain *d, double value)
{
	if (d->parameter->kind == KIND_WHOLE) return json_integer((json_int_t)within(d, value));
	if (value == d->min || value == d->max) return json_real(value); /* as they were said */
	return json_real(within(d, rounded(d, value)));
}

/* A share of the way from min to max; share 1 is max. */
static double along(const struct sweep_domain *d, double share, double max)
{
	return d->log ? exp(log(d->min) + share * (log(max) - log(d->min))) : d->min + share * (max - d->min);
}

/* The value at a place of the grid; new. */
static json_t *value_at(const struct sweep_domain *d, uint64_t place)
{
	if (d->choices) return json_incref(json_array_get(d->choices, (size_t)place));
	if (!d->steps || d->min == d->max) return number_document(d, d->min + (double)place);
	if (!place) return number_document(d, d->min);
	if (place == d->steps - 1) return number_document(d, d->max);
	return number_document(
			d, d->parameter->kind == KIND_WHOLE
					   ? round(along(d, (double)place / (double)(d->steps - 1), d->max))
					   : along(d, (double)place / (double)(d->steps - 1), d->max));
}

static json_t *value_drawn(const struct sweep_domain *d, const struct rng_key *key, uint64_t run)
{
	double share = rng_uniform(key, 2 * run);

	if (d->choices || d->steps) return value_at(d, rng_below(key, 2 * run, d->size));
	if (d->parameter->kind == KIND_WHOLE) return number_document(d, floor(along(d, share, d->max + 1)));
	return number_document(d, along(d, share, d->max));
}

/* The place of the point that run `run` is in a space of few. */
static bool shuffled_place(const struct sweep *s, uint64_t size, uint64_t run, uint64_t *place)
{
	const struct rng_key key = { s->seed, RNG_SWEEP, 0, 0 };
	uint32_t *order = malloc((size_t)size * sizeof *order);

	if (!order) return false;
	rng_permute(&key, 0, order, (size_t)size);
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a space has at least one point */
	*place = order[(run - 1) % size];
	free(order);
	return true;
}

static bool put_point(json_t *out, const struct sweep *s, uint64_t place)
{
	json_t *values[SWEEP_PARAMETERS_MAX];
	bool whole = out != NULL;

	for (size_t i = s->count; i-- > 0; place /= s->domains[i].size)
		values[i] = value_at(&s->domains[i], place % s->domains[i].size);
	for (size_t i = 0; i < s->count; i++)
		whole &= json_put(out, s->domains[i].parameter->name, values[i]);
	return whole;
}

json_t *sweep_parameters(const struct sweep *s, uint64_t run)
{
	uint64_t size = sweep_space_size(s), place = run - 1;
	json_t *out = json_object();
	bool whole = out != NULL;

	if (s->strategy == SWEEP_GRID) return json_whole(out, put_point(out, s, place));
	if (sweep_space_shuffled(s))
		return json_whole(out, shuffled_place(s, size, run, &place) && put_point(out, s, place));
	for (size_t i = 0; i < s->count; i++) {
		const struct rng_key key = { s->seed, RNG_SWEEP, (uint32_t)i + 1, 0 };

		whole &= json_put(out, s->domains[i].parameter->name, value_drawn(&s->domains[i], &key, run));
	}
	return json_whole(out, whole);
}

static bool searches(const struct sweep *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->domains[i].parameter->name, name)) return true;
	return false;
}

/* Says another parameter of the space whether its values can be? */
static bool needs_another(const struct sweep *s, const struct sweep_parameter *p)
{
	if (p->place == PLACE_OPTIMIZER) return searches(s, "optimizer");
	if (!strcmp(p->name, "layer_norm")) return searches(s, "batch_norm");
	return !strcmp(p->name, "batch_norm") && searches(s, "layer_norm");
}

static int each_alone(const struct sweep_domain *d, json_t *value, const char *at,
		int (*each)(void *self, json_t *parameters, const char *at, struct err *e), void *self,
		struct err *e)
{
	json_t *alone = json_object();
	int rc = json_put(alone, d->parameter->name, value) ? each(self, alone, at, e) : err_nomem(e);

	json_decref(alone);
	return rc;
}

int sweep_each_value(const struct sweep *s,
		int (*each)(void *self, json_t *parameters, const char *at, struct err *e), void *self,
		struct err *e)
{
	static const char *const ends[] = { "min", "max" };
	char of[FAULT_POINTER_BYTES], at[FAULT_POINTER_BYTES];
	int rc = 0;

	for (size_t i = 0; i < s->count && !rc; i++) {
		const struct sweep_domain *d = &s->domains[i];
		size_t count = d->choices ? json_array_size(d->choices) : 2;

		if (needs_another(s, d->parameter)) continue;
		pointer_join(of, "/space", d->parameter->name);
		for (size_t j = 0; j < count && !rc; j++)
			rc = d->choices ? each_alone(d, value_at(d, j), pointer_index(at, of, j), each, self,
							  e)
					: each_alone(d, number_document(d, j ? d->max : d->min),
							  pointer_join(at, of, ends[j]), each, self, e);
	}
	return rc;
}
