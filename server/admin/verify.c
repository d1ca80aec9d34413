/* verify.c - reads everything of a store and says what is wrong with it. See verify.h. */
#include "server/admin/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "server/api/cells.h"
#include "server/api/models.h"
#include "server/codec/curve.h"
#include "server/codec/curve_record.h"
#include "server/codec/fold_rows.h"
#include "server/codec/json.h"
#include "server/jobs/checkpoint.h"

#define PAGE 64 /* of a list */
/* How much of a cause is told: what to do about it is told once, at the end. */
#define CAUSE_ENDS ";"
#define NAMES_IT   "is damaged in the database" /* of the store, about a piece whose checksum is wrong */

/* "<what>: <why>", or why alone where it names what, where rc says that something failed. ERR_NOMEM: there is no going on. */
static int told(struct verify *v, int rc, struct verify_fault fault, const struct err *why, struct err *e,
		const char *format, ...) __attribute__((format(printf, 6, 7)));

static int told(struct verify *v, int rc, struct verify_fault fault, const struct err *why, struct err *e,
		const char *format, ...)
{
	char what[192];
	struct err sentence;
	va_list args;

	if (!rc) return 0;
	if (rc == ERR_NOMEM) return err_nomem(e);
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	if (strstr(why->text, NAMES_IT)) what[0] = 0;
	err_set(&sentence, rc, "%s%s%.*s", what, *what ? ": " : "", (int)strcspn(why->text, CAUSE_ENDS),
			why->text);
	fault.sentence = sentence.text;
	if (!fault.name) fault.name = "";
	v->faults++;
	v->fault(v->self, &fault);
	return 0;
}

/* Is the text that is stored a JSON document? NULL is none. */
static int check_document(const char *text, struct err *e)
{
	json_t *document = NULL;
	int rc = text ? json_read_stored(text, &document, e) : 0;

	json_decref(document);
	return rc;
}

static int check_documents(const char *const *texts, size_t count, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++)
		rc = check_document(texts[i], e);
	return rc;
}

/* ---- data ---- */

static int check_groups(struct verify *v, const struct store_revision *r, struct cells *cells,
		const struct verify_fault *of, const char *name, struct err *e)
{
	uint64_t rows = 0, bad = 0;
	struct err why;
	int rc;

	for (uint64_t group = 0; group < r->groups; group++, v->groups++) {
		int failed = cells_read(cells, group, &why);

		bad += failed != 0;
		rows += failed ? 0 : cells_rows(cells);
		if ((rc = told(v, failed, *of, &why, e, "%s, row group %" PRIu64, name, group + 1)))
			return rc;
	}
	if (bad || rows == r->rows) return 0;
	err_set(&why, ERR_CORRUPT, "it has %" PRIu64 " rows and says %" PRIu64, rows, r->rows);
	return told(v, ERR_CORRUPT, *of, &why, e, "%s", name);
}

static int check_revision(struct verify *v, const struct store_revision *r, const struct verify_fault *of,
		const char *name, struct err *e)
{
	struct cells *cells = NULL;
	json_t *columns = NULL;
	struct err why;
	int rc = json_read_stored(r->columns, &columns, &why);

	if (!rc && json_array_size(columns) != r->columns_count)
		rc = err_set(&why, ERR_CORRUPT, "it has %zu columns and says %" PRIu64,
				json_array_size(columns), r->columns_count);
	if (!rc) rc = cells_new(&cells, v->store, r->id, r->id, columns, &why);
	rc = rc ? told(v, rc, *of, &why, e, "%s", name) : check_groups(v, r, cells, of, name, e);
	cells_free(cells);
	json_decref(columns);
	return rc;
}

static int check_dataset(struct verify *v, const struct store_revision *r, struct err *e)
{
	const struct verify_fault of = { .of = VERIFY_DATASET, .name = r->dataset };
	char name[128];

	v->datasets++;
	snprintf(name, sizeof name, "data set %s, revision %" PRIu64, r->dataset, r->number);
	return check_revision(v, r, &of, name, e);
}

static int check_datasets(struct verify *v, struct err *e)
{
	char after[128] = "";
	size_t count;
	struct err why;
	int rc;

	do {
		struct store_revision *list = NULL;

		rc = v->store->dataset_list(v->store, after, 1, &list, &count, &why);
		rc = told(v, rc, (struct verify_fault){ .of = VERIFY_FILE }, &why, e,
				"the list of data sets breaks off after \"%s\"", after);
		if (count) {
			snprintf(after, sizeof after, "%s", list->dataset);
			rc = check_dataset(v, list, e);
			store_revision_clear(list);
		}
		free(list);
	} while (!rc && count);
	return rc;
}

/* What an unfinished job reads, unless it is the current revision of a data set, which was looked at. */
static int check_needed(struct verify *v, const struct store_job *job, int64_t revision, struct err *e)
{
	const struct verify_fault of = { .of = VERIFY_DATA, .job = job->id };
	struct store_revision r = { 0 }, current = { 0 };
	char name[128];
	struct err why;
	int rc = revision ? v->store->revision_get(v->store, revision, &r, &why) : 0;

	snprintf(name, sizeof name, "the data of job %" PRId64, job->id);
	if (rc) return told(v, rc, of, &why, e, "%s", name);
	if (revision && (!r.dataset || v->store->dataset_get(v->store, r.dataset, &current, NULL) ||
					current.id != revision))
		rc = check_revision(v, &r, &of, name, e);
	store_revision_clear(&current);
	store_revision_clear(&r);
	return rc;
}

/* ---- models ---- */

static int read_weights(struct verify *v, const struct store_version *stored, struct err *why)
{
	const char *const documents[] = { stored->metrics, stored->training, stored->dataset };
	struct store_bytes bytes = { 0 };
	struct model *model = NULL;
	int rc = check_documents(documents, sizeof documents / sizeof *documents, why);

	if (rc || (rc = v->store->blob_read(v->store, stored->blob, &bytes, why))) return rc;
	rc = bytes.size == stored->size_bytes
			     ? model_read(&model, bytes.data, bytes.size, why)
			     : err_set(why, ERR_CORRUPT, "it has %zu bytes and says %" PRIu64, bytes.size,
					       stored->size_bytes);
	model_free(model);
	store_bytes_clear(&bytes);
	return rc;
}

static int check_version(struct verify *v, const struct store_version *stored, struct err *e)
{
	struct verify_fault of = { .of = VERIFY_VERSION, .name = stored->model, .version = stored->number };
	struct store_bytes counts = { 0 };
	struct err why;
	int rc = told(v, read_weights(v, stored, &why), of, &why, e, "model %s, version %" PRIu64,
			stored->model, stored->number);

	v->versions++;
	if (rc) return rc;
	of.of = VERIFY_COUNTS;
	rc = told(v, v->store->drift_get(v->store, stored->model, stored->number, &counts, &why), of, &why, e,
			"model %s, what was counted of version %" PRIu64, stored->model, stored->number);
	store_bytes_clear(&counts);
	return rc;
}

static int check_versions(struct verify *v, const char *model, struct err *e)
{
	const struct verify_fault of = { .of = VERIFY_MODEL, .name = model };
	uint64_t before = 0;
	size_t count;
	struct err why;
	int rc;

	do {
		struct store_version *list = NULL;

		rc = v->store->version_list(v->store, model, before, 1, &list, &count, &why);
		rc = told(v, rc, of, &why, e, "model %s, the list of its versions breaks off", model);
		if (count) {
			before = list->number;
			rc = check_version(v, list, e);
			store_version_clear(list);
		}
		free(list);
	} while (!rc && count);
	return rc;
}

static int check_model(struct verify *v, const struct store_model *model, struct err *e)
{
	const char *const documents[] = { model->sent, model->metadata };
	const struct verify_fault of = { .of = VERIFY_MODEL, .name = model->name };
	struct definition definition;
	json_t *document = NULL;
	struct err why;
	int rc = model_definition(model, &definition, &document, &why);

	v->models++;
	definition_clear(&definition);
	json_decref(document);
	if (!rc) rc = check_documents(documents, sizeof documents / sizeof *documents, &why);
	rc = told(v, rc, of, &why, e, "model %s", model->name);
	return rc ? rc : check_versions(v, model->name, e);
}

static int check_models(struct verify *v, struct err *e)
{
	char after[128] = "";
	size_t count;
	struct err why;
	int rc;

	do {
		struct store_model *list = NULL;

		rc = v->store->model_list(v->store, after, 1, &list, &count, &why);
		rc = told(v, rc, (struct verify_fault){ .of = VERIFY_FILE }, &why, e,
				"the list of models breaks off after \"%s\"", after);
		if (count) {
			snprintf(after, sizeof after, "%s", list->name);
			rc = check_model(v, list, e);
			store_model_clear(list);
		}
		free(list);
	} while (!rc && count);
	return rc;
}

/* ---- jobs ---- */

static int on_points(void *self, const struct store_curve_block *block, struct err *e)
{
	struct verify *v = self;
	struct curve curve = { 0 };
	int rc = curve_decode(&curve, block->data, block->size, 0, UINT64_MAX, e);

	v->blocks++;
	if (!rc && curve.count != block->points)
		rc = err_set(e, ERR_CORRUPT, "a block of it has %zu points and says %" PRIu64, curve.count,
				block->points);
	curve_clear(&curve);
	return rc;
}

static int on_spans(void *self, const struct store_curve_block *block, struct err *e)
{
	struct verify *v = self;
	struct curve_spans spans = { 0 };
	int rc = curve_decode_spans(&spans, block->data, block->size, 0, UINT64_MAX, e);

	v->blocks++;
	curve_spans_clear(&spans);
	return rc;
}

static int check_curve(struct verify *v, const struct store_job *job, struct err *e)
{
	const struct verify_fault of = { .of = VERIFY_CURVE, .job = job->id };
	struct store *s = v->store;
	struct err why;
	int rc = s->curve_read(s, job->id, 1, UINT64_MAX, on_points, v, &why);

	for (unsigned level = 1; level <= CURVE_LEVELS && !rc; level++)
		rc = s->level_read(s, job->id, level, 1, UINT64_MAX, on_spans, v, &why);
	return told(v, rc, of, &why, e, "the curve of job %" PRId64, job->id);
}

static int check_checkpoints(struct verify *v, const struct store_job *job, struct err *e)
{
	const struct verify_fault of = { .of = VERIFY_CHECKPOINT, .job = job->id };
	struct store_checkpoint list[STORE_CHECKPOINTS];
	struct store_bytes bytes = { 0 };
	size_t count = 0;
	struct err why;
	int rc = v->store->checkpoint_list(v->store, job->id, list, &count, &why);

	rc = told(v, rc, of, &why, e, "the checkpoints of job %" PRId64, job->id);
	for (size_t i = 0; i < count && !rc; i++, v->checkpoints++) {
		rc = v->store->blob_read(v->store, list[i].blob, &bytes, &why);
		if (!rc) rc = checkpoint_check(bytes.data, bytes.size, &why);
		rc = told(v, rc, of, &why, e, "checkpoint %" PRIu64 " of job %" PRId64, list[i].sequence,
				job->id);
		store_bytes_clear(&bytes);
	}
	return rc;
}

static int check_output(struct verify *v, const struct store_job *job, struct err *e)
{
	const struct verify_fault of = { .of = VERIFY_OUTPUT, .job = job->id };
	struct store_bytes bytes = { 0 };
	struct fold_rows rows = { 0 };
	struct err why;
	int rc;

	if (!job->output) return 0;
	v->outputs++;
	rc = v->store->blob_read(v->store, job->output, &bytes, &why);
	if (!rc) rc = fold_rows_read(&rows, bytes.data, bytes.size, &why);
	fold_rows_clear(&rows);
	store_bytes_clear(&bytes);
	return told(v, rc, of, &why, e, "what job %" PRId64 " predicted", job->id);
}

static int check_job(struct verify *v, const struct store_job *job, struct err *e)
{
	const char *const documents[] = { job->config, job->metrics, job->best, job->error, job->results };
	const struct verify_fault of = { .of = VERIFY_JOB, .job = job->id };
	struct err why;
	int rc = check_documents(documents, sizeof documents / sizeof *documents, &why);

	v->jobs++;
	if ((rc = told(v, rc, of, &why, e, "job %" PRId64, job->id))) return rc;
	if (!job_state_ended(job->state) &&
			((rc = check_needed(v, job, job->revision, e)) ||
					(rc = check_needed(v, job, job->validation_revision, e))))
		return rc;
	if ((rc = check_curve(v, job, e)) || (rc = check_checkpoints(v, job, e))) return rc;
	return check_output(v, job, e);
}

static int check_jobs(struct verify *v, struct err *e)
{
	struct store_job_filter filter = { .state = JOB_STATES, .limit = 1 };
	size_t count;
	struct err why;
	int rc;

	do {
		struct store_job *list = NULL;

		rc = v->store->job_list(v->store, &filter, &list, &count, &why);
		rc = told(v, rc, (struct verify_fault){ .of = VERIFY_FILE }, &why, e,
				"the list of jobs breaks off below %" PRId64, filter.before);
		if (count) {
			filter.before = list->id;
			rc = check_job(v, list, e);
			store_job_clear(list);
		}
		free(list);
	} while (!rc && count);
	return rc;
}

/* The log is read by whoever watches. */
static int check_log(struct verify *v, struct err *e)
{
	int64_t after = 0;
	size_t count;
	struct err why;
	int rc;

	do {
		struct store_event *list = NULL;

		rc = v->store->events_after(v->store, after, 0, PAGE, &list, &count, &why);
		for (size_t i = 0; i < count; i++) {
			after = list[i].id;
			if (!rc) rc = check_document(list[i].data, &why);
			store_event_clear(&list[i]);
		}
		free(list);
		rc = told(v, rc, (struct verify_fault){ .of = VERIFY_FILE }, &why, e,
				"the log, near event %" PRId64, after);
	} while (!rc && count);
	return rc;
}

int verify_all(struct verify *v, struct err *e)
{
	int rc;

	if ((rc = check_datasets(v, e)) || (rc = check_models(v, e)) || (rc = check_jobs(v, e))) return rc;
	return check_log(v, e);
}
