/* explain.c - :explain: what each input contributed to an answer (core/explain.h), and with trace what every neuron did.
 *
 * It is hundreds of predictions for every row, so it never runs on a loop's thread, and a request may explain no more
 * rows than some minutes of work at worst. All rows are read once before the work begins, so that every fault is told
 * first and what the answer will take is charged; then again, batch by batch.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/size.h"
#include "server/api/document.h"
#include "server/api/explain_parts.h"
#include "server/api/predict.h"
#include "server/codec/members.h"
#include "server/codec/number.h"
#include "server/codec/scan.h"

#define WORK_MAX    2e12 /* multiplications of a request, if every line takes as many points as it may */
#define PASSES      2    /* forward and backward */
#define QUOTE_BYTES 65   /* of a user's text in a sentence, with the NUL */

enum {
	MEMBER_INSTANCES,
	MEMBER_INPUTS,
	MEMBER_BASELINE,
	MEMBER_OUTPUT,
	MEMBER_CLASS,
	MEMBER_TRACE,
	MEMBER_SIGNATURE,
	MEMBERS
};
static const char *const members[] = { "instances", "inputs", "baseline", "output", "class", "trace",
	"signature_name", NULL };

struct asked {
	struct scan_value said[MEMBERS];
	struct scan_value rows;
	const char *pointer; /* where the rows are */
};

/* ---- what is asked ---- */

static void find_rows(struct asked *asked, struct faults *faults)
{
	bool instances = asked->said[MEMBER_INSTANCES].at;

	if (instances && asked->said[MEMBER_INPUTS].at)
		faults_add(faults, ERR_INVALID, "/inputs", "goes without \"instances\"; send one of them");
	if (!instances && !asked->said[MEMBER_INPUTS].at && !faults->count)
		faults_add(faults, ERR_MISSING_FIELD, "", "needs \"instances\", as in {\"instances\":[…]}");
	asked->rows = asked->said[instances ? MEMBER_INSTANCES : MEMBER_INPUTS];
	asked->pointer = instances ? "/instances" : "/inputs";
	if (asked->said[MEMBER_SIGNATURE].at && scan_kind(asked->said[MEMBER_SIGNATURE]) != '"')
		faults_add(faults, ERR_INVALID, "/signature_name", "must be a string");
}

/* A name that is none of names: the fault, with the one that was probably meant. */
static void unknown_name(const char *pointer, const char *what, const char *name, const char *const *names,
		struct faults *faults)
{
	const char *meant = did_you_mean(name, names);

	faults_add(faults, ERR_INVALID, pointer, "\"%s\" is none of the model's %s%s%.64s%s", name, what,
			meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
}

/* The text of a string, or of a number or a boolean as it is written; cut to what a sentence shows for the faults. */
static int read_text(struct scan_value said, char **room, const char **text, size_t *size,
		char quoted[QUOTE_BYTES], struct err *e)
{
	*text = said.at;
	*size = (size_t)(said.end - said.at);
	if (!(*room = malloc(*size + 1))) return err_nomem(e);
	if (scan_kind(said) == '"') *size = scan_string(said, text, *room);
	snprintf(quoted, QUOTE_BYTES, "%.*s", (int)(*size < QUOTE_BYTES ? *size : QUOTE_BYTES - 1), *text);
	return 0;
}

/* ex->column is NULL where the output is not said well. */
static int find_output(struct explaining *ex, struct scan_value said, struct faults *faults, struct err *e)
{
	const struct encoder *targets = ex->model->targets;
	size_t count = encoder_columns(targets), size, at;
	const char **names, *text;
	char *room = NULL, quoted[QUOTE_BYTES];
	size_t before = faults->count;
	int rc = 0;

	if (!(names = calloc(count + 1, sizeof *names))) return err_nomem(e);
	for (size_t i = 0; i < count; i++)
		names[i] = encoder_column(targets, i)->name;
	if (!said.at && count > 1)
		faults_add(faults, ERR_MISSING_FIELD, "/output",
				"this model predicts %zu outputs; say which one, as in \"output\":\"%.64s\"",
				count, names[0]);
	else if (said.at && scan_kind(said) != '"')
		faults_add(faults, ERR_INVALID, "/output", "must be an output's name");
	else if (said.at && !(rc = read_text(said, &room, &text, &size, quoted, e))) {
		if ((at = encoder_find(targets, text, size)) == SIZE_MAX)
			unknown_name("/output", "outputs", quoted, names, faults);
		else
			ex->at = at;
	}
	if (faults->count == before) {
		ex->column = encoder_column(targets, ex->at);
		ex->category = ex->column->kind == COLUMN_CATEGORY;
	}
	free(room);
	free(names);
	return rc;
}

static int find_class(struct explaining *ex, struct scan_value said, struct faults *faults, struct err *e)
{
	const struct encoder *targets = ex->model->targets;
	char *room = NULL, quoted[QUOTE_BYTES], kind = said.at ? scan_kind(said) : '"';
	const char *text, **names;
	uint32_t slot;
	size_t size;
	int rc;

	ex->class = SIZE_MAX;
	if (!said.at || !ex->column) return 0;
	if (!ex->category) {
		faults_add(faults, ERR_INVALID, "/class", "is for categories, and \"%.64s\" is a number",
				ex->column->name);
		return 0;
	}
	if (kind == '{' || kind == '[' || kind == 'n') {
		faults_add(faults, ERR_INVALID, "/class", "must be one of the classes of \"%.64s\"",
				ex->column->name);
		return 0;
	}
	if ((rc = read_text(said, &room, &text, &size, quoted, e))) return rc;
	slot = encoder_slot(targets, ex->at, text, size);
	if (slot == SLOT_OTHER && (names = calloc(ex->column->values_count + 1, sizeof *names))) {
		for (size_t i = 0; i < ex->column->values_count; i++)
			names[i] = ex->column->values[i];
		unknown_name("/class", "classes", quoted, names, faults);
		free(names);
	} else if (slot == SLOT_OTHER) {
		rc = err_nomem(e);
	}
	ex->class = slot;
	free(room);
	return rc;
}

static int find_baseline(struct explaining *ex, struct scan_value said, struct rows *reader,
		struct faults *faults, struct err *e)
{
	const struct encoder *inputs = ex->model->inputs;
	size_t n;
	int rc;

	if (!(ex->baseline = malloc(encoder_width(inputs) * sizeof *ex->baseline))) return err_nomem(e);
	if (!said.at) {
		encoder_mean(inputs, ex->baseline);
		ex->no_rows = !encoder_column(inputs, 0)->rows;
		return 0;
	}
	if ((rc = rows_begin_one(reader, inputs, said, "/baseline", faults, e))) return rc;
	return rows_next(reader, 1, ex->baseline, &n, e);
}

/* ---- the rows ---- */

static uint64_t rows_most(const struct net *net)
{
	double rows = WORK_MAX / ((double)net_parameters(net) * PASSES * EXPLAIN_POINTS_MAX);

	return rows > 1 ? (uint64_t)rows : 1;
}

/* Reads all rows for their number and their faults, and charges what explaining them takes. */
static int look_ahead(struct explaining *ex, struct request *rq, const struct asked *asked,
		struct rows *reader, struct faults *faults, struct err *e)
{
	uint64_t most = rows_most(ex->model->net);
	size_t n = 1;
	int rc;

	if (!asked->rows.at) return faults_result(faults, e);
	rc = rows_begin(reader, ex->model->inputs, asked->rows, asked->pointer, faults, e);
	while (!rc && n)
		rc = rows_next(reader, ex->work->rows, ex->work->x, &n, e);
	if (rc || (rc = faults_result(faults, e))) return rc;
	if (rows_count(reader) > most) {
		faults_add(faults, ERR_RANGE, asked->pointer,
				"%llu rows are more than one request may explain with a network of this size: at most %llu",
				(unsigned long long)rows_count(reader), (unsigned long long)most);
		return faults_result(faults, e);
	}
	return request_charge(rq,
			size_add(explainer_bytes(ex->model->net),
					size_mul(explain_row_bytes(ex), (size_t)rows_count(reader))),
			"the explanation", e);
}

static int explain_row(
		struct explaining *ex, const float *scores, size_t row, struct buffer *out, struct err *e)
{
	const struct encoder *targets = ex->model->targets;
	const float *x = ex->work->x + row * encoder_width(ex->model->inputs);
	struct explanation found;
	size_t class = ex->class, output;

	if (!buffer_ok(out)) return err_nomem(e);
	if (ex->category && class == SIZE_MAX)
		class = explain_predicted(ex->column, scores + row * encoder_width(targets));
	output = ex->column->first + (class == SIZE_MAX ? 0 : class);
	explain(ex->explainer, ex->baseline, x, output, &found);
	explain_put(ex, &found, class, row, out);
	return 0;
}

static int explain_rows(const struct request *rq, struct explaining *ex, const struct asked *asked,
		struct rows *reader, struct buffer *out, struct faults *faults, struct err *e)
{
	const float *scores;
	size_t n;
	int rc = rows_begin(reader, ex->model->inputs, asked->rows, asked->pointer, faults, e);

	buffer_text(out, "{\"explanations\":[");
	while (!rc && !(rc = rows_next(reader, ex->work->rows, ex->work->x, &n, e)) && n) {
		net_forward(ex->model->net, ex->work->net, ex->work->x, n, &scores);
		for (size_t i = 0; i < n && !rc; i++) {
			if (!(rc = request_goes_on(rq, e))) rc = explain_row(ex, scores, i, out, e);
		}
	}
	return rc;
}

/* ---- the request ---- */

static int answer(struct explaining *ex, struct request *rq, const struct version *version,
		struct asked *asked, struct rows *reader, struct buffer *out, struct err *e)
{
	const struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	int rc;

	if (!faults) return err_nomem(e);
	find_rows(asked, faults);
	ex->trace = member_flag(asked->said[MEMBER_TRACE], "/trace", faults);
	if ((rc = find_output(ex, asked->said[MEMBER_OUTPUT], faults, e)) ||
			(rc = find_class(ex, asked->said[MEMBER_CLASS], faults, e)) ||
			(rc = find_baseline(ex, asked->said[MEMBER_BASELINE], reader, faults, e)) ||
			(rc = look_ahead(ex, rq, asked, reader, faults, e)) ||
			(rc = explainer_new(&ex->explainer, ex->model->net, app->engine, e)) ||
			(rc = explain_rows(rq, ex, asked, reader, out, faults, e)))
		return rc;
	explain_put_end(ex, version_number(version), reader, out);
	return buffer_ok(out) ? 0 : err_nomem(e);
}

int explain_verb(struct request *rq, struct reply *rp, struct err *e)
{
	struct faults *faults = request_faults(rq);
	struct explaining ex = { 0 };
	struct version *version = NULL;
	struct rows *reader = NULL;
	struct scan_value body;
	struct asked asked;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = scan_check(rq->body.data, rq->body.size, &body, e))) return rc;
	if ((rc = predict_version(rq, &version, e))) return rc;
	members_read(body, members, asked.said, "", faults);
	ex.model = version_model(version);
	if (!(rc = version_work(version, &ex.work, e)) && !(rc = rows_new(&reader, e)))
		rc = answer(&ex, rq, version, &asked, reader, &rp->body, e);
	explainer_free(ex.explainer);
	free(ex.baseline);
	rows_free(reader);
	version_put(version);
	return rc;
}
