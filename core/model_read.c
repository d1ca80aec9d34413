/* model_read.c - the bytes of a file to a model; the layout is in model_format.h.
 *
 * A reader of outside bytes. The CRC finds damage; what passes it may still be made up, so no count is believed
 * before as many bytes are there, and every value is held against the same ranges as one from a user. A fault sets
 * the reader's rc once; from then on it yields zeros and empty strings, and who loops or allocates looks at rc
 * first.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/model.h"
#include "core/model_format.h"
#include "core/size.h"

#define COLUMN_BYTES_MIN 77 /* of a number column with an empty name */
#define NAME_BYTES       64 /* of an activation, a loss, an initializer, with its NUL */

struct reader {
	const unsigned char *at;
	size_t left;
	size_t format;
	int rc;
	struct err *e;
};

static void fault(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fault(struct reader *r, const char *format, ...)
{
	char text[ERR_TEXT_BYTES];
	va_list args;

	if (r->rc) return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	r->rc = err_set(r->e, ERR_CORRUPT, "damaged model file: %s", text);
}

static void *fault_nomem(struct reader *r)
{
	if (!r->rc) r->rc = err_nomem(r->e);
	return NULL;
}

/* n bytes of the file, borrowed, or NULL. */
static const unsigned char *get_bytes(struct reader *r, size_t n)
{
	const unsigned char *bytes = r->at;

	if (!r->rc && n > r->left) fault(r, "it ends too early");
	if (r->rc) return NULL;
	r->at += n;
	r->left -= n;
	return bytes;
}

static uint64_t get_integer(struct reader *r, size_t n)
{
	const unsigned char *bytes = get_bytes(r, n);
	uint64_t value = 0;

	for (size_t i = 0; bytes && i < n; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static size_t get_u32(struct reader *r)
{
	return (size_t)get_integer(r, 4);
}

/* A number of an enum with `count` members. */
static unsigned get_choice(struct reader *r, unsigned count, const char *what)
{
	unsigned value = (unsigned)get_integer(r, 1);

	if (value >= count) fault(r, "%u is no %s", value, what);
	return r->rc ? 0 : value;
}

static double get_f64(struct reader *r)
{
	uint64_t bits = get_integer(r, 8);
	double value;

	memcpy(&value, &bits, sizeof value);
	if (!isfinite(value)) fault(r, "a number is not finite");
	return r->rc ? 0 : value;
}

/* A number of things that take at least `each` bytes of the rest of the file. */
static size_t get_count(struct reader *r, size_t each, const char *what)
{
	size_t count = get_u32(r);

	if (count > r->left / each) fault(r, "it is too short for %zu %s", count, what);
	return r->rc ? 0 : count;
}

/* New, or NULL. */
static char *get_string(struct reader *r)
{
	size_t length = get_count(r, 1, "bytes of a text");
	const unsigned char *bytes = get_bytes(r, length);
	char *string;

	if (!bytes) return NULL;
	if (memchr(bytes, 0, length)) {
		fault(r, "a text has a NUL in it");
		return NULL;
	}
	string = malloc(length + 1);
	if (!string) return fault_nomem(r);
	memcpy(string, bytes, length);
	string[length] = 0;
	return string;
}

/* The name of a row of a table, "" on a fault. */
static void get_name(struct reader *r, char name[NAME_BYTES])
{
	size_t length = get_count(r, 1, "bytes of a name");
	const unsigned char *bytes = get_bytes(r, length);

	name[0] = 0;
	if (!bytes) return;
	if (length >= NAME_BYTES || memchr(bytes, 0, length)) {
		fault(r, "a name is none");
		return;
	}
	memcpy(name, bytes, length);
	name[length] = 0;
}

static void get_params(struct reader *r, const struct param params[PARAMS_MAX], double values[PARAMS_MAX])
{
	size_t count = (size_t)get_integer(r, 1);

	params_fallback(params, values); /* of those that came after the file */
	if (count > params_count(params)) fault(r, "a wrong number of parameters");
	for (size_t i = 0; !r->rc && i < count; i++) {
		values[i] = get_f64(r);
		if (!param_allows(&params[i], values[i])) fault(r, "%s is out of its range", params[i].name);
	}
}

/* A column while it is read; the strings and slot_counts are new. */
struct column {
	char *name;
	char **values;
	struct encoder_column learnt;
};

static void free_columns(struct column *columns, size_t count)
{
	for (size_t i = 0; columns && i < count; i++) {
		for (size_t v = 0; columns[i].values && v < columns[i].learnt.values_count; v++)
			free(columns[i].values[v]);
		free(columns[i].values);
		free(columns[i].name);
		free(columns[i].learnt.slot_counts);
		free(columns[i].learnt.profile);
	}
	free(columns);
}

static void get_category(struct reader *r, struct column *column)
{
	struct encoder_column *learnt = &column->learnt;
	size_t values = get_count(r, 4, "values"), slots;

	if (r->rc) return;
	if (values && !(column->values = calloc(values, sizeof *column->values))) {
		fault_nomem(r);
		return;
	}
	learnt->values_count = values;
	for (size_t i = 0; !r->rc && i < values; i++)
		column->values[i] = get_string(r);
	slots = get_count(r, 8, "slots");
	if (r->rc) return;
	learnt->slot_counts = calloc(slots ? slots : 1, sizeof *learnt->slot_counts);
	if (!learnt->slot_counts) {
		fault_nomem(r);
		return;
	}
	learnt->width = slots;
	for (size_t i = 0; i < slots; i++)
		learnt->slot_counts[i] = get_integer(r, 8);
}

/* Bins of an input; edges that do not rise would put rows into none. */
static void get_profile(struct reader *r, struct encoder_column *learnt)
{
	struct encoder_profile *profile = calloc(1, sizeof *profile);

	learnt->profile = profile;
	if (!profile) {
		fault_nomem(r);
		return;
	}
	profile->edges_count = get_choice(r, ENCODER_BINS, "number of edges");
	for (size_t i = 0; i < profile->edges_count; i++) {
		profile->edges[i] = get_f64(r);
		if (i && !(profile->edges[i] > profile->edges[i - 1])) fault(r, "edges that do not rise");
	}
	for (size_t i = 0; i <= profile->edges_count; i++)
		profile->counts[i] = get_integer(r, 8);
}

static void get_year(struct reader *r, struct encoder_column *learnt)
{
	learnt->year_shift = get_f64(r);
	learnt->year_scale = get_f64(r);
	learnt->year_fill = get_f64(r);
	if (!(learnt->year_scale > 0)) fault(r, "a year's scale is not above 0");
}

static void get_column(struct reader *r, struct column *column, enum encoder_role role)
{
	struct encoder_column *learnt = &column->learnt;
	double *const numbers[] = { &learnt->shift, &learnt->scale, &learnt->fill, &learnt->mean,
		&learnt->std, &learnt->min, &learnt->max };

	column->name = get_string(r);
	learnt->kind = get_choice(r, r->format > 2 ? COLUMN_KINDS : COLUMN_DATE, "kind of column");
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		*numbers[i] = get_f64(r);
	if (!(learnt->scale > 0)) fault(r, "a column's scale is not above 0");
	learnt->rows = get_integer(r, 8);
	learnt->missing_rows = get_integer(r, 8);
	learnt->width = learnt->kind == COLUMN_DATE ? ENCODER_DATE_WIDTH : 1;
	if (learnt->kind == COLUMN_CATEGORY) get_category(r, column);
	if (learnt->kind == COLUMN_DATE) get_year(r, learnt);
	if (r->format > 2 && role == ENCODER_INPUTS && encoder_is_numeric(learnt->kind))
		get_profile(r, learnt);
}

/* Values, or without a list of them the buckets that the slots are of. */
static size_t slots_of(const struct column *column, enum missing missing)
{
	size_t beside = missing == MISSING_ERROR ? 1 : 2, width = column->learnt.width;

	if (column->values || column->learnt.kind != COLUMN_CATEGORY) return column->learnt.values_count;
	return width > beside ? width - beside : 0;
}

/* The encoder of these columns, new, with what they learnt. */
static struct encoder *build_encoder(struct reader *r, const struct column *columns, size_t count,
		enum encoder_role role, enum normalize normalize, enum missing missing)
{
	struct column_spec *specs = calloc(count, sizeof *specs);
	struct encoder *encoder = NULL;
	struct err why;

	if (!specs) return fault_nomem(r);
	for (size_t i = 0; i < count; i++)
		specs[i] = (struct column_spec){ columns[i].name, columns[i].learnt.kind,
			(const char *const *)columns[i].values, slots_of(&columns[i], missing) };
	switch (encoder_new(&encoder, specs, count, role, normalize, missing, &why)) {
	case 0: break;
	case ERR_NOMEM: fault_nomem(r); break;
	default: fault(r, "%s", why.text);
	}
	free(specs);
	for (size_t i = 0; encoder && i < count; i++) {
		if (columns[i].learnt.width == encoder_column(encoder, i)->width)
			encoder_restore(encoder, i, &columns[i].learnt);
		else
			fault(r, "a column has a wrong number of slots");
	}
	return encoder;
}

/* New, also after a fault in it; or NULL. */
static struct encoder *get_encoder(struct reader *r, enum encoder_role role)
{
	enum encoder_role said = get_choice(r, 2, "role of an encoder");
	enum normalize normalize = get_choice(r, 3, "way to normalize");
	enum missing missing = get_choice(r, 2, "way to treat missing values");
	size_t count = get_count(r, COLUMN_BYTES_MIN, "columns");
	struct encoder *encoder = NULL;
	struct column *columns;

	if (said != role) fault(r, "an encoder is not in its place");
	if (!count) fault(r, "an encoder has no columns");
	if (r->rc) return NULL;
	columns = calloc(count, sizeof *columns);
	if (!columns) return fault_nomem(r);
	for (size_t i = 0; !r->rc && i < count; i++)
		get_column(r, &columns[i], role);
	if (!r->rc) encoder = build_encoder(r, columns, count, role, normalize, missing);
	free_columns(columns, count);
	return encoder;
}

static void get_sources(struct reader *r, struct layer_spec *spec)
{
	spec->from_count = (size_t)get_integer(r, 1);
	if (spec->from_count > NET_SOURCES_MAX) {
		fault(r, "a layer reads %zu layers", spec->from_count);
		spec->from_count = 0;
	}
	for (size_t i = 0; i < spec->from_count; i++) {
		size_t source = get_u32(r);

		if (source > NET_LAYERS_MAX) fault(r, "a layer reads layer %zu", source);
		spec->from[i] = r->rc ? NET_INPUTS : (int)source - 1;
	}
}

/* What came with format 2. */
static void get_layer_more(struct reader *r, struct layer_spec *spec, bool *masked)
{
	spec->max_norm = get_f64(r);
	spec->normalization = (enum normalization)get_choice(r, NORMALIZATIONS, "normalization");
	spec->density = get_f64(r);
	spec->head = get_choice(r, 2, "choice of a head");
	get_sources(r, spec);
	*masked = get_choice(r, 2, "choice of a mask");
}

static void get_layer(struct reader *r, struct layer_spec *spec, bool *masked)
{
	static const struct param none[PARAMS_MAX];
	char name[NAME_BYTES];

	spec->units = get_u32(r);
	get_name(r, name);
	spec->activation = activation_find(name);
	if (!spec->activation) {
		fault(r, "\"%s\" is no activation", name);
		return;
	}
	get_params(r, spec->activation->params, spec->activation_params);
	spec->bias = get_choice(r, 2, "choice of a bias");
	get_name(r, name);
	spec->init = init_find(name);
	if (*name && !spec->init) fault(r, "\"%s\" is no initializer", name);
	if (r->format > 1)
		get_params(r, spec->init ? spec->init->params : none, spec->init_params);
	else if (spec->init)
		params_fallback(spec->init->params, spec->init_params);
	spec->dropout = get_f64(r);
	spec->l1 = get_f64(r);
	spec->l2 = get_f64(r);
	if (r->format > 1) get_layer_more(r, spec, masked);
}

static void get_objective(struct reader *r, struct objective *objective)
{
	char loss[NAME_BYTES];

	get_name(r, loss);
	objective->loss = loss_find(loss);
	if (!objective->loss) {
		fault(r, "\"%s\" is no loss", loss);
		return;
	}
	get_params(r, objective->loss->params, objective->params);
	objective->weight = r->format > 1 ? get_f64(r) : 1;
	if (r->format > 1) objective->category = get_choice(r, 2, "choice of a category");
}

/* New, (heads). */
static struct objective *get_objectives(struct reader *r, size_t heads, const struct encoder *targets)
{
	size_t said = r->format > 1 ? get_u32(r) : 1;
	struct objective *objectives = calloc(heads, sizeof *objectives);

	if (!objectives) return fault_nomem(r);
	if (said != heads) fault(r, "a wrong number of output layers");
	for (size_t h = 0; !r->rc && h < heads; h++)
		get_objective(r, &objectives[h]);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the last layer is an output layer (get_plan) */
	if (r->format == 1) objectives[0].category = encoder_column(targets, 0)->kind == COLUMN_CATEGORY;
	return objectives;
}

/* New, (n): the bits of a mask. */
static uint8_t *get_mask(struct reader *r, size_t n)
{
	const unsigned char *bits = get_bytes(r, n / 8 + (n % 8 > 0));
	uint8_t *mask = bits ? malloc(n) : NULL;

	if (!bits) return NULL;
	if (!mask) return fault_nomem(r);
	for (size_t i = 0; i < n; i++)
		mask[i] = bits[i / 8] >> (i % 8) & 1;
	return mask;
}

/* As many numbers as are said and as n, after it is known that they are there. */
static void get_numbers(struct reader *r, real *numbers, size_t n, const char *what)
{
	size_t said = (size_t)get_integer(r, 8);

	if (!r->rc && (said != n || said > r->left / sizeof(float))) fault(r, "a wrong number of %s", what);
	for (size_t i = 0; !r->rc && i < n; i++) {
		uint32_t bits = (uint32_t)get_integer(r, 4);
		float value;

		memcpy(&value, &bits, sizeof value);
		if (!isfinite(value)) fault(r, "number %zu of the %s is not finite", i, what);
		numbers[i] = (real)value;
	}
}

/* A network while it is read. */
struct plan {
	struct layer_spec layers[NET_LAYERS_MAX];
	bool masked[NET_LAYERS_MAX];
	uint8_t *masks[NET_LAYERS_MAX]; /* new */
	size_t count, heads, parameters;
};

/* All the layers, held against the encoders; more parameters than there are bytes left are refused. */
static void get_plan(struct reader *r, const struct model *model, struct plan *plan)
{
	size_t inputs = encoder_width(model->inputs), outputs = 0;
	struct err why;

	plan->count = get_u32(r);
	if (!plan->count || plan->count > NET_LAYERS_MAX) fault(r, "%zu layers", plan->count);
	for (size_t i = 0; !r->rc && i < plan->count; i++)
		get_layer(r, &plan->layers[i], &plan->masked[i]);
	if (r->rc) return;
	plan->layers[plan->count - 1].head = true;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->layers[i].head) {
			plan->heads++;
			outputs = size_add(outputs, plan->layers[i].units);
		}
	if (outputs != encoder_width(model->targets)) fault(r, "outputs that fit no targets");
	if (!r->rc && net_count_parameters(inputs, plan->layers, plan->count, &plan->parameters, &why))
		fault(r, "%s", why.text);
	if (!r->rc && plan->parameters > r->left / sizeof(float)) fault(r, "a wrong number of weights");
}

static void get_net(struct reader *r, struct model *model, struct plan *plan)
{
	size_t inputs = encoder_width(model->inputs);
	struct err why;

	get_plan(r, model, plan);
	if (r->rc) return;
	model->objectives = get_objectives(r, plan->heads, model->targets);
	for (size_t i = 0; !r->rc && i < plan->count; i++) {
		size_t width, columns;

		net_shape(inputs, plan->layers, i, &width, &columns);
		if (plan->masked[i]) plan->layers[i].mask = plan->masks[i] = get_mask(r, width * columns);
	}
	if (r->rc) return;
	switch (net_new(&model->net, inputs, plan->layers, plan->count, &why)) {
	case 0: break;
	case ERR_NOMEM: fault_nomem(r); return;
	default: fault(r, "%s", why.text); return;
	}
	get_numbers(r, net_block(model->net), plan->parameters, "weights");
	if (r->format > 1)
		get_numbers(r, net_statistics_block(model->net), net_statistics(model->net), "statistics");
}

/* Head and CRC; leaves the reader at what lies between. */
static void check_frame(struct reader *r)
{
	const unsigned char *start = r->at, *magic = get_bytes(r, strlen(MODEL_MAGIC));
	size_t format = r->format = get_u32(r), all = r->left + (size_t)(r->at - start);
	uint64_t size = get_integer(r, 8);
	struct reader tail;

	if (r->rc || memcmp(magic, MODEL_MAGIC, strlen(MODEL_MAGIC))) {
		r->rc = err_set(r->e, ERR_CORRUPT, "not a model file");
		return;
	}
	if (format > MODEL_FORMAT) {
		r->rc = err_set(r->e, ERR_CORRUPT,
				"a model file of format %zu, from a newer descentd: this one reads up to %d",
				format, MODEL_FORMAT);
		return;
	}
	if (format < 1) fault(r, "it has no format number");
	if (size > all) fault(r, "it is cut short");
	if (size < all) fault(r, "something follows after its end");
	if (!r->rc && r->left < MODEL_CRC_BYTES) fault(r, "it is cut short");
	if (r->rc) return;
	r->left -= MODEL_CRC_BYTES;
	tail = (struct reader){ .at = r->at + r->left, .left = MODEL_CRC_BYTES };
	if (crc32c(start, all - MODEL_CRC_BYTES) != get_u32(&tail)) fault(r, "its checksum is wrong");
}

int model_read(struct model **out, const unsigned char *bytes, size_t size, struct err *e)
{
	struct reader r = { .at = bytes, .left = size, .e = e };
	struct plan *plan = calloc(1, sizeof *plan);
	struct model *model = calloc(1, sizeof *model);

	*out = NULL;
	check_frame(&r);
	if (r.rc) goto out;
	if (!model || !plan) {
		fault_nomem(&r);
		goto out;
	}
	model->inputs = get_encoder(&r, ENCODER_INPUTS);
	model->targets = get_encoder(&r, ENCODER_TARGETS);
	if (!r.rc) get_net(&r, model, plan);
	if (!r.rc && r.left) fault(&r, "something is left over in it");
	if (r.rc) goto out;
	*out = model;
	model = NULL;
out:
	for (size_t i = 0; plan && i < NET_LAYERS_MAX; i++)
		free(plan->masks[i]);
	free(plan);
	model_free(model);
	return r.rc;
}

void model_free(struct model *model)
{
	if (!model) return;
	encoder_free(model->inputs);
	encoder_free(model->targets);
	net_free(model->net);
	free(model->objectives);
	free(model);
}
