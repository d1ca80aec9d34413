/* store_suite_data.h - data sets: uploads, revisions, cells. Part of store_suite.h. */

START_TEST(upload_comes_back_as_it_went_in)
{
	struct store *s = fresh_store();
	struct store_bytes bytes = { 0 };
	struct store_revision out;
	enum store_outcome outcome;
	int64_t revision = begin_upload(s, 7, 5, CELLS_BYTES);
	unsigned char head[8], whole[CELLS_BYTES + 1];
	size_t size;

	REFUSED(s->dataset_get(s, "iris", &out, &e), ERR_NOT_FOUND);
	ck_assert(!revision_there(s, revision));
	OK(end_upload(s, revision, "iris", 'a', false, &outcome, &out));
	ck_assert_int_eq(outcome, STORE_CREATED);
	store_revision_clear(&out);
	OK(s->dataset_get(s, "iris", &out, &e));
	ck_assert_int_eq(out.id, revision);
	ck_assert_str_eq(out.dataset, "iris");
	ck_assert_uint_eq(out.number, 1);
	ck_assert_uint_eq(out.rows, 20);
	ck_assert_uint_eq(out.columns_count, 2);
	ck_assert_uint_eq(out.groups, 2);
	ck_assert_uint_eq(out.size_bytes, 4000);
	ck_assert_str_eq(out.sha256, sha_of('a'));
	ck_assert_str_eq(out.columns, "[{\"name\":\"a\"},{\"name\":\"b\"}]");
	ck_assert_int_gt(out.created_ms, 1700000000000);
	store_revision_clear(&out);
	for (size_t g = 0; g < 5; g++) {
		for (size_t c = 0; c < 2; c++) {
			OK(s->segment_read(s, revision, g, c, &bytes, &e));
			assert_bytes(&bytes, 7 + g * 2 + c, CELLS_BYTES);
		}
	}
	REFUSED(s->segment_read(s, revision, 5, 0, &bytes, &e), ERR_NOT_FOUND);
	ck_assert_ptr_null(bytes.data);
	REFUSED(s->segment_read(s, revision, 0, 2, &bytes, &e), ERR_NOT_FOUND);
	OK(s->segment_head(s, revision, 4, 1, head, sizeof head, &size, &e));
	for (size_t i = 0; i < sizeof head; i++)
		ck_assert_uint_eq(head[i], byte_of(7 + 4 * 2 + 1, i));
	REFUSED(s->segment_head(s, revision, 4, 1, whole, CELLS_BYTES + 1, &size, &e), ERR_CORRUPT);
	s->close(s);
}
END_TEST

/* While data come in, columns are rewritten; what was queued is read as if it were there. */
START_TEST(segment_is_replaced_before_the_commit)
{
	struct store *s = fresh_store();
	struct store_bytes bytes = { 0 }, other = bytes_of(99, 3000);
	struct store_revision out;
	enum store_outcome outcome;
	int64_t revision = begin_upload(s, 1, 3, CELLS_BYTES);

	OK(s->segment_read(s, revision, 2, 1, &bytes, &e));
	assert_bytes(&bytes, 1 + 2 * 2 + 1, CELLS_BYTES);
	OK(s->upload_segment(s, revision, 2, 1, other.data, other.size, &e));
	REFUSED(s->upload_segment(s, revision, 3, 0, other.data, other.size, &e), ERR_NOT_FOUND);
	REFUSED(s->upload_segment(s, revision, 0, 0, other.data, STORE_CHUNK_BYTES + 1, &e), ERR_RANGE);
	OK(end_upload(s, revision, "iris", 'a', false, &outcome, &out));
	store_revision_clear(&out);
	OK(s->segment_read(s, revision, 2, 1, &bytes, &e));
	assert_bytes(&bytes, 99, 3000);
	OK(s->segment_read(s, revision, 2, 0, &bytes, &e));
	assert_bytes(&bytes, 1 + 2 * 2, CELLS_BYTES);
	store_bytes_clear(&bytes);
	store_bytes_clear(&other);
	s->close(s);
}
END_TEST

START_TEST(dictionary_has_any_size)
{
	static const size_t sizes[] = { 0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 19 };
	struct store *s = fresh_store();
	struct store_bytes bytes = { 0 };
	int64_t revision = begin_upload(s, 1, 1, 10);

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct store_bytes words = bytes_of(i, sizes[i]);

		OK(s->upload_dictionary(s, revision, i, words.data, words.size, &e));
		store_bytes_clear(&words);
	}
	for (size_t i = sizeof sizes / sizeof *sizes; i-- > 0;) {
		OK(s->dictionary_read(s, revision, i, &bytes, &e));
		assert_bytes(&bytes, i, sizes[i]);
	}
	REFUSED(s->dictionary_read(s, revision, 77, &bytes, &e), ERR_NOT_FOUND);
	ck_assert_ptr_null(bytes.data);
	s->upload_abort(s, revision);
	REFUSED(s->dictionary_read(s, revision, 1, &bytes, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(same_bytes_other_bytes_replaced_bytes)
{
	struct store *s = fresh_store();
	struct store_revision out;
	enum store_outcome outcome;
	int64_t first = put_dataset(s, "iris", 'a'), next;

	next = begin_upload(s, 1, 2, CELLS_BYTES);
	OK(end_upload(s, next, "iris", 'a', false, &outcome, &out));
	ck_assert_int_eq(outcome, STORE_SAME);
	ck_assert_int_eq(out.id, first);
	store_revision_clear(&out);
	ck_assert(!revision_there(s, next));

	next = begin_upload(s, 1, 2, CELLS_BYTES);
	REFUSED(end_upload(s, next, "iris", 'b', false, &outcome, &out), ERR_CONFLICT);
	ck_assert_ptr_null(out.columns);
	ck_assert(!revision_there(s, next));
	REFUSED(end_upload(s, next, "iris", 'b', true, &outcome, &out), ERR_NOT_FOUND); /* it is over */

	next = begin_upload(s, 1, 2, CELLS_BYTES);
	OK(end_upload(s, next, "iris", 'b', true, &outcome, &out));
	ck_assert_int_eq(outcome, STORE_REPLACED);
	ck_assert_int_gt(out.id, first);
	ck_assert_uint_eq(out.number, 2);
	store_revision_clear(&out);
	ck_assert(!revision_there(s, first)); /* nothing needs it */
	s->close(s);
}
END_TEST

/* Changing a column's type keeps the bytes that were sent and makes a new revision all the same. */
START_TEST(same_bytes_read_as_other_columns_replace)
{
	struct store *s = fresh_store();
	struct store_upload upload = { .dataset = "iris", .replace = true, .sha256 = "s", .columns = "[1]" };
	struct store_revision out;
	enum store_outcome outcome;

	for (int i = 0; i < 2; i++) {
		int64_t revision = begin_upload(s, 1, 1, 10);

		upload.columns = i ? "[2]" : "[1]";
		OK(s->upload_commit(s, revision, &upload, &outcome, &out, &e));
		ck_assert_int_eq(outcome, i ? STORE_REPLACED : STORE_CREATED);
		ck_assert_str_eq(out.columns, upload.columns);
		store_revision_clear(&out);
	}
	s->close(s);
}
END_TEST

START_TEST(upload_that_was_aborted_is_over)
{
	struct store *s = fresh_store();
	struct store_bytes bytes[1] = { bytes_of(1, 10) };
	struct store_revision out;
	enum store_outcome outcome;
	int64_t revision = begin_upload(s, 1, 4, 1 << 20);

	s->upload_abort(s, revision);
	s->upload_abort(s, revision); /* twice is fine */
	REFUSED(s->upload_group(s, revision, 4, bytes, 1, &e), ERR_NOT_FOUND);
	ck_assert_ptr_null(bytes[0].data);
	REFUSED(end_upload(s, revision, "iris", 'a', false, &outcome, &out), ERR_NOT_FOUND);
	REFUSED(s->segment_read(s, revision, 0, 0, bytes, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(faults_of_groups_are_told)
{
	struct store *s = fresh_store();
	struct store_bytes large[2] = { bytes_of(1, STORE_CHUNK_BYTES), bytes_of(2, 1) },
			   twice[1] = { bytes_of(3, 10) };
	struct store_revision out;
	enum store_outcome outcome;
	int64_t revision = begin_upload(s, 1, 1, 10);

	REFUSED(s->upload_group(s, revision, 1, large, 2, &e), ERR_RANGE);
	ck_assert_ptr_null(large[0].data);
	OK(s->upload_group(s, revision, 0, twice, 1, &e)); /* queued; the group is there already */
	ck_assert_int_ne(end_upload(s, revision, "iris", 'a', false, &outcome, &out), 0);
	REFUSED(s->dataset_get(s, "iris", &out, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(datasets_are_listed_by_name)
{
	static const char *const names[] = { "b", "a", "c", "B" };
	struct store *s = fresh_store();
	struct store_revision *list;
	size_t count;

	OK(s->dataset_list(s, "", 10, &list, &count, &e));
	ck_assert_uint_eq(count, 0);
	free(list);
	for (size_t i = 0; i < 4; i++)
		put_dataset(s, names[i], 'a');
	put_dataset(s, NULL, 'b'); /* inline data have no name */
	OK(s->dataset_list(s, "", 2, &list, &count, &e));
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(list[0].dataset, "B");
	ck_assert_str_eq(list[1].dataset, "a");
	store_revision_clear(&list[0]);
	store_revision_clear(&list[1]);
	free(list);
	OK(s->dataset_list(s, "a", 10, &list, &count, &e));
	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(list[1].dataset, "c");
	store_revision_clear(&list[0]);
	store_revision_clear(&list[1]);
	free(list);
	s->close(s);
}
END_TEST

START_TEST(unfinished_job_keeps_the_revision_it_needs)
{
	struct store *s = fresh_store();
	struct store_bytes bytes = { 0 };
	int64_t first = put_dataset(s, "iris", 'a'), second, jobs[2];

	put_model(s, "m");
	jobs[0] = put_job(s, "m", first, 0);
	jobs[1] = put_job(s, "m", first, 0);
	second = put_dataset(s, "iris", 'b');
	ck_assert(revision_there(s, first));
	OK(s->segment_read(s, first, 1, 1, &bytes, &e));
	assert_bytes(&bytes, 'a' + 3, CELLS_BYTES);
	REFUSED(s->dataset_delete(s, "iris", &e), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "job "));

	finish_job(s, jobs[0], claim(s, jobs[0]), JOB_FAILED);
	ck_assert(revision_there(s, first));
	finish_job(s, jobs[1], claim(s, jobs[1]), JOB_FAILED);
	ck_assert(!revision_there(s, first));
	REFUSED(s->segment_read(s, first, 1, 1, &bytes, &e), ERR_NOT_FOUND);

	ck_assert(revision_there(s, second));
	OK(s->dataset_delete(s, "iris", &e));
	ck_assert(!revision_there(s, second));
	REFUSED(s->dataset_delete(s, "iris", &e), ERR_NOT_FOUND);
	ck_assert_int_gt(put_dataset(s, "iris", 'b'), second); /* no id twice */
	s->close(s);
}
END_TEST

/* What a job validates on is kept as what it trains on is: replaced, deleted, or inline. */
START_TEST(unfinished_job_keeps_its_validation_data)
{
	struct store *s = fresh_store();
	struct store_job_new job = { .model = "m", .kind = "train", .config = "{}", .epochs = 1 };
	struct store_job got;
	enum job_state state;
	int64_t id;

	put_model(s, "m");
	job.revision = put_dataset(s, "iris", 'a');
	job.validation_revision = put_dataset(s, "val", 'b');
	OK(s->job_create(s, &job, &id, &e));
	OK(s->job_get(s, id, &got, &e));
	ck_assert_int_eq(got.revision, job.revision);
	ck_assert_int_eq(got.validation_revision, job.validation_revision);
	store_job_clear(&got);
	put_dataset(s, "val", 'c');
	ck_assert(revision_there(s, job.validation_revision));
	REFUSED(s->dataset_delete(s, "val", &e), ERR_CONFLICT);
	finish_job(s, id, claim(s, id), JOB_FAILED);
	ck_assert(!revision_there(s, job.validation_revision));
	REFUSED(s->job_create(s, &job, &id, &e), ERR_NOT_FOUND);
	OK(s->dataset_delete(s, "val", &e));

	job.validation_revision = put_dataset(s, NULL, 'd');
	OK(s->job_create(s, &job, &id, &e));
	s->close(s);
	s = open_again(); /* a job has taken it */
	ck_assert(revision_there(s, job.validation_revision));
	OK(s->job_cancel(s, id, &state, &e));
	ck_assert(!revision_there(s, job.validation_revision));
	ck_assert(revision_there(s, job.revision));
	s->close(s);
}
END_TEST

START_TEST(inline_data_live_as_long_as_their_job)
{
	struct store *s = fresh_store();
	int64_t revision = put_dataset(s, NULL, 'a'), job;
	enum job_state state;

	put_model(s, "m");
	ck_assert(revision_there(s, revision));
	job = put_job(s, "m", revision, 0);
	s->upload_abort(s, revision); /* only what no job has named is given back */
	ck_assert(revision_there(s, revision));
	OK(s->job_cancel(s, job, &state, &e));
	ck_assert(!revision_there(s, revision));

	revision = put_dataset(s, NULL, 'b');
	s->upload_abort(s, revision);
	ck_assert(!revision_there(s, revision));

	revision = put_dataset(s, NULL, 'c');
	s->close(s);
	s = open_again(); /* its job never came */
	ck_assert(!revision_there(s, revision));
	s->close(s);
}
END_TEST

#define STORE_SUITE_DATA                                                                                 \
	upload_comes_back_as_it_went_in, segment_is_replaced_before_the_commit, dictionary_has_any_size, \
			same_bytes_other_bytes_replaced_bytes, same_bytes_read_as_other_columns_replace, \
			upload_that_was_aborted_is_over, faults_of_groups_are_told,                      \
			datasets_are_listed_by_name, unfinished_job_keeps_the_revision_it_needs,         \
			unfinished_job_keeps_its_validation_data, inline_data_live_as_long_as_their_job
