/* test_store_whole.c - what is done with a store, or with its file, as a whole: each of its failures, one after another.
 *
 * A walk makes a place and does its work there with one call refused (refusing.h). When that fails there is a sentence, and
 * the work is done once more in the same place, undisturbed; then all must be as it is to be. So it goes on, each time in a
 * place made anew, until there is no call left to refuse.
 */
#include <dirent.h>

#include "server/store/file.h"
#include "server/store/sqlite/sweep.h"
#include "tests/unit/refusing_sqlite.h"
#include "tests/unit/sqlite_file.h"
#include "tests/unit/store_things.h"
#include "tests/unit/suite.h"

#define MOST_CALLS 5000 /* of one piece of work; more are a walk that does not end */

static char backup_path[sizeof suite_path + 16];  /* of what was before */
static char salvage_path[sizeof suite_path + 16]; /* what was saved */
static struct store *store;                       /* that a place has opened */
static int64_t shared;                            /* the revision of data set iris, of two groups */
static int told;                                  /* sentences of the work under way */

static const struct store_backup at_once = { 0 };

/* ---- places ---- */

/* Something of each kind. */
static void fill(struct store *s)
{
	const struct store_curve_block block = block_of(1);
	struct store_revision out;
	enum store_outcome outcome;
	int64_t job, attempt;

	shared = begin_upload(s, 7, 2, 3000);
	OK(s->upload_dictionary(s, shared, 1, "words", 5, &e));
	OK(end_upload(s, shared, "iris", 'a', false, &outcome, &out));
	store_revision_clear(&out);
	put_model(s, "m");
	OK(s->drift_put(s, "m", put_version(s, "m"), "counts", 6, &e));
	job = put_job(s, "m", shared, 0);
	attempt = claim(s, job);
	OK(s->curve_append(s, job, attempt, &block, &e));
	OK(s->level_append(s, job, attempt, 1, &block, &e));
}

static void nothing_there(void)
{
	remove_folder();
	ck_assert_int_eq(mkdir(suite_folder, 0700), 0);
}

/* Its bytes are made once. */
static void full_file(void)
{
	static struct store_bytes bytes;
	FILE *file;

	nothing_there();
	if (!bytes.data) {
		struct store *s = open_again();
		struct stat st;

		fill(s);
		s->close(s);
		ck_assert_int_eq(stat(suite_path, &st), 0);
		bytes.data = malloc((size_t)st.st_size);
		bytes.size = (size_t)st.st_size;
		ck_assert_ptr_nonnull(file = fopen(suite_path, "rb"));
		ck_assert_uint_eq(fread(bytes.data, 1, bytes.size, file), bytes.size);
		fclose(file);
	}
	ck_assert_ptr_nonnull(file = fopen(suite_path, "wb"));
	ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
	ck_assert_int_eq(fclose(file), 0);
}

static void left_by_a_crash(void)
{
	full_file();
	sql_on(suite_path, "INSERT INTO revision (state) VALUES (0), (0);"
			   "INSERT INTO blob (state, size_bytes) VALUES (0, 9), (0, 9)");
}

static void opened(void)
{
	full_file();
	store = open_again();
}

/* And what is there now is older, so to say: it has no drift. */
static void with_a_backup(void)
{
	full_file();
	OK(store_backup_sqlite(suite_path, backup_path, &at_once, &e));
	sql_on(suite_path, "DELETE FROM drift");
}

/* The daemon ended before the new database got its name, and there is a log beside the old one. */
static void half_restored(void)
{
	char name[sizeof suite_path + 16];

	with_a_backup();
	snprintf(name, sizeof name, "%s-restoring", suite_path);
	ck_assert_int_eq(rename(backup_path, name), 0);
	snprintf(name, sizeof name, "%s-wal", suite_path);
	ck_assert_int_eq(close(creat(name, 0600)), 0);
}

/* A database was here, of which its log remains; and there is a backup. */
static void only_a_log(void)
{
	char name[sizeof suite_path + 16];

	with_a_backup();
	snprintf(name, sizeof name, "%s-wal", suite_path);
	ck_assert_int_eq(rename(suite_path, name), 0);
}

#define LEFT_OUT 3
/* Pieces without a checksum, two whose checksum is wrong, an event that is no document; counters that are not there. */
static void damaged(void)
{
	full_file();
	sql_on(suite_path,
			"UPDATE segment SET crc = NULL WHERE row_group = 0; UPDATE segment SET crc = 1 WHERE row_group = 1;"
			"INSERT INTO event (id, job, topic, kind, name, data, created_ms) VALUES (99, 0, 'jobs', 'end', '', 'no', 1);"
			"DELETE FROM series");
}

/* ---- work ---- */

static int open_it(void)
{
	return store_open_sqlite(&store, suite_path, &e);
}

static struct store_bytes cells[3]; /* made before the work, in which nothing is to be allocated for them */

static void cells_there(void)
{
	for (size_t i = 0; i < 3; i++)
		if (!cells[i].data) cells[i] = bytes_of(i + 1, 100);
}

static void opened_for_data(void)
{
	opened();
	cells_there();
}

/* A revision that shares what there is, and has a group and words of its own; and one column is another everywhere. */
static int change_data(void)
{
	struct store_upload upload = { .dataset = "iris",
		.base = shared,
		.rows = 30,
		.columns_count = 2,
		.groups = 3,
		.sha256 = sha_of('b'),
		.columns = "[]" };
	struct store_revision out;
	enum store_outcome outcome;
	int64_t id;
	int rc;

	cells_there();
	if ((rc = store->upload_begin(store, &id, &e))) return rc;
	if ((rc = store->upload_share(store, id, shared, 2, &e)) ||
			(rc = store->upload_group(store, id, 2, cells, 2, &e)) ||
			(rc = store->upload_dictionary(store, id, 0, "more", 4, &e)))
		goto out;
	for (uint64_t g = 0; g < 3 && !rc; g++)
		rc = store->upload_segment(store, id, g, 0, cells[2].data, cells[2].size, &e);
out:
	if (rc)
		store->upload_abort(store, id);
	else if (!(rc = store->upload_commit(store, id, &upload, &outcome, &out, &e)))
		store_revision_clear(&out);
	return rc;
}

static int ask_for_a_backup(void)
{
	uint64_t size;
	int fd, rc = store->backup(store, &at_once, &fd, &size, &e);

	if (!rc) close(fd);
	return rc;
}

/* Where the first try made it, there is nothing left to do. */
static int back_up(void)
{
	return access(backup_path, F_OK) ? store_backup_sqlite(suite_path, backup_path, &at_once, &e) : 0;
}

static int restore(void)
{
	char *kept;
	int rc = store_restore_sqlite(backup_path, suite_path, true, &at_once, &kept, &e);

	free(kept);
	return rc;
}

static void count_it(void *self, const char *sentence)
{
	(void)self;
	if (*sentence) told++;
}

static int look_at_it(void)
{
	uint64_t unchecked;
	struct store *s;
	int rc;

	if ((rc = store_look_sqlite(&s, suite_path, &e))) return rc;
	if (!(rc = store_verify_sqlite(s, count_it, NULL, &unchecked, &e))) rc = s->check(s, &e);
	s->close(s);
	return rc;
}

static bool is_document(const char *text)
{
	return *text == '{';
}

static int salvage(void)
{
	return store_salvage_sqlite(suite_path, salvage_path, is_document, count_it, NULL, &e);
}

/* ---- how it is to be ---- */

/* No file beside the database that is only for a while. */
static void assert_tidy(void)
{
	DIR *folder = opendir(suite_folder);

	ck_assert_ptr_nonnull(folder);
	for (struct dirent *entry; (entry = readdir(folder));)
		if (strstr(entry->d_name, "copy-") || strstr(entry->d_name, "-lock") ||
				strstr(entry->d_name, "-restoring"))
			ck_abort_msg("%s was left", entry->d_name);
	closedir(folder);
}

static void close_it(void)
{
	store->close(store);
	assert_tidy();
}

static void used(void)
{
	put_model(store, "new");
	close_it();
}

static void nothing_loose(void)
{
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM revision WHERE state = 0"), 0);
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM blob WHERE state = 0"), 0);
	close_it();
}

static void data_changed(void)
{
	struct store_bytes bytes = { 0 };
	struct store_revision now;

	OK(store->dataset_get(store, "iris", &now, &e));
	ck_assert_uint_eq(now.number, 2);
	for (uint64_t g = 0; g < 3; g++) {
		OK(store->segment_read(store, now.id, g, 0, &bytes, &e));
		assert_bytes(&bytes, 3, 100);
	}
	OK(store->segment_read(store, now.id, 1, 1, &bytes, &e));
	assert_bytes(&bytes, 10, 3000);
	store_bytes_clear(&bytes);
	store_revision_clear(&now);
	close_it();
}

static void backed_up(void)
{
	ck_assert_int_eq(number_on(backup_path, "SELECT count(*) FROM drift"), 1);
	assert_tidy();
}

static void restored(void)
{
	ck_assert_int_eq(number_on(suite_path, "SELECT count(*) FROM drift"), 1);
	assert_tidy();
}

static void restored_and_open(void)
{
	close_it();
	restored();
}

static void looked_at(void)
{
	assert_tidy();
}

#define AS_MANY(table) "(SELECT count(*) FROM new." table ") = (SELECT count(*) FROM " table ") AND "

/* Either all of it was saved, or it was said that something is not there. */
static void saved(void)
{
	char sql[1200];

	ck_assert_int_ge(told, LEFT_OUT);
	assert_tidy();
	if (told > LEFT_OUT) return;
	snprintf(sql, sizeof sql,
			"ATTACH '%s' AS new; CREATE TEMP TABLE whole (yes CHECK (yes)); INSERT INTO whole SELECT " AS_MANY(
					"revision") AS_MANY("dataset") AS_MANY("dictionary") AS_MANY("model")
					AS_MANY("version") AS_MANY("blob") AS_MANY("blob_chunk") AS_MANY(
							"job") AS_MANY("curve_block") AS_MANY("curve_level")
							AS_MANY("drift") "(SELECT count(*) FROM new.segment) = 2 AND (SELECT max(id) FROM new.event) < 99 AND"
									 " (SELECT count(*) FROM new.series) = 3",
			salvage_path);
	sql_on(suite_path, sql);
}

/* ---- walks ---- */

static const struct walk {
	const char *what;
	void (*place)(void);
	int (*work)(void);
	void (*look)(void);
	int failures; /* at least */
	int again; /* the work is done once more after one failure in so many, where it takes long; 1: after each */
} walks[] = {
	{ "open a new file", nothing_there, open_it, used, 60, 1 },
	{ "open after a crash", left_by_a_crash, open_it, nothing_loose, 20, 1 },
	{ "open in the middle of a restore", half_restored, open_it, restored_and_open, 20, 1 },
	{ "change a data set", opened_for_data, change_data, data_changed, 20, 1 },
	{ "be asked for a backup", opened, ask_for_a_backup, used, 10, 1 },
	{ "back a file up", full_file, back_up, backed_up, 10, 1 },
	{ "restore", with_a_backup, restore, restored, 20, 1 },
	{ "restore where only a log is", only_a_log, restore, restored, 20, 1 },
	{ "look", full_file, look_at_it, looked_at, 5, 1 },
	{ "salvage", damaged, salvage, saved, 200, 8 },
};

START_TEST(each_failure_is_told_and_got_over)
{
	const struct walk *walk = &walks[_i];
	int failures = 0;
	long n = 0;
	bool fired;

	fresh_path();
	snprintf(backup_path, sizeof backup_path, "%s.backup", suite_path);
	snprintf(salvage_path, sizeof salvage_path, "%s.saved", suite_path);
	do {
		int rc;

		walk->place();
		e.text[0] = 0;
		told = 0;
		refuse(++n);
		rc = walk->work();
		fired = was_refused();
		if (rc) {
			ck_assert_msg(fired && e.text[0], "%s, call %ld: %d %s", walk->what, n, rc, e.text);
			failures++;
			if (failures % walk->again) continue;
			told = 0;
			rc = walk->work();
			ck_assert_msg(!rc, "%s, after call %ld was refused: %s", walk->what, n, e.text);
		}
		walk->look();
	} while (fired && n < MOST_CALLS);
	ck_assert_msg(!fired && failures >= walk->failures, "%s: %d failures in %ld calls", walk->what,
			failures, n);
}
END_TEST

#define LARGE      ((size_t)6 << 20) /* so much free room is given back unasked */
#define ROOM_CALLS 80                /* of the sweep, and of the writes behind it */
#define ROUNDS     10000

/* Does the database get small? What failed is made again behind the next write. */
static bool shrinks(struct store *s)
{
	for (int i = 0; i < ROUNDS; i++) {
		OK(s->answers_prune(s, 0, &e));
		if (number_on(suite_path, "PRAGMA page_count") * 8192 < (int64_t)LARGE / 2) return true;
		usleep(1000);
	}
	return false;
}

/* Whatever fails while a deleted blob is swept, its room is given back in the end. */
START_TEST(room_is_given_back)
{
	unsigned char *bytes = calloc(1, LARGE);

	ck_assert_ptr_nonnull(bytes);
	for (long n = 1; n <= ROOM_CALLS; n++) {
		struct store *s = fresh_store();
		int64_t blob;

		OK(s->blob_write(s, bytes, LARGE, &blob, &e));
		s->blob_discard(s, blob);
		refuse(n);
		for (int i = 0; i < ROUNDS && !atomic_load(&refusing_fired); i++)
			s->answers_prune(s, 0, &e);
		ck_assert(was_refused());
		ck_assert_msg(shrinks(s), "call %ld", n);
		s->close(s);
	}
	free(bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store as a whole");
	TCase *tcase = tcase_create("walks");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_open = store_open_sqlite;
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, each_failure_is_told_and_got_over, 0, sizeof walks / sizeof *walks);
	tcase_add_test(tcase, room_is_given_back);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
