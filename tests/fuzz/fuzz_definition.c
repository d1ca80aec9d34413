/* fuzz_definition.c - libFuzzer on what a PUT of a model, :train and :sweep are told (server/codec/definition.h,
 * train_request.h, sweep.h).
 *
 * The first byte chooses the reader, the rest is JSON. What is refused has sentences that a problem document can hold. What is
 * accepted is written as the store keeps it, and that reads and writes to the same; a small network of it can be made. No
 * more memory is held than a multiple of the text and of the columns and layers that it names. The seeds lie in
 * tests/fuzz/corpus/definition.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/sweep.h"
#include "server/utf8.h"
#include "tests/fuzz/held.h"

#define ROWS           150
#define RUNS_LOOKED_AT 8
#define PARAMETERS_MAX 100000
#define COLUMNS_MAX    2000 /* of a definition that is looked at further: it only takes longer */
#define HELD_FIXED     (1u << 17)
#define HELD_A_BYTE    256
#define HELD_A_COLUMN  1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *colors[] = { "red", "green", "blue" }, *grades[] = { "10", "9", "2" }, *one[] = { "one" };
static const struct definition_source columns[] = {
	{ .name = "a", .kind = COLUMN_NUMBER, .distinct = 90 },
	{ .name = "d", .kind = COLUMN_DATE, .distinct = 90 },
	{ .name = "c",
			.kind = COLUMN_CATEGORY,
			.distinct = 3,
			.values_listed = true,
			.values = colors,
			.values_count = 3 },
	{ .name = "g",
			.kind = COLUMN_NUMBER,
			.distinct = 3,
			.integers = true,
			.values_listed = true,
			.values = grades,
			.values_count = 3 },
	{ .name = "o",
			.kind = COLUMN_CATEGORY,
			.distinct = 1,
			.values_listed = true,
			.values = one,
			.values_count = 1 },
	{ .name = "s", .kind = COLUMN_CATEGORY, .distinct = 5000, .values = colors, .values_count = 3 },
	{ .name = "b", .kind = COLUMN_NUMBER, .distinct = 2, .boolean = true },
	{ .name = "i", .kind = COLUMN_NUMBER, .ignored = true },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static struct faults faults;

static void require(bool condition)
{
	if (!condition) abort();
}

static void check_faults(void)
{
	for (size_t i = 0; i < faults.count; i++) {
		const struct fault *fault = &faults.items[i];

		require(fault->code && fault->code != ERR_NOMEM && *fault->detail);
		require(utf8_valid(fault->detail, strlen(fault->detail)) == strlen(fault->detail));
		require(utf8_valid(fault->pointer, strlen(fault->pointer)) == strlen(fault->pointer));
	}
}

/* Both documents are given back. */
static void require_same(json_t *a, json_t *b)
{
	char *x = json_text(a, false), *y = json_text(b, false);

	require(x && y && !strcmp(x, y));
	free(x);
	free(y);
	json_decref(a);
	json_decref(b);
}

/* ---- definitions ---- */

static void resolve(const json_t *document, bool stored, struct definition *d, json_t *warnings)
{
	definition_read(document, stored, d, &faults);
	if (faults.count || d->inputs_count > COLUMNS_MAX || d->outputs_count > COLUMNS_MAX) return;
	if (d->dataset && !d->inputs && !d->outputs && d->targets_count)
		definition_from_columns(d, columns, COLUMNS, ROWS, warnings, &faults);
	else
		definition_finish(d, 0, &faults);
}

static void check_pieces(const struct definition *d)
{
	struct objective *objectives = NULL;
	struct encoder *inputs = NULL, *targets = NULL;
	struct net *net = NULL;
	size_t parameters;

	require(!net_count_parameters(
			definition_input_width(d), d->layers, d->layers_count, &parameters, NULL));
	if (parameters > PARAMETERS_MAX) return;
	require(!definition_net(d, &net, NULL) && !definition_objectives(d, &objectives, NULL));
	require(!definition_encoder(d, ENCODER_INPUTS, &inputs, NULL));
	require(!definition_encoder(d, ENCODER_TARGETS, &targets, NULL));
	require(encoder_width(inputs) == net_inputs(net) && encoder_width(targets) == net_outputs(net));
	require(net_parameters(net) == parameters && net_heads(net) == definition_heads(d));
	net_init(net, d->seed);
	net_free(net);
	free(objectives);
	encoder_free(inputs);
	encoder_free(targets);
}

static void read_definition(const json_t *document, bool stored, size_t size)
{
	struct definition d, again;
	json_t *warnings = json_array(), *written;
	size_t named;

	held_begin();
	resolve(document, stored, &d, warnings);
	named = d.inputs_count + d.outputs_count + d.layers_count + COLUMNS;
	require(held_most() <= HELD_FIXED + HELD_A_BYTE * size + HELD_A_COLUMN * named);
	check_faults();
	if (!faults.count && d.inputs_count <= COLUMNS_MAX && d.outputs_count <= COLUMNS_MAX) {
		require((written = definition_document(&d)) != NULL);
		resolve(written, true, &again, NULL);
		require(!faults.count);
		require_same(written, definition_document(&again));
		definition_clear(&again);
		check_pieces(&d);
		definition_check_trainable(&d, &faults);
		check_faults();
	}
	definition_clear(&d);
	json_decref(warnings);
}

/* ---- trainings ---- */

static void read_request(const json_t *document, bool stored, size_t size)
{
	struct train_request r, again;
	json_t *written;

	held_begin();
	train_request_read(document, stored, &r, &faults);
	if (!faults.count) train_request_resolve(&r, ROWS, size % 2, 4, &faults);
	require(held_most() <= HELD_FIXED + HELD_A_BYTE * size);
	check_faults();
	if (faults.count) return;
	if (!r.loss) params_fallback((r.loss = loss_find("mse"))->params, r.loss_params);
	require(train_request_rows(&r, ROWS) <= ROWS);
	require((written = train_request_document(&r)) != NULL);
	train_request_read(written, true, &again, &faults);
	require(!faults.count);
	require_same(json_incref(written), train_request_document(&again));
	json_decref(written);
}

/* ---- sweeps ---- */

static void check_runs(const struct sweep *s)
{
	require(s->runs && s->runs <= SWEEP_RUNS_MAX && s->epochs);
	for (uint64_t run = 1; run <= s->runs && run <= RUNS_LOOKED_AT; run++) {
		json_t *parameters = sweep_parameters(s, run);

		require(json_object_size(parameters) == s->count);
		json_decref(parameters);
	}
	for (struct sweep_bracket b = { 0 }; sweep_bracket_next(s, &b);) {
		require(b.rungs && b.first + b.runs - 1 <= s->runs);
		for (unsigned i = 0; i < b.rungs; i++)
			require(sweep_rung_epochs(s, &b, i) <= s->epochs &&
					sweep_rung_runs(s, &b, i) <= b.runs);
		require(sweep_rung_epochs(s, &b, b.rungs - 1) == s->epochs);
	}
	require(sweep_total_epochs(s) >= s->epochs);
}

static void read_sweep(json_t *document, size_t size)
{
	static const struct sweep_metrics metrics = { .accuracy = true, .validation = true, .every = 1 };
	static json_t *request; /* what the runs' :train is told */
	struct sweep s, again;
	json_t *said = sweep_take(document), *written;

	if (!request) request = json_object();
	held_begin();
	sweep_read(said, false, "", &s, &faults);
	if (!faults.count) sweep_resolve(&s, ROWS, &metrics, &faults);
	require(held_most() <= HELD_FIXED + HELD_A_BYTE * size);
	check_faults();
	if (!faults.count) {
		s.request = request;
		check_runs(&s);
		require((written = sweep_document(&s)) != NULL);
		sweep_read(written, true, "", &again, &faults);
		require(!faults.count);
		require_same(json_incref(written), sweep_document(&again));
		json_decref(written);
	}
	json_decref(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *document;

	if (!size || json_read((const char *)data + 1, size - 1, &document, NULL)) return 0;
	memset(&faults, 0, sizeof faults);
	switch (data[0] % 5) {
	case 0: read_definition(document, false, size); break;
	case 1: read_definition(document, true, size); break;
	case 2: read_request(document, false, size); break;
	case 3: read_request(document, true, size); break;
	default:
		if (json_is_object(document)) read_sweep(document, size);
	}
	json_decref(document);
	return 0;
}
