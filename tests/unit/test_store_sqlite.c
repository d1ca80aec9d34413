/* test_store_sqlite.c - the contract of the store on SQLite, and what only SQLite's file has: whose it is, whether
 * we may write there, what is swept out of it, and how large its log grows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "server/store/sqlite/migrate.h"
#include "server/store/sqlite/writer.h"
#include "tests/unit/sqlite_file.h"
#include "tests/unit/store_suite.h"
#include "tests/unit/suite.h"

#define NOBODY 65534

/* ---- helpers ---- */

static struct store_bytes file_of(const char *path)
{
	struct store_bytes bytes = { 0 };
	FILE *f = fopen(path, "rb");
	struct stat st;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	bytes.size = (size_t)st.st_size;
	bytes.data = malloc(bytes.size + 1);
	ck_assert_uint_eq(fread(bytes.data, 1, bytes.size, f), bytes.size);
	fclose(f);
	return bytes;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static bool beside(const char *end)
{
	char path[128];

	snprintf(path, sizeof path, "%s%s", suite_path, end);
	return !access(path, F_OK);
}

/* The file is refused with this code and a sentence that has this word in it, and stays byte for byte as it was,
 * with nothing new beside it. */
static void assert_refused(int code, const char *word)
{
	struct store_bytes before = file_of(suite_path), after;
	struct store *s;

	REFUSED(store_open_sqlite(&s, suite_path, &e), code);
	ck_assert_ptr_null(s);
	ck_assert_msg(strstr(e.text, word), "%s", e.text);
	after = file_of(suite_path);
	ck_assert_uint_eq(before.size, after.size);
	ck_assert_mem_eq(before.data, after.data, before.size);
	ck_assert(!beside("-lock") && !beside("-wal") && !beside("-shm"));
	store_bytes_clear(&before);
	store_bytes_clear(&after);
}

/* ---- whose file it is ---- */

START_TEST(empty_file_becomes_a_database)
{
	struct store *s;

	fresh_path();
	write_file(suite_path, "");
	s = open_again();
	put_model(s, "m");
	s->close(s);
	ck_assert(!beside("-lock") && !beside("-wal") && !beside("-journal"));
	ck_assert_int_eq(number_on(suite_path, "PRAGMA application_id"), 0x44534364);
	ck_assert_int_eq(number_on(suite_path, "PRAGMA auto_vacuum"), 2);
	ck_assert_int_eq(number_on(suite_path, "PRAGMA page_size"), 8192);
	ck_assert_int_eq(number_on(suite_path, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
}
END_TEST

START_TEST(foreign_files_are_refused_untouched)
{
	fresh_path();
	write_file(suite_path,
			"name,age\nAnn,31\nthis is some text, long enough to be more than a header of SQLite is\n");
	assert_refused(ERR_CORRUPT, "not a SQLite database");
	write_file(suite_path, "short");
	assert_refused(ERR_CORRUPT, "not a SQLite database");
	ck_assert_int_eq(unlink(suite_path), 0);
	sql_on(suite_path, "CREATE TABLE photos (id); INSERT INTO photos VALUES (1)");
	assert_refused(ERR_CORRUPT, "another program");
	sql_on(suite_path, "DROP TABLE photos; PRAGMA application_id = 17; VACUUM");
	assert_refused(ERR_CORRUPT, "another program");
	sql_on(suite_path, "PRAGMA application_id = 0; PRAGMA user_version = 3");
	assert_refused(ERR_CORRUPT, "another program");
}
END_TEST

/* Tables that are still in another program's log, which closing must not copy into its file. */
START_TEST(foreign_log_is_left_alone)
{
	struct store_bytes before, after;
	struct store *s;
	sqlite3 *db;

	fresh_path();
	ck_assert_int_eq(sqlite3_open(suite_path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE photos (id)", NULL, NULL,
					 NULL),
			0);
	sqlite3_close(db);
	before = file_of(suite_path);
	REFUSED(store_open_sqlite(&s, suite_path, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.text, "another program"));
	after = file_of(suite_path);
	ck_assert_uint_eq(before.size, after.size);
	ck_assert_mem_eq(before.data, after.data, before.size);
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM photos"), 0);
	store_bytes_clear(&before);
	store_bytes_clear(&after);
}
END_TEST

START_TEST(newer_file_is_refused_untouched)
{
	struct store *s = fresh_store();

	s->close(s);
	sql_on(suite_path, "PRAGMA user_version = 999");
	assert_refused(ERR_CORRUPT, "newer");
	mark_schema(suite_path, migrate_latest());
	s = open_again();
	s->close(s);
}
END_TEST

/* A table that is damaged is told when it is read. */
START_TEST(damage_is_told)
{
	struct store *s = fresh_store();
	struct store_model m;
	int fd;

	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof name, "m%d", i);
		put_model(s, name);
	}
	s->close(s);
	fd = open(suite_path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	for (off_t at = 8192; at < 60 * 8192; at += 8192)
		ck_assert_int_eq(pwrite(fd, "damaged damaged damaged damaged", 31, at), 31);
	close(fd);
	if (store_open_sqlite(&s, suite_path, &e)) {
		ck_assert_ptr_nonnull(strstr(e.text, "damaged"));
		return;
	}
	REFUSED(s->model_get(s, "m7", &m, &e), ERR_CORRUPT);
	s->close(s);
}
END_TEST

/* ---- whether we may write there ---- */

/* What opening suite_path answers to a user who has no rights beyond what the modes say. */
static int open_as_nobody(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct store *s;
		int rc;

		if (!geteuid() && (setegid(NOBODY) || seteuid(NOBODY))) _exit(99);
		rc = store_open_sqlite(&s, suite_path, NULL);
		_exit(rc);
	}
	waitpid(child, &status, 0);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(read_only_places_are_refused)
{
	struct store *s = fresh_store();

	s->close(s);
	ck_assert_int_eq(chmod(suite_path, 0444), 0);
	ck_assert_int_eq(chmod(suite_folder, 0777), 0);
	ck_assert_int_eq(open_as_nobody(), ERR_FORBIDDEN);
	ck_assert_int_eq(chmod(suite_path, 0666), 0);
	ck_assert_int_eq(open_as_nobody(), 0);
	ck_assert_int_eq(chmod(suite_folder, 0555), 0);
	ck_assert_int_eq(open_as_nobody(), ERR_FORBIDDEN);
	ck_assert_int_eq(chmod(suite_folder, 0777), 0);
	ck_assert_int_eq(unlink(suite_path), 0);
	ck_assert_int_eq(chmod(suite_folder, 0555), 0);
	ck_assert_int_eq(open_as_nobody(), ERR_FORBIDDEN); /* nor can a new file be made there */
	ck_assert_int_eq(chmod(suite_folder, 0777), 0);
}
END_TEST

START_TEST(places_that_cannot_be_are_refused)
{
	struct store *s;

	fresh_path();
	REFUSED(store_open_sqlite(&s, suite_folder, &e), ERR_IO);
	ck_assert_ptr_nonnull(strstr(e.text, "not a file"));
	REFUSED(store_open_sqlite(&s, "", &e), ERR_IO);
	REFUSED(store_open_sqlite(&s, "/nowhere/at/all.db", &e), ERR_IO);
	ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/at/all.db"));
	ck_assert_ptr_null(s);
}
END_TEST

/* Two names of one file are one place. */
START_TEST(link_is_the_same_place)
{
	struct store *s = fresh_store(), *second;
	char path[128];

	snprintf(path, sizeof path, "%s/link.db", suite_folder);
	ck_assert_int_eq(symlink(suite_path, path), 0);
	REFUSED(store_open_sqlite(&second, path, &e), ERR_CONFLICT);
	s->close(s);
	OK(store_open_sqlite(&second, path, &e));
	second->close(second);
}
END_TEST

/* A daemon that is killed while it makes its file leaves one that the next start completes. */
START_TEST(crash_while_creating_is_mended)
{
	for (useconds_t us = 0; us < 20000; us += 500) {
		struct store *s;
		pid_t child;
		int status;

		if (!us) fresh_path();
		child = fork();
		if (!child) _exit(store_open_sqlite(&s, suite_path, NULL));
		usleep(us);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		s = open_again();
		put_model(s, "m");
		s->close(s);
		ck_assert_int_eq(unlink(suite_path), 0);
	}
}
END_TEST

/* ---- the disk is full ---- */

/* A limit on the size of files stands in for a disk: what does not fit is refused, the rest works on. */
START_TEST(full_disk_is_told_and_survived)
{
	struct rlimit limit;
	struct store *s = fresh_store();
	struct store_bytes bytes = bytes_of(1, 20 << 20);
	int64_t blob;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	put_model(s, "before");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 6 << 20, limit.rlim_max }), 0);
	REFUSED(s->blob_write(s, bytes.data, bytes.size, &blob, &e), ERR_DISK_FULL);
	ck_assert_int_eq(blob, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	put_model(s, "after");
	OK(s->blob_write(s, bytes.data, bytes.size, &blob, &e));
	s->close(s);
	s = open_again();
	put_model(s, "again");
	s->close(s);
	store_bytes_clear(&bytes);
}
END_TEST

/* ---- what is swept ---- */

START_TEST(sweep_leaves_nothing_behind)
{
	static const char pieces[] =
			"SELECT (SELECT count(*) FROM segment) + (SELECT count(*) FROM dictionary)"
			" + (SELECT count(*) FROM blob_chunk) + (SELECT count(*) FROM curve_block)"
			" + (SELECT count(*) FROM revision) + (SELECT count(*) FROM blob)";
	struct store *s = fresh_store();
	struct store_bytes words = bytes_of(1, 3 << 20);
	int64_t revision = begin_upload(s, 1, 12, 1 << 20), job, attempt;
	struct store_revision out;
	enum store_outcome outcome;

	OK(s->upload_dictionary(s, revision, 1, words.data, words.size, &e));
	OK(end_upload(s, revision, "d", 'a', false, &outcome, &out));
	store_revision_clear(&out);
	put_model(s, "m");
	put_version(s, "m");
	s->blob_discard(s, version_of(s, 1, 5 << 20).blob);
	job = put_job(s, "m", revision, 0);
	attempt = claim(s, job);
	OK(append_block(s, job, attempt, 1));
	finish_job(s, job, attempt, JOB_FAILED);
	ck_assert_int_gt(number_on(suite_path, pieces), 0);
	OK(s->job_delete(s, job, &e));
	OK(s->model_delete(s, "m", &e));
	OK(s->dataset_delete(s, "d", &e));
	wait_for_sweep(suite_path);
	ck_assert_int_eq(number_on(suite_path, pieces), 0);
	while (number_on(suite_path, "PRAGMA page_count") > 1024) /* the file gives its pages back */
		usleep(5000);
	s->close(s);
	store_bytes_clear(&words);
}
END_TEST

START_TEST(start_sweeps_what_a_crash_left)
{
	struct store *s;

	fresh_path();
	crash_in(upload_half);
	ck_assert_int_gt(number_on(suite_path, "SELECT count(*) FROM segment"), 0);
	s = open_again();
	wait_for_sweep(suite_path);
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM segment"), 0);
	s->close(s);
}
END_TEST

/* Two connections take turns so that one is always reading. */
static void *read_without_pause(void *arg)
{
	const atomic_bool *stop = arg;
	sqlite3 *dbs[2];

	for (int i = 0; i < 2; i++)
		if (sqlite3_open_v2(suite_path, &dbs[i], SQLITE_OPEN_READONLY, NULL)) return arg;
	for (int i = 0; !*stop; i = !i) {
		if (sqlite3_exec(dbs[i], "BEGIN; SELECT count(*) FROM model", NULL, NULL, NULL)) return arg;
		if (!sqlite3_get_autocommit(dbs[!i])) sqlite3_exec(dbs[!i], "COMMIT", NULL, NULL, NULL);
		usleep(1000);
	}
	sqlite3_close(dbs[0]);
	sqlite3_close(dbs[1]);
	return NULL;
}

/* They cannot make the log grow without end. */
START_TEST(log_is_bounded)
{
	struct store *s = fresh_store();
	atomic_bool stop = false;
	pthread_t thread;
	char path[128];
	struct stat st;
	off_t largest = 0;
	void *failed;

	snprintf(path, sizeof path, "%s-wal", suite_path);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_without_pause, &stop), 0);
	for (int n = 0; n < 10; n++) {
		s->upload_abort(s, begin_upload(s, 1, 8, 1 << 20));
		ck_assert_int_eq(stat(path, &st), 0);
		if (st.st_size > largest) largest = st.st_size;
	}
	stop = true;
	pthread_join(thread, &failed);
	ck_assert_ptr_null(failed);
	ck_assert_int_lt(largest, 96 << 20);
	s->close(s);
}
END_TEST

/* ---- many writes in one commit ---- */

struct among {
	struct writer *writer;
	pthread_t thread;
	const char *series;
	int end; /* what it returns, having written */
	useconds_t pause;
};

static int write_and_end(struct db *db, void *arg, struct err *err)
{
	const struct among *a = arg;
	int64_t next;
	int rc = db_number(db, SQL_SERIES_NEXT, DB_VALUES(V_TEXT(a->series)), &next, NULL, err);

	usleep(a->pause);
	return rc ? rc : a->end ? err_set(err, a->end, "wrote, then failed") : 0;
}

static void *write_among_others(void *arg)
{
	struct among *a = arg;
	struct err err;

	return writer_run(a->writer, WRITE_REQUEST, write_and_end, a, &err) == a->end ? NULL : arg;
}

/* The first pauses while the others queue, so that they share a commit: one that fails takes back only itself. */
START_TEST(failure_takes_back_only_itself)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct among calls[16];
	struct writer *writer;
	struct db *db;

	fresh_path();
	OK(db_open(&db, suite_path, DB_WRITER, &e));
	OK(migrate(db, suite_path, &e));
	OK(writer_start(&writer, db, &e));
	for (int i = 0; i < 16; i++) {
		calls[i] = (struct among){ writer, 0, names[i % 4], i % 2 ? ERR_CONFLICT : 0,
			i ? 0 : 100000 };
		ck_assert_int_eq(pthread_create(&calls[i].thread, NULL, write_among_others, &calls[i]), 0);
	}
	for (int i = 0; i < 16; i++) {
		void *failed;

		pthread_join(calls[i].thread, &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM series WHERE length(name) = 1"), 2);
	ck_assert_int_eq(number_on(suite_path, "SELECT sum(next) FROM series WHERE name IN ('a', 'c')"), 10);
	writer_stop(writer);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { STORE_SUITE, empty_file_becomes_a_database,
		foreign_files_are_refused_untouched, foreign_log_is_left_alone,
		newer_file_is_refused_untouched, damage_is_told, read_only_places_are_refused,
		places_that_cannot_be_are_refused, link_is_the_same_place, crash_while_creating_is_mended,
		full_disk_is_told_and_survived, sweep_leaves_nothing_behind, start_sweeps_what_a_crash_left,
		log_is_bounded, failure_takes_back_only_itself, NULL };

	suite_open = store_open_sqlite;
	return suite_main("store on SQLite", tests, 60);
}
