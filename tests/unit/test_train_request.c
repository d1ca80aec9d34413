/* test_train_request.c - what :train may be asked: every field, what is chosen for those left out, every fault, and
 * that the worker reads in the job's config what was asked for.
 */
#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/train_request.h"
#include "tests/unit/suite.h"

static struct faults faults;

/* Documents live until the test's process ends, as what is read borrows from them. */
static json_t *keep(json_t *document)
{
	static json_t *kept;

	if (!kept) kept = json_array();
	ck_assert_int_eq(json_array_append_new(kept, document), 0);
	return document;
}

static json_t *json_of(const char *text)
{
	json_error_t why;
	json_t *document = json_loads(text, JSON_DECODE_ANY, &why);

	ck_assert_msg(document != NULL, "%s: %s", text, why.text);
	return keep(document);
}

static struct train_request reads(const char *text)
{
	struct train_request r;

	memset(&faults, 0, sizeof faults);
	train_request_read(json_of(text), false, &r, &faults);
	return r;
}

/* Reads {"dataset":"d", …fields} and completes it for data of so many rows. */
static struct train_request resolves(const char *fields, uint64_t rows, unsigned threads)
{
	char text[512];
	struct train_request r;

	snprintf(text, sizeof text, "{\"dataset\":\"d\"%s%s}", *fields ? "," : "", fields);
	r = reads(text);
	ck_assert_msg(!faults.count, "%s: %s", text, faults.items[0].detail);
	train_request_resolve(&r, rows, true, threads, &faults);
	if (!r.loss) {
		r.loss = loss_find("mse");
		params_fallback(r.loss->params, r.loss_params);
	}
	return r;
}

/* A field as the config of a job shows it; borrowed. */
static const char *shown(const struct train_request *r, const char *field)
{
	json_t *value = json_object_get(keep(train_request_document(r)), field);
	char *text;
	json_t *copy;

	ck_assert_msg(value != NULL, "the config has no %s", field);
	text = json_text(value, false);
	copy = keep(json_string(text));
	free(text);
	return json_string_value(copy);
}

START_TEST(every_field_is_kept)
{
	static const struct {
		const char *fields, *field, *shown;
	} cases[] = {
		{ "", "dataset", "\"d\"" },
		{ "\"epochs\":1", "epochs", "1" },
		{ "\"epochs\":10000000", "epochs", "10000000" },
		{ "\"batch_size\":7", "batch_size", "7" },
		{ "\"batch_size\":100", "batch_size", "100" },
		{ "\"batch_size\":\"full\"", "batch_size", "\"full\"" },
		{ "\"shuffle\":false", "shuffle", "false" },
		{ "\"shuffle\":true", "shuffle", "true" },
		{ "\"seed\":9007199254740991", "seed", "9007199254740991" },
		{ "\"seed\":3", "seed", "3" },
		{ "\"threads\":1", "threads", "1" },
		{ "\"threads\":3", "threads", "3" },
		{ "\"threads\":1024", "threads", "4" }, /* there are no more */
		{ "\"max_seconds\":0.5", "max_seconds", "0.5" },
		{ "\"max_seconds\":null", "max_seconds", "null" },
		{ "\"target_loss\":0", "target_loss", "0" },
		{ "\"target_loss\":0.01", "target_loss", "0.01" },
		{ "\"target_loss\":null", "target_loss", "null" },
		{ "\"loss\":\"mse\"", "loss", "{\"name\":\"mse\"}" },
		{ "\"loss\":{\"name\":\"cross_entropy\"}", "loss",
				"{\"name\":\"cross_entropy\",\"label_smoothing\":0}" },
		{ "\"schedule\":null", "schedule", "null" },
		{ "\"schedule\":\"constant\"", "schedule", "null" },
		{ "\"schedule\":{\"name\":\"constant\",\"warmup\":2.5}", "schedule",
				"{\"name\":\"constant\",\"warmup\":2.5}" },
		{ "\"schedule\":\"polynomial\"", "schedule",
				"{\"name\":\"polynomial\",\"warmup\":0,\"power\":1,\"end_factor\":0}" },
		{ "\"schedule\":{\"name\":\"multistep\",\"milestones\":[30,40.5],\"gamma\":0.25}", "schedule",
				"{\"name\":\"multistep\",\"warmup\":0,\"gamma\":0.25,\"milestones\":[30,40.5]}" },
		{ "\"validation\":{\"split\":0.25}", "validation", "{\"split\":0.25,\"stratify\":true}" },
		{ "\"validation\":{\"split\":0.25,\"stratify\":false}", "validation",
				"{\"split\":0.25,\"stratify\":false}" },
		{ "\"validation\":{\"split\":0.25,\"order_by\":\"day\"}", "validation",
				"{\"split\":0.25,\"stratify\":false,\"order_by\":\"day\"}" },
		{ "\"validation\":{\"fold\":2,\"of\":5}", "validation",
				"{\"fold\":2,\"of\":5,\"stratify\":true}" },
		{ "\"validation\":{\"fold\":2,\"of\":5,\"stratify\":false}", "validation",
				"{\"fold\":2,\"of\":5,\"stratify\":false}" },
		{ "\"validation\":{\"dataset\":\"later\"}", "validation", "{\"dataset\":\"later\"}" },
		{ "\"validation\":{\"column\":\"fold\",\"value\":3}", "validation",
				"{\"column\":\"fold\",\"value\":3}" },
		{ "\"validation\":null", "validation", "null" },
		{ "\"from\":\"latest\"", "from", "\"latest\"" },
		{ "\"from\":\"12\"", "from", "\"12\"" },
		{ "\"optimizer\":{\"name\":\"momentum\",\"momentum\":0.5,\"learning_rate\":0.25}",
				"optimizer",
				"{\"name\":\"momentum\",\"learning_rate\":0.25,\"momentum\":0.5}" },
		{ "\"validation\":{\"split\":0.5},\"early_stopping\":{\"monitor\":\"val_loss\",\"patience\":3,"
		  "\"min_delta\":0.5,\"restore_best\":false}",
				"early_stopping",
				"{\"monitor\":\"val_loss\",\"patience\":3,\"min_delta\":0.5,\"restore_best\":false}" },
		{ "\"early_stopping\":{\"monitor\":\"loss\",\"restore_best\":true}", "early_stopping",
				"{\"monitor\":\"loss\",\"patience\":20,\"min_delta\":0,\"restore_best\":true}" },
		{ "\"early_stopping\":null", "early_stopping", "null" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct train_request r = resolves(cases[i].fields, 200, 4);

		ck_assert_uint_eq(faults.count, 0);
		ck_assert_str_eq(shown(&r, cases[i].field), cases[i].shown);
	}
	ck_assert_str_eq(reads("{\"dataset\":\"d\",\"note\":\"mine\"}").note, "mine");
	ck_assert_str_eq(reads("{\"dataset\":\"d\"}").note, "");
}
END_TEST

START_TEST(what_is_chosen)
{
	static const struct {
		uint64_t rows;
		const char *field, *shown;
	} cases[] = {
		/* enough for some 4000 steps, but each row 50 times and no more than 1000 times */
		{ 1, "epochs", "1000" },
		{ 5, "epochs", "1000" },
		{ 500, "epochs", "250" },
		{ 1999, "epochs", "64" },
		{ 20000, "epochs", "50" },
		{ 20001, "epochs", "200" },
		{ 150, "batch_size", "32" },
		{ 5, "batch_size", "5" }, /* not above the data */
		{ 20001, "batch_size", "128" },
		{ 150, "shuffle", "true" },
		{ 150, "seed", "0" },
		{ 150, "threads", "4" },
		{ 150, "max_seconds", "null" },
		{ 150, "target_loss", "null" },
		{ 150, "from", "\"scratch\"" },
		/* few rows: all are trained on; many: a tenth says when to stop */
		{ 20000, "validation", "null" },
		{ 20000, "early_stopping", "null" },
		{ 20001, "validation", "{\"split\":0.1,\"stratify\":true}" },
		{ 20001, "early_stopping",
				"{\"monitor\":\"val_loss\",\"patience\":20,\"min_delta\":0,\"restore_best\":true}" },
	};
	struct train_request r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		r = resolves("", cases[i].rows, 4);
		ck_assert_str_eq(shown(&r, cases[i].field), cases[i].shown);
	}
	r = resolves("", 0, 4); /* no rows are refused, and nothing is divided by them */
	ck_assert_str_eq(shown(&r, "epochs"), "1000");
	r = resolves("\"validation\":null", 50000, 4); /* off is off */
	ck_assert_str_eq(shown(&r, "early_stopping"), "null");
	r = resolves("\"early_stopping\":null", 50000, 4);
	ck_assert_str_eq(shown(&r, "validation"), "{\"split\":0.1,\"stratify\":true}");
	r = resolves("\"early_stopping\":{}", 500, 4); /* nothing held out: looks at the loss */
	ck_assert_str_eq(r.monitor, "loss");
	ck_assert(r.core.monitor_training);
	r = resolves("\"early_stopping\":{},\"validation\":{\"split\":0.5}", 500, 4);
	ck_assert_str_eq(r.monitor, "val_loss");
	ck_assert(!r.core.monitor_training);
}
END_TEST

START_TEST(the_learning_rate)
{
	static const struct {
		const char *fields;
		const char *name;
		double rate;
	} cases[] = {
		{ "", "adam", 0.003 },
		{ "\"optimizer\":\"adam\"", "adam", 0.003 },
		{ "\"optimizer\":{\"name\":\"adam\",\"beta_1\":0.5}", "adam", 0.003 },
		{ "\"optimizer\":{\"name\":\"adam\",\"learning_rate\":0.5}", "adam", 0.5 },
		{ "\"optimizer\":{\"name\":\"sgd\",\"learning_rate\":0.5}", "sgd", 0.5 },
	};
	struct train_request r = resolves("\"optimizer\":\"sgd\"", 100, 1);

	ck_assert_double_eq(r.core.optimizer_params[0], optim_find("sgd")->params[0].fallback);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		r = resolves(cases[i].fields, 100, 1);
		ck_assert_str_eq(r.core.optimizer->name, cases[i].name);
		ck_assert_str_eq(r.core.optimizer->params[0].name, "learning_rate");
		ck_assert_double_eq(r.core.optimizer_params[0], cases[i].rate);
	}
}
END_TEST

START_TEST(every_fault)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *pointer;
	} cases[] = {
		{ "[]", ERR_INVALID, "" },
		{ "{}", ERR_MISSING_FIELD, "" },
		{ "{\"dataset\":null}", ERR_MISSING_FIELD, "" },
		{ "{\"dataset\":1}", ERR_INVALID, "/dataset" },
		{ "{\"dataset\":\"d\",\"data\":true}", ERR_INVALID, "/data" },
		{ "{\"dataset\":\"d\",\"epoch\":1}", ERR_UNKNOWN_FIELD, "/epoch" },
		{ "{\"dataset\":\"d\",\"epochs\":0}", ERR_RANGE, "/epochs" },
		{ "{\"dataset\":\"d\",\"epochs\":1e12}", ERR_RANGE, "/epochs" },
		{ "{\"dataset\":\"d\",\"epochs\":1.5}", ERR_INVALID, "/epochs" },
		{ "{\"dataset\":\"d\",\"epochs\":null}", ERR_INVALID, "/epochs" },
		{ "{\"dataset\":\"d\",\"batch_size\":0}", ERR_RANGE, "/batch_size" },
		{ "{\"dataset\":\"d\",\"batch_size\":\"all\"}", ERR_INVALID, "/batch_size" },
		{ "{\"dataset\":\"d\",\"batch_size\":null}", ERR_INVALID, "/batch_size" },
		{ "{\"dataset\":\"d\",\"batch_size\":5000000000}", ERR_RANGE, "/batch_size" },
		{ "{\"dataset\":\"d\",\"shuffle\":1}", ERR_INVALID, "/shuffle" },
		{ "{\"dataset\":\"d\",\"seed\":-1}", ERR_RANGE, "/seed" },
		{ "{\"dataset\":\"d\",\"seed\":1e16}", ERR_RANGE, "/seed" },
		{ "{\"dataset\":\"d\",\"threads\":0}", ERR_RANGE, "/threads" },
		{ "{\"dataset\":\"d\",\"threads\":1025}", ERR_RANGE, "/threads" },
		{ "{\"dataset\":\"d\",\"max_seconds\":0}", ERR_RANGE, "/max_seconds" },
		{ "{\"dataset\":\"d\",\"max_seconds\":2e9}", ERR_RANGE, "/max_seconds" },
		{ "{\"dataset\":\"d\",\"target_loss\":-0.1}", ERR_RANGE, "/target_loss" },
		{ "{\"dataset\":\"d\",\"optimizer\":\"adm\"}", ERR_INVALID, "/optimizer" },
		{ "{\"dataset\":\"d\",\"optimizer\":{}}", ERR_MISSING_FIELD, "/optimizer" },
		{ "{\"dataset\":\"d\",\"schedule\":\"cosin\"}", ERR_INVALID, "/schedule" },
		{ "{\"dataset\":\"d\",\"schedule\":3}", ERR_INVALID, "/schedule" },
		{ "{\"dataset\":\"d\",\"schedule\":{\"name\":\"step\",\"gamma\":0}}", ERR_RANGE,
				"/schedule/gamma" },
		{ "{\"dataset\":\"d\",\"schedule\":{\"name\":\"step\",\"warm_up\":1}}", ERR_UNKNOWN_FIELD,
				"/schedule/warm_up" },
		{ "{\"dataset\":\"d\",\"schedule\":{\"name\":\"multistep\",\"milestones\":[1,-1]}}",
				ERR_RANGE, "/schedule/milestones/1" },
		{ "{\"dataset\":\"d\",\"optimizer\":{\"name\":\"adam\",\"learning_rate\":0}}", ERR_RANGE,
				"/optimizer/learning_rate" },
		{ "{\"dataset\":\"d\",\"optimizer\":{\"name\":\"adam\",\"learning_rate\":-1}}", ERR_RANGE,
				"/optimizer/learning_rate" },
		{ "{\"dataset\":\"d\",\"optimizer\":{\"name\":\"adam\",\"learning_rate\":1e38}}", ERR_RANGE,
				"/optimizer/learning_rate" },
		{ "{\"dataset\":\"d\",\"optimizer\":{\"name\":\"adam\",\"learning_rate\":\"fast\"}}",
				ERR_INVALID, "/optimizer/learning_rate" },
		{ "{\"dataset\":\"d\",\"optimizer\":{\"name\":\"sgd\",\"beta_1\":0.5}}", ERR_UNKNOWN_FIELD,
				"/optimizer/beta_1" },
		{ "{\"dataset\":\"d\",\"loss\":\"msee\"}", ERR_INVALID, "/loss" },
		{ "{\"dataset\":\"d\",\"loss\":null}", ERR_INVALID, "/loss" },
		{ "{\"dataset\":\"d\",\"validation\":0.2}", ERR_INVALID, "/validation" },
		{ "{\"dataset\":\"d\",\"validation\":{}}", ERR_MISSING_FIELD, "/validation" },
		{ "{\"dataset\":\"d\",\"validation\":{\"split\":0}}", ERR_RANGE, "/validation/split" },
		{ "{\"dataset\":\"d\",\"validation\":{\"split\":0.91}}", ERR_RANGE, "/validation/split" },
		{ "{\"dataset\":\"d\",\"validation\":{\"fould\":1,\"split\":0.1}}", ERR_UNKNOWN_FIELD,
				"/validation/fould" },
		{ "{\"dataset\":\"d\",\"validation\":{\"split\":0.1,\"dataset\":\"e\"}}", ERR_INVALID,
				"/validation" },
		{ "{\"dataset\":\"d\",\"validation\":{\"dataset\":\"e\",\"column\":\"f\",\"value\":1}}",
				ERR_INVALID, "/validation" },
		{ "{\"dataset\":\"d\",\"validation\":{\"fold\":6,\"of\":5}}", ERR_INVALID,
				"/validation/fold" },
		{ "{\"dataset\":\"d\",\"validation\":{\"fold\":2,\"of\":21}}", ERR_RANGE, "/validation/of" },
		{ "{\"dataset\":\"d\",\"validation\":{\"column\":\"f\"}}", ERR_MISSING_FIELD, "/validation" },
		{ "{\"dataset\":\"d\",\"validation\":{\"value\":1}}", ERR_MISSING_FIELD, "/validation" },
		{ "{\"dataset\":\"d\",\"validation\":{\"split\":0.1,\"value\":1}}", ERR_INVALID,
				"/validation/value" },
		{ "{\"dataset\":\"d\",\"validation\":{\"column\":\"f\",\"value\":null}}", ERR_INVALID,
				"/validation/value" },
		{ "{\"dataset\":\"d\",\"validation\":{\"column\":\"f\",\"value\":[1]}}", ERR_INVALID,
				"/validation/value" },
		{ "{\"dataset\":\"d\",\"validation\":{\"column\":1,\"value\":1}}", ERR_INVALID,
				"/validation/column" },
		{ "{\"dataset\":\"d\",\"validation\":{\"dataset\":\"e\",\"stratify\":true}}", ERR_INVALID,
				"/validation/stratify" },
		{ "{\"dataset\":\"d\",\"validation\":{\"dataset\":\"e\",\"order_by\":\"f\"}}", ERR_INVALID,
				"/validation/order_by" },
		{ "{\"dataset\":\"d\",\"validation\":{\"split\":0.1,\"stratify\":1}}", ERR_INVALID,
				"/validation/stratify" },
		{ "{\"dataset\":\"d\",\"validation\":{\"split\":0.1,\"stratify\":true,\"order_by\":\"f\"}}",
				ERR_INVALID, "/validation/stratify" },
		{ "{\"dataset\":\"d\",\"warnings\":[]}", ERR_UNKNOWN_FIELD, "/warnings" },
		{ "{\"dataset\":\"d\",\"early_stopping\":true}", ERR_INVALID, "/early_stopping" },
		{ "{\"dataset\":\"d\",\"early_stopping\":{\"patience\":0}}", ERR_RANGE,
				"/early_stopping/patience" },
		{ "{\"dataset\":\"d\",\"early_stopping\":{\"min_delta\":-1}}", ERR_RANGE,
				"/early_stopping/min_delta" },
		{ "{\"dataset\":\"d\",\"early_stopping\":{\"monitor\":\"accuracy\"}}", ERR_INVALID,
				"/early_stopping/monitor" },
		{ "{\"dataset\":\"d\",\"early_stopping\":{\"restore_best\":1}}", ERR_INVALID,
				"/early_stopping/restore_best" },
		{ "{\"dataset\":\"d\",\"from\":\"first\"}", ERR_INVALID, "/from" },
		{ "{\"dataset\":\"d\",\"from\":\"\"}", ERR_INVALID, "/from" },
		{ "{\"dataset\":\"d\",\"from\":\"12345678901234567890\"}", ERR_INVALID, "/from" },
		{ "{\"dataset\":\"d\",\"from\":2}", ERR_INVALID, "/from" },
		{ "{\"dataset\":\"d\",\"note\":1}", ERR_INVALID, "/note" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		reads(cases[i].text);
		ck_assert_msg(faults.count == 1, "%s: %zu faults", cases[i].text, faults.count);
		ck_assert_msg(faults.items[0].code == cases[i].code, "%s: %s", cases[i].text,
				faults.items[0].detail);
		ck_assert_str_eq(faults.items[0].pointer, cases[i].pointer);
	}
	reads("{\"epochs\":0,\"seed\":-1,\"from\":\"x\"}");
	ck_assert_uint_eq(faults.count, 4); /* all at once, with the data that are not named */
}
END_TEST

START_TEST(faults_that_the_data_show)
{
	static const struct {
		const char *fields;
		uint64_t rows;
		const char *pointer; /* NULL: no fault */
	} cases[] = {
		{ "\"batch_size\":101", 100, "/batch_size" },
		{ "\"batch_size\":100", 100, NULL },
		{ "\"batch_size\":81,\"validation\":{\"split\":0.2}", 100, "/batch_size" },
		{ "\"batch_size\":80,\"validation\":{\"split\":0.2}", 100, NULL },
		{ "\"batch_size\":\"full\",\"validation\":{\"split\":0.2}", 100, NULL },
		{ "\"validation\":{\"split\":0.2}", 1, "/validation/split" },
		{ "\"validation\":{\"fold\":1,\"of\":5}", 4, "/validation/of" },
		{ "\"validation\":{\"split\":0.2}", 2, NULL },
		{ "\"early_stopping\":{\"monitor\":\"val_loss\"}", 100, "/early_stopping/monitor" },
		{ "\"early_stopping\":{\"monitor\":\"val_loss\"},\"validation\":null", 50000,
				"/early_stopping/monitor" },
		{ "\"early_stopping\":{\"monitor\":\"val_loss\"}", 50000, NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		resolves(cases[i].fields, cases[i].rows, 1);
		ck_assert_msg(faults.count == !!cases[i].pointer, "%s: %zu faults", cases[i].fields,
				faults.count);
		if (cases[i].pointer) ck_assert_str_eq(faults.items[0].pointer, cases[i].pointer);
	}
}
END_TEST

START_TEST(classes_are_needed_to_stratify)
{
	struct train_request r =
			reads("{\"dataset\":\"d\",\"validation\":{\"split\":0.2,\"stratify\":true}}");

	train_request_resolve(&r, 100, false, 1, &faults);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_str_eq(faults.items[0].pointer, "/validation/stratify");
	r = reads("{\"dataset\":\"d\",\"validation\":{\"split\":0.2}}");
	train_request_resolve(&r, 100, false, 1, &faults);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert(!r.validation.stratify);
}
END_TEST

/* What a value is in a column of each type. */
START_TEST(values_of_columns)
{
	static const struct {
		const char *json;
		enum column_type type;
		double number;    /* NAN: none */
		const char *text; /* NULL: none */
	} cases[] = {
		{ "3", TYPE_NUMBER, 3, NULL },
		{ "0.5", TYPE_NUMBER, 0.5, NULL },
		{ "\"3\"", TYPE_NUMBER, NAN, NULL },
		{ "true", TYPE_NUMBER, NAN, NULL },
		{ "3", TYPE_CATEGORY, NAN, "3" },
		{ "0.5", TYPE_CATEGORY, NAN, "0.5" },
		{ "\"3\"", TYPE_CATEGORY, NAN, "3" },
		{ "true", TYPE_CATEGORY, NAN, "true" },
		{ "\"Yes\"", TYPE_BOOLEAN, NAN, "true" },
		{ "0", TYPE_BOOLEAN, NAN, "false" },
		{ "false", TYPE_BOOLEAN, NAN, "false" },
		{ "\"maybe\"", TYPE_BOOLEAN, NAN, NULL },
		{ "\"1970-01-02\"", TYPE_DATE, 86400, NULL },
		{ "\"yesterday\"", TYPE_DATE, NAN, NULL },
		{ "86400", TYPE_DATE, NAN, NULL },
		{ "1", TYPE_IGNORE, NAN, NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		struct train_value found;
		bool fits = train_value_read(value, cases[i].type, &found);

		ck_assert_msg(fits == (cases[i].text || !isnan(cases[i].number)), "%s", cases[i].json);
		ck_assert_int_eq(found.numeric, cases[i].type == TYPE_NUMBER || cases[i].type == TYPE_DATE);
		if (!isnan(cases[i].number)) ck_assert_double_eq(found.number, cases[i].number);
		if (cases[i].text) ck_assert_uint_eq(found.length, strlen(cases[i].text));
		if (cases[i].text) ck_assert_mem_eq(found.text, cases[i].text, found.length);
		json_decref(value);
	}
}
END_TEST

START_TEST(training_rows)
{
	static const struct {
		double split;
		uint64_t rows, training;
	} cases[] = { { 0, 10, 10 }, { 0.2, 10, 8 }, { 0.25, 10, 7 }, { 0.01, 10, 9 }, { 0.9, 3, 1 },
		{ 0.9, 2, 1 }, { 0.5, 1, 1 }, { 0.1, 4000000000u, 3600000000u } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct train_request r = { .validation.split = cases[i].split };

		ck_assert_uint_eq(train_request_rows(&r, cases[i].rows), cases[i].training);
	}
}
END_TEST

/* What the trainer does follows from these; the worker must have them as they were resolved. */
static void same_request(const struct train_request *a, const struct train_request *b)
{
	ck_assert_str_eq(a->dataset ? a->dataset : "", b->dataset ? b->dataset : "");
	ck_assert_uint_eq(a->core.epochs, b->core.epochs);
	ck_assert_uint_eq(a->core.batch_size, b->core.batch_size);
	ck_assert_int_eq(a->core.shuffle, b->core.shuffle);
	ck_assert_uint_eq(a->core.seed, b->core.seed);
	ck_assert_uint_eq(a->threads, b->threads);
	ck_assert_double_eq(a->core.max_seconds, b->core.max_seconds);
	ck_assert_double_eq(a->core.target_loss, b->core.target_loss);
	ck_assert_ptr_eq(a->core.optimizer, b->core.optimizer);
	ck_assert_mem_eq(a->core.optimizer_params, b->core.optimizer_params, sizeof a->core.optimizer_params);
	ck_assert_ptr_eq(a->loss, b->loss);
	ck_assert_mem_eq(a->loss_params, b->loss_params, sizeof a->loss_params);
	ck_assert_double_eq(a->validation.split, b->validation.split);
	ck_assert_int_eq(a->validation.stratify, b->validation.stratify);
	ck_assert_str_eq(a->validation.order_by ? a->validation.order_by : "",
			b->validation.order_by ? b->validation.order_by : "");
	ck_assert_str_eq(a->validation.dataset ? a->validation.dataset : "",
			b->validation.dataset ? b->validation.dataset : "");
	ck_assert_str_eq(a->validation.column ? a->validation.column : "",
			b->validation.column ? b->validation.column : "");
	ck_assert(!a->validation.column || json_equal(a->validation.value, b->validation.value));
	ck_assert_int_eq(a->stopping, b->stopping);
	ck_assert_uint_eq(a->core.patience, b->core.patience);
	ck_assert_double_eq(a->core.min_delta, b->core.min_delta);
	ck_assert_int_eq(a->core.restore_best, b->core.restore_best);
	ck_assert_int_eq(a->core.monitor_training, b->core.monitor_training);
	ck_assert_str_eq(a->from, b->from);
}

START_TEST(the_config_reads_back)
{
	static const char *const cases[] = { "", "\"batch_size\":\"full\",\"shuffle\":false,\"seed\":9",
		"\"optimizer\":{\"name\":\"momentum\",\"learning_rate\":0.1,\"momentum\":0.3},\"threads\":2",
		"\"target_loss\":0,\"max_seconds\":0.1,\"from\":\"7\",\"epochs\":9999999",
		/* was stopped by val_loss: the worker did not look at the monitor */
		"\"validation\":{\"split\":0.1},\"early_stopping\":{\"monitor\":\"loss\",\"patience\":4}",
		"\"validation\":{\"split\":0.3},\"early_stopping\":{\"min_delta\":0.125,\"restore_best\":false}",
		"\"validation\":{\"split\":0.3,\"stratify\":false}",
		"\"validation\":{\"split\":0.3,\"order_by\":\"day\"}",
		"\"validation\":{\"dataset\":\"later\"}",
		"\"validation\":{\"column\":\"fold\",\"value\":\"a b\"}",
		"\"validation\":{\"column\":\"fold\",\"value\":2.5}", "\"early_stopping\":{}",
		"\"loss\":\"cross_entropy\"",
		"\"schedule\":{\"name\":\"multistep\",\"milestones\":[1,2,3,4,5],\"warmup\":0.5}",
		"\"schedule\":\"reduce_on_plateau\"" };
	static const uint64_t rows[] = { 4, 100, 100000 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
			struct train_request r = resolves(cases[i], rows[j], 3), again;
			json_t *document = keep(train_request_document(&r)), *twice;

			ck_assert_uint_eq(faults.count, 0);
			train_request_read(document, true, &again, &faults);
			ck_assert_msg(!faults.count, "%s", faults.items[0].detail);
			same_request(&r, &again);
			twice = keep(train_request_document(&again));
			ck_assert(json_equal(document, twice));
		}
}
END_TEST

START_TEST(the_config_of_inline_data)
{
	struct train_request r = reads("{\"data\":true,\"loss\":\"mse\"}"), again;

	ck_assert_uint_eq(faults.count, 0);
	ck_assert_ptr_null(r.dataset);
	train_request_resolve(&r, 4, false, 1, &faults);
	ck_assert_str_eq(shown(&r, "dataset"), "null");
	train_request_read(keep(train_request_document(&r)), true, &again, &faults);
	ck_assert_uint_eq(faults.count, 0);
	same_request(&r, &again);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_field_is_kept, what_is_chosen, the_learning_rate, every_fault,
		faults_that_the_data_show, training_rows, classes_are_needed_to_stratify, values_of_columns,
		the_config_reads_back, the_config_of_inline_data, NULL };

	return suite_main("train_request", tests, 10);
}
