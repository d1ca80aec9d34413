/* test_sweep_run.c - one run of a sweep: its values land in the network and the :train that they are of, what cannot be
 * together is refused as :train would, and the config that comes of it makes the same run again.
 */
#include <stdlib.h>

#include "tests/unit/sweep_reading.h"

#define ROWS 100

/* Models of two inputs and one output. */
#define TWO_LAYERS  "\"layers\":[{\"units\":4,\"activation\":\"tanh\",\"l2\":0.5},8]"
#define NO_LAYERS   "\"layers\":[]"
#define NORMALIZED  "\"layers\":[{\"units\":4,\"batch_norm\":true}]"
#define BOTH_LAYERS "\"layers\":[4,{\"units\":4,\"from\":[0]}],\"output_from\":[0,1]"
#define CHOSEN \
	"\"metadata\":{}" /* no layers are said: one is chosen, with an l2 that the output layer has too */
#define TWO_HEADS \
	"\"layers\":[4],\"outputs\":[{\"name\":\"y\",\"type\":\"number\"},{\"name\":\"z\",\"type\":\"category\",\"values\":[\"a\",\"b\"]}]"
#define DATA        "\"dataset\":\"d\""
#define HELD_OUT    DATA ",\"validation\":{\"split\":0.2}"
#define BY_A_COLUMN DATA ",\"validation\":{\"column\":\"c\",\"value\":1}"

static struct sweep_base base_of(const char *fields)
{
	struct definition d;
	char text[512];
	json_t *model;

	snprintf(text, sizeof text, "{\"inputs\":2%s,%s}",
			strstr(fields, "\"outputs\"") ? "" : ",\"outputs\":1", fields);
	memset(&faults, 0, sizeof faults);
	definition_read(json_of(text), false, &d, &faults);
	if (!faults.count) definition_finish(&d, ROWS, &faults);
	ASSERT_NO_FAULTS(text);
	model = keep(definition_document(&d));
	definition_clear(&d);
	return (struct sweep_base){ model, ROWS, false, 4 };
}

/* A run with these values; sweep_run_clear. Faults are in faults. */
static struct sweep_run run_of(const char *model, const char *request, const char *values, uint64_t held_rows)
{
	struct sweep_base base = base_of(model);
	struct sweep s = sweep_of("\"units\":[4]", "", 9);
	char text[512];
	struct sweep_run run;
	struct err e;

	snprintf(text, sizeof text, "{%s}", request);
	s.request = json_of(text);
	s.held_rows = held_rows;
	snprintf(text, sizeof text, "{%s}", values);
	ck_assert_int_eq(sweep_run_make(&s, &base, 1, json_of(text), &run, &faults, &e), 0);
	return run;
}

/* A member of the config by path of keys and indices, "network/layers/0/units"; borrowed. */
static const char *shown(const struct sweep_run *run, const char *path)
{
	json_t *at = run->config;
	char step[64];

	for (; *path && at; path += *path == '/') {
		size_t n = strcspn(path, "/");

		snprintf(step, sizeof step, "%.*s", (int)n, path);
		at = json_is_array(at) ? json_array_get(at, strtoul(step, NULL, 10))
				       : json_object_get(at, step);
		path += n;
	}
	return at ? text_of(json_incref(at)) : "not there";
}

/* ---- where values land ---- */

START_TEST(values_land_in_the_network)
{
	static const struct {
		const char *model, *values, *path, *shown;
	} cases[] = {
		{ TWO_LAYERS, "\"batch_size\":5", "network", "not there" }, /* it is the model's */
		{ TWO_LAYERS, "\"units\":9", "network/layers/0",
				"{\"units\":9,\"activation\":\"tanh\",\"bias\":true,\"dropout\":0,\"l1\":0,\"l2\":0.5}" },
		{ TWO_LAYERS, "\"units\":9", "network/layers/1",
				"{\"units\":9,\"activation\":\"relu\",\"bias\":true,\"dropout\":0,\"l1\":0,\"l2\":0}" },
		{ TWO_LAYERS, "\"units\":9", "network/layers/2", "not there" },
		{ TWO_LAYERS, "\"activation\":\"elu\"", "network/layers/0/activation", "\"elu\"" },
		{ TWO_LAYERS, "\"activation\":\"elu\"", "network/layers/1/activation", "\"elu\"" },
		{ TWO_LAYERS, "\"dropout\":0.25", "network/layers/1/dropout", "0.25" },
		{ TWO_LAYERS, "\"l1\":0.25", "network/layers/1/l1", "0.25" },
		{ TWO_LAYERS, "\"l2\":0.25", "network/layers/0/l2", "0.25" },
		{ TWO_LAYERS, "\"l2\":0.25", "network/layers/1/l2", "0.25" },
		{ TWO_LAYERS, "\"max_norm\":2.5", "network/layers/1/max_norm", "2.5" },
		{ TWO_LAYERS, "\"batch_norm\":true", "network/layers/1/batch_norm", "true" },
		{ TWO_LAYERS, "\"layer_norm\":true", "network/layers/1/layer_norm", "true" },
		{ NORMALIZED, "\"batch_norm\":false", "network/layers/0/batch_norm", "not there" },
		{ NORMALIZED, "\"batch_norm\":false,\"layer_norm\":true", "network/layers/0/layer_norm",
				"true" },
		{ TWO_LAYERS, "\"init\":\"zeros\"", "network/layers/1/init", "{\"name\":\"zeros\"}" },
		{ TWO_LAYERS, "\"init\":{\"name\":\"constant\",\"value\":0.5}", "network/layers/0/init",
				"{\"name\":\"constant\",\"value\":0.5}" },
		/* a number of layers: so many like the model's first */
		{ TWO_LAYERS, "\"layers\":0", "network/layers", "[]" },
		{ TWO_LAYERS, "\"layers\":1", "network/layers/0/activation", "\"tanh\"" },
		{ TWO_LAYERS, "\"layers\":1", "network/layers/1", "not there" },
		{ TWO_LAYERS, "\"layers\":3", "network/layers/2",
				"{\"units\":4,\"activation\":\"tanh\",\"bias\":true,\"dropout\":0,\"l1\":0,\"l2\":0.5}" },
		/* a list: these, and what else is said is of each of them, whichever came first */
		{ TWO_LAYERS, "\"layers\":[7]", "network/layers/0",
				"{\"units\":7,\"activation\":\"relu\",\"bias\":true,\"dropout\":0,\"l1\":0,\"l2\":0}" },
		{ TWO_LAYERS, "\"layers\":[7,{\"units\":6,\"bias\":false}],\"dropout\":0.5",
				"network/layers/0/dropout", "0.5" },
		{ TWO_LAYERS, "\"dropout\":0.5,\"layers\":[7,{\"units\":6,\"bias\":false}]",
				"network/layers/1",
				"{\"units\":6,\"activation\":\"relu\",\"bias\":false,\"dropout\":0.5,\"l1\":0,\"l2\":0}" },
		{ TWO_LAYERS, "\"units\":5,\"layers\":2", "network/layers/1/units", "5" },
		{ NO_LAYERS, "\"layers\":2,\"units\":5", "network/layers/1/units", "5" },
		{ NO_LAYERS, "\"units\":5", "network/layers", "[]" },
		/* the output layer goes along with the hidden ones where that was chosen, and not where layers were said */
		{ TWO_LAYERS, "\"l2\":0.25", "network/output_l2", "0" },
		{ CHOSEN, "\"l2\":0.25", "network/output_l2", "0.25" },
		{ CHOSEN, "\"l2\":0.25", "network/layers/0/l2", "0.25" },
		{ CHOSEN, "\"l2\":0", "network/output_l2", "0" },
		{ CHOSEN, "\"layers\":2,\"l2\":0.25", "network/output_l2", "0.25" },
		{ CHOSEN, "\"layers\":[7]", "network/output_l2", "0" },
		{ CHOSEN, "\"layers\":[7],\"l2\":0.25", "network/output_l2", "0" },
		{ CHOSEN, "\"layers\":[7],\"l2\":0.25", "network/layers/0/l2", "0.25" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep_run run = run_of(cases[i].model, DATA, cases[i].values, 0);

		ASSERT_NO_FAULTS(cases[i].values);
		ck_assert_str_eq(shown(&run, cases[i].path), cases[i].shown);
		sweep_run_clear(&run);
	}
}
END_TEST

/* Where no l2 is searched, the network that was chosen keeps its own. */
START_TEST(output_l2_stays_where_it_is_not_searched)
{
	struct sweep_base base = base_of(CHOSEN);
	const char *l2 = text_of(json_incref(json_object_get(base.model, "output_l2")));
	struct sweep_run run = run_of(CHOSEN, DATA, "\"units\":9,\"layers\":2", 0);

	ASSERT_NO_FAULTS("units");
	ck_assert_double_gt(strtod(l2, NULL), 0);
	ck_assert_str_eq(shown(&run, "network/output_l2"), l2);
	ck_assert_str_eq(shown(&run, "network/layers/1/l2"), l2);
	sweep_run_clear(&run);
}
END_TEST

START_TEST(values_land_in_the_request)
{
	static const struct {
		const char *request, *values, *path, *shown;
	} cases[] = {
		{ DATA, "\"batch_size\":5", "batch_size", "5" },
		{ DATA, "\"batch_size\":\"full\"", "batch_size", "\"full\"" },
		{ DATA ",\"batch_size\":7", "\"batch_size\":5", "batch_size",
				"5" }, /* whatever the others have */
		{ DATA ",\"batch_size\":7", "\"units\":5", "batch_size", "7" },
		{ DATA, "\"epochs\":5", "epochs", "5" },
		{ DATA, "\"schedule\":\"exponential\"", "schedule/name", "\"exponential\"" },
		{ DATA ",\"schedule\":\"cosine\"", "\"schedule\":null", "schedule", "null" },
		{ HELD_OUT, "\"early_stopping\":{\"patience\":3}", "early_stopping/patience", "3" },
		{ HELD_OUT, "\"early_stopping\":{\"patience\":3}", "early_stopping/monitor", "\"val_loss\"" },
		{ DATA, "\"gradient_clip_norm\":2.5", "gradient_clip_norm", "2.5" },
		{ DATA, "\"gradient_clip_value\":2.5", "gradient_clip_value", "2.5" },
		{ DATA, "\"accumulate\":3", "accumulate", "3" },
		{ DATA, "\"noise\":0.5", "noise/input", "0.5" },
		{ DATA, "\"ema_decay\":0.5", "ema_decay", "0.5" },
		{ DATA ",\"seed\":1", "\"seed\":7", "seed", "7" },
		{ DATA, "\"optimizer\":\"sgd\"", "optimizer/name", "\"sgd\"" },
		/* what is of the optimizer, beside whatever names it */
		{ DATA, "\"learning_rate\":0.5", "optimizer/name", "\"adam\"" },
		{ DATA, "\"learning_rate\":0.5", "optimizer/learning_rate", "0.5" },
		{ DATA ",\"optimizer\":\"sgd\"", "\"learning_rate\":0.5", "optimizer",
				"{\"name\":\"sgd\",\"learning_rate\":0.5}" },
		{ DATA ",\"optimizer\":{\"name\":\"momentum\",\"momentum\":0.25}", "\"learning_rate\":0.5",
				"optimizer",
				"{\"name\":\"momentum\",\"learning_rate\":0.5,\"momentum\":0.25}" },
		{ DATA ",\"optimizer\":{\"name\":\"momentum\",\"momentum\":0.25}", "\"momentum\":0.5",
				"optimizer/momentum", "0.5" },
		{ DATA, "\"optimizer\":\"sgd\",\"learning_rate\":0.5", "optimizer",
				"{\"name\":\"sgd\",\"learning_rate\":0.5}" },
		{ DATA, "\"learning_rate\":0.5,\"optimizer\":\"sgd\"", "optimizer",
				"{\"name\":\"sgd\",\"learning_rate\":0.5}" },
		{ DATA, "\"momentum\":0.5,\"optimizer\":{\"name\":\"momentum\",\"learning_rate\":0.25}",
				"optimizer",
				"{\"name\":\"momentum\",\"learning_rate\":0.25,\"momentum\":0.5}" },
		{ DATA ",\"optimizer\":\"sgd\"", "\"optimizer\":\"adamw\",\"weight_decay\":0.5",
				"optimizer/weight_decay", "0.5" },
		/* and what is the model's, or chosen as for any :train */
		{ DATA, "\"units\":5", "dataset", "\"d\"" },
		{ DATA, "\"units\":5", "loss", "{\"name\":\"mse\"}" },
		{ DATA ",\"loss\":\"mae\"", "\"units\":5", "loss", "{\"name\":\"mae\"}" },
		{ DATA, "\"units\":5", "threads", "4" },
		{ HELD_OUT, "\"units\":5", "validation", "{\"split\":0.2,\"stratify\":false}" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep_run run = run_of(TWO_LAYERS, cases[i].request, cases[i].values, 0);

		ASSERT_NO_FAULTS(cases[i].values);
		ck_assert_str_eq(shown(&run, cases[i].path), cases[i].shown);
		sweep_run_clear(&run);
	}
}
END_TEST

START_TEST(several_heads_keep_their_losses)
{
	struct sweep_run run = run_of(TWO_HEADS, DATA, "\"units\":5,\"l2\":0.25", 0);

	ASSERT_NO_FAULTS("two heads");
	ck_assert_str_eq(shown(&run, "loss"), "not there");
	ck_assert_str_eq(shown(&run, "network/layers/0/units"), "5");
	ck_assert_uint_eq(definition_heads(&run.definition), 2);
	sweep_run_clear(&run);
}
END_TEST

/* ---- what cannot be together ---- */

START_TEST(every_fault)
{
	static const struct {
		const char *model, *request, *values;
		enum err_code code;
		const char *pointer;
	} cases[] = {
		{ TWO_LAYERS, DATA, "\"layers\":-1", ERR_INVALID, "/layers" },
		{ TWO_LAYERS, DATA, "\"layers\":65", ERR_INVALID, "/layers" },
		{ TWO_LAYERS, DATA, "\"layers\":1.5", ERR_INVALID, "/layers" },
		{ TWO_LAYERS, DATA, "\"layers\":\"2\"", ERR_INVALID, "/layers" },
		{ TWO_LAYERS, DATA, "\"layers\":null", ERR_INVALID, "/layers" },
		{ TWO_LAYERS, DATA, "\"layers\":{\"units\":3}", ERR_INVALID, "/layers" },
		{ TWO_LAYERS, DATA, "\"layers\":[4,0]", ERR_RANGE, "/layers/1" },
		{ TWO_LAYERS, DATA, "\"layers\":[4,{\"activation\":\"tanh\"}]", ERR_MISSING_FIELD,
				"/layers/1" },
		{ NO_LAYERS, DATA, "\"layers\":[\"wide\"]", ERR_INVALID, "/layers/0" },
		{ NORMALIZED, DATA, "\"units\":0", ERR_RANGE, "/layers/0/units" },
		{ NORMALIZED, DATA, "\"units\":\"wide\"", ERR_INVALID, "/layers/0/units" },
		{ NORMALIZED, DATA, "\"dropout\":1", ERR_RANGE, "/layers/0/dropout" },
		{ NORMALIZED, DATA, "\"activation\":\"tanhh\"", ERR_INVALID, "/layers/0/activation" },
		{ NORMALIZED, DATA, "\"activation\":\"step\"", ERR_INVALID,
				"/layers/0/activation" }, /* is flat */
		{ NORMALIZED, DATA, "\"init\":\"one\"", ERR_INVALID, "/layers/0/init" },
		{ NORMALIZED, DATA, "\"layer_norm\":true", ERR_INVALID, "/layers/0/layer_norm" },
		{ NORMALIZED, DATA, "\"optimizer\":\"best\"", ERR_INVALID, "/optimizer" },
		{ NORMALIZED, DATA, "\"momentum\":0.5", ERR_INVALID, "" }, /* adam has none */
		{ NORMALIZED, DATA ",\"optimizer\":\"momentum\"", "\"optimizer\":\"sgd\",\"momentum\":0.5",
				ERR_INVALID, "" },
		{ NORMALIZED, DATA, "\"optimizer\":\"best\",\"learning_rate\":0.5", ERR_INVALID,
				"/optimizer" },
		{ NORMALIZED, DATA, "\"learning_rate\":-1", ERR_RANGE, "/optimizer/learning_rate" },
		{ NORMALIZED, DATA, "\"batch_size\":101", ERR_RANGE, "/batch_size" },
		{ NORMALIZED, HELD_OUT, "\"batch_size\":81", ERR_RANGE, "/batch_size" },
		{ NORMALIZED, DATA, "\"optimizer\":\"lbfgs\",\"batch_size\":8", ERR_INVALID, "/batch_size" },
		{ NORMALIZED, DATA ",\"accumulate\":2", "\"optimizer\":\"lbfgs\"", ERR_INVALID,
				"/accumulate" },
		{ NORMALIZED, DATA, "\"epochs\":0", ERR_RANGE, "/epochs" },
		{ NORMALIZED, DATA, "\"seed\":-1", ERR_RANGE, "/seed" },
		{ NORMALIZED, DATA, "\"early_stopping\":{\"monitor\":\"val_loss\"}", ERR_INVALID,
				"/early_stopping/monitor" },
		{ NORMALIZED, DATA, "\"schedule\":\"cosin\"", ERR_INVALID, "/schedule" },
		/* layers that read others which the run does not have */
		{ BOTH_LAYERS, DATA, "\"layers\":[4]", ERR_INVALID, "/layers" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep_run run = run_of(cases[i].model, cases[i].request, cases[i].values, 0);

		ASSERT_FAULT(cases[i].values, cases[i].code, cases[i].pointer);
		sweep_run_clear(&run);
	}
}
END_TEST

/* Rows that a column holds out are no rows of a batch, where it is known how many they are. */
START_TEST(held_rows_are_not_trained_on)
{
	static const struct {
		uint64_t held_rows;
		size_t faults;
	} cases[] = { { 0, 0 }, { 92, 0 }, { 93, 1 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep_run run =
				run_of(NORMALIZED, BY_A_COLUMN, "\"batch_size\":8", cases[i].held_rows);

		ck_assert_uint_eq(faults.count, cases[i].faults);
		if (faults.count) ASSERT_FAULT("92 are trained on", ERR_RANGE, "/batch_size");
		sweep_run_clear(&run);
	}
}
END_TEST

/* ---- runs by number ---- */

/* Run `number`, and the same once more of the config that a worker reads. */
static void assert_run(
		const struct sweep *s, const struct sweep_base *base, uint64_t number, uint64_t bracket)
{
	struct definition again;
	struct train_request request;
	json_t *document, *config;
	struct sweep_run run;
	struct err e;

	ck_assert_int_eq(sweep_run_make(s, base, number, NULL, &run, &faults, &e), 0);
	ASSERT_NO_FAULTS(tried(s, number));
	ck_assert_str_eq(text_of(json_incref(run.parameters)), tried(s, number));
	ck_assert_str_eq(shown(&run, "sweep/parameters"), tried(s, number));
	ck_assert_uint_eq(strtoull(shown(&run, "sweep/run"), NULL, 10), number);
	ck_assert_uint_eq(strtoull(shown(&run, "sweep/bracket"), NULL, 10), bracket);
	config = json_of(text_of(json_incref(run.config)));
	train_request_read(config, true, &request, &faults);
	document = keep(json_copy((json_t *)base->model));
	if (request.network) ck_assert_int_eq(definition_override(document, request.network, &e), 0);
	definition_read(document, true, &again, &faults);
	definition_finish(&again, 0, &faults);
	ASSERT_NO_FAULTS(tried(s, number));
	ck_assert_str_eq(text_of(definition_document(&again)), text_of(definition_document(&run.definition)));
	ck_assert_str_eq(text_of(train_request_document(&request)), text_of(json_incref(config)));
	ck_assert_uint_eq(request.core.batch_size, run.request.core.batch_size);
	ck_assert_uint_eq(request.core.epochs, run.request.core.epochs);
	definition_clear(&again);
	sweep_run_clear(&run);
	ck_assert_ptr_null(run.config);
}

START_TEST(config_makes_the_run_again_and_nothing_borrowed_is_changed)
{
	static const struct {
		const char *model, *space;
	} cases[] = {
		{ TWO_LAYERS, "\"layers\":[1,[],[4,{\"units\":3}]],\"units\":{\"min\":2,\"max\":4},\"l2\":[0,0.5]" },
		{ CHOSEN, "\"l2\":{\"min\":0.001,\"max\":1,\"log\":true},\"dropout\":[0,0.5]" },
		{ NORMALIZED, "\"optimizer\":[\"sgd\",{\"name\":\"adam\",\"beta_1\":0.5}],\"learning_rate\":{\"min\":0.001,"
			      "\"max\":1},\"batch_size\":[\"full\",8]" },
	};
	static const uint64_t brackets[] = {
		[1] = 1, [27] = 1, [28] = 2, [39] = 2, [40] = 3, [46] = 4, [50] = 5
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sweep_base base = base_of(cases[i].model);
		struct sweep s = sweep_of(cases[i].space,
				"\"strategy\":\"hyperband\",\"min_epochs\":1,\"runs\":60", 27);
		const char *model = text_of(json_incref((json_t *)base.model)), *whole;

		s.request = json_of(
				"{" DATA
				",\"optimizer\":{\"name\":\"sgd\",\"learning_rate\":0.25},\"epochs\":27}");
		whole = text_of(sweep_document(&s));
		for (uint64_t run = 1; run < COUNT(brackets); run++)
			if (brackets[run]) assert_run(&s, &base, run, brackets[run]);
		ck_assert_str_eq(text_of(json_incref((json_t *)base.model)), model);
		ck_assert_str_eq(text_of(sweep_document(&s)), whole);
	}
}
END_TEST

/* ---- values alone ---- */

struct values {
	char text[512];
	size_t used, count, stop_after;
};

static int see_value(void *self, json_t *parameters, const char *at, struct err *e)
{
	struct values *v = self;

	(void)e;
	v->used += (size_t)snprintf(v->text + v->used, sizeof v->text - v->used, "%s %s\n", at,
			text_of(json_incref(parameters)));
	return ++v->count == v->stop_after ? 4711 : 0;
}

START_TEST(each_value_is_tried_alone)
{
	struct sweep s = sweep_of("\"units\":[4,8],\"l1\":{\"min\":0,\"max\":0.5},\"layers\":[[1,2],3],"
				  "\"batch_size\":{\"min\":2,\"max\":64,\"log\":true,\"steps\":6}",
			"", 9);
	struct values values = { 0 }, some = { .stop_after = 3 };
	struct err e;

	ck_assert_int_eq(sweep_each_value(&s, see_value, &values, &e), 0);
	ck_assert_str_eq(values.text, "/space/units/0 {\"units\":4}\n"
				      "/space/units/1 {\"units\":8}\n"
				      "/space/l1/min {\"l1\":0}\n"
				      "/space/l1/max {\"l1\":0.5}\n"
				      "/space/layers/0 {\"layers\":[1,2]}\n"
				      "/space/layers/1 {\"layers\":3}\n"
				      "/space/batch_size/min {\"batch_size\":2}\n"
				      "/space/batch_size/max {\"batch_size\":64}\n");
	ck_assert_int_eq(sweep_each_value(&s, see_value, &some, &e), 4711);
	ck_assert_uint_eq(some.count, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { values_land_in_the_network, output_l2_stays_where_it_is_not_searched,
		values_land_in_the_request, several_heads_keep_their_losses, every_fault,
		held_rows_are_not_trained_on, config_makes_the_run_again_and_nothing_borrowed_is_changed,
		each_value_is_tried_alone, NULL };

	return suite_main("sweep_run", tests, 30);
}
