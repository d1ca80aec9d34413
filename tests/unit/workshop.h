/* workshop.h - a store in a fresh folder with data sets from CSV, models from definitions and jobs from requests, made as
 * the daemon makes them: for tests of what works on them.
 */
#ifndef TESTS_UNIT_WORKSHOP_H
#define TESTS_UNIT_WORKSHOP_H

#include <ftw.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/model.h"
#include "core/rng.h"
#include "server/api/models.h"
#include "server/api/upload.h"
#include "server/codec/definition.h"
#include "server/codec/json.h"
#include "server/codec/table_parts.h"
#include "server/codec/train_request.h"
#include "server/jobs/training.h"
#include "server/store/store.h"
#include "tests/unit/suite.h"

#define WORKSHOP_THREADS 2 /* the most that a job may use */

static struct err e; /* of the last call */
static char workshop_folder[64];

#define OK(call) ck_assert_msg(!(call), "%s: %s", #call, e.text)
/* The call fails with this code and a sentence. */
#define REFUSED(call, code)                           \
	do {                                          \
		e.text[0] = 0;                        \
		ck_assert_int_eq(call, code);         \
		ck_assert_uint_gt(strlen(e.text), 0); \
	} while (0)

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void remove_folder(void)
{
	nftw(workshop_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *workshop_database(void)
{
	static char path[80];

	snprintf(path, sizeof path, "%s/db", workshop_folder);
	return path;
}

static inline struct store *open_store(void)
{
	struct store *store;

	OK(store_open_sqlite(&store, workshop_database(), &e));
	return store;
}

/* In a new folder that goes when the test's process ends. */
static inline struct store *fresh_store(void)
{
	strcpy(workshop_folder, "/tmp/descentd-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(workshop_folder));
	atexit(remove_folder);
	return open_store();
}

static inline const struct gemm_engine *any_engine(void)
{
	const struct gemm_engine *engine;

	OK(gemm_choose(&engine, NULL, &e));
	return engine;
}

/* Text that grows. */
static inline void add_text(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void add_text(char **text, const char *format, ...)
{
	char *line, *whole;
	va_list args;

	va_start(args, format);
	ck_assert_int_ge(vasprintf(&line, format, args), 0);
	va_end(args);
	ck_assert_int_ge(asprintf(&whole, "%s%s", *text ? *text : "", line), 0);
	free(line);
	free(*text);
	*text = whole;
}

/* A data set out of CSV; the id of its revision. group_bytes: of a row group, 0 for the usual ones. */
static inline int64_t put_csv_in_groups(
		struct store *store, const char *name, const char *csv, size_t group_bytes)
{
	struct upload upload;
	struct table_sink sink = upload_sink(&upload);
	struct faults faults = { 0 };
	struct table *table;
	struct sha256_ctx hash;
	struct store_revision revision;
	enum store_outcome outcome;
	char sha256[65];
	int64_t id;

	OK(upload_begin(&upload, store, &e));
	OK(table_new_csv(&table, NULL, &sink, &faults, &e));
	if (group_bytes) table->group_bytes = group_bytes;
	OK(table_feed(table, csv, strlen(csv), &e));
	OK(table_end(table, &e));
	sha256_init(&hash);
	sha256_update(&hash, strlen(csv), (const uint8_t *)csv);
	upload_digest(&hash, sha256);
	OK(upload_commit(&upload, table, name, true, sha256, strlen(csv), &outcome, &revision, &e));
	table_free(table);
	id = revision.id;
	store_revision_clear(&revision);
	return id;
}

static inline int64_t put_csv(struct store *store, const char *name, const char *csv)
{
	return put_csv_in_groups(store, name, csv, 0);
}

static inline void resolve_definition(struct store *store, struct definition *d)
{
	struct store_revision revision;
	struct definition_source *sources;
	struct faults faults = { 0 };
	json_t *columns, *warnings = json_array();
	size_t count;

	OK(store->dataset_get(store, d->dataset, &revision, &e));
	OK(json_read_stored(revision.columns, &columns, &e));
	OK(sources_read(columns, &sources, &count, &e));
	definition_from_columns(d, sources, count, revision.rows, warnings, &faults);
	OK(faults_result(&faults, &e));
	sources_free(sources, count);
	json_decref(columns);
	json_decref(warnings);
	store_revision_clear(&revision);
}

static inline void put_model(struct store *store, const char *name, const char *definition)
{
	struct definition d;
	struct faults faults = { 0 };
	enum store_outcome outcome;
	json_t *document, *resolved;
	char *text;

	OK(json_read(definition, strlen(definition), &document, &e));
	definition_read(document, false, &d, &faults);
	OK(faults_result(&faults, &e));
	if (d.inputs)
		definition_finish(&d, 0, &faults);
	else
		resolve_definition(store, &d);
	OK(faults_result(&faults, &e));
	resolved = definition_document(&d);
	text = json_text(resolved, false);
	OK(store->model_create(store, name, definition, text, "", "{}", 0, &outcome, &e));
	free(text);
	json_decref(resolved);
	json_decref(document);
	definition_clear(&d);
}

/* Completes a request as :train does; without a loss it takes that of the stored model. */
static inline void resolve_request(struct store *store, const char *model, uint64_t rows,
		struct train_request *request, struct faults *wrong)
{
	struct store_model stored;
	struct definition d;
	struct faults faults = { 0 };
	json_t *document;

	OK(store->model_get(store, model, &stored, &e));
	OK(json_read_stored(stored.definition, &document, &e));
	definition_read(document, true, &d, &faults);
	definition_finish(&d, 0, &faults);
	if (!request->loss) memcpy(request->loss_params, d.loss_params, sizeof d.loss_params);
	if (!request->loss) request->loss = d.loss;
	train_request_resolve(request, rows, definition_classifies(&d), WORKSHOP_THREADS, wrong);
	definition_clear(&d);
	json_decref(document);
	store_model_clear(&stored);
}

/* Queues {"dataset":dataset, …fields} for a model; the job's id. */
static inline int64_t put_job(
		struct store *store, const char *model, const char *dataset, const char *fields, int priority)
{
	struct train_request request;
	struct store_revision revision, held = { 0 };
	struct faults faults = { 0 };
	json_t *document, *config;
	char *text = NULL;
	int64_t id;

	add_text(&text, "{\"dataset\":\"%s\"%s%s}", dataset, *fields ? "," : "", fields);
	OK(json_read(text, strlen(text), &document, &e));
	OK(store->dataset_get(store, dataset, &revision, &e));
	train_request_read(document, false, &request, &faults);
	if (request.validation.dataset) OK(store->dataset_get(store, request.validation.dataset, &held, &e));
	resolve_request(store, model, revision.rows, &request, &faults);
	OK(faults_result(&faults, &e));
	config = train_request_document(&request);
	free(text);
	text = json_text(config, false);
	OK(store->job_create(store,
			&(struct store_job_new){ .model = model,
					.kind = "train",
					.dataset = dataset,
					.config = text,
					.note = "",
					.priority = priority,
					.revision = revision.id,
					.validation_revision = held.id,
					.epochs = request.core.epochs },
			&id, &e));
	free(text);
	json_decref(config);
	json_decref(document);
	store_revision_clear(&revision);
	store_revision_clear(&held);
	return id;
}

/* A version of a model, out of the bytes of a model file. */
static inline uint64_t put_version(
		struct store *store, const char *model, const unsigned char *bytes, size_t size)
{
	struct store_version_new version = {
		.metrics = "{}", .training = "null", .dataset = "null", .engine = "test", .size_bytes = size
	};
	uint64_t number;

	OK(store->blob_write(store, bytes, size, &version.blob, &e));
	OK(store->version_create(store, model, &version, &number, &e));
	return number;
}

#endif
