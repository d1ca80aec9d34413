/* evaluate.c - :evaluate: a version against rows whose targets are known, stored or sent along.
 *
 * Rows come in batches from either source, already encoded, and everything about them is summed batch by batch
 * (evaluate_judge.c); what scores must be kept for is bounded, and charged to the memory of documents first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "server/api/document.h"
#include "server/api/evaluate_parts.h"
#include "server/api/fit.h"
#include "server/api/inline.h"
#include "server/api/predict.h"
#include "server/codec/members.h"
#include "server/jobs/source.h"

#define ROW_BYTES_LEAST 4 /* of a row in a body, with its target more */
#define MEMORY_SHARE    4 /* of the memory for documents, an evaluation keeps scores in one part of so many */
#define SEED_MAX        0x1p53
#define IMPORTANCE_WORK 1e13 /* multiplications of a request for importance: minutes */

/* ---- rows that are stored ---- */

/* Of a group: the rows that have a target, in runs of at most a batch. */
static int evaluate_group(struct evaluation *v, const struct source *source, size_t rows, const uint8_t *use,
		struct err *e)
{
	int rc;

	for (size_t i = 0, n; i < rows; i += n) {
		for (n = 0; i + n < rows && n < v->work->rows && use[i + n]; n++)
			;
		if (n && (rc = source_encode(source, i, n, v->work->x, v->y, e))) return rc;
		if (n && (rc = evaluation_add(v, n, e))) return rc;
		n += !n; /* without a target */
	}
	return 0;
}

static int evaluate_groups(struct evaluation *v, struct source *source, struct err *e)
{
	uint8_t *use = NULL; /* (room) */
	size_t room = 0, rows;
	uint64_t first;
	int rc = 0;

	for (uint64_t group = 0; group < source_groups(source) && !rc; group++) {
		if ((rc = source_read(source, group, &first, &rows, e))) break;
		if (rows > room) {
			free(use);
			if (!(use = malloc(room = rows))) {
				rc = err_nomem(e);
				break;
			}
		}
		source_usable(source, use);
		rc = evaluate_group(v, source, rows, use, e);
	}
	free(use);
	return rc;
}

/* Every column is a pass over all rows. */
static void check_work(const struct evaluation *v, uint64_t rows, struct faults *faults)
{
	double row = (double)net_parameters(v->model->net) * ((double)encoder_columns(v->model->inputs) + 1);

	if (v->importance && (double)rows * row > IMPORTANCE_WORK)
		faults_add(faults, ERR_RANGE, "/importance",
				"would take too long with %llu rows, %zu columns and a network of this size; ask it on a data set of at most %.0f rows",
				(unsigned long long)rows, encoder_columns(v->model->inputs),
				IMPORTANCE_WORK / row);
}

static int evaluate_dataset(struct evaluation *v, struct request *rq, const char *name, struct faults *faults,
		struct err *e)
{
	struct app *app = rq->app;
	struct store_revision revision = { 0 };
	struct source *source = NULL;
	int rc;

	if ((rc = app->store->dataset_get(app->store, name, &revision, e))) goto out;
	if ((rc = fit_columns(&revision, v->model->inputs, v->model->targets, NULL, "/dataset", faults, e)))
		goto out;
	check_work(v, revision.rows, faults);
	if ((rc = faults_result(faults, e))) goto out;
	if ((rc = request_charge(rq, evaluation_bytes(v, revision.rows), "the evaluation", e))) goto out;
	if ((rc = source_new(&source, app->store, &revision, v->model->inputs, v->model->targets, e)))
		goto out;
	rc = evaluate_groups(v, source, e);
out:
	source_free(source);
	store_revision_clear(&revision);
	return rc;
}

/* ---- rows that were sent ---- */

static int evaluate_pairs(
		struct evaluation *v, struct rows *const readers[2], struct faults *faults, struct err *e)
{
	for (;;) {
		size_t inputs, targets;
		int rc;

		if ((rc = rows_next(readers[0], v->work->rows, v->work->x, &inputs, e)) ||
				(rc = rows_next(readers[1], v->work->rows, v->y, &targets, e)))
			return rc;
		if (inputs != targets && !faults->count)
			faults_add(faults, ERR_INVALID, "/data", "has more rows of %s than of %s",
					inline_names[inputs < targets], inline_names[inputs > targets]);
		if (!inputs || !targets) return faults_result(faults, e);
		if (!faults->count && (rc = evaluation_add(v, inputs, e))) return rc;
	}
}

/* *said is the reader of the inputs, new (rows_free) after an error too: it has warnings. */
static int evaluate_inline(struct evaluation *v, struct request *rq, struct scan_value data,
		struct rows **said, struct faults *faults, struct err *e)
{
	const struct encoder *encoders[2] = { v->model->inputs, v->model->targets };
	struct rows *readers[2] = { NULL, NULL };
	struct scan_value half[2];
	uint64_t rows = (uint64_t)(data.end - data.at) / ROW_BYTES_LEAST;
	int rc = 0;

	inline_halves(data, half, faults);
	if ((rc = faults_result(faults, e))) return rc;
	if ((rc = request_charge(rq, evaluation_bytes(v, rows), "the evaluation", e))) return rc;
	for (int i = 0; i < 2 && !rc; i++)
		if (!(rc = rows_new(&readers[i], e)))
			rc = rows_begin(readers[i], encoders[i], half[i], inline_pointers[i], faults, e);
	if (!rc) rc = evaluate_pairs(v, readers, faults, e);
	*said = readers[0];
	rows_free(readers[1]);
	return rc;
}

/* ---- the request ---- */

enum { MEMBER_DATASET, MEMBER_DATA, MEMBER_TOP_K, MEMBER_CURVES, MEMBER_IMPORTANCE, MEMBER_SEED, MEMBERS };
static const char *const members[] = { "dataset", "data", "top_k", "curves", "importance", "seed", NULL };

static void read_body(struct scan_value body, struct scan_value said[MEMBERS], struct faults *faults)
{
	members_read(body, members, said, "", faults);
	if (said[MEMBER_DATASET].at && said[MEMBER_DATA].at)
		faults_add(faults, ERR_INVALID, "/data",
				"goes without \"dataset\": name one or send the other");
	if (!said[MEMBER_DATASET].at && !said[MEMBER_DATA].at && !faults->count)
		faults_add(faults, ERR_MISSING_FIELD, "",
				"needs \"dataset\", or \"data\" with \"inputs\" and \"targets\"");
	if (said[MEMBER_DATASET].at && scan_kind(said[MEMBER_DATASET]) != '"')
		faults_add(faults, ERR_INVALID, "/dataset", "must be a data set's name");
}

/* Classes of the category with the most of them; 0 without one. */
static size_t most_classes(const struct encoder *targets)
{
	size_t most = 0;

	for (size_t i = 0; i < encoder_columns(targets); i++) {
		const struct encoder_column *column = encoder_column(targets, i);

		if (column->kind == COLUMN_CATEGORY && column->width > most) most = column->width;
	}
	return most;
}

/* What is for categories alone is a fault where there are none. */
static void read_of_categories(const struct scan_value said[MEMBERS], const struct encoder *targets,
		struct evaluation_wanted *wanted, struct faults *faults)
{
	static const char *const pointers[] = { [MEMBER_TOP_K] = "/top_k", [MEMBER_CURVES] = "/curves" };
	size_t most = most_classes(targets);
	uint64_t top_k = 0;

	for (int i = MEMBER_TOP_K; !most && i <= MEMBER_CURVES; i++)
		if (said[i].at)
			faults_add(faults, ERR_INVALID, pointers[i],
					"is for categories, and the model answers numbers");
	if (!most) return;
	member_whole(said[MEMBER_TOP_K], pointers[MEMBER_TOP_K], 1, (double)most, &top_k, faults);
	wanted->top_k = (size_t)top_k;
	wanted->curves = member_flag(said[MEMBER_CURVES], pointers[MEMBER_CURVES], faults);
}

static struct evaluation_wanted read_wanted(
		const struct scan_value said[MEMBERS], const struct encoder *targets, struct faults *faults)
{
	struct evaluation_wanted wanted = { 0 };

	read_of_categories(said, targets, &wanted, faults);
	wanted.importance = member_flag(said[MEMBER_IMPORTANCE], "/importance", faults);
	member_whole(said[MEMBER_SEED], "/seed", 0, SEED_MAX, &wanted.seed, faults);
	if (said[MEMBER_SEED].at && !wanted.importance)
		faults_add(faults, ERR_INVALID, "/seed",
				"goes with \"importance\":true, whose permutations it draws");
	return wanted;
}

static int evaluate_rows(struct evaluation *v, struct request *rq, const struct scan_value said[MEMBERS],
		struct rows **reader, struct faults *faults, struct err *e)
{
	char room[512], name[512];
	const char *text;
	size_t n;

	if (said[MEMBER_DATA].at) return evaluate_inline(v, rq, said[MEMBER_DATA], reader, faults, e);
	if ((size_t)(said[MEMBER_DATASET].end - said[MEMBER_DATASET].at) > sizeof room)
		return err_set(e, ERR_NOT_FOUND, "there is no data set with so long a name");
	n = scan_string(said[MEMBER_DATASET], &text, room);
	snprintf(name, sizeof name, "%.*s", (int)n, text);
	return evaluate_dataset(v, rq, name, faults, e);
}

int evaluate(struct request *rq, struct reply *rp, struct err *e)
{
	const struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct scan_value said[MEMBERS];
	struct evaluation v = { 0 };
	struct version *version = NULL;
	struct evaluation_wanted wanted;
	struct rows *reader = NULL;
	struct scan_value body;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = scan_check(rq->body.data, rq->body.size, &body, e))) return rc;
	if ((rc = predict_version(rq, &version, e))) return rc;
	read_body(body, said, faults);
	wanted = read_wanted(said, version_model(version)->targets, faults);
	if ((rc = faults_result(faults, e))) goto out;
	if ((rc = evaluation_begin(&v, version, &wanted, app->documents_bytes_max / MEMORY_SHARE, rq, e)))
		goto out;
	if ((rc = evaluate_rows(&v, rq, said, &reader, faults, e))) goto out;
	rc = evaluation_reply(&v, version_number(version), reader, rp, e);
out:
	evaluation_end(&v);
	rows_free(reader);
	version_put(version);
	return rc;
}
