/* test_store_migrate.c - a file of an older release is brought to the tables of this one, with all that is in it. */
#include "schema/embedded.h"
#include "server/store/file.h"
#include "server/store/sqlite/migrate.h"
#include "tests/unit/sqlite_file.h"
#include "tests/unit/store_things.h"
#include "tests/unit/suite.h"

/* What the first release wrote: a data set of one group, a model with a version, and a job that waits. */
static const char first_release[] =
		"PRAGMA application_id = 0x44534364; PRAGMA user_version = 1;"
		"INSERT INTO revision (id, state, dataset, number, row_count, column_count, group_count, sha256, columns)"
		" VALUES (7, 2, 'iris', 3, 2, 1, 1, 'abc', '[]'), (8, 3, 'iris', 2, 2, 1, 1, 'def', '[]');"
		"INSERT INTO dataset VALUES ('iris', 7);"
		"INSERT INTO segment (revision, row_group, column_index, data)"
		" VALUES (7, 0, 0, x'0102'), (8, 0, 0, x'0304');"
		"INSERT INTO model VALUES ('m', '{}', '{}', '', '{}', 1);"
		"INSERT INTO blob VALUES (1, 1, 1); INSERT INTO blob_chunk VALUES (1, 1, 0, x'05');"
		"INSERT INTO version VALUES ('m', 1, 0, '{}', 'null', 'null', 'e', 1, 1, 1);"
		"INSERT INTO job (id, model, kind, state, priority, revision, dataset, config, note, epochs, created_ms)"
		" VALUES (4, 'm', 'train', 0, 0, 8, 'iris', '{}', 'old', 5, 1);";

static void write_first_release(void)
{
	const struct embedded_file *first = embedded_find("schema/sqlite/0001_first.sql");

	ck_assert_ptr_nonnull(first);
	sql_on(suite_path, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
	sql_on(suite_path, first->data);
	sql_on(suite_path, first_release);
}

/* What the second wrote beside that: an ended job with a curve, and one that was cut off. */
static const char second_release[] =
		"PRAGMA user_version = 2;"
		"INSERT INTO job (id, model, kind, state, priority, revision, config, note, epochs, created_ms, curve,"
		" stop_reason, version, finished_ms, attempt)"
		" VALUES (5, 'm', 'train', 3, 0, 7, '{}', '', 5, 1, 11, 'epochs', 1, 9, 1),"
		" (6, 'm', 'train', 1, 0, 7, '{}', '', 5, 1, 12, NULL, 0, 0, 1);"
		"INSERT INTO curve_block (curve, first_epoch, last_epoch, points, data) VALUES (11, 1, 10, 10, x'00'),"
		" (12, 1, 3, 3, x'00'), (11, 11, 14, 4, x'00'); INSERT INTO series VALUES ('curve', 13);";

static void write_second_release(void)
{
	const struct embedded_file *second = embedded_find("schema/sqlite/0002_revisions.sql");

	ck_assert_ptr_nonnull(second);
	write_first_release();
	sql_on(suite_path, second->data);
	sql_on(suite_path, second_release);
}

static int64_t next_event; /* of the points seen */

static int see_events(void *self, const struct store_curve_block *block, struct err *err)
{
	int *blocks = self;

	(void)err;
	ck_assert_int_eq(block->first_event, next_event);
	next_event += (int64_t)block->points + 3 * !*blocks; /* the other job's three lie between */
	++*blocks;
	return 0;
}

START_TEST(second_release_is_brought_up)
{
	struct store_event *list;
	struct store_job job;
	struct store *s;
	size_t count;
	int blocks = 0;

	fresh_path();
	write_second_release();
	s = open_again();
	next_event = 1;
	OK(s->curve_read(s, 5, 0, 100, see_events, &blocks, &e));
	ck_assert_int_eq(blocks, 2);
	ck_assert_int_eq(next_event, 18);
	ck_assert_int_eq(s->last_event(s), 20); /* 17 points, and a state of each of 3 jobs */
	OK(s->events_after(s, 0, 5, 9, &list, &count, &e));
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(list[0].id, 19);
	ck_assert_str_eq(list[0].data,
			"{\"job\":\"5\",\"model\":\"m\",\"kind\":\"train\",\"state\":\"succeeded\",\"attempt\":1,"
			"\"resumed\":0,\"epoch\":0,\"stop_reason\":\"epochs\",\"version\":\"1\",\"parent\":null}");
	store_event_clear(&list[0]);
	free(list);
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 1);
	OK(s->job_claim(s, "me", 60000, &job, &e));
	ck_assert_int_eq(job.id, 4);
	store_job_clear(&job);
	s->close(s);
	ck_assert_int_eq(number_on(suite_path, "PRAGMA user_version"), migrate_latest());
}
END_TEST

START_TEST(first_release_is_brought_up)
{
	struct store_bytes bytes = { 0 };
	struct store_revision out;
	struct store_job job;
	struct store *s;

	fresh_path();
	write_first_release();
	s = open_again();
	OK(s->job_get(s, 4, &job, &e));
	ck_assert_int_eq(job.revision, 8);
	ck_assert_int_eq(job.validation_revision, 0);
	ck_assert_str_eq(job.dataset, "iris");
	ck_assert_str_eq(job.note, "old");
	store_job_clear(&job);
	OK(s->dataset_get(s, "iris", &out, &e));
	ck_assert_uint_eq(out.number, 3);
	store_revision_clear(&out);
	OK(s->segment_read(s, 7, 0, 0, &bytes, &e));
	ck_assert_uint_eq(bytes.size, 2);
	OK(s->drift_put(s, "m", 1, "x", 1, &e));
	finish_job(s, 4, claim(s, 4), JOB_FAILED);
	ck_assert(!revision_there(s, 8)); /* only its job had kept it */
	wait_for_sweep(suite_path);
	s->close(s);
	ck_assert_int_eq(number_on(suite_path, "PRAGMA user_version"), migrate_latest());
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM segment"), 1);
	store_bytes_clear(&bytes);
}
END_TEST

static bool any(const char *text)
{
	return text;
}

static void count_it(void *self, const char *sentence)
{
	(void)sentence;
	++*(int *)self;
}

START_TEST(what_is_saved_of_an_older_file_is_of_this_release)
{
	char new[sizeof suite_path + 8];
	struct store_bytes bytes = { 0 };
	struct store *s;
	int told = 0;

	fresh_path();
	write_second_release();
	REFUSED(store_look_sqlite(&s, suite_path, &e), ERR_CORRUPT);
	snprintf(new, sizeof new, "%s.new", suite_path);
	OK(store_salvage_sqlite(suite_path, new, any, count_it, &told, &e));
	ck_assert_int_eq(told, 0);
	ck_assert_int_eq(number_on(suite_path, "PRAGMA user_version"), 2);
	ck_assert_int_eq(number_on(new, "PRAGMA user_version"), migrate_latest());
	ck_assert_int_eq(number_on(new, "SELECT count(*) FROM segment WHERE crc IS NULL"), 0);
	OK(store_open_sqlite(&s, new, &e));
	OK(s->segment_read(s, 7, 0, 0, &bytes, &e));
	ck_assert_uint_eq(bytes.size, 2);
	ck_assert_int_eq(s->last_event(s), 20);
	s->close(s);
	store_bytes_clear(&bytes);
}
END_TEST

/* A migration is whole or not at all: one that is killed at any moment is done by the next start. */
START_TEST(crash_while_migrating_is_mended)
{
	fresh_path();
	for (useconds_t us = 0; us < 10000; us += 500) {
		struct store_job job;
		struct store *s;
		pid_t child;
		int status;

		write_first_release();
		child = fork();
		if (!child) _exit(suite_open(&s, suite_path, NULL));
		usleep(us);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		s = open_again();
		OK(s->job_get(s, 4, &job, &e));
		store_job_clear(&job);
		s->close(s);
		ck_assert_int_eq(unlink(suite_path), 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { first_release_is_brought_up, second_release_is_brought_up,
		crash_while_migrating_is_mended, what_is_saved_of_an_older_file_is_of_this_release, NULL };

	suite_open = store_open_sqlite;
	return suite_main("migrations of the SQLite store", tests, 60);
}
