/* store_suite_share.h - revisions that share row groups: what is read, what goes, what stays. Part of store_suite.h. */

START_TEST(appended_groups_come_after_the_shared_ones)
{
	struct store *s = fresh_store();
	struct shape first = put_shape(s, "d", 3), second = begin_change(s, &first, 2), third;
	struct store_revision out;

	assert_shape(s, &first);
	add_groups(s, &second, 5);
	assert_shape(s, &second); /* before the commit too */
	OK(commit_change(s, &second, "d", first.id));
	ck_assert(!revision_there(s, first.id));
	assert_shape(s, &second);
	OK(s->dataset_get(s, "d", &out, &e));
	ck_assert_uint_eq(out.number, 2);
	store_revision_clear(&out);

	third = begin_change(s, &second, 4);
	add_groups(s, &third, 6);
	OK(commit_change(s, &third, "d", second.id));
	s->close(s);
	s = open_again();
	assert_shape(s, &third);
	s->close(s);
}
END_TEST

START_TEST(changed_column_lies_over_the_shared_one)
{
	struct store *s = fresh_store();
	struct shape first = put_shape(s, "d", 3), second = begin_change(s, &first, 3), third, fourth;

	put_model(s, "m");
	put_job(s, "m", first.id, 0);
	change_column(s, &second, 1);
	assert_shape(s, &second);
	OK(commit_change(s, &second, "d", first.id));
	assert_shape(s, &first); /* a job keeps it, as it was */
	third = begin_change(s, &second, 3);
	add_groups(s, &third, 4);
	OK(commit_change(s, &third, "d", second.id));
	assert_shape(s, &third);
	fourth = begin_change(s, &third, 2);
	change_column(s, &fourth, 1);
	change_column(s, &fourth, 0);
	OK(commit_change(s, &fourth, "d", third.id));
	assert_shape(s, &fourth);
	assert_shape(s, &first);
	s->close(s);
}
END_TEST

START_TEST(changes_that_cannot_be_are_refused)
{
	struct store *s = fresh_store();
	struct shape first = put_shape(s, "d", 3), change = begin_change(s, &first, 3), late;
	struct store_bytes bytes = bytes_of(1, CELLS_BYTES);

	REFUSED(s->upload_share(s, change.id, first.id, 1, &e), ERR_RANGE); /* once */
	REFUSED(s->upload_segment(s, change.id, 3, 0, "x", 1, &e), ERR_NOT_FOUND);
	REFUSED(s->upload_segment(s, change.id, 0, 2, "x", 1, &e), ERR_NOT_FOUND);
	OK(s->upload_segment(s, change.id, 1, 0, bytes.data, bytes.size, &e));
	REFUSED(commit_change(s, &change, "d", first.id), ERR_INVALID); /* one group of three */
	assert_shape(s, &first);

	OK(s->upload_begin(s, &change.id, &e));
	REFUSED(s->upload_share(s, change.id, first.id, 4, &e), ERR_RANGE);
	REFUSED(s->upload_share(s, change.id, first.id + 99, 1, &e), ERR_NOT_FOUND);
	change.groups = 0;
	add_groups(s, &change, 1);
	REFUSED(s->upload_share(s, change.id, first.id, 1, &e), ERR_RANGE);
	s->upload_abort(s, change.id);
	REFUSED(s->upload_share(s, change.id, first.id, 1, &e), ERR_NOT_FOUND);

	change = begin_change(s, &first, 3); /* two changes of one revision: the first to end is the one */
	late = begin_change(s, &first, 3);
	OK(commit_change(s, &change, "d", first.id));
	REFUSED(commit_change(s, &late, "d", first.id), ERR_CONFLICT);
	ck_assert(!revision_there(s, late.id));
	assert_shape(s, &change);
	late = begin_change(s, &change, 3);
	OK(s->dataset_delete(s, "d", &e));
	assert_shape(s, &late);
	REFUSED(commit_change(s, &late, "d", change.id), ERR_NOT_FOUND);
	store_bytes_clear(&bytes);
	s->close(s);
}
END_TEST

START_TEST(storm_of_changes_reads_right)
{
	struct store *s = fresh_store();

	for (unsigned seed = 1; seed < 6; seed++)
		storm_over(s, seed);
	s->close(s);
}
END_TEST

#define STORE_SUITE_SHARE                                                                    \
	appended_groups_come_after_the_shared_ones, changed_column_lies_over_the_shared_one, \
			changes_that_cannot_be_are_refused, storm_of_changes_reads_right
