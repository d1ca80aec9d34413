/* test_store_share.c - the SQLite store's garbage where revisions share cells: nothing goes too early, all goes in the
 * end, and a process that dies on the way leaves nothing behind. */
#include "tests/unit/sqlite_file.h"
#include "tests/unit/store_shapes.h"
#include "tests/unit/suite.h"

static int64_t count_of(const char *table)
{
	char sql[64];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	return number_on(suite_path, sql);
}

static void assert_swept(void)
{
	static const char *const tables[] = { "segment", "part", "dictionary", "revision" };

	wait_for_sweep(suite_path);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		ck_assert_msg(!count_of(tables[i]), "%s has rows left", tables[i]);
}

START_TEST(storm_of_changes_leaves_nothing)
{
	struct store *s = fresh_store();

	for (unsigned seed = 11; seed < 16; seed++) {
		storm_over(s, seed);
		assert_swept();
	}
	s->close(s);
}
END_TEST

/* Nothing that no revision reads is kept, but the columns and groups beside what is still shared. */
START_TEST(cells_go_with_the_last_who_share_them)
{
	struct store *s = fresh_store();
	struct shape first = put_shape(s, "d", 3), second = begin_change(s, &first, 2), third;

	add_groups(s, &second, 4);
	OK(commit_change(s, &second, "d", first.id));
	wait_for_sweep(suite_path);
	ck_assert_int_eq(count_of("segment"), 10); /* 3 and 2 groups of 2 columns */
	third = begin_change(s, &second, 0);       /* shares nothing */
	add_groups(s, &third, 1);
	OK(commit_change(s, &third, "d", second.id));
	wait_for_sweep(suite_path);
	ck_assert_int_eq(count_of("segment"), 2);
	ck_assert_int_eq(count_of("part"), 0);
	s->close(s);
}
END_TEST

/* A thousand small appends, each taking the last group over, leave one group and one revision. */
START_TEST(small_appends_do_not_pile_up)
{
	struct store *s = fresh_store();
	struct shape now = put_shape(s, "d", 1);

	for (int i = 0; i < 1000; i++) {
		struct shape next = begin_change(s, &now, 0);

		add_groups(s, &next, 1);
		OK(commit_change(s, &next, "d", now.id));
		now = next;
	}
	wait_for_sweep(suite_path);
	ck_assert_int_eq(count_of("segment"), SHARE_COLUMNS);
	ck_assert_int_eq(count_of("revision"), 1);
	s->close(s);
}
END_TEST

/* ---- crashes ---- */

static void change_half(struct store *s, int tell)
{
	struct store_revision base;
	int64_t revision;

	if (s->dataset_get(s, "d", &base, NULL) || s->upload_begin(s, &revision, NULL)) _exit(4);
	if (s->upload_share(s, revision, base.id, base.groups, NULL)) _exit(5);
	for (uint64_t g = base.groups; g < base.groups + 3; g++) {
		struct store_bytes bytes[1] = { { calloc(1, 10), 10 } };

		if (s->upload_group(s, revision, g, bytes, 1, NULL)) _exit(6);
	}
	if (s->upload_segment(s, revision, 0, 1, "x", 1, NULL)) _exit(7);
	tell_and_wait(tell);
}

START_TEST(crash_in_a_change_leaves_the_data_set)
{
	struct shape first;
	struct store *s = fresh_store();

	first = put_shape(s, "d", 3);
	s->close(s);
	for (int i = 0; i < 3; i++) {
		crash_in(change_half);
		s = open_again();
		assert_shape(s, &first);
		wait_for_sweep(suite_path);
		ck_assert_int_eq(count_of("segment"), 6);
		ck_assert_int_eq(count_of("part"), 0);
		s->close(s);
	}
	s = open_again();
	OK(s->dataset_delete(s, "d", &e));
	assert_swept();
	s->close(s);
}
END_TEST

/* The base goes while a change of it is under way, which alone holds the cells then, and dies. */
static void outlive_the_base(struct store *s, int tell)
{
	struct store_revision base;
	int64_t revision;

	if (s->dataset_get(s, "d", &base, NULL) || s->upload_begin(s, &revision, NULL)) _exit(4);
	if (s->upload_share(s, revision, base.id, base.groups, NULL)) _exit(5);
	if (s->dataset_delete(s, "d", NULL)) _exit(6);
	tell_and_wait(tell);
}

START_TEST(crash_of_the_last_who_shares_is_swept)
{
	struct store *s = fresh_store();

	put_shape(s, "d", 3);
	s->close(s);
	crash_in(outlive_the_base);
	ck_assert_int_eq(count_of("segment"), 6);
	s = open_again();
	assert_swept();
	s->close(s);
}
END_TEST

static int changes_forever(void)
{
	struct store_revision out;
	enum store_outcome outcome;
	struct store *s;

	if (suite_open(&s, suite_path, NULL)) return 1;
	for (uint64_t n = 1;; n++) {
		struct store_upload upload = {
			.dataset = "d", .columns_count = 2, .sha256 = "s", .columns = "[]"
		};
		struct store_bytes bytes[2] = { bytes_of(n, CELLS_BYTES), bytes_of(n, CELLS_BYTES) };
		int64_t revision;

		if (s->dataset_get(s, "d", &out, NULL) || s->upload_begin(s, &revision, NULL)) return 2;
		upload.base = out.id;
		upload.groups = out.groups < SHARE_GROUPS ? out.groups : SHARE_GROUPS / 2;
		if (s->upload_share(s, revision, out.id, upload.groups, NULL)) return 3;
		store_revision_clear(&out);
		if (s->upload_group(s, revision, upload.groups++, bytes, 2, NULL)) return 4;
		if (s->upload_commit(s, revision, &upload, &outcome, &out, NULL)) return 5;
		store_revision_clear(&out);
	}
}

/* Killed at any moment: the data set reads whole, and when it goes, so does everything. */
START_TEST(killed_at_any_moment)
{
	struct store_bytes bytes = { 0 };

	fresh_path();
	for (useconds_t us = 5000; us < 60000; us += 5000) {
		struct store *s = open_again();
		struct store_revision out;
		int status;
		pid_t child;

		put_shape(s, "d", 2);
		s->close(s);
		child = fork();
		if (!child) _exit(changes_forever());
		usleep(us);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		ck_assert(WIFSIGNALED(status));
		s = open_again();
		OK(s->dataset_get(s, "d", &out, &e));
		for (uint64_t g = 0; g < out.groups; g++)
			for (uint64_t c = 0; c < SHARE_COLUMNS; c++) {
				OK(s->segment_read(s, out.id, g, c, &bytes, &e));
				ck_assert_uint_eq(bytes.size, CELLS_BYTES);
			}
		store_revision_clear(&out);
		OK(s->dataset_delete(s, "d", &e));
		assert_swept();
		s->close(s);
	}
	store_bytes_clear(&bytes);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { storm_of_changes_leaves_nothing, cells_go_with_the_last_who_share_them,
		small_appends_do_not_pile_up, crash_in_a_change_leaves_the_data_set,
		crash_of_the_last_who_shares_is_swept, killed_at_any_moment, NULL };

	suite_open = store_open_sqlite;
	return suite_main("shared cells in the SQLite store", tests, 60);
}
