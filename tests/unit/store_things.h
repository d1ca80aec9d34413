/* store_things.h - a store of one's own in a fresh folder, and things to put into it. For tests of one process each. */
#ifndef TESTS_UNIT_STORE_THINGS_H
#define TESTS_UNIT_STORE_THINGS_H

#include <check.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/store.h"

/* Opens the store that is kept at path, or a new one. */
static int (*suite_open)(struct store **out, const char *path, struct err *e);

static struct err e; /* of the last call */
static char suite_folder[64], suite_path[96];

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
	nftw(suite_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* suite_path is a file that does not exist, in a new folder that goes when the test ends. */
static inline void fresh_path(void)
{
	strcpy(suite_folder, "/tmp/descentd-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(suite_folder));
	snprintf(suite_path, sizeof suite_path, "%s/store.db", suite_folder);
	atexit(remove_folder);
}

static inline struct store *open_again(void)
{
	struct store *s;

	OK(suite_open(&s, suite_path, &e));
	return s;
}

static inline struct store *fresh_store(void)
{
	fresh_path();
	return open_again();
}

/* ---- things to put into a store ---- */

#define CELLS_BYTES 1000

/* Byte i of what lies under a key; every key has other bytes. */
static inline unsigned char byte_of(uint64_t key, size_t i)
{
	return (unsigned char)((key * 2654435761u + i * 40503u) >> 8);
}

static inline struct store_bytes bytes_of(uint64_t key, size_t size)
{
	struct store_bytes bytes = { malloc(size ? size : 1), size };

	ck_assert_ptr_nonnull(bytes.data);
	for (size_t i = 0; i < size; i++)
		bytes.data[i] = byte_of(key, i);
	return bytes;
}

static inline void assert_bytes(const struct store_bytes *bytes, uint64_t key, size_t size)
{
	ck_assert_uint_eq(bytes->size, size);
	for (size_t i = 0; i < size; i++)
		if (bytes->data[i] != byte_of(key, i)) ck_abort_msg("byte %zu differs", i);
}

/* 64 hexadecimal digits out of one letter. */
static inline const char *sha_of(char letter)
{
	static char sha[65];

	memset(sha, letter, 64);
	return sha;
}

/* Groups of two columns whose cells are bytes_of(key + group * 2 + column). */
static inline int64_t begin_upload(struct store *s, uint64_t key, size_t groups, size_t cells_bytes)
{
	int64_t revision;

	OK(s->upload_begin(s, &revision, &e));
	for (size_t g = 0; g < groups; g++) {
		struct store_bytes bytes[2] = { bytes_of(key + g * 2, cells_bytes),
			bytes_of(key + g * 2 + 1, cells_bytes) };

		OK(s->upload_group(s, revision, g, bytes, 2, &e));
		ck_assert_ptr_null(bytes[0].data);
	}
	return revision;
}

static inline int end_upload(struct store *s, int64_t revision, const char *name, char sha, bool replace,
		enum store_outcome *outcome, struct store_revision *out)
{
	const struct store_upload upload = { .dataset = name,
		.replace = replace,
		.rows = 20,
		.columns_count = 2,
		.groups = 2,
		.size_bytes = 4000,
		.sha256 = sha_of(sha),
		.columns = "[{\"name\":\"a\"},{\"name\":\"b\"}]" };

	return s->upload_commit(s, revision, &upload, outcome, out, &e);
}

/* A small data set (name NULL: inline); the id of its revision. */
static inline int64_t put_dataset(struct store *s, const char *name, char sha)
{
	struct store_revision out;
	enum store_outcome outcome;
	int64_t revision = begin_upload(s, (uint64_t)sha, 2, CELLS_BYTES);

	OK(end_upload(s, revision, name, sha, true, &outcome, &out));
	ck_assert_int_eq(out.id, revision);
	store_revision_clear(&out);
	return revision;
}

static inline bool revision_there(struct store *s, int64_t revision)
{
	struct store_revision out;
	int rc = s->revision_get(s, revision, &out, &e);

	ck_assert(rc == 0 || rc == ERR_NOT_FOUND);
	store_revision_clear(&out);
	return !rc;
}

static inline void put_model(struct store *s, const char *name)
{
	enum store_outcome outcome;

	OK(s->model_create(s, name, "{\"sent\":1}", "{\"definition\":1}", "words", "{}", 0, &outcome, &e));
	ck_assert_int_eq(outcome, STORE_CREATED);
}

static inline struct store_version_new version_of(struct store *s, uint64_t key, size_t size)
{
	struct store_version_new v = { .metrics = "{\"loss\":0.5}",
		.training = "{\"epochs\":3}",
		.dataset = "{\"name\":\"d\"}",
		.engine = "naive",
		.size_bytes = size };
	struct store_bytes bytes = bytes_of(key, size);

	OK(s->blob_write(s, bytes.data, bytes.size, &v.blob, &e));
	store_bytes_clear(&bytes);
	return v;
}

static inline uint64_t put_version(struct store *s, const char *model)
{
	struct store_version_new v = version_of(s, 1, 100);
	uint64_t number;

	OK(s->version_create(s, model, &v, &number, &e));
	return number;
}

static inline int64_t put_job(struct store *s, const char *model, int64_t revision, int priority)
{
	const struct store_job_new job = { .model = model,
		.kind = "train",
		.dataset = "d",
		.config = "{\"seed\":1}",
		.note = "first",
		.priority = priority,
		.revision = revision,
		.epochs = 200 };
	int64_t id;

	OK(s->job_create(s, &job, &id, &e));
	return id;
}

/* Claims a job that must be id; its attempt. */
static inline int64_t claim(struct store *s, int64_t id)
{
	struct store_job job;
	int64_t attempt;

	OK(s->job_claim(s, "me", 60000, &job, &e));
	ck_assert_int_eq(job.id, id);
	ck_assert_int_eq(job.state, JOB_RUNNING);
	attempt = job.attempt;
	store_job_clear(&job);
	return attempt;
}

static inline enum job_state state_of(struct store *s, int64_t id)
{
	struct store_job job;
	enum job_state state;

	OK(s->job_get(s, id, &job, &e));
	state = job.state;
	store_job_clear(&job);
	return state;
}

static inline struct store_job_end end_of(int64_t id, int64_t attempt, enum job_state state)
{
	return (struct store_job_end){ .id = id,
		.attempt = attempt,
		.state = state,
		.stop_reason = "epochs",
		.metrics = "{\"loss\":0.1}",
		.best = "{\"epoch\":7}",
		.epoch = 9,
		.step = 90,
		.samples_per_second = 1e6 };
}

static inline void finish_job(struct store *s, int64_t id, int64_t attempt, enum job_state state)
{
	struct store_job_end end = end_of(id, attempt, state);
	uint64_t version;

	OK(s->job_finish(s, &end, &version, &e));
	ck_assert_uint_eq(version, 0);
}

/* ---- processes that die ---- */

/* Runs work in a child on the store at suite_path and kills it with SIGKILL when it says on a pipe that it is
 * there: a crash at a known point. Children do not use Check. */
static inline void crash_in(void (*work)(struct store *s, int tell))
{
	int ends[2], status;
	char there;
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		struct store *s;

		close(ends[0]);
		if (suite_open(&s, suite_path, NULL)) _exit(1);
		work(s, ends[1]);
		_exit(2);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &there, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	ck_assert(WIFSIGNALED(status));
	close(ends[0]);
}

static inline void tell_and_wait(int tell)
{
	if (write(tell, "x", 1) != 1) _exit(3);
	for (;;)
		pause();
}

/* Five points of a curve, from this epoch on. */
static inline struct store_curve_block block_of(uint64_t first)
{
	return (struct store_curve_block){ .first = first,
		.last = first + 4,
		.points = 5,
		.data = (const unsigned char *)"curve",
		.size = 5 };
}

#endif
