/* repair.c - `descentd repair TO`: a new database with what is whole of a damaged one, which is left as it is.
 *
 * First the store copies what rows it can (store_salvage_sqlite). What these come to is then read as the daemon would
 * (verify.h), and a data set, model, version or job that is not whole is deleted as a request would delete it, so that the rest
 * fits together and the log says so. That may show more, so it is done until nothing is left to delete.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/admin/check.h"
#include "server/admin/verify.h"
#include "server/codec/json.h"
#include "server/store/file.h"

#define ROUNDS_MAX 4

enum { ALL_OF_IT, LEFT_OUT, NOTHING };

/* A fault that was found, kept until the reading is over. */
struct broken {
	enum verify_of of;
	char *name;
	uint64_t version;
	int64_t job;
	struct broken *next;
};

struct repair {
	struct store *store;
	struct broken *broken;
	uint64_t left_out;
	bool nomem;
};

static void on_left_out(void *self, const char *sentence)
{
	struct repair *r = self;

	r->left_out++;
	printf("left out: %s\n", sentence);
}

static bool is_document(const char *text)
{
	json_t *document = NULL;
	int rc = json_read_stored(text, &document, NULL);

	json_decref(document);
	return !rc || rc == ERR_NOMEM; /* without memory nobody can tell */
}

static void on_fault(void *self, const struct verify_fault *fault)
{
	struct repair *r = self;
	struct broken *b = calloc(1, sizeof *b);

	on_left_out(r, fault->sentence);
	if (b) *b = (struct broken){ fault->of, strdup(fault->name), fault->version, fault->job, r->broken };
	if (!b || !b->name) {
		free(b);
		r->nomem = true;
		return;
	}
	r->broken = b;
}

static void forget(struct repair *r)
{
	while (r->broken) {
		struct broken *next = r->broken->next;

		free(r->broken->name);
		free(r->broken);
		r->broken = next;
	}
}

/* ---- deleting ---- */

static bool reads(struct store *s, int64_t revision, const char *dataset)
{
	struct store_revision r = { 0 };
	bool so = dataset && revision && !s->revision_get(s, revision, &r, NULL) && r.dataset &&
		  !strcmp(r.dataset, dataset);

	store_revision_clear(&r);
	return so;
}

/* Jobs that have not ended and that need the data set or the model, NULL for neither. */
static void cancel_jobs(struct store *s, const char *dataset, const char *model)
{
	struct store_job_filter filter = { .model = model, .limit = 1 };
	enum job_state state;

	for (filter.state = JOB_QUEUED; filter.state <= JOB_PAUSED; filter.state++) {
		struct store_job *list = NULL;
		size_t count = 0;

		filter.before = 0;
		while (!s->job_list(s, &filter, &list, &count, NULL) && count) {
			filter.before = list->id;
			if (model || reads(s, list->revision, dataset) ||
					reads(s, list->validation_revision, dataset))
				s->job_cancel(s, list->id, &state, NULL);
			store_job_clear(list);
			free(list);
		}
	}
}

static void drop_dataset(struct store *s, const struct broken *b)
{
	cancel_jobs(s, b->name, NULL);
	s->dataset_delete(s, b->name, NULL);
}

static void drop_model(struct store *s, const struct broken *b)
{
	cancel_jobs(s, NULL, b->name);
	s->model_delete(s, b->name, NULL);
}

static void drop_version(struct store *s, const struct broken *b)
{
	struct store_model model = { 0 };

	if (s->model_get(s, b->name, &model, NULL)) return;
	for (size_t i = 0; i < model.labels_count; i++)
		if (model.labels[i].version == b->version)
			s->label_delete(s, b->name, model.labels[i].label, NULL);
	for (size_t i = 0; i < model.shares_count; i++)
		if (model.shares[i].version == b->version) s->traffic_set(s, b->name, NULL, 0, NULL);
	store_model_clear(&model);
	s->version_delete(s, b->name, b->version, NULL);
}

static void cancel_job(struct store *s, const struct broken *b)
{
	enum job_state state;

	s->job_cancel(s, b->job, &state, NULL);
}

static void drop_job(struct store *s, const struct broken *b)
{
	cancel_job(s, b);
	s->job_delete(s, b->job, NULL);
}

static void drop_output(struct store *s, const struct broken *b)
{
	s->job_output_drop(s, b->job, NULL);
}

/* A damaged checkpoint is never gone on from, and of curves and counts the pieces that were damaged are gone. */
static void (*const drops[])(struct store *s, const struct broken *b) = {
	[VERIFY_DATASET] = drop_dataset,
	[VERIFY_DATA] = cancel_job,
	[VERIFY_MODEL] = drop_model,
	[VERIFY_VERSION] = drop_version,
	[VERIFY_JOB] = drop_job,
	[VERIFY_OUTPUT] = drop_output,
};

#define DROPS (sizeof drops / sizeof *drops)

/* ---- all of it ---- */

/* Reads everything and deletes what is not whole; *more: something was deleted. */
static int one_round(struct repair *r, bool *more, struct err *e)
{
	struct verify v = { .store = r->store, .fault = on_fault, .self = r };
	int rc = verify_all(&v, e);

	*more = false;
	if (!rc && r->nomem) rc = err_nomem(e);
	for (const struct broken *b = r->broken; b && !rc; b = b->next) {
		if (b->of >= DROPS || !drops[b->of]) continue;
		drops[b->of](r->store, b);
		*more = true;
	}
	forget(r);
	if (!rc && !*more)
		printf("written: %" PRIu64 " data sets, %" PRIu64 " models (%" PRIu64 " versions), %" PRIu64
		       " jobs\n",
				v.datasets, v.models, v.versions, v.jobs);
	return rc;
}

static int settle(struct repair *r, struct err *e)
{
	static const char cut_off[] = "{\"code\":\"crashed\",\"detail\":\"the database was damaged\"}";
	uint64_t unchecked;
	size_t count;
	bool more = true;
	int rc = r->store->job_recover(r->store, cut_off, &count, e);

	for (int i = 0; i < ROUNDS_MAX && more && !rc; i++)
		rc = one_round(r, &more, e);
	return rc ? rc : store_verify_sqlite(r->store, on_left_out, r, &unchecked, e);
}

/* Who says that repair is to be tried does not know that it was. */
static void say_failure(const struct err *e)
{
	if (strstr(e->text, "descentd repair"))
		fprintf(stderr, "descentd: %.*s; nothing of it can be saved: restore it from a backup\n",
				(int)strcspn(e->text, ";"), e->text);
	else
		fprintf(stderr, "descentd: %s\n", e->text);
}

int admin_repair(const struct config *config)
{
	const char *to = config->arguments[0];
	struct repair r = { 0 };
	struct err e;
	int rc;

	if ((rc = store_salvage_sqlite(config->db, to, is_document, on_left_out, &r, &e))) goto out;
	if (!(rc = store_open_sqlite(&r.store, to, &e))) {
		rc = settle(&r, &e);
		r.store->close(r.store);
	}
	if (rc) unlink(to); /* it is ours, and of no use */
out:
	if (rc)
		say_failure(&e);
	else if (!r.left_out)
		printf("nothing was left out\n");
	return rc ? NOTHING : r.left_out ? LEFT_OUT : ALL_OF_IT;
}
