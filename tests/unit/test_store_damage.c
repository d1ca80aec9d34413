/* test_store_damage.c - a piece whose bytes, or whose place, are not those that it was put with is refused by name. */
#include "server/store/file.h"
#include "tests/unit/sqlite_file.h"
#include "tests/unit/store_things.h"
#include "tests/unit/suite.h"

static int64_t revision, blob, job, attempt;

static int see(void *self, const struct store_curve_block *block, struct err *err)
{
	(void)block;
	(void)err;
	++*(int *)self;
	return 0;
}

/* A store with one piece of each kind at least. */
static void fill(void)
{
	const struct store_curve_block block = block_of(1);
	struct store *s = fresh_store();
	struct store_revision out;
	enum store_outcome outcome;
	struct store_version_new v;
	uint64_t number;

	revision = begin_upload(s, 7, 2, 3000);
	OK(s->upload_dictionary(s, revision, 1, "words", 5, &e));
	OK(end_upload(s, revision, "iris", 'a', false, &outcome, &out));
	store_revision_clear(&out);
	put_model(s, "m");
	v = version_of(s, 3, 3 << 20);
	blob = v.blob;
	OK(s->version_create(s, "m", &v, &number, &e));
	OK(s->drift_put(s, "m", number, "counts", 6, &e));
	job = put_job(s, "m", revision, 0);
	attempt = claim(s, job);
	OK(s->curve_append(s, job, attempt, &block, &e));
	OK(s->level_append(s, job, attempt, 1, &block, &e));
	s->close(s);
}

static int read_segment(struct store *s, struct store_bytes *bytes)
{
	return s->segment_read(s, revision, 1, 0, bytes, &e);
}

static int read_dictionary(struct store *s, struct store_bytes *bytes)
{
	store_bytes_clear(bytes);
	return s->dictionary_read(s, revision, 1, bytes, &e);
}

static int read_blob(struct store *s, struct store_bytes *bytes)
{
	store_bytes_clear(bytes); /* it takes no memory to use again */
	return s->blob_read(s, blob, bytes, &e);
}

static int read_drift(struct store *s, struct store_bytes *bytes)
{
	return s->drift_get(s, "m", 1, bytes, &e);
}

static int read_curve(struct store *s, struct store_bytes *bytes)
{
	int seen = 0, rc = s->curve_read(s, job, 1, 99, see, &seen, &e);

	(void)bytes;
	ck_assert_int_eq(seen, rc ? 0 : 1);
	return rc;
}

static int read_level(struct store *s, struct store_bytes *bytes)
{
	int seen = 0, rc = s->level_read(s, job, 1, 1, 99, see, &seen, &e);

	(void)bytes;
	ck_assert_int_eq(seen, rc ? 0 : 1);
	return rc;
}

static const struct {
	int (*read)(struct store *s, struct store_bytes *bytes);
	const char *change, *says; /* the sentence begins so */
} damages[] = {
	{ read_segment, "UPDATE segment SET data = zeroblob(3000) WHERE row_group = 1 AND column_index = 0",
			"row group 2 of column 1 of data set iris, revision 1, is damaged" },
	/* Found in the place of another, which then is nowhere. */
	{ read_segment,
			"DELETE FROM segment WHERE row_group = 1 AND column_index = 0;"
			"UPDATE segment SET row_group = 1 WHERE row_group = 0 AND column_index = 0",
			"row group 2 of column 1 of data set iris, revision 1, is damaged" },
	{ read_segment, "UPDATE segment SET crc = crc + 1",
			"row group 2 of column 1 of data set iris, revision 1, is damaged" },
	{ read_dictionary, "UPDATE dictionary SET data = CAST('sword' AS BLOB)",
			"the list of values of column 2 of data set iris, revision 1, is damaged" },
	{ read_blob, "UPDATE blob_chunk SET data = zeroblob(1048576) WHERE chunk = 1",
			"version 1 of model m is damaged" },
	{ read_blob,
			"DELETE FROM blob_chunk WHERE chunk = 1;"
			"INSERT INTO blob_chunk (blob, chunk, data, crc) SELECT blob, 1, data, crc FROM blob_chunk WHERE chunk = 2",
			"version 1 of model m is damaged" },
	{ read_drift, "UPDATE drift SET data = x'00'",
			"what was counted of version 1 of model m is damaged" },
	{ read_curve, "UPDATE curve_block SET data = x'00'", "the curve of job 1 is damaged" },
	{ read_curve, "UPDATE curve_block SET first_event = first_event + 1",
			"the curve of job 1 is damaged" },
	{ read_level, "UPDATE curve_level SET data = x'00'", "the curve of job 1 is damaged" },
};

START_TEST(a_changed_piece_is_named)
{
	struct store_bytes bytes = { 0 };
	struct store *s;

	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
		fill();
		s = open_again();
		OK(damages[i].read(s, &bytes));
		s->close(s);
		sql_on(suite_path, damages[i].change);
		s = open_again();
		REFUSED(damages[i].read(s, &bytes), ERR_CORRUPT);
		ck_assert_msg(!strncmp(e.text, damages[i].says, strlen(damages[i].says)), "%s", e.text);
		ck_assert_ptr_nonnull(strstr(e.text, "descentd check"));
		s->close(s);
		remove_folder();
	}
	store_bytes_clear(&bytes);
}
END_TEST

START_TEST(a_piece_without_a_checksum_is_read)
{
	struct store_bytes bytes = { 0 };
	struct store *s;

	fill();
	sql_on(suite_path,
			"UPDATE segment SET crc = NULL; UPDATE dictionary SET crc = NULL; UPDATE blob_chunk SET crc = NULL;"
			"UPDATE curve_block SET crc = NULL; UPDATE curve_level SET crc = NULL; UPDATE drift SET crc = NULL");
	s = open_again();
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
		OK(damages[i].read(s, &bytes));
	store_bytes_clear(&bytes);
	s->close(s);
}
END_TEST

/* ---- looking ---- */

static void count_it(void *self, const char *sentence)
{
	ck_assert_uint_gt(strlen(sentence), 0);
	++*(int *)self;
}

START_TEST(what_is_looked_at_is_not_written)
{
	struct store_bytes bytes = { 0 };
	enum store_outcome outcome;
	uint64_t unchecked = 9;
	struct store *s;
	int faults = 0;

	fill();
	OK(store_look_sqlite(&s, suite_path, &e));
	OK(read_blob(s, &bytes));
	OK(store_verify_sqlite(s, count_it, &faults, &unchecked, &e));
	ck_assert_int_eq(faults, 0);
	ck_assert_uint_eq(unchecked, 0);
	REFUSED(s->model_create(s, "n", "{}", "{}", "", "{}", 0, &outcome, &e), ERR_FORBIDDEN);
	OK(s->check(s, &e));
	sql_on(suite_path, "DELETE FROM drift; PRAGMA wal_checkpoint(TRUNCATE)");
	REFUSED(s->check(s, &e), ERR_CONFLICT);
	s->close(s);
	store_bytes_clear(&bytes);
}
END_TEST

START_TEST(a_path_that_looks_like_a_uri_is_none)
{
	char name[sizeof suite_path + 32];
	struct store *s;

	fresh_path();
	snprintf(name, sizeof name, "%s/a%%41?mode=rw#b", suite_folder);
	OK(store_open_sqlite(&s, name, &e));
	s->close(s);
	OK(store_look_sqlite(&s, name, &e));
	s->close(s);
}
END_TEST

/* ---- salvage ---- */

static bool any(const char *text)
{
	return text;
}

START_TEST(what_cannot_be_read_is_left_out_and_told)
{
	struct store_bytes bytes = { 0 };
	char new[sizeof suite_path + 8];
	struct store_version version;
	struct store_job found;
	struct store *s;
	int told = 0;

	fill();
	sql_on(suite_path,
			"DELETE FROM series; DELETE FROM dataset; UPDATE segment SET crc = 1 WHERE row_group = 0;"
			"DELETE FROM blob_chunk WHERE chunk = 2; INSERT INTO garbage VALUES (2, 1), (0, 1)");
	snprintf(new, sizeof new, "%s.new", suite_path);
	OK(store_salvage_sqlite(suite_path, new, any, count_it, &told, &e));
	ck_assert_int_eq(told, 2); /* both segments of the group */
	REFUSED(store_salvage_sqlite(suite_path, new, any, count_it, &told, &e), ERR_CONFLICT);
	OK(store_open_sqlite(&s, new, &e));
	OK(read_segment(s, &bytes));
	REFUSED(s->segment_read(s, revision, 0, 0, &bytes, &e), ERR_NOT_FOUND);
	REFUSED(read_blob(s, &bytes), ERR_CORRUPT);
	OK(s->version_get(s, "m", 1, &version, &e));
	store_version_clear(&version);
	OK(s->job_get(s, job, &found, &e));
	store_job_clear(&found);
	ck_assert_int_ge(s->last_event(s), 5); /* no number is given again */
	ck_assert_uint_eq(put_version(s, "m"), 2);
	ck_assert_int_gt(put_dataset(s, "other", 'b'), revision);
	s->close(s);
	store_bytes_clear(&bytes);
}
END_TEST

/* The pages behind the first of the longest cell say that another one follows that is not there. */
static void spoil_last_overflow(void)
{
	const int64_t page = number_on(suite_path,
			"SELECT max(pageno) FROM dbstat WHERE name = 'segment' AND pagetype = 'overflow'"
			" AND path LIKE '%+000002'");
	FILE *file = fopen(suite_path, "r+b");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, (page - 1) * number_on(suite_path, "PRAGMA page_size"), SEEK_SET), 0);
	ck_assert_uint_eq(fwrite("\x7f\xff\xff\xff", 4, 1, file), 1);
	ck_assert_int_eq(fclose(file), 0);
}

/* It was gone through id by id to the next row, and there may be thousands of millions between. */
START_TEST(ids_that_lie_far_apart)
{
	char new[sizeof suite_path + 8];
	struct store *s;
	int told = 0;

	fill();
	sql_on(suite_path,
			"INSERT INTO segment (id, revision, row_group, column_index, data) VALUES (4000000000000, 9, 0, 0, zeroblob(90000)),"
			" (8000000000000, 10, 0, 0, x'00'); PRAGMA wal_checkpoint(TRUNCATE)");
	spoil_last_overflow();
	snprintf(new, sizeof new, "%s.new", suite_path);
	OK(store_salvage_sqlite(suite_path, new, any, count_it, &told, &e));
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(
			number_on(new, "SELECT count(*) FROM segment WHERE id IN (4000000000000, 8000000000000)"),
			1);
	OK(store_open_sqlite(&s, new, &e));
	s->close(s);
}
END_TEST

/* Writes zeros over the leaves of the table but these. */
static void spoil_leaves_but(int first, int last)
{
	enum { MOST = 100 };
	const int64_t size = number_on(suite_path, "PRAGMA page_size");
	int64_t pages[MOST];
	char sql[192];
	FILE *file;
	int n;

	for (n = 0; n < MOST; n++) {
		snprintf(sql, sizeof sql,
				"SELECT coalesce((SELECT pageno FROM dbstat WHERE name = 'curve_level' AND pagetype = 'leaf'"
				" ORDER BY path LIMIT 1 OFFSET %d), 0)",
				n);
		if (!(pages[n] = number_on(suite_path, sql))) break;
	}
	ck_assert_int_gt(n, last + 1);
	ck_assert_ptr_nonnull(file = fopen(suite_path, "r+b"));
	for (int i = 0; i < n; i++) {
		if (i >= first && i <= last) continue;
		ck_assert_int_eq(fseek(file, (pages[i] - 1) * size, SEEK_SET), 0);
		for (int64_t byte = 0; byte < size; byte++)
			ck_assert_int_eq(fputc(0, file), 0);
	}
	ck_assert_int_eq(fclose(file), 0);
}

/* The steps to the next one that can be read were doubled, and led over what is whole into what was cut off. */
START_TEST(rows_between_pages_that_are_gone)
{
	char new[sizeof suite_path + 8];
	int told = 0;

	fill();
	sql_on(suite_path,
			"DELETE FROM curve_level; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
			" INSERT INTO curve_level (id, curve, level, first_key, last_key, spans, data)"
			" SELECT i, 9, 1, i, i, 1, zeroblob(1000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)");
	spoil_leaves_but(5, 7);
	snprintf(new, sizeof new, "%s.new", suite_path);
	OK(store_salvage_sqlite(suite_path, new, any, count_it, &told, &e));
	ck_assert_int_eq(told, 2);
	ck_assert_int_ge(number_on(new, "SELECT count(*) FROM curve_level"), 3 * 7);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { a_changed_piece_is_named, a_piece_without_a_checksum_is_read,
		what_is_looked_at_is_not_written, a_path_that_looks_like_a_uri_is_none,
		what_cannot_be_read_is_left_out_and_told, ids_that_lie_far_apart,
		rows_between_pages_that_are_gone, NULL };

	suite_open = store_open_sqlite;
	return suite_main("damage in the SQLite store", tests, 60);
}
